/*
 * POST …/auto-run: the validators, then, where they let it, node test.js in a container of the
 * template "agent", with "browser" of "agent-browser", or a test in another language.
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

#define TEMPLATE          "agent"
#define TEMPLATE_BROWSER  "agent-browser"
#define TEMPLATE_COMPILED "agent-compiled" /* of languages that tools do not have */
/* whose claims on ids are: of all agents, so that no two runs have one id */
#define CLAIMS   "agents"
#define FOLDER   "run"
#define OUTPUT   "output"
#define BUILD    "build" /* where a test is compiled and runs, beside a copy of the page */
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

static void log_security(struct agent_run *run)
{
	_cleanup_buf_ struct buf found = buf_new(AGENT_LOG_MAX_BYTES);
	const json_t *kind;
	size_t i;

	json_array_foreach (json_object_get(run->security.details, "found"), i, kind)
		(void)!buf_printf(&found, "%s%s detected", i ? ", " : " - ",
				  json_string_value(kind));
	agents_log(run, "%s%s", run->security.message, found.len ? found.data : "");
}

static int validate(struct agent_run *run, struct error *err)
{
	const struct job_input script = {SLICE_LITERAL("script.js"), run->request.javascript};

	agents_log(run, "Running validation checks");
	if (check_syntax(&run->call->executor, LANGUAGE, &script, 1, &run->syntax, err) < 0 ||
	    look_at(run, err) < 0)
		return -1;
	agents_log(run, "%s", run->syntax.message);
	agents_log(run, "%s", run->structure.message);
	log_security(run);
	agents_log(run, "%s", run->performance.message);
	return 0;
}

/* --- the program ------------------------------------------------------------------------------ */

/* Names the test's file, and appends the command that runs it: of a language that tools have
   test.js, test.py …; any other is compiled, as sandboxes do it. */
static int add_test(struct agent_run *run, struct error *err)
{
	static const char *const in_copy[] = {
		"sh", "-c", "cp * ../" BUILD " && cd ../" BUILD " && exec \"$@\"", "test"};
	const struct language *language = &run->language;
	const struct language_profile *profile =
		language->tools.argv ? &language->tools : &language->sandbox;
	const char *file = language->sandbox.file ? language->sandbox.file : language->runs.file,
		   *ending = NULL;
	size_t size = sizeof(run->test_path);
	int len;

	if (!profile->argv)
		return error_set(err, 400, "language_unsupported", "Unsupported language: %s",
				 language->name);
	if (!file)
		file = language->tools.file;
	if (profile == &language->tools)
		ending = file ? strrchr(file, '.') : "";
	len = snprintf(run->test_path, size, FOLDER "/%s%s", ending ? "test" : file,
		       ending ? ending : "");
	if (len < 0 || (size_t)len >= size)
		return error_set(err, 500, "bad_language", "languages.d/%s.json: file is too long",
				 language->name);
	if (!ending)
		for (size_t i = 0; i < COUNT_OF(in_copy); i++)
			run->job.argv[run->job.argc++] = slice_of(in_copy[i]);
	job_add_arguments(&run->job, profile->argv);
	if (ending)
		run->job.argv[run->job.argc++] = slice_of(run->test_path + strlen(FOLDER "/"));
	return 0;
}

/* A test of the client's is in the language that it says; ours is not. */
static int take_language(struct agent_run *run, struct error *err)
{
	struct slice name = run->request.test.len ? run->request.language : slice_of(LANGUAGE);

	if (language_load(run->call->config, name, &run->language, err) == 0)
		return 0;
	return err->status == 404
		       ? error_set(err, 400, "language_unsupported", "Unsupported language: %.*s",
				   name.len < 64 ? (int)name.len : 64, name.data)
		       : -1;
}

static int prepare_job(struct agent_run *run, struct error *err)
{
	static const char *const folders[] = {OUTPUT, BUILD, NULL};
	static const bool is_hidden[COUNT_OF(((struct agent_run *)NULL)->inputs)] = {[3] = true};
	const struct agent_request *request = &run->request;
	struct job *job = &run->job;
	const char *name = request->browser           ? TEMPLATE_BROWSER
			   : run->language.tools.argv ? TEMPLATE
						      : TEMPLATE_COMPILED;
	struct template template;

	if (template_load(run->call->config, slice_of(name), &template, err) < 0)
		return -1;
	job_defaults(run->call->config, job);
	job->env[job->env_count++] = slice_of(agent_environment[0]);
	if (add_test(run, err) < 0)
		return -1;
	job->template = name;
	job->language = slice_of(run->language.name);
	job->wall_ms = template.timeout_s * 1000;
	job->stream_bytes = AGENT_STREAM_MAX_BYTES;
	job->collect = OUTPUT;
	job->hidden = is_hidden;
	job->readonly = FOLDER;
	job->folders = folders;
	job->language_env = run->language.env;
	job->boot_env = run->language.boot_env[0] ? run->language.boot_env : NULL;
	run->inputs[0] = (struct job_input){SLICE_LITERAL(FOLDER "/index.html"), request->html};
	run->inputs[1] = (struct job_input){SLICE_LITERAL(FOLDER "/style.css"), request->css};
	run->inputs[2] =
		(struct job_input){SLICE_LITERAL(FOLDER "/script.js"), request->javascript};
	run->inputs[3] = (struct job_input){
		slice_of(run->test_path), request->test.len ? request->test : slice_of(basic_test)};
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

static int run_test(struct agent_run *run, struct error *err)
{
	executor_next(&run->call->executor, true);
	agents_log(run, "Running %s %s", run->language.name, run->test_path + strlen(FOLDER "/"));
	if (execution_run(&run->execution, err) < 0)
		return -1;
	run->was_run = true;
	return 0;
}

/* Runs the test, unless a validator says that there is none to run; the page is kept in either
   case. */
static int execute(struct agent_run *run, struct error *err)
{
	struct execution *execution = &run->execution;

	*execution = execution_new(&run->call->executor, &run->job, WORDS_AGENTS,
				   AGENT_STREAM_MAX_BYTES);
	execution->is_result = true;
	if ((agents_refusal(run) ? execution_open(execution, err) < 0 ||
					   execution_store_inputs(execution, err) < 0
				 : run_test(run, err) < 0) ||
	    keep_files(run, err) < 0)
		return -1;
	return 0;
}

static void conclude(struct agent_run *run)
{
	char summary[AGENT_LOG_MAX_BYTES / 2];

	if (run->was_run && run->execution.result.reason == JOB_NOT_STARTED)
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
	if (take_language(run, err) < 0 || prepare_job(run, err) < 0)
		return -1;
	agents_log(run, "Starting agent run %s", run->id);
	if (validate(run, err) < 0 || execute(run, err) < 0)
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
