/* Sessions (job/session_use.h): made, used, listed, destroyed. */
#include "api/sandbox/internal.h"
#include "api/sandbox/sandbox.h"

#include <string.h>

/* Who shows the service's key is the same wherever it comes from; a key of its own beside that is
   an owner of its own. */
static const char *owner_of(const struct call *call)
{
	return call->has_service_key && !call->caller.has_key ? CALLER_EXECUTOR : call->caller.id;
}

struct session_requester sandbox_requester(const struct call *call, struct slice tenant_id)
{
	return (struct session_requester){.owner = owner_of(call), .tenant_id = tenant_id};
}

/* --- making ----------------------------------------------------------------------------------- */

static int take_session(struct call *call, json_t *body, struct session *session,
			struct template *template, struct error *err)
{
	static const char *const required[] = {"tenant_id", "scope", NULL};
	struct sandbox_request request;

	if (sandbox_take(body, required, &request, err) < 0 ||
	    sandbox_ttl_s(body, &session->ttl_s, err) < 0 ||
	    sandbox_template(call->config, request.template, template, err) < 0)
		return -1;
	sandbox_share(call, request.tenant_id);
	memcpy(session->tenant_id, request.tenant_id.data, request.tenant_id.len);
	memcpy(session->scope, request.scope.data, request.scope.len);
	(void)snprintf(session->owner, sizeof(session->owner), "%s", owner_of(call));
	return 0;
}

void api_session_create(struct call *call)
{
	_cleanup_json_ json_t *body = NULL;
	struct session session = {.lock = -1};
	struct template template;
	struct error err;

	if (sandbox_parse(buf_slice(&call->body), &body, &err) < 0 ||
	    take_session(call, body, &session, &template, &err) < 0 ||
	    session_create(&call->executor, &template, &session, &err) < 0) {
		call_refuse(call, &err);
		return;
	}
	executor_name(&call->executor, session.id);
	call_reply_json(call, 200,
			json_pack("{s:s, s:s, s:s, s:I}", "status", "success", "session_id",
				  session.id, "template", session.template, "ttl",
				  (json_int_t)session.ttl_s));
}

/* --- a cell ----------------------------------------------------------------------------------- */

/* Takes the session, and what is to be run in it. */
static int take_cell(struct sandbox_run *run, struct session *session, struct error *err)
{
	static const char *const required[] = {"session_id", "code", NULL};
	struct sandbox_request *request = &run->request;
	struct call *call = run->call;

	if (sandbox_parse(buf_slice(&call->body), &run->body, err) < 0 ||
	    sandbox_take(run->body, required, request, err) < 0)
		return -1;

	const struct session_requester requester = sandbox_requester(call, request->tenant_id);

	if (session_take(call->config, request->session_id, &requester, &call->executor.watch,
			 session, err) < 0)
		return -1;
	executor_name(&call->executor, session->id);
	request->tenant_id = slice_of(session->tenant_id);
	request->scope = slice_of(session->scope);
	sandbox_share(call, request->tenant_id);
	run->program.is_cell = true;
	if (sandbox_template(call->config, slice_of(session->template), &run->template, err) < 0 ||
	    sandbox_prepare(run, err) < 0)
		return -1;
	/* the kernel has begun already */
	if (run->program.job.kernel &&
	    (json_array_size(run->invocation.args) || json_array_size(run->invocation.variables)))
		return error_set(err, 400, "no_invocation",
				 "args and env are for programs: a cell has its session's");
	return 0;
}

static void reply_cell(const struct sandbox_run *run, const struct session *session,
		       const struct sandbox_result *result)
{
	static const char *const kernels[] = {
		[JOB_KERNEL_KEPT] = "kept",
		[JOB_KERNEL_LOST] = "lost",
		[JOB_KERNEL_ENDED] = "ended",
	};
	json_t *flat = sandbox_describe(result);
	const char *kernel = kernels[result->execution.result.kernel];

	(void)json_object_set_new(flat, "session_id", json_string(session->id));
	(void)json_object_set_new(flat, "language", sandbox_language_name(run));
	sandbox_add_request(run, flat);
	if (kernel)
		(void)json_object_set_new(flat, "kernel", json_string(kernel));
	call_reply_json(run->call, 200, flat);
}

/* As src/api/sandbox/README.md says: a session that is gone is an answer, not a refusal. */
static void refuse_cell(struct call *call, const struct error *err)
{
	if (strcmp(err->code, "session_not_found") != 0) {
		call_refuse(call, err);
		return;
	}
	call->code = err->code;
	call_reply_json(call, 200,
			json_pack("{s:s, s:o, s:i, s:s}", "status", "error", "error",
				  json_clean_string(slice_of(err->message)), "exit_code", -1,
				  "request_id", call->request_id));
}

void api_session_execute(struct call *call)
{
	_cleanup_session_ struct session session = {.lock = -1};
	struct sandbox_result result;
	struct sandbox_run run;
	struct error err;

	sandbox_run_begin(&run, call);
	result = sandbox_result_new(&run);
	if (take_cell(&run, &session, &err) < 0 ||
	    sandbox_run_one(&run, &session, &result, &err) < 0) {
		session_release(&session);
		refuse_cell(call, &err);
	} else {
		reply_cell(&run, &session, &result);
	}
	sandbox_result_free(&result);
	sandbox_run_free(&run);
}

/* --- destroying ------------------------------------------------------------------------------- */

static int destroy(struct call *call, json_t *body, struct session *session, struct error *err)
{
	static const char *const required[] = {"session_id", NULL};
	struct sandbox_request request;

	if (sandbox_take(body, required, &request, err) < 0)
		return -1;

	const struct session_requester requester = sandbox_requester(call, request.tenant_id);

	return session_destroy(&call->executor, request.session_id, &requester, session, err);
}

void api_session_destroy(struct call *call)
{
	_cleanup_json_ json_t *body = NULL;
	struct session session = {.lock = -1};
	struct error err;

	if (sandbox_parse(buf_slice(&call->body), &body, &err) < 0 ||
	    destroy(call, body, &session, &err) < 0) {
		call_refuse(call, &err);
		return;
	}
	executor_name(&call->executor, session.id);
	call_reply_json(call, 200,
			json_pack("{s:s, s:o}", "status", "success", "message",
				  json_sprintf("Session %s destroyed", session.id)));
}

/* --- the list --------------------------------------------------------------------------------- */

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
	_cleanup_json_ json_t *rows = json_array();
	struct session_requester requester;
	struct error err;
	int listed = sandbox_query_tenant(call->connection->request.query, &tenant_id, &err);

	requester = sandbox_requester(call, buf_slice(&tenant_id));
	if (listed < 0 || session_list(call->config, &requester, add_row, rows, &err) < 0) {
		call_refuse(call, &err);
		return;
	}
	call_reply_json(call, 200, json_pack("{s:s, s:O}", "status", "success", "sessions", rows));
}
