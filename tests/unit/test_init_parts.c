/* mayfly-init's parts that need no process of their own: cgroup counters, the control socket, what
   comes before GO, close-on-exec. */
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
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[] = "/tmp/mayfly-init-parts-XXXXXX";
static int root_fd;

static void put(const char *path, const char *text)
{
	_cleanup_close_ int fd = -1;

	if (fs_make_parents(root_fd, path, 0755) == 0)
		fd = fs_open_beneath(root_fd, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || io_write_all(fd, text, strlen(text)) < 0)
		perror(path);
}

/* --- cgroup ------------------------------------------------------------------------------------*/

#define V1_MEMORY "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"
#define V2_EVENTS "memory.events", "low 0\noom 9\noom_kill 4\noom_group_kill 0\n"

static const struct {
	const char *what, *membership;
	const char *files[4][3];                                /* folder, name, contents */
	long long cpu_us, oom_kills, peak_bytes, current_bytes; /* -1: not counted */
} cgroups[] = {
	{"v1, bind mounts",
	 "9:name=systemd:/lib/x\n4:memory:/lib/x\n2:cpuacct:/lib/x\n0::/\n",
	 {{"cpuacct", "cpuacct.usage", "5000999\n"},
	  {"memory", V1_MEMORY},
	  {"memory", "memory.max_usage_in_bytes", "4096\n"},
	  {"memory", "memory.usage_in_bytes", "2048\n"}},
	 5000,
	 3,
	 4096,
	 2048},
	{"v1, joined controllers, whole tree",
	 "4:cpu,cpuacct:/lib/x\n5:memory:/lib/x\n",
	 {{"cpu,cpuacct/lib/x", "cpuacct.usage", "7000\n"}, {"memory/lib/x", V1_MEMORY}},
	 7,
	 3,
	 -1,
	 -1},
	{"v2, a namespace of its own",
	 "0::/\n",
	 {{".", "cpu.stat", "nr_periods 0\nusage_usec 12\nuser_usec 5\n"},
	  {".", V2_EVENTS},
	  {".", "memory.peak", "77\n"},
	  {".", "memory.current", "70\n"}},
	 12,
	 4,
	 77,
	 70},
	{"v2, the host's namespace",
	 "0::/user.slice/x.scope\n",
	 {{"user.slice/x.scope", "cpu.stat", "usage_usec 13\n"},
	  {".", "cpu.stat", "usage_usec 99\n"}},
	 13,
	 -1,
	 -1,
	 -1},
	{"nothing", "0::/\n", {{0}}, -1, -1, -1, -1},
	{"rubbish", "x\n::\n", {{".", "cpu.stat", "usage_usec -1\n"}}, -1, -1, -1, -1},
	{"rubbish where a number should be",
	 "0::/\n",
	 {{".", "cpu.stat", "usage_usec\nusage_usec x\n"}, {".", "memory.peak", ""}},
	 -1,
	 -1,
	 -1,
	 -1},
};

static long long counted(const struct init_counter *counter)
{
	uint64_t value;

	return init_counter_read(counter, &value) ? (long long)value : -1;
}

static void test_cgroup(void)
{
	for (size_t i = 0; i < sizeof(cgroups) / sizeof(cgroups[0]); i++) {
		struct init_cgroup cgroup;
		char folder[32], path[256];

		snprintf(folder, sizeof(folder), "cgroup%zu", i);
		for (size_t file = 0; file < 4 && cgroups[i].files[file][0]; file++) {
			const char *const *row = cgroups[i].files[file];
			const char *inner = strcmp(row[0], ".") == 0 ? "" : row[0];

			snprintf(path, sizeof(path), "%s/%s%s%s", folder, inner, *inner ? "/" : "",
				 row[1]);
			put(path, row[2]);
		}

		_cleanup_close_ int fd = openat(root_fd, folder, O_PATH | O_CLOEXEC);

		init_cgroup_open(fd, cgroups[i].membership, &cgroup);
		is_number(counted(&cgroup.cpu_us), cgroups[i].cpu_us, "%s: CPU", cgroups[i].what);
		is_number(counted(&cgroup.oom_kills), cgroups[i].oom_kills, "%s: OOM kills",
			  cgroups[i].what);
		is_number(counted(&cgroup.peak_bytes), cgroups[i].peak_bytes, "%s: peak",
			  cgroups[i].what);
		is_number(counted(&cgroup.current_bytes), cgroups[i].current_bytes, "%s: current",
			  cgroups[i].what);
		init_cgroup_close(&cgroup);
		is_number(cgroup.cpu_us.fd, -1, "%s: closed", cgroups[i].what);
	}
}

/* --- The control socket ------------------------------------------------------------------------*/

/* -1 with errno when nobody listens. */
static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -1
										   : steal_fd(&fd);
}

static void test_control(void)
{
	char name[256], before[256], byte;
	struct stat status = {0};
	struct error err;
	int stranger = -1, ready[2];
	int listener = init_control_listen(root, &err);

	snprintf(name, sizeof(name), "%s/%s", root, CONTROL_NAME);
	snprintf(before, sizeof(before), "%s/%s", root, CONTROL_NAME_NEW);
	ok(listener >= 0 && stat(name, &status) == 0 && S_ISSOCK(status.st_mode),
	   "the socket has its name");
	is_number(status.st_mode & 0777, 0777, "any user may connect");
	ok(stat(before, &status) < 0, "and the name it was bound to is gone");
	ok(fcntl(listener, F_GETFD) == FD_CLOEXEC, "close-on-exec");

	if (pipe2(ready, O_CLOEXEC) < 0)
		abort();

	pid_t pid = fork();

	if (pid == 0) {
		int fd = connect_to(name);

		if (write(ready[1], "r", 1) != 1)
			_exit(2);
		_exit(read(fd, &byte, 1) == 0 ? 0 : 1);
	}
	ok(read(ready[0], &byte, 1) == 1, "another process connects first");

	_cleanup_close_ int mine = connect_to(name);
	_cleanup_close_ int accepted =
		init_control_accept(listener, getpid(), deadline_in(10000), &err);

	ok(accepted >= 0 && write(mine, "x", 1) == 1 && read(accepted, &byte, 1) == 1,
	   "the one that is asked for is accepted");
	ok(fcntl(accepted, F_GETFD) == FD_CLOEXEC, "close-on-exec");
	ok(waitpid(pid, &stranger, 0) == pid && stranger == 0, "the other was closed");
	ok(init_control_accept(listener, 0, deadline_in(10), &err) == -1 &&
		   strcmp(err.code, "no_job") == 0,
	   "nobody comes: no_job at the deadline");
	ok(connect_to(name) == -1 && errno == ECONNREFUSED, "then nobody can come any more");
	ok(init_control_listen("/nonexistent", &err) == -1 &&
		   strcmp(err.code, "control_listen") == 0,
	   "no folder: control_listen");
	close(listener);
	close(ready[0]);
	close(ready[1]);
}

/* --- Before GO ---------------------------------------------------------------------------------*/

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

/* --- Inputs ------------------------------------------------------------------------------------*/

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
	ok(init_job_is_input(&job, "b/c/d") && !init_job_is_input(&job, "b/c"), "are known");
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

static void test_close_on_exec(bool walk)
{
	int low = fcntl(STDIN_FILENO, F_DUPFD, 100), high = fcntl(STDIN_FILENO, F_DUPFD, 200);

	init_close_on_exec_from((unsigned)low + 1, walk);
	ok(fcntl(low, F_GETFD) == 0, "below the first: untouched");
	ok(fcntl(high, F_GETFD) == FD_CLOEXEC, "above: close-on-exec, %s",
	   walk ? "one by one" : "all at once");
	close(low);
	close(high);
}

int main(void)
{
	int folder = -1;

	if (!mkdtemp(root) || (root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	(void)umask(022);
	test_cgroup();
	test_control();
	test_talks();
	test_inputs(false);
	test_inputs(true);
	test_close_on_exec(false);
	test_close_on_exec(true);
	folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok(fs_remove_tree(folder, root + strlen("/tmp/")) == 0, "nothing is left");
	close(folder);
	close(root_fd);
	return done();
}
