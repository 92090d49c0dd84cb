/*
 * Sessions (src/api/sandbox/README.md): made, used, listed, destroyed.
 *
 * Rules:
 *  1. A session that is not there, has expired, is somebody else's, or whose container has ended, is one and the same to who asks.
 *  2. What comes of a cell belongs to whoever asked for it, whatever the session's kernel does meanwhile.
 */
#include "api/sandbox/sessions.h"
#include "api/sandbox/sandbox.h"
#include "base/cleanup.h"
#include "job/executor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- what all of them share --------------------------------------------------------------------- */

/* Who shows the service's key is the same wherever it comes from; a key of its own beside that is an owner of its own. */
static const char *owner_of(const struct call *call)
{
	return call->has_service_key && !call->caller.has_key ? CALLER_EXECUTOR : call->caller.id;
}

struct session_requester session_requester_of(const struct call *call, struct slice tenant_id)
{
	return (struct session_requester){.owner = owner_of(call), .tenant_id = tenant_id};
}

bool session_end(struct call *call, struct session *session)
{
	bool is_removed = session_remove(call->config, session);
	struct error err;

	session_release(session);
	if (*session->folder && call->executor.engine.fd >= 0 &&
	    engine_remove(&call->executor.engine, session->folder,
			  deadline_in(ENGINE_CALL_DEADLINE_MS), &err) < 0)
		call->executor.after = err.code;
	return is_removed;
}

void session_discard(struct call *call, struct session *session)
{
	if (session_end(call, session))
		executor_note(&call->executor, METRIC_SESSIONS_EXPIRED, 1);
}

/* Nobody listens in its container any more, or it was lost with the job. */
bool session_is_dead(const struct error *err)
{
	return strcmp(err->code, "control_failed") == 0 || strcmp(err->code, "job_not_taken") == 0;
}

void session_hear_nothing(void *context, bool is_stderr, struct slice data)
{
	(void)context;
	(void)is_stderr;
	(void)data;
}

int session_file_job(struct call *call, int control, const struct job *job,
		     const struct job_listener *listener, struct storage *storage,
		     struct error *err)
{
	struct job_result result = {0};
	int ran = job_run(job, control, storage, listener, &call->executor.watch, &result, err);

	close(control);
	if (ran == 0 && result.reason == JOB_LOST)
		return error_set(err, 502, "control_failed", "The session's container has ended");
	if (ran == 0 && result.reason != JOB_EXITED)
		return error_set(err, 400, "files_refused", "%s", result.message);
	return ran;
}

/* --- making ------------------------------------------------------------------------------------- */

static int take_ttl(const json_t *body, uint64_t *out, struct error *err)
{
	const json_t *ttl = json_object_get(body, "ttl");
	double seconds = json_number_value(ttl);

	*out = SESSION_TTL_DEFAULT_S;
	if (!ttl || json_is_null(ttl))
		return 0;
	if (!json_is_number(ttl) || !(seconds >= 1 && seconds <= SESSION_TTL_MAX_S))
		return error_set(err, 400, "bad_ttl",
				 "ttl must be a number of seconds from 1 to %d", SESSION_TTL_MAX_S);
	*out = (uint64_t)seconds;
	return 0;
}

/* Fills a session from the request. */
static int take_session(struct call *call, const json_t *body, struct session *session,
			struct sandbox_run *run, struct error *err)
{
	static const char *const required[] = {"tenant_id", "scope", NULL};
	struct slice tenant_id, scope, template;

	if (sandbox_require(body, required, err) < 0 ||
	    sandbox_name(body, "tenant_id", "", &tenant_id, err) < 0 ||
	    sandbox_name(body, "scope", "", &scope, err) < 0 ||
	    sandbox_text(body, "template", "default", &template, err) < 0 ||
	    take_ttl(body, &session->ttl_s, err) < 0 ||
	    sandbox_template(call->config, template, &run->template, run->template_name, err) < 0)
		return -1;
	memcpy(session->tenant_id, tenant_id.data, tenant_id.len);
	memcpy(session->scope, scope.data, scope.len);
	(void)snprintf(session->template, sizeof(session->template), "%s", run->template.name);
	(void)snprintf(session->owner, sizeof(session->owner), "%s", owner_of(call));
	return 0;
}

/* Gets a container, and tells its init that it is a session's now: how long it waits for the next connection. */
static int begin_container(struct call *call, const struct sandbox_run *run, uint64_t ttl_s,
			   bool may_claim, struct error *err)
{
	const struct job job = {.cwd = run->job.cwd, .idle_s = ttl_s};
	const struct job_listener listener = {.on_output = session_hear_nothing};
	struct storage storage; /* for whatever a container may send */
	int control, begun;

	if (executor_keep(&call->executor, &run->job, may_claim, &control, err) < 0)
		return -1;
	if (storage_open_files(call->config, &storage, err) < 0) {
		close(control);
		return -1;
	}
	begun = session_file_job(call, control, &job, &listener, &storage, err);
	storage_close(&storage);
	return begun;
}

/* A pooled container whose kernel waits, or a container of its own: a pooled container may end between its claim and its use. */
static int make_container(struct call *call, struct sandbox_run *run, struct session *session,
			  struct error *err)
{
	int made = begin_container(call, run, session->ttl_s, true, err);

	if (made < 0 && call->executor.is_claimed && session_is_dead(err)) {
		pool_forget(call->config, call->executor.folder); /* the reaper's now */
		made = begin_container(call, run, session->ttl_s, false, err);
	}
	if (made < 0)
		return -1;
	(void)snprintf(session->folder, sizeof(session->folder), "%s", call->executor.folder);
	return session_save(call->config, session, err);
}

static void sweep(struct call *call)
{
	_cleanup_close_ int locks = session_open_locks(call->config);

	(void)session_sweep(call->config, locks, &call->executor.engine);
}

static int create(struct call *call, struct sandbox_run *run, struct session *session,
		  struct error *err)
{
	if (sandbox_parse(buf_slice(&call->body), &run->body, err) < 0 ||
	    take_session(call, run->body, session, run, err) < 0)
		return -1;
	run->session_id = session->id;
	if (sandbox_prepare_kernel(run, err) < 0)
		return -1;
	sweep(call);
	if (session_reserve(call->config, session, err) < 0)
		return -1;
	if (make_container(call, run, session, err) < 0) {
		(void)session_remove(call->config, session);
		return -1;
	}
	call->executor.is_kept = true;
	return 0;
}

void api_session_create(struct call *call)
{
	struct sandbox_run run = sandbox_run_new(call);
	struct session session = {.lock = -1};
	struct error err;

	if (create(call, &run, &session, &err) < 0) {
		if (strcmp(err.code, "too_many_sessions") != 0 && err.status >= 500)
			executor_note(&call->executor, METRIC_SESSION_ERRORS, 1);
		call_refuse(call, &err);
	} else {
		session_release(&session);
		executor_note(&call->executor, METRIC_SESSIONS_CREATED, 1);
		executor_name(&call->executor, session.id);
		call_reply_json(call, 200,
				json_pack("{s:s, s:s, s:s, s:I}", "status", "success", "session_id",
					  session.id, "template", session.template, "ttl",
					  (json_int_t)session.ttl_s));
	}
	session_release(&session);
	sandbox_run_free(&run);
}

/* --- destroying --------------------------------------------------------------------------------- */

static int destroy(struct call *call, json_t **body, struct session *session, struct error *err)
{
	static const char *const required[] = {"session_id", NULL};
	struct slice id, tenant_id;

	if (sandbox_parse(buf_slice(&call->body), body, err) < 0 ||
	    sandbox_require(*body, required, err) < 0 ||
	    sandbox_name(*body, "session_id", "", &id, err) < 0 ||
	    sandbox_name(*body, "tenant_id", "", &tenant_id, err) < 0)
		return -1;

	const struct session_requester requester = session_requester_of(call, tenant_id);

	if (session_find(call->config, id, &requester, session, err) < 0)
		return -1;
	/* what runs in it ends with its container: nobody waits for that */
	if (session_is_expired(session) || !session_end(call, session))
		return error_set(err, 404, "session_not_found", "Session %s not found",
				 session->id);
	return 0;
}

void api_session_destroy(struct call *call)
{
	_cleanup_json_ json_t *body = NULL;
	struct session session = {.lock = -1};
	struct error err;

	if (destroy(call, &body, &session, &err) < 0) {
		call_refuse(call, &err);
		return;
	}
	executor_note(&call->executor, METRIC_SESSIONS_DESTROYED, 1);
	executor_name(&call->executor, session.id);
	call_reply_json(call, 200,
			json_pack("{s:s, s:o}", "status", "success", "message",
				  json_sprintf("Session %s destroyed", session.id)));
}

/* --- the list ----------------------------------------------------------------------------------- */

static void add_row(void *context, const struct session *session)
{
	json_t *row =
		json_pack("{s:s, s:s, s:f, s:f, s:I, s:b, s:I, s:{s:s, s:s}}", "id", session->id,
			  "template", session->template, "age", session_age_s(session), "idle_time",
			  session_idle_s(session), "ttl", (json_int_t)session->ttl_s, "is_expired",
			  *session->folder && session_is_expired(session), "use_count",
			  (json_int_t)session->use_count, "metadata", "tenant_id",
			  session->tenant_id, "scope", session->scope);

	(void)json_array_append_new(context, row);
}

void api_sessions(struct call *call)
{
	_cleanup_buf_ struct buf tenant_id = buf_new(SANDBOX_NAME_MAX_BYTES);
	json_t *rows = json_array();
	struct error err;

	if (session_query_tenant(call, &tenant_id, &err) < 0) {
		json_decref(rows);
		call_refuse(call, &err);
		return;
	}

	const struct session_requester requester =
		session_requester_of(call, buf_slice(&tenant_id));

	if (session_list(call->config, &requester, add_row, rows, &err) < 0) {
		json_decref(rows);
		call_refuse(call, &err);
		return;
	}
	call_reply_json(call, 200, json_pack("{s:s, s:o}", "status", "success", "sessions", rows));
}
