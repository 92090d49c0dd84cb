/* Writing what a job of mayflyctl's left to where who called wants it. */
#pragma once

#include "ctl/shell_job.h"

#define SHELL_SESSION "shell" /* that the result is stored in */

/* Copies artifacts from the open folder of the storage to job->folder. names: the result's id, then
   their paths, each ended by NUL. How many could not be written; each is told on standard error. */
unsigned shell_save(const struct shell_job *job, int storage, const char *names, size_t len);
