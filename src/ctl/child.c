#include "ctl/child.h"

#include "base/cleanup.h"
#include "bounds.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct stream {
	int fd;          /* owned; -1 at its end */
	struct buf *out; /* NULL: thrown away */
};

/* Reads what is there. What does not fit is read all the same, so that the writer is not held
   up. */
static void take(struct stream *stream)
{
	char data[4 * KIB];
	ssize_t got = read(stream->fd, data, sizeof(data));

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got <= 0) {
		close(steal_fd(&stream->fd));
		return;
	}
	for (ssize_t i = 0; stream->out && i < got; i++)
		if (buf_append(stream->out, data + i, 1) < 0)
			break;
}

/* False at the deadline. */
static bool read_streams(struct stream streams[2], deadline_ms deadline)
{
	while (streams[0].fd >= 0 || streams[1].fd >= 0) {
		struct pollfd fds[2] = {{streams[0].fd, POLLIN, 0}, {streams[1].fd, POLLIN, 0}};
		int left = deadline_left_ms(deadline);

		if (left == 0 || (poll(fds, 2, left) < 0 && errno != EINTR))
			return false;
		for (size_t i = 0; i < 2; i++)
			if (streams[i].fd >= 0 && fds[i].revents)
				take(&streams[i]);
	}
	return true;
}

/* True with *status as wait(2) has it; false at the deadline. */
static bool wait_until(pid_t child, deadline_ms deadline, int *status)
{
	for (;;) {
		pid_t ended = waitpid(child, status, WNOHANG);

		if (ended == child)
			return true;
		if ((ended < 0 && errno != EINTR) || deadline_left_ms(deadline) == 0)
			return false;
		(void)poll(NULL, 0, CHILD_POLL_MS);
	}
}

/* Asks it to end, for it may have something to take back; then kills it. */
static void end_child(pid_t child)
{
	int status;

	(void)kill(-child, SIGTERM);
	if (wait_until(child, deadline_in(CHILD_END_GRACE_MS), &status))
		return;
	(void)kill(-child, SIGKILL);
	(void)waitpid(child, &status, 0);
}

__attribute__((noreturn)) static void become(int (*run)(const void *), const void *context,
					     int output, int errors)
{
	int null = open("/dev/null", O_RDWR);

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
	    dup2(errors, STDERR_FILENO) < 0)
		_exit(126);

	int status = run(context);

	(void)fflush(NULL);
	_exit(status);
}

int child_run(int (*run)(const void *context), const void *context, deadline_ms deadline,
	      struct buf *output, struct buf *errors)
{
	struct stream streams[2] = {{-1, output}, {-1, errors}};
	int out[2], err[2], status = 0;

	if (pipe2(out, O_CLOEXEC) < 0)
		return -1;
	if (pipe2(err, O_CLOEXEC) < 0) {
		close(out[0]);
		close(out[1]);
		return -1;
	}
	(void)fflush(NULL); /* what is buffered is not written twice */

	pid_t child = fork();

	if (child == 0)
		become(run, context, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	streams[0].fd = out[0];
	streams[1].fd = err[0];

	if (child > 0)
		(void)setpgid(child, child);

	bool is_over = child > 0 && read_streams(streams, deadline) &&
		       wait_until(child, deadline, &status);

	cleanup_close(&streams[0].fd);
	cleanup_close(&streams[1].fd);
	if (child > 0 && !is_over)
		end_child(child);
	if (!is_over)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct command {
	const char *const *argv;
	bool with_errors;
};

static int run_command(const void *context)
{
	const struct command *command = context;

	if (command->with_errors && dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
		return 126;
	(void)setenv("LC_ALL", "C", 1);
	(void)execvp(command->argv[0], (char *const *)command->argv);
	return 127;
}

int child_command(const char *const *argv, bool with_errors, deadline_ms deadline,
		  struct buf *output)
{
	const struct command command = {argv, with_errors};

	return child_run(run_command, &command, deadline, output, NULL);
}
