/* Links to what is stored: signed ones to the file store (src/api/runs/README.md), and to files of
   results. */
#pragma once

#include "server/call.h"
#include "store/links.h"

/* Sets "url" and "expires_at" (RFC 3339) of an entry: a link to the file of that id by the host
   that the request named, good for SIGNED_URL_TTL_S. 0, or -1 as sign_link. */
MUST_USE int link_set(const struct call *call, const struct sign_key *key, const char *id,
		      json_t *entry);

/* http://<Host>/artifacts/<session_id>/<id>/<path>, https where PUBLIC_BASE_URL says so of that
   Host. NULL when it is too long. */
json_t *link_artifact(const struct call *call, const char *session_id, const char *id,
		      struct slice path);
