/*
 * A session without an HTTP request: made, two cells run, files written, listed and read, ended.
 * The engine and the session's container are one child: its kernel adds the numbers that cells are.
 */
#include "tap.h"
#include "util.h"

#include "base/frame.h"
#include "job/program.h"
#include "job/results.h"
#include "job/session_use.h"
#include "protocol/control.h"
#include "protocol/engine.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define FOLDER      "c-0123456789abcdef01234567"
#define DEADLINE_MS 20000

static struct config config;
static struct error err;

/* --- the child -------------------------------------------------------------------------------- */

/* A container: what its kernel and its workspace hold. */
static struct {
	long sum;
	char path[JOB_PATH_MAX_BYTES], data[64];
	size_t len;
} world;

static void up(int fd, uint8_t type, struct slice payload)
{
	must(frame_send(fd, type, payload, deadline_in(DEADLINE_MS)) == 0);
}

static struct slice field(struct slice fields, const char *name)
{
	struct slice key, value;

	while (field_next(&fields, &key, &value))
		if (slice_eq(key, name))
			return value;
	return SLICE_LITERAL("");
}

#define EXIT_FIELDS(code) "reason=exited\0code=" code "\0signal=0\0wall_us=1000\0kernel=kept\0"

static void run_cell(int fd, struct slice code)
{
	char text[32];
	int len;

	if (code.len == 0) {
		up(fd, FRAME_DISPLAY,
		   SLICE_LITERAL("type=application/vnd.mayfly.error\0name=error\0source=python\0"
				 "index=0\0message=no number\0\0the traceback"));
		up(fd, FRAME_EXIT, SLICE_LITERAL(EXIT_FIELDS("1")));
		return;
	}
	world.sum += strtol(code.data, NULL, 10);
	len = snprintf(text, sizeof(text), "%ld\n", world.sum);
	up(fd, FRAME_STDOUT, (struct slice){text, (size_t)len});
	up(fd, FRAME_DISPLAY,
	   SLICE_LITERAL("type=text/html\0name=table_0\0source=repr\0index=0\0\0<b>"));
	up(fd, FRAME_EXIT, SLICE_LITERAL(EXIT_FIELDS("0")));
}

static void send_files(int fd, struct slice job)
{
	struct slice fetch = field(job, "fetch"), removed = field(job, "remove");
	_cleanup_buf_ struct buf listed = buf_new(KIB);

	if (removed.len && !slice_eq(removed, world.path)) {
		up(fd, FRAME_EXIT, SLICE_LITERAL(EXIT_FIELDS("1")));
		return;
	}
	up(fd, FRAME_EXIT, SLICE_LITERAL("reason=exited\0code=0\0signal=0\0"));
	if (removed.len)
		world.path[0] = '\0';
	if (field(job, "list").len) {
		must(buf_printf(&listed, "path=%s%csize=%zu%cmtime_ms=5%c", world.path, 0,
				world.len, 0, 0) == 0);
		up(fd, FRAME_LISTED, buf_slice(&listed));
	}
	if (fetch.len && slice_eq(fetch, world.path)) {
		up(fd, FRAME_FILE, fetch);
		up(fd, FRAME_DATA, (struct slice){world.data, world.len});
	} else if (slice_eq(fetch, "large")) {
		up(fd, FRAME_SKIPPED, fetch);
	}
}

/* One connection: a job, as mayfly-init serves it. */
static void serve_job(int fd)
{
	struct frame_reader reader = frame_reader_new(fd);
	struct frame frame = {0};
	_cleanup_buf_ struct buf job = buf_new(FRAME_JOB_MAX_BYTES), code = buf_new(KIB);

	while (frame.type != FRAME_GO) {
		must(frame_read(&reader, &frame, deadline_in(DEADLINE_MS), &err) == 0);
		if (frame.type == FRAME_JOB)
			must(buf_append(&job, frame.payload.data, frame.payload.len) == 0);
		if (frame.type == FRAME_STDIN)
			must(buf_append(&code, frame.payload.data, frame.payload.len) == 0);
		if (frame.type == FRAME_FILE)
			(void)snprintf(world.path, sizeof(world.path), "%.*s",
				       (int)frame.payload.len, frame.payload.data);
		if (frame.type == FRAME_DATA) {
			world.len = frame.payload.len;
			memcpy(world.data, frame.payload.data, world.len);
		}
	}
	if (field(buf_slice(&job), "kernel").len)
		run_cell(fd, buf_slice(&code));
	else
		send_files(fd, buf_slice(&job));
	up(fd, FRAME_END, SLICE_LITERAL(""));
	frame_reader_free(&reader);
	close(fd);
}

static int listen_as_container(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	make_folder(in_scratch("run/jobs/" FOLDER));
	(void)snprintf(address.sun_path, sizeof(address.sun_path),
		       "%s/run/jobs/" FOLDER "/" CONTROL_NAME, scratch());
	must(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	     listen(listener, 4) == 0);
	return listener;
}

/* The engine: makes one container, serves it until it has to be removed. */
static int serve(void *context)
{
	int engine = *(int *)context, listener = -1;
	struct frame_reader reader = frame_reader_new(engine);
	struct frame frame;

	while (true) {
		struct pollfd polls[2] = {{.fd = engine, .events = POLLIN},
					  {.fd = listener, .events = POLLIN}};

		must(poll(polls, 2, DEADLINE_MS) > 0);
		if (polls[1].revents) {
			serve_job(accept(listener, NULL, NULL));
			continue;
		}
		must(frame_read(&reader, &frame, deadline_in(DEADLINE_MS), &err) == 0);
		if (frame.type == FRAME_REMOVE) {
			must(slice_eq(field(frame.payload, "folder"), FOLDER));
			up(engine, FRAME_OK, SLICE_LITERAL(""));
			return 0;
		}
		must(frame.type == FRAME_MAKE && slice_eq(field(frame.payload, "session"), "1"));
		listener = listen_as_container();
		up(engine, FRAME_OK, SLICE_LITERAL("folder=" FOLDER "\0id=ff\0"));
	}
}

/* --- the host --------------------------------------------------------------------------------- */

static const struct session_requester owner = {"key", SLICE_LITERAL("tenant")};
static struct template template;
static char id[SESSION_ID_BYTES], told[256];

/* A request of its own, in a child or after a restart, begins by this. */
static struct session take(struct executor *executor)
{
	struct session session = {.lock = -1};

	must(session_take(&config, slice_of(id), &owner, &executor->watch, &session, &err) == 0);
	return session;
}

static void test_create(struct executor *executor)
{
	struct session session = {
		.lock = -1, .ttl_s = 60, .owner = "key", .tenant_id = "tenant", .scope = "scope"};

	must(template_load(&config, SLICE_LITERAL("default"), &template, &err) == 0);
	is_number(session_create(executor, &template, &session, &err), 0, "a session is made");
	is_text(session.folder, FOLDER, "in its container");
	is_text(session.template, "default", "of its template");
	is_number(session.lock, -1, "its lock is given back");
	is_number(executor->noted.add[METRIC_SESSIONS_CREATED], 1, "it is counted");
	memcpy(id, session.id, sizeof(id));
}

static void tell(void *context, const struct result *result)
{
	(void)context;
	(void)snprintf(told, sizeof(told), "%.*s %.*s %.*s%s%s", (int)result->type.len,
		       result->type.data, (int)result->name.len, result->name.data,
		       (int)result->content.len, result->content.data,
		       result->is_text ? " text" : "", result->file_id ? " stored" : "");
}

static struct program cell(const char *code)
{
	struct program program = {
		.template = &template,
		.code = slice_of(code),
		.timeout_s = 5,
		.stream_bytes = KIB,
		.is_cell = true,
	};

	must(language_load(&config, SLICE_LITERAL("python"), &program.language, &err) == 0);
	return program;
}

static void test_cell(struct executor *executor, const char *code, const char *want)
{
	struct session session = take(executor);
	struct program program = cell(code);
	struct execution execution = execution_new(executor, &program.job, WORDS_NONE, KIB);
	struct results results = {.config = &config, .owner = "key", .on_result = tell};
	struct result_failure failure;

	execution.on_display = results_display;
	execution.display_context = &results;
	told[0] = '\0';
	must(program_prepare(&config, &program, &err) == 0);
	is_number(session_run(&session, &program.job, &execution, &err), 0, "\"%s\" is run", code);
	must(results_collect(&results, &execution.storage, &err) == 0);
	is_number(execution.result.kernel, JOB_KERNEL_KEPT, "its kernel stays");
	is_number(session.lock, -1, "the lock is given back");
	if (want) {
		is_text(buf_slice(&execution.captures[0].text).data, want, "what it printed");
		is_text(told, "text/html table_0 <b> text stored", "what it displayed is told");
		ok(!results_failure(&results, &execution, &failure), "it did not fail");
	} else {
		ok(results_failure(&results, &execution, &failure), "it failed");
		ok(slice_eq(failure.message, "no number") &&
			   slice_eq(failure.traceback, "the traceback"),
		   "in its kernel's words");
	}
	results_free(&results);
	execution_free(&execution);
	program_free(&program);
}

static void take_row(void *context, struct slice path, uint64_t size_bytes, int64_t mtime_ms)
{
	(void)snprintf(context, sizeof(told), "%.*s %d %d", (int)path.len, path.data,
		       (int)size_bytes, (int)mtime_ms);
}

static void test_files(struct executor *executor)
{
	static const struct job_input file = {SLICE_LITERAL("d/a"), SLICE_LITERAL("one\0two")};
	struct session session = take(executor);
	_cleanup_free_ char *data = NULL;
	size_t len = 0;

	is_number(session_write_files(executor, &session, &file, 1, &err), 0, "a file is written");
	session = take(executor);
	is_number(session_list_files(executor, &session, take_row, told, &err), 0, "and listed");
	is_text(told, "d/a 7 5", "with what is known of it");
	session = take(executor);
	is_number(session_read_file(executor, &session, "d/a", &data, &len, &err), 0, "and read");
	ok(len == 7 && memcmp(data, "one\0two", 7) == 0, "byte for byte");
	session = take(executor);
	is_number(session_read_file(executor, &session, "b", &data, &len, &err), -1,
		  "one that is not there is not");
	is_text(err.code, "file_not_found", "by its code");
	is_number(session.lock, -1, "and the lock is given back");
	session = take(executor);
	is_number(session_read_file(executor, &session, "large", &data, &len, &err), -1,
		  "one that is too large is not read");
	is_text(err.code, "file_too_large", "by its code");
	session = take(executor);
	is_number(session_remove_file(executor, &session, "d/a", &err), 0, "a file is removed");
	is_number(session.lock, -1, "and the lock is given back");
	session = take(executor);
	is_number(session_remove_file(executor, &session, "d/a", &err), -1, "and is gone");
	is_text(err.code, "file_not_found", "by its code");
}

static void test_destroy(struct executor *executor)
{
	const struct session_requester other = {.owner = "other"};
	struct session session = {.lock = -1};

	is_number(session_destroy(executor, slice_of(id), &other, &session, &err), -1,
		  "another owner cannot end it");
	is_number(session_destroy(executor, slice_of(id), &owner, &session, &err), 0,
		  "its own can");
	is_text(session.id, id, "by its id");
	is_number(session_take(&config, slice_of(id), &owner, &executor->watch, &session, &err), -1,
		  "it is gone");
	is_text(err.code, "session_not_found", "by its code");
}

/* The container ends beside the session: the session ends at its next use. */
static void test_dead_container(struct executor *executor)
{
	struct session session = {.lock = -1, .ttl_s = 60, .owner = "key", .tenant_id = "tenant"};
	size_t len;
	char *data;

	must(session_reserve(&config, &session, &err) == 0);
	(void)snprintf(session.folder, sizeof(session.folder), "c-gone");
	must(session_save(&config, &session, &err) == 0);
	is_number(session_read_file(executor, &session, "a", &data, &len, &err), -1,
		  "a session whose container has ended has no files");
	is_text(err.code, "session_not_found", "and is none any more");
	is_number(executor->noted.add[METRIC_SESSIONS_EXPIRED], 1, "it counts as expired");
	is_number(session_find(&config, slice_of(session.id), &owner, &session, &err), -1,
		  "its record is gone");
}

int main(void)
{
	struct executor executor;
	int pair[2];
	pid_t child;

	config = test_config();
	config.sessions = config.sessions_of_tenant = 10;
	executor = executor_new(&config);
	make_folder(config.run);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	child = start_child(serve, &pair[1]);
	close(pair[1]);
	executor.engine = (struct engine){.fd = pair[0], .reader = frame_reader_new(pair[0])};

	test_create(&executor);
	test_cell(&executor, "20", "20\n");
	test_cell(&executor, "22", "42\n");
	test_cell(&executor, "", NULL);
	test_files(&executor);
	test_destroy(&executor);
	is_number(wait_child(child), 0, "its container was removed");
	executor.is_kept = true;
	engine_close(&executor.engine);
	test_dead_container(&executor);
	executor_end(&executor);
	return done();
}
