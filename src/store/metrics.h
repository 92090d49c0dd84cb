/*
 * What is counted, in one file: <run>/metrics-<layout>.
 *
 * Rules:
 *  1. One lock on the file for each change: exact under concurrency, and a process that dies in
 *     between has counted or has not.
 *  2. The file is rows of one size, none crossing a page, each with a checksum. A row that is torn,
 *     cut off or not ours counts from 0 again and harms no other; so does a file of another layout,
 *     because it has another name.
 *  3. Labels are names of installed registry entries and words of ours, never a request's text;
 *     there are no more than METRICS_ROW_COUNT rows, and what finds none left is counted under
 *     "other".
 *  4. Counting never fails a request. It is done when the client has its answer (executor_count),
 *     and given up when the lock does not come free in METRICS_LOCK_DEADLINE_MS.
 */
#pragma once

#include "bounds.h"
#include "config/config.h"
#include "protocol/engine.h"

#include <stddef.h>
#include <stdint.h>

/* Counters without labels. Their order is the file's layout: new ones go before
   METRIC_ENGINE_ERRORS, with METRICS_LAYOUT raised. */
enum metric {
	METRIC_SESSIONS_CREATED,
	METRIC_SESSIONS_REUSED, /* executes in a session that was there */
	METRIC_SESSIONS_DESTROYED,
	METRIC_SESSIONS_EXPIRED,
	METRIC_SESSION_ERRORS, /* "errors": a session could not be made, reached or ended */
	METRIC_POOL_CLAIMS,
	METRIC_POOL_MISSES,
	METRIC_POOL_REFILLS,
	METRIC_POOL_REFILL_US,
	METRIC_SLOTS_TAKEN,
	METRIC_SLOT_WAIT_US,
	METRIC_ENGINE_ASKED_AGAIN, /* engine/podman.h, rule 4 */
	METRIC_ENGINE_ERRORS, /* the first of ENGINE_CODE_COUNT, in the order of engine_codes */
	METRIC_COUNT = METRIC_ENGINE_ERRORS + ENGINE_CODE_COUNT,
};

enum job_outcome {
	OUTCOME_SUCCEEDED,
	OUTCOME_FAILED, /* exit code or signal */
	OUTCOME_TIMEOUT,
	OUTCOME_OOM,
	OUTCOME_CPU, /* its CPU budget was used up */
	OUTCOME_CANCELLED,
	OUTCOME_NOT_STARTED,
	OUTCOME_LOST,
	OUTCOME_BUSY,  /* no slot came free */
	OUTCOME_ERROR, /* ours or the engine's */
	OUTCOME_COUNT,
};

extern const char *const metrics_outcomes[OUTCOME_COUNT];

/* The upper bounds of a histogram's buckets, in microseconds; the last bucket has none. */
extern const int64_t metrics_bounds_us[METRICS_BOUND_COUNT];

struct metrics_histogram {
	uint64_t buckets[METRICS_BOUND_COUNT + 1]; /* each for itself, not cumulated */
	uint64_t sum_us;
};

/* A job that has ended. family 0: none has. */
struct metrics_job {
	char family; /* 'A' to 'E' (src/api/README.md) */
	char language[REGISTRY_NAME_MAX_BYTES + 1], template[REGISTRY_NAME_MAX_BYTES + 1];
	enum job_outcome outcome;
	int64_t duration_us; /* from the connection to the answer */
	int64_t program_us;  /* that the program ran; -1: it did not */
};

/* What one request changes. All zero: nothing. */
struct metrics_change {
	uint64_t add[METRIC_COUNT];
	struct metrics_job job;
};

/* Counts all of a change at once (rule 4). */
void metrics_count(const struct config *config, const struct metrics_change *change);

/* Counts one thing now. */
void metric_add(const struct config *config, enum metric metric, uint64_t amount);

/* Which counter an engine's error belongs to, by its code; "engine_failed"'s when it is none of
   engine_codes. */
enum metric metric_of_engine_error(const char *code);

/* Jobs of one API, language and template. */
struct metrics_series {
	char family;
	char language[REGISTRY_NAME_MAX_BYTES + 1], template[REGISTRY_NAME_MAX_BYTES + 1];
	uint64_t outcomes[OUTCOME_COUNT];
	struct metrics_histogram duration, program;
};

struct metrics {
	uint64_t values[METRIC_COUNT];
	struct metrics_series *series; /* owned: sorted by labels, each once */
	size_t series_count;
};

#define _cleanup_metrics_ __attribute__((cleanup(metrics_free)))

/* Reads everything, as it was at one moment. The caller frees *out. 0, also when nothing was ever
   counted, or -1 with *err: 500 "metrics_unreadable". */
MUST_USE int metrics_read(const struct config *config, struct metrics *out, struct error *err);
void metrics_free(struct metrics *metrics);
