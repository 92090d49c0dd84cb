/* Job folders; the rules are in the header. */
#include "engine/folder.h"

#include "base/ascii.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/random.h"
#include "protocol/control.h"
#include "protocol/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>

/* Takes what a name begins with off it. */
static bool take_prefix(struct slice *name, const char *prefix)
{
	if (!slice_starts(*name, prefix))
		return false;
	slice_skip(name, strlen(prefix));
	return true;
}

static bool is_hex(struct slice text, size_t digits)
{
	return text.len == digits && ascii_is_of(text, ASCII_HEX);
}

bool folder_is_name(struct slice name)
{
	if (take_prefix(&name, POOL_PREFIX))
		return is_hex(slice_take(&name, '-'), POOL_KIND_DIGITS) &&
		       is_hex(name, FOLDER_HEX_DIGITS);
	return take_prefix(&name, FOLDER_PREFIX) && is_hex(name, FOLDER_HEX_DIGITS);
}

void folder_first_name(const char *name, char out[FOLDER_NAME_BYTES])
{
	(void)snprintf(out, FOLDER_NAME_BYTES, FOLDER_PREFIX "%s",
		       name + strlen(name) - FOLDER_HEX_DIGITS);
}

static int open_one(const struct config *config, const char *name, struct error *err)
{
	char path[PATH_MAX];
	_cleanup_close_ int fd = -1;
	struct stat status;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", config->run, name) >= sizeof(path))
		return error_set(err, 500, "bad_configuration", "MAYFLY_RUN_DIR is too long");
	fd = fs_open_or_make_dir(path, 0700);
	if (fd < 0 || fstat(fd, &status) < 0)
		return error_set_errno(err, 500, "bad_configuration",
				       "The folder %.256s cannot be opened", path);
	if (status.st_mode & S_IRWXO)
		return error_set(err, 500, "bad_configuration",
				 "The folder %.256s must be closed to others: chmod o= it", path);
	return steal_fd(&fd);
}

int folders_open(const struct config *config, struct job_folders *out, struct error *err)
{
	struct job_folders folders = JOB_FOLDERS_CLOSED;

	if ((folders.jobs = open_one(config, JOBS_DIR_NAME, err)) < 0 ||
	    (folders.making = open_one(config, MAKING_DIR_NAME, err)) < 0 ||
	    (folders.users = open_one(config, USERS_DIR_NAME, err)) < 0) {
		folders_close(&folders);
		return -1;
	}
	*out = folders;
	return 0;
}

void folders_close(struct job_folders *folders)
{
	cleanup_close(&folders->jobs);
	cleanup_close(&folders->making);
	cleanup_close(&folders->users);
	*folders = JOB_FOLDERS_CLOSED;
}

int folder_make(const struct job_folders *folders, struct folder *out, struct error *err)
{
	struct folder folder = FOLDER_NONE;
	char path[32];
	int saved;

	memcpy(folder.name, FOLDER_PREFIX, sizeof(FOLDER_PREFIX));
	random_hex(folder.name + strlen(FOLDER_PREFIX), FOLDER_HEX_DIGITS);
	if (mkdirat(folders->making, folder.name, 0700) < 0)
		return error_set_errno(err, 500, "engine_failed", "A job's folder cannot be made");
	folder.fd = openat(folders->making, folder.name,
			   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", folder.fd);
	/* the mode is set apart from mkdir, which the umask would cut */
	if (folder.fd >= 0 && flock(folder.fd, LOCK_EX) == 0 &&
	    (folder.notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) >= 0 &&
	    inotify_add_watch(folder.notify, path, IN_MOVED_TO) >= 0 &&
	    fchmod(folder.fd, 0777) == 0) {
		*out = folder;
		return 0;
	}
	saved = errno;
	folder_close(&folder);
	(void)unlinkat(folders->making, folder.name, AT_REMOVEDIR);
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

int folder_publish(const struct folder *folder, const struct job_folders *folders,
		   struct error *err)
{
	/* a folder changes its parent only while its owner may write to it: move, then seal */
	if (renameat(folders->making, folder->name, folders->jobs, folder->name) < 0 ||
	    fchmod(folder->fd, 0555) < 0)
		return error_set_errno(err, 500, "engine_failed",
				       "A job's folder cannot be published");
	return 0;
}

void folder_close(struct folder *folder)
{
	cleanup_close(&folder->fd);
	cleanup_close(&folder->notify);
	folder->fd = folder->notify = -1;
}

int folders_each(const struct job_folders *folders,
		 int (*each)(void *context, int place, const char *name), void *context)
{
	const int places[] = {folders->jobs, folders->making};

	for (size_t i = 0; i < COUNT_OF(places); i++) {
		_cleanup_closedir_ DIR *listing = fs_list(places[i], ".");

		if (!listing)
			return -1;
		for (const char *name; (name = fs_next(listing));)
			if (folder_is_name(slice_of(name)) && each(context, places[i], name) < 0)
				return -1;
	}
	return 0;
}

static int remove_if_named(void *context, int place, const char *name)
{
	char first[FOLDER_NAME_BYTES];

	folder_first_name(name, first);
	return strcmp(first, context) == 0 ? fs_remove_tree(place, name) : 0;
}

int folder_remove(const struct job_folders *folders, const char *first_name)
{
	char wanted[FOLDER_NAME_BYTES];

	folder_first_name(first_name, wanted);
	return folders_each(folders, remove_if_named, wanted);
}

struct look {
	const char *first_name;
	enum folder_owner owner;
	int64_t age_ms;
};

static int look_if_named(void *context, int place, const char *name)
{
	struct look *look = context;
	char first[FOLDER_NAME_BYTES];
	struct stat status;

	folder_first_name(name, first);
	if (strcmp(first, look->first_name) != 0)
		return 0;

	_cleanup_close_ int fd =
		openat(place, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &status) < 0)
		return 0;
	look->age_ms = unix_now_ms() - timespec_ms(status.st_mtim);
	/* closing fd gives the lock back */
	look->owner = flock(fd, LOCK_EX | LOCK_NB) == 0 ? FOLDER_ABANDONED : FOLDER_OWNED;
	return 0;
}

enum folder_owner folder_look(const struct job_folders *folders, const char *first_name,
			      int64_t *age_ms)
{
	struct look look = {first_name, FOLDER_ABSENT, 0};

	if (folders_each(folders, look_if_named, &look) < 0)
		return FOLDER_ABSENT;
	*age_ms = look.age_ms;
	return look.owner;
}
