/* The number parser: a whole string of digits up to a maximum, and nothing else. */
#include "base/num.h"

#include "tap.h"

#include <ctype.h>
#include <inttypes.h>

#define UNTOUCHED 4711

static void parses(const char *text, unsigned base, uint64_t max, uint64_t want)
{
	uint64_t value = UNTOUCHED;

	ok(num_parse(slice_of(text), base, max, &value) == 0 && value == want,
	   "\"%s\" in base %u is %" PRIu64, text, base, want);
}

static void refuses_bytes(struct slice text, unsigned base, uint64_t max, const char *why)
{
	uint64_t value = UNTOUCHED;

	ok(num_parse(text, base, max, &value) == -1 && value == UNTOUCHED, "refused: %s", why);
}

static void refuses(const char *text, unsigned base, uint64_t max, const char *why)
{
	refuses_bytes(slice_of(text), base, max, why);
}

static void test_every_byte(void)
{
	static const unsigned bases[] = {8, 10, 16};

	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		unsigned taken = 0, wrong = 0;

		for (int byte = 0; byte < 256; byte++) {
			char text[1] = {(char)byte};
			uint64_t value;

			if (num_parse((struct slice){text, 1}, bases[i], 99, &value) < 0)
				continue;
			taken++;
			wrong += !isxdigit(byte) || value >= bases[i];
		}
		is_number(taken, bases[i] == 16 ? 22 : bases[i], "the digits of base %u are digits",
			  bases[i]);
		is_number(wrong, 0, "and no other byte is");
	}
}

int main(void)
{
	parses("0", 10, 0, 0);
	parses("9", 10, 9, 9);
	parses("00000000000000000000000000000000000007", 10, 7, 7);
	parses("18446744073709551615", 10, UINT64_MAX, UINT64_MAX);
	parses("ffffffffffffffff", 16, UINT64_MAX, UINT64_MAX);
	parses("1777777777777777777777", 8, UINT64_MAX, UINT64_MAX);
	parses("DeadBeef", 16, UINT32_MAX, 0xdeadbeef);
	parses("755", 8, 0777, 0755);
	parses("65535", 10, 65535, 65535);
	parses("ff", 16, 255, 255);

	refuses("", 10, 9, "nothing");
	refuses("10", 10, 9, "one more than the maximum");
	refuses("65536", 10, 65535, "one more than a larger maximum");
	refuses("1", 10, 0, "one more than 0");
	refuses("18446744073709551616", 10, UINT64_MAX, "one more than 64 bits hold");
	refuses("18446744073709551620", 10, UINT64_MAX,
		"more than 64 bits hold, by the last digit's place");
	refuses("99999999999999999999999999999", 10, UINT64_MAX, "far more than 64 bits hold");
	refuses("10000000000000000", 16, UINT64_MAX, "the same in base 16");
	refuses("2000000000000000000000", 8, UINT64_MAX, "the same in base 8");
	refuses("+1", 10, 9, "a plus sign");
	refuses("-1", 10, UINT64_MAX, "a minus sign");
	refuses("-0", 10, UINT64_MAX, "a minus sign before 0");
	refuses(" 1", 10, 9, "a blank before");
	refuses("1 ", 10, 9, "a blank behind");
	refuses("\t1", 10, 9, "a tab");
	refuses("1\n", 10, 9, "a newline");
	refuses("1 000", 10, 9999, "a blank within");
	refuses("1_000", 10, 9999, "an underscore");
	refuses("1,000", 10, 9999, "a comma");
	refuses("1.0", 10, 99, "a fraction");
	refuses("1e3", 10, 9999, "an exponent");
	refuses("0x10", 16, 255, "a prefix");
	refuses("0b1", 10, 255, "another prefix");
	refuses("8", 8, 99, "a digit of another base: 8 in 8");
	refuses("a", 10, 99, "a digit of another base: a in 10");
	refuses("g", 16, 99, "a digit of another base: g in 16");
	refuses("12a", 10, 9999, "a letter behind digits");
	refuses("NaN", 10, 99, "NaN");
	refuses("\xef\xbc\x91", 10, 9, "a full-width digit");
	refuses_bytes(SLICE_LITERAL("1\0"), 10, 99, "a NUL behind");
	refuses_bytes(SLICE_LITERAL("\0001"), 10, 99, "a NUL before");
	refuses_bytes((struct slice){"12", 0}, 10, 99, "nothing of something");

	uint64_t value;

	ok(num_parse((struct slice){"123", 2}, 10, 99, &value) == 0 && value == 12,
	   "no byte past the slice is read");
	test_every_byte();
	return done();
}
