/*
 * From a job to its result, the same for every API: a slot, a container (a pooled container's or
 * one made for it), the run. The slot is given back when the answer is there
 * (executor_leave), the container by executor_end when the client has it.
 *
 * What there is to say for /metrics is noted meanwhile and counted by executor_count.
 */
#pragma once

#include "config/config.h"
#include "http/watch.h"
#include "job/engine_client.h"
#include "job/pool.h"
#include "job/run.h"
#include "job/slots.h"
#include "store/metrics.h"

/* What one request, or one command of the shell, holds while it runs jobs. */
struct executor {
	const struct config *config;
	char family;               /* of the API that asks, as struct metrics_job has it */
	struct http_watch watch;   /* over the client */
	struct engine engine;      /* owned: open where jobs run; fd -1 otherwise */
	struct slot_caller caller; /* whose share of the slots its jobs count against */
	int slot; /* owned: admission, held until all of its jobs have ended; -1 otherwise */
	char job_id[ENGINE_JOB_BYTES]; /* what it is about, for the logs: ours and the engine's */

	char folder[ENGINE_FOLDER_BYTES]; /* of the job's container; "" when there is none */
	bool is_claimed;                  /* that container was a pooled container */
	bool is_kept;                     /* it is a session's, and stays */
	/* the job is of a kind that pooled containers are made of: plan says which */
	bool has_plan;
	struct pool_plan plan; /* owned, with has_plan */
	/* of the job before this one: its plan, owned, and its container, still to be removed */
	bool has_earlier_plan;
	struct pool_plan earlier_plan;
	char earlier_folder[ENGINE_FOLDER_BYTES];

	struct metrics_change noted; /* what there is to say for the metrics */
	struct metrics_job counted; /* the last job that was counted, for the log; family 0: none */
	/* for the log: how the last job of a kind that has pooled containers fared, "hit" or
	   "miss", or NULL; and the code of what went wrong once the client had its answer, or
	   NULL */
	const char *pool, *after;
	uint64_t cpu_us;    /* that its jobs have used since that was last counted */
	int64_t asked_us;   /* on the monotonic clock: when the engine was asked; 0: it was not */
	int64_t engine_us;  /* that making the container took */
	int64_t program_us; /* that the program ran */
};

/* One that has nothing yet and watches no client. */
struct executor executor_new(const struct config *config);

/* Says by an id what it is about. */
void executor_name(struct executor *executor, const char *id);

/* Runs the job, storing streams and artifacts; inputs are sent, not stored. 0 and *out for every
   program that was started or could not be, or -1 with *err: what slot_take, engine_make and
   job_run say. */
MUST_USE int executor_run(struct executor *executor, const struct job *job, struct storage *storage,
			  const struct job_listener *listener, struct job_result *out,
			  struct error *err);

/* Runs another job in the container of the last one, whose init waits for it. As executor_run. */
MUST_USE int executor_run_again(struct executor *executor, const struct job *job,
				struct storage *storage, const struct job_listener *listener,
				struct job_result *out, struct error *err);

/* Ends the job, for a request with another one to run; the slot stays. The container is removed
   now, or with the last one where no one has to wait for that. again: the next container of its
   kind is made, too, in the end. */
void executor_next(struct executor *executor, bool again);

/* Takes a slot, unless there is one. 0, or -1 with *err: as slot_take. */
MUST_USE int executor_admit(struct executor *executor, struct error *err);

/* Gives the slot back, before the answer is sent: no one else waits for a client to take it. */
void executor_leave(struct executor *executor);

/* Gets a container that outlives the connection, as the job would have it: a pooled container, if
   may_claim and there is one, else one made. It is removed by executor_end unless is_kept is set. 0
   with the first connection to it, which is the caller's, or -1 with *err. */
MUST_USE int executor_keep(struct executor *executor, const struct job *job, bool may_claim,
			   int *control, struct error *err);

/* Removes the container, makes the next container of the kind. For when no one
   waits any more. */
void executor_end(struct executor *executor);

/* Notes that something happened amount times more. */
void executor_note(struct executor *executor, enum metric metric, uint64_t amount);

/* Counts what was noted since the last time. duration_us: what the client waited. */
void executor_count(struct executor *executor, int64_t duration_us);
