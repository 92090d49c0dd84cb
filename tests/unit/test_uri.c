/* Percent-encoding both ways, and query parameters. */
#include "tap.h"

#include "bounds.h"
#include "http/uri.h"

#include <stdlib.h>

static void decodes(const char *text, const char *want)
{
	_cleanup_buf_ struct buf out = buf_new(URI_PATH_MAX_BYTES);
	struct error err;

	is_number(uri_decode(slice_of(text), &out, &err), 0, "\"%s\" can be decoded", text);
	is_text(buf_slice(&out).data, want, "\"%s\"", text);
}

static void refuses(const char *text, size_t max, int status, const char *code)
{
	_cleanup_buf_ struct buf out = buf_new(max);
	struct error err = {.code = ""};

	if (buf_append_text(&out, "kept") < 0)
		abort();
	is_number(uri_decode(slice_of(text), &out, &err), -1, "\"%s\" is refused", text);
	is_text(err.code, code, "with its code");
	is_number(err.status, status, "and its status");
	is_text(out.data, "kept", "and the buffer is as it was");
}

static void encodes(struct slice text, bool keep_slash, const char *want)
{
	_cleanup_buf_ struct buf out = buf_new(1024);

	is_number(uri_encode(&out, text, keep_slash), 0, "can be encoded");
	is_text(buf_slice(&out).data, want, "as %s", want);
}

static void test_round_trip(void)
{
	char all[255];
	_cleanup_buf_ struct buf encoded = buf_new(1024), decoded = buf_new(1024);
	struct error err;

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (char)(i + 1);
	ok(uri_encode(&encoded, (struct slice){all, sizeof(all)}, false) == 0 &&
		   uri_decode(buf_slice(&encoded), &decoded, &err) == 0 &&
		   decoded.len == sizeof(all) && memcmp(decoded.data, all, sizeof(all)) == 0,
	   "every byte but NUL comes back");
	for (size_t i = 0; i < encoded.len; i++) {
		if (encoded.data[i] <= ' ' || encoded.data[i] > '~' ||
		    strchr("\"<>\\^`{|}?#&=+/", encoded.data[i])) {
			ok(false, "'%c' must not stand in a path as it is", encoded.data[i]);
			return;
		}
	}
	ok(true, "nothing of it needs quoting");
}

static void queries(const char *query, const char *name, const char *want)
{
	struct slice value = SLICE_LITERAL("untouched");
	bool found = uri_query(slice_of(query), name, &value);

	if (want)
		ok(found && slice_eq(value, want), "%s in \"%s\" is \"%s\"", name, query, want);
	else
		ok(!found && slice_eq(value, "untouched"), "%s is not in \"%s\"", name, query);
}

int main(void)
{
	decodes("", "");
	decodes("/a/b", "/a/b");
	decodes("/%41%7e%C3%bc", "/A~\xc3\xbc");
	decodes("/%252e%252e/", "/%2e%2e/");
	decodes("/%2e%2e%2Fx", "/../x");
	decodes("/a+b", "/a+b");
	decodes("%25", "%");
	refuses("%", 99, 400, "bad_percent");
	refuses("/a%2", 99, 400, "bad_percent");
	refuses("/a%g0/", 99, 400, "bad_percent");
	refuses("/a%+1", 99, 400, "bad_percent");
	refuses("/a% 1", 99, 400, "bad_percent");
	refuses("%%41", 99, 400, "bad_percent");
	refuses("/a%00", 99, 400, "nul_in_path");
	refuses("12345", 8, 414, "path_too_long");
	refuses("1234%41", 8, 414, "path_too_long");

	_cleanup_buf_ struct buf raw = buf_new(99);
	struct error err;

	ok(uri_decode(SLICE_LITERAL("a\0b"), &raw, &err) < 0 && raw.len == 0,
	   "a raw NUL is refused");
	encodes(SLICE_LITERAL("a b/c"), true, "a%20b/c");
	encodes(SLICE_LITERAL("a b/c"), false, "a%20b%2Fc");
	encodes(SLICE_LITERAL("\0\xff-._~%"), false, "%00%FF-._~%25");
	encodes(SLICE_LITERAL(""), false, "");

	_cleanup_buf_ struct buf small = buf_new(5);

	is_number(uri_encode(&small, SLICE_LITERAL("a/b/"), false), -1, "no room: refused");
	is_number(small.len, 0, "whole");
	test_round_trip();
	queries("payload=x&sig=y", "payload", "x");
	queries("payload=x&sig=y", "sig", "y");
	queries("payload=x&sig=y", "si", NULL);
	queries("a&b=1", "a", "");
	queries("a=&b=1", "a", "");
	queries("a=1=2&b", "a", "1=2");
	queries("a=1&a=2", "a", "1");
	queries("&&b=1&", "b", "1");
	queries("xa=1", "a", NULL);
	queries("", "a", NULL);
	return done();
}
