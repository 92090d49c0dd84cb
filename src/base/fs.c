#include "base/fs.h"

#include "base/ascii.h"
#include "base/cleanup.h"
#include "bounds.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static bool walk_forced;

void fs_force_walk(bool on)
{
	walk_forced = on;
}

bool fs_is_component(struct slice name)
{
	return name.len > 0 && name.len <= JOB_NAME_MAX_BYTES && !slice_eq(name, ".") &&
	       !slice_eq(name, "..") && !memchr(name.data, '/', name.len) &&
	       !ascii_has_control(name);
}

bool fs_is_relative_path(struct slice path, unsigned max_depth)
{
	if (path.len > JOB_PATH_MAX_BYTES)
		return false;
	for (unsigned depth = 0; depth < max_depth; depth++) {
		bool is_last = !path.len || !memchr(path.data, '/', path.len);

		if (!fs_is_component(slice_take(&path, '/')))
			return false;
		if (is_last)
			return true;
	}
	return false;
}

bool fs_paths_collide(struct slice left, struct slice right)
{
	size_t shorter = left.len < right.len ? left.len : right.len;

	return memcmp(left.data, right.data, shorter) == 0 &&
	       (left.len == right.len ||
		(left.len > right.len ? left : right).data[shorter] == '/');
}

/* Copies the component before the next slash into name and moves *path behind it. False at the last
 * component. */
static bool take_component(const char **path, char name[JOB_NAME_MAX_BYTES + 1])
{
	const char *slash = strchr(*path, '/');

	if (!slash || slash - *path > JOB_NAME_MAX_BYTES)
		return false;
	memcpy(name, *path, (size_t)(slash - *path));
	name[slash - *path] = '\0';
	*path = slash + 1;
	return true;
}

/* One step of walk(): no link, and nothing on another device, is entered or made. */
static int open_step(int at, const char *name, int flags, mode_t mode, dev_t device)
{
	struct stat status;
	int fd = openat(at, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);

	if (fd < 0) {
		/* O_DIRECTORY on a link says ENOTDIR; the caller is promised ELOOP as openat2 has
		 * it */
		if (errno == ENOTDIR && fstatat(at, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
			errno = S_ISLNK(status.st_mode) ? ELOOP : ENOTDIR;
		return -1;
	}
	if (fstat(fd, &status) == 0) {
		/* O_PATH with O_NOFOLLOW opens a link itself, which openat2 does only when asked to
		 */
		bool is_link = S_ISLNK(status.st_mode) && !(flags & O_NOFOLLOW);

		if (status.st_dev == device && !is_link)
			return fd;
		errno = is_link ? ELOOP : EXDEV;
	}
	cleanup_close(&fd);
	return -1;
}

/* Rule 1 for a kernel without openat2(2). */
static int walk(int dirfd, const char *path, int flags, mode_t mode)
{
	_cleanup_close_ int folder = -1;
	struct stat start;
	char name[JOB_NAME_MAX_BYTES + 1];
	int at = dirfd;

	if (!fs_is_relative_path(slice_of(path), UINT16_MAX)) {
		errno = EXDEV;
		return -1;
	}
	if (fstat(dirfd, &start) < 0)
		return -1;
	while (take_component(&path, name)) {
		int next = open_step(at, name, O_PATH | O_DIRECTORY, 0, start.st_dev);

		if (next < 0)
			return -1;
		if (folder >= 0)
			close(folder);
		at = folder = next;
	}
	return open_step(at, path, flags, mode, start.st_dev);
}

int fs_open_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = (flags & O_CREAT) ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};

	if (!walk_forced) {
		long fd;

		/* EAGAIN: another process renamed a folder while ".." was resolved; there is none
		   in our paths, so it ends */
		do {
			fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
		} while (fd < 0 && (errno == EINTR || errno == EAGAIN));
		if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
			return (int)fd;
	}
	return walk(dirfd, path, flags, mode);
}

int fs_open_dir(int dirfd, const char *name)
{
	return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

DIR *fs_list(int dirfd, const char *name)
{
	int fd = fs_open_dir(dirfd, name);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);

	if (!listing)
		cleanup_close(&fd);
	return listing;
}

const char *fs_next(DIR *listing)
{
	const struct dirent *entry;

	do
		entry = listing ? readdir(listing) : NULL;
	while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
	return entry ? entry->d_name : NULL;
}

int fs_sync_dir(int dirfd, const char *path)
{
	_cleanup_close_ int folder =
		openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return folder < 0 ? -1 : fsync(folder);
}

int fs_make_dir(int dirfd, const char *name, mode_t mode)
{
	if (mkdirat(dirfd, name, mode) == 0)
		(void)fs_sync_dir(dirfd, ".");
	else if (errno != EEXIST)
		return -1;
	return fs_open_dir(dirfd, name);
}

int fs_make_parents(int dirfd, const char *path, mode_t mode)
{
	_cleanup_close_ int folder = -1;
	char name[JOB_NAME_MAX_BYTES + 1];
	int at = dirfd;

	while (take_component(&path, name)) {
		if (mkdirat(at, name, mode) < 0 && errno != EEXIST)
			return -1;

		int next = fs_open_beneath(at, name, O_PATH | O_DIRECTORY, 0);

		if (next < 0)
			return -1;
		if (folder >= 0)
			close(folder);
		at = folder = next;
	}
	return 0;
}

int fs_open_or_make_dir(const char *path, mode_t mode)
{
	char partial[4096];
	size_t len = strlen(path);

	if (len >= sizeof(partial)) {
		errno = ENAMETOOLONG;
		return -1;
	}

	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	memcpy(partial, path, len + 1);
	for (size_t i = 1, parent = 1; i <= len; i++) {
		if (partial[i] != '/' && partial[i] != '\0')
			continue;
		partial[i] = '\0';
		if (mkdir(partial, mode) == 0) {
			/* where the one above may not be read it is not ours to keep */
			partial[parent] = '\0';
			(void)fs_sync_dir(AT_FDCWD, partial);
			partial[parent] = path[parent];
		} else if (errno != EEXIST) {
			return -1;
		}
		partial[i] = path[i];
		parent = i;
	}
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/*
 * Removes what folder holds. Iterative over one level, recursive over depth: a tree deeper than a
 * stack or descriptors bear is flattened by moving its deep part up to the top first, so 100 000
 * nested folders take two descriptors.
 */
static int empty_folder(int top, int folder, unsigned depth);

static int open_to_remove(int parent, const char *name)
{
	int folder = fs_open_dir(parent, name);

	if (folder < 0 && errno == EACCES && fchmodat(parent, name, 0700, 0) == 0)
		folder = fs_open_dir(parent, name);
	return folder;
}

static int remove_folder(int top, int parent, const char *name, unsigned depth)
{
	_cleanup_close_ int folder = open_to_remove(parent, name);

	if (folder < 0)
		return -1;
	if (empty_folder(top, folder, depth) < 0)
		return -1;
	return unlinkat(parent, name, AT_REMOVEDIR);
}

#define REMOVE_DEPTH_MAX 32 /* descriptors held at once */

/* Moves a folder to the top, under a name that is not taken there. */
static int move_up(int top, int folder, const char *name)
{
	static unsigned counter;
	char moved[32];

	for (;;) {
		(void)snprintf(moved, sizeof(moved), ".moved-%d-%u", (int)getpid(), counter++);
		if (renameat(folder, name, top, moved) == 0)
			return 0;
		/* moving a folder writes its "..", for which it must be ours to write */
		if (errno == EACCES && fchmodat(folder, name, 0700, 0) == 0 &&
		    renameat(folder, name, top, moved) == 0)
			return 0;
		if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR)
			return -1;
	}
}

static int remove_entry(int top, int folder, const char *name, unsigned depth)
{
	if (unlinkat(folder, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	return depth < REMOVE_DEPTH_MAX ? remove_folder(top, folder, name, depth + 1)
					: move_up(top, folder, name);
}

static int empty_folder(int top, int folder, unsigned depth)
{
	struct stat status;
	bool again = true;

	/* a program may have left it unreadable; a failure shows below */
	if (fstat(folder, &status) == 0 && (status.st_mode & 0700) != 0700)
		(void)fchmod(folder, 0700);
	while (again) {
		_cleanup_closedir_ DIR *listing = fs_list(folder, ".");

		if (!listing)
			return -1;
		again = false;
		for (const char *name; (name = fs_next(listing));) {
			if (remove_entry(top, folder, name, depth) < 0)
				return -1;
			again = depth ==
				0; /* what was moved to the top may have come behind the cursor */
		}
	}
	return 0;
}

int fs_remove_tree(int dirfd, const char *name)
{
	_cleanup_close_ int folder = open_to_remove(dirfd, name);

	if (folder < 0) {
		if (errno == ENOENT)
			return 0;
		return errno == ENOTDIR || errno == ELOOP ? unlinkat(dirfd, name, 0) : -1;
	}
	if (empty_folder(folder, folder, 0) < 0)
		return -1;
	return unlinkat(dirfd, name, AT_REMOVEDIR);
}
