/*
 * Bearer tokens of the agents API: JSON Web Tokens (RFC 7519) in the compact serialization of RFC
 * 7515, signed with HMAC-SHA256 and nothing else.
 *
 * Rules:
 *  1. We choose the algorithm, not the token: its signature is checked as HS256 first, in constant
 *     time, and a header that says anything else is refused (RFC 8725 section 3.1). So neither
 *     "none" nor a public key used as a secret opens anything.
 *  2. Not a byte of a token is parsed before its signature was good.
 *  3. exp and nbf are what RFC 7519 sections 4.1.4 and 4.1.5 say, without leeway: a token that is
 *     no good at a second is refused at that second. A claim of the wrong type is refused, and so
 *     is a header with "crit": we know no extension.
 *  4. Every refusal is the same one: guessing learns nothing from it.
 */
#pragma once

#include "base/error.h"
#include "base/slice.h"
#include "bounds.h"

#include <stdint.h>

struct jwt {
	char subject[JWT_SUBJECT_MAX_BYTES + 1]; /* the claim "sub"; "" when there is none */
};

/* Is this token good at now_s (seconds since 1970)? 0 and *out, or -1 with *err: 401
   "invalid_token". */
MUST_USE int jwt_verify(struct slice token, struct slice secret, int64_t now_s, struct jwt *out,
			struct error *err);
