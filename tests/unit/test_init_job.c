/* What comes to mayfly-init before GO: a job, its inputs, and everything that is refused. */
#include "init/init.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/io.h"
#include "protocol/control.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/mayfly-init-job-XXXXXX";
static int root_fd;

/* --- Before GO -------------------------------------------------------------------------------- */

#define GO      "G\0\0\0\0"
#define CANCEL  "C\0\0\0\0"
#define PREPARE "B\0\0\0\x09idle_s=1\0"
#define TRUE    "argv=true\0wall_ms=1000\0"

static const struct {
	const char *what;
	const char *fields, *cwd; /* of JOB; cwd NULL: root, "": none */
	size_t fields_len;
	const char *frames; /* after it */
	size_t frames_len;
	const char *code; /* of the refusal or the error; NULL: accepted */
	bool error;       /* the connection is given up */
	bool cancelled;
} talks[] = {
#define TALK(what, fields, cwd, frames, ...)                                                       \
	{                                                                                          \
		what, fields, cwd, sizeof(fields) - 1, frames, sizeof(frames) - 1, __VA_ARGS__     \
	}
#define WITHOUT_JOB(what, frames, ...)                                                             \
	{                                                                                          \
		what, NULL, NULL, 0, frames, sizeof(frames) - 1, __VA_ARGS__                       \
	}
	TALK("a job", TRUE, NULL, GO, NULL, false, false),
	TALK("a pooled container", "argv=true\0", NULL, PREPARE, NULL, false, false),
	TALK("a pooled container with a time", TRUE, NULL, PREPARE, NULL, false, false),
	TALK("a pooled container of nothing", "wall_ms=1\0", NULL, PREPARE, "job_bad", false,
	     false),
	WITHOUT_JOB("PREPARE before JOB", PREPARE, "frame_order", true, false),
	TALK("PREPARE after FILE", TRUE, NULL, "F\0\0\0\2t2" PREPARE, "frame_order", true, false),
	TALK("PREPARE after STDIN", TRUE, NULL, "I\0\0\0\1x" PREPARE, "frame_order", true, false),
	WITHOUT_JOB("cancelled before JOB", CANCEL, NULL, false, true),
	TALK("cancelled after JOB", TRUE, NULL, CANCEL, NULL, false, true),
	WITHOUT_JOB("GO before JOB", GO, "frame_order", true, false),
	TALK("two JOBs", TRUE, NULL, "J\0\0\0\0" GO, "frame_order", true, false),
	TALK("DATA without FILE", TRUE, NULL, "D\0\0\0\1x" GO, "frame_order", true, false),
	TALK("DATA after STDIN", TRUE, NULL, "F\0\0\0\2t1D\0\0\0\1xI\0\0\0\1yD\0\0\0\1z",
	     "frame_order", true, false),
	TALK("a frame that goes up", TRUE, NULL, "O\0\0\0\1x", "frame_order", true, false),
	TALK("an unknown frame", TRUE, NULL, "?\0\0\0\1x", "frame_type", true, false),
	TALK("the end before GO", TRUE, NULL, "", "frame_closed", true, false),
	TALK("a path that leaves", TRUE, NULL, "F\0\0\0\4../xD\0\0\0\1x" GO, "input_path", false,
	     false),
	TALK("an absolute path", TRUE, NULL, "F\0\0\0\2/x" GO, "input_path", false, false),
	TALK("a path with NUL", TRUE, NULL, "F\0\0\0\3a\0b" GO, "input_path", false, false),
	TALK("refused, then cancelled", TRUE, NULL, "F\0\0\0\2/x" CANCEL, "input_path", false,
	     true),
	TALK("an unknown field", "a=b\0", NULL, GO, "job_bad", false, false),
	TALK("half a field", "argv", NULL, GO, "job_bad", false, false),
	TALK("no argv", "wall_ms=100\0", NULL, GO, "job_bad", false, false),
	TALK("an empty argv", "argv=\0wall_ms=1\0", NULL, GO, "job_bad", false, false),
	TALK("no cwd", TRUE, "", GO, "job_bad", false, false),
	TALK("a relative cwd", TRUE, "tmp", GO, "job_bad", false, false),
	TALK("a cwd that is not", TRUE, "/nonexistent", GO, "cwd", false, false),
	TALK("a file operation", "idle_s=1\0", NULL, GO, NULL, false, false),
	TALK("a last one", "idle_s=1\0last=1\0", NULL, GO, "job_bad", false, false),
	TALK("a cell without a command", "idle_s=1\0kernel=a\0", NULL, GO, "job_bad", false, false),
	TALK("a cell", TRUE "kernel=a\0script=b c\0echo=1\0collect=/tmp/x\0", NULL, GO, NULL, false,
	     false),
	TALK("a cell's name that is a path", TRUE "kernel=a/b\0", NULL, GO, "job_bad", false,
	     false),
	TALK("a cell's name that is long", TRUE "kernel=abcdefghijklmnopq\0", NULL, GO, "job_bad",
	     false, false),
	TALK("a script elsewhere", TRUE "script=../a\0", NULL, GO, "job_bad", false, false),
	TALK("a script of two lines", TRUE "script=a\nb\0", NULL, GO, "job_bad", false, false),
	TALK("a fetch that leaves", "idle_s=1\0fetch=a/../b\0", NULL, GO, "job_bad", false, false),
	TALK("a collection that leaves", TRUE "collect=/tmp/../etc\0", NULL, GO, "job_bad", false,
	     false),
	TALK("a collection of everything", TRUE "collect=/\0", NULL, GO, "job_bad", false, false),
	TALK("an idle time without end", "idle_s=86401\0", NULL, GO, "job_bad", false, false),
	TALK("no time", "argv=a\0", NULL, GO, "job_bad", false, false),
	TALK("no time at all", "argv=a\0wall_ms=0\0", NULL, GO, "job_bad", false, false),
	TALK("a negative time", "argv=a\0wall_ms=-1\0", NULL, GO, "job_bad", false, false),
};

static void send_talk(int fd, size_t i)
{
	_cleanup_buf_ struct buf fields = buf_new(FRAME_JOB_MAX_BYTES);
	const char *cwd = talks[i].cwd ? talks[i].cwd : root;
	int failed = 0;

	if (talks[i].fields) {
		if (*cwd)
			failed |= field_add(&fields, "cwd", slice_of(cwd));
		failed |= buf_append(&fields, talks[i].fields, talks[i].fields_len);
		failed |= frame_send(fd, FRAME_JOB, buf_slice(&fields), deadline_in(1000));
	}
	failed |= io_send_all(fd, talks[i].frames, talks[i].frames_len, deadline_in(1000));
	ok(failed == 0, "%s: sent", talks[i].what);
}

static void test_talks(void)
{
	for (size_t i = 0; i < sizeof(talks) / sizeof(talks[0]); i++) {
		struct init_job job = init_job_new();
		struct error err = {0};
		int ends[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
			abort();
		send_talk(ends[0], i);
		close(ends[0]);

		struct frame_reader reader = frame_reader_new(ends[1]);
		int result = init_job_read(&reader, &job, deadline_in(10000), &err);

		is_number(result, talks[i].error ? -1 : 0, "%s", talks[i].what);
		ok(job.cancelled == talks[i].cancelled, "%s: cancelled or not", talks[i].what);
		ok(job.refused == (talks[i].code && !talks[i].error), "%s: refused or not",
		   talks[i].what);
		if (talks[i].code)
			is_text(job.refused ? job.refusal.code : err.code, talks[i].code,
				"%s: the code", talks[i].what);
		init_job_free(&job);
		frame_reader_free(&reader);
		close(ends[1]);
	}
}

/* --- Inputs ----------------------------------------------------------------------------------- */

static void send_input(int fd, const char *path, const char *data)
{
	if (frame_send(fd, FRAME_FILE, slice_of(path), deadline_in(1000)) < 0 ||
	    (data && frame_send(fd, FRAME_DATA, slice_of(data), deadline_in(1000)) < 0))
		perror(path);
}

static void read_inputs(const char *const (*inputs)[2], struct init_job *job)
{
	_cleanup_buf_ struct buf fields = buf_new(FRAME_JOB_MAX_BYTES);
	struct error err;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ||
	    field_add(&fields, "argv", slice_of("true")) < 0 ||
	    field_add(&fields, "cwd", slice_of(root)) < 0 ||
	    field_add_number(&fields, "wall_ms", 1) < 0 ||
	    frame_send(ends[0], FRAME_JOB, buf_slice(&fields), deadline_in(1000)) < 0)
		abort();
	for (; (*inputs)[0]; inputs++)
		send_input(ends[0], (*inputs)[0], (*inputs)[1]);
	if (frame_send(ends[0], FRAME_STDIN, slice_of("typed"), deadline_in(1000)) < 0 ||
	    frame_send(ends[0], FRAME_GO, slice_of(""), deadline_in(1000)) < 0)
		abort();

	struct frame_reader reader = frame_reader_new(ends[1]);

	*job = init_job_new();
	ok(init_job_read(&reader, job, deadline_in(10000), &err) == 0, "inputs are read");
	frame_reader_free(&reader);
	close(ends[0]);
	close(ends[1]);
}

static void test_inputs(bool walk)
{
	static const char *const good[][2] = {
		{"a", "1"}, {"b/c/d", "22"}, {"b/e", NULL}, {NULL, NULL}};
	static const char *const nested[][2] = {{"f", "1"}, {"f/g", "2"}, {NULL, NULL}};
	static const char *const twice[][2] = {{"h", "1"}, {"h", "2"}, {NULL, NULL}};
	static const char *const through[][2] = {{"link/x", "1"}, {NULL, NULL}};
	struct init_job job;
	struct stat status;
	char text[8] = "";

	fs_force_walk(walk);
	read_inputs(good, &job);
	ok(!job.refused && job.input_count == 3, "three inputs");
	ok(init_job_input(&job, "b/c/d") && !init_job_input(&job, "b/c"), "are known");
	ok(read(job.stdin_fd, text, sizeof(text)) == 5 && strcmp(text, "typed") == 0,
	   "standard input is at its beginning");
	ok(fstatat(root_fd, "b/c/d", &status, 0) == 0 && status.st_size == 2 &&
		   (status.st_mode & 07777) == 0644,
	   "b/c/d is there, mode 0644");
	ok(fstatat(root_fd, "b/e", &status, 0) == 0 && status.st_size == 0, "b/e is empty");
	init_job_free(&job);
	read_inputs(nested, &job);
	ok(job.refused && strcmp(job.refusal.code, "input_failed") == 0, "a file under a file");
	init_job_free(&job);
	read_inputs(twice, &job);
	ok(job.refused && strcmp(job.refusal.code, "input_failed") == 0, "a file twice");
	init_job_free(&job);
	ok(symlinkat("/tmp", root_fd, "link") == 0, "a link in the working directory");
	read_inputs(through, &job);
	ok(job.refused && strcmp(job.refusal.code, "input_failed") == 0, "is not followed");
	init_job_free(&job);
	fs_force_walk(false);
	for (const char *const *name = (const char *const[]){"a", "b", "f", "h", "link", NULL};
	     *name; name++)
		ok(fs_remove_tree(root_fd, *name) == 0, "%s removed", *name);
}

int main(void)
{
	int folder = -1;

	if (!mkdtemp(root) || (root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	(void)umask(022);
	test_talks();
	test_inputs(false);
	test_inputs(true);
	folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok(fs_remove_tree(folder, root + strlen("/tmp/")) == 0, "nothing is left");
	close(folder);
	close(root_fd);
	return done();
}
