/* Running one program or one cell of the sandbox API. */
#include "api/sandbox/internal.h"
#include "base/fs.h"
#include "base/utf8.h"
#include "config/registry.h"
#include "job/defaults.h"
#include "job/executor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define OUTPUT_FOLDER "/tmp/output" /* where programs leave images (contract) */

struct sandbox_run sandbox_run_new(struct call *call)
{
	return (struct sandbox_run){.call = call, .stream = stream_new(call)};
}

static void close_storage(struct sandbox_run *run)
{
	if (run->has_storage)
		storage_close(&run->storage);
	run->has_storage = false;
}

void sandbox_run_free(struct sandbox_run *run)
{
	stream_free(&run->stream);
	close_storage(run);
	tool_job_free(&run->made);
	tool_free(&run->tool);
	json_decref(run->values);
	sandbox_files_free(&run->files);
	json_decref(run->body);
}

struct sandbox_result sandbox_result_new(void)
{
	return (struct sandbox_result){
		.texts = {buf_new(SANDBOX_STREAM_MAX_BYTES), buf_new(SANDBOX_STREAM_MAX_BYTES)},
		.artifacts = json_array(),
	};
}

void sandbox_result_free(struct sandbox_result *result)
{
	buf_free(&result->texts[0]);
	buf_free(&result->texts[1]);
	json_decref(result->artifacts);
	free(result->failure);
	free(result->traceback);
}

/* --- the job ------------------------------------------------------------------------------------ */

/* The command that starts the language's kernel: "cell" of its runtime's file. False when there is none. */
static bool take_kernel(struct sandbox_run *run)
{
	const json_t *argv = json_object_get(run->made.runtime, "kernel"), *argument;
	struct job *job = &run->job;
	size_t i;

	if (json_array_size(argv) == 0)
		return false;
	job->argc = 0;
	json_array_foreach ((json_t *)argv, i, argument)
		if (job->argc < JOB_ARGV_MAX_COUNT && json_is_string(argument))
			job->argv[job->argc++] = slice_of(json_string_value(argument));
	job->kernel = run->language->name;
	return true;
}

static bool wants_cell(const struct sandbox_run *run)
{
	return run->session_id || run->cells ? run->language->has_cells
					     : run->language->is_one_shot_cell;
}

/* Does a file of the client's lie where the program's own has to? */
static bool is_taken(const struct sandbox_run *run)
{
	for (unsigned i = 0; i < run->files.count; i++)
		for (unsigned own = run->files.count; own < run->job.input_count; own++)
			if (fs_paths_collide(run->files.inputs[i].path,
					     run->files.inputs[own].path))
				return true;
	return false;
}

/* A program of its own that runs as a cell is a script, as its interpreter would run it; its code comes as any cell's where the script's place is taken. */
static void fill_cell(struct sandbox_run *run)
{
	struct job *job = &run->job;
	bool is_script = !run->session_id && !run->cells && !is_taken(run);

	if (is_script) {
		job->script = run->files.inputs[run->files.count].path.data;
	} else {
		job->input_count = run->files.count;
		job->standard_input = run->code;
	}
	job->boot_env = NULL;
}

/* The language's command and files, as its file has them; they come behind the client's. */
static int add_program(struct sandbox_run *run, struct error *err)
{
	struct sandbox_files *files = &run->files;
	struct job_input own[JOB_INPUT_MAX_COUNT];
	struct job *job = &run->job;

	if (tool_load_from(run->call->config, REGISTRY_LANGUAGES, run->language->name, &run->tool,
			   err) < 0 ||
	    tool_job(run->call->config, &run->tool, run->values, &run->made, job, own, err) < 0)
		return -1;
	if (job->input_count == 0 || files->count + job->input_count > JOB_INPUT_MAX_COUNT)
		return error_set(err, 500, "bad_tool", "languages.d/%s.json must have a few files",
				 run->language->name);
	memcpy(files->inputs + files->count, own, job->input_count * sizeof(own[0]));
	job->input_count += files->count;
	job->inputs = files->inputs;
	job->hidden = NULL;
	job->template = run->template_name;
	return 0;
}

static int fill_job(struct sandbox_run *run, struct error *err)
{
	struct job *job = &run->job;

	job_defaults(run->call->config, job);
	for (const char *at = run->template.environment; *at; at += strlen(at) + 1)
		job_set_variable(job, at);
	job->stream_bytes = SANDBOX_STREAM_MAX_BYTES;
	job->collect = OUTPUT_FOLDER;
	job->wall_ms = run->timeout_s * 1000;
	run->values = json_pack("{s:s%}", "code", run->code.data, run->code.len);
	if (!run->values)
		return error_set(err, 500, "out_of_memory", "no memory for the program");
	if (add_program(run, err) < 0)
		return -1;
	if (wants_cell(run) && take_kernel(run))
		fill_cell(run);
	else if (is_taken(run))
		return error_set(err, 400, "path_taken", "Path collides with another file: %s",
				 run->files.inputs[run->files.count].path.data);
	return 0;
}

int sandbox_prepare(struct sandbox_run *run, struct error *err)
{
	if (sandbox_text(run->body, "language", "python", &run->language_text, err) < 0 ||
	    sandbox_take_files(run->call->config,
			       *run->call->caller.id ? run->call->caller.id : CALLER_LOOPBACK,
			       json_object_get(run->body, "files"), &run->files, err) < 0)
		return -1;
	run->timeout_s = sandbox_timeout_s(run->body, &run->template);
	run->language = sandbox_language(run->language_text, &run->template);
	return run->language ? fill_job(run, err) : 0;
}

int sandbox_prepare_kernel(struct sandbox_run *run, struct error *err)
{
	const struct sandbox_language *language;

	run->timeout_s = run->template.timeout_s;
	run->code = SLICE_LITERAL("");
	for (size_t i = 0; !run->language && (language = sandbox_language_at(i)); i++)
		if (language->has_cells && sandbox_has_language(&run->template, language))
			run->language = language;
	if (!run->language)
		return error_set(err, 500, "no_cells",
				 "Template %s has no language that sessions have",
				 run->template.name);
	return fill_job(run, err);
}

/* --- running ------------------------------------------------------------------------------------ */

static void on_output(void *context, bool is_stderr, struct slice data)
{
	struct sandbox_run *run = context;

	stream_output(&run->stream, is_stderr, data);
	if (buf_append(&run->result->texts[is_stderr], data.data, data.len) < 0)
		run->result->is_cut[is_stderr] = true;
}

static void on_tick(void *context)
{
	struct sandbox_run *run = context;

	if (!run->stream.is_open) {
		stream_open(&run->stream);
		stream_event(&run->stream, "status", json_pack("{s:s}", "status", "running"));
	}
	stream_tick(&run->stream);
}

/* Says what the program itself could not say any more. */
static void add_ending(struct sandbox_run *run)
{
	struct sandbox_result *result = run->result;
	const struct buf *text = &result->texts[1];

	for (unsigned i = 0; i < 2; i++) {
		bool dropped = i ? result->job.stderr_truncated : result->job.stdout_truncated;

		stream_output_end(&run->stream, i, dropped);
		result->is_cut[i] |= dropped;
	}
	if (result->job.reason == JOB_TIMEOUT)
		(void)snprintf(result->error, sizeof(result->error),
			       "Execution exceeded timeout (%" PRIu64 "s)", run->timeout_s);
	else if (result->job.reason == JOB_OOM || result->job.reason == JOB_LOST)
		(void)snprintf(result->error, sizeof(result->error), "%s",
			       "Execution ran out of memory, or its sandbox was removed");
	else if (result->job.reason == JOB_NOT_STARTED)
		(void)snprintf(result->error, sizeof(result->error), "%s", result->job.message);
	if (*result->error) {
		if (text->len && text->data[text->len - 1] != '\n')
			on_output(run, true, SLICE_LITERAL("\n"));
		on_output(run, true, slice_of(result->error));
		on_output(run, true, SLICE_LITERAL("\n"));
	}
}

int sandbox_run_one(struct sandbox_run *run, sandbox_where *where, struct sandbox_result *out,
		    struct error *err)
{
	const struct job_listener listener = {
		.context = run,
		.on_output = on_output,
		.on_tick = on_tick,
		.tick_ms = SSE_HEARTBEAT_MS,
		.on_display = sandbox_display,
	};

	run->result = out;
	if (!run->language) {
		out->is_refused = true;
		(void)snprintf(
			out->error, sizeof(out->error), "Unsupported language: %.*s",
			(int)utf8_trim(run->language_text.data,
				       run->language_text.len < 64 ? run->language_text.len : 64),
			run->language_text.data);
		return 0;
	}
	close_storage(run);
	if (storage_open_files(run->call->config, &run->storage, err) < 0)
		return -1;
	run->has_storage = true;
	if (where(&run->call->executor, &run->job, &run->storage, &listener, &out->job, err) < 0)
		return -1;
	add_ending(run);
	return sandbox_add_artifacts(run, err);
}
