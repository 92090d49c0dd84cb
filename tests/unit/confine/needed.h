/* The acts that confine() leaves: what the programs do after it. */
#ifndef MAYFLY_TESTS_CONFINE_NEEDED_H
#define MAYFLY_TESTS_CONFINE_NEEDED_H

#include "world.h"

#include <sys/ioctl.h>

static int read_and_send(void)
{
	_cleanup_close_ int fd = fs_open_beneath(readable_fd, "file", O_RDONLY, 0);
	char bytes[8];
	struct stat status;
	int unread;

	if (fd < 0 || fstat(fd, &status) < 0)
		return errno;
	if (sendfile(pair[0], fd, NULL, 4) != 4 || send(pair[0], "more", 4, MSG_NOSIGNAL) != 4)
		return errno ? errno : EIO;
	if (ioctl(pair[1], FIONREAD, &unread) < 0)
		return errno;
	for (size_t got = 0; got < 8;) {
		struct pollfd wait = {.fd = pair[1], .events = POLLIN};

		if (poll(&wait, 1, 5000) != 1)
			return EIO;

		ssize_t more = recv(pair[1], bytes + got, 8 - got, 0);

		if (more <= 0)
			return errno ? errno : EIO;
		got += (size_t)more;
	}
	return memcmp(bytes, "textmore", 8) == 0 ? 0 : EIO;
}

static int list_readable(void)
{
	_cleanup_closedir_ DIR *listing = opendir(readable);
	bool found = false;

	if (!listing)
		return errno;
	for (struct dirent *entry; (entry = readdir(listing));)
		found = found || strcmp(entry->d_name, "file") == 0;
	return found ? 0 : EIO;
}

static int read_absolute(void)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/file", readable);
	return open_and_close(path, O_RDONLY);
}

static int store_result(void)
{
	_cleanup_close_ int folder = -1, file = -1;

	if (mkdirat(writable_fd, "aside", 0700) < 0)
		return errno;
	folder = openat(writable_fd, "aside", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return errno;
	file = fs_open_beneath(folder, "new", O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (file < 0 || write(file, "text", 4) != 4 || ftruncate(file, 2) < 0 ||
	    fchmod(file, 0640) < 0 || fsync(file) < 0 ||
	    renameat(folder, "new", folder, "named") < 0 || fsync(folder) < 0)
		return errno;
	/* into another folder and back, then all of it goes */
	if (renameat(folder, "named", writable_fd, "moved") < 0 ||
	    unlinkat(writable_fd, "moved", 0) < 0)
		return errno;
	return result(fs_remove_tree(writable_fd, "aside"));
}

static int claim_folder(void)
{
	if (mkdirat(writable_fd, "spare", 0755) < 0 ||
	    renameat(writable_fd, "spare", writable_fd, "claimed") < 0)
		return errno;
	return result(unlinkat(writable_fd, "claimed", AT_REMOVEDIR));
}

static int connect_through_descriptor(void)
{
	_cleanup_close_ int name = fs_open_beneath(writable_fd, "control", O_PATH, 0);
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat status;

	if (name < 0 || fd < 0 || fstat(name, &status) < 0)
		return errno;
	if (!S_ISSOCK(status.st_mode))
		return EIO;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", name);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return errno;

	struct ucred peer;
	socklen_t len = sizeof(peer);

	return result(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len));
}

static int wait_with_epoll(void)
{
	_cleanup_close_ int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLOUT};

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event) < 0)
		return errno;
	return epoll_wait(epoll, &event, 1, 5000) == 1 ? 0 : EIO;
}

static int use_memory(void)
{
	char *small = malloc(1000), *large = malloc(8U << 20), *larger = realloc(large, 16U << 20);
	bool good = small && larger;

	if (good)
		memset(larger, 1, 16U << 20);
	free(small);
	free(larger);
	return good ? 0 : ENOMEM;
}

static int take_lock(void)
{
	_cleanup_close_ int fd = openat(writable_fd, "file", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno;

	struct flock byte = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1};

	if (fcntl(fd, F_OFD_SETLK, &byte) < 0 || fcntl(fd, F_OFD_GETLK, &byte) < 0)
		return errno;
	return result(flock(fd, LOCK_EX | LOCK_NB));
}

static int ask_time_and_chance(void)
{
	struct timespec moment = {.tv_nsec = 1000};
	uint64_t bytes;

	if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &moment) < 0 ||
	    syscall(SYS_getrandom, &bytes, sizeof(bytes), 0) != sizeof(bytes))
		return errno;
	moment = (struct timespec){.tv_nsec = 1000};
	return result(nanosleep(&moment, NULL));
}

static int write_log(void)
{
	return result(write(STDERR_FILENO, "", 0));
}

static int remove_deep_tree(void)
{
	return result(fs_remove_tree(writable_fd, "deep"));
}

static int remove_file(void)
{
	return result(unlinkat(writable_fd, "old", 0));
}

/* What /proc says of a process after it: no capability in any set, no new privileges. */
static int keep_nothing(void)
{
	static const char *const lines[] = {"\nCapInh:\t0000000000000000\n",
					    "\nCapPrm:\t0000000000000000\n",
					    "\nCapEff:\t0000000000000000\n",
					    "\nCapAmb:\t0000000000000000\n", "\nNoNewPrivs:\t1\n"};
	char text[4096];
	ssize_t len = pread(own_status, text, sizeof(text) - 1, 0);

	if (len <= 0)
		return EIO;
	text[len] = '\0';
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!strstr(text, lines[i]))
			return EIO;
	if (geteuid() == 0 && !strstr(text, "\nCapBnd:\t0000000000000000\n"))
		return EIO;
	return confine_support().seccomp && !strstr(text, "\nSeccomp:\t2\n") ? EIO : 0;
}

static const struct needed {
	const char *name;
	int (*act)(void);
	unsigned profiles;
} needed[] = {
	{"keeping no capability", keep_nothing, ALL},
	{"reading a file beneath a folder and sending it", read_and_send, JOB | STATIC},
	{"opening by absolute path", read_absolute, ALL},
	{"listing a folder", list_readable, ALL},
	{"storing: mkdir, write, fsync, rename, move, remove", store_result, JOB},
	{"claiming a folder by rename", claim_folder, JOB},
	{"connecting to a Unix socket through /proc/self/fd", connect_through_descriptor, JOB},
	{"waiting with epoll", wait_with_epoll, JOB},
	{"allocating", use_memory, ALL},
	{"locking a file and its bytes", take_lock, JOB},
	{"clocks and random bytes", ask_time_and_chance, ALL},
	{"writing a log line", write_log, ALL},
	{"removing a file", remove_file, JOB | REAP},
	{"removing a deep tree", remove_deep_tree, JOB | REAP},
};

#endif
