/*
 * mayfly-engine: the only program of ours that can reach Podman. It serves one connection with the
 * verbs of protocol/engine.h and ends with it.
 *
 * Rules:
 *  1. No flags: there is nothing that a caller could ask for but the verbs.
 *  2. The connection is descriptor 0, or the one that systemd passes (sd_listen_fds(3)).
 *  3. Told to end, it takes back what it made first.
 *
 * Exit codes: 0 · 1 something was left to mayfly-reap · 2 started wrongly.
 */
#include "base/error.h"
#include "base/num.h"
#include "config/config.h"
#include "engine/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTEN_FDS_START 3

/* Rule 2. The descriptor, or -1 when there is no connection. */
static int find_connection(void)
{
	const char *pid_text = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	socklen_t len = sizeof(int);
	int fd = STDIN_FILENO, type;
	uint64_t pid;

	if (pid_text && count && num_parse(slice_of(pid_text), 10, INT32_MAX, &pid) == 0 &&
	    pid == (uint64_t)getpid() && slice_eq(slice_of(count), "1"))
		fd = LISTEN_FDS_START;
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM ? fd
											    : -1;
}

/* A descriptor that gets readable when we are told to end, or -1. */
static int watch_signals(void)
{
	sigset_t ending;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&ending);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGHUP);
	return sigprocmask(SIG_BLOCK, &ending, NULL) < 0
		       ? -1
		       : signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(int argc, char **argv)
{
	struct config config;
	struct error err;
	int ending, fd = find_connection();
	bool configured;

	(void)argv;
	if (argc != 1 || fd < 0) {
		(void)fputs(
			"mayfly-engine takes no arguments and a connected socket as descriptor 0\n",
			stderr);
		return 2;
	}
	ending = watch_signals();
	if (ending < 0) {
		perror("mayfly-engine: signals");
		return 2;
	}
	configured = config_read(&config, &err) == 0;
	return engine_serve(&config, configured ? NULL : &err, fd, ending) < 0 ? 1 : 0;
}
