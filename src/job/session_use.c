#include "job/session_use.h"

#include "auth/rate_limit.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/io.h"
#include "job/defaults.h"
#include "job/program.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#define ENDED "session_ended" /* it has said so itself: with a sentence for its owner */

/* --- the end ---------------------------------------------------------------------------------- */

/* Removes a session and, where there is a way to the engine, its container. True for the process
   that did. */
static bool end(struct executor *executor, struct session *session)
{
	bool is_removed = session_remove(executor->config, session);
	struct error err;

	session_release(session);
	if (*session->folder && executor->engine.fd >= 0 &&
	    engine_remove(&executor->engine, session->folder, deadline_in(ENGINE_CALL_DEADLINE_MS),
			  &err) < 0)
		executor->after = err.code;
	return is_removed;
}

/* The same for a session whose container has ended, which counts as expired. */
static void discard(struct executor *executor, struct session *session)
{
	if (end(executor, session))
		executor_note(executor, METRIC_SESSIONS_EXPIRED, 1);
}

/* No process listens in its container any more, or it was lost with the job. */
static bool is_dead(const struct error *err)
{
	return strcmp(err->code, "control_failed") == 0 || strcmp(err->code, "job_not_taken") == 0;
}

/* --- what runs between requests --------------------------------------------------------------- */

static void rest_name(const struct session *session, char out[KEY_ID_BYTES])
{
	(void)snprintf(out, KEY_ID_BYTES, "%" PRIx64 ".rest", session->caller);
}

/* What of its owner's hour may run in the session until the next request. */
static uint64_t rest_cpu_ms(const struct executor *executor, const struct session *session)
{
	const uint64_t sessions = executor->config->sessions ? executor->config->sessions : 1;
	char name[KEY_ID_BYTES];
	uint64_t used_ms, share_ms = SESSION_REST_CPU_MS / sessions;

	rest_name(session, name);
	used_ms = cpu_used_us(executor->config, name) / US_PER_MS;
	if (used_ms + share_ms > SESSION_REST_CPU_MS)
		share_ms = used_ms < SESSION_REST_CPU_MS ? SESSION_REST_CPU_MS - used_ms : 0;
	return share_ms > SESSION_REST_MIN_CPU_MS ? share_ms : SESSION_REST_MIN_CPU_MS;
}

/* Counts what has run since the last request, for its owner's sessions and for its key. */
static void count_rest(struct executor *executor, const struct session *session,
		       const struct job_result *result)
{
	char name[KEY_ID_BYTES];

	if (!result->idle_cpu_us)
		return;
	rest_name(session, name);
	cpu_charge(executor->config, name, result->idle_cpu_us);
	executor->cpu_us += result->idle_cpu_us;
}

/* Ends a use of the session. used: 0, or -1 with *err. */
static int end_use(struct executor *executor, struct session *session, int used, struct error *err)
{
	if (used < 0 && is_dead(err)) {
		discard(executor, session);
		return session_gone(slice_of(session->id), err);
	}
	if (used < 0 && strcmp(err->code, ENDED) == 0)
		discard(executor, session);
	if (used == 0)
		used = session_save(executor->config, session, err);
	session_release(session);
	return used;
}

int session_destroy(struct executor *executor, struct slice id,
		    const struct session_requester *requester, struct session *out,
		    struct error *err)
{
	if (session_find(executor->config, id, requester, out, err) < 0)
		return -1;
	/* what runs in it ends with its container: no one waits for that */
	if (session_is_expired(out) || !end(executor, out))
		return error_set(err, 404, "session_not_found", "Session %s not found", out->id);
	executor_note(executor, METRIC_SESSIONS_DESTROYED, 1);
	return 0;
}

/* --- files ------------------------------------------------------------------------------------ */

static void ignore_output(void *context, bool is_stderr, struct slice data)
{
	(void)context;
	(void)is_stderr;
	(void)data;
}

/* What a job about files brought. */
struct fetched {
	int code;   /* its exit code */
	char *data; /* owned; NULL: the file is not there */
	size_t len;
	bool is_skipped; /* it is there, and does not come */
};

static void read_fetched(const struct storage *storage, struct fetched *out)
{
	_cleanup_close_ int fd =
		storage->names.len
			? fs_open_beneath(storage->folder, storage->names.data, O_RDONLY, 0)
			: -1;

	if (fd < 0 || io_read_file(fd, SESSION_FILE_MAX_BYTES, &out->data, &out->len) < 0)
		out->data = NULL;
	out->is_skipped = storage->skipped.len > 0;
}

/* Runs a job about files alone over a connection to its container, which is closed. */
static int run_files(struct executor *executor, const struct session *session, int control,
		     const struct job *job, struct job_listener listener, struct fetched *out,
		     struct error *err)
{
	_cleanup_close_ int connection = control;
	struct job_result result = {0};
	struct storage storage; /* also for whatever a container may send */
	int ran;

	listener.on_output = ignore_output;
	if (storage_open_files(executor->config, &storage, err) < 0)
		return -1;
	storage.artifact_bytes = job->artifact_bytes;
	storage.total_left = job->artifacts_bytes;
	ran = job_run(job, connection, &storage, &listener, &executor->watch, &result, err);
	if (ran == 0)
		count_rest(executor, session, &result);
	if (ran == 0 && result.is_ended)
		ran = error_set(err, 404, ENDED, "%s", result.message);
	else if (ran == 0 && job_is_lost(&result))
		ran = error_set(err, 502, "control_failed", "The session's container has ended");
	else if (ran == 0 && result.reason != JOB_EXITED)
		ran = error_set(err, 400, "files_refused", "%s", result.message);
	else if (ran == 0)
		ran = storage_end_file(&storage, err);
	if (ran == 0 && out) {
		out->code = result.code;
		read_fetched(&storage, out);
	}
	storage_close(&storage);
	return ran;
}

/* What of a job is the same for all that are about files. */
static struct job file_job(const struct executor *executor, const struct session *session)
{
	struct job job = {0};

	job_defaults(executor->config, &job);
	job.env_count = 0;
	job.idle_s = session->ttl_s;
	job.idle_cpu_ms = rest_cpu_ms(executor, session);
	return job;
}

/* Runs it in the session. */
static int use_files(struct executor *executor, struct session *session, const struct job *job,
		     struct job_listener listener, struct fetched *out, struct error *err)
{
	int control, used = job_connect(executor->config, session->folder, &control, err);

	if (used == 0)
		used = run_files(executor, session, control, job, listener, out, err);
	return end_use(executor, session, used, err);
}

int session_list_files(struct executor *executor, struct session *session,
		       void (*row)(void *, struct slice, uint64_t, int64_t), void *context,
		       struct error *err)
{
	const struct job_listener listener = {.context = context, .on_listed = row};
	struct job job = file_job(executor, session);

	job.is_list = true;
	return use_files(executor, session, &job, listener, NULL, err);
}

int session_write_files(struct executor *executor, struct session *session,
			const struct job_input *files, unsigned count, struct error *err)
{
	struct job job = file_job(executor, session);

	job.inputs = files;
	job.input_count = count;
	return use_files(executor, session, &job, (struct job_listener){0}, NULL, err);
}

static int no_file(const char *path, struct error *err)
{
	return error_set(err, 404, "file_not_found", "File not found: %.200s", path);
}

int session_read_file(struct executor *executor, struct session *session, const char *path,
		      char **data, size_t *len, struct error *err)
{
	struct job job = file_job(executor, session);
	struct fetched fetched = {0};

	job.fetch = path;
	job.artifact_bytes = job.artifacts_bytes = SESSION_FILE_MAX_BYTES;
	if (use_files(executor, session, &job, (struct job_listener){0}, &fetched, err) < 0) {
		free(fetched.data);
		return -1;
	}
	if (!fetched.data && fetched.is_skipped)
		return error_set(err, 400, "file_too_large",
				 "File exceeds 100 MiB, or cannot be read: %.200s", path);
	if (!fetched.data)
		return no_file(path, err);
	*data = fetched.data;
	*len = fetched.len;
	return 0;
}

int session_remove_file(struct executor *executor, struct session *session, const char *path,
			struct error *err)
{
	struct job job = file_job(executor, session);
	struct fetched done = {0};

	job.remove = path;
	if (use_files(executor, session, &job, (struct job_listener){0}, &done, err) < 0)
		return -1;
	return done.code ? no_file(path, err) : 0;
}

/* --- the beginning ---------------------------------------------------------------------------- */

/* Gets a container, and tells its init that it is a session's now: how long it waits for the next
   connection. */
static int begin_container(struct executor *executor, const struct job *kernel,
			   const struct session *session, bool may_claim, struct error *err)
{
	const struct job job = {.cwd = kernel->cwd,
				.idle_s = session->ttl_s,
				.idle_cpu_ms = rest_cpu_ms(executor, session)};
	int control;

	if (executor_keep(executor, kernel, may_claim, &control, err) < 0)
		return -1;
	return run_files(executor, session, control, &job, (struct job_listener){0}, NULL, err);
}

/* A pooled container may end between its claim and its use: then one is made for the session. */
static int make_container(struct executor *executor, const struct job *kernel,
			  struct session *session, struct error *err)
{
	int made = begin_container(executor, kernel, session, true, err);

	if (made < 0 && executor->is_claimed && is_dead(err)) {
		pool_forget(executor->config, executor->folder); /* the reaper's now */
		made = begin_container(executor, kernel, session, false, err);
	}
	if (made < 0)
		return -1;
	(void)snprintf(session->folder, sizeof(session->folder), "%s", executor->folder);
	return session_save(executor->config, session, err);
}

/* The job that starts the first kernel of a template. The caller frees *program in either case. */
static int prepare_kernel(const struct config *config, const struct template *template,
			  struct program *program, struct error *err)
{
	const char *list = template->languages;
	struct slice name;

	*program = (struct program){
		.template = template,
		.code = SLICE_LITERAL(""),
		.timeout_s = template->timeout_s,
		.is_cell = true,
	};
	while (language_next(&list, &name)) {
		if (language_load(config, name, &program->language, err) < 0)
			continue; /* a broken file harms no other */
		if (program->language.sandbox.has_cells)
			return program_prepare(config, program, err);
		language_free(&program->language);
	}
	return error_set(err, 500, "no_cells", "Template %s has no language that sessions have",
			 template->name);
}

static int create(struct executor *executor, const struct job *kernel, struct session *session,
		  struct error *err)
{
	int made;

	(void)session_sweep(executor->config, &executor->engine);
	if (session_reserve(executor->config, session, err) < 0)
		return -1;
	made = make_container(executor, kernel, session, err);
	if (made < 0)
		(void)session_remove(executor->config, session);
	else
		executor->is_kept = true;
	session_release(session);
	return made;
}

int session_create(struct executor *executor, const struct template *template,
		   struct session *session, struct error *err)
{
	struct program program = {0};
	int created;

	(void)snprintf(session->template, sizeof(session->template), "%s", template->name);
	session->caller = executor->caller.id;
	session->caller_max = executor->caller.sessions;
	created = prepare_kernel(executor->config, template, &program, err) < 0
			  ? -1
			  : create(executor, &program.job, session, err);
	program_free(&program);
	if (created == 0)
		executor_note(executor, METRIC_SESSIONS_CREATED, 1);
	else if (err->status >= 500)
		executor_note(executor, METRIC_SESSION_ERRORS, 1);
	return created;
}

/* --- cells ------------------------------------------------------------------------------------ */

int session_run(struct session *session, struct job *job, struct execution *execution,
		struct error *err)
{
	struct executor *executor = execution->executor;
	int ran;

	session->use_count++;
	ran = session_save(executor->config, session, err);
	if (ran == 0 && job) {
		job->idle_s = session->ttl_s;
		job->idle_cpu_ms = rest_cpu_ms(executor, session);
		execution->is_again = true;
		executor->is_kept = true;
		(void)snprintf(executor->folder, sizeof(executor->folder), "%s", session->folder);
		ran = execution_run(execution, err);
	}
	if (ran == 0)
		count_rest(executor, session, &execution->result);
	if (ran == 0 && (job_is_lost(&execution->result) || execution->result.is_ended))
		discard(executor, session);
	else
		ran = end_use(executor, session, ran, err);
	if (ran == 0)
		executor_note(executor, METRIC_SESSIONS_REUSED, 1);
	else if (err->status >= 500)
		executor_note(executor, METRIC_SESSION_ERRORS, 1);
	return ran;
}
