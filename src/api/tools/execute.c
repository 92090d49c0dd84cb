#include "api/tools/tools.h"

#include "api/tools/internal.h"

static void run_free(struct tool_run *run)
{
	stream_free(&run->stream);
	json_decref(run->input);
	json_decref(run->agent);
	json_decref(run->values);
	tool_job_free(&run->made);
	tool_free(&run->tool);
	staging_free(&run->staging);
	invocation_free(&run->invocation);
	execution_free(&run->execution);
}

/* Runs a validated request, or finds its result, and answers it. */
static int run_and_reply(struct tool_run *run, struct error *err)
{
	char id[JOB_ID_LENGTH + 1];
	json_t *reply;
	int cached = tools_find_cached(run, &reply, err);

	if (cached < 0 || (cached == 0 && execution_run(&run->execution, err) < 0))
		return -1;
	if (cached == 0)
		reply = tools_describe(run);
	if (storage_commit(&run->execution.storage,
			   json_string_value(json_object_get(run->agent, "sessionId")), id,
			   err) < 0) {
		json_decref(reply);
		return -1;
	}
	executor_name(&run->call->executor, id);
	tools_answer(run, id, reply);
	return 0;
}

static void execute(struct call *call, bool is_run)
{
	struct tool_run run = {
		.call = call,
		.is_run = is_run,
		.stream = stream_new(call),
	};
	struct error err;

	run.execution = execution_new(&call->executor, &run.job, WORDS_TOOLS,
				      is_run ? REPLY_OUTPUT_MAX_BYTES : REPLY_STREAM_MAX_BYTES);
	run.execution.is_shared = is_run;
	run.execution.is_result = true;
	run.execution.observer = stream_observer(&run.stream);
	call->stream = &run.stream;
	if (tools_take_request(&run) == 0 && run_and_reply(&run, &err) < 0)
		tools_fail(&run, &err);
	call->stream = NULL;
	run_free(&run);
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
	json_t *reply;
	struct error err;

	if (registry_names(call->config, REGISTRY_TOOLS, &names, &err) < 0) {
		call_refuse(call, &err);
		return;
	}
	reply = json_object();
	for (size_t i = 0; i < names.count; i++) {
		_cleanup_tool_ struct tool tool = {0};

		/* a broken file takes out only itself */
		if (tool_load(call->config, names.names[i], &tool, &err) < 0)
			call->code = err.code;
		else
			(void)json_object_set_new(reply, names.names[i],
						  tool_describe(call->config, &tool));
	}
	call_reply_json(call, 200, reply);
}
