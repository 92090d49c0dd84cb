/*
 * Admission: as many as there are slots, the next waits and is woken, whoever dies gives back,
 * nobody waits for ever. Holders are processes, as they are in earnest; they tell by a pipe when
 * they hold.
 */
#include "job/slots.h"

#include "tap.h"
#include "util.h"

#include <sys/socket.h>

#define SLOTS   3
#define LONG_MS 20000

static struct config config;

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

	if (slot_take(&config, &nobody, &slot, &err) < 0)
		return err.status == 503 && strcmp(err.code, "busy") == 0 ? 53 : 1;
	if (write(fd, "h", 1) != 1)
		return 2;
	(void)!read(fd, &byte, 1);
	slot_release(slot);
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
		is_number(slot_take(&config, &nobody, &slot, &err), -1, "a wait of %llu ms ends",
			  (unsigned long long)wait_ms);
		ok(monotonic_us() - start >= ((int64_t)wait_ms - 1) * 1000, "and not before");
		ok(err.status == 503 && strcmp(err.code, "busy") == 0 && slot == 4711, "busy, 503");
		ok(strstr(err.message, "All 3 slots") && strstr(err.message, "MAX_CONCURRENT_RUNS"),
		   "and says what to do: %s", err.message);
	}
	counts(SLOTS, 0, "nobody waits any more");
	config.slot_wait_ms = LONG_MS;
}

static int take_watched(void *context)
{
	struct http_watch watch = {.fd = *(const int *)context};
	struct error err;
	int slot;

	return slot_take(&config, &watch, &slot, &err) < 0 && err.status == 0 &&
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

	slot_release(-1);
	(void)snprintf(other.run, PATH_MAX, "%s", in_scratch("a-file"));
	write_file(other.run, SLICE_LITERAL(""));
	is_number(slot_take(&other, &nobody, &slot, &err), -1, "a run folder that is none");
	ok(strcmp(err.code, "run_folder") == 0 && strstr(err.message, other.run), "is named: %s",
	   err.message);
	is_number(slot_count(&other, &ignored, &ignored, &err), -1, "nor can be counted in");
	(void)snprintf(other.run, PATH_MAX, "%s", in_scratch("linked"));
	make_folder(other.run);
	must(symlink(in_scratch("a-file"), in_scratch("linked/slots")) == 0);
	is_number(slot_take(&other, &nobody, &slot, &err), -1,
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
	test_folder();
	return done();
}
