/*
 * Server-sent events (WHATWG HTML, section 9.2): an answer that goes on while a job runs.
 *
 * Rules:
 *  1. Sending never waits for the client: what it does not take is kept, up to a maximum, and sent
 *     when it takes more. A client that reads slowly holds no job up.
 *  2. The body ends with the connection (RFC 9112 section 6.3, 8), so it needs no coding and
 *     HTTP/1.0 clients can read it.
 *  3. A client that is not there any more is seen by who watches the connection (http/watch.h);
 *     here it only ends the sending.
 */
#pragma once

#include "base/buf.h"
#include "base/deadline.h"
#include "http/parse.h"

#include <stdbool.h>

struct sse {
	int fd;              /* not owned */
	struct buf outgoing; /* owned: what the client has not taken yet */
	bool is_broken;      /* nothing can be sent any more */
	deadline_ms sent;    /* when something was last added */
};

/* True when the request's Accept field names text/event-stream (RFC 9110 section 12.5.1), not with
   a weight of 0. */
bool sse_is_accepted(const struct http_request *request);

/* A stream that has sent nothing; max: bytes kept for a slow client. */
struct sse sse_new(int fd, size_t max);
void sse_free(struct sse *sse);

/* Sends the head of a 200. */
void sse_begin(struct sse *sse);

/* Sends one event; without a name (NULL) it is of the type "message". data must be one line: JSON
   without line breaks. */
void sse_event(struct sse *sse, const char *name, struct slice data);

/* Sends a comment when nothing was sent since SSE_HEARTBEAT_MS, so that proxies and clients see
   that we live. */
void sse_beat(struct sse *sse);

/* Sends of what is kept as much as the client takes now. True when something is still kept. */
bool sse_push(struct sse *sse);

/* Sends everything that is kept. 0, or -1 with errno (ETIMEDOUT at the deadline). */
MUST_USE int sse_end(struct sse *sse, deadline_ms deadline);
