#include "job/tool.h"

#include "base/fs.h"
#include "json/schema.h"

#include <stdio.h>
#include <string.h>

static const char *const tool_fields[] = {"description", "parameters", "template",    "runtime",
					  "argv",        "files",      "timeoutText", "compile"};
static const char *const runtime_fields[] = {"description", "argv",  "kernel",
					     "byPath",      "check", "checkWaits"};

/* Parses an entry that must be an object of known fields. */
static int load_entry(const struct config *config, const char *kind, struct slice name,
		      const char *const *fields, size_t count, json_t **out, struct error *err)
{
	_cleanup_registry_file_ struct registry_file file = {0};
	_cleanup_json_ json_t *entry = NULL;
	struct error why;
	const char *field;
	json_t *value;

	if (registry_open(config, kind, name, &file, err) < 0)
		return -1;
	if (json_parse((struct slice){file.data, file.len}, &entry, &why) < 0)
		return error_set(err, 500, "bad_tool", "%.256s: %.200s", file.path, why.message);
	if (!json_is_object(entry))
		return error_set(err, 500, "bad_tool", "%.256s: must be an object", file.path);
	json_object_foreach (entry, field, value) {
		size_t i = 0;

		while (i < count && strcmp(fields[i], field) != 0)
			i++;
		if (i == count)
			return error_set(err, 500, "bad_tool", "%.256s: unknown field \"%s\"",
					 file.path, field);
	}
	*out = entry;
	entry = NULL;
	return 0;
}

#define LOAD(config, kind, name, fields, out, err)                                                 \
	load_entry(config, kind, name, fields, sizeof(fields) / sizeof((fields)[0]), out, err)

/* Gives a parameter of format "runtime" its enum: what is installed. */
static int fill_runtimes(const struct config *config, json_t *parameters, struct error *err)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	const char *field;
	json_t *schema;

	json_object_foreach (parameters, field, schema) {
		const char *format = json_string_value(json_object_get(schema, "format"));

		if (!format || strcmp(format, "runtime") != 0)
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

static const char *text_or(const json_t *object, const char *field, const char *fallback)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text ? text : fallback;
}

/* A literal, or "{parameter}" where that parameter is declared and is text. */
static bool is_good_text(const json_t *parameters, const json_t *value)
{
	const char *text = json_string_value(value);
	size_t len = text ? strlen(text) : 0;
	char field[REGISTRY_NAME_MAX_BYTES + 1];

	if (!text || text[0] != '{' || text[len - 1] != '}')
		return text != NULL;
	if (len - 2 >= sizeof(field))
		return false;
	memcpy(field, text + 1, len - 2);
	field[len - 2] = '\0';
	return strcmp(text_or(json_object_get(parameters, field), "type", ""), "string") == 0;
}

static int check_tool(const char *place, const json_t *definition, struct error *err)
{
	const json_t *parameters = json_object_get(definition, "parameters"), *item;
	const json_t *argv = json_object_get(definition, "argv"),
		     *files = json_object_get(definition, "files");
	const json_t *runtime = json_object_get(definition, "runtime");
	static const char *const texts[] = {"template", "timeoutText"};
	size_t i;

	if (!json_is_string(json_object_get(definition, "description")) || !json_is_array(argv))
		return error_set(err, 500, "bad_tool",
				 "%s.json: \"description\" (text) and \"argv\" (array) are needed",
				 place);
	for (size_t field = 0; field < sizeof(texts) / sizeof(texts[0]); field++) {
		item = json_object_get(definition, texts[field]);
		if (item && !json_is_string(item))
			return error_set(err, 500, "bad_tool", "%s.json: \"%s\" must be text",
					 place, texts[field]);
	}
	if (files && !json_is_array(files))
		return error_set(err, 500, "bad_tool", "%s.json: \"files\" must be an array",
				 place);
	if (runtime && !is_good_text(parameters, runtime))
		return error_set(err, 500, "bad_tool",
				 "%s.json: runtime names no declared text parameter", place);
	json_array_foreach ((json_t *)argv, i, item)
		if (!is_good_text(parameters, item))
			return error_set(err, 500, "bad_tool",
					 "%s.json: argv[%zu] names no declared text parameter",
					 place, i);
	json_array_foreach ((json_t *)files, i, item)
		if (!is_good_text(parameters, json_object_get(item, "path")) ||
		    !is_good_text(parameters, json_object_get(item, "content")))
			return error_set(err, 500, "bad_tool",
					 "%s.json: files[%zu] needs path and content", place, i);
	return 0;
}

int tool_load_runtime(const struct config *config, struct slice name, json_t **out,
		      struct error *err)
{
	return LOAD(config, REGISTRY_RUNTIMES, name, runtime_fields, out, err);
}

int tool_load_from(const struct config *config, const char *registry, const char *name,
		   struct tool *out, struct error *err)
{
	char place[REGISTRY_NAME_MAX_BYTES * 2];
	_cleanup_json_ json_t *definition = NULL;
	struct error why;

	if (LOAD(config, registry, slice_of(name), tool_fields, &definition, err) < 0)
		return err->status == 404
			       ? error_set(err, 404, "unknown_tool", "Unknown tool type: %s", name)
			       : -1;

	(void)snprintf(place, sizeof(place), "%s/%s", registry, name);

	json_t *parameters = json_object_get(definition, "parameters");

	if (schema_check(parameters, &why) < 0)
		return error_set(err, 500, "bad_tool", "%s.json: %s", place, why.message);
	if (check_tool(place, definition, err) < 0 || fill_runtimes(config, parameters, err) < 0)
		return -1;
	*out = (struct tool){
		.definition = definition,
		.parameters = parameters,
		.name = name,
		.description = text_or(definition, "description", ""),
		.template = text_or(definition, "template", "default"),
		.timeout_text = text_or(definition, "timeoutText", "Execution timed out after"),
	};
	definition = NULL;
	return 0;
}

int tool_load(const struct config *config, const char *name, struct tool *out, struct error *err)
{
	return tool_load_from(config, REGISTRY_TOOLS, name, out, err);
}

void tool_free(struct tool *tool)
{
	json_decref(tool->definition);
	json_decref(tool->runtime);
	json_decref(tool->dashed);
	tool->definition = tool->runtime = tool->dashed = NULL;
}

json_t *tool_describe(const struct tool *tool)
{
	json_t *parameters = json_deep_copy(tool->parameters), *schema;
	const char *field;

	json_object_foreach (parameters, field, schema) {
		json_object_del(schema, "errorMessage");
	}
	return json_pack("{s:s, s:o}", "description", tool->description, "parameters", parameters);
}

/* What a text of the tool's file stands for. */
static struct slice resolve(const json_t *text, const json_t *values)
{
	const char *literal = json_string_value(text);
	size_t len = json_string_length(text);

	if (literal[0] != '{' || literal[len - 1] != '}')
		return (struct slice){literal, len};

	char field[REGISTRY_NAME_MAX_BYTES + 1] = "";

	memcpy(field, literal + 1, len - 2);

	const json_t *value = json_object_get(values, field);

	return (struct slice){json_string_value(value), json_string_length(value)};
}

/* A file name must not become an option of the runtime, nor one of its commands. Writes what stands for it. 0, or -1 when memory is out. */
static int guard_dash(struct tool *tool, const json_t *text, struct slice value, struct slice *out)
{
	size_t len = json_string_length(text);
	char field[REGISTRY_NAME_MAX_BYTES + 1] = "";

	*out = value;
	if (value.len == 0 || len < 2 || value.data == json_string_value(text) ||
	    (value.data[0] != '-' && !json_is_true(json_object_get(tool->runtime, "byPath"))))
		return 0;
	memcpy(field, json_string_value(text) + 1, len - 2);
	if (strcmp(text_or(json_object_get(tool->parameters, field), "format", ""), "filename") !=
	    0)
		return 0;
	if (!tool->dashed)
		tool->dashed = json_array();

	json_t *dashed = json_sprintf("./%s", value.data);

	*out = (struct slice){json_string_value(dashed), json_string_length(dashed)};
	return json_array_append_new(tool->dashed, dashed);
}

static int add_arguments(struct tool *tool, struct job *job, const json_t *values,
			 struct error *err)
{
	const json_t *argument;
	size_t i;

	json_array_foreach (json_object_get(tool->definition, "argv"), i, argument) {
		if (job->argc == JOB_ARGV_MAX_COUNT)
			return error_set(err, 500, "bad_tool",
					 "tools.d/%s.json: argv has more than %d texts", tool->name,
					 JOB_ARGV_MAX_COUNT);
		if (guard_dash(tool, argument, resolve(argument, values), &job->argv[job->argc]) <
		    0)
			return error_set(err, 500, "out_of_memory", "no memory for the arguments");
		job->argc++;
	}
	return 0;
}

int tool_runtime_kernel(const json_t *runtime, const char *out[TOOL_KERNEL_MAX_COUNT + 1],
			struct error *err)
{
	const json_t *kernel = json_object_get(runtime, "kernel"), *text;
	size_t i;

	memset(out, 0, (TOOL_KERNEL_MAX_COUNT + 1) * sizeof(out[0]));
	json_array_foreach ((json_t *)kernel, i, text) {
		if (i == TOOL_KERNEL_MAX_COUNT || !json_is_string(text) ||
		    !strchr(json_string_value(text), '='))
			return error_set(
				err, 500, "bad_tool",
				"runtimes.d: \"kernel\" must be at most %d texts NAME=value",
				TOOL_KERNEL_MAX_COUNT);
		out[i] = json_string_value(text);
	}
	return 0;
}

/* The runtime's argv is literal, and only now known. */
static int add_runtime(const struct config *config, struct tool *tool, struct job *job,
		       struct slice name, struct error *err)
{
	const json_t *argv, *argument;
	size_t i;

	if (tool_load_runtime(config, name, &tool->runtime, err) < 0)
		return -1;
	argv = json_object_get(tool->runtime, "argv");
	json_array_foreach ((json_t *)argv, i, argument) {
		if (!json_is_string(argument) || job->argc == JOB_ARGV_MAX_COUNT)
			break;
		job->argv[job->argc++] =
			(struct slice){json_string_value(argument), json_string_length(argument)};
	}
	argument = json_object_get(tool->runtime, "byPath");
	if (argument && !json_is_boolean(argument))
		return error_set(err, 500, "bad_tool",
				 "runtimes.d/%.*s.json: byPath must be true or false",
				 (int)name.len, name.data);
	if (job->argc == 0 || job->argc < json_array_size(argv))
		return error_set(err, 500, "bad_tool",
				 "runtimes.d/%.*s.json: argv must be 1 to %d texts", (int)name.len,
				 name.data, JOB_ARGV_MAX_COUNT);
	return tool_runtime_kernel(tool->runtime, tool->kernel, err);
}

int tool_job(const struct config *config, struct tool *tool, const json_t *values, struct job *job,
	     struct job_input *inputs, struct error *err)
{
	const json_t *runtime = json_object_get(tool->definition, "runtime"), *file;
	size_t i;

	if (runtime && add_runtime(config, tool, job, resolve(runtime, values), err) < 0)
		return -1;
	if (add_arguments(tool, job, values, err) < 0)
		return -1;
	json_array_foreach (json_object_get(tool->definition, "files"), i, file) {
		if (job->input_count == JOB_INPUT_MAX_COUNT)
			return error_set(err, 500, "bad_tool", "at most %d files",
					 JOB_INPUT_MAX_COUNT);
		inputs[job->input_count++] = (struct job_input){
			resolve(json_object_get(file, "path"), values),
			resolve(json_object_get(file, "content"), values),
		};
	}
	job->inputs = inputs;
	job->template = tool->template;
	job->kernel = tool->kernel[0] ? tool->kernel : NULL;
	return 0;
}
