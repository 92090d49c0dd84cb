#include "config/tool.h"

#include "base/fs.h"
#include "config/language.h"
#include "config/recipe.h"
#include "json/schema.h"

#include <stdio.h>

#define TIMEOUT_TEXT_DEFAULT "Execution timed out after"
#define RUNTIME_FORMAT       "runtime" /* of a parameter that names a language */

/* What is read of the whole; what may be a text or "{parameter}" is looked at apart. */
struct whole {
	struct tool tool;
	const char *image;
	const json_t *artifacts, *limits;
};

#define WHOLE(field, name, kind) READ_FIELD(struct whole, field, name, kind)

static const struct json_field whole_fields[] = {
	{WHOLE(tool.description, "description", READ_TEXT), READ_REQUIRED},
	{WHOLE(tool.parameters, "parameters", READ_OBJECT), READ_REQUIRED},
	{WHOLE(tool.argv, "argv", READ_LIST), READ_BOUNDS(0, JOB_ARGV_MAX_COUNT), READ_REQUIRED},
	{WHOLE(tool.template, "template", READ_TEXT)},
	{WHOLE(image, "image", READ_TEXT), READ_BOUNDS(1, TEMPLATE_TEXT_BYTES - 1)},
	{WHOLE(tool.runtime, "runtime", READ_ANY)},
	{WHOLE(tool.standard_input, "stdin", READ_ANY)},
	{WHOLE(tool.files, "files", READ_LIST), READ_BOUNDS(0, JOB_INPUT_MAX_COUNT)},
	{WHOLE(artifacts, "artifacts", READ_TEXTS), READ_BOUNDS(0, TOOL_PATTERNS_MAX_COUNT)},
	{WHOLE(limits, "limits", READ_OBJECT)},
	{WHOLE(tool.timeout_text, "timeoutText", READ_TEXT)},
};

#define LIMIT(field, least, most)                                                                  \
	{                                                                                          \
		READ_FIELD(struct tool, limits.field, #field, READ_NUMBER),                        \
			READ_BOUNDS(least, most)                                                   \
	}
#define TIMEOUT(field)                                                                             \
	{                                                                                          \
		READ_FIELD(struct tool, field, #field, READ_NUMBER),                               \
			READ_BOUNDS(TIMEOUT_MIN_S, TIMEOUT_MAX_S)                                  \
	}

static const struct json_field limits_fields[] = {
	TIMEOUT(timeout_s),
	TIMEOUT(timeout_max_s),
	LIMIT(memory_mb, MEMORY_MIN_MB, MEMORY_MAX_MB),
	LIMIT(pids, PIDS_MIN, PIDS_MAX),
	LIMIT(cpu_percent, 1, CPU_PERCENT_MAX),
	LIMIT(cpu_ms, 1, INIT_CLOCK_MAX_MS),
	LIMIT(stream_bytes, 1, INT64_MAX),
	LIMIT(artifact_files, 0, INT64_MAX),
	LIMIT(artifact_bytes, 0, INT64_MAX),
	LIMIT(artifacts_bytes, 0, INT64_MAX),
};

static const struct json_field file_fields[] = {
	{READ_FIELD(struct tool_file, path, "path", READ_ANY), READ_REQUIRED},
	{READ_FIELD(struct tool_file, content, "content", READ_ANY), READ_REQUIRED},
	{READ_FIELD(struct tool_file, is_artifact, "artifact", READ_FLAG)},
};

/* --- is a file one? --------------------------------------------------------------------------- */

bool tool_parameter(const json_t *text, char out[REGISTRY_NAME_MAX_BYTES + 1])
{
	const char *value = json_string_value(text);
	size_t len = json_string_length(text);

	if (!value || len < 2 || value[0] != '{' || value[len - 1] != '}' ||
	    len - 2 > REGISTRY_NAME_MAX_BYTES)
		return false;
	memcpy(out, value + 1, len - 2);
	out[len - 2] = '\0';
	return true;
}

/* A literal, or "{parameter}" where that parameter is declared and is text. */
static int check_text(const struct registry_file *file, const struct tool *tool, const char *field,
		      const json_t *value, struct error *err)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);
	char name[REGISTRY_NAME_MAX_BYTES + 1];

	if (!text)
		return registry_bad_field(file, field, err, "must be text, or \"{parameter}\"");
	if (len == 0 || text[0] != '{' || text[len - 1] != '}')
		return 0;
	if (!tool_parameter(value, name) ||
	    !json_text_is(json_object_get(tool->parameters, name), "type", "string"))
		return registry_bad_field(file, field, err, "names no declared text parameter");
	return 0;
}

static int check_texts(const struct registry_file *file, const struct tool *tool, struct error *err)
{
	const json_t *item;
	char field[32];
	size_t i;

	json_array_foreach ((json_t *)tool->argv, i, item) {
		(void)snprintf(field, sizeof(field), "argv[%zu]", i);
		if (check_text(file, tool, field, item, err) < 0)
			return -1;
	}
	if (json_array_size(tool->argv) == 0 && !tool->runtime)
		return registry_bad_field(file, "argv", err,
					  "must name a program where there is no runtime");
	if (tool->runtime && check_text(file, tool, "runtime", tool->runtime, err) < 0)
		return -1;
	return tool->standard_input ? check_text(file, tool, "stdin", tool->standard_input, err)
				    : 0;
}

void tool_take_file(const json_t *entry, struct tool_file *out)
{
	struct json_refusal ignored;

	*out = (struct tool_file){.is_artifact = true};
	(void)!json_read(entry, file_fields, COUNT_OF(file_fields), JSON_LENIENT, out, &ignored);
}

static int check_file(const struct registry_file *file, const struct tool *tool, size_t index,
		      const json_t *entry, struct error *err)
{
	char at[32], field[48], parameter[REGISTRY_NAME_MAX_BYTES + 1];
	struct tool_file found;

	(void)snprintf(at, sizeof(at), "files[%zu]", index);
	if (REGISTRY_READ(file, at, entry, file_fields, &found, err) < 0)
		return -1;
	(void)snprintf(field, sizeof(field), "%s.content", at);
	if (check_text(file, tool, field, found.content, err) < 0)
		return -1;
	(void)snprintf(field, sizeof(field), "%s.path", at);
	if (check_text(file, tool, field, found.path, err) < 0)
		return -1;
	if (!tool_parameter(found.path, parameter) &&
	    !fs_is_relative_path(slice_of(json_string_value(found.path)), JOB_ARTIFACT_DEPTH_MAX))
		return registry_bad_field(file, field, err, "must be a relative path");
	return 0;
}

static int check_files(const struct registry_file *file, const struct tool *tool, struct error *err)
{
	const json_t *entry;
	size_t i;

	json_array_foreach ((json_t *)tool->files, i, entry)
		if (check_file(file, tool, i, entry, err) < 0)
			return -1;
	return 0;
}

static int read_limits(const struct registry_file *file, const json_t *limits, struct tool *tool,
		       struct error *err)
{
	memset(&tool->limits, 0xFF, sizeof(tool->limits)); /* TOOL_NO_LIMIT */
	if (REGISTRY_READ(file, "limits", limits, limits_fields, tool, err) < 0)
		return -1;
	return tool->timeout_s > (tool->timeout_max_s ? tool->timeout_max_s : TIMEOUT_MAX_S)
		       ? registry_bad_field(file, "limits.timeout_s", err,
					    "is more than limits.timeout_max_s")
		       : 0;
}

/* What is wrong with the schemas, as what is wrong with the file: the message begins with the
   field. */
static int refuse_schema(const struct registry_file *file, const struct error *why,
			 struct error *err)
{
	size_t len = strcspn(why->message, " ");
	char field[REGISTRY_FIELD_BYTES];

	if (strcmp(why->code, "bad_schema") != 0) {
		*err = *why;
		return -1;
	}
	(void)snprintf(field, sizeof(field), "%.*s", (int)len, why->message);
	if (len && field[len < sizeof(field) ? len - 1 : 0] == ':')
		field[len - 1] = '\0';
	return registry_bad_field(file, field, err, "%.200s",
				  why->message + len + strspn(why->message + len, " "));
}

static int read_whole(const struct registry_file *file, const json_t *definition,
		      struct whole *whole, struct error *err)
{
	struct tool *tool = &whole->tool;
	struct error why;

	if (REGISTRY_READ(file, "", definition, whole_fields, whole, err) < 0)
		return -1;
	if (schema_check(tool->parameters, &why) < 0 ||
	    schema_check_defaults(tool->parameters, &why) < 0)
		return refuse_schema(file, &why, err);
	if (whole->image && !recipe_is_image(whole->image))
		return registry_bad_field(file, "image", err, "is not the name of an image");
	return check_texts(file, tool, err) < 0 || check_files(file, tool, err) < 0 ||
			       read_limits(file, whole->limits, tool, err) < 0
		       ? -1
		       : 0;
}

int tool_read(const struct registry_file *file, const char *name, struct tool *out,
	      struct error *err)
{
	_cleanup_json_ json_t *definition = NULL;
	struct whole whole = {.tool = {.name = name,
				       .template = TEMPLATE_TOOL,
				       .timeout_text = TIMEOUT_TEXT_DEFAULT}};
	struct tool *tool = &whole.tool;
	const json_t *pattern;
	size_t i;

	if (registry_parse(file, &definition, err) < 0 ||
	    read_whole(file, definition, &whole, err) < 0)
		return -1;
	json_array_foreach ((json_t *)whole.artifacts, i, pattern)
		tool->patterns[i] = json_string_value(pattern);
	if (whole.image)
		(void)snprintf(tool->place, sizeof(tool->place), TEMPLATE_OF_TOOL "%s", name);
	*out = *tool;
	out->definition = definition;
	definition = NULL;
	return 0;
}

int tool_load(const struct config *config, const char *name, struct tool *out, struct error *err)
{
	_cleanup_registry_file_ struct registry_file file = {0};

	if (registry_open(config, REGISTRY_TOOLS, slice_of(name), &file, err) < 0)
		return err->status == 404
			       ? error_set(err, 404, "unknown_tool", "Unknown tool type: %s", name)
			       : -1;
	return tool_read(&file, name, out, err);
}

void tool_free(struct tool *tool)
{
	json_decref(tool->definition);
	tool->definition = NULL;
}

/* --- its parameters --------------------------------------------------------------------------- */

/* May a tool have this language as its runtime? One whose file is broken counts: what is wrong is
   said when it is used. file: what a program of it is called, "" where its file does not say. */
static bool is_runtime(const struct config *config, const char *name,
		       char file[JOB_NAME_MAX_BYTES + 1])
{
	_cleanup_language_ struct language language = {0};
	struct error err;

	*file = '\0';
	if (language_load(config, slice_of(name), &language, &err) < 0)
		return err.status != 404;
	if (language.tools.file)
		(void)snprintf(file, JOB_NAME_MAX_BYTES + 1, "%s", language.tools.file);
	return language.tools.argv != NULL;
}

/* Gives a parameter of format "runtime" its enum: the languages that tools have. */
static int fill_enum(const struct config *config, json_t *schema, struct error *err)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	json_t *options = json_array();
	char file[JOB_NAME_MAX_BYTES + 1];

	(void)json_object_set_new(schema, "enum", options);
	if (registry_names(config, REGISTRY_LANGUAGES, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		if (is_runtime(config, names.names[i], file))
			(void)json_array_append_new(options, json_string(names.names[i]));
	return 0;
}

int tool_validate(const struct config *config, const struct tool *tool, const json_t *input,
		  json_t *issues, json_t *values, struct error *err)
{
	char file[JOB_NAME_MAX_BYTES + 1] = "";
	const char *field;
	json_t *schema;

	json_object_foreach ((json_t *)tool->parameters, field, schema) {
		const json_t *given = json_object_get(input, field);
		const char *name =
			json_string_value(given ? given : json_object_get(schema, "default"));

		/* all of them are read for a refusal alone, which names them */
		if (json_text_is(schema, "format", RUNTIME_FORMAT) &&
		    !(name && is_runtime(config, name, file)) && fill_enum(config, schema, err) < 0)
			return -1;
	}
	if (schema_validate(tool->parameters, input, issues, values, err) < 0)
		return -1;
	json_object_foreach ((json_t *)tool->parameters, field, schema)
		if (*file && !json_object_get(input, field) &&
		    json_text_is(schema, "format", "filename"))
			(void)json_object_set_new(values, field, json_string(file));
	return 0;
}

json_t *tool_describe(const struct config *config, const struct tool *tool)
{
	json_t *parameters = json_deep_copy(tool->parameters), *schema, *shown;
	json_t *limits = json_object_get(tool->definition, "limits");
	const char *field;
	struct error ignored;

	json_object_foreach (parameters, field, schema) {
		json_object_del(schema, "errorMessage");
		if (json_text_is(schema, "format", RUNTIME_FORMAT))
			(void)!fill_enum(config, schema, &ignored);
	}
	shown = json_pack("{s:s, s:o}", "description", tool->description, "parameters", parameters);
	if (limits)
		(void)json_object_set(shown, "limits", limits);
	return shown;
}
