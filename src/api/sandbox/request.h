/*
 * The bodies of the sandbox API's requests, checked (src/api/sandbox/README.md).
 *
 * Rules:
 *  1. Malformed JSON, and what is no object, counts as {}. A NUL in a file's path is refused as
 *     one, although no JSON key may hold it.
 *  2. "Required" means present and truthy, as in the languages that clients are written in. Where
 *     text is wanted a number or a boolean is taken as its text, and what is not truthy as missing.
 *  3. A time-out that is no whole number of seconds from 1 to SANDBOX_TIMEOUT_MAX_S is the
 *     template's.
 */
#pragma once

#include "api/sandbox/paths.h"
#include "base/error.h"
#include "base/slice.h"
#include "config/config.h"
#include "config/template.h"
#include "job/run.h"
#include "job/staging.h"
#include "json/json.h"

#include <stdbool.h>

/* Is a value there, and truthy? */
bool sandbox_is_given(const json_t *value);

/* Rule 1. 0 with an object that the caller owns, or -1 with *err: 400 "path_nul". */
MUST_USE int sandbox_parse(struct slice body, json_t **out, struct error *err);

/* What the bodies hold of text; left out or null it is "", the default template, python. */
struct sandbox_request {
	struct slice tenant_id, scope, session_id, code, template, language;
};

/* Reads them from an object that outlives *out. required: what a route needs (rule 2), ended by
   NULL. 0, or -1 with *err, 400: "fields_missing", whose message lists all that are needed,
   "wrong_type"; of what is a name "name_too_long", "name_characters". */
MUST_USE int sandbox_take(json_t *body, const char *const *required, struct sandbox_request *out,
			  struct error *err);

/* Rule 3, and never more than the template's maximum. In seconds. */
uint64_t sandbox_timeout_s(const json_t *body, const struct template *template);

/* Loads the template of that name, or "default" when there is none of it. 0, or -1 with *err. */
MUST_USE int sandbox_template(const struct config *config, struct slice name, struct template *out,
			      struct error *err);

/* A session's idle time, in seconds. 0, or -1 with *err: 400 "bad_ttl". */
MUST_USE int sandbox_ttl_s(const json_t *body, uint64_t *out, struct error *err);

/* Appends ?tenant_id= of a query, decoded; nothing when it is not there. 0, or -1 with *err: 400
   "bad_query". */
MUST_USE int sandbox_query_tenant(struct slice query, struct buf *out, struct error *err);

/* The files of a request, ready to be sent. */
struct sandbox_files {
	struct job_input inputs[JOB_INPUT_MAX_COUNT];
	unsigned count;
	char (*paths)[SANDBOX_PATH_BYTES];       /* owned */
	struct buf decoded[JOB_INPUT_MAX_COUNT]; /* owned: of those in base64 */
	struct staging uploads;                  /* owned */
	uint64_t total_bytes;
	/* for a session's workspace alone: sandbox_session_path, SESSION_FILE_MAX_BYTES */
	bool is_session;
};

/* Takes {path: text | {"content","encoding"} | {"id"}}; owner: whose uploads may be named. The
   caller frees *files in either case. 0, or -1 with *err: 400 with the messages of
   src/api/sandbox/README.md, "wrong_type", "too_many_files", "path_taken", "bad_base64"; 404
   "file_not_found". */
MUST_USE int sandbox_take_files(const struct config *config, const char *owner, const json_t *given,
				struct sandbox_files *files, struct error *err);
void sandbox_files_free(struct sandbox_files *files);
