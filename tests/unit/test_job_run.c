/*
 * Running a job: what goes down, what may come up and in which order, and that a container which
 * breaks the order, the lengths or the names ends the job or is skipped, never more.
 */
#include "fake_init.h"
#include "tap.h"

#define BIG_BYTES 200000

static struct job big_job(void)
{
	static char big[BIG_BYTES];
	static const struct job_input inputs[] = {
		{.path = SLICE_LITERAL("a.sh"), .data = SLICE_LITERAL("code")},
		{.path = SLICE_LITERAL("empty"), .data = SLICE_LITERAL("")},
		{.path = SLICE_LITERAL("big"), .data = {big, BIG_BYTES}},
	};
	struct job job = small_job();

	for (size_t i = 0; i < BIG_BYTES; i++)
		big[i] = (char)(i * 7);
	job.argv[0] = SLICE_LITERAL("bash");
	job.argv[1] = SLICE_LITERAL("a b=\xff");
	job.argc = 2;
	job.env[0] = SLICE_LITERAL("HOME=/tmp");
	job.env_count = 1;
	job.cpu_ms = 5;
	job.inputs = inputs;
	job.input_count = 3;
	job.standard_input = (struct slice){big, BIG_BYTES};
	return job;
}

/* In the child: the bytes of one kind of frame, whole; what the next frame is. */
static uint8_t gather(struct frame_reader *reader, uint8_t type, struct buf *out,
		      struct frame *frame)
{
	struct error err;

	for (;;) {
		must(frame_read(reader, frame, deadline_in(SCENE_DEADLINE_MS), &err) == 0);
		if (frame->type != type)
			return frame->type;
		must(buf_append(out, frame->payload.data, frame->payload.len) == 0);
	}
}

static void check_down(int fd, const void *context)
{
	static const char fields[] =
		"argv=bash\0argv=a b=\xff\0env=HOME=/tmp\0cwd=/workspace\0wall_ms=600000\0cpu_ms=5\0"
		"stream_bytes=1000\0artifact_count=10\0artifact_bytes=1000\0artifacts_bytes=1000";
	struct frame_reader reader = frame_reader_new(fd);
	struct buf data = buf_new(MIB), input = buf_new(MIB);
	const struct job *job = context;
	struct frame frame;
	struct error err;

	must(frame_read(&reader, &frame, deadline_in(SCENE_DEADLINE_MS), &err) == 0 &&
	     frame.type == FRAME_JOB);
	must(frame.payload.len == sizeof(fields) &&
	     memcmp(frame.payload.data, fields, sizeof(fields)) == 0);
	must(frame_read(&reader, &frame, deadline_in(SCENE_DEADLINE_MS), &err) == 0);
	for (unsigned i = 0; i < job->input_count; i++) {
		must(frame.type == FRAME_FILE && frame.payload.len == job->inputs[i].path.len &&
		     memcmp(frame.payload.data, job->inputs[i].path.data, frame.payload.len) == 0);
		data.len = 0;
		(void)gather(&reader, FRAME_DATA, &data, &frame);
		must(data.len == job->inputs[i].data.len &&
		     (data.len == 0 || memcmp(data.data, job->inputs[i].data.data, data.len) == 0));
	}
	must(frame.type == FRAME_STDIN &&
	     buf_append(&input, frame.payload.data, frame.payload.len) == 0);
	must(gather(&reader, FRAME_STDIN, &input, &frame) == FRAME_GO && frame.payload.len == 0);
	must(input.len == BIG_BYTES &&
	     memcmp(input.data, job->standard_input.data, BIG_BYTES) == 0);
	UP(fd, FRAME_EXIT, "reason=exited\0code=0\0");
	UP(fd, FRAME_END, "");
}

static void test_down(void)
{
	struct job job = big_job();
	struct scene scene = play(&job, NULL, check_down, &job);

	is_number(scene.child_status, 0,
		  "down go JOB, FILE and DATA, STDIN, GO, with every field and every byte");
	is_number(scene.returned, 0, "and the job is run");
	scene_free(&scene);

	static char long_argument[FRAME_JOB_MAX_BYTES];

	job = small_job();
	memset(long_argument, 'x', sizeof(long_argument));
	job.argv[0] = (struct slice){long_argument, sizeof(long_argument)};
	is_number(job_run(&job, -1, NULL, NULL, NULL, NULL, &scene.err), -1,
		  "arguments past a frame's length");
	is_text(scene.err.code, "job_too_large", "are refused");
	is_number(scene.err.status, 400, "by 400");
}

static void whole(int fd, const void *context)
{
	const bool *in_bytes = context;
	struct buf frames = buf_new(MIB);

	must(frame_append(&frames, FRAME_STDOUT, SLICE_LITERAL("out\0")) == 0 &&
	     frame_append(&frames, FRAME_STDERR, SLICE_LITERAL("error")) == 0 &&
	     frame_append(&frames, FRAME_STDOUT, SLICE_LITERAL("")) == 0 &&
	     frame_append(&frames, FRAME_STDOUT, SLICE_LITERAL("put\xff")) == 0 &&
	     frame_append(
		     &frames, FRAME_EXIT,
		     SLICE_LITERAL(
			     "reason=exited\0code=3\0wall_us=12\0cpu_us=34\0max_rss_bytes=56\0stdout_truncated=1\0"
			     "stderr_truncated=0\0unknown=field\0")) == 0 &&
	     frame_append(&frames, FRAME_FILE, SLICE_LITERAL("sub/file")) == 0 &&
	     frame_append(&frames, FRAME_DATA, SLICE_LITERAL("one")) == 0 &&
	     frame_append(&frames, FRAME_DATA, SLICE_LITERAL("two")) == 0 &&
	     frame_append(&frames, FRAME_SKIPPED, SLICE_LITERAL("device")) == 0 &&
	     frame_append(&frames, FRAME_FILE, SLICE_LITERAL("empty")) == 0 &&
	     frame_append(&frames, FRAME_END, SLICE_LITERAL("")) == 0 &&
	     frame_append(&frames, FRAME_STDOUT, SLICE_LITERAL("behind the end")) == 0);
	await_go(fd);
	for (size_t at = 0; at < frames.len;) {
		size_t len = *in_bytes ? 1 : frames.len;

		if (send(fd, frames.data + at, len, MSG_NOSIGNAL) <= 0)
			break;
		at += len;
	}
}

static void test_whole(bool in_bytes)
{
	const char *way = in_bytes ? "byte by byte" : "at once";
	struct job job = small_job();
	struct scene scene = play(&job, NULL, whole, &in_bytes);
	char id[JOB_ID_LENGTH + 1];

	is_number(scene.returned, 0, "%s: a whole job", way);
	ok(scene.result.reason == JOB_EXITED && scene.result.code == 3 &&
		   scene.result.wall_us == 12 && scene.result.cpu_us == 34 &&
		   scene.result.max_rss_bytes == 56 && scene.result.stdout_truncated &&
		   !scene.result.stderr_truncated,
	   "%s: with all that was reported", way);
	is_number(job_exit_code(&scene.result), 3, "%s: and its exit code", way);
	ok(scene.heard[0].len == 8 && memcmp(scene.heard[0].data, "out\0put\xff", 8) == 0,
	   "%s: stdout was heard", way);
	ok(scene.heard[1].len == 5 && memcmp(scene.heard[1].data, "error", 5) == 0,
	   "%s: and stderr", way);
	must(storage_commit(&scene.storage, "s", id, &scene.err) == 0);
	ok(file_is(in_scratch("storage/s/job-%s/stdout", id), SLICE_LITERAL("out\0put\xff")),
	   "%s: stdout is stored", way);
	ok(file_is(in_scratch("storage/s/job-%s/stderr", id), SLICE_LITERAL("error")),
	   "%s: and stderr", way);
	ok(file_is(in_scratch("storage/s/job-%s/sub/file", id), SLICE_LITERAL("onetwo")),
	   "%s: and the file", way);
	ok(file_is(in_scratch("storage/s/job-%s/empty", id), SLICE_LITERAL("")),
	   "%s: and the empty one", way);
	ok(buf_slice(&scene.storage.skipped).len == 7 &&
		   strcmp(scene.storage.skipped.data, "device") == 0,
	   "%s: and what was skipped is noted", way);
	scene_free(&scene);
}

/* A scene that is one run of frames behind GO. */
struct frames {
	struct slice bytes;
	const char *code, *said; /* of the refusal; code NULL: none */
	const char *what;
};

#define FRAME(type, length, payload) type "\0\0\0" length payload
#define EXITED                       FRAME("X", "\x15", "reason=exited\0code=0\0")

static void send_frames(int fd, const void *context)
{
	const struct frames *frames = context;

	await_go(fd);
	(void)!send(fd, frames->bytes.data, frames->bytes.len, MSG_NOSIGNAL);
}

static const struct frames refusals[] = {
	{SLICE_LITERAL(FRAME("F", "\1", "f")), "control_failed", "'F' out of order",
	 "a file before EXIT"},
	{SLICE_LITERAL(FRAME("D", "\1", "d")), "control_failed", "'D' out of order",
	 "its bytes before EXIT"},
	{SLICE_LITERAL(FRAME("S", "\1", "s")), "control_failed", "'S' out of order",
	 "SKIPPED before EXIT"},
	{SLICE_LITERAL(FRAME("Z", "\0", "")), "control_failed", "'Z' out of order",
	 "END before EXIT"},
	{SLICE_LITERAL(EXITED FRAME("O", "\1", "o")), "control_failed", "'O' out of order",
	 "output after EXIT"},
	{SLICE_LITERAL(EXITED FRAME("E", "\1", "e")), "control_failed", "'E' out of order",
	 "errors after EXIT"},
	{SLICE_LITERAL(EXITED EXITED), "control_failed", "'X' out of order", "EXIT twice"},
	{SLICE_LITERAL(FRAME("G", "\0", "")), "control_failed", "'G' out of order", "GO upwards"},
	{SLICE_LITERAL(FRAME("J", "\0", "")), "control_failed", "'J' out of order",
	 "a job upwards"},
	{SLICE_LITERAL(FRAME("k", "\0", "")), "control_failed", "'k' out of order",
	 "an engine's code"},
	{SLICE_LITERAL("?"), "frame_type", "0x3f", "a type that does not exist"},
	{SLICE_LITERAL("\0\0\0\0\0"), "frame_type", "0x00", "NULs"},
	{SLICE_LITERAL("HTTP/1.1 200 OK\r\n"), "frame_type", "0x48", "another protocol"},
	{SLICE_LITERAL("O\0\1\0\1"), "frame_too_long", "'O'",
	 "a length of one byte more than may be"},
	{SLICE_LITERAL("O\xff\xff\xff\xff"), "frame_too_long", "'O'", "the longest length"},
	{SLICE_LITERAL(EXITED "Z\0\0\0\1x"), "frame_too_long", "'Z'", "an END that is not empty"},
	{SLICE_LITERAL(EXITED "F\0\0\4\1"), "frame_too_long", "'F'", "a path of 1025 bytes"},
	{SLICE_LITERAL(EXITED), "control_failed", "while its files were collected",
	 "an end after EXIT without END"},
	{SLICE_LITERAL(EXITED FRAME("F", "\1", "f") FRAME("D", "\x9", "half")), "control_failed",
	 "while its files", "half a file"},
	{SLICE_LITERAL(FRAME("X", "\0", "")), "control_failed", "malformed",
	 "an EXIT that says nothing"},
	{SLICE_LITERAL(FRAME("X", "\7", "code=0\0")), "control_failed", "malformed",
	 "one without its reason"},
	{SLICE_LITERAL(FRAME("X", "\xd", "reason=magic\0")), "control_failed", "malformed",
	 "one with an unknown reason"},
	{SLICE_LITERAL(FRAME("X", "\xd", "reason=exited")), "control_failed", "malformed",
	 "one without its NUL"},
	{SLICE_LITERAL(FRAME("X", "\x16", "reason=exited\0code=0\0\0")), "control_failed",
	 "malformed", "one with more behind its fields"},
	{SLICE_LITERAL(FRAME("X", "\x17", "reason=exited\0code=256\0")), "control_failed",
	 "impossible code", "a code of 256"},
	{SLICE_LITERAL(FRAME("X", "\x16", "reason=exited\0code=-1\0")), "control_failed",
	 "impossible code", "a code of -1"},
	{SLICE_LITERAL(FRAME("X", "\x1b", "reason=signaled\0signal=128\0")), "control_failed",
	 "impossible signal", "signal 128"},
	{SLICE_LITERAL(FRAME("X", "\x23", "reason=exited\0stdout_truncated=yes\0")),
	 "control_failed", "impossible stdout_truncated", "a flag that is none"},
	{SLICE_LITERAL(FRAME("X", "\x2a", "reason=exited\0wall_us=9223372036854775808\0")),
	 "control_failed", "impossible wall_us", "a time past 63 bits"},
};

static void test_refusals(void)
{
	struct job job = small_job();

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct frames *row = &refusals[i];
		struct scene scene = play(&job, NULL, send_frames, row);

		is_number(scene.returned, -1, "refused: %s", row->what);
		ok(scene.err.status == 502 && strcmp(scene.err.code, row->code) == 0 &&
			   strstr(scene.err.message, row->said),
		   "%s: %s", scene.err.code, scene.err.message);
		scene_free(&scene);
		is_number(count_entries(in_scratch("storage/.incoming")), 0, "and nothing is left");
	}
}

static void test_lost(void)
{
	static const struct frames ends[] = {
		{SLICE_LITERAL(""), NULL, "", "at once"},
		{SLICE_LITERAL(FRAME("O", "\4", "part")), NULL, "part", "after output"},
		{SLICE_LITERAL(FRAME("O", "\4", "part") "O\0\0\0\7rest"), NULL, "part",
		 "within a frame"},
		{SLICE_LITERAL(FRAME("O", "\4", "part") "X\0\0"), NULL, "part",
		 "within EXIT's header"},
	};
	struct job job = small_job();

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct scene scene = play(&job, NULL, send_frames, &ends[i]);

		ok(scene.returned == 0 && scene.result.reason == JOB_LOST,
		   "a container that ends %s is lost", ends[i].what);
		is_number(job_exit_code(&scene.result), 137, "which counts as out of memory");
		is_text(buf_slice(&scene.heard[0]).data, ends[i].said,
			"what it said before is kept");
		scene_free(&scene);
	}
}

static void test_reasons(void)
{
	static const struct {
		struct slice fields;
		enum job_reason reason;
		int exit_code;
	} rows[] = {
		{SLICE_LITERAL("reason=exited\0code=255\0"), JOB_EXITED, 255},
		{SLICE_LITERAL("code=7\0reason=exited\0"), JOB_EXITED, 7},
		{SLICE_LITERAL("reason=signaled\0signal=11\0"), JOB_SIGNALED, 139},
		{SLICE_LITERAL("reason=signaled\0signal=127\0"), JOB_SIGNALED, 255},
		{SLICE_LITERAL("reason=timeout\0signal=9\0"), JOB_TIMEOUT, -1},
		{SLICE_LITERAL("reason=cpu\0signal=9\0"), JOB_CPU, 137},
		{SLICE_LITERAL("reason=oom\0code=0\0"), JOB_OOM, 137},
		{SLICE_LITERAL("reason=cancelled\0signal=9\0"), JOB_CANCELLED, 137},
		{SLICE_LITERAL("reason=not_started\0message=no such file\0"), JOB_NOT_STARTED, 127},
	};
	struct job job = small_job();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_buf_ struct buf bytes = buf_new(KIB);

		must(frame_append(&bytes, FRAME_EXIT, rows[i].fields) == 0 &&
		     frame_append(&bytes, FRAME_END, SLICE_LITERAL("")) == 0);

		struct frames frames = {.bytes = buf_slice(&bytes)};
		struct scene scene = play(&job, NULL, send_frames, &frames);

		ok(scene.returned == 0 && scene.result.reason == rows[i].reason, "understood: %s",
		   rows[i].fields.data);
		is_number(job_exit_code(&scene.result), rows[i].exit_code, "shown as %d",
			  rows[i].exit_code);
		ok(rows[i].reason != JOB_NOT_STARTED ||
			   strcmp(scene.result.message, "no such file") == 0,
		   "with its message, if any");
		scene_free(&scene);
	}
}

int main(void)
{
	scene_config = test_config();
	test_down();
	test_whole(false);
	test_whole(true);
	test_refusals();
	test_lost();
	test_reasons();
	return done();
}
