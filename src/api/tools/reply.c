/* From a tool's result to the reply. */
#include "api/tools/internal.h"

#include "base/utf8.h"
#include "http/access.h"
#include "http/uri.h"
#include "server/usage.h"

#include <inttypes.h>

#define URL_MAX_BYTES (8 * KIB)

/* http://<Host>/artifacts/<sessionId>/<id>/<name>, https where PUBLIC_BASE_URL says so of that Host */
static json_t *artifact_url(const struct call *call, const char *session_id, const char *id,
			    struct slice name)
{
	const struct slice host = call->connection->request.host;
	_cleanup_buf_ struct buf url = buf_new(URL_MAX_BYTES);

	if (buf_printf(&url, "%s://", http_scheme(call->config->public_base_url, host)) < 0 ||
	    (host.len ? buf_append(&url, host.data, host.len)
		      : buf_printf(&url, "%s:%" PRIu64, call->config->bind, call->config->port)) <
		    0 ||
	    buf_append_text(&url, "/artifacts/") < 0 ||
	    uri_encode(&url, slice_of(session_id), false) < 0 || buf_printf(&url, "/%s/", id) < 0 ||
	    uri_encode(&url, name, true) < 0)
		return NULL;
	return json_stringn(url.data, url.len);
}

static int add_artifact(const struct execution *execution, json_t *list, const char *id,
			struct slice name)
{
	const char *session_id = json_string_value(json_object_get(execution->agent, "sessionId"));
	_cleanup_buf_ struct buf clean = buf_new(JOB_PATH_MAX_BYTES * 3);

	if (utf8_append_clean(&clean, name) < 0)
		return -1;
	return json_object_set_new(list, clean.data,
				   artifact_url(execution->call, session_id, id, name));
}

/* {"inputs":{name:url},"outputs":{name:url}}; NULL when memory is out. */
static json_t *list_artifacts(const struct execution *execution, const struct storage *storage,
			      const char *id)
{
	json_t *inputs = json_object(), *outputs = json_object();
	int failed = 0;

	for (unsigned i = 0; i < execution->job.input_count; i++)
		if (!job_is_hidden(&execution->job, i))
			failed |= add_artifact(execution, inputs, id, execution->inputs[i].path);
	failed |= add_artifact(execution, outputs, id, SLICE_LITERAL("stdout"));
	failed |= add_artifact(execution, outputs, id, SLICE_LITERAL("stderr"));
	for (size_t at = 0; at < storage->names.len; at += strlen(storage->names.data + at) + 1)
		failed |= add_artifact(execution, outputs, id, slice_of(storage->names.data + at));

	json_t *artifacts = json_pack("{s:o, s:o}", "inputs", inputs, "outputs", outputs);

	if (failed) {
		json_decref(artifacts);
		return NULL;
	}
	return artifacts;
}

static json_t *shown_text(struct execution *execution, unsigned which)
{
	struct buf *text = &execution->texts[which];

	if (execution->trimmed[which] && text->len)
		text->len = utf8_trim(text->data, text->len);
	return json_clean_string(buf_slice(text));
}

/* Adds the names of what the program left and was not collected; nothing when there are none. */
static int add_skipped(json_t *reply, const struct storage *storage)
{
	json_t *names = storage->skipped.len ? json_array() : NULL;
	int failed = 0;

	for (size_t at = 0; at < storage->skipped.len; at += strlen(storage->skipped.data + at) + 1)
		failed |= json_array_append_new(
			names, json_clean_string(slice_of(storage->skipped.data + at)));
	return names ? failed | json_object_set_new(reply, "skipped", names) : 0;
}

int tools_add_place(const struct execution *execution, json_t *reply, const char *id,
		    const struct storage *storage)
{
	return json_object_set(reply, "sessionId", json_object_get(execution->agent, "sessionId")) |
	       json_object_set_new(reply, "id", json_string(id)) |
	       json_object_set_new(reply, "artifacts", list_artifacts(execution, storage, id));
}

void tools_answer(struct execution *execution, const char *id, const struct storage *storage,
		  json_t *reply)
{
	_cleanup_buf_ struct buf record = buf_new(STORAGE_RECORD_MAX_BYTES);

	if (reply && json_write(reply, &record) == 0)
		storage_write_record(storage,
				     json_string_value(json_object_get(reply, "sessionId")), id,
				     buf_slice(&record));
	tools_keep_cached(execution, id);
	call_reply_json(execution->call, 200, reply);
}

/* What the streams held, as far as the reply shows it. */
static int add_texts(struct execution *execution, json_t *reply)
{
	static const struct {
		const char *text, *trimmed;
	} streams[2] = {{"stdout", "stdoutTrimmed"}, {"stderr", "stderrTrimmed"}};
	int failed = 0;

	if (execution->is_run) {
		failed |= json_object_set_new(reply, "output", shown_text(execution, 0));
		if (execution->trimmed[0])
			failed |= json_object_set_new(reply, "outputTrimmed", json_true());
	}
	for (unsigned i = 0; i < 2 && !execution->is_run; i++) {
		if (execution->texts[i].len)
			failed |= json_object_set_new(reply, streams[i].text,
						      shown_text(execution, i));
		if (execution->trimmed[i])
			failed |= json_object_set_new(reply, streams[i].trimmed, json_true());
	}
	return failed;
}

void tools_reply(struct execution *execution, const char *id, const struct storage *storage)
{
	json_t *reply = json_object();
	int failed =
		json_object_set(reply, "sessionId", json_object_get(execution->agent, "sessionId"));

	if (!execution->is_run)
		failed |= json_object_set_new(reply, "tool", json_string(execution->tool.name));
	failed |= json_object_set_new(reply, "id", json_string(id));
	failed |= json_object_set_new(reply, "exitCode",
				      json_integer(job_exit_code(&execution->result)));
	failed |= add_texts(execution, reply);
	failed |= tools_add_place(execution, reply, id, storage);
	failed |= add_skipped(reply, storage);
	failed |= json_object_set_new(reply, "usage", usage_json(&execution->result));
	if (failed) {
		json_decref(reply);
		reply = NULL;
	}
	tools_answer(execution, id, storage, reply);
}
