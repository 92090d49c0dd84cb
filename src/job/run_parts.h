/* The parts of running a job. Private to run.c and run_send.c. */
#ifndef MAYFLY_JOB_RUN_PARTS_H
#define MAYFLY_JOB_RUN_PARTS_H

#include "job/run.h"

/* Sends the job and its GO to a container's control socket. 0, or -1 with *err: 400
   "job_too_large"; 502 "job_not_taken", "control_failed". */
MUST_USE int run_send(const struct job *job, int control, struct error *err);

/* -1 with *err: 502 "job_not_taken": the container ended before the job had begun. */
int run_not_taken(struct error *err);

#endif
