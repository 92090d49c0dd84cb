/*
 * From a job to its result, the same for every API: a slot, a container (a pooled container's or one made for it), the run. The container and the slot stay
 * with the call: execute_clean_up gives them back when the client has its answer.
 */
#ifndef MAYFLY_API_EXECUTE_H
#define MAYFLY_API_EXECUTE_H

#include "job/run.h"
#include "server/call.h"

/* Runs the job, storing streams and artifacts; inputs are sent, not stored. 0 and *out for every program that was started or could not be, or -1
   with *err: 503 "busy", what engine_make and job_run say. */
MUST_USE int execute_job(struct call *call, const struct job *job, struct storage *storage,
			 const struct job_listener *listener, struct job_result *out,
			 struct error *err);

/* Ends the call's job, for a request with another one to run; the slot stays. The container is removed now, or with the last one where nobody has to wait
   for that. again: the next container of its kind is made, too, in the end. */
void execute_next(struct call *call, bool again);
/* Takes a slot, unless the call has one. 0, or -1 with *err: 503 "busy". */
MUST_USE int execute_admit(struct call *call, struct error *err);

/* Gets a container that outlives the connection, as the job would have it: a pooled container, if may_claim and there is one, else one made. Its folder is the call's; it is
   removed with the call unless call->is_kept is set. 0 with the first connection to it, which is the caller's, or -1 with *err. */
MUST_USE int execute_keep(struct call *call, const struct job *job, bool may_claim, int *control,
			  struct error *err);

/* Runs another job in the container of the last one, whose init waits for it. As execute_job. */
MUST_USE int execute_again(struct call *call, const struct job *job, struct storage *storage,
			   const struct job_listener *listener, struct job_result *out,
			   struct error *err);

/* Removes the call's container, gives its slot back, makes the next container of the kind. For when nobody waits any more. */
void execute_clean_up(struct call *call);

#endif
