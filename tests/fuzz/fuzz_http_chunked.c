/*
 * The chunked coding. The first byte says where to cut, the second the maximum (in 16 bytes); the
 * rest is the body. Invariants:
 *  1. Decoded whole, in two pieces, and byte by byte, the result is the same.
 *  2. Never more bytes out than in, nor than the maximum; nothing is eaten behind the end.
 */
#include "fuzz.h"

#include "http/chunked.h"

#include <string.h>

struct outcome {
	int status; /* 0, or the error's */
	const char *code;
	char *body; /* owned */
	size_t body_len, consumed;
	bool done;
};

/* Decodes in pieces: one of first bytes, then some of step bytes each. */
static struct outcome decode(const uint8_t *data, size_t size, size_t first, size_t step,
			     uint64_t max)
{
	struct chunked state = chunked_new(max);
	struct outcome outcome = {.code = "", .body = malloc(size + 1)};
	struct error err = {0};

	must(outcome.body);
	for (size_t at = 0, len; at < size && !state.done; at += len) {
		size_t decoded = 0, consumed = 0;

		len = at == 0 && first ? first : step;
		if (len > size - at)
			len = size - at;

		char *piece = malloc(len);

		must(piece);
		memcpy(piece, data + at, len);
		if (chunked_decode(&state, piece, len, &decoded, &consumed, &err) < 0) {
			free(piece);
			outcome.status = err.status;
			outcome.code = err.code;
			return outcome;
		}
		must(decoded <= consumed && consumed <= len);
		must(consumed == len || state.done);
		memcpy(outcome.body + outcome.body_len, piece, decoded);
		outcome.body_len += decoded;
		outcome.consumed += consumed;
		must(outcome.body_len <= max);
		free(piece);
	}
	outcome.done = state.done;
	return outcome;
}

static void must_equal(const struct outcome *a, const struct outcome *b)
{
	must(a->status == b->status && strcmp(a->code, b->code) == 0);
	if (a->status)
		return;
	must(a->done == b->done && a->consumed == b->consumed && a->body_len == b->body_len);
	must(memcmp(a->body, b->body, a->body_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;

	size_t cut = data[0];
	uint64_t max = data[1] * 16U;

	data += 2;
	size -= 2;

	struct outcome whole = decode(data, size, size, size, max);
	struct outcome two = decode(data, size, cut, size, max);
	struct outcome bytes = decode(data, size, 1, 1, max);

	must(whole.status == 0 || whole.status == 400 || whole.status == 413);
	must(!whole.done || memcmp(data + whole.consumed - 4, "\r\n\r\n", 4) == 0);
	must_equal(&whole, &two);
	must_equal(&whole, &bytes);
	free(whole.body);
	free(two.body);
	free(bytes.body);
	return 0;
}
