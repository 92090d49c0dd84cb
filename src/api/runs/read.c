/* Records again: one, or a key's list of them. */
#include "api/runs/runs.h"

#include "api/runs/internal.h"
#include "base/num.h"
#include "bounds.h"
#include "http/uri.h"

#include <stdio.h>
#include <stdlib.h>

int run_reply_record(struct call *call, struct slice id, struct error *err)
{
	_cleanup_buf_ struct buf text = buf_new(RUN_RECORD_MAX_BYTES + RUN_LINKS_MAX_BYTES);
	struct record record;
	int shown;

	if (record_read(call->config, call->caller.id, id, &record, err) < 0)
		return -1;
	shown = run_show(call, &record, &text, err);
	free(record.data);
	if (shown == 0 && call->is_cached && text.len) {
		text.len--; /* the closing brace */
		(void)!buf_append_text(&text, ",\"cached\":true}");
	}
	if (shown == 0)
		call_reply(call, 200, RUN_JSON_TYPE, buf_slice(&text));
	return shown;
}

void api_runs_read(struct call *call)
{
	struct error err;

	if (run_reply_record(call, call->rest, &err) < 0)
		call_refuse(call, &err);
}

struct list {
	json_t *runs;
	char last[RUN_ID_BYTES];
};

static void add_row(void *context, const char *id, struct slice summary)
{
	struct list *list = context;
	struct error ignored;
	json_t *row;

	(void)snprintf(list->last, sizeof(list->last), "%s", id);
	/* one that is damaged takes out only itself */
	if (json_parse(summary, &row, &ignored) == 0)
		(void)json_array_append_new(list->runs, row);
}

/* The page asked for. 0, or -1 with *err. */
static int take_page(const struct call *call, unsigned *limit, struct slice *before,
		     struct error *err)
{
	const struct slice query = call->connection->request.query;
	struct slice value;
	uint64_t number = RUN_LIST_DEFAULT;

	*before = SLICE_LITERAL("");
	if (uri_query(query, "limit", &value) &&
	    (num_parse(value, 10, RUN_LIST_MAX, &number) < 0 || number == 0))
		return error_set(err, 400, "bad_limit", "limit takes a whole number from 1 to %d",
				 RUN_LIST_MAX);
	if (uri_query(query, "before", before) && !record_is_id(*before))
		return error_set(err, 400, "bad_before", "before takes the id of a run");
	*limit = (unsigned)number;
	return 0;
}

void api_runs_list(struct call *call)
{
	struct list list = {.runs = json_array()};
	struct slice before;
	struct error err;
	unsigned limit = 0;
	bool more = false;

	if (take_page(call, &limit, &before, &err) < 0 ||
	    records_list(call->config, call->caller.id, before, limit, add_row, &list, &more,
			 &err) < 0) {
		call_refuse(call, &err);
		json_decref(list.runs);
		return;
	}
	call_reply_json(call, 200,
			json_pack("{s:o, s:o}", "runs", list.runs, "next",
				  more ? json_string(list.last) : json_null()));
}

void api_models(struct call *call)
{
	call_reply_json(call, 200, json_pack("{s:s, s:[]}", "object", "list", "data"));
}
