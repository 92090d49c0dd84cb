/* Job folders; the rules are in the header. */
#include "engine/folder.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/random.h"
#include "job/control.h"
#include "job/engine_protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>

bool folder_is_name(struct slice name)
{
	if (!slice_starts(name, FOLDER_PREFIX) || name.len != FOLDER_NAME_BYTES - 1)
		return false;
	for (size_t i = strlen(FOLDER_PREFIX); i < name.len; i++)
		if (!strchr("0123456789abcdef", name.data[i]) || !name.data[i])
			return false;
	return true;
}

int folder_open_jobs(const struct config *config, struct error *err)
{
	char path[PATH_MAX];
	_cleanup_close_ int fd = -1;
	struct stat status;

	if ((size_t)snprintf(path, sizeof(path), "%s/" JOBS_DIR_NAME, config->run) >= sizeof(path))
		return error_set(err, 500, "bad_configuration", "MAYFLY_RUN_DIR is too long");
	fd = fs_open_or_make_dir(path, 0700);
	if (fd < 0 || fstat(fd, &status) < 0)
		return error_set_errno(err, 500, "bad_configuration",
				       "The folder %.256s cannot be had", path);
	if (status.st_mode & S_IRWXO)
		return error_set(err, 500, "bad_configuration",
				 "The folder %.256s must be closed to others: chmod o= it", path);
	return steal_fd(&fd);
}

static int watch(struct folder *folder)
{
	char path[32];

	folder->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", folder->fd);
	return folder->notify < 0 || inotify_add_watch(folder->notify, path, IN_MOVED_TO) < 0 ? -1
											      : 0;
}

int folder_make(int jobs_fd, struct folder *out, struct error *err)
{
	struct folder folder = FOLDER_NONE;
	int saved;

	memcpy(folder.name, FOLDER_PREFIX, sizeof(FOLDER_PREFIX));
	random_hex(folder.name + strlen(FOLDER_PREFIX), FOLDER_HEX_DIGITS);
	if (mkdirat(jobs_fd, folder.name, 0700) < 0)
		return error_set_errno(err, 500, "engine_failed", "A job's folder cannot be made");
	folder.fd = openat(jobs_fd, folder.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* the mode is set apart from mkdir, which the umask would cut */
	if (folder.fd >= 0 && flock(folder.fd, LOCK_EX) == 0 && watch(&folder) == 0 &&
	    fchmod(folder.fd, 0777) == 0) {
		*out = folder;
		return 0;
	}
	saved = errno;
	folder_close(&folder);
	(void)unlinkat(jobs_fd, folder.name, AT_REMOVEDIR);
	errno = saved;
	return error_set_errno(err, 500, "engine_failed", "A job's folder cannot be set up");
}

bool folder_is_listening(const struct folder *folder)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct stat status;

	while (read(folder->notify, events, sizeof(events)) > 0)
		;
	return fstatat(folder->fd, CONTROL_NAME, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISSOCK(status.st_mode);
}

int folder_seal(const struct folder *folder, struct error *err)
{
	return fchmod(folder->fd, 0555) < 0 ? error_set_errno(err, 500, "engine_failed",
							      "A job's folder cannot be sealed")
					    : 0;
}

void folder_close(struct folder *folder)
{
	cleanup_close(&folder->fd);
	cleanup_close(&folder->notify);
	folder->fd = folder->notify = -1;
}

enum folder_owner folder_look(int jobs_fd, const char *name, int64_t *age_ms)
{
	_cleanup_close_ int fd =
		openat(jobs_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct timespec now;
	struct stat status;

	*age_ms = 0;
	if (fd < 0 || fstat(fd, &status) < 0)
		return errno == EACCES ? FOLDER_ABANDONED : FOLDER_ABSENT;
	clock_gettime(CLOCK_REALTIME, &now);
	*age_ms = ((int64_t)now.tv_sec - status.st_mtim.tv_sec) * 1000;
	/* closing fd gives the lock back */
	return flock(fd, LOCK_EX | LOCK_NB) == 0 ? FOLDER_ABANDONED : FOLDER_OWNED;
}
