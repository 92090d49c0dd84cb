#include "job/executor.h"

#include <stdio.h>
#include <unistd.h>

struct executor executor_new(const struct config *config)
{
	return (struct executor){.config = config, .watch.fd = -1, .engine.fd = -1, .slot = -1};
}

void executor_name(struct executor *executor, const char *id)
{
	(void)snprintf(executor->job_id, sizeof(executor->job_id), "%s", id);
}

/* --- for the metrics -------------------------------------------------------------------------- */

void executor_note(struct executor *executor, enum metric metric, uint64_t amount)
{
	executor->noted.add[metric] += amount;
}

static enum job_outcome outcome_of(const struct job_result *result, const struct error *err)
{
	static const enum job_outcome outcomes[] = {
		[JOB_EXITED] = OUTCOME_FAILED,
		[JOB_SIGNALED] = OUTCOME_FAILED,
		[JOB_TIMEOUT] = OUTCOME_TIMEOUT,
		[JOB_CPU] = OUTCOME_CPU,
		[JOB_OOM] = OUTCOME_OOM,
		[JOB_CANCELLED] = OUTCOME_CANCELLED,
		[JOB_NOT_STARTED] = OUTCOME_NOT_STARTED,
		[JOB_LOST] = OUTCOME_LOST,
	};

	if (!result)
		return err->status == 0                                       ? OUTCOME_CANCELLED
		       : err->status == 429 || strcmp(err->code, "busy") == 0 ? OUTCOME_BUSY
									      : OUTCOME_ERROR;
	if (result->reason == JOB_EXITED && result->code == 0)
		return OUTCOME_SUCCEEDED;
	return outcomes[result->reason];
}

/* A later job takes its place: a request is one job. result NULL: *err says why there is none. */
static void note_job(struct executor *executor, const struct job *asked,
		     const struct job_result *result, const struct error *err)
{
	struct metrics_job *job = &executor->noted.job;
	const char *template = asked->template ? asked->template : "",
		   *registry_end = strchr(template, ':');

	*job = (struct metrics_job){
		.family = executor->family,
		.outcome = outcome_of(result, err),
		.program_us =
			result && result->reason != JOB_NOT_STARTED ? executor->program_us : -1,
	};
	(void)snprintf(job->language, sizeof(job->language), "%.*s", (int)asked->language.len,
		       asked->language.data);
	(void)snprintf(job->template, sizeof(job->template), "%s",
		       registry_end ? registry_end + 1 : template);
}

static void note_engine_error(struct executor *executor, const struct error *err)
{
	executor_note(executor, metric_of_engine_error(err->code), 1);
}

void executor_count(struct executor *executor, int64_t duration_us)
{
	executor->noted.job.duration_us = duration_us;
	if (executor->noted.job.family)
		executor->counted = executor->noted.job;
	metrics_count(executor->config, &executor->noted);
	executor->noted = (struct metrics_change){0};
}

/* --- the job ---------------------------------------------------------------------------------- */

int executor_admit(struct executor *executor, struct error *err)
{
	int64_t began_us = monotonic_us();

	if (executor->slot >= 0)
		return 0;
	if (slot_take(executor->config, &executor->caller, &executor->watch, &executor->slot, err) <
	    0)
		return -1;
	executor_note(executor, METRIC_SLOTS_TAKEN, 1);
	executor_note(executor, METRIC_SLOT_WAIT_US, (uint64_t)(monotonic_us() - began_us));
	return 0;
}

void executor_leave(struct executor *executor)
{
	slot_release(&executor->slot);
}

static bool claim(struct executor *executor, const struct job *job, int *control)
{
	struct error ignored; /* what is wrong with the job, making its container will say */

	if (!executor->config->pool ||
	    pool_plan(executor->config, job, &executor->plan, &ignored) < 0)
		return false;
	executor->has_plan = true;
	executor->plan.caller = executor->caller.id;
	executor->plan.is_used =
		pool_claim(executor->config, &executor->plan, control, executor->folder);
	return executor->plan.is_used;
}

static int make(struct executor *executor, const struct engine_request *request, int *control,
		struct error *err)
{
	executor->asked_us = monotonic_us();
	if (engine_make(&executor->engine, request, deadline_in(ENGINE_MAKE_DEADLINE_MS),
			executor->folder, err) < 0 ||
	    job_connect(executor->config, executor->folder, control, err) < 0) {
		note_engine_error(executor, err);
		return -1;
	}
	executor->engine_us = monotonic_us() - executor->asked_us;
	return 0;
}

/* A job whose kind has pooled containers either found one or did not. */
static void note_claim(struct executor *executor)
{
	if (!executor->has_plan)
		return;
	executor_note(executor, executor->is_claimed ? METRIC_POOL_CLAIMS : METRIC_POOL_MISSES, 1);
	executor->pool = executor->is_claimed ? "hit" : "miss";
}

int executor_keep(struct executor *executor, const struct job *job, bool may_claim, int *control,
		  struct error *err)
{
	const struct engine_request request = {
		.template = job->template,
		.job = executor->job_id,
		.lifetime_s = SESSION_LIFETIME_S,
		.limits = job->limits,
		.is_session = true,
	};

	executor->folder[0] = '\0';
	executor->is_claimed = false;
	if (executor_admit(executor, err) < 0)
		return -1;
	executor->is_claimed = may_claim && claim(executor, job, control);
	note_claim(executor);
	if (executor->is_claimed)
		return 0;
	return make(executor, &request, control, err);
}

/* Runs the job in a container. One of which nothing was heard at the end is taken to have used all
   of its time. */
static int run_in(struct executor *executor, const struct job *job, int control,
		  struct storage *storage, const struct job_listener *listener,
		  struct job_result *out, struct error *err)
{
	const int64_t began_us = monotonic_us();
	int ran = job_run(job, control, storage, listener, &executor->watch, out, err);

	if (ran == 0 && out->reason != JOB_LOST && !out->is_overdue)
		executor->cpu_us += out->cpu_us;
	else if (ran == 0 || strcmp(err->code, "job_not_taken") != 0)
		executor->cpu_us += (uint64_t)(monotonic_us() - began_us);
	return ran;
}

/* A pooled container may end between its claim and the job: then the job has not begun, and another
   container is made for it. */
static int run(struct executor *executor, const struct job *job, struct storage *storage,
	       const struct job_listener *listener, struct job_result *out, struct error *err)
{
	const struct engine_request request = {
		.template = job->template,
		.job = executor->job_id,
		.lifetime_s = job->wall_ms / 1000 + CONTAINER_START_ALLOWANCE_S,
		.limits = job->limits,
	};
	int control, ran = -1;

	if (executor_admit(executor, err) < 0)
		return -1;
	executor->is_claimed = claim(executor, job, &control);
	if (executor->is_claimed) {
		ran = run_in(executor, job, control, storage, listener, out, err);
		close(control);
		if (ran < 0 && strcmp(err->code, "job_not_taken") == 0) {
			pool_forget(executor->config, executor->folder); /* the reaper's now */
			executor->is_claimed = false;
		}
	}
	note_claim(executor);
	if (!executor->is_claimed) {
		if (make(executor, &request, &control, err) < 0)
			return -1;
		ran = run_in(executor, job, control, storage, listener, out, err);
		close(control);
	}
	return ran;
}

/* False when the engine could not: it takes the container for this connection's still. */
static bool remove_container(struct executor *executor, const char *folder)
{
	struct error err;

	if (!*folder || engine_remove(&executor->engine, folder,
				      deadline_in(ENGINE_CALL_DEADLINE_MS), &err) == 0)
		return true;
	note_engine_error(executor, &err);
	executor->after = err.code;
	return false;
}

/* What was noted of the last job's container, where it was a pooled container. */
static void forget_pooled(struct executor *executor)
{
	if (executor->is_claimed)
		pool_forget(executor->config, executor->folder);
	executor->is_claimed = false;
}

/* A program that its container has not ended is ended with the container, before anything says so.
   0, or -1 with *err: it may run on. */
static int end_overdue(struct executor *executor, struct error *err)
{
	if (!remove_container(executor, executor->folder))
		return error_set(err, 504, "job_overdue",
				 "The job did not end in time, and its container could not be "
				 "removed: it may still run");
	forget_pooled(executor);
	executor->folder[0] = '\0';
	return 0;
}

int executor_run_again(struct executor *executor, const struct job *job, struct storage *storage,
		       const struct job_listener *listener, struct job_result *out,
		       struct error *err)
{
	int control, ran;

	if (executor_admit(executor, err) < 0 ||
	    job_connect(executor->config, executor->folder, &control, err) < 0)
		return -1;
	ran = run_in(executor, job, control, storage, listener, out, err);
	close(control);
	if (ran == 0 && out->is_overdue)
		ran = end_overdue(executor, err);
	if (ran == 0)
		executor->program_us += (int64_t)out->wall_us;
	if (ran == 0 ||
	    strcmp(err->code, "job_not_taken") != 0) /* its container is gone: nothing ran */
		note_job(executor, job, ran == 0 ? out : NULL, err);
	return ran;
}

int executor_run(struct executor *executor, const struct job *job, struct storage *storage,
		 const struct job_listener *listener, struct job_result *out, struct error *err)
{
	int ran = run(executor, job, storage, listener, out, err);

	if (ran == 0 && out->is_overdue)
		ran = end_overdue(executor, err);
	if (ran == 0)
		executor->program_us = (int64_t)out->wall_us;
	note_job(executor, job, ran == 0 ? out : NULL, err);
	return ran;
}

/* Nothing has to be removed before a pooled container's successor can be made or claimed: the
   engine has no container of this connection's. */
void executor_next(struct executor *executor, bool again)
{
	if (executor->is_claimed && again && !*executor->earlier_folder)
		memcpy(executor->earlier_folder, executor->folder, sizeof(executor->folder));
	else
		(void)remove_container(executor, executor->folder);
	forget_pooled(executor);
	if (executor->has_plan && again && !executor->has_earlier_plan) {
		executor->earlier_plan = executor->plan;
		executor->has_earlier_plan = true;
	} else if (executor->has_plan) {
		pool_plan_free(&executor->plan);
	}
	executor->has_plan = executor->is_claimed = false;
	executor->folder[0] = '\0';
}

/* Ends the plan, whether or not the pooled container can be made. */
static void refill(struct executor *executor, struct pool_plan *plan, bool is_free)
{
	struct error err;

	if (is_free &&
	    pool_refill(executor->config, &executor->engine, plan, executor->config->pool,
			executor->config->pool_ttl_s, &err) < 0) {
		note_engine_error(executor, &err);
		executor->after = err.code;
	}
	pool_plan_free(plan);
}

void executor_end(struct executor *executor)
{
	/* an engine that cannot remove is not asked to make another */
	bool is_free = executor->is_kept || remove_container(executor, executor->folder);

	is_free = remove_container(executor, executor->earlier_folder) && is_free;
	forget_pooled(executor);
	executor_leave(executor);
	if (executor->has_plan)
		refill(executor, &executor->plan, is_free);
	if (executor->has_earlier_plan)
		refill(executor, &executor->earlier_plan, is_free);
	engine_close(&executor->engine);
}
