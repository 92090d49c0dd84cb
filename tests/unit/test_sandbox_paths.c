/* api/sandbox/paths.h: every message of src/api/sandbox/README.md, what is left of a good path, the
   limits of sizes. */
#include "tap.h"

#include "api/sandbox/paths.h"

static struct error err;

static void refused(struct slice path, const char *message)
{
	char out[SANDBOX_PATH_BYTES] = "untouched";

	is_number(sandbox_path(path, out, &err), -1, "\"%.*s\" is refused", (int)path.len,
		  path.data);
	is_text(err.message, message, "with its message");
	is_number(err.status, 400, "as the caller's mistake");
	is_text(out, "untouched", "and nothing is written");
}

static void taken(const char *path, const char *as)
{
	char out[SANDBOX_PATH_BYTES] = "";

	is_number(sandbox_path(slice_of(path), out, &err), 0, "\"%s\" is taken", path);
	is_text(out, as, "as %s", as);
}

static void test_messages(void)
{
	refused(SLICE_LITERAL(""), "Empty path");
	refused(SLICE_LITERAL("."), "Empty path");
	refused(SLICE_LITERAL("./"), "Empty path");
	refused(SLICE_LITERAL("a\0b"), "Path contains null bytes");
	refused(SLICE_LITERAL(".."), "Path traversal detected: ..");
	refused(SLICE_LITERAL("../etc/passwd"), "Path traversal detected: ../etc/passwd");
	refused(SLICE_LITERAL("a/../../b"), "Path traversal detected: a/../../b");
	refused(SLICE_LITERAL("a/.."), "Path traversal detected: a/..");
	refused(SLICE_LITERAL("/../x"), "Path traversal detected: /../x");
	refused(SLICE_LITERAL("/etc/passwd"), "Absolute paths not allowed: /etc/passwd");
	refused(SLICE_LITERAL("/"), "Absolute paths not allowed: /");
	refused(SLICE_LITERAL("a b.txt"), "Invalid characters in path component: a b.txt");
	refused(SLICE_LITERAL("ok/we;rd/x"), "Invalid characters in path component: we;rd");
	refused(SLICE_LITERAL("..\\x"), "Invalid characters in path component: ..\\x");
	refused(SLICE_LITERAL("a\nb"), "Invalid characters in path component: a\nb");
	refused(SLICE_LITERAL("$(id)"), "Invalid characters in path component: $(id)");
}

static void test_extensions(void)
{
	static const char *const extensions[] = {".exe",  ".dll", ".so",  ".dylib", ".sh",
						 ".bash", ".zsh", ".pyo", ".pyc"};

	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
		char path[64], message[128];

		(void)snprintf(path, sizeof(path), "d/run%s", extensions[i]);
		(void)snprintf(message, sizeof(message), "Dangerous file extension not allowed: %s",
			       extensions[i]);
		refused(slice_of(path), message);
	}
	refused(SLICE_LITERAL("RUN.SH"), "Dangerous file extension not allowed: .sh");
	refused(SLICE_LITERAL("a.tar.so"), "Dangerous file extension not allowed: .so");
	taken("a.sh.txt", "a.sh.txt");
	taken("sh", "sh");
	taken("x.sh/y", "x.sh/y");
	is_number(sandbox_session_path(SLICE_LITERAL("a.sh"), (char[SANDBOX_PATH_BYTES]){""}, &err),
		  0, "what a program made may be called anything");
}

/* In files of /execute letters and digits of any script; in a session any name. */
static void test_scripts(void)
{
	static const struct {
		const char *name;
		bool is_plain;
	} rows[] = {
		{"r\u00e9sum\u00e9.pdf", true},
		{"re\u0301sume\u0301.pdf", true},
		{"\u6570.csv", true},
		{"\u0434\u0430\u043d\u043d\u044b\u0435_1.txt", true},
		{"\u0627\u0644\u0639\u0631\u0628\u064a\u0629", true},
		{"\u0e44\u0e17\u0e22", true},
		{"\U00020000", true},
		{".env", true},
		{"report (1).pdf", false},
		{"r\u00e9sum\u00e9 1.pdf", false},
		{"a\u00a0b", false},
		{"a\u3000b", false},
		{"\u202egpj.exe.txt", false},
		{"\u2603.txt", false},
		{"\U0001f600.txt", false},
		{"a\uff0fb", false},
		{"\xff.txt", false},
		{"a\\b", false},
	};
	char out[SANDBOX_PATH_BYTES];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		is_number(sandbox_path(slice_of(rows[i].name), out, &err),
			  rows[i].is_plain ? 0 : -1, "\"%s\"", rows[i].name);
		is_number(sandbox_session_path(slice_of(rows[i].name), out, &err), 0,
			  "in a session: \"%s\"", rows[i].name);
		is_text(out, rows[i].name, "as it is");
	}
	is_number(sandbox_session_path(SLICE_LITERAL("a\nb"), out, &err), -1,
		  "but for control characters");
	is_text(err.code, "path_characters", "by its code");
}

static void test_good(void)
{
	taken("a", "a");
	taken(".hidden", ".hidden");
	taken("a-b_c.D9", "a-b_c.D9");
	taken("a/b/c.txt", "a/b/c.txt");
	taken("./a//b/./c", "a/b/c");
	taken("dir/", "dir");
	taken("a..b", "a..b");
	taken("...", "...");
}

static void test_lengths(void)
{
	char path[4096], out[SANDBOX_PATH_BYTES];

	memset(path, 'a', sizeof(path));
	is_number(sandbox_path((struct slice){path, JOB_NAME_MAX_BYTES}, out, &err), 0,
		  "the longest component");
	is_number(sandbox_path((struct slice){path, JOB_NAME_MAX_BYTES + 1}, out, &err), -1,
		  "one byte more is refused");
	for (size_t i = 100; i < sizeof(path); i += 101)
		path[i] = '/';
	is_number(sandbox_path((struct slice){path, JOB_PATH_MAX_BYTES}, out, &err), 0,
		  "the longest path");
	is_number(strlen(out), JOB_PATH_MAX_BYTES, "is kept whole");
	is_number(sandbox_path((struct slice){path, JOB_PATH_MAX_BYTES + 1}, out, &err), -1,
		  "one byte more is refused");
	is_number(sandbox_path((struct slice){path, sizeof(path)}, out, &err), -1,
		  "much more, too");
	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = i % 2 ? '/' : 'a';
	is_number(sandbox_path((struct slice){path, JOB_ARTIFACT_DEPTH_MAX * 2 - 1}, out, &err), 0,
		  "the deepest path");
	is_number(sandbox_path((struct slice){path, JOB_ARTIFACT_DEPTH_MAX * 2 + 1}, out, &err), -1,
		  "one folder more is refused");
}

static void test_sizes(void)
{
	uint64_t total = 0;

	is_number(sandbox_add_size(10485760, SANDBOX_FILE_MAX_BYTES, &total, &err), 0,
		  "10 MiB are taken");
	is_number(sandbox_add_size(10485761, SANDBOX_FILE_MAX_BYTES, &total, &err), -1,
		  "one byte more is refused");
	is_text(err.message, "File size 10485761 exceeds limit 10485760", "with its message");
	for (unsigned i = 1; i < 10; i++)
		(void)!sandbox_add_size(10485760, SANDBOX_FILE_MAX_BYTES, &total, &err);
	is_number(total, 104857600, "ten of them are 100 MiB");
	is_number(sandbox_add_size(0, SANDBOX_FILE_MAX_BYTES, &total, &err), 0,
		  "an empty one fits");
	is_number(sandbox_add_size(1, SANDBOX_FILE_MAX_BYTES, &total, &err), -1, "a byte does not");
	is_text(err.message, "Total storage would exceed limit 104857600", "with its message");
}

int main(void)
{
	test_messages();
	test_extensions();
	test_scripts();
	test_good();
	test_lengths();
	test_sizes();
	return done();
}
