/* Job folders; the rules are in the header. */
#include "engine/folder.h"

#include "base/ascii.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/random.h"
#include "protocol/control.h"

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
	/* rule 5 */
	if (flock(folders->making, LOCK_SH) < 0 ||
	    mkdirat(folders->making, folder.name, 0700) < 0) {
		(void)error_set_errno(err, 500, "engine_failed", "A job's folder cannot be made");
		(void)flock(folders->making, LOCK_UN);
		return -1;
	}
	folder.fd = openat(folders->making, folder.name,
			   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", folder.fd);
	/* the mode is set apart from mkdir, which the umask would cut */
	if (folder.fd >= 0 && flock(folder.fd, LOCK_EX) == 0 &&
	    flock(folders->making, LOCK_UN) == 0 &&
	    (folder.notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) >= 0 &&
	    inotify_add_watch(folder.notify, path, IN_MOVED_TO) >= 0 &&
	    fchmod(folder.fd, 0777) == 0) {
		*out = folder;
		return 0;
	}
	saved = errno;
	folder_close(&folder);
	(void)unlinkat(folders->making, folder.name, AT_REMOVEDIR);
	(void)flock(folders->making, LOCK_UN);
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

/* Calls each(context, place, name) for every job folder of a place, until it does not return 0.
   What it returned last, or -1 with errno. */
static int each_of(int place, int (*each)(void *, int, const char *), void *context)
{
	_cleanup_closedir_ DIR *listing = fs_list(place, ".");
	int done = listing ? 0 : -1;

	for (const char *name; done == 0 && (name = fs_next(listing));)
		if (folder_is_name(slice_of(name)))
			done = each(context, place, name);
	return done;
}

static enum folder_owner owner_of(int place, const char *name)
{
	_cleanup_close_ int fd =
		openat(place, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return FOLDER_ABSENT;
	/* closing fd gives the lock back */
	return flock(fd, LOCK_EX | LOCK_NB) == 0 ? FOLDER_ABANDONED : FOLDER_OWNED;
}

struct owners {
	int (*each)(void *, const char *, enum folder_owner);
	void *context;
};

static int tell_owner(void *context, int place, const char *name)
{
	const struct owners *owners = context;
	char first[FOLDER_NAME_BYTES];

	folder_first_name(name, first);
	return owners->each(owners->context, first, owner_of(place, name));
}

int folders_each(const struct job_folders *folders,
		 int (*each)(void *context, const char *first_name, enum folder_owner owner),
		 void *context)
{
	struct owners owners = {each, context};
	int done;

	/* rule 5; and what moves to jobs meanwhile is found there */
	if (flock(folders->making, LOCK_EX) < 0)
		return -1;
	done = each_of(folders->making, tell_owner, &owners);
	(void)flock(folders->making, LOCK_UN);
	return done < 0 ? -1 : each_of(folders->jobs, tell_owner, &owners);
}

struct wanted {
	const char *first_name;
	char *name;
};

static int is_wanted(void *context, int place, const char *name)
{
	const struct wanted *wanted = context;
	char first[FOLDER_NAME_BYTES];

	(void)place;
	folder_first_name(name, first);
	if (strcmp(first, wanted->first_name) != 0)
		return 0;
	(void)snprintf(wanted->name, FOLDER_ANY_NAME_BYTES, "%s", name);
	return 1;
}

/* Where the folder of that first name is, and what it is called there. 1; 0 when there is none; -1
   with errno. Only that of a pooled container has to be looked for. */
static int find(const struct job_folders *folders, const char *first_name, int *place,
		char name[FOLDER_ANY_NAME_BYTES])
{
	const int places[] = {folders->making, folders->jobs};
	struct wanted wanted = {first_name, name};
	struct stat status;

	for (size_t i = 0; i < COUNT_OF(places); i++) {
		*place = places[i];
		if (fstatat(*place, first_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
			return is_wanted(&wanted, *place, first_name);
	}
	return each_of(folders->jobs, is_wanted, &wanted);
}

int folder_remove(const struct job_folders *folders, const char *name)
{
	char first[FOLDER_NAME_BYTES], now[FOLDER_ANY_NAME_BYTES];
	int place, found;

	folder_first_name(name, first);
	found = find(folders, first, &place, now);
	return found == 1 ? fs_remove_tree(place, now) : found;
}

enum folder_owner folder_look(const struct job_folders *folders, const char *first_name)
{
	char name[FOLDER_ANY_NAME_BYTES];
	int place;

	return find(folders, first_name, &place, name) == 1 ? owner_of(place, name) : FOLDER_ABSENT;
}
