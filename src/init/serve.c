/*
 * One connection: read the job, run it, answer; or prepare for it.
 *
 * Rules:
 *  1. EXIT is sent as soon as the program's output is out; collecting comes after and cannot change
 *     it.
 *  2. Whatever was wrong with the job, the host gets EXIT and END, unless it has gone.
 *  3. A session survives a host that breaks off anywhere. It becomes one by its first job, and then
 *     no longer in the pool.
 */
#include "base/ascii.h"
#include "base/cleanup.h"
#include "init/init.h"

#define STACK_TOUCHED_BYTES (64 * KIB) /* more than anything after GO goes down */

/* Rule 1 of init.h, for the stack. */
static void touch_stack(void)
{
	volatile char stack[STACK_TOUCHED_BYTES];

	for (size_t i = 0; i < sizeof(stack); i += 1024)
		stack[i] = 1;
}

static int prepare_channel(struct init_space *space, struct error *err)
{
	char *channel;

	if (space->channel.data)
		return 0;
	space->channel = buf_new(FRAME_HEADER_BYTES + FRAME_DISPLAY_MAX_BYTES);
	channel = buf_reserve(&space->channel, space->channel.max);
	if (!channel)
		return error_set_errno(err, 500, "not_started", "memory");
	memset(channel, 1, space->channel.max);
	return 0;
}

int init_space_prepare(struct init_space *space, bool with_channel, struct error *err)
{
	if (with_channel && prepare_channel(space, err) < 0)
		return -1;
	if (space->outgoing.data)
		return 0;
	space->outgoing = buf_new(FRAME_HEADER_BYTES + FRAME_DATA_MAX_BYTES);
	space->fields = buf_new(FRAME_EXIT_MAX_BYTES);

	char *outgoing = buf_reserve(&space->outgoing, space->outgoing.max);
	char *fields = buf_reserve(&space->fields, space->fields.max);

	if (!outgoing || !fields)
		return error_set_errno(err, 500, "not_started", "memory");
	memset(outgoing, 0, space->outgoing.max);
	memset(fields, 0, space->fields.max);
	memset(space->data, 1,
	       sizeof(space->data)); /* not 0: the page of zeroes would do for that */
	touch_stack();
	return 0;
}

static int send_exit(int connection, struct init_outcome *outcome, struct init_space *space,
		     deadline_ms deadline, struct error *err)
{
	struct buf *fields = &space->fields;

	fields->len = 0;

	int status = outcome->status;
	int failed = field_add(fields, "reason", slice_of(outcome->reason));

	if (status != -1 && WIFEXITED(status))
		failed |= field_add_number(fields, "code", (uint64_t)WEXITSTATUS(status));
	if (status != -1 && WIFSIGNALED(status))
		failed |= field_add_number(fields, "signal", (uint64_t)WTERMSIG(status));
	failed |= field_add_number(fields, "wall_us", outcome->wall_us);
	failed |= field_add_number(fields, "cpu_us", outcome->cpu_us);
	failed |= field_add_number(fields, "max_rss_bytes", outcome->max_rss_bytes);
	if (outcome->idle_cpu_us)
		failed |= field_add_number(fields, "idle_cpu_us", outcome->idle_cpu_us);
	if (outcome->is_ended)
		failed |= field_add_number(fields, "ended", 1);
	failed |= field_add_number(fields, "stdout_truncated", outcome->truncated[0]);
	failed |= field_add_number(fields, "stderr_truncated", outcome->truncated[1]);
	if (outcome->kernel)
		failed |= field_add(fields, "kernel", slice_of(outcome->kernel));
	if (strcmp(outcome->reason, "not_started") == 0) {
		char *text = outcome->err.message;
		size_t len = strnlen(text, FRAME_EXIT_MAX_BYTES / 2);

		ascii_mask_control(text, len, '?'); /* what a program is called may hold anything */
		failed |= field_add(fields, "message", (struct slice){text, len});
	}
	if (failed || frame_send(connection, FRAME_EXIT, buf_slice(fields), deadline) < 0)
		return error_set_errno(err, 502, "host_gone", "sending the exit");
	return 0;
}

/* When a session's job begins, by the clock of its files' ctime: later than the job before ended.
   Some kernels give a ctime the time of the last tick, so that tick has to be over; others give
   some files the exact time. A clock that was set back is not waited for. */
static struct timespec begin_after(const struct timespec *ended)
{
	static const struct timespec pause = {.tv_nsec = CELL_TICK_PAUSE_NS};
	struct timespec now = {0};

	for (int i = 0; i < CELL_TICK_PAUSES_COUNT; i++) {
		if (clock_gettime(CLOCK_REALTIME_COARSE, &now) < 0 || now.tv_sec > ended->tv_sec ||
		    (now.tv_sec == ended->tv_sec && now.tv_nsec > ended->tv_nsec))
			break;
		(void)nanosleep(&pause, NULL);
	}
	return now;
}

/* From GO to the program's end, or why there was none. */
static int run_job(struct init_job *job, const struct init_context *context,
		   struct init_outcome *outcome, struct error *err)
{
	if (job->cancelled) {
		outcome->reason = "cancelled";
		return 0;
	}
	if (!job->refused && init_space_prepare(context->space, job->kernel, &job->refusal) < 0)
		job->refused = true;
	if (job->refused) {
		outcome->err = job->refusal;
		return 0;
	}
	if (init_job_is_files(job)) {
		outcome->reason = "exited";
		if (job->remove && init_job_remove(job, job->remove) < 0)
			outcome->status = 1 << 8; /* as wait(2) has code 1 */
		else
			outcome->status = 0;
		return 0;
	}
	if (init_job_is_session(job))
		job->started = job->since = begin_after(&context->prepared->ended);
	else
		job->started = clock_read(CLOCK_REALTIME_COARSE);
	if (job->kernel)
		return init_cell_run(job, context, outcome, err);
	return init_run(job, context, outcome, err);
}

/* What the job asks for beside its output. */
static int send_files(const struct init_job *job, int connection, struct init_space *space,
		      deadline_ms deadline, struct error *err)
{
	if (job->fetch)
		return init_fetch(job, connection, space, deadline, err);
	if (init_job_is_files(job) && !job->list)
		return 0;
	return init_collect(job, connection, space, deadline, err);
}

static int answer(const struct init_job *job, const struct init_context *context,
		  struct init_outcome *outcome, deadline_ms deadline, struct error *err)
{
	int connection = context->reader->fd;

	if (send_exit(connection, outcome, context->space, deadline, err) < 0)
		return -1;
	if (outcome->status != -1 && send_files(job, connection, context->space, deadline, err) < 0)
		return -1;
	if (frame_send(connection, FRAME_END, SLICE_LITERAL(""), deadline) < 0)
		return error_set_errno(err, 502, "host_gone", "sending the end");
	return 0;
}

/* The first job of a session: what waited for a job of its own does so no more. */
static void become_session(struct init_prepared *prepared, deadline_ms lifetime)
{
	if (prepared->is_session)
		return;
	if (prepared->program.pid >= 0)
		init_prepared_drop(prepared, lifetime);
	prepared->is_session = true;
	prepared->is_prepared = false;
}

/* What ran in a session since its last job, of which the host hears now. */
static void end_rest(const struct init_context *context, struct init_outcome *outcome)
{
	const struct init_prepared *prepared = context->prepared;
	uint64_t now_us;

	if (!prepared->is_session || !prepared->rest_from_us ||
	    !init_counter_read(&context->cgroup->cpu_us, &now_us))
		return;
	outcome->idle_cpu_us = now_us - prepared->rest_from_us;
	outcome->is_ended = prepared->is_spent;
	if (prepared->is_spent)
		(void)error_set(&outcome->err, 500, "not_started",
				"What ran in the session between requests used up its CPU time: "
				"the session has ended");
}

static int run_and_answer(struct init_job *job, const struct init_context *context,
			  struct error *err)
{
	struct init_outcome outcome = {.reason = "not_started", .status = -1};
	deadline_ms deadline = context->lifetime;

	end_rest(context, &outcome);
	if (outcome.is_ended)
		return answer(job, context, &outcome, deadline_in(CELL_SEND_DEADLINE_MS), err);
	if (run_job(job, context, &outcome, err) < 0)
		return -1;
	if (context->prepared->is_session)
		deadline = deadline_earlier(deadline, deadline_in(CELL_SEND_DEADLINE_MS));
	return answer(job, context, &outcome, deadline, err);
}

static int serve_session(struct init_job *job, const struct init_context *context,
			 struct error *err)
{
	become_session(context->prepared, context->lifetime);

	int result = run_and_answer(job, context, err);

	context->prepared->ended = clock_read(CLOCK_REALTIME);
	context->prepared->rest_budget_us = job->idle_cpu_ms * US_PER_MS;
	(void)init_counter_read(&context->cgroup->cpu_us, &context->prepared->rest_from_us);
	if (context->prepared->is_spent)
		context->prepared->is_session = false;
	if (job->idle_s)
		context->prepared->idle = deadline_earlier(
			context->lifetime, deadline_in((int64_t)job->idle_s * MS_PER_S));
	return result;
}

static int serve_job(struct init_job *job, const struct init_context *context, struct error *err)
{
	struct init_prepared *prepared = context->prepared;
	struct init_space *space = context->space;

	cleanup_close(&prepared->listener);
	prepared->listener = -1;
	prepared->is_prepared = prepared->is_session = false;

	int result = run_and_answer(job, context, err);

	buf_free(&space->outgoing);
	buf_free(&space->fields);
	buf_free(&space->channel);
	return result;
}

/* Only once, and only for a job that can be. What the job will need is made ready, too. */
static int serve_pooled(struct init_job *job, const struct init_context *context, struct error *err)
{
	struct init_prepared *prepared = context->prepared;

	if (prepared->is_prepared || prepared->is_session)
		return error_set(err, 400, "frame_order", "prepared already");
	if (job->refused) {
		*err = job->refusal;
		return -1;
	}
	if (init_space_prepare(context->space, init_prepared_wants_kernel(job), err) < 0)
		return -1;
	return init_prepared_prepare(prepared, job, context->reader->fd, context->cgroup,
				     context->lifetime, err);
}

int init_serve(int connection, const struct init_cgroup *cgroup, struct init_prepared *prepared,
	       deadline_ms lifetime, struct error *err)
{
	static struct init_space space;
	struct frame_reader reader = frame_reader_new(connection);
	struct init_job job = init_job_new();
	const struct init_context context = {prepared, &reader, cgroup, &space, lifetime};
	deadline_ms request = lifetime;
	int result;

	if (getpid() != 1)
		return error_set(err, 500, "not_pid_1", "a job is served by PID 1 only");
	if (!space.fields.max)
		space.fields = buf_new(FRAME_EXIT_MAX_BYTES);
	if (prepared->is_session) /* rule 3 */
		request = deadline_earlier(lifetime, deadline_in(CELL_SEND_DEADLINE_MS));
	if (init_job_read(&reader, &job, request, err) < 0)
		result = -1;
	else if (job.is_preparation)
		result = serve_pooled(&job, &context, err);
	else if (init_job_is_session(&job) || (prepared->is_session && job.cancelled))
		result = serve_session(&job, &context, err);
	else
		result = serve_job(&job, &context, err);
	init_job_free(&job);
	frame_reader_free(&reader);
	return result;
}
