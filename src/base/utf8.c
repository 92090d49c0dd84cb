#include "base/utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/*
 * Unicode 15, table 3-7, "Well-Formed UTF-8 Byte Sequences": the length that a lead byte announces
 * and the range of the byte after it. Bytes after that one are always 80..BF.
 */
static size_t lead(unsigned char byte, unsigned char *low, unsigned char *high)
{
	*low = 0x80;
	*high = 0xBF;
	if (byte < 0x80)
		return 1;
	if (byte >= 0xC2 && byte <= 0xDF)
		return 2;
	if (byte >= 0xE0 && byte <= 0xEF) {
		if (byte == 0xE0)
			*low = 0xA0;
		if (byte == 0xED)
			*high = 0x9F;
		return 3;
	}
	if (byte >= 0xF0 && byte <= 0xF4) {
		if (byte == 0xF0)
			*low = 0x90;
		if (byte == 0xF4)
			*high = 0x8F;
		return 4;
	}
	return 0;
}

/* The bytes of the good character at text, or 0; then *bad is how many bytes the maximal invalid
 * part has. */
static size_t character(const unsigned char *text, size_t len, size_t *bad)
{
	unsigned char low, high;
	size_t want = lead(text[0], &low, &high);

	*bad = 1;
	if (want == 0)
		return 0;
	for (size_t i = 1; i < want; i++) {
		if (i >= len || text[i] < low || text[i] > high) {
			*bad = i;
			return 0;
		}
		low = 0x80;
		high = 0xBF;
	}
	return want;
}

/* The length of the valid run at the start of text. */
static size_t valid_run(struct slice text)
{
	const unsigned char *bytes = (const unsigned char *)text.data;
	size_t at = 0, bad;

	while (at < text.len) {
		size_t len = bytes[at] < 0x80 ? 1 : character(bytes + at, text.len - at, &bad);

		if (len == 0)
			break;
		at += len;
	}
	return at;
}

bool utf8_is_valid(struct slice text)
{
	return valid_run(text) == text.len;
}

int utf8_append_clean(struct buf *out, struct slice text)
{
	while (text.len) {
		size_t good = valid_run(text), bad = 0;

		if (buf_append(out, text.data, good) < 0)
			return -1;
		if (good < text.len) {
			(void)character((const unsigned char *)text.data + good, text.len - good,
					&bad);
			if (buf_append(out, REPLACEMENT, strlen(REPLACEMENT)) < 0)
				return -1;
		}
		text.data += good + bad;
		text.len -= good + bad;
	}
	return 0;
}

size_t utf8_trim(const char *data, size_t len)
{
	const unsigned char *bytes = (const unsigned char *)data;
	unsigned char low, high;

	for (size_t back = 1; back <= 3 && back <= len; back++) {
		size_t want = lead(bytes[len - back], &low, &high);

		if (want > back)
			return len - back;
		if (want != 0)
			break;
	}
	return len;
}
