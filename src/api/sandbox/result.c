/* What an execution did, as its reply says it. */
#include "api/sandbox/internal.h"
#include "base/utf8.h"
#include "server/usage.h"

#define US_PER_S 1e6

int sandbox_exit_code(const struct sandbox_result *result)
{
	return result->is_refused ? -1 : job_exit_code(&result->job);
}

static json_t *shown(const struct sandbox_result *result, unsigned which)
{
	struct slice text = buf_slice(&result->texts[which]);

	if (result->is_cut[which] && text.len)
		text.len = utf8_trim(text.data, text.len);
	return json_clean_string(text);
}

json_t *sandbox_describe(const struct sandbox_result *result)
{
	static const char *const cut[2] = {"stdout_truncated", "stderr_truncated"};
	int exit_code = sandbox_exit_code(result);
	json_t *reply =
		json_pack("{s:s, s:i, s:o, s:o, s:f, s:O}", "status",
			  exit_code == 0 ? "success" : "error", "exit_code", exit_code, "stdout",
			  shown(result, 0), "stderr", shown(result, 1), "execution_time",
			  (double)result->job.wall_us / US_PER_S, "artifacts", result->artifacts);
	int failed = reply ? 0 : -1;

	if (reply && !result->is_refused)
		failed |= json_object_set_new(reply, "usage", usage_json(&result->job));
	if (reply && *result->error)
		failed |= json_object_set_new(reply, "error",
					      json_clean_string(slice_of(result->error)));
	for (unsigned i = 0; reply && i < 2; i++)
		if (result->is_cut[i])
			failed |= json_object_set_new(reply, cut[i], json_true());
	if (!failed)
		return reply;
	json_decref(reply);
	return NULL;
}
