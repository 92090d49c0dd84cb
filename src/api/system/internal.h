/* What both forms of the metrics are made of. */
#pragma once

#include "base/buf.h"
#include "store/metrics.h"

struct metrics_now {
	struct metrics counted; /* owned */
	uint64_t active_sessions, max_sessions, default_ttl_s;
	uint64_t pool_waiting;
	uint64_t slots, slots_running, slots_waiting;
};

/* Microseconds as seconds. */
double metrics_seconds(uint64_t us);

/* The whole exposition (https://prometheus.io/docs/instrumenting/exposition_formats/, version
 * 0.0.4), which never passes METRICS_TEXT_MAX_BYTES. */
void metrics_expose(const struct metrics_now *now, struct buf *out);
