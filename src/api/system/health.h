/* Is the service there? (src/api/system/README.md) */
#pragma once

#include "server/call.h"

/* GET /health: with the queue's depth (jobs that wait for a slot) and how busy the machine is, in
 * percent. */
void api_health(struct call *call);

/* GET /v1/health */
void api_v1_health(struct call *call);
