/*
 * What unit tests share: a folder of their own, files in it, a configuration that points there,
 * children.
 *
 * Rules:
 *  1. must() is for what a test stands on: when it fails there is nothing to report, and the
 *     program ends.
 *  2. The folder is removed when the process that made it ends; children leave by _exit.
 */
#ifndef MAYFLY_TESTS_UTIL_H
#define MAYFLY_TESTS_UTIL_H

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/io.h"
#include "bounds.h"
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SCRATCH_PARENT
#define SCRATCH_PARENT "/tmp"
#endif

#define NOBODY_ID 65534 /* a user without rights, for tests that root runs */

static char scratch_path[64];
static pid_t scratch_owner;

static void scratch_remove(void)
{
	if (getpid() == scratch_owner && fs_remove_tree(AT_FDCWD, scratch_path) < 0)
		printf("# %s cannot be removed: %s\n", scratch_path, strerror(errno));
}

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("Bail out! %s:%d: %s: %s\n", __FILE__, __LINE__, #condition,        \
			       strerror(errno));                                                   \
			fflush(stdout);                                                            \
			scratch_remove();                                                          \
			_exit(99);                                                                 \
		}                                                                                  \
	} while (0)

/* The program's own folder, absolute. */
__attribute__((unused)) static const char *scratch(void)
{
	if (!scratch_owner) {
		(void)snprintf(scratch_path, sizeof(scratch_path),
			       SCRATCH_PARENT "/mayfly-unit-XXXXXX");
		must(mkdtemp(scratch_path));
		scratch_owner = getpid();
		must(atexit(scratch_remove) == 0);
	}
	return scratch_path;
}

/* A path in it, in a buffer of its own until the eighth call after. */
__attribute__((unused, format(printf, 1, 2))) static const char *in_scratch(const char *format, ...)
{
	static char paths[8][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 8];
	int used = snprintf(path, PATH_MAX, "%s/", scratch());
	va_list arguments;

	va_start(arguments, format);
	used += vsnprintf(path + used, PATH_MAX - (size_t)used, format, arguments);
	va_end(arguments);
	must(used > 0 && used < PATH_MAX);
	return path;
}

/* A path in the source tree: MAYFLY_TESTS names its folder tests. The caller frees it. */
__attribute__((unused)) static char *in_tree(const char *path)
{
	const char *tests = getenv("MAYFLY_TESTS");
	char *relative, *absolute;

	must(asprintf(&relative, "%s/../%s", tests ? tests : "tests", path) > 0);
	absolute = realpath(relative, NULL);
	must(absolute);
	free(relative);
	return absolute;
}

__attribute__((unused)) static void make_folder(const char *path)
{
	_cleanup_close_ int fd = fs_open_or_make_dir(path, 0755);

	must(fd >= 0);
}

__attribute__((unused)) static void write_file(const char *path, struct slice data)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	must(fd >= 0 && io_write_all(fd, data.data, data.len) == 0);
}

/* The file's bytes, NUL-terminated; NULL when it cannot be read. The caller frees them. */
__attribute__((unused)) static char *read_file(const char *path, size_t *len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *data = NULL;
	size_t ignored;

	if (fd < 0 || io_read_file(fd, 64 * MIB, &data, len ? len : &ignored) < 0)
		return NULL;
	return data;
}

__attribute__((unused)) static bool file_is(const char *path, struct slice want)
{
	size_t len = 0;
	_cleanup_free_ char *data = read_file(path, &len);

	return data && len == want.len && memcmp(data, want.data, len) == 0;
}

__attribute__((unused)) static bool exists(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

/* How many entries a folder has; -1 when there is no folder. */
__attribute__((unused)) static int count_entries(const char *path)
{
	_cleanup_closedir_ DIR *listing = opendir(path);
	int count = 0;

	if (!listing)
		return -1;
	for (struct dirent *entry; (entry = readdir(listing));)
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	return count;
}

/* A configuration with every limit at its default, everything in scratch(), and the registry of the
 * source tree. */
__attribute__((unused)) static struct config test_config(void)
{
	struct config config = {
		.bind = "127.0.0.1",
		.port = 8080,
		.instance = "test",
		.stream_bytes = JOB_STREAM_MAX_BYTES,
		.artifact_count = JOB_ARTIFACT_MAX_COUNT,
		.artifact_bytes = JOB_ARTIFACT_MAX_BYTES,
		.artifacts_bytes = JOB_ARTIFACTS_MAX_BYTES,
		.slots = 4,
		.slot_wait_ms = SLOT_WAIT_MS,
		.retention_days = RETENTION_DEFAULT_DAYS,
	};
	_cleanup_free_ char *worker = in_tree("worker");

	(void)snprintf(config.storage, PATH_MAX, "%s/storage", scratch());
	(void)snprintf(config.storage_dir, PATH_MAX, "%s/storage", scratch());
	(void)snprintf(config.run, PATH_MAX, "%s/run", scratch());
	(void)snprintf(config.libexec, PATH_MAX, "%s/libexec", scratch());
	(void)snprintf(config.registry[0], PATH_MAX, "%s", worker);
	return config;
}

/* Starts body in a child, which ends with what it returns. */
__attribute__((unused)) static pid_t start_child(int (*body)(void *), void *context)
{
	fflush(stdout);

	pid_t child = fork();

	must(child >= 0);
	if (child == 0)
		_exit(body(context));
	return child;
}

/* Its exit status; 128+n when signal n ended it. */
__attribute__((unused)) static int wait_child(pid_t child)
{
	int status;

	must(waitpid(child, &status, 0) == child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

__attribute__((unused)) static int in_child(int (*body)(void *), void *context)
{
	return wait_child(start_child(body, context));
}

/* Writes a line to a file of /proc. */
__attribute__((unused)) static bool tell_kernel(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && io_write_all(fd, text, strlen(text)) == 0;
}

/* In a child: mounts of its own, so that a test may mount. False where the kernel lets nobody do
 * that who is not root. */
__attribute__((unused)) static bool own_mounts(void)
{
	bool is_root = geteuid() == 0;
	char users[32], groups[32];

	(void)snprintf(users, sizeof(users), "0 %u 1", geteuid());
	(void)snprintf(groups, sizeof(groups), "0 %u 1", getegid());
	if (unshare(CLONE_NEWNS | (is_root ? 0 : CLONE_NEWUSER)) < 0)
		return false;
	if (!is_root && !(tell_kernel("/proc/self/setgroups", "deny") &&
			  tell_kernel("/proc/self/uid_map", users) &&
			  tell_kernel("/proc/self/gid_map", groups)))
		return false;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

#endif
