#include "job/slots.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/lock.h"
#include "base/num.h"
#include "base/sha256.h"
#include "bounds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

/*
 * Bytes of the file:
 *   0 + slot                     that slot is taken
 *   TURN                         a process looks whether its caller may have one more
 *   block + place                a caller has a slot; its block is CALLERS + id × BLOCK
 *   block + WAITS + pid          a process of that caller waits
 *   WAITERS + id × PIDS + pid    the same, so that others' are found by two looks
 */
#define ID_DIGITS 9 /* hexadecimal: 36 bits, so that every block lies within a file */
#define IDS       (1LL << (4 * ID_DIGITS))
#define PIDS      (1LL << 22) /* a pid is less (proc(5), pid_max) */
#define TURN      (1LL << 20)
#define BLOCK     (2 * PIDS)
#define WAITS     PIDS
#define CALLERS   (1LL << 60)
#define WAITERS   (1LL << 61)

struct slots {
	int fd;
	uint64_t count, own_max;
	int64_t own, own_waiters; /* first bytes of the caller's block, of its waiters */
};

uint64_t slot_caller_id(struct slice name)
{
	char hex[SHA256_HEX_BYTES];
	uint64_t id = 0;

	sha256_hex_of(name, hex);
	(void)!num_parse((struct slice){hex, ID_DIGITS}, 16, INT64_MAX, &id);
	return id;
}

static struct slots slots_of(const struct config *config, const struct slot_caller *caller, int fd)
{
	bool is_limited = caller->jobs && caller->jobs < config->slots;

	return (struct slots){
		.fd = fd,
		.count = config->slots,
		.own_max = is_limited ? caller->jobs : config->slots,
		.own = CALLERS + (int64_t)caller->id * BLOCK,
		.own_waiters = WAITERS + (int64_t)caller->id * PIDS,
	};
}

static uint64_t count_own(const struct slots *slots)
{
	return lock_count(slots->fd, slots->own, slots->own + SLOT_MAX_COUNT, 1);
}

/* A byte of so many from offset. 0 with *out, or -1 with errno. */
static int take_one(const struct slots *slots, int64_t offset, uint64_t count, int64_t *out)
{
	errno = EAGAIN;
	for (*out = offset; *out < offset + (int64_t)count; ++*out)
		if (lock_take(slots->fd, *out) == 0)
			return 0;
	return -1;
}

/* EDQUOT: the caller has as many as it may have (rule 3). */
static int take_any(const struct slots *slots)
{
	int64_t place, slot;

	if (take_one(slots, slots->own, slots->own_max, &place) < 0) {
		if (errno == EAGAIN && slots->own_max < slots->count)
			errno = EDQUOT;
		return -1;
	}
	if (take_one(slots, 0, slots->count, &slot) == 0)
		return 0;
	lock_release(slots->fd, place);
	errno = EAGAIN;
	return -1;
}

static bool do_others_wait(const struct slots *slots)
{
	const int64_t end = slots->own_waiters + PIDS;

	return lock_is_held(slots->fd, WAITERS, slots->own_waiters) ||
	       lock_is_held(slots->fd, end, WAITERS + IDS * PIDS);
}

/* Rule 2. */
static bool is_within_share(const struct slots *slots)
{
	uint64_t callers = 1 + lock_count(slots->fd, CALLERS, slots->own, BLOCK) +
			   lock_count(slots->fd, slots->own + BLOCK, CALLERS + IDS * BLOCK, BLOCK);

	return count_own(slots) < (slots->count + callers - 1) / callers;
}

/* One at a time where callers wait: two that look at once would both have the last of a share. */
static int take(void *context)
{
	const struct slots *slots = context;
	int taken = -1;

	if (!do_others_wait(slots))
		return take_any(slots);
	if (lock_take(slots->fd, TURN) < 0)
		return -1;
	if (is_within_share(slots))
		taken = take_any(slots);
	else
		errno = EAGAIN;

	int why = errno;

	lock_release(slots->fd, TURN);
	errno = why;
	return taken;
}

static int open_file(const struct config *config, struct error *err)
{
	_cleanup_close_ int run = fs_open_or_make_dir(config->run, 0700);
	int fd = run < 0 ? -1
			 : openat(run, "slots", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return error_set_errno(err, 500, "run_folder", "%s/slots cannot be opened",
				       config->run);
	return fd;
}

static int wait_for_any(const struct config *config, struct slots *slots, struct http_watch *watch)
{
	const int64_t waits[] = {slots->own + WAITS + getpid(), slots->own_waiters + getpid()};

	for (size_t i = 0; i < COUNT_OF(waits); i++)
		(void)!lock_take(slots->fd, waits[i]); /* only counted */

	int taken = http_watch_lock(watch, deadline_in((int64_t)config->slot_wait_ms), take, slots);
	int why = errno;

	for (size_t i = 0; i < COUNT_OF(waits); i++)
		lock_release(slots->fd, waits[i]);
	errno = why;
	return taken;
}

int slot_take(const struct config *config, const struct slot_caller *caller,
	      struct http_watch *watch, int *out, struct error *err)
{
	_cleanup_close_ int fd = open_file(config, err);
	struct slots slots = slots_of(config, caller, fd);

	if (fd < 0)
		return -1;
	if (take(&slots) == 0 || (errno == EAGAIN && wait_for_any(config, &slots, watch) == 0)) {
		*out = steal_fd(&fd);
		return 0;
	}
	if (errno == EDQUOT)
		return error_set(err, 429, "jobs_limited",
				 "job limit exceeded: this key runs at most %llu jobs at once",
				 (unsigned long long)caller->jobs);
	if (errno == ECONNRESET)
		return error_set(err, 0, "client_gone",
				 "the client hung up while waiting for a slot");
	return error_set(err, 503, "busy",
			 "All %llu slots are taken; try again, or raise MAX_CONCURRENT_RUNS",
			 (unsigned long long)config->slots);
}

void slot_release(int *slot)
{
	if (*slot >= 0)
		close(steal_fd(slot));
}

int slot_count(const struct config *config, uint64_t *running, uint64_t *waiting, struct error *err)
{
	_cleanup_close_ int fd = open_file(config, err);

	if (fd < 0)
		return -1;
	*running = lock_count(fd, 0, SLOT_MAX_COUNT, 1);
	*waiting = lock_count(fd, WAITERS, WAITERS + IDS * PIDS, 1);
	return 0;
}

uint64_t slot_count_of(const struct config *config, uint64_t caller)
{
	const struct slot_caller of = {.id = caller};
	char path[PATH_MAX + 16];

	(void)snprintf(path, sizeof(path), "%s/slots", config->run);

	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct slots slots = slots_of(config, &of, fd);

	return fd < 0 ? 0 : count_own(&slots);
}
