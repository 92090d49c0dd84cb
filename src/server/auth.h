/*
 * Who calls, and may they: the one place that decides it.
 *
 * Rules:
 *  1. A route says in its row who may call. auth_check decides it before a byte of the body is read
 *     and leaves the caller in call->caller; handlers only look there.
 *  2. With keys configured, a key is needed where a row asks for one. With none, a caller on
 *     loopback is served, with or without a token, and no other. A request that a proxy passes on
 *     (Forwarded, X-Forwarded-For, X-Real-IP, Via) is not from loopback.
 *  3. Keys are loaded at most once a request. Once they are checked they are forgotten
 *     (config_forget_keys): what reads the body, or what a container says, has none to lose.
 */
#pragma once

#include "server/call.h"

enum access {
	ACCESS_PUBLIC, /* anyone; the caller has no name */
	/* on loopback anyone; elsewhere EXECUTOR_API_KEY (X-API-Key) or a key of scope run
	   (Bearer) */
	ACCESS_LOCAL_OR_KEY,
	ACCESS_RUN,  /* a key of that scope; where there are no keys, anyone on loopback */
	ACCESS_READ, /* the same */
	/* a token of JWT_SECRET, its subject is the caller; without that secret as
	   ACCESS_LOCAL_OR_KEY */
	ACCESS_AGENT,
	ACCESS_SANDBOX, /* EXECUTOR_API_KEY, where it is set */
	/* that and ACCESS_LOCAL_OR_KEY; a key that is shown beside it says whose sessions and files
	   are meant */
	ACCESS_SANDBOX_RUN,
	/* that and a key of scope admin; on loopback without one where there is no key of either
	   kind */
	ACCESS_SANDBOX_ADMIN,
};

/* May the request's sender call a route of that access? 0 with call->caller, or -1 with *err: 401
   "missing_token", "invalid_token", "unauthorized"; 403 "scope_missing", "no_key_configured"; what
   keys_load says. Before confinement. */
MUST_USE int auth_check(struct call *call, enum access access, struct error *err);
