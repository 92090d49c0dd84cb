/* Media types by file name, and what a browser may do with them. */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

/* Ordered by danger. */
enum static_handling {
	STATIC_SHOWN,  /* text, image, sound: a browser shows it and runs nothing */
	STATIC_SAVED,  /* a browser can only save it */
	STATIC_ACTIVE, /* a browser could run it: saved, and sandboxed in case it is not */
};

struct static_type {
	const char *name; /* media type */
	enum static_handling handling;
};

/* The type of a file name (its last path component), by extension without regard to case;
   application/octet-stream without a known one. */
struct static_type static_type_of(struct slice file_name);

/* Appends the value of Content-Disposition (RFC 6266): a quoted ASCII name, and filename* (RFC
   8187) where that lost something and the name is UTF-8. 0, or -1 as buf_append. */
MUST_USE int static_disposition(struct buf *out, enum static_handling handling,
				struct slice file_name);
