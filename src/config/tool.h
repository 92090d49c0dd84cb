/*
 * Tools: drop-in files (config/registry.h).
 *
 * tools.d/NAME.json:
 *   description   text
 *   parameters    {field: schema} (json/schema.h); format "runtime" stands for an enum of the
 *                 languages that tools have
 *   template      name of the container's template, "tool" when left out
 *   image         an image in place of the template's
 *   runtime       name of a language (config/language.h), whose argv for tools comes first; may be
 *                 "{parameter}"
 *   argv          the command's arguments; an argument that is "{parameter}" as a whole becomes
 *                 that parameter's value, nothing else does
 *   stdin         literal or "{parameter}"; empty when left out
 *   files         [{"path", "content", "artifact"}], path and content literal or "{parameter}";
 *                 with "artifact": false the file is the tool's own: neither kept as an input nor
 *                 collected
 *   artifacts     [pattern], as fnmatch(3) takes them, where '*' matches slashes too: which files
 *                 the program leaves are kept; all, when left out
 *   limits        {timeout_s, timeout_max_s, memory_mb, cpu_percent, pids, cpu_ms, stream_bytes,
 *                 artifact_files, artifact_bytes, artifacts_bytes}: the first is the time-out of a
 *                 request that names none; the others never exceed what template and operator allow
 *   timeoutText   begins the line that a time-out adds to stderr
 *
 * What becomes of it: job/tool_job.h.
 */
#pragma once

#include "config/config.h"
#include "config/registry.h"
#include "config/template.h"
#include "json/json.h"

#define TOOL_PATTERNS_MAX_COUNT 32
#define TOOL_NO_LIMIT           UINT64_MAX

/* What a job of the tool may have at most; TOOL_NO_LIMIT where the file does not say. */
struct tool_limits {
	uint64_t memory_mb, pids, cpu_percent, cpu_ms;
	uint64_t stream_bytes, artifact_files, artifact_bytes, artifacts_bytes;
};

/* Lists, objects and texts are definition's; a text may be "{parameter}". */
struct tool {
	json_t *definition; /* owned: the whole file */
	const char *name;   /* the caller's */
	const char *description, *template, *timeout_text;
	const json_t *parameters, *argv;
	const json_t *runtime, *standard_input, *files; /* NULL: none */
	/* of artifacts, ended by NULL; none: all */
	const char *patterns[TOOL_PATTERNS_MAX_COUNT + 1];
	/* the name of its template with its image; "": it brings none */
	char place[TEMPLATE_NAME_BYTES];
	uint64_t timeout_s, timeout_max_s; /* 0: not said */
	struct tool_limits limits;
};

/* An entry of a tool's files. */
struct tool_file {
	const json_t *path, *content; /* texts, or "{parameter}" */
	bool is_artifact;
};

#define _cleanup_tool_ __attribute__((cleanup(tool_free)))

/* Reads a tool's file. name must outlive *out, which the caller frees. 0, or -1 with *err: 404
   "unknown_tool"; 500 "bad_tool" (rule 2). */
MUST_USE int tool_load(const struct config *config, const char *name, struct tool *out,
		       struct error *err);

/* The same of a file that has been read. */
MUST_USE int tool_read(const struct registry_file *file, const char *name, struct tool *out,
		       struct error *err);
void tool_free(struct tool *tool);

/* An entry of tool->files, which has been checked. */
void tool_take_file(const json_t *entry, struct tool_file *out);

/* Validates a request's fields (schema_validate), those of format "runtime" too; a file's name that
   is left out is what the language calls a program. 0, or -1 with *err
   as registry_names. */
MUST_USE int tool_validate(const struct config *config, const struct tool *tool,
			   const json_t *input, json_t *issues, json_t *values, struct error *err);

/* What GET /tools shows of it: {"description","parameters"}, and "limits" where the file has some;
   the caller's. */
json_t *tool_describe(const struct config *config, const struct tool *tool);

/* The name of the parameter that a text of the file, "{name}", stands for; false for a literal. */
bool tool_parameter(const json_t *text, char out[REGISTRY_NAME_MAX_BYTES + 1]);
