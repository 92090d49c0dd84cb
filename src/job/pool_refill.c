/*
 * Making pooled containers; the rules are in pool.h.
 *
 * Locks are on the file <run>/pool/lock, so a process that dies gives them back:
 *   flock(2)               held while the stock is counted and a place in it is taken
 *   byte PLACES + n        a pooled container is being made; n is less than the maximum number of
 *                          pooled containers (fcntl(2), OFD locks)
 *   byte KINDS + <kind>    that kind is being refilled (rule 4)
 */
#include "job/pool.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/frame.h"
#include "base/lock.h"
#include "base/num.h"
#include "job/internal.h"
#include "store/metrics.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define PLACES      0
#define KINDS       (1LL << 60)
#define KIND_DIGITS 15 /* as many of a kind's as a byte's offset has room for */

#define KIND_PREFIX "kind-" /* of a note that a job of that kind was */

struct refill {
	const struct config *config;
	struct engine *engine;
	const struct pool_plan *plan;
	uint64_t wanted, max_age_s, began_s;
	bool may_displace; /* rule 8 */
	int locks;         /* owned */
};

/* --- locks ------------------------------------------------------------------------------------ */

static int open_locks(const struct config *config)
{
	_cleanup_close_ int records = pool_open_records(config, true);

	return records < 0
		       ? -1
		       : openat(records, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
}

/* Rule 4. False when another process is at it. */
static bool lock_kind(int locks, const char *kind)
{
	uint64_t offset = 0;

	return num_parse((struct slice){kind, KIND_DIGITS}, 16, INT64_MAX, &offset) == 0 &&
	       lock_take(locks, KINDS + (int64_t)offset) == 0;
}

/* --- the stock -------------------------------------------------------------------------------- */

/* Of those that wait, what decides which gives way. */
struct waiting {
	char folder[ENGINE_FOLDER_BYTES];
	uint64_t caller, age_s;
	bool may_go;
};

struct stock {
	const struct refill *refill;
	struct waiting list[POOL_TOTAL_MAX];
	unsigned count;
	uint64_t of_kind, all, memory_bytes; /* of_kind: those that are young enough */
	uint64_t kind_bytes;                 /* memory of those */
};

static void take_stock(void *context, const struct pool_row *row)
{
	struct stock *stock = context;
	const struct refill *refill = stock->refill;
	bool is_good =
		strcmp(row->kind, refill->plan->kind) == 0 && row->age_s <= refill->max_age_s;

	stock->all++;
	stock->of_kind += is_good;
	stock->kind_bytes += is_good ? row->memory_bytes : 0;
	stock->memory_bytes += row->memory_bytes;
	if (stock->count == COUNT_OF(stock->list))
		return;

	struct waiting *waiting = &stock->list[stock->count++];

	(void)snprintf(waiting->folder, sizeof(waiting->folder), "%s", row->folder);
	waiting->caller = row->caller;
	waiting->age_s = row->age_s;
	/* rule 5: what was made since is not taken away again */
	waiting->may_go = !is_good && boot_now_s() - row->age_s < refill->began_s;
}

static unsigned count_of(const struct stock *stock, uint64_t caller)
{
	unsigned count = 0;

	for (unsigned i = 0; i < stock->count; i++)
		count += stock->list[i].caller == caller;
	return count;
}

/* Rule 5. NULL when none may go. */
static const char *find_victim(const struct stock *stock)
{
	const uint64_t caller = stock->refill->plan->caller;
	const unsigned own = count_of(stock, caller);
	const struct waiting *victim = NULL;
	unsigned most = 0;

	for (unsigned i = 0; i < stock->count; i++) {
		const struct waiting *one = &stock->list[i];
		unsigned count = count_of(stock, one->caller);

		if (!one->may_go || (one->caller != caller && count <= own && caller))
			continue;
		if (!victim || count > most || (count == most && one->age_s > victim->age_s)) {
			victim = one;
			most = count;
		}
	}
	return victim ? victim->folder : NULL;
}

/* Rules 7 and 8. */
static bool may_displace(const struct refill *refill, const struct stock *stock)
{
	if (!refill->may_displace)
		return false;
	return stock->of_kind == 0 || stock->kind_bytes / stock->of_kind * (stock->of_kind + 1) <=
					      refill->config->pool_memory_bytes / 2;
}

/* Counts what is being made, and takes a place for one more. The place's offset, or -1 when there
   is none. */
static int64_t take_place(const struct refill *refill, struct stock *stock)
{
	int64_t free_place = -1;

	for (int64_t place = PLACES; place < PLACES + (int64_t)refill->config->pool_total; place++)
		if (lock_count(refill->locks, place, place + 1, 1))
			stock->all++;
		else if (free_place < 0)
			free_place = place;
	if (stock->all >= refill->config->pool_total ||
	    stock->memory_bytes >= refill->config->pool_memory_bytes || free_place < 0 ||
	    lock_take(refill->locks, free_place) < 0)
		return -1;
	return free_place;
}

/* One look at the stock by one process at a time. 0: there are enough; 1: one is to be made
   at *place, or, when that is -1, another one is in the way of it; or -1 with *err. */
static int look(const struct refill *refill, struct stock *stock, int64_t *place, struct error *err)
{
	*stock = (struct stock){.refill = refill};
	if (flock(refill->locks, LOCK_EX) < 0)
		return error_set_errno(err, 500, "run_folder", "%s cannot be locked",
				       refill->config->run);

	int listed = pool_list(refill->config, take_stock, stock, err);
	bool is_enough = stock->of_kind >= refill->wanted;

	*place = listed < 0 || is_enough ? -1 : take_place(refill, stock);
	(void)flock(refill->locks, LOCK_UN);
	return listed < 0 ? -1 : !is_enough;
}

static bool is_fresh(const struct config *config, const struct stat *status)
{
	return time(NULL) - status->st_mtime <= (time_t)config->pool_ttl_s;
}

/* Notes that a job of the kind was. Was there one before? */
static bool note_kind(const struct refill *refill)
{
	const struct pool_plan *plan = refill->plan;
	_cleanup_close_ int records = pool_open_records(refill->config, true);
	char name[sizeof(KIND_PREFIX) + POOL_KIND_DIGITS];
	struct stat status;

	(void)snprintf(name, sizeof(name), KIND_PREFIX "%s", plan->kind);

	bool is_there = fstatat(records, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
			is_fresh(refill->config, &status);
	_cleanup_close_ int fd =
		openat(records, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (fd >= 0)
		(void)futimens(fd, NULL);
	return is_there;
}

/* Removes notes whose pooled containers have ended or were claimed by a process that could not, and
   of kinds that were not used for long. */
static void sweep_records(const struct config *config)
{
	_cleanup_closedir_ DIR *jobs = pool_open_jobs(config);
	int fd = pool_open_records(config, false);
	_cleanup_closedir_ DIR *records = fd < 0 ? NULL : fdopendir(fd);
	time_t now = time(NULL);
	struct stat status;

	for (const struct dirent *entry; records && (entry = readdir(records));) {
		bool is_kind = slice_starts(slice_of(entry->d_name), KIND_PREFIX);
		bool is_kept = (strlen(entry->d_name) != POOL_DIGITS && !is_kind) ||
			       fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
			       (is_kind ? is_fresh(config, &status)
					: now - status.st_mtime <= POOL_RECORD_MAX_AGE_S);

		if (!is_kept && jobs)
			rewinddir(jobs);
		for (const struct dirent *job;
		     !is_kept && !is_kind && jobs && (job = readdir(jobs));)
			is_kept = pool_has_name(job->d_name, NULL) &&
				  strcmp(pool_digits(job->d_name), entry->d_name) == 0;
		if (!is_kept)
			(void)unlinkat(fd, entry->d_name, 0);
	}
}

/* --- making one ------------------------------------------------------------------------------- */

struct report {
	uint64_t memory_bytes, prebooted;
};

static int write_record(const struct refill *refill, const char *folder,
			const struct report *report)
{
	_cleanup_close_ int records = pool_open_records(refill->config, true);
	_cleanup_close_ int fd =
		records < 0 ? -1
			    : openat(records, pool_digits(folder),
				     O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);

	return fd < 0 || dprintf(fd, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s",
				 boot_now_s(), report->memory_bytes, report->prebooted,
				 refill->plan->caller, refill->plan->label) < 0
		       ? -1
		       : 0;
}

static int take_report(struct slice fields, struct report *report, struct error *err)
{
	const struct field_number numbers[] = {{"memory_bytes", INT64_MAX, &report->memory_bytes},
					       {"prebooted", 1, &report->prebooted}};
	struct slice key, value;

	while (field_next(&fields, &key, &value))
		if (field_take_number(numbers, 2, key, value) < 0)
			return error_set(err, 502, "control_failed",
					 "A pooled container's report is malformed");
	return 0;
}

/* Has init start the runtime and waits until that waits for its script. */
static int prepare(const struct refill *refill, int control, struct report *report,
		   struct error *err)
{
	deadline_ms deadline = deadline_in(POOL_PREPARE_DEADLINE_MS);
	_cleanup_buf_ struct buf fields = buf_new(FRAME_JOB_MAX_BYTES);
	const struct pool_plan *plan = refill->plan;
	struct frame_reader reader;
	struct frame frame;

	if (field_add_number(&fields, "idle_s", refill->config->pool_ttl_s) < 0 ||
	    buf_append(&fields, plan->boot_env.data, plan->boot_env.len) < 0 ||
	    frame_send(control, FRAME_JOB, buf_slice(&plan->job), deadline) < 0 ||
	    frame_send(control, FRAME_PREPARE, buf_slice(&fields), deadline) < 0)
		return error_set_errno(err, 502, "control_failed",
				       "A pooled container does not accept its job");
	reader = frame_reader_new(control);

	int read = frame_read(&reader, &frame, deadline, err);

	if (read == 0 && frame.type != FRAME_READY)
		read = error_set(err, 502, "control_failed",
				 "A pooled container answered out of order");
	if (read == 0)
		read = take_report(frame.payload, report, err);
	frame_reader_free(&reader);
	return read;
}

/* Makes a prepared container claimable. Until then it is an ordinary one, which the reaper
   knows. */
static int publish(const struct refill *refill, const char *folder, const struct report *report,
		   struct error *err)
{
	_cleanup_closedir_ DIR *jobs = pool_open_jobs(refill->config);
	char pooled[ENGINE_FOLDER_BYTES];

	(void)snprintf(pooled, sizeof(pooled), POOL_PREFIX "%s-%s", refill->plan->kind,
		       pool_digits(folder));
	if (!jobs || write_record(refill, folder, report) < 0 ||
	    renameat(dirfd(jobs), folder, dirfd(jobs), pooled) < 0)
		return error_set_errno(err, 500, "run_folder",
				       "A pooled container cannot be noted in %s",
				       refill->config->run);
	return 0;
}

static int prepare_and_publish(const struct refill *refill, const char *folder, struct error *err)
{
	struct report report = {0};
	int control;

	if (job_connect(refill->config, folder, &control, err) < 0)
		return -1;

	int prepared = prepare(refill, control, &report, err);

	close(control);
	return prepared < 0 ? -1 : publish(refill, folder, &report, err);
}

static int make_one(const struct refill *refill, struct error *err)
{
	const struct config *config = refill->config;
	const struct engine_request request = {
		.template = refill->plan->template,
		.lifetime_s =
			config->pool_ttl_s + refill->plan->job_max_s + CONTAINER_START_ALLOWANCE_S,
		.limits = refill->plan->limits,
		.is_pooled = true,
	};
	char folder[ENGINE_FOLDER_BYTES];
	struct metrics_change change = {0};
	int64_t started_us = monotonic_us();
	struct error second;

	if (engine_make(refill->engine, &request, deadline_in(ENGINE_MAKE_DEADLINE_MS), folder,
			err) < 0)
		return -1;
	if (prepare_and_publish(refill, folder, err) < 0) {
		pool_forget(config, folder);
		/* should this fail too: the container has a deadline of its own */
		(void)!engine_remove(refill->engine, folder, deadline_in(ENGINE_CALL_DEADLINE_MS),
				     &second);
		return -1;
	}
	change.add[METRIC_POOL_REFILLS] = 1;
	change.add[METRIC_POOL_REFILL_US] = (uint64_t)(monotonic_us() - started_us);
	metrics_count(config, &change);
	return 0;
}

/* --- refilling -------------------------------------------------------------------------------- */

static int refill_kind(const struct refill *refill, struct error *err)
{
	struct stock stock;
	int64_t place = -1;

	for (;;) {
		int found = look(refill, &stock, &place, err);
		const char *victim;
		int done;

		if (found <= 0)
			return found;
		if (place >= 0) {
			done = make_one(refill, err);
			lock_release(refill->locks, place);
		} else if (refill->config->pool_total && may_displace(refill, &stock) &&
			   (victim = find_victim(&stock))) {
			done = pool_drop(refill->config, refill->engine, victim, err);
		} else {
			return 0; /* no room, and nothing that would have to make some */
		}
		if (done < 0)
			return -1;
	}
}

int pool_refill(const struct config *config, struct engine *engine, const struct pool_plan *plan,
		uint64_t wanted, uint64_t max_age_s, struct error *err)
{
	struct refill refill = {
		.config = config,
		.engine = engine,
		.plan = plan,
		.wanted = wanted,
		.max_age_s = max_age_s,
		.began_s = boot_now_s(),
		.locks = open_locks(config),
	};
	int refilled = 0;

	if (refill.locks < 0)
		return error_set_errno(err, 500, "run_folder",
				       "%s/" POOL_RECORDS_DIR " cannot be written to", config->run);
	refill.may_displace = note_kind(&refill) || plan->is_used || !plan->caller;
	if (lock_kind(refill.locks, plan->kind))
		refilled = refill_kind(&refill, err);
	sweep_records(config);
	close(refill.locks);
	return refilled;
}
