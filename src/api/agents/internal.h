/* The parts of the agents API. */
#pragma once

#include "api/agents/agents.h"
#include "api/agents/checks.h"
#include "api/agents/request.h"
#include "config/language.h"
#include "job/execution.h"
#include "server/call.h"
#include "store/records.h"

#define AGENT_JSON_TYPE   "application/json; charset=utf-8"
#define AGENT_OWNER_BYTES (sizeof("agent-") + 40)
#define AGENT_RUN_BYTES   16 /* of a run's id: milliseconds since 1970, with the NUL */

/* Whose records: of an agent of the call's caller. */
void agents_owner(const struct call *call, const char *agent_id, char out[AGENT_OWNER_BYTES]);

enum agent_status { AGENT_COMPLETED, AGENT_FAILED, AGENT_ERROR };

struct agent_run {
	struct call *call;
	const char *agent_id;
	struct agent_request request;  /* owned */
	char owner[AGENT_OWNER_BYTES]; /* of its record */
	char record_id[RUN_ID_BYTES];
	char id[AGENT_RUN_BYTES];
	int64_t started_ms, finished_ms; /* since 1970 */
	enum agent_status status;
	json_t *artifacts;                                     /* owned */
	json_t *logs;                                          /* owned */
	struct check syntax, structure, security, performance; /* owned */
	struct language language;                              /* owned: of the test */
	char test_path[JOB_NAME_MAX_BYTES + 1];                /* where it lies in the container */
	struct job job;
	struct job_input inputs[4];
	struct execution execution; /* owned */
	bool was_run;               /* it says how the program ended */
};

/* Adds a line to the run's log: "[<now>] <text>". */
__attribute__((format(printf, 2, 3))) void agents_log(struct agent_run *run, const char *format,
						      ...);

/* The word of the run's status. */
const char *agents_status(const struct agent_run *run);

/* The run's exit code as its client sees it, -1 when it did not run. */
int agents_exit_code(const struct agent_run *run);

/* The name of the first validator that lets no test be run, or NULL: performance only warns. */
const char *agents_refusal(const struct agent_run *run);

/* One line on how the program ended: "All basic checks passed". */
void agents_summary(const struct agent_run *run, char *out, size_t size);

/* Appends the record, one line of JSON, which never passes RUN_RECORD_MAX_BYTES. */
void agents_write(const struct agent_run *run, struct buf *out);

/* An object that begins with the text before and ends with a record, or a part of one; and the
   answer that is one. */
struct buf agents_wrap(const char *before, struct slice record);
void agents_reply(struct call *call, const char *before, struct slice record);

/* POST …/auto-run. 0, or -1 with *err when it was not answered. */
MUST_USE int agents_auto_run(struct call *call, const char *agent_id, struct error *err);
