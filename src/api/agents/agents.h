/*
 * The agents API, agent runs (src/api/agents/README.md).
 *
 *   GET  /api/v1/health                                    {"status":"OK","timestamp","version"}
 *   POST /api/v1/ai/agents/{id}/auto-run                   runs an app's test and answers with the
 *                                                          run's record
 *   GET  /api/v1/ai/agents/{id}/runs the ids of an agent's runs, the newest first, at most
 *        AGENT_LIST_MAX
 *   GET  /api/v1/ai/agents/{id}/runs/{runId}               one record
 *   GET  /api/v1/ai/agents/{id}/runs/{runId}/stream        the same as events: logs, status, end
 *
 * Rules:
 *  1. A run belongs to its caller and its agent: records (store/records.h) are kept under a hash of
 *     both, so another caller is told 404.
 *  2. A run's id is the millisecond that it was asked for in, and no two runs have the same: who
 *     comes second in a millisecond takes the next.
 *  3. A run is in the list when it has ended. One that could not be run for reasons of ours has a
 *     record with status "error", and its caller is told by an HTTP error; one that was refused, or
 *     whose client has gone, has none.
 */
#pragma once

#include "server/call.h"

#define AGENTS_PATH "/api/v1/ai/agents/"

void api_agents_health(struct call *call);
void api_agents_post(struct call *call);
void api_agents_get(struct call *call);
