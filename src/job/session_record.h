/*
 * Records of sessions: <run>/sessions/<id>, JSON, one object in a file each, replaced by rename(2).
 *
 * Rules:
 *  1. Only the process that holds a session's lock (job/session.h) writes its record.
 *  2. A session belongs to the key that made it and to its tenant. For all others it is not there.
 */
#pragma once

#include "auth/keys.h"
#include "bounds.h"
#include "config/config.h"
#include "job/engine_client.h"

#include <stdbool.h>
#include <stdint.h>

#define SESSIONS_DIR     "sessions"              /* beneath the run folder */
#define SESSION_ID_BYTES (SESSION_ID_DIGITS + 1) /* with the NUL */

struct session {
	char id[SESSION_ID_BYTES];
	char tenant_id[SANDBOX_NAME_MAX_BYTES + 1], scope[SANDBOX_NAME_MAX_BYTES + 1];
	char template[REGISTRY_NAME_MAX_BYTES + 1]; /* of the sandbox API */
	char owner[KEY_ID_BYTES];                   /* a key's id, or CALLER_LOOPBACK */
	char folder[ENGINE_FOLDER_BYTES]; /* of its container; "" while that is being made */
	uint64_t ttl_s, use_count;
	uint64_t caller;             /* whose CPU time is counted (struct slot_caller) */
	int64_t created_ms, used_ms; /* on CLOCK_BOOTTIME */
	uint64_t caller_max;         /* sessions of that one; 0: no limit; not in the record */
	int lock;                    /* owned: held; -1 when it is not; not in the record */
};

/* Who asks for a session. */
struct session_requester {
	const char *owner;      /* NULL: all of them are his */
	struct slice tenant_id; /* len 0: not said */
};

/* <run>/sessions, made when it is missing. The descriptor, or -1 with errno. */
int session_open_folder(const struct config *config);

/* Reads a record; lock is left alone. 0, or -1: there is none that is good. */
MUST_USE int session_read(const struct config *config, const char *id, struct session *out);

/* Writes the record; of a session that is not new only where there is one, else ENOENT. 0, or -1
   with errno. */
MUST_USE int session_write(const struct config *config, const struct session *session, bool is_new);

/* Removes its record. True for the process that did. */
bool session_remove(const struct config *config, const struct session *session);

/* Rule 2. */
bool session_is_of(const struct session *session, const struct session_requester *requester);

/* Nothing used it for longer than its TTL, or it has no container yet, or it is another boot's. */
bool session_is_expired(const struct session *session);

/* Seconds since it was made, and since it was used. */
double session_age_s(const struct session *session);
double session_idle_s(const struct session *session);

/* Calls row for every session of the requester, without its lock. 0, or -1 with *err. */
MUST_USE int session_list(const struct config *config, const struct session_requester *requester,
			  void (*row)(void *context, const struct session *session), void *context,
			  struct error *err);
