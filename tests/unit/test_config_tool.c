/*
 * Tools and their languages: the real files of the source tree become the jobs they should, broken
 * ones are refused by file and field, and nothing that a client sends becomes more than one
 * argument.
 */
#include "job/tool_job.h"

#include "tap.h"
#include "util.h"
#include "json/schema.h"

static struct config config;
static struct error err;

/* A job made by a tool from an input that must be good. Its slices live as long as this does. */
struct made {
	struct tool tool;
	struct tool_job job_made;
	json_t *values;
	struct job job;
	struct job_input inputs[JOB_INPUT_MAX_COUNT];
	int result;
};

static struct made *make(const char *name, const char *input)
{
	static struct made made;
	_cleanup_json_ json_t *given = NULL, *issues = json_array();

	memset(&made, 0, sizeof(made));
	made.values = json_object();
	must(json_parse(slice_of(input), &given, &err) == 0 &&
	     tool_load(&config, name, &made.tool, &err) == 0);
	must(tool_validate(&config, &made.tool, given, issues, made.values, &err) == 0 &&
	     json_array_size(issues) == 0);
	made.result = tool_job(&config, &made.tool, made.values, &made.job_made, &made.job,
			       made.inputs, &err);
	return &made;
}

static void unmake(struct made *made)
{
	json_decref(made->values);
	tool_job_free(&made->job_made);
	tool_free(&made->tool);
}

/* The arguments, each in brackets. */
static const char *arguments(const struct made *made)
{
	static struct buf text = {.max = 64 * KIB};

	text.len = 0;
	for (unsigned i = 0; i < made->job.argc; i++)
		must(buf_printf(&text, "[%.*s]", (int)made->job.argv[i].len,
				made->job.argv[i].data) == 0);
	return buf_slice(&text).data;
}

static void runs(const char *input, const char *argv, const char *path, const char *content)
{
	struct made *made = make("code_execution", input);

	is_number(made->result, 0, "a job of %s", input);
	is_text(arguments(made), argv, "its arguments");
	ok(made->job.input_count == 1 && slice_eq(made->inputs[0].path, path) &&
		   slice_eq(made->inputs[0].data, content) && made->job.inputs == made->inputs,
	   "its one file is %s", path);
	unmake(made);
}

static void test_code_execution(void)
{
	runs("{\"code\":\"echo\"}", "[bash][script.js]", "script.js", "echo");
	runs("{\"code\":\"1\",\"language\":\"python\",\"filename\":\"a.py\"}", "[python3][a.py]",
	     "a.py", "1");
	runs("{\"code\":\"1\",\"language\":\"node\"}", "[node][./script.js]", "script.js", "1");
	runs("{\"code\":\"1\",\"language\":\"bun\"}", "[bun][./script.ts]", "script.ts", "1");
	runs("{\"code\":\"1\",\"filename\":\"-e\"}", "[bash][./-e]", "-e", "1");
	runs("{\"code\":\"1\",\"filename\":\"--version\"}", "[bash][./--version]", "--version",
	     "1");
	runs("{\"code\":\"1\",\"filename\":\"a b;$(x) '\\\"`\"}", "[bash][a b;$(x) '\"`]",
	     "a b;$(x) '\"`", "1");
	runs("{\"code\":\"1\",\"filename\":\"{code}\"}", "[bash][{code}]", "{code}", "1");
	runs("{\"code\":\"{filename}\"}", "[bash][script.js]", "script.js", "{filename}");
}

static void test_longest_dash(void)
{
	char name[JOB_NAME_MAX_BYTES + 1], input[2 * JOB_NAME_MAX_BYTES],
		want[2 * JOB_NAME_MAX_BYTES];

	memset(name, '-', JOB_NAME_MAX_BYTES);
	name[JOB_NAME_MAX_BYTES] = '\0';
	(void)snprintf(input, sizeof(input), "{\"code\":\"1\",\"filename\":\"%s\"}", name);
	(void)snprintf(want, sizeof(want), "[bash][./%s]", name);
	runs(input, want, name, "1");
}

static void test_enum(void)
{
	struct tool tool;
	_cleanup_buf_ struct buf text = buf_new(4 * KIB);

	must(tool_load(&config, "code_execution", &tool, &err) == 0);

	_cleanup_json_ json_t *shown = tool_describe(&config, &tool);
	const json_t *parameters = json_object_get(shown, "parameters"),
		     *code = json_object_get(parameters, "code");

	must(json_write(json_object_get(json_object_get(parameters, "language"), "enum"), &text) ==
	     0);
	is_text(text.data, "[\"bash\",\"bun\",\"node\",\"php\",\"python\",\"ruby\"]",
		"the languages are those that tools have");
	is_text(tool.template, "tool", "the template");
	is_text(tool.timeout_text, "Execution timed out after", "the time-out's text");

	ok(json_object_size(shown) == 2 && json_is_string(json_object_get(shown, "description")),
	   "what is shown: a description");

	ok(json_object_size(parameters) == 3 && json_object_get(code, "minLength") &&
		   !json_object_get(code, "errorMessage"),
	   "and the parameters, without our own keyword");
	ok(json_object_get(json_object_get(tool.parameters, "code"), "errorMessage"),
	   "which the tool itself keeps");
	tool_free(&tool);
	tool_free(&tool);
}

/* The registry that the rest of the tests write themselves. */
static void put_entry(const char *kind, const char *name, const char *text)
{
	make_folder(in_scratch("registry/%s", kind));
	write_file(in_scratch("registry/%s/%s.json", kind, name), slice_of(text));
}

static void test_unknown(void)
{
	static const char *const names[] = {
		"missing",        "",   "../tools.d/code_execution", "code execution",
		"CODE_EXECUTION", "x\n"};
	struct tool tool;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		is_number(tool_load(&config, names[i], &tool, &err), -1, "no tool: %.*s",
			  (int)strcspn(names[i], "\n"), names[i]);
		ok(err.status == 404 && strcmp(err.code, "unknown_tool") == 0, "404 and its word");
	}
}

#define GOOD                                                                                       \
	"\"description\":\"d\",\"parameters\":{\"p\":{\"type\":\"string\"},\"n\":{\"type\":\"integer\"}},"

static void test_broken_tools(void)
{
	static const struct {
		const char *text, *named;
	} rows[] = {
		{"{", "line 1"},
		{"[]", "must hold one object"},
		{"{\"description\":\"d\"}", "parameters"},
		{"{" GOOD "\"argv\":[],\"extra\":1}", "extra"},
		{"{" GOOD "\"argv\":\"x\"}", "argv"},
		{"{\"parameters\":{},\"argv\":[]}", "description"},
		{"{\"description\":5,\"parameters\":{},\"argv\":[]}", "description"},
		{"{\"description\":\"d\",\"parameters\":{\"p\":{\"type\":\"text\"}},\"argv\":[]}",
		 "parameters.p.type"},
		{"{\"description\":\"d\",\"parameters\":{\"p\":{\"type\":\"string\",\"maxlength\":1}},\"argv\":[]}",
		 "parameters.p.maxlength"},
		{"{" GOOD "\"argv\":[\"ok\",\"{missing}\"]}", "argv[1]"},
		{"{" GOOD "\"argv\":[\"{n}\"]}", "argv[0]"},
		{"{" GOOD "\"argv\":[\"{}\"]}", "argv[0]"},
		{"{" GOOD "\"argv\":[1]}", "argv[0]"},
		{"{" GOOD
		 "\"argv\":[\"{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}\"]}",
		 "argv[0]"},
		{"{" GOOD "\"argv\":[],\"runtime\":\"{missing}\"}", "runtime"},
		{"{" GOOD "\"argv\":[],\"runtime\":5}", "runtime"},
		{"{" GOOD "\"argv\":[\"x\"],\"files\":{}}", "files"},
		{"{" GOOD "\"argv\":[\"x\"],\"files\":[{\"path\":\"x\"}]}", "files[0]"},
		{"{" GOOD "\"argv\":[\"x\"],\"files\":[{\"path\":\"x\",\"content\":\"{n}\"}]}",
		 "files[0]"},
		{"{" GOOD "\"argv\":[\"x\"],\"files\":[\"x\"]}", "files[0]"},
		{"{" GOOD "\"argv\":[\"x\"],\"template\":5}", "template"},
		{"{" GOOD "\"argv\":[\"x\"],\"timeoutText\":[]}", "timeoutText"},
	};
	struct tool tool;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put_entry("tools.d", "broken", rows[i].text);
		if (!ok(tool_load(&config, "broken", &tool, &err) == -1, "refused: %.100s",
			rows[i].text)) {
			tool_free(&tool);
			continue;
		}
		ok(err.status == 500 && strcmp(err.code, "bad_tool") == 0, "by its word");
		ok(strstr(err.message, "tools.d/broken.json") && strstr(err.message, rows[i].named),
		   "naming file and %s: %s", rows[i].named, err.message);
	}
}

static void test_own_tools(void)
{
	put_entry("languages.d", "run",
		  "{\"description\":\"d\",\"tools\":{\"argv\":[\"run\",\"--flag\"]}}");
	put_entry(
		"tools.d", "two",
		"{\"description\":\"d\",\"parameters\":{\"a\":{\"type\":\"string\",\"format\":\"filename\"},"
		"\"b\":{\"type\":\"string\",\"format\":\"filename\"},\"c\":{\"type\":\"string\"}},\"runtime\":\"run\","
		"\"argv\":[\"-x\",\"{a}\",\"{b}\",\"{c}\",\"{\",\"x{a}\",\"\"],"
		"\"files\":[{\"path\":\"{a}\",\"content\":\"{c}\"},{\"path\":\"fixed\",\"content\":\"\"}]}");

	struct made *made =
		make("two", "{\"a\":\"-first\",\"b\":\"-second-one\",\"c\":\"-option\"}");

	is_number(made->result, 0, "a tool with a runtime of its own");
	is_text(arguments(made), "[run][--flag][-x][./-first][./-second-one][-option][{][x{a}][]",
		"file names are guarded each, options of the file's and other texts are not");
	ok(made->job.input_count == 2 && slice_eq(made->inputs[0].path, "-first") &&
		   slice_eq(made->inputs[0].data, "-option") &&
		   slice_eq(made->inputs[1].path, "fixed") && made->inputs[1].data.len == 0,
	   "its files have their own names");
	is_text(made->tool.template, "tool", "a template that is left out is that of tools");
	unmake(made);
	put_entry("languages.d", "commands",
		  "{\"description\":\"d\",\"tools\":{\"argv\":[\"run\"],\"by_path\":true}}");
	put_entry(
		"tools.d", "named",
		"{\"description\":\"d\",\"parameters\":{\"a\":{\"type\":\"string\",\"format\":\"filename\"},"
		"\"b\":{\"type\":\"string\"}},\"runtime\":\"commands\",\"argv\":[\"{a}\",\"{b}\"]}");
	made = make("named", "{\"a\":\"install\",\"b\":\"install\"}");
	is_text(arguments(made), "[run][./install][install]",
		"a file name is no command of a runtime that has some");
	unmake(made);
	put_entry(
		"tools.d", "plain",
		"{\"description\":\"d\",\"parameters\":{},\"argv\":[\"true\"],\"template\":\"t\",\"timeoutText\":\"T\"}");
	made = make("plain", "{}");
	is_text(arguments(made), "[true]", "a tool without a runtime and without files");
	ok(made->job.input_count == 0 && strcmp(made->tool.template, "t") == 0 &&
		   strcmp(made->tool.timeout_text, "T") == 0,
	   "with its template and text");
	unmake(made);
}

static void test_missing_runtimes(void)
{
	put_entry("tools.d", "none",
		  "{\"description\":\"d\",\"parameters\":{},\"runtime\":\"missing\",\"argv\":[]}");

	struct made *made = make("none", "{}");

	ok(made->result == -1 && strstr(err.message, "missing"),
	   "a runtime that is not there is named: %s", err.message);
	unmake(made);
	put_entry("languages.d", "missing", "{\"description\":\"d\",\"check\":[\"x\"]}");
	made = make("none", "{}");
	ok(made->result == -1 && strstr(err.message, "missing"),
	   "so is one that tools do not have: %s", err.message);
	unmake(made);
}

/* In a runtime's argv nothing stands for anything: not a parameter, and not one too long for a
 * name. */
static void test_literal_runtimes(void)
{
	static struct buf text = {.max = 4 * KIB};
	char name[300];

	memset(name, 'x', sizeof(name));
	name[0] = '{';
	name[sizeof(name) - 2] = '}';
	name[sizeof(name) - 1] = '\0';
	must(buf_printf(
		     &text,
		     "{\"description\":\"d\",\"tools\":{\"argv\":[\"%s\",\"{\",\"{}\",\"-{none}\",\"{none}\"]}}",
		     name) == 0);
	put_entry("languages.d", "literal", text.data);
	put_entry("tools.d", "odd",
		  "{\"description\":\"d\",\"parameters\":{},\"runtime\":\"literal\",\"argv\":[]}");

	struct made *made = make("odd", "{}");
	char want[512];

	(void)snprintf(want, sizeof(want), "[%s][{][{}][-{none}][{none}]", name);
	is_number(made->result, 0, "braces in a runtime");
	is_text(arguments(made), want, "are braces");
	unmake(made);
	buf_free(&text);
}

static void refuses_many(const char *field)
{
	struct tool tool;

	is_number(tool_load(&config, "many", &tool, &err), -1, "one more is refused");
	ok(strstr(err.message, field) != NULL, "naming the field: %s", err.message);
}

static void test_too_many(void)
{
	static struct buf text = {.max = 64 * KIB};

	for (unsigned count = JOB_ARGV_MAX_COUNT; count <= JOB_ARGV_MAX_COUNT + 1; count++) {
		text.len = 0;
		must(buf_append_text(&text,
				     "{\"description\":\"d\",\"parameters\":{},\"argv\":[\"x\"") ==
		     0);
		for (unsigned i = 1; i < count; i++)
			must(buf_append_text(&text, ",\"x\"") == 0);
		must(buf_append_text(&text, "]}") == 0);
		put_entry("tools.d", "many", text.data);

		if (count > JOB_ARGV_MAX_COUNT) {
			refuses_many("argv");
			continue;
		}

		struct made *made = make("many", "{}");

		is_number(made->result, 0, "%u arguments", count);
		ok(made->job.argc == JOB_ARGV_MAX_COUNT, "fill the job");
		unmake(made);
	}
	for (unsigned count = JOB_INPUT_MAX_COUNT; count <= JOB_INPUT_MAX_COUNT + 1; count++) {
		text.len = 0;
		must(buf_append_text(
			     &text,
			     "{\"description\":\"d\",\"parameters\":{},\"argv\":[\"x\"],\"files\":[") ==
		     0);
		for (unsigned i = 0; i < count; i++)
			must(buf_printf(&text, "%s{\"path\":\"%u\",\"content\":\"\"}", i ? "," : "",
					i) == 0);
		must(buf_append_text(&text, "]}") == 0);
		put_entry("tools.d", "many", text.data);

		if (count > JOB_INPUT_MAX_COUNT) {
			refuses_many("files");
			continue;
		}

		struct made *made = make("many", "{}");

		is_number(made->result, 0, "%u files", count);
		ok(made->job.input_count == JOB_INPUT_MAX_COUNT, "fill the job");
		unmake(made);
	}
	buf_free(&text);
}

int main(void)
{
	config = test_config();
	test_code_execution();
	test_longest_dash();
	test_enum();
	test_unknown();
	(void)snprintf(config.registry[0], PATH_MAX, "%s", in_scratch("registry"));
	test_broken_tools();
	test_own_tools();
	test_missing_runtimes();
	test_literal_runtimes();
	test_too_many();
	return done();
}
