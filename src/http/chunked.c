/*
 * The chunked coding, one byte at a time but for the data itself.
 *
 * | state     | hex digit | ';'       | CR        | LF              | other          |
 * |-----------|-----------|-----------|-----------|-----------------|----------------|
 * | SIZE      | SIZE      | EXTENSION | SIZE_LF   | refused         | refused        |
 * | EXTENSION | EXTENSION | EXTENSION | SIZE_LF   | refused         | text: EXTENSION |
 * | SIZE_LF   | refused   | refused   | refused   | DATA, LAST_CR   | refused        |
 * | DATA      | copied, left bytes in all; then DATA_CR                              |
 * | DATA_CR   | refused   | refused   | DATA_LF   | refused         | refused        |
 * | DATA_LF   | refused   | refused   | refused   | SIZE            | refused        |
 * | LAST_CR   | refused   | refused   | LAST_LF   | refused         | refused        |
 * | LAST_LF   | refused   | refused   | refused   | done            | refused        |
 */
#include "http/chunked.h"

#include "base/ascii.h"
#include "base/num.h"
#include "bounds.h"

enum chunked_state { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, LAST_CR, LAST_LF };

struct chunked chunked_new(uint64_t max)
{
	return (struct chunked){.state = SIZE, .room = max};
}

static int read_size(struct chunked *state, char byte, struct error *err)
{
	uint64_t digit = 0;

	if (num_parse((struct slice){&byte, 1}, 16, 15, &digit) == 0) {
		if (++state->digits > HTTP_CHUNK_SIZE_MAX_DIGITS)
			return error_set(err, 400, "chunk_size_bad",
					 "a chunk size is over %d hex digits",
					 HTTP_CHUNK_SIZE_MAX_DIGITS);
		state->left = state->left << 4 | digit;
		return 0;
	}
	if (state->digits == 0 || (byte != ';' && byte != '\r'))
		return error_set(err, 400, "chunk_size_bad", "a chunk size is not a hex number");
	if (state->left > HTTP_CONTENT_LENGTH_MAX_BYTES)
		return error_set(err, 400, "chunk_size_bad", "a chunk is over 2^53 bytes");
	if (state->left > state->room)
		return error_set(err, 413, "body_too_large", "the request body is too large");
	state->room -= state->left;
	state->state = byte == ';' ? EXTENSION : SIZE_LF;
	return 0;
}

static int read_extension(struct chunked *state, char byte, struct error *err)
{
	if (byte == '\r') {
		state->state = SIZE_LF;
		return 0;
	}
	if (byte != '\t' && ascii_is_control(byte))
		return error_set(err, 400, "chunk_extension_bad",
				 "a control byte in a chunk extension");
	if (++state->extension > HTTP_CHUNK_EXTENSION_MAX_BYTES ||
	    ++state->extensions > HTTP_CHUNK_EXTENSIONS_MAX_BYTES)
		return error_set(err, 400, "chunk_extension_too_long",
				 "the chunk extensions are over %d bytes in one chunk or %llu "
				 "in all",
				 HTTP_CHUNK_EXTENSION_MAX_BYTES, HTTP_CHUNK_EXTENSIONS_MAX_BYTES);
	return 0;
}

/* The states in which exactly one byte is right. */
static int read_line_end(struct chunked *state, char byte, struct error *err)
{
	static const struct {
		char byte;
		enum chunked_state next;
	} expected[] = {
		[SIZE_LF] = {'\n', DATA},    [DATA_CR] = {'\r', DATA_LF}, [DATA_LF] = {'\n', SIZE},
		[LAST_CR] = {'\r', LAST_LF}, [LAST_LF] = {'\n', LAST_LF},
	};

	if (byte != expected[state->state].byte) {
		if (state->state == LAST_CR && byte != '\n')
			return error_set(err, 400, "trailer_refused",
					 "trailer fields are not accepted");
		return error_set(err, 400, "chunk_end_bad",
				 "a chunk or its size does not end in CRLF");
	}
	state->done = state->state == LAST_LF;
	if (state->state == SIZE_LF && state->left == 0)
		state->state = LAST_CR;
	else
		state->state = (int)expected[state->state].next;
	if (state->state == SIZE)
		state->digits = state->extension = 0;
	return 0;
}

static int read_byte(struct chunked *state, char byte, struct error *err)
{
	if (state->state == SIZE)
		return read_size(state, byte, err);
	if (state->state == EXTENSION)
		return read_extension(state, byte, err);
	return read_line_end(state, byte, err);
}

int chunked_decode(struct chunked *state, char *data, size_t len, size_t *decoded, size_t *consumed,
		   struct error *err)
{
	size_t from = 0, to = 0;

	while (from < len && !state->done) {
		if (state->state != DATA) {
			if (read_byte(state, data[from++], err) < 0)
				return -1;
			continue;
		}

		size_t piece = state->left < len - from ? (size_t)state->left : len - from;

		memmove(data + to, data + from, piece);
		from += piece;
		to += piece;
		state->left -= piece;
		if (state->left == 0)
			state->state = DATA_CR;
	}
	*decoded = to;
	*consumed = from;
	return 0;
}
