#include "static/openapi.h"

#include "api/runs/request.h"
#include "api/tools/agent_fields.h"
#include "config/language.h"
#include "config/registry.h"
#include "config/template.h"
#include "config/tool.h"
#include "job/defaults.h"
#include "static/static.h"

#include <stdio.h>

#define REF_PREFIX      "#/components/schemas/"
#define TOOL_PREFIX     "ToolRequest_"
#define DEBUG_PATH      "/debug"
#define TOOL_NAME_BYTES (sizeof(TOOL_PREFIX) + REGISTRY_NAME_MAX_BYTES)

/* openapi.json as a text of the program. */
__asm__(".pushsection .rodata\n"
	".hidden openapi_text\n.global openapi_text\nopenapi_text:\n"
	".incbin \"src/static/openapi.json\"\n"
	".byte 0\n"
	".popsection\n");
extern const char openapi_text[];

/* What is at the end of a path of names joined by dots. */
static json_t *at(const json_t *object, const char *path)
{
	struct slice rest = slice_of(path);

	while (rest.len) {
		struct slice name = slice_take(&rest, '.');

		object = json_object_getn(object, name.data, name.len);
	}
	return (json_t *)object;
}

/* --- the limits of a run ---------------------------------------------------------------------- */

/* Into RunLimits, which a request may hold, and RunLimitsInForce, which a record does. */
static void add_limits(json_t *schemas)
{
	json_t *asked = at(schemas, "RunLimits.properties"),
	       *in_force = at(schemas, "RunLimitsInForce.properties"),
	       *required = at(schemas, "RunLimitsInForce.required");

	for (size_t i = 0; i < RUN_LIMIT_COUNT; i++) {
		const struct json_field *row = &run_limit_table[i];

		(void)json_object_set_new(
			asked, row->name,
			json_pack("{s:s, s:I, s:I, s:I}", "type", "integer", "minimum",
				  (json_int_t)row->least, "maximum", (json_int_t)row->most,
				  "default", (json_int_t)run_limit_of(&run_limit_defaults, row)));
		(void)json_object_set_new(in_force, row->name,
					  json_pack("{s:s}", "type", "integer"));
		(void)json_array_append_new(required, json_string(row->name));
	}
}

/* --- languages -------------------------------------------------------------------------------- */

static int add_languages(const struct config *config, json_t *schemas, struct error *err)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	_cleanup_json_ json_t *options = json_array();

	if (registry_names(config, REGISTRY_LANGUAGES, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		_cleanup_language_ struct language language = {0};
		struct error ignored;

		if (run_language(config, slice_of(names.names[i]), &language, &ignored) == 0)
			(void)json_array_append_new(options, json_string(names.names[i]));
	}
	if (json_array_size(options))
		(void)json_object_set(at(schemas, "RunRequest.properties.language"), "enum",
				      options);
	return 0;
}

/* --- tools ------------------------------------------------------------------------------------ */

/* Adds fields to an object's schema; one without a default is required. */
static void add_fields(json_t *schema, json_t *fields)
{
	json_t *properties = json_object_get(schema, "properties"),
	       *required = json_object_get(schema, "required"), *field;
	const char *name;

	json_object_foreach (fields, name, field) {
		(void)json_object_set(properties, name, field);
		if (!json_object_get(field, "default"))
			(void)json_array_append_new(required, json_string(name));
	}
}

/* The schema of a request. tool: its name, NULL where none is named. A new object. */
static json_t *request_schema(const char *tool, const char *description, json_t *agent,
			      json_t *parameters)
{
	json_t *schema = json_pack("{s:s, s:s, s:{}, s:[]}", "type", "object", "description",
				   description, "properties", "required");
	_cleanup_json_ json_t *name =
		tool ? json_pack("{s:{s:s, s:s}}", "tool", "type", "string", "const", tool)
		     : json_object();

	add_fields(schema, name);
	add_fields(schema, agent);
	add_fields(schema, parameters);
	return schema;
}

/* One tool's request, and its places in ToolRequest. */
static void add_tool(const struct config *config, json_t *schemas, json_t *choices, json_t *mapping,
		     const struct tool *tool, json_t *agent)
{
	_cleanup_json_ json_t *shown = tool_describe(config, tool);
	json_t *parameters = json_object_get(shown, "parameters");
	char parameter[REGISTRY_NAME_MAX_BYTES + 1], name[TOOL_NAME_BYTES],
		reference[sizeof(REF_PREFIX) + TOOL_NAME_BYTES];

	if (tool->runtime && tool_parameter(tool->runtime, parameter))
		(void)json_object_update_missing(parameters, at(schemas, "Invocation.properties"));
	(void)snprintf(name, sizeof(name), TOOL_PREFIX "%s", tool->name);
	(void)snprintf(reference, sizeof(reference), REF_PREFIX "%s", name);
	(void)json_object_set_new(schemas, name,
				  request_schema(tool->name, tool->description, agent, parameters));
	(void)json_array_append_new(choices, json_pack("{s:s}", "$ref", reference));
	(void)json_object_set_new(mapping, tool->name, json_string(reference));
	if (strcmp(tool->name, DEFAULT_TOOL) == 0)
		(void)json_object_set_new(
			schemas, "CodeRequest",
			request_schema(NULL, tool->description, agent, parameters));
}

/* What every tool takes, without what only we understand. */
static int agent_schemas(json_t **out, struct error *err)
{
	const char *name;
	json_t *schema;

	if (json_parse(agent_parameters, out, err) < 0)
		return -1;
	json_object_foreach (*out, name, schema)
		(void)json_object_del(schema, "errorMessage");
	(void)json_object_set_new(*out, "files",
				  json_pack("{s:s, s:{s:s}, s:[], s:s}", "type", "array", "items",
					    "$ref", REF_PREFIX "StagedFile", "default",
					    "description",
					    "Uploads, put into the working directory."));
	return 0;
}

static int add_tools(const struct config *config, json_t *schemas, struct error *err)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	_cleanup_json_ json_t *agent = NULL, *choices = json_array(), *mapping = json_object();
	struct error ignored;

	if (agent_schemas(&agent, err) < 0 ||
	    registry_names(config, REGISTRY_TOOLS, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		_cleanup_tool_ struct tool tool = {0};

		if (tool_load(config, names.names[i], &tool, &ignored) == 0)
			add_tool(config, schemas, choices, mapping, &tool, agent);
	}
	if (json_array_size(choices))
		(void)json_object_set_new(schemas, "ToolRequest",
					  json_pack("{s:O, s:{s:s, s:O}}", "oneOf", choices,
						    "discriminator", "propertyName", "tool",
						    "mapping", mapping));
	return 0;
}

/* --- paths ------------------------------------------------------------------------------------ */

/* A response without its content. One that is shared, and so only named, is looked up. */
static json_t *bare_response(const json_t *document, const json_t *response)
{
	const char *reference = json_string_value(json_object_get(response, "$ref"));
	const char *name = reference ? strrchr(reference, '/') + 1 : NULL;
	json_t *bare;

	if (name)
		response = json_object_get(at(document, "components.responses"), name);
	bare = json_copy((json_t *)response);
	(void)json_object_del(bare, "content");
	return bare;
}

/* HEAD of a path, from its GET. */
static void add_head(const json_t *document, json_t *path)
{
	const json_t *get = json_object_get(path, "get");
	_cleanup_json_ json_t *head = json_copy((json_t *)get), *responses = json_object();
	const char *status;
	json_t *response;

	if (!get)
		return;
	json_object_foreach (json_object_get(get, "responses"), status, response)
		(void)json_object_set_new(responses, status, bare_response(document, response));
	(void)json_object_set(head, "responses", responses);
	(void)json_object_set_new(
		head, "operationId",
		json_sprintf("%sHead", json_string_value(json_object_get(get, "operationId"))));
	(void)json_object_set(path, "head", head);
}

static void finish_paths(const struct config *config, json_t *document)
{
	json_t *paths = json_object_get(document, "paths"), *path;
	const char *name;
	void *next;

	json_object_foreach_safe(paths, next, name, path)
	{
		if (!config->debug_ui && slice_starts(slice_of(name), DEBUG_PATH))
			(void)json_object_del(paths, name);
		else
			add_head(document, path);
	}
}

int openapi_document(const struct config *config, json_t **out, struct error *err)
{
	_cleanup_json_ json_t *document = NULL;
	json_t *schemas;

	if (json_parse(slice_of(openapi_text), &document, err) < 0)
		return -1;
	(void)json_object_set_new(json_object_get(document, "info"), "version",
				  json_string(MAYFLY_VERSION));
	schemas = at(document, "components.schemas");
	add_limits(schemas);
	if (add_languages(config, schemas, err) < 0 || add_tools(config, schemas, err) < 0)
		return -1;
	finish_paths(config, document);
	*out = document;
	document = NULL;
	return 0;
}

void static_openapi(struct call *call)
{
	json_t *document = NULL;
	struct error err;

	if (openapi_document(call->config, &document, &err) < 0)
		call_refuse(call, &err);
	else
		call_reply_json(call, 200, document);
}
