/* What the routes of sessions share, for sandbox*.c alone. */
#ifndef MAYFLY_API_SANDBOX_SESSIONS_H
#define MAYFLY_API_SANDBOX_SESSIONS_H

#include "api/sandbox/internal.h"
#include "job/session.h"

/* Who asks, for a tenant if it is named. */
struct session_requester session_requester_of(const struct call *call, struct slice tenant_id);

/* Appends ?tenant_id=, decoded; nothing when it is not there. 0, or -1 with *err: 400. */
MUST_USE int session_query_tenant(const struct call *call, struct buf *out, struct error *err);

/* Removes a session and, where there is a way to the engine, its container; its lock is given back. True for the one who did. */
bool session_end(struct call *call, struct session *session);

/* The same for one whose container has ended, which counts as expired. */
void session_discard(struct call *call, struct session *session);

/* Does that error mean that its container is gone? */
bool session_is_dead(const struct error *err);

/* A listener's stream for jobs that have no output. */
void session_hear_nothing(void *context, bool is_stderr, struct slice data);

/* Runs a job about files alone over a connection to its container, which is closed. 0, or -1 with *err: what job_run says; 400 "files_refused". */
MUST_USE int session_file_job(struct call *call, int control, const struct job *job,
			      const struct job_listener *listener, struct storage *storage,
			      struct error *err);

#endif
