/* Pooled containers: kinds, claiming, the list; the rules are in the header. Making them is in
   pool_refill.c. */
#include "job/pool.h"

#include "base/ascii.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/num.h"
#include "config/template_find.h"
#include "job/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define PRELOAD_VARIABLE "MAYFLY_PRELOAD=" /* worker/kernels */

/* --- kinds ------------------------------------------------------------------------------------ */

/* preload: the template's, which only python's cells know what to do with. */
static int add_boot_env(struct pool_plan *plan, const char *kernel, const char *const *boot_env,
			const char *preload)
{
	char modules[sizeof(PRELOAD_VARIABLE) + TEMPLATE_TEXT_BYTES];

	if (kernel && field_add(&plan->boot_env, "kernel", slice_of(kernel)) < 0)
		return -1;
	(void)snprintf(modules, sizeof(modules), PRELOAD_VARIABLE "%s", preload);
	if (*preload && kernel && strcmp(kernel, "python") == 0 &&
	    field_add(&plan->boot_env, "env", slice_of(modules)) < 0)
		return -1;
	for (; boot_env && *boot_env; boot_env++)
		if (field_add(&plan->boot_env, "env", slice_of(*boot_env)) < 0)
			return -1;
	return 0;
}

static void add_bytes(struct sha256 *hash, const void *data, size_t len)
{
	sha256_add_counted(hash, (struct slice){data, len});
}

static void add_text(struct sha256 *hash, const char *text)
{
	add_bytes(hash, text, text ? strlen(text) : 0);
}

/* A file as it is now; one that is not there never changes. */
static void add_file(struct sha256 *hash, const char *folder, const char *name)
{
	char path[PATH_MAX + 32];
	struct stat status = {0};

	(void)snprintf(path, sizeof(path), "%s%s", folder, name);
	(void)stat(path, &status);
	add_bytes(hash, &status.st_mtim.tv_sec, sizeof(status.st_mtim.tv_sec));
	add_bytes(hash, &status.st_mtim.tv_nsec, sizeof(status.st_mtim.tv_nsec));
	add_bytes(hash, &status.st_ino, sizeof(status.st_ino));
	add_bytes(hash, &status.st_size, sizeof(status.st_size));
}

/* What the engine isolates a container by and lends to it (engine/prepare.c), beside the
   template. */
static void add_isolation(const struct config *config, struct sha256 *hash)
{
	const char *seccomp = getenv("SECCOMP_PROFILE");

	add_text(hash, MAYFLY_VERSION);
	add_text(hash, config->network);
	add_bytes(hash, &config->unenforced, sizeof(config->unenforced));
	add_text(hash, getenv("APPARMOR_PROFILE"));
	add_text(hash, getenv("MAYFLY_SELINUX_TYPE"));
	add_text(hash, seccomp);
	add_file(hash, seccomp ? seccomp : "", "");
	add_file(hash, config->libexec, "/mayfly-init");
	for (unsigned i = 0; i < CONFIG_REGISTRY_DIRS; i++)
		add_file(hash, config->registry[i], "/seccomp.json");
}

/* Rule 3: everything that makes a pooled container what it is goes into its kind's name. */
static void name_kind(const struct config *config, const struct template *template,
		      struct pool_plan *plan)
{
	struct sha256 hash = sha256_new();
	char hex[SHA256_HEX_BYTES];

	template_hash(template, &hash);
	add_bytes(&hash, &plan->limits, sizeof(plan->limits));
	add_bytes(&hash, plan->job.data, plan->job.len);
	add_bytes(&hash, plan->boot_env.data, plan->boot_env.len);
	add_file(&hash, config->image_stamp, "");
	add_isolation(config, &hash);
	sha256_end_hex(&hash, hex);
	memcpy(plan->kind, hex, POOL_KIND_DIGITS);
	plan->kind[POOL_KIND_DIGITS] = '\0';
}

static void write_label(const struct job *job, struct pool_plan *plan)
{
	(void)snprintf(plan->label, sizeof(plan->label), "%s: %.*s %.*s", job->template,
		       (int)job->argv[0].len, job->argv[0].data,
		       job->argc > 1 ? (int)job->argv[job->argc - 1].len : 0,
		       job->argc > 1 ? job->argv[job->argc - 1].data : "");
	ascii_mask_control(plan->label, strlen(plan->label), '?');
}

int pool_plan(const struct config *config, const struct job *job, struct pool_plan *out,
	      struct error *err)
{
	struct pool_plan plan = {.job = buf_new(FRAME_JOB_MAX_BYTES),
				 .boot_env = buf_new(FRAME_JOB_MAX_BYTES / 2)};
	struct template template;

	if (template_find(config, slice_of(job->template), &template, err) < 0)
		return -1;
	if (job_command(job, &plan.job) < 0 ||
	    add_boot_env(&plan, job->kernel, job->boot_env, template.preload) < 0) {
		pool_plan_free(&plan);
		return error_set(err, 400, "job_too_large",
				 "Arguments and environment pass %llu bytes",
				 (unsigned long long)FRAME_JOB_MAX_BYTES);
	}
	(void)snprintf(plan.template, sizeof(plan.template), "%s", job->template);
	plan.limits = job->limits;
	/* a container that runs cells may become a session */
	plan.job_max_s = job->kernel ? SESSION_LIFETIME_S : template.timeout_max_s;
	write_label(job, &plan);
	name_kind(config, &template, &plan);
	*out = plan;
	return 0;
}

void pool_plan_free(struct pool_plan *plan)
{
	buf_free(&plan->job);
	buf_free(&plan->boot_env);
}

/* --- folders and records ---------------------------------------------------------------------- */

DIR *pool_open_jobs(const struct config *config)
{
	char path[PATH_MAX + 16];

	(void)snprintf(path, sizeof(path), "%s/%s", config->run, JOBS_DIR_NAME);
	return opendir(path);
}

int pool_open_records(const struct config *config, bool make)
{
	char path[PATH_MAX + 16];

	(void)snprintf(path, sizeof(path), "%s/%s", config->run, POOL_RECORDS_DIR);
	return make ? fs_open_or_make_dir(path, 0700)
		    : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* s-<kind>-<digits> */
bool pool_has_name(const char *folder, const char *kind)
{
	const size_t kind_at = strlen(POOL_PREFIX), digits_at = kind_at + POOL_KIND_DIGITS + 1;

	return strncmp(folder, POOL_PREFIX, kind_at) == 0 &&
	       strlen(folder) == digits_at + POOL_DIGITS &&
	       (!kind || strncmp(folder + kind_at, kind, POOL_KIND_DIGITS) == 0);
}

const char *pool_digits(const char *folder)
{
	return folder + strlen(folder) - POOL_DIGITS;
}

int pool_claim_folder(int jobs, const char *pooled, char folder[ENGINE_FOLDER_BYTES])
{
	(void)snprintf(folder, ENGINE_FOLDER_BYTES, "c-%s", pool_digits(pooled));
	return renameat(jobs, pooled, jobs, folder);
}

void pool_forget(const struct config *config, const char *folder)
{
	_cleanup_close_ int records = pool_open_records(config, false);

	if (records >= 0)
		(void)unlinkat(records, pool_digits(folder), 0);
}

bool pool_claim(const struct config *config, const struct pool_plan *plan, int *control,
		char folder[ENGINE_FOLDER_BYTES])
{
	_cleanup_closedir_ DIR *jobs = pool_open_jobs(config);
	struct error ignored; /* rule 2 */

	if (!jobs)
		return false;
	for (const struct dirent *entry; (entry = readdir(jobs));) {
		if (!pool_has_name(entry->d_name, plan->kind) ||
		    pool_claim_folder(dirfd(jobs), entry->d_name, folder) < 0)
			continue;
		if (job_connect(config, folder, control, &ignored) == 0)
			return true;
		pool_forget(config, folder); /* it has ended: its folder is the reaper's now */
	}
	return false;
}

/* init ends when a connection does: an engine removes what has ended at once, and what runs after
   some 100 ms. */
static void hang_up(const struct config *config, const char *folder)
{
	struct error ignored;
	char byte;
	int control;

	if (job_connect(config, folder, &control, &ignored) < 0)
		return;
	(void)shutdown(control, SHUT_WR);
	(void)!io_read_some(control, &byte, sizeof(byte), deadline_in(POOL_END_DEADLINE_MS));
	close(control);
}

int pool_drop(const struct config *config, struct engine *engine, const char *folder,
	      struct error *err)
{
	_cleanup_closedir_ DIR *jobs = pool_open_jobs(config);
	char claimed[ENGINE_FOLDER_BYTES];

	if (!jobs || pool_claim_folder(dirfd(jobs), folder, claimed) < 0)
		return errno == ENOENT
			       ? 1
			       : error_set_errno(err, 500, "run_folder",
						 "A pooled container in %s cannot be claimed",
						 config->run);
	pool_forget(config, claimed);
	hang_up(config, claimed);
	return engine_remove(engine, claimed, deadline_in(ENGINE_CALL_DEADLINE_MS), err);
}

/* --- the list --------------------------------------------------------------------------------- */

/* Reads what was noted of a pooled container: "<made, s since boot> <memory, bytes> <prebooted>
   <caller> <label>". False when there is nothing good. */
static bool read_record(int records, const char *folder, char text[POOL_RECORD_MAX_BYTES],
			struct pool_row *row)
{
	_cleanup_close_ int fd =
		openat(records, pool_digits(folder), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t len = fd < 0 ? -1 : read(fd, text, POOL_RECORD_MAX_BYTES - 1);
	uint64_t now_s = boot_now_s(), prebooted = 0,
		 *numbers[] = {&row->age_s, &row->memory_bytes, &prebooted, &row->caller};
	char *at = text;

	if (len <= 0)
		return false;
	text[len] = '\0';
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		size_t digits = strcspn(at, " ");

		if (!at[digits] ||
		    num_parse((struct slice){at, digits}, 10, INT64_MAX, numbers[i]) < 0)
			return false;
		at += digits + 1;
	}
	row->age_s = now_s > row->age_s ? now_s - row->age_s : 0;
	row->is_prebooted = prebooted;
	row->label = at;
	return true;
}

int pool_list(const struct config *config, void (*row)(void *, const struct pool_row *),
	      void *context, struct error *err)
{
	_cleanup_closedir_ DIR *jobs = pool_open_jobs(config);
	int jobs_errno = errno;
	_cleanup_close_ int records = pool_open_records(config, false);
	char text[POOL_RECORD_MAX_BYTES];

	if ((!jobs && jobs_errno != ENOENT) || (records < 0 && errno != ENOENT))
		return error_set(err, 500, "run_folder", "%s cannot be read: %s", config->run,
				 strerror(jobs ? errno : jobs_errno));
	if (!jobs || records < 0)
		return 0; /* nothing was ever made here */
	for (const struct dirent *entry; (entry = readdir(jobs));) {
		struct pool_row one = {.folder = entry->d_name, .label = ""};

		if (!pool_has_name(entry->d_name, NULL) ||
		    !read_record(records, entry->d_name, text, &one) ||
		    one.age_s >= config->pool_ttl_s)
			continue;
		memcpy(one.kind, entry->d_name + strlen(POOL_PREFIX), POOL_KIND_DIGITS);
		row(context, &one);
	}
	return 0;
}
