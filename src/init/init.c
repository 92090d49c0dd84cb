/*
 * mayfly-init LIFETIME_S: PID 1 of a container. Listens on the control socket, serves the one job
 * that comes, over the first connection or over the one after that which made a pooled container of
 * it, and ends; or serves the jobs of a session, until none has come for as long as the last one
 * said. src/init/init.h lists its parts and rules.
 *
 * Exit codes: 0 all jobs were served, or none came in time; 1 one could not be; 2 wrong usage.
 */
#include "init/init.h"
#include "base/cleanup.h"
#include "base/num.h"
#include "protocol/control.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>

enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE };

static int complain(const char *text)
{
	(void)dprintf(STDERR_FILENO, "mayfly-init: %s\n", text);
	return EXIT_FAILED;
}

static int read_arguments(int argc, char **argv, deadline_ms *lifetime)
{
	uint64_t seconds;

	if (argc != 2 || num_parse(slice_of(argv[1]), 10, INIT_LIFETIME_MAX_S, &seconds) < 0)
		return -1;
	*lifetime = deadline_in((int64_t)seconds * MS_PER_S);
	return 0;
}

/* No process in here may look into this one, and it inherits nothing. As PID 1 it gets no signal
   that it has no handler for; SIGCHLD is taken from a signalfd. */
static void seclude(void)
{
	sigset_t children;

	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)umask(022);
	init_close_on_exec_from(STDERR_FILENO + 1, false);
	for (int fd = open("/dev/null", O_RDWR | O_CLOEXEC); fd >= 0; fd = dup(fd)) {
		if (fd > STDERR_FILENO) {
			close(fd);
			break;
		}
	}
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &children, NULL);
}

int main(int argc, char **argv)
{
	struct init_prepared prepared = init_prepared_new();
	struct init_cgroup cgroup;
	deadline_ms lifetime;
	struct error err;

	if (read_arguments(argc, argv, &lifetime) < 0) {
		(void)complain("usage: mayfly-init LIFETIME_S");
		return EXIT_USAGE;
	}
	if (getpid() != 1) {
		(void)complain("runs only as PID 1 of a container: it ends every process it sees");
		return EXIT_USAGE;
	}
	seclude();

	prepared.listener = init_control_listen(CONTROL_DIR, &err);
	if (prepared.listener < 0)
		return complain(err.message);
	init_cgroup_open_own(&cgroup);
	prepared.idle = lifetime;
	do {
		init_control_rest(&prepared, &cgroup, prepared.idle);

		_cleanup_close_ int connection =
			init_control_accept(prepared.listener, 0, prepared.idle, &err);

		if (connection < 0)
			return strcmp(err.code, "no_job") == 0 ? EXIT_DONE : complain(err.message);
		if (init_serve(connection, &cgroup, &prepared, lifetime, &err) < 0 &&
		    !prepared.is_session)
			return complain(err.message);
	} while (prepared.is_prepared || prepared.is_session);
	return EXIT_DONE;
}
