/* What storage no longer needs: results past the retention, and what crashes left in .incoming. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "store/storage.h"

#include <fcntl.h>
#include <sys/stat.h>

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

uint64_t storage_sweep_incoming(int root)
{
	return storage_sweep_folder(root, STORAGE_INCOMING, "", time(NULL) - INCOMING_MAX_AGE_S);
}

/* Results of every session, or their records; a session's folder goes with its last. */
static uint64_t sweep_sessions(int root, const char *name, const char *prefix, time_t before)
{
	_cleanup_closedir_ DIR *listing = fs_list(root, name);
	uint64_t removed = 0;

	for (const char *session; (session = fs_next(listing));) {
		if (*session == '.')
			continue;
		removed += storage_sweep_folder(dirfd(listing), session, prefix, before);
		/* fails while it holds anything, as it should */
		(void)unlinkat(dirfd(listing), session, AT_REMOVEDIR);
	}
	return removed;
}

uint64_t storage_sweep(const struct config *config)
{
	_cleanup_close_ int root = open(config->storage, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t removed = storage_sweep_incoming(root);

	if (config->retention_days) {
		time_t before = storage_kept_since(config);

		(void)sweep_sessions(root, STORAGE_RECORDS, "", before);
		removed += sweep_sessions(root, ".", "job-", before);
	}
	return removed;
}
