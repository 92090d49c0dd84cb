#include "api/tools/tools.h"

#include "api/tools/internal.h"
#include "bounds.h"
#include "job/executor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void execution_free(struct execution *execution)
{
	stream_free(&execution->stream);
	json_decref(execution->input);
	json_decref(execution->agent);
	json_decref(execution->values);
	tool_job_free(&execution->made);
	tool_free(&execution->tool);
	staging_free(&execution->staging);
	buf_free(&execution->texts[0]);
	buf_free(&execution->texts[1]);
}

/* Keeps for the reply what fits. */
static void on_output(void *context, bool is_stderr, struct slice data)
{
	struct execution *execution = context;
	unsigned which = is_stderr && !execution->is_run;
	struct buf *text = &execution->texts[which];
	size_t room = text->max - text->len;

	stream_output(&execution->stream, is_stderr, data);
	if (data.len > room)
		execution->trimmed[which] = true;
	if (buf_append(text, data.data, data.len < room ? data.len : room) < 0)
		execution->trimmed[which] = true;
}

/* The first one comes when the program starts. */
static void on_tick(void *context)
{
	struct execution *execution = context;

	if (!execution->stream.is_open) {
		stream_open(&execution->stream);
		stream_event(&execution->stream, "status", json_pack("{s:s}", "status", "running"));
	}
	stream_tick(&execution->stream);
}

/* Says on stderr what the program itself could not say any more. */
static int add_ending(struct execution *execution, struct storage *storage, struct error *err)
{
	const struct job_result *result = &execution->result;
	char text[TOOL_ENDING_BYTES];

	stream_output_end(&execution->stream, false, result->stdout_truncated);
	stream_output_end(&execution->stream, true, result->stderr_truncated);
	tool_ending(&execution->tool, &execution->job, result, text);
	if (!*text)
		return 0;
	on_output(execution, true, slice_of(text));
	return storage_append_stream(storage, true, slice_of(text), err);
}

/* Stores the inputs, while the program runs already. */
static int store_inputs(void *context, struct error *err)
{
	struct execution *execution = context;

	if (execution->is_stored)
		return 0;
	execution->is_stored = true;
	for (unsigned i = 0; i < execution->job.input_count; i++) {
		const struct job_input *input = &execution->inputs[i];

		if (!job_is_hidden(&execution->job, i) &&
		    storage_put_input(execution->storage, input->path.data, input->data, err) < 0)
			return -1;
	}
	return 0;
}

static void take_caps(const struct execution *execution, struct storage *storage)
{
	storage->count_left = execution->job.artifact_count;
	storage->artifact_bytes = execution->job.artifact_bytes;
	storage->total_left = execution->job.artifacts_bytes;
}

/* Runs the job. The container stays for api_serve to remove. */
static int run_stored(struct execution *execution, struct storage *storage, struct error *err)
{
	const struct job_listener listener = {
		.context = execution,
		.on_output = on_output,
		.on_sent = store_inputs,
		.on_tick = on_tick,
		.tick_ms = SSE_HEARTBEAT_MS,
	};

	execution->storage = storage;
	take_caps(execution, storage);
	if (executor_run(&execution->call->executor, &execution->job, storage, &listener,
			 &execution->result, err) < 0)
		return -1;
	return add_ending(execution, storage, err);
}

static int commit(struct execution *execution, struct storage *storage, char *id, struct error *err)
{
	struct call *call = execution->call;

	if (storage_commit(storage,
			   json_string_value(json_object_get(execution->agent, "sessionId")), id,
			   err) < 0)
		return -1;
	executor_name(&call->executor, id);
	return 0;
}

/* Answers with a stored result, if one is wanted and will do. 1 when it did, 0, or -1 with *err. */
static int reply_cached(struct execution *execution, struct error *err)
{
	struct storage storage;
	char id[JOB_ID_LENGTH + 1];
	int done = 0;

	if (!json_is_true(json_object_get(execution->agent, "cache")))
		return 0;
	if (storage_open(execution->call->config, &storage, err) < 0)
		return -1;
	take_caps(execution, &storage);

	json_t *reply = tools_find_cached(execution, &storage);

	if (reply)
		done = commit(execution, &storage, id, err) < 0 ? -1 : 1;
	if (done == 1 && tools_add_place(execution, reply, id, &storage)) {
		json_decref(reply);
		reply = NULL;
	}
	if (done == 1)
		tools_answer(execution, id, &storage, reply);
	else
		json_decref(reply);
	storage_close(&storage);
	return done;
}

/* Runs a validated request and answers it. */
static int run_and_reply(struct execution *execution, struct error *err)
{
	struct storage storage;
	char id[JOB_ID_LENGTH + 1];
	int stored = reply_cached(execution, err);

	if (stored != 0)
		return stored < 0 ? -1 : 0;
	if (storage_open(execution->call->config, &storage, err) < 0)
		return -1;
	stored = run_stored(execution, &storage, err);
	if (stored == 0)
		stored = commit(execution, &storage, id, err);
	if (stored == 0)
		tools_reply(execution, id, &storage);
	storage_close(&storage);
	return stored;
}

void tools_fail(struct execution *execution, const struct error *err)
{
	struct call *call = execution->call;

	if (err->status == 0 || strcmp(err->code, "busy") == 0) {
		call_refuse(call, err);
		return;
	}
	call->code = err->code;
	call_reply_json(
		call, 500,
		json_pack("{s:s, s:o}", "error",
			  execution->is_run ? "Code execution failed" : "Tool execution failed",
			  "details", json_clean_string(slice_of(err->message))));
}

static void execute(struct call *call, bool is_run)
{
	struct execution execution = {
		.call = call,
		.is_run = is_run,
		.stream = stream_new(call),
		.texts = {buf_new(is_run ? REPLY_OUTPUT_MAX_BYTES : REPLY_STREAM_MAX_BYTES),
			  buf_new(REPLY_STREAM_MAX_BYTES)},
	};
	struct error err;

	call->stream = &execution.stream;
	if (tools_take_request(&execution) == 0 && run_and_reply(&execution, &err) < 0)
		tools_fail(&execution, &err);
	call->stream = NULL;
	execution_free(&execution);
}

void api_run(struct call *call)
{
	execute(call, true);
}

void api_tools_execute(struct call *call)
{
	execute(call, false);
}

void api_tools(struct call *call)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	json_t *reply = json_object();
	struct error err;

	if (registry_names(call->config, REGISTRY_TOOLS, &names, &err) < 0) {
		json_decref(reply);
		call_refuse(call, &err);
		return;
	}
	for (size_t i = 0; i < names.count; i++) {
		_cleanup_tool_ struct tool tool = {0};

		/* a broken file takes out only itself */
		if (tool_load(call->config, names.names[i], &tool, &err) < 0)
			call->code = err.code;
		else if (json_object_set_new(reply, names.names[i], tool_describe(&tool)) < 0)
			call->code = "out_of_memory";
	}
	call_reply_json(call, 200, reply);
}
