/*
 * One request being answered: what a handler is given, and the ways to answer.
 */
#ifndef MAYFLY_API_CALL_H
#define MAYFLY_API_CALL_H

#include "auth/keys.h"
#include "base/buf.h"
#include "config/config.h"
#include "http/read.h"
#include "http/reply.h"
#include "job/executor.h"
#include "json/json.h"

/* Who calls, as keys tell callers apart. Without keys everybody on loopback is one caller. */
#define CALLER_LOOPBACK "loopback"
#define CALLER_EXECUTOR "executor" /* who shows EXECUTOR_API_KEY */

struct caller {
	bool has_key;
	struct key key; /* with has_key */
	char id[KEY_ID_BYTES]; /* the key's id, or CALLER_LOOPBACK: owner of records and files; "" when nobody asked */
	char label[KEY_LABEL_BYTES]; /* the key's, or CALLER_LOOPBACK: for the log */
};

struct stream;

struct call {
	const struct config *config;
	struct caller caller; /* of routes that need a scope, or run a job */
	struct http_connection *connection;
	struct buf body;          /* owned: the request's body, once read */
	struct executor executor; /* runs its jobs */
	struct stream
		*stream; /* of events, or NULL: the reply becomes its last one (server/stream.h) */
	const char *allow;     /* with 405: the methods that are allowed */
	bool wants_bearer;     /* with 401: a bearer token is what is missing (RFC 6750) */
	int64_t retry_after_s; /* with 429 and 409: when to come again */
	bool has_service_key; /* EXECUTOR_API_KEY is set, and the caller of the sandbox API has shown it */
	bool is_replayed;    /* the answer is an earlier one's: the same X-Idempotency-Key */
	bool is_cached;      /* the answer is an earlier run's: cache:true */
	bool body_is_unread; /* a handler that reads the body itself stopped before its end */
	int status;          /* answered; 0: nobody was there to answer */
	const char *route;   /* the row's path; NULL: there is none */
	int64_t started_us;  /* on the monotonic clock: when the connection was there */
	int64_t answered_us; /* on the monotonic clock: when the answer was sent; 0: it was not */
	const char *code;    /* of a refusal, for the log */
	/* the sandbox API: X-Request-ID as it was sent, or one of ours; "" with any other */
	char request_id[SANDBOX_REQUEST_ID_MAX_BYTES + 1];
	struct slice
		origin; /* the request's Origin, once it was allowed; empty when there is none */
};

/* Answers with a body of one type. Failures to send are the client's business and only noted. */
void call_reply(struct call *call, int status, const char *type, struct slice body);

/* Answers with JSON, compact. Takes over value; NULL (memory was out) becomes a 500. */
void call_reply_json(struct call *call, int status, json_t *value);

/* The ordinary refusal: {"statusCode","code","error","message"}, with Retry-After on 503 and Allow on 405. status 0 answers nothing. */
void call_refuse(struct call *call, const struct error *err);

/* The runs API's: {"error":<message>,"data":null}, with Retry-After on 429 and 503, WWW-Authenticate on 401. */
void call_refuse_data(struct call *call, const struct error *err);

/* The sandbox API's: {"status":"error","error":<message>}. */
void call_refuse_status(struct call *call, const struct error *err);

#endif
