#include "server/execute.h"

#include "bounds.h"
#include "job/slots.h"
#include "server/note.h"

#include <string.h>
#include <unistd.h>

int execute_admit(struct call *call, struct error *err)
{
	int64_t began_us = monotonic_us();

	if (call->slot >= 0)
		return 0;
	if (slot_take(call->config, &call->watch, &call->slot, err) < 0)
		return -1;
	note_add(call, METRIC_SLOTS_TAKEN, 1);
	note_add(call, METRIC_SLOT_WAIT_US, (uint64_t)(monotonic_us() - began_us));
	return 0;
}

static bool claim(struct call *call, const struct job *job, int *control)
{
	struct error ignored; /* what is wrong with the job, making its container will say */

	if (!call->config->pool || pool_plan(call->config, job, &call->plan, &ignored) < 0)
		return false;
	call->has_plan = true;
	return pool_claim(call->config, &call->plan, control, call->folder);
}

static int make(struct call *call, const struct engine_request *request, int *control,
		struct error *err)
{
	call->asked_us = monotonic_us();
	if (engine_make(&call->engine, request, deadline_in(ENGINE_MAKE_DEADLINE_MS), call->folder,
			err) < 0 ||
	    job_connect(call->config, call->folder, control, err) < 0) {
		note_engine_error(call, err);
		return -1;
	}
	call->engine_us = monotonic_us() - call->asked_us;
	return 0;
}

/* A job whose kind has pooled containers either found one or did not. */
static void note_claim(struct call *call)
{
	if (!call->has_plan)
		return;
	note_add(call, call->is_claimed ? METRIC_POOL_CLAIMS : METRIC_POOL_MISSES, 1);
	call->pool = call->is_claimed ? "hit" : "miss";
}

int execute_keep(struct call *call, const struct job *job, bool may_claim, int *control,
		 struct error *err)
{
	const struct engine_request request = {
		.template = job->template,
		.job = call->detail,
		.lifetime_s = SESSION_LIFETIME_S,
		.limits = job->limits,
		.is_session = true,
	};

	call->folder[0] = '\0';
	call->is_claimed = false;
	if (execute_admit(call, err) < 0)
		return -1;
	call->is_claimed = may_claim && claim(call, job, control);
	note_claim(call);
	if (call->is_claimed)
		return 0;
	return make(call, &request, control, err);
}

/* A pooled container may end between its claim and the job: then the job has not begun, and another container is made for it. */
static int run(struct call *call, const struct job *job, struct storage *storage,
	       const struct job_listener *listener, struct job_result *out, struct error *err)
{
	const struct engine_request request = {
		.template = job->template,
		.job = call->detail,
		.lifetime_s = job->wall_ms / 1000 + CONTAINER_START_ALLOWANCE_S,
		.limits = job->limits,
	};
	int control, ran = -1;

	if (execute_admit(call, err) < 0)
		return -1;
	call->is_claimed = claim(call, job, &control);
	if (call->is_claimed) {
		ran = job_run(job, control, storage, listener, &call->watch, out, err);
		close(control);
		if (ran < 0 && strcmp(err->code, "job_not_taken") == 0) {
			pool_forget(call->config, call->folder); /* the reaper's now */
			call->is_claimed = false;
		}
	}
	note_claim(call);
	if (!call->is_claimed) {
		if (make(call, &request, &control, err) < 0)
			return -1;
		ran = job_run(job, control, storage, listener, &call->watch, out, err);
		close(control);
	}
	return ran;
}

int execute_again(struct call *call, const struct job *job, struct storage *storage,
		  const struct job_listener *listener, struct job_result *out, struct error *err)
{
	int control, ran;

	if (job_connect(call->config, call->folder, &control, err) < 0)
		return -1;
	ran = job_run(job, control, storage, listener, &call->watch, out, err);
	close(control);
	if (ran == 0)
		call->program_us += (int64_t)out->wall_us;
	if (ran == 0 ||
	    strcmp(err->code, "job_not_taken") != 0) /* its container is gone: nothing ran */
		note_job(call, job->language, job->template, ran == 0 ? out : NULL, err);
	return ran;
}

int execute_job(struct call *call, const struct job *job, struct storage *storage,
		const struct job_listener *listener, struct job_result *out, struct error *err)
{
	int ran = run(call, job, storage, listener, out, err);

	if (ran == 0)
		call->program_us = (int64_t)out->wall_us;
	note_job(call, job->language, job->template, ran == 0 ? out : NULL, err);
	return ran;
}

/* False when the engine could not: it takes the container for this connection's still. */
static bool remove_container(struct call *call, const char *folder)
{
	struct error err;

	if (!*folder ||
	    engine_remove(&call->engine, folder, deadline_in(ENGINE_CALL_DEADLINE_MS), &err) == 0)
		return true;
	note_engine_error(call, &err);
	call->after = err.code;
	return false;
}

/* What was noted of the last job's container, where it was a pooled container. */
static void forget_pooled(struct call *call)
{
	if (call->is_claimed)
		pool_forget(call->config, call->folder);
}

/* Nothing has to be removed before a pooled container's successor can be made or claimed: the engine has no container of this connection's. */
void execute_next(struct call *call, bool again)
{
	if (call->is_claimed && again && !*call->earlier_folder)
		memcpy(call->earlier_folder, call->folder, sizeof(call->folder));
	else
		(void)remove_container(call, call->folder);
	forget_pooled(call);
	if (call->has_plan && again && !call->has_earlier_plan) {
		call->earlier_plan = call->plan;
		call->has_earlier_plan = true;
	} else if (call->has_plan) {
		pool_plan_free(&call->plan);
	}
	call->has_plan = call->is_claimed = false;
	call->folder[0] = '\0';
}

/* Ends the plan, whether or not the pooled container can be made. */
static void refill(struct call *call, struct pool_plan *plan, bool is_free)
{
	struct error err;

	if (is_free && pool_refill(call->config, &call->engine, plan, call->config->pool,
				   call->config->pool_ttl_s, &err) < 0) {
		note_engine_error(call, &err);
		call->after = err.code;
	}
	pool_plan_free(plan);
}

void execute_clean_up(struct call *call)
{
	/* an engine that cannot remove is not asked to make another */
	bool is_free = call->is_kept || remove_container(call, call->folder);

	is_free = remove_container(call, call->earlier_folder) && is_free;
	forget_pooled(call);
	slot_release(call->slot);
	if (call->has_plan)
		refill(call, &call->plan, is_free);
	if (call->has_earlier_plan)
		refill(call, &call->earlier_plan, is_free);
	engine_close(&call->engine);
}
