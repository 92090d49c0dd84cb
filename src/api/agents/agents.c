#include "api/agents/agents.h"

#include "api/agents/internal.h"
#include "base/clock.h"
#include "base/date.h"
#include "http/sse.h"
#include "server/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void api_agents_health(struct call *call)
{
	char date[DATE_BYTES];

	date_rfc3339(unix_now_ms(), date);
	call_reply_json(call, 200,
			json_pack("{s:s, s:s, s:s}", "status", "OK", "timestamp", date, "version",
				  MAYFLY_VERSION));
}

/* --- the list --------------------------------------------------------------------------------- */

struct list {
	json_t *runs;
	char last[RUN_ID_BYTES];
};

static void add_row(void *context, const char *id, struct slice summary)
{
	struct list *list = context;

	(void)summary;
	(void)snprintf(list->last, sizeof(list->last), "%s", id);
	(void)json_array_append_new(list->runs, json_sprintf("%" PRId64, record_ms_of(id)));
}

static int reply_list(struct call *call, const char *agent_id, struct error *err)
{
	struct list list = {.runs = json_array()};
	char owner[AGENT_OWNER_BYTES];
	bool more = true;

	agents_owner(call, agent_id, owner);
	while (more && json_array_size(list.runs) < AGENT_LIST_MAX) {
		if (records_list(call->config, owner, slice_of(list.last), RUN_LIST_MAX, add_row,
				 &list, &more, err) < 0) {
			json_decref(list.runs);
			return -1;
		}
	}
	call_reply_json(call, 200,
			json_pack("{s:b, s:{s:s, s:o}}", "success", 1, "data", "agentId", agent_id,
				  "runs", list.runs));
	return 0;
}

/* --- one record ------------------------------------------------------------------------------- */

static int read_run(const struct call *call, const struct agent_path *path, struct record *out,
		    struct error *err)
{
	char owner[AGENT_OWNER_BYTES], id[RUN_ID_BYTES];
	int64_t ms;

	if (!agent_run_id_parse(path->run, &ms))
		ms = 0; /* no run began then */
	record_id_of_ms(ms, id);
	agents_owner(call, path->id, owner);
	if (record_read(call->config, owner, slice_of(id), out, err) < 0)
		return err->status == 404 ? error_set(err, 404, "run_not_found", "Run not found")
					  : -1;
	return 0;
}

static int reply_run(struct call *call, const struct record *record, struct error *err)
{
	_cleanup_buf_ struct buf text = buf_new(RUN_RECORD_MAX_BYTES + KIB);

	if (buf_append_text(&text, "{\"success\":true,\"data\":") < 0 ||
	    buf_append(&text, record->text.data, record->text.len) < 0 ||
	    buf_append_text(&text, "}") < 0)
		return error_set(err, 500, "record_too_large", "the run's record is too large");
	call_reply(call, 200, AGENT_JSON_TYPE, buf_slice(&text));
	return 0;
}

/* What stands in the record between two keys. Within a string of JSON every quote has a backslash
   before it, so a raw match is the key itself. */
static bool find_value(struct slice record, const char *key, const char *next, struct slice *out)
{
	const char *start = memmem(record.data, record.len, key, strlen(key));

	if (!start)
		return false;
	start += strlen(key);

	const char *end =
		memmem(start, record.len - (size_t)(start - record.data), next, strlen(next));

	*out = (struct slice){start, end ? (size_t)(end - start) : 0};
	return end != NULL;
}

static int add_event(struct sse *sse, const char *type, struct slice value, struct error *err)
{
	_cleanup_buf_ struct buf text = buf_new(RUN_RECORD_MAX_BYTES + KIB);

	if (buf_printf(&text, "{\"type\":\"%s\",\"data\":", type) < 0 ||
	    buf_append(&text, value.data, value.len) < 0 || buf_append_text(&text, "}") < 0)
		return error_set(err, 500, "record_too_large", "the run's record is too large");
	sse_event(sse, NULL, buf_slice(&text));
	return 0;
}

/* A run that is in the records has ended: its events are said again, and that is the end of the
   stream. */
static int stream_run(struct call *call, const struct record *record, struct error *err)
{
	struct sse sse = sse_new(call->connection->fd, SSE_BACKLOG_MAX_BYTES);
	struct slice status, logs;
	int sent;

	if (!find_value(record->text, ",\"status\":", ",\"logs\":", &status) ||
	    !find_value(record->text, ",\"logs\":", ",\"validationResults\":", &logs))
		return error_set(err, 500, "storage_failed", "The record of the run is damaged");
	call->status = 200;
	sse_begin(&sse);
	sent = call->connection->request.method == HTTP_HEAD
		       ? 0
		       : add_event(&sse, "logs", logs, err) |
				 add_event(&sse, "status", status, err) |
				 add_event(&sse, "end", record->text, err);
	if (sse_end(&sse, deadline_in(SSE_END_DEADLINE_MS)) < 0)
		call->code = "reply_not_sent";
	else if (sent < 0)
		call->code = err->code;
	call->answered_us = monotonic_us();
	sse_free(&sse);
	return 0;
}

static int reply_record(struct call *call, const struct agent_path *path, struct error *err)
{
	struct record record;
	int replied;

	if (read_run(call, path, &record, err) < 0)
		return -1;
	replied = path->route == AGENT_STREAM ? stream_run(call, &record, err)
					      : reply_run(call, &record, err);
	free(record.data);
	return replied;
}

/* --- routes ----------------------------------------------------------------------------------- */

static int take_path(const struct call *call, struct agent_path *out, struct error *err)
{
	struct slice rest = call->connection->request.path;

	rest.data += strlen(AGENTS_PATH);
	rest.len -= strlen(AGENTS_PATH);
	return agent_path_parse(rest, out, err);
}

static int no_route(struct error *err)
{
	return error_set(err, 404, "no_route", "Route not found");
}

void api_agents_post(struct call *call)
{
	struct agent_path path;
	struct error err;

	if (take_path(call, &path, &err) < 0 ||
	    (path.route == AGENT_AUTO_RUN ? agents_auto_run(call, path.id, &err) : no_route(&err)) <
		    0)
		call_refuse(call, &err);
}

void api_agents_get(struct call *call)
{
	struct agent_path path;
	struct error err;
	int answered = take_path(call, &path, &err);

	if (answered == 0)
		answered = path.route == AGENT_AUTO_RUN ? no_route(&err)
			   : path.route == AGENT_RUNS   ? reply_list(call, path.id, &err)
							: reply_record(call, &path, &err);
	if (answered < 0)
		call_refuse(call, &err);
}
