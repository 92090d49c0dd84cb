/*
 * How much a flood may write to the journal. journald limits by unit, and each connection of an
 * Accept=yes socket is a unit of its own: so what bounds them all has to be ours.
 *
 * Rules:
 *  1. Of lines that no job has paid for, LOG_WINDOW_LINES in LOG_WINDOW_S of a program's go to the
 *     journal; those of its failures (status 500 and above) are counted apart, so that refusals
 *     cannot hide them. The first line of a later window says how many went missing ("suppressed").
 *  2. The count is a file, <run>/log-<program>, under a lock. Where it cannot be kept every line is
 *     written; who finds it locked for long is not.
 *  3. Lines that go elsewhere than to the journal are their reader's business.
 */
#pragma once

#include "base/log.h"
#include "config/config.h"

/* Opens the count: for a program that may open nothing later. Owned by the caller; -1 when there is
   none to be kept. */
int log_limit_open(const struct config *config, const char *program);

/* Ends a line that no job has paid for: log_end, or nothing (rule 1). count is what log_limit_open
   said. */
void log_limit_end(struct log_line *line, int count, bool is_failure);
