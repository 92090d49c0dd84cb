/* From a tool's request to the job that it asks for: everything that can be refused before anything runs. */
#include "api/tools/internal.h"

#include "api/tools/agent_fields.h"
#include "job/defaults.h"
#include "json/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Which fields are wrong: those that every tool takes, or this tool's own. */
enum part { AGENT, TOOL };

/* Answers 400 with the issues. Always -1. */
static int refuse_input(struct execution *execution, enum part part, json_t *issues)
{
	static const char *const errors[] = {[AGENT] = "Invalid request body (agent params)",
					     [TOOL] = "Invalid request body (tool params)"};
	const char *error = execution->is_run ? "Invalid request body" : errors[part];

	execution->call->code = "invalid_request";
	call_reply_json(execution->call, 400,
			json_pack("{s:s, s:O}", "error", error, "details", issues));
	return -1;
}

static const struct error out_of_memory = {
	.status = 500, .code = "out_of_memory", .message = "out of memory"};

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
	if (staging_list(&execution->staging, json_object_get(execution->input, "files"), "",
			 &err) == 0)
		return 0;
	if (err.status != 400)
		return refuse(call, &err);
	return schema_add_issue(
		issues, strcmp(err.code, "wrong_type") == 0 ? "invalid_type" : "invalid_value",
		"files", err.message);
}

/* The name of the tool asked for; an issue when it is no text. 0, or -1 when memory is out. */
static int take_tool_name(struct execution *execution, json_t *issues, const char **out)
{
	const json_t *name = json_object_get(execution->input, "tool");
	char message[128];

	*out = execution->is_run ? DEFAULT_TOOL : json_string_value(name);
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
	call->code = err.code;

	_cleanup_buf_ struct buf text = buf_new(HTTP_BODY_MAX_BYTES + KIB);

	if (buf_printf(&text, "Unknown tool type: %s", name) < 0)
		text.len = 0;
	call_reply_json(call, 400,
			json_pack("{s:s, s:o}", "error", text.data, "availableTools",
				  tool_names(call->config)));
	return -1;
}

/* The time-out: a request's own may not pass the tool's, and without one the tool says what is usual. 0, or -1 when memory is out. */
static int take_timeout(struct execution *execution, json_t *issues)
{
	const struct tool *tool = &execution->tool;
	const json_t *given = json_object_get(execution->input, "timeout");
	uint64_t most = tool->timeout_max_s ? tool->timeout_max_s : TIMEOUT_MAX_S;
	char message[128];

	execution->timeout_s =
		(uint64_t)json_number_value(json_object_get(execution->agent, "timeout"));
	if (!given && tool->timeout_s)
		execution->timeout_s = tool->timeout_s;
	if (!given && execution->timeout_s > most)
		execution->timeout_s = most;
	if (execution->timeout_s <= most)
		return 0;
	(void)snprintf(message, sizeof(message), "Timeout cannot exceed %" PRIu64 " seconds", most);
	return schema_add_issue(issues, "too_big", "timeout", message);
}

/* Reads the request as far as its fields go. 0, or -1 when it was answered with a refusal. */
static int take_fields(struct execution *execution)
{
	_cleanup_json_ json_t *issues = json_array();
	struct call *call = execution->call;
	struct error err;
	const char *name;

	if (take_agent_part(execution, issues) < 0)
		return -1;
	if (take_tool_name(execution, issues, &name) < 0)
		return refuse(call, &out_of_memory);
	if (!execution->is_run && json_array_size(issues))
		return refuse_input(execution, AGENT, issues);
	if (load_tool(execution, name) < 0)
		return -1;
	if (take_timeout(execution, issues) < 0)
		return refuse(call, &out_of_memory);
	if (!execution->is_run && json_array_size(issues))
		return refuse_input(execution, AGENT, issues);
	if (json_is_object(execution->input) &&
	    schema_validate(execution->tool.parameters, execution->input, issues, execution->values,
			    &err) < 0)
		return refuse(call, &err);
	return json_array_size(issues) ? refuse_input(execution, TOOL, issues) : 0;
}

/* Makes the job. 0, or -1 with *err; 400 and 404 are about *field. */
static int make_job(struct execution *execution, const char **field, struct error *err)
{
	const struct call *call = execution->call;
	struct job *job = &execution->job;

	job_defaults(call->config, job);
	job->wall_ms = execution->timeout_s * 1000;
	execution->made.staging = &execution->staging;
	execution->made.owner = call->caller.id;
	*field = execution->made.bad_field;
	if (tool_job(call->config, &execution->tool, execution->values, &execution->made, job,
		     execution->inputs, err) < 0)
		return -1;
	*field = "files";
	return staging_inputs(&execution->staging, call->config, call->caller.id, execution->inputs,
			      &job->input_count, err);
}

int tools_take_request(struct execution *execution)
{
	_cleanup_json_ json_t *issues = json_array();
	const char *field;
	struct error err;

	if (take_fields(execution) < 0)
		return -1;
	if (make_job(execution, &field, &err) == 0)
		return 0;
	if (err.status != 400 && err.status != 404) {
		tools_fail(execution, &err);
		return -1;
	}
	if (schema_add_issue(issues, "invalid_value", *field ? field : NULL, err.message) < 0)
		return refuse(execution->call, &out_of_memory);
	return refuse_input(execution, strcmp(field, "files") == 0 ? AGENT : TOOL, issues);
}
