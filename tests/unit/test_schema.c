/* The subset of JSON Schema: what a schema may say, and what each keyword does with a value at and
 * past its edge. */
#include "json/schema.h"

#include "tap.h"
#include "util.h"

static json_t *json(const char *text)
{
	json_t *value = NULL;
	struct error err;

	must(json_parse(slice_of(text), &value, &err) == 0);
	return value;
}

/* One field called x with this schema is given this input. want is the issues, or else the values,
 * as JSON. */
static void validates(const char *schema, const char *input, bool is_good, const char *want)
{
	_cleanup_json_ json_t *parameters = json_pack("{s:o}", "x", json(schema)),
			      *given = json(input);
	_cleanup_json_ json_t *issues = json_array(), *values = json_object();
	_cleanup_buf_ struct buf text = buf_new(64 * KIB);
	struct error err;

	is_number(schema_check(parameters, &err), 0, "%s is a schema", schema);
	is_number(schema_validate(parameters, given, issues, values, &err), 0, "%.40s is judged",
		  input);
	must(json_write(is_good ? values : issues, &text) == 0);
	is_text(text.data, want, "%s", is_good ? "good" : "wrong");
	is_number(json_array_size(issues), is_good ? 0 : 1, "with no other issue");
	is_number(json_object_size(values), is_good ? 1 : 0, "and a value only when it is good");
}

static void good(const char *schema, const char *input, const char *want)
{
	validates(schema, input, true, want);
}

static void bad(const char *schema, const char *input, const char *code, const char *message)
{
	_cleanup_buf_ struct buf want = buf_new(64 * KIB);
	_cleanup_json_ json_t *issues =
		json_pack("[{s:s, s:[s], s:s}]", "code", code, "path", "x", "message", message);

	must(issues && json_write(issues, &want) == 0);
	validates(schema, input, false, want.data);
}

static void test_types(void)
{
	static const char *const inputs[] = {
		"{\"x\":\"1\"}", "{\"x\":1}",  "{\"x\":1.5}", "{\"x\":true}",
		"{\"x\":null}",  "{\"x\":[]}", "{\"x\":{}}",  "{}"};
	static const char *const received[] = {"string", "number", "number", "boolean",
					       "null",   "array",  "object", "undefined"};
	static const struct {
		const char *type, *expected;
		const char *taken; /* by index: '1' where it is of the type */
	} rows[] = {{"string", "string", "10000000"},
		    {"integer", "int", "01000000"},
		    {"number", "number", "01100000"},
		    {"boolean", "boolean", "00010000"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t j = 0; j < sizeof(inputs) / sizeof(inputs[0]); j++) {
			char schema[64], message[128];

			(void)snprintf(schema, sizeof(schema), "{\"type\":\"%s\"}", rows[i].type);
			(void)snprintf(message, sizeof(message),
				       "Invalid input: expected %s, received %s", rows[i].expected,
				       received[j]);
			if (rows[i].taken[j] == '1')
				good(schema, inputs[j], inputs[j]);
			else
				bad(schema, inputs[j], "invalid_type", message);
		}
	good("{\"type\":\"integer\"}", "{\"x\":30.0}", "{\"x\":30.0}");
	bad("{\"type\":\"integer\",\"errorMessage\":{\"type\":\"whole!\"}}", "{\"x\":30.5}",
	    "invalid_type", "whole!");
}

static void test_strings(void)
{
	static const char two_to_four[] = "{\"type\":\"string\",\"minLength\":2,\"maxLength\":4}";
	static const char choice[] = "{\"type\":\"string\",\"enum\":[\"a\",\"b c\"]}";

	good(two_to_four, "{\"x\":\"ab\"}", "{\"x\":\"ab\"}");
	good(two_to_four, "{\"x\":\"abcd\"}", "{\"x\":\"abcd\"}");
	good(two_to_four, "{\"x\":\"\\u00fc\"}", "{\"x\":\"\xC3\xBC\"}");
	bad(two_to_four, "{\"x\":\"a\"}", "too_small", "Must have at least 2 bytes");
	bad(two_to_four, "{\"x\":\"\"}", "too_small", "Must have at least 2 bytes");
	bad(two_to_four, "{\"x\":\"abcde\"}", "too_big", "Must have at most 4 bytes");
	bad(two_to_four, "{\"x\":\"\\u00fc\\u00fca\"}", "too_big", "Must have at most 4 bytes");
	bad("{\"type\":\"string\",\"minLength\":1,\"errorMessage\":{\"minLength\":\"Say something\"}}",
	    "{\"x\":\"\"}", "too_small", "Say something");
	good(choice, "{\"x\":\"b c\"}", "{\"x\":\"b c\"}");
	bad(choice, "{\"x\":\"A\"}", "invalid_value",
	    "Invalid option: expected one of \"a\"|\"b c\"");
	bad(choice, "{\"x\":\"\"}", "invalid_value",
	    "Invalid option: expected one of \"a\"|\"b c\"");
	bad("{\"type\":\"string\",\"enum\":[]}", "{\"x\":\"a\"}", "invalid_value",
	    "Invalid option: expected one of ");
}

static void test_many_options(void)
{
	_cleanup_json_ json_t *options = json_array(), *issues = json_array(),
			      *values = json_object();
	_cleanup_json_ json_t *parameters =
		json_pack("{s:{s:s, s:O}}", "x", "type", "string", "enum", options);
	_cleanup_json_ json_t *input = json("{\"x\":\"none\"}");
	struct error err;
	char name[64];

	for (int i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "option-number-%d", i);
		must(json_array_append_new(options, json_string(name)) == 0);
	}
	is_number(schema_validate(parameters, input, issues, values, &err), 0,
		  "a thousand options are judged");

	const char *message =
		json_string_value(json_object_get(json_array_get(issues, 0), "message"));

	ok(message && strlen(message) < 4096 && slice_starts(slice_of(message), "Invalid option"),
	   "the message stays short");
	must(json_object_set_new(input, "x", json_string(name)) == 0 &&
	     json_array_clear(issues) == 0);
	ok(schema_validate(parameters, input, issues, values, &err) == 0 &&
		   json_array_size(issues) == 0,
	   "the last option is one as well");
}

static void test_formats(void)
{
	static const char session[] = "{\"type\":\"string\",\"format\":\"session-id\"}";
	static const char file[] = "{\"type\":\"string\",\"format\":\"filename\"}";
	static const char bad_session[] =
		"Session ID must have no slash and no control characters, and must not begin with a dot";
	static const char *const bad_ids[] = {"{\"x\":\"\"}",        "{\"x\":\".\"}",
					      "{\"x\":\"..\"}",      "{\"x\":\".hidden\"}",
					      "{\"x\":\"a/b\"}",     "{\"x\":\"a\\nb\"}",
					      "{\"x\":\"\\u007f\"}", "{\"x\":\"/\"}"};

	for (size_t i = 0; i < sizeof(bad_ids) / sizeof(bad_ids[0]); i++)
		bad(session, bad_ids[i], "invalid_value", bad_session);
	good(session, "{\"x\":\"a.b-_ \\u00fc;$(x)\"}", "{\"x\":\"a.b-_ \xC3\xBC;$(x)\"}");
	good(file, "{\"x\":\".bashrc\"}", "{\"x\":\".bashrc\"}");
	good(file, "{\"x\":\"-rf\"}", "{\"x\":\"-rf\"}");
	good(file, "{\"x\":\"stdout.txt\"}", "{\"x\":\"stdout.txt\"}");
	bad(file, "{\"x\":\"../x\"}", "invalid_value", "Filename must be one path component");
	bad(file, "{\"x\":\"..\"}", "invalid_value", "Filename must be one path component");
	bad(file, "{\"x\":\"/x\"}", "invalid_value", "Filename must be one path component");
	bad(file, "{\"x\":\"\"}", "invalid_value", "Filename must be one path component");
	bad(file, "{\"x\":\"stdout\"}", "invalid_value",
	    "Filename must not be stdout or stderr: those hold the program's output");
	bad(file, "{\"x\":\"stderr\"}", "invalid_value",
	    "Filename must not be stdout or stderr: those hold the program's output");
	good("{\"type\":\"string\",\"format\":\"uri\"}", "{\"x\":\"::\"}", "{\"x\":\"::\"}");
}

static void test_numbers(void)
{
	static const char one_to_ten[] = "{\"type\":\"integer\",\"minimum\":1,\"maximum\":10}";

	good(one_to_ten, "{\"x\":1}", "{\"x\":1}");
	good(one_to_ten, "{\"x\":10}", "{\"x\":10}");
	bad(one_to_ten, "{\"x\":0}", "too_small", "Must be at least 1");
	bad(one_to_ten, "{\"x\":-0}", "too_small", "Must be at least 1");
	bad(one_to_ten, "{\"x\":-9223372036854775808}", "too_small", "Must be at least 1");
	bad(one_to_ten, "{\"x\":11}", "too_big", "Must be at most 10");
	bad(one_to_ten, "{\"x\":9223372036854775807}", "too_big", "Must be at most 10");
	bad(one_to_ten, "{\"x\":1e300}", "too_big", "Must be at most 10");
	bad("{\"type\":\"integer\",\"maximum\":1234567}", "{\"x\":1234568}", "too_big",
	    "Must be at most 1234567");
	good("{\"type\":\"number\",\"minimum\":0.5}", "{\"x\":0.5}", "{\"x\":0.5}");
	bad("{\"type\":\"number\",\"minimum\":0.5}", "{\"x\":0.25}", "too_small",
	    "Must be at least 0.5");
}

static void test_defaults(void)
{
	static const char with[] = "{\"type\":\"string\",\"default\":\"d\"}";

	good(with, "{}", "{\"x\":\"d\"}");
	good(with, "{\"x\":\"e\",\"unknown\":[1]}", "{\"x\":\"e\"}");
	good(with, "[]", "{\"x\":\"d\"}");
	bad(with, "{\"x\":null}", "invalid_type", "Invalid input: expected string, received null");
	bad("{\"type\":\"string\"}", "\"x\"", "invalid_type",
	    "Invalid input: expected string, received undefined");
}

static void test_all_issues(void)
{
	_cleanup_json_ json_t *parameters =
		json("{\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"integer\",\"minimum\":3},"
		     "\"c\":{\"type\":\"boolean\"}}");
	_cleanup_json_ json_t *input = json("{\"c\":true,\"b\":1,\"a\":5}"), *issues = json_array(),
			      *values = json_object();
	_cleanup_buf_ struct buf text = buf_new(4 * KIB);
	struct error err;

	must(schema_validate(parameters, input, issues, values, &err) == 0);
	schema_add_issue(issues, "invalid_type", NULL, "the whole");
	must(json_write(issues, &text) == 0);
	is_text(text.data,
		"[{\"code\":\"invalid_type\",\"path\":[\"a\"],\"message\":\"Invalid input: expected string, received number\"},"
		"{\"code\":\"too_small\",\"path\":[\"b\"],\"message\":\"Must be at least 3\"},"
		"{\"code\":\"invalid_type\",\"path\":[],\"message\":\"the whole\"}]",
		"every wrong field is listed, in the schema's order");
	ok(json_object_size(values) == 1 && json_is_true(json_object_get(values, "c")),
	   "the good one is kept");
}

static void test_check(void)
{
	static const struct {
		const char *parameters, *message;
	} rows[] = {
		{"[]", "parameters must be an object of schemas by field"},
		{"{\"f\":1}", "parameters.f must be an object"},
		{"{\"f\":{}}", "parameters.f.type must be string, integer, number or boolean"},
		{"{\"f\":{\"type\":\"object\"}}",
		 "parameters.f.type must be string, integer, number or boolean"},
		{"{\"f\":{\"type\":[\"string\"]}}",
		 "parameters.f.type must be string, integer, number or boolean"},
		{"{\"f\":{\"type\":\"string\",\"pattern\":\"x\"}}",
		 "parameters.f.pattern is not a known keyword"},
		{"{\"f\":{\"type\":\"string\",\"minLength\":\"1\"}}",
		 "parameters.f.minLength has the wrong type"},
		{"{\"f\":{\"type\":\"string\",\"maxLength\":1.5}}",
		 "parameters.f.maxLength has the wrong type"},
		{"{\"f\":{\"type\":\"integer\",\"maximum\":null}}",
		 "parameters.f.maximum has the wrong type"},
		{"{\"f\":{\"type\":\"string\",\"enum\":\"a\"}}",
		 "parameters.f.enum has the wrong type"},
		{"{\"f\":{\"type\":\"string\",\"enum\":[\"a\",1]}}",
		 "parameters.f.enum has the wrong type"},
		{"{\"f\":{\"type\":\"string\",\"format\":1}}",
		 "parameters.f.format has the wrong type"},
		{"{\"f\":{\"type\":\"string\",\"errorMessage\":\"x\"}}",
		 "parameters.f.errorMessage has the wrong type"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_json_ json_t *parameters = json(rows[i].parameters);
		struct error err = {.message = ""};

		is_number(schema_check(parameters, &err), -1, "no schema: %s", rows[i].parameters);
		is_text(err.message, rows[i].message, "and it says why");
		ok(err.status == 500 && strcmp(err.code, "bad_schema") == 0, "by its word");
	}

	struct error err;

	ok(schema_check(NULL, &err) < 0, "no schema: nothing");

	_cleanup_json_ json_t *all = json(
		"{\"f\":{\"type\":\"string\",\"title\":\"T\",\"description\":\"D\",\"default\":\"d\","
		"\"examples\":[\"e\"],\"enum\":[\"d\"],\"minLength\":0,\"maxLength\":9,\"format\":\"uri\","
		"\"contentEncoding\":\"base64\",\"errorMessage\":{\"type\":\"t\"}},"
		"\"n\":{\"type\":\"number\",\"minimum\":0.5,\"maximum\":1}}");

	is_number(schema_check(all, &err), 0, "every keyword together");
}

int main(void)
{
	test_types();
	test_strings();
	test_many_options();
	test_formats();
	test_numbers();
	test_defaults();
	test_all_issues();
	test_check();
	return done();
}
