/* What the parts of config/tool.h share, for tool*.c alone. */
#ifndef MAYFLY_JOB_TOOL_PARTS_H
#define MAYFLY_JOB_TOOL_PARTS_H

#include "config/tool.h"

#define TOOL_NUMBER_COUNT 10

/* A limit of a tool's file. */
struct tool_number {
	const char *name;
	uint64_t least, most;
	size_t offset; /* in struct job */
	bool zero_is_none;
};

extern const struct tool_number tool_numbers[TOOL_NUMBER_COUNT];

#define TOOL_NO_OFFSET SIZE_MAX /* of what is no limit of a job's: the time-outs */

/* Checks a definition whose parameters are good. 0, or -1 with *err: 500 "bad_tool". */
MUST_USE int tool_check(const struct registry_file *file, const json_t *definition,
			struct error *err);

/* Refuses a file: "PATH:LINE: FIELD what". field is as json_line_of takes it. Always -1. */
__attribute__((format(printf, 4, 5))) int tool_refuse(const struct registry_file *file,
						      const char *field, struct error *err,
						      const char *format, ...);

/* The name of the parameter that text, "{name}", stands for; false for a literal. */
bool tool_parameter(const json_t *text, char out[REGISTRY_NAME_MAX_BYTES + 1]);

/* Parses a drop-in file that must be an object of known fields. 0 and *out, the caller's, or -1 with *err: 500 "bad_tool". */
MUST_USE int tool_parse(const struct registry_file *file, const char *const *fields, size_t count,
			json_t **out, struct error *err);

static inline const char *tool_text_or(const json_t *object, const char *field,
				       const char *fallback)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text ? text : fallback;
}

#endif
