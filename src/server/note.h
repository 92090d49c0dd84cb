/* What a request says for /metrics, beside what its jobs do (job/executor.h). */
#ifndef MAYFLY_SERVER_NOTE_H
#define MAYFLY_SERVER_NOTE_H

#include "server/call.h"

/* Whose routes the path is one of: 'A' to 'E', as struct metrics_job has it. */
char note_family(struct slice path);

/* Counts what was noted since the last time. */
void note_end(struct call *call);

#endif
