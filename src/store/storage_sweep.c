/* What storage no longer needs: results past the retention, and what crashes left in .incoming. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "store/storage.h"

#include <fcntl.h>
#include <sys/stat.h>

uint64_t storage_sweep_folder(int folder, const char *prefix, time_t before)
{
	_cleanup_closedir_ DIR *listing = folder < 0 ? NULL : fdopendir(folder);
	uint64_t removed = 0;
	struct stat status;

	if (!listing)
		return 0;
	for (struct dirent *entry; (entry = readdir(listing));) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 ||
		    strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    fstatat(dirfd(listing), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
		    status.st_mtime >= before)
			continue;
		removed += fs_remove_tree(dirfd(listing), entry->d_name) == 0;
	}
	return removed;
}

/* Results of every session, or their records; a session's folder goes with its last. root is taken
   over. */
static uint64_t sweep_sessions(int root, const char *prefix, time_t before)
{
	_cleanup_closedir_ DIR *listing = root < 0 ? NULL : fdopendir(root);
	uint64_t removed = 0;

	if (!listing)
		return 0;
	for (struct dirent *entry; (entry = readdir(listing));) {
		if (entry->d_name[0] == '.')
			continue;
		removed += storage_sweep_folder(fs_open_dir(dirfd(listing), entry->d_name), prefix,
						before);
		(void)unlinkat(dirfd(listing), entry->d_name,
			       AT_REMOVEDIR); /* fails while it holds anything, as it should */
	}
	return removed;
}

uint64_t storage_sweep(const struct config *config)
{
	_cleanup_close_ int root = open(config->storage, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	time_t now = time(NULL);

	if (root < 0)
		return 0;

	uint64_t removed = storage_sweep_folder(fs_open_dir(root, STORAGE_INCOMING), "",
						now - INCOMING_MAX_AGE_S);

	if (config->retention_days) {
		time_t before = now - (time_t)config->retention_days * S_PER_DAY;

		(void)sweep_sessions(fs_open_dir(root, STORAGE_RECORDS), "", before);
		removed += sweep_sessions(steal_fd(&root), "job-", before);
	}
	return removed;
}
