/*
 * Who calls: the bearer token of the runs API, and of whoever runs code from another machine.
 *
 * Rules:
 *  1. With keys configured, a valid token is needed. With none, any caller on loopback is served, with or without a token, and nobody else.
 *  2. Once they are checked the keys are forgotten (config_forget_keys): whatever reads the body, or what a container says, has none to lose.
 *  3. Routes say in their row which scope they need; routes.c checks it before a byte of the body is read and leaves the caller in call->caller. Handlers only
 *     look there.
 */
#ifndef MAYFLY_API_AUTH_H
#define MAYFLY_API_AUTH_H

#include "server/call.h"

/* Checks the request's Authorization against the keys. 0 and *out, or -1 with *err: 401 "missing_token" (message "missing bearer token"),
   "invalid_token" ("invalid token"); 403 "scope_missing", "no_key_configured"; what keys_load says. Before confinement. */
MUST_USE int auth_check(const struct call *call, enum key_scope scope, struct caller *out,
			struct error *err);

/* The agents API: with JWT_SECRET a token of it is needed (auth/jwt.h), and its subject is the caller; without it, as auth_check_run, and all are one caller.
   0 and *out, or -1 with *err: 401 "missing_token" ("No token provided"), "invalid_token" ("Invalid or expired token"). Before confinement. */
MUST_USE int auth_check_agent(struct call *call, struct caller *out, struct error *err);

/* The sandbox API's administration: a key of scope admin as auth_check wants it; the caller on loopback only where there is no key of either kind. 0, or -1 with *err:
   401 "unauthorized", "missing_token", "invalid_token"; 403 "scope_missing", "no_key_configured". Before confinement. */
MUST_USE int auth_check_admin(const struct call *call, struct caller *out, struct error *err);

/* May who calls run code, where the route asks for no key of its own? On loopback anybody; elsewhere who shows EXECUTOR_API_KEY (X-API-Key) or a key of
   scope run (Bearer). 0 and call->caller, for whose files and results are meant, or -1 with *err: 401 "unauthorized", 403 "no_key_configured", "scope_missing". Before confinement. */
MUST_USE int auth_check_run(struct call *call, struct error *err);

/* The sandbox API: where EXECUTOR_API_KEY is set it is wanted in X-API-Key, on every route and from everybody; else, with needs_key, as auth_check_run.
   call->caller says who it is: the owner of sessions and files. 0, or -1 with *err: 401 "unauthorized", 403. Before confinement. */
MUST_USE int auth_check_sandbox(struct call *call, bool needs_key, struct error *err);

/* Did the request come in on a loopback address, and is that where we are bound? */
bool auth_is_loopback(const struct call *call);

/* Takes one token of the caller's bucket; the loopback caller has none. As bucket_take; call->retry_after_s for the reply. Before confinement. */
MUST_USE int auth_take_token(struct call *call, struct error *err);

#endif
