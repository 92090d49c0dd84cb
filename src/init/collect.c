/*
 * The files a program left.
 *
 * Rules:
 *  1. Every other process is dead, so nothing changes under us, but in a session, where kernels
 *     live. Even so everything is opened beneath a folder held open, with O_NOFOLLOW and
 *     O_NONBLOCK, and believed only after fstat(2).
 *  2. Regular files on the working directory's own file system; anything else is named as skipped.
 *  3. Within a folder: its files by name, then its folders by name.
 *  4. No recursion, one descriptor a level; names, the only thing that grows, in an arena of fixed
 *     size.
 *  5. A flat collection (protocol/control.h) enters no folder, and ends at the first file that
 *     would break a cap.
 *  6. What is past a cap on counts is not named: one SKIPPED CONTROL_SKIPPED_MORE at the end stands
 *     for it.
 *  7. An input is sent when its bytes are others than came: by its size, then by a hash. ctime,
 * which no program can set back, says which need no look. One that is gone stays so.
 */
#include "base/ascii.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/utf8.h"
#include "init/init.h"
#include "protocol/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define ENTRIES_BYTES (8 * KIB) /* of getdents64(2) at once */

/* A folder held open. */
struct level {
	int fd;             /* owned */
	size_t path_len;    /* of its path, with the final slash; 0 at the top */
	size_t names_start; /* of its names in the arena */
	unsigned first;     /* of its names in sorted */
	unsigned next;      /* the one to look at */
	bool folders;       /* the round of rule 3 */
};

struct collection {
	const struct init_job *job;
	int connection;
	char *data; /* FRAME_DATA_MAX_BYTES, not owned */
	deadline_ms deadline;
	struct error *err;

	uint64_t count_left, bytes_left;
	unsigned scan_left, skipped_left;
	bool in_cwd; /* what is walked is the working directory, where inputs are */
	bool more;   /* rule 6 */
	bool enough; /* nothing else can be sent */

	char path[JOB_PATH_MAX_BYTES + 1 + JOB_NAME_MAX_BYTES + 1]; /* of the entry looked at */
	struct level levels[JOB_ARTIFACT_DEPTH_MAX];
	unsigned depth; /* levels in use */

	char entries[ENTRIES_BYTES] __attribute__((aligned(8)));
	char names[COLLECT_NAMES_MAX_BYTES]; /* of all levels, stacked */
	size_t names_used;
	const char *sorted[JOB_ARTIFACT_SCAN_MAX]; /* into names, the same */
	unsigned sorted_count;
};

static int send_up(const struct collection *all, uint8_t type, struct slice payload)
{
	if (frame_send(all->connection, type, payload, all->deadline) < 0)
		return error_set_errno(all->err, 502, "host_gone", "sending artifacts");
	return 0;
}

/* Names what is at all->path, with "?" for bytes that no path of ours may have. */
static int skip(struct collection *all)
{
	size_t len = strlen(all->path);

	if (all->skipped_left == 0) {
		all->more = true;
		return 0;
	}
	all->skipped_left--;
	if (len > JOB_PATH_MAX_BYTES)
		len = utf8_trim(all->path, JOB_PATH_MAX_BYTES);
	ascii_mask_control(all->path, len, '?');
	return send_up(all, FRAME_SKIPPED, (struct slice){all->path, len});
}

/* Opens name in folder; what its owner may not read is made readable first. */
static int open_entry(int folder, const char *name, int flags, mode_t mode)
{
	int fd = fs_open_beneath(folder, name, flags | O_NOFOLLOW, 0);

	if (fd >= 0 || errno != EACCES)
		return fd;
	if (fchmodat(folder, name, mode, 0) < 0) /* no link comes here: lstat said so */
		return -1;
	return fs_open_beneath(folder, name, flags | O_NOFOLLOW, 0);
}

static int send_contents(const struct collection *all, int fd, uint64_t size)
{
	while (size) {
		size_t want = size < FRAME_DATA_MAX_BYTES ? (size_t)size : FRAME_DATA_MAX_BYTES;
		ssize_t got = read(fd, all->data, want);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return 0; /* shorter than it was said to be: it ends here */
		if (send_up(all, FRAME_DATA, (struct slice){all->data, (size_t)got}) < 0)
			return -1;
		size -= (uint64_t)got;
	}
	return 0;
}

static bool is_before(const struct timespec *time, const struct timespec *since)
{
	return time->tv_sec < since->tv_sec ||
	       (time->tv_sec == since->tv_sec && time->tv_nsec < since->tv_nsec);
}

/* A file of which only its name is asked for. */
static int name_file(struct collection *all, const struct stat *status)
{
	struct buf fields = {.data = all->data,
			     .capacity = FRAME_DATA_MAX_BYTES - 1,
			     .max = FRAME_LISTED_MAX_BYTES};
	const int64_t mtime_ms = timespec_ms(status->st_mtim);

	if (all->count_left == 0) {
		all->more = all->enough = true;
		return 0;
	}
	all->count_left--;
	if (field_add(&fields, "path", slice_of(all->path)) < 0 ||
	    field_add_number(&fields, "size", (uint64_t)status->st_size) < 0 ||
	    field_add_number(&fields, "mtime_ms", mtime_ms < 0 ? 0 : (uint64_t)mtime_ms) < 0)
		return skip(all);
	return send_up(all, FRAME_LISTED, buf_slice(&fields));
}

static int open_file(int folder, const char *name)
{
	return open_entry(folder, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0600);
}

/* Rule 7, for a regular file where the input was. One that cannot be read counts as changed. */
static bool is_changed(const struct collection *all, int folder, const char *name,
		       const struct init_input *input, const struct stat *status)
{
	uint64_t hash = INIT_HASH_EMPTY;
	ssize_t got;

	if (is_before(&status->st_ctim, &all->job->started))
		return false;
	if ((uint64_t)status->st_size != input->size_bytes)
		return true;

	_cleanup_close_ int fd = open_file(folder, name);

	while ((got = read(fd, all->data, FRAME_DATA_MAX_BYTES)) > 0)
		hash = init_hash(hash, (struct slice){all->data, (size_t)got});
	return got < 0 || hash != input->hash;
}

static int collect_file(struct collection *all, int folder, const char *name)
{
	struct stat status;
	bool is_file;

	if (all->count_left == 0) {
		all->more = all->enough = true;
		return 0;
	}

	_cleanup_close_ int fd = open_file(folder, name);

	is_file = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
	if (!is_file || (uint64_t)status.st_size > all->job->artifact_bytes ||
	    (uint64_t)status.st_size > all->bytes_left) {
		all->enough = is_file && all->job->flat; /* rule 5 */
		all->more |= all->enough;
		return skip(all);
	}
	all->count_left--;
	all->bytes_left -= (uint64_t)status.st_size;
	if (send_up(all, FRAME_FILE, slice_of(all->path)) < 0)
		return -1;
	return send_contents(all, fd, (uint64_t)status.st_size);
}

/* Keeps a name of the folder being read. False when it is past a cap. */
static bool keep_name(struct collection *all, const char *name)
{
	size_t len = strlen(name) + 1;

	if (all->scan_left == 0 || len > sizeof(all->names) - all->names_used)
		return false;
	all->scan_left--;
	all->sorted[all->sorted_count++] = memcpy(all->names + all->names_used, name, len);
	all->names_used += len;
	return true;
}

static void read_names(struct collection *all, int folder)
{
	ssize_t len;

	while ((len = getdents64(folder, all->entries, sizeof(all->entries))) > 0) {
		for (ssize_t at = 0; at < len;) {
			const struct dirent64 *entry = (const void *)(all->entries + at);

			at += entry->d_reclen;
			if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
				continue;
			if (!keep_name(all, entry->d_name)) {
				all->more = true;
				return;
			}
		}
	}
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Makes a folder the next level. Takes fd. */
static void enter(struct collection *all, int fd, size_t path_len)
{
	struct level *level = &all->levels[all->depth++];
	struct stat status;

	*level = (struct level){
		.fd = fd,
		.path_len = path_len,
		.names_start = all->names_used,
		.first = all->sorted_count,
		.next = all->sorted_count,
	};
	if (fstat(fd, &status) == 0 && (status.st_mode & 0500) != 0500)
		(void)fchmod(fd, 0700); /* what cannot be searched shows below, as skipped */
	read_names(all, fd);
	qsort(all->sorted + level->first, all->sorted_count - level->first, sizeof(all->sorted[0]),
	      compare_names);
}

static void leave(struct collection *all)
{
	struct level *level = &all->levels[--all->depth];

	close(level->fd);
	all->names_used = level->names_start;
	all->sorted_count = level->first;
}

static int enter_folder(struct collection *all, int parent, const char *name)
{
	size_t len = strlen(all->path);
	int fd = -1;

	if (all->depth < JOB_ARTIFACT_DEPTH_MAX && !all->job->flat)
		fd = open_entry(parent, name, O_RDONLY | O_DIRECTORY, 0700);
	if (fd < 0)
		return skip(all);
	all->path[len] = '/';
	enter(all, fd, len + 1);
	return 0;
}

static bool is_ignored(const struct init_job *job, const char *name)
{
	for (unsigned i = 0; i < job->ignored_count; i++)
		if (strcmp(name, job->ignored[i]) == 0)
			return true;
	return false;
}

/* Looks at one name: a file in the first round, a folder in the second. */
static int look_at(struct collection *all, const struct level *level, const char *name)
{
	const struct init_input *input;
	size_t len = strlen(name);
	struct stat status;
	bool is_folder;

	if (is_ignored(all->job, name))
		return 0;
	memcpy(all->path + level->path_len, name, len + 1);
	if (fstatat(level->fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return level->folders ? 0 : skip(all);
	is_folder = S_ISDIR(status.st_mode);
	if (is_folder != level->folders ||
	    (!is_folder && is_before(&status.st_ctim, &all->job->since)))
		return 0;
	if (level->path_len + len > JOB_PATH_MAX_BYTES ||
	    !fs_is_component((struct slice){name, len}))
		return skip(all);
	if (is_folder)
		return enter_folder(all, level->fd, name);
	if (!S_ISREG(status.st_mode))
		return skip(all);
	if (all->job->list)
		return name_file(all, &status);
	input = all->in_cwd ? init_job_input(all->job, all->path) : NULL;
	if (input && !is_changed(all, level->fd, name, input, &status))
		return 0;
	return collect_file(all, level->fd, name);
}

static int walk(struct collection *all)
{
	while (all->depth && !all->enough) {
		struct level *level = &all->levels[all->depth - 1];
		/* the level on top is the last to have added names */
		if (level->next < all->sorted_count) {
			if (look_at(all, level, all->sorted[level->next++]) < 0)
				return -1;
		} else if (!level->folders) {
			level->folders = true;
			level->next = level->first;
		} else {
			leave(all);
		}
	}
	return 0;
}

static bool is_absolute(const char *path)
{
	return path[0] == '/';
}

/* The folder that collect names. The program may have put something else in its place: -1. */
static int open_collected(const struct init_job *job)
{
	if (is_absolute(job->collect))
		return open(job->collect, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return open_entry(job->cwd_fd, job->collect, O_RDONLY | O_DIRECTORY, 0700);
}

/* Walks a folder, which is taken and may be -1. What it holds is named behind path: "", or ended by
   a slash. */
static int collect_folder(struct collection *all, int folder, const char *path)
{
	size_t path_len = strlen(path);
	int result;

	if (folder < 0)
		return 0;
	memcpy(all->path, path, path_len);
	(void)lseek(folder, 0, SEEK_SET); /* the last reader may have moved it */
	enter(all, folder, path_len);
	result = walk(all);
	while (all->depth)
		leave(all);
	return result;
}

/* Looks at each input, beneath the working directory, and names it by its absolute path. */
static int collect_inputs(struct collection *all)
{
	const struct init_job *job = all->job;
	const char *path = job->inputs.data;
	struct stat status;
	int result = 0;

	for (unsigned i = 0; i < job->input_count && result == 0 && !all->enough; i++) {
		if (fstatat(job->cwd_fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(status.st_mode) &&
		    is_changed(all, job->cwd_fd, path, &job->given[i], &status))
			result = snprintf(all->path, sizeof(all->path), "%s/%s", job->cwd, path) >
						 JOB_PATH_MAX_BYTES
					 ? skip(all)
					 : collect_file(all, job->cwd_fd, path);
		path += strlen(path) + 1;
	}
	return result;
}

/* Everything that artifacts may be: see "collect" in protocol/control.h. */
static int collect_all(struct collection *all)
{
	const struct init_job *job = all->job;
	bool is_apart = job->collect && is_absolute(job->collect);
	char path[JOB_PATH_MAX_BYTES + 2] = "";
	int result = 0;

	if (!job->collect || is_apart) {
		all->in_cwd = true;
		result = collect_folder(all, fcntl(job->cwd_fd, F_DUPFD_CLOEXEC, 0), "");
	}
	all->in_cwd = false;
	if (is_apart)
		(void)snprintf(path, sizeof(path), "%s/", job->collect);
	if (job->collect && result == 0 && !all->enough)
		result = collect_folder(all, open_collected(job), path);
	if (job->collect && !is_apart && !job->readonly && result == 0)
		result = collect_inputs(all);
	return result;
}

static struct collection *begin(const struct init_job *job, int connection,
				struct init_space *space, deadline_ms deadline, struct error *err)
{
	static struct collection all;

	all.job = job;
	all.connection = connection;
	all.data = space->data;
	all.deadline = deadline;
	all.err = err;
	all.count_left = job->artifact_count;
	all.bytes_left = job->artifacts_bytes;
	all.scan_left = JOB_ARTIFACT_SCAN_MAX;
	all.skipped_left = JOB_SKIPPED_MAX_COUNT;
	all.more = all.enough = false;
	return &all;
}

int init_collect(const struct init_job *job, int connection, struct init_space *space,
		 deadline_ms deadline, struct error *err)
{
	struct collection *all = begin(job, connection, space, deadline, err);
	int result;

	if (job->artifact_count == 0)
		return 0;
	result = collect_all(all);
	if (result == 0 && all->more)
		result = send_up(all, FRAME_SKIPPED, SLICE_LITERAL(CONTROL_SKIPPED_MORE));
	return result;
}

int init_fetch(const struct init_job *job, int connection, struct init_space *space,
	       deadline_ms deadline, struct error *err)
{
	struct collection *one = begin(job, connection, space, deadline, err);
	struct stat status;

	if (fstatat(job->cwd_fd, job->fetch, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(status.st_mode))
		return 0;
	memcpy(one->path, job->fetch, strlen(job->fetch) + 1); /* a path: checked by job.c */
	return collect_file(one, job->cwd_fd, job->fetch);
}
