/*
 * Which part of a file a request wants: conditional requests (RFC 9110 section 13) and one byte
 * range (section 14). Pure.
 */
#pragma once

#include "base/date.h"
#include "http/parse.h"

#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#define STATIC_ETAG_BYTES 80

/* What a representation is compared by. */
struct static_validators {
	char etag[STATIC_ETAG_BYTES];   /* strong, quoted */
	char modified[DATE_HTTP_BYTES]; /* IMF-fixdate (RFC 9110 section 5.6.7) */
	time_t modified_s;              /* seconds since the epoch */
	uint64_t size_bytes;
};

enum static_outcome {
	STATIC_WHOLE,               /* 200 */
	STATIC_PART,                /* 206 */
	STATIC_NOT_MODIFIED,        /* 304 */
	STATIC_PRECONDITION_FAILED, /* 412 */
	STATIC_NOT_SATISFIABLE,     /* 416 */
};

struct static_part {
	uint64_t first, length; /* bytes */
};

/* The validators of a file: inode, size and time to the nanosecond make the tag, so that a file
   that is replaced, appended to or rewritten has another. */
struct static_validators static_validators_of(const struct stat *file);

/* Judges the preconditions in the order of RFC 9110 section 13.2.2, then the range. *part is always
   written: what is to be sent with 200 and 206. Ignored, so 200: a malformed range, another unit,
   several ranges, a repeated field, any range of an empty file, any range with another method than
   GET. */
enum static_outcome static_evaluate(const struct http_request *request,
				    const struct static_validators *file, struct static_part *part);
