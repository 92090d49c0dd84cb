/* What is wrong with a drop-in file is told with file, line and field, whatever its kind: by
   registry_bad_field alone. */
#include "config/registry.h"

#include "config/language.h"
#include "config/patterns.h"
#include "config/template_custom.h"
#include "config/tool.h"
#include "ctl/doctor/attack.h"
#include "tap.h"
#include "util.h"

static struct config config;

static int load_language(struct error *err)
{
	struct language out;

	return language_load(&config, SLICE_LITERAL("bad"), &out, err);
}

static int load_template(struct error *err)
{
	struct template out;

	return template_load(&config, SLICE_LITERAL("bad"), &out, err);
}

static int load_custom(struct error *err)
{
	struct template out;

	return custom_load(&config, SLICE_LITERAL("bad"), &out, err);
}

static int load_tool(struct error *err)
{
	struct tool out;

	return tool_load(&config, "bad", &out, err);
}

static int load_patterns(struct error *err)
{
	struct patterns out;

	return patterns_load(&config, "bad", &out, err);
}

static int load_attack(struct error *err)
{
	struct attack attack = {.config = &config, .name = "bad"};
	_cleanup_json_ json_t *definition = NULL;
	int loaded = -1;

	if (registry_open(&config, REGISTRY_ATTACKS, SLICE_LITERAL("bad"), &attack.file, err) ==
		    0 &&
	    registry_parse(&attack.file, &definition, err) == 0) {
		attack.definition = definition;
		loaded = attack_check(&attack, err);
	}

	registry_file_free(&attack.file);
	return loaded;
}

static const struct kind {
	const char *folder, *code;
	int (*load)(struct error *err);
} languages = {"languages.d", "bad_language", load_language},
  templates = {"templates.d", "bad_template", load_template},
  customs = {"custom", "bad_template", load_custom}, tools = {"tools.d", "bad_tool", load_tool},
  patterns = {"patterns.d", "bad_patterns", load_patterns},
  attacks = {"attack.d", "bad_attack", load_attack};

#define TOOL "{\"description\": \"d\", \"parameters\": {}, \"argv\": [\"x\"],\n\n"

static const struct {
	const struct kind *kind;
	const char *text, *place;
} rows[] = {
	{&languages, "{\n\"descripton\": \"d\"}", "2: \"descripton\" is not a known field"},
	{&languages, "{\"check\": [\"x\"]}", "1: \"description\" is missing"},
	{&languages, "{\"description\": \"d\",\n\"boot_env\": [\"x\"]}", "2: \"boot_env\" takes"},
	{&languages, "{\"description\": \"d\",\n\"kernel\": []}",
	 "2: \"kernel\" takes a list of 1"},
	{&languages, "{\"description\": \"d\",\n\"tools\": {\n\"argv\": [1]}}",
	 "3: \"tools.argv\" takes a list"},
	{&languages, "{\"description\": \"d\", \"tools\": []}", "1: \"tools\" must be an object"},
	{&languages,
	 "{\"description\": \"d\",\n\"runs\": {\"argv\": [\"x\"], \"template\": \"t\",\n\"file\": \"../x\"}}",
	 "3: \"runs.file\" must be a relative path"},
	{&languages,
	 "{\"description\": \"d\",\n\"runs\": {\"argv\": [\"x\"], \"template\": \"t\", \"file\": \"x\",\n\"compile\": {\n\"argv\": "
	 "[\"x\"], \"template\": \"t\",\n\"output\": \"a/b\"}}}",
	 "5: \"runs.compile.output\" must be a file's name"},
	{&languages,
	 "{\"description\": \"d\",\n\"sandbox\": {\"argv\": [\"x\"], \"file\": \"x\",\n\"cells\": true}}",
	 "3: \"sandbox.cells\" needs a kernel"},
	{&templates, "{\"image\": \"i\",\n\"pids\": 3}", "2: \"pids\" takes a whole number from 4"},
	{&templates, "{\"image\": \"i\",\n\"public\": 1}", "2: \"public\" must be true or false"},
	{&templates, "{\"image\": \"i\",\n\"environment\": {\"A\": \"1\",\n\"LD_X\": \"\"}}",
	 "3: \"environment.LD_X\" cannot be"},
	{&templates, "{\"image\": \"i\",\n\"build\": {\"base\": \"b\",\n\"python\": [\"-x\"]}}",
	 "3: \"build.python\" takes a list"},
	{&templates, "{\"image\": \"i\",\n\"build\": {\n\"of\": \"b\"}}", "3: \"build.of\" is not"},
	{&templates, "{\"image\": \"i\",\n\"preload\": [\"a b\"]}", "2: \"preload\" takes"},
	{&customs, "{\"image\": \"i\",\n\"memory_mb\": \"1\"}", "2: \"memory_mb\" takes"},
	{&tools, "{\"description\": \"d\", \"parameters\": {},\n\"argv\": {}}",
	 "2: \"argv\" takes"},
	{&tools,
	 "{\"description\": \"d\", \"argv\": [],\n\"parameters\": {\n\"p\": {\"type\": 1}}}",
	 "3: \"parameters.p.type\" must be string"},
	{&tools, TOOL "\"files\": [{\"path\": \"x\",\n\"content\": \"{no}\"}]}",
	 "4: \"files[0].content\" names no"},
	{&tools, TOOL "\"files\": [{\"path\": \"x\",\n\"contents\": \"\"}]}",
	 "4: \"files[0].contents\" is not a known field"},
	{&tools, TOOL "\"limits\": {\"pids\": 4,\n\"cpus\": 1}}",
	 "4: \"limits.cpus\" is not a known field"},
	{&tools, TOOL "\"limits\": {\"pids\": 1}}", "3: \"limits.pids\" takes a whole number"},
	{&tools, TOOL "\"artifacts\": [1]}", "3: \"artifacts\" takes a list"},
	{&tools, TOOL "\"image\": \"a b\"}", "3: \"image\" is not the name of an image"},
	{&patterns, "{\"description\": \"d\"}", "1: \"patterns\" is missing"},
	{&patterns, "{\"description\": \"d\", \"patterns\": [\n1]}",
	 "2: \"patterns[0]\" must be an object"},
	{&patterns,
	 "{\"description\": \"d\", \"patterns\": [\n{\"pattern\": \"x\",\n\"message\": 1}]}",
	 "3: \"patterns[0].message\" takes a text"},
	{&patterns,
	 "{\"description\": \"d\", \"patterns\": [{\"message\": \"m\",\n\"pattern\": \" x\"}]}",
	 "2: \"patterns[0].pattern\" must not"},
	{&attacks, "{\"title\": \"t\",\n\"class\": 1}", "2: \"class\" "},
	{&attacks, "{\"title\": \"t\", \"class\": \"c\",\n\"what\": 1}", "2: \"what\" "},
	{&attacks, "{\"class\": \"c\", \"requests\": []}", "1: \"title\" "},
	/* what is no JSON, and what is none of ours */
	{&languages, "{\n\n\"x\":}", "3: Invalid JSON at line 3"},
	{&templates, "{\"image\": \"i\",\n\"image\": \"i\"}", "2: Invalid JSON at line 2"},
	{&customs, "[]", "1: must hold one object"},
	{&tools, "{", "1: Invalid JSON at line 1"},
	{&patterns, "1", "1: must hold one object"},
	{&attacks, "{\n", "2: Invalid JSON at line 2"},
};

int main(void)
{
	config = test_config();
	memcpy(config.registry[1], config.registry[0], PATH_MAX);
	(void)snprintf(config.registry[0], PATH_MAX, "%s", in_scratch("etc"));
	(void)snprintf(config.custom, PATH_MAX, "%s", in_scratch("etc/custom"));
	make_folder(in_scratch("etc"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *path = in_scratch("etc/%s/bad.json", rows[i].kind->folder);
		struct error err = {.code = ""};

		make_folder(in_scratch("etc/%s", rows[i].kind->folder));
		write_file(path, slice_of(rows[i].text));
		is_number(rows[i].kind->load(&err), -1, "%s: refused", rows[i].kind->folder);
		is_text(err.code, rows[i].kind->code, "by its code");
		is_number(err.status, 500, "as a mistake of the operator's");

		const char *place = strstr(err.message, "/bad.json:");

		ok(place && strncmp(place + strlen("/bad.json:"), rows[i].place,
				    strlen(rows[i].place)) == 0,
		   "with file, line and field: %s", err.message);
		must(unlink(path) == 0);
	}
	return done();
}
