/*
 * The job of a text in a language: a program of its own, or a cell of the language's kernel.
 *
 * Rules:
 *  1. The client's files come first, the language's own behind them. None may lie where another has
 *     to.
 *  2. A program of its own is a script of a kernel where its language says so, run as its
 *     interpreter would run it. Where a file of the client's has the script's place, its code comes
 *     as a cell's. With standard input it is run by the interpreter itself: a kernel has none.
 */
#pragma once

#include "config/language.h"
#include "config/template.h"
#include "job/invocation.h"

/* where programs leave files, beside their working directory (src/api/sandbox/README.md) */
#define PROGRAM_OUTPUT_FOLDER "/tmp/output"

struct program {
	/* the caller's, before program_prepare; what they point to must outlive the job */
	const struct template *template;
	struct language language; /* owned; one that sandboxes have, or empty: none was found */
	struct slice code;
	const struct job_input *files; /* paths end with a NUL */
	unsigned file_count; /* less than JOB_INPUT_MAX_COUNT: the program's own is behind them */
	const struct invocation *invocation; /* or NULL */
	uint64_t timeout_s, stream_bytes;
	bool is_cell; /* the kernel's state stays: in a session, or for the next of several cells */

	struct job job; /* what comes of it */
	struct job_input inputs[JOB_INPUT_MAX_COUNT];
};

/* Fills job. 0, or -1 with *err: 400 "path_taken" (rule 1), "no_stdin" (a cell has none), and as
   invocation_apply. The caller frees it in either case. */
MUST_USE int program_prepare(const struct config *config, struct program *program,
			     struct error *err);
void program_free(struct program *program);

static inline bool program_has_language(const struct program *program)
{
	return program->language.definition != NULL;
}
