#include "api/system/metrics.h"

#include "api/system/internal.h"
#include "job/session.h"
#include "job/slots.h"

#include <stdio.h>

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

static uint64_t count_jobs(const struct metrics_series *series)
{
	uint64_t jobs = 0;

	for (unsigned i = 0; i < OUTCOME_COUNT; i++)
		jobs += series->outcomes[i];
	return jobs;
}

/* --- what there is ---------------------------------------------------------------------------- */

static void count_pooled(void *context, const struct pool_row *row)
{
	(void)row;
	++*(uint64_t *)context;
}

static void count_session(void *context, const struct session *session)
{
	if (!session_is_expired(session))
		++*(uint64_t *)context;
}

static int look(const struct config *config, struct metrics_now *now, struct error *err)
{
	const struct session_requester all = {0};

	if (metrics_read(config, &now->counted, err) < 0 ||
	    slot_count(config, &now->slots_running, &now->slots_waiting, err) < 0 ||
	    pool_list(config, count_pooled, &now->pool_waiting, err) < 0 ||
	    session_list(config, &all, count_session, &now->active_sessions, err) < 0)
		return -1;
	now->slots = config->slots;
	now->max_sessions = config->sessions;
	now->default_ttl_s = SESSION_TTL_DEFAULT_S;
	return 0;
}

/* --- JSON ------------------------------------------------------------------------------------- */

/* Buckets as Prometheus has them, each with those below it, by their upper bounds in seconds. */
static json_t *histogram(const struct metrics_histogram *from)
{
	json_t *buckets = json_object();
	uint64_t count = 0;
	char bound[32];

	for (unsigned i = 0; i < METRICS_BOUND_COUNT; i++) {
		count += from->buckets[i];
		(void)snprintf(bound, sizeof(bound), "%g", (double)metrics_bounds_us[i] / 1e6);
		(void)json_object_set_new(buckets, bound, json_integer((json_int_t)count));
	}
	count += from->buckets[METRICS_BOUND_COUNT];
	(void)json_object_set_new(buckets, "+Inf", json_integer((json_int_t)count));
	return json_pack("{s:I, s:f, s:o}", "count", (json_int_t)count, "sum",
			 metrics_seconds(from->sum_us), "buckets", buckets);
}

/* {name: number} */
static json_t *numbers(const char *const *names, const uint64_t *values, unsigned count)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < count; i++)
		(void)json_object_set_new(object, names[i], json_integer((json_int_t)values[i]));
	return object;
}

static json_t *jobs(const struct metrics *counted, json_int_t *total)
{
	json_t *list = json_array();

	for (size_t i = 0; i < counted->series_count; i++) {
		const struct metrics_series *series = &counted->series[i];

		*total += (json_int_t)count_jobs(series);
		(void)json_array_append_new(
			list, json_pack("{s:s#, s:s, s:s, s:o, s:o, s:o}", "family",
					&series->family, 1, "language", series->language,
					"template", series->template, "outcomes",
					numbers(metrics_outcomes, series->outcomes, OUTCOME_COUNT),
					"duration_seconds", histogram(&series->duration),
					"program_seconds", histogram(&series->program)));
	}
	return list;
}

static json_t *sessions(const struct metrics_now *now)
{
	static const char *const names[] = {"sessions_created", "sessions_reused",
					    "sessions_destroyed", "sessions_expired", "errors"};
	json_t *metrics =
		numbers(names, now->counted.values + METRIC_SESSIONS_CREATED, COUNT_OF(names));

	(void)json_object_update_new(metrics,
				     json_pack("{s:I, s:I, s:I}", "active_sessions",
					       (json_int_t)now->active_sessions, "max_sessions",
					       (json_int_t)now->max_sessions, "default_ttl",
					       (json_int_t)now->default_ttl_s));
	return metrics;
}

static json_t *describe(const struct metrics_now *now)
{
	const uint64_t *values = now->counted.values;
	json_t *metrics = sessions(now);
	json_int_t total = 0;
	json_t *list = jobs(&now->counted, &total);
	json_t *pool =
		json_pack("{s:I, s:I, s:I, s:I, s:f}", "waiting", (json_int_t)now->pool_waiting,
			  "claims", (json_int_t)values[METRIC_POOL_CLAIMS], "misses",
			  (json_int_t)values[METRIC_POOL_MISSES], "refills",
			  (json_int_t)values[METRIC_POOL_REFILLS], "refill_seconds",
			  metrics_seconds(values[METRIC_POOL_REFILL_US]));
	json_t *slots =
		json_pack("{s:I, s:I, s:I, s:I, s:f}", "total", (json_int_t)now->slots, "running",
			  (json_int_t)now->slots_running, "waiting", (json_int_t)now->slots_waiting,
			  "taken", (json_int_t)values[METRIC_SLOTS_TAKEN], "wait_seconds",
			  metrics_seconds(values[METRIC_SLOT_WAIT_US]));

	(void)json_object_update_new(
		metrics,
		json_pack("{s:I, s:o, s:o, s:o, s:I, s:o}", "jobs_total", total, "jobs", list,
			  "pool", pool, "slots", slots, "engine_asked_again",
			  (json_int_t)values[METRIC_ENGINE_ASKED_AGAIN], "engine_errors",
			  numbers(engine_codes, values + METRIC_ENGINE_ERRORS, ENGINE_CODE_COUNT)));
	return metrics;
}

void api_metrics(struct call *call)
{
	struct metrics_now now = {0};
	struct error err;

	if (look(call->config, &now, &err) < 0)
		call_refuse(call, &err);
	else
		call_reply_json(
			call, 200,
			json_pack("{s:s, s:o}", "status", "success", "metrics", describe(&now)));
	metrics_free(&now.counted);
}

void api_metrics_prometheus(struct call *call)
{
	_cleanup_buf_ struct buf text = buf_new(METRICS_TEXT_MAX_BYTES);
	struct metrics_now now = {0};
	struct error err;

	if (look(call->config, &now, &err) < 0) {
		call_refuse(call, &err);
	} else {
		metrics_expose(&now, &text);
		call_reply(call, 200, EXPOSITION_TYPE, buf_slice(&text));
	}
	metrics_free(&now.counted);
}
