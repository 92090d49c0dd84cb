#include "config/language.h"

#include "base/fs.h"
#include "config/registry.h"

#include <stdio.h>

/* What is read of the whole. */
struct whole {
	struct language *language;
	const char *description;
	const json_t *aliases, *env, *boot_env, *check, *kernel, *tools, *runs, *sandbox;
	bool check_waits;
};

static const struct json_field whole_fields[] = {
	{READ_FIELD(struct whole, description, "description", READ_TEXT), READ_REQUIRED},
	{READ_FIELD(struct whole, aliases, "aliases", READ_TEXTS),
	 READ_BOUNDS(0, LANGUAGE_ALIASES_MAX_COUNT)},
	{READ_FIELD(struct whole, env, "env", READ_TEXTS),
	 READ_BOUNDS(0, LANGUAGE_BOOT_ENV_MAX_COUNT)},
	{READ_FIELD(struct whole, boot_env, "boot_env", READ_TEXTS),
	 READ_BOUNDS(0, LANGUAGE_BOOT_ENV_MAX_COUNT)},
	{READ_FIELD(struct whole, check, "check", READ_TEXTS),
	 READ_BOUNDS(1, LANGUAGE_ARGV_MAX_COUNT)},
	{READ_FIELD(struct whole, check_waits, "check_waits", READ_FLAG)},
	{READ_FIELD(struct whole, kernel, "kernel", READ_TEXTS),
	 READ_BOUNDS(1, LANGUAGE_ARGV_MAX_COUNT)},
	{READ_FIELD(struct whole, tools, "tools", READ_OBJECT)},
	{READ_FIELD(struct whole, runs, "runs", READ_OBJECT)},
	{READ_FIELD(struct whole, sandbox, "sandbox", READ_OBJECT)},
};

#define PROFILE(field, name, kind) READ_FIELD(struct language_profile, field, name, kind)
#define ARGV(most)                                                                                 \
	{                                                                                          \
		PROFILE(argv, "argv", READ_TEXTS), READ_BOUNDS(1, most), READ_REQUIRED             \
	}
#define PROGRAM                                                                                    \
	{                                                                                          \
		PROFILE(file, "file", READ_TEXT), READ_BOUNDS(1, JOB_PATH_MAX_BYTES),              \
			READ_REQUIRED                                                              \
	}

static const struct json_field tools_fields[] = {
	ARGV(LANGUAGE_ARGV_MAX_COUNT),
	{PROFILE(by_path, "by_path", READ_FLAG)},
	{PROFILE(file, "file", READ_TEXT), READ_BOUNDS(1, JOB_NAME_MAX_BYTES)},
};

/* What is read of runs before its compile step. */
struct runs {
	struct language_profile profile;
	const json_t *compile;
};

static const struct json_field runs_fields[] = {
	ARGV(LANGUAGE_RUN_ARGV_MAX_COUNT),
	PROGRAM,
	{PROFILE(template, "template", READ_TEXT), READ_BOUNDS(1, REGISTRY_NAME_MAX_BYTES),
	 READ_REQUIRED},
	{READ_FIELD(struct runs, compile, "compile", READ_OBJECT)},
};

static const struct json_field compile_fields[] = {
	{PROFILE(compile_argv, "argv", READ_TEXTS), READ_BOUNDS(1, LANGUAGE_ARGV_MAX_COUNT),
	 READ_REQUIRED},
	{PROFILE(compile_env, "env", READ_TEXTS), READ_BOUNDS(0, LANGUAGE_ARGV_MAX_COUNT)},
	{PROFILE(compile_template, "template", READ_TEXT), READ_BOUNDS(1, REGISTRY_NAME_MAX_BYTES),
	 READ_REQUIRED},
	{PROFILE(compile_output, "output", READ_TEXT), READ_BOUNDS(1, JOB_NAME_MAX_BYTES),
	 READ_REQUIRED},
};

static const struct json_field sandbox_fields[] = {
	ARGV(LANGUAGE_ARGV_MAX_COUNT),
	PROGRAM,
	{PROFILE(has_cells, "cells", READ_FLAG)},
	{PROFILE(is_single_cell, "single_as_cell", READ_FLAG)},
};

void language_free(struct language *language)
{
	json_decref(language->definition);
	language->definition = NULL;
}

/* --- one file --------------------------------------------------------------------------------- */

static int check_file(const struct registry_file *file, const char *field, const char *path,
		      struct error *err)
{
	return fs_is_relative_path(slice_of(path), JOB_ARTIFACT_DEPTH_MAX)
		       ? 0
		       : registry_bad_field(file, field, err, "must be a relative path");
}

static int check_environment(const struct registry_file *file, const char *field,
			     const json_t *list, struct error *err)
{
	const json_t *text;
	size_t i;

	json_array_foreach ((json_t *)list, i, text)
		if (!strchr(json_string_value(text), '='))
			return registry_bad_field(file, field, err, "takes texts NAME=value");
	return 0;
}

static int read_runs(const struct registry_file *file, const json_t *object,
		     struct language_profile *out, struct error *err)
{
	struct runs runs = {0};

	if (REGISTRY_READ(file, "runs", object, runs_fields, &runs, err) < 0 ||
	    check_file(file, "runs.file", runs.profile.file, err) < 0)
		return -1;
	*out = runs.profile;
	if (!runs.compile)
		return 0;
	if (REGISTRY_READ(file, "runs.compile", runs.compile, compile_fields, out, err) < 0 ||
	    check_environment(file, "runs.compile.env", out->compile_env, err) < 0)
		return -1;
	return fs_is_component(slice_of(out->compile_output))
		       ? 0
		       : registry_bad_field(file, "runs.compile.output", err,
					    "must be a file's name");
}

static int read_sandbox(const struct registry_file *file, const struct whole *whole,
			struct language_profile *out, struct error *err)
{
	if (REGISTRY_READ(file, "sandbox", whole->sandbox, sandbox_fields, out, err) < 0)
		return -1;
	if ((out->has_cells || out->is_single_cell) && !whole->kernel)
		return registry_bad_field(
			file, out->has_cells ? "sandbox.cells" : "sandbox.single_as_cell", err,
			"needs a kernel");
	return check_file(file, "sandbox.file", out->file, err);
}

static int read_whole(const struct registry_file *file, struct language *out, struct error *err)
{
	struct whole whole = {0};
	const json_t *text;
	size_t i;

	if (registry_parse(file, &out->definition, err) < 0 ||
	    REGISTRY_READ(file, "", out->definition, whole_fields, &whole, err) < 0 ||
	    check_environment(file, "env", whole.env, err) < 0 ||
	    check_environment(file, "boot_env", whole.boot_env, err) < 0)
		return -1;
	json_array_foreach ((json_t *)whole.env, i, text)
		out->env[i] = json_string_value(text);
	json_array_foreach ((json_t *)whole.boot_env, i, text)
		out->boot_env[i] = json_string_value(text);
	out->aliases = whole.aliases;
	out->check = whole.check;
	out->check_waits = whole.check_waits;
	out->kernel = whole.kernel;
	return REGISTRY_READ(file, "tools", whole.tools, tools_fields, &out->tools, err) < 0 ||
			       (out->tools.file &&
				check_file(file, "tools.file", out->tools.file, err) < 0) ||
			       (whole.runs && read_runs(file, whole.runs, &out->runs, err) < 0) ||
			       (whole.sandbox && read_sandbox(file, &whole, &out->sandbox, err) < 0)
		       ? -1
		       : 0;
}

static bool is_called(const struct language *language, struct slice called)
{
	const json_t *alias;
	size_t i;

	json_array_foreach ((json_t *)language->aliases, i, alias)
		if (slice_eq_nocase(called, json_string_value(alias)))
			return true;
	return slice_eq_nocase(called, language->name);
}

/* Reads the file of that name. */
static int load(const struct config *config, struct slice name, struct language *out,
		struct error *err)
{
	_cleanup_registry_file_ struct registry_file file = {0};
	_cleanup_language_ struct language language = {0};

	if (registry_open(config, REGISTRY_LANGUAGES, name, &file, err) < 0)
		return err->status == 404
			       ? error_set(err, 404, "unknown_language",
					   "There is no language %.*s", (int)name.len, name.data)
			       : -1;
	if (read_whole(&file, &language, err) < 0)
		return -1;
	memcpy(language.name, name.data, name.len);
	*out = language;
	language.definition = NULL;
	return 0;
}

int language_load(const struct config *config, struct slice name, struct language *out,
		  struct error *err)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	struct error ignored;

	if (load(config, name, out, err) == 0)
		return 0;
	if (err->status != 404 || registry_names(config, REGISTRY_LANGUAGES, &names, &ignored) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		if (load(config, slice_of(names.names[i]), out, &ignored) < 0)
			continue;
		if (is_called(out, name))
			return 0;
		language_free(out);
	}
	return -1;
}

/* --- a template's list ------------------------------------------------------------------------ */

bool language_next(const char **list, struct slice *name)
{
	*list += strspn(*list, " ");
	*name = (struct slice){*list, strcspn(*list, " ")};
	*list += name->len;
	return name->len > 0;
}

/* Reads the first language of the list that is so called; by_alias: whatever its own name is. */
static int find(const struct config *config, const char *list, struct slice called, bool by_alias,
		struct language *out, struct error *err)
{
	struct slice name;

	while (language_next(&list, &name)) {
		bool is_name = name.len == called.len &&
			       strncasecmp(name.data, called.data, name.len) == 0;

		if (is_name == by_alias)
			continue;
		if (load(config, name, out, err) < 0) {
			/* another that is broken harms this one not */
			if (is_name && err->status != 404)
				return -1;
			continue;
		}
		if (out->sandbox.argv && is_called(out, called))
			return 0;
		language_free(out);
	}
	return error_set(err, 404, "unknown_language", "There is no such language");
}

int language_find(const struct config *config, const char *list, struct slice called,
		  struct language *out, struct error *err)
{
	if (find(config, list, called, false, out, err) == 0)
		return 0;
	return err->status == 404 ? find(config, list, called, true, out, err) : -1;
}
