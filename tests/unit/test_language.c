/* config/language.h: the languages that are installed, and by which names templates' clients call
   them. */
#include "config/language.h"

#include "config/registry.h"
#include "tap.h"
#include "util.h"

static struct config config;
static struct error err;

static void test_installed(void)
{
	_cleanup_registry_names_ struct registry_names names = {0};

	must(registry_names(&config, REGISTRY_LANGUAGES, &names, &err) == 0);
	ok(names.count >= 11, "languages are installed");
	for (size_t i = 0; i < names.count; i++) {
		_cleanup_language_ struct language language = {0};

		ok(language_load(&config, slice_of(names.names[i]), &language, &err) == 0 &&
			   (language.tools.argv || language.runs.argv || language.sandbox.argv),
		   "%s is good, and some API has it", names.names[i]);
	}
}

static void test_fields(void)
{
	_cleanup_language_ struct language python = {0}, go = {0};

	must(language_load(&config, SLICE_LITERAL("python"), &python, &err) == 0 &&
	     language_load(&config, SLICE_LITERAL("go"), &go, &err) == 0);
	is_text(python.name, "python", "its name");
	ok(python.boot_env[0] && !python.boot_env[1], "its environment for booting ahead");
	ok(python.check && python.kernel && !python.check_waits, "its parser and its kernel");
	ok(json_array_size(python.tools.argv) == 1 && !python.tools.file, "a command for tools");
	is_text(python.runs.template, "interpreter-python", "the template of its runs");
	is_text(python.runs.file, "main.py", "the file of their program");
	ok(python.sandbox.has_cells && python.sandbox.is_single_cell, "cells of its own");
	ok(!go.tools.argv && !go.sandbox.has_cells, "an API that a language has no profile for");
	is_text(go.runs.compile_output, "program", "what is compiled");
	ok(json_array_size(go.runs.compile_env) > 0, "and in which environment");
}

static const char *found(const char *called, const char *list)
{
	static char name[REGISTRY_NAME_MAX_BYTES + 1];
	_cleanup_language_ struct language language = {0};

	if (language_find(&config, list, slice_of(called), &language, &err) < 0)
		return "none";
	memcpy(name, language.name, sizeof(name));
	return name;
}

static void test_names(void)
{
	static const struct {
		const char *called, *name;
	} rows[] = {{"python", "python"},   {"PYTHON", "python"},  {"node", "node"},
		    {"JavaScript", "node"}, {"js", "node"},        {"Bash", "bash"},
		    {"py", "python"},       {"python3", "python"}, {"sh", "bash"},
		    {"SHELL", "bash"},      {"ts", "none"},        {"r", "none"},
		    {"ruby", "none"},       {"php", "none"},       {"", "none"},
		    {"pytho", "none"},      {"python3 ", "none"}};
	const char *more = "  cpp go  r rust java ruby nothing";

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_text(found(rows[i].called, "python node bash"), rows[i].name, "\"%s\"",
			rows[i].called);
	is_text(found("CPP", more), "cpp", "others where the template has them");
	is_text(found("R", more), "r", "by their names in any case");
	is_text(found("python", more), "none", "and none that it has not");
	is_text(found("ruby", more), "none", "nor one without a profile for sandboxes");
	is_text(found("nothing", more), "none", "nor one that is not installed");
	ok(err.status == 404, "which is no mistake of the operator's");
}

/* By whichever name a language is asked for, it is loaded by its own. */
static void test_aliases(void)
{
	static const struct {
		const char *called, *name;
	} rows[] = {{"python3", "python"},  {"py", "python"}, {"Python", "python"},
		    {"javascript", "node"}, {"js", "node"},   {"TypeScript", "bun"},
		    {"ts", "bun"},          {"sh", "bash"},   {"Shell", "bash"}};
	struct language language = {0};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		must(language_load(&config, slice_of(rows[i].called), &language, &err) == 0);
		is_text(language.name, rows[i].name, "%s", rows[i].called);
		language_free(&language);
	}
	ok(language_load(&config, SLICE_LITERAL("cobol"), &language, &err) < 0 && err.status == 404,
	   "what no language is called");
	ok(language_load(&config, SLICE_LITERAL("../python"), &language, &err) < 0 &&
		   err.status == 404,
	   "nor a way out of the folder");
}

/* A broken file harms no other, and is told of when it is meant. */
static void test_broken(void)
{
	make_folder(in_scratch("registry/languages.d"));
	write_file(in_scratch("registry/languages.d/bash.json"), SLICE_LITERAL("{}"));
	memcpy(config.registry[1], config.registry[0], PATH_MAX);
	(void)snprintf(config.registry[0], PATH_MAX, "%s", in_scratch("registry"));
	is_text(found("js", "bash node"), "node", "another is found by its alias");
	is_text(found("bash", "bash node"), "none", "the broken one is not");
	is_text(err.code, "bad_language", "and says why");
}

int main(void)
{
	config = test_config();
	test_installed();
	test_fields();
	test_names();
	test_aliases();
	make_folder(in_scratch("registry"));
	test_broken();
	return done();
}
