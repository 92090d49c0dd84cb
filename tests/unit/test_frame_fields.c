/* "key=value" strings in a frame: written, read back in order, and refused where they are no
 * fields. */
#include "base/frame.h"

#include "tap.h"
#include "util.h"

static void test_round_trip(void)
{
	_cleanup_buf_ struct buf buf = buf_new(1024);
	struct slice fields, key, value;

	must(field_add(&buf, "argv", SLICE_LITERAL("one")) == 0 &&
	     field_add(&buf, "argv", SLICE_LITERAL("a=b=c")) == 0 &&
	     field_add(&buf, "empty", SLICE_LITERAL("")) == 0 &&
	     field_add_number(&buf, "n", UINT64_MAX) == 0 &&
	     field_add(&buf, "bytes", SLICE_LITERAL("\xff\n\x01")) == 0);
	fields = buf_slice(&buf);

	static const char *const want[][2] = {
		{"argv", "one"},         {"argv", "a=b=c"},
		{"empty", ""},           {"n", "18446744073709551615"},
		{"bytes", "\xff\n\x01"},
	};

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		ok(field_next(&fields, &key, &value) && slice_eq(key, want[i][0]) &&
			   slice_eq(value, want[i][1]) && value.data[value.len] == '\0',
		   "%s comes back, its value ended by NUL", want[i][0]);
	ok(!field_next(&fields, &key, &value) && fields.len == 0, "and then there is no more");
}

static void stops(struct slice fields, size_t left, const char *what)
{
	struct slice key, value;

	while (field_next(&fields, &key, &value))
		continue;
	is_number(fields.len, left, "%s", what);
}

static void test_malformed(void)
{
	stops(SLICE_LITERAL(""), 0, "no field at all is well-formed");
	stops(SLICE_LITERAL("a=1"), 3, "a field without its NUL is left");
	stops(SLICE_LITERAL("a=1\0b"), 1, "so is one without '='");
	stops(SLICE_LITERAL("a=1\0b\0"), 2, "with its NUL, too");
	stops(SLICE_LITERAL("a=1\0b\0c=2\0"), 6,
	      "and nothing behind it is taken, least of all its '='");
	stops(SLICE_LITERAL("\0"), 1, "an empty field is none");
	stops(SLICE_LITERAL("=\0"), 0, "an empty key is the reader's business");
}

static void test_room(void)
{
	_cleanup_buf_ struct buf exact = buf_new(strlen("key=value") + 1),
				 less = buf_new(strlen("key=value"));

	is_number(field_add(&exact, "key", SLICE_LITERAL("value")), 0,
		  "a field may fill the buffer");
	is_number(field_add(&less, "key", SLICE_LITERAL("value")), -1, "one byte more is refused");
	is_number(less.len, 0, "whole");
}

int main(void)
{
	test_round_trip();
	test_malformed();
	test_room();
	return done();
}
