#include "server/usage.h"

json_t *usage_rounded_up(uint64_t value, uint64_t unit)
{
	return json_integer((json_int_t)((value + unit - 1) / unit));
}

json_t *usage_json(const struct job_result *result)
{
	uint64_t percent = result->wall_us ? result->cpu_us * 100 / result->wall_us : 0;

	return json_pack("{s:o, s:o, s:I, s:o, s:I, s:I}", "wall_ms",
			 usage_rounded_up(result->wall_us, US_PER_MS), "cpu_ms",
			 usage_rounded_up(result->cpu_us, US_PER_MS), "cpu_percent",
			 (json_int_t)percent, "max_rss_mb",
			 usage_rounded_up(result->max_rss_bytes, MIB), "bytes_in",
			 (json_int_t)result->bytes_in, "bytes_out", (json_int_t)result->bytes_out);
}

json_t *capture_json(const struct capture *capture)
{
	return json_clean_string(buf_slice(&capture->text));
}

json_t *capture_cut_json(const struct capture *capture)
{
	return capture->is_cut ? json_true() : NULL;
}
