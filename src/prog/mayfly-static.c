/*
 * mayfly-static: answers one GET or HEAD for an artifact or a debug page, and exits.
 *
 *   mayfly-static                a connection on fd 0, or passed with LISTEN_FDS; nothing read yet
 *   mayfly-static --head-fd=N    the connection on fd 0; N holds the bytes that mayfly read from it
 *
 * Rules:
 *  1. It needs the storage folder and the registries for reading, and the connection: never Podman,
 *     never the network. It confines itself to them before it looks at a byte of the request.
 *  2. Exit status: 0 the request was dealt with, whatever the answer; EX_USAGE (64) arguments or
 *     no connection; EX_CONFIG (78) the configuration is wrong (the client got a 500).
 */
#include "base/cleanup.h"
#include "base/confine.h"
#include "base/io.h"
#include "base/num.h"
#include "bounds.h"
#include "http/accept.h"
#include "http/access.h"
#include "http/read.h"
#include "server/out_of_memory.h"
#include "static/static.h"
#include "store/log_limit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sysexits.h>

#define PROGRAM        "mayfly-static"
#define HEAD_FD_OPTION "--head-fd="
#define LOG_PATH_BYTES 512

struct arguments {
	int connection;
	int head_fd; /* -1: nothing was read yet */
};

/* EX_OK or EX_USAGE. */
static int read_arguments(int argc, char **argv, struct arguments *out)
{
	size_t prefix_len = strlen(HEAD_FD_OPTION);
	uint64_t head_fd;

	out->head_fd = -1;
	if (argc == 2 && strncmp(argv[1], HEAD_FD_OPTION, prefix_len) == 0) {
		if (num_parse(slice_of(argv[1] + prefix_len), 10, INT32_MAX, &head_fd) < 0)
			return EX_USAGE;
		out->head_fd = (int)head_fd;
	} else if (argc != 1) {
		return EX_USAGE;
	}
	return http_accepted(&out->connection) < 0 ? EX_USAGE : EX_OK;
}

/* The request as mayfly read it; the head was whole and good then, so anything else is an error. */
static int take_head(int head_fd, struct http_connection *connection, struct error *err)
{
	_cleanup_free_ char *data = NULL;
	size_t len;

	if (lseek(head_fd, 0, SEEK_SET) < 0 ||
	    io_read_file(head_fd, HTTP_HANDOVER_MAX_BYTES, &data, &len) < 0)
		return error_set_errno(err, 500, "handover_failed", "Cannot read the request");
	if (len > HTTP_HEAD_MAX_BYTES)
		len = HTTP_HEAD_MAX_BYTES;
	if (buf_append(&connection->head, data, len) < 0)
		return error_set_errno(err, 500, "handover_failed", "Cannot keep the request");
	switch (http_parse_head(connection->head.data, connection->head.len, &connection->request,
				err)) {
	case 1:
		return 0;
	case 0:
		return error_set(err, 500, "handover_failed", "The request's head is not whole");
	default:
		return -1;
	}
}

static int read_request(const struct arguments *arguments, struct http_connection *connection,
			struct error *err)
{
	if (arguments->head_fd >= 0)
		return take_head(arguments->head_fd, connection, err);
	return http_read_head(connection, deadline_in(HTTP_HEAD_DEADLINE_MS), err);
}

static int check_access(const struct config *config, const struct http_connection *connection,
			struct error *err)
{
	char address[HTTP_ADDRESS_BYTES];
	struct http_access access = {
		.bind = config->bind,
		.public_base_url = config->public_base_url,
		.allowed_hosts = config->allowed_hosts,
	};

	http_local_address(connection->fd, address);
	if (*address && !http_is_loopback(slice_of(address)))
		access.bind = address;
	if (http_check_host(&access, &connection->request, err) < 0)
		return -1;
	return http_check_origin(&access, &connection->request, err);
}

/* count: log_limit_open said so. */
static void write_log(const struct static_call *call, int64_t started_us, int count)
{
	const struct http_request *request = static_request(call);
	struct log_line line;
	char text[LOG_PATH_BYTES];

	log_begin(&line, LOG_LEVEL_INFO, PROGRAM);
	if (request->head_len > 0) {
		(void)snprintf(text, sizeof(text), "%.*s", (int)request->method_text.len,
			       request->method_text.data);
		log_text(&line, "method", text);
		(void)snprintf(text, sizeof(text), "%.*s", (int)request->path.len,
			       request->path.data);
		log_text(&line, "path", text);
	}
	log_number(&line, "status", call->call->status);
	log_number(&line, "bytes", (int64_t)call->length_bytes);
	log_number(&line, "duration_us", monotonic_us() - started_us);
	if (call->call->code)
		log_text(&line, "code", call->call->code);
	log_limit_end(&line, count, call->call->status >= 500);
}

/* Closing with bytes of the client unread would reset the connection and may destroy our answer on
 * its way. */
static void finish(int connection, bool refused)
{
	int unread = 0;

	if (refused || (ioctl(connection, FIONREAD, &unread) == 0 && unread > 0))
		http_linger(connection);
}

/* From here on: files of the storage and the registries for reading, and what is open. */
static int confine_self(const struct config *config, struct error *err)
{
	struct confine_path paths[2 + CONFIG_REGISTRY_DIRS];
	size_t count = 0;

	paths[count++] = (struct confine_path){config->storage, CONFINE_READ};
	paths[count++] = (struct confine_path){config->storage_dir, CONFINE_READ};
	for (unsigned i = 0; i < CONFIG_REGISTRY_DIRS; i++)
		if (config->registry[i][0])
			paths[count++] = (struct confine_path){config->registry[i], CONFINE_READ};
	return confine(paths, count, CONFINE_STATIC, err);
}

/* Everything that can be refused before a route is chosen. 0, or -1 with *err and the program's
 * *exit_status. */
static int prepare(const struct arguments *arguments, struct config *config, int *storage,
		   int *log_count, struct http_connection *connection, int *exit_status,
		   struct error *err)
{
	if (config_read(config, err) < 0) {
		*exit_status = EX_CONFIG;
		return -1;
	}
	*storage = open(config->storage, O_PATH | O_DIRECTORY | O_CLOEXEC);
	*log_count = log_limit_open(config, PROGRAM);
	log_open();
	if (confine_self(config, err) < 0)
		return -1;
	if (read_request(arguments, connection, err) < 0)
		return -1;
	return check_access(config, connection, err);
}

/* One request, one answer. Returns the program's exit status. */
static int serve_connection(const struct arguments *arguments, int64_t started_us)
{
	_cleanup_close_ int storage = -1, log_count = -1;
	struct config config;
	struct http_connection connection = http_connection_new(arguments->connection);
	struct call base = {.config = &config, .connection = &connection};
	struct static_call call = {.call = &base};
	struct error err = {0};
	int exit_status = EX_OK;
	bool refused;

	refused = prepare(arguments, &config, &storage, &log_count, &connection, &exit_status,
			  &err) < 0;
	call.storage = storage;
	call.deadline = deadline_in(HTTP_WRITE_DEADLINE_MS);
	if (refused)
		call_refuse(&base, &err);
	else
		static_serve(&call);
	if (base.status != 0) { /* 0: the client left without a word */
		write_log(&call, started_us, log_count);
		finish(arguments->connection, refused || base.status == 405);
	}
	http_connection_free(&connection);
	return exit_status;
}

int main(int argc, char **argv)
{
	int64_t started_us = monotonic_us();
	struct arguments arguments;

	if (read_arguments(argc, argv, &arguments) != EX_OK) {
		dprintf(STDERR_FILENO,
			"usage: " PROGRAM " [--head-fd=N], with a connection on fd 0 or passed by "
			"LISTEN_FDS\n");
		return EX_USAGE;
	}
	server_end_when_out_of_memory(arguments.connection);
	signal(SIGPIPE, SIG_IGN); /* sendfile(2) has no MSG_NOSIGNAL */
	fcntl(arguments.connection, F_SETFL, fcntl(arguments.connection, F_GETFL) | O_NONBLOCK);
	return serve_connection(&arguments, started_us);
}
