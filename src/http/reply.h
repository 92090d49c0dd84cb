/* Answering once. Every reply closes the connection; every reply carries nosniff and its length. */
#pragma once

#include "base/buf.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* A reply's head under construction. A value with CR, LF or another control byte is refused by
   http_reply_field (errno EINVAL): nothing from outside reaches a header raw. */
struct http_reply {
	int status;
	bool is_broken; /* a field was refused: it is not sent */
	struct buf fields;
};

struct http_reply http_reply_new(int status);
void http_reply_free(struct http_reply *reply);

/* Adds one field. 0, or -1 with errno (EINVAL; EMSGSIZE when the head gets too long; ENOMEM) and
   nothing added: then the reply is broken, and sending it fails with EINVAL. */
int http_reply_field(struct http_reply *reply, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Sends the head alone, with Content-Length: length (for HEAD, for a file that follows). 0, or -1
 * with errno. */
MUST_USE int http_reply_send_head(int fd, const struct http_reply *reply, uint64_t length,
				  deadline_ms deadline);

/* Sends head and body in one write where that is possible; with head_only the length is told and
   the body left out, as it is with statuses that have none (204, 304). 0, or -1 with errno
   (ETIMEDOUT at the deadline). */
MUST_USE int http_reply_send(int fd, const struct http_reply *reply, struct slice body,
			     bool head_only, deadline_ms deadline);

/* Appends what http_reply_send would send. 0, or -1 as buf_append, with a part of it appended. */
MUST_USE int http_reply_write(struct buf *out, const struct http_reply *reply, struct slice body,
			      bool head_only);

/* Has any reply or stream of this process begun? Code that sends one without http_reply_send says
   so with http_reply_begins. */
bool http_reply_has_begun(void);
void http_reply_begins(void);

/* Every reply of this process from here on differs by the request's Origin, and pages of this one
   may read it; of none, when it is empty (Fetch standard, section 3.2). origin is not copied. */
void http_reply_share(struct slice origin);

/* Appends the fields of that. 0, or -1 as buf_append. */
MUST_USE int http_reply_add_sharing(struct buf *head);

/* The reason phrase of a status that is sent here (RFC 9110 section 15), "" of any other. */
const char *http_reason(int status);

/* Lingering close: no more sending, then what the client still sends is read and dropped until it
   closes, a deadline or a maximum, so that it can read our answer before a reset destroys it (RFC
   9112 section 9.6). Does not close fd. */
void http_linger(int fd);
