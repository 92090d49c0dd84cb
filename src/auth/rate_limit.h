/*
 * A token bucket per key, in a file: <run>/buckets/<key id>.
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

/* Removes the buckets that are full. Returns how many. */
uint64_t bucket_sweep(const struct config *config);
