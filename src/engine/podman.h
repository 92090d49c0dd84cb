/*
 * The container engine's HTTP API over its Unix socket: one call at a time over one reused
 * connection. The only place that knows libcurl.
 *
 * API: the one Podman and Docker share (docs.docker.com/reference/api/engine, podman system
 * service(1)). Which of the two answers is learned from the first reply's header fields; what
 * differs between them stands in spec.c.
 *
 * Rules:
 *  1. Every call has a deadline, every reply a maximum.
 *  2. Nothing in the environment (http_proxy, .netrc) changes where a call goes.
 *  3. A status is the caller's to judge; a transport that fails is an error: 503
 *     "engine_unreachable", 504 "engine_timeout", 502 "engine_bad_reply".
 *  4. Some answers leave open what the engine has done: 500, which Podman gives for a moment when
 *     another process of it (the clean-up after another container) has just rewritten its store, or
 *     when a container ends while it is removed; and a connection that breaks. What can be asked
 *     again without harm is, and every time is noted for the log and the metrics.
 */
#pragma once

#include "base/buf.h"
#include "base/deadline.h"
#include "base/error.h"
#include "bounds.h"
#include "engine/socket.h"

#include <curl/curl.h>
#include <jansson.h>
#include <poll.h>
#include <stdbool.h>

enum engine_kind { ENGINE_PODMAN, ENGINE_DOCKER };

struct podman {
	enum engine_kind kind;
	char version[32]; /* the engine's own, "" when it does not say */
	char socket[SOCKET_PATH_BYTES];
	uid_t owner; /* who listens there, in our user namespace; (uid_t)-1 when unknown */
	/* how often something was asked again (rule 4), and what the engine had said, the last time
	 */
	uint64_t asked_again;
	char uncertain[ENGINE_MESSAGE_BYTES];
	/* private */
	char api[16]; /* "/v1.41" */
	CURLM *multi;
	CURL *easy;
	struct curl_slist *fields;
	struct buf reply;
	bool busy, done;
	CURLcode result;
};

struct podman_reply {
	long status;
	struct slice body; /* NUL-terminated; valid until the next call */
};

#define _cleanup_podman_ __attribute__((cleanup(podman_close)))

/* Finds the engine and asks who it is. The caller closes *out. 0, or -1 with *err: what socket_find
 * says, and rule 3. */
MUST_USE int podman_open(struct podman *out, struct error *err);
void podman_close(struct podman *podman);

/* "Podman" or "Docker". */
const char *podman_name(const struct podman *podman);

/* One whole call. path is without the API's version; body is JSON, or empty. 0 for any status, or
 * -1 with *err. */
MUST_USE int podman_call(struct podman *podman, const char *method, const char *path,
			 struct slice body, deadline_ms deadline, struct podman_reply *out,
			 struct error *err);

/* After podman_call or podman_finish, whose result done is, with its reply or its *err: true when
   rule 4 is about it, and *err says what the answer was to what. */
bool podman_is_uncertain(const struct podman *podman, int done, const struct podman_reply *reply,
			 const char *what, struct error *err);

/* Notes that what err says is asked again, once pause_ms are over. */
void podman_again(struct podman *podman, const struct error *err, int pause_ms);

/* As podman_call without a body, for what can be done twice, GET and DELETE: again while the answer
   is uncertain and patience has not run out; 409 to a DELETE (another one is under way) is, too.
   what: what was asked for, for the message. */
MUST_USE int podman_ask(struct podman *podman, const char *method, const char *path,
			const char *what, deadline_ms deadline, deadline_ms patience,
			struct podman_reply *out, struct error *err);

/* GET by podman_ask, with ENGINE_AGAIN_PATIENCE_MS, and the reply read as JSON, which is the
   caller's. 0; 1 for 404, with *err; or -1 with *err. */
MUST_USE int podman_get(struct podman *podman, const char *path, const char *what,
			deadline_ms deadline, json_t **out, struct error *err);

/* The same, asked once. */
MUST_USE int podman_get_once(struct podman *podman, const char *path, const char *what,
			     deadline_ms deadline, json_t **out, struct error *err);

/* The same in three steps, for who has to wait for something else meanwhile. podman_wait returns 1
   when the call is over, 0 when one of the descriptors of others is ready or the time until has
   come; its revents are written. */
MUST_USE int podman_begin(struct podman *podman, const char *method, const char *path,
			  struct slice body, deadline_ms deadline, struct error *err);
int podman_wait(struct podman *podman, struct pollfd *others, unsigned count, deadline_ms until);
MUST_USE int podman_finish(struct podman *podman, struct podman_reply *out, struct error *err);

/* Gives up a call that was begun; its connection is closed. */
void podman_abandon(struct podman *podman);

/* 502 "engine_bad_reply" from a reply whose status was not expected: what was asked for, status,
 * and what the engine says. */
int podman_unexpected(const struct podman *podman, const struct podman_reply *reply,
		      const char *what, struct error *err);

/* The "message" of a reply in one clean line; "" when there is none. */
void podman_message(const struct podman_reply *reply, char out[ENGINE_MESSAGE_BYTES]);
