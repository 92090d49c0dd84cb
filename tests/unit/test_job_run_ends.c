/*
 * How a job ends that does not end well: streams past their cap, hostile names, a container that
 * never stops, a client that goes, a control socket that is something else.
 */
#include "fake_init.h"
#include "protocol/control.h"
#include "protocol/engine.h"
#include "tap.h"

#include <sys/un.h>

#define EXITED "reason=exited\0code=0\0"

static void send_output(int fd, const void *context)
{
	const size_t *len = context;
	static char data[2000];

	await_go(fd);
	memset(data, 'o', sizeof(data));
	up(fd, FRAME_STDERR, (struct slice){data, 600});
	up(fd, FRAME_STDOUT, (struct slice){data, 600});
	up(fd, FRAME_STDERR, (struct slice){data, 400});
	up(fd, FRAME_STDOUT, (struct slice){data, *len - 600});
	UP(fd, FRAME_EXIT, EXITED);
	UP(fd, FRAME_END, "");
}

static void test_stream_cap(void)
{
	struct job job = small_job();
	size_t len = job.stream_bytes;
	struct scene scene = play(&job, NULL, send_output, &len);

	is_number(scene.returned, 0, "streams of exactly the most bytes each");
	ok(scene.heard[0].len == 1000 && scene.heard[1].len == 1000, "are heard whole");
	scene_free(&scene);
	len++;
	scene = play(&job, NULL, send_output, &len);
	is_number(scene.returned, -1, "one byte more ends the job");
	ok(strcmp(scene.err.code, "control_failed") == 0 &&
		   strstr(scene.err.message, "more output"),
	   "%s", scene.err.message);
	is_number(scene.heard[0].len, 600, "and is not heard");
	scene_free(&scene);
}

static void send_hostile_files(int fd, const void *context)
{
	static const struct slice names[] = {
		SLICE_LITERAL("../up"),   SLICE_LITERAL("/etc/passwd"),
		SLICE_LITERAL("good"),    SLICE_LITERAL("good"),
		SLICE_LITERAL("good/x"),  SLICE_LITERAL("a/../../up"),
		SLICE_LITERAL("stdout"),  SLICE_LITERAL("stderr/x"),
		SLICE_LITERAL("nul\0up"), SLICE_LITERAL("new\nline"),
		SLICE_LITERAL(""),        SLICE_LITERAL("script"),
		SLICE_LITERAL("large"),   SLICE_LITERAL("after"),
	};

	(void)context;
	await_go(fd);
	UP(fd, FRAME_STDOUT, "out");
	UP(fd, FRAME_EXIT, EXITED);
	UP(fd, FRAME_DATA, "bytes of no file");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		up(fd, FRAME_FILE, names[i]);
		for (int j = 0; j < (slice_eq(names[i], "large") ? 300 : 1); j++)
			UP(fd, FRAME_DATA, "data");
	}
	UP(fd, FRAME_SKIPPED, "../not even tried");
	UP(fd, FRAME_DATA, "more of the file that was closed?");
	UP(fd, FRAME_END, "");
}

static void test_hostile_files(void)
{
	struct job job = small_job();
	struct scene scene;
	char id[JOB_ID_LENGTH + 1];

	scene_config.artifact_bytes = 1000;
	scene = play(&job, NULL, send_hostile_files, NULL);
	is_number(scene.returned, 0, "hostile names do not end a job");
	is_text(scene.storage.names.data, "good", "the good one is stored");
	must(storage_commit(&scene.storage, "hostile", id, &scene.err) == 0);
	ok(file_is(in_scratch("storage/hostile/job-%s/good", id), SLICE_LITERAL("data")), "once");
	ok(file_is(in_scratch("storage/hostile/job-%s/stdout", id), SLICE_LITERAL("out")),
	   "the captured stream is as it was");
	ok(file_is(in_scratch("storage/hostile/job-%s/script", id), SLICE_LITERAL("data")),
	   "so is what came between");
	ok(!exists(in_scratch("storage/hostile/job-%s/large", id)),
	   "one past the cap is not there");
	ok(exists(in_scratch("storage/hostile/job-%s/after", id)), "the next is");
	is_number(count_entries(in_scratch("storage/hostile/job-%s", id)), 5, "and nothing else");
	ok(!exists(in_scratch("storage/hostile/up")) && !exists(in_scratch("storage/up")) &&
		   !exists(in_scratch("up")),
	   "nor anything above");
	scene_free(&scene);
	scene_config.artifact_bytes = JOB_ARTIFACT_MAX_BYTES;
}

static void stay_silent(int fd, const void *context)
{
	char byte;

	(void)context;
	await_go(fd);
	(void)io_read_some(fd, &byte, 1, deadline_in(SCENE_DEADLINE_MS));
}

static void flood_empty(int fd, const void *context)
{
	(void)context;
	await_go(fd);
	while (frame_send(fd, FRAME_STDOUT, SLICE_LITERAL(""), deadline_in(SCENE_DEADLINE_MS)) == 0)
		continue;
}

static void flood_after_exit(int fd, const void *context)
{
	(void)context;
	await_go(fd);
	UP(fd, FRAME_EXIT, EXITED);
	while (frame_send(fd, FRAME_DATA, SLICE_LITERAL("of no file"),
			  deadline_in(SCENE_DEADLINE_MS)) == 0)
		continue;
}

struct endless {
	const char *name;
	void (*act)(int, const void *);
	bool has_ended; /* its program: then only its files are overdue */
};

/* In a child, so that all of these wait at the same time. */
static int becomes_overdue(void *context)
{
	const struct endless *endless = context;
	struct job job = small_job();
	int64_t start = monotonic_us();

	job.wall_ms = 1;

	struct scene scene = play(&job, NULL, endless->act, NULL);
	int64_t took_ms = (monotonic_us() - start) / 1000;
	bool is_refused = scene.returned < 0 && scene.err.status == 504 &&
			  strcmp(scene.err.code, "job_overdue") == 0;
	bool is_timeout = scene.returned == 0 && scene.result.reason == JOB_TIMEOUT &&
			  scene.result.is_overdue &&
			  scene.result.wall_us >= JOB_GRACE_MS * US_PER_MS;

	scene_free(&scene);
	if (endless->has_ended ? !is_refused : !is_timeout)
		return 1;
	return took_ms >= JOB_GRACE_MS && took_ms < JOB_GRACE_MS + 3000 ? 0 : 2;
}

static const struct endless endless[] = {{"says nothing", stay_silent, false},
					 {"sends empty output for ever", flood_empty, false},
					 {"collects for ever", flood_after_exit, true}};

#define ENDLESS_COUNT (sizeof(endless) / sizeof(endless[0]))

static void start_endless(pid_t children[ENDLESS_COUNT])
{
	(void)scratch();
	for (size_t i = 0; i < ENDLESS_COUNT; i++)
		children[i] = start_child(becomes_overdue, (void *)&endless[i]);
}

static void await_endless(const pid_t children[ENDLESS_COUNT])
{
	for (size_t i = 0; i < ENDLESS_COUNT; i++)
		is_number(wait_child(children[i]), 0,
			  "a container that %s is overdue after its time and the grace",
			  endless[i].name);
}

/* Ends only when the host hangs up; until then it floods, so that both ends have news at once. */
static void flood_with_output(int fd, const void *context)
{
	(void)context;
	await_go(fd);
	for (;;)
		if (frame_send(fd, FRAME_STDOUT, SLICE_LITERAL(""),
			       deadline_in(SCENE_DEADLINE_MS)) < 0)
			return;
}

static void test_client_gone(void (*act)(int, const void *), const char *what)
{
	struct job job = small_job();
	int client[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, client) == 0);
	close(client[1]);

	struct http_watch watch = {.fd = client[0], .may_probe = true};
	struct scene scene = play(&job, &watch, act, NULL);

	is_number(scene.returned, -1, "a client that hangs up ends the job, %s", what);
	ok(scene.err.status == 0 && strcmp(scene.err.code, "client_gone") == 0,
	   "with nobody to answer");
	scene_free(&scene);
	close(client[0]);
}

/* Ends once the client was sent an interim answer, that is: once the half-close was seen. */
static void end_after_probe(int fd, const void *context)
{
	const int *client = context;
	char byte;

	await_go(fd);
	must(io_read_some(*client, &byte, 1, deadline_in(SCENE_DEADLINE_MS)) == 1);
	UP(fd, FRAME_EXIT, EXITED);
	UP(fd, FRAME_END, "");
}

static void test_half_close(void)
{
	struct job job = small_job();
	int client[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, client) == 0 &&
	     shutdown(client[1], SHUT_WR) == 0);

	struct http_watch watch = {.fd = client[0], .may_probe = true};
	struct scene scene = play(&job, &watch, end_after_probe, &client[1]);

	is_number(scene.returned, 0, "a client that half-closes gets its answer");
	ok(watch.is_half_closed && scene.child_status == 0, "and was seen to have half-closed");
	scene_free(&scene);
	close(client[0]);
	close(client[1]);
}

static void end_before_go(int fd, const void *context)
{
	(void)context;
	(void)fd;
}

static void test_not_taken(void)
{
	static char much[MIB];
	const struct job_input input = {.path = SLICE_LITERAL("much"),
					.data = {much, sizeof(much)}};
	struct job job = small_job();

	job.inputs = &input;
	job.input_count = 1;

	struct scene scene = play(&job, NULL, end_before_go, NULL);

	is_number(scene.returned, -1, "a container that ends before it has the job");
	ok(scene.err.status == 502 && strcmp(scene.err.code, "job_not_taken") == 0,
	   "does not take it: %s", scene.err.message);
	scene_free(&scene);
}

static const char *jobs_path(const char *folder, const char *name)
{
	make_folder(in_scratch("run/" JOBS_DIR_NAME "/%s", folder));
	return in_scratch("run/" JOBS_DIR_NAME "/%s/%s", folder, name);
}

static int listen_at(const char *path, int backlog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	must(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	     (backlog < 0 || listen(fd, backlog) == 0));
	return fd;
}

static void refuses_folder(const char *folder, const char *what)
{
	struct error err;
	int fd = 4711;

	ok(job_connect(&scene_config, folder, &fd, &err) == -1 && fd == 4711, "refused: %s", what);
	ok(err.status == 502 && strcmp(err.code, "control_failed") == 0, "%s: %s", err.code,
	   err.message);
}

static void test_connect(void)
{
	int listener = listen_at(jobs_path("good", CONTROL_NAME), 1), fd = -1;
	struct error err;

	is_number(job_connect(&scene_config, "good", &fd, &err), 0,
		  "a control socket is connected to");

	_cleanup_close_ int other = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	char byte;

	ok(write(fd, "x", 1) == 1 && read(other, &byte, 1) == 1, "and reaches who listens");
	ok(fcntl(fd, F_GETFD) & FD_CLOEXEC, "closed by exec");
	close(fd);

	must(symlink("../good/" CONTROL_NAME, jobs_path("link", CONTROL_NAME)) == 0);
	refuses_folder("link", "a link to a socket");
	write_file(jobs_path("file", CONTROL_NAME), SLICE_LITERAL(""));
	refuses_folder("file", "a file");
	must(mkfifo(jobs_path("fifo", CONTROL_NAME), 0600) == 0);
	refuses_folder("fifo", "a pipe that nobody reads");
	make_folder(jobs_path("folder", CONTROL_NAME));
	refuses_folder("folder", "a folder");
	make_folder(in_scratch("run/jobs/empty"));
	refuses_folder("empty", "nothing");
	refuses_folder("missing", "no folder");
	must(symlink("good", in_scratch("run/jobs/linked")) == 0);
	refuses_folder("linked", "a folder that is a link");
	close(listener);
	refuses_folder("good", "a socket that nobody has open any more");

	_cleanup_close_ int bound = listen_at(jobs_path("bound", CONTROL_NAME), -1);

	refuses_folder("bound", "one that does not listen yet");

	_cleanup_close_ int full = listen_at(jobs_path("full", CONTROL_NAME), 0);
	int64_t start = monotonic_us();

	is_number(job_connect(&scene_config, "full", &fd, &err), 0,
		  "one that listens and does not accept");
	refuses_folder("full", "the next, for which there is no room");
	ok(monotonic_us() - start < 2 * CONTROL_CONNECT_DEADLINE_MS * 1000, "in bounded time");
	close(fd);
}

int main(void)
{
	pid_t children[ENDLESS_COUNT];

	scene_config = test_config();
	start_endless(children);
	test_stream_cap();
	test_hostile_files();
	test_client_gone(stay_silent, "while the container is silent");
	test_client_gone(flood_with_output, "while it sends");
	test_half_close();
	test_not_taken();
	test_connect();
	await_endless(children);
	return done();
}
