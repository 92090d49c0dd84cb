/* Alphabets, control bytes, blanks; and the slices that they cut. */
#include "tap.h"

#include "base/ascii.h"

static void spans(void)
{
	const struct slice with_nul = {"ab\0c", 4};

	ok(ascii_span(slice_of("abc-d"), ASCII_LOWER) == 3, "a span ends at the first other byte");
	ok(ascii_span(with_nul, ASCII_LOWER) == 2, "NUL is of no alphabet");
	ok(ascii_is_of(slice_of("09af"), ASCII_HEX) && !ascii_is_of(slice_of("0g"), ASCII_HEX) &&
		   !ascii_is_of(slice_of("0A"), ASCII_HEX),
	   "hex is lower case");
	ok(ascii_is_of(slice_of(""), ASCII_HEX), "an empty text is of every alphabet");
	ok(!ascii_is_of(slice_of("\xc3\xa9"), ASCII_ALNUM), "a byte above 0x7F is no letter");
}

static void controls(void)
{
	char text[] = "a\tb\x7f\n\xc3\xa9";

	ok(ascii_has_control(slice_of("a\tb")) && ascii_has_control(slice_of("\x7f")) &&
		   !ascii_has_control(slice_of("a \xc3\xa9")),
	   "control bytes are those below a blank, and DEL");
	ok(ascii_is_line(slice_of("a\tb")) && !ascii_is_line(slice_of("a\r")),
	   "a line may have tabs");
	ascii_mask_control(text, strlen(text), '?');
	ok(strcmp(text, "a?b??\xc3\xa9") == 0, "control bytes are masked, others stay");
}

static void cuts(void)
{
	struct slice rest = slice_of("a,,b"), none = {NULL, 0};

	ok(slice_eq(ascii_trim(slice_of("\t a b ")), "a b") && ascii_trim(slice_of(" \t")).len == 0,
	   "blanks around go, those within stay");
	ok(slice_eq(slice_take(&rest, ','), "a") && slice_eq(slice_take(&rest, ','), "") &&
		   slice_eq(slice_take(&rest, ','), "b") && rest.len == 0,
	   "a text is cut at each separator");
	ok(slice_take(&none, ',').len == 0, "nothing is cut into nothing");
	ok(slice_starts_nocase(slice_of("HTTP://x"), "http://") &&
		   !slice_starts_nocase(slice_of("http"), "http://"),
	   "a beginning without case");
	ok(slice_same(slice_of("ab"), slice_of("ab")) &&
		   !slice_same(slice_of("ab"), slice_of("abc")),
	   "two slices of the same bytes");
}

int main(void)
{
	spans();
	controls();
	cuts();
	return done();
}
