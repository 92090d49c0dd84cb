/*
 * The request head, parsed from one complete, bounded buffer into slices of it. Pure: no
 * descriptor, no allocation.
 *
 * Rules (RFC 9112 with the strict choice wherever it offers one; the words are those of
 * tests/http):
 *  1. Lines end in CRLF; a bare CR or LF, NUL, obs-fold, a space before the colon is 400.
 *  2. One framing: Content-Length together with Transfer-Encoding, a second Content-Length, a sign,
 *     a list is 400; a transfer coding other than exactly "chunked" is 501.
 *  3. Exactly one Host (RFC 9112 section 3.2) in HTTP/1.1; at most one in HTTP/1.0.
 *  4. HTTP/1.0 and HTTP/1.1 only: else 505. No Transfer-Encoding in HTTP/1.0: 400.
 */
#pragma once

#include "base/error.h"
#include "base/slice.h"
#include "bounds.h"

#include <stdbool.h>
#include <stdint.h>

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_OTHER
};

struct http_field {
	struct slice name, value; /* value without surrounding blanks */
};

/* Slices into the parsed bytes; but path is a static "/" or "*" where an absolute-form target has
   none. */
struct http_request {
	enum http_method method;
	struct slice method_text;
	struct slice target; /* as sent: origin-form, absolute-form, or "*" */
	struct slice path;   /* still percent-encoded; begins with '/', or is "*" for OPTIONS */
	struct slice query;  /* without the '?'; empty when there is none */
	/* host[:port], its syntax checked (authority.h): of an absolute-form target, else of the
	   Host field; empty only in HTTP/1.0 */
	struct slice host;
	unsigned minor_version; /* 0 or 1 */
	struct http_field fields[HTTP_FIELD_MAX_COUNT];
	unsigned field_count;
	bool has_content_length, chunked, expect_continue;
	uint64_t content_length; /* bytes */
	size_t head_len; /* bytes of the head, its final CRLF CRLF included; the body follows */
};

/* Parses data[0..len). 1 when the head is whole and good, with *out written (its slices point into
   data); 0 when more bytes are needed (also while the head so far is good but incomplete); -1
   with *err: 400, 414, 417 (an unknown Expect), 431, 501 or 505. A refusal comes as early as the
   bytes allow, and is the same however the bytes arrive. */
MUST_USE int http_parse_head(const char *data, size_t len, struct http_request *out,
			     struct error *err);

/* The value of the first field of that name, or NULL. Names are compared without case. */
const struct slice *http_field(const struct http_request *request, const char *name);

/* Is a Content-Type's value of that media type, with whatever parameters (RFC 9110 section 8.3.1)?
 */
bool http_is_media_type(struct slice content_type, const char *wanted);
