/*
 * The commands of mayflyctl, a row of its table each (prog/mayflyctl.c, which says what they do and
 * take). Each returns the exit status, one of sysexits.h where nothing else is said, or CTL_USAGE.
 */
#pragma once

#include "ctl/command.h"

int ctl_keys_add(const struct config *config, struct ctl_arguments *arguments);
int ctl_keys_list(const struct config *config, struct ctl_arguments *arguments);
int ctl_keys_revoke(const struct config *config, struct ctl_arguments *arguments);

/* Becomes journalctl(1); returns only when that cannot be: EX_DATAERR where the journal has nothing
   of the job, EX_UNAVAILABLE where there is none. */
int ctl_logs(const struct config *config, struct ctl_arguments *arguments);

/* A kind is named by its 16 digits; one of which none waits is no error. */
int ctl_pool_list(const struct config *config, struct ctl_arguments *arguments);
int ctl_pool_drop(const struct config *config, struct ctl_arguments *arguments);

/* Becomes scripts/setup-service; returns only when that cannot be started. */
int ctl_setup(const struct config *config, struct ctl_arguments *arguments);

/* EX_DATAERR for a template that is not there or no good. */
int ctl_template_list(const struct config *config, struct ctl_arguments *arguments);
int ctl_template_show(const struct config *config, struct ctl_arguments *arguments);
int ctl_template_check(const struct config *config, struct ctl_arguments *arguments);
int ctl_template_build(const struct config *config, struct ctl_arguments *arguments);
int ctl_template_add(const struct config *config, struct ctl_arguments *arguments);
int ctl_template_remove(const struct config *config, struct ctl_arguments *arguments);

/* The first two: the job's, 124 after a time-out. */
int ctl_run(const struct config *config, struct ctl_arguments *arguments);
int ctl_tool(const struct config *config, struct ctl_arguments *arguments);
int ctl_tool_check(const struct config *config, struct ctl_arguments *arguments);
int ctl_tool_list(const struct config *config, struct ctl_arguments *arguments);

/* Makes pooled containers of the kind that a job of POST /run and of the tool code_execution needs,
   until as many wait as are asked for that have half of their time before them; the older ones are
   removed. So run by a timer, more often than half of MAYFLY_POOL_TTL_S, there is always one. A
   language that cannot be warmed does not keep the others from it. */
int ctl_warm(const struct config *config, struct ctl_arguments *arguments);
