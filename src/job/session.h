/*
 * Sessions: containers that are kept for one client's cells, one after the other.
 *
 *     <run>/sessions/<id>     a record (job/session_record.h)
 *     <run>/sessions/lock     bytes to lock (fcntl(2), OFD locks): a session's own, at the offset
 *                             that its id is as a number; one for the process that makes one
 *
 * Rules:
 *  1. A cell of a session is run by the process that holds its lock; others wait, bounded. A
 *     process that dies gives it back.
 *  2. A record is looked at again under its lock: a session that was removed meanwhile is not
 *     there.
 *  3. A session has expired when nothing used it for longer than its TTL and no process holds its
 *     lock; its container ends itself after the same time.
 *  4. There are never more than the maximum, of a tenant and of all, those being made included: a
 *     record comes first, its container after.
 */
#pragma once

#include "http/watch.h"
#include "job/session_record.h"

/* Writes the record of a new session, its lock held; id and times are set here, the rest is the
   caller's. 0, or -1 with *err: 400 "too_many_sessions"; 500. */
MUST_USE int session_reserve(const struct config *config, struct session *session,
			     struct error *err);

/* Takes the lock of a session, and reads it. 0 and *out, to be released, or -1 with *err: 404
   "session_not_found", also for what has expired, which stays for the sweep; 409 "session_busy";
   status 0 "client_gone"; 500. */
MUST_USE int session_take(const struct config *config, struct slice id,
			  const struct session_requester *requester, struct http_watch *watch,
			  struct session *out, struct error *err);

/* The same without the lock, and without a wait. */
MUST_USE int session_find(const struct config *config, struct slice id,
			  const struct session_requester *requester, struct session *out,
			  struct error *err);

/* Notes that a session whose lock is held is used now. One that was removed meanwhile stays so. */
MUST_USE int session_save(const struct config *config, struct session *session, struct error *err);

/* Gives the lock back; nothing when it is not held. */
void session_release(struct session *session);
#define _cleanup_session_ __attribute__((cleanup(session_release)))

/* Says what a session that has ended is to its owner: 404 "session_not_found". Returns -1. */
int session_gone(struct slice id, struct error *err);

/* Removes sessions that have expired, and those whose container is gone, with their containers;
   engine NULL: only the records. Returns how many. */
uint64_t session_sweep(const struct config *config, struct engine *engine);
