#include "ctl/warm.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/num.h"
#include "job/defaults.h"
#include "job/engine_client.h"
#include "job/pool.h"
#include "job/tool_job.h"
#include "json/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct warm {
	const struct config *config;
	struct engine engine; /* owned */
	uint64_t count, max_age_s;
	int status;
};

/* Says what is wrong with one language; the others go on. */
static void complain(struct warm *warm, const char *what, const char *message, int status)
{
	(void)fprintf(stderr, "mayflyctl warm: %s: %s\n", what, message);
	if (warm->status == EX_OK)
		warm->status = status;
}

/* --- the job ---------------------------------------------------------------------------------- */

struct sample {
	struct tool tool;     /* owned */
	struct tool_job made; /* owned */
	json_t *values;       /* owned */
	struct job job;       /* its slices point into those */
	struct job_input inputs[JOB_INPUT_MAX_COUNT];
};

static void sample_free(struct sample *sample)
{
	tool_job_free(&sample->made);
	tool_free(&sample->tool);
	json_decref(sample->values);
}

/* What a client would have to send: LANGUAGE[:FILENAME]. */
static json_t *request_of(const char *what)
{
	size_t language = strcspn(what, ":");
	json_t *request = json_pack("{s:o, s:s}", "language",
				    json_clean_string((struct slice){what, language}), "code", " ");

	if (request && what[language])
		(void)json_object_set_new(request, "filename",
					  json_clean_string(slice_of(what + language + 1)));
	return request;
}

/* The job that the server would make of it. True, or false when it was complained of. */
static bool make_sample(struct warm *warm, const char *what, struct sample *out)
{
	_cleanup_json_ json_t *request = request_of(what), *issues = json_array();
	struct error err;

	*out = (struct sample){.values = json_object()};
	if (tool_load(warm->config, DEFAULT_TOOL, &out->tool, &err) < 0 ||
	    tool_validate(warm->config, &out->tool, request, issues, out->values, &err) < 0) {
		complain(warm, what, err.message, EX_CONFIG);
		return false;
	}
	if (json_array_size(issues)) {
		complain(warm, what,
			 json_string_value(json_object_get(json_array_get(issues, 0), "message")),
			 EX_DATAERR);
		return false;
	}
	job_defaults(warm->config, &out->job);
	if (tool_job(warm->config, &out->tool, out->values, &out->made, &out->job, out->inputs,
		     &err) < 0) {
		complain(warm, what, err.message, EX_CONFIG);
		return false;
	}
	return true;
}

/* --- its pooled containers -------------------------------------------------------------------- */

struct search {
	const char *kind;
	uint64_t max_age_s;
	uint64_t young; /* found */
	struct buf old; /* owned: the folders of those that are too old, each ended by NUL */
};

static void look_at(void *context, const struct pool_row *row)
{
	struct search *search = context;

	if (strcmp(row->kind, search->kind) != 0)
		return;
	if (row->age_s <= search->max_age_s)
		search->young++;
	else if (buf_append(&search->old, row->folder, strlen(row->folder) + 1) < 0)
		return; /* it ends by itself */
}

/* Removes those whose successors are there, and says how many wait. */
static void settle(struct warm *warm, const char *what, const struct pool_plan *plan)
{
	struct search search = {plan->kind, warm->max_age_s, 0,
				buf_new(POOL_TOTAL_MAX * ENGINE_FOLDER_BYTES)};
	struct error err;

	if (pool_list(warm->config, look_at, &search, &err) < 0) {
		complain(warm, what, err.message, EX_OSERR);
		return;
	}
	for (size_t at = 0; search.young >= warm->count && at < search.old.len;
	     at += strlen(search.old.data + at) + 1)
		if (pool_drop(warm->config, &warm->engine, search.old.data + at, &err) < 0)
			complain(warm, what, err.message, EX_UNAVAILABLE);
	(void)printf("%s: %" PRIu64 " waiting%s\n", what, search.young,
		     search.young < warm->count
			     ? "; the maximum is reached, or another process is making some"
			     : "");
	buf_free(&search.old);
}

static void warm_one(struct warm *warm, const char *what)
{
	struct sample sample;
	struct pool_plan plan;
	struct error err;

	if (make_sample(warm, what, &sample)) {
		if (pool_plan(warm->config, &sample.job, &plan, &err) < 0) {
			complain(warm, what, err.message, EX_CONFIG);
		} else {
			if (pool_refill(warm->config, &warm->engine, &plan, warm->count,
					warm->max_age_s, &err) < 0)
				complain(warm, what, err.message, EX_UNAVAILABLE);
			else
				settle(warm, what, &plan);
			pool_plan_free(&plan);
		}
	}
	sample_free(&sample);
}

/* --- the command ------------------------------------------------------------------------------ */

static int usage(void)
{
	(void)fputs("usage: mayflyctl warm [--count N] [LANGUAGE[:FILENAME]]...\n"
		    "Without arguments it takes the list in MAYFLY_WARM.\n",
		    stderr);
	return EX_USAGE;
}

static void warm_listed(struct warm *warm, const char *list)
{
	static const char between[] = " \t,";

	for (size_t len; *(list += strspn(list, between)); list += len) {
		len = strcspn(list, between);

		_cleanup_free_ char *word = memory_text(list, len);

		if (word)
			warm_one(warm, word);
	}
}

/* Says what keeps everything from being warmed. EX_OK when nothing does. */
static int check(struct warm *warm)
{
	_cleanup_buf_ struct buf version = buf_new(KIB);
	const struct config *config = warm->config;
	struct error err;

	if (!config->pool || !config->pool_total || !config->pool_memory_bytes) {
		(void)fputs(
			"mayflyctl warm: pooled containers are off: MAYFLY_POOL, MAYFLY_POOL_TOTAL "
			"or MAYFLY_POOL_MEMORY_MB is 0\n",
			stderr);
		return EX_CONFIG;
	}
	if (engine_ping(&warm->engine, deadline_in(ENGINE_CALL_DEADLINE_MS), &version, &err) == 0)
		return EX_OK;
	(void)fprintf(stderr, "mayflyctl warm: no container engine answers: %s\n", err.message);
	return EX_UNAVAILABLE;
}

int ctl_warm(const struct config *config, int argc, char **argv)
{
	struct warm warm = {
		.config = config, .count = config->pool, .max_age_s = config->pool_ttl_s / 2};
	int first = 1;
	struct error err;

	if (argc > 1 && strcmp(argv[1], "--count") == 0) {
		if (argc < 3 || num_parse(slice_of(argv[2]), 10, POOL_TOTAL_MAX, &warm.count) < 0 ||
		    warm.count == 0)
			return usage();
		first = 3;
	}
	if ((first == argc && !config->warm) || (first < argc && *argv[first] == '-'))
		return usage();
	if (engine_open(config, &warm.engine, &err) < 0) {
		(void)fprintf(stderr, "mayflyctl warm: %s\n", err.message);
		return EX_OSERR;
	}
	warm.status = check(&warm);
	if (warm.status == EX_OK) {
		for (int i = first; i < argc; i++)
			warm_one(&warm, argv[i]);
		if (first == argc)
			warm_listed(&warm, config->warm);
	}
	engine_close(&warm.engine);
	return warm.status;
}
