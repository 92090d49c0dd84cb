/* From a tool's request to the job that it asks for: everything that can be refused before anything
   runs. */
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
static int refuse_input(struct tool_run *run, enum part part, json_t *issues)
{
	static const char *const errors[] = {[AGENT] = "Invalid request body (agent params)",
					     [TOOL] = "Invalid request body (tool params)"};
	const char *error = run->is_run ? "Invalid request body" : errors[part];

	run->call->code = "invalid_request";
	call_reply_json(run->call, 400, json_pack("{s:s, s:O}", "error", error, "details", issues));
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

/* The part that does not depend on the tool: sessionId and timeout, and whether the whole is an
   object. */
static int take_agent_part(struct tool_run *run, json_t *issues)
{
	_cleanup_json_ json_t *parameters = NULL;
	struct call *call = run->call;
	struct error err;

	run->agent = json_object();
	run->values = json_object();
	if (json_parse(buf_slice(&call->body), &run->input, &err) < 0)
		return refuse(call, &err);
	if (json_parse(agent_parameters, &parameters, &err) < 0)
		return refuse(call, &err);
	if (!json_is_object(run->input)) {
		schema_add_issue(issues, "invalid_type", NULL,
				 "Invalid input: expected object, received %s",
				 schema_type_name(run->input));
		return 0;
	}
	if (schema_validate(parameters, run->input, issues, run->agent, &err) < 0)
		return refuse(call, &err);
	if (staging_list(&run->staging, json_object_get(run->input, "files"), "", &err) == 0)
		return 0;
	if (err.status != 400)
		return refuse(call, &err);
	schema_add_issue(issues,
			 strcmp(err.code, "wrong_type") == 0 ? "invalid_type" : "invalid_value",
			 "files", "%s", err.message);
	return 0;
}

/* The name of the tool asked for; NULL and an issue when it is no text. */
static const char *take_tool_name(const struct tool_run *run, json_t *issues)
{
	const json_t *name = json_object_get(run->input, "tool");

	if (run->is_run || json_is_string(name))
		return run->is_run ? DEFAULT_TOOL : json_string_value(name);
	schema_add_issue(issues, "invalid_type", "tool",
			 "Invalid input: expected string, received %s", schema_type_name(name));
	return NULL;
}

static int load_tool(struct tool_run *run, const char *name)
{
	struct call *call = run->call;
	struct error err;

	if (tool_load(call->config, name, &run->tool, &err) == 0)
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

/* The time-out: a request's own may not pass the tool's, and without one the tool says what is
   usual. */
static void take_timeout(struct tool_run *run, json_t *issues)
{
	const struct tool *tool = &run->tool;
	const json_t *given = json_object_get(run->input, "timeout");
	uint64_t most = tool->timeout_max_s ? tool->timeout_max_s : TIMEOUT_MAX_S;

	run->timeout_s = (uint64_t)json_number_value(json_object_get(run->agent, "timeout"));
	if (!given && tool->timeout_s)
		run->timeout_s = tool->timeout_s;
	if (!given && run->timeout_s > most)
		run->timeout_s = most;
	if (run->timeout_s > most)
		schema_add_issue(issues, "too_big", "timeout",
				 "Timeout cannot exceed %" PRIu64 " seconds", most);
}

/* Does the client say in which language its code is? Then it may say how that is invoked, but for
   fields that are the tool's own. */
static int take_invocation(struct tool_run *run, json_t *issues, struct error *err)
{
	static const char *const none[] = {NULL};
	_cleanup_json_ json_t *rest = json_copy(run->input);
	char parameter[REGISTRY_NAME_MAX_BYTES + 1];
	const char *field;
	json_t *schema;

	if (!run->tool.runtime || !tool_parameter(run->tool.runtime, parameter))
		return 0;
	json_object_foreach ((json_t *)run->tool.parameters, field, schema)
		(void)json_object_del(rest, field);
	return invocation_take(rest, none, issues, &run->invocation, err);
}

/* Reads the request as far as its fields go. 0, or -1 when it was answered with a refusal. */
static int take_fields(struct tool_run *run)
{
	_cleanup_json_ json_t *issues = json_array();
	struct call *call = run->call;
	struct error err;
	const char *name;

	if (take_agent_part(run, issues) < 0)
		return -1;
	name = take_tool_name(run, issues);
	if (!run->is_run && json_array_size(issues))
		return refuse_input(run, AGENT, issues);
	if (load_tool(run, name) < 0)
		return -1;
	take_timeout(run, issues);
	if (!run->is_run && json_array_size(issues))
		return refuse_input(run, AGENT, issues);
	if (json_is_object(run->input) &&
	    (tool_validate(call->config, &run->tool, run->input, issues, run->values, &err) < 0 ||
	     take_invocation(run, issues, &err) < 0))
		return refuse(call, &err);
	return json_array_size(issues) ? refuse_input(run, TOOL, issues) : 0;
}

/* Makes the job. 0, or -1 with *err; 400 and 404 are about *field. */
static int make_job(struct tool_run *run, const char **field, struct error *err)
{
	const struct call *call = run->call;
	struct job *job = &run->job;

	job_defaults(call->config, job);
	job->wall_ms = run->timeout_s * 1000;
	run->made.staging = &run->staging;
	run->made.owner = call->caller.id;
	*field = run->made.bad_field;
	if (tool_job(call->config, &run->tool, run->values, &run->made, job, run->inputs, err) < 0)
		return -1;
	*field = "args";
	if (run->invocation.variables && invocation_apply(&run->invocation, job, err) < 0)
		return -1;
	run->execution.timeout_text = run->tool.timeout_text;
	*field = "files";
	return staging_inputs(&run->staging, call->config, call->caller.id, run->inputs,
			      &job->input_count, err);
}

int tools_take_request(struct tool_run *run)
{
	_cleanup_json_ json_t *issues = json_array();
	const char *field;
	struct error err;

	if (take_fields(run) < 0)
		return -1;
	if (make_job(run, &field, &err) == 0)
		return 0;
	if (err.status != 400 && err.status != 404) {
		tools_fail(run, &err);
		return -1;
	}
	schema_add_issue(issues, "invalid_value", *field ? field : NULL, "%s", err.message);
	return refuse_input(run, strcmp(field, "files") == 0 ? AGENT : TOOL, issues);
}
