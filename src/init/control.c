/*
 * The control socket's listening end.
 *
 * Rules:
 *  1. The name appears when init listens: bound aside, renamed when ready. An inotify on the
 *     host waits for it.
 *  2. Only a process outside our pid namespace is served: its SO_PEERCRED pid is 0 here (unix(7)).
 *  3. A connection that was made is served: at the deadline connecting is made impossible first,
 *     and then the queue is looked at for the last time. A claimed pooled container does not end
 *     under its job.
 */
#include "protocol/control.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "init/init.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define LISTEN_BACKLOG 8

/* Writes folder/name. False when it is too long. */
static bool join(char *out, size_t size, const char *folder, const char *name)
{
	int len = snprintf(out, size, "%s/%s", folder, name);

	return len > 0 && (size_t)len < size;
}

int init_control_listen(const char *folder, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char name[sizeof(address.sun_path)];
	_cleanup_close_ int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!join(address.sun_path, sizeof(address.sun_path), folder, CONTROL_NAME_NEW) ||
	    !join(name, sizeof(name), folder, CONTROL_NAME))
		return error_set(err, 500, "control_path", "%s: too long for a socket", folder);
	/* The host decides which processes reach the folder; those may connect. */
	mode_t before = umask(0);
	int bound = listener < 0
			    ? -1
			    : bind(listener, (const struct sockaddr *)&address, sizeof(address));

	(void)umask(before);
	if (bound < 0 || listen(listener, LISTEN_BACKLOG) < 0)
		return error_set_errno(err, 500, "control_listen", "%s", address.sun_path);
	if (rename(address.sun_path, name) < 0)
		return error_set_errno(err, 500, "control_listen", "%s", name);
	return steal_fd(&listener);
}

/* As rule 2 of clock.c, while no job runs. *before is the count when the rest began. */
static void check_oom_kills(struct init_prepared *prepared, const struct init_cgroup *cgroup,
			    uint64_t *before, deadline_ms deadline)
{
	uint64_t counted;

	if (!init_counter_read(&cgroup->oom_kills, &counted) ||
	    counted < *before + INIT_OOM_KILLS_MAX)
		return;
	init_end_everything(deadline);
	init_kernels_free(&prepared->kernels);
	*before = counted;
}

void init_control_rest(struct init_prepared *prepared, const struct init_cgroup *cgroup,
		       deadline_ms deadline)
{
	uint64_t oom_before = 0;
	sigset_t children;

	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);

	_cleanup_close_ int signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
	struct pollfd polls[2] = {{.fd = prepared->listener, .events = POLLIN},
				  {.fd = signals, .events = POLLIN}};
	deadline_ms next = deadline;
	int left;

	(void)init_counter_read(&cgroup->oom_kills, &oom_before);
	while (!polls[0].revents && (left = deadline_left_ms(deadline)) > 0) {
		struct signalfd_siginfo info;
		pid_t pid;

		while (read(signals, &info, sizeof(info)) > 0)
			;
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			init_kernels_note_end(&prepared->kernels, pid);
		if (prepared->is_session)
			check_oom_kills(prepared, cgroup, &oom_before, deadline);
		if (prepared->is_session && left > INIT_OOM_REST_CHECK_MS)
			left = INIT_OOM_REST_CHECK_MS;
		if (init_prepared_is_spent(prepared, cgroup, &next)) {
			prepared->is_spent = true;
			init_prepared_drop(prepared, deadline);
			init_kernels_free(&prepared->kernels);
		}
		if (deadline_left_ms(next) < left)
			left = deadline_left_ms(next);
		if (poll(polls, 2, left) < 0 && errno != EINTR)
			return;
	}
}

int init_control_accept(int listener, pid_t peer_pid, deadline_ms deadline, struct error *err)
{
	for (bool is_late = false;;) {
		int ready = is_late ? POLLIN : io_wait(listener, POLLIN, deadline);

		if (ready == 0) {
			is_late = shutdown(listener, SHUT_RDWR) == 0; /* rule 3 */
			if (is_late)
				continue;
		}

		_cleanup_close_ int connection =
			ready <= 0 ? -1
				   : accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct ucred peer;
		socklen_t len = sizeof(peer);

		if (connection < 0 && is_late)
			return error_set(err, 504, "no_job", "no job came in time");
		if (connection < 0 && (errno == ECONNABORTED || errno == EAGAIN || errno == EINTR))
			continue;
		if (connection < 0)
			return error_set_errno(err, 500, "control_accept", "accept");
		if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
		    peer.pid == peer_pid)
			return steal_fd(&connection);
	}
}
