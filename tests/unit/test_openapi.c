/*
 * The description of the service agrees with the service: every route of the table and every path
 * of the description are the same set; the limits, what every tool takes, the tools' parameters and
 * the languages are in it; and each field that a run is said to take is one that it looks at.
 */
#include "static/openapi.h"

#include "tap.h"
#include "util.h"

#include "api/routes.h"
#include "api/runs/request.h"
#include "api/tools/agent_fields.h"
#include "config/registry.h"
#include "config/tool.h"

static struct config config;
static struct error err;

static json_t *describe(void)
{
	json_t *document = NULL;

	must(openapi_document(&config, &document, &err) == 0);
	return document;
}

static json_t *schema_of(const json_t *document, const char *name)
{
	return json_object_get(json_object_get(json_object_get(document, "components"), "schemas"),
			       name);
}

/* True for a path of the description that a row answers; templates are paths like any other. */
static bool is_of_row(const struct route *row, const char *path)
{
	size_t len = strlen(row->path);

	if (strncmp(path, row->path, len) != 0)
		return false;
	if ((row->flags & BY_PREFIX) && row->path[len - 1] == '/')
		return path[len] != '\0';
	return path[len] == '\0' || ((row->flags & BY_PREFIX) && path[len] == '/');
}

static bool has_method(const struct route *row, const char *method)
{
	char upper[16] = "";

	for (size_t i = 0; method[i] && i + 1 < sizeof(upper); i++)
		upper[i] = (char)(method[i] - 'a' + 'A');

	const char *at = strstr(row->methods, upper);

	return at && strchr(", ", at[strlen(upper)]) && (at == row->methods || at[-1] == ' ');
}

/* Every method of a row is described under one of its paths at least. */
static void is_described(const json_t *paths, const struct route *row)
{
	static const char *const methods[] = {"get",   "head",   "post",   "put",
					      "patch", "delete", "options"};
	json_t *operations;
	const char *path;

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		bool found = false;

		if (!has_method(row, methods[i]))
			continue;
		json_object_foreach ((json_t *)paths, path, operations)
			found |= is_of_row(row, path) && json_object_get(operations, methods[i]);
		ok(found, "%s %s is described in src/static/openapi.json", methods[i], row->path);
	}
}

static bool is_routed(const char *path, const char *method)
{
	for (size_t i = 0; i < api_server.route_count; i++)
		if (is_of_row(&api_server.routes[i], path) &&
		    has_method(&api_server.routes[i], method))
			return true;
	return false;
}

static void test_routes(void)
{
	_cleanup_json_ json_t *document = describe(), *seen = json_object();
	const json_t *paths = json_object_get(document, "paths");
	json_t *operations, *operation;
	const char *path, *method;
	size_t count = 0;

	for (size_t i = 0; i < api_server.route_count; i++)
		is_described(paths, &api_server.routes[i]);
	json_object_foreach ((json_t *)paths, path, operations) {
		json_object_foreach (operations, method, operation) {
			const char *id =
				json_string_value(json_object_get(operation, "operationId"));

			ok(is_routed(path, method), "%s %s has a row in src/api/routes.c", method,
			   path);
			ok(id && !json_object_get(seen, id) &&
				   json_object_get(operation, "summary") &&
				   json_array_size(json_object_get(operation, "tags")) == 1 &&
				   json_object_get(operation, "security") &&
				   json_object_get(json_object_get(operation, "responses"), "200"),
			   "%s %s has an id of its own, summary, tag, security, a reply", method,
			   path);
			if (id)
				(void)json_object_set_new(seen, id, json_true());
			count++;
		}
	}
	ok(count >= 20, "there is something to compare: %zu operations", count);
}

static void test_head_is_get_without_content(void)
{
	_cleanup_json_ json_t *document = describe();
	const json_t *path = json_object_get(json_object_get(document, "paths"), "/v1/runs/{id}");
	json_t *head = json_object_get(path, "head"), *response;
	const char *status;

	is_text(json_string_value(json_object_get(head, "operationId")), "readRunHead",
		"HEAD has an id of its own");
	is_number(json_object_size(json_object_get(head, "responses")),
		  json_object_size(json_object_get(json_object_get(path, "get"), "responses")),
		  "HEAD has the replies of GET");
	json_object_foreach (json_object_get(head, "responses"), status, response)
		ok(json_is_object(response) && !json_object_get(response, "content") &&
			   json_object_get(response, "description"),
		   "HEAD's %s has no content", status);
	ok(json_object_get(
		   json_object_get(json_object_get(json_object_get(path, "get"), "responses"),
				   "200"),
		   "content") != NULL,
	   "GET's has");
}

static void test_limits(void)
{
	_cleanup_json_ json_t *document = describe();
	const json_t *asked = json_object_get(schema_of(document, "RunLimits"), "properties");
	const json_t *in_force = schema_of(document, "RunLimitsInForce");

	is_number(json_object_size(asked), RUN_LIMIT_COUNT, "the six limits");
	is_number(json_array_size(json_object_get(in_force, "required")), RUN_LIMIT_COUNT,
		  "all six in a record");
	for (size_t i = 0; i < RUN_LIMIT_COUNT; i++) {
		const struct json_field *row = &run_limit_table[i];
		json_t *schema = json_object_get(asked, row->name);

		ok(json_integer_value(json_object_get(schema, "minimum")) ==
				   (json_int_t)row->least &&
			   json_integer_value(json_object_get(schema, "maximum")) ==
				   (json_int_t)row->most &&
			   json_integer_value(json_object_get(schema, "default")) ==
				   (json_int_t)run_limit_of(&run_limit_defaults, row),
		   "%s with its minimum, maximum and default", row->name);
		ok(json_object_get(json_object_get(in_force, "properties"), row->name) != NULL,
		   "%s in a record", row->name);
	}
}

static bool is_required(const json_t *schema, const char *field)
{
	const json_t *name;
	size_t i;

	json_array_foreach (json_object_get(schema, "required"), i, name)
		if (strcmp(json_string_value(name), field) == 0)
			return true;
	return false;
}

/* Every field is in the schema, required when it has no default. */
static void has_fields(const json_t *schema, const json_t *fields, const char *where)
{
	const json_t *properties = json_object_get(schema, "properties");
	const char *name;
	json_t *field;

	json_object_foreach ((json_t *)fields, name, field) {
		const json_t *described = json_object_get(properties, name);

		ok(json_object_get(described, "type") &&
			   !json_object_get(described, "errorMessage") &&
			   is_required(schema, name) == !json_object_get(field, "default"),
		   "%s: %s", where, name);
	}
}

static void test_tools(void)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	_cleanup_json_ json_t *document = describe(), *agent = NULL;
	const json_t *choices = json_object_get(schema_of(document, "ToolRequest"), "oneOf");

	must(json_parse(agent_parameters, &agent, &err) == 0 &&
	     registry_names(&config, REGISTRY_TOOLS, &names, &err) == 0 && names.count > 0);
	is_number(json_array_size(choices), names.count, "each tool is a choice");
	has_fields(schema_of(document, "CodeRequest"), agent, "/run");
	ok(!json_object_get(json_object_get(schema_of(document, "CodeRequest"), "properties"),
			    "tool"),
	   "/run takes no tool");
	for (size_t i = 0; i < names.count; i++) {
		_cleanup_tool_ struct tool tool = {0};
		char name[128];

		must(tool_load(&config, names.names[i], &tool, &err) == 0);
		(void)snprintf(name, sizeof(name), "ToolRequest_%s", names.names[i]);

		const json_t *schema = schema_of(document, name);
		const json_t *constant = json_object_get(
			json_object_get(json_object_get(schema, "properties"), "tool"), "const");

		ok(constant && strcmp(json_string_value(constant), names.names[i]) == 0 &&
			   is_required(schema, "tool"),
		   "%s: its name", name);
		has_fields(schema, agent, name);
		has_fields(schema, tool.parameters, name);
	}
}

static void test_a_new_tool_and_a_broken_one(void)
{
	write_file(
		in_scratch("registry/tools.d/shout.json"),
		SLICE_LITERAL(
			"{\"description\":\"Shouts.\",\"argv\":[\"{text}\"],\"parameters\":{\"text\":"
			"{\"type\":\"string\",\"maxLength\":7,\"errorMessage\":{\"maxLength\":\"no\"}}}}"));
	write_file(in_scratch("registry/tools.d/broken.json"), SLICE_LITERAL("{"));
	(void)snprintf(config.registry[0], sizeof(config.registry[0]), "%s",
		       in_scratch("registry"));

	_cleanup_json_ json_t *document = describe();
	const json_t *text = json_object_get(
		json_object_get(schema_of(document, "ToolRequest_shout"), "properties"), "text");

	is_number(json_integer_value(json_object_get(text, "maxLength")), 7,
		  "a tool that was dropped in is described");
	ok(!schema_of(document, "ToolRequest_broken"), "a broken one is left out");
	config.registry[0][0] = '\0';
}

static void test_languages(void)
{
	_cleanup_json_ json_t *document = describe();
	const json_t *language = json_object_get(
		json_object_get(schema_of(document, "RunRequest"), "properties"), "language");

	_cleanup_buf_ struct buf text = buf_new(KIB);

	must(json_write(json_object_get(language, "enum"), &text) == 0);
	is_text(buf_slice(&text).data,
		"[\"c\",\"cpp\",\"go\",\"java\",\"node\",\"php\",\"python\",\"r\",\"ruby\",\"rust\"]",
		"the languages that have an image");
}

/* A field of the wrong type is refused where it is looked at, and only there. */
static void test_fields_of_a_run(void)
{
	_cleanup_json_ json_t *document = describe();
	const json_t *properties = json_object_get(schema_of(document, "RunRequest"), "properties");
	json_t *field;
	const char *name;

	json_object_foreach ((json_t *)properties, name, field) {
		_cleanup_json_ json_t *body =
			json_pack("{s:s, s:s}", "language", "python", "code", "1");
		_cleanup_buf_ struct buf text = buf_new(KIB);
		struct run_request request = {0};

		must(json_object_set_new(body, name, json_pack("[i]", 5)) == 0 &&
		     json_write(body, &text) == 0);
		ok((run_request_begin(buf_slice(&text), &request, &err) < 0 ||
		    run_request_take(&request, &err) < 0) &&
			   strcmp(err.code, "wrong_type") == 0 && strstr(err.message, name),
		   "%s is looked at", name);
		run_request_free(&request);
	}
	is_number(json_object_size(properties), 8, "and that is all of them");
}

static void test_debug_pages_only_where_they_are_on(void)
{
	config.debug_ui = false;

	_cleanup_json_ json_t *document = describe();
	json_t *operations;
	const char *path;

	json_object_foreach (json_object_get(document, "paths"), path, operations)
		if (strncmp(path, "/debug", 6) == 0)
			ok(false, "%s is described, though it is off", path);
	ok(json_object_get(json_object_get(document, "paths"), "/run") != NULL, "others are");
	config.debug_ui = true;
}

int main(void)
{
	config.debug_ui = true;
	(void)snprintf(config.registry[2], sizeof(config.registry[2]), "worker");
	make_folder(in_scratch("registry/tools.d"));
	test_routes();
	test_head_is_get_without_content();
	test_limits();
	test_tools();
	test_a_new_tool_and_a_broken_one();
	test_languages();
	test_fields_of_a_run();
	test_debug_pages_only_where_they_are_on();
	return done();
}
