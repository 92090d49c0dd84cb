/* What storage no longer needs: results past the retention, and what crashes left in .incoming. */
#include "base/ascii.h"
#include "base/atomic_file.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/num.h"
#include "store/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define CLOCK_NAME  ".clock"
#define CLOCK_BYTES 128
#define RESULT      "job-"

time_t storage_kept_since(const struct config *config)
{
	return config->retention_days ? time(NULL) - (time_t)config->retention_days * S_PER_DAY
				      : INT64_MIN;
}

uint64_t storage_sweep_folder(int root, const char *name, const char *prefix, time_t before)
{
	_cleanup_closedir_ DIR *listing = fs_list(root, name);
	uint64_t removed = 0;
	struct stat status;

	for (const char *entry; (entry = fs_next(listing));)
		if (strncmp(entry, prefix, strlen(prefix)) == 0 &&
		    fstatat(dirfd(listing), entry, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		    status.st_mtime < before)
			removed += fs_remove_tree(dirfd(listing), entry) == 0;
	return removed;
}

/* --- the clock -------------------------------------------------------------------------------- */

struct noted {
	char boot[BOOT_ID_BYTES];
	uint64_t unix_s, boot_s; /* of one moment */
	uint64_t doubted_s;      /* on the boot clock: until then; 0: not doubted */
};

/* False when it is not good. */
static bool read_noted(int folder, struct noted *out)
{
	_cleanup_close_ int fd = openat(folder, CLOCK_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	uint64_t *const numbers[] = {&out->unix_s, &out->boot_s, &out->doubted_s};
	char text[CLOCK_BYTES];
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text));
	struct slice rest = {text, len < 0 ? 0 : (size_t)len};

	if (!slice_copy(slice_take(&rest, ' '), out->boot, sizeof(out->boot)))
		return false;
	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		if (num_parse(slice_take(&rest, ' '), 10, INT64_MAX, numbers[i]) < 0)
			return false;
	return true;
}

static bool has_jumped(const struct noted *before, const struct noted *now)
{
	int64_t step = (int64_t)(now->unix_s - before->unix_s);

	if (strcmp(before->boot, now->boot) != 0)
		return step < -REAP_CLOCK_STEP_S || step > REAP_CLOCK_DOUBT_S;
	step -= (int64_t)(now->boot_s - before->boot_s);
	return step < -REAP_CLOCK_STEP_S || step > REAP_CLOCK_STEP_S;
}

bool storage_clock_is_sure(const char *path)
{
	_cleanup_close_ int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct noted before, now = {.unix_s = (uint64_t)time(NULL), .boot_s = boot_now_s()};
	char text[CLOCK_BYTES];
	int len;

	if (folder < 0)
		return true;
	if (boot_id(now.boot) < 0)
		return false;
	if (faccessat(folder, CLOCK_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		/* what a power cut left of it says nothing */
		if (!read_noted(folder, &before) || has_jumped(&before, &now) ||
		    (before.doubted_s && strcmp(before.boot, now.boot) != 0))
			now.doubted_s = now.boot_s + REAP_CLOCK_DOUBT_S;
		else if (before.doubted_s > now.boot_s)
			now.doubted_s = before.doubted_s;
	}
	len = snprintf(text, sizeof(text), "%s %" PRIu64 " %" PRIu64 " %" PRIu64 " ", now.boot,
		       now.unix_s, now.boot_s, now.doubted_s);
	return atomic_file_write(folder, CLOCK_NAME ".new", CLOCK_NAME, 0640, ATOMIC_LOCKED,
				 (struct slice){text, (size_t)len}) == 0 &&
	       now.doubted_s == 0;
}

/* --- the sweep -------------------------------------------------------------------------------- */

/* Whether what is in .incoming goes (rule 3): its writer has died, or, where no lock can tell, it
   is old. */
static bool is_abandoned(int incoming, const char *name, time_t before)
{
	_cleanup_close_ int fd = -1;
	struct stat status;
	int locked;

	(void)flock(incoming, LOCK_EX);
	fd = fs_open_dir(incoming, name);
	locked = fd < 0 ? -1 : flock(fd, LOCK_EX | LOCK_NB);
	if (fd >= 0 && locked < 0 && errno == EWOULDBLOCK)
		before = 0;
	(void)flock(incoming, LOCK_UN);
	return locked == 0 || (fstatat(incoming, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
			       status.st_mtime < before);
}

uint64_t storage_sweep_incoming(int root)
{
	_cleanup_closedir_ DIR *listing = fs_list(root, STORAGE_INCOMING);
	time_t before = time(NULL) - INCOMING_MAX_AGE_S;
	uint64_t removed = 0;

	for (const char *entry; (entry = fs_next(listing));)
		if (is_abandoned(dirfd(listing), entry, before))
			removed += fs_remove_tree(dirfd(listing), entry) == 0;
	return removed;
}

/* Records of every session; a session's folder goes with its last. */
static void sweep_records(int root, time_t before)
{
	_cleanup_closedir_ DIR *listing = fs_list(root, STORAGE_RECORDS);

	for (const char *session; (session = fs_next(listing));) {
		(void)storage_sweep_folder(dirfd(listing), session, "", before);
		/* fails while it holds anything, as it should */
		(void)unlinkat(dirfd(listing), session, AT_REMOVEDIR);
	}
}

/* Is that what storage_commit has made, and older? */
static bool is_old_result(int session, const char *name, time_t before)
{
	static const char *const streams[] = {"stdout", "stderr"};
	char path[sizeof(RESULT) + JOB_ID_LENGTH + 8];
	struct slice id = slice_of(name);
	struct stat status;

	if (!slice_starts(id, RESULT))
		return false;
	slice_skip(&id, strlen(RESULT));
	if (id.len != JOB_ID_LENGTH || !ascii_is_of(id, ASCII_ALNUM "_-") ||
	    fstatat(session, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(status.st_mode) ||
	    status.st_mtime >= before)
		return false;
	for (size_t i = 0; i < COUNT_OF(streams); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", name, streams[i]);
		if (fstatat(session, path, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(status.st_mode))
			return false;
	}
	return true;
}

/* Results of every session; a session's folder goes with its last. */
static uint64_t sweep_results(int root, time_t before)
{
	_cleanup_closedir_ DIR *listing = fs_list(root, ".");
	uint64_t removed = 0;

	for (const char *session; (session = fs_next(listing));) {
		_cleanup_closedir_ DIR *results =
			*session == '.' ? NULL : fs_list(dirfd(listing), session);
		uint64_t of_session = 0;

		for (const char *name; results && (name = fs_next(results));)
			if (is_old_result(dirfd(results), name, before))
				of_session += fs_remove_tree(dirfd(results), name) == 0;
		/* fails while it holds anything, as it should */
		if (of_session)
			(void)unlinkat(dirfd(listing), session, AT_REMOVEDIR);
		removed += of_session;
	}
	return removed;
}

uint64_t storage_sweep(const struct config *config)
{
	_cleanup_close_ int root = open(config->storage, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t removed = storage_sweep_incoming(root);

	if (config->retention_days) {
		time_t before = storage_kept_since(config);

		sweep_records(root, before);
		removed += sweep_results(root, before);
	}
	return removed;
}
