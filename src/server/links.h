/* Signed links to what is in the file store (src/api/runs/README.md). */
#pragma once

#include "server/call.h"
#include "store/links.h"

/* Sets "url" and "expires_at" (RFC 3339) of an entry: a link to the file of that id by the host
   that the request named, good for SIGNED_URL_TTL_S. 0, or -1 as sign_link. */
MUST_USE int link_set(const struct call *call, const struct sign_key *key, const char *id,
		      json_t *entry);
