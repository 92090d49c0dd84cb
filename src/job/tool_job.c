#include "job/tool_job.h"

#include "base/base64.h"
#include "base/fs.h"
#include "job/defaults.h"

#include <stdio.h>
#include <string.h>

/* A job being made. */
struct making {
	const struct config *config;
	const struct tool *tool;
	const json_t *values;
	struct tool_job *made;
	struct job *job;
	struct job_input *inputs;
	struct error *err;
};

__attribute__((format(printf, 2, 3))) static int bad_tool(const struct making *making,
							  const char *format, ...)
{
	char what[128];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	return error_set(making->err, 500, "bad_tool", "tools.d/%s.json: %s", making->tool->name,
			 what);
}

/* What a text of the tool's file stands for. */
static struct slice resolve(const struct making *making, const json_t *text)
{
	char field[REGISTRY_NAME_MAX_BYTES + 1];
	const json_t *value =
		tool_parameter(text, field) ? json_object_get(making->values, field) : text;

	return json_slice(value);
}

static int decode(const struct making *making, struct slice text, struct slice *out)
{
	struct tool_job *made = making->made;
	struct buf *bytes = &made->decoded[made->decoded_count];

	if (made->decoded_count == TOOL_DECODED_MAX_COUNT)
		return bad_tool(making, "at most %d files of bytes", TOOL_DECODED_MAX_COUNT);
	*bytes = buf_new(HTTP_BODY_FILES_MAX_BYTES);
	made->decoded_count++;
	if (base64_decode(bytes, text) < 0)
		return error_set_errno(making->err, 400, "bad_base64", "Cannot be decoded");
	*out = buf_slice(bytes);
	return 0;
}

/* The bytes that a text of the tool's file stands for (rule 1). */
static int resolve_bytes(const struct making *making, const json_t *text, struct slice *out)
{
	struct tool_job *made = making->made;
	char field[REGISTRY_NAME_MAX_BYTES + 1];
	const json_t *schema = tool_parameter(text, field)
				       ? json_object_get(making->tool->parameters, field)
				       : NULL;
	bool is_encoded = json_object_get(schema, "contentEncoding") != NULL;
	bool is_upload = json_text_is(schema, "format", "upload");
	struct file_meta meta;

	*out = resolve(making, text);
	if (!is_encoded && !is_upload)
		return 0;
	memcpy(made->bad_field, field, sizeof(field));
	if (!files_is_id(*out))
		return decode(making, *out, out);
	if (!made->staging)
		return error_set(making->err, 400, "no_uploads", "Uploads cannot be used here");
	return staging_upload(made->staging, making->config, made->owner, *out, out, &meta,
			      making->err);
}

/* A file name must not become an option of the runtime, nor one of its commands: what stands for
 * it. */
static struct slice guard_dash(const struct making *making, const json_t *text, struct slice value)
{
	struct tool_job *made = making->made;
	char field[REGISTRY_NAME_MAX_BYTES + 1];

	if (value.len == 0 || !tool_parameter(text, field) ||
	    (value.data[0] != '-' && !made->language.tools.by_path) ||
	    !json_text_is(json_object_get(making->tool->parameters, field), "format", "filename"))
		return value;
	if (!made->dashed)
		made->dashed = json_array();

	json_t *dashed = json_sprintf("./%s", value.data);

	(void)json_array_append_new(made->dashed, dashed);
	return json_slice(dashed);
}

static int add_arguments(const struct making *making)
{
	struct job *job = making->job;
	const json_t *argument;
	size_t i;

	json_array_foreach ((json_t *)making->tool->argv, i, argument) {
		if (job->argc == JOB_ARGV_MAX_COUNT)
			return bad_tool(making, "argv has more than %d texts", JOB_ARGV_MAX_COUNT);
		job->argv[job->argc++] = guard_dash(making, argument, resolve(making, argument));
	}
	return 0;
}

/* Its argv is literal, and only now known. */
static int add_runtime(const struct making *making, struct slice name)
{
	struct language *language = &making->made->language;

	if (language_load(making->config, name, language, making->err) < 0)
		return -1;
	if (!language->tools.argv)
		return error_set(making->err, 404, "unknown_language", "Tools have no language %s",
				 language->name);
	job_add_arguments(making->job, language->tools.argv);
	making->job->language = slice_of(language->name);
	return 0;
}

static int bad_path(const struct making *making, struct slice path, const char *why)
{
	return error_set(making->err, 400, "bad_file_path", "invalid file path: %.*s%s",
			 (int)path.len, path.data, why);
}

/* A path that came from a client must be one; the file's own are checked when it is read. */
static int add_file(const struct making *making, const json_t *entry)
{
	struct tool_file file;
	struct job *job = making->job;
	struct job_input *input = &making->inputs[job->input_count];

	tool_take_file(entry, &file);
	*input = (struct job_input){.path = resolve(making, file.path)};
	making->made->hidden[job->input_count] = !file.is_artifact;
	for (unsigned i = 0; i < job->input_count; i++)
		if (slice_same(input->path, making->inputs[i].path))
			return bad_path(making, input->path, ": it is there twice");
	if (!fs_is_relative_path(input->path, JOB_ARTIFACT_DEPTH_MAX))
		return bad_path(making, input->path, "");
	if (storage_is_stream(input->path))
		return bad_path(making, input->path, STAGING_RESERVED);
	job->input_count++;
	return resolve_bytes(making, file.content, &input->data);
}

static int add_files(const struct making *making)
{
	const json_t *input = making->tool->standard_input, *entry;
	struct job *job = making->job;
	size_t i;

	job->inputs = making->inputs;
	job->hidden = making->made->hidden;
	json_array_foreach ((json_t *)making->tool->files, i, entry)
		if (add_file(making, entry) < 0)
			return -1;
	return input ? resolve_bytes(making, input, &job->standard_input) : 0;
}

/* Limits of the tool's, where they are below what there is already. */
static void take_limits(const struct tool_limits *limits, struct job *job)
{
	const struct {
		uint64_t limit, *place;
		bool zero_is_none;
	} rows[] = {
		{limits->memory_mb, &job->limits.memory_mb, true},
		{limits->pids, &job->limits.pids, true},
		{limits->cpu_percent, &job->limits.cpu_percent, true},
		{limits->cpu_ms, &job->cpu_ms, true},
		{limits->stream_bytes, &job->stream_bytes, false},
		{limits->artifact_files, &job->artifact_count, false},
		{limits->artifact_bytes, &job->artifact_bytes, false},
		{limits->artifacts_bytes, &job->artifacts_bytes, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].limit != TOOL_NO_LIMIT &&
		    (rows[i].limit < *rows[i].place || (rows[i].zero_is_none && !*rows[i].place)))
			*rows[i].place = rows[i].limit;
}

int tool_job(const struct config *config, const struct tool *tool, const json_t *values,
	     struct tool_job *made, struct job *job, struct job_input *inputs, struct error *err)
{
	const struct making making = {config, tool, values, made, job, inputs, err};
	const json_t *runtime = tool->runtime;

	made->bad_field[0] = '\0';
	job->language = runtime ? resolve(&making, runtime) : slice_of(tool->name);
	if ((runtime && add_runtime(&making, job->language) < 0) || add_arguments(&making) < 0 ||
	    add_files(&making) < 0)
		return -1;
	take_limits(&tool->limits, job);
	job->artifacts = tool->patterns[0] ? tool->patterns : NULL;
	job->template = *tool->place ? tool->place : tool->template;
	job->language_env = made->language.env;
	job->boot_env = made->language.boot_env[0] ? made->language.boot_env : NULL;
	return 0;
}

void tool_job_free(struct tool_job *made)
{
	language_free(&made->language);
	json_decref(made->dashed);
	made->dashed = NULL;
	for (; made->decoded_count > 0; made->decoded_count--)
		buf_free(&made->decoded[made->decoded_count - 1]);
}
