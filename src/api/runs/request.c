#include "api/runs/request.h"

#include <inttypes.h>
#include <stdio.h>

#define ROW(name, fallback, most, least)                                                           \
	{                                                                                          \
#name, fallback, most, least, offsetof(struct run_limits, name)                    \
	}

const struct run_limit run_limit_table[RUN_LIMIT_COUNT] = {
	ROW(timeout_ms, 5000, 10000, 1),
	ROW(memory_mb, 256, 512, 16),
	ROW(cpu_ms, 5000, 20000, 1),
	ROW(max_output_bytes, 1048576, 2097152, 1),
	ROW(max_artifact_bytes, 5242880, 20971520, 0),
	ROW(max_artifact_files, 10, 10, 0),
};

const char *const run_environment[] = {
	"HOME=/work", "TMPDIR=/work/tmp",
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};

uint64_t run_limit_of(const struct run_limits *limits, const struct run_limit *row)
{
	uint64_t value;

	memcpy(&value, (const char *)limits + row->offset, sizeof(value));
	return value;
}

void run_request_free(struct run_request *request)
{
	json_decref(request->body);
	json_decref(request->env);
	staging_free(&request->staging);
}

/* A field that may be left out; null is as good as left out. */
static const json_t *optional(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_null(value) ? NULL : value;
}

static struct slice text_of(const json_t *text)
{
	return (struct slice){json_string_value(text), json_string_length(text)};
}

static int wrong_type(struct error *err, const char *field, const char *wanted)
{
	return error_set(err, 400, "wrong_type", "%s must be %s", field, wanted);
}

/* A text field; missing ones are empty. */
static int take_text(const json_t *object, const char *name, struct slice *out, struct error *err)
{
	const json_t *value = optional(object, name);

	if (value && !json_is_string(value))
		return wrong_type(err, name, "a string");
	*out = value ? text_of(value) : SLICE_LITERAL("");
	return 0;
}

int run_request_begin(struct slice body, struct run_request *out, struct error *err)
{
	*out = (struct run_request){0};
	if (json_parse(body, &out->body, err) < 0)
		return -1;
	if (!json_is_object(out->body))
		return wrong_type(err, "the request body", "a JSON object");
	if (take_text(out->body, "language", &out->language, err) < 0)
		return -1;
	if (out->language.len == 0)
		return error_set(err, 400, "language_required", "language is required");
	return 0;
}

static int take_code(struct run_request *request, struct error *err)
{
	if (take_text(request->body, "code", &request->code, err) < 0)
		return -1;
	if (request->code.len == 0)
		return error_set(err, 400, "code_required", "code is required");
	if (request->code.len > RUN_CODE_MAX_BYTES)
		return error_set(err, 400, "code_too_large", "code exceeds 200 KiB");
	return take_text(request->body, "stdin", &request->standard_input, err);
}

static int take_args(struct run_request *request, struct error *err)
{
	const json_t *args = optional(request->body, "args"), *argument;
	size_t i;

	if (args && !json_is_array(args))
		return wrong_type(err, "args", "an array of strings");
	json_array_foreach ((json_t *)args, i, argument)
		if (!json_is_string(argument))
			return wrong_type(err, "args", "an array of strings");
	if (json_array_size(args) > RUN_ARGS_MAX_COUNT)
		return error_set(err, 400, "too_many_args", "args has more than %d entries",
				 RUN_ARGS_MAX_COUNT);
	request->args = args;
	return 0;
}

/* LD_* is dropped: what steers the loader would steer whatever starts the program; and what we set,
   which of two would be an accident. */
static bool is_ours(const char *name)
{
	size_t len = strlen(name);

	for (const char *const *ours = run_environment; *ours; ours++)
		if (strncmp(*ours, name, len) == 0 && (*ours)[len] == '=')
			return true;
	return strncmp(name, "LD_", 3) == 0;
}

static int take_env(struct run_request *request, struct error *err)
{
	const json_t *env = optional(request->body, "env");
	const char *name;
	json_t *value;

	request->env = json_array();
	if (env && !json_is_object(env))
		return wrong_type(err, "env", "an object of strings");
	json_object_foreach ((json_t *)env, name, value) {
		if (!json_is_string(value))
			return wrong_type(err, "env", "an object of strings");
		if (!*name || strchr(name, '='))
			return error_set(err, 400, "bad_env",
					 "env: a name must not be empty and must hold no '='");
		if (is_ours(name))
			continue;
		if (json_array_size(request->env) == RUN_ENV_MAX_COUNT)
			return error_set(err, 400, "bad_env", "env has more than %d variables",
					 RUN_ENV_MAX_COUNT);
		(void)json_array_append_new(request->env,
					    json_sprintf("%s=%s", name, json_string_value(value)));
	}
	return 0;
}

static int take_limit(struct run_request *request, const json_t *limits,
		      const struct run_limit *row, struct error *err)
{
	const json_t *given = optional(limits, row->name);
	uint64_t value = row->fallback;

	if (given && !json_is_integer(given))
		return wrong_type(err, row->name, "an integer");
	if (given && json_integer_value(given) < (json_int_t)row->least)
		return error_set(err, 400, "limit_too_small", "%s is below minimum", row->name);
	if (given)
		value = (uint64_t)json_integer_value(given);
	if (value > row->most)
		return error_set(err, 400, "limit_too_large", "%s exceeds maximum", row->name);
	memcpy((char *)&request->limits + row->offset, &value, sizeof(value));
	return 0;
}

static int take_limits(struct run_request *request, struct error *err)
{
	const json_t *limits = optional(request->body, "limits");

	if (limits && !json_is_object(limits))
		return wrong_type(err, "limits", "an object of integers");
	for (size_t i = 0; i < RUN_LIMIT_COUNT; i++)
		if (take_limit(request, limits, &run_limit_table[i], err) < 0)
			return -1;
	return 0;
}

static int take_cache(struct run_request *request, struct error *err)
{
	const json_t *cache = optional(request->body, "cache");

	if (cache && !json_is_boolean(cache))
		return wrong_type(err, "cache", "true or false");
	request->wants_cached = json_is_true(cache);
	return 0;
}

int run_request_take(struct run_request *request, struct error *err)
{
	if (take_code(request, err) < 0 || take_args(request, err) < 0 ||
	    take_env(request, err) < 0 || take_limits(request, err) < 0 ||
	    take_cache(request, err) < 0)
		return -1;
	return staging_list(&request->staging, json_object_get(request->body, "files"), RUN_INPUTS,
			    err);
}
