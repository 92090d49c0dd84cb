/*
 * A run's record. Its keys come in the order of src/api/agents/README.md, and what stands before
 * "logs" holds texts alone: the stream finds "status" and "logs" in it without parsing the rest
 * (agents.c).
 */
#include "api/agents/internal.h"
#include "base/clock.h"
#include "base/date.h"
#include "base/sha256.h"
#include "server/usage.h"

#include <stdio.h>

static const char *const statuses[] = {
	[AGENT_COMPLETED] = "completed", [AGENT_FAILED] = "failed", [AGENT_ERROR] = "error"};

void agents_owner(const struct call *call, const char *agent_id, char out[AGENT_OWNER_BYTES])
{
	struct sha256 hash = sha256_new();
	char hex[SHA256_HEX_BYTES];

	/* with its NUL: "ab" and "c" are not "a" and "bc" */
	sha256_add(&hash, (struct slice){call->caller.id, strlen(call->caller.id) + 1});
	sha256_add(&hash, slice_of(agent_id));
	sha256_end_hex(&hash, hex);
	(void)snprintf(out, AGENT_OWNER_BYTES, "agent-%.40s", hex);
}

void agents_log(struct agent_run *run, const char *format, ...)
{
	char date[DATE_BYTES], text[AGENT_LOG_MAX_BYTES];
	va_list arguments;

	if (json_array_size(run->logs) == AGENT_LOG_MAX_COUNT)
		return;
	date_rfc3339(unix_now_ms(), date);

	int len = snprintf(text, sizeof(text), "[%s] ", date);

	va_start(arguments, format);
	(void)vsnprintf(text + len, sizeof(text) - (size_t)len, format, arguments);
	va_end(arguments);
	(void)json_array_append_new(run->logs, json_clean_string(slice_of(text)));
}

const char *agents_status(const struct agent_run *run)
{
	return statuses[run->status];
}

int agents_exit_code(const struct agent_run *run)
{
	return run->was_run ? job_exit_code(&run->execution.result) : -1;
}

const char *agents_refusal(const struct agent_run *run)
{
	return !run->syntax.passed      ? "syntax"
	       : !run->structure.passed ? "structure"
	       : !run->security.passed  ? "security"
					: NULL;
}

void agents_summary(const struct agent_run *run, char *out, size_t size)
{
	int code = agents_exit_code(run);

	const char *refusal = agents_refusal(run);

	if (!run->was_run && run->status == AGENT_FAILED && refusal)
		(void)snprintf(out, size, "The test was not run: %s did not pass", refusal);
	else if (!run->was_run)
		(void)snprintf(out, size, "The test was not run");
	else if (*run->execution.ending)
		(void)snprintf(out, size, "%s", run->execution.ending);
	else if (code == 0)
		(void)snprintf(out, size, "All basic checks passed");
	else
		(void)snprintf(out, size, "Test exited with code %d", code);
}

/* One that was not come to has passed nothing. */
static json_t *validation_of(const struct check *check)
{
	return check->details ? check_json(check)
			      : json_pack("{s:b, s:s, s:{}}", "passed", 0, "message", "Not checked",
					  "details");
}

static json_t *validations_of(const struct agent_run *run)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "syntax", validation_of(&run->syntax), "structure",
			 validation_of(&run->structure), "security", validation_of(&run->security),
			 "performance", validation_of(&run->performance));
}

static json_t *test_result_of(const struct agent_run *run)
{
	char summary[AGENT_LOG_MAX_BYTES / 2];

	agents_summary(run, summary, sizeof(summary));
	return json_pack("{s:b, s:o, s:{s:i, s:b, s:b, s:b, s:I}}", "passed",
			 run->status == AGENT_COMPLETED, "summary",
			 json_clean_string(slice_of(summary)), "details", "exitCode",
			 agents_exit_code(run), "timedOut",
			 run->was_run && run->execution.result.reason == JOB_TIMEOUT,
			 "stdoutTruncated", run->execution.captures[0].is_cut, "stderrTruncated",
			 run->execution.captures[1].is_cut, "durationMs",
			 (json_int_t)(run->execution.result.wall_us / 1000));
}

void agents_write(const struct agent_run *run, struct buf *out)
{
	char started[DATE_BYTES], finished[DATE_BYTES];
	const struct slice *prompt = &run->request.prompt;

	date_rfc3339(run->started_ms, started);
	date_rfc3339(run->finished_ms, finished);

	_cleanup_json_ json_t *record = json_pack(
		"{s:s, s:s, s:o*, s:s, s:s, s:s, s:O, s:o, s:o, s:i, s:o, s:o, s:o, s:O}", "id",
		run->id, "agentId", run->agent_id, "prompt",
		run->request.has_prompt ? json_stringn(prompt->data, prompt->len) : NULL,
		"startedAt", started, "finishedAt", finished, "status", agents_status(run), "logs",
		run->logs, "validationResults", validations_of(run), "testResult",
		test_result_of(run), "exitCode", agents_exit_code(run), "stdout",
		capture_json(&run->execution.captures[0]), "stderr",
		capture_json(&run->execution.captures[1]), "usage",
		usage_json(&run->execution.result), "artifacts", run->artifacts);

	(void)!json_write(record, out);
}

struct buf agents_wrap(const char *before, struct slice record)
{
	struct buf text = buf_new(RUN_RECORD_MAX_BYTES + KIB);

	(void)!buf_printf(&text, "%s%.*s}", before, (int)record.len, record.data);
	return text;
}

void agents_reply(struct call *call, const char *before, struct slice record)
{
	_cleanup_buf_ struct buf text = agents_wrap(before, record);

	call_reply(call, 200, AGENT_JSON_TYPE, buf_slice(&text));
}
