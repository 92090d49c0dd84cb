/*
 * From a tool and validated values to a job.
 *
 * Rules:
 *  1. A file's and stdin's bytes are the parameter's text; where its schema says contentEncoding
 *     base64, what that stands for, or the upload that it names; with format "upload" the upload
 *     that it names.
 *  2. Nothing that a client sends becomes more than one argument, and no shell sees it unless the
 *     tool is one.
 */
#pragma once

#include "config/language.h"
#include "config/tool.h"
#include "job/run.h"
#include "job/staging.h"

#define TOOL_DECODED_MAX_COUNT 16

/* What a job is made of beside its tool and the values. */
struct tool_job {
	/* The caller's, before tool_job: where uploads come from, and whose they are. NULL: there
	   are none. */
	struct staging *staging;
	const char *owner;
	struct language language; /* owned: its runtime, once that is chosen */
	json_t *dashed; /* owned: "./-name" for each name of a file that would read as an option */
	struct buf decoded[TOOL_DECODED_MAX_COUNT]; /* owned: what was base64 */
	unsigned decoded_count;
	bool hidden[JOB_INPUT_MAX_COUNT]; /* by input of the job: with "artifact": false */
	char bad_field[REGISTRY_NAME_MAX_BYTES + 1]; /* the parameter that was refused, with 400 and
							404; "": none of them alone */
};

#define _cleanup_tool_job_ __attribute__((cleanup(tool_job_free)))

/* Fills argv, inputs, stdin, template, limits and boot_env of job from validated values; its slices
   point into tool, values and made, which must outlive it. The caller frees *made in either case.
   inputs has room for JOB_INPUT_MAX_COUNT. 0, or -1 with *err: as staging_upload; 400
   "bad_file_path", "bad_base64", "no_uploads"; 500 "bad_tool". */
MUST_USE int tool_job(const struct config *config, const struct tool *tool, const json_t *values,
		      struct tool_job *made, struct job *job, struct job_input *inputs,
		      struct error *err);
void tool_job_free(struct tool_job *made);
