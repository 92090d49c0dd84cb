#include "store/storage.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define FOLDER_MODE     0750 /* mayfly-static may read results through its group, others may not */
#define FILE_MODE       0640
#define COMMIT_TRIES    64 /* each is lost only to a sweep that falls between two system calls */
#define NAMES_MAX_BYTES (JOB_ARTIFACT_SCAN_MAX * 256ULL)

int storage_failed(const char *path, struct error *err, const char *doing)
{
	if (errno == ENOSPC || errno == EDQUOT)
		return error_set(err, 500, "storage_full",
				 "No space left in %.256s while %s: free some, or lower "
				 "ARTIFACT_RETENTION_DAYS",
				 path, doing);
	return error_set_errno(err, 500, "storage_failed", "Storing in %.256s failed while %s",
			       path, doing);
}

static int failed(const struct storage *storage, struct error *err, const char *doing)
{
	return storage_failed(storage->storage_path, err, doing);
}

static int create(const struct storage *storage, const char *path)
{
	return fs_open_beneath(storage->folder, path, O_WRONLY | O_CREAT | O_EXCL, FILE_MODE);
}

int storage_open_incoming(int root, char name[STORAGE_INCOMING_BYTES], int *out)
{
	_cleanup_close_ int incoming = fs_make_dir(root, STORAGE_INCOMING, FOLDER_MODE);
	char random[STORAGE_INCOMING_BYTES];

	random_hex(random, STORAGE_INCOMING_BYTES - 1);
	/* rule 3. Closing incoming gives its lock back */
	while (incoming >= 0 && flock(incoming, LOCK_SH) < 0 && errno == EINTR)
		continue;
	if (incoming < 0 || mkdirat(incoming, random, FOLDER_MODE) < 0)
		return -1;
	memcpy(name, random, sizeof(random));
	*out = fs_open_dir(incoming, name);
	if (*out >= 0)
		(void)flock(*out, LOCK_EX | LOCK_NB);
	return *out < 0 ? -1 : 0;
}

int storage_move_incoming(int root, char name[STORAGE_INCOMING_BYTES], int to, const char *as)
{
	char from[sizeof(STORAGE_INCOMING) + STORAGE_INCOMING_BYTES];

	(void)snprintf(from, sizeof(from), "%s/%s", STORAGE_INCOMING, name);
	if (renameat(root, from, to, as) < 0)
		return -1;
	name[0] = '\0';
	return 0;
}

void storage_drop_incoming(int root, char name[STORAGE_INCOMING_BYTES])
{
	_cleanup_close_ int incoming = *name ? fs_open_dir(root, STORAGE_INCOMING) : -1;

	/* what cannot be removed now the reaper will find */
	if (incoming >= 0)
		(void)!fs_remove_tree(incoming, name);
	name[0] = '\0';
}

static int open_storage(const struct config *config, bool keeps_streams, struct storage *out,
			struct error *err)
{
	struct storage storage = {
		.folder = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
		.file_fd = -1,
		.count_left = config->artifact_count,
		.total_left = config->artifacts_bytes,
		.artifact_bytes = config->artifact_bytes,
		.names = buf_new(NAMES_MAX_BYTES),
		.inputs = buf_new(NAMES_MAX_BYTES),
		.skipped = buf_new(NAMES_MAX_BYTES),
		.hidden = buf_new(NAMES_MAX_BYTES),
		.storage_path = config->storage,
	};

	storage.root = fs_open_or_make_dir(config->storage, FOLDER_MODE);
	if (storage.root < 0)
		return failed(&storage, err, "opening it");
	if (storage_open_incoming(storage.root, storage.incoming_name, &storage.folder) < 0) {
		(void)failed(&storage, err, "making a folder");
		goto fail;
	}
	if (keeps_streams) {
		storage.stdout_fd = create(&storage, "stdout");
		storage.stderr_fd = create(&storage, "stderr");
	}
	if (keeps_streams && (storage.stdout_fd < 0 || storage.stderr_fd < 0)) {
		(void)failed(&storage, err, "making stdout and stderr");
		goto fail;
	}
	*out = storage;
	return 0;
fail:
	storage_close(&storage);
	return -1;
}

int storage_open(const struct config *config, struct storage *out, struct error *err)
{
	return open_storage(config, true, out, err);
}

int storage_open_files(const struct config *config, struct storage *out, struct error *err)
{
	return open_storage(config, false, out, err);
}

static int add_name(struct storage *storage, struct buf *names, struct slice path,
		    struct error *err)
{
	if (buf_append(names, path.data, path.len) < 0 || buf_append(names, "", 1) < 0)
		return failed(storage, err, "listing files");
	return 0;
}

static bool has_name(const struct buf *names, struct slice path)
{
	for (size_t at = 0; at < names->len; at += strlen(names->data + at) + 1)
		if (slice_eq(path, names->data + at))
			return true;
	return false;
}

int storage_put_input(struct storage *storage, const char *path, struct slice data,
		      struct error *err)
{
	if (fs_make_parents(storage->folder, path, FOLDER_MODE) < 0)
		return failed(storage, err, "making a folder");

	_cleanup_close_ int fd = create(storage, path);

	if (fd < 0 || io_write_all(fd, data.data, data.len) < 0 || fdatasync(fd) < 0)
		return failed(storage, err, "writing an input");
	return add_name(storage, &storage->inputs, slice_of(path), err);
}

int storage_append_stream(struct storage *storage, bool is_stderr, struct slice data,
			  struct error *err)
{
	int fd = is_stderr ? storage->stderr_fd : storage->stdout_fd;

	if (fd < 0 || data.len == 0)
		return 0;
	if (io_write_all(fd, data.data, data.len) < 0)
		return failed(storage, err, "writing the program's output");
	storage->unsynced[is_stderr] = true;
	return 0;
}

int storage_sync_streams(struct storage *storage, struct error *err)
{
	const int streams[] = {storage->stdout_fd, storage->stderr_fd};

	for (size_t i = 0; i < COUNT_OF(streams); i++) {
		if (storage->unsynced[i] && fdatasync(streams[i]) < 0)
			return failed(storage, err, "writing the program's output");
		storage->unsynced[i] = false;
	}
	return 0;
}

int storage_hide(struct storage *storage, struct slice path, struct error *err)
{
	return add_name(storage, &storage->hidden, path, err);
}

/* Is an artifact of that path named in replies? */
static bool is_wanted(const struct storage *storage, struct slice path)
{
	char name[JOB_PATH_MAX_BYTES + 1];

	if (has_name(&storage->hidden, path))
		return false;
	if (!storage->patterns || !slice_copy(path, name, sizeof(name)))
		return true;
	for (const char *const *pattern = storage->patterns; *pattern; pattern++)
		if (fnmatch(*pattern, name, 0) == 0)
			return true;
	return false;
}

int storage_note_skipped(struct storage *storage, struct slice path, struct error *err)
{
	if (!is_wanted(storage, path))
		return 0;
	return add_name(storage, &storage->skipped, path, err);
}

json_t *storage_list_skipped(const struct storage *storage)
{
	const struct buf *skipped = &storage->skipped;
	json_t *names = skipped->len ? json_array() : NULL;

	for (size_t at = 0; at < skipped->len; at += strlen(skipped->data + at) + 1)
		(void)json_array_append_new(names, json_clean_string(slice_of(skipped->data + at)));
	return names;
}

int storage_end_file(struct storage *storage, struct error *err)
{
	if (storage->file_fd < 0)
		return 0;
	if (fsync(storage->file_fd) < 0)
		return failed(storage, err, "writing a file");
	close(steal_fd(&storage->file_fd));
	return 0;
}

bool storage_path(const struct storage *storage, struct slice path,
		  char out[JOB_PATH_MAX_BYTES + 1])
{
	bool is_absolute = slice_starts(path, "/");
	const char *prefix =
		is_absolute || has_name(&storage->inputs, path) ? STORAGE_APART "/" : "";

	if (is_absolute && !storage->takes_absolute)
		return false;
	if (is_absolute)
		slice_skip(&path, 1);
	if (!fs_is_relative_path(path, JOB_ARTIFACT_DEPTH_MAX + 1) ||
	    strlen(prefix) + path.len > JOB_PATH_MAX_BYTES)
		return false;
	memcpy(out, prefix, strlen(prefix));
	memcpy(out + strlen(prefix), path.data, path.len);
	out[strlen(prefix) + path.len] = '\0';
	return true;
}

bool storage_is_stream(struct slice path)
{
	return slice_eq(path, "stdout") || slice_eq(path, "stderr") ||
	       slice_starts(path, "stdout/") || slice_starts(path, "stderr/");
}

/* The captured streams win over a program's own files of that name. */
static bool may_be_stored(const struct storage *storage, struct slice path)
{
	if (storage->count_left == 0)
		return false;
	return storage->stdout_fd < 0 || !storage_is_stream(path);
}

int storage_begin_file(struct storage *storage, struct slice path, struct error *err)
{
	char name[JOB_PATH_MAX_BYTES + 1];

	if (storage_end_file(storage, err) < 0)
		return -1;
	if (!is_wanted(storage, path))
		return 0; /* and its bytes are dropped */
	if (!may_be_stored(storage, path) || !storage_path(storage, path, name))
		return storage_note_skipped(storage, path, err);
	if (fs_make_parents(storage->folder, name, FOLDER_MODE) == 0)
		storage->file_fd = create(storage, name);
	if (storage->file_fd < 0) {
		/* a file where a folder should be, or a name that is taken: the container's doing,
		   not the storage's */
		if (errno == EEXIST || errno == ENOTDIR || errno == ELOOP || errno == EILSEQ ||
		    errno == ENAMETOOLONG)
			return storage_note_skipped(storage, path, err);
		return failed(storage, err, "writing a file");
	}
	storage->count_left--;
	storage->file_left = storage->artifact_bytes < storage->total_left ? storage->artifact_bytes
									   : storage->total_left;
	return add_name(storage, &storage->names, path, err);
}

/* Takes back the file begun last: it passed a cap. */
static int drop_file(struct storage *storage, struct error *err)
{
	char stored[JOB_PATH_MAX_BYTES + 1];
	size_t start = storage->names.len - 1;

	while (start > 0 && storage->names.data[start - 1] != '\0')
		start--;
	close(steal_fd(&storage->file_fd));

	struct slice path = slice_of(storage->names.data + start);

	if (!storage_path(storage, path, stored) || unlinkat(storage->folder, stored, 0) < 0)
		return failed(storage, err, "removing a file that is too large");
	storage->names.len = start;
	return storage_note_skipped(storage, path, err);
}

int storage_append_file(struct storage *storage, struct slice data, struct error *err)
{
	if (storage->file_fd < 0)
		return 0;
	if (data.len > storage->file_left)
		return drop_file(storage, err);
	storage->file_left -= data.len;
	storage->total_left -= data.len;
	if (io_write_all(storage->file_fd, data.data, data.len) < 0)
		return failed(storage, err, "writing a file");
	return 0;
}

/* Syncs the folders beneath the result's that lead to each path, once for neighbours. */
static int sync_parents(const struct storage *storage, const struct buf *paths)
{
	char path[JOB_PATH_MAX_BYTES + 1], last[JOB_PATH_MAX_BYTES + 1] = "";

	for (size_t at = 0; at < paths->len; at += strlen(paths->data + at) + 1) {
		const struct slice name = slice_of(paths->data + at);

		if (paths == &storage->inputs)
			(void)snprintf(path, sizeof(path), "%s", name.data);
		else if (!storage_path(storage, name, path))
			continue;

		char *slash = strrchr(path, '/');

		if (!slash || slice_eq((struct slice){path, (size_t)(slash - path)}, last))
			continue;
		memcpy(last, path, (size_t)(slash - path));
		last[slash - path] = '\0';
		for (; slash; slash = strrchr(path, '/')) {
			*slash = '\0';
			if (fs_sync_dir(storage->folder, path) < 0)
				return -1;
		}
	}
	return 0;
}

/* The contents were synced; their names are not on the disk before their folders are. */
static int sync_folders(const struct storage *storage, struct error *err)
{
	if (sync_parents(storage, &storage->inputs) < 0 ||
	    sync_parents(storage, &storage->names) < 0 || fsync(storage->folder) < 0)
		return failed(storage, err, "writing the result's folder");
	return 0;
}

/* The session's folder, made if missing; -1 with errno. While it is empty a sweep may take it away
   again: ENOENT, here or from a use of it. */
static int open_session(const struct storage *storage, const char *session_id)
{
	if (mkdirat(storage->root, session_id, FOLDER_MODE) == 0 ? fsync(storage->root) < 0
								 : errno != EEXIST)
		return -1;
	return fs_open_beneath(storage->root, session_id, O_RDONLY | O_DIRECTORY, 0);
}

int storage_commit(struct storage *storage, const char *session_id, char id[JOB_ID_LENGTH + 1],
		   struct error *err)
{
	char to[sizeof("job-") + JOB_ID_LENGTH];

	if (storage_end_file(storage, err) < 0 || storage_sync_streams(storage, err) < 0 ||
	    sync_folders(storage, err) < 0)
		return -1;
	for (int tries = 0; tries < COMMIT_TRIES; tries++) {
		random_id(id, JOB_ID_LENGTH);
		(void)snprintf(to, sizeof(to), "job-%s", id);

		_cleanup_close_ int session = open_session(storage, session_id);

		/* onto a folder that is not empty, and no result is, rename fails: an id is never
		   given twice */
		if (session >= 0 &&
		    storage_move_incoming(storage->root, storage->incoming_name, session, to) == 0)
			return fsync(session) < 0 ? failed(storage, err, "writing its name") : 0;
		if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOENT)
			break;
	}
	return failed(storage, err, "moving the result into place");
}

void storage_close(struct storage *storage)
{
	int *const descriptors[] = {&storage->stdout_fd, &storage->stderr_fd, &storage->file_fd,
				    &storage->folder};

	for (size_t i = 0; i < COUNT_OF(descriptors); i++)
		if (*descriptors[i] >= 0)
			close(steal_fd(descriptors[i]));
	storage_drop_incoming(storage->root, storage->incoming_name);
	if (storage->root >= 0)
		close(steal_fd(&storage->root));
	buf_free(&storage->names);
	buf_free(&storage->inputs);
	buf_free(&storage->skipped);
	buf_free(&storage->hidden);
}
