/*
 * What the jobs of all tools have in common: environment, working directory, the operator's caps;
 * and what a language gives to a job. Apart from the tool itself, so that pooled containers are
 * made of the same kind as the jobs that take them.
 */
#pragma once

#include "config/language.h"
#include "job/run.h"

#define DEFAULT_TOOL "code_execution" /* what POST /run runs */

/* The variables, ended by NULL, of every job: texts are UTF-8, and interpreters say at once what
   they print, whatever the job's language, because a program's children print, too. */
extern const char *const job_usual[];

/* Fills env, cwd and caps of a job; its time-out is the caller's to set. */
void job_defaults(const struct config *config, struct job *job);

/* Sets a variable of a job's environment, NAME=value, in place of one of that name. The text must
   outlive the job; what passes JOB_ENV_MAX_COUNT is left out. */
void job_set_variable(struct job *job, const char *text);

/* Appends an array of texts to a job's argv. They must outlive the job, and fit in
   JOB_ARGV_MAX_COUNT. */
void job_add_arguments(struct job *job, const json_t *texts);

/* Fills argv, the program's file, language_env, boot_env and language of a job by a language's
   profile for an API. Both must outlive the job, as must input, which becomes its only one. */
void job_set_language(struct job *job, const struct language *language,
		      const struct language_profile *profile, struct slice code,
		      struct job_input *input);
