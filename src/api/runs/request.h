/*
 * The body of POST /v1/runs, checked: language, code, limits, files, in this order
 * (src/api/runs/README.md). Pure, but for the language, which the caller looks up between the two
 * halves.
 */
#pragma once

#include "config/language.h"
#include "job/invocation.h"
#include "job/staging.h"
#include "json/read.h"

#define RUN_INPUTS "inputs/" /* beneath the working directory */

struct run_limits {
	uint64_t timeout_ms, memory_mb, cpu_ms, max_output_bytes, max_artifact_bytes,
		max_artifact_files;
};

/* What every program's environment ends with, NAME=value, ended by NULL; only we set these. */
extern const char *const run_environment[];

/* One row for each limit, in struct run_limits. */
#define RUN_LIMIT_COUNT 6
extern const struct json_field run_limit_table[RUN_LIMIT_COUNT];
extern const struct run_limits run_limit_defaults;

struct run_request {
	json_t *body; /* owned */
	struct slice language, code;
	bool wants_cached;            /* a record that is there will do */
	struct invocation invocation; /* owned */
	struct run_limits limits;
	const json_t *asked_limits, *files; /* as they came */
	struct staging staging;             /* owned: the files listed, beneath RUN_INPUTS */
};

/* Reads a language that runs have: its file has a profile for them, and that profile's template an
   image. The caller frees *out in either case. 0, or -1 with *err: 400 "language_unsupported"; 500
   for a broken file. */
MUST_USE int run_language(const struct config *config, struct slice name, struct language *out,
			  struct error *err);

/* Parses the body and takes the language from it. 0, or -1 with *err, 400: "bad_json",
   "json_too_deep", "wrong_type", "language_required". The caller frees *out in either case. */
MUST_USE int run_request_begin(struct slice body, struct run_request *out, struct error *err);

/* Takes everything else. 0, or -1 with *err, 400: "wrong_type", "code_required", "code_too_large",
   "too_many_args", "bad_env", "limit_too_large", "limit_too_small", "bad_file_path",
   "too_many_files". */
MUST_USE int run_request_take(struct run_request *request, struct error *err);

void run_request_free(struct run_request *request);

/* The value of a row. */
uint64_t run_limit_of(const struct run_limits *limits, const struct json_field *row);
