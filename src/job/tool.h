/*
 * Tools and runtimes: drop-in files (job/registry.h) turned into jobs.
 *
 * tools.d/NAME.json:
 *   description   text
 *   parameters    {field: schema} (json/schema.h); format "runtime" stands for an enum of the installed runtimes
 *   template      name of the container's template, "default" when left out
 *   runtime       name of a runtime, whose argv comes first; may be "{parameter}"
 *   argv          the command's arguments; an argument that is "{parameter}" as a whole becomes that parameter's value, nothing else does
 *   files         [{"path", "content"}], each literal or "{parameter}"
 *   timeoutText   begins the line that a time-out adds to stderr
 * runtimes.d/NAME.json:
 *   description, argv
 *   byPath        true: a file is named to it as ./NAME, because it takes some bare names for commands of its own
 *   kernel        environment (texts NAME=value) that makes the runtime wait before its script, so that it can be booted
 *                 ahead; see worker/kernels
 *   check         argv of the language's parser, which behind it takes a file and says by its exit code whether that is a program
 *   checkWaits    true: the parser can be booted ahead as the runtime can
 */
#ifndef MAYFLY_JOB_TOOL_H
#define MAYFLY_JOB_TOOL_H

#include "job/config.h"
#include "job/registry.h"
#include "job/run.h"
#include "json/json.h"

#define TOOL_KERNEL_MAX_COUNT 8

struct tool {
	json_t *definition; /* owned: the whole file */
	json_t *runtime;    /* owned: the runtime's file, once tool_job has chosen it */
	const char *kernel[TOOL_KERNEL_MAX_COUNT + 1]; /* the runtime's, ended by NULL */
	const json_t *parameters;
	json_t *dashed; /* owned: "./-name" for each name of a file that would read as an option */
	const char *name, *description, *template,
		*timeout_text; /* name is the caller's, the others definition's */
};

#define _cleanup_tool_ __attribute__((cleanup(tool_free)))

/* Reads a tool's file. name must outlive *out, which the caller frees. 0, or -1 with *err: 404 "unknown_tool"; 500 "bad_tool", naming file and field. */
MUST_USE int tool_load(const struct config *config, const char *name, struct tool *out,
		       struct error *err);

/* The same from another registry: REGISTRY_INTERPRETERS. */
MUST_USE int tool_load_from(const struct config *config, const char *registry, const char *name,
			    struct tool *out, struct error *err);

/* Reads a runtime's file; *out is the caller's. 0, or -1 with *err: 404 "registry_no_entry"; 500 "bad_tool". */
MUST_USE int tool_load_runtime(const struct config *config, struct slice name, json_t **out,
			       struct error *err);

/* The runtime's "kernel", whose texts it owns, ended by NULL. 0, or -1 with *err: 500 "bad_tool". */
MUST_USE int tool_runtime_kernel(const json_t *runtime, const char *out[TOOL_KERNEL_MAX_COUNT + 1],
				 struct error *err);
void tool_free(struct tool *tool);

/* What GET /tools shows of it: {"description","parameters"}; the caller's. NULL when memory is out. */
json_t *tool_describe(const struct tool *tool);

/* Fills argv, inputs, template and kernel of job from validated values; its slices point into tool and values, which must outlive it. inputs has room for
   JOB_INPUT_MAX_COUNT. 0, or -1 with *err. */
MUST_USE int tool_job(const struct config *config, struct tool *tool, const json_t *values,
		      struct job *job, struct job_input *inputs, struct error *err);

#endif
