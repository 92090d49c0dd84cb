/* What the parts of config/tool.h share, for tool*.c alone. */
#ifndef MAYFLY_JOB_TOOL_PARTS_H
#define MAYFLY_JOB_TOOL_PARTS_H

#include "config/tool.h"

/* Checks a tool whose parameters are good, and takes its limits. 0, or -1 with *err: 500 "bad_tool". */
MUST_USE int tool_check(const struct registry_file *file, struct tool *tool, struct error *err);

/* Refuses a file: "PATH:LINE: FIELD what". field is as json_line_of takes it. Always -1. */
__attribute__((format(printf, 4, 5))) int tool_refuse(const struct registry_file *file,
						      const char *field, struct error *err,
						      const char *format, ...);

/* Parses a drop-in file that must be an object of known fields. 0 and *out, the caller's, or -1 with *err: 500 "bad_tool". */
MUST_USE int tool_parse(const struct registry_file *file, const char *const *fields, size_t count,
			json_t **out, struct error *err);

#endif
