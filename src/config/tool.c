#include "config/tool.h"

#include "config/tool_parts.h"
#include "json/schema.h"

#include <stdio.h>
#include <string.h>

static const char *const tool_fields[] = {"description", "parameters", "template",    "image",
					  "runtime",     "argv",       "stdin",       "files",
					  "artifacts",   "limits",     "timeoutText", "compile"};
static const char *const runtime_fields[] = {"description", "argv",       "boot_env", "byPath",
					     "check",       "checkWaits", "kernel"};

int tool_parse(const struct registry_file *file, const char *const *fields, size_t count,
	       json_t **out, struct error *err)
{
	_cleanup_json_ json_t *entry = NULL;
	struct error why;
	const char *field;
	json_t *value;

	if (json_parse((struct slice){file->data, file->len}, &entry, &why) < 0)
		return error_set(err, 500, "bad_tool", "%.256s: %.200s", file->path, why.message);
	if (!json_is_object(entry))
		return error_set(err, 500, "bad_tool", "%.256s:1: must be an object", file->path);
	json_object_foreach (entry, field, value) {
		size_t i = 0;

		while (i < count && strcmp(fields[i], field) != 0)
			i++;
		if (i == count)
			return tool_refuse(file, field, err, "is an unknown field");
	}
	*out = entry;
	entry = NULL;
	return 0;
}

int tool_load_runtime(const struct config *config, struct slice name, json_t **out,
		      struct error *err)
{
	_cleanup_registry_file_ struct registry_file file = {0};

	if (registry_open(config, REGISTRY_RUNTIMES, name, &file, err) < 0)
		return -1;
	return tool_parse(&file, runtime_fields, sizeof(runtime_fields) / sizeof(runtime_fields[0]),
			  out, err);
}

int tool_runtime_boot_env(const json_t *runtime, const char *out[TOOL_BOOT_ENV_MAX_COUNT + 1],
			  struct error *err)
{
	const json_t *list = json_object_get(runtime, "boot_env"), *text;
	size_t i;

	memset(out, 0, (TOOL_BOOT_ENV_MAX_COUNT + 1) * sizeof(out[0]));
	json_array_foreach ((json_t *)list, i, text) {
		if (i == TOOL_BOOT_ENV_MAX_COUNT || !json_is_string(text) ||
		    !strchr(json_string_value(text), '='))
			return error_set(
				err, 500, "bad_tool",
				"runtimes.d: \"boot_env\" must be at most %d texts NAME=value",
				TOOL_BOOT_ENV_MAX_COUNT);
		out[i] = json_string_value(text);
	}
	return 0;
}

/* Gives a parameter of format "runtime" its enum: what is installed. */
static int fill_runtimes(const struct config *config, json_t *parameters, struct error *err)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	const char *field;
	json_t *schema;

	json_object_foreach (parameters, field, schema) {
		if (strcmp(tool_text_or(schema, "format", ""), "runtime") != 0)
			continue;
		if (!names.names && registry_names(config, REGISTRY_RUNTIMES, &names, err) < 0)
			return -1;

		_cleanup_json_ json_t *options = json_array();

		for (size_t i = 0; i < names.count; i++)
			if (json_array_append_new(options, json_string(names.names[i])) < 0)
				return error_set(err, 500, "out_of_memory",
						 "no memory for the runtimes");
		if (json_object_set(schema, "enum", options) < 0)
			return error_set(err, 500, "out_of_memory", "no memory for the runtimes");
	}
	return 0;
}

/* What is wrong with the schemas, as what is wrong with the file: the message begins with the field. */
static int refuse_schema(const struct registry_file *file, const struct error *why,
			 struct error *err)
{
	size_t len = strcspn(why->message, " ");
	char field[128];

	if (strcmp(why->code, "bad_schema") != 0) {
		*err = *why;
		return -1;
	}
	(void)snprintf(field, sizeof(field), "%.*s", (int)len, why->message);
	if (len && field[len < sizeof(field) ? len - 1 : 0] == ':')
		field[len - 1] = '\0';
	return tool_refuse(file, field, err, "%.200s",
			   why->message + len + strspn(why->message + len, " "));
}

/* Fills in what is looked up often. */
static void take_fields(struct tool *tool)
{
	const json_t *pattern;
	size_t i;

	tool->description = tool_text_or(tool->definition, "description", "");
	tool->template = tool_text_or(tool->definition, "template", "default");
	tool->timeout_text =
		tool_text_or(tool->definition, "timeoutText", "Execution timed out after");
	json_array_foreach (json_object_get(tool->definition, "artifacts"), i, pattern) {
		tool->patterns[i] = json_string_value(pattern);
	}
	if (!json_object_get(tool->definition, "image"))
		return;
	(void)snprintf(tool->place, sizeof(tool->place), TEMPLATE_OF_TOOL "%s", tool->name);
}

int tool_read(const struct config *config, const struct registry_file *file, const char *name,
	      struct tool *out, struct error *err)
{
	_cleanup_json_ json_t *definition = NULL;
	struct error why;

	if (tool_parse(file, tool_fields, sizeof(tool_fields) / sizeof(tool_fields[0]), &definition,
		       err) < 0)
		return -1;

	json_t *parameters = json_object_get(definition, "parameters");

	if (schema_check(parameters, &why) < 0)
		return refuse_schema(file, &why, err);
	struct tool tool = {.definition = definition, .parameters = parameters, .name = name};

	memset(&tool.limits, 0xFF, sizeof(tool.limits)); /* TOOL_NO_LIMIT */
	if (tool_check(file, &tool, err) < 0 || fill_runtimes(config, parameters, err) < 0)
		return -1;
	if (schema_check_defaults(parameters, &why) < 0)
		return refuse_schema(file, &why, err);
	take_fields(&tool);
	*out = tool;
	definition = NULL;
	return 0;
}

int tool_load_from(const struct config *config, const char *registry, const char *name,
		   struct tool *out, struct error *err)
{
	_cleanup_registry_file_ struct registry_file file = {0};

	if (registry_open(config, registry, slice_of(name), &file, err) < 0)
		return err->status == 404
			       ? error_set(err, 404, "unknown_tool", "Unknown tool type: %s", name)
			       : -1;
	return tool_read(config, &file, name, out, err);
}

int tool_load(const struct config *config, const char *name, struct tool *out, struct error *err)
{
	return tool_load_from(config, REGISTRY_TOOLS, name, out, err);
}

void tool_free(struct tool *tool)
{
	json_decref(tool->definition);
	tool->definition = NULL;
}

json_t *tool_describe(const struct tool *tool)
{
	json_t *parameters = json_deep_copy(tool->parameters), *schema, *shown;
	json_t *limits = json_object_get(tool->definition, "limits");
	const char *field;

	json_object_foreach (parameters, field, schema) {
		json_object_del(schema, "errorMessage");
	}
	shown = json_pack("{s:s, s:o}", "description", tool->description, "parameters", parameters);
	if (shown && limits && json_object_set(shown, "limits", limits) < 0) {
		json_decref(shown);
		return NULL;
	}
	return shown;
}
