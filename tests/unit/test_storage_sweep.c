/* What the reaper removes from storage: by age, results only, through no link, and never a result
 * that is just being committed. */
#include "store/storage.h"

#include "tap.h"
#include "util.h"

#include <time.h>

#define DAY_S 86400

static struct config config;

static void age(const char *path, time_t seconds)
{
	struct timespec times[2] = {{.tv_sec = time(NULL) - seconds},
				    {.tv_sec = time(NULL) - seconds}};

	must(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) == 0);
}

/* A folder in storage with a file in it, of this age. */
static void make_aged(const char *name, time_t seconds)
{
	const char *path = in_scratch("storage/%s", name);

	make_folder(path);
	write_file(in_scratch("storage/%s/file", name), SLICE_LITERAL("x"));
	age(path, seconds);
}

static bool in_storage(const char *name)
{
	return exists(in_scratch("storage/%s", name));
}

static void test_age(void)
{
	make_aged("old/job-aaaaaa", 30 * DAY_S + 60);
	make_aged("mixed/job-aaaaaa", 300 * DAY_S);
	make_aged("mixed/job-bbbbbb", 30 * DAY_S - 60);
	make_aged("mixed/else", 300 * DAY_S);
	make_aged("new/job-aaaaaa", 0);
	make_aged("new/job-future", -DAY_S);
	is_number(storage_sweep(&config), 2, "what is older than the retention is removed");
	ok(!in_storage("old"), "a session goes with its last result");
	ok(!in_storage("mixed/job-aaaaaa") && in_storage("mixed/job-bbbbbb/file"),
	   "one second less stays");
	ok(in_storage("mixed/else/file"), "so does what is no result");
	ok(in_storage("new/job-aaaaaa/file") && in_storage("new/job-future/file"),
	   "and what is new, whatever the clock says");
	is_number(storage_sweep(&config), 0, "nothing is left to do");
	config.retention_days = 0;
	make_aged("mixed/job-cccccc", 3000 * DAY_S);
	is_number(storage_sweep(&config), 0, "a retention of 0 keeps everything");
	ok(in_storage("mixed/job-cccccc/file"), "for ever");
	config.retention_days = 1;
	is_number(storage_sweep(&config), 2, "a shorter one removes more");
}

static void test_incoming(void)
{
	config.retention_days = 0;
	make_aged(".incoming/crashed", INCOMING_MAX_AGE_S + 60);
	make_aged(".incoming/running", INCOMING_MAX_AGE_S - 60);
	write_file(in_scratch("storage/.incoming/plain"), SLICE_LITERAL("x"));
	age(in_scratch("storage/.incoming/plain"), INCOMING_MAX_AGE_S + 60);
	is_number(storage_sweep(&config), 2,
		  "what a crash left in .incoming goes, whatever the retention");
	ok(!in_storage(".incoming/crashed") && !in_storage(".incoming/plain"), "folders and files");
	ok(in_storage(".incoming/running/file"), "what may still be written stays");
	config.retention_days = 30;
}

static void test_records(void)
{
	make_aged(".records/old", 0);
	age(in_scratch("storage/.records/old/file"), 31 * DAY_S);
	make_aged(".records/mixed", 0);
	write_file(in_scratch("storage/.records/mixed/aged"), SLICE_LITERAL("x"));
	age(in_scratch("storage/.records/mixed/aged"), 31 * DAY_S);
	is_number(storage_sweep(&config), 0, "records are no results");
	ok(!in_storage(".records/old") && !in_storage(".records/mixed/aged"), "but go as they do");
	ok(in_storage(".records/mixed/file"), "when they are old");
}

static void test_links(void)
{
	make_aged("../outside/job-aaaaaa", 300 * DAY_S);
	must(symlink("../outside", in_scratch("storage/linked")) == 0);
	make_folder(in_scratch("storage/links"));
	must(symlink("../../outside/job-aaaaaa", in_scratch("storage/links/job-link")) == 0);
	age(in_scratch("storage/links/job-link"), 300 * DAY_S);
	make_aged("links/job-bbbbbb", 0);
	must(symlink("../../../outside", in_scratch("storage/links/job-bbbbbb/link")) == 0);
	age(in_scratch("storage/links/job-bbbbbb"), 300 * DAY_S);
	write_file(in_scratch("storage/job-file"), SLICE_LITERAL("x"));
	age(in_scratch("storage/job-file"), 300 * DAY_S);
	is_number(storage_sweep(&config), 2, "links in storage are removed as links");
	ok(file_is(in_scratch("outside/job-aaaaaa/file"), SLICE_LITERAL("x")),
	   "what they lead to stays");
	ok(in_storage("linked"), "a link in a session's place is left alone");
	ok(in_storage("job-file"), "so is a file there");
	must(unlink(in_scratch("storage/linked")) == 0);
}

static void test_hidden(void)
{
	make_aged(".other/job-aaaaaa", 300 * DAY_S);
	is_number(storage_sweep(&config), 0, "folders that begin with a dot are no sessions");
	ok(in_storage(".other/job-aaaaaa/file"), "and stay");

	struct config missing = config;

	(void)snprintf(missing.storage, PATH_MAX, "%s", in_scratch("missing"));
	is_number(storage_sweep(&missing), 0, "no storage, nothing to sweep");
	ok(!exists(in_scratch("missing")), "and none is made");
}

/* In a child: sweeps until it is ended. */
static int sweep_on(void *context)
{
	(void)context;
	while (storage_sweep(&config) < UINT64_MAX)
		continue;
	return 0;
}

/* A commit makes the session's folder and then moves the result in; in between it is empty, and
 * empty ones are swept. */
static void test_commit_meanwhile(void)
{
	pid_t sweepers[2] = {start_child(sweep_on, NULL), start_child(sweep_on, NULL)};
	unsigned failures = 0;
	struct error err = {.message = ""}, last = err;

	for (int i = 0; i < 400; i++) {
		struct storage storage;
		char id[JOB_ID_LENGTH + 1];

		must(storage_open(&config, &storage, &err) == 0);
		if (storage_commit(&storage, "session", id, &err) < 0) {
			failures++;
			last = err;
		} else {
			must(fs_remove_tree(AT_FDCWD, in_scratch("storage/session/job-%s", id)) ==
			     0);
		}
		storage_close(&storage);
	}
	for (int i = 0; i < 2; i++) {
		must(kill(sweepers[i], SIGKILL) == 0);
		(void)wait_child(sweepers[i]);
	}
	is_number(failures, 0, "a sweep takes no folder from under a commit %s", last.message);
}

int main(void)
{
	config = test_config();
	make_folder(in_scratch("storage"));
	test_age();
	test_incoming();
	test_records();
	test_links();
	test_hidden();
	test_commit_meanwhile();
	return done();
}
