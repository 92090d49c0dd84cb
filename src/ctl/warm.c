#include "ctl/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "ctl/settings.h"
#include "ctl/tool_request.h"
#include "job/defaults.h"
#include "job/engine_client.h"
#include "job/pool.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#define WHO_BYTES 256

struct warm {
	const struct config *config;
	struct engine engine; /* owned */
	uint64_t count, max_age_s;
	int status;
};

/* Keeps the first status of one that went wrong; the others go on. */
static void note(struct warm *warm, int status)
{
	if (warm->status == EX_OK)
		warm->status = status;
}

static void complain(struct warm *warm, const char *what, const struct error *err, int status)
{
	note(warm, ctl_fail("warm", status, "%s: %s", what, err->message));
}

/* --- the job ---------------------------------------------------------------------------------- */

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
		complain(warm, what, &err, EX_OSERR);
		return;
	}
	for (size_t at = 0; search.young >= warm->count && at < search.old.len;
	     at += strlen(search.old.data + at) + 1)
		if (pool_drop(warm->config, &warm->engine, search.old.data + at, &err) < 0)
			complain(warm, what, &err, EX_UNAVAILABLE);
	(void)printf("%s: %" PRIu64 " waiting%s\n", what, search.young,
		     search.young < warm->count
			     ? "; the maximum is reached, or another process is making some"
			     : "");
	buf_free(&search.old);
}

static void warm_one(struct warm *warm, const char *what)
{
	_cleanup_json_ json_t *request = request_of(what);
	char who[WHO_BYTES];
	struct tool_request made;
	struct pool_plan plan;
	struct error err;

	(void)snprintf(who, sizeof(who), "warm: %s", what);

	int status = tool_request_make(warm->config, who, DEFAULT_TOOL, request, &made);

	note(warm, status);
	if (status == EX_OK && pool_plan(warm->config, &made.job, &plan, &err) < 0) {
		complain(warm, what, &err, EX_CONFIG);
	} else if (status == EX_OK) {
		if (pool_refill(warm->config, &warm->engine, &plan, warm->count, warm->max_age_s,
				&err) < 0)
			complain(warm, what, &err, EX_UNAVAILABLE);
		else
			settle(warm, what, &plan);
		pool_plan_free(&plan);
	}
	tool_request_free(&made);
}

/* --- the command ------------------------------------------------------------------------------ */

static void warm_listed(struct warm *warm, const char *list)
{
	_cleanup_free_ char *words = memory_text(list, strlen(list));

	for (char *rest = words, *word; (word = strsep(&rest, " \t,"));)
		if (*word)
			warm_one(warm, word);
}

/* Says what keeps everything from being warmed. EX_OK when nothing does. */
static int check(struct warm *warm)
{
	_cleanup_buf_ struct buf version = buf_new(KIB);
	const struct config *config = warm->config;
	struct error err;

	if (!config->pool || !config->pool_total || !config->pool_memory_bytes)
		return ctl_fail("warm", EX_CONFIG,
				"pooled containers are off: MAYFLY_POOL, MAYFLY_POOL_TOTAL or "
				"MAYFLY_POOL_MEMORY_MB is 0");
	if (engine_ping(&warm->engine, deadline_in(ENGINE_CALL_DEADLINE_MS), &version, &err) == 0)
		return EX_OK;
	return ctl_fail("warm", EX_UNAVAILABLE, "no container engine answers: %s", err.message);
}

int ctl_warm(const struct config *config, struct ctl_arguments *arguments)
{
	struct warm warm = {
		.config = config, .count = config->pool, .max_age_s = config->pool_ttl_s / 2};
	struct error err;

	if (ctl_number(arguments, "warm", "--count", 1, POOL_TOTAL_MAX, &warm.count) < 0 ||
	    (!arguments->count && !config->warm))
		return CTL_USAGE;
	if (ctl_become_service(config, &err) < 0)
		return ctl_error("warm", &err);
	if (engine_open(config, &warm.engine, &err) < 0)
		return ctl_error("warm", &err);
	warm.status = check(&warm);
	if (warm.status == EX_OK) {
		for (int i = 0; i < arguments->count; i++)
			warm_one(&warm, arguments->words[i]);
		if (!arguments->count)
			warm_listed(&warm, config->warm);
	}
	engine_close(&warm.engine);
	return warm.status;
}
