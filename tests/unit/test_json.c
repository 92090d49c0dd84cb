/* JSON in, strict (RFC 8259): what is refused and how deep; JSON out, compact and clean. */
#include "json/json.h"

#include "tap.h"
#include "util.h"

static void parses(struct slice text, const char *want)
{
	_cleanup_json_ json_t *value = NULL;
	_cleanup_buf_ struct buf out = buf_new(MIB);
	struct error err = {.message = ""};

	if (!ok(json_parse(text, &value, &err) == 0, "taken: %.60s", want))
		printf("# %s\n", err.message);
	if (value && json_write(value, &out) == 0)
		is_text(out.data, want, "and written as that");
}

static void refuses(struct slice text, const char *code, const char *what)
{
	json_t untouched, *value = &untouched;
	struct error err = {.code = ""};

	ok(json_parse(text, &value, &err) == -1 && value == &untouched, "refused: %s", what);
	is_text(err.code, code, "by its code");
	is_number(err.status, 400, "and status");
}

static void test_good(void)
{
	parses(SLICE_LITERAL("{}"), "{}");
	parses(SLICE_LITERAL(" \t\r\n{ \"a\" : [ 1 , -2.5 , true , false , null , \"x\" ] } \n"),
	       "{\"a\":[1,-2.5,true,false,null,\"x\"]}");
	parses(SLICE_LITERAL("\"alone\""), "\"alone\"");
	parses(SLICE_LITERAL("0"), "0");
	parses(SLICE_LITERAL("9223372036854775807"), "9223372036854775807");
	parses(SLICE_LITERAL("-9223372036854775808"), "-9223372036854775808");
	parses(SLICE_LITERAL("\"\\ud83d\\ude00 \\u00fc \\n \\/ \\\"\""),
	       "\"\xF0\x9F\x98\x80 \xC3\xBC \\n / \\\"\"");
	parses(SLICE_LITERAL("{\"a\":{\"a\":1},\"b\":{\"a\":2}}"),
	       "{\"a\":{\"a\":1},\"b\":{\"a\":2}}");
	parses(SLICE_LITERAL("[\"[{[{\\\"[{[\"]"), "[\"[{[{\\\"[{[\"]");
}

static void test_bad(void)
{
	static const struct {
		struct slice text;
		const char *what;
	} rows[] = {
		{SLICE_LITERAL(""), "nothing"},
		{SLICE_LITERAL("  \n"), "blanks"},
		{SLICE_LITERAL("{"), "an object without its end"},
		{SLICE_LITERAL("}"), "an end without its object"},
		{SLICE_LITERAL("{}{}"), "two texts"},
		{SLICE_LITERAL("{} x"), "bytes behind"},
		{SLICE_LITERAL("{}\0"), "a NUL behind"},
		{SLICE_LITERAL("\xEF\xBB\xBF{}"), "a byte order mark"},
		{SLICE_LITERAL("{\"a\":1,\"a\":1}"), "a key twice"},
		{SLICE_LITERAL("{\"a\":1,\"\\u0061\":2}"), "a key twice, once escaped"},
		{SLICE_LITERAL("[{\"b\":{\"a\":1,\"a\":1}}]"), "a key twice, deeper"},
		{SLICE_LITERAL("\"a\\u0000b\""), "an escaped NUL"},
		{SLICE_LITERAL("{\"a\\u0000b\":1}"), "an escaped NUL in a key"},
		{SLICE_LITERAL("\"a\0b\""), "a NUL in a string"},
		{SLICE_LITERAL("\"a\nb\""), "a newline in a string"},
		{SLICE_LITERAL("\"\\ud83d\""), "a lone high surrogate"},
		{SLICE_LITERAL("\"\\ude00\""), "a lone low surrogate"},
		{SLICE_LITERAL("\"\\ud83d\\u0041\""), "a high surrogate before a letter"},
		{SLICE_LITERAL("\"\xED\xA0\x80\""), "a surrogate in UTF-8"},
		{SLICE_LITERAL("\"\xC0\xAF\""), "an overlong form"},
		{SLICE_LITERAL("\"\xFF\""), "a byte that is not UTF-8"},
		{SLICE_LITERAL("\"\xC3\""), "half a character"},
		{SLICE_LITERAL("\"\\x41\""), "an escape of C"},
		{SLICE_LITERAL("'a'"), "single quotes"},
		{SLICE_LITERAL("{a:1}"), "a key without quotes"},
		{SLICE_LITERAL("[1,]"), "a comma too many"},
		{SLICE_LITERAL("[1 2]"), "a comma too few"},
		{SLICE_LITERAL("// x\n1"), "a comment"},
		{SLICE_LITERAL("NaN"), "NaN"},
		{SLICE_LITERAL("-Infinity"), "minus infinity"},
		{SLICE_LITERAL("True"), "another language's true"},
		{SLICE_LITERAL("+1"), "a plus sign"},
		{SLICE_LITERAL("01"), "a leading zero"},
		{SLICE_LITERAL("1."), "a point without digits"},
		{SLICE_LITERAL(".5"), "digits only behind the point"},
		{SLICE_LITERAL("0x1f"), "a hexadecimal number"},
		{SLICE_LITERAL("9223372036854775808"), "an integer past 64 bits"},
		{SLICE_LITERAL("-9223372036854775809"), "the same below 0"},
		{SLICE_LITERAL("1e400"), "a number past a double"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		refuses(rows[i].text, "bad_json", rows[i].what);
}

/* A refusal names line, column, and what is wrong in words of ours, whatever the library says. */
static void test_messages(void)
{
	static const struct {
		struct slice text;
		unsigned line, column; /* 0: of the text as a whole */
		const char *words;
	} rows[] = {
		{SLICE_LITERAL(""), 0, 0, "it is empty"},
		{SLICE_LITERAL(" \n"), 0, 0, "it is empty"},
		{SLICE_LITERAL("\xEF\xBB\xBF{}"), 0, 0,
		 "it begins with a byte order mark: send it without one"},
		{SLICE_LITERAL("\xFF\xFE{\0}\0"), 0, 0, "it is UTF-16: send UTF-8"},
		{SLICE_LITERAL("{"), 1, 1, "the text ends too early"},
		{SLICE_LITERAL("{}{}"), 1, 3, "something follows the end, near '{'"},
		{SLICE_LITERAL("{}\0"), 1, 3, "something follows the end"},
		{SLICE_LITERAL("{\"a\":\"\\u0000\"}"), 1, 13,
		 "a string must not have \\u0000 in it, near '\"\\u0000\"'"},
		{SLICE_LITERAL("{\"a\\u0000\":1}"), 1, 10,
		 "a name must not have \\u0000 in it, near '\"a\\u0000\"'"},
		{SLICE_LITERAL("{\"a\":1,\"a\":2}"), 1, 10, "a name is there twice, near '\"a\"'"},
		{SLICE_LITERAL("1e400"), 1, 5, "a number is too large, near '1e400'"},
		{SLICE_LITERAL("9223372036854775808"), 1, 19,
		 "a number is too large, near '9223372036854775808'"},
		{SLICE_LITERAL("\"\xFF\""), 1, 1, "this is not UTF-8, near '\"'"},
		{SLICE_LITERAL("\"a\nb\""), 1, 2,
		 "a string must not go over a line's end: write \\n, near '\"a'"},
		{SLICE_LITERAL("\"a\tb\""), 1, 2,
		 "a string must not have a control character in it: write \\u and four digits, near '\"a'"},
		{SLICE_LITERAL("\"a\0b\""), 1, 2,
		 "a string must not have a control character in it: write \\u and four digits, near '\"a'"},
		{SLICE_LITERAL("\"\\x41\""), 1, 3, "there is no such escape, near '\"\\x'"},
		{SLICE_LITERAL("\"\\ud83d\""), 1, 8,
		 "this \\u escape is no character, near '\"\\ud83d\"'"},
		{SLICE_LITERAL("\"\\u00zz\""), 1, 6, "there is no such escape, near '\"\\u00z'"},
		{SLICE_LITERAL("{a:1}"), 1, 2, "a name in double quotes is missing, near 'a'"},
		{SLICE_LITERAL("{\"a\":1,}"), 1, 8, "a name in double quotes is missing, near '}'"},
		{SLICE_LITERAL("{\n\"a\": 1,\n  nope}"), 3, 6,
		 "a name in double quotes is missing, near 'nope'"},
		{SLICE_LITERAL("{\"a\" 1}"), 1, 6, "a colon is missing, near '1'"},
		{SLICE_LITERAL("[1 2]"), 1, 4, "a comma or ] is missing, near '2'"},
		{SLICE_LITERAL("{\"a\":1 \"b\":2}"), 1, 10,
		 "a comma or } is missing, near '\"b\"'"},
		{SLICE_LITERAL("'a'"), 1, 1, "no value looks like this, near '''"},
		{SLICE_LITERAL("[1,]"), 1, 4, "no value looks like this, near ']'"},
		{SLICE_LITERAL("{\"a\":True}"), 1, 9, "no value looks like this, near 'True'"},
		{SLICE_LITERAL("{\"a\":01}"), 1, 6, "no value looks like this, near '0'"},
		{SLICE_LITERAL("print(1)"), 1, 5, "no value looks like this, near 'print'"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error err = {.message = ""};
		char want[256];
		json_t *value;

		must(json_parse(rows[i].text, &value, &err) < 0);
		if (rows[i].line)
			(void)snprintf(want, sizeof(want), "Invalid JSON at line %u, column %u: %s",
				       rows[i].line, rows[i].column, rows[i].words);
		else
			(void)snprintf(want, sizeof(want), "Invalid JSON: %s", rows[i].words);
		is_text(err.message, want, "and says so");
	}
}

/* depth levels of brackets around nothing. */
static void nest(struct buf *out, unsigned depth, const char *open, const char *close)
{
	for (unsigned i = 0; i < depth; i++)
		must(buf_append_text(out, open) == 0);
	for (unsigned i = 0; i < depth; i++)
		must(buf_append_text(out, i == 0 && *open == '{' ? close + 1 : close) == 0);
}

static void test_depth(void)
{
	_cleanup_buf_ struct buf deepest = buf_new(KIB), deeper = buf_new(KIB),
				 objects = buf_new(KIB), many = buf_new(2 * MIB);
	_cleanup_json_ json_t *value = NULL;
	struct error err;

	nest(&deepest, JSON_DEPTH_MAX, "[", "]");
	nest(&deeper, JSON_DEPTH_MAX + 1, "[", "]");
	is_number(json_parse(buf_slice(&deepest), &value, &err), 0, "%d levels", JSON_DEPTH_MAX);
	refuses(buf_slice(&deeper), "json_too_deep", "one level more");
	must(buf_append_text(&objects, "{\"a\":") == 0);
	nest(&objects, JSON_DEPTH_MAX, "[", "]");
	must(buf_append_text(&objects, "}") == 0);
	refuses(buf_slice(&objects), "json_too_deep", "objects count as well");
	for (unsigned i = 0; i < MIB; i++)
		must(buf_append_text(&many, "[") == 0);
	refuses(buf_slice(&many), "json_too_deep", "a million brackets");

	_cleanup_buf_ struct buf values = buf_new(MIB);

	must(buf_append_text(&values, "[0") == 0);
	for (unsigned i = 0; i < JSON_VALUES_MAX - 2; i++)
		must(buf_append_text(&values, ",0") == 0);
	must(buf_append_text(&values, "]") == 0);

	_cleanup_json_ json_t *most = NULL;

	is_number(json_parse(buf_slice(&values), &most, &err), 0, "%d values", JSON_VALUES_MAX);
	values.len--;
	must(buf_append_text(&values, ",0]") == 0);
	refuses(buf_slice(&values), "json_too_many_values", "one more");

	_cleanup_json_ json_t *wide = NULL;

	ok(json_parse(SLICE_LITERAL("[[],[],[],[\"\\\"]]]]]]]]]]\"],[\"\\\\\"],[]]"), &wide,
		      &err) == 0 &&
		   json_array_size(wide) == 6,
	   "brackets beside one another and in strings are no depth");
	for (unsigned i = 0; i < 200; i++)
		must(buf_append_text(&deepest, "]") == 0);
	refuses(buf_slice(&deepest), "bad_json", "ends that nothing began");
}

static void test_clean_string(void)
{
	static const struct {
		struct slice text;
		const char *want;
	} rows[] = {
		{SLICE_LITERAL("plain"), "\"plain\""},
		{SLICE_LITERAL(""), "\"\""},
		{SLICE_LITERAL("a\0b"), "\"a\\u0000b\""},
		{SLICE_LITERAL("\x1b[31m\x7f\r\n\t\""), "\"\\u001B[31m\x7f\\r\\n\\t\\\"\""},
		{SLICE_LITERAL("\xff"
			       "a\xC3"),
		 "\"\xEF\xBF\xBD"
		 "a\xEF\xBF\xBD\""},
		{SLICE_LITERAL("\xEF\xBB\xBF\xF0\x9F\x98\x80"), "\"\xEF\xBB\xBF\xF0\x9F\x98\x80\""},
		{SLICE_LITERAL("</script>"), "\"</script>\""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_json_ json_t *value = json_clean_string(rows[i].text);
		_cleanup_buf_ struct buf out = buf_new(KIB);

		ok(value && json_write(value, &out) == 0, "a string of any bytes can be written");
		is_text(buf_slice(&out).data, rows[i].want, "as %s", rows[i].want);
	}
}

static void test_write(void)
{
	_cleanup_json_ json_t *value = json_pack("{s:s, s:[i,f], s:b, s:n}", "key", "value", "list",
						 1, 0.1, "yes", 1, "none");
	static const char want[] =
		"{\"key\":\"value\",\"list\":[1,0.1],\"yes\":true,\"none\":null}";
	_cleanup_buf_ struct buf exact = buf_new(strlen(want) + 2),
				 less = buf_new(strlen(want) + 1);

	must(buf_append_text(&exact, "> ") == 0 && buf_append_text(&less, "> ") == 0);
	is_number(json_write(value, &exact), 0, "written behind what is there");
	is_text(exact.data + 2, want, "compact, in the order of making");
	is_number(json_write(value, &less), -1, "a byte too long is refused");
	is_text(less.data, "> ", "whole");
	is_number(json_write(NULL, &less), -1, "so is no value");
}

int main(void)
{
	test_good();
	test_bad();
	test_messages();
	test_depth();
	test_clean_string();
	test_write();
	return done();
}
