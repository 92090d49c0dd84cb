/*
 * Removing a tree that a hostile program left: deep, wide, unreadable, full of links. Once as
 * whoever runs the tests and, for root, once more as a user without rights, whom modes stop.
 */
#define SCRATCH_PARENT "/dev/shm" /* memory: a hundred thousand folders take too long on a disk */

#include "tap.h"
#include "util.h"

#include <sys/socket.h>
#include <sys/un.h>

#define DEEP_COUNT 100000
#define WIDE_COUNT 20000

/* Each step descends into a new folder; the path is far too long to be named. */
static void make_deep(const char *path, unsigned depth, mode_t mode)
{
	make_folder(path);

	int at = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (unsigned i = 0; i < depth; i++) {
		must(mkdirat(at, "d", 0700) == 0);

		int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		must(next >= 0 && fchmod(at, mode) == 0);
		close(at);
		at = next;
	}
	must(fchmod(at, mode) == 0);
	close(at);
}

static bool removes(const char *path)
{
	return fs_remove_tree(AT_FDCWD, path) == 0 && !exists(path);
}

static void test_simple(void)
{
	ok(removes(in_scratch("missing")), "what is not there is removed");
	write_file(in_scratch("file"), SLICE_LITERAL("x"));
	ok(removes(in_scratch("file")), "a file");
	make_folder(in_scratch("empty"));
	ok(removes(in_scratch("empty")), "an empty folder");
	make_folder(in_scratch("tree/a/b"));
	write_file(in_scratch("tree/a/file"), SLICE_LITERAL("x"));
	write_file(in_scratch("tree/a/b/.hidden"), SLICE_LITERAL("x"));
	ok(removes(in_scratch("tree")), "folders and files");

	_cleanup_close_ int here = open(scratch(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	make_folder(in_scratch("relative/a"));
	ok(fs_remove_tree(here, "relative") == 0 && !exists(in_scratch("relative")),
	   "beneath a folder that is open");
	ok(fs_remove_tree(-1, "relative") < 0 && errno == EBADF, "not beneath none");
}

static void test_links(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	make_folder(in_scratch("outside"));
	write_file(in_scratch("outside/kept"), SLICE_LITERAL("kept"));
	make_folder(in_scratch("links/sub"));
	must(symlink("../outside", in_scratch("links/relative")) == 0);
	must(symlink(in_scratch("outside"), in_scratch("links/sub/absolute")) == 0);
	must(symlink(in_scratch("outside/kept"), in_scratch("links/file")) == 0);
	must(symlink("..", in_scratch("links/sub/up")) == 0);
	must(symlink("dangling", in_scratch("links/dangling")) == 0);
	must(link(in_scratch("outside/kept"), in_scratch("links/hard")) == 0);
	must(mkfifo(in_scratch("links/fifo"), 0) == 0);

	_cleanup_close_ int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/links/socket", scratch());
	must(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
	ok(removes(in_scratch("links")), "links of every kind, a pipe and a socket");
	ok(file_is(in_scratch("outside/kept"), SLICE_LITERAL("kept")), "what they lead to stays");
	must(symlink("outside", in_scratch("top")) == 0);
	ok(removes(in_scratch("top")), "a link in the tree's own place is removed as a link");
	ok(file_is(in_scratch("outside/kept"), SLICE_LITERAL("kept")),
	   "again without what it leads to");
	must(removes(in_scratch("outside")));
}

static void test_modes(void)
{
	make_deep(in_scratch("modes"), 5, 0);
	ok(removes(in_scratch("modes")), "folders of mode 0000 within one another");
	make_deep(in_scratch("modes"), 80, 0);
	ok(removes(in_scratch("modes")), "deeper than descriptors are held, too");
	make_folder(in_scratch("modes/x"));
	write_file(in_scratch("modes/x/file"), SLICE_LITERAL("x"));
	must(chmod(in_scratch("modes/x/file"), 0) == 0 && chmod(in_scratch("modes/x"), 0400) == 0);
	must(chmod(in_scratch("modes"), 0500) == 0);
	ok(removes(in_scratch("modes")), "folders that may be read but not searched or written");
}

static void test_deep(void)
{
	make_deep(in_scratch("deep"), DEEP_COUNT, 0700);
	ok(removes(in_scratch("deep")), "%d nested folders", DEEP_COUNT);
}

static void test_branches(void)
{
	/* two branches that both go deeper than descriptors are held, and names like those the
	 * removal itself gives */
	make_deep(in_scratch("branch/a"), 100, 0700);
	make_deep(in_scratch("branch/b"), 100, 0700);
	for (unsigned i = 0; i < 200; i++)
		make_folder(in_scratch("branch/.moved-%d-%u/full", (int)getpid(), i));
	ok(removes(in_scratch("branch")),
	   "two deep branches, beside names that the removal would give");
}

static void test_wide(void)
{
	make_folder(in_scratch("wide/folder"));

	_cleanup_close_ int folder = open(in_scratch("wide"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[16];

	for (unsigned i = 0; i < WIDE_COUNT; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);

		int fd = openat(folder, name, O_WRONLY | O_CREAT | O_CLOEXEC, i % 2 ? 0600 : 0);

		must(fd >= 0);
		close(fd);
	}
	ok(removes(in_scratch("wide")), "%d files in one folder", WIDE_COUNT);
}

static void test_descriptors(void)
{
	int first = dup(STDIN_FILENO);

	close(first);
	make_deep(in_scratch("leak"), 100, 0700);
	must(removes(in_scratch("leak")));

	int next = dup(STDIN_FILENO);

	is_number(next, first, "no descriptor is left open");
	close(next);
}

int main(void)
{
	(void)scratch();
	test_deep();
	for (;;) {
		test_simple();
		test_links();
		test_modes();
		test_branches();
		test_wide();
		test_descriptors();
		if (geteuid() != 0)
			break;
		must(chown(scratch(), NOBODY_ID, NOBODY_ID) == 0);
		must(seteuid(NOBODY_ID) == 0);
		printf("# and now as uid %d\n", NOBODY_ID);
	}
	must(getuid() != 0 || seteuid(0) == 0);
	return done();
}
