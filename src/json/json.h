/*
 * A thin, strict skin over jansson: no duplicate keys, no trailing bytes, no NUL in strings,
 * bounded depth. Compact and clean UTF-8 on the way out.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

#include <jansson.h>

static inline void cleanup_json(json_t **value)
{
	json_decref(*value);
}

#define _cleanup_json_ __attribute__((cleanup(cleanup_json)))

/* Parses a whole text (RFC 8259). The caller owns *out. 0, or -1 with *err: 400 "bad_json" (line,
 * column, what is wrong), "json_too_deep", "json_too_many_values"; 500 "out_of_memory". */
MUST_USE int json_parse(struct slice text, json_t **out, struct error *err);

/* The same, with NUL allowed in strings: their reader has to look at the length. A NUL in a
   key is 400 "json_nul_in_key". */
MUST_USE int json_parse_with_nul(struct slice text, json_t **out, struct error *err);

/* Either, for a file that people write: *line receives the line of what is wrong, from 1. */
MUST_USE int json_parse_lines(struct slice text, bool may_hold_nul, json_t **out, unsigned *line,
			      struct error *err);

/* A new string of text with what is not UTF-8 replaced by U+FFFD; NULL when memory is out. */
json_t *json_clean_string(struct slice text);

/* The text of an object's field; NULL where that is no string. It lives as long as the object. */
static inline const char *json_text(const json_t *object, const char *field)
{
	return json_string_value(json_object_get(object, field));
}

/* The bytes of a string, borrowed; none of what is no string. */
static inline struct slice json_slice(const json_t *text)
{
	return (struct slice){json_string_value(text), json_string_length(text)};
}

/* Is the field that text? */
static inline bool json_text_is(const json_t *object, const char *field, const char *text)
{
	const char *have = json_text(object, field);

	return have && strcmp(have, text) == 0;
}

/* Appends value, compact. 0, or -1 as buf_append. */
MUST_USE int json_write(const json_t *value, struct buf *out);
