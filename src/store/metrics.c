/* Metrics: the rows of the file; the rules are in the header. */
#include "store/metrics.h"

#include "base/cleanup.h"
#include "base/lock.h"
#include "base/memory.h"
#include "config/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define FNV_OFFSET 0xCBF29CE484222325ULL /* of FNV-1a, 64 bits */
#define FNV_PRIME  0x100000001B3ULL
#define ROWS       (METRICS_ROW_COUNT + METRICS_FAMILY_COUNT)
#define LABEL_NONE "none"  /* a job without a language of its own */
#define LABEL_REST "other" /* jobs that found no row */

const char *const metrics_outcomes[OUTCOME_COUNT] = {
	[OUTCOME_SUCCEEDED] = "succeeded",
	[OUTCOME_FAILED] = "failed",
	[OUTCOME_TIMEOUT] = "timeout",
	[OUTCOME_OOM] = "oom",
	[OUTCOME_CPU] = "cpu",
	[OUTCOME_CANCELLED] = "cancelled",
	[OUTCOME_NOT_STARTED] = "not_started",
	[OUTCOME_LOST] = "lost",
	[OUTCOME_BUSY] = "busy",
	[OUTCOME_ERROR] = "error",
};

const int64_t metrics_bounds_us[METRICS_BOUND_COUNT] = {
	2500,   5000,    10000,   25000,   50000,    100000,   250000,
	500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000,
};

/* Row 0 is the counters', all others are jobs'. Never written: all zero. */
struct row {
	uint64_t checksum;
	union {
		uint64_t values[METRIC_COUNT];
		struct metrics_series series;
		unsigned char bytes[METRICS_ROW_BYTES - sizeof(uint64_t)];
	} of;
};

_Static_assert(sizeof(struct row) == METRICS_ROW_BYTES, "a row fits, and fills, its bytes");

/* FNV-1a over what the row holds, from a start of its own for each place and layout: a row that has
   moved is not ours. */
static uint64_t checksum(const struct row *row, uint64_t index)
{
	uint64_t hash = (FNV_OFFSET ^ (METRICS_LAYOUT << 16 | index)) * FNV_PRIME;

	for (size_t i = 0; i < sizeof(row->of.bytes); i++)
		hash = (hash ^ row->of.bytes[i]) * FNV_PRIME;
	return hash;
}

static bool is_good(const struct row *row, uint64_t index)
{
	return row->checksum == checksum(row, index);
}

static int open_file(const struct config *config, int flags)
{
	char path[PATH_MAX + 32];

	(void)snprintf(path, sizeof(path), "%s/metrics-%d", config->run, METRICS_LAYOUT);
	return open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0640);
}

static bool lock(int fd, bool is_shared)
{
	return lock_file(fd, is_shared, deadline_in(METRICS_LOCK_DEADLINE_MS));
}

/* Reads a row; one that is not good (rule 2) reads as zero. True when it was good. */
static bool read_row(int fd, uint64_t index, struct row *out)
{
	ssize_t len = pread(fd, out, sizeof(*out), (off_t)(index * sizeof(*out)));

	if (len == (ssize_t)sizeof(*out) && is_good(out, index))
		return true;
	*out = (struct row){0};
	return false;
}

static void write_row(int fd, uint64_t index, struct row *row)
{
	row->checksum = checksum(row, index);
	if (pwrite(fd, row, sizeof(*row), (off_t)(index * sizeof(*row))) != (ssize_t)sizeof(*row))
		return; /* rule 4; the row's checksum tells the next one */
}

/* --- counting --------------------------------------------------------------------------------- */

static void add_values(int fd, const uint64_t add[METRIC_COUNT])
{
	struct row row;

	(void)read_row(fd, 0, &row);
	for (unsigned i = 0; i < METRIC_COUNT; i++)
		row.of.values[i] += add[i];
	write_row(fd, 0, &row);
}

static uint64_t hash_labels(const struct metrics_job *job)
{
	uint64_t hash = FNV_OFFSET ^ (unsigned char)job->family;

	for (const char *at = job->language; *at; at++)
		hash = (hash ^ (unsigned char)*at) * FNV_PRIME;
	hash *= FNV_PRIME; /* a NUL between the two */
	for (const char *at = job->template; *at; at++)
		hash = (hash ^ (unsigned char)*at) * FNV_PRIME;
	return hash;
}

/* The row of the labels, or the first free one for them. False when there is neither. */
static bool find_row(int fd, const struct metrics_job *job, uint64_t *index, struct row *row)
{
	const uint64_t places = METRICS_ROW_COUNT - 1;
	uint64_t first = hash_labels(job) % places;

	for (uint64_t i = 0; i < places; i++) {
		*index = 1 + (first + i) % places;
		if (!read_row(fd, *index, row)) {
			row->of.series.family = job->family;
			memcpy(row->of.series.language, job->language, sizeof(job->language));
			memcpy(row->of.series.template, job->template, sizeof(job->template));
			return true;
		}
		if (row->of.series.family == job->family &&
		    strcmp(row->of.series.language, job->language) == 0 &&
		    strcmp(row->of.series.template, job->template) == 0)
			return true;
	}
	return false;
}

static void observe(struct metrics_histogram *histogram, int64_t us)
{
	unsigned bucket = 0;

	while (bucket < METRICS_BOUND_COUNT && us > metrics_bounds_us[bucket])
		bucket++;
	histogram->buckets[bucket]++;
	histogram->sum_us += us > 0 ? (uint64_t)us : 0;
}

/* Only names of registry entries are labels (rule 3); the buffer is filled with NULs, for the row's
   checksum. */
static void set_label(char label[REGISTRY_NAME_MAX_BYTES + 1], const char *name)
{
	const char *text = !*name                             ? LABEL_NONE
			   : registry_is_name(slice_of(name)) ? name
							      : LABEL_REST;

	memset(label, 0, REGISTRY_NAME_MAX_BYTES + 1);
	(void)snprintf(label, REGISTRY_NAME_MAX_BYTES + 1, "%s", text);
}

/* With every row taken, all that is new shares its family's row behind the others. */
static void add_job(int fd, const struct metrics_job *given)
{
	struct metrics_job job = {.family = given->family};
	struct row row;
	uint64_t index;

	set_label(job.language, given->language);
	set_label(job.template, given->template);
	if (!find_row(fd, &job, &index, &row)) {
		index = METRICS_ROW_COUNT + (uint64_t)(job.family - METRICS_FAMILY_FIRST);
		(void)read_row(fd, index, &row);
		row.of.series.family = job.family;
		set_label(row.of.series.language, LABEL_REST);
		set_label(row.of.series.template, LABEL_REST);
	}
	row.of.series.outcomes[given->outcome]++;
	observe(&row.of.series.duration, given->duration_us);
	if (given->program_us >= 0)
		observe(&row.of.series.program, given->program_us);
	write_row(fd, index, &row);
}

void metrics_count(const struct config *config, const struct metrics_change *change)
{
	static const struct metrics_change none;
	bool adds = memcmp(change->add, none.add, sizeof(none.add)) != 0;
	_cleanup_close_ int fd =
		adds || change->job.family ? open_file(config, O_RDWR | O_CREAT) : -1;

	if (fd < 0 || !lock(fd, false))
		return;
	if (adds)
		add_values(fd, change->add);
	if (change->job.family)
		add_job(fd, &change->job);
}

void metric_add(const struct config *config, enum metric metric, uint64_t amount)
{
	struct metrics_change change = {0};

	change.add[metric] = amount;
	metrics_count(config, &change);
}

enum metric metric_of_engine_error(const char *code)
{
	return METRIC_ENGINE_ERRORS + engine_code_index(code, strlen(code));
}

/* --- reading ---------------------------------------------------------------------------------- */

static void add_histogram(struct metrics_histogram *to, const struct metrics_histogram *from)
{
	for (unsigned i = 0; i <= METRICS_BOUND_COUNT; i++)
		to->buckets[i] += from->buckets[i];
	to->sum_us += from->sum_us;
}

static int compare_labels(const void *left, const void *right)
{
	const struct metrics_series *a = left, *b = right;
	int order = a->family - b->family;

	if (!order)
		order = strcmp(a->language, b->language);
	return order ? order : strcmp(a->template, b->template);
}

/* Labels may stand in two rows, where one between them was damaged for a while. */
static void sort_and_merge(struct metrics *metrics)
{
	struct metrics_series *series = metrics->series;
	size_t count = 0;

	qsort(series, metrics->series_count, sizeof(*series), compare_labels);
	for (size_t i = 0; i < metrics->series_count; i++) {
		if (count == 0 || compare_labels(&series[count - 1], &series[i]) != 0) {
			series[count++] = series[i];
			continue;
		}
		for (unsigned outcome = 0; outcome < OUTCOME_COUNT; outcome++)
			series[count - 1].outcomes[outcome] += series[i].outcomes[outcome];
		add_histogram(&series[count - 1].duration, &series[i].duration);
		add_histogram(&series[count - 1].program, &series[i].program);
	}
	metrics->series_count = count;
}

static void take_rows(const struct row *rows, uint64_t count, struct metrics *out)
{
	for (uint64_t i = 0; i < count; i++) {
		if (!is_good(&rows[i], i))
			continue;
		if (i == 0)
			memcpy(out->values, rows[i].of.values, sizeof(out->values));
		else
			out->series[out->series_count++] = rows[i].of.series;
	}
}

static int read_rows(const struct config *config, struct row *rows, uint64_t *count,
		     struct error *err)
{
	_cleanup_close_ int fd = open_file(config, O_RDONLY);
	ssize_t len = 0;

	if ((fd < 0 && errno != ENOENT) ||
	    (fd >= 0 && (!lock(fd, true) || (len = pread(fd, rows, ROWS * sizeof(*rows), 0)) < 0)))
		return error_set_errno(err, 500, "metrics_unreadable",
				       "%s/metrics-%d cannot be read", config->run, METRICS_LAYOUT);
	*count = (uint64_t)len / sizeof(*rows);
	return 0;
}

int metrics_read(const struct config *config, struct metrics *out, struct error *err)
{
	struct metrics metrics = {.series = memory_array(ROWS, sizeof(*metrics.series))};
	struct row *rows = memory_array(ROWS, sizeof(*rows));
	uint64_t count = 0;
	int done = read_rows(config, rows, &count, err);

	if (done == 0) {
		take_rows(rows, count, &metrics);
		sort_and_merge(&metrics);
		*out = metrics;
	} else {
		metrics_free(&metrics);
	}
	free(rows);
	return done;
}

void metrics_free(struct metrics *metrics)
{
	free(metrics->series);
	metrics->series = NULL;
	metrics->series_count = 0;
}
