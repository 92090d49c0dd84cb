/*
 * Counters in files: <run>/counters/NAME, a decimal number each. Exact under concurrency (a lock on the file), gone with a reboot, as a monitor
 * expects of counters.
 */
#ifndef MAYFLY_JOB_COUNTERS_H
#define MAYFLY_JOB_COUNTERS_H

#include "job/config.h"

#include <stdint.h>

/* Adds to a counter. A failure is not worth failing a request for, and is dropped. name: one path component. */
void counter_add(const struct config *config, const char *name, uint64_t amount);

/* The counter's value; 0 when nothing was ever counted. */
uint64_t counter_read(const struct config *config, const char *name);

#endif
