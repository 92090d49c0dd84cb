/*
 * One reader of JSON fields: a table says what each is called, what it must be and where it goes.
 * Drop-in files (config/registry.h) and the bodies of requests are read with it, and each says in
 * its own words what is wrong.
 *
 * Rules:
 *  1. A field that is left out leaves its place as it was: the caller puts the default there first.
 *  2. Fields are read in the order of the table; the first that is wrong ends the reading.
 *  3. Texts, lists and objects are borrowed: they live as long as the object that is read.
 */
#pragma once

#include "base/slice.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a field must be, and the type of its place. */
enum json_kind {
	READ_SLICE,  /* a string: struct slice */
	READ_TEXT,   /* a string without NUL: const char * */
	READ_COPY,   /* the same, at most `most` bytes: char[most + 1] */
	READ_NUMBER, /* an integer that is not negative: uint64_t */
	READ_FLAG,   /* true or false: bool */
	READ_TEXTS,  /* an array of strings without NUL: const json_t * */
	READ_MAP,    /* an object of strings without NUL: const json_t * */
	READ_LIST,   /* an array: const json_t * */
	READ_OBJECT, /* const json_t * */
	READ_ANY,    /* const json_t * */
};

/* How a body's field is refused: a stable code, and what is said behind its name. */
struct json_complaint {
	const char *code, *text;
};

struct json_field {
	const char *name;
	enum json_kind kind;
	size_t offset; /* of its place */
	/* of a number its value, of a string its bytes, of an array its entries; most 0: without
	   bounds */
	uint64_t least, most;
	bool is_required;
	const char *wanted; /* what it must be, in place of json_wanted's words; or NULL */
	struct json_complaint too_small, too_large; /* for json_take; too_small also when missing */
};

enum json_mistake { JSON_UNKNOWN, JSON_MISSING, JSON_WRONG_TYPE, JSON_TOO_SMALL, JSON_TOO_LARGE };

struct json_refusal {
	enum json_mistake mistake;
	const struct json_field *field; /* NULL with JSON_UNKNOWN */
	const char *name;               /* of the field */
};

enum json_strictness {
	JSON_KNOWN_ONLY, /* an unknown field is refused, as null is where it is not of the kind */
	JSON_LENIENT,    /* unknown fields are ignored */
	JSON_NULL_IS_ABSENT, /* as JSON_LENIENT, and null counts as left out */
};

/* Reads an object's fields into out; NULL and what is no object have none. 0, or -1 with *refusal,
   whose texts are the table's or the object's. */
MUST_USE int json_read(const json_t *object, const struct json_field *fields, size_t count,
		       enum json_strictness strictness, void *out, struct json_refusal *refusal);

/* Is a value of that kind? */
bool json_is_kind(const json_t *value, enum json_kind kind);

/* The same for a request's body, whose unknown fields are ignored: -1 with *err, 400 with the
   complaint of the row, or "wrong_type" ("F must be T"). within stands before the names in
   messages, such as "frontend."; or "". */
MUST_USE int json_take(const json_t *object, const char *within, const struct json_field *fields,
		       size_t count, enum json_strictness strictness, void *out, struct error *err);

/* What a field must be: "a string", "an integer", "true or false", "an array of strings", "an
   object of strings", "an array", "an object". */
const char *json_wanted(const struct json_field *field);

/* For the rows of a table. */
#define READ_FIELD(type, place, field_name, field_kind)                                            \
	.name = (field_name), .kind = (field_kind), .offset = offsetof(type, place)
#define READ_BOUNDS(from, to) .least = (from), .most = (to)
#define READ_REQUIRED         .is_required = true
