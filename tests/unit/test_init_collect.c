/* What mayfly-init sends of the files a program left: row F of tests/attack/README.md, and the
   caps. */
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

#define NAME_255                                                                                   \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"                         \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"                         \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"                         \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"
#define DEEP_14 "d/d/d/d/d/d/d/d/d/d/d/d/d/d"

static char root[] = "/tmp/mayfly-init-collect-XXXXXX";
static int root_fd = -1;

/* A new, empty working directory. */
static void begin(void)
{
	memcpy(root + strlen(root) - 6, "XXXXXX", 6);
	if (!mkdtemp(root) || (root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
}

static void end(void)
{
	_cleanup_close_ int folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	close(root_fd);
	ok(fs_remove_tree(folder, root + strlen("/tmp/")) == 0, "the folder is deletable");
}

static void put_sized(const char *path, mode_t mode, off_t size)
{
	_cleanup_close_ int fd = -1;

	if (fs_make_parents(root_fd, path, 0755) == 0)
		fd = openat(root_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, path, 1) != 1 || ftruncate(fd, size) < 0 || fchmod(fd, mode) < 0)
		perror(path);
}

static void put(const char *path)
{
	put_sized(path, 0644, 1);
}

/* What was sent up, as text: "F path (size)\n", "S path\n". */
static struct buf listing;

static void listen_to(int fd)
{
	struct frame_reader reader = frame_reader_new(fd);
	struct frame frame;
	struct error err;
	size_t size = 0;
	bool in_file = false;

	listing = buf_new(4 * MIB);
	while (frame_read(&reader, &frame, deadline_in(60000), &err) == 0) {
		int failed = 0;

		if (frame.type == FRAME_DATA) {
			size += frame.payload.len;
			continue;
		}
		if (in_file)
			failed |= buf_printf(&listing, " (%zu)\n", size);
		size = 0;
		in_file = frame.type == FRAME_FILE;
		if (frame.type != FRAME_END)
			failed |= buf_printf(&listing, "%c %.*s%s", frame.type,
					     (int)frame.payload.len, frame.payload.data,
					     in_file ? "" : "\n");
		if (failed)
			abort();
	}
	frame_reader_free(&reader);
}

/* When the job began: before that no input was changed. */
static struct timespec started = {.tv_sec = INT64_MAX};

/* Collects in a process of its own, as init would, and lists what comes. The input was "ab". */
static void collect(uint64_t count, uint64_t bytes, uint64_t total, const char *input)
{
	static struct init_space space;
	struct init_job job = init_job_new();
	struct error err = {0};
	int ends[2], status = -1;

	job.artifact_count = count;
	job.artifact_bytes = bytes;
	job.artifacts_bytes = total;
	job.cwd_fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
	job.started = started;
	job.given[0] = (struct init_input){2, init_hash(INIT_HASH_EMPTY, SLICE_LITERAL("ab"))};
	job.input_count = input != NULL;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ||
	    (input && buf_append(&job.inputs, input, strlen(input) + 1) < 0))
		abort();

	pid_t pid = fork();

	if (pid == 0) {
		int result = init_collect(&job, ends[1], &space, deadline_in(60000), &err);

		if (frame_send(ends[1], FRAME_END, slice_of(""), deadline_in(1000)) < 0)
			result = -1;
		_exit(result ? 1 : 0);
	}
	close(ends[1]);
	listen_to(ends[0]);
	close(ends[0]);
	ok(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "collecting ends well");
	init_job_free(&job);
}

static void expect(const char *text, const char *what)
{
	is_text(buf_slice(&listing).data, text, "%s", what);
	buf_free(&listing);
}

static void test_kinds(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	begin();
	put("z");
	put("a");
	put("sub/b");
	put("sub/input");
	put("input");
	put(".hidden");
	put_sized("mode0", 0, 1);
	put("locked/in");
	put("\xE2\x80\xAEgpj.exe");
	put("\xFF\xFE");
	put("-rf");
	put(NAME_255);
	ok(mkdirat(root_fd, "empty", 0755) == 0 && fchmodat(root_fd, "locked", 0, 0) == 0,
	   "folders empty and locked");
	ok(symlinkat("/etc/passwd", root_fd, "link") == 0 &&
		   symlinkat("nowhere", root_fd, "dangling") == 0 &&
		   symlinkat(".", root_fd, "loop") == 0 && symlinkat("/etc", root_fd, "dir") == 0,
	   "links");
	ok(mkfifoat(root_fd, "fifo", 0644) == 0, "a FIFO");
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", root);
	ok(bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0, "a socket");
	put_sized("sparse", 0644, (off_t)1 << 40);
	put_sized("large", 0644, 300000);

	collect(100, MIB, 2 * MIB, "input");
	expect("F -rf (1)\nF .hidden (1)\nF " NAME_255 " (1)\nF a (1)\nS dangling\nS dir\nS fifo\n"
	       "F large (300000)\nS link\nS loop\nF mode0 (1)\nS socket\nS sparse\nF z (1)\n"
	       "F \xE2\x80\xAEgpj.exe (1)\nF \xFF\xFE (1)\nF locked/in (1)\nF sub/b (1)\n"
	       "F sub/input (1)\n",
	       "files by name, then folders by name; only the one input is left out");
	end();
}

static void write_input(const char *bytes)
{
	_cleanup_close_ int fd =
		openat(root_fd, "input", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, bytes, strlen(bytes)) != (ssize_t)strlen(bytes))
		perror(bytes);
}

static void test_changed_inputs(void)
{
	static const struct {
		const char *what, *bytes, *expected; /* bytes NULL: the input is gone */
	} rows[] = {
		{"the same bytes, written again", "ab", ""},
		{"appended to", "abc", "F input (3)\n"},
		{"of the same size", "aB", "F input (2)\n"},
		{"emptied", "", "F input (0)\n"},
		{"gone", NULL, ""},
	};

	started.tv_sec = 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin();
		if (rows[i].bytes)
			write_input(rows[i].bytes);
		collect(100, MIB, MIB, "input");
		expect(rows[i].expected, rows[i].what);
		collect(1, 0, 0, "input");
		expect(!*rows[i].expected ? ""
		       : !*rows[i].bytes  ? rows[i].expected
					  : "S input\n",
		       "past a cap only what was changed is named");
		end();
	}
	begin();
	ok(symlinkat("/etc/passwd", root_fd, "input") == 0, "a link in its place");
	collect(100, MIB, MIB, "input");
	expect("S input\n", "is none of ours");
	end();
	begin();
	write_input("abc");
	started.tv_sec = INT64_MAX;
	collect(100, MIB, MIB, "input");
	expect("", "what was not touched since the job began is not read");
	end();
}

static void test_bad_names(void)
{
	begin();
	put("new\nline");
	put("esc\x1b[31m");
	put("folder\t/inside");
	collect(100, MIB, MIB, NULL);
	expect("S esc?[31m\nS new?line\nS folder?\n", "names with control bytes are cleaned");
	end();
}

static void test_depth(void)
{
	char path[PATH_MAX];

	begin();
	put(DEEP_14 "/d/in");
	put(DEEP_14 "/d/d/out");
	collect(100, MIB, MIB, NULL);
	expect("F " DEEP_14 "/d/in (1)\nS " DEEP_14 "/d/d\n", "16 components and no more");
	end();

	begin();
	snprintf(path, sizeof(path), "%s/%s/%s/%s/file", NAME_255, NAME_255, NAME_255, NAME_255);
	put(path);
	collect(100, MIB, MIB, NULL);
	path[JOB_PATH_MAX_BYTES] = '\0';
	ok(listing.len == strlen(path) + 3 && strncmp(listing.data + 2, path, strlen(path)) == 0,
	   "a path longer than JOB_PATH_MAX_BYTES is skipped, and cut there");
	buf_free(&listing);
	end();
}

/* As deep as a program can go: by chdir, for no path is long enough. */
static void test_nested(void)
{
	int status = -1;

	begin();

	pid_t pid = fork();

	if (pid == 0) {
		if (fchdir(root_fd) < 0)
			_exit(1);
		for (int i = 0; i < 2000; i++)
			if (mkdir("d", 0755) < 0 || chdir("d") < 0)
				_exit(1);
		_exit(0);
	}
	ok(waitpid(pid, &status, 0) == pid && status == 0, "2000 folders in each other");
	collect(100, MIB, MIB, NULL);
	expect("S " DEEP_14 "/d/d\n", "end at the cap, without a name for each");
	end();
}

static void test_caps(void)
{
	char name[32];

	begin();
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		put_sized(name, 0644, 100 + i);
	}
	collect(3, MIB, MIB, NULL);
	expect("F f0 (100)\nF f1 (101)\nF f2 (102)\nS " CONTROL_SKIPPED_MORE "\n",
	       "a cap on count");
	collect(8, MIB, MIB, "f7");
	ok(!strstr(listing.data, CONTROL_SKIPPED_MORE), "a count just reached is not passed");
	buf_free(&listing);
	collect(100, 101, MIB, NULL);
	expect("F f0 (100)\nF f1 (101)\nS f2\nS f3\nS f4\nS f5\nS f6\nS f7\n", "a cap on each");
	collect(100, MIB, 305, NULL);
	expect("F f0 (100)\nF f1 (101)\nF f2 (102)\nS f3\nS f4\nS f5\nS f6\nS f7\n",
	       "a cap on all");
	collect(0, MIB, MIB, NULL);
	expect("", "a count of 0: not even looked at");
	end();
}

static unsigned count_lines(char first)
{
	unsigned count = 0;

	for (const char *line = buf_slice(&listing).data; *line; line = strchr(line, '\n') + 1)
		count += *line == first;
	return count;
}

static void test_crowds(void)
{
	static const char last[] = "S " CONTROL_SKIPPED_MORE "\n";
	char name[300];

	begin();
	for (int i = 0; i < JOB_SKIPPED_MAX_COUNT + 10; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		if (symlinkat("x", root_fd, name) < 0)
			perror(name);
	}
	put("z");
	collect(100, MIB, MIB, NULL);
	is_number(count_lines('S'), JOB_SKIPPED_MAX_COUNT + 1, "a cap on what is named");
	is_number(count_lines('F'), 1, "behind it files are still found");
	is_text(listing.data + listing.len - (sizeof(last) - 1), last,
		"and it says that there is more");
	buf_free(&listing);
	end();

	begin();
	for (int i = 0; i < JOB_ARTIFACT_SCAN_MAX + 10; i++) {
		snprintf(name, sizeof(name), "%d", i);
		if (mknodat(root_fd, name, S_IFREG | 0644, 0) < 0)
			perror(name);
	}
	collect(UINT32_MAX, MIB, MIB, NULL);
	is_number(count_lines('F'), JOB_ARTIFACT_SCAN_MAX, "a cap on entries looked at");
	is_text(listing.data + listing.len - (sizeof(last) - 1), last, "and it says so");
	buf_free(&listing);
	end();

	begin();
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "%0250d", i);
		if (mknodat(root_fd, name, S_IFREG | 0644, 0) < 0)
			perror(name);
	}
	collect(UINT32_MAX, MIB, MIB, NULL);
	is_number(count_lines('F'), COLLECT_NAMES_MAX_BYTES / 251, "a cap on names together");
	buf_free(&listing);
	end();
}

static void test_host_gone(void)
{
	static struct init_space space;
	struct init_job job = init_job_new();
	struct error err = {0};
	int ends[2];

	begin();
	put("a");
	job.artifact_count = job.artifact_bytes = job.artifacts_bytes = 10;
	job.cwd_fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		abort();
	close(ends[0]);
	ok(init_collect(&job, ends[1], &space, deadline_in(1000), &err) == -1 &&
		   strcmp(err.code, "host_gone") == 0,
	   "nobody listens: host_gone");
	close(ends[1]);
	init_job_free(&job);
	end();
}

int main(void)
{
	test_kinds();
	fs_force_walk(true);
	test_kinds();
	fs_force_walk(false);
	test_changed_inputs();
	test_bad_names();
	test_depth();
	test_nested();
	test_caps();
	test_crowds();
	test_host_gone();
	return done();
}
