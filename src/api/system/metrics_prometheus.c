/*
 * The metrics as Prometheus reads them. Labels are names of registry entries and words of ours:
 * nothing in them needs escaping (store/metrics.h, rule 3).
 */
#include "api/system/internal.h"

#include <inttypes.h>

#define PREFIX "mayfly_"

/* Counters without labels, by the field of metrics->values. */
static const struct counter {
	const char *name, *help;
	enum metric metric;
	bool is_us; /* counted in microseconds, shown in seconds */
} counters[] = {
	{"sessions_created_total", "Sessions made.", METRIC_SESSIONS_CREATED, false},
	{"sessions_reused_total", "Executes in an existing session.", METRIC_SESSIONS_REUSED,
	 false},
	{"sessions_destroyed_total", "Sessions ended by their owners.", METRIC_SESSIONS_DESTROYED,
	 false},
	{"sessions_expired_total", "Sessions that outlived their TTL.", METRIC_SESSIONS_EXPIRED,
	 false},
	{"session_errors_total", "Sessions that could not be made, reached or ended.",
	 METRIC_SESSION_ERRORS, false},
	{"pool_claims_total", "Jobs that found a container waiting.", METRIC_POOL_CLAIMS, false},
	{"pool_misses_total", "Jobs of a kind with pooled containers that found none.",
	 METRIC_POOL_MISSES, false},
	{"pool_refills_total", "Pooled containers made.", METRIC_POOL_REFILLS, false},
	{"pool_refill_seconds_total", "Time to make pooled containers.", METRIC_POOL_REFILL_US,
	 true},
	{"engine_asked_again_total", "Uncertain answers of the container engine, asked for again.",
	 METRIC_ENGINE_ASKED_AGAIN, false},
	{"slots_taken_total", "Slots given to jobs.", METRIC_SLOTS_TAKEN, false},
	{"slot_wait_seconds_total", "Time that jobs waited for their slots.", METRIC_SLOT_WAIT_US,
	 true},
};

static const struct gauge {
	const char *name, *help;
	size_t offset; /* in struct metrics_now */
} gauges[] = {
	{"sessions_active", "Active sessions.", offsetof(struct metrics_now, active_sessions)},
	{"sessions_max", "The maximum of sessions.", offsetof(struct metrics_now, max_sessions)},
	{"pool_waiting", "Containers that wait for a job.",
	 offsetof(struct metrics_now, pool_waiting)},
	{"slots", "Jobs that can run at once.", offsetof(struct metrics_now, slots)},
	{"slots_running", "Jobs that run.", offsetof(struct metrics_now, slots_running)},
	{"slots_waiting", "Jobs that wait for a slot.",
	 offsetof(struct metrics_now, slots_waiting)},
};

double metrics_seconds(uint64_t us)
{
	return (double)us / 1e6;
}

static void add_head(struct buf *out, const char *name, const char *type, const char *help)
{
	(void)!buf_printf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name,
			  type);
}

static void add_counters(const struct metrics_now *now, struct buf *out)
{
	for (size_t i = 0; i < COUNT_OF(counters); i++) {
		uint64_t value = now->counted.values[counters[i].metric];

		add_head(out, counters[i].name, "counter", counters[i].help);
		if (counters[i].is_us)
			(void)!buf_printf(out, PREFIX "%s %.6f\n", counters[i].name,
					  metrics_seconds(value));
		else
			(void)!buf_printf(out, PREFIX "%s %" PRIu64 "\n", counters[i].name, value);
	}
}

static void add_gauges(const struct metrics_now *now, struct buf *out)
{
	for (size_t i = 0; i < COUNT_OF(gauges); i++) {
		add_head(out, gauges[i].name, "gauge", gauges[i].help);
		(void)!buf_printf(out, PREFIX "%s %" PRIu64 "\n", gauges[i].name,
				  *(const uint64_t *)((const char *)now + gauges[i].offset));
	}
	add_head(out, "build_info", "gauge", "The version, as a label.");
	(void)!buf_printf(out, PREFIX "build_info{version=\"%s\"} 1\n", MAYFLY_VERSION);
}

static void add_engine_errors(const struct metrics_now *now, struct buf *out)
{
	const uint64_t *values = now->counted.values + METRIC_ENGINE_ERRORS;

	add_head(out, "engine_errors_total", "counter",
		 "Failures of the container engine, by code.");
	for (unsigned i = 0; i < ENGINE_CODE_COUNT; i++)
		(void)!buf_printf(out, PREFIX "engine_errors_total{code=\"%s\"} %" PRIu64 "\n",
				  engine_codes[i], values[i]);
}

/* --- jobs ------------------------------------------------------------------------------------- */

#define LABELS         "family=\"%c\",language=\"%s\",template=\"%s\""
#define LABELS_OF(one) (one)->family, (one)->language, (one)->template

static void add_jobs(const struct metrics_now *now, struct buf *out)
{
	add_head(out, "jobs_total", "counter", "Jobs that have ended, by outcome.");
	for (size_t i = 0; i < now->counted.series_count; i++) {
		const struct metrics_series *series = &now->counted.series[i];

		for (unsigned outcome = 0; outcome < OUTCOME_COUNT; outcome++)
			(void)!buf_printf(
				out, PREFIX "jobs_total{" LABELS ",outcome=\"%s\"} %" PRIu64 "\n",
				LABELS_OF(series), metrics_outcomes[outcome],
				series->outcomes[outcome]);
	}
}

static void add_histogram(const struct metrics_series *series, const char *name,
			  const struct metrics_histogram *from, struct buf *out)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < METRICS_BOUND_COUNT; i++) {
		count += from->buckets[i];
		(void)!buf_printf(out, PREFIX "%s_bucket{" LABELS ",le=\"%g\"} %" PRIu64 "\n", name,
				  LABELS_OF(series), (double)metrics_bounds_us[i] / 1e6, count);
	}
	count += from->buckets[METRICS_BOUND_COUNT];
	(void)!buf_printf(out,
			  PREFIX "%s_bucket{" LABELS ",le=\"+Inf\"} %" PRIu64 "\n" PREFIX
				 "%s_sum{" LABELS "} %.6f\n" PREFIX "%s_count{" LABELS "} %" PRIu64
				 "\n",
			  name, LABELS_OF(series), count, name, LABELS_OF(series),
			  metrics_seconds(from->sum_us), name, LABELS_OF(series), count);
}

static void add_histograms(const struct metrics_now *now, const char *name, const char *help,
			   size_t offset, struct buf *out)
{
	add_head(out, name, "histogram", help);
	for (size_t i = 0; i < now->counted.series_count; i++) {
		const struct metrics_series *series = &now->counted.series[i];

		add_histogram(series, name, (const void *)((const char *)series + offset), out);
	}
}

void metrics_expose(const struct metrics_now *now, struct buf *out)
{
	add_jobs(now, out);
	add_histograms(now, "job_duration_seconds", "From a job's connection to its answer.",
		       offsetof(struct metrics_series, duration), out);
	add_histograms(now, "job_program_seconds", "How long a job's program ran.",
		       offsetof(struct metrics_series, program), out);
	add_counters(now, out);
	add_engine_errors(now, out);
	add_gauges(now, out);
}
