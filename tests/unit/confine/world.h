/* What the acts of test_confine.c happen to: folders, listeners, a process, and each child's own
 * descriptors. */
#ifndef MAYFLY_TESTS_CONFINE_WORLD_H
#define MAYFLY_TESTS_CONFINE_WORLD_H

#define SCRATCH_PARENT "/dev/shm" /* memory: every act has its folders made anew */

#include "../util.h"
#include "base/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#define JOB    (1U << CONFINE_JOB)
#define STATIC (1U << CONFINE_STATIC)
#define REAP   (1U << CONFINE_REAP)
#define ALL    (JOB | STATIC | REAP)

/* made by main: a folder to write in, one to read, a file in neither, who listens, and a process to
 * harm */
static char writable[80], readable[80], outside[80];
static int base_fd = -1, writable_fd = -1, readable_fd = -1;
static struct sockaddr_in listener;
static struct sockaddr_un abstract;
static socklen_t abstract_len;
static pid_t victim;

/* made by each child before it confines itself */
static int tcp = -1, pair[2] = {-1, -1}, own_status = -1;

static int result(long value)
{
	return value < 0 ? errno : 0;
}

static int open_and_close(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void make_file(int folder, const char *name)
{
	_cleanup_close_ int fd =
		openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, "text", 4) != 4)
		perror(name);
}

/* The same folders for every act, whatever the one before has done. */
static void prepare(void)
{
	static const char *const gone[] = {"link",  "hard",  "fifo",    "stolen", "made",
					   "aside", "spare", "claimed", "deep"};
	int folder = writable_fd;

	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		if (fs_remove_tree(writable_fd, gone[i]) < 0)
			perror(gone[i]);
	(void)unlinkat(readable_fd, "made", 0);
	(void)unlinkat(readable_fd, "folder", AT_REMOVEDIR);
	make_file(readable_fd, "file");
	make_file(readable_fd, "victim");
	make_file(writable_fd, "file");
	make_file(writable_fd, "old");
	for (int depth = 0; depth < 50; depth++) {
		const char *name = depth == 0 ? "deep" : "d";
		int next = mkdirat(folder, name, 0700) < 0
				   ? -1
				   : openat(folder, name, O_PATH | O_CLOEXEC);

		if (folder != writable_fd)
			close(folder);
		folder = next;
		make_file(folder, "file");
	}
	close(folder);
}

static int listen_on(int domain, const void *address, socklen_t len)
{
	int fd = socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, address, len) < 0 || listen(fd, 1024) < 0)
		return -1;
	return fd;
}

static int set_up(void)
{
	struct sockaddr_un control = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(listener);
	const char *base = scratch();

	(void)snprintf(writable, sizeof(writable), "%s/writable", base);
	(void)snprintf(readable, sizeof(readable), "%s/readable", base);
	(void)snprintf(outside, sizeof(outside), "%s/outside", base);
	(void)snprintf(control.sun_path, sizeof(control.sun_path), "%s/control", writable);
	abstract.sun_family = AF_UNIX;
	abstract_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				   (size_t)snprintf(abstract.sun_path + 1,
						    sizeof(abstract.sun_path) - 1, "%s", base));
	listener = (struct sockaddr_in){.sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (mkdir(writable, 0700) < 0 || mkdir(readable, 0700) < 0)
		return -1;
	base_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	writable_fd = open(writable, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	readable_fd = open(readable, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_file(base_fd, "outside");

	int tcp_listener = listen_on(AF_INET, &listener, sizeof(listener));

	if (tcp_listener < 0 || getsockname(tcp_listener, (struct sockaddr *)&listener, &len) < 0 ||
	    listen_on(AF_UNIX, &control, sizeof(control)) < 0 ||
	    listen_on(AF_UNIX, &abstract, abstract_len) < 0)
		return -1;
	victim = fork();
	if (victim == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
		for (;;)
			pause();
	}
	return victim < 0 ? -1 : 0;
}

#endif
