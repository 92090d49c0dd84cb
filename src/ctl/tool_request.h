/* From a tool and what is asked of it to a job, for the commands that make jobs: as the server
   would make it of the same request. */
#pragma once

#include "job/tool_job.h"

struct tool_request {
	struct tool tool;       /* owned */
	struct tool_job made;   /* owned */
	json_t *values;         /* owned: the request's, with the defaults */
	struct staging staging; /* owned */
	struct job job;         /* its slices point into those and into the request */
	struct job_input inputs[JOB_INPUT_MAX_COUNT];
};

/* Fills out, which tool_request_free frees in either case. EX_OK, or the exit status when it was
   complained of, each wrong field on a line; who begins these. */
MUST_USE int tool_request_make(const struct config *config, const char *who, const char *tool,
			       json_t *request, struct tool_request *out);
void tool_request_free(struct tool_request *request);
