/* Running one program or one cell of the sandbox API. */
#include "api/sandbox/internal.h"
#include "base/utf8.h"

#include <stdio.h>

#define NAME_SHOWN_BYTES 64        /* of a language that is not there */
#define TENANT_PREFIX    "tenant " /* no address, and no key's id */

void sandbox_run_begin(struct sandbox_run *run, struct call *call)
{
	*run = (struct sandbox_run){
		.call = call,
		.stream = stream_new(call),
		.results = {.config = call->config,
			    .owner = call->caller.id,
			    .on_result = sandbox_add_result,
			    .context = run},
	};
	call->stream = &run->stream;
}

void sandbox_share(struct call *call, struct slice tenant_id)
{
	char name[SANDBOX_NAME_MAX_BYTES + sizeof(TENANT_PREFIX)];

	if (call_is_named(call))
		return;
	(void)snprintf(name, sizeof(name), TENANT_PREFIX "%.*s", (int)tenant_id.len,
		       tenant_id.data);
	call->executor.caller.id = slot_caller_id(slice_of(name));
}

void sandbox_run_free(struct sandbox_run *run)
{
	run->call->stream = NULL;
	stream_free(&run->stream);
	results_free(&run->results);
	program_free(&run->program);
	sandbox_files_free(&run->files);
	invocation_free(&run->invocation);
	json_decref(run->body);
}

struct sandbox_result sandbox_result_new(struct sandbox_run *run)
{
	struct sandbox_result result = {
		.execution = execution_new(&run->call->executor, &run->program.job, WORDS_SANDBOX,
					   SANDBOX_STREAM_MAX_BYTES),
		.artifacts = json_array(),
	};

	result.execution.observer = stream_observer(&run->stream);
	result.execution.on_display = results_display;
	result.execution.display_context = &run->results;
	return result;
}

void sandbox_result_free(struct sandbox_result *result)
{
	execution_free(&result->execution);
	json_decref(result->artifacts);
}

int sandbox_prepare(struct sandbox_run *run, struct error *err)
{
	const struct config *config = run->call->config;
	static const char *const none[] = {NULL};
	const char *caller = run->call->caller.id;
	struct program *program = &run->program;

	if (sandbox_take_files(config, *caller ? caller : CALLER_LOOPBACK,
			       json_object_get(run->body, "files"), &run->files, err) < 0 ||
	    invocation_take(run->body, none, NULL, &run->invocation, err) < 0)
		return -1;
	program->invocation = &run->invocation;
	program->code = run->request.code;
	program->template = &run->template;
	program->timeout_s = sandbox_timeout_s(run->body, &run->template);
	program->stream_bytes = SANDBOX_STREAM_MAX_BYTES;
	program->files = run->files.inputs;
	program->file_count = run->files.count;
	if (language_find(config, run->template.languages, run->request.language,
			  &program->language, err) < 0)
		return err->status == 404 ? 0 : -1;
	return program_prepare(config, program, err);
}

void sandbox_refuse(struct sandbox_result *result, const char *why)
{
	result->is_refused = true;
	(void)snprintf(result->execution.ending, sizeof(result->execution.ending), "%s", why);
}

static void refuse_language(const struct sandbox_run *run, struct sandbox_result *out)
{
	struct slice name = run->request.language;
	char why[sizeof("Unsupported language: ") + NAME_SHOWN_BYTES];

	name.len = utf8_trim(name.data, name.len < NAME_SHOWN_BYTES ? name.len : NAME_SHOWN_BYTES);
	(void)snprintf(why, sizeof(why), "Unsupported language: %.*s", (int)name.len, name.data);
	sandbox_refuse(out, why);
}

int sandbox_run_one(struct sandbox_run *run, struct session *session, struct sandbox_result *out,
		    struct error *err)
{
	struct execution *execution = &out->execution;

	run->result = out;
	results_next(&run->results);
	if (!program_has_language(&run->program)) {
		refuse_language(run, out);
		return session ? session_run(session, NULL, execution, err) : 0;
	}
	if ((session ? session_run(session, &run->program.job, execution, err)
		     : execution_run(execution, err)) < 0 ||
	    results_collect(&run->results, &execution->storage, err) < 0)
		return -1;
	sandbox_add_failure(run);
	return 0;
}
