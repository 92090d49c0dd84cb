#include "api/agents/agents.h"

#include "api/agents/internal.h"
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

static void add_event(struct sse *sse, const char *before, struct slice value)
{
	_cleanup_buf_ struct buf text = agents_wrap(before, value);

	sse_event(sse, NULL, buf_slice(&text));
}

/* A run that is in the records has ended: its events are said again, and that is the end of the
   stream. */
static int stream_run(struct call *call, const struct record *record, struct error *err)
{
	struct sse sse = sse_new(call->connection->fd, SSE_BACKLOG_MAX_BYTES);
	struct slice status, logs;

	if (!record_between(record->text, ",\"status\":", ",\"logs\":", &status) ||
	    !record_between(record->text, ",\"logs\":", ",\"validationResults\":", &logs))
		return error_set(err, 500, "storage_failed", "The record of the run is damaged");
	call->status = 200;
	sse_begin(&sse);
	if (call->connection->request.method != HTTP_HEAD) {
		add_event(&sse, "{\"type\":\"logs\",\"data\":", logs);
		add_event(&sse, "{\"type\":\"status\",\"data\":", status);
		add_event(&sse, "{\"type\":\"end\",\"data\":", record->text);
	}
	if (sse_end(&sse, deadline_in(SSE_END_DEADLINE_MS)) < 0)
		call->code = CALL_NOT_SENT;
	call->answered_us = monotonic_us();
	sse_free(&sse);
	return 0;
}

static int reply_record(struct call *call, const struct agent_path *path, struct error *err)
{
	struct record record;
	int replied = 0;

	if (read_run(call, path, &record, err) < 0)
		return -1;
	if (path->route == AGENT_STREAM)
		replied = stream_run(call, &record, err);
	else
		agents_reply(call, "{\"success\":true,\"data\":", record.text);
	free(record.data);
	return replied;
}

/* --- routes ----------------------------------------------------------------------------------- */

static int no_route(struct error *err)
{
	return error_set(err, 404, "no_route", "Route not found");
}

void api_agents_post(struct call *call)
{
	struct agent_path path;
	struct error err;

	if (agent_path_parse(call->rest, &path, &err) < 0 ||
	    (path.route == AGENT_AUTO_RUN ? agents_auto_run(call, path.id, &err) : no_route(&err)) <
		    0)
		call_refuse(call, &err);
}

void api_agents_get(struct call *call)
{
	struct agent_path path;
	struct error err;
	int answered = agent_path_parse(call->rest, &path, &err);

	if (answered == 0)
		answered = path.route == AGENT_AUTO_RUN ? no_route(&err)
			   : path.route == AGENT_RUNS   ? reply_list(call, path.id, &err)
							: reply_record(call, &path, &err);
	if (answered < 0)
		call_refuse(call, &err);
}
