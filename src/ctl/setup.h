/* mayflyctl setup: from an installed package to the first job. */
#pragma once

#include "config/config.h"

/*
 * mayflyctl setup
 *     Makes the worker image, enables and starts the units, runs a job in each language:
 *     scripts/setup-service, with the settings of mayfly.conf in its
 *     environment.
 *
 * Returns the program's exit status only where the script cannot be started.
 */
int ctl_setup(const struct config *config, int argc, char **argv);
