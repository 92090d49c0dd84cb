/*
 * The safe file system: what may be a name, what is opened beneath a folder and what is not (by
 * openat2(2) and by the walk that stands in for it), and folders.
 */
#include "tap.h"
#include "util.h"

static void test_components(void)
{
	char name[JOB_NAME_MAX_BYTES + 2];
	unsigned refused = 0;

	memset(name, 'n', sizeof(name));
	ok(fs_is_component((struct slice){name, 1}), "one byte is a name");
	ok(fs_is_component((struct slice){name, JOB_NAME_MAX_BYTES}), "so are 255");
	ok(!fs_is_component((struct slice){name, JOB_NAME_MAX_BYTES + 1}), "not 256");
	ok(!fs_is_component(SLICE_LITERAL("")), "not nothing");
	ok(!fs_is_component(SLICE_LITERAL(".")), "not .");
	ok(!fs_is_component(SLICE_LITERAL("..")), "not ..");
	ok(fs_is_component(SLICE_LITERAL("...")), "but ...");
	ok(fs_is_component(SLICE_LITERAL(".x")) && fs_is_component(SLICE_LITERAL("x.")),
	   "and dots at an end");
	ok(fs_is_component(SLICE_LITERAL("-rf $(x) \"';&|\\ \xff\xc3\xbc")),
	   "any printable byte and all above ASCII");
	ok(!fs_is_component(SLICE_LITERAL("..\0")), "a NUL does not hide");
	for (int byte = 0; byte < 256; byte++)
		refused += !fs_is_component((struct slice){(char[]){'x', (char)byte}, 2});
	is_number(refused, 32 + 1 + 1, "control bytes, DEL and the slash are refused, no other");
}

static void test_relative_paths(void)
{
	static const char *const bad[] = {"",     "/",      "/a",      "a/",     "a//b",
					  "./a",  "a/.",    "a/./b",   "..",     "../a",
					  "a/..", "a/../b", "a/../..", "a\nb/c", "//"};
	char path[JOB_PATH_MAX_BYTES + 2];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!fs_is_relative_path(slice_of(bad[i]), 16), "\"%.*s\" is no relative path",
		   (int)strcspn(bad[i], "\n"), bad[i]);
	ok(fs_is_relative_path(SLICE_LITERAL("a"), 1), "one component of at most one");
	ok(fs_is_relative_path(SLICE_LITERAL("a/b/c"), 3), "three of at most three");
	ok(!fs_is_relative_path(SLICE_LITERAL("a/b/c"), 2), "not three of at most two");
	ok(!fs_is_relative_path(SLICE_LITERAL("a"), 0), "none of at most none");
	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = i % 100 == 99 ? '/' : 'p';
	ok(fs_is_relative_path((struct slice){path, JOB_PATH_MAX_BYTES}, 99), "the longest path");
	ok(!fs_is_relative_path((struct slice){path, JOB_PATH_MAX_BYTES + 1}, 99),
	   "and one byte more");
}

/* A folder to stay beneath, with links that lead out of it. */
static int make_tree(void)
{
	make_folder(in_scratch("tree/sub/deep"));
	make_folder(in_scratch("outside"));
	write_file(in_scratch("tree/sub/deep/file"), SLICE_LITERAL("inside"));
	write_file(in_scratch("outside/secret"), SLICE_LITERAL("secret"));
	must(symlink("../outside", in_scratch("tree/out")) == 0);
	must(symlink(in_scratch("outside"), in_scratch("tree/absolute")) == 0);
	must(symlink("../../outside/secret", in_scratch("tree/sub/link")) == 0);
	must(symlink("deep", in_scratch("tree/sub/within")) == 0);
	must(symlink("nowhere", in_scratch("tree/dangling")) == 0);
	must(symlink("loop", in_scratch("tree/loop")) == 0);

	int tree = open(in_scratch("tree"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	must(tree >= 0);
	return tree;
}

struct attempt {
	const char *path;
	int flags, number, other; /* errno wanted; or other, where the two ways differ */
};

static const struct attempt attempts[] = {
	{"..", O_RDONLY, EXDEV, 0},
	{"../outside/secret", O_RDONLY, EXDEV, 0},
	{"sub/../../outside/secret", O_RDONLY, EXDEV, 0},
	{"/etc/passwd", O_RDONLY, EXDEV, 0},
	{"/", O_RDONLY, EXDEV, 0},
	{"out/secret", O_RDONLY, ELOOP, 0},
	{"absolute/secret", O_RDONLY, ELOOP, 0},
	{"out", O_RDONLY, ELOOP, 0},
	{"out", O_RDONLY | O_DIRECTORY, ELOOP, 0},
	{"out", O_PATH, ELOOP, 0},
	{"out", O_PATH | O_DIRECTORY, ELOOP, 0},
	{"sub/link", O_RDONLY, ELOOP, 0},
	{"sub/link", O_PATH, ELOOP, 0},
	{"sub/link", O_WRONLY | O_CREAT, ELOOP, 0},
	{"sub/link", O_WRONLY | O_CREAT | O_EXCL, EEXIST, ELOOP},
	{"sub/within", O_RDONLY, ELOOP, 0},
	{"sub/within/file", O_RDONLY, ELOOP, 0},
	{"dangling", O_WRONLY | O_CREAT, ELOOP, 0},
	{"loop", O_RDONLY, ELOOP, 0},
	{"loop/x", O_RDONLY, ELOOP, 0},
	{"sub/deep/missing", O_RDONLY, ENOENT, 0},
	{"missing/file", O_RDONLY, ENOENT, 0},
	{"sub/deep/file/x", O_RDONLY, ENOTDIR, 0},
	{"sub/deep/file", O_RDONLY | O_DIRECTORY, ENOTDIR, 0},
	{"sub/deep/file", O_WRONLY | O_CREAT | O_EXCL, EEXIST, 0},
	{"", O_RDONLY, ENOENT, EXDEV},
};

static void test_refused(int tree, const char *way)
{
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		const struct attempt *attempt = &attempts[i];
		int fd = fs_open_beneath(tree, attempt->path, attempt->flags, 0600);
		int number = fd < 0 ? errno : 0;

		if (fd >= 0)
			close(fd);
		ok(number && (number == attempt->number || number == attempt->other),
		   "%s: \"%s\" (flags %o): %s", way, attempt->path, (unsigned)attempt->flags,
		   strerror(number));
	}
	ok(file_is(in_scratch("outside/secret"), SLICE_LITERAL("secret")) &&
		   count_entries(in_scratch("outside")) == 1,
	   "%s: nothing changed outside", way);
}

static void test_opened(int tree, const char *way)
{
	_cleanup_close_ int file = fs_open_beneath(tree, "sub/deep/file", O_RDONLY, 0);
	_cleanup_close_ int folder = fs_open_beneath(tree, "sub", O_RDONLY | O_DIRECTORY, 0);
	_cleanup_close_ int made =
		fs_open_beneath(tree, "sub/made", O_WRONLY | O_CREAT | O_EXCL, 0640);
	char text[16] = "";
	struct stat status;

	ok(file >= 0 && read(file, text, sizeof(text)) == 6 && strcmp(text, "inside") == 0,
	   "%s: a file beneath is opened", way);
	ok(fcntl(file, F_GETFD) & FD_CLOEXEC, "%s: and closed by exec", way);
	ok(folder >= 0 && fstat(folder, &status) == 0 && S_ISDIR(status.st_mode),
	   "%s: so is a folder", way);
	ok(made >= 0 && fstat(made, &status) == 0 && (status.st_mode & 07777) == 0640,
	   "%s: a file is made with its mode", way);
	ok(unlinkat(tree, "sub/made", 0) == 0, "%s: where it should be", way);
}

/* In a child with mounts of its own: a tmpfs below the folder must not be entered. */
static int cross_mount(void *context)
{
	int result = 0;

	(void)context;
	if (!own_mounts() || mount("none", in_scratch("tree/mounted"), "tmpfs", 0, "size=64k") < 0)
		return 77;

	/* opened here: a descriptor from before shows the mounts from before */
	int tree = open(in_scratch("tree"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	must(tree >= 0);
	write_file(in_scratch("tree/mounted/old"), SLICE_LITERAL("old"));
	make_folder(in_scratch("tree/mounted/folder"));
	for (int walk = 0; walk < 2; walk++) {
		static const char *const paths[] = {"mounted/old", "mounted/new",
						    "mounted/folder/new", "mounted"};

		fs_force_walk(walk);
		for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
			int flags = i == 3 ? O_RDONLY | O_DIRECTORY : O_WRONLY | O_CREAT | O_TRUNC;

			if (fs_open_beneath(tree, paths[i], flags, 0600) >= 0 || errno != EXDEV)
				result |= 1;
		}
	}
	if (!file_is(in_scratch("tree/mounted/old"), SLICE_LITERAL("old")))
		result |= 2;
	if (exists(in_scratch("tree/mounted/new")) || exists(in_scratch("tree/mounted/folder/new")))
		result |= 4;
	return result;
}

static void test_mount(void)
{
	make_folder(in_scratch("tree/mounted"));

	int result = in_child(cross_mount, NULL);

	if (result == 77) {
		ok(true, "a mount is not crossed # skip nobody may mount here");
		return;
	}
	ok(!(result & 1), "a mount is not crossed, by either way");
	ok(!(result & 2), "a file beyond it is not even truncated");
	ok(!(result & 4), "and none is made there");
}

static void test_make_parents(int tree, const char *way)
{
	static const struct {
		const char *path;
		int number; /* 0: made */
	} rows[] = {
		{"new/one/two/file", 0},      {"new/one/two/again", 0}, {"file", 0},
		{"sub/deep/file/x", ENOTDIR}, {"out/made/x", ELOOP},    {"../made/x", EXDEV},
		{"new/../../made/x", EXDEV},  {"dangling/x", ELOOP},    {"/made/x", ENOENT},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int made = fs_make_parents(tree, rows[i].path, 0750);
		int number = made < 0 ? errno : 0;

		ok(number == rows[i].number, "%s: parents of \"%s\": %s", way, rows[i].path,
		   strerror(number));
	}
	ok(exists(in_scratch("tree/new/one/two")) && !exists(in_scratch("tree/new/one/two/file")),
	   "%s: the parents are made and the path itself is not", way);
	ok(!exists(in_scratch("made")) && !exists(in_scratch("outside/made")) && !exists("/made"),
	   "%s: nothing outside", way);
	must(fs_remove_tree(tree, "new") == 0);
}

static void test_open_or_make(void)
{
	const char *path = in_scratch("one/two/three");
	_cleanup_close_ int made = fs_open_or_make_dir(path, 0700);
	_cleanup_close_ int again = fs_open_or_make_dir(path, 0700);
	struct stat first = {0}, second = {0};
	char longest[PATH_MAX + 1];

	ok(made >= 0 && fstat(made, &first) == 0 && (first.st_mode & 0777) == 0700,
	   "a folder and its parents are made");
	ok(again >= 0 && fstat(again, &second) == 0 && first.st_ino == second.st_ino,
	   "or opened when they are there");
	ok(fcntl(made, F_GETFD) & FD_CLOEXEC, "closed by exec");
	write_file(in_scratch("one/file"), SLICE_LITERAL(""));
	ok(fs_open_or_make_dir(in_scratch("one/file"), 0700) < 0 && errno == ENOTDIR,
	   "a file in its place is refused");
	ok(fs_open_or_make_dir(in_scratch("one/file/below"), 0700) < 0 && errno == ENOTDIR,
	   "so is one in a parent's place");

	_cleanup_close_ int slashes = fs_open_or_make_dir(in_scratch("slash//es///"), 0700);

	ok(slashes >= 0 && exists(in_scratch("slash/es")), "slashes may be doubled");
	memset(longest, 'x', PATH_MAX);
	longest[0] = '/';
	longest[PATH_MAX] = '\0';
	ok(fs_open_or_make_dir(longest, 0700) < 0 && errno == ENAMETOOLONG,
	   "a path that is too long is refused");
}

int main(void)
{
	test_components();
	test_relative_paths();

	int tree = make_tree();

	for (int walk = 0; walk < 2; walk++) {
		const char *way = walk ? "walk" : "openat2";

		fs_force_walk(walk);
		test_refused(tree, way);
		test_opened(tree, way);
		test_make_parents(tree, way);
	}
	fs_force_walk(false);
	test_mount();
	test_open_or_make();
	close(tree);
	return done();
}
