#include "job/program.h"

#include "base/fs.h"
#include "job/defaults.h"

#include <string.h>

/* What compilers and runtimes leave for themselves. */
static const char *const ignored[] = {"@main",  ".cache", ".config",     ".go", ".go-cache",
				      ".local", ".npm",   "__pycache__", NULL};

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
	job->language_env = job->boot_env = NULL;
	job->kernel = program->language.name;
	job->argc = 0;
	job_add_arguments(job, program->language.kernel);
	job->is_echo = program->is_cell;
	job->is_last = !program->is_cell;
}

int program_prepare(const struct config *config, struct program *program, struct error *err)
{
	const struct language_profile *profile = &program->language.sandbox;
	bool has_input = program->invocation && program->invocation->standard_input.len;
	struct job *job = &program->job;

	job_defaults(config, job);
	job_set_variable(job, "HOME=/workspace"); /* what is left at home comes back, too */
	for (const char *at = program->template->environment; *at; at += strlen(at) + 1)
		job_set_variable(job, at);
	job->stream_bytes = program->stream_bytes;
	job->collect = PROGRAM_OUTPUT_FOLDER;
	job->ignored = ignored;
	job->wall_ms = program->timeout_s * 1000;
	job->template = program->template->name;
	if (program->file_count)
		memcpy(program->inputs, program->files,
		       program->file_count * sizeof(program->inputs[0]));
	job_set_language(job, &program->language, profile, program->code,
			 &program->inputs[program->file_count]);
	job->inputs = program->inputs;
	job->input_count = program->file_count + 1;
	if (program->is_cell ? profile->has_cells : profile->is_single_cell && !has_input) {
		if (has_input)
			return error_set(err, 400, "no_stdin",
					 "stdin is for programs: cells have none");
		fill_cell(program);
	} else if (is_taken(program)) {
		return error_set(err, 400, "path_taken", "Path collides with another file: %s",
				 program->inputs[program->file_count].path.data);
	}
	return program->invocation ? invocation_apply(program->invocation, job, err) : 0;
}

void program_free(struct program *program)
{
	language_free(&program->language);
}
