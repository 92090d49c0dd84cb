/* Metrics: exact with 64 processes at once, rows of labels with their bound, and files that are
   torn, cut off or somebody else's. */
#include "store/metrics.h"

#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES 64
#define EACH      200

static struct config config;
static char path[PATH_MAX + 32];

static void fresh(void)
{
	(void)unlink(path);
}

static struct metrics read_all(void)
{
	struct metrics metrics = {0};
	struct error err = {0};

	if (metrics_read(&config, &metrics, &err) < 0)
		ok(false, "the metrics are read: %s", err.message);
	return metrics;
}

static uint64_t value_of(enum metric metric)
{
	_cleanup_metrics_ struct metrics metrics = read_all();

	return metrics.values[metric];
}

static struct metrics_change job_of(char family, const char *language, const char *template,
				    enum job_outcome outcome)
{
	struct metrics_change change = {.job = {.family = family,
						.outcome = outcome,
						.duration_us = 7000,
						.program_us = 3000}};

	(void)snprintf(change.job.language, sizeof(change.job.language), "%s", language);
	(void)snprintf(change.job.template, sizeof(change.job.template), "%s", template);
	return change;
}

static void count_job(char family, const char *language, const char *template,
		      enum job_outcome outcome)
{
	struct metrics_change change = job_of(family, language, template, outcome);

	metrics_count(&config, &change);
}

/* --- counting --------------------------------------------------------------------------------- */

static void test_nothing(void)
{
	const struct metrics_change nothing = {0};

	fresh();
	metrics_count(&config, &nothing);
	ok(access(path, F_OK) < 0, "nothing to count makes no file");

	_cleanup_metrics_ struct metrics metrics = read_all();

	is_number(metrics.series_count, 0, "no jobs");
	is_number(metrics.values[METRIC_POOL_CLAIMS], 0, "no claims");
}

static void test_job(void)
{
	fresh();
	count_job('A', "python", "default", OUTCOME_SUCCEEDED);
	count_job('A', "python", "default", OUTCOME_TIMEOUT);
	count_job('C', "python", "default", OUTCOME_SUCCEEDED);

	struct metrics_change change = job_of('A', "bash", "default", OUTCOME_BUSY);

	change.job.program_us = -1;
	change.job.duration_us = 90000000;
	change.add[METRIC_POOL_MISSES] = 2;
	metrics_count(&config, &change);

	_cleanup_metrics_ struct metrics metrics = read_all();

	is_number(metrics.series_count, 3, "one series for each set of labels");
	is_text(metrics.series[0].language, "bash", "sorted: bash");
	is_text(metrics.series[1].language, "python", "then python");
	is_number(metrics.series[2].family, 'C', "then the next family");
	is_number(metrics.series[1].outcomes[OUTCOME_SUCCEEDED], 1, "one has succeeded");
	is_number(metrics.series[1].outcomes[OUTCOME_TIMEOUT], 1, "one has timed out");
	is_number(metrics.series[1].duration.buckets[2], 2, "7 ms lie between 5 and 10");
	is_number(metrics.series[1].duration.sum_us, 14000, "durations are added up");
	is_number(metrics.series[1].program.buckets[1], 2, "3 ms lie between 2.5 and 5");
	is_number(metrics.series[0].duration.buckets[METRICS_BOUND_COUNT], 1,
		  "90 s lie above all bounds");
	is_number(metrics.series[0].program.sum_us, 0, "a program that did not run took no time");
	is_number(metrics.values[METRIC_POOL_MISSES], 2, "counters come with the job");
}

static void test_engine_words(void)
{
	is_number(metric_of_engine_error("image_missing"), METRIC_ENGINE_ERRORS, "the first word");
	is_number(metric_of_engine_error("never_heard_of"), METRIC_COUNT - 1, "any other word");
	is_text(engine_codes[ENGINE_CODE_COUNT - 1], "engine_failed", "is engine_failed");
}

static void count_many(unsigned process)
{
	char template[16];

	(void)snprintf(template, sizeof(template), "t%u", process % 7);
	for (unsigned i = 0; i < EACH; i++) {
		struct metrics_change change = job_of('B', "python", template, OUTCOME_SUCCEEDED);

		change.add[METRIC_SESSIONS_REUSED] = 1;
		metrics_count(&config, &change);
		metric_add(&config, METRIC_SESSION_ERRORS, 3);
	}
}

static void test_exact(void)
{
	uint64_t jobs = 0, duration_us = 0;

	fresh();
	for (unsigned i = 0; i < PROCESSES; i++)
		if (fork() == 0) {
			count_many(i);
			_exit(0);
		}
	while (wait(NULL) > 0)
		;

	_cleanup_metrics_ struct metrics metrics = read_all();

	for (size_t i = 0; i < metrics.series_count; i++) {
		jobs += metrics.series[i].outcomes[OUTCOME_SUCCEEDED];
		duration_us += metrics.series[i].duration.sum_us;
	}
	is_number(metrics.series_count, 7, "seven templates");
	is_number(jobs, PROCESSES * EACH, "64 processes count every job");
	is_number(duration_us, PROCESSES * EACH * 7000, "and its time");
	is_number(metrics.values[METRIC_SESSIONS_REUSED], PROCESSES * EACH,
		  "and what comes with it");
	is_number(metrics.values[METRIC_SESSION_ERRORS], PROCESSES * EACH * 3,
		  "and single counters");
}

/* --- bounds ----------------------------------------------------------------------------------- */

static void test_cardinality(void)
{
	uint64_t jobs = 0, rest = 0;
	char name[16];

	fresh();
	for (unsigned i = 0; i < 2 * METRICS_ROW_COUNT; i++) {
		(void)snprintf(name, sizeof(name), "t%u", i);
		count_job(i % 2 ? 'A' : 'E', "python", name, OUTCOME_FAILED);
	}

	_cleanup_metrics_ struct metrics metrics = read_all();
	struct stat status;

	for (size_t i = 0; i < metrics.series_count; i++) {
		jobs += metrics.series[i].outcomes[OUTCOME_FAILED];
		if (strcmp(metrics.series[i].template, "other") == 0)
			rest += metrics.series[i].outcomes[OUTCOME_FAILED];
	}
	is_number(jobs, 2 * METRICS_ROW_COUNT, "no job is lost when the rows are taken");
	is_number(rest, METRICS_ROW_COUNT + 1, "those that found none are \"other\"");
	is_number(metrics.series_count, METRICS_ROW_COUNT - 1 + 2, "of their families");
	ok(stat(path, &status) == 0 &&
		   status.st_size <= (METRICS_ROW_COUNT + METRICS_FAMILY_COUNT) * METRICS_ROW_BYTES,
	   "the file has its maximum");
}

static void test_labels(void)
{
	char longest[REGISTRY_NAME_MAX_BYTES + 1];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	fresh();
	count_job('A', "a\"b\n", "", OUTCOME_FAILED);
	count_job('A', longest, longest, OUTCOME_FAILED);

	_cleanup_metrics_ struct metrics metrics = read_all();

	is_number(metrics.series_count, 2, "two series");
	is_text(metrics.series[0].language, "other", "what is no entry's name is no label");
	is_text(metrics.series[0].template, "none", "nothing is \"none\"");
	is_text(metrics.series[1].template, longest, "the longest name fits");
}

/* --- damage ----------------------------------------------------------------------------------- */

static void overwrite(off_t at, const char *bytes)
{
	int fd = open(path, O_WRONLY);

	if (pwrite(fd, bytes, strlen(bytes), at) != (ssize_t)strlen(bytes))
		ok(false, "the file is damaged");
	close(fd);
}

static off_t size_of_file(void)
{
	struct stat status;

	return stat(path, &status) == 0 ? status.st_size : -1;
}

static void test_torn(void)
{
	fresh();
	metric_add(&config, METRIC_POOL_CLAIMS, 5);
	count_job('A', "bash", "default", OUTCOME_SUCCEEDED);
	overwrite(20, "torn");
	is_number(value_of(METRIC_POOL_CLAIMS), 0, "a torn row reads as nothing");

	_cleanup_metrics_ struct metrics metrics = read_all();

	is_number(metrics.series_count, 1, "and harms no other");
	metric_add(&config, METRIC_POOL_CLAIMS, 2);
	is_number(value_of(METRIC_POOL_CLAIMS), 2, "it counts from 0 again");
}

/* A damaged row looks free: labels behind it get a second row there, and are shown once. */
static void test_torn_before_others(void)
{
	uint64_t jobs = 0;

	fresh();
	for (unsigned i = 0; i < METRICS_ROW_COUNT - 1; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "t%u", i);
		count_job('A', "bash", name, OUTCOME_SUCCEEDED);
	}
	for (off_t row = 1; row < METRICS_ROW_COUNT; row += 2)
		overwrite(row * METRICS_ROW_BYTES + 100, "torn");
	for (unsigned i = 0; i < METRICS_ROW_COUNT - 1; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "t%u", i);
		count_job('A', "bash", name, OUTCOME_FAILED);
	}

	_cleanup_metrics_ struct metrics metrics = read_all();

	for (size_t i = 0; i < metrics.series_count; i++) {
		jobs += metrics.series[i].outcomes[OUTCOME_FAILED];
		if (i && strcmp(metrics.series[i - 1].template, metrics.series[i].template) == 0)
			ok(false, "%s is there twice", metrics.series[i].template);
	}
	is_number(jobs, METRICS_ROW_COUNT - 1, "what is counted after the damage is all there");
}

static void test_cut_off(void)
{
	fresh();
	metric_add(&config, METRIC_POOL_CLAIMS, 5);
	count_job('A', "bash", "default", OUTCOME_SUCCEEDED);
	ok(truncate(path, size_of_file() - 1) == 0, "the last row is cut");

	_cleanup_metrics_ struct metrics metrics = read_all();

	is_number(metrics.series_count, 0, "a row cut off is not there");
	is_number(metrics.values[METRIC_POOL_CLAIMS], 5, "the others are");
	ok(truncate(path, 10) == 0, "nearly all of it is cut");
	count_job('A', "bash", "default", OUTCOME_SUCCEEDED);

	_cleanup_metrics_ struct metrics again = read_all();

	is_number(again.series_count, 1, "it goes on");
	is_number(again.values[METRIC_POOL_CLAIMS], 0, "from 0");
}

/* What another version wrote there under our name has rows that are not ours. */
static void test_other_content(void)
{
	char junk[METRICS_ROW_BYTES * 4];
	int fd;

	memset(junk, 'A', sizeof(junk));
	fresh();
	fd = open(path, O_WRONLY | O_CREAT, 0640);
	ok(write(fd, junk, sizeof(junk)) == (ssize_t)sizeof(junk), "a file of other content");
	close(fd);
	metric_add(&config, METRIC_POOL_CLAIMS, 1);
	is_number(value_of(METRIC_POOL_CLAIMS), 1, "is counted over");
}

static void test_unreadable(void)
{
	struct metrics metrics;
	struct error err = {0};

	fresh();
	ok(mkdir(path, 0700) == 0, "a folder in the file's place");
	metric_add(&config, METRIC_POOL_CLAIMS, 1);
	ok(metrics_read(&config, &metrics, &err) < 0, "cannot be read");
	is_text(err.code, "metrics_unreadable", "metrics_unreadable");
	(void)rmdir(path);
}

int main(void)
{
	char folder[] = "/tmp/mayfly-metrics-XXXXXX";

	if (!mkdtemp(folder))
		return 1;
	(void)snprintf(config.run, sizeof(config.run), "%s", folder);
	(void)snprintf(path, sizeof(path), "%s/metrics-%d", folder, METRICS_LAYOUT);
	test_nothing();
	test_job();
	test_engine_words();
	test_exact();
	test_cardinality();
	test_labels();
	test_torn();
	test_torn_before_others();
	test_cut_off();
	test_other_content();
	test_unreadable();
	fresh();
	(void)rmdir(folder);
	return done();
}
