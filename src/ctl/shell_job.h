/*
 * One job from the shell, on the way that the service's own jobs go (job/execution.h): streams pass
 * through as they come, artifacts are written to a folder.
 *
 * Rules:
 *  1. The job runs in a child, which is the service's user where root calls; who called writes the
 *     artifacts.
 *  2. Results lie in a folder of their own under $TMPDIR meanwhile; nothing is added to the
 *     service's storage.
 *  3. What ends the command ends the job: the engine takes the container away when the child is
 *     gone.
 */
#pragma once

#include "config/config.h"
#include "json/json.h"

struct shell_job {
	const char *command; /* what we are called, for messages */
	const char *tool;
	json_t *request;        /* not owned: the tool's parameters */
	char *const *arguments; /* behind the program's own */
	unsigned argument_count;
	const char *folder; /* for artifacts, made if missing; NULL: they are dropped */
	uint64_t timeout_s; /* 0: the tool's */
	bool has_input;     /* standard input is the program's */
};

/* Runs it. Returns the exit status. */
int shell_job_run(const struct config *config, const struct shell_job *job);
