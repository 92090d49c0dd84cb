/* Recipes; the rules are in the header. */
#include "config/recipe.h"
#include "base/ascii.h"

#include <stdio.h>

/* What a name begins with, and what it goes on with. */
struct alphabet {
	const char *first, *rest;
};

static const struct alphabet debian = {ASCII_LOWER ASCII_DIGITS, ASCII_LOWER ASCII_DIGITS "+.-"},
			     pypi = {ASCII_LOWER ASCII_UPPER ASCII_DIGITS,
				     ASCII_LOWER ASCII_UPPER ASCII_DIGITS "._-[],=<>~!+*"},
			     npm = {ASCII_LOWER ASCII_DIGITS "@",
				    ASCII_LOWER ASCII_UPPER ASCII_DIGITS "._-@^~+/"},
			     model = {ASCII_LOWER, ASCII_LOWER ASCII_DIGITS "_:"},
			     variable = {ASCII_LOWER ASCII_UPPER "_",
					 ASCII_LOWER ASCII_UPPER ASCII_DIGITS "_"},
			     module = {ASCII_LOWER ASCII_UPPER "_",
				       ASCII_LOWER ASCII_UPPER ASCII_DIGITS "_."},
			     image = {ASCII_LOWER ASCII_UPPER ASCII_DIGITS,
				      ASCII_LOWER ASCII_UPPER ASCII_DIGITS "._-/:@"};

/* One row per list: its field, the word that stands before each of its values in a recipe, and what
   they are; without an alphabet: commands. */
static const struct {
	const char *field, *word;
	const struct alphabet *alphabet;
} lists[] = {
	{"apt", "apt", &debian},
	{"stand_ins", "stand-in", &debian},
	{"packages", "any", &pypi},
	{"python", "python", &pypi},
	{"npm", "npm", &npm},
	{"models", "model", &model},
	{"setup_commands", "run", NULL},
};

#define LIST_COUNT (COUNT_OF(lists))

static bool is_of(const struct alphabet *alphabet, const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= RECIPE_WORD_MAX_BYTES && strchr(alphabet->first, name[0]) &&
	       strspn(name + 1, alphabet->rest) == len - 1;
}

/* A slash is there only in @scope/name: else npm would take it for a folder, or for something on
   GitHub. */
static bool has_npm_slashes(const char *name)
{
	const char *slash = strchr(name, '/');

	return *name == '@' ? slash && slash > name + 1 && slash[1] && !strchr(slash + 1, '/')
			    : !slash;
}

bool recipe_is_variable(const char *name)
{
	return is_of(&variable, name) && strncmp(name, "LD_", 3) != 0 &&
	       strncmp(name, "MAYFLY_", 7) != 0;
}

bool recipe_is_module(const json_t *name)
{
	return json_is_string(name) && is_of(&module, json_string_value(name));
}

bool recipe_is_image(const char *name)
{
	return is_of(&image, name);
}

bool recipe_is_line(const json_t *text)
{
	return json_is_string(text) && json_string_length(text) <= RECIPE_LINE_MAX_BYTES &&
	       !ascii_has_control(slice_of(json_string_value(text)));
}

/* "NAME" or "NAME DEBIAN'S". */
static bool is_python(const char *entry)
{
	const char *blank = strchr(entry, ' ');
	char name[RECIPE_WORD_MAX_BYTES + 2];

	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(entry, " "), entry);
	return is_of(&pypi, name) && (!blank || is_of(&debian, blank + 1));
}

static bool is_entry(size_t row, const json_t *value)
{
	const struct alphabet *alphabet = lists[row].alphabet;

	if (!alphabet)
		return recipe_is_line(value) && json_string_length(value) > 0;
	if (strcmp(lists[row].field, "python") == 0)
		return json_is_string(value) && is_python(json_string_value(value));
	return json_is_string(value) && is_of(alphabet, json_string_value(value)) &&
	       (alphabet != &npm || has_npm_slashes(json_string_value(value)));
}

/* The number of the first entry that is none; 0 when all are. What is no list, or too long a one,
   has none that is. */
static size_t bad_entry(size_t row, const json_t *list)
{
	const json_t *value;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > RECIPE_ENTRIES_MAX)
		return 1;
	json_array_foreach ((json_t *)list, i, value)
		if (!is_entry(row, value))
			return i + 1;
	return 0;
}

bool recipe_is_list(const char *what, const json_t *list)
{
	for (size_t i = 0; i < LIST_COUNT; i++)
		if (strcmp(what, lists[i].field) == 0)
			return bad_entry(i, list) == 0;
	return false;
}

static int check_list(size_t row, const json_t *list, const struct registry_file *file,
		      struct error *err)
{
	char field[REGISTRY_FIELD_BYTES];
	size_t bad = bad_entry(row, list);

	(void)snprintf(field, sizeof(field), "build.%s", lists[row].field);
	return bad ? registry_bad_field(file, field, err,
					"takes a list of at most %d %s; number %zu is not one",
					RECIPE_ENTRIES_MAX,
					lists[row].alphabet ? "packages" : "commands of one line",
					bad)
		   : 0;
}

int recipe_check(const json_t *build, const struct registry_file *file, struct error *err)
{
	struct json_field fields[LIST_COUNT + 1] = {
		{.name = "base", .kind = READ_TEXT, READ_REQUIRED}};
	const json_t *found[LIST_COUNT + 1] = {NULL};

	for (size_t i = 0; i < LIST_COUNT; i++)
		fields[i + 1] = (struct json_field){
			.name = lists[i].field,
			.kind = READ_ANY,
			.offset = (size_t)((const char *)&found[i + 1] - (const char *)found)};
	if (registry_read(file, "build", build, fields, LIST_COUNT + 1, found, err) < 0)
		return -1;
	if (!recipe_is_image(json_text(build, "base")))
		return registry_bad_field(file, "build.base", err, "is not the name of an image");
	for (size_t i = 0; i < LIST_COUNT; i++)
		if (found[i + 1] && check_list(i, found[i + 1], file, err) < 0)
			return -1;
	return 0;
}

uint64_t recipe_package_count(const json_t *build)
{
	uint64_t count = 0;

	for (size_t i = 0; i < LIST_COUNT; i++)
		if (lists[i].alphabet && strcmp(lists[i].field, "stand_ins") != 0)
			count += json_array_size(json_object_get(build, lists[i].field));
	return count;
}

json_t *recipe_names(const json_t *build)
{
	json_t *names = json_array();
	const json_t *value;
	size_t i;

	for (size_t row = 0; row < LIST_COUNT; row++)
		if (lists[row].alphabet && strcmp(lists[row].field, "stand_ins") != 0)
			json_array_foreach (json_object_get(build, lists[row].field), i, value) {
				const char *name = json_string_value(value);

				(void)json_array_append_new(
					names, json_stringn(name, strcspn(name, " =<>~!")));
			}
	return names;
}

int recipe_write(const struct template *template, const json_t *build, struct buf *out)
{
	const json_t *value;
	size_t i;

	if (buf_printf(out, "image %s\nbase %s\n", template->image, json_text(build, "base")) < 0)
		return -1;
	for (size_t row = 0; row < LIST_COUNT; row++)
		json_array_foreach (json_object_get(build, lists[row].field), i, value)
			if (buf_printf(out, "%s %s\n", lists[row].word, json_string_value(value)) <
			    0)
				return -1;
	for (const char *at = template->environment; *at; at += strlen(at) + 1)
		if (buf_printf(out, "env %s\n", at) < 0)
			return -1;
	return 0;
}
