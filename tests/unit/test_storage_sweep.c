/* What the reaper removes from storage: by age, results only, through no link, and never a result
 * that is just being committed; and when it does not trust the clock. */
#include "store/storage.h"

#include "tap.h"
#include "util.h"

#include "base/clock.h"

#include <sys/file.h>
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

/* The same with what a result has. */
static void make_result(const char *name, time_t seconds)
{
	make_aged(name, 0);
	write_file(in_scratch("storage/%s/stdout", name), SLICE_LITERAL(""));
	write_file(in_scratch("storage/%s/stderr", name), SLICE_LITERAL(""));
	age(in_scratch("storage/%s", name), seconds);
}

static bool in_storage(const char *name)
{
	return exists(in_scratch("storage/%s", name));
}

static void test_age(void)
{
	make_result("old/job-aaaaaa", 30 * DAY_S + 60);
	make_result("mixed/job-aaaaaa", 300 * DAY_S);
	make_result("mixed/job-bbbbbb", 30 * DAY_S - 60);
	make_aged("mixed/else", 300 * DAY_S);
	make_result("new/job-aaaaaa", 0);
	make_result("new/job-future", -DAY_S);
	is_number(storage_sweep(&config), 2, "what is older than the retention is removed");
	ok(!in_storage("old"), "a session goes with its last result");
	ok(!in_storage("mixed/job-aaaaaa") && in_storage("mixed/job-bbbbbb/file"),
	   "one second less stays");
	ok(in_storage("mixed/else/file"), "so does what is no result");
	ok(in_storage("new/job-aaaaaa/file") && in_storage("new/job-future/file"),
	   "and what is new, whatever the clock says");
	is_number(storage_sweep(&config), 0, "nothing is left to do");
	config.retention_days = 0;
	make_result("mixed/job-cccccc", 3000 * DAY_S);
	is_number(storage_sweep(&config), 0, "a retention of 0 keeps everything");
	ok(in_storage("mixed/job-cccccc/file"), "for ever");
	config.retention_days = 1;
	is_number(storage_sweep(&config), 2, "a shorter one removes more");
}

static void test_incoming(void)
{
	config.retention_days = 0;
	make_aged(".incoming/crashed", 0);
	make_aged(".incoming/running", INCOMING_MAX_AGE_S + 60);

	int writer = open(in_scratch("storage/.incoming/running"), O_RDONLY | O_DIRECTORY);
	struct storage storage;
	struct error err;

	must(flock(writer, LOCK_EX) == 0);
	must(storage_open(&config, &storage, &err) == 0);
	age(in_scratch("storage/.incoming/%s", storage.incoming_name), INCOMING_MAX_AGE_S + 60);
	write_file(in_scratch("storage/.incoming/young"), SLICE_LITERAL("x"));
	write_file(in_scratch("storage/.incoming/plain"), SLICE_LITERAL("x"));
	age(in_scratch("storage/.incoming/plain"), INCOMING_MAX_AGE_S + 60);
	is_number(storage_sweep(&config), 2,
		  "what a crash left in .incoming goes, whatever the retention");
	ok(!in_storage(".incoming/crashed") && !in_storage(".incoming/plain"), "folders and files");
	ok(in_storage(".incoming/running/file") && in_storage(".incoming/young"),
	   "what is written stays, whatever the clock says, and what no lock tells of while it is young");
	ok(exists(in_scratch("storage/.incoming/%s/stdout", storage.incoming_name)),
	   "a result is locked while it is written");
	storage_close(&storage);
	close(writer);
	is_number(storage_sweep(&config), 1, "and goes when its writer has ended");
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
	make_result("../outside/job-aaaaaa", 300 * DAY_S);
	must(symlink("../outside", in_scratch("storage/linked")) == 0);
	make_folder(in_scratch("storage/links"));
	must(symlink("../../outside/job-aaaaaa", in_scratch("storage/links/job-linked")) == 0);
	age(in_scratch("storage/links/job-linked"), 300 * DAY_S);
	make_result("links/job-bbbbbb", 0);
	must(symlink("../../../outside", in_scratch("storage/links/job-bbbbbb/link")) == 0);
	age(in_scratch("storage/links/job-bbbbbb"), 300 * DAY_S);
	write_file(in_scratch("storage/job-file"), SLICE_LITERAL("x"));
	age(in_scratch("storage/job-file"), 300 * DAY_S);
	is_number(storage_sweep(&config), 1, "links in a result are removed as links");
	ok(file_is(in_scratch("outside/job-aaaaaa/file"), SLICE_LITERAL("x")),
	   "what they lead to stays");
	ok(in_storage("linked") && unlink(in_scratch("storage/links/job-linked")) == 0,
	   "a link in a session's or a result's place is left alone");
	ok(in_storage("job-file"), "so is a file there");
	must(unlink(in_scratch("storage/linked")) == 0);
}

/* Everything here is old, and none of it a result of ours. */
static void test_others(void)
{
	static const char *const names[] = {
		"people/job-applications", "people/job-2019ab", "people/job-aaaa.a",
		"people/job-aaaaaaa",      "job-applications",  "job-aaaaaa",
	};

	for (size_t i = 0; i < COUNT_OF(names); i++)
		(i == 1 ? make_aged : make_result)(names[i], 3000 * DAY_S);
	make_folder(in_scratch("storage/empty"));
	age(in_scratch("storage/empty"), 3000 * DAY_S);
	is_number(storage_sweep(&config), 0, "only what is surely ours is removed");
	for (size_t i = 0; i < COUNT_OF(names); i++)
		ok(in_storage(names[i]), "%s stays", names[i]);
	ok(in_storage("empty"), "an empty folder stays");
}

static void test_hidden(void)
{
	make_result(".other/job-aaaaaa", 300 * DAY_S);
	is_number(storage_sweep(&config), 0, "folders that begin with a dot are no sessions");
	ok(in_storage(".other/job-aaaaaa/file"), "and stay");

	struct config missing = config;

	(void)snprintf(missing.storage, PATH_MAX, "%s", in_scratch("missing"));
	is_number(storage_sweep(&missing), 0, "no storage, nothing to sweep");
	ok(!exists(in_scratch("missing")), "and none is made");
}

static void test_clock(void)
{
	char boot[BOOT_ID_BYTES];
	const int64_t now = time(NULL), up = (int64_t)boot_now_s();

	must(boot_id(boot) == 0);

	const struct {
		const char *boot;
		int64_t unix_s, boot_s, doubted_s;
		bool is_sure;
		const char *what;
	} cases[] = {
		{boot, now - 60, up - 60, 0, true, "a minute later"},
		{boot, now - 40 * DAY_S, up - 40 * DAY_S < 0 ? 0 : up - 40 * DAY_S, 0,
		 up >= 40 * DAY_S, "forty days further, and the machine was not up so long"},
		{boot, now + 3600, up - 60, 0, false, "set back by an hour"},
		{boot, now - 1000, up - 60, 0, false, "set forward by a quarter of an hour"},
		{boot, now - 60, up - 60, up + 100, false, "a jump is still doubted"},
		{boot, now - 60, up - 60, up - 30, true, "it was long ago"},
		{"another", now - DAY_S / 2, 5, 0, true, "started again after half a day"},
		{"another", now - 2 * DAY_S, 5, 0, false, "started again after two days"},
		{"another", now + 3600, 5, 0, false, "started again an hour ago"},
		{"another", now - 60, 5, 9, false, "doubted before the start"},
		{"", 0, 0, 0, false, "what a power cut left"},
	};

	(void)unlink(in_scratch("storage/.clock"));
	ok(storage_clock_is_sure(config.storage), "the first time");
	ok(storage_clock_is_sure(config.storage), "the second");
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char text[128] = "";

		if (*cases[i].boot)
			(void)snprintf(text, sizeof(text), "%s %lld %lld %lld ", cases[i].boot,
				       (long long)cases[i].unix_s, (long long)cases[i].boot_s,
				       (long long)cases[i].doubted_s);
		write_file(in_scratch("storage/.clock"), slice_of(text));
		is_number(storage_clock_is_sure(config.storage), cases[i].is_sure, "%s",
			  cases[i].what);
		is_number(storage_clock_is_sure(config.storage), cases[i].is_sure,
			  "and the next time");
	}
	must(unlink(in_scratch("storage/.clock")) == 0);
	ok(storage_clock_is_sure(in_scratch("missing")), "no storage, nothing to doubt");
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
			age(in_scratch("storage/session/job-%s", id), 31 * DAY_S);
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
	test_others();
	test_hidden();
	test_clock();
	test_commit_meanwhile();
	return done();
}
