/* Is a tool's file one? What is wrong with it is said with file, line and field. */
#include "config/tool_parts.h"

#include "base/fs.h"
#include "json/locate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* One row per limit; its place is in struct tool. */
static const struct {
	const char *name;
	uint64_t least, most;
	size_t offset;
} numbers[] = {
#define LIMIT(name, least, most)                                                                   \
	{                                                                                          \
#name, least, most, offsetof(struct tool, limits.name)                             \
	}
	{"timeout_s", TIMEOUT_MIN_S, TIMEOUT_MAX_S, offsetof(struct tool, timeout_s)},
	{"timeout_max_s", TIMEOUT_MIN_S, TIMEOUT_MAX_S, offsetof(struct tool, timeout_max_s)},
	LIMIT(memory_mb, MEMORY_MIN_MB, MEMORY_MAX_MB),
	LIMIT(pids, PIDS_MIN, PIDS_MAX),
	LIMIT(cpu_percent, 1, CPU_PERCENT_MAX),
	LIMIT(cpu_ms, 1, INIT_CLOCK_MAX_MS),
	LIMIT(stream_bytes, 1, INT64_MAX),
	LIMIT(artifact_files, 0, INT64_MAX),
	LIMIT(artifact_bytes, 0, INT64_MAX),
	LIMIT(artifacts_bytes, 0, INT64_MAX),
#undef LIMIT
};

int tool_refuse(const struct registry_file *file, const char *field, struct error *err,
		const char *format, ...)
{
	unsigned line = json_line_of((struct slice){file->data, file->len}, field);
	char what[256];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	return error_set(err, 500, "bad_tool", "%.192s:%u: %.96s %s", file->path, line, field,
			 what);
}

bool tool_parameter(const json_t *text, char out[REGISTRY_NAME_MAX_BYTES + 1])
{
	const char *value = json_string_value(text);
	size_t len = json_string_length(text);

	if (!value || len < 2 || value[0] != '{' || value[len - 1] != '}' ||
	    len - 2 > REGISTRY_NAME_MAX_BYTES)
		return false;
	memcpy(out, value + 1, len - 2);
	out[len - 2] = '\0';
	return true;
}

/* A definition being checked. */
struct check {
	const struct registry_file *file;
	const json_t *definition, *parameters;
	struct tool *tool; /* receives the limits */
	struct error *err;
};

/* A literal, or "{parameter}" where that parameter is declared and is text. */
static int check_text(const struct check *check, const char *field, const json_t *value)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);
	char name[REGISTRY_NAME_MAX_BYTES + 1];

	if (!text)
		return tool_refuse(check->file, field, check->err,
				   "must be text, or \"{parameter}\"");
	if (len == 0 || text[0] != '{' || text[len - 1] != '}')
		return 0;
	if (!tool_parameter(value, name) ||
	    strcmp(tool_text_or(json_object_get(check->parameters, name), "type", ""), "string") !=
		    0)
		return tool_refuse(check->file, field, check->err,
				   "names no declared text parameter");
	return 0;
}

static int check_plain_texts(const struct check *check)
{
	static const char *const texts[] = {"description", "template", "image", "timeoutText"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const json_t *value = json_object_get(check->definition, texts[i]);

		if ((value || i == 0) && !json_is_string(value))
			return tool_refuse(check->file, texts[i], check->err, "must be text");
	}
	return 0;
}

static int check_argv(const struct check *check)
{
	const json_t *argv = json_object_get(check->definition, "argv"), *item;
	char field[32];
	size_t i;

	if (!json_is_array(argv))
		return tool_refuse(check->file, "argv", check->err, "must be an array of texts");
	json_array_foreach ((json_t *)argv, i, item) {
		(void)snprintf(field, sizeof(field), "argv[%zu]", i);
		if (check_text(check, field, item) < 0)
			return -1;
	}
	if (json_array_size(argv) == 0 && !json_object_get(check->definition, "runtime"))
		return tool_refuse(check->file, "argv", check->err,
				   "must name a program where there is no runtime");
	return 0;
}

static int check_file(const struct check *check, size_t index, const json_t *file)
{
	static const char *const known[] = {"path", "content", "artifact"};
	const json_t *artifact = json_object_get(file, "artifact");
	char field[96], parameter[REGISTRY_NAME_MAX_BYTES + 1];
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)file, name, value) {
		size_t i = 0;

		while (i < 3 && strcmp(known[i], name) != 0)
			i++;
		(void)snprintf(field, sizeof(field), "files[%zu].%.64s", index, name);
		if (i == 3)
			return tool_refuse(check->file, field, check->err, "is not known");
	}
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(field, sizeof(field), "files[%zu].%s", index, known[i]);
		if (check_text(check, field, json_object_get(file, known[i])) < 0)
			return -1;
	}
	(void)snprintf(field, sizeof(field), "files[%zu].artifact", index);
	if (artifact && !json_is_boolean(artifact))
		return tool_refuse(check->file, field, check->err, "must be true or false");
	value = json_object_get(file, "path");
	(void)snprintf(field, sizeof(field), "files[%zu].path", index);
	if (!tool_parameter(value, parameter) &&
	    !fs_is_relative_path(
		    (struct slice){json_string_value(value), json_string_length(value)},
		    JOB_ARTIFACT_DEPTH_MAX))
		return tool_refuse(check->file, field, check->err, "must be a relative path");
	return 0;
}

static int check_files(const struct check *check)
{
	const json_t *files = json_object_get(check->definition, "files"), *item;
	size_t i;

	if (files && !json_is_array(files))
		return tool_refuse(check->file, "files", check->err, "must be an array");
	json_array_foreach ((json_t *)files, i, item)
		if (check_file(check, i, item) < 0)
			return -1;
	return 0;
}

static int check_artifacts(const struct check *check)
{
	const json_t *patterns = json_object_get(check->definition, "artifacts"), *item;
	size_t i;

	json_array_foreach ((json_t *)patterns, i, item)
		if (!json_is_string(item))
			return tool_refuse(check->file, "artifacts", check->err,
					   "must be an array of texts");
	if (patterns &&
	    (!json_is_array(patterns) || json_array_size(patterns) > TOOL_PATTERNS_MAX_COUNT))
		return tool_refuse(check->file, "artifacts", check->err,
				   "must be an array of at most %d texts", TOOL_PATTERNS_MAX_COUNT);
	return 0;
}

static int check_limit(const struct check *check, const char *name, const json_t *value)
{
	char field[96];

	(void)snprintf(field, sizeof(field), "limits.%.64s", name);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strcmp(numbers[i].name, name) != 0)
			continue;
		if (!json_is_integer(value) || json_integer_value(value) < 0 ||
		    (uint64_t)json_integer_value(value) < numbers[i].least ||
		    (uint64_t)json_integer_value(value) > numbers[i].most)
			return tool_refuse(check->file, field, check->err,
					   "takes a whole number from %" PRIu64 " to %" PRIu64,
					   numbers[i].least, numbers[i].most);
		*(uint64_t *)(void *)((char *)check->tool + numbers[i].offset) =
			(uint64_t)json_integer_value(value);
		return 0;
	}
	return tool_refuse(check->file, field, check->err, "is no limit");
}

static int check_limits(const struct check *check)
{
	const json_t *limits = json_object_get(check->definition, "limits");
	const char *name;
	json_t *value;

	if (limits && !json_is_object(limits))
		return tool_refuse(check->file, "limits", check->err, "must be an object");
	json_object_foreach ((json_t *)limits, name, value)
		if (check_limit(check, name, value) < 0)
			return -1;

	const struct tool *tool = check->tool;

	if (tool->timeout_s > (tool->timeout_max_s ? tool->timeout_max_s : TIMEOUT_MAX_S))
		return tool_refuse(check->file, "limits.timeout_s", check->err,
				   "is more than limits.timeout_max_s");
	return 0;
}

int tool_check(const struct registry_file *file, struct tool *tool, struct error *err)
{
	const struct check check = {file, tool->definition, tool->parameters, tool, err};
	static const char *const substituted[] = {"runtime", "stdin"};

	if (check_plain_texts(&check) < 0 || check_argv(&check) < 0 || check_files(&check) < 0 ||
	    check_artifacts(&check) < 0 || check_limits(&check) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(substituted) / sizeof(substituted[0]); i++) {
		const json_t *value = json_object_get(tool->definition, substituted[i]);

		if (value && check_text(&check, substituted[i], value) < 0)
			return -1;
	}
	return 0;
}
