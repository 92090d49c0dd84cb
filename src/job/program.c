#include "job/program.h"

#include "base/fs.h"
#include "config/registry.h"
#include "job/defaults.h"

#include <stdio.h>
#include <string.h>

/* The command that starts the language's kernel. False when there is none. */
static bool take_kernel(struct program *program)
{
	const json_t *argv = json_object_get(program->made.runtime, "kernel"), *argument;
	struct job *job = &program->job;
	size_t i;

	if (json_array_size(argv) == 0)
		return false;
	job->argc = 0;
	json_array_foreach ((json_t *)argv, i, argument)
		if (job->argc < JOB_ARGV_MAX_COUNT && json_is_string(argument))
			job->argv[job->argc++] = slice_of(json_string_value(argument));
	job->kernel = program->language->name;
	return true;
}

/* Does a file of the client's lie where the language's own has to? */
static bool is_taken(const struct program *program)
{
	const struct job_input *inputs = program->inputs;

	for (unsigned i = 0; i < program->file_count; i++)
		for (unsigned own = program->file_count; own < program->job.input_count; own++)
			if (fs_paths_collide(inputs[i].path, inputs[own].path))
				return true;
	return false;
}

/* Rule 2. */
static void fill_cell(struct program *program)
{
	struct job *job = &program->job;

	if (!program->is_cell && !is_taken(program)) {
		job->script = program->inputs[program->file_count].path.data;
	} else {
		job->input_count = program->file_count;
		job->standard_input = program->code;
	}
	job->boot_env = NULL;
	job->is_echo = program->is_cell;
	job->is_last = !program->is_cell;
}

/* The language's command and files, as its file has them. */
static int add_language(const struct config *config, struct program *program, struct error *err)
{
	const char *name = program->language->name;
	struct job_input own[JOB_INPUT_MAX_COUNT];
	struct job *job = &program->job;

	if (tool_load_from(config, REGISTRY_LANGUAGES, name, &program->tool, err) < 0 ||
	    tool_job(config, &program->tool, program->values, &program->made, job, own, err) < 0)
		return -1;
	if (job->input_count == 0 || program->file_count + job->input_count > JOB_INPUT_MAX_COUNT)
		return error_set(err, 500, "bad_tool",
				 "languages.d/%s.json: files must name at least one file", name);
	memcpy(program->inputs + program->file_count, own, job->input_count * sizeof(own[0]));
	job->input_count += program->file_count;
	job->inputs = program->inputs;
	job->hidden = NULL;
	job->template = program->template_name;
	return 0;
}

int program_prepare(const struct config *config, struct program *program, struct error *err)
{
	const struct sandbox_language *language = program->language;
	struct job *job = &program->job;

	job_defaults(config, job);
	for (const char *at = program->template->environment; *at; at += strlen(at) + 1)
		job_set_variable(job, at);
	job->stream_bytes = program->stream_bytes;
	job->collect = PROGRAM_OUTPUT_FOLDER;
	job->wall_ms = program->timeout_s * 1000;
	(void)snprintf(program->template_name, sizeof(program->template_name),
		       TEMPLATE_SANDBOX_PREFIX "%s", program->template->name);
	program->values = json_pack("{s:s%}", "code", program->code.data, program->code.len);
	if (program->file_count)
		memcpy(program->inputs, program->files,
		       program->file_count * sizeof(program->inputs[0]));
	if (add_language(config, program, err) < 0)
		return -1;
	if ((program->is_cell ? language->has_cells : language->is_one_shot_cell) &&
	    take_kernel(program))
		fill_cell(program);
	else if (is_taken(program))
		return error_set(err, 400, "path_taken", "Path collides with another file: %s",
				 program->inputs[program->file_count].path.data);
	return 0;
}

void program_free(struct program *program)
{
	tool_job_free(&program->made);
	tool_free(&program->tool);
	json_decref(program->values);
}
