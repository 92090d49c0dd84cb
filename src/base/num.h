/*
 * The one number parser: the whole string, a base, a maximum; no sign, no blank, no prefix, no
 * empty string.
 */
#pragma once

#include "base/error.h"
#include "base/slice.h"

#include <stdint.h>

/* Parses text in base 8, 10 or 16. 0 and *out written, or -1 (not a number, or more than max) and
 * *out untouched. */
MUST_USE int num_parse(struct slice text, unsigned base, uint64_t max, uint64_t *out);
