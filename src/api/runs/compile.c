/*
 * The compile step of a language that has one, in a container of its own: its time, its output and its limits are not the program's.
 *
 * interpreters.d/NAME.json, "compile": {"template", "argv", "env" (texts NAME=value, in place of ours), "output"}: argv runs in /work beside the source
 * and leaves what it makes as /work/outputs/<output>, which is staged beside the program as <output>.
 */
#include "api/runs/internal.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "bounds.h"

#include <fcntl.h>
#include <sys/stat.h>

static int bad(const struct run *run, struct error *err, const char *what)
{
	return error_set(err, 500, "bad_tool", "interpreters.d/%s.json: compile.%s",
			 run->interpreter.name, what);
}

/* Appends an array of texts. 0, or -1 when it is none or too long. */
static int add_texts(const json_t *list, struct slice *out, unsigned *count, unsigned max)
{
	const json_t *text;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > max - *count)
		return -1;
	json_array_foreach ((json_t *)list, i, text) {
		if (!json_is_string(text))
			return -1;
		out[(*count)++] = (struct slice){json_string_value(text), json_string_length(text)};
	}
	return 0;
}

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
static int prepare(const struct run *run, const json_t *compile, struct job *job, struct error *err)
{
	const json_t *env = json_object_get(compile, "env");

	*job = (struct job){
		.cwd = run->job.cwd,
		.folders = run->job.folders,
		.collect = run->job.collect,
		.collect_flat = true,
		.template = json_string_value(json_object_get(compile, "template")),
		.language = run->request.language,
		.wall_ms = RUN_COMPILE_TIMEOUT_MS,
		.stream_bytes = RUN_COMPILE_OUTPUT_BYTES,
		.artifact_count = 1,
		.artifact_bytes = RUN_COMPILED_MAX_BYTES,
		.artifacts_bytes = RUN_COMPILED_MAX_BYTES,
		.inputs = run->inputs,
		.input_count = run->job.input_count,
	};
	if (!job->template)
		return bad(run, err, "template must be text");
	if (add_texts(json_object_get(compile, "argv"), job->argv, &job->argc, JOB_ARGV_MAX_COUNT) <
		    0 ||
	    job->argc == 0)
		return bad(run, err, "argv must be an array of texts");
	if (env && add_texts(env, job->env, &job->env_count, RUN_ENV_MAX_COUNT) < 0)
		return bad(run, err, "env must be an array of texts");
	add_environment(job);
	return 0;
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

	*result = run->compiler.result;
	result->wall_us = result->cpu_us = 0;
	result->stdout_truncated = result->stderr_truncated = false;
	if (result->reason == JOB_EXITED && result->code == 0)
		result->code = 1; /* it made nothing */
	run->stream.status = "running";
	stream_tick(&run->stream);
	execution_output(&run->execution, true, buf_slice(&run->compiler.captures[0].text));
	return execution_end(&run->execution, err);
}

int run_compile(struct run *run, struct error *err)
{
	const json_t *compile = json_object_get(run->interpreter.definition, "compile");
	const char *output = json_string_value(json_object_get(compile, "output"));
	struct execution *compiler = &run->compiler;
	int taken = 1;

	if (!compile)
		return 0;
	if (!output || !fs_is_component(slice_of(output)))
		return bad(run, err, "output must be a file's name");
	compiler->is_shared = true;
	compiler->observer = stream_observer(&run->stream);
	compiler->observer.on_output = NULL;
	compiler->observer.on_output_end = NULL;
	run->stream.status = "compiling";
	if (prepare(run, compile, &run->compile, err) < 0 || execution_run(compiler, err) < 0)
		return -1;
	executor_next(compiler->executor, false);
	if (compiler->result.reason == JOB_EXITED && compiler->result.code == 0)
		taken = take_output(run, &compiler->storage, output, err);
	if (taken == 1 && refuse(run, err) < 0)
		return -1;
	run->stream.status = "running";
	return taken;
}
