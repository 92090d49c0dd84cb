/* The scripts that commands of mayflyctl hand over to. */
#pragma once

#include "config/config.h"

#include <limits.h>

/* Finds scripts/NAME: installed it lies beneath a registry's folder, in a source tree beside one.
   False, and said, when it is in none. */
bool ctl_find_script(const struct config *config, const char *name, char path[PATH_MAX]);
