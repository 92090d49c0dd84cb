/*
 * Validators of source texts: what POST /validate and the runs of the agents API say of them.
 *
 * Rules:
 *  1. Syntax is judged by the language's own parser, in a container, never by us: languages.d says
 *     which command that is (config/language.h).
 *  2. All the others only look at bytes; none of them runs or believes anything.
 */
#pragma once

#include "config/patterns.h"
#include "job/execution.h"
#include "json/json.h"

struct check {
	bool passed;
	char message[CHECK_MESSAGE_BYTES]; /* one line for people: "Syntax: No syntax errors" */
	json_t *details;                   /* owned: an object */
};

#define _cleanup_check_ __attribute__((cleanup(check_free)))

void check_free(struct check *check);

/* {"passed","message","details"}; the caller's. */
json_t *check_json(const struct check *check);

/* Puts the files into a container and lets the parser of the language (one that tools have) look at
   each. details: {"errors":[{"file","output"}]}. 0 and *out, or -1 with *err: 400
   "language_unsupported" (there is none), "language_not_checked" (it names no parser); 500
   "parser_missing", and what execution_run says. The container is the executor's. */
MUST_USE int check_syntax(struct executor *executor, const char *language,
			  const struct job_input *files, unsigned count, struct check *out,
			  struct error *err);

/* Looks for the patterns of a list. details:
   {"hasDangerousPatterns","found":[message],"count","hits":[{"file","line","pattern","message"}]};
   not more than PATTERN_HITS_MAX_COUNT hits are named. */
void check_security(const struct patterns *patterns, const struct job_input *files, unsigned count,
		    struct check *out);

/* Are the files together smaller than AGENT_PERFORMANCE_MAX_CHARS characters, as JavaScript counts
   them? details: {"total","maximum", "sizes":{path: characters}}. */
void check_size(const struct job_input *files, unsigned count, struct check *out);

/* Is it a page (src/api/agents/README.md): "<html" in html, a script of more than
   AGENT_STRUCTURE_SCRIPT_LEAST characters, "{" in css? details: {"hasHtml", "hasScript","hasCss"}.
 */
void check_structure(struct slice html, struct slice css, struct slice script, struct check *out);
