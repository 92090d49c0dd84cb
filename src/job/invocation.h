/*
 * How a request invokes its program: "stdin", "args" and "env" beside the code, the same for every
 * API that takes code.
 *
 * Rules:
 *  1. Variables named LD_… and PATH are dropped: they would steer what starts the program. So are
 *     those that an API sets itself, which of two would be an accident.
 *  2. null is as good as left out.
 */
#pragma once

#include "job/run.h"
#include "json/json.h"

/* Arguments behind a program's own, variables before ours. */
#define INVOCATION_ARGS_MAX_COUNT (JOB_ARGV_MAX_COUNT - LANGUAGE_RUN_ARGV_MAX_COUNT)
#define INVOCATION_ENV_MAX_COUNT  (JOB_ENV_MAX_COUNT - 8)

struct invocation {
	struct slice standard_input;
	const json_t *args; /* an array of texts, or NULL */
	json_t *variables;  /* owned: an array of texts NAME=value */
};

/* Reads a request's fields. ours: what its API sets, NAME=value, ended by NULL. issues: NULL, or
   where every wrong field is noted (json/schema.h), which is left out then. 0, or -1 with *err,
   400: "wrong_type", "too_many_args", "bad_env". The caller frees *out in either case; body's
   values must outlive it. */
MUST_USE int invocation_take(const json_t *body, const char *const *ours, json_t *issues,
			     struct invocation *out, struct error *err);
void invocation_free(struct invocation *invocation);

/* Appends arguments and variables to a job's, and sets its standard input where there is one; a
   "--" at the end of a command that gets no arguments goes. The invocation must outlive the job. 0,
   or -1 with *err: 400 "too_many_args". */
MUST_USE int invocation_apply(const struct invocation *invocation, struct job *job,
			      struct error *err);
