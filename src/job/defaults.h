/*
 * What the jobs of all tools have in common: environment, working directory, the operator's caps. Apart from the tool itself, so that
 * whoever makes pooled containers makes them of the same kind as whoever runs jobs.
 */
#ifndef MAYFLY_JOB_DEFAULTS_H
#define MAYFLY_JOB_DEFAULTS_H

#include "config/config.h"
#include "job/run.h"

#define DEFAULT_TOOL "code_execution" /* what POST /run runs */

/* Fills env, cwd and caps of a job; its time-out is the caller's to set. */
void job_defaults(const struct config *config, struct job *job);

/* Sets a variable of a job's environment, NAME=value, in place of one of that name. The text must outlive the job; what passes JOB_ENV_MAX_COUNT
   is left out. */
void job_set_variable(struct job *job, const char *text);

#endif
