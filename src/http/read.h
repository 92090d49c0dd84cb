/*
 * Reading one request from the connection: a head within its deadline, then a body within its own.
 * Bytes after the body are never parsed (rule 1 of the design).
 */
#pragma once

#include "base/buf.h"
#include "base/deadline.h"
#include "http/chunked.h"
#include "http/parse.h"

#include <sys/types.h>

struct http_connection {
	int fd;          /* not owned */
	struct buf head; /* owned: what was read so far; the request's slices point into it */
	struct http_request request; /* valid after http_read_head */
};

/* A connection that has read nothing. A caller that was handed bytes which another program read
   from fd appends them to head first. */
struct http_connection http_connection_new(int fd);
void http_connection_free(struct http_connection *connection);

/* Reads until the head is whole. 0, or -1 with *err: what http_parse_head says, 408 "head_timeout",
   400 "head_incomplete" at end of file. Status 0 when there is no client to
   answer: "no_request", the peer closed without a byte; "client_gone", the connection broke. */
MUST_USE int http_read_head(struct http_connection *connection, deadline_ms deadline,
			    struct error *err);

/* Reads the body into body (born by the caller, empty, with the route's maximum): answers
   "100-continue" first when the client waits for it, refuses a too large Content-Length before
   reading: 413 "body_too_large"; 411 "length_required" for a POST or PUT with neither length nor
   chunked; 415 "content_encoding" for one other than identity; 408 "body_timeout"; 400
   "body_incomplete" or what chunked_decode says; status 0 "client_gone". After a refusal body holds
   a part. */
MUST_USE int http_read_body(struct http_connection *connection, struct buf *body,
			    deadline_ms deadline, struct error *err);

/* The body in pieces, for who needs no more of it than one at a time. */
struct http_body_reader {
	struct http_connection *connection;
	deadline_ms deadline;
	struct chunked chunked;
	struct slice first; /* what came in behind the head and was not given out yet */
	uint64_t left;      /* bytes to come, unless chunked */
};

/* Begins: answers "100-continue", refuses as http_read_body does. max in bytes. */
MUST_USE int http_body_begin(struct http_connection *connection, uint64_t max, deadline_ms deadline,
			     struct http_body_reader *out, struct error *err);

/* The next piece, decoded, of at most size bytes. Its length; 0 at the end of the body; -1
   with *err as http_read_body. */
MUST_USE ssize_t http_body_read(struct http_body_reader *reader, char *piece, size_t size,
				struct error *err);
