#include "api/runs/runs.h"

#include "api/runs/internal.h"
#include "base/clock.h"
#include "bounds.h"
#include "config/template.h"
#include "job/defaults.h"

#include <signal.h>
#include <stdio.h>

static void run_free(struct run *run)
{
	record_leave(&run->place, run->execution.was_sent);
	idempotency_close(&run->idempotency);
	stream_free(&run->stream);
	language_free(&run->language);
	execution_free(&run->execution);
	execution_free(&run->compiler);
	run_request_free(&run->request);
}

/* --- the request ------------------------------------------------------------------------------ */

static int take_request(struct run *run, struct error *err)
{
	if (run_request_begin(buf_slice(&run->call->body), &run->request, err) < 0 ||
	    run_language(run->call->config, run->request.language, &run->language, err) < 0)
		return -1;
	run->request.language = slice_of(run->language.name);
	return run_request_take(&run->request, err);
}

/* --- the job ---------------------------------------------------------------------------------- */

static int prepare_job(struct run *run, struct error *err)
{
	static const char *const folders[] = {"tmp", "outputs", NULL};
	const struct run_limits *limits = &run->request.limits;
	struct job *job = &run->job;

	*job = (struct job){
		.template = run->language.runs.template,
		.cwd = "/work",
		.folders = folders,
		.collect = "outputs",
		.collect_flat = true,
		.limits.memory_mb = limits->memory_mb,
		.wall_ms = limits->timeout_ms,
		.cpu_ms = limits->cpu_ms,
		.stream_bytes = limits->max_output_bytes,
		.artifact_count = limits->max_artifact_files,
		.artifact_bytes = limits->max_artifact_bytes,
		.artifacts_bytes = limits->max_artifact_bytes,
	};
	job_set_language(job, &run->language, &run->language.runs, run->request.code, run->inputs);
	for (const char *const *usual = job_usual; *usual; usual++)
		job->env[job->env_count++] = slice_of(*usual);
	if (invocation_apply(&run->request.invocation, job, err) < 0)
		return -1;
	for (const char *const *ours = run_environment; *ours; ours++)
		job->env[job->env_count++] = slice_of(*ours);
	return staging_inputs(&run->request.staging, run->call->config, run->call->caller.id,
			      run->inputs, &job->input_count, err);
}

/* Files that the memory does not hold end the container before it has the whole job. */
static bool is_out_of_memory(const struct run *run, const struct error *err)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < run->job.input_count; i++)
		total += run->inputs[i].data.len;
	return strcmp(err->code, "job_not_taken") == 0 &&
	       total > run->request.limits.memory_mb * MIB / 4;
}

static int execute_program(struct run *run, struct error *err)
{
	struct execution *execution = &run->execution;

	if (execution_run(execution, err) == 0)
		return 0;
	if (strcmp(err->code, "job_not_taken") == 0)
		execution->was_sent = false;
	if (!is_out_of_memory(run, err))
		return -1;
	execution->result = (struct job_result){.reason = JOB_OOM, .signal = SIGKILL};
	return execution_end(execution, err);
}

/* Compiles where that is needed, then runs. */
static int execute(struct run *run, struct error *err)
{
	struct executor *executor = &run->call->executor;
	const struct job_result *result = &run->execution.result;
	int compiled;

	run->execution = execution_new(executor, &run->job, WORDS_RUNS,
				       run->request.limits.max_output_bytes);
	run->execution.observer = stream_observer(&run->stream);
	if (run_reserve(run, err) < 0)
		return -1;
	compiled = run_compile(run, err);
	if (compiled < 0 || (compiled == 0 && execute_program(run, err) < 0))
		return -1;
	stream_event(&run->stream, "status",
		     json_pack("{s:s, s:s, s:i}", "id", run->id, "status", run_status(result),
			       "exit_code", run_exit_code(result)));
	return 0;
}

/* --- POST /v1/runs ---------------------------------------------------------------------------- */

/* With a key: 1 when an earlier run's record was the answer. */
static int replay(struct run *run, struct error *err)
{
	struct call *call = run->call;
	const struct slice *key = http_field(&call->connection->request, "X-Idempotency-Key");
	char id[RUN_ID_BYTES];

	if (!key)
		return 0;
	if (!idempotency_is_key(*key))
		return error_set(err, 400, "bad_idempotency_key",
				 "X-Idempotency-Key takes 1 to %d printable characters",
				 IDEMPOTENCY_KEY_MAX_BYTES);
	if (idempotency_take(call->config, call->caller.id, *key, buf_slice(&call->body),
			     &call->executor.watch, IDEMPOTENCY_WAIT_MS, &run->idempotency, id,
			     err) < 0) {
		if (err->status == 409)
			call->retry_after_s = 1;
		return -1;
	}
	if (!*id)
		return 0;
	executor_name(&call->executor, id);
	call->is_replayed = true;
	if (run_reply_record(call, slice_of(id), err) == 0)
		return 1;
	call->is_replayed = false;
	return -1;
}

/* With cache:true: 1 when the caller's own record of the same run was the answer. */
static int reply_cached(struct run *run, struct error *err)
{
	struct call *call = run->call;
	char id[CACHE_ENTRY_MAX_BYTES + 1];
	struct error ignored;

	if (!run->request.wants_cached || !call->config->cache_bytes)
		return 0;
	if (cache_key(call->config, call->caller.id, run->language.name, &run->job, run->cache_key,
		      err) < 0)
		return -1;
	if (!cache_get(call->config, run->cache_key, id))
		return 0;
	call->is_cached = true;
	if (run_reply_record(call, slice_of(id), &ignored) == 0) {
		executor_name(&call->executor, id);
		if (run->idempotency.fd >= 0 &&
		    idempotency_note(&run->idempotency, id, &ignored) < 0)
			call->code = ignored.code;
		return 1;
	}
	call->is_cached = false;
	cache_drop(call->config, run->cache_key);
	return 0;
}

/* Writes the record, into its place where that was reserved. */
static int keep(struct run *run, struct slice summary, struct slice record, struct error *err)
{
	const struct config *config = run->call->config;

	if (run->place.folder < 0)
		return record_write(config, run->call->caller.id, run->id, summary, record, err);
	if (record_fill(config, &run->place, summary, record, err) < 0)
		return -1;
	record_leave(&run->place, true);
	return 0;
}

static int run_and_reply(struct run *run, struct error *err)
{
	struct call *call = run->call;
	int cached;
	_cleanup_buf_ struct buf record = buf_new(RUN_RECORD_MAX_BYTES),
				 summary = buf_new(RUN_SUMMARY_MAX_BYTES);

	run->created_ms = unix_now_ms();
	record_make_id(run->created_ms, run->id);
	executor_name(&call->executor, run->id);
	cached = prepare_job(run, err) < 0 ? -1 : reply_cached(run, err);
	if (cached != 0)
		return cached < 0 ? -1 : 0;
	/* a repeat is to find the result, not a run that ended with its first client's patience */
	if (run->idempotency.fd >= 0 && !run->stream.is_wanted)
		call->executor.watch.fd = -1;
	if ((run->idempotency.fd >= 0 && idempotency_note(&run->idempotency, run->id, err) < 0) ||
	    execute(run, err) < 0 || run_write(run, &record, &summary, err) < 0 ||
	    keep(run, buf_slice(&summary), buf_slice(&record), err) < 0)
		return -1;
	if (*run->cache_key && cache_may_keep(&run->execution.result))
		cache_put(call->config, run->cache_key, run->id);
	idempotency_close(&run->idempotency);
	call_reply(call, 200, RUN_JSON_TYPE, buf_slice(&record));
	return 0;
}

void api_runs_create(struct call *call)
{
	struct run run = {
		.call = call,
		.idempotency.fd = -1,
		.place = {.folder = -1, .fd = -1, .room.fd = -1},
		.stream = stream_new(call),
		.compiler = execution_new(&call->executor, &run.compile, WORDS_NONE,
					  2 * RUN_COMPILE_OUTPUT_BYTES),
	};
	struct error err;
	int replayed;

	run.stream.id = run.id;
	call->stream = &run.stream;
	replayed = take_request(&run, &err) < 0 ? -1 : replay(&run, &err);
	if (replayed < 0 || (replayed == 0 && run_and_reply(&run, &err) < 0))
		call_refuse(call, &err);
	call->stream = NULL;
	run_free(&run);
}
