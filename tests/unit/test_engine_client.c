/*
 * Asking the engine: the words that go to it, every shape of answer, and both ways to it: a socket
 * that somebody holds, and a child that becomes mayfly-engine at the first code.
 */
#include "job/engine_client.h"

#include "protocol/engine.h"
#include "tap.h"
#include "util.h"

#include <sys/socket.h>
#include <sys/un.h>

#define LONG_MS  10000
#define BRIEF_MS 50

static struct config config;
static struct error err;

/* What the engine hears and says: one verb in, these bytes out, then it hangs up or waits to be
 * hung up on. */
struct dialogue {
	uint8_t verb;
	struct slice heard, said;
	bool waits;
};

static int listener_fd = -1;

/* One connection: 0 when it heard what it should. */
static int speak_once(const struct dialogue *dialogue)
{
	int fd = accept4(listener_fd, NULL, NULL, SOCK_CLOEXEC);
	struct frame_reader reader = frame_reader_new(fd);
	struct frame frame;
	struct error why;
	char byte;

	if (frame_read(&reader, &frame, deadline_in(LONG_MS), &why) < 0)
		return 2;
	if (frame.type != dialogue->verb || frame.payload.len != dialogue->heard.len ||
	    memcmp(frame.payload.data, dialogue->heard.data, frame.payload.len) != 0)
		return 3;
	must(io_send_all(fd, dialogue->said.data, dialogue->said.len, deadline_in(LONG_MS)) == 0);
	if (dialogue->waits)
		(void)io_read_some(fd, &byte, 1, deadline_in(LONG_MS));
	close(fd);
	return 0;
}

/* Does what is said begin with a whole frame? */
static bool is_word(struct slice said)
{
	const unsigned char *head = (const unsigned char *)said.data;

	return said.len >= 5 && said.len >= 5 + ((size_t)head[3] << 8) + head[4];
}

/* In the child. What no word answers is asked once more, on a connection of its own. */
static int speak(void *context)
{
	const struct dialogue *dialogue = context;
	int heard = speak_once(dialogue);

	return heard == 0 && !dialogue->waits && !is_word(dialogue->said) ? speak_once(dialogue)
									  : heard;
}

static void listen_as_engine(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	make_folder(config.run);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/" ENGINE_SOCKET_NAME,
		       scratch());
	listener_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(bind(listener_fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	     listen(listener_fd, 4) == 0);
}

/* Opens a way to an engine that holds this dialogue. */
static struct engine open_to(const struct dialogue *dialogue, pid_t *child)
{
	struct engine engine;

	*child = start_child(speak, (void *)dialogue);
	must(engine_open(&config, &engine, &err) == 0);
	return engine;
}

static void close_to(struct engine *engine, pid_t child, const char *what)
{
	engine_close(engine);
	is_number(wait_child(child), 0, "%s: it heard its verb and fields", what);
}

static const struct {
	struct slice said;
	const char *folder, *code; /* one of them */
} made[] = {
	{SLICE_LITERAL("k\0\0\0\x0d"
		       "folder=c-012\0"),
	 "c-012", NULL},
	{SLICE_LITERAL("k\0\0\0\x15"
		       "id=ff\0folder=x\0other=\0"),
	 "x", NULL},
	{SLICE_LITERAL("k\0\0\0\x48"
		       "folder=0123456789012345678901234567890123456789012345678901234567890123\0"),
	 "0123456789012345678901234567890123456789012345678901234567890123", NULL},
	{SLICE_LITERAL(
		 "k\0\0\0\x49"
		 "folder=01234567890123456789012345678901234567890123456789012345678901234\0"),
	 NULL, "engine_failed"},
	{SLICE_LITERAL("k\0\0\0\0"), NULL, "engine_failed"},
	{SLICE_LITERAL("k\0\0\0\6"
		       "id=ff\0"),
	 NULL, "engine_failed"},
	{SLICE_LITERAL("k\0\0\0\x08"
		       "folder=\0"),
	 NULL, "engine_failed"},
	{SLICE_LITERAL("k\0\0\0\x0a"
		       "folder=..\0"),
	 NULL, "engine_failed"},
	{SLICE_LITERAL("k\0\0\0\x0b"
		       "folder=a/b\0"),
	 NULL, "engine_failed"},
	{SLICE_LITERAL("k\0\0\0\x09"
		       "folder=./"),
	 NULL, "engine_failed"},
	{SLICE_LITERAL("w\0\0\0\x09"
		       "folder=x\0"),
	 NULL, "engine_failed"},
	{SLICE_LITERAL("O\0\0\0\1x"), NULL, "engine_failed"},
	{SLICE_LITERAL("?"), NULL, "engine_failed"},
	{SLICE_LITERAL("k\0\0\0\x09"
		       "fold"),
	 NULL, "engine_failed"},
	{SLICE_LITERAL(""), NULL, "engine_failed"},
};

static void test_make(void)
{
	static const char heard[] = "template=default\0lifetime_s=60";

	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		struct dialogue dialogue = {
			FRAME_MAKE, {heard, sizeof(heard)}, made[i].said, false};
		char folder[ENGINE_FOLDER_BYTES] = "untouched";
		pid_t child;
		struct engine engine = open_to(&dialogue, &child);
		int result = engine_make(
			&engine, &(struct engine_request){.template = "default", .lifetime_s = 60},
			deadline_in(LONG_MS), folder, &err);

		if (made[i].folder) {
			is_number(result, 0, "a container is made");
			is_text(folder, made[i].folder, "its folder");
		} else {
			is_number(result, -1, "no container");
			ok(strcmp(err.code, made[i].code) == 0 && strcmp(folder, "untouched") == 0,
			   "%s: %s", err.code, err.message);
		}
		close_to(&engine, child, "make");
	}
}

static void test_pooled(void)
{
	static const char heard[] = "template=t\0lifetime_s=1\0pool=1";
	struct dialogue dialogue = {FRAME_MAKE,
				    {heard, sizeof(heard)},
				    SLICE_LITERAL("k\0\0\0\x09"
						  "folder=s\0"),
				    false};
	char folder[ENGINE_FOLDER_BYTES];
	pid_t child;
	struct engine engine = open_to(&dialogue, &child);

	ok(engine_make(
		   &engine,
		   &(struct engine_request){.template = "t", .lifetime_s = 1, .is_pooled = true},
		   deadline_in(LONG_MS), folder, &err) == 0 &&
		   strcmp(folder, "s") == 0,
	   "a pooled container");
	close_to(&engine, child, "pooled container");
}

static void test_errors(void)
{
	static const struct {
		struct slice fields;
		int status;
		const char *code, *message;
	} rows[] = {
		{SLICE_LITERAL(
			 "status=502\0code=image_missing\0message=run scripts/build-worker\0"),
		 502, "image_missing", "run scripts/build-worker"},
		{SLICE_LITERAL("message=m\0code=engine_unreachable\0status=503\0"), 503,
		 "engine_unreachable", "m"},
		{SLICE_LITERAL("status=504\0code=engine_timeout\0message=a=b\0"), 504,
		 "engine_timeout", "a=b"},
		{SLICE_LITERAL("status=500\0code=of_its_own\0message=m\0"), 500, "engine_failed",
		 "m"},
		{SLICE_LITERAL(""), 500, "engine_failed", "the engine failed"},
		{SLICE_LITERAL("status=0\0code=bad_template\0message=m\0"), 500, "bad_template",
		 "m"},
		{SLICE_LITERAL("status=200\0code=bad_template\0message=m\0"), 500, "bad_template",
		 "m"},
		{SLICE_LITERAL("status=600\0code=bad_template\0message=m\0"), 500, "bad_template",
		 "m"},
		{SLICE_LITERAL("status=-1\0code=bad_template\0message=m\0"), 500, "bad_template",
		 "m"},
		{SLICE_LITERAL("status=404\0code=not_found\0message=%n%s\0"), 404, "not_found",
		 "%n%s"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_buf_ struct buf said = buf_new(4 * KIB);
		pid_t child;

		must(frame_append(&said, FRAME_ERROR, rows[i].fields) == 0);

		struct dialogue dialogue = {FRAME_REMOVE, SLICE_LITERAL("folder=f\0"),
					    buf_slice(&said), false};
		struct engine engine = open_to(&dialogue, &child);

		is_number(engine_remove(&engine, "f", deadline_in(LONG_MS), &err), -1,
			  "the engine refuses");
		is_number(err.status, rows[i].status, "its status");
		is_text(err.code, rows[i].code, "a code that is known");
		is_text(err.message, rows[i].message, "and its message");
		close_to(&engine, child, "remove");
	}
}

static void note_row(void *context, const struct engine_row *row)
{
	must(buf_printf(context, "%s%s%s ", row->folder, row->id, row->is_expired ? "!" : "") == 0);
}

static void test_list(void)
{
	static const struct slice fields[] = {
		SLICE_LITERAL("folder=one\0id=1a\0expired=0\0"),
		SLICE_LITERAL("expired=1\0folder=two\0id=x\0"),
		SLICE_LITERAL("id=3\0"),
		SLICE_LITERAL("folder=../three\0expired=1\0"),
		SLICE_LITERAL("folder=four\0expired=yes\0"),
		SLICE_LITERAL("folder=five\0broken"),
		SLICE_LITERAL(""),
	};
	_cleanup_buf_ struct buf said = buf_new(4 * KIB), rows = buf_new(KIB);
	pid_t child;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		must(frame_append(&said, FRAME_ROW, fields[i]) == 0);
	must(frame_append(&said, FRAME_OK, SLICE_LITERAL("")) == 0);

	struct dialogue dialogue = {FRAME_LIST, SLICE_LITERAL(""), buf_slice(&said), false};
	struct engine engine = open_to(&dialogue, &child);

	is_number(engine_list(&engine, deadline_in(LONG_MS), note_row, &rows, &err), 0, "a list");
	is_text(buf_slice(&rows).data, "one1a two! four five ",
		"of every row that names a good folder");
	close_to(&engine, child, "list");
}

static void test_ping(void)
{
	static const char said[] = "k\0\0\0\x1c"
				   "engine=podman\0version=4.3.1";
	struct dialogue dialogue = {FRAME_PING, SLICE_LITERAL(""), {said, sizeof(said)}, false};
	_cleanup_buf_ struct buf version = buf_new(KIB), none = buf_new(4);
	pid_t child;
	struct engine engine = open_to(&dialogue, &child);

	is_number(engine_ping(&engine, deadline_in(LONG_MS), &version, &err), 0,
		  "a Podman answers");
	is_text(buf_slice(&version).data, "podman 4.3.1", "with its name and version");
	close_to(&engine, child, "ping");
	engine = open_to(&dialogue, &child);
	is_number(engine_ping(&engine, deadline_in(LONG_MS), &none, &err), -1,
		  "more than there is room for is refused");
	close_to(&engine, child, "ping");
}

static void test_silence(void)
{
	struct dialogue dialogue = {FRAME_PING, SLICE_LITERAL(""), SLICE_LITERAL("k\0\0"), true};
	_cleanup_buf_ struct buf version = buf_new(KIB);
	pid_t child;
	struct engine engine = open_to(&dialogue, &child);

	is_number(engine.child, 0, "a socket that somebody holds needs no child");
	is_number(engine_ping(&engine, deadline_in(BRIEF_MS), &version, &err), -1,
		  "an engine that stops within its answer");
	ok(err.status == 504 && strcmp(err.code, "engine_timeout") == 0, "is timed out: %s",
	   err.message);
	close_to(&engine, child, "silence");
	is_number(engine.fd, -1, "closed");
	engine_close(&engine);
	ok(true, "closing it twice does nothing");
}

/* Installs a mayfly-engine that is a shell script. */
static void install(const char *script)
{
	const char *path = in_scratch("libexec/mayfly-engine");

	make_folder(config.libexec);
	write_file(path, slice_of(script));
	must(chmod(path, 0755) == 0);
}

static void test_child_unused(void)
{
	struct engine engine;

	install("#!/bin/sh\ntouch \"${0%/*}/started\"\n");
	must(engine_open(&config, &engine, &err) == 0);
	ok(engine.child > 0, "without a socket the engine is a child");
	engine_close(&engine);
	is_number(wait_child(engine.child), 0, "that ends when we hang up");
	ok(!exists(in_scratch("libexec/started")), "and costs no exec when nothing is said to it");
}

static void test_child(void)
{
	/* by shell's echo: OK, "engine=sh" */
	static const char script[] =
		"#!/bin/sh\nls -l /proc/$$/fd > \"${0%/*}/fds\"\nprintf 'k\\0\\0\\0\\012engine=sh\\0' >&0\n"
		"cat <&0 > \"${0%/*}/heard\"\ntouch \"${0%/*}/ended\"\n";
	_cleanup_buf_ struct buf version = buf_new(KIB);
	struct engine engine;
	int client[2], many[2];

	install(script);
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, client) == 0 && pipe(many) == 0);
	must(engine_open(&config, &engine, &err) == 0);
	close(client[0]);

	char byte;

	is_number(io_read_some(client[1], &byte, 1, deadline_in(LONG_MS)), 0,
		  "the child keeps no connection of ours open");
	is_number(engine_ping(&engine, deadline_in(LONG_MS), &version, &err), 0,
		  "at the first code it becomes the engine");
	is_text(buf_slice(&version).data, "sh", "and answers");
	engine_close(&engine);
	ok(exists(in_scratch("libexec/ended")), "closing waits until the engine has ended");
	is_number(wait_child(engine.child), 0, "and so it has");
	ok(file_is(in_scratch("libexec/heard"), SLICE_LITERAL("p\0\0\0\0")),
	   "the first code was left for it");

	_cleanup_free_ char *listing = read_file(in_scratch("libexec/fds"), NULL);

	struct stat status;
	char ours[64];

	must(fstat(many[0], &status) == 0);
	(void)snprintf(ours, sizeof(ours), "pipe:[%llu]", (unsigned long long)status.st_ino);
	ok(listing && strstr(listing, "0 -> socket:") && strstr(listing, "1 -> /dev/null"),
	   "its fd 0 is the connection, its output goes nowhere");
	ok(listing && !strstr(listing, ours), "and what we had open is not open there");
	close(client[1]);
	close(many[0]);
	close(many[1]);
}

/* An answer that comes when nobody waits for it any more is no end. */
static void test_late_answer(void)
{
	static const char script[] =
		"#!/bin/sh\nprintf 'k\\0\\0\\0\\0k\\0\\0\\0\\0' >&0\ncat <&0 > /dev/null\ntouch \"${0%/*}/late\"\n";
	struct engine engine;

	install(script);
	must(engine_open(&config, &engine, &err) == 0 &&
	     engine_remove(&engine, "x", deadline_in(LONG_MS), &err) == 0);
	engine_close(&engine);
	ok(exists(in_scratch("libexec/late")), "closing waits for the end, not for a late answer");
	(void)wait_child(engine.child);
}

static void test_not_installed(void)
{
	_cleanup_buf_ struct buf version = buf_new(KIB);
	struct engine engine;

	must(unlink(in_scratch("libexec/mayfly-engine")) == 0);
	must(engine_open(&config, &engine, &err) == 0);
	is_number(engine_ping(&engine, deadline_in(LONG_MS), &version, &err), -1,
		  "an engine that is not installed");
	ok(err.status == 503 && strcmp(err.code, "engine_failed") == 0 &&
		   strstr(err.message, "installed"),
	   "%s", err.message);
	engine_close(&engine);
	is_number(wait_child(engine.child), 127, "ends at once");
}

int main(void)
{
	config = test_config();
	test_child_unused();
	test_child();
	test_late_answer();
	test_not_installed();
	listen_as_engine();
	test_make();
	test_pooled();
	test_errors();
	test_list();
	test_ping();
	test_silence();
	close(listener_fd);
	return done();
}
