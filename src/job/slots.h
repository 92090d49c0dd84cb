/*
 * Admission: a slot per running job, a bounded wait, then 503.
 *
 * Slots are bytes of the file <run>/slots, taken by a lock on the open file (fcntl(2), OFD locks),
 * so a process that dies gives its slot back. Far behind them each caller has a block of bytes:
 * which of its places are taken says how many slots it has, and a process of it that waits has a
 * byte there, too.
 *
 * Rules:
 *  1. A slot that is free goes to any caller as long as no other one waits.
 *  2. While others wait a caller gets no more than its share: the slots by the number of callers
 *     that have some or wait, rounded up. So a slot is never left free while there is a job for it.
 *  3. A caller's own limit of jobs at once holds always, and is refused without a wait.
 */
#pragma once

#include "base/slice.h"
#include "config/config.h"
#include "http/watch.h"

/* Who takes slots; one of zeroes is the operator. */
struct slot_caller {
	uint64_t id;       /* slot_caller_id */
	uint64_t jobs;     /* that it may run at once; 0: no limit of its own */
	uint64_t sessions; /* that it may have; 0: the same */
};

/* The number that stands for a caller's name: a key's id, a tenant, an address. */
uint64_t slot_caller_id(struct slice name);

/* Takes a slot, waiting at most config->slot_wait_ms. *out holds it until slot_release (or the
   process's end). 0, or -1 with *err: 503 "busy"; 429 "jobs_limited"; status 0 "client_gone". */
MUST_USE int slot_take(const struct config *config, const struct slot_caller *caller,
		       struct http_watch *watch, int *out, struct error *err);

/* Nothing where *slot is -1, which it is then. */
void slot_release(int *slot);

/* How many jobs run, and how many wait. 0, or -1 with *err. */
MUST_USE int slot_count(const struct config *config, uint64_t *running, uint64_t *waiting,
			struct error *err);

/* How many slots a caller has, for who may only look: 0 where that cannot be told. */
uint64_t slot_count_of(const struct config *config, uint64_t caller);
