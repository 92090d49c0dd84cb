#include "job/invocation.h"

#include "job/defaults.h"
#include "json/read.h"
#include "json/schema.h"

/* As they stand in a request. */
struct fields {
	struct slice standard_input;
	const json_t *args, *env;
};

#define FIELD(place, name, kind) READ_FIELD(struct fields, place, name, kind)

static const struct json_field fields[] = {
	{FIELD(standard_input, "stdin", READ_SLICE)},
	{FIELD(args, "args", READ_TEXTS), READ_BOUNDS(0, INVOCATION_ARGS_MAX_COUNT),
	 .too_large = {"too_many_args", "has more than 120 entries"}},
	{FIELD(env, "env", READ_MAP)},
};
_Static_assert(INVOCATION_ARGS_MAX_COUNT == 120, "as the complaint says");

/* Rule 1. */
static bool is_ours(const char *name, const char *const *ours)
{
	size_t len = strlen(name);

	for (; *ours; ours++)
		if (strncmp(*ours, name, len) == 0 && (*ours)[len] == '=')
			return true;
	/* by PATH the language itself is found */
	return strncmp(name, "LD_", 3) == 0 || strcmp(name, "PATH") == 0;
}

static int take_variables(const json_t *env, const char *const *ours, json_t *out,
			  struct error *err)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)env, name, value) {
		if (!*name || strchr(name, '='))
			return error_set(err, 400, "bad_env",
					 "env: a name must not be empty and must hold no '='");
		if (is_ours(name, ours))
			continue;
		if (json_array_size(out) == INVOCATION_ENV_MAX_COUNT)
			return error_set(err, 400, "bad_env", "env has more than %d variables",
					 INVOCATION_ENV_MAX_COUNT);
		(void)json_array_append_new(out,
					    json_sprintf("%s=%s", name, json_string_value(value)));
	}
	return 0;
}

static int take_field(const json_t *body, const struct json_field *field, const char *const *ours,
		      struct invocation *out, struct error *err)
{
	struct fields given = {.standard_input = out->standard_input, .args = out->args};

	if (json_take(body, "", field, 1, JSON_NULL_IS_ABSENT, &given, err) < 0)
		return -1;
	out->standard_input = given.standard_input;
	out->args = given.args;
	return take_variables(given.env, ours, out->variables, err);
}

int invocation_take(const json_t *body, const char *const *ours, json_t *issues,
		    struct invocation *out, struct error *err)
{
	*out = (struct invocation){SLICE_LITERAL(""), .variables = json_array()};
	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		if (take_field(body, &fields[i], ours, out, err) == 0)
			continue;
		if (!issues)
			return -1;
		schema_add_issue(issues,
				 strcmp(err->code, "wrong_type") == 0 ? "invalid_type"
								      : "invalid_value",
				 fields[i].name, "%s", err->message);
	}
	return 0;
}

void invocation_free(struct invocation *invocation)
{
	json_decref(invocation->variables);
	invocation->variables = NULL;
}

int invocation_apply(const struct invocation *invocation, struct job *job, struct error *err)
{
	size_t i, count = json_array_size(invocation->args);
	const json_t *text;

	if (count == 0 && job->argc && slice_eq(job->argv[job->argc - 1], "--"))
		job->argc--;
	if (job->argc + count > JOB_ARGV_MAX_COUNT)
		return error_set(err, 400, "too_many_args", "args has more than %u entries",
				 JOB_ARGV_MAX_COUNT - job->argc);
	job_add_arguments(job, invocation->args);
	json_array_foreach (invocation->variables, i, text)
		job_set_variable(job, json_string_value(text));
	if (invocation->standard_input.len)
		job->standard_input = invocation->standard_input;
	return 0;
}
