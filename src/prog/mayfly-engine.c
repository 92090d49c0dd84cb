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
#include "config/config.h"
#include "engine/server.h"
#include "http/accept.h"

#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

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
	int ending, fd;
	bool configured;

	(void)argv;
	if (argc != 1 || http_accepted(&fd) < 0) {
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
