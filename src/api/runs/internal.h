/* The parts of a run between request and reply. */
#pragma once

#include "api/runs/request.h"
#include "base/sha256.h"
#include "config/language.h"
#include "job/execution.h"
#include "job/result_cache.h"
#include "server/call.h"
#include "server/stream.h"
#include "store/idempotency.h"
#include "store/records.h"

#define RUN_JSON_TYPE       "application/json; charset=utf-8"
#define RUN_LINKS_MAX_BYTES MIB

struct run {
	struct call *call;
	struct run_request request;     /* owned */
	struct language language;       /* owned */
	struct idempotency idempotency; /* owned */
	struct record_place place;      /* owned, with a key: of the record */
	struct stream stream;           /* owned */
	char id[RUN_ID_BYTES];          /* "": not begun */
	int64_t created_ms;             /* since 1970 */
	struct job job;
	struct job_input inputs[JOB_INPUT_MAX_COUNT];
	struct execution execution; /* owned: of the program */
	/* where a record that will do would be; "": none is wanted */
	char cache_key[SHA256_HEX_BYTES];
	struct job compile;        /* where the language has a compile step */
	struct execution compiler; /* owned */
};

/* Runs the language's compile step, if it has one, in a container of its own, and stages what it
   made. 1 and the run's result when it failed, 0 when the program may run, or -1 with *err. */
MUST_USE int run_compile(struct run *run, struct error *err);

/* How the run ended: "succeeded" and the other words of src/api/runs/README.md, and the exit code
   that goes with it. */
const char *run_status(const struct job_result *result);
int run_exit_code(const struct job_result *result);

/* With an idempotency key: reserves the record's place before anything runs. 0, or -1 with *err as
   record_reserve. */
MUST_USE int run_reserve(struct run *run, struct error *err);

/* Puts the artifacts into the file store and appends record and summary, one line of JSON each,
   which never pass RUN_RECORD_MAX_BYTES and RUN_SUMMARY_MAX_BYTES. 0, or -1 with *err. */
MUST_USE int run_write(struct run *run, struct buf *record, struct buf *summary, struct error *err);

/* Appends the record as it is shown now: with links that are good for a while, which may make it
   RUN_LINKS_MAX_BYTES longer. 0, or -1 with *err. */
MUST_USE int run_show(const struct call *call, const struct record *record, struct buf *out,
		      struct error *err);

/* Answers with the caller's record of that id. 0, or -1 with *err: 404 "run_not_found", what
   run_show says. */
MUST_USE int run_reply_record(struct call *call, struct slice id, struct error *err);
