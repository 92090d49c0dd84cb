/* mayflyctl keys: the keys of callers (auth/keys.h). */
#pragma once

#include "config/config.h"

/*
 * mayflyctl keys add LABEL [--rate N] [--burst N] [--scopes run,read,admin] [--days N]
 *     Makes a key. Its token goes to standard output, this once; what else is to be said goes to
 *     standard error.
 * mayflyctl keys list [--json]
 *     Lists them, those of API_KEYS too; never a token or a hash.
 * mayflyctl keys revoke ID|LABEL
 *     Takes one back, from the next request on. A label does when only one key has it.
 *
 * Returns the program's exit status.
 */
int ctl_keys(const struct config *config, int argc, char **argv);
