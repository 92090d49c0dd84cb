/* What an execution did, as its reply says it (src/api/sandbox/README.md). */
#include "api/sandbox/internal.h"
#include "base/base64.h"
#include "server/links.h"
#include "server/usage.h"

#include "base/clock.h"

int sandbox_exit_code(const struct sandbox_result *result)
{
	return result->is_refused ? -1 : job_exit_code(&result->execution.result);
}

json_t *sandbox_describe(const struct sandbox_result *result)
{
	const struct execution *execution = &result->execution;
	const struct capture *captures = execution->captures;
	int exit_code = sandbox_exit_code(result);

	return json_pack("{s:s, s:i, s:o, s:o, s:f, s:O, s:o*, s:o*, s:o*, s:o*, s:o*}", "status",
			 exit_code == 0 ? "success" : "error", "exit_code", exit_code, "stdout",
			 capture_json(&captures[0]), "stderr", capture_json(&captures[1]),
			 "execution_time", (double)execution->result.wall_us / US_PER_S,
			 "artifacts", result->artifacts, "usage",
			 result->is_refused ? NULL : usage_json(&execution->result), "error",
			 *execution->ending ? json_clean_string(slice_of(execution->ending)) : NULL,
			 "stdout_truncated", capture_cut_json(&captures[0]), "stderr_truncated",
			 capture_cut_json(&captures[1]), "skipped",
			 storage_list_skipped(&execution->storage));
}

void sandbox_add_request(const struct sandbox_run *run, json_t *reply)
{
	(void)json_object_set_new(reply, "tenant_id", json_clean_string(run->request.tenant_id));
	(void)json_object_set_new(reply, "scope", json_clean_string(run->request.scope));
	(void)json_object_set_new(reply, "request_id", json_string(run->call->request_id));
}

json_t *sandbox_language_name(const struct sandbox_run *run)
{
	return program_has_language(&run->program) ? json_string(run->program.language.name)
						   : json_clean_string(run->request.language);
}

/* --- rich results: {"type","name","content","metadata"[,"id","url","expires_at"]} ------------- */

static bool is_plotly(const struct result *result)
{
	return slice_eq(result->source, "plotly");
}

static json_t *encode(const struct result *result)
{
	_cleanup_buf_ struct buf text = buf_new(result->content.len * 2 + 4);

	if (!result->has_content)
		return json_null();
	if (result->is_text)
		return json_clean_string(result->content);
	return base64_encode(&text, result->content) < 0 ? NULL : json_stringn(text.data, text.len);
}

static json_t *describe_origin(const struct result *result)
{
	return json_pack("{s:o, s:s, s:I, s:o, s:s*}", "source", json_clean_string(result->source),
			 "encoding", result->is_text ? "utf-8" : "base64", "size",
			 (json_int_t)result->size_bytes, result->path ? "path" : "cell",
			 result->path ? json_clean_string(slice_of(result->path))
				      : json_integer((json_int_t)result->cell),
			 "library", is_plotly(result) ? "plotly" : NULL);
}

/* The code of what went wrong, or NULL. */
static const char *add_link(struct sandbox_run *run, const struct result *result, json_t *entry)
{
	struct error err;

	if (!result->file_id)
		return result->code;
	if (!run->has_key && sign_key_load(run->call->config, true, &run->key, &err) < 0)
		return err.code;
	run->has_key = true;
	(void)json_object_set_new(entry, "id", json_string(result->file_id));
	return link_set(run->call, &run->key, result->file_id, entry) < 0 ? "link_failed" : NULL;
}

void sandbox_add_result(void *context, const struct result *result)
{
	struct sandbox_run *run = context;
	json_t *entry = json_pack(
		"{s:o, s:o, s:o, s:I, s:o}", "type",
		is_plotly(result) ? json_string("chart") : json_clean_string(result->type), "name",
		json_clean_string(result->name), "content", encode(result), "size",
		(json_int_t)result->size_bytes, "metadata", describe_origin(result));
	const char *failed = add_link(run, result, entry);

	if (failed)
		run->call->code = failed;
	(void)json_array_append(run->result->artifacts, entry);
	stream_event(&run->stream, "artifact", entry);
}

void sandbox_add_failure(struct sandbox_run *run)
{
	struct result_failure failure;

	if (!results_failure(&run->results, &run->result->execution, &failure))
		return;
	(void)json_array_append_new(run->result->artifacts,
				    json_pack("{s:s, s:s, s:o, s:{s:o, s:o}}", "type", "error",
					      "name", "error", "content",
					      json_clean_string(failure.message), "metadata",
					      "message", json_clean_string(failure.message),
					      "traceback", json_clean_string(failure.traceback)));
}
