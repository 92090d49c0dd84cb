/*
 * multipart/form-data (RFC 7578, RFC 2046 section 5.1), parsed from whatever pieces arrive: what it
 * holds back is a boundary that may be beginning and the header of one part. Pure.
 *
 * Rules:
 *  1. A boundary is 1 to 70 characters of RFC 2046's, the last one no blank. A line that begins
 *     with it is a delimiter or an error, never content.
 *  2. A body without its closing delimiter is refused: what came so far may be half a file.
 *  3. Lines of a header end in CRLF; no folding, no control bytes, one Content-Disposition of
 *     form-data with a name, no transfer encoding that would have to be undone.
 *  4. filename* is ignored (RFC 7578 section 4.2 forbids it). A filename is data; what it may be is
 *     for the caller to decide.
 */
#pragma once

#include "base/error.h"
#include "base/slice.h"
#include "bounds.h"

#include <stdbool.h>

/* What a part's header says. The slices point into the parser and are valid during the call. */
struct multipart_part {
	struct slice name, filename; /* unquoted */
	bool has_filename;
};

/* What is called while parsing, each 0 to go on or -1 with *err, which ends it. */
struct multipart_events {
	int (*begin)(void *context, const struct multipart_part *part, struct error *err);
	int (*data)(void *context, struct slice data,
		    struct error *err); /* of the part begun last; any number of times */
	int (*end)(void *context, struct error *err);
	void *context;
};

struct multipart {
	char delimiter[MULTIPART_BOUNDARY_MAX_BYTES + 5]; /* CRLF, "--", boundary, NUL */
	size_t delimiter_len;
	size_t matched;        /* of the delimiter */
	size_t matched_before; /* of that: what was no content in any case */
	int state;             /* private */
	size_t skipped;        /* bytes of the preamble, or of padding behind a delimiter */
	unsigned parts;
	size_t header_len;
	char header[MULTIPART_HEADER_MAX_BYTES];
	char name[MULTIPART_HEADER_MAX_BYTES], filename[MULTIPART_HEADER_MAX_BYTES];
};

/* Begins with a request's Content-Type. 0, or -1 with *err: 400 "multipart_required" (not
   multipart/form-data), "multipart_boundary" (none, or rule 1). */
MUST_USE int multipart_begin(struct slice content_type, struct multipart *out, struct error *err);

/* Takes the next piece of the body. 0, or -1 with *err: 400 "multipart_malformed",
   "multipart_header_too_long", "multipart_too_many_parts", or what an event says. */
MUST_USE int multipart_feed(struct multipart *parser, struct slice piece,
			    const struct multipart_events *events, struct error *err);

/* The body is over. 0, or -1 with *err: 400 "multipart_incomplete" (rule 2). */
MUST_USE int multipart_end(const struct multipart *parser, struct error *err);
