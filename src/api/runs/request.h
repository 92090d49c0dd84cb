/*
 * The body of POST /v1/runs, checked: language, code, limits, files, in this order
 * (src/api/runs/README.md). Pure, but for the language, which the caller looks up between the two
 * halves.
 */
#pragma once

#include "base/error.h"
#include "base/slice.h"
#include "bounds.h"
#include "job/staging.h"
#include "json/json.h"

#include <stddef.h>
#include <stdint.h>

/* Arguments behind a program's own, variables before ours. */
#define RUN_ARGS_MAX_COUNT (JOB_ARGV_MAX_COUNT - LANGUAGE_RUN_ARGV_MAX_COUNT)
#define RUN_ENV_MAX_COUNT  (JOB_ENV_MAX_COUNT - 8)
#define RUN_INPUTS         "inputs/" /* beneath the working directory */

struct run_limits {
	uint64_t timeout_ms, memory_mb, cpu_ms, max_output_bytes, max_artifact_bytes,
		max_artifact_files;
};

/* One row for each limit. */
struct run_limit {
	const char *name;
	uint64_t fallback, most, least;
	size_t offset; /* in struct run_limits */
};

/* What every program's environment ends with, NAME=value, ended by NULL; only we set these. */
extern const char *const run_environment[];

#define RUN_LIMIT_COUNT 6
extern const struct run_limit run_limit_table[RUN_LIMIT_COUNT];

struct run_request {
	json_t *body; /* owned */
	json_t *env;  /* owned: an array of texts NAME=value */
	struct slice language, code, standard_input;
	bool wants_cached;  /* a record that is there will do */
	const json_t *args; /* an array of texts, or NULL */
	struct run_limits limits;
	struct staging staging; /* owned: the files listed, beneath RUN_INPUTS */
};

/* Parses the body and takes the language from it. 0, or -1 with *err, 400: "bad_json",
   "json_too_deep", "wrong_type", "language_required". The caller frees *out in either case. */
MUST_USE int run_request_begin(struct slice body, struct run_request *out, struct error *err);

/* Takes everything else. 0, or -1 with *err, 400: "wrong_type", "code_required", "code_too_large",
   "too_many_args", "bad_env", "limit_too_large", "limit_too_small", "bad_file_path",
   "too_many_files". */
MUST_USE int run_request_take(struct run_request *request, struct error *err);

void run_request_free(struct run_request *request);

/* The value of a row. */
uint64_t run_limit_of(const struct run_limits *limits, const struct run_limit *row);
