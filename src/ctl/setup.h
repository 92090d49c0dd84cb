/* mayflyctl setup: from an installed package to the first job. */
#ifndef MAYFLY_CTL_SETUP_H
#define MAYFLY_CTL_SETUP_H

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

#endif
