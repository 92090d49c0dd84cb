/*
 * From JSON to a job: json_parse, schema_validate with the parameters of the real
 * worker/tools.d/code_execution.json, tool_job.
 *
 * Invariants: the body either is refused by 400 and a word, or is JSON that comes back when it is
 * written and read again (real numbers are written with 15 digits only, and so may differ); every
 * field is either an issue or a value; a job has the runtime's argv and the file's name as one
 * argument that is no option, and one input whose name is one path component; all of it is clean
 * UTF-8 without NUL.
 */
#include "fuzz.h"

#include "base/fs.h"
#include "base/utf8.h"
#include "job/tool_job.h"
#include "json/schema.h"

#include <string.h>

#define WRITTEN_MAX_BYTES (64 * MIB)

static struct config config;
static struct tool tool;

/* Once: the tool as it is installed from the source tree. */
static void load(void)
{
	const char *tests = getenv("MAYFLY_TESTS");
	struct error err;

	if (tool.definition)
		return;
	(void)snprintf(config.registry[0], PATH_MAX, "%s/../worker", tests ? tests : "tests");
	if (tool_load(&config, "code_execution", &tool, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.message);
		abort();
	}
}

static void check_text(struct slice text)
{
	must(text.data && utf8_is_valid(text) && memchr(text.data, '\0', text.len) == NULL);
}

static bool has_real(const json_t *value)
{
	const char *key;
	json_t *item;
	size_t i;

	json_object_foreach ((json_t *)value, key, item)
		if (has_real(item))
			return true;
	json_array_foreach ((json_t *)value, i, item)
		if (has_real(item))
			return true;
	return json_is_real(value);
}

static void check_round_trip(const json_t *input)
{
	_cleanup_buf_ struct buf text = buf_new(WRITTEN_MAX_BYTES);
	_cleanup_json_ json_t *again = NULL;
	struct error err;

	must(json_write(input, &text) == 0 && utf8_is_valid(buf_slice(&text)));
	if (has_real(input))
		return;
	must(json_parse(buf_slice(&text), &again, &err) == 0 && json_equal((json_t *)input, again));
}

static void check_issues(const json_t *issues, const json_t *values)
{
	static const char *const codes[] = {"invalid_type", "too_small", "too_big",
					    "invalid_value"};
	const json_t *issue;
	size_t i;

	must(json_array_size(issues) + json_object_size(values) ==
	     json_object_size(tool.parameters));
	json_array_foreach ((json_t *)issues, i, issue) {
		const char *code = json_string_value(json_object_get(issue, "code"));
		const json_t *path = json_object_get(issue, "path");
		bool is_known = false;

		must(code && json_string_length(json_object_get(issue, "message")) > 0 &&
		     json_array_size(path) == 1);
		for (size_t row = 0; row < sizeof(codes) / sizeof(codes[0]); row++)
			is_known |= strcmp(code, codes[row]) == 0;
		must(is_known);
		must(!json_object_get(values, json_string_value(json_array_get(path, 0))));
	}
}

static bool is_value(const json_t *values, const char *field, struct slice text)
{
	const json_t *value = json_object_get(values, field);

	return json_string_length(value) == text.len &&
	       memcmp(json_string_value(value), text.data, text.len) == 0;
}

static void check_job(const json_t *values)
{
	static struct job_input inputs[JOB_INPUT_MAX_COUNT];
	_cleanup_tool_job_ struct tool_job made = {0};
	struct job job = {0};
	struct error err;

	must(tool_job(&config, &tool, values, &made, &job, inputs, &err) == 0);
	must(job.argc == json_array_size(made.language.tools.argv) + 1 && job.argc >= 2);
	for (unsigned i = 0; i < job.argc; i++)
		check_text(job.argv[i]);

	struct slice name = job.argv[job.argc - 1];

	must(name.len > 0 && name.data[0] != '-');
	if (!is_value(values, "filename", name)) {
		must(slice_starts(name, "./"));
		must(is_value(values, "filename", (struct slice){name.data + 2, name.len - 2}));
	}
	must(job.input_count == 1 && job.inputs == inputs);
	must(fs_is_component(inputs[0].path) && !slice_eq(inputs[0].path, "stdout") &&
	     !slice_eq(inputs[0].path, "stderr"));
	must(is_value(values, "filename", inputs[0].path) &&
	     is_value(values, "code", inputs[0].data) && inputs[0].data.len > 0);
	check_text(inputs[0].data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ json_t *input = NULL, *issues = json_array(), *values = json_object();
	struct error err = {.code = ""};

	load();
	if (json_parse((struct slice){(const char *)data, size}, &input, &err) < 0) {
		must(!input && err.status == 400 && *err.message);
		must(strcmp(err.code, "bad_json") == 0 || strcmp(err.code, "json_too_deep") == 0);
		return 0;
	}
	check_round_trip(input);
	must(tool_validate(&config, &tool, input, issues, values, &err) == 0);
	check_issues(issues, values);
	if (json_array_size(issues) == 0)
		check_job(values);
	return 0;
}
