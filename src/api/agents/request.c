#include "api/agents/request.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/num.h"
#include "base/utf8.h"
#include "http/uri.h"
#include "json/read.h"

#define RUN_MS_MAX 3521614606207LL /* the last that fits a record's id, 62^7 - 1 */

const char *const agent_environment[] = {"OUTPUT_DIR=/workspace/output", NULL};

#define TEXT(place) READ_FIELD(struct agent_request, place, #place, READ_SLICE)

static const struct json_field frontend_fields[] = {
	{READ_FIELD(struct agent_request, frontend, "frontend", READ_OBJECT)},
};

static const struct json_field page_fields[] = {{TEXT(html)}, {TEXT(css)}, {TEXT(javascript)}};

static const struct json_field other_fields[] = {
	{TEXT(test)},
	{TEXT(language)},
	{TEXT(prompt), READ_BOUNDS(0, AGENT_PROMPT_MAX_BYTES),
	 .too_large = {"prompt_too_long", "exceeds 65536 bytes"}},
	{READ_FIELD(struct agent_request, browser, "browser", READ_FLAG)},
};

#define TAKE(object, within, table, out, err)                                                      \
	json_take(object, within, table, COUNT_OF(table), JSON_LENIENT, out, err)

int agent_request_parse(struct slice body, struct agent_request *out, struct error *err)
{
	static const struct slice none = SLICE_LITERAL("");

	*out = (struct agent_request){.html = none,
				      .css = none,
				      .javascript = none,
				      .test = none,
				      .language = SLICE_LITERAL("node"),
				      .prompt = none};
	if (json_parse(body.len ? body : SLICE_LITERAL("{}"), &out->body, err) < 0)
		return -1;
	if (!json_is_object(out->body))
		return error_set(err, 400, "wrong_type", "the body must be an object");
	if (TAKE(out->body, "", frontend_fields, out, err) < 0 ||
	    TAKE(out->frontend, "frontend.", page_fields, out, err) < 0)
		return -1;
	out->has_prompt = json_object_get(out->body, "prompt") != NULL;
	if (TAKE(out->body, "", other_fields, out, err) < 0)
		return -1;
	return invocation_take(out->body, agent_environment, NULL, &out->invocation, err);
}

void agent_request_free(struct agent_request *request)
{
	json_decref(request->body);
	request->body = NULL;
	invocation_free(&request->invocation);
}

/* --- the path --------------------------------------------------------------------------------- */

static int take_id(struct slice encoded, struct agent_path *out, struct error *err)
{
	_cleanup_buf_ struct buf text = buf_new(URI_PATH_MAX_BYTES);
	struct slice id = SLICE_LITERAL("");
	struct error ignored;

	if (uri_decode(encoded, &text, &ignored) == 0)
		id = buf_slice(&text);
	if (id.len > AGENT_ID_MAX_BYTES || !fs_is_component(id) || id.data[0] == '.' ||
	    !utf8_is_valid(id))
		return error_set(err, 400, "bad_agent_id", "Invalid agent id");
	memcpy(out->id, id.data, id.len);
	out->id[id.len] = '\0';
	return 0;
}

int agent_path_parse(struct slice rest, struct agent_path *out, struct error *err)
{
	static const struct {
		unsigned count;
		const char *second, *last;
		enum agent_route route;
	} routes[] = {
		{2, "auto-run", "auto-run", AGENT_AUTO_RUN},
		{2, "runs", "runs", AGENT_RUNS},
		{3, "runs", NULL, AGENT_RUN},
		{4, "runs", "stream", AGENT_STREAM},
	};
	struct slice parts[4] = {0};
	bool ends_with_slash = rest.len && rest.data[rest.len - 1] == '/';
	unsigned count = 0;

	while (rest.len && count < 4)
		parts[count++] = slice_take(&rest, '/');
	for (size_t i = 0; i < COUNT_OF(routes); i++) {
		if (rest.len || ends_with_slash || count != routes[i].count ||
		    !slice_eq(parts[1], routes[i].second) ||
		    (routes[i].last && !slice_eq(parts[count - 1], routes[i].last)))
			continue;
		*out = (struct agent_path){.route = routes[i].route,
					   .run = count > 2 ? parts[2] : SLICE_LITERAL("")};
		return take_id(parts[0], out, err);
	}
	return error_set(err, 404, "no_route", "Route not found");
}

bool agent_run_id_parse(struct slice text, int64_t *out_ms)
{
	uint64_t ms;

	if (text.len == 0 || text.data[0] == '0' || num_parse(text, 10, RUN_MS_MAX, &ms) < 0)
		return false;
	*out_ms = (int64_t)ms;
	return true;
}
