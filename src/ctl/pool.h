/* mayflyctl pool: the containers that wait for a job. */
#pragma once

#include "config/config.h"

/*
 * mayflyctl pool [--json]
 *     Lists what waits: kind, age, memory (what the container takes now where its cgroup can be
 *     read, else what it took when it was
 *     prepared), whether a runtime is booted in it, what it is for; then the counters of /metrics.
 * mayflyctl pool drop KIND...|all
 *     Removes those that wait: of a kind by its 16 digits, or all. A kind of which none waits is no
 *     error.
 *
 * Returns the program's exit status.
 */
int ctl_pool(const struct config *config, int argc, char **argv);

/* Is the container with that folder the one that waits in the pool under the other? Both end in
 * its digits. */
bool ctl_pool_is(const char *pooled_folder, const char *engine_folder);
