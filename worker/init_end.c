/*
 * The end of every process but init.
 *
 * Rule: PID 1 gets every orphan, so when it has no child left there is no process left. SIGCHLD is blocked since before the first
 * fork: one that comes between two looks stays pending, and the wait for it ends at once.
 */
#include "init.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* kill(2): -1 is every process but PID 1 and the caller, which here is one. Outside a pid namespace
   of its own init never runs; this line makes sure of it. */
void init_kill_everything(void)
{
	if (getpid() == 1)
		(void)kill(-1, SIGKILL);
}

/* True when a child has ended since the last look, or does so in time. */
static bool wait_for_child(deadline_ms deadline)
{
	int left_ms = deadline_left_ms(deadline);
	struct timespec left = {left_ms / 1000, left_ms % 1000 * 1000000L};
	sigset_t children;

	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	return left_ms > 0 && sigtimedwait(&children, NULL, &left) == SIGCHLD;
}

void init_end_everything(deadline_ms lifetime)
{
	deadline_ms deadline = deadline_earlier(lifetime, deadline_in(INIT_REAP_DEADLINE_MS));
	pid_t pid;

	do {
		init_kill_everything();
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
	} while (pid == 0 && wait_for_child(deadline));
}
