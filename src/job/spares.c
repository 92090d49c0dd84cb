#include "job/spares.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/num.h"
#include "base/sha256.h"
#include "job/control.h"
#include "job/counters.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define DIGITS 24 /* of a container's folder */

/* --- kinds -------------------------------------------------------------------------------------- */

static int add_kernel(struct spare_plan *plan, const char *const *kernel_env)
{
	for (; kernel_env && *kernel_env; kernel_env++)
		if (field_add(&plan->kernel, "env", slice_of(*kernel_env)) < 0)
			return -1;
	return 0;
}

/* Rule 3: everything that makes a spare what it is goes into its kind's name. */
static void name_kind(const struct config *config, const struct template *template,
		      struct spare_plan *plan)
{
	struct sha256 hash = sha256_new();
	unsigned char digest[SHA256_BYTES];
	char hex[SHA256_HEX_BYTES];
	struct stat stamp = {0};

	(void)stat(config->image_stamp, &stamp); /* one that is not there never changes */
	sha256_add(&hash, (struct slice){(const char *)template, sizeof(*template)});
	sha256_add(&hash, (struct slice){(const char *)&plan->limits, sizeof(plan->limits)});
	sha256_add(&hash, (struct slice){(const char *)&stamp.st_mtim, sizeof(stamp.st_mtim)});
	sha256_add(&hash, (struct slice){(const char *)&stamp.st_ino, sizeof(stamp.st_ino)});
	sha256_add(&hash, buf_slice(&plan->job));
	sha256_add(&hash, buf_slice(&plan->kernel));
	sha256_end(&hash, digest);
	sha256_hex(digest, hex);
	memcpy(plan->kind, hex, SPARE_KIND_DIGITS);
	plan->kind[SPARE_KIND_DIGITS] = '\0';
}

int spare_plan(const struct config *config, const struct job *job, struct spare_plan *out,
	       struct error *err)
{
	struct spare_plan plan = {.job = buf_new(FRAME_JOB_MAX_BYTES),
				  .kernel = buf_new(FRAME_JOB_MAX_BYTES / 2)};
	struct template template;

	/* the padding between its members goes into the hash with it */
	memset(&template, 0, sizeof(template));
	if (template_load(config, slice_of(job->template), &template, err) < 0)
		return -1;
	if (job_command(job, &plan.job) < 0 || add_kernel(&plan, job->kernel) < 0) {
		spare_plan_free(&plan);
		return error_set(err, 400, "job_too_large",
				 "Arguments and environment pass %llu bytes",
				 (unsigned long long)FRAME_JOB_MAX_BYTES);
	}
	(void)snprintf(plan.template, sizeof(plan.template), "%s", job->template);
	plan.limits = job->limits;
	(void)snprintf(plan.label, sizeof(plan.label), "%s: %.*s %.*s", job->template,
		       (int)job->argv[0].len, job->argv[0].data,
		       job->argc > 1 ? (int)job->argv[1].len : 0,
		       job->argc > 1 ? job->argv[1].data : "");
	for (char *at = plan.label; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7F)
			*at = '?';
	plan.job_max_s = template.timeout_max_s;
	name_kind(config, &template, &plan);
	*out = plan;
	return 0;
}

void spare_plan_free(struct spare_plan *plan)
{
	buf_free(&plan->job);
	buf_free(&plan->kernel);
}

/* --- folders and records ------------------------------------------------------------------------ */

static int open_folder(const struct config *config, const char *name)
{
	char path[PATH_MAX + 16];

	(void)snprintf(path, sizeof(path), "%s/%s", config->run, name);
	return fs_open_or_make_dir(path, 0700);
}

static DIR *open_jobs(const struct config *config)
{
	char path[PATH_MAX + 16];

	(void)snprintf(path, sizeof(path), "%s/%s", config->run, JOBS_DIR_NAME);
	return opendir(path);
}

/* s-<kind>-<digits>; kind NULL: of any kind. */
static bool is_spare(const char *name, const char *kind)
{
	const size_t kind_at = strlen(SPARE_PREFIX), digits_at = kind_at + SPARE_KIND_DIGITS + 1;

	return strncmp(name, SPARE_PREFIX, kind_at) == 0 && strlen(name) == digits_at + DIGITS &&
	       (!kind || strncmp(name + kind_at, kind, SPARE_KIND_DIGITS) == 0);
}

static const char *digits_of(const char *folder)
{
	return folder + strlen(folder) - DIGITS;
}

/* Rule 1. */
static bool claim_folder(int jobs, const char *spare, char folder[ENGINE_FOLDER_BYTES])
{
	(void)snprintf(folder, ENGINE_FOLDER_BYTES, "c-%s", digits_of(spare));
	return renameat(jobs, spare, jobs, folder) == 0;
}

static void forget_record(const struct config *config, const char *folder)
{
	_cleanup_close_ int records = open_folder(config, "spares");

	if (records >= 0)
		(void)unlinkat(records, digits_of(folder), 0);
}

bool spare_claim(const struct config *config, const struct spare_plan *plan, int *control,
		 char folder[ENGINE_FOLDER_BYTES])
{
	_cleanup_closedir_ DIR *jobs = open_jobs(config);
	struct error ignored; /* rule 2 */

	if (!jobs)
		return false;
	for (const struct dirent *entry; (entry = readdir(jobs));) {
		if (!is_spare(entry->d_name, plan->kind) ||
		    !claim_folder(dirfd(jobs), entry->d_name, folder))
			continue;
		if (job_connect(config, folder, control, &ignored) == 0)
			return true;
		/* it has ended: its folder is the reaper's now */
	}
	return false;
}

/* --- the list ----------------------------------------------------------------------------------- */

/* Reads what was noted of a spare: "<memory> <kernel> <label>". False when there is nothing. */
static bool read_record(int records, const char *folder, char text[SPARE_RECORD_MAX_BYTES],
			struct spare_row *row)
{
	_cleanup_close_ int fd =
		openat(records, digits_of(folder), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t len = fd < 0 ? -1 : read(fd, text, SPARE_RECORD_MAX_BYTES - 1);
	struct stat status;
	char *kernel, *label;

	if (len <= 0 || fstat(fd, &status) < 0)
		return false;
	text[len] = '\0';
	kernel = strchr(text, ' ');
	label = kernel ? strchr(kernel + 1, ' ') : NULL;
	if (!label || num_parse((struct slice){text, (size_t)(kernel - text)}, 10, INT64_MAX,
				&row->memory_bytes) < 0)
		return false;
	row->has_kernel = kernel[1] == '1';
	row->label = label + 1;
	row->age_s = (uint64_t)(time(NULL) - status.st_mtime);
	return true;
}

int spare_list(const struct config *config, void (*row)(void *, const struct spare_row *),
	       void *context, struct error *err)
{
	_cleanup_closedir_ DIR *jobs = open_jobs(config);
	_cleanup_close_ int records = open_folder(config, "spares");
	char text[SPARE_RECORD_MAX_BYTES];

	if (records < 0 || (!jobs && errno != ENOENT))
		return error_set_errno(err, 500, "run_folder", "%s cannot be read", config->run);
	for (const struct dirent *entry; jobs && (entry = readdir(jobs));) {
		struct spare_row one = {.folder = entry->d_name, .label = ""};

		if (is_spare(entry->d_name, NULL) &&
		    read_record(records, entry->d_name, text, &one) &&
		    one.age_s <= config->spare_ttl_s)
			row(context, &one);
	}
	return 0;
}

/* --- refilling ---------------------------------------------------------------------------------- */

struct stock {
	const char *kind;
	uint64_t of_kind, all, memory_bytes;
	uint64_t oldest_age_s; /* of other kinds */
	char oldest[ENGINE_FOLDER_BYTES];
};

static void take_stock(void *context, const struct spare_row *row)
{
	struct stock *stock = context;
	bool is_same = is_spare(row->folder, stock->kind);

	stock->all++;
	stock->of_kind += is_same;
	stock->memory_bytes += row->memory_bytes;
	if (!is_same && (!*stock->oldest || row->age_s > stock->oldest_age_s)) {
		stock->oldest_age_s = row->age_s;
		(void)snprintf(stock->oldest, sizeof(stock->oldest), "%s", row->folder);
	}
}

/* Claims the oldest spare of another kind and has it removed. 0 when there was one. */
static int make_room(const struct config *config, struct engine *engine, const struct stock *stock,
		     struct error *err)
{
	_cleanup_closedir_ DIR *jobs = open_jobs(config);
	char folder[ENGINE_FOLDER_BYTES];

	if (!*stock->oldest || !jobs)
		return error_set(err, 0, "spares_full", "the maximum of spares is reached");
	if (!claim_folder(dirfd(jobs), stock->oldest, folder))
		return 0; /* somebody was quicker: there is room all the same */
	forget_record(config, folder);
	return engine_remove(engine, folder, deadline_in(ENGINE_CALL_DEADLINE_MS), err);
}

static int write_record(const struct config *config, const char *folder,
			const struct spare_plan *plan, uint64_t memory_bytes, bool has_kernel)
{
	_cleanup_close_ int records = open_folder(config, "spares");
	_cleanup_close_ int fd = records < 0
					 ? -1
					 : openat(records, digits_of(folder),
						  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	return fd < 0 || dprintf(fd, "%llu %d %s", (unsigned long long)memory_bytes, has_kernel,
				 plan->label) < 0
		       ? -1
		       : 0;
}

/* Has init start the runtime and waits until that waits for its script. */
static int prepare(int control, const struct config *config, const struct spare_plan *plan,
		   uint64_t *memory_bytes, bool *has_kernel, struct error *err)
{
	deadline_ms deadline = deadline_in(SPARE_PREPARE_DEADLINE_MS);
	_cleanup_buf_ struct buf fields = buf_new(FRAME_JOB_MAX_BYTES);
	struct frame_reader reader = frame_reader_new(control);
	struct slice key, value;
	struct frame frame;
	uint64_t kernel = 0;

	if (field_add_number(&fields, "idle_s", config->spare_ttl_s) < 0 ||
	    buf_append(&fields, plan->kernel.data, plan->kernel.len) < 0 ||
	    frame_send(control, FRAME_JOB, buf_slice(&plan->job), deadline) < 0 ||
	    frame_send(control, FRAME_PREPARE, buf_slice(&fields), deadline) < 0)
		return error_set_errno(err, 502, "control_failed", "A spare does not take its job");

	int read = frame_read(&reader, &frame, deadline, err);

	if (read == 0 && frame.type != FRAME_READY)
		read = error_set(err, 502, "control_failed", "A spare answered out of turn");
	while (read == 0 && field_next(&frame.payload, &key, &value))
		if ((slice_eq(key, "memory_bytes") &&
		     num_parse(value, 10, INT64_MAX, memory_bytes) < 0) ||
		    (slice_eq(key, "kernel") && num_parse(value, 10, 1, &kernel) < 0))
			read = error_set(err, 502, "control_failed",
					 "A spare's report is malformed");
	frame_reader_free(&reader);
	*has_kernel = kernel;
	return read;
}

/* Makes a prepared container claimable. Until then it is an ordinary one, which the reaper knows. */
static int publish(const struct config *config, const struct spare_plan *plan, const char *folder,
		   uint64_t memory_bytes, bool has_kernel, struct error *err)
{
	_cleanup_closedir_ DIR *jobs = open_jobs(config);
	char spare[ENGINE_FOLDER_BYTES];

	(void)snprintf(spare, sizeof(spare), SPARE_PREFIX "%s-%s", plan->kind, digits_of(folder));
	if (!jobs || write_record(config, folder, plan, memory_bytes, has_kernel) < 0 ||
	    renameat(dirfd(jobs), folder, dirfd(jobs), spare) < 0)
		return error_set_errno(err, 500, "run_folder", "A spare cannot be noted in %s",
				       config->run);
	return 0;
}

static int prepare_and_publish(const struct config *config, const struct spare_plan *plan,
			       const char *folder, struct error *err)
{
	uint64_t memory_bytes = 0;
	bool has_kernel = false;
	int control;

	if (job_connect(config, folder, &control, err) < 0)
		return -1;

	int prepared = prepare(control, config, plan, &memory_bytes, &has_kernel, err);

	close(control);
	return prepared < 0 ? -1 : publish(config, plan, folder, memory_bytes, has_kernel, err);
}

static int make_one(const struct config *config, struct engine *engine,
		    const struct spare_plan *plan, struct error *err)
{
	const struct engine_request request = {
		.template = plan->template,
		.lifetime_s = config->spare_ttl_s + plan->job_max_s + CONTAINER_START_ALLOWANCE_S,
		.limits = plan->limits,
		.is_spare = true,
	};
	char folder[ENGINE_FOLDER_BYTES];
	int64_t started_us = monotonic_us();
	struct error second;

	if (engine_make(engine, &request, deadline_in(ENGINE_MAKE_DEADLINE_MS), folder, err) < 0)
		return -1;
	if (prepare_and_publish(config, plan, folder, err) < 0) {
		forget_record(config, folder);
		/* should this fail too: the container has a deadline of its own */
		(void)!engine_remove(engine, folder, deadline_in(ENGINE_CALL_DEADLINE_MS), &second);
		return -1;
	}
	counter_add(config, "spare_refills", 1);
	counter_add(config, "spare_refill_us", (uint64_t)(monotonic_us() - started_us));
	return 0;
}

/* Rule 4. The descriptor that holds the lock, or -1 when somebody else does. */
static int lock_kind(const struct config *config, const struct spare_plan *plan)
{
	_cleanup_close_ int records = open_folder(config, "spares");
	char name[SPARE_KIND_DIGITS + 8];

	(void)snprintf(name, sizeof(name), "%s.lock", plan->kind);

	_cleanup_close_ int fd =
		records < 0
			? -1
			: openat(records, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);

	return fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 ? -1 : steal_fd(&fd);
}

int spare_refill(const struct config *config, struct engine *engine, const struct spare_plan *plan,
		 uint64_t wanted, struct error *err)
{
	_cleanup_close_ int lock = lock_kind(config, plan);

	if (lock < 0)
		return 0;
	for (;;) {
		struct stock stock = {.kind = plan->kind};

		if (spare_list(config, take_stock, &stock, err) < 0)
			return -1;
		if (stock.of_kind >= wanted)
			return 0;
		if (stock.all >= config->spares_total ||
		    stock.memory_bytes >= config->spares_memory_bytes) {
			if (make_room(config, engine, &stock, err) < 0)
				return err->status == 0 ? 0 : -1;
			continue;
		}
		if (make_one(config, engine, plan, err) < 0)
			return -1;
	}
}
