/* From a tool's result to the reply. */
#include "api/tools/internal.h"

#include "base/utf8.h"
#include "server/links.h"
#include "server/usage.h"

static const char *session_id_of(const struct tool_run *run)
{
	return json_string_value(json_object_get(run->agent, "sessionId"));
}

/* path: where it lies in the result. */
static void add_artifact(const struct tool_run *run, json_t *list, const char *id,
			 struct slice name, const char *path)
{
	_cleanup_buf_ struct buf clean = buf_new(JOB_PATH_MAX_BYTES * 3);

	if (utf8_append_clean(&clean, name) == 0)
		(void)json_object_set_new(
			list, clean.data,
			link_artifact(run->call, session_id_of(run), id, slice_of(path)));
}

static void add_output(const struct tool_run *run, json_t *list, const char *id, const char *name)
{
	char path[JOB_PATH_MAX_BYTES + 1];

	if (storage_path(&run->execution.storage, slice_of(name), path))
		add_artifact(run, list, id, slice_of(name), path);
}

/* {"inputs":{name:url},"outputs":{name:url}} */
static json_t *list_artifacts(const struct tool_run *run, const char *id)
{
	json_t *inputs = json_object(), *outputs = json_object();
	const struct buf *names = &run->execution.storage.names;

	for (unsigned i = 0; i < run->job.input_count; i++)
		if (!job_is_hidden(&run->job, i))
			add_artifact(run, inputs, id, run->inputs[i].path,
				     run->inputs[i].path.data);
	add_output(run, outputs, id, "stdout");
	add_output(run, outputs, id, "stderr");
	for (size_t at = 0; at < names->len; at += strlen(names->data + at) + 1)
		add_output(run, outputs, id, names->data + at);
	return json_pack("{s:o, s:o}", "inputs", inputs, "outputs", outputs);
}

/* What the streams held, as far as the reply shows it. */
static void add_texts(const struct tool_run *run, json_t *reply)
{
	static const struct {
		const char *text, *trimmed;
	} keys[] = {{"output", "outputTrimmed"},
		    {"stdout", "stdoutTrimmed"},
		    {"stderr", "stderrTrimmed"}};

	for (unsigned i = run->is_run ? 0 : 1; i < (run->is_run ? 1 : 3); i++) {
		const struct capture *capture = &run->execution.captures[i == 2];

		if (run->is_run || capture->text.len)
			(void)json_object_set_new(reply, keys[i].text, capture_json(capture));
		if (capture->is_cut)
			(void)json_object_set_new(reply, keys[i].trimmed, json_true());
	}
}

json_t *tools_describe(const struct tool_run *run)
{
	const struct execution *execution = &run->execution;
	/* a key whose value comes with tools_answer keeps its place */
	json_t *reply = json_pack("{s:s, s:s*, s:n, s:i}", "sessionId", session_id_of(run), "tool",
				  run->is_run ? NULL : run->tool.name, "id", "exitCode",
				  job_exit_code(&execution->result));

	add_texts(run, reply);
	(void)json_object_update_new(reply, json_pack("{s:n, s:o*, s:o}", "artifacts", "skipped",
						      storage_list_skipped(&execution->storage),
						      "usage", usage_json(&execution->result)));
	return reply;
}

void tools_answer(const struct tool_run *run, const char *id, json_t *reply)
{
	const struct storage *storage = &run->execution.storage;
	_cleanup_buf_ struct buf record = buf_new(STORAGE_RECORD_MAX_BYTES);

	(void)json_object_set_new(reply, "sessionId", json_string(session_id_of(run)));
	(void)json_object_set_new(reply, "id", json_string(id));
	(void)json_object_set_new(reply, "artifacts", list_artifacts(run, id));
	if (json_write(reply, &record) == 0)
		storage_write_record(storage, session_id_of(run), id, buf_slice(&record));
	tools_keep_cached(run, id);
	call_reply_json(run->call, 200, reply);
}

void tools_fail(const struct tool_run *run, const struct error *err)
{
	struct call *call = run->call;

	if (err->status == 0 || err->status == 429 || strcmp(err->code, "busy") == 0) {
		call_refuse(call, err);
		return;
	}
	call->code = err->code;
	call_reply_json(call, 500,
			json_pack("{s:s, s:o}", "error",
				  run->is_run ? "Code execution failed" : "Tool execution failed",
				  "details", json_clean_string(slice_of(err->message))));
}
