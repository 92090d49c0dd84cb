#include "api/agents/request.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/num.h"
#include "base/utf8.h"
#include "http/uri.h"

#define RUN_MS_MAX 3521614606207LL /* the last that fits a record's id, 62^7 - 1 */

/* Takes an optional text of an object. 0, or -1 with *err. */
static int take_text(const json_t *object, const char *place, const char *name, struct slice *out,
		     struct error *err)
{
	const json_t *value = json_object_get(object, name);

	*out = SLICE_LITERAL("");
	if (value && !json_is_string(value))
		return error_set(err, 400, "wrong_type", "%s%s must be a string", place, name);
	if (value)
		*out = (struct slice){json_string_value(value), json_string_length(value)};
	return 0;
}

int agent_request_parse(struct slice body, struct agent_request *out, struct error *err)
{
	const json_t *frontend;

	*out = (struct agent_request){0};
	if (json_parse(body, &out->body, err) < 0)
		return -1;
	if (!json_is_object(out->body))
		return error_set(err, 400, "wrong_type", "the body must be an object");
	frontend = json_object_get(out->body, "frontend");
	if (frontend && !json_is_object(frontend))
		return error_set(err, 400, "wrong_type", "frontend must be an object");
	if (take_text(frontend, "frontend.", "html", &out->html, err) < 0 ||
	    take_text(frontend, "frontend.", "css", &out->css, err) < 0 ||
	    take_text(frontend, "frontend.", "javascript", &out->javascript, err) < 0 ||
	    take_text(out->body, "", "test", &out->test, err) < 0 ||
	    take_text(out->body, "", "prompt", &out->prompt, err) < 0)
		return -1;
	out->has_prompt = json_object_get(out->body, "prompt") != NULL;
	if (out->prompt.len > AGENT_PROMPT_MAX_BYTES)
		return error_set(err, 400, "prompt_too_long", "prompt exceeds %llu bytes",
				 AGENT_PROMPT_MAX_BYTES);
	return 0;
}

void agent_request_free(struct agent_request *request)
{
	json_decref(request->body);
	request->body = NULL;
}

/* --- the path --------------------------------------------------------------------------------- */

/* Takes a component off a path; the slash behind it, too. */
static struct slice next_component(struct slice *path)
{
	const char *slash = memchr(path->data, '/', path->len);
	struct slice component = {path->data, slash ? (size_t)(slash - path->data) : path->len};
	size_t used = component.len + (slash != NULL);

	*path = (struct slice){path->data + used, path->len - used};
	return component;
}

static int take_id(struct slice encoded, struct agent_path *out, struct error *err)
{
	_cleanup_buf_ struct buf text = buf_new(URI_PATH_MAX_BYTES);
	struct error ignored;
	struct slice id;

	if (uri_decode(encoded, &text, &ignored) < 0)
		return error_set(err, 400, "bad_agent_id", "Invalid agent id");
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
	struct slice parts[4];
	bool ends_with_slash = rest.len && rest.data[rest.len - 1] == '/';
	unsigned count = 0;

	while (rest.len && count < 4)
		parts[count++] = next_component(&rest);
	*out = (struct agent_path){.run = SLICE_LITERAL("")};
	if (rest.len || ends_with_slash || count < 2)
		return error_set(err, 404, "no_route", "Route not found");
	if (count == 2 && slice_eq(parts[1], "auto-run"))
		out->route = AGENT_AUTO_RUN;
	else if (count == 2 && slice_eq(parts[1], "runs"))
		out->route = AGENT_RUNS;
	else if (count == 3 && slice_eq(parts[1], "runs"))
		out->route = AGENT_RUN;
	else if (count == 4 && slice_eq(parts[1], "runs") && slice_eq(parts[3], "stream"))
		out->route = AGENT_STREAM;
	else
		return error_set(err, 404, "no_route", "Route not found");
	if (count > 2)
		out->run = parts[2];
	return take_id(parts[0], out, err);
}

bool agent_run_id_parse(struct slice text, int64_t *out_ms)
{
	uint64_t ms;

	if (text.len == 0 || text.data[0] == '0' || num_parse(text, 10, RUN_MS_MAX, &ms) < 0)
		return false;
	*out_ms = (int64_t)ms;
	return true;
}
