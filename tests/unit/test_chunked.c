/* The chunked coding: in place, in any pieces, and up to its end but no further. */
#include "tap.h"

#include "http/chunked.h"

#include <stdint.h>

#define ROOM 4096

struct result {
	int status; /* 0, or the error's */
	const char *code;
	char body[256];
	size_t body_len, consumed;
	bool done;
};

/* Decodes text in pieces of at most step bytes. */
static struct result decode(const char *text, size_t len, size_t step, uint64_t max)
{
	struct chunked state = chunked_new(max);
	struct result result = {.code = ""};
	struct error err;

	while (result.consumed < len && !state.done) {
		char piece[256];
		size_t size = len - result.consumed < step ? len - result.consumed : step;
		size_t decoded = 0, consumed = 0;

		memcpy(piece, text + result.consumed, size);
		if (chunked_decode(&state, piece, size, &decoded, &consumed, &err) < 0) {
			result.status = err.status;
			result.code = err.code;
			return result;
		}
		memcpy(result.body + result.body_len, piece, decoded);
		result.body_len += decoded;
		result.consumed += consumed;
	}
	result.done = state.done;
	return result;
}

static void test_good(void)
{
	static const char text[] =
		"5\r\nhello\r\n1;x=\"y\"\r\n \r\n005\r\nworld\r\n0\r\n\r\nGET / HTTP";
	size_t len = sizeof(text) - 1, end = len - strlen("GET / HTTP");

	for (size_t step = 1; step <= len; step++) {
		struct result got = decode(text, len, step, ROOM);

		if (got.status != 0 || !got.done || got.consumed != end || got.body_len != 11 ||
		    memcmp(got.body, "hello world", 11) != 0) {
			ok(false, "pieces of %zu bytes", step);
			return;
		}
	}
	ok(true, "any pieces give the same body and stop behind it");
	ok(!decode(text, end - 1, end, ROOM).done, "not done one byte before the end");

	struct chunked state = chunked_new(ROOM);
	size_t decoded = 1, consumed = 1;
	struct error err;
	char none[1] = "";

	is_number(chunked_decode(&state, none, 0, &decoded, &consumed, &err), 0, "no bytes");
	ok(decoded == 0 && consumed == 0 && !state.done, "change nothing");
}

static void test_maximum(void)
{
	static const char text[] = "4\r\nabcd\r\n4\r\nefgh\r\n0\r\n\r\n";
	size_t len = sizeof(text) - 1;

	ok(decode(text, len, len, 8).done, "a body of exactly the maximum");
	is_number(decode(text, len, len, 7).status, 413, "one byte more is 413");
	is_number(decode(text, 10, 10, 7).status, 0, "though not before its chunk");
	is_number(decode(text, 12, 1, 7).status, 413, "yet at the chunk's size, before its data");
	ok(decode("0\r\n\r\n", 5, 5, 0).done, "nothing fits where nothing may be");
}

static void test_refusals(void)
{
	static const struct {
		const char *text, *code;
	} cases[] = {
		{"\r", "chunk_size_bad"},
		{";", "chunk_size_bad"},
		{"x", "chunk_size_bad"},
		{" ", "chunk_size_bad"},
		{"1 ", "chunk_size_bad"},
		{"1\n", "chunk_size_bad"},
		{"00000000000000000", "chunk_size_bad"},
		{"20000000000001\r", "chunk_size_bad"},
		{"1;\n", "chunk_extension_bad"},
		{"1\rx", "chunk_end_bad"},
		{"1\r\nab", "chunk_end_bad"},
		{"1\r\na\n", "chunk_end_bad"},
		{"1\r\na\rx", "chunk_end_bad"},
		{"0\r\n\n", "chunk_end_bad"},
		{"0\r\n\rx", "chunk_end_bad"},
		{"0\r\nA", "trailer_refused"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = strlen(cases[i].text);

		is_text(decode(cases[i].text, len - 1, len, ROOM).code, "", "%s: not before",
			cases[i].code);
		for (size_t step = 1; step <= len; step++)
			is_text(decode(cases[i].text, len, step, ROOM).code, cases[i].code,
				"%s, in pieces of %zu", cases[i].code, step);
	}
}

int main(void)
{
	test_good();
	test_maximum();
	test_refusals();
	return done();
}
