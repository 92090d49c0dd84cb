/*
 * Percent-encoding, both ways, and query parameters.
 *
 * Rules:
 *  1. Decoded once. A result that still looks encoded ("%2e" out of "%252e") is a name with a per
 *     cent sign in it.
 *  2. No NUL comes out: a C string made of the result is the whole of it.
 */
#include "http/uri.h"

#include "base/ascii.h"
#include "base/num.h"

#include <stdint.h>

static int cannot_append(struct error *err)
{
	return error_set(err, 414, "path_too_long", "the path is too long");
}

static int nul_in_path(struct error *err)
{
	return error_set(err, 400, "nul_in_path", "the path contains a NUL byte");
}

static int decode_into(struct slice path, struct buf *out, struct error *err)
{
	size_t i = 0;

	if (memchr(path.data, '\0', path.len))
		return nul_in_path(err);
	while (i < path.len) {
		const char *escape = memchr(path.data + i, '%', path.len - i);
		size_t plain = (escape ? (size_t)(escape - path.data) : path.len) - i;
		uint64_t value = 0;

		if (buf_append(out, path.data + i, plain) < 0)
			return cannot_append(err);
		i += plain;
		if (!escape)
			break;
		if (path.len - i < 3 ||
		    num_parse((struct slice){escape + 1, 2}, 16, UINT8_MAX, &value) < 0)
			return error_set(err, 400, "bad_percent",
					 "a '%%' in the path must be followed by two hex digits");
		if (value == 0)
			return nul_in_path(err);

		char byte = (char)value;

		if (buf_append(out, &byte, 1) < 0)
			return cannot_append(err);
		i += 3;
	}
	return 0;
}

int uri_decode(struct slice path, struct buf *out, struct error *err)
{
	size_t before = out->len;

	if (decode_into(path, out, err) < 0) {
		out->len = before;
		if (out->data)
			out->data[before] = '\0';
		return -1;
	}
	return 0;
}

static bool is_unreserved(char c)
{
	return c && strchr(ASCII_ALNUM "-._~", c);
}

int uri_encode(struct buf *out, struct slice text, bool keep_slash)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t escapes = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (!is_unreserved(text.data[i]) && !(keep_slash && text.data[i] == '/'))
			escapes++;
	}

	char *at = buf_reserve(out, text.len + 2 * escapes);

	if (!at)
		return -1;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (is_unreserved(c) || (keep_slash && c == '/')) {
			*at++ = c;
			continue;
		}
		*at++ = '%';
		*at++ = digits[(unsigned char)c >> 4];
		*at++ = digits[(unsigned char)c & 15];
	}
	out->len += text.len + 2 * escapes;
	return 0;
}

bool uri_query(struct slice query, const char *name, struct slice *value)
{
	while (query.len) {
		struct slice rest = slice_take(&query, '&'), key = slice_take(&rest, '=');

		if (slice_eq(key, name)) {
			*value = rest;
			return true;
		}
	}
	return false;
}
