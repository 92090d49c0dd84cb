/*
 * The state of a bucket is the moment at which it will be full, on CLOCK_BOOTTIME, in ns. With T
 * the time that one token takes: a token taken moves it T further on; there is a token as long as
 * that does not put it more than burst × T ahead of now.
 */
#include "auth/rate_limit.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define BOOT_ID_CHARS (BOOT_ID_BYTES - 1)
/* the time of a token at a millionth a second */
#define MICRO_NS    ((uint64_t)US_PER_S * NS_PER_S)
#define STATE_CHARS (BOOT_ID_CHARS + 1 + 20 + 1) /* boot id, blank, 20 digits, newline */
#define OPEN_TRIES  64
#define CPU_SUFFIX  ".cpu"

struct now {
	uint64_t ns;
	char boot_id[BOOT_ID_BYTES]; /* dashes where it cannot be read */
};

/* The boot's id is read once: a job's CPU time is counted by a process that is confined. */
static void read_now(struct now *out)
{
	static char own_boot_id[BOOT_ID_BYTES];
	struct timespec time = clock_read(CLOCK_BOOTTIME);

	out->ns = (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
	if (!*own_boot_id && boot_id(own_boot_id) < 0)
		memset(own_boot_id, '-', BOOT_ID_CHARS);
	memcpy(out->boot_id, own_boot_id, sizeof(own_boot_id));
}

static int open_folder(const struct config *config, bool may_make)
{
	char path[PATH_MAX + 16];

	(void)snprintf(path, sizeof(path), "%s/buckets", config->run);
	return may_make ? fs_open_or_make_dir(path, 0700)
			: open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Opens and locks a bucket. The sweep removes one under its lock, so a process that waited for
   that holds the lock of nothing: it opens anew. */
static int open_locked(int folder, const char *name)
{
	for (int tries = 0; tries < OPEN_TRIES; tries++) {
		_cleanup_close_ int fd =
			openat(folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		struct stat status;

		if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &status) < 0)
			return -1;
		if (status.st_nlink > 0)
			return steal_fd(&fd);
	}
	errno = EBUSY;
	return -1;
}

/* Where one of them could not be told, the clock alone decides. */
static bool is_other_boot(const char *a, const char *b)
{
	return a[0] != '-' && b[0] != '-' && memcmp(a, b, BOOT_ID_CHARS) != 0;
}

/* When the bucket will be full; 0 for one that is: new, of another boot, or not written by us. */
static uint64_t read_full_at(int fd, const struct now *now)
{
	char text[STATE_CHARS];
	uint64_t full_at;

	if (pread(fd, text, sizeof(text), 0) != (ssize_t)sizeof(text) ||
	    is_other_boot(text, now->boot_id) ||
	    num_parse((struct slice){text + BOOT_ID_CHARS + 1, 20}, 10, UINT64_MAX, &full_at) < 0)
		return 0;
	return full_at;
}

/* One write of one length, so a crash leaves the old state or the new one. */
static int write_full_at(int fd, const struct now *now, uint64_t full_at)
{
	char text[STATE_CHARS + 1];

	(void)snprintf(text, sizeof(text), "%s %020" PRIu64 "\n", now->boot_id, full_at);
	return pwrite(fd, text, STATE_CHARS, 0) == STATE_CHARS ? 0 : -1;
}

int bucket_take(const struct config *config, const struct key *key, int64_t *wait_s,
		struct error *err)
{
	uint64_t token_ns = MICRO_NS / key->rate_micro, size_ns = key->burst * token_ns, full_at;
	_cleanup_close_ int folder = open_folder(config, true);
	_cleanup_close_ int fd = folder < 0 ? -1 : open_locked(folder, key->id);
	struct now now;

	if (fd < 0)
		return error_set_errno(err, 500, "bucket_failed",
				       "%.256s/buckets cannot be used; mayfly must own it",
				       config->run);
	read_now(&now); /* under the lock, so that no one waits with an old time */
	full_at = read_full_at(fd, &now);
	if (full_at < now.ns)
		full_at = now.ns;
	/* no emptier than empty, also when the key had a lower rate before */
	if (full_at > now.ns + size_ns)
		full_at = now.ns + size_ns;
	full_at += token_ns;
	if (full_at > now.ns + size_ns) {
		uint64_t wait_ns = full_at - now.ns - size_ns;

		*wait_s = (int64_t)((wait_ns + NS_PER_S - 1) / NS_PER_S);
		return error_set(err, 429, "rate_limited", "rate limit exceeded");
	}
	if (write_full_at(fd, &now, full_at) < 0)
		return error_set_errno(err, 500, "bucket_failed",
				       "%.256s/buckets cannot be written", config->run);
	return 0;
}

/* --- CPU time --------------------------------------------------------------------------------- */

/* Boot id, blank, the hour's end as a bucket's state has it, blank, 20 digits of microseconds,
   newline: the sweep takes it for a bucket that is full when the hour is over. */
#define CPU_CHARS (STATE_CHARS + 21)

struct cpu {
	uint64_t ends_at, used_us;
};

static void cpu_name(const char *key_id, char out[KEY_ID_BYTES + sizeof(CPU_SUFFIX)])
{
	(void)snprintf(out, KEY_ID_BYTES + sizeof(CPU_SUFFIX), "%s" CPU_SUFFIX, key_id);
}

/* Zeroes where there is no hour that goes on. */
static struct cpu read_cpu(int fd, const struct now *now)
{
	struct cpu cpu = {.ends_at = read_full_at(fd, now)};
	char text[20];

	if (cpu.ends_at <= now->ns || pread(fd, text, sizeof(text), STATE_CHARS) != sizeof(text) ||
	    num_parse((struct slice){text, sizeof(text)}, 10, UINT64_MAX, &cpu.used_us) < 0)
		cpu = (struct cpu){0};
	return cpu;
}

static struct cpu look_up_cpu(const struct config *config, const char *key_id, struct now *now)
{
	char name[KEY_ID_BYTES + sizeof(CPU_SUFFIX)];
	_cleanup_close_ int folder = open_folder(config, false);
	_cleanup_close_ int fd = -1;

	cpu_name(key_id, name);
	if (folder >= 0)
		fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	read_now(now);
	if (fd < 0)
		return (struct cpu){0};
	return read_cpu(fd, now);
}

int cpu_check(const struct config *config, const struct key *key, int64_t *wait_s,
	      struct error *err)
{
	struct now now;
	struct cpu cpu;

	if (!key->cpu_s) {
		read_now(&now); /* for cpu_charge */
		return 0;
	}
	cpu = look_up_cpu(config, key->id, &now);
	if (cpu.used_us < key->cpu_s * US_PER_S)
		return 0;
	*wait_s = (int64_t)((cpu.ends_at - now.ns + NS_PER_S - 1) / NS_PER_S);
	return error_set(err, 429, "cpu_limited",
			 "CPU limit exceeded: this key has %" PRIu64 " CPU seconds an hour",
			 key->cpu_s);
}

uint64_t cpu_used_us(const struct config *config, const char *key_id)
{
	struct now now;

	return look_up_cpu(config, key_id, &now).used_us;
}

void cpu_charge(const struct config *config, const char *key_id, uint64_t used_us)
{
	char name[KEY_ID_BYTES + sizeof(CPU_SUFFIX)], text[CPU_CHARS + 1];
	_cleanup_close_ int folder = open_folder(config, true);
	_cleanup_close_ int fd = -1;
	struct now now;
	struct cpu cpu;

	cpu_name(key_id, name);
	if (folder >= 0)
		fd = open_locked(folder, name);
	if (fd < 0)
		return;
	read_now(&now);
	cpu = read_cpu(fd, &now);
	if (!cpu.ends_at)
		cpu.ends_at = now.ns + KEY_CPU_WINDOW_S * (uint64_t)NS_PER_S;
	(void)snprintf(text, sizeof(text), "%s %020" PRIu64 " %020" PRIu64 "\n", now.boot_id,
		       cpu.ends_at, cpu.used_us + used_us);
	(void)!pwrite(fd, text, CPU_CHARS, 0);
}

/* --- the sweep -------------------------------------------------------------------------------- */

/* Removes the bucket if it is full. One that is locked is in use, so it is not full. */
static bool sweep_one(int folder, const char *name, const struct now *now)
{
	_cleanup_close_ int fd =
		openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && read_full_at(fd, now) <= now->ns &&
	       unlinkat(folder, name, 0) == 0;
}

uint64_t bucket_sweep(const struct config *config)
{
	_cleanup_close_ int folder = open_folder(config, false);
	_cleanup_closedir_ DIR *listing = fs_list(folder, ".");
	uint64_t removed = 0;
	struct now now;

	read_now(&now);
	for (const char *name; (name = fs_next(listing));)
		if (*name != '.')
			removed += sweep_one(folder, name, &now);
	return removed;
}
