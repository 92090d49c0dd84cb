/* config/recipe.h and the fields of a template that go with it: what is taken, what is written for
   scripts/build-template, what is refused. */
#include "config/recipe.h"

#include "tap.h"

#include <stdio.h>
#include <stdlib.h>

static int parse(const char *text, struct template *out, struct error *err)
{
	struct registry_file file = {.kind = REGISTRY_TEMPLATES,
				     .path = "x.json",
				     .data = (char *)text,
				     .len = strlen(text)};

	return template_parse(&file, SLICE_LITERAL("x"), out, err);
}

static void test_fields(void)
{
	struct template template;
	struct error err;

	is_number(
		parse("{\"image\": \"i\", \"environment\": {\"A\": \"1\", \"B\": \"\"}, \"preload\": [\"a\", \"b.c\"],"
		      " \"build\": {\"base\": \"b\", \"apt\": [\"x\", \"y\"], \"python\": [\"z python3-z\"], \"stand_ins\": [\"w\"]}}",
		      &template, &err),
		0, "a template with everything");
	ok(memcmp(template.environment, "A=1\0B=\0", 8) == 0, "its variables");
	is_text(template.preload, "a,b.c", "its modules");
	is_number(template.package_count, 3, "its packages, without those that stand in");
	ok(template.is_built && !template.is_custom, "it is built, and the operator's");
	is_number(parse("{\"image\": \"i\"}", &template, &err), 0, "one without");
	ok(!template.is_built && !*template.environment && !*template.preload &&
		   !template.package_count,
	   "has none of it");
}

/* The last variable that fits, and the first that does not: all end in one NUL more than they
   have. */
static void test_environment_is_bounded(void)
{
	char text[6 * KIB], value[RECIPE_LINE_MAX_BYTES + 2];
	struct template template;
	struct error err;

	memset(value, 'v', sizeof(value));
	for (int fits = 1; fits >= 0; fits--) {
		(void)snprintf(
			text, sizeof(text),
			"{\"image\": \"i\", \"environment\": {\"A\": \"%.1020s\", \"B\": \"%.1020s\","
			" \"C\": \"%.1020s\", \"D\": \"%.*s\"}}",
			value, value, value, fits ? 1023 : 1024, value);
		is_number(parse(text, &template, &err), fits ? 0 : -1, "4096 bytes %s",
			  fits ? "fit" : "and one more do not");
	}
	(void)snprintf(text, sizeof(text), "{\"image\": \"i\", \"environment\": {\"A\": \"%.*s\"}}",
		       (int)RECIPE_LINE_MAX_BYTES + 1, value);
	is_number(parse(text, &template, &err), -1, "a value is bounded by itself, too");
}

static void test_write(void)
{
	_cleanup_buf_ struct buf out = buf_new(RECIPE_MAX_BYTES), small = buf_new(16);
	_cleanup_json_ json_t *build = json_pack(
		"{s:s, s:[s], s:[s], s:[s], s:[s], s:[s]}", "base", "b:1", "models", "nltk:c_d",
		"apt", "x", "npm", "@a/b@1", "stand_ins", "w", "setup_commands", "echo $X");
	struct template template = {.image = "i:1", .environment = "A=1 2\0B=3\0"};

	is_number(recipe_write(&template, build, &out), 0, "a recipe");
	is_text(out.data,
		"image i:1\nbase b:1\napt x\nstand-in w\nnpm @a/b@1\nmodel nltk:c_d\nrun echo $X\nenv A=1 2\nenv B=3\n",
		"in one order, whatever the file's");
	is_number(recipe_write(&template, build, &small), -1, "never more than there is room for");
}

static void test_lists(void)
{
	static const struct {
		const char *what, *entry;
		bool is_good;
	} cases[] = {
		{"apt", "libstdc++6", true},
		{"apt", "Python3", false},
		{"apt", "a/b", false},
		{"python", "spacy[ja]==3.7.5", true},
		{"python", "pillow python3-pil", true},
		{"python", "x @ https://y", false},
		{"python", "x -r", false},
		{"python", "x ", false},
		{"python", "-r", false},
		{"models", "spacy:en_core_web_sm", true},
		{"models", "../x", false},
		{"npm", "lodash@4.17.21", true},
		{"npm", "@types/node@20", true},
		{"npm", "someone/something", false},
		{"npm", "@a/b/c", false},
		{"npm", "--prefix", false},
		{"setup_commands", "a; b | c > d", true},
		{"setup_commands", "a\tb", false},
		{"nothing", "x", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_json_ json_t *list = json_pack("[s]", cases[i].entry);

		ok(recipe_is_list(cases[i].what, list) == cases[i].is_good, "%s: %s is %s",
		   cases[i].what, cases[i].entry, cases[i].is_good ? "good" : "refused");
	}
	ok(recipe_is_image("localhost/mayfly-x:1") &&
		   recipe_is_image("r.example:5000/a@sha256:0") && !recipe_is_image("-v") &&
		   !recipe_is_image("") && !recipe_is_image("a b"),
	   "images");
	ok(recipe_is_variable("A_1") && !recipe_is_variable("LD_PRELOAD") &&
		   !recipe_is_variable("MAYFLY_GO") && !recipe_is_variable("A=") &&
		   !recipe_is_variable(""),
	   "variables");
}

int main(void)
{
	test_fields();
	test_environment_is_bounded();
	test_write();
	test_lists();
	return done();
}
