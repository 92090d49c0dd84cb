/*
 * Base64 (RFC 4648), both alphabets, strict.
 *
 * Rules:
 *  1. Decoding takes exactly what encoding gives: one alphabet, no line ends, no blanks; padding
 *     where it belongs (plain) or none at all (url); the unused bits of the last character are 0
 *     (section 3.5). So two texts never mean the same bytes.
 *  2. What comes out is appended whole or not at all.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>

/* Appends data in the standard alphabet, padded (section 4). 0, or -1 as buf_append. */
MUST_USE int base64_encode(struct buf *out, struct slice data);

/* Appends the bytes that text stands for. 0, or -1 with errno: EINVAL (rule 1), or as
   buf_append. */
MUST_USE int base64_decode(struct buf *out, struct slice text);

/* Would base64_decode take it? Needs no memory. */
bool base64_is_good(struct slice text);

/* The same in the alphabet of URLs and file names, without padding (section 5). */
MUST_USE int base64url_encode(struct buf *out, struct slice data);
MUST_USE int base64url_decode(struct buf *out, struct slice text);
