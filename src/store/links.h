/*
 * Signed links (src/api/runs/README.md): json = {"path":"/v1/files/<id>","exp":<unix
 * s>,"method":"GET"}, payload = unpadded base64url(json), sig = lower-case hex
 * HMAC-SHA256(SIGNING_KEY, json).
 *
 * Rules:
 *  1. The signature is compared in constant time, before a byte of the payload is looked at.
 *  2. With no SIGNING_KEY a random one is made, once, and kept: <STORAGE_DIR>/.signing-key, mode
 *     0600, written aside, synced and renamed under a lock on the folder, so that of two processes
 *     that make it both end up with the same.
 */
#pragma once

#include "base/buf.h"
#include "config/config.h"

#include <stdint.h>

#define SIGN_KEY_FILE ".signing-key"

struct sign_key {
	char text[CONFIG_SECRET_BYTES]; /* never empty */
};

/* The key: SIGNING_KEY, else the file's; may_make: made when there is none. 0, or -1 with *err: 404
   "no_signing_key" (and it may not be made: nothing was ever signed), 500 "signing_key_unreadable",
   "storage_failed". */
MUST_USE int sign_key_load(const struct config *config, bool may_make, struct sign_key *out,
			   struct error *err);

/* Appends a link to an entry of the file store: PUBLIC_BASE_URL, else http://<host> (a Host field's
   value), then the path, payload and signature. expires_s: usually time(NULL) + SIGNED_URL_TTL_S.
   0, or -1 as buf_append. */
MUST_USE int sign_link(const struct sign_key *key, const struct config *config, struct slice host,
		       const char *id, int64_t expires_s, struct buf *out);

/* Is this request signed? path and query as they were sent, method GET or HEAD (which a signed GET
   includes). The query is exactly one payload and one sig. key NULL: there is none, so no signature
   is good. 0, or -1 with *err: 403, messages "missing signature" "invalid signature" "path
   mismatch" "method mismatch" "url expired". */
MUST_USE int sign_check(const struct sign_key *key, struct slice path, struct slice query,
			const char *method, int64_t now_s, struct error *err);
