/*
 * The runs API, runs (src/api/runs/README.md).
 *
 *   POST /v1/runs        runs a program and answers with its record
 *   GET  /v1/runs/{id} the same record; links to artifacts are signed again when less than half of
 *        their time is left
 *   GET  /v1/runs ?limit=1…100 &before=<run id>: {"runs":[summary],"next":<id for before>|null},
 *        the newest first; a summary has id, status, exit_code, usage, artifact_count, created_at,
 *        language and code_sha256
 *
 *   GET  /models, /v1/models: {"object":"list","data":[]}, for clients that ask for models first
 *
 * Beside those fields: "stdin" (text) in a request; X-Idempotency-Key
 * (store/idempotency.h), whose repeat is answered with the first run's record and
 * "Idempotent-Replayed: true"; Accept: text/event-stream (server/stream.h).
 */
#pragma once

#include "server/call.h"

void api_runs_create(struct call *call);
void api_runs_read(struct call *call);
void api_runs_list(struct call *call);
void api_models(struct call *call);
