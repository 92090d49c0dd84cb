/*
 * Results on disk: whole or not at all, whatever names a container sends, up to each cap and not
 * past it, and what happens when the disk is full.
 */
#include "store/storage.h"

#include "base/utf8.h"
#include "tap.h"
#include "util.h"

static struct config config;
static struct error err;

static struct storage open_storage(void)
{
	struct storage storage;

	must(storage_open(&config, &storage, &err) == 0);
	return storage;
}

static void put(struct storage *storage, const char *path, const char *data)
{
	must(storage_begin_file(storage, slice_of(path), &err) == 0 &&
	     storage_append_file(storage, slice_of(data), &err) == 0);
}

/* The relative paths in a list, with blanks between. */
static const char *listed(const struct buf *names)
{
	static char text[4096];
	size_t len = names->len < sizeof(text) ? names->len : 0;

	if (len)
		memcpy(text, names->data, len);
	for (size_t i = 0; i + 1 < len; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	text[len] = '\0';
	return text;
}

static const char *committed(struct storage *storage, const char *session)
{
	static char id[JOB_ID_LENGTH + 1];

	must(storage_commit(storage, session, id, &err) == 0);
	return id;
}

static void test_commit(void)
{
	struct storage storage = open_storage();

	ok(count_entries(in_scratch("storage")) == 1 &&
		   count_entries(in_scratch("storage/.incoming")) == 1,
	   "an open result is in .incoming and nowhere else");
	is_number(storage_put_input(&storage, "script.js", SLICE_LITERAL("code\0"), &err), 0,
		  "an input");
	is_number(storage_put_input(&storage, "sub/two/data", SLICE_LITERAL(""), &err), 0,
		  "an empty one in folders");
	is_number(storage_append_stream(&storage, false, SLICE_LITERAL("out"), &err), 0, "output");
	is_number(storage_append_stream(&storage, true, SLICE_LITERAL("error"), &err), 0, "errors");
	is_number(storage_append_stream(&storage, false, SLICE_LITERAL("\0put"), &err), 0,
		  "and more output");
	put(&storage, "result.txt", "one");
	must(storage_append_file(&storage, SLICE_LITERAL(", two"), &err) == 0);
	put(&storage, "deep/er/file", "deep");
	put(&storage, "empty", "");
	is_text(listed(&storage.names), "result.txt deep/er/file empty",
		"artifacts are listed in their order, inputs are not");
	is_number(storage.skipped.len, 0, "and nothing was skipped");

	const char *id = committed(&storage, "session 1");

	storage_close(&storage);
	ok(strlen(id) == JOB_ID_LENGTH, "an id of %d characters: %s", JOB_ID_LENGTH, id);
	ok(file_is(in_scratch("storage/session 1/job-%s/script.js", id), SLICE_LITERAL("code\0")),
	   "the input, byte for byte");
	ok(file_is(in_scratch("storage/session 1/job-%s/sub/two/data", id), SLICE_LITERAL("")),
	   "the empty input");
	ok(file_is(in_scratch("storage/session 1/job-%s/stdout", id), SLICE_LITERAL("out\0put")),
	   "stdout");
	ok(file_is(in_scratch("storage/session 1/job-%s/stderr", id), SLICE_LITERAL("error")),
	   "stderr");
	ok(file_is(in_scratch("storage/session 1/job-%s/result.txt", id),
		   SLICE_LITERAL("one, two")),
	   "an artifact in pieces");
	ok(file_is(in_scratch("storage/session 1/job-%s/deep/er/file", id), SLICE_LITERAL("deep")),
	   "one in folders");
	ok(file_is(in_scratch("storage/session 1/job-%s/empty", id), SLICE_LITERAL("")),
	   "an empty one");
	is_number(count_entries(in_scratch("storage/session 1/job-%s", id)), 7, "and nothing else");
	is_number(count_entries(in_scratch("storage/.incoming")), 0,
		  "nothing is left in .incoming");

	struct storage next = open_storage();

	ok(strcmp(committed(&next, "session 1"), "") != 0 &&
		   count_entries(in_scratch("storage/session 1")) == 2,
	   "the next result of a session stands beside it");
	storage_close(&next);
}

static void test_abort(void)
{
	struct storage storage = open_storage();

	must(storage_put_input(&storage, "a/b/c", SLICE_LITERAL("x"), &err) == 0);
	put(&storage, "half", "writ");
	storage_close(&storage);
	is_number(count_entries(in_scratch("storage/.incoming")), 0,
		  "a result that is given up leaves nothing");
	is_number(count_entries(in_scratch("storage")), 2, "and no session appears");
	ok(storage.folder == -1 && storage.root == -1 && storage.file_fd == -1,
	   "its descriptors are closed");
	storage_close(&storage);
	ok(true, "closing it twice does nothing");
}

static void test_hostile_names(void)
{
	static const struct slice bad[] = {
		SLICE_LITERAL(""),         SLICE_LITERAL("//etc/passwd"),
		SLICE_LITERAL("../up"),    SLICE_LITERAL("a/../../up"),
		SLICE_LITERAL("."),        SLICE_LITERAL("a/"),
		SLICE_LITERAL("a//b"),     SLICE_LITERAL("a\nb"),
		SLICE_LITERAL("stdout"),   SLICE_LITERAL("stderr"),
		SLICE_LITERAL("stdout/x"), SLICE_LITERAL("stderr/a/b"),
		SLICE_LITERAL("/../up"),   SLICE_LITERAL("input/x"),
		SLICE_LITERAL("taken"),    SLICE_LITERAL("taken/x"),
		SLICE_LITERAL("folder"),
	};
	struct storage storage = open_storage();
	size_t skipped = 0;

	must(storage_put_input(&storage, "input", SLICE_LITERAL("in"), &err) == 0 &&
	     storage_append_stream(&storage, false, SLICE_LITERAL("out"), &err) == 0);
	put(&storage, "taken", "first");
	put(&storage, "folder/x", "x");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		is_number(storage_begin_file(&storage, bad[i], &err), 0, "\"%.*s\" is no error",
			  (int)strcspn(bad[i].data, "\n"), bad[i].data);
		is_number(storage_append_file(&storage, SLICE_LITERAL("evil"), &err), 0,
			  "nor are its bytes");
		skipped += bad[i].len + 1;
		is_number(storage.skipped.len, skipped, "it is noted as skipped");
	}
	is_text(listed(&storage.names), "taken folder/x", "none is listed");
	put(&storage, "-rf \"$(x)\" \xff\xE2\x80\xAE", "odd");
	put(&storage, ".stdout", "dot");
	put(&storage, "input", "changed");
	put(&storage, "/etc/shadow", "nowhere");
	storage.takes_absolute = true;
	put(&storage, "/etc/passwd", "elsewhere");
	put(&storage, "stdout", "lost");

	const char *id = committed(&storage, "hostile");

	storage_close(&storage);
	ok(file_is(in_scratch("storage/hostile/job-%s/stdout", id), SLICE_LITERAL("out")),
	   "the captured stream wins");
	ok(file_is(in_scratch("storage/hostile/job-%s/input", id), SLICE_LITERAL("in")),
	   "so does the input");
	ok(file_is(in_scratch("storage/hostile/job-%s/.changed/input", id),
		   SLICE_LITERAL("changed")) &&
		   file_is(in_scratch("storage/hostile/job-%s/.changed/etc/passwd", id),
			   SLICE_LITERAL("elsewhere")),
	   "what became of it lies apart, and what has an absolute path");
	ok(file_is(in_scratch("storage/hostile/job-%s/taken", id), SLICE_LITERAL("first")),
	   "and the first file of a name");
	ok(file_is(in_scratch("storage/hostile/job-%s/-rf \"$(x)\" \xff\xE2\x80\xAE", id),
		   SLICE_LITERAL("odd")),
	   "odd names are names");
	is_number(count_entries(in_scratch("storage/hostile/job-%s", id)), 8,
		  "nothing else is there");
	ok(!exists(in_scratch("up")) && !exists(in_scratch("storage/up")) &&
		   !exists(in_scratch("storage/.incoming/up")),
	   "nor anywhere above");
}

static void test_depth(void)
{
	struct storage storage = open_storage();
	_cleanup_buf_ struct buf path = buf_new(KIB);

	for (int i = 0; i < JOB_ARTIFACT_DEPTH_MAX; i++)
		must(buf_append_text(&path, "d/") == 0);
	must(buf_append_text(&path, "f") == 0);
	put(&storage, path.data, "x");
	is_text(listed(&storage.names), path.data, "a file below %d folders is stored",
		JOB_ARTIFACT_DEPTH_MAX);
	path.len = 0;
	for (int i = 0; i <= JOB_ARTIFACT_DEPTH_MAX; i++)
		must(buf_append_text(&path, "e/") == 0);
	must(buf_append_text(&path, "f") == 0);
	put(&storage, path.data, "x");
	is_text(listed(&storage.skipped), path.data, "one below %d is skipped",
		JOB_ARTIFACT_DEPTH_MAX + 1);
	storage_close(&storage);
}

/* With caps of 3 files, 10 bytes each, 25 together. */
static struct storage open_capped(void)
{
	struct config small = config;
	struct storage storage;

	small.artifact_count = 3;
	small.artifact_bytes = 10;
	small.artifacts_bytes = 25;
	must(storage_open(&small, &storage, &err) == 0);
	return storage;
}

static void test_caps(void)
{
	struct storage storage = open_capped();

	put(&storage, "ten", "0123456789");
	must(storage_append_file(&storage, SLICE_LITERAL(""), &err) == 0);
	is_text(listed(&storage.names), "ten", "a file of exactly the most bytes");
	put(&storage, "two", "0123456789");
	put(&storage, "five", "01234");
	is_text(listed(&storage.names), "ten two five",
		"and exactly as many together, in exactly as many files");
	put(&storage, "fourth", "");
	is_text(listed(&storage.skipped), "fourth", "one file more is skipped, even an empty one");
	storage_close(&storage);

	storage = open_capped();
	put(&storage, "folder/eleven", "01234");
	must(storage_append_file(&storage, SLICE_LITERAL("567890"), &err) == 0 &&
	     storage_append_file(&storage, SLICE_LITERAL("more"), &err) == 0);
	is_text(listed(&storage.names), "", "a file of one byte more is taken back");
	is_text(listed(&storage.skipped), "folder/eleven", "and skipped");
	put(&storage, "after", "x");
	is_text(listed(&storage.names), "after", "the next is none the worse");

	const char *id = committed(&storage, "caps");

	storage_close(&storage);
	ok(!exists(in_scratch("storage/caps/job-%s/folder/eleven", id)), "no part of it is left");
	ok(file_is(in_scratch("storage/caps/job-%s/after", id), SLICE_LITERAL("x")),
	   "the next is whole");

	storage = open_capped();
	put(&storage, "a", "0123456789");
	put(&storage, "b", "0123456789");
	put(&storage, "c", "012345");
	is_text(listed(&storage.names), "a b", "a byte more than all may have is taken back");
	is_text(listed(&storage.skipped), "c", "and skipped");
	storage_close(&storage);
	must(fs_remove_tree(AT_FDCWD, in_scratch("storage")) == 0);
}

static void refuses_session(const char *session, const char *what)
{
	struct storage storage = open_storage();
	char id[JOB_ID_LENGTH + 1];

	is_number(storage_commit(&storage, session, id, &err), -1, "a session's folder that is %s",
		  what);
	ok(err.status == 500 && strcmp(err.code, "storage_failed") == 0, "is refused: %.80s",
	   err.message);
	storage_close(&storage);
	is_number(count_entries(in_scratch("storage/.incoming")), 0, "and nothing is left");
}

static void test_session_folder(void)
{
	make_folder(in_scratch("storage"));
	make_folder(in_scratch("elsewhere"));
	must(symlink("../elsewhere", in_scratch("storage/linked")) == 0);
	write_file(in_scratch("storage/file"), SLICE_LITERAL(""));
	refuses_session("linked", "a link");
	refuses_session("file", "a file");
	refuses_session("..", "above");
	is_number(count_entries(in_scratch("elsewhere")), 0, "no result went through the link");
}

static void test_bad_storage(void)
{
	struct config other = config;
	struct storage storage;

	write_file(in_scratch("plain"), SLICE_LITERAL(""));
	(void)snprintf(other.storage, PATH_MAX, "%s", in_scratch("plain"));
	is_number(storage_open(&other, &storage, &err), -1, "a storage that is a file");
	ok(strcmp(err.code, "storage_failed") == 0 && strstr(err.message, other.storage),
	   "is named: %s", err.message);
	(void)snprintf(other.storage, PATH_MAX, "%s", in_scratch("trap"));
	make_folder(in_scratch("trap"));
	must(symlink("../elsewhere", in_scratch("trap/.incoming")) == 0);
	is_number(storage_open(&other, &storage, &err), -1, "an .incoming that is a link");
	is_number(count_entries(in_scratch("elsewhere")), 0, "is not followed");
}

/* A place for artifacts alone. */
static void test_files_only(void)
{
	struct storage storage;

	is_number(storage_open_files(&config, &storage, &err), 0, "a place for artifacts");
	is_number(storage_append_stream(&storage, false, SLICE_LITERAL("x"), &err), 0,
		  "takes output");
	put(&storage, "stdout", "an artifact");
	put(&storage, "stderr/x", "another");
	is_number(storage_end_file(&storage, &err), 0, "the last one is ended");
	is_text(listed(&storage.names), "stdout stderr/x", "every name is free");
	ok(file_is(in_scratch("storage/.incoming/%s/stdout", storage.incoming_name),
		   SLICE_LITERAL("an artifact")),
	   "and output is not kept");
	storage_close(&storage);
	is_number(count_entries(in_scratch("storage/.incoming")), 0, "closing removes it all");
}

static void test_wanted(void)
{
	static const char *const patterns[] = {"*.pdf", "out/*", NULL};
	struct storage storage = open_storage();

	storage.patterns = patterns;
	must(storage_hide(&storage, SLICE_LITERAL("hidden.pdf"), &err) == 0);
	put(&storage, "a.pdf", "1");
	put(&storage, "b.txt", "2");
	put(&storage, "out/deep/c", "3");
	put(&storage, "hidden.pdf", "4");
	must(storage_note_skipped(&storage, SLICE_LITERAL("link"), &err) == 0);
	must(storage_note_skipped(&storage, SLICE_LITERAL("link.pdf"), &err) == 0);
	is_text(listed(&storage.names), "a.pdf out/deep/c", "what is wanted is stored");
	is_text(listed(&storage.skipped), "link.pdf", "of the rest nobody hears");

	const char *id = committed(&storage, "wanted");

	is_number(count_entries(in_scratch("storage/wanted/job-%s", id)), 4, "and it is not there");
	storage_close(&storage);
}

static void test_records(void)
{
	struct storage storage = open_storage();
	const char *id = committed(&storage, "a b");
	char *data = NULL;
	size_t len;

	is_number(storage_read_record(storage.root, "a b", id, &data, &len), -1, "no record yet");
	storage_write_record(&storage, "a b", id, SLICE_LITERAL("{}"));
	storage_write_record(&storage, "a b", id, SLICE_LITERAL("other"));
	is_number(storage_read_record(storage.root, "a b", id, &data, &len), 0, "a record");
	is_text(data, "{}", "is what was written first");
	free(data);
	is_number(count_entries(in_scratch("storage/a b")), 1, "and lies beside the session");
	is_number(storage_read_record(storage.root, "..", id, &data, &len), -1, "never outside");
	is_number(storage_read_record(storage.root, "a b", "../../x", &data, &len), -1,
		  "by any id");
	storage_close(&storage);
}

int main(void)
{
	config = test_config();
	test_commit();
	test_abort();
	test_hostile_names();
	test_depth();
	test_caps();
	test_session_folder();
	test_bad_storage();
	test_files_only();
	test_wanted();
	test_records();
	return done();
}
