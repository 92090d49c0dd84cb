#include "job/slots.h"

#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/fs.h"
#include "bounds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#define WAITERS_OFFSET (1LL << 30) /* of the byte that the waiter with pid 0 would lock */
/* a killed holder's close is told before its lock is gone: look again after this */
#define RETRY_MS 100

static bool lock_byte(int fd, int64_t offset, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1};

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

static bool take_any(int fd, uint64_t slots)
{
	for (uint64_t slot = 0; slot < slots; slot++)
		if (lock_byte(fd, (int64_t)slot, F_WRLCK))
			return true;
	return false;
}

static int open_file(const struct config *config, char path[PATH_MAX + 16], struct error *err)
{
	_cleanup_close_ int run = fs_open_or_make_dir(config->run, 0700);

	(void)snprintf(path, PATH_MAX + 16, "%s/slots", config->run);

	int fd = run < 0 ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return error_set_errno(err, 500, "run_folder", "%s cannot be opened", path);
	return fd;
}

static int wait_for_any(const struct config *config, const char *path, int fd,
			struct http_watch *watch, struct error *err)
{
	deadline_ms deadline = deadline_in((int64_t)config->slot_wait_ms);
	_cleanup_close_ int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (inotify < 0 || inotify_add_watch(inotify, path, IN_CLOSE_WRITE) < 0)
		return error_set_errno(err, 503, "busy",
				       "All %llu slots are taken and waiting failed",
				       (unsigned long long)config->slots);
	(void)lock_byte(fd, WAITERS_OFFSET + getpid(), F_WRLCK); /* only counted */
	/* the watch stands: a slot freed from now on wakes us, one freed before is found by this
	   look */
	while (!take_any(fd, config->slots)) {
		int64_t left = deadline_left_ms(deadline);

		if (left == 0)
			return error_set(
				err, 503, "busy",
				"All %llu slots are taken; try again, or raise MAX_CONCURRENT_RUNS",
				(unsigned long long)config->slots);
		if (!http_watch_sleep(watch, inotify, left < RETRY_MS ? (int)left : RETRY_MS))
			return error_set(err, 0, "client_gone",
					 "the client hung up while waiting for a slot");
	}
	(void)lock_byte(fd, WAITERS_OFFSET + getpid(), F_UNLCK);
	return 0;
}

int slot_take(const struct config *config, struct http_watch *watch, int *out, struct error *err)
{
	char path[PATH_MAX + 16];
	_cleanup_close_ int fd = open_file(config, path, err);

	if (fd < 0)
		return -1;
	if (!take_any(fd, config->slots) && wait_for_any(config, path, fd, watch, err) < 0)
		return -1;
	*out = steal_fd(&fd);
	return 0;
}

void slot_release(int slot)
{
	struct flock all = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	if (slot < 0)
		return;
	(void)fcntl(slot, F_OFD_SETLK, &all); /* before the close that wakes the waiters */
	close(slot);
}

/* Locks that others hold on bytes from first up to end. The kernel tells of any one of them, so
   both sides of it are looked at. */
static uint64_t count_locks(int fd, int64_t first, int64_t end)
{
	uint64_t count = 0;

	while (first < end) {
		struct flock lock = {.l_type = F_WRLCK,
				     .l_whence = SEEK_SET,
				     .l_start = first,
				     .l_len = end - first};

		if (fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
			break;
		count += 1 + count_locks(fd, first, lock.l_start);
		first = lock.l_start + 1;
	}
	return count;
}

int slot_count(const struct config *config, uint64_t *running, uint64_t *waiting, struct error *err)
{
	char path[PATH_MAX + 16];
	_cleanup_close_ int fd = open_file(config, path, err);

	if (fd < 0)
		return -1;
	*running = count_locks(fd, 0, SLOT_MAX_COUNT);
	*waiting = count_locks(fd, WAITERS_OFFSET, WAITERS_OFFSET * 2);
	return 0;
}
