/* GET /metrics and GET /metrics/prometheus: what was counted (store/metrics.h) and what is going on
 * now. */
#pragma once

#include "server/call.h"

/* {"status":"success","metrics":{…}}: counters of sessions (src/api/system/README.md), then jobs,
   pooled containers, slots and engine errors. */
void api_metrics(struct call *call);

/* The same in Prometheus' text exposition format 0.0.4. */
void api_metrics_prometheus(struct call *call);
