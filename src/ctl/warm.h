/* mayflyctl warm: pooled containers for jobs to come. */
#pragma once

#include "config/config.h"

/*
 * mayflyctl warm [--count N] [LANGUAGE[:FILENAME]]...
 *     Makes pooled containers of the kind that a job of POST /run and of the tool code_execution
 *     needs, until N (MAYFLY_POOL) wait that have half
 *     of their time before them; the older ones are removed. So run by a timer, more often than
 *     half of MAYFLY_POOL_TTL_S, there is
 *     always one. Without arguments: what MAYFLY_WARM lists.
 *
 * Returns the program's exit status; a language that cannot be warmed does not keep the others from
 * it.
 */
int ctl_warm(const struct config *config, int argc, char **argv);
