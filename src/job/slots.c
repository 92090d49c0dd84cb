#include "job/slots.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/lock.h"
#include "bounds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define WAITERS_OFFSET (1LL << 30) /* of the byte that the waiter with pid 0 would lock */

struct slots {
	int fd;
	uint64_t count;
};

static int take_any(void *context)
{
	const struct slots *slots = context;

	errno = EAGAIN;
	for (uint64_t slot = 0; slot < slots->count; slot++)
		if (lock_take(slots->fd, (int64_t)slot) == 0)
			return 0;
	return -1;
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

static int wait_for_any(const struct config *config, const char *path, struct slots *slots,
			struct http_watch *watch, struct error *err)
{
	int taken;

	(void)!lock_take(slots->fd, WAITERS_OFFSET + getpid()); /* only counted */
	taken = http_watch_lock(watch, path, deadline_in((int64_t)config->slot_wait_ms), take_any,
				slots);
	if (taken < 0 && errno == ECONNRESET)
		return error_set(err, 0, "client_gone",
				 "the client hung up while waiting for a slot");
	if (taken < 0)
		return error_set(
			err, 503, "busy",
			"All %llu slots are taken; try again, or raise MAX_CONCURRENT_RUNS",
			(unsigned long long)config->slots);
	lock_release(slots->fd, WAITERS_OFFSET + getpid());
	return 0;
}

int slot_take(const struct config *config, struct http_watch *watch, int *out, struct error *err)
{
	char path[PATH_MAX + 16];
	_cleanup_close_ int fd = open_file(config, path, err);

	struct slots slots = {fd, config->slots};

	if (fd < 0 || (take_any(&slots) < 0 && wait_for_any(config, path, &slots, watch, err) < 0))
		return -1;
	*out = steal_fd(&fd);
	return 0;
}

void slot_release(int slot)
{
	if (slot < 0)
		return;
	lock_release_all(slot); /* before the close that wakes the waiters */
	close(slot);
}

int slot_count(const struct config *config, uint64_t *running, uint64_t *waiting, struct error *err)
{
	char path[PATH_MAX + 16];
	_cleanup_close_ int fd = open_file(config, path, err);

	if (fd < 0)
		return -1;
	*running = lock_count(fd, 0, SLOT_MAX_COUNT);
	*waiting = lock_count(fd, WAITERS_OFFSET, WAITERS_OFFSET * 2);
	return 0;
}
