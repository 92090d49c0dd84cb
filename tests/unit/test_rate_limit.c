/* auth/rate_limit.h: exact under 64 processes, starts full, refills with fractions, waits
   truthfully, forgets another boot, is swept when full. */
#include "tap.h"
#include "util.h"

#include "auth/rate_limit.h"

#include <sys/file.h>
#include <time.h>

#define PROCESSES 64
#define TRIES     20 /* of each process */

static struct key make_key(const char *id, uint64_t rate_micro, uint64_t burst)
{
	struct key key = {.rate_micro = rate_micro, .burst = burst};

	(void)snprintf(key.id, sizeof(key.id), "%s", id);
	return key;
}

/* Takes until refused; how many there were. */
static unsigned drain(const struct config *config, const struct key *key, int64_t *wait_s)
{
	struct error err;
	unsigned taken = 0;

	while (taken < 1000 && bucket_take(config, key, wait_s, &err) == 0)
		taken++;
	is_number(err.status, 429, "an empty bucket is a 429");
	is_text(err.message, "rate limit exceeded", "as src/api/runs/README.md has it");
	return taken;
}

static void bucket_path(const struct config *config, const struct key *key, char out[PATH_MAX + 64])
{
	(void)snprintf(out, PATH_MAX + 64, "%s/buckets/%s", config->run, key->id);
}

/* Writes a bucket's state as another process would have. */
static void put_state(const struct config *config, const struct key *key, const char *boot_id,
		      uint64_t full_at_ns)
{
	char path[PATH_MAX + 64], text[128];

	bucket_path(config, key, path);

	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int len = snprintf(text, sizeof(text), "%s %020llu\n", boot_id,
			   (unsigned long long)full_at_ns);

	must(fd >= 0 && io_write_all(fd, text, (size_t)len) == 0);
}

static uint64_t boot_time_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void read_boot_id(char out[37])
{
	_cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	must(fd >= 0 && read(fd, out, 36) == 36);
	out[36] = '\0';
}

static void test_starts_full(const struct config *config)
{
	struct key slow = make_key("slow", KEY_RATE_MIN_MICRO, 7),
		   other = make_key("other", 1000, 1);
	int64_t wait_s = 0;

	is_number(drain(config, &slow, &wait_s), 7, "a new bucket is full: burst tokens");
	ok(wait_s >= 990 && wait_s <= 1000, "a token in 1000 s: wait %lld", (long long)wait_s);
	is_number(drain(config, &other, &wait_s), 1, "another key has a bucket of its own");
}

struct racer {
	const struct config *config;
	struct key key;
	int start; /* read end: closed when all are there */
	int counts;
};

static int race(void *context)
{
	struct racer *racer = context;
	int64_t wait_s;
	struct error err;
	unsigned char taken = 0;
	char byte;

	must(read(racer->start, &byte, 1) == 0);
	for (int i = 0; i < TRIES; i++)
		taken = (unsigned char)(taken + (bucket_take(racer->config, &racer->key, &wait_s,
							     &err) == 0));
	must(write(racer->counts, &taken, 1) == 1);
	return 0;
}

static void test_exact(const struct config *config)
{
	/* slower than the test: not one token comes back meanwhile */
	struct racer racer = {.config = config, .key = make_key("race", KEY_RATE_MIN_MICRO, 100)};
	pid_t children[PROCESSES];
	int start[2], counts[2], bad = 0;
	unsigned total = 0;
	unsigned char taken;

	must(pipe(start) == 0 && pipe(counts) == 0);
	racer.start = start[0];
	racer.counts = counts[1];
	for (int i = 0; i < PROCESSES; i++) {
		fflush(stdout);
		children[i] = fork();
		must(children[i] >= 0);
		if (children[i] == 0) {
			close(start[1]);
			_exit(race(&racer));
		}
	}
	close(start[1]); /* go */
	close(counts[1]);
	while (read(counts[0], &taken, 1) == 1)
		total += taken;
	for (int i = 0; i < PROCESSES; i++)
		bad += wait_child(children[i]) != 0;
	close(start[0]);
	close(counts[0]);
	is_number(bad, 0, "%d processes end well", PROCESSES);
	is_number(total, 100, "%d of them, %d tries each, took exactly what there was", PROCESSES,
		  TRIES);
}

/* While others take, one sweeps without end: a bucket that is not full is never lost. */
static void test_exact_with_sweep(const struct config *config)
{
	struct key key = make_key("swept", KEY_RATE_MIN_MICRO, 50);
	struct error err;
	int64_t wait_s;
	unsigned total = 0;
	pid_t sweeper = fork();

	must(sweeper >= 0);
	if (sweeper == 0)
		for (;;)
			(void)bucket_sweep(config);
	for (int i = 0; i < 2000; i++)
		total += bucket_take(config, &key, &wait_s, &err) == 0;
	must(kill(sweeper, SIGKILL) == 0);
	(void)wait_child(sweeper);
	is_number(total, 50, "a sweep at the same time changes nothing");
}

struct taker {
	const struct config *config;
	struct key key;
};

static int take_one(void *context)
{
	const struct taker *taker = context;
	struct error err;
	int64_t wait_s;

	return bucket_take(taker->config, &taker->key, &wait_s, &err) == 0 ? 0 : 1;
}

/* Waits until somebody waits for a lock on the file: proc_locks(5) marks it with an arrow. */
static void wait_for_waiter(int fd)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	char line[256], inode[32];
	struct stat status;
	bool found = false;

	must(fstat(fd, &status) == 0);
	(void)snprintf(inode, sizeof(inode), ":%llu ", (unsigned long long)status.st_ino);
	while (!found) {
		FILE *locks = fopen("/proc/locks", "re");

		must(locks);
		while (fgets(line, sizeof(line), locks))
			found = found || (strstr(line, "->") && strstr(line, inode));
		must(fclose(locks) == 0);
		(void)nanosleep(&pause, NULL);
	}
}

/* The sweep removes a file that somebody waits for. */
static void test_removed_while_waiting(const struct config *config)
{
	struct taker taker = {config, make_key("waiting", KEY_RATE_MIN_MICRO, 3)};
	char path[PATH_MAX + 64];
	int64_t wait_s;

	bucket_path(config, &taker.key, path);

	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	must(fd >= 0 && flock(fd, LOCK_EX) == 0);

	pid_t child = start_child(take_one, &taker);

	wait_for_waiter(fd);
	must(unlink(path) == 0 && flock(fd, LOCK_UN) == 0); /* the child has the descriptor, too */
	close(fd);
	is_number(wait_child(child), 0, "who waited takes a token");
	is_number(drain(config, &taker.key, &wait_s), 2, "of the bucket that is there now");
}

static void test_refills(const struct config *config)
{
	struct key key = make_key("refill", 500000, 4); /* a token in 2 s */
	char boot_id[37];
	int64_t wait_s = 0;

	read_boot_id(boot_id);
	/* full in 5 s: of 8 s in all, 3 s have filled up, which is one token and a half */
	put_state(config, &key, boot_id, boot_time_ns() + 5000000000);
	is_number(drain(config, &key, &wait_s), 1, "half a token is no token");
	is_number(wait_s, 1, "the other half takes a second, rounded up");
	put_state(config, &key, boot_id, boot_time_ns() + 7900000000);
	is_number(drain(config, &key, &wait_s), 0, "nothing there");
	is_number(wait_s, 2, "1.9 s are 2");
	put_state(config, &key, boot_id, boot_time_ns() - 1);
	is_number(drain(config, &key, &wait_s), 4, "it never holds more than the burst");
}

static void test_real_wait(const struct config *config)
{
	struct key key = make_key("wait", 5000000, 1); /* a token in 200 ms */
	struct timespec pause = {.tv_nsec = 210000000};
	struct error err;
	int64_t wait_s;

	is_number(bucket_take(config, &key, &wait_s, &err), 0, "one token");
	is_number(bucket_take(config, &key, &wait_s, &err), -1, "and no more");
	is_number(wait_s, 1, "a fraction of a second is told as 1");
	while (nanosleep(&pause, &pause) < 0)
		continue;
	is_number(bucket_take(config, &key, &wait_s, &err), 0,
		  "when its time has passed it is there again");
}

static void test_clock(const struct config *config)
{
	struct key key = make_key("boot", KEY_RATE_MIN_MICRO, 3);
	char boot_id[37];
	int64_t wait_s = 0;

	put_state(config, &key, "00000000-0000-0000-0000-000000000000", UINT64_MAX);
	is_number(drain(config, &key, &wait_s), 3, "what another boot wrote means nothing");
	read_boot_id(boot_id);
	put_state(config, &key, boot_id, UINT64_MAX);
	is_number(drain(config, &key, &wait_s), 0, "a time far away is an empty bucket");
	is_number(wait_s, 1000, "no emptier than empty");
	put_state(config, &key, "rubbish", 0);
	is_number(drain(config, &key, &wait_s), 3, "rubbish is a full bucket");
}

static void test_sweep(const struct config *config)
{
	struct key full = make_key("full", 1000000, 1),
		   empty = make_key("empty", KEY_RATE_MIN_MICRO, 1);
	struct key elsewhen = make_key("elsewhen", 1000000, 1);
	char path[PATH_MAX + 64], boot_id[37];
	int64_t wait_s;

	(void)bucket_sweep(config);
	(void)drain(config, &empty, &wait_s);
	read_boot_id(boot_id);
	put_state(config, &full, boot_id, boot_time_ns() - 1);
	put_state(config, &elsewhen, "00000000-0000-0000-0000-000000000000", UINT64_MAX);
	is_number(bucket_sweep(config), 2, "the full and the outdated bucket are removed");
	bucket_path(config, &empty, path);
	is_number(access(path, F_OK), 0, "the other one stays");
	is_number(drain(config, &empty, &wait_s), 0, "and is as empty as before");
}

static void test_cpu(const struct config *config)
{
	struct key key = make_key("runner", 1000000, 1), other = make_key("another", 1, 1);
	char path[PATH_MAX + 64];
	int64_t wait_s = 0;
	struct error err;

	other.cpu_s = 1;
	cpu_charge(config, key.id, 999999);
	is_number((int64_t)cpu_used_us(config, key.id), 999999, "what is used is counted");
	is_number(cpu_check(config, &key, &wait_s, &err), 0, "without a limit it is all right");
	key.cpu_s = 1;
	is_number(cpu_check(config, &key, &wait_s, &err), 0, "and below it");
	cpu_charge(config, key.id, 1);
	is_number(cpu_check(config, &key, &wait_s, &err), -1, "at the limit it is not");
	ok(err.status == 429 && strcmp(err.code, "cpu_limited") == 0 && wait_s > 3590 &&
		   wait_s <= 3600,
	   "429, for the rest of the hour: %s", err.message);
	is_number(cpu_check(config, &other, &wait_s, &err), 0, "another key has its own");
	(void)bucket_sweep(config);
	is_number((int64_t)cpu_used_us(config, key.id), 1000000, "the sweep leaves what counts");
	bucket_path(config, &key, path);
	strcat(path, ".cpu");

	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);

	must(fd >= 0 && pwrite(fd, "00000000000000000001", 20, 37) == 20);
	is_number(cpu_check(config, &key, &wait_s, &err), 0, "an hour that is over counts no more");
	cpu_charge(config, key.id, 7);
	is_number((int64_t)cpu_used_us(config, key.id), 7, "the next one begins with its job");
	must(pwrite(fd, "00000000000000000001", 20, 37) == 20);
	(void)bucket_sweep(config);
	ok(access(path, F_OK) < 0, "the sweep removes what is over");
}

static void test_failure(struct config config)
{
	struct key key = make_key("failure", 1000000, 1);
	struct error err = {0};
	int64_t wait_s;

	(void)snprintf(config.run, sizeof(config.run), "/proc/nowhere");
	is_number(bucket_take(&config, &key, &wait_s, &err), -1, "no folder, no token");
	is_number(err.status, 500, "which is our fault");
	is_text(err.code, "bucket_failed", "and has a word");
	is_number(bucket_sweep(&config), 0, "nothing to sweep there");
}

int main(void)
{
	struct config config = test_config();

	test_starts_full(&config);
	test_exact(&config);
	test_exact_with_sweep(&config);
	test_removed_while_waiting(&config);
	test_refills(&config);
	test_real_wait(&config);
	test_clock(&config);
	test_sweep(&config);
	test_cpu(&config);
	test_failure(config);
	return done();
}
