#include "base/atomic_file.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define RANDOM_DIGITS 16

int atomic_file_open(int folder, const char *aside, mode_t mode, unsigned flags,
		     struct atomic_file *out)
{
	int how = O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC |
		  (flags & ATOMIC_LOCKED ? O_TRUNC : O_EXCL);

	*out = (struct atomic_file){.folder = folder, .aside = ".new-", .flags = flags};
	if (aside)
		(void)snprintf(out->aside, sizeof(out->aside), "%s", aside);
	else
		random_hex(out->aside + strlen(out->aside), RANDOM_DIGITS);
	out->fd = openat(folder, out->aside, how, mode);
	return out->fd < 0 || (flags & ATOMIC_MODE && fchmod(out->fd, mode) < 0) ? -1 : 0;
}

/* In the place of the one that is there, if it still is. */
static int exchange(const struct atomic_file *file, const char *name)
{
	int done = renameat2(file->folder, file->aside, file->folder, name, RENAME_EXCHANGE);

	if (done < 0 && errno == EINVAL) /* a file system that cannot exchange */
		return renameat(file->folder, file->aside, file->folder, name);
	if (done == 0)
		(void)unlinkat(file->folder, file->aside, 0);
	return done;
}

static int put(const struct atomic_file *file, const char *name)
{
	if (file->flags & ATOMIC_OLD)
		return exchange(file, name);
	if (file->flags & ATOMIC_NEW)
		return renameat2(file->folder, file->aside, file->folder, name, RENAME_NOREPLACE);
	return renameat(file->folder, file->aside, file->folder, name);
}

int atomic_file_commit(struct atomic_file *file, const char *name)
{
	bool is_synced = file->flags & ATOMIC_SYNC;

	if ((is_synced && fsync(file->fd) < 0) || put(file, name) < 0)
		return -1;
	file->aside[0] = '\0';
	return is_synced ? fsync(file->folder) : 0;
}

void atomic_file_close(struct atomic_file *file)
{
	int why = errno;

	if (file->fd >= 0 && file->aside[0])
		(void)unlinkat(file->folder, file->aside, 0);
	if (file->fd >= 0)
		close(steal_fd(&file->fd));
	errno = why;
}

int atomic_file_write(int folder, const char *aside, const char *name, mode_t mode, unsigned flags,
		      struct slice data)
{
	_cleanup_atomic_ struct atomic_file file;

	return atomic_file_open(folder, aside, mode, flags, &file) < 0 ||
			       io_write_all(file.fd, data.data, data.len) < 0 ||
			       atomic_file_commit(&file, name) < 0
		       ? -1
		       : 0;
}
