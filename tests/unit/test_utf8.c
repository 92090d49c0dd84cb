/*
 * UTF-8 against an oracle of its own: every character, every pair of bytes, all edges of Unicode's
 * table 3-7, and the replacements that Unicode 15 itself prints in tables 3-8 to 3-11.
 */
#include "base/utf8.h"

#include "tap.h"
#include "util.h"

#define R "\xEF\xBF\xBD" /* U+FFFD */

/* By the definition of RFC 3629 section 3: the shortest form of a code point that is no surrogate.
 * */
static bool oracle(const unsigned char *bytes, size_t len)
{
	size_t at = 0;

	while (at < len) {
		unsigned lead = bytes[at];
		size_t want = lead < 0x80       ? 1
			      : lead >> 5 == 6  ? 2
			      : lead >> 4 == 14 ? 3
			      : lead >> 3 == 30 ? 4
						: 0;
		uint32_t point = want == 1 ? lead : lead & (0x7FU >> want);
		static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

		if (want == 0 || len - at < want)
			return false;
		for (size_t i = 1; i < want; i++) {
			if (bytes[at + i] >> 6 != 2)
				return false;
			point = point << 6 | (bytes[at + i] & 0x3F);
		}
		if (point < least[want] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
			return false;
		at += want;
	}
	return true;
}

static size_t encode(uint32_t point, unsigned char out[4])
{
	if (point < 0x80) {
		out[0] = (unsigned char)point;
		return 1;
	}

	size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

	for (size_t i = len - 1; i > 0; i--, point >>= 6)
		out[i] = (unsigned char)(0x80 | (point & 0x3F));
	out[0] = (unsigned char)((0xF00 >> len & 0xFF) | point);
	return len;
}

static bool is_valid(const unsigned char *bytes, size_t len)
{
	return utf8_is_valid((struct slice){(const char *)bytes, len});
}

static void test_every_character(void)
{
	unsigned char bytes[4];
	unsigned wrong = 0, cut = 0;

	for (uint32_t point = 0; point < 0x110000; point++) {
		size_t len = encode(point, bytes);

		wrong += is_valid(bytes, len) != (point < 0xD800 || point > 0xDFFF);
		for (size_t part = 1; part < len; part++)
			cut += is_valid(bytes, part);
	}
	is_number(wrong, 0, "every code point but the surrogates is a character");
	is_number(cut, 0, "and none is one when it is cut short");
}

static void test_every_pair(void)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < 0x10000; i++) {
		unsigned char bytes[2] = {(unsigned char)(i >> 8), (unsigned char)i};

		wrong += is_valid(bytes, 2) != oracle(bytes, 2);
	}
	is_number(wrong, 0, "every pair of bytes is judged as the oracle does");
}

static void test_edges(void)
{
	static const unsigned char edges[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90,
					      0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xFF};
	unsigned wrong = 0, tried = 0;

	for (unsigned lead = 0x80; lead < 0x100; lead++)
		for (unsigned second = 0; second < 0x100; second++)
			for (size_t i = 0; i < sizeof(edges); i++)
				for (size_t j = 0; j < sizeof(edges); j++) {
					unsigned char bytes[4] = {(unsigned char)lead,
								  (unsigned char)second, edges[i],
								  edges[j]};

					wrong += is_valid(bytes, 3) != oracle(bytes, 3) ||
						 is_valid(bytes, 4) != oracle(bytes, 4);
					tried++;
				}
	is_number(wrong, 0, "so are %u sequences at the edges of table 3-7", tried);
	ok(utf8_is_valid(SLICE_LITERAL("")), "nothing is valid");
	ok(utf8_is_valid(SLICE_LITERAL("a\0b")), "so is a NUL");
	ok(!utf8_is_valid(SLICE_LITERAL("\xC0\x80")), "not the overlong NUL");
	ok(!utf8_is_valid(SLICE_LITERAL("\xED\xA0\xBD\xED\xB8\x80")), "not a pair of surrogates");
	ok(!utf8_is_valid(SLICE_LITERAL("good\xC3")), "not what ends within a character");
}

static void cleans(struct slice text, const char *want, const char *what)
{
	_cleanup_buf_ struct buf out = buf_new(256);

	is_number(utf8_append_clean(&out, text), 0, "%s: cleaned", what);
	is_text(buf_slice(&out).data, want, "%s: as it should be", what);
}

static void test_clean(void)
{
	cleans(SLICE_LITERAL("gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80"),
	       "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80", "good text");
	cleans(SLICE_LITERAL(""), "", "nothing");
	cleans(SLICE_LITERAL("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), R R R R R R R R "A",
	       "table 3-8, overlong forms");
	cleans(SLICE_LITERAL("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), R R R R R R R R "A",
	       "table 3-9, surrogates");
	cleans(SLICE_LITERAL("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), R R R R R "A" R R "B",
	       "table 3-10, other ill-formed");
	cleans(SLICE_LITERAL("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), R R R R "A",
	       "table 3-11, truncated");
	cleans(SLICE_LITERAL("a\xF0\x9F\x98"), "a" R, "truncated at the end");
	cleans(SLICE_LITERAL("\xFF"), R, "a single bad byte");

	_cleanup_buf_ struct buf exact = buf_new(7), less = buf_new(6);

	is_number(utf8_append_clean(&exact, SLICE_LITERAL("a\xFF\xFF")), 0,
		  "what is cleaned may fill the buffer");
	is_number(utf8_append_clean(&less, SLICE_LITERAL("a\xFF\xFF")), -1,
		  "but not pass its maximum");
}

static void test_clean_random(void)
{
	unsigned long long state = 1;
	unsigned dirty = 0, changed = 0, twice = 0;

	for (int round = 0; round < 2000; round++) {
		char bytes[64];
		_cleanup_buf_ struct buf once = buf_new(256), again = buf_new(256);

		for (size_t i = 0; i < sizeof(bytes); i++) {
			state = state * 6364136223846793005ULL + 1442695040888963407ULL;
			/* mostly lead and continuation bytes: noise alone would hold few
			 * characters */
			bytes[i] = (char)(state >> 56 & 1 ? 0x80 | (state >> 33 & 0x7F)
							  : state >> 33 & 0xFF);
		}

		struct slice text = {bytes, (size_t)(state >> 40 & 63)};

		must(utf8_append_clean(&once, text) == 0 &&
		     utf8_append_clean(&again, buf_slice(&once)) == 0);
		dirty += !oracle((const unsigned char *)buf_slice(&once).data, once.len);
		twice += once.len != again.len;
		changed +=
			oracle((const unsigned char *)text.data, text.len) && once.len != text.len;
	}
	is_number(dirty, 0, "whatever is cleaned is valid");
	is_number(twice, 0, "cleaning again changes nothing");
	is_number(changed, 0, "nor does cleaning what is valid");
}

static void test_trim(void)
{
	/* 1, 2, 3, 4 and 1 bytes */
	static const char text[] = "a\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80z";
	static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
	unsigned wrong = 0;

	for (size_t len = 0; len < sizeof(text); len++)
		wrong += utf8_trim(text, len) != want[len];
	is_number(wrong, 0, "a cut at any length falls back to the character's start");
	is_number(utf8_trim("\x80\x80\x80\x80\x80", 5), 5,
		  "bytes without a lead are left to the cleaner");
	is_number(utf8_trim("ab\xFF", 3), 3, "so is a byte that begins nothing");
	is_number(utf8_trim("\xF0", 1), 0, "a lead alone goes");
}

int main(void)
{
	test_every_character();
	test_every_pair();
	test_edges();
	test_clean();
	test_clean_random();
	test_trim();
	return done();
}
