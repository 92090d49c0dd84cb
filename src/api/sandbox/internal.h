/* The parts of an execution between request and reply. */
#pragma once

#include "api/sandbox/request.h"
#include "job/program.h"
#include "job/results.h"
#include "job/session_use.h"
#include "server/stream.h"
#include "store/links.h"

/* What one program, or one cell, did. */
struct sandbox_result {
	bool is_refused;            /* it was not run: execution.ending says why */
	struct execution execution; /* owned */
	json_t *artifacts;          /* owned: an array of entries */
};

/* What runs a request's program or cells. */
struct sandbox_run {
	struct call *call;
	json_t *body; /* owned */
	struct sandbox_request request;
	const json_t *cells; /* an array of texts, or NULL */
	struct template template;
	struct sandbox_files files;   /* owned */
	struct invocation invocation; /* owned */
	struct program program; /* owned; without a language: the template has none of that name */
	struct stream stream;   /* owned */
	struct results results; /* owned */
	struct sign_key key;    /* of links to results, once has_key */
	bool has_key;
	struct sandbox_result *result; /* of what runs now */
};

/* Begins, and frees, what every execution has. The call's stream is the run's meanwhile, and the
   run stays where it is. */
void sandbox_run_begin(struct sandbox_run *run, struct call *call);
void sandbox_run_free(struct sandbox_run *run);

struct sandbox_result sandbox_result_new(struct sandbox_run *run);
void sandbox_result_free(struct sandbox_result *result);

/* Takes language, files and time-out from the request, and makes the job; template and is_cell are
   there already. A language that is not there is no error. 0, or -1 with *err. */
MUST_USE int sandbox_prepare(struct sandbox_run *run, struct error *err);

/* Runs the program, or one cell, and collects what it did: in the session, if there is one, whose
   lock is given back. 0, or -1 with *err: as execution_run, session_run. */
MUST_USE int sandbox_run_one(struct sandbox_run *run, struct session *session,
			     struct sandbox_result *out, struct error *err);

/* What a result says in place of a program that is not run. */
void sandbox_refuse(struct sandbox_result *result, const char *why);

/* The exit code of a reply. */
int sandbox_exit_code(const struct sandbox_result *result);

/* {"status","exit_code","stdout","stderr","execution_time","artifacts"[,"error"]}: the six that a
   reply has twice. */
json_t *sandbox_describe(const struct sandbox_result *result);

/* Sets what every reply repeats of the request. */
void sandbox_add_request(const struct sandbox_run *run, json_t *reply);
json_t *sandbox_language_name(const struct sandbox_run *run);

/* Adds an entry to the artifacts of what runs now, and tells the stream (struct results). */
void sandbox_add_result(void *run, const struct result *result);

/* Adds the entry of a program that failed. */
void sandbox_add_failure(struct sandbox_run *run);

/* The request's jobs take of the tenant's share, where the caller has no name of its own. */
void sandbox_share(struct call *call, struct slice tenant_id);

/* Who asks for a session, for a tenant if it is named. */
struct session_requester sandbox_requester(const struct call *call, struct slice tenant_id);
