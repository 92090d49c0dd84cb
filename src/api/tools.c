#include "api/tools.h"

#include "api/agent.h"
#include "api/execute.h"
#include "api/tools_parts.h"
#include "job/standard.h"
#include "json/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void execution_free(struct execution *execution)
{
	stream_free(&execution->stream);
	json_decref(execution->input);
	json_decref(execution->agent);
	json_decref(execution->values);
	tool_free(&execution->tool);
	buf_free(&execution->texts[0]);
	buf_free(&execution->texts[1]);
}

/* Answers 400 with the issues. Always -1. */
static int refuse_input(struct call *call, const char *error, json_t *issues)
{
	call->word = "invalid_request";
	call_reply_json(call, 400, json_pack("{s:s, s:O}", "error", error, "details", issues));
	return -1;
}

static int refuse(struct call *call, const struct error *err)
{
	call_refuse(call, err);
	return -1;
}

/* The names of all tools, as an array. NULL when they cannot be had. */
static json_t *tool_names(const struct config *config)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	json_t *list = json_array();
	struct error err;

	if (registry_names(config, REGISTRY_TOOLS, &names, &err) < 0)
		return list;
	for (size_t i = 0; i < names.count; i++)
		(void)json_array_append_new(list, json_string(names.names[i]));
	return list;
}

/* The part that does not depend on the tool: sessionId and timeout, and whether the whole is an object. */
static int take_agent_part(struct execution *execution, json_t *issues)
{
	_cleanup_json_ json_t *parameters = NULL;
	struct call *call = execution->call;
	struct error err;

	execution->agent = json_object();
	execution->values = json_object();
	if (json_parse(buf_slice(&call->body), &execution->input, &err) < 0)
		return refuse(call, &err);
	if (json_parse(agent_parameters, &parameters, &err) < 0)
		return refuse(call, &err);
	if (!json_is_object(execution->input)) {
		char message[128];

		(void)snprintf(message, sizeof(message),
			       "Invalid input: expected object, received %s",
			       schema_type_name(execution->input));
		return schema_add_issue(issues, "invalid_type", NULL, message);
	}
	if (schema_validate(parameters, execution->input, issues, execution->agent, &err) < 0)
		return refuse(call, &err);
	return 0;
}

/* The name of the tool asked for; an issue when it is no text. 0, or -1 when memory is out. */
static int take_tool_name(struct execution *execution, json_t *issues, const char **out)
{
	const json_t *name = json_object_get(execution->input, "tool");
	char message[128];

	*out = execution->is_run ? STANDARD_TOOL : json_string_value(name);
	if (*out)
		return 0;
	(void)snprintf(message, sizeof(message), "Invalid input: expected string, received %s",
		       schema_type_name(name));
	return schema_add_issue(issues, "invalid_type", "tool", message);
}

static int load_tool(struct execution *execution, const char *name)
{
	struct call *call = execution->call;
	struct error err;

	if (tool_load(call->config, name, &execution->tool, &err) == 0)
		return 0;
	if (err.status != 404)
		return refuse(call, &err);
	call->word = err.word;

	_cleanup_buf_ struct buf text = buf_new(HTTP_BODY_MAX_BYTES + KIB);

	if (buf_printf(&text, "Unknown tool type: %s", name) < 0)
		text.len = 0;
	call_reply_json(call, 400,
			json_pack("{s:s, s:o}", "error", text.data, "availableTools",
				  tool_names(call->config)));
	return -1;
}

/* Reads and validates the request. 0, or -1 when it was answered with a refusal. */
static int take_request(struct execution *execution)
{
	_cleanup_json_ json_t *issues = json_array();
	struct call *call = execution->call;
	struct error err;

	const char *name;

	if (take_agent_part(execution, issues) < 0)
		return -1;
	if (take_tool_name(execution, issues, &name) < 0)
		return refuse(call, &(struct error){.status = 500,
						    .word = "out_of_memory",
						    .message = "out of memory"});
	if (!execution->is_run && json_array_size(issues))
		return refuse_input(call, "Invalid request body (agent params)", issues);
	if (load_tool(execution, name) < 0)
		return -1;
	if (json_is_object(execution->input) &&
	    schema_validate(execution->tool.parameters, execution->input, issues, execution->values,
			    &err) < 0)
		return refuse(call, &err);
	if (json_array_size(issues))
		return refuse_input(call,
				    execution->is_run ? "Invalid request body"
						      : "Invalid request body (tool params)",
				    issues);
	return 0;
}

static int prepare_job(struct execution *execution, struct error *err)
{
	const struct config *config = execution->call->config;
	struct job *job = &execution->job;

	job_standard(config, job);
	job->wall_ms =
		(uint64_t)json_number_value(json_object_get(execution->agent, "timeout")) * 1000;
	return tool_job(config, &execution->tool, execution->values, job, execution->inputs, err);
}

/* Keeps for the reply what fits. */
static void hear(void *context, bool is_stderr, struct slice data)
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
static void tick(void *context)
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
	char text[sizeof(result->message) + 128] = "";

	stream_output_end(&execution->stream, false, result->stdout_truncated);
	stream_output_end(&execution->stream, true, result->stderr_truncated);
	if (result->reason == JOB_TIMEOUT)
		(void)snprintf(text, sizeof(text),
			       "\n%.100s %.2fs (timeout was set to %" PRIu64 "s)\n",
			       execution->tool.timeout_text, (double)result->wall_us / 1e6,
			       execution->job.wall_ms / 1000);
	else if (result->reason == JOB_NOT_STARTED)
		(void)snprintf(text, sizeof(text), "%s\n", result->message);
	if (!*text)
		return 0;
	hear(execution, true, slice_of(text));
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

		if (storage_put_input(execution->storage, input->path.data, input->data, err) < 0)
			return -1;
	}
	return 0;
}

/* Runs the job. The container stays for api_serve to remove. */
static int run_stored(struct execution *execution, struct storage *storage, struct error *err)
{
	const struct job_listener listener = {
		.context = execution,
		.stream = hear,
		.sent = store_inputs,
		.tick = tick,
		.tick_ms = SSE_HEARTBEAT_MS,
	};

	execution->storage = storage;
	if (execute_job(execution->call, &execution->job, storage, &listener, &execution->result,
			err) < 0)
		return -1;
	return add_ending(execution, storage, err);
}

/* Runs a validated request and answers it. */
static int run_and_reply(struct execution *execution, struct error *err)
{
	struct call *call = execution->call;
	struct storage storage;
	char id[JOB_ID_LENGTH + 1];

	if (prepare_job(execution, err) < 0 || storage_open(call->config, &storage, err) < 0)
		return -1;

	int stored = run_stored(execution, &storage, err);

	if (stored == 0)
		stored = storage_commit(
			&storage, json_string_value(json_object_get(execution->agent, "sessionId")),
			id, err);
	if (stored == 0) {
		(void)snprintf(call->detail, sizeof(call->detail), "%s", id);
		tools_reply(execution, id, &storage);
	}
	storage_close(&storage);
	return stored;
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
	if (take_request(&execution) == 0 && run_and_reply(&execution, &err) < 0) {
		if (err.status == 0 || strcmp(err.word, "busy") == 0) {
			call_refuse(call, &err);
		} else {
			call->word = err.word;
			call_reply_json(call, 500,
					json_pack("{s:s, s:o}", "error",
						  is_run ? "Code execution failed"
							 : "Tool execution failed",
						  "details",
						  json_clean_string(slice_of(err.message))));
		}
	}
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
			call->word = err.word;
		else if (json_object_set_new(reply, names.names[i], tool_describe(&tool)) < 0)
			call->word = "out_of_memory";
	}
	call_reply_json(call, 200, reply);
}
