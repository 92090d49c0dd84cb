/*
 * A client as small as can be: one request, one reply, the end of the connection. For mayflyctl and
 * for tests. Addresses are numbers, names are not looked up. A wildcard address and localhost are
 * loopback.
 */
#pragma once

#include "base/buf.h"
#include "base/deadline.h"
#include "base/error.h"
#include "bounds.h"

#include <stdint.h>

struct http_client_reply {
	int status;      /* 0: the connection ended without one */
	struct buf body; /* owned, decoded; made by the caller with the maximum that it may have */
};

/* "127.0.0.1:8080", for messages. */
void http_client_name(const char *address, uint64_t port, char out[HTTP_CLIENT_NAME_BYTES]);

/* Connects. The descriptor, or -1 with *err: 503 "unreachable", 504 "timeout". */
MUST_USE int http_client_connect(const char *address, uint64_t port, deadline_ms deadline,
				 struct error *err);

/* Everything that comes until the connection ends, appended to out with a NUL behind it. A reset
   counts as an end: a server may refuse a request that it has not read. 0, or -1 with *err: 504
   "timeout", 502 "bad_reply" where it does not fit. */
MUST_USE int http_client_read(int fd, deadline_ms deadline, struct buf *out, struct error *err);

/* Sends one request as bytes and takes the reply, until the server hangs up. out->body is the
   caller's also after an error. 0, or -1 with *err as from the two above and chunked_decode, and
   502 "bad_reply" for what is no reply of HTTP/1.1, or ends in the middle of one. */
MUST_USE int http_client_send(const char *address, uint64_t port, struct slice request,
			      deadline_ms deadline, struct http_client_reply *out,
			      struct error *err);
