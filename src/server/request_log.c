#include "server/request_log.h"

#include "store/log_limit.h"

#include <stdio.h>

#define LOG_PATH_BYTES 512

/* duration_us: until the container is gone. The others are parts of what the client waited for;
 * engine_us and program_us count for themselves. */
static void write_times(struct log_line *line, const struct call *call)
{
	const struct executor *executor = &call->executor;
	int64_t started_us = call->started_us;

	log_number(line, "duration_us", monotonic_us() - started_us);
	if (executor->asked_us)
		log_number(line, "asked_us", executor->asked_us - started_us);
	if (executor->engine_us)
		log_number(line, "engine_us", executor->engine_us);
	if (executor->engine.asked_again)
		log_number(line, "engine_asked_again", (int64_t)executor->engine.asked_again);
	if (executor->program_us)
		log_number(line, "program_us", executor->program_us);
	if (call->answered_us)
		log_number(line, "answered_us", call->answered_us - started_us);
}

static void write_text(struct log_line *line, const char *key, const char *value)
{
	if (value && *value)
		log_text(line, key, value);
}

static void write_request(struct log_line *line, const struct call *call)
{
	const struct http_request *request = &call->connection->request;
	char text[LOG_PATH_BYTES];

	if (request->head_len) {
		(void)snprintf(text, sizeof(text), "%.*s", (int)request->method_text.len,
			       request->method_text.data);
		log_text(line, "method", text);
		(void)snprintf(text, sizeof(text), "%.*s", (int)request->path.len,
			       request->path.data); /* without the query, where signatures are */
		log_text(line, "path", text);
	}
	write_text(line, "route", call->route);
	write_text(line, "request", call->request_id);
	write_text(line, "key", call->caller.label);
}

static void write_job(struct log_line *line, const struct call *call)
{
	const struct metrics_job *job = &call->executor.counted;

	write_text(line, "job", call->executor.job_id);
	write_text(line, "container", call->executor.folder);
	if (!job->family)
		return;
	log_text(line, "family", (char[]){job->family, '\0'});
	write_text(line, "language", job->language);
	write_text(line, "template", job->template);
	log_text(line, "outcome", metrics_outcomes[job->outcome]);
	write_text(line, "pool", call->executor.pool);
}

void request_log(const struct call *call, const char *program, int count)
{
	struct log_line line;

	log_begin(&line, LOG_LEVEL_INFO, program);
	write_request(&line, call);
	log_number(&line, "status", call->status);
	if (call->sent_bytes != CALL_UNCOUNTED)
		log_number(&line, "bytes", call->sent_bytes);
	write_times(&line, call);
	write_job(&line, call);
	write_text(&line, "code", call->code);
	write_text(&line, "after", call->executor.after);
	if (call->executor.counted.family && call->executor.counted.program_us >= 0)
		log_end(&line); /* a program ran */
	else
		log_limit_end(&line, count, call->status >= 500);
}
