#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>

#define PAUSE_NS 50000 /* between two looks at a file that is locked for a moment */

static int set(int fd, int command, short type, int64_t offset, int64_t len)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = offset, .l_len = len};
	int done = fcntl(fd, command, &lock);

	if (done < 0 && errno == EACCES)
		errno = EAGAIN;
	return done;
}

int lock_take(int fd, int64_t offset)
{
	return set(fd, F_OFD_SETLK, F_WRLCK, offset, 1);
}

void lock_release(int fd, int64_t offset)
{
	(void)set(fd, F_OFD_SETLK, F_UNLCK, offset, 1);
}

/* Any one of them; its first byte in *at. */
static bool find(int fd, int64_t first, int64_t end, int64_t *at)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = first, .l_len = end - first};

	/* a length of 0 would be all that follows */
	if (first >= end || fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return false;
	*at = lock.l_start;
	return true;
}

bool lock_is_held(int fd, int64_t first, int64_t end)
{
	int64_t at;

	return find(fd, first, end, &at);
}

/* The kernel tells of any one of them, so both sides of its block are looked at. */
uint64_t lock_count(int fd, int64_t first, int64_t end, int64_t block)
{
	const int64_t begin = first;
	uint64_t count = 0;
	int64_t at;

	while (find(fd, first, end, &at)) {
		int64_t found = at - (at - begin) % block;

		count += 1 + lock_count(fd, first, found, block);
		first = found + block;
	}
	return count;
}

bool lock_file(int fd, bool is_shared, deadline_ms deadline)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};

	while (set(fd, F_SETLK, is_shared ? F_RDLCK : F_WRLCK, 0, 0) < 0) {
		if (errno != EAGAIN || deadline_left_ms(deadline) == 0)
			return false;
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

void lock_file_release(int fd)
{
	(void)set(fd, F_SETLK, F_UNLCK, 0, 0);
}
