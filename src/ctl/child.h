/* Other programs, and parts of ours that may hang: each in a process of its own, with a deadline.
 */
#pragma once

#include "base/buf.h"
#include "base/deadline.h"

#include <stdbool.h>

/* Runs a program found in PATH, with nothing on its standard input. What it writes to standard
   output (and, with_errors, to standard error) is appended to output, as much as fits. Its exit
   status; -1 when it could not be run or did not end by the deadline, and is killed. */
int child_command(const char *const *argv, bool with_errors, deadline_ms deadline,
		  struct buf *output);

/* The same with a function of ours, in a process of its own, which ends with what it returns.
 * errors receives standard error. */
int child_run(int (*run)(const void *context), const void *context, deadline_ms deadline,
	      struct buf *output, struct buf *errors);
