/* Is the service there? (src/api/system/README.md) */
#ifndef MAYFLY_API_SYSTEM_HEALTH_H
#define MAYFLY_API_SYSTEM_HEALTH_H

#include "server/call.h"

/* GET /health: with the queue's depth (jobs that wait for a slot) and how busy the machine is, in
 * percent. */
void api_health(struct call *call);

/* GET /v1/health */
void api_v1_health(struct call *call);

#endif
