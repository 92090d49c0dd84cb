/* A view of bytes with another owner. Not NUL-terminated. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
	const char *data;
	size_t len; /* bytes */
};

/* The entries of an array. */
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define SLICE_LITERAL(text) ((struct slice){(text), sizeof(text) - 1})

static inline struct slice slice_of(const char *text)
{
	return (struct slice){text, strlen(text)};
}

static inline bool slice_eq(struct slice a, const char *text)
{
	return a.len == strlen(text) && memcmp(a.data, text, a.len) == 0;
}

/* ASCII case-insensitive, as HTTP field names are (RFC 9110 section 5.1). */
static inline bool slice_eq_nocase(struct slice a, const char *text)
{
	return a.len == strlen(text) && strncasecmp(a.data, text, a.len) == 0;
}

static inline bool slice_same(struct slice a, struct slice b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static inline bool slice_starts(struct slice a, const char *prefix)
{
	size_t len = strlen(prefix);

	return a.len >= len && memcmp(a.data, prefix, len) == 0;
}

static inline bool slice_starts_nocase(struct slice a, const char *prefix)
{
	size_t len = strlen(prefix);

	return a.len >= len && strncasecmp(a.data, prefix, len) == 0;
}

/* Copies text and a NUL behind it. False, with nothing done, when it does not fit in size bytes. */
static inline bool slice_copy(struct slice text, char *out, size_t size)
{
	if (text.len >= size)
		return false;
	memcpy(out, text.data, text.len);
	out[text.len] = '\0';
	return true;
}

/* Takes len bytes, of which there are as many, off the front. */
static inline void slice_skip(struct slice *text, size_t len)
{
	text->data += len;
	text->len -= len;
}

/* Takes what stands before the separator off the front, and the separator; all of it when there is
   none. */
static inline struct slice slice_take(struct slice *text, char separator)
{
	const char *end = text->len ? (const char *)memchr(text->data, separator, text->len) : NULL;
	struct slice taken = {text->data, end ? (size_t)(end - text->data) : text->len};

	slice_skip(text, taken.len + (end != NULL));
	return taken;
}
