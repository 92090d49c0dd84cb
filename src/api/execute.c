#include "api/execute.h"

#include "job/counters.h"
#include "job/slots.h"
#include "limits.h"

#include <unistd.h>

/* A spare of the job's kind, or a container made for it. */
static int get_container(struct call *call, const struct job *job, int *control, struct error *err)
{
	const struct engine_request request = {
		.template = job->template,
		.lifetime_s = job->wall_ms / 1000 + CONTAINER_START_ALLOWANCE_S,
		.limits = job->limits,
	};

	if (call->config->spares) {
		if (spare_plan(call->config, job, &call->plan, err) < 0)
			return -1;
		call->has_plan = true;
		call->is_claimed = spare_claim(call->config, &call->plan, control, call->folder);
		if (call->is_claimed)
			return 0;
	}
	call->asked_us = monotonic_us();
	if (engine_make(&call->engine, &request, deadline_in(ENGINE_MAKE_DEADLINE_MS), call->folder,
			err) < 0)
		return -1;
	call->engine_us = monotonic_us() - call->asked_us;
	return job_connect(call->config, call->folder, control, err);
}

int execute_job(struct call *call, const struct job *job, struct storage *storage,
		const struct job_listener *listener, struct job_result *out, struct error *err)
{
	int control;

	if (slot_take(call->config, &call->watch, &call->slot, err) < 0 ||
	    get_container(call, job, &control, err) < 0)
		return -1;

	int ran = job_run(job, control, storage, listener, &call->watch, out, err);

	close(control);
	if (ran == 0)
		call->program_us = (int64_t)out->wall_us;
	return ran;
}

void execute_clean_up(struct call *call)
{
	struct error err;

	if (*call->folder && engine_remove(&call->engine, call->folder,
					   deadline_in(ENGINE_CALL_DEADLINE_MS), &err) < 0)
		call->after = err.word;
	slot_release(call->slot);
	if (call->has_plan) {
		counter_add(call->config, call->is_claimed ? "spare_claims" : "spare_misses", 1);
		if (spare_refill(call->config, &call->engine, &call->plan, call->config->spares,
				 &err) < 0)
			call->after = err.word;
		spare_plan_free(&call->plan);
	}
	engine_close(&call->engine);
}
