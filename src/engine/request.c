#include "engine/request.h"

#include "base/ascii.h"
#include "base/frame.h"

int request_refuse(struct error *err, const char *what)
{
	return error_set(err, 400, "bad_request", "mayfly-engine: %s", what);
}

int request_parse_make(struct slice fields, struct prepare_request *out, char job[ENGINE_JOB_BYTES],
		       struct error *err)
{
	struct prepare_request request = {.template = SLICE_LITERAL(""), .job = job};
	const struct field_number numbers[] = {
		{"lifetime_s", UINT32_MAX, &request.lifetime_s},
		{"memory_mb", UINT32_MAX, &request.memory_mb},
		{"pids", UINT32_MAX, &request.pids},
		{"cpu_percent", UINT32_MAX, &request.cpu_percent},
		{"pool", UINT32_MAX, &request.pooled},
		{"session", UINT32_MAX, &request.session},
	};
	struct slice key, value;

	while (field_next(&fields, &key, &value)) {
		int taken = field_take_number(numbers, COUNT_OF(numbers), key, value);

		if (taken < 0 || (taken && ascii_is_of(value, "0")))
			return request_refuse(err, "a limit is not a number above 0");
		if (slice_eq(key, "template"))
			request.template = value;
		else if (slice_eq(key, "job") && !(ascii_is_of(value, ENGINE_JOB_ALPHABET) &&
						   slice_copy(value, job, ENGINE_JOB_BYTES)))
			return request_refuse(err, "a job's id is none");
		else if (!taken && !slice_eq(key, "job"))
			return request_refuse(err, "an unknown field");
	}
	if (fields.len > 0 || request.template.len == 0 || request.lifetime_s == 0)
		return request_refuse(err, "a field is missing or malformed");
	*out = request;
	return 0;
}
