/*
 * A job whose artifacts are in one folder: the fields folder, collect and flat of JOB, from the
 * frame to what is sent up.
 */
#include "init/init.h"

#include "protocol/control.h"
#include "tap.h"
#include "util.h"

#include <sys/socket.h>

static struct error err;

static void add(struct buf *fields, const char *key, const char *value)
{
	must(field_add(fields, key, slice_of(value)) == 0);
}

/* The fields of a job that runs in folder. */
static struct buf job_in(const char *folder)
{
	struct buf fields = buf_new(FRAME_JOB_MAX_BYTES);

	add(&fields, "argv", "true");
	add(&fields, "cwd", folder);
	add(&fields, "wall_ms", "1000");
	add(&fields, "artifact_count", "5");
	add(&fields, "artifact_bytes", "100");
	add(&fields, "artifacts_bytes", "100");
	return fields;
}

/* Sends JOB and GO; what init makes of them. Takes fields. */
static struct init_job taken(struct buf *fields)
{
	struct init_job job = init_job_new();
	struct frame_reader reader;
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	must(frame_send(pair[0], FRAME_JOB, buf_slice(fields), deadline_in(1000)) == 0);
	must(frame_send(pair[0], FRAME_GO, SLICE_LITERAL(""), deadline_in(1000)) == 0);
	reader = frame_reader_new(pair[1]);
	must(init_job_read(&reader, &job, deadline_in(1000), &err) == 0);
	frame_reader_free(&reader);
	close(pair[0]);
	close(pair[1]);
	buf_free(fields);
	return job;
}

/* What is sent up, as text: a letter for the type, and the name. */
static const char *collected(const struct init_job *job)
{
	static struct init_space space;
	static char text[2048];
	struct frame_reader reader;
	struct frame frame = {0};
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	is_number(init_collect(job, pair[1], &space, deadline_in(10000), &err), 0, "collecting");
	must(frame_send(pair[1], FRAME_END, SLICE_LITERAL(""), deadline_in(1000)) == 0);
	reader = frame_reader_new(pair[0]);
	text[0] = '\0';
	while (frame.type != FRAME_END) {
		size_t len = strlen(text);

		must(frame_read(&reader, &frame, deadline_in(10000), &err) == 0);
		if (frame.type != FRAME_DATA && frame.type != FRAME_END)
			(void)snprintf(text + len, sizeof(text) - len, "%s%c %.*s", len ? ", " : "",
				       frame.type, (int)frame.payload.len, frame.payload.data);
	}
	frame_reader_free(&reader);
	close(pair[0]);
	close(pair[1]);
	return text;
}

static void put(const char *path, size_t len)
{
	static const char bytes[256];

	write_file(path, (struct slice){bytes, len});
}

static void test_flat(void)
{
	make_folder(in_scratch("one"));

	struct buf fields = job_in(in_scratch("one"));

	add(&fields, "folder", "tmp");
	add(&fields, "folder", "outputs");
	add(&fields, "collect", "outputs");
	add(&fields, "flat", "1");

	struct init_job job = taken(&fields);

	ok(!job.refused && exists(in_scratch("one/tmp")) && exists(in_scratch("one/outputs")),
	   "folders are made before the program starts");
	must(buf_append(&job.inputs, "b", 2) == 0);
	put(in_scratch("one/elsewhere"), 1);
	is_text(collected(&job), "", "nothing is in the folder");
	put(in_scratch("one/outputs/b"), 50);
	make_folder(in_scratch("one/outputs/a-folder"));
	put(in_scratch("one/outputs/a-folder/file"), 1);
	must(symlink("b", in_scratch("one/outputs/a-link")) == 0);
	put(in_scratch("one/outputs/c"), 51);
	put(in_scratch("one/outputs/d"), 1);
	is_text(collected(&job), "S a-link, F b, S c, S " CONTROL_SKIPPED_MORE,
		"files in name order, up to the first that would break a cap, an input's name among them");
	put(in_scratch("one/outputs/c"), 50);
	is_text(collected(&job), "S a-link, F b, F c, S d, S " CONTROL_SKIPPED_MORE,
		"bytes up to the cap");
	put(in_scratch("one/outputs/d"), 0);
	is_text(collected(&job), "S a-link, F b, F c, F d, S a-folder",
		"and what is empty; no folder is entered");
	job.flat = 0;
	must(fs_remove_tree(AT_FDCWD, in_scratch("one/outputs/c")) == 0);
	is_text(collected(&job), "S a-link, F b, F d, F a-folder/file",
		"one that is not flat enters folders");
	must(fs_remove_tree(AT_FDCWD, in_scratch("one/outputs")) == 0);
	is_text(collected(&job), "", "a folder that is gone");
	must(symlink("/etc", in_scratch("one/outputs")) == 0);
	is_text(collected(&job), "", "a link in its place");
	must(unlink(in_scratch("one/outputs")) == 0 &&
	     mkfifo(in_scratch("one/outputs"), 0600) == 0);
	is_text(collected(&job), "", "a pipe in its place");
	init_job_free(&job);
}

/* The text, with "~" for the scratch folder. */
static const char *shown(const char *text)
{
	static char out[2048];
	const char *found;

	out[0] = '\0';
	while ((found = strstr(text, scratch()))) {
		size_t len = strlen(out);

		(void)snprintf(out + len, sizeof(out) - len, "%.*s~", (int)(found - text), text);
		text = found + strlen(scratch());
	}
	return strcat(out, text);
}

/* Names, and where they are from: see "collect" and "ignore" in protocol/control.h. */
static void test_places(void)
{
	static const struct {
		const char *collect, *expected; /* ~: the scratch folder */
	} rows[] = {
		{"apart", "F x, F y, F ~/three/in/put"},
		{"~", "F own, F apart/x, F apart/y, F in/put, F ~/three-apart/z"},
		{NULL, "F own, F apart/x, F apart/y, F in/put"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make_folder(in_scratch("three"));

		struct buf fields = job_in(in_scratch("three"));
		const char *collect = rows[i].collect;

		add(&fields, "ignore", "__cache__");
		add(&fields, "ignore", ".hidden");
		if (collect)
			add(&fields, "collect",
			    *collect == '~' ? in_scratch("three-apart") : collect);

		struct init_job job = taken(&fields);

		ok(!job.refused &&
			   (!collect || *collect != '~' || exists(in_scratch("three-apart"))),
		   "an absolute one is made");
		must(buf_append(&job.inputs, "in/put\0same", 12) == 0);
		job.input_count = 2;
		job.given[1] =
			(struct init_input){1, init_hash(INIT_HASH_EMPTY, SLICE_LITERAL("\0"))};
		(void)mkdir(in_scratch("three/apart"), 0755);
		make_folder(in_scratch("three/in"));
		make_folder(in_scratch("three/__cache__"));
		put(in_scratch("three/apart/x"), 1);
		put(in_scratch("three/apart/y"), 1);
		put(in_scratch("three/in/put"), 1);
		put(in_scratch("three/same"), 1);
		put(in_scratch("three/own"), 1);
		put(in_scratch("three/__cache__/z"), 1);
		put(in_scratch("three/.hidden"), 1);
		if (collect && *collect == '~')
			put(in_scratch("three-apart/z"), 1);
		is_text(shown(collected(&job)), rows[i].expected, "collect %s",
			collect ? collect : "of all");
		init_job_free(&job);
		must(fs_remove_tree(AT_FDCWD, in_scratch("three")) == 0);
	}
}

static void test_refused(void)
{
	static const struct {
		const char *key, *value;
	} rows[] = {
		{"folder", ".."},     {"folder", "a/b"}, {"folder", ""},
		{"folder", "/tmp/x"}, {"collect", ".."}, {"collect", "a/b"},
		{"collect", ""},      {"flat", "2"},     {"flat", "x"},
	};

	make_folder(in_scratch("two"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf fields = job_in(in_scratch("two"));

		add(&fields, rows[i].key, rows[i].value);

		struct init_job job = taken(&fields);

		ok(job.refused, "%s=%s is refused: %s", rows[i].key, rows[i].value,
		   job.refusal.message);
		init_job_free(&job);
	}
	is_number(count_entries(in_scratch("two")), 0, "and nothing was made");

	struct buf fields = job_in(in_scratch("two"));

	for (int i = 0; i <= JOB_FOLDER_MAX_COUNT; i++)
		add(&fields, "folder", "x");

	struct init_job job = taken(&fields);

	ok(job.refused, "too many folders");
	init_job_free(&job);
	must(symlink("/etc", in_scratch("two/outputs")) == 0);
	fields = job_in(in_scratch("two"));
	add(&fields, "folder", "outputs");
	job = taken(&fields);
	ok(!job.refused, "what is there already stays as it is");
	init_job_free(&job);
}

int main(void)
{
	test_flat();
	test_places();
	test_refused();
	return done();
}
