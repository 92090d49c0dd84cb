/*
 * What a request has to say for /metrics. Handlers note it in the call; note_end counts it, when the client has its answer.
 */
#ifndef MAYFLY_SERVER_NOTE_H
#define MAYFLY_SERVER_NOTE_H

#include "job/run.h"
#include "server/call.h"
#include "store/metrics.h"

/* Notes the request's job. A later one takes its place: a request is one job. language and template: names of registry entries, or "" and NULL; result NULL
   when *err says why there is none. execute_job does this; so does whoever runs a program without it. */
void note_job(struct call *call, struct slice language, const char *template,
	      const struct job_result *result, const struct error *err);

/* Notes that something happened amount times more. */
void note_add(struct call *call, enum metric metric, uint64_t amount);

/* Notes an error of the engine's. */
void note_engine_error(struct call *call, const struct error *err);

/* Counts what was noted since the last time. */
void note_end(struct call *call);

#endif
