/*
 * Syntax, by the language's parser in a container. One file is given to the parser itself, which
 * may have been booted ahead (job/pool.h); several are given to it one by one by a loop, whose
 * words are
 *
 *     exit code LF what the parser said NUL        for each file, in their order
 *
 * Names go to the loop by its standard input, so nothing of a request is ever part of a command.
 */
#include "api/agents/checks.h"

#include "base/num.h"
#include "config/language.h"
#include "config/template.h"
#include "job/defaults.h"

#include <stdio.h>

#define TEMPLATE       "check"
#define EXIT_NOT_FOUND 127 /* of a shell that does not find the command */

static const char loop[] = "while IFS= read -r file; do\n"
			   "\"$@\" \"./$file\" </dev/null >/tmp/said 2>&1\n"
			   "printf '%s\\n' \"$?\"\n"
			   "head -c 4096 /tmp/said | tr -d '\\000'\n"
			   "printf '\\000'\n"
			   "done\n";
_Static_assert(CHECK_FILE_OUTPUT_BYTES == 4096, "the loop keeps as much");

struct syntax {
	struct language language; /* owned */
	const struct job_input *files;
	unsigned count;
	struct job job;
	struct buf names;           /* owned: for the loop, one in a line */
	struct execution execution; /* owned; without a loop it keeps both streams in their order */
	json_t *errors;             /* owned */
	char wrong[CHECK_MESSAGE_BYTES / 2]; /* names of files, joined */
};

static void syntax_free(struct syntax *syntax)
{
	language_free(&syntax->language);
	json_decref(syntax->errors);
	buf_free(&syntax->names);
	execution_free(&syntax->execution);
}

static bool is_loop(const struct syntax *syntax)
{
	return syntax->count > 1;
}

/* --- the job ---------------------------------------------------------------------------------- */

static int fill_command(struct syntax *syntax, struct error *err)
{
	const struct language *language = &syntax->language;
	struct job *job = &syntax->job;

	if (!language->check)
		return error_set(err, 400, "language_not_checked", "Language %s has no parser",
				 language->name);
	if (is_loop(syntax)) {
		static const char *const shell[] = {"sh", "-c", loop, "check"};

		for (size_t i = 0; i < COUNT_OF(shell); i++)
			job->argv[job->argc++] = slice_of(shell[i]);
	}
	job_add_arguments(job, language->check);
	job->language_env = language->env;
	for (unsigned i = 0; i < syntax->count; i++) {
		const struct slice path = syntax->files[i].path;

		(void)!buf_printf(&syntax->names, is_loop(syntax) ? "%.*s\n" : "./%.*s",
				  (int)path.len, path.data);
	}
	if (is_loop(syntax)) {
		job->standard_input = buf_slice(&syntax->names);
		return 0;
	}
	job->argv[job->argc++] = buf_slice(&syntax->names);
	if (language->check_waits && language->boot_env[0])
		job->boot_env = language->boot_env;
	return 0;
}

static int prepare(const struct config *config, const char *name, struct syntax *syntax,
		   struct error *err)
{
	struct language *language = &syntax->language;
	struct template template;
	int loaded = language_load(config, slice_of(name), language, err);

	/* one that only runs or sandboxes have is none of those that are asked for here */
	if (loaded == 0 ? !language->tools.argv : err->status == 404)
		return error_set(err, 400, "language_unsupported", "Unsupported language: %.128s",
				 name);
	if (loaded < 0)
		return -1;
	if (template_load(config, SLICE_LITERAL(TEMPLATE), &template, err) < 0)
		return -1;
	job_defaults(config, &syntax->job);
	syntax->job.template = TEMPLATE;
	syntax->job.language = slice_of(language->name);
	syntax->job.wall_ms = template.timeout_s * 1000;
	syntax->job.stream_bytes = CHECK_OUTPUT_MAX_BYTES;
	syntax->job.artifact_count = 0;
	syntax->job.inputs = syntax->files;
	syntax->job.input_count = syntax->count;
	return fill_command(syntax, err);
}

/* --- what came of it -------------------------------------------------------------------------- */

static int no_parser(const struct syntax *syntax, struct error *err)
{
	return error_set(err, 500, "parser_missing", "The parser of %s is not in the image",
			 syntax->language.name);
}

static int judge(struct syntax *syntax, unsigned file, int code, struct slice said,
		 struct error *err)
{
	const struct slice path = syntax->files[file].path;
	size_t len = strlen(syntax->wrong);

	if (code == 0)
		return 0;
	if (code == EXIT_NOT_FOUND)
		return no_parser(syntax, err);
	if (said.len > CHECK_FILE_OUTPUT_BYTES)
		said.len = CHECK_FILE_OUTPUT_BYTES;
	(void)snprintf(syntax->wrong + len, sizeof(syntax->wrong) - len, "%s%.*s", len ? ", " : "",
		       (int)path.len, path.data);
	(void)json_array_append_new(syntax->errors,
				    json_pack("{s:o, s:o}", "file", json_clean_string(path),
					      "output", json_clean_string(said)));
	return 0;
}

/* The loop's words. */
static int judge_each(struct syntax *syntax, struct error *err)
{
	struct slice rest = buf_slice(&syntax->execution.captures[0].text);

	for (unsigned i = 0; i < syntax->count; i++) {
		const char *line = memchr(rest.data, '\n', rest.len),
			   *end = memchr(rest.data, '\0', rest.len);
		uint64_t code;

		if (!line || !end || end < line ||
		    num_parse((struct slice){rest.data, (size_t)(line - rest.data)}, 10, UINT8_MAX,
			      &code) < 0)
			return error_set(err, 502, "parser_failed", "The parser of %s was stopped",
					 syntax->language.name);
		if (judge(syntax, i, (int)code, (struct slice){line + 1, (size_t)(end - line - 1)},
			  err) < 0)
			return -1;
		rest.len -= (size_t)(end + 1 - rest.data);
		rest.data = end + 1;
	}
	return 0;
}

static int conclude(struct syntax *syntax, struct check *out, struct error *err)
{
	const struct execution *execution = &syntax->execution;
	const struct job_result *result = &execution->result;
	const char *stopped = execution->ending;

	if (result->reason == JOB_NOT_STARTED)
		return error_set(err, 500, "parser_missing", "%s", stopped);
	if (!*stopped &&
	    (is_loop(syntax) ? judge_each(syntax, err)
			     : judge(syntax, 0, job_exit_code(result),
				     buf_slice(&execution->captures[0].text), err)) < 0)
		return -1;
	out->passed = !*stopped && json_array_size(syntax->errors) == 0;
	if (*stopped)
		(void)snprintf(out->message, sizeof(out->message), "Syntax: %s", stopped);
	else if (out->passed)
		(void)snprintf(out->message, sizeof(out->message), "Syntax: No syntax errors");
	else
		(void)snprintf(out->message, sizeof(out->message), "Syntax: Syntax errors in %s",
			       syntax->wrong);
	out->details = json_pack("{s:O}", "errors", syntax->errors);
	return 0;
}

int check_syntax(struct executor *executor, const char *language, const struct job_input *files,
		 unsigned count, struct check *out, struct error *err)
{
	struct syntax syntax = {
		.files = files,
		.count = count,
		.names = buf_new((size_t)VALIDATE_FILES_MAX_COUNT * (JOB_PATH_MAX_BYTES + 3)),
		.errors = json_array(),
	};
	int checked = -1;

	syntax.execution =
		execution_new(executor, &syntax.job, WORDS_CHECKS, CHECK_OUTPUT_MAX_BYTES);
	syntax.execution.is_shared = !is_loop(&syntax);
	if (prepare(executor->config, language, &syntax, err) == 0 &&
	    execution_run(&syntax.execution, err) == 0)
		checked = conclude(&syntax, out, err);
	syntax_free(&syntax);
	return checked;
}
