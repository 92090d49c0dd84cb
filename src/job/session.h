/*
 * Sessions: containers that are kept for one client's cells, one after the other.
 *
 *     <run>/sessions/<id>     a record, replaced by rename(2)
 *     <run>/sessions/lock     bytes to lock (fcntl(2), OFD locks): a session's own, at the offset that its id is as a number; one for whoever makes one
 *
 * Rules:
 *  1. A cell of a session is run by whoever holds its lock; others wait, bounded, for the file to be closed. Who dies gives it back.
 *  2. A record is looked at again under its lock: a session that was removed meanwhile is not there.
 *  3. A session has expired when nothing used it for longer than its TTL and nobody holds its lock; its container ends itself after the same time.
 *  4. There are never more than the maximum, of a tenant and of all, those being made included: a record comes first, its container after.
 *  5. A session belongs to the key that made it and to its tenant. For anybody else it is not there.
 */
#ifndef MAYFLY_JOB_SESSION_H
#define MAYFLY_JOB_SESSION_H

#include "auth/keys.h"
#include "bounds.h"
#include "config/config.h"
#include "http/watch.h"
#include "job/engine_client.h"

#include <stdbool.h>
#include <stdint.h>

#define SESSION_ID_BYTES (SESSION_ID_DIGITS + 1) /* with the NUL */

struct session {
	char id[SESSION_ID_BYTES];
	char tenant_id[SANDBOX_NAME_MAX_BYTES + 1], scope[SANDBOX_NAME_MAX_BYTES + 1];
	char template[REGISTRY_NAME_MAX_BYTES + 1]; /* of sandboxes.d */
	char owner[KEY_ID_BYTES];                   /* a key's id, or CALLER_LOOPBACK */
	char folder[ENGINE_FOLDER_BYTES]; /* of its container; "" while that is being made */
	uint64_t ttl_s, use_count;
	int64_t created_ms, used_ms; /* on CLOCK_BOOTTIME */
	int lock;                    /* owned: held; -1 when it is not */
};

/* Who asks for a session. */
struct session_requester {
	const char *owner;
	struct slice tenant_id; /* len 0: not said */
};

/* Opens the lock file. The descriptor, or -1 with errno. */
int session_open_locks(const struct config *config);

/* Writes the record of a new session, its lock held; id and times are set here, the rest is the caller's. 0, or -1 with *err: 400 "too_many_sessions"; 500. */
MUST_USE int session_reserve(const struct config *config, struct session *session,
			     struct error *err);

/* Takes the lock of a session, and reads it. 0 and *out, to be released, or -1 with *err: 404 "session_not_found", also for what has expired, which stays for the sweep;
   409 "session_busy"; status 0 "client_gone"; 500. */
MUST_USE int session_take(const struct config *config, struct slice id,
			  const struct session_requester *requester, struct http_watch *watch,
			  struct session *out, struct error *err);

/* The same without the lock, and without a wait. */
MUST_USE int session_find(const struct config *config, struct slice id,
			  const struct session_requester *requester, struct session *out,
			  struct error *err);

/* Notes that a session whose lock is held is used now. One that was removed meanwhile stays so. */
MUST_USE int session_save(const struct config *config, struct session *session, struct error *err);

/* Removes its record. True for the one who did. */
bool session_remove(const struct config *config, const struct session *session);

void session_release(struct session *session);

bool session_is_expired(const struct session *session);

/* Seconds since it was made, and since it was used. */
double session_age_s(const struct session *session);
double session_idle_s(const struct session *session);

/* Calls row for every session of the requester, without its lock; owner NULL: of all. 0, or -1 with *err. */
MUST_USE int session_list(const struct config *config, const struct session_requester *requester,
			  void (*row)(void *context, const struct session *session), void *context,
			  struct error *err);

/* Removes sessions that have expired, and those whose container is gone, with their containers; engine NULL: only the records. locks: of session_open_locks.
   Returns how many. */
uint64_t session_sweep(const struct config *config, int locks, struct engine *engine);

#endif
