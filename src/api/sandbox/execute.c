/*
 * POST /execute: one program, or the cells of a notebook, in a container of its own.
 *
 * Rules:
 *  1. The reply is flat and nested, so that both generations of clients work.
 *  2. Cells run in order in one container, each with what is left of the time-out. What stops them
 *     is a container that is lost and, but for "stop_on_error": false, a cell that fails; those
 *     that follow have a result, too, which says so.
 */
#include "api/sandbox/internal.h"
#include "api/sandbox/sandbox.h"
#include "base/clock.h"

#include <stdio.h>

#define CELL_IDLE_S 60 /* from one cell to the next */

/* The container's name, by which an operator may know it in the engine's own log. */
static json_t *container_of(const struct call *call)
{
	const char *folder = call->executor.folder;

	return *folder ? json_sprintf("%s-%s", call->config->instance, folder) : json_string("");
}

static void reply(struct sandbox_run *run, const struct sandbox_result *result, json_t *cells)
{
	json_t *flat = sandbox_describe(result), *nested = json_copy(flat);

	(void)json_object_set_new(nested, "container_id", container_of(run->call));
	(void)json_object_set_new(nested, "language", sandbox_language_name(run));
	(void)json_object_set_new(flat, "result", nested);
	sandbox_add_request(run, flat);
	if (cells)
		(void)json_object_set(flat, "cells", cells);
	call_reply_json(run->call, 200, flat);
}

static int run_program(struct sandbox_run *run, struct error *err)
{
	struct sandbox_result result = sandbox_result_new(run);
	int ran = sandbox_run_one(run, NULL, &result, err);

	if (ran == 0)
		reply(run, &result, NULL);
	sandbox_result_free(&result);
	return ran;
}

/* --- cells ------------------------------------------------------------------------------------ */

static void add_usage(struct job_result *total, const struct job_result *more)
{
	total->wall_us += more->wall_us;
	total->cpu_us += more->cpu_us;
	total->bytes_in += more->bytes_in;
	total->bytes_out += more->bytes_out;
	if (more->max_rss_bytes > total->max_rss_bytes)
		total->max_rss_bytes = more->max_rss_bytes;
}

/* Adds one cell's result to the whole one, which shows all of them as if they were one program. */
static void add_result(struct sandbox_result *whole, const struct sandbox_result *one)
{
	struct execution *all = &whole->execution;
	struct job_result before = all->result;

	(void)json_array_extend(whole->artifacts, one->artifacts);
	for (unsigned i = 0; i < 2; i++)
		capture_join(&all->captures[i], &one->execution.captures[i]);
	if (sandbox_exit_code(whole) != 0) {
		add_usage(&all->result, &one->execution.result);
		return;
	}
	whole->is_refused = one->is_refused;
	memcpy(all->ending, one->execution.ending, sizeof(all->ending));
	all->result = one->execution.result;
	add_usage(&all->result, &before);
}

static int run_cell(struct sandbox_run *run, size_t index, deadline_ms deadline,
		    struct sandbox_result *out, struct error *err)
{
	const json_t *code = json_array_get(run->cells, index);
	bool is_last = index + 1 == json_array_size(run->cells);
	int left_ms = deadline_left_ms(deadline);
	struct job *job = &run->program.job;

	job->standard_input = json_slice(code);
	job->is_last = is_last;
	job->idle_s = is_last ? 0 : CELL_IDLE_S;
	job->wall_ms = left_ms > 0 ? (uint64_t)left_ms : 1;
	out->execution.timeout_s = run->program.timeout_s;
	out->execution.is_again = index > 0;
	if (sandbox_run_one(run, NULL, out, err) < 0)
		return -1;
	job->input_count = 0; /* the files are there now */
	return 0;
}

static int run_cells(struct sandbox_run *run, json_t *cells, struct sandbox_result *whole,
		     struct error *err)
{
	deadline_ms deadline = deadline_in((int64_t)run->program.timeout_s * MS_PER_S);
	bool goes_on = json_is_false(json_object_get(run->body, "stop_on_error"));
	char stopped[64] = ""; /* why no more cells run */
	int ran = 0;

	for (size_t i = 0; ran == 0 && i < json_array_size(run->cells); i++) {
		struct sandbox_result one = sandbox_result_new(run);

		if (*stopped)
			sandbox_refuse(&one, stopped);
		else
			ran = run_cell(run, i, deadline, &one, err);
		if (ran == 0) {
			if (!*stopped && job_is_lost(&one.execution.result))
				(void)snprintf(stopped, sizeof(stopped),
					       "The sandbox was lost before this cell");
			else if (!*stopped && !goes_on && sandbox_exit_code(&one) != 0)
				(void)snprintf(stopped, sizeof(stopped), "Not run: cell %zu failed",
					       i);
			(void)json_array_append_new(cells, sandbox_describe(&one));
			add_result(whole, &one);
		}
		sandbox_result_free(&one);
	}
	return ran;
}

static int run_notebook(struct sandbox_run *run, struct error *err)
{
	_cleanup_json_ json_t *cells = json_array();
	struct sandbox_result whole = sandbox_result_new(run);
	int ran = run_cells(run, cells, &whole, err);

	if (ran == 0)
		reply(run, &whole, cells);
	sandbox_result_free(&whole);
	return ran;
}

/* --- the request ------------------------------------------------------------------------------ */

static int take_cells(struct sandbox_run *run, struct error *err)
{
	const json_t *cells = json_object_get(run->body, "cells"), *code;
	size_t i, count = json_array_size(cells), texts = 0;

	if (!cells || json_is_null(cells))
		return 0;
	json_array_foreach ((json_t *)cells, i, code)
		texts += json_is_string(code);
	if (count == 0 || count > SANDBOX_CELL_MAX_COUNT || texts < count)
		return error_set(err, 400, "wrong_type", "cells must be an array of 1 to %d texts",
				 SANDBOX_CELL_MAX_COUNT);
	run->cells = cells;
	return 0;
}

static int take_request(struct sandbox_run *run, struct error *err)
{
	static const char *const program[] = {"tenant_id", "scope", "code", NULL},
				 *const notebook[] = {"tenant_id", "scope", NULL};

	if (sandbox_parse(buf_slice(&run->call->body), &run->body, err) < 0 ||
	    take_cells(run, err) < 0 ||
	    sandbox_take(run->body, run->cells ? notebook : program, &run->request, err) < 0 ||
	    sandbox_template(run->call->config, run->request.template, &run->template, err) < 0)
		return -1;
	sandbox_share(run->call, run->request.tenant_id);
	run->program.is_cell = run->cells != NULL;
	return sandbox_prepare(run, err);
}

/* Cells of a language that has none cannot share anything. */
static int check_cells(const struct sandbox_run *run, struct error *err)
{
	if (run->cells && program_has_language(&run->program) && !run->program.job.kernel)
		return error_set(err, 400, "no_cells", "cells work with %s only",
				 "python, node or bash");
	return 0;
}

void api_sandbox_execute(struct call *call)
{
	struct sandbox_run run;
	struct error err;

	sandbox_run_begin(&run, call);
	if (take_request(&run, &err) < 0 || check_cells(&run, &err) < 0 ||
	    (run.cells && program_has_language(&run.program) ? run_notebook
							     : run_program)(&run, &err) < 0)
		call_refuse(call, &err);
	sandbox_run_free(&run);
}
