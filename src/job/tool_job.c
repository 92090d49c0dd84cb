/* From a tool and validated values to a job. */
#include "config/tool_parts.h"

#include "base/base64.h"
#include "base/fs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What a text of the tool's file stands for. */
static struct slice resolve(const json_t *text, const json_t *values)
{
	char field[REGISTRY_NAME_MAX_BYTES + 1];
	const json_t *value = tool_parameter(text, field) ? json_object_get(values, field) : text;

	return (struct slice){json_string_value(value), json_string_length(value)};
}

/* Decodes base64 into memory of the tool's. */
static int decode(struct tool *tool, struct slice text, struct slice *out, struct error *err)
{
	struct buf *bytes = &tool->decoded[tool->decoded_count];

	if (tool->decoded_count == TOOL_DECODED_MAX_COUNT)
		return error_set(err, 500, "bad_tool", "tools.d/%s.json: at most %d files of bytes",
				 tool->name, TOOL_DECODED_MAX_COUNT);
	*bytes = buf_new(HTTP_BODY_FILES_MAX_BYTES);
	tool->decoded_count++;
	if (base64_decode(bytes, text) < 0)
		return error_set_errno(err, 400, "bad_base64", "Cannot be decoded");
	*out = buf_slice(bytes);
	return 0;
}

/* The bytes that a text of the tool's file stands for (rule 1). */
static int resolve_bytes(const struct config *config, struct tool *tool, const json_t *text,
			 const json_t *values, struct slice *out, struct error *err)
{
	char field[REGISTRY_NAME_MAX_BYTES + 1];
	bool is_parameter = tool_parameter(text, field);
	const json_t *schema = is_parameter ? json_object_get(tool->parameters, field) : NULL;
	bool is_encoded = json_object_get(schema, "contentEncoding") != NULL;
	bool is_upload = strcmp(tool_text_or(schema, "format", ""), "upload") == 0;
	struct file_meta meta;

	*out = resolve(text, values);
	if (!is_encoded && !is_upload)
		return 0;
	memcpy(tool->bad_field, field, sizeof(field));
	if (!files_is_id(*out))
		return decode(tool, *out, out, err);
	if (!tool->staging)
		return error_set(err, 400, "no_uploads", "Uploads cannot be named here");
	return staging_upload(tool->staging, config, tool->owner, *out, out, &meta, err);
}

/* A file name must not become an option of the runtime, nor one of its commands. Writes what stands for it. 0, or -1 when memory is out. */
static int guard_dash(struct tool *tool, const json_t *text, struct slice value, struct slice *out)
{
	char field[REGISTRY_NAME_MAX_BYTES + 1];

	*out = value;
	if (value.len == 0 || !tool_parameter(text, field) ||
	    (value.data[0] != '-' && !json_is_true(json_object_get(tool->runtime, "byPath"))))
		return 0;
	if (strcmp(tool_text_or(json_object_get(tool->parameters, field), "format", ""),
		   "filename") != 0)
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

int tool_runtime_boot_env(const json_t *runtime, const char *out[TOOL_BOOT_ENV_MAX_COUNT + 1],
			  struct error *err)
{
	const json_t *kernel = json_object_get(runtime, "boot_env"), *text;
	size_t i;

	memset(out, 0, (TOOL_BOOT_ENV_MAX_COUNT + 1) * sizeof(out[0]));
	json_array_foreach ((json_t *)kernel, i, text) {
		if (i == TOOL_BOOT_ENV_MAX_COUNT || !json_is_string(text) ||
		    !strchr(json_string_value(text), '='))
			return error_set(
				err, 500, "bad_tool",
				"runtimes.d: \"kernel\" must be at most %d texts NAME=value",
				TOOL_BOOT_ENV_MAX_COUNT);
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
	return tool_runtime_boot_env(tool->runtime, tool->boot_env, err);
}

/* A path that came from a client must be one; the file's own are checked when it is read. */
static int add_file(const struct config *config, struct tool *tool, const json_t *file,
		    const json_t *values, struct job *job, struct job_input *inputs,
		    struct error *err)
{
	struct job_input *input = &inputs[job->input_count];

	if (job->input_count == JOB_INPUT_MAX_COUNT)
		return error_set(err, 500, "bad_tool", "tools.d/%s.json: at most %d files",
				 tool->name, JOB_INPUT_MAX_COUNT);
	*input = (struct job_input){
		.path = resolve(json_object_get(file, "path"), values),
	};
	tool->hidden[job->input_count] = json_is_false(json_object_get(file, "artifact"));
	for (unsigned i = 0; i < job->input_count; i++)
		if (inputs[i].path.len == input->path.len &&
		    memcmp(inputs[i].path.data, input->path.data, input->path.len) == 0)
			return error_set(err, 400, "bad_file_path", "invalid file path: %.*s",
					 (int)input->path.len, input->path.data);
	if (!fs_is_relative_path(input->path, JOB_ARTIFACT_DEPTH_MAX))
		return error_set(err, 400, "bad_file_path", "invalid file path: %.*s",
				 (int)input->path.len, input->path.data);
	job->input_count++;
	return resolve_bytes(config, tool, json_object_get(file, "content"), values, &input->data,
			     err);
}

static int add_files(const struct config *config, struct tool *tool, const json_t *values,
		     struct job *job, struct job_input *inputs, struct error *err)
{
	const json_t *file, *input = json_object_get(tool->definition, "stdin");
	size_t i;

	job->inputs = inputs;
	job->hidden = tool->hidden;
	json_array_foreach (json_object_get(tool->definition, "files"), i, file) {
		if (add_file(config, tool, file, values, job, inputs, err) < 0)
			return -1;
	}
	return input ? resolve_bytes(config, tool, input, values, &job->standard_input, err) : 0;
}

/* Limits of the tool's, where they are below what there is already. */
static void take_limits(const struct tool *tool, struct job *job)
{
	const json_t *limits = json_object_get(tool->definition, "limits");

	for (size_t i = 0; i < TOOL_NUMBER_COUNT; i++) {
		const json_t *value = json_object_get(limits, tool_numbers[i].name);
		uint64_t limit = (uint64_t)json_integer_value(value), *place;

		if (!value || tool_numbers[i].offset == TOOL_NO_OFFSET)
			continue;
		place = (uint64_t *)(void *)((char *)job + tool_numbers[i].offset);
		if ((*place == 0 && tool_numbers[i].zero_is_none) || limit < *place)
			*place = limit;
	}
}

int tool_job(const struct config *config, struct tool *tool, const json_t *values, struct job *job,
	     struct job_input *inputs, struct error *err)
{
	const json_t *runtime = json_object_get(tool->definition, "runtime");

	tool->bad_field[0] = '\0';
	if (runtime && add_runtime(config, tool, job, resolve(runtime, values), err) < 0)
		return -1;
	job->language = runtime ? resolve(runtime, values) : slice_of(tool->name);
	if (add_arguments(tool, job, values, err) < 0 ||
	    add_files(config, tool, values, job, inputs, err) < 0)
		return -1;
	take_limits(tool, job);
	job->artifacts = tool->patterns[0] ? tool->patterns : NULL;
	job->template = *tool->place ? tool->place : tool->template;
	job->boot_env = tool->boot_env[0] ? tool->boot_env : NULL;
	return 0;
}

void tool_ending(const struct tool *tool, const struct job *job, const struct job_result *result,
		 char text[TOOL_ENDING_BYTES])
{
	text[0] = '\0';
	if (result->reason == JOB_TIMEOUT)
		(void)snprintf(text, TOOL_ENDING_BYTES,
			       "\n%.100s %.2fs (timeout was set to %" PRIu64 "s)\n",
			       tool->timeout_text, (double)result->wall_us / 1e6,
			       job->wall_ms / 1000);
	else if (result->reason == JOB_NOT_STARTED)
		(void)snprintf(text, TOOL_ENDING_BYTES, "%s\n", result->message);
}
