/* The parts of a tool's run between request and reply. */
#pragma once

#include "bounds.h"
#include "config/tool.h"
#include "job/execution.h"
#include "job/invocation.h"
#include "job/result_cache.h"
#include "job/staging.h"
#include "job/tool_job.h"
#include "server/call.h"
#include "server/stream.h"
#include "store/storage.h"

/* One run of a tool, from request to answer. */
struct tool_run {
	struct call *call;
	bool is_run;                  /* POST /run: one output, no tool name */
	json_t *input;                /* owned: the request */
	json_t *agent, *values;       /* owned: validated */
	struct tool tool;             /* owned */
	struct tool_job made;         /* owned */
	struct staging staging;       /* owned: uploads that the request names */
	struct invocation invocation; /* owned: of a tool that runs code */
	uint64_t timeout_s;
	struct job job;
	struct job_input inputs[JOB_INPUT_MAX_COUNT];
	/* where a result that will do would be; "": none is wanted */
	char cache_key[SHA256_HEX_BYTES];
	struct stream stream;       /* owned */
	struct execution execution; /* owned */
};

/* Reads and validates the request, and makes its job. 0, or -1 when it was answered with a
   refusal. */
MUST_USE int tools_take_request(struct tool_run *run);

/* Answers that the job could not be run: 500, and 503 when there is no room for it. */
void tools_fail(const struct tool_run *run, const struct error *err);

/* With cache:true, makes the result of the same job, asked for by the same caller, into this one's:
   the execution's storage receives copies of what it left. 1 with *reply, the caller's, still
   without id and artifacts; 0 when there is none, and the storage holds nothing or rubbish; -1
   with *err. */
MUST_USE int tools_find_cached(struct tool_run *run, json_t **reply, struct error *err);

/* Notes the result, whose record is written, for the next request. */
void tools_keep_cached(const struct tool_run *run, const char *id);

/* What the reply to a run says, but for its place. The caller's. */
json_t *tools_describe(const struct tool_run *run);

/* Answers with the result that is stored under id, and keeps the answer as its record. reply, to
   which its place is added (sessionId, id, artifacts), is taken over. */
void tools_answer(const struct tool_run *run, const char *id, json_t *reply);
