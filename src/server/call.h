/*
 * One request being answered: what a handler is given, and the ways to answer.
 */
#pragma once

#include "auth/keys.h"
#include "base/buf.h"
#include "config/config.h"
#include "http/read.h"
#include "http/reply.h"
#include "job/executor.h"
#include "json/json.h"

/* Who calls, as keys tell callers apart. Without keys all on loopback are one caller. */
#define CALLER_LOOPBACK "loopback"
#define CALLER_EXECUTOR "executor" /* a caller that shows EXECUTOR_API_KEY */

struct caller {
	bool has_key;
	struct key key;        /* with has_key */
	char id[KEY_ID_BYTES]; /* the key's id, or CALLER_LOOPBACK: owner of records and files; ""
				  where no key is asked for */
	char label[KEY_LABEL_BYTES]; /* the key's, or CALLER_LOOPBACK: for the log */
};

struct stream;

struct call {
	const struct config *config;
	struct caller caller; /* of routes that need a scope, or run a job */
	struct http_connection *connection;
	struct buf body;          /* owned: the request's body, once read */
	struct executor executor; /* runs its jobs */
	/* of events, or NULL: the reply becomes its last one (server/stream.h) */
	struct stream *stream;
	const char *allow;       /* with 405: the methods that are allowed */
	const char *disposition; /* of a file that is sent (RFC 6266), or NULL */
	int64_t retry_after_s;   /* with 429 and 409: when to come again */
	bool has_service_key;    /* EXECUTOR_API_KEY is set, and the caller of the sandbox API has
				    shown it */
	bool is_replayed;        /* the answer is an earlier one's: the same X-Idempotency-Key */
	bool is_cached;          /* the answer is an earlier run's: cache:true */
	bool body_is_unread;     /* a handler that reads the body itself stopped before its end */
	int status;              /* answered; 0: the client had gone */
	const char *route;       /* the row's path, for the log; NULL: there is none */
	struct slice rest;       /* the request's path behind the row's */
	int64_t sent_bytes;      /* of a file or a page, for the log; or CALL_UNCOUNTED */
	int64_t started_us;      /* on the monotonic clock: when the connection was there */
	int64_t answered_us; /* on the monotonic clock: when the answer was sent; 0: it was not */
	const char *code;    /* of a refusal, for the log */
	/* the sandbox API: X-Request-ID as it was sent, or one of ours; "" with any other */
	char request_id[SANDBOX_REQUEST_ID_MAX_BYTES + 1];
};

#define CALL_UNCOUNTED (-1)

/* The code, for the log, of a reply that the client did not take whole. */
#define CALL_NOT_SENT "reply_not_sent"

/* True where the caller has a name of its own, a key's or a token's subject; else it is one of all
   on loopback, or of all who show the service's key. */
bool call_is_named(const struct call *call);

/* The request's head has been read: its path says which API is called. Where that one has request
   ids, call->request_id becomes its X-Request-ID, if that is printable and not too long, else a
   random UUID (RFC 9562 section 5.4). */
void call_begin(struct call *call);

/* Its jobs have ended: gives the slot back, and counts what they have used of the key's CPU time.
 */
void call_leave(struct call *call);

/* Sends a reply, its body left out for HEAD. That it could not be sent is only noted. */
void call_send(struct call *call, const struct http_reply *reply, struct slice body);

/* Answers with a body of one type. */
void call_reply(struct call *call, int status, const char *type, struct slice body);

/* Answers with JSON, compact. Takes over value. */
void call_reply_json(struct call *call, int status, json_t *value);

/* Refuses, in the shape that errors have in the API of the request's path, with Retry-After on 429
   and 503, Allow on 405. status 0 answers nothing. */
void call_refuse(struct call *call, const struct error *err);

/* What call_refuse would send, head and all: for when there is no memory to make it. The caller's;
   empty where it does not fit. */
struct buf call_refusal(const struct call *call, const struct error *err);

/* -1 with *err: 404 "no_route", of the request's path. */
int call_no_route(const struct call *call, struct error *err);

/* Counts for the metrics what was noted since the last time. */
void call_count(struct call *call);
