/*
 * POST …/auto-run: the validators, then node test.js in a container of the template "agent",
 * or with "browser" of "agent-browser".
 *
 * In the container are /workspace/run, which holds index.html, style.css, script.js and test.js, is
 * where the program starts and cannot be changed by it, and /workspace/output beside it, named by
 * OUTPUT_DIR, which it may fill. The parser has a container of its own: what a program could have
 * touched judges nothing, and a container serves one job.
 */
#include "api/agents/internal.h"

#include "base/clock.h"
#include "config/template.h"
#include "job/defaults.h"
#include "server/links.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define TEMPLATE         "agent"
#define TEMPLATE_BROWSER "agent-browser"
/* whose claims on ids are: of all agents, so that no two runs have one id */
#define CLAIMS   "agents"
#define FOLDER   "run"
#define OUTPUT   "output"
#define LANGUAGE "node"
#define LIST     "frontend" /* of patterns.d */

/* What an app without a test of its own is tested with. */
static const char basic_test[] = "const fs = require('fs');\n"
				 "for (const name of ['index.html', 'style.css', 'script.js'])\n"
				 "\tif (!fs.statSync(name).isFile())\n"
				 "\t\tthrow new Error(name + ' is missing');\n"
				 "if (fs.readFileSync('index.html', 'utf8').trim() === '')\n"
				 "\tthrow new Error('index.html is empty');\n"
				 "console.log('All basic checks passed');\n";

/* --- the record's name ------------------------------------------------------------------------ */

/* Rule 2 of agents.h. */
static int claim_id(struct agent_run *run, struct error *err)
{
	const struct config *config = run->call->config;
	int64_t ms = run->started_ms = unix_now_ms();

	for (int tries = 0; tries < AGENT_CLAIM_TRIES; tries++, ms++) {
		int claimed;

		record_id_of_ms(ms, run->record_id);
		claimed = record_claim(config, CLAIMS, run->record_id, err);
		if (claimed < 0)
			return -1;
		if (claimed == 1)
			continue;
		if (!record_exists(config, run->owner, run->record_id)) {
			(void)snprintf(run->id, sizeof(run->id), "%" PRId64, ms);
			return 0;
		}
		record_unclaim(config, CLAIMS, run->record_id);
	}
	run->record_id[0] = '\0';
	return error_set(err, 503, "busy", "Too many runs began at one moment");
}

/* --- the validators --------------------------------------------------------------------------- */

static int look_at(struct agent_run *run, struct error *err)
{
	const struct agent_request *request = &run->request;
	const struct job_input script = {SLICE_LITERAL("javascript"), request->javascript};
	const struct job_input parts[] = {
		{SLICE_LITERAL("html"), request->html},
		{SLICE_LITERAL("css"), request->css},
		script,
	};
	_cleanup_patterns_ struct patterns patterns = {0};

	if (patterns_load(run->call->config, LIST, &patterns, err) < 0)
		return -1;
	check_structure(request->html, request->css, request->javascript, &run->structure);
	check_security(&patterns, &script, 1, &run->security);
	check_size(parts, COUNT_OF(parts), &run->performance);
	return 0;
}

static int validate(struct agent_run *run, struct error *err)
{
	const struct job_input script = {SLICE_LITERAL("script.js"), run->request.javascript};

	agents_log(run, "Running validation checks");
	if (check_syntax(&run->call->executor, LANGUAGE, &script, 1, &run->syntax, err) < 0 ||
	    look_at(run, err) < 0)
		return -1;
	agents_log(run, "Syntax: %s", run->syntax.message);
	agents_log(run, "Structure: %s", run->structure.message);
	agents_log(run, "Security: %s", run->security.message);
	agents_log(run, "Performance: %s", run->performance.message);
	return 0;
}

/* --- the program ------------------------------------------------------------------------------ */

static int prepare_job(struct agent_run *run, struct error *err)
{
	static const char *const folders[] = {OUTPUT, NULL};
	static const bool is_hidden[COUNT_OF(((struct agent_run *)NULL)->inputs)] = {[3] = true};
	const struct agent_request *request = &run->request;
	struct job *job = &run->job;
	const char *name = request->browser ? TEMPLATE_BROWSER : TEMPLATE;
	struct template template;

	if (template_load(run->call->config, slice_of(name), &template, err) < 0 ||
	    language_load(run->call->config, SLICE_LITERAL(LANGUAGE), &run->language, err) < 0)
		return -1;
	job_defaults(run->call->config, job);
	job->env[job->env_count++] = slice_of(agent_environment[0]);
	job->argv[job->argc++] = SLICE_LITERAL("node");
	job->argv[job->argc++] = SLICE_LITERAL("test.js");
	job->template = name;
	job->language = SLICE_LITERAL(LANGUAGE);
	job->wall_ms = template.timeout_s * 1000;
	job->stream_bytes = AGENT_STREAM_MAX_BYTES;
	job->collect = OUTPUT;
	job->hidden = is_hidden;
	job->readonly = FOLDER;
	job->folders = folders;
	job->boot_env = run->language.boot_env[0] ? run->language.boot_env : NULL;
	run->inputs[0] = (struct job_input){SLICE_LITERAL(FOLDER "/index.html"), request->html};
	run->inputs[1] = (struct job_input){SLICE_LITERAL(FOLDER "/style.css"), request->css};
	run->inputs[2] =
		(struct job_input){SLICE_LITERAL(FOLDER "/script.js"), request->javascript};
	run->inputs[3] =
		(struct job_input){SLICE_LITERAL(FOLDER "/test.js"),
				   request->test.len ? request->test : slice_of(basic_test)};
	job->inputs = run->inputs;
	job->input_count = COUNT_OF(run->inputs);
	return invocation_apply(&request->invocation, job, err);
}

/* Adds a file of the result. path: where it lies there. */
static void add_artifact(struct agent_run *run, const char *id, struct slice name, const char *path)
{
	struct stat status;

	if (fstatat(run->execution.storage.folder, path, &status, AT_SYMLINK_NOFOLLOW) == 0)
		(void)json_array_append_new(
			run->artifacts,
			json_pack("{s:o, s:I, s:o*}", "name", json_clean_string(name), "size",
				  (json_int_t)status.st_size, "url",
				  link_artifact(run->call, run->owner, id, slice_of(path))));
}

/* Keeps the page and what the test left, as a result of the tools API is kept: its session is the
   agent's name in the records, of which no other caller has one. */
static int keep_files(struct agent_run *run, struct error *err)
{
	struct storage *storage = &run->execution.storage;
	char id[JOB_ID_LENGTH + 1], path[JOB_PATH_MAX_BYTES + 1];

	if (storage_commit(storage, run->owner, id, err) < 0)
		return -1;
	for (unsigned i = 0; i < run->job.input_count; i++) {
		struct slice name = run->inputs[i].path;

		slice_skip(&name, strlen(FOLDER "/"));
		if (!job_is_hidden(&run->job, i))
			add_artifact(run, id, name, run->inputs[i].path.data);
	}
	for (size_t at = 0; at < storage->names.len; at += strlen(storage->names.data + at) + 1) {
		struct slice name = slice_of(storage->names.data + at);

		if (storage_path(storage, name, path))
			add_artifact(run, id, name, path);
	}
	return 0;
}

static int execute(struct agent_run *run, struct error *err)
{
	struct execution *execution = &run->execution;

	if (prepare_job(run, err) < 0)
		return -1;
	agents_log(run, "Running node test.js");
	*execution = execution_new(&run->call->executor, &run->job, WORDS_AGENTS,
				   AGENT_STREAM_MAX_BYTES);
	execution->is_result = true;
	if (execution_run(execution, err) < 0 || keep_files(run, err) < 0)
		return -1;
	run->was_run = true;
	return 0;
}

static void conclude(struct agent_run *run)
{
	char summary[AGENT_LOG_MAX_BYTES / 2];

	if (run->execution.result.reason == JOB_NOT_STARTED)
		run->status = AGENT_ERROR;
	else
		run->status = agents_exit_code(run) == 0 ? AGENT_COMPLETED : AGENT_FAILED;
	agents_summary(run, summary, sizeof(summary));
	agents_log(run, "Tests %s - %s", run->status == AGENT_COMPLETED ? "PASSED" : "FAILED",
		   summary);
}

/* --- the whole -------------------------------------------------------------------------------- */

static int validate_and_execute(struct agent_run *run, struct error *err)
{
	agents_log(run, "Starting agent run %s", run->id);
	if (validate(run, err) < 0)
		return -1;
	executor_next(&run->call->executor, true);
	if (execute(run, err) < 0)
		return -1;
	conclude(run);
	return 0;
}

/* Keeps the run's record; body holds the whole answer, and of it the record. */
static int keep(struct agent_run *run, struct buf *record, struct error *err)
{
	char summary[64];

	run->finished_ms = unix_now_ms();
	(void)snprintf(summary, sizeof(summary), "{\"status\":\"%s\"}", agents_status(run));
	agents_write(run, record);
	return record_write(run->call->config, run->owner, run->record_id, slice_of(summary),
			    buf_slice(record), err);
}

/* Rule 3 of agents.h. */
static void keep_error(struct agent_run *run, const struct error *err)
{
	_cleanup_buf_ struct buf record = buf_new(RUN_RECORD_MAX_BYTES);
	struct error ignored;

	if (err->status < 500 || err->status == 503)
		return;
	run->status = AGENT_ERROR;
	agents_log(run, "Error: %s", err->message);
	if (keep(run, &record, &ignored) < 0)
		run->call->executor.after = ignored.code;
}

static int run_and_answer(struct agent_run *run, struct error *err)
{
	_cleanup_buf_ struct buf record = buf_new(RUN_RECORD_MAX_BYTES);

	if (validate_and_execute(run, err) < 0) {
		keep_error(run, err);
		return -1;
	}
	if (keep(run, &record, err) < 0)
		return -1;
	agents_reply(run->call, "{\"success\":true,\"message\":\"Agent run started\",\"data\":",
		     buf_slice(&record));
	return 0;
}

static void free_run(struct agent_run *run)
{
	if (run->id[0])
		record_unclaim(run->call->config, CLAIMS, run->record_id);
	agent_request_free(&run->request);
	json_decref(run->logs);
	json_decref(run->artifacts);
	language_free(&run->language);
	check_free(&run->syntax);
	check_free(&run->structure);
	check_free(&run->security);
	check_free(&run->performance);
	execution_free(&run->execution);
}

int agents_auto_run(struct call *call, const char *agent_id, struct error *err)
{
	struct agent_run run = {
		.call = call,
		.agent_id = agent_id,
		.logs = json_array(),
		.artifacts = json_array(),
	};
	int answered = -1;

	agents_owner(call, agent_id, run.owner);
	if (agent_request_parse(buf_slice(&call->body), &run.request, err) == 0 &&
	    claim_id(&run, err) == 0) {
		executor_name(&call->executor, run.id);
		answered = run_and_answer(&run, err);
	}
	free_run(&run);
	return answered;
}
