/*
 * The body of POST …/auto-run, checked: {"frontend":{"html","css","javascript"},"test","language",
 * "prompt"}, all texts, and "browser", true or false, all of them optional: what is missing is
 * empty, no body is {}. Unknown keys are ignored. And the path behind AGENTS_PATH. Pure.
 */
#pragma once

#include "base/slice.h"
#include "bounds.h"
#include "job/invocation.h"

struct agent_request {
	json_t *body; /* owned */
	const json_t *frontend;
	struct slice html, css, javascript, test, language, prompt;
	bool has_prompt, browser;
	struct invocation invocation; /* owned: of the test */
};

/* What the test's environment has of ours, NAME=value, ended by NULL; only we set these. */
extern const char *const agent_environment[];

/* 0, or -1 with *err, 400: what invocation_take says, "bad_json", "json_too_deep", "wrong_type",
   "prompt_too_long". The caller frees *out in either case. */
MUST_USE int agent_request_parse(struct slice body, struct agent_request *out, struct error *err);
void agent_request_free(struct agent_request *request);

enum agent_route { AGENT_AUTO_RUN, AGENT_RUNS, AGENT_RUN, AGENT_STREAM };

struct agent_path {
	enum agent_route route;
	char id[AGENT_ID_MAX_BYTES + 1]; /* decoded */
	struct slice run;                /* as it was sent */
};

/* Takes apart what comes behind AGENTS_PATH, still encoded. 0 and *out, or -1 with *err: 404
   "no_route"; 400 "bad_agent_id" (1 to AGENT_ID_MAX_BYTES bytes of UTF-8, one path component, no
   leading dot). */
MUST_USE int agent_path_parse(struct slice rest, struct agent_path *out, struct error *err);

/* A run's id as a number: digits without a leading zero, of a time that records can have. False for
   all else. */
bool agent_run_id_parse(struct slice text, int64_t *out_ms);
