/*
 * The compile step of a language that has one, in a container of its own: its time, its output and
 * its limits are not the program's.
 */
#include "api/runs/internal.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "bounds.h"
#include "job/defaults.h"

#include <fcntl.h>
#include <sys/stat.h>

/* What we set, but for what the compiler's file sets. */
static void add_environment(struct job *job)
{
	unsigned given = job->env_count;

	for (const char *const *ours = run_environment; *ours; ours++) {
		size_t name_len = strcspn(*ours, "=") + 1;
		unsigned i = 0;

		while (i < given && (job->env[i].len < name_len ||
				     memcmp(job->env[i].data, *ours, name_len) != 0))
			i++;
		if (i == given)
			job->env[job->env_count++] = slice_of(*ours);
	}
}

/* The compiler sees the program's inputs, and nothing of its caller's environment. */
static void prepare(const struct run *run, struct job *job)
{
	const struct language_profile *profile = &run->language.runs;
	const json_t *text;
	size_t i;

	*job = (struct job){
		.cwd = run->job.cwd,
		.folders = run->job.folders,
		.collect = run->job.collect,
		.collect_flat = true,
		.template = profile->compile_template,
		.language = run->request.language,
		.wall_ms = RUN_COMPILE_TIMEOUT_MS,
		.stream_bytes = RUN_COMPILE_OUTPUT_BYTES,
		.artifact_count = 1,
		.artifact_bytes = RUN_COMPILED_MAX_BYTES,
		.artifacts_bytes = RUN_COMPILED_MAX_BYTES,
		.inputs = run->inputs,
		.input_count = run->job.input_count,
	};
	job_add_arguments(job, profile->compile_argv);
	json_array_foreach ((json_t *)profile->compile_env, i, text) {
		job->env[job->env_count++] = slice_of(json_string_value(text));
	}
	add_environment(job);
}

/* Stages what was made. 1 when nothing was. */
static int take_output(struct run *run, const struct storage *storage, const char *output,
		       struct error *err)
{
	_cleanup_close_ int fd = fs_open_beneath(storage->folder, output, O_RDONLY, 0);
	struct stat status;
	struct slice data;

	if (fd < 0 || fstat(fd, &status) < 0)
		return 1;
	if (staging_map(&run->request.staging, fd, (uint64_t)status.st_size, &data, err) < 0)
		return -1;
	run->inputs[run->job.input_count++] =
		(struct job_input){.path = slice_of(output), .data = data};
	return 0;
}

/* A compiler's refusal is the run's result, and what it said is what the program would have. */
static int refuse(struct run *run, struct error *err)
{
	struct job_result *result = &run->execution.result;

	run->execution.job = run->compiler.job; /* whose limits it met */
	*result = run->compiler.result;
	result->wall_us = result->cpu_us = 0;
	result->stdout_truncated = result->stderr_truncated = false;
	if (result->reason == JOB_EXITED)
		result->code = 1; /* whichever code the compiler has, or it made nothing */
	run->stream.status = "running";
	stream_tick(&run->stream);
	execution_output(&run->execution, true, buf_slice(&run->compiler.captures[0].text));
	return execution_end(&run->execution, err);
}

int run_compile(struct run *run, struct error *err)
{
	const char *output = run->language.runs.compile_output;
	struct execution *compiler = &run->compiler;
	int taken = 1;

	if (!output)
		return 0;
	compiler->is_shared = true;
	compiler->observer = stream_observer(&run->stream);
	compiler->observer.on_output = NULL;
	compiler->observer.on_output_end = NULL;
	run->stream.status = "compiling";
	prepare(run, &run->compile);
	if (execution_run(compiler, err) < 0)
		return -1;
	executor_next(compiler->executor, false);
	if (compiler->result.reason == JOB_EXITED && compiler->result.code == 0)
		taken = take_output(run, &compiler->storage, output, err);
	if (taken == 1 && refuse(run, err) < 0)
		return -1;
	run->stream.status = "running";
	return taken;
}
