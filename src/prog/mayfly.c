/*
 * mayfly: one connection, one request, one answer, and gone.
 *
 *   mayfly      a connection on fd 0, or passed with LISTEN_FDS (sd_listen_fds(3)); no arguments
 *
 * Rules:
 *  1. It never touches Podman: a container is asked of mayfly-engine, a file or page is left to mayfly-static.
 *  2. What it needs is decided by the request's head alone; then it confines itself, and only then it reads the body.
 *  3. Exit status: 0 the request was dealt with, whatever the answer; EX_USAGE (64) arguments or no connection; EX_CONFIG (78) the
 *     configuration is wrong (the client got a 500).
 */
#include "api/routes.h"
#include "base/cleanup.h"
#include "bounds.h"
#include "http/accept.h"
#include "server/out_of_memory.h"
#include "store/log_limit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define PROGRAM        "mayfly"
#define LOG_PATH_BYTES 256

/* duration_us: until the container is gone. The others are parts of what the client waited for; engine_us and program_us count for themselves. */
static void write_times(struct log_line *line, const struct call *call)
{
	const struct executor *executor = &call->executor;
	int64_t started_us = call->started_us;

	log_number(line, "duration_us", monotonic_us() - started_us);
	if (executor->asked_us)
		log_number(line, "asked_us", executor->asked_us - started_us);
	if (executor->engine_us)
		log_number(line, "engine_us", executor->engine_us);
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

static void write_log(const struct call *call, bool configured)
{
	struct log_line line;

	log_begin(&line, LOG_LEVEL_INFO, PROGRAM);
	write_request(&line, call);
	log_number(&line, "status", call->status);
	write_times(&line, call);
	write_job(&line, call);
	write_text(&line, "code", call->code);
	write_text(&line, "after", call->executor.after);
	if (call->executor.counted.family && call->executor.counted.program_us >= 0) {
		log_end(&line); /* a program ran */
		return;
	}

	_cleanup_close_ int count = configured ? log_limit_open(call->config, PROGRAM) : -1;

	log_limit_end(&line, count, call->status >= 500);
}

/* Answers the request on the connection. Returns the exit status. */
static int serve(int fd, int64_t started_us)
{
	struct http_connection connection = http_connection_new(fd);
	struct config config;
	struct call call = {.config = &config,
			    .connection = &connection,
			    .executor = executor_new(&config),
			    .started_us = started_us};
	struct error err;
	int configured = config_read(&config, &err);

	if (configured == 0 &&
	    http_read_head(&connection, deadline_in(HTTP_HEAD_DEADLINE_MS), &err) == 0) {
		api_serve(&call, &config);
	} else {
		call_refuse(&call, &err);
		if (call.status)
			http_linger(fd);
	}
	if (call.status ||
	    connection.request.head_len) /* a peer that connects and goes is no request */
		write_log(&call, configured == 0);
	http_connection_free(&connection);
	return configured < 0 ? EX_CONFIG : EX_OK;
}

int main(int argc, char **argv)
{
	int64_t started_us = monotonic_us();
	int fd;

	(void)argv;
	if (argc != 1 || http_accepted(&fd) < 0) {
		dprintf(STDERR_FILENO,
			"usage: " PROGRAM
			", without arguments and with a connection on fd 0 or passed by LISTEN_FDS\n");
		return EX_USAGE;
	}
	server_end_when_out_of_memory(fd);
	signal(SIGPIPE, SIG_IGN);
	return serve(fd, started_us);
}
