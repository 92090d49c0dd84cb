/*
 * mayfly: one connection, one request, one answer, and gone.
 *
 *   mayfly      a connection on fd 0, or passed with LISTEN_FDS (sd_listen_fds(3)); no arguments
 *
 * Rules:
 *  1. It never touches Podman: a container is asked of mayfly-engine, a file or page is left to
 *     mayfly-static.
 *  2. What it needs is decided by the request's head alone; then it confines itself, and only then
 *     it reads the body (server/server.h).
 *  3. Exit status: 0 the request was dealt with, whatever the answer; EX_USAGE (64) arguments or no
 *     connection; EX_CONFIG (78) the configuration is wrong (the client got a 500); EX_OSERR (71)
 *     memory was out (the client got a 503).
 */
#include "api/routes.h"
#include "http/accept.h"

#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int64_t started_us = monotonic_us();
	int fd;

	(void)argv;
	if (argc != 1 || http_accepted(&fd) < 0) {
		dprintf(STDERR_FILENO,
			"usage: mayfly, without arguments and with a connection on fd 0 or passed "
			"by LISTEN_FDS\n");
		return EX_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	return server_run(&api_server, fd, -1, started_us);
}
