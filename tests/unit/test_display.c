/* base/display.h: what is a display, and everything that is not. */
#include "tap.h"

#include "base/display.h"
#include "bounds.h"

#include <stdlib.h>
#include <string.h>

#define GOOD "type=image/png\0name=plot_0\0source=matplotlib\0"

static const struct {
	const char *what;
	const char *payload;
	size_t len;
	bool is_good;
} rows[] = {
#define ROW(what, payload, is_good)                                                                \
	{                                                                                          \
		what, payload, sizeof(payload) - 1, is_good                                        \
	}
	ROW("a picture", GOOD "\0bytes", true),
	ROW("one without content", GOOD "\0", true),
	ROW("an index and a message", GOOD "index=7\0message=a \xC3\xA9 = b\0\0x", true),
	ROW("content that looks like fields", GOOD "\0type=b\0\0", true),
	ROW("a type with every byte", "type=a1/x.b+c_d-e\0name=A-z_9\0source=s\0\0", true),
	ROW("nothing", "", false),
	ROW("no fields", "\0content", false),
	ROW("no empty field", GOOD, false),
	ROW("half a field", "type=image/png\0name", false),
	ROW("no equals sign", GOOD "x\0\0", false),
	ROW("an unknown field", GOOD "size=1\0\0", false),
	ROW("no type", "name=a\0source=b\0\0", false),
	ROW("no name", "type=a/b\0source=b\0\0", false),
	ROW("no source", "type=a/b\0name=b\0\0", false),
	ROW("an empty type", "type=\0name=a\0source=b\0\0", false),
	ROW("a type without a slash", "type=image\0name=a\0source=b\0\0", false),
	ROW("a type of two slashes", "type=a/b/c\0name=a\0source=b\0\0", false),
	ROW("a type that ends too early", "type=a/\0name=a\0source=b\0\0", false),
	ROW("a type that begins too late", "type=/a\0name=a\0source=b\0\0", false),
	ROW("a type in capitals", "type=Image/png\0name=a\0source=b\0\0", false),
	ROW("a type with parameters", "type=a/b; c=d\0name=a\0source=b\0\0", false),
	ROW("a type of two lines", "type=a/b\nc\0name=a\0source=b\0\0", false),
	ROW("an empty name", "type=a/b\0name=\0source=b\0\0", false),
	ROW("a name that is a path", "type=a/b\0name=../a\0source=b\0\0", false),
	ROW("a source with a quote", "type=a/b\0name=a\0source=b\"\0\0", false),
	ROW("an index that is none", GOOD "index=-1\0\0", false),
	ROW("a message of two lines", GOOD "message=a\nb\0\0", false),
};

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct display display = {.index = 99};
		struct error err = {0};
		/* exactly so many bytes: what reads behind them is seen */
		char *copy = malloc(rows[i].len + 1);

		if (!copy)
			abort();
		memcpy(copy, rows[i].payload, rows[i].len + 1);

		int parsed = display_parse((struct slice){copy, rows[i].len}, &display, &err);

		is_number(parsed, rows[i].is_good ? 0 : -1, "%s", rows[i].what);
		if (!rows[i].is_good) {
			is_text(err.code, "display_bad", "with its word");
			is_number((long long)display.index, 99, "and nothing came out");
		}
		free(copy);
	}
}

static void test_fields(void)
{
	static const char payload[] = GOOD "index=7\0message=why\0\0\0a\0b";
	struct display display = {0};
	struct error err;

	is_number(display_parse((struct slice){payload, sizeof(payload) - 1}, &display, &err), 0,
		  "a display with all");
	ok(slice_eq(display.type, "image/png") && slice_eq(display.name, "plot_0") &&
		   slice_eq(display.source, "matplotlib") && slice_eq(display.message, "why"),
	   "its texts");
	is_number((long long)display.index, 7, "its index");
	ok(display.content.len == 4 && memcmp(display.content.data, "\0a\0b", 4) == 0,
	   "its content begins behind the first empty field");
}

static void test_lengths(void)
{
	static const size_t most[] = {DISPLAY_TYPE_MAX_BYTES - 2, DISPLAY_WORD_MAX_BYTES,
				      DISPLAY_MESSAGE_MAX_BYTES};
	static const char *const before[] = {"name=a\0source=b\0type=a/",
					     "type=a/b\0source=b\0name=", GOOD "message="};
	static const size_t before_len[] = {23, 23, sizeof(GOOD "message=") - 1};

	for (size_t i = 0; i < 3; i++)
		for (size_t more = 0; more < 2; more++) {
			char payload[2 * DISPLAY_MESSAGE_MAX_BYTES] = {0};
			size_t len = before_len[i] + most[i] + more;
			struct display display;
			struct error err;

			memcpy(payload, before[i], before_len[i]);
			memset(payload + before_len[i], 'a', most[i] + more);
			is_number(display_parse((struct slice){payload, len + 2}, &display, &err),
				  more ? -1 : 0, "field %zu of %zu bytes", i, most[i] + more);
		}
}

int main(void)
{
	test_rows();
	test_fields();
	test_lengths();
	return done();
}
