/*
 * Admission: as many as there are slots, the next waits, whoever dies gives back, nobody waits for
 * ever; callers share while they wait, and have limits of their own. Holders are processes, as they
 * are in earnest; they tell by a pipe when they hold.
 */
#include "job/slots.h"

#include "tap.h"
#include "util.h"

#include <sys/socket.h>

#define SLOTS   3
#define LONG_MS 20000

static struct config config;
static struct slot_caller me; /* who the next holders are */

struct holder {
	pid_t pid;
	int fd; /* ours: a byte comes up when it holds; it releases when we close */
};

/* In the child: takes a slot, says so, holds it until told to stop. */
static int hold(void *context)
{
	int fd = *(const int *)context, slot;
	struct http_watch nobody = {.fd = -1};
	struct error err;
	char byte;

	if (slot_take(&config, &me, &nobody, &slot, &err) < 0)
		return err.status == 503 && strcmp(err.code, "busy") == 0 ? 53 : 1;
	if (write(fd, "h", 1) != 1)
		return 2;
	(void)!read(fd, &byte, 1);
	slot_release(&slot);
	return 0;
}

static struct holder start_holder(void)
{
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);

	struct holder holder = {start_child(hold, &pair[1]), pair[0]};

	close(pair[1]);
	return holder;
}

static bool holds(const struct holder *holder, int64_t wait_ms)
{
	char byte;

	return io_read_some(holder->fd, &byte, 1, deadline_in(wait_ms)) == 1;
}

/* Lets it go. Its exit status. */
static int stop_holder(struct holder *holder)
{
	shutdown(holder->fd, SHUT_WR);

	int status = wait_child(holder->pid);

	close(holder->fd);
	return status;
}

static void counts(uint64_t want_running, uint64_t want_waiting, const char *when)
{
	uint64_t running = 99, waiting = 99;
	struct error err;

	must(slot_count(&config, &running, &waiting, &err) == 0);
	ok(running == want_running && waiting == want_waiting, "%s: %llu run, %llu wait", when,
	   (unsigned long long)running, (unsigned long long)waiting);
}

/* Until so many wait: they are other processes, so there is nothing to be woken by but looking. */
static void await_waiting(uint64_t want)
{
	deadline_ms deadline = deadline_in(LONG_MS);
	uint64_t running, waiting = 0;
	struct error err;

	while (waiting != want) {
		must(slot_count(&config, &running, &waiting, &err) == 0 &&
		     deadline_left_ms(deadline) > 0);
		sched_yield();
	}
}

static void test_fill(struct holder holders[SLOTS])
{
	counts(0, 0, "at first");
	for (int i = 0; i < SLOTS; i++) {
		holders[i] = start_holder();
		ok(holds(&holders[i], LONG_MS), "slot %d is taken at once", i + 1);
		counts((uint64_t)i + 1, 0, "then");
	}
}

static void test_wait(struct holder holders[SLOTS])
{
	struct holder waiter = start_holder();

	await_waiting(1);
	counts(SLOTS, 1, "one more");
	ok(!holds(&waiter, 0), "it does not get one");
	is_number(stop_holder(&holders[0]), 0, "when one is given back");
	ok(holds(&waiter, LONG_MS), "it gets it");
	counts(SLOTS, 0, "then");
	holders[0] = waiter;
}

static void test_kill(struct holder holders[SLOTS])
{
	struct holder waiter = start_holder();

	await_waiting(1);
	must(kill(holders[1].pid, SIGKILL) == 0);
	is_number(stop_holder(&holders[1]), 128 + SIGKILL, "when a holder is killed");
	ok(holds(&waiter, LONG_MS), "the one that waits gets its slot");
	counts(SLOTS, 0, "then");
	holders[1] = waiter;
	waiter = start_holder();
	await_waiting(1);
	must(kill(waiter.pid, SIGKILL) == 0);
	(void)stop_holder(&waiter);
	counts(SLOTS, 0, "when one that waits is killed");
}

/* Whatever the order in which slots were taken and given back: the kernel lists locks by age, not
 * by place. */
static void test_order(struct holder holders[SLOTS])
{
	is_number(stop_holder(&holders[0]), 0, "the first slots are given back");
	is_number(stop_holder(&holders[1]), 0, "two of them");
	counts(1, 0, "then");
	for (int i = 0; i < 2; i++) {
		holders[i] = start_holder();
		must(holds(&holders[i], LONG_MS));
	}
	counts(SLOTS, 0, "taken again");

	struct holder waiters[5];

	for (size_t i = 0; i < 5; i++) {
		waiters[i] = start_holder();
		await_waiting(i + 1);
	}
	counts(SLOTS, 5, "many more");
	for (size_t i = 0; i < 5; i++) {
		must(kill(waiters[i].pid, SIGKILL) == 0);
		(void)stop_holder(&waiters[i]);
	}
	counts(SLOTS, 0, "all of them killed");
}

static void test_busy(void)
{
	struct http_watch nobody = {.fd = -1};
	struct error err;
	int slot = 4711;

	for (uint64_t wait_ms = 0; wait_ms <= 30; wait_ms += 30) {
		int64_t start = monotonic_us();

		config.slot_wait_ms = wait_ms;
		is_number(slot_take(&config, &me, &nobody, &slot, &err), -1,
			  "a wait of %llu ms ends", (unsigned long long)wait_ms);
		ok(monotonic_us() - start >= ((int64_t)wait_ms - 1) * 1000, "and not before");
		ok(err.status == 503 && strcmp(err.code, "busy") == 0 && slot == 4711, "busy, 503");
		ok(strstr(err.message, "All 3 slots") && strstr(err.message, "MAX_CONCURRENT_RUNS"),
		   "and says what to do: %s", err.message);
	}
	counts(SLOTS, 0, "nobody waits any more");
	config.slot_wait_ms = LONG_MS;
}

/* --- callers ---------------------------------------------------------------------------------- */

/* A holds all, more of A wait, and B comes: what is given back is B's up to its share, then A's. */
static void test_shares(void)
{
	static const struct {
		const char *callers; /* of holders that come one after the other, more than there
					are slots */
		int gets[4];         /* which of them has the slot that is given back next */
	} rows[] = {
		{"aaaaab", {5, 4, -1}}, /* one of another: before those that came first */
		{"aaaabb", {4, -1}},    /* two of another: one of them, then all have their share */
		{"aabbbc", {5, -1}},    /* a third caller */
		{"aaaaa", {3, -1}},     /* no other: as they come */
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct holder holders[8];
		size_t count = strlen(rows[i].callers);

		for (size_t n = 0; n < count; n++) {
			me.id = slot_caller_id((struct slice){rows[i].callers + n, 1});
			holders[n] = start_holder();
			if (n < SLOTS)
				must(holds(&holders[n], LONG_MS));
			else
				await_waiting(n + 1 - SLOTS);
		}
		for (size_t n = 0; rows[i].gets[n] >= 0 && n < SLOTS; n++) {
			int winner = -1;

			(void)stop_holder(&holders[n]);
			holders[n].pid = -1;
			for (deadline_ms end = deadline_in(LONG_MS); winner < 0;) {
				must(deadline_left_ms(end) > 0);
				for (size_t k = SLOTS; k < count && winner < 0; k++)
					if (holders[k].pid > 0 && holds(&holders[k], 0))
						winner = (int)k;
			}
			ok(rows[i].callers[winner] == rows[i].callers[rows[i].gets[n]],
			   "%s: slot %zu goes to %c", rows[i].callers, n, rows[i].callers[winner]);
		}
		for (size_t n = 0; n < count; n++)
			if (holders[n].pid > 0) {
				must(kill(holders[n].pid, SIGKILL) == 0);
				(void)stop_holder(&holders[n]);
			}
	}
	counts(0, 0, "at last");
}

static int take_limited(void *context)
{
	const struct slot_caller *caller = context;
	struct http_watch nobody = {.fd = -1};
	struct error err;
	int slot;

	return slot_take(&config, caller, &nobody, &slot, &err) == 0 ? 0
	       : err.status == 429 && strcmp(err.code, "jobs_limited") == 0 &&
			       strstr(err.message, "at most 2 jobs")
		       ? 29
		       : 1;
}

static void test_limit(void)
{
	struct slot_caller other = {.id = 4711};
	struct holder holders[2];

	me = (struct slot_caller){.id = slot_caller_id(SLICE_LITERAL("limited")), .jobs = 2};
	for (int i = 0; i < 2; i++) {
		holders[i] = start_holder();
		must(holds(&holders[i], LONG_MS));
	}
	is_number(slot_count_of(&config, me.id), 2, "a caller's own are counted");
	is_number(slot_count_of(&config, other.id), 0, "another has none");
	is_number(wait_child(start_child(take_limited, &me)), 29,
		  "beyond its limit it is refused, though a slot is free");
	is_number(wait_child(start_child(take_limited, &other)), 0, "which another gets");
	is_number(stop_holder(&holders[0]), 0, "with one given back");
	is_number(wait_child(start_child(take_limited, &me)), 0, "it has one more");
	is_number(stop_holder(&holders[1]), 0, "with all");
	me = (struct slot_caller){0};
	counts(0, 0, "none is left");
}

static int take_watched(void *context)
{
	struct http_watch watch = {.fd = *(const int *)context};
	struct error err;
	int slot;

	return slot_take(&config, &me, &watch, &slot, &err) < 0 && err.status == 0 &&
			       strcmp(err.code, "client_gone") == 0
		       ? 0
		       : 1;
}

static void test_client_gone(void)
{
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	fflush(stdout);

	pid_t child = fork();

	must(child >= 0);
	if (child == 0) {
		close(pair[0]);
		_exit(take_watched(&pair[1]));
	}
	close(pair[1]);
	await_waiting(1);
	close(pair[0]);
	is_number(wait_child(child), 0, "a client that hangs up waits no longer");
	counts(SLOTS, 0, "nor is it counted");
}

static void test_folder(void)
{
	struct http_watch nobody = {.fd = -1};
	struct config other = config;
	struct error err;
	uint64_t ignored;
	int slot;

	int none = -1;

	slot_release(&none);
	(void)snprintf(other.run, PATH_MAX, "%s", in_scratch("a-file"));
	write_file(other.run, SLICE_LITERAL(""));
	is_number(slot_take(&other, &me, &nobody, &slot, &err), -1, "a run folder that is none");
	ok(strcmp(err.code, "run_folder") == 0 && strstr(err.message, other.run), "is named: %s",
	   err.message);
	is_number(slot_count(&other, &ignored, &ignored, &err), -1, "nor can be counted in");
	(void)snprintf(other.run, PATH_MAX, "%s", in_scratch("linked"));
	make_folder(other.run);
	must(symlink(in_scratch("a-file"), in_scratch("linked/slots")) == 0);
	is_number(slot_take(&other, &me, &nobody, &slot, &err), -1,
		  "a link in the file's place is not followed");
}

int main(void)
{
	struct holder holders[SLOTS];

	config = test_config();
	config.slots = SLOTS;
	config.slot_wait_ms = LONG_MS;
	test_fill(holders);
	test_wait(holders);
	test_kill(holders);
	test_order(holders);
	test_busy();
	test_client_gone();
	for (int i = 0; i < SLOTS; i++)
		is_number(stop_holder(&holders[i]), 0, "holder %d ends well", i + 1);
	counts(0, 0, "at last");
	test_shares();
	test_limit();
	test_folder();
	return done();
}
