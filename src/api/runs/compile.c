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
#include "job/executor.h"

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

static void on_output(void *context, bool is_stderr, struct slice data)
{
	struct run *run = context;

	(void)is_stderr;
	if (buf_append(&run->compiler, data.data, data.len) < 0)
		run->call->code = "out_of_memory";
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

/* A compiler's refusal is the run's result. */
static void fail(struct run *run, const struct job_result *compiled)
{
	run->result = *compiled;
	run->result.wall_us = run->result.cpu_us = 0;
	run->result.stdout_truncated = run->result.stderr_truncated = false;
	if (run->result.reason == JOB_EXITED && run->result.code == 0)
		run->result.code = 1; /* it made nothing */
}

static void on_tick(void *context)
{
	run_tick(context, "compiling");
}

static int compile_in(struct run *run, const struct job *job, struct storage *storage,
		      const char *output, struct error *err)
{
	const struct job_listener listener = {.context = run,
					      .on_output = on_output,
					      .on_tick = on_tick,
					      .tick_ms = SSE_HEARTBEAT_MS};
	struct job_result compiled;
	int taken = 1;

	if (executor_run(&run->call->executor, job, storage, &listener, &compiled, err) < 0)
		return -1;
	run->compile_us = compiled.wall_us;
	executor_next(&run->call->executor, false);
	if (compiled.reason == JOB_EXITED && compiled.code == 0)
		taken = take_output(run, storage, output, err);
	if (taken == 1)
		fail(run, &compiled);
	return taken;
}

int run_compile(struct run *run, struct error *err)
{
	const json_t *compile = json_object_get(run->interpreter.definition, "compile");
	const char *output = json_string_value(json_object_get(compile, "output"));
	struct storage storage;
	struct job job;

	if (!compile)
		return 0;
	if (!output || !fs_is_component(slice_of(output)))
		return bad(run, err, "output must be a file's name");
	if (prepare(run, compile, &job, err) < 0 ||
	    storage_open_files(run->call->config, &storage, err) < 0)
		return -1;

	int compiled = compile_in(run, &job, &storage, output, err);

	storage_close(&storage);
	return compiled;
}
