#include "json/schema.h"

#include "base/ascii.h"
#include "base/base64.h"
#include "base/fs.h"
#include "bounds.h"
#include "json/read.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#define MESSAGE_MAX_BYTES (4 * KIB)

static bool is_length(const json_t *value)
{
	return json_integer_value(value) >= 0;
}

static bool is_number(const json_t *value)
{
	return json_is_number(value);
}

static bool are_fields_texts(const json_t *value)
{
	const char *field;
	json_t *text;

	json_object_foreach ((json_t *)value, field, text) {
		if (!json_is_string(text))
			return false;
	}
	return true;
}

static bool is_base64(const json_t *value)
{
	const char *name = json_string_value(value);

	return name && strcmp(name, "base64") == 0;
}

enum { TEXT = 1, NUMBER = 2, TRUTH = 4, ALL = 7 }; /* kinds of types */

static const struct {
	const char *name;
	enum json_kind kind;
	bool (*fits)(const json_t *value); /* beyond its kind, or NULL */
	unsigned types;                    /* that it says something about */
} keywords[] = {
	{"type", READ_SLICE, NULL, ALL},
	{"title", READ_SLICE, NULL, ALL},
	{"description", READ_SLICE, NULL, ALL},
	{"default", READ_ANY, NULL, ALL},
	{"examples", READ_LIST, NULL, ALL},
	{"enum", READ_TEXTS, NULL, TEXT},
	{"minLength", READ_NUMBER, is_length, TEXT},
	{"maxLength", READ_NUMBER, is_length, TEXT},
	{"minimum", READ_ANY, is_number, NUMBER},
	{"maximum", READ_ANY, is_number, NUMBER},
	{"format", READ_SLICE, NULL, TEXT},
	{"contentEncoding", READ_SLICE, is_base64, TEXT},
	{"errorMessage", READ_OBJECT, are_fields_texts, ALL},
};

static const struct type {
	const char *name, *expected;
	unsigned kind;
} types[] = {{"string", "string", TEXT},
	     {"integer", "int", NUMBER},
	     {"number", "number", NUMBER},
	     {"boolean", "boolean", TRUTH}};

static const struct type *find_type(const json_t *name)
{
	for (size_t i = 0; json_is_string(name) && i < COUNT_OF(types); i++)
		if (strcmp(types[i].name, json_string_value(name)) == 0)
			return &types[i];
	return NULL;
}

static int check_keyword(const char *field, const struct type *type, const char *keyword,
			 const json_t *value, struct error *err)
{
	for (size_t i = 0; i < COUNT_OF(keywords); i++) {
		if (strcmp(keywords[i].name, keyword) != 0)
			continue;
		if (!(keywords[i].types & type->kind))
			return error_set(err, 500, "bad_schema",
					 "parameters.%s.%s does not apply to type %s", field,
					 keyword, type->name);
		if (!json_is_kind(value, keywords[i].kind) ||
		    (keywords[i].fits && !keywords[i].fits(value)))
			return error_set(err, 500, "bad_schema",
					 "parameters.%s.%s has the wrong type", field, keyword);
		return 0;
	}
	return error_set(err, 500, "bad_schema", "parameters.%s.%s is not a known keyword", field,
			 keyword);
}

static int check_schema(const char *field, const json_t *schema, struct error *err)
{
	const struct type *type = find_type(json_object_get(schema, "type"));
	const char *keyword;
	json_t *value;

	/* it goes into "{name}", forms and command lines */
	if (!*field || !ascii_is_of(slice_of(field), ASCII_ALNUM "_-"))
		return error_set(err, 500, "bad_schema",
				 "parameters.%.64s must be named with letters, digits, _ and -",
				 field);
	if (!json_is_object(schema))
		return error_set(err, 500, "bad_schema", "parameters.%s must be an object", field);
	if (!type)
		return error_set(err, 500, "bad_schema",
				 "parameters.%s.type must be string, integer, number or boolean",
				 field);
	json_object_foreach ((json_t *)schema, keyword, value)
		if (check_keyword(field, type, keyword, value, err) < 0)
			return -1;
	return 0;
}

int schema_check(const json_t *parameters, struct error *err)
{
	const char *field;
	json_t *schema;

	if (!json_is_object(parameters))
		return error_set(err, 500, "bad_schema",
				 "parameters must be an object of schemas by field");
	json_object_foreach ((json_t *)parameters, field, schema)
		if (check_schema(field, schema, err) < 0)
			return -1;
	return 0;
}

int schema_check_defaults(const json_t *parameters, struct error *err)
{
	const char *field;
	json_t *schema;

	json_object_foreach ((json_t *)parameters, field, schema) {
		_cleanup_json_ json_t *one = json_pack("{s:O}", field, schema),
				      *issues = json_array(), *values = json_object();

		if (!json_object_get(schema, "default"))
			continue;
		if (schema_validate(one, NULL, issues, values, err) < 0)
			return -1;
		if (json_array_size(issues))
			return error_set(err, 500, "bad_schema", "parameters.%s.default: %s", field,
					 json_text(json_array_get(issues, 0), "message"));
	}
	return 0;
}

const char *schema_type_name(const json_t *value)
{
	if (!value)
		return "undefined";
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "object";
	case JSON_ARRAY:
		return "array";
	case JSON_STRING:
		return "string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "boolean";
	case JSON_NULL:
		break;
	}
	return "null";
}

static int add_issue(json_t *issues, const char *code, const char *field, const char *message)
{
	json_t *issue = json_pack("{s:s, s:o, s:o}", "code", code, "path",
				  field ? json_pack("[s]", field) : json_array(), "message",
				  json_clean_string(slice_of(message)));

	return json_array_append_new(issues, issue);
}

void schema_add_issue(json_t *issues, const char *code, const char *field, const char *format, ...)
{
	char message[MESSAGE_MAX_BYTES];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	(void)add_issue(issues, code, field, message);
}

/* One field being held against its schema. */
struct check {
	const char *field;
	const json_t *schema, *value;
	json_t *issues;
};

/* Notes a refusal by keyword, with the schema's own text for it if there is one. 1, or -1 when
   memory is out. */
__attribute__((format(printf, 4, 5))) static int refuse(const struct check *check, const char *code,
							const char *keyword, const char *format,
							...)
{
	const json_t *texts = json_object_get(check->schema, "errorMessage");
	const char *text = json_text(texts, keyword);
	char message[MESSAGE_MAX_BYTES];

	if (!text) {
		va_list arguments;

		va_start(arguments, format);
		(void)vsnprintf(message, sizeof(message), format, arguments);
		va_end(arguments);
		text = message;
	}
	return add_issue(check->issues, code, check->field, text) < 0 ? -1 : 1;
}

static bool is_of_type(const json_t *value, const char *type)
{
	if (strcmp(type, "string") == 0)
		return json_is_string(value);
	if (strcmp(type, "boolean") == 0)
		return json_is_boolean(value);
	if (strcmp(type, "number") == 0)
		return json_is_number(value);
	/* JSON Schema: 30.0 is an integer */
	return json_is_integer(value) ||
	       (json_is_real(value) && trunc(json_real_value(value)) == json_real_value(value));
}

static int check_enum(const struct check *check, const json_t *allowed)
{
	_cleanup_buf_ struct buf list = buf_new(MESSAGE_MAX_BYTES / 2);
	const json_t *option;
	size_t i;

	json_array_foreach ((json_t *)allowed, i, option)
		if (json_equal((json_t *)option, (json_t *)check->value))
			return 0;
	json_array_foreach ((json_t *)allowed, i, option) {
		if (buf_printf(&list, "%s\"%s\"", list.len ? "|" : "", json_string_value(option)) ==
		    0)
			continue;
		if (errno == ENOMEM)
			return -1;
		break; /* the message ends before the options do */
	}
	return refuse(check, "invalid_value", "enum", "Invalid option: expected one of %s",
		      list.data ? list.data : "");
}

static bool is_upload(struct slice text)
{
	const char *prefix = "file_";

	if (!slice_starts(text, prefix) || text.len != strlen(prefix) + FILE_ID_LENGTH)
		return false;
	slice_skip(&text, strlen(prefix));
	return ascii_is_of(text, ASCII_ALNUM);
}

static int check_format(const struct check *check, const char *format)
{
	struct slice text = json_slice(check->value);

	if (strcmp(format, "session-id") == 0 && (!fs_is_component(text) || text.data[0] == '.'))
		return refuse(
			check, "invalid_value", "format",
			"Session ID must have no slash and no control characters, and must not "
			"begin with a dot");
	if (strcmp(format, "upload") == 0 && !is_upload(text))
		return refuse(check, "invalid_value", "format", "Must be the id of an upload");
	if (strcmp(format, "filename") == 0) {
		if (!fs_is_component(text))
			return refuse(check, "invalid_value", "format",
				      "Filename must be one path component");
		if (slice_eq(text, "stdout") || slice_eq(text, "stderr"))
			return refuse(
				check, "invalid_value", "format",
				"Filename must not be stdout or stderr: those hold the program's "
				"output");
	}
	return 0;
}

static int check_string(const struct check *check)
{
	size_t len = json_string_length(check->value);
	struct slice text = json_slice(check->value);
	const json_t *least = json_object_get(check->schema, "minLength"),
		     *most = json_object_get(check->schema, "maxLength");
	const json_t *allowed = json_object_get(check->schema, "enum");
	const char *format = json_text(check->schema, "format");

	if (least && (json_int_t)len < json_integer_value(least))
		return refuse(check, "too_small", "minLength", "Must have at least %lld bytes",
			      (long long)json_integer_value(least));
	if (most && (json_int_t)len > json_integer_value(most))
		return refuse(check, "too_big", "maxLength", "Must have at most %lld bytes",
			      (long long)json_integer_value(most));
	if (allowed)
		return check_enum(check, allowed);
	/* what stands for a file's bytes: base64, or an upload's id, which no base64 can be */
	if (json_object_get(check->schema, "contentEncoding") && !base64_is_good(text) &&
	    !is_upload(text))
		return refuse(check, "invalid_value", "contentEncoding",
			      "Must be base64, or the id of an upload");
	return format ? check_format(check, format) : 0;
}

static int check_number(const struct check *check)
{
	const json_t *least = json_object_get(check->schema, "minimum"),
		     *most = json_object_get(check->schema, "maximum");
	double value = json_number_value(check->value);

	if (least && value < json_number_value(least))
		return refuse(check, "too_small", "minimum", "Must be at least %.15g",
			      json_number_value(least));
	if (most && value > json_number_value(most))
		return refuse(check, "too_big", "maximum", "Must be at most %.15g",
			      json_number_value(most));
	return 0;
}

/* 0 when the value is good, 1 when an issue was noted, -1 when memory is out. */
static int check_value(const struct check *check)
{
	const json_t *type = json_object_get(check->schema, "type");

	if (!check->value || !is_of_type(check->value, json_string_value(type)))
		return refuse(check, "invalid_type", "type",
			      "Invalid input: expected %s, received %s", find_type(type)->expected,
			      schema_type_name(check->value));
	if (json_is_string(check->value))
		return check_string(check);
	return json_is_number(check->value) ? check_number(check) : 0;
}

int schema_validate(const json_t *parameters, const json_t *input, json_t *issues, json_t *values,
		    struct error *err)
{
	const char *field;
	json_t *schema;

	json_object_foreach ((json_t *)parameters, field, schema) {
		struct check check = {field, schema, json_object_get(input, field), issues};

		if (!check.value)
			check.value = json_object_get(schema, "default");

		int found = check_value(&check);

		if (found < 0 ||
		    (found == 0 && json_object_set(values, field, (json_t *)check.value) < 0))
			return error_set(err, 500, "out_of_memory", "no memory for the request");
	}
	return 0;
}
