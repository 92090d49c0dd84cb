/* mayflyctl logs: what the journal has of one job. */
#pragma once

#include "config/config.h"

/* mayflyctl logs JOB [--json] [--follow]. Becomes journalctl(1); returns only when that cannot be:
   EX_USAGE, EX_DATAERR (the journal has nothing of the job), EX_UNAVAILABLE (there is no
   journal). */
int ctl_logs(const struct config *config, int argc, char **argv);
