/*
 * The listener of a job that wants to hear while nothing happens: at the start, again and again
 * while the container is silent, and when a client takes what was kept for it; and then the job's
 * deadline still holds.
 */
#include "fake_init.h"
#include "tap.h"

#include <poll.h>

struct ticks {
	int count, wanted; /* ticks so far; how many until the container speaks */
	int wake[2];       /* a pipe that says so */
	struct http_watch *watch;
	size_t left; /* what the client has to take still */
	int is_full; /* the writing end of a pipe: it takes no more for now */
};

static void on_tick(void *context)
{
	struct ticks *ticks = context;

	ticks->count++;
	while (ticks->left && ticks->watch) {
		static const char bytes[65536];
		ssize_t sent = send(ticks->watch->fd, bytes,
				    ticks->left < sizeof(bytes) ? ticks->left : sizeof(bytes),
				    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0) {
			must(write(ticks->is_full, "x", 1) == 1);
			break;
		}
		ticks->left -= (size_t)sent;
	}
	if (ticks->watch)
		ticks->watch->has_more = ticks->left > 0;
	if (ticks->watch ? ticks->left == 0 : ticks->count == ticks->wanted)
		must(write(ticks->wake[1], "x", 1) == 1);
}

static void on_output(void *context, bool is_stderr, struct slice data)
{
	(void)context, (void)is_stderr, (void)data;
}

/* The container: takes the job, is silent until it is woken, then ends. */
static int container(void *context)
{
	int *fds = context;
	char byte;

	await_go(fds[0]);
	must(read(fds[1], &byte, 1) == 1);
	up(fds[0], FRAME_EXIT, SLICE_LITERAL("reason=exited\0code=0\0"));
	UP(fds[0], FRAME_END, "");
	return 0;
}

static int run(struct ticks *ticks, uint64_t wall_ms, int64_t tick_ms, bool *is_overdue,
	       struct error *err)
{
	struct job job = small_job();
	struct job_listener listener = {
		.context = ticks, .on_output = on_output, .on_tick = on_tick, .tick_ms = tick_ms};
	struct http_watch nobody = {.fd = -1};
	struct storage storage;
	struct job_result result;
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 &&
	     pipe(ticks->wake) == 0);
	must(storage_open(&scene_config, &storage, err) == 0);
	job.wall_ms = wall_ms;

	int fds[2] = {pair[1], ticks->wake[0]};
	pid_t child = start_child(container, fds);
	int ran = job_run(&job, pair[0], &storage, &listener, ticks->watch ? ticks->watch : &nobody,
			  &result, err);

	*is_overdue = ran == 0 && result.is_overdue;
	close(pair[0]);
	close(pair[1]);
	close(ticks->wake[0]);
	close(ticks->wake[1]);
	if (*is_overdue)
		(void)kill(child, SIGKILL);
	(void)wait_child(child);
	storage_close(&storage);
	return ran;
}

/* A client that reads everything until the end, but nothing before it is full. */
static int read_all(void *context)
{
	int *fds = context;
	char bytes[65536];
	ssize_t got;

	must(read(fds[1], bytes, 1) == 1);
	while ((got = read(fds[0], bytes, sizeof(bytes))) > 0)
		;
	return got < 0;
}

int main(void)
{
	struct error err = {0};
	struct ticks ticks = {.wanted = 1};
	int client[2], full[2];
	bool is_overdue;

	scene_config = test_config();
	is_number(run(&ticks, 600000, 600000, &is_overdue, &err), 0, "a job");
	is_number(ticks.count, 1, "is told of when it has been sent");
	ticks = (struct ticks){.wanted = 4};
	is_number(run(&ticks, 600000, 10, &is_overdue, &err), 0, "a job whose container is silent");
	is_number(ticks.count, 4, "ticks");
	ticks = (struct ticks){.wanted = -1};
	is_number(run(&ticks, 1, 700, &is_overdue, &err), 0, "one that never ends");
	ok(is_overdue, "is overdue, however often it ticks");
	ok(ticks.count > 3, "%d times", ticks.count);

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, client) == 0 && pipe(full) == 0);

	struct http_watch watch = {.fd = client[0], .is_stream = true};

	ticks = (struct ticks){.watch = &watch, .left = 8 * MIB, .is_full = full[1]};

	int fds[2] = {client[1], full[0]};
	pid_t reader = start_child(read_all, fds);

	is_number(run(&ticks, 600000, 600000, &is_overdue, &err), 0,
		  "a client that is slow to take its bytes");
	ok(ticks.count >= 2 && ticks.left == 0,
	   "gets them all, each time that it can take some: %d times", ticks.count);
	close(client[0]);
	close(client[1]);
	close(full[0]);
	close(full[1]);
	(void)kill(reader, SIGKILL);
	(void)wait_child(reader);
	return done();
}
