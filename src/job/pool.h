/*
 * Spares: containers made while nobody waits, each for one job of its kind.
 *
 * A kind is what a job needs to find ready: template (and so image and limits), image as it is now, argv, environment, working
 * directory, and what isolates it; its name is a hash of those. A spare is a container whose init listens, with the job's runtime
 * booted and waiting before its script where the runtime can (worker/kernels). Its folder is <run>/jobs/s-<kind>-<digits>, what is
 * noted of it <run>/spares/<digits>.
 *
 * Rules:
 *  1. A spare is claimed by rename(2) of its folder to c-<digits>: one winner, and nobody ever names it a spare again.
 *  2. A claim makes no engine call. Whatever is wrong with a spare makes it a miss, never an error.
 *  3. If image, template, limits, command or isolation changed, the kind's name changed, and no old spare is found.
 *  4. One process at a time refills a kind, until there are enough; who finds it busy goes away.
 *  5. There are never more than the maximum, those being made included. Who wants one more takes the oldest of another kind away, but none
 *     younger than its own asking: two that fill the last place by turns come to an end.
 *  6. Spares end by themselves after their TTL; the reaper removes what is left of them.
 *  7. The first spare of a kind may take others away; the next ones only while the kind's take no more than half of the memory that all may take. So two
 *     of a large template do not keep all others from having any.
 */
#ifndef MAYFLY_JOB_SPARES_H
#define MAYFLY_JOB_SPARES_H

#include "config/template.h"
#include "job/engine_client.h"
#include "job/run.h"
#include "protocol/engine.h"

struct spare_plan {
	char kind[SPARE_KIND_DIGITS + 1];
	char template[TEMPLATE_NAME_BYTES];
	char label[128]; /* for people: the template and the command */
	struct engine_limits limits;
	uint64_t job_max_s; /* the longest job of the template */
	struct buf job;     /* owned: the JOB frame's payload to prepare it with */
	struct buf kernel; /* owned: fields "env=…" that make the runtime wait; empty: it cannot */
};

/* Works out the kind of a job and what it takes to make a spare of it. 0 and *out, which the caller frees, or -1 with *err. */
MUST_USE int spare_plan(const struct config *config, const struct job *job, struct spare_plan *out,
			struct error *err);
void spare_plan_free(struct spare_plan *plan);

/* Claims a spare of the kind and connects to it. True with *control, which is the caller's, and folder. */
bool spare_claim(const struct config *config, const struct spare_plan *plan, int *control,
		 char folder[ENGINE_FOLDER_BYTES]);

/* Removes what was noted of a spare that was claimed. For when nobody waits any more. */
void spare_forget(const struct config *config, const char *folder);

/* Makes spares until there are wanted of the kind that are not older than max_age_s, within the maximums of number and memory (rule 5). Removes notes
   of spares that are gone. 0, also when somebody else is at it or there is no room, or -1 with *err. */
MUST_USE int spare_refill(const struct config *config, struct engine *engine,
			  const struct spare_plan *plan, uint64_t wanted, uint64_t max_age_s,
			  struct error *err);

/* Claims a spare and has it removed. 0; 1 when somebody was quicker; or -1 with *err. */
MUST_USE int spare_drop(const struct config *config, struct engine *engine, const char *folder,
			struct error *err);

struct spare_row {
	const char *folder, *label;
	char kind[SPARE_KIND_DIGITS + 1];
	uint64_t age_s, memory_bytes; /* memory when it was prepared */
	bool has_kernel;
};

/* Calls row for every spare that waits. 0, or -1 with *err. */
MUST_USE int spare_list(const struct config *config,
			void (*row)(void *context, const struct spare_row *row), void *context,
			struct error *err);

#endif
