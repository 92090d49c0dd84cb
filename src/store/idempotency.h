/*
 * Idempotency keys: a request that is sent again gets the first one's run instead of another
 * (draft-ietf-httpapi-idempotency-key-header).
 *
 * A key is a file named by its hash, <STORAGE_DIR>/.runs/<owner>/.keys/<hash>, which holds
 * "<fingerprint of the request> <run id>\n".
 *
 *   the file says      locked by another       free, record there     free, no record
 *   nothing            wait, then 409          –                      the caller runs
 *   same request       wait, then 409 the record the caller runs: the first never began
 *   another request    422                     422                    the caller runs
 *
 * Rules:
 *  1. The process that runs holds a lock (flock(2)) on the file until its record is written; the
 *     kernel takes it back from one that dies.
 *  2. The run's id is in the file, synced, and then its record reserved (record_reserve), before
 *     the program starts: where there is no record nothing ran, and where there is one nothing runs
 *     again, whatever moment a crash takes.
 *  3. A key belongs to its owner: of two owners the same key is two.
 */
#pragma once

#include "base/sha256.h"
#include "http/watch.h"
#include "store/records.h"

struct idempotency {
	int fd; /* owned: holds the lock; -1: none */
	char fingerprint[SHA256_HEX_BYTES];
	char path[PATH_MAX + 160];
};

/* True for what may be a key: 1 to IDEMPOTENCY_KEY_MAX_BYTES bytes of printable ASCII. */
bool idempotency_is_key(struct slice key);

/* Waits for the key, at most wait_ms. 0 with *run_id, "" when the caller is the one to run, or -1
   with *err: 422 "idempotency_key_reused", 409 "idempotency_key_busy", 500 "storage_failed", status
   0 "client_gone". The caller closes *out. */
MUST_USE int idempotency_take(const struct config *config, const char *owner, struct slice key,
			      struct slice request, struct http_watch *watch, int64_t wait_ms,
			      struct idempotency *out, char run_id[RUN_ID_BYTES],
			      struct error *err);

/* Rule 2. 0, or -1 with *err. */
MUST_USE int idempotency_note(struct idempotency *idempotency, const char *run_id,
			      struct error *err);

/* Gives the lock back, which wakes who waits. */
void idempotency_close(struct idempotency *idempotency);
