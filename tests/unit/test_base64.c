/* base/base64.h: the vectors of RFC 4648 section 10, every length there and back, and everything
   that is not exactly base64. */
#include "tap.h"

#include "base/base64.h"

#include <errno.h>
#include <stdlib.h>

typedef int (*coder)(struct buf *out, struct slice text);

static void converts(coder code, const char *from, const char *to)
{
	_cleanup_buf_ struct buf out = buf_new(1024);

	is_number(buf_append_text(&out, "before "), 0, "something is there already");
	is_number(code(&out, slice_of(from)), 0, "\"%s\" is taken", from);
	is_text(out.data + strlen("before "), to, "\"%s\" is \"%s\"", from, to);
	is_number(out.len, strlen("before ") + strlen(to), "and the length counts");
}

static void refuses(coder decode, struct slice text)
{
	_cleanup_buf_ struct buf out = buf_new(1024);

	is_number(buf_append_text(&out, "before"), 0, "something is there already");
	if (decode == base64_decode)
		ok(!base64_is_good(text), "\"%.*s\" is no base64", (int)text.len, text.data);
	errno = 0;
	is_number(decode(&out, text), -1, "\"%.*s\" is refused", (int)text.len, text.data);
	is_number(errno, EINVAL, "with EINVAL");
	is_text(out.data, "before", "and nothing came out");
	is_number(out.len, strlen("before"), "of no length");
}

static void test_vectors(void)
{
	static const char *const rows[][3] = {
		{"", "", ""},
		{"f", "Zg==", "Zg"},
		{"fo", "Zm8=", "Zm8"},
		{"foo", "Zm9v", "Zm9v"},
		{"foob", "Zm9vYg==", "Zm9vYg"},
		{"fooba", "Zm9vYmE=", "Zm9vYmE"},
		{"foobar", "Zm9vYmFy", "Zm9vYmFy"},
		{"\xfb\xff\xfe", "+//+", "-__-"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		converts(base64_encode, rows[i][0], rows[i][1]);
		ok(base64_is_good(slice_of(rows[i][1])), "\"%s\" is base64", rows[i][1]);
		converts(base64_decode, rows[i][1], rows[i][0]);
		converts(base64url_encode, rows[i][0], rows[i][2]);
		converts(base64url_decode, rows[i][2], rows[i][0]);
	}
}

static void test_every_length(void)
{
	char data[300];
	size_t good = 0;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + 3);
	for (size_t len = 0; len <= sizeof(data); len++) {
		_cleanup_buf_ struct buf text = buf_new(1024), back = buf_new(1024);
		_cleanup_buf_ struct buf url = buf_new(1024), again = buf_new(1024);
		struct slice piece = {data, len};

		good += base64_encode(&text, piece) == 0 &&
			base64_decode(&back, buf_slice(&text)) == 0 && back.len == len &&
			memcmp(buf_slice(&back).data, data, len) == 0 &&
			base64url_encode(&url, piece) == 0 &&
			base64url_decode(&again, buf_slice(&url)) == 0 && again.len == len &&
			memcmp(buf_slice(&again).data, data, len) == 0;
	}
	is_number(good, sizeof(data) + 1, "every length comes back as it was");
}

static void test_refused(void)
{
	static const char *const plain[] = {
		"Zg",    "Zg=",      "Zg===", "Z===", "====", "=",    "Zg==Zg==",   "Zm9v\n",
		"Zm 9v", "Zm9v====", "Zm-_",  "Zh==", "Zm9=", "Z=g=", "\xc3\xa4Zm", "Zm9vZ"};
	static const char *const url[] = {"Z",  "Zg==", "Zm8=", "Zm9vY", "Zm+/",
					  "Zh", "Zm9",  "Zg\n", " Zg"};

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		refuses(base64_decode, slice_of(plain[i]));
	for (size_t i = 0; i < sizeof(url) / sizeof(url[0]); i++)
		refuses(base64url_decode, slice_of(url[i]));
	refuses(base64_decode, (struct slice){"Zm\0v", 4});
	refuses(base64url_decode, (struct slice){"Zm\0v", 4});
}

static void test_full(void)
{
	_cleanup_buf_ struct buf out = buf_new(3);

	is_number(base64_encode(&out, SLICE_LITERAL("foo")), -1, "what does not fit is refused");
	is_number(errno, EMSGSIZE, "with EMSGSIZE");
	is_number(base64_decode(&out, SLICE_LITERAL("Zm9v")), 0, "what fits exactly is not");
	is_number(base64url_decode(&out, SLICE_LITERAL("Zg")), -1, "and one byte more is");
	is_text(out.data, "foo", "what was there stays");
}

int main(void)
{
	test_vectors();
	test_every_length();
	test_refused();
	test_full();
	return done();
}
