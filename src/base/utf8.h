/* UTF-8 as RFC 3629 defines it: no surrogates, no overlong forms, nothing above U+10FFFF. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>

bool utf8_is_valid(struct slice text);

/* Appends text with each maximal invalid part replaced by U+FFFD (Unicode 15, section 3.9, "best
   practice"). 0, or -1 as buf_append. */
MUST_USE int utf8_append_clean(struct buf *out, struct slice text);

/* The largest length <= len that does not cut a character in two; for text trimmed at a byte limit.
 */
size_t utf8_trim(const char *data, size_t len);
