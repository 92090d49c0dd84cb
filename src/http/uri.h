/* Percent-encoding (RFC 3986 section 2.1) and request paths. */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

/* Decodes path once, appending to out (owned by the caller, born with its maximum): 400
   "bad_percent" for a broken escape, "nul_in_path" for %00 or a NUL byte, 414 "path_too_long";
   out is then as it was. Leaves dot segments and %2F-made slashes to the caller's
   fs_is_relative_path. */
MUST_USE int uri_decode(struct slice path, struct buf *out, struct error *err);

/* Appends text with everything but unreserved characters percent-encoded; a slash stays when
 * keep_slash. */
MUST_USE int uri_encode(struct buf *out, struct slice text, bool keep_slash);

/* The value of a query parameter, still encoded; false when it is absent. "a" in "a&b=1" has the
 * empty value. */
bool uri_query(struct slice query, const char *name, struct slice *value);
