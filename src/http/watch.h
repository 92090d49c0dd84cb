/*
 * Is the client still there? While a job runs the connection is not read, yet a client that hangs
 * up cancels its job and one that only half-closes does not.
 *
 * TCP shows both as the same FIN. They differ when we send: a half-closed peer takes the bytes, a
 * closed one answers with RST. So on a FIN we send one "100 Continue", which every HTTP/1.1 client
 * must be ready to skip (RFC 9110 section 15.2), and a closed peer's RST then shows as POLLERR. A
 * Unix socket tells the two apart by itself. Within a stream of events (http/sse.h) a comment does
 * what "100 Continue" does before an answer.
 */
#pragma once

#include "base/deadline.h"
#include "base/error.h"

#include <poll.h>
#include <stdbool.h>

struct http_watch {
	int fd;              /* not owned; -1: no client to watch */
	bool may_probe;      /* HTTP/1.1, and no part of an answer was sent yet */
	bool is_half_closed; /* the FIN was seen and answered with the probe */
	bool is_stream;      /* what was sent so far is whole events: the probe is a comment */
	bool has_more;       /* there is something to send: poll says when the client takes it */
};

/* What to put into a poll set. */
struct pollfd http_watch_pollfd(const struct http_watch *watch);

/* Takes what poll said of it. True when the client is gone. */
bool http_watch_is_gone(struct http_watch *watch, short revents);

/* Waits for a lock (base/lock.h): calls take, which returns 0, or -1 with errno, again and again
   while that is EAGAIN, another has the lock. Returns what take does, or -1 with errno: ETIMEDOUT
   at the deadline, ECONNRESET when the client has gone. */
MUST_USE int http_watch_lock(struct http_watch *watch, deadline_ms deadline,
			     int (*take)(void *context), void *context);
