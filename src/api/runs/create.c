#include "api/runs/runs.h"

#include "api/runs/internal.h"
#include "base/date.h"
#include "base/utf8.h"
#include "bounds.h"
#include "config/template.h"
#include "job/executor.h"

#include <signal.h>
#include <stdio.h>

static void run_free(struct run *run)
{
	if (run->has_storage)
		storage_close(&run->storage);
	idempotency_close(&run->idempotency);
	stream_free(&run->stream);
	tool_job_free(&run->made);
	tool_free(&run->interpreter);
	json_decref(run->values);
	run_request_free(&run->request);
	buf_free(&run->texts[0]);
	buf_free(&run->texts[1]);
	buf_free(&run->compiler);
}

/* --- the request -------------------------------------------------------------------------------- */

/* A language is there when its file is, and its template has an image. */
static int load_interpreter(struct run *run, struct error *err)
{
	const struct config *config = run->call->config;
	struct slice language = run->request.language;
	struct template template;

	if (!registry_is_name(language))
		return error_set(err, 400, "language_unsupported", "unsupported language");
	if (tool_load_from(config, REGISTRY_INTERPRETERS, language.data, &run->interpreter, err) <
		    0 ||
	    template_load(config, slice_of(run->interpreter.template), &template, err) < 0)
		return err->status == 404
			       ? error_set(err, 400, "language_unsupported", "unsupported language")
			       : -1;
	run->is_compiled = json_object_get(run->interpreter.definition, "compile") != NULL;
	return 0;
}

static int take_request(struct run *run, struct error *err)
{
	if (run_request_begin(buf_slice(&run->call->body), &run->request, err) < 0 ||
	    load_interpreter(run, err) < 0)
		return -1;
	return run_request_take(&run->request, err);
}

/* --- the job ------------------------------------------------------------------------------------ */

static void fill_command(struct run *run)
{
	struct job *job = &run->job;
	const json_t *text;
	size_t i;

	json_array_foreach ((json_t *)run->request.args, i, text) {
		job->argv[job->argc++] =
			(struct slice){json_string_value(text), json_string_length(text)};
	}
	json_array_foreach (run->request.env, i, text) {
		job->env[job->env_count++] =
			(struct slice){json_string_value(text), json_string_length(text)};
	}
	for (const char *const *ours = run_environment; *ours; ours++)
		job->env[job->env_count++] = slice_of(*ours);
}

static int prepare_job(struct run *run, struct error *err)
{
	static const char *const folders[] = {"tmp", "outputs", NULL};
	const struct run_limits *limits = &run->request.limits;
	struct job *job = &run->job;

	*job = (struct job){
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
		.standard_input = run->request.standard_input,
	};
	run->values = json_pack("{s:s%}", "code", run->request.code.data, run->request.code.len);
	if (!run->values)
		return error_set(err, 500, "out_of_memory", "no memory for the run");
	if (tool_job(run->call->config, &run->interpreter, run->values, &run->made, job,
		     run->inputs, err) < 0)
		return -1;
	if (job->argc + json_array_size(run->request.args) > JOB_ARGV_MAX_COUNT ||
	    job->input_count + run->request.staging.file_count >= JOB_INPUT_MAX_COUNT)
		return error_set(err, 500, "bad_tool",
				 "interpreters.d/%s.json has too many arguments or files",
				 run->interpreter.name);
	fill_command(run);
	for (unsigned i = 0; i < 2; i++)
		run->texts[i] = buf_new(limits->max_output_bytes + RUN_ENDING_MAX_BYTES);
	return staging_inputs(&run->request.staging, run->call->config, run->call->caller.id,
			      run->inputs, &job->input_count, err);
}

static int open_storage(struct run *run, struct error *err)
{
	if (storage_open_files(run->call->config, &run->storage, err) < 0)
		return -1;
	run->has_storage = true;
	run->storage.count_left = run->request.limits.max_artifact_files;
	run->storage.total_left = run->request.limits.max_artifact_bytes;
	run->storage.artifact_bytes = run->request.limits.max_artifact_bytes;
	return 0;
}

static void on_output(void *context, bool is_stderr, struct slice data)
{
	struct run *run = context;

	if (buf_append(&run->texts[is_stderr], data.data, data.len) < 0)
		run->call->code = "out_of_memory";
	stream_output(&run->stream, is_stderr, data);
}

void run_tick(struct run *run, const char *status)
{
	stream_open(&run->stream);
	if (!run->announced || strcmp(run->announced, status) != 0)
		stream_event(&run->stream, "status",
			     json_pack("{s:s, s:s}", "id", run->id, "status", status));
	run->announced = status;
	stream_tick(&run->stream);
}

static void on_tick(void *context)
{
	run_tick(context, "running");
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
	const struct job_listener listener = {.context = run,
					      .on_output = on_output,
					      .on_tick = on_tick,
					      .tick_ms = SSE_HEARTBEAT_MS};

	if (open_storage(run, err) < 0)
		return -1;
	if (executor_run(&run->call->executor, &run->job, &run->storage, &listener, &run->result,
			 err) == 0)
		return 0;
	if (!is_out_of_memory(run, err))
		return -1;
	run->result = (struct job_result){.reason = JOB_LOST, .signal = SIGKILL};
	return 0;
}

/* What the compiler said is what the program would have. */
static void tell_compiler(struct run *run)
{
	size_t most = run->request.limits.max_output_bytes;
	size_t len =
		run->compiler.len > most ? utf8_trim(run->compiler.data, most) : run->compiler.len;

	run_tick(run, "running");
	if (len)
		on_output(run, true, (struct slice){run->compiler.data, len});
}

/* Says on stderr what the program itself could not say any more. */
static void add_ending(struct run *run)
{
	const struct job_result *result = &run->result;
	struct buf *text = &run->texts[1];
	char ending[RUN_ENDING_MAX_BYTES] = "";

	for (unsigned i = 0; i < 2; i++) {
		bool is_cut = i ? result->stderr_truncated : result->stdout_truncated;

		if (is_cut && run->texts[i].len)
			run->texts[i].len = utf8_trim(run->texts[i].data, run->texts[i].len);
		stream_output_end(&run->stream, i, is_cut);
	}

	const char *line = text->len && text->data[text->len - 1] != '\n' ? "\n" : "";

	if (result->reason == JOB_TIMEOUT)
		(void)snprintf(ending, sizeof(ending), "%sExecution timed out\n", line);
	else if (result->reason == JOB_NOT_STARTED)
		(void)snprintf(ending, sizeof(ending), "%s%s\n", line, result->message);
	if (*ending)
		on_output(run, true, slice_of(ending));
}

/* Compiles where that is needed, then runs. */
static int execute(struct run *run, struct error *err)
{
	int compiled = run_compile(run, err);

	if (compiled < 0 || (compiled == 0 && execute_program(run, err) < 0))
		return -1;
	if (compiled == 1)
		tell_compiler(run);
	add_ending(run);
	stream_event(&run->stream, "status",
		     json_pack("{s:s, s:s, s:i}", "id", run->id, "status", run_status(&run->result),
			       "exit_code", run_exit_code(&run->result)));
	return 0;
}

/* --- POST /v1/runs ------------------------------------------------------------------------------ */

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
	if (cache_key(call->config, call->caller.id, run->interpreter.name, &run->job,
		      run->cache_key, err) < 0)
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

static int run_and_reply(struct run *run, struct error *err)
{
	struct call *call = run->call;
	int cached;
	_cleanup_buf_ struct buf record = buf_new(RUN_RECORD_MAX_BYTES),
				 summary = buf_new(RUN_SUMMARY_MAX_BYTES);

	run->created_ms = date_now_ms();
	record_make_id(run->created_ms, run->id);
	executor_name(&call->executor, run->id);
	cached = prepare_job(run, err) < 0 ? -1 : reply_cached(run, err);
	if (cached != 0)
		return cached < 0 ? -1 : 0;
	if ((run->idempotency.fd >= 0 && idempotency_note(&run->idempotency, run->id, err) < 0) ||
	    execute(run, err) < 0 || run_write(run, &record, &summary, err) < 0 ||
	    record_write(call->config, call->caller.id, run->id, buf_slice(&summary),
			 buf_slice(&record), err) < 0)
		return -1;
	if (*run->cache_key && cache_may_keep(&run->result))
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
		.stream = stream_new(call),
		.compiler = buf_new(2 * RUN_COMPILE_OUTPUT_BYTES + KIB),
	};
	struct error err;
	int replayed;

	call->stream = &run.stream;
	replayed = take_request(&run, &err) < 0 ? -1 : replay(&run, &err);
	if (replayed < 0 || (replayed == 0 && run_and_reply(&run, &err) < 0))
		call_refuse(call, &err);
	call->stream = NULL;
	run_free(&run);
}
