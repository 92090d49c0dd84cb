#include "store/records.h"

#include "base/ascii.h"
#include "base/atomic_file.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/random.h"
#include "store/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define FOLDER_MODE 0700 /* only mayfly reads records */
#define FILE_MODE   0600
#define NEW_PREFIX  ".new-"
#define TIME_DIGITS 7 /* of base 62: enough until 2081 */
#define WRITE_TRIES 8

/* in the order of their bytes, so that ids sort as numbers */
static const char digits[] = ASCII_DIGITS ASCII_UPPER ASCII_LOWER;

void record_make_id(int64_t now_ms, char out[RUN_ID_BYTES])
{
	uint64_t left = now_ms < 0 ? 0 : (uint64_t)now_ms;
	char *id = stpcpy(out, RUN_ID_PREFIX);

	for (int i = TIME_DIGITS - 1; i >= 0; i--, left /= 62)
		id[i] = digits[left % 62];
	random_alnum(id + TIME_DIGITS, RUN_ID_LENGTH - TIME_DIGITS);
}

bool record_between(struct slice text, const char *key, const char *next, struct slice *out)
{
	const char *start = memmem(text.data, text.len, key, strlen(key));

	if (!start)
		return false;
	start += strlen(key);

	const char *end = memmem(start, text.len - (size_t)(start - text.data), next, strlen(next));

	*out = (struct slice){start, end ? (size_t)(end - start) : 0};
	return end != NULL;
}

void record_id_of_ms(int64_t ms, char out[RUN_ID_BYTES])
{
	record_make_id(ms, out);
	memset(out + strlen(RUN_ID_PREFIX) + TIME_DIGITS, digits[0], RUN_ID_LENGTH - TIME_DIGITS);
}

int64_t record_ms_of(const char *id)
{
	int64_t ms = 0;

	for (int i = 0; i < TIME_DIGITS; i++)
		ms = ms * 62 + (strchr(digits, id[strlen(RUN_ID_PREFIX) + (size_t)i]) - digits);
	return ms;
}

bool record_is_id(struct slice text)
{
	if (text.len != RUN_ID_BYTES - 1 || !slice_starts(text, RUN_ID_PREFIX))
		return false;
	slice_skip(&text, strlen(RUN_ID_PREFIX));
	return ascii_is_of(text, digits);
}

int records_open_owner(const struct config *config, const char *owner)
{
	char path[PATH_MAX + 64];

	(void)snprintf(path, sizeof(path), "%s/" RECORDS_FOLDER "/%s", config->storage_dir, owner);
	return fs_open_or_make_dir(path, FOLDER_MODE);
}

/* --- claims ----------------------------------------------------------------------------------- */

static void name_aside(const char *id, char out[sizeof(NEW_PREFIX) + RUN_ID_BYTES])
{
	(void)snprintf(out, sizeof(NEW_PREFIX) + RUN_ID_BYTES, NEW_PREFIX "%s", id);
}

int record_claim(const struct config *config, const char *owner, const char *id, struct error *err)
{
	char aside[sizeof(NEW_PREFIX) + RUN_ID_BYTES];

	name_aside(id, aside);
	for (int tries = 0; tries < WRITE_TRIES; tries++) {
		_cleanup_close_ int folder = records_open_owner(config, owner);
		_cleanup_close_ int fd =
			folder < 0 ? -1
				   : openat(folder, aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
					    FILE_MODE);

		if (fd >= 0 || errno == EEXIST)
			return fd < 0;
		if (errno != ENOENT) /* the folder, empty until now, was swept away meanwhile */
			break;
	}
	return storage_failed(config->storage_dir, err, "taking a run's id");
}

void record_unclaim(const struct config *config, const char *owner, const char *id)
{
	_cleanup_close_ int folder = records_open_owner(config, owner);
	char aside[sizeof(NEW_PREFIX) + RUN_ID_BYTES];

	name_aside(id, aside);
	if (folder >= 0)
		(void)unlinkat(folder, aside, 0);
}

/* --- one record ------------------------------------------------------------------------------- */

static int write_text(int fd, struct slice summary, struct slice record)
{
	return io_write_all(fd, summary.data, summary.len) < 0 || io_write_all(fd, "\n", 1) < 0
		       ? -1
		       : io_write_all(fd, record.data, record.len);
}

/* Writes, syncs and renames. 0, or -1 with errno: ENOENT when the folder, empty until now, was
   swept away meanwhile. */
static int write_in(int folder, const char *id, struct slice summary, struct slice record)
{
	char aside[sizeof(NEW_PREFIX) + RUN_ID_BYTES];
	_cleanup_atomic_ struct atomic_file file;

	name_aside(id, aside);
	return atomic_file_open(folder, aside, FILE_MODE, ATOMIC_SYNC, &file) < 0 ||
			       write_text(file.fd, summary, record) < 0 ||
			       atomic_file_commit(&file, id) < 0
		       ? -1
		       : 0;
}

int record_write(const struct config *config, const char *owner, const char *id,
		 struct slice summary, struct slice record, struct error *err)
{
	for (int tries = 0; tries < WRITE_TRIES; tries++) {
		_cleanup_close_ int folder = records_open_owner(config, owner);

		if (folder >= 0 && write_in(folder, id, summary, record) == 0)
			return 0;
		if (errno != ENOENT)
			break;
	}
	return storage_failed(config->storage_dir, err, "writing a run's record");
}

/* --- a place for one -------------------------------------------------------------------------- */

/* Room for the record, then what is there until it comes. 0, or -1 with errno as write_in. */
static int reserve_in(struct record_place *place, struct record_text running,
		      struct record_text lost, uint64_t room_bytes)
{
	char aside[sizeof(NEW_PREFIX) + RUN_ID_BYTES];
	_cleanup_atomic_ struct atomic_file file = {.fd = -1};

	name_aside(place->id, aside);
	if (atomic_file_open(place->folder, aside, FILE_MODE, ATOMIC_SYNC, &place->room) < 0)
		return -1;
	errno = posix_fallocate(place->room.fd, 0, (off_t)room_bytes);
	if (errno || fsync(place->room.fd) < 0 ||
	    atomic_file_open(place->folder, NULL, FILE_MODE, ATOMIC_SYNC, &file) < 0 ||
	    flock(file.fd, LOCK_EX) < 0 || write_text(file.fd, lost.summary, lost.record) < 0 ||
	    io_write_all(file.fd, "\n", 1) < 0 ||
	    write_text(file.fd, running.summary, running.record) < 0 ||
	    atomic_file_commit(&file, place->id) < 0)
		return -1;
	place->fd = steal_fd(&file.fd);
	return 0;
}

int record_reserve(const struct config *config, const char *owner, const char *id,
		   struct record_text running, struct record_text lost, uint64_t room_bytes,
		   struct record_place *out, struct error *err)
{
	for (int tries = 0; tries < WRITE_TRIES; tries++) {
		struct record_place place = {.fd = -1, .room.fd = -1};

		(void)snprintf(place.id, sizeof(place.id), "%s", id);
		place.folder = records_open_owner(config, owner);
		if (place.folder >= 0 && reserve_in(&place, running, lost, room_bytes) == 0) {
			*out = place;
			return 0;
		}

		int why = errno;

		record_leave(&place, false);
		errno = why;
		if (errno != ENOENT)
			break;
	}
	if (errno == ENOSPC || errno == EDQUOT)
		return error_set(err, 507, "storage_full",
				 "No space in %.256s for a result of up to %llu MiB, so nothing "
				 "ran: free some, or lower ARTIFACT_RETENTION_DAYS",
				 config->storage_dir,
				 (unsigned long long)((room_bytes + MIB - 1) / MIB));
	return storage_failed(config->storage_dir, err, "reserving a run's record");
}

int record_fill(const struct config *config, struct record_place *place, struct slice summary,
		struct slice record, struct error *err)
{
	if (write_text(place->room.fd, summary, record) < 0 ||
	    ftruncate(place->room.fd, (off_t)(summary.len + 1 + record.len)) < 0 ||
	    atomic_file_commit(&place->room, place->id) < 0)
		return storage_failed(config->storage_dir, err, "writing a run's record");
	return 0;
}

void record_leave(struct record_place *place, bool has_run)
{
	if (!has_run && place->folder >= 0) {
		(void)unlinkat(place->folder, place->id, 0);
		(void)fsync(place->folder);
	}
	atomic_file_close(&place->room);
	cleanup_close(&place->fd);
	cleanup_close(&place->folder);
	place->fd = place->folder = -1;
}

/* --- reading one ------------------------------------------------------------------------------ */

/* Opens what there is of that id, and tells whether its run goes on (rule 4). The descriptor, or -1
   with errno. */
static int open_record(int folder, const char *id, bool *is_running)
{
	struct stat status;

	for (;;) {
		int fd = openat(folder, id, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

		if (fd < 0)
			return -1;
		*is_running = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
		/* unlocked because the record has come in its place since it was opened */
		if (*is_running || fstat(fd, &status) < 0 || status.st_nlink > 0)
			return fd;
		cleanup_close(&fd);
	}
}

/* Takes summary and record of the text. False when there are none. */
static bool take_text(struct slice text, bool is_running, struct slice *summary,
		      struct slice *record)
{
	if (!memchr(text.data, '\n', text.len))
		return false;
	*summary = slice_take(&text, '\n');
	*record = slice_take(&text, '\n');
	if (is_running && memchr(text.data, '\n', text.len)) {
		*summary = slice_take(&text, '\n');
		*record = text;
	}
	return true;
}

int record_read(const struct config *config, const char *owner, struct slice id, struct record *out,
		struct error *err)
{
	char name[RUN_ID_BYTES] = "";
	_cleanup_free_ char *data = NULL;
	bool is_running = false;
	struct slice summary;
	struct stat status;
	size_t len;

	if (!record_is_id(id))
		return error_set(err, 404, "run_not_found", "run not found");
	memcpy(name, id.data, id.len);

	_cleanup_close_ int folder = records_open_owner(config, owner);
	_cleanup_close_ int fd = folder < 0 ? -1 : open_record(folder, name, &is_running);

	if (fd < 0 && errno == ENOENT)
		return error_set(err, 404, "run_not_found", "run not found");
	if (fd < 0 || fstat(fd, &status) < 0 ||
	    io_read_file(fd, RUN_SUMMARY_MAX_BYTES + 1 + RUN_RECORD_MAX_BYTES, &data, &len) < 0)
		return storage_failed(config->storage_dir, err, "reading a run's record");

	if (!take_text((struct slice){data, len}, is_running, &summary, &out->text))
		return error_set(err, 500, "storage_failed", "The record of %s is damaged", name);
	out->written_s = status.st_mtime;
	out->data = steal_ptr(&data);
	return 0;
}

bool record_exists(const struct config *config, const char *owner, const char *id)
{
	_cleanup_close_ int folder = records_open_owner(config, owner);
	struct stat status;

	return folder >= 0 && fstatat(folder, id, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/* --- the list --------------------------------------------------------------------------------- */

/* The newest ids so far, the newest first; one more than are asked for, which tells whether there
   are more. */
struct newest {
	char ids[RUN_LIST_MAX + 1][RUN_ID_BYTES];
	unsigned count, max;
};

static void insert(struct newest *newest, const char *id)
{
	unsigned at = newest->count;

	while (at > 0 && strcmp(newest->ids[at - 1], id) < 0)
		at--;
	if (at == newest->max)
		return;
	if (newest->count < newest->max)
		newest->count++;
	memmove(newest->ids[at + 1], newest->ids[at], (newest->count - at - 1) * RUN_ID_BYTES);
	memcpy(newest->ids[at], id, RUN_ID_BYTES);
}

static void find_newest(DIR *listing, struct slice before, struct newest *newest)
{
	char oldest[RUN_ID_BYTES] = "";

	if (before.len < RUN_ID_BYTES)
		memcpy(oldest, before.data, before.len);
	for (const struct dirent *entry; (entry = readdir(listing));)
		if (record_is_id(slice_of(entry->d_name)) &&
		    (!*oldest || strcmp(entry->d_name, oldest) < 0))
			insert(newest, entry->d_name);
}

/* Reads the first line of a record. False when there is none: swept meanwhile, or damaged. */
static bool read_summary(int folder, const char *id, char text[RUN_SUMMARY_MAX_BYTES],
			 struct slice *summary)
{
	bool is_running = false;
	_cleanup_close_ int fd = open_record(folder, id, &is_running);
	ssize_t len = read(fd, text, RUN_SUMMARY_MAX_BYTES);
	struct slice record;

	return len > 0 &&
	       take_text((struct slice){text, (size_t)len}, is_running, summary, &record);
}

int records_list(const struct config *config, const char *owner, struct slice before,
		 unsigned limit, void (*row)(void *context, const char *id, struct slice summary),
		 void *context, bool *more, struct error *err)
{
	struct newest newest = {.max = (limit < RUN_LIST_MAX ? limit : RUN_LIST_MAX) + 1};
	int folder = records_open_owner(config, owner);
	_cleanup_closedir_ DIR *listing = folder < 0 ? NULL : fdopendir(folder);
	char text[RUN_SUMMARY_MAX_BYTES];
	struct slice summary;

	if (!listing)
		return storage_failed(config->storage_dir, err, "listing runs");
	find_newest(listing, before, &newest);
	*more = newest.count == newest.max;
	for (unsigned i = 0; i < newest.count && i < newest.max - 1; i++)
		if (read_summary(folder, newest.ids[i], text, &summary))
			row(context, newest.ids[i], summary);
	return 0;
}

/* --- the sweep -------------------------------------------------------------------------------- */

/* An owner's folder goes with its last record. */
static uint64_t sweep_owner(int runs, const char *name, time_t before)
{
	_cleanup_close_ int owner = fs_open_dir(runs, name);
	uint64_t removed = storage_sweep_folder(runs, name, RUN_ID_PREFIX, before);

	removed += storage_sweep_folder(runs, name, NEW_PREFIX, time(NULL) - INCOMING_MAX_AGE_S);
	(void)storage_sweep_folder(owner, RECORDS_KEYS_FOLDER, "", before);
	/* these fail while there is anything in them, as they should */
	(void)unlinkat(owner, RECORDS_KEYS_FOLDER, AT_REMOVEDIR);
	(void)unlinkat(runs, name, AT_REMOVEDIR);
	return removed;
}

uint64_t records_sweep(const struct config *config)
{
	_cleanup_close_ int root = open(config->storage_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *runs = fs_list(root, RECORDS_FOLDER);
	uint64_t removed = 0;

	for (const char *owner; (owner = fs_next(runs));)
		if (*owner != '.')
			removed += sweep_owner(dirfd(runs), owner, storage_kept_since(config));
	return removed;
}
