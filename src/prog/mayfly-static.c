/*
 * mayfly-static: answers one GET or HEAD for an artifact or a page, and exits.
 *
 *   mayfly-static                a connection on fd 0, or passed with LISTEN_FDS; nothing read yet
 *   mayfly-static --head-fd=N    the connection on fd 0; N holds the bytes that mayfly read from it
 *
 * Rules:
 *  1. It needs the storage folder and the registries for reading, and the connection: never Podman,
 *     never the network. It confines itself to them before it looks at a byte of the request
 *     (server/server.h).
 *  2. Exit status: 0 the request was dealt with, whatever the answer; EX_USAGE (64) arguments or
 *     no connection; EX_CONFIG (78) the configuration is wrong (the client got a 500); EX_OSERR
 *     (71) memory was out (the client got a 503).
 */
#include "base/log.h"
#include "base/num.h"
#include "http/accept.h"
#include "static/static.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#define HEAD_FD_OPTION "--head-fd="

/* *head_fd is -1 where nothing was read yet. */
static bool read_arguments(int argc, char **argv, int *connection, int *head_fd)
{
	size_t prefix_len = strlen(HEAD_FD_OPTION);
	uint64_t number;

	*head_fd = -1;
	if (argc == 2 && strncmp(argv[1], HEAD_FD_OPTION, prefix_len) == 0) {
		if (num_parse(slice_of(argv[1] + prefix_len), 10, INT32_MAX, &number) < 0)
			return false;
		*head_fd = (int)number;
	} else if (argc != 1) {
		return false;
	}
	return http_accepted(connection) == 0;
}

int main(int argc, char **argv)
{
	int64_t started_us = monotonic_us();
	int connection, head_fd;

	if (!read_arguments(argc, argv, &connection, &head_fd)) {
		dprintf(STDERR_FILENO,
			"usage: mayfly-static [--head-fd=N], with a connection on fd 0 or passed "
			"by LISTEN_FDS\n");
		return EX_USAGE;
	}
	log_open();
	signal(SIGPIPE, SIG_IGN); /* sendfile(2) has no MSG_NOSIGNAL */
	fcntl(connection, F_SETFL, fcntl(connection, F_GETFL) | O_NONBLOCK);
	return server_run(&static_server, connection, head_fd, started_us);
}
