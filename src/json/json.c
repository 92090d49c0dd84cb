#include "json/json.h"

#include "base/ascii.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "bounds.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

/*
 * jansson (2.14, lex_save) goes on when the buffer of the text that it reads cannot grow: a byte is
 * lost, and then it reads and writes past what it has. So memory that runs out ends the reading at
 * once, by longjmp(3) out of it, and what it had taken is freed: everything that jansson holds is
 * on a list, the newest first.
 */
struct block {
	_Alignas(max_align_t) struct block *older;
	struct block *newer;
};

static struct block *newest;
static jmp_buf *way_out; /* while a text is read */

static void *allocate(size_t size)
{
	struct block *block =
		size <= SIZE_MAX - sizeof(*block) ? malloc(sizeof(*block) + size) : NULL;

	if (!memory_checked(block) && way_out)
		longjmp(*way_out, 1);
	if (!block)
		return NULL;
	*block = (struct block){.older = newest};
	if (newest)
		newest->newer = block;
	newest = block;
	return block + 1;
}

static void release(void *memory)
{
	struct block *block = memory ? (struct block *)memory - 1 : NULL;

	if (!block)
		return;
	if (block->older)
		block->older->newer = block->newer;
	if (block->newer)
		block->newer->older = block->older;
	else
		newest = block->older;
	free(block);
}

__attribute__((constructor)) static void take_over_memory(void)
{
	json_set_alloc_funcs(allocate, release);
}

/* jansson would read its hash seed from /dev/urandom, where a confined program cannot go, and fall
   back to the clock. */
__attribute__((constructor)) static void seed_hashes(void)
{
	size_t seed;

	if (getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed))
		json_object_seed(seed | 1); /* 0 would mean "choose one" */
}

/* Looks at a text before a tree is built of it. jansson bounds its depth only at 2048, and its
   values not at all: a request has no need of so much, and 32 MiB of "[]," are 1.8 GiB. 0, or -1
   with *err. */
static int check_size(struct slice text, struct error *err)
{
	unsigned depth = 0, values = 1;
	bool in_string = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			/* with something in it, it holds one more than it has commas */
			values += i + 1 < text.len && !strchr("]}", text.data[i + 1]);
			if (++depth > JSON_DEPTH_MAX)
				return error_set(err, 400, "json_too_deep",
						 "JSON is nested deeper than %d levels",
						 JSON_DEPTH_MAX);
		} else if (c == ',') {
			values++;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	if (values > JSON_VALUES_MAX)
		return error_set(err, 400, "json_too_many_values",
				 "JSON has more than %d values: send large data as one string",
				 JSON_VALUES_MAX);
	return 0;
}

/* What is wrong with a text as a whole, or NULL. */
static const char *wrong_with(struct slice text)
{
	if (slice_starts(text, "\xEF\xBB\xBF"))
		return "it begins with a byte order mark: send it without one";
	if (slice_starts(text, "\xFF\xFE") || slice_starts(text, "\xFE\xFF"))
		return "it is UTF-16: send UTF-8";
	return ascii_is_of(text, " \t\r\n") ? "it is empty" : NULL;
}

/* What is wrong at a place, for the person who wrote the text: jansson's own words are its
   parser's. Where one code is many mistakes they are told apart by how its words begin. The first
   row that fits. */
static const char *wrong_at(const json_error_t *where)
{
	static const struct {
		enum json_error_code code;
		const char *begins, *words;
	} rows[] = {
		{json_error_premature_end_of_input, "", "the text ends too early"},
		{json_error_end_of_input_expected, "", "something follows the end"},
		{json_error_invalid_utf8, "", "this is not UTF-8"},
		{json_error_null_character, "", "a string must not have \\u0000 in it"},
		{json_error_null_byte_in_key, "", "a name must not have \\u0000 in it"},
		{json_error_duplicate_key, "", "a name is there twice"},
		{json_error_numeric_overflow, "", "a number is too large"},
		{json_error_invalid_syntax, "unexpected newline",
		 "a string must not go over a line's end: write \\n"},
		{json_error_invalid_syntax, "control character",
		 "a string must not have a control character in it: write \\u and four digits"},
		{json_error_invalid_syntax, "invalid escape", "there is no such escape"},
		{json_error_invalid_syntax, "invalid Unicode", "this \\u escape is no character"},
		{json_error_invalid_syntax, "string or '}'", "a name in double quotes is missing"},
		{json_error_invalid_syntax, "':'", "a colon is missing"},
		{json_error_invalid_syntax, "']'", "a comma or ] is missing"},
		{json_error_invalid_syntax, "'}'", "a comma or } is missing"},
		{json_error_invalid_syntax, "", "no value looks like this"},
	};
	enum json_error_code code = json_error_code(where);

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (rows[i].code == code &&
		    strncmp(where->text, rows[i].begins, strlen(rows[i].begins)) == 0)
			return rows[i].words;
	return "this cannot be read";
}

static int parse(struct slice text, size_t flags, json_t **out, unsigned *line, struct error *err)
{
	json_error_t where;

	*line = 1;
	if (check_size(text, err) < 0)
		return -1;

	const struct block *before = newest;
	jmp_buf here;

	if (setjmp(here)) {
		way_out = NULL;
		while (newest != before)
			release(newest + 1);
		return error_set(err, 500, "out_of_memory", "no memory for the JSON");
	}
	way_out = &here;

	json_t *value = json_loadb(text.data, text.len,
				   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | flags, &where);

	way_out = NULL;
	if (!value) {
		*line = where.line > 0 ? (unsigned)where.line : 1;

		const char *words = wrong_with(text);
		/* the piece of the text that it ends its words with */
		const char *near = strstr(where.text, " near '");

		if (words)
			return error_set(err, 400, "bad_json", "Invalid JSON: %s", words);
		return error_set(err, 400,
				 flags && json_error_code(&where) == json_error_null_byte_in_key
					 ? "json_nul_in_key"
					 : "bad_json",
				 "Invalid JSON at line %d, column %d: %s%s%s", where.line,
				 where.column, wrong_at(&where), near ? "," : "", near ? near : "");
	}
	*out = value;
	return 0;
}

int json_parse(struct slice text, json_t **out, struct error *err)
{
	unsigned line;

	return parse(text, 0, out, &line, err);
}

int json_parse_with_nul(struct slice text, json_t **out, struct error *err)
{
	unsigned line;

	return parse(text, JSON_ALLOW_NUL, out, &line, err);
}

int json_parse_lines(struct slice text, bool may_hold_nul, json_t **out, unsigned *line,
		     struct error *err)
{
	return parse(text, may_hold_nul ? JSON_ALLOW_NUL : 0, out, line, err);
}

json_t *json_clean_string(struct slice text)
{
	if (utf8_is_valid(text))
		return json_stringn(text.data, text.len);

	_cleanup_buf_ struct buf clean = buf_new(text.len * 3);

	if (utf8_append_clean(&clean, text) < 0)
		return NULL;
	return json_stringn(clean.data, clean.len);
}

static int append(const char *data, size_t len, void *out)
{
	return buf_append(out, data, len);
}

int json_write(const json_t *value, struct buf *out)
{
	size_t before = out->len;

	if (json_dump_callback(value, append, out,
			       JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) == 0)
		return 0;
	if (out->data)
		out->data[before] = '\0';
	out->len = before; /* a refusal changes nothing */
	return -1;
}
