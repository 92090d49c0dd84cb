#include "job/result_cache.h"

#include "base/atomic_file.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/memory.h"
#include "job/pool.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define FOLDER_MODE 0750
#define ENTRY_MODE  0640
#define LISTED_MAX  (2 * CACHE_MAX_COUNT) /* entries looked at in one go */
#define BLOCK_BYTES 4096

/* --- keys ------------------------------------------------------------------------------------- */

static void add_limits(struct sha256 *hash, const struct job *job)
{
	const uint64_t limits[] = {job->wall_ms,        job->cpu_ms,         job->stream_bytes,
				   job->artifact_count, job->artifact_bytes, job->artifacts_bytes};

	sha256_add_counted(hash, (struct slice){(const char *)limits, sizeof(limits)});
	for (const char *const *pattern = job->artifacts; pattern && *pattern; pattern++)
		sha256_add_counted(hash, slice_of(*pattern));
}

int cache_key(const struct config *config, const char *owner, const char *api,
	      const struct job *job, char out[SHA256_HEX_BYTES], struct error *err)
{
	struct sha256 hash = sha256_new();
	struct pool_plan plan;

	if (pool_plan(config, job, &plan, err) < 0)
		return -1;
	sha256_add_counted(&hash, slice_of(owner));
	sha256_add_counted(&hash, slice_of(api));
	sha256_add_counted(&hash, slice_of(plan.kind));
	sha256_add_counted(&hash, buf_slice(&plan.job));
	add_limits(&hash, job);
	sha256_add_counted(&hash, job->standard_input);
	for (unsigned i = 0; i < job->input_count; i++) {
		sha256_add_counted(&hash, job->inputs[i].path);
		sha256_add_counted(&hash, job->inputs[i].data);
	}
	sha256_end_hex(&hash, out);
	pool_plan_free(&plan);
	return 0;
}

bool cache_may_keep(const struct job_result *result)
{
	return result->reason == JOB_EXITED;
}

/* --- entries ---------------------------------------------------------------------------------- */

/* The folder, -1 where there is none to be had. */
static int open_folder(const struct config *config, bool make)
{
	char path[PATH_MAX + sizeof(CACHE_FOLDER) + 1];

	if (!config->cache_bytes)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/" CACHE_FOLDER, config->storage_dir);
	return make ? fs_open_or_make_dir(path, FOLDER_MODE)
		    : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool cache_get(const struct config *config, const char *key, char out[CACHE_ENTRY_MAX_BYTES + 1])
{
	_cleanup_close_ int folder = open_folder(config, false);
	_cleanup_close_ int fd = openat(folder, key, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t len = read(fd, out, CACHE_ENTRY_MAX_BYTES);

	if (len <= 0)
		return false;
	out[len] = '\0';
	(void)futimens(fd, NULL);
	return true;
}

void cache_drop(const struct config *config, const char *key)
{
	_cleanup_close_ int folder = open_folder(config, false);

	if (folder >= 0)
		(void)unlinkat(folder, key, 0);
}

/* --- the bounds ------------------------------------------------------------------------------- */

struct entry {
	char name[SHA256_HEX_BYTES];
	struct timespec used;
	uint64_t bytes;
};

static int compare_used(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->used.tv_sec != b->used.tv_sec)
		return a->used.tv_sec < b->used.tv_sec ? -1 : 1;
	if (a->used.tv_nsec != b->used.tv_nsec)
		return a->used.tv_nsec < b->used.tv_nsec ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* Notes one of the folder's entries; what a crash left half-written is removed. */
static void list_one(int folder, const char *name, struct entry *entries, size_t *count)
{
	struct stat status;

	if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (name[0] == '.' || strlen(name) + 1 != SHA256_HEX_BYTES) {
		if (status.st_mtime < time(NULL) - INCOMING_MAX_AGE_S)
			(void)unlinkat(folder, name, 0);
		return;
	}
	memcpy(entries[*count].name, name, SHA256_HEX_BYTES);
	entries[*count].used = status.st_mtim;
	/* what a small file takes on the disk, once it is there */
	entries[*count].bytes = ((uint64_t)status.st_size / BLOCK_BYTES + 1) * BLOCK_BYTES;
	(*count)++;
}

/* Rule 4, with room for LISTED_MAX entries. */
static void trim_listed(const struct config *config, DIR *listing, struct entry *entries)
{
	size_t count = 0, left;
	uint64_t bytes = 0;

	for (const char *name; count < LISTED_MAX && (name = fs_next(listing));)
		list_one(dirfd(listing), name, entries, &count);
	for (size_t i = 0; i < count; i++)
		bytes += entries[i].bytes;
	qsort(entries, count, sizeof(*entries), compare_used);
	left = count;
	for (size_t i = 0; i < count && (bytes > config->cache_bytes || left > CACHE_MAX_COUNT);
	     i++, left--) {
		(void)unlinkat(dirfd(listing), entries[i].name, 0);
		bytes -= entries[i].bytes;
	}
}

/* One process at a time looks. */
static void trim(const struct config *config, int folder)
{
	_cleanup_closedir_ DIR *listing = fs_list(folder, ".");
	struct entry *entries = listing ? memory_array(LISTED_MAX, sizeof(*entries)) : NULL;

	if (entries && flock(dirfd(listing), LOCK_EX) == 0)
		trim_listed(config, listing, entries);
	free(entries);
}

void cache_put(const struct config *config, const char *key, const char *entry)
{
	_cleanup_close_ int folder = open_folder(config, true);

	if (folder >= 0 && strlen(entry) <= CACHE_ENTRY_MAX_BYTES &&
	    atomic_file_write(folder, NULL, key, ENTRY_MODE, 0, slice_of(entry)) == 0)
		trim(config, folder);
}
