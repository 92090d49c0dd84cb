/* What the tests of mayfly-init as a whole share: init serves as PID 1 of a pid namespace, outside
   a container, and the test is its host. The cgroup is the files in root, which the programs write.
   A job has one connection; where that made a prepared, another. */
#ifndef MAYFLY_TESTS_INIT_TALK_H
#define MAYFLY_TESTS_INIT_TALK_H

#include "init/init.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/io.h"
#include "protocol/control.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 30000 /* for what comes at once: only a failure waits so long */

static char root[] = "/tmp/mayfly-init-XXXXXX";
static int root_fd;

/* --- One job ---------------------------------------------------------------------------------- */

struct talk {
	int fd;    /* the host's end of the connection */
	int next;  /* and of the one after it */
	pid_t pid; /* of the process that waits for init, and ends as it did */
	struct frame_reader reader;
	char out[4096], err[4096]; /* the first bytes of each */
	size_t out_len, err_len, frames;
	char order[64]; /* types of the first frames */
	bool has_exit, has_end;
	char exit[1024]; /* EXIT's fields, separated by blanks */
};

/* Becomes PID 1 of a new pid namespace, a new user namespace with it where we are not root. */
static _Noreturn void become_init(int connection, int next, const char *membership,
				  int64_t lifetime_ms)
{
	struct init_prepared prepared = init_prepared_new();
	deadline_ms lifetime = deadline_in(lifetime_ms);
	struct init_cgroup cgroup;
	struct error err;
	sigset_t children;
	int status = 0, result;

	if (unshare(CLONE_NEWPID) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0)
		_exit(99);

	pid_t pid = fork();

	if (pid != 0) {
		close(connection);
		close(next);
		_exit(waitpid(pid, &status, 0) == pid ? WEXITSTATUS(status) : 98);
	}
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &children, NULL);
	init_cgroup_open(root_fd, membership, &cgroup);
	result = init_serve(connection, &cgroup, &prepared, lifetime, &err);
	close(connection);
	if (result == 0 && (prepared.is_prepared || prepared.is_session))
		result = init_serve(next, &cgroup, &prepared, lifetime, &err);
	_exit(result < 0 ? 1 : 0);
}

static void start_init(struct talk *talk, const char *membership, int64_t lifetime_ms)
{
	int ends[2], next[2];

	*talk = (struct talk){0};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, next) < 0)
		abort();
	talk->pid = fork();
	if (talk->pid == 0) {
		close(ends[0]);
		close(next[0]);
		become_init(ends[1], next[1], membership, lifetime_ms);
	}
	close(ends[1]);
	close(next[1]);
	talk->fd = ends[0];
	talk->next = next[0];
	talk->reader = frame_reader_new(ends[0]);
}

static void send_frame(const struct talk *talk, uint8_t type, const char *payload)
{
	if (frame_send(talk->fd, type, slice_of(payload), deadline_in(PATIENCE_MS)) < 0)
		perror("frame_send");
}

/* A JOB for /bin/sh -c script; more: other fields, each ended by NUL, and an empty one. */
__attribute__((unused)) static void send_job(const struct talk *talk, const char *script,
					     const char *more)
{
	_cleanup_buf_ struct buf fields = buf_new(FRAME_JOB_MAX_BYTES);
	int failed = field_add(&fields, "argv", slice_of("sh"));

	failed |= field_add(&fields, "argv", slice_of("-c"));
	failed |= field_add(&fields, "argv", slice_of(script));
	failed |= field_add(&fields, "env", slice_of("PATH=/nonexistent:/usr/bin:/bin"));
	failed |= field_add(&fields, "env", slice_of("A=1"));
	failed |= field_add(&fields, "cwd", slice_of(root));
	failed |= field_add(&fields, "wall_ms", slice_of("60000"));
	failed |= field_add(&fields, "stream_bytes", slice_of("1000000"));
	for (; *more; more += strlen(more) + 1)
		failed |= buf_append(&fields, more, strlen(more) + 1);
	if (failed)
		abort();
	if (frame_send(talk->fd, FRAME_JOB, buf_slice(&fields), deadline_in(PATIENCE_MS)) < 0)
		perror("frame_send");
}

static void keep(char *text, size_t size, size_t *len, struct slice payload)
{
	for (size_t i = 0; i < payload.len && *len + i + 1 < size; i++)
		text[*len + i] = payload.data[i];
	*len += payload.len;
}

/* Takes what comes until END, or until nothing more does. */
static void listen_until_end(struct talk *talk)
{
	struct frame frame;
	struct error err;
	size_t exit_len = 0;

	while (!talk->has_end &&
	       frame_read(&talk->reader, &frame, deadline_in(PATIENCE_MS), &err) == 0) {
		if (talk->frames < sizeof(talk->order) - 1)
			talk->order[talk->frames] = (char)frame.type;
		talk->frames++;
		if (frame.type == FRAME_STDOUT)
			keep(talk->out, sizeof(talk->out), &talk->out_len, frame.payload);
		if (frame.type == FRAME_STDERR)
			keep(talk->err, sizeof(talk->err), &talk->err_len, frame.payload);
		if (frame.type == FRAME_EXIT)
			keep(talk->exit, sizeof(talk->exit), &exit_len, frame.payload);
		talk->has_exit |= frame.type == FRAME_EXIT;
		talk->has_end |= frame.type == FRAME_END;
	}
	for (size_t i = 0; i < exit_len; i++)
		if (talk->exit[i] == '\0')
			talk->exit[i] = ' ';
}

/* Init's exit code. */
static int finish(struct talk *talk)
{
	int status = -1;

	close(talk->fd);
	if (talk->next >= 0)
		close(talk->next);
	frame_reader_free(&talk->reader);
	if (waitpid(talk->pid, &status, 0) != talk->pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static bool says(const struct talk *talk, const char *field)
{
	const char *found = strstr(talk->exit, field);

	return found && (found == talk->exit || found[-1] == ' ') && found[strlen(field)] == ' ';
}

__attribute__((unused)) static void run(struct talk *talk, const char *script, const char *more)
{
	start_init(talk, "0::/\n", PATIENCE_MS);
	send_job(talk, script, more);
	send_frame(talk, FRAME_GO, "");
	listen_until_end(talk);
	is_number(finish(talk), 0, "%s: init ends well", script);
	ok(talk->has_exit && talk->has_end, "%s: EXIT and END", script);
}

static void set_up(void)
{
	if (!mkdtemp(root) || (root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	(void)umask(022);
	ok(mkfifoat(root_fd, "fifo", 0600) == 0, "a FIFO");
}

static void tear_down(void)
{
	_cleanup_close_ int folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ok(fs_remove_tree(folder, root + strlen("/tmp/")) == 0, "nothing is left");
	close(root_fd);
}

#endif
