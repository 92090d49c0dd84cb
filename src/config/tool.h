/*
 * Tools and runtimes: drop-in files (config/registry.h).
 *
 * tools.d/NAME.json:
 *   description   text
 *   parameters    {field: schema} (json/schema.h); format "runtime" stands for an enum of the installed runtimes
 *   template      name of the container's template, "default" when left out
 *   image         an image in place of the template's
 *   runtime       name of a runtime, whose argv comes first; may be "{parameter}"
 *   argv          the command's arguments; an argument that is "{parameter}" as a whole becomes that parameter's value, nothing else does
 *   stdin         literal or "{parameter}"; empty when left out
 *   files         [{"path", "content", "artifact"}], path and content literal or "{parameter}"; with "artifact": false the file is the tool's own: neither
 *                 kept as an input nor collected
 *   artifacts     [pattern], as fnmatch(3) takes them, where '*' matches slashes too: which files the program leaves are kept; all, when left out
 *   limits        {timeout_s, timeout_max_s, memory_mb, cpu_percent, pids, cpu_ms, stream_bytes, artifact_files, artifact_bytes, artifacts_bytes}: the
 *                 first is the time-out of a request that names none; the others never exceed what template and operator allow
 *   timeoutText   begins the line that a time-out adds to stderr
 *   compile       of REGISTRY_INTERPRETERS alone (api/runs/compile.c)
 * runtimes.d/NAME.json:
 *   description, argv
 *   byPath        true: a file is named to it as ./NAME, because it takes some bare names for commands of its own
 *   boot_env      environment (texts NAME=value) that makes the runtime wait before its script, so that it can be booted
 *                 ahead; see worker/kernels
 *   check         argv of the language's parser, which behind it takes a file and says by its exit code whether that is a program
 *   checkWaits    true: the parser can be booted ahead as the runtime can
 *   kernel        argv of the runtime's kernel, which runs cells and keeps its state between them (protocol/control.h); none: it has no such kernel
 *
 * What is wrong with a file is said with file, line and field when it is read, and harms no other tool. What becomes of it: job/tool_job.h.
 */
#ifndef MAYFLY_JOB_TOOL_H
#define MAYFLY_JOB_TOOL_H

#include "config/config.h"
#include "config/registry.h"
#include "config/template.h"
#include "json/json.h"

#define TOOL_BOOT_ENV_MAX_COUNT 8
#define TOOL_PATTERNS_MAX_COUNT 32
#define TOOL_NO_LIMIT           UINT64_MAX

/* What a job of the tool may have at most; TOOL_NO_LIMIT where the file does not say. */
struct tool_limits {
	uint64_t memory_mb, pids, cpu_percent, cpu_ms;
	uint64_t stream_bytes, artifact_files, artifact_bytes, artifacts_bytes;
};

struct tool {
	json_t *definition; /* owned: the whole file */
	const json_t *parameters;
	const char
		*patterns[TOOL_PATTERNS_MAX_COUNT + 1]; /* of artifacts, ended by NULL; none: all */
	char place[TEMPLATE_NAME_BYTES];                /* with an image */
	const char *name, *description, *template,
		*timeout_text;             /* name is the caller's, the others definition's */
	uint64_t timeout_s, timeout_max_s; /* 0: not said */
	struct tool_limits limits;
};

#define _cleanup_tool_ __attribute__((cleanup(tool_free)))

/* Reads a tool's file. name must outlive *out, which the caller frees. 0, or -1 with *err: 404 "unknown_tool"; 500 "bad_tool" (rule 2). */
MUST_USE int tool_load(const struct config *config, const char *name, struct tool *out,
		       struct error *err);

/* The same from another registry: REGISTRY_INTERPRETERS. */
MUST_USE int tool_load_from(const struct config *config, const char *registry, const char *name,
			    struct tool *out, struct error *err);

/* Reads a runtime's file; *out is the caller's. 0, or -1 with *err: 404 "registry_no_entry"; 500 "bad_tool". */
MUST_USE int tool_load_runtime(const struct config *config, struct slice name, json_t **out,
			       struct error *err);

/* The runtime's "boot_env", whose texts it owns, ended by NULL. 0, or -1 with *err: 500 "bad_tool". */
MUST_USE int tool_runtime_boot_env(const json_t *runtime,
				   const char *out[TOOL_BOOT_ENV_MAX_COUNT + 1], struct error *err);
/* The same of a file that has been read; its registry is only for what the operator's files are looked up in. */
MUST_USE int tool_read(const struct config *config, const struct registry_file *file,
		       const char *name, struct tool *out, struct error *err);
void tool_free(struct tool *tool);

/* What GET /tools shows of it: {"description","parameters"}, and "limits" where the file has some; the caller's. NULL when memory is out. */
json_t *tool_describe(const struct tool *tool);

/* The name of the parameter that a text of the file, "{name}", stands for; false for a literal. */
bool tool_parameter(const json_t *text, char out[REGISTRY_NAME_MAX_BYTES + 1]);

/* A field's text, or fallback. */
static inline const char *tool_text_or(const json_t *object, const char *field,
				       const char *fallback)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text ? text : fallback;
}

#endif
