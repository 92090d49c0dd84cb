/*
 * The subset of JSON Schema (draft 2020-12) that describes a tool's parameters. One object serves
 * validation, GET /tools and the debug form.
 *
 * Keywords, and nothing else: type (string, integer, number, boolean), title, description, default,
 * examples (an array), errorMessage (an object of our own: a keyword's refusal in the tool's
 * words); of strings enum (of strings), minLength, maxLength (both in bytes of UTF-8), format,
 * contentEncoding ("base64": a file's bytes, or in their place the id of an upload); of numbers
 * minimum, maximum.
 *
 * Formats that are checked: session-id, filename (one path component, neither stdout nor stderr),
 * upload (the id of one). runtime becomes the enum of what is installed (config/tool.h); code, uri
 * and others only inform.
 *
 * A parameter without a default is required. Unknown keys of an input are ignored; an unknown
 * keyword, one that says nothing about its type, and a parameter whose name is not made of letters,
 * digits, '_' and '-' are refused when the schema is read.
 */
#pragma once

#include "json/json.h"

/* Checks a parameters object {field: schema}. 0, or -1 with *err: 500 "bad_schema"; the message
   begins with what is wrong, as "parameters.code.type". */
MUST_USE int schema_check(const json_t *parameters, struct error *err);

/* Are the defaults good by their own schemas? As schema_check, which comes first. */
MUST_USE int schema_check_defaults(const json_t *parameters, struct error *err);

/* Validates input's fields by parameters. Appends an issue {"code","path":[field],"message"} to
   issues for every wrong field (codes invalid_type, too_small, too_big, invalid_value), and sets
   every good one in values, defaults filled in. 0, or -1 with *err when memory is out. */
MUST_USE int schema_validate(const json_t *parameters, const json_t *input, json_t *issues,
			     json_t *values, struct error *err);

/* Appends one issue. field may be NULL: the input as a whole. */
void schema_add_issue(json_t *issues, const char *code, const char *field, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* JavaScript's name for a value's type, as clients know it from their own messages; "undefined" for
   NULL. */
const char *schema_type_name(const json_t *value);
