/*
 * Pooled containers: containers made while no request waits, each for one job of its kind.
 *
 * A kind is what a job needs to find ready: template (and so image and limits), image as it is now,
 * argv, environment, working directory, and what isolates it; its name is a hash of those. A pooled
 * container is a container whose init listens, with the job's runtime booted and waiting before its
 * script where the runtime can (worker/kernels). Its folder is <run>/jobs/s-<kind>-<digits>, what
 * is noted of it <run>/pool/<digits>.
 *
 * Rules:
 *  1. A pooled container is claimed by rename(2) of its folder to c-<digits>: one winner, and
 *     no process ever names it a pooled container again.
 *  2. A claim makes no engine call. Whatever is wrong with a pooled container makes it a miss,
 *     never an error.
 *  3. If image, template, limits, command or isolation changed, the kind's name changed, and no old
 *     pooled container is found.
 *  4. One process at a time refills a kind, until there are enough; a process that finds it busy
 *     goes away.
 *  5. There are never more than the maximum, those being made included. A process that wants one
 *     more takes the oldest of another kind away, but none younger than its own asking: two that
 *     fill the last place by turns come to an end. It is one of the caller that had most of them
 *     made, and of another caller only where that has more than its own: a caller of many kinds
 *     takes places from itself.
 *  6. Pooled containers end by themselves after their TTL; the reaper removes what is left of them.
 *  7. The first pooled container of a kind may take others away; the next ones only while the
 *     kind's take no more than half of the memory that all may take. So two of a large template do
 *     not keep all others from having any.
 *  8. A kind takes others away from its second job in MAYFLY_POOL_TTL_S on; at its first one a free
 *     place is filled, or nothing is made.
 */
#pragma once

#include "config/template.h"
#include "job/engine_client.h"
#include "job/run.h"
#include "protocol/engine.h"

struct pool_plan {
	char kind[POOL_KIND_DIGITS + 1];
	char template[TEMPLATE_NAME_BYTES];
	char label[128]; /* for people: the template and the command */
	struct engine_limits limits;
	uint64_t job_max_s; /* the longest job of the template */
	uint64_t caller;    /* for whom it is made (struct slot_caller); 0: the operator */
	bool is_used;       /* a job of the kind is known to have been before (rule 8) */
	struct buf job;     /* owned: the JOB frame's payload to prepare it with */
	/* owned: fields "env=…" that make the runtime wait; empty: it cannot */
	struct buf boot_env;
};

/* Works out the kind of a job and what it takes to make a pooled container of it. 0 and *out, which
   the caller frees, or -1 with *err. */
MUST_USE int pool_plan(const struct config *config, const struct job *job, struct pool_plan *out,
		       struct error *err);
void pool_plan_free(struct pool_plan *plan);

/* Claims a pooled container of the kind and connects to it. True with *control, which is the
   caller's, and folder. */
bool pool_claim(const struct config *config, const struct pool_plan *plan, int *control,
		char folder[ENGINE_FOLDER_BYTES]);

/* Removes what was noted of a pooled container that was claimed. For when no program waits in it
   any more. */
void pool_forget(const struct config *config, const char *folder);

/* Makes pooled containers until there are wanted of the kind that are not older than max_age_s,
   within the maximums of number and memory (rule 5). Removes notes of pooled containers that are
   gone. 0, also when another process is at it or there is no room, or -1 with *err. */
MUST_USE int pool_refill(const struct config *config, struct engine *engine,
			 const struct pool_plan *plan, uint64_t wanted, uint64_t max_age_s,
			 struct error *err);

/* Claims a pooled container and has it removed. 0; 1 when another process was quicker; or -1
   with *err. */
MUST_USE int pool_drop(const struct config *config, struct engine *engine, const char *folder,
		       struct error *err);

struct pool_row {
	const char *folder, *label;
	char kind[POOL_KIND_DIGITS + 1];
	uint64_t age_s, memory_bytes; /* memory when it was prepared */
	uint64_t caller;              /* for whom it was made */
	bool is_prebooted;
};

/* Calls row for every pooled container that waits. 0, or -1 with *err. */
MUST_USE int pool_list(const struct config *config,
		       void (*row)(void *context, const struct pool_row *row), void *context,
		       struct error *err);
