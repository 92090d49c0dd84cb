/* What a job took, under one name in every API ("usage"), and what it said. */
#pragma once

#include "job/execution.h"
#include "json/json.h"

/* {"wall_ms","cpu_ms","cpu_percent","max_rss_mb","bytes_in","bytes_out"}, the caller's:
   milliseconds and MiB are rounded up, so that they are never 0 for what is not; 100 percent is one
   CPU for the whole of the time; bytes in are inputs and stdin, bytes out streams and artifacts. */
json_t *usage_json(const struct job_result *result);

/* A new integer for what is counted in smaller units, rounded up. */
json_t *usage_rounded_up(uint64_t value, uint64_t unit);

/* What was kept of a stream, as clean text; and true where it was cut, NULL where it was not: for
   s:o* of json_pack. */
json_t *capture_json(const struct capture *capture);
json_t *capture_cut_json(const struct capture *capture);
