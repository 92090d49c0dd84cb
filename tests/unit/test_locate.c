/* The line of a value in a text of JSON. */
#include "json/locate.h"

#include "tap.h"
#include "util.h"
#include "json/json.h"

static const char text[] = "{\n"                              /* 1 */
			   "  \"a\": 1, \"b\": {\n"           /* 2 */
			   "    \"c\": [1, \"x\\\"],}\", {\n" /* 3 */
			   "      \"d\"\n"                    /* 4 */
			   "        : true}],\n"              /* 5 */
			   "    \"b\": -1.5e3,\n"             /* 6 */
			   "    \"quo\\\"te\": null },\n"     /* 7 */
			   "  \"list\": [[], {}, [\n"         /* 8 */
			   "    \"deep\"]],\n"                /* 9 */
			   "  \"last\": \"\"\n"               /* 10 */
			   "}\n";

int main(void)
{
	static const struct {
		const char *path;
		unsigned line;
	} rows[] = {
		{"", 1},       {"a", 2},        {"b", 2},
		{"b.c", 3},    {"b.c[0]", 3},   {"b.c[1]", 3},
		{"b.c[2]", 3}, {"b.c[2].d", 4}, {"b.b", 6},
		{"list", 8},   {"list[2]", 8},  {"list[2][0]", 9},
		{"last", 10},  {"none", 1},     {"b.none", 2},
		{"b.c[9]", 3}, {"b.c[x]", 3},   {"b.c[", 3},
		{"a.b", 2},    {"list.a", 8},   {"b.c[2].d[0]", 4},
		{".", 1},      {"last.x", 10},  {"b.c[99999999999999]", 3},
	};
	json_t *value = NULL;
	struct error err;

	must(json_parse(slice_of(text), &value, &err) == 0);
	json_decref(value);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_number(json_line_of(slice_of(text), rows[i].path), rows[i].line, "\"%s\"",
			  rows[i].path);
	is_number(json_line_of(SLICE_LITERAL("{"), "a.b[0]"), 1, "a text that is not whole");
	is_number(json_line_of(SLICE_LITERAL("{\"a"), "a"), 1, "nor that");
	is_number(json_line_of(SLICE_LITERAL(""), "a"), 1, "nor nothing");
	return done();
}
