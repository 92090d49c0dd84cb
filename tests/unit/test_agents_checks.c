/* The validators that only look at bytes, and the lists they look with: config/patterns.h,
   api/agents/checks.h. Every list that is installed is read. */
#include "tap.h"
#include "util.h"

#include "api/agents/checks.h"
#include "config/registry.h"

#define FRONTEND "frontend"

static struct config config;
static struct error err;

static struct job_input file(const char *path, const char *text)
{
	return (struct job_input){slice_of(path), slice_of(text)};
}

static void test_matching(void)
{
	static const struct {
		const char *pattern, *text;
		size_t len;
	} cases[] = {
		{"eval (", "eval(1)", 5},
		{"eval (", "EVAL  \t\n(", 9},
		{"eval (", "eval", 0},
		{"eval (", "evil(", 0},
		{"a = b", "a=b", 3},
		{"a = b", "a =\n b", 6},
		{"<html", "<HTML lang>", 5},
		{"x", "", 0},
		{"a ", "a", 1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_number(pattern_match(slice_of(cases[i].pattern), slice_of(cases[i].text)),
			  cases[i].len, "'%s', case %zu", cases[i].pattern, i);
}

/* Looks with a list of this tree; what is found, as "line:pattern …". */
static const char *found(const char *list, const char *text, struct check *check)
{
	static char places[1024];
	_cleanup_patterns_ struct patterns patterns = {0};
	const struct job_input input = file("script.js", text);
	const json_t *hit;
	size_t i;

	must(patterns_load(&config, list, &patterns, &err) == 0);
	check_free(check);
	check_security(&patterns, &input, 1, check);
	places[0] = '\0';
	json_array_foreach (json_object_get(check->details, "hits"), i, hit) {
		size_t len = strlen(places);

		(void)snprintf(places + len, sizeof(places) - len, "%s%lld:%s", len ? " " : "",
			       json_integer_value(json_object_get(hit, "line")),
			       json_string_value(json_object_get(hit, "message")));
	}
	return places;
}

static void test_security(void)
{
	_cleanup_check_ struct check check = {0};

	is_text(found(FRONTEND, "let a = 1;", &check), "", "nothing is found in nothing");
	ok(check.passed, "it has passed");
	is_text(check.message, "Security: No issues found", "and says so");
	is_text(found(FRONTEND, "eval('1')", &check), "1:eval()", "eval");
	ok(!check.passed && json_is_true(json_object_get(check.details, "hasDangerousPatterns")),
	   "it has not passed");
	is_text(check.message, "Security: Issues found", "as src/api/agents/README.md has it");
	is_text(found(FRONTEND,
		      "\nEVAL ('');\n\nx.innerhtml\t= y; Document.Write(1)\nDangerouslySetInnerHTML",
		      &check),
		"2:eval() 4:innerHTML assignment 4:document.write 5:dangerouslySetInnerHTML",
		"all four, in any case, with their lines");
	is_text(found(FRONTEND, "eval(1); eval(2)", &check), "1:eval() 1:eval()", "every hit");
	is_number(json_array_size(json_object_get(check.details, "found")), 1, "named once");
	is_text(found("python", "medieval(1)\nx.eval (2)", &check), "2:eval()",
		"a word is not the end of another one");
}

static void test_many_hits(void)
{
	_cleanup_check_ struct check check = {0};
	_cleanup_buf_ struct buf text = buf_new(MIB);

	for (int i = 0; i < PATTERN_HITS_MAX_COUNT + 5; i++)
		must(buf_append_text(&text, "eval(\n") == 0);
	(void)found(FRONTEND, text.data, &check);
	is_number(json_array_size(json_object_get(check.details, "hits")), PATTERN_HITS_MAX_COUNT,
		  "named are no more than the maximum");
	is_number(json_integer_value(json_object_get(check.details, "count")),
		  PATTERN_HITS_MAX_COUNT + 5, "counted are all");
}

static void test_lists(void)
{
	_cleanup_registry_names_ struct registry_names names = {0};

	must(registry_names(&config, REGISTRY_PATTERNS, &names, &err) == 0);
	ok(names.count >= 7, "%zu lists", names.count);
	for (size_t i = 0; i < names.count; i++) {
		_cleanup_patterns_ struct patterns patterns = {0};

		is_number(patterns_load(&config, names.names[i], &patterns, &err), 0, "%s.json",
			  names.names[i]);
		ok(json_array_size(patterns.list) > 0, "holds patterns");
	}
}

static void test_broken_lists(void)
{
	static const char *const texts[] = {
		"",
		"[]",
		"{\"description\":\"d\"}",
		"{\"patterns\":[]}",
		"{\"description\":\"d\",\"patterns\":[],\"more\":1}",
		"{\"description\":\"d\",\"patterns\":[1]}",
		"{\"description\":\"d\",\"patterns\":[{\"pattern\":\"\",\"message\":\"m\"}]}",
		"{\"description\":\"d\",\"patterns\":[{\"pattern\":\" a\",\"message\":\"m\"}]}",
		"{\"description\":\"d\",\"patterns\":[{\"pattern\":\"a\"}]}",
		"{\"description\":\"d\",\"patterns\":[{\"pattern\":\"a\",\"message\":\"m\",\"word\":1}]}",
		"{\"description\":\"d\",\"patterns\":[{\"pattern\":\"a\",\"message\":\"m\",\"regex\":\"x\"}]}",
	};
	struct patterns patterns;

	(void)snprintf(config.registry[0], sizeof(config.registry[0]), "%s",
		       in_scratch("registry"));
	make_folder(in_scratch("registry"));
	make_folder(in_scratch("registry/patterns.d"));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_file(in_scratch("registry/patterns.d/broken.json"), slice_of(texts[i]));
		is_number(patterns_load(&config, "broken", &patterns, &err), -1, "refused: %s",
			  texts[i]);
		ok(strcmp(err.code, "bad_patterns") == 0 && strstr(err.message, "broken.json"),
		   "and its place is named: %s", err.message);
	}
	is_number(patterns_load(&config, "absent", &patterns, &err), -1, "one that is not there");
	is_text(err.code, "no_patterns", "has a word of its own");
	config.registry[0][0] = '\0';
}

static void test_size(void)
{
	_cleanup_buf_ struct buf text = buf_new(MIB);

	for (size_t i = 0; i < AGENT_PERFORMANCE_MAX_CHARS - 5; i++)
		must(buf_append_text(&text, "x") == 0);
	for (int more = 0; more < 2; more++) {
		_cleanup_check_ struct check check = {0};
		/* 1, 1, and a pair of surrogates */
		const struct job_input files[] = {
			file("html", more ? "a\u00e9\U0001F600" : "a\u20ac\u00e9"),
			file("css", more ? "" : "x"), file("javascript", text.data)};

		check_size(files, 3, &check);

		const json_t *sizes = json_object_get(check.details, "sizes");

		is_number(json_integer_value(json_object_get(sizes, "html")), more ? 4 : 3,
			  "characters as JavaScript counts them");
		is_number(json_integer_value(json_object_get(check.details, "total")),
			  AGENT_PERFORMANCE_MAX_CHARS - 1, "all of them");
		ok(check.passed, "one less than the maximum has passed");
	}
	must(buf_append_text(&text, "xxxxx") == 0);

	_cleanup_check_ struct check check = {0};
	const struct job_input all = file("a", text.data);

	check_size(&all, 1, &check);
	ok(!check.passed, "the maximum has not");
}

static void test_structure(void)
{
	static const struct {
		const char *html, *css, *script, *message;
	} cases[] = {
		{"<HTML>", "a{}", "12345678901", "Structure: Page, script and style sheet"},
		{"html", "a{}", "12345678901", "Structure: no <html> in the page"},
		{"<html", "a{}", "123456789\u00e9", "Structure: the script is too short"},
		{"<html", "a", "12345678901", "Structure: no rule in the style sheet"},
		{"", "", "",
		 "Structure: no <html> in the page, the script is too short, no rule in the style sheet"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_check_ struct check check = {0};

		check_structure(slice_of(cases[i].html), slice_of(cases[i].css),
				slice_of(cases[i].script), &check);
		is_text(check.message, cases[i].message, "case %zu", i);
		ok(check.passed == (i == 0), "passed: %d", check.passed);
	}
}

int main(void)
{
	(void)snprintf(config.registry[2], sizeof(config.registry[2]), "worker");
	test_matching();
	test_security();
	test_many_hits();
	test_lists();
	test_broken_lists();
	test_size();
	test_structure();
	return done();
}
