/* The parts of a tool's run between request and reply, for tools*.c alone. */
#ifndef MAYFLY_API_TOOLS_PARTS_H
#define MAYFLY_API_TOOLS_PARTS_H

#include "bounds.h"
#include "config/tool.h"
#include "job/result_cache.h"
#include "job/run.h"
#include "job/staging.h"
#include "job/tool_job.h"
#include "server/call.h"
#include "server/stream.h"
#include "store/storage.h"

/* One run of a tool, from request to answer. */
struct execution {
	struct call *call;
	bool is_run;            /* POST /run: one output, no tool name */
	json_t *input;          /* owned: the request */
	json_t *agent, *values; /* owned: validated */
	struct tool tool;       /* owned */
	struct tool_job made;   /* owned */
	struct staging staging; /* owned: uploads that the request names */
	uint64_t timeout_s;
	struct job job;
	struct job_input inputs[JOB_INPUT_MAX_COUNT];
	struct job_result result;
	struct storage *storage; /* of the run */
	bool is_stored;          /* the inputs are in it */
	char cache_key
		[SHA256_HEX_BYTES]; /* where a result that will do would be; "": none is wanted */
	struct stream stream;       /* owned */
	struct buf texts[2]; /* owned: what the reply shows of stdout (or of both) and of stderr */
	bool trimmed[2];
};

/* Reads and validates the request, and makes its job. 0, or -1 when it was answered with a refusal. */
MUST_USE int tools_take_request(struct execution *execution);

/* Answers that the job could not be run: 500, and 503 when there is no room for it. */
void tools_fail(struct execution *execution, const struct error *err);

/* With cache:true, makes the result of the same job, asked for by the same caller, into this one's: storage, which must be new, receives copies of what it
   left. The reply, the caller's, still without id and artifacts; NULL when there is none, and storage holds nothing or rubbish. */
json_t *tools_find_cached(struct execution *execution, struct storage *storage);

/* Notes the result, whose record is written, for the next who asks. */
void tools_keep_cached(struct execution *execution, const char *id);

/* Adds what depends on where the result is: sessionId, id, artifacts. 0, or not when memory is out. */
int tools_add_place(const struct execution *execution, json_t *reply, const char *id,
		    const struct storage *storage);

/* Answers, and keeps the answer as the result's record. reply is taken over. */
void tools_answer(struct execution *execution, const char *id, const struct storage *storage,
		  json_t *reply);

/* Answers with the result of a run that is stored under id. */
void tools_reply(struct execution *execution, const char *id, const struct storage *storage);

#endif
