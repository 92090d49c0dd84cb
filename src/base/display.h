/*
 * The payload of a DISPLAY frame: fields, an empty field, content (protocol/control.h).
 *
 * Rules:
 *  1. The sender is hostile: a type is a MIME type in lower case, names are words, the index is a
 *     number; anything else is refused.
 *  2. The content is bytes of any kind and is not looked at.
 */
#pragma once

#include "base/error.h"
#include "base/slice.h"

#include <stdint.h>

#define DISPLAY_ERROR_TYPE "application/vnd.mayfly.error"

struct display {
	struct slice type;    /* at most DISPLAY_TYPE_MAX_BYTES */
	struct slice name;    /* at most DISPLAY_WORD_MAX_BYTES of [A-Za-z0-9_-] */
	struct slice source;  /* the same */
	struct slice message; /* one line of any text; empty when there is none */
	uint64_t index;       /* of the cell in its kernel, from 0 */
	struct slice content;
};

/* Slices of *out point into payload. 0, or -1 with *err: 502 "display_bad". */
MUST_USE int display_parse(struct slice payload, struct display *out, struct error *err);
