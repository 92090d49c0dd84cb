#include "base/base64.h"

#include "base/ascii.h"

#include <errno.h>
#include <stdint.h>

#define STANDARD ASCII_ALNUM "+/"
#define URL      ASCII_ALNUM "-_"

static int encode(struct buf *out, struct slice data, const char *alphabet, bool is_padded)
{
	size_t rest = data.len % 3, len = data.len / 3 * 4 + (rest ? is_padded ? 4 : rest + 1 : 0);
	char *at = buf_reserve(out, len);

	if (!at)
		return -1;
	for (size_t i = 0; i < data.len; i += 3) {
		size_t taken = data.len - i < 3 ? data.len - i : 3;
		uint32_t bits = 0;

		for (size_t j = 0; j < 3; j++)
			bits = bits << 8 | (j < taken ? (unsigned char)data.data[i + j] : 0);
		for (size_t j = 0; j < 4; j++)
			if (j <= taken)
				*at++ = alphabet[bits >> (18 - 6 * j) & 63];
			else if (is_padded)
				*at++ = '=';
	}
	*at = '\0';
	out->len += len;
	return 0;
}

/* The six bits of a character, or -1. */
static int value_of(char c, const char *alphabet)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == alphabet[62])
		return 62;
	return c == alphabet[63] ? 63 : -1;
}

/* The 2 to 4 characters of a group, as 1 to 3 bytes at *at. */
static int decode_group(const char *text, size_t len, const char *alphabet, char **at)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < len ? value_of(text[i], alphabet) : 0;

		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
	}
	/* what the last character has beyond the last byte */
	if ((len == 2 && bits & 0xffff) || (len == 3 && bits & 0xff))
		return -1;
	for (size_t i = 0; i + 1 < len; i++)
		*(*at)++ = (char)(bits >> (16 - 8 * i));
	return 0;
}

/* text without its padding. */
static int decode(struct buf *out, struct slice text, const char *alphabet)
{
	size_t rest = text.len % 4, len = text.len / 4 * 3 + (rest ? rest - 1 : 0);
	char *place = rest == 1 ? NULL : buf_reserve(out, len), *at = place;

	if (rest == 1)
		errno = EINVAL;
	if (!place)
		return -1;
	for (size_t i = 0; i < text.len; i += 4) {
		if (decode_group(text.data + i, text.len - i < 4 ? text.len - i : 4, alphabet,
				 &at) < 0) {
			out->data[out->len] = '\0';
			errno = EINVAL;
			return -1;
		}
	}
	out->len += len;
	out->data[out->len] = '\0';
	return 0;
}

/* text without its padding, if it has the right length for any. */
static bool strip(struct slice *text)
{
	if (text->len % 4)
		return false;
	for (int i = 0; i < 2 && text->len && text->data[text->len - 1] == '='; i++)
		text->len--;
	return true;
}

bool base64_is_good(struct slice text)
{
	if (!strip(&text) || text.len % 4 == 1)
		return false;
	for (size_t i = 0; i < text.len; i += 4) {
		char bytes[3], *at = bytes;

		if (decode_group(text.data + i, text.len - i < 4 ? text.len - i : 4, STANDARD,
				 &at) < 0)
			return false;
	}
	return true;
}

int base64_encode(struct buf *out, struct slice data)
{
	return encode(out, data, STANDARD, true);
}

int base64_decode(struct buf *out, struct slice text)
{
	if (!strip(&text)) {
		errno = EINVAL;
		return -1;
	}
	return decode(out, text, STANDARD);
}

int base64url_encode(struct buf *out, struct slice data)
{
	return encode(out, data, URL, false);
}

int base64url_decode(struct buf *out, struct slice text)
{
	return decode(out, text, URL);
}
