/*
 * What a key may use in a time. A token bucket per key, in a file: <run>/buckets/<key id>; and the
 * CPU time of its jobs, in <run>/buckets/<key id>.cpu: counted from a first job on for an hour,
 * then anew.
 *
 * Rules:
 *  1. Exact under concurrency: a lock on the file, held for one read and one write.
 *  2. The clock is CLOCK_BOOTTIME, which no one sets; the file names the boot that it counts in. Of
 *     another boot it means nothing.
 *  3. A bucket starts full, so no file is a full bucket: the sweep removes every bucket that has
 *     filled up again, and with that those of keys that are gone.
 *
 * What is kept is one number, the theoretical arrival time of the generic cell rate algorithm
 * (ITU-T I.371): the moment at which the bucket will be full.
 */
#pragma once

#include "auth/keys.h"
#include "config/config.h"

/* Takes one token of the key's bucket. 0, or -1 with *err: 429 "rate_limited" (message "rate limit
   exceeded") and *wait_s, the time until there is a token again, in seconds, rounded up, at least
   1; 500 "bucket_failed". Before confinement: the boot's id is read from /proc. */
MUST_USE int bucket_take(const struct config *config, const struct key *key, int64_t *wait_s,
			 struct error *err);

/* May the key run a job yet? 0, or -1 with *err: 429 "cpu_limited", when it has used the CPU
   seconds of its hour, with *wait_s as above. A job that runs then is counted when it ends: so many
   as run at once may pass the limit. */
MUST_USE int cpu_check(const struct config *config, const struct key *key, int64_t *wait_s,
		       struct error *err);

/* Counts what a job of that key has used. What cannot be written is not counted. */
void cpu_charge(const struct config *config, const char *key_id, uint64_t used_us);

/* What a key has used of its hour. */
uint64_t cpu_used_us(const struct config *config, const char *key_id);

/* Removes the buckets that are full, and counts whose hour is over. Returns how many. */
uint64_t bucket_sweep(const struct config *config);
