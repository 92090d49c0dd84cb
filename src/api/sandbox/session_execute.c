/* POST /session/execute: a cell in a session. */
#include "api/sandbox/sandbox.h"
#include "api/sandbox/sessions.h"
#include "job/executor.h"

#include <stdio.h>
#include <string.h>

struct visit {
	struct sandbox_run run;
	struct session session; /* its lock is held */
	struct slice id;
};

/* As the contract has it: an answer, not a refusal. */
static void reply_not_found(struct call *call, struct slice id)
{
	call->code = "session_not_found";
	call_reply_json(
		call, 200,
		json_pack("{s:s, s:o, s:i, s:s}", "status", "error", "error",
			  json_sprintf("Session %.*s not found or expired", (int)id.len, id.data),
			  "exit_code", -1, "request_id", call->request_id));
}

static int take_request(struct visit *visit, struct error *err)
{
	static const char *const required[] = {"session_id", "code", NULL};
	struct sandbox_run *run = &visit->run;
	struct call *call = run->call;
	struct slice tenant_id;

	if (sandbox_parse(buf_slice(&call->body), &run->body, err) < 0 ||
	    sandbox_require(run->body, required, err) < 0 ||
	    sandbox_name(run->body, "session_id", "", &visit->id, err) < 0 ||
	    sandbox_name(run->body, "tenant_id", "", &tenant_id, err) < 0 ||
	    sandbox_text(run->body, "code", "", &run->code, err) < 0)
		return -1;

	const struct session_requester requester = session_requester_of(call, tenant_id);

	return session_take(call->config, visit->id, &requester, &call->executor.watch,
			    &visit->session, err);
}

/* The job of a cell, as the session's template has it. */
static int prepare(struct visit *visit, struct error *err)
{
	struct sandbox_run *run = &visit->run;
	struct session *session = &visit->session;

	run->session_id = session->id;
	run->tenant_id = slice_of(session->tenant_id);
	run->scope = slice_of(session->scope);
	if (sandbox_template(run->call->config, slice_of(session->template), &run->template,
			     run->template_name, err) < 0 ||
	    sandbox_prepare(run, err) < 0)
		return -1;
	run->job.is_echo = run->job.kernel != NULL;
	run->job.idle_s = session->ttl_s;
	return 0;
}

static const char *const kernels[] = {
	[JOB_KERNEL_NONE] = NULL,
	[JOB_KERNEL_KEPT] = "kept",
	[JOB_KERNEL_LOST] = "lost",
	[JOB_KERNEL_ENDED] = "ended",
};

static void reply(struct visit *visit, const struct sandbox_result *result)
{
	struct sandbox_run *run = &visit->run;
	json_t *flat = sandbox_describe(result);
	int failed = json_object_set_new(flat, "session_id", json_string(visit->session.id)) |
		     json_object_set_new(flat, "tenant_id", json_clean_string(run->tenant_id)) |
		     json_object_set_new(flat, "scope", json_clean_string(run->scope)) |
		     json_object_set_new(flat, "language",
					 run->language ? json_string(run->language->name)
						       : json_clean_string(run->language_text)) |
		     json_object_set_new(flat, "request_id", json_string(run->call->request_id));

	if (kernels[result->job.kernel])
		failed |= json_object_set_new(flat, "kernel",
					      json_string(kernels[result->job.kernel]));
	if (failed) {
		json_decref(flat);
		flat = NULL;
	}
	call_reply_json(run->call, 200, flat);
}

/* Runs the cell. 1 when the session turns out to be gone. */
static int run_cell(struct visit *visit, struct sandbox_result *result, struct error *err)
{
	struct call *call = visit->run.call;
	struct session *session = &visit->session;
	int ran;

	session->use_count++;
	if (session_save(call->config, session, err) < 0)
		return -1;
	(void)snprintf(call->executor.folder, sizeof(call->executor.folder), "%s", session->folder);
	call->executor.is_kept = true;
	ran = sandbox_run_one(&visit->run, executor_run_again, result, err);
	if (ran < 0)
		return session_is_dead(err) ? 1 : -1;
	if (result->job.reason == JOB_LOST)
		return 0;
	return session_save(call->config, session, err);
}

static void visit_session(struct visit *visit)
{
	struct call *call = visit->run.call;
	struct sandbox_result result = sandbox_result_new();
	struct error err;
	int ran = prepare(visit, &err) < 0 ? -1 : run_cell(visit, &result, &err);

	if (ran == 0) {
		/* before the answer: who has it may come again at once */
		if (result.job.reason == JOB_LOST && !result.is_refused)
			session_discard(call, &visit->session);
		session_release(&visit->session);
		executor_note(&call->executor, METRIC_SESSIONS_REUSED, 1);
		reply(visit, &result);
	} else if (ran == 1) {
		session_discard(call, &visit->session);
		reply_not_found(call, visit->id);
	} else {
		session_release(&visit->session);
		if (err.status >= 500)
			executor_note(&call->executor, METRIC_SESSION_ERRORS, 1);
		call_refuse(call, &err);
	}
	sandbox_result_free(&result);
}

void api_session_execute(struct call *call)
{
	struct visit visit = {.run = sandbox_run_new(call), .session = {.lock = -1}};
	struct error err;

	call->stream = &visit.run.stream;
	if (take_request(&visit, &err) == 0) {
		executor_name(&call->executor, visit.session.id);
		visit_session(&visit);
	} else if (strcmp(err.code, "session_not_found") == 0) {
		reply_not_found(call, visit.id);
	} else {
		call_refuse(call, &err);
	}
	call->stream = NULL;
	sandbox_run_free(&visit.run);
}
