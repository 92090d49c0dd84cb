/* What locks and records of sessions share. Private to session.c and session_record.c. */
#ifndef MAYFLY_JOB_SESSION_PARTS_H
#define MAYFLY_JOB_SESSION_PARTS_H

#include "job/session.h"

#define SESSIONS_DIR      "sessions" /* beneath the run folder */
#define SESSION_LOCK_NAME "lock"

/* Milliseconds on CLOCK_BOOTTIME, which no change of the clock moves. */
int64_t session_now_ms(void);

/* <run>/sessions, made when it is missing. The descriptor, or -1 with errno. */
int session_open_folder(const struct config *config);

/* A record; lock is left alone. 0, or -1: there is none that is good. */
MUST_USE int session_read(const struct config *config, const char *id, struct session *out);

/* Writes the record; of a session that is not new only where there is one, else ENOENT. 0, or -1 with errno. */
MUST_USE int session_write(const struct config *config, const struct session *session, bool is_new);

/* Rule 5. */
bool session_is_of(const struct session *session, const struct session_requester *requester);

#endif
