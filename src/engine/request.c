#include "engine/request.h"

#include "base/frame.h"
#include "base/num.h"

int request_refuse(struct error *err, const char *what)
{
	return error_set(err, 400, "bad_request", "mayfly-engine: %s", what);
}

static int take_job(struct slice value, char job[ENGINE_JOB_BYTES], struct error *err)
{
	if (value.len >= ENGINE_JOB_BYTES)
		return request_refuse(err, "a job's id is too long");
	memcpy(job, value.data, value.len);
	job[value.len] = '\0';
	if (strspn(job, ENGINE_JOB_ALPHABET) != value.len) {
		job[0] = '\0';
		return request_refuse(err, "a job's id is none");
	}
	return 0;
}

int request_parse_make(struct slice fields, struct prepare_request *out, char job[ENGINE_JOB_BYTES],
		       struct error *err)
{
	struct prepare_request request = {.template = SLICE_LITERAL(""), .job = job};
	const struct {
		const char *key;
		uint64_t *place;
	} numbers[] = {
		{"lifetime_s", &request.lifetime_s},
		{"memory_mb", &request.memory_mb},
		{"pids", &request.pids},
		{"cpu_percent", &request.cpu_percent},
		{"pool", &request.pooled},
		{"session", &request.session},
	};
	struct slice key, value;

	while (field_next(&fields, &key, &value)) {
		bool known = slice_eq(key, "template");

		if (known)
			request.template = value;
		if (slice_eq(key, "job")) {
			known = true;
			if (take_job(value, job, err) < 0)
				return -1;
		}
		for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
			if (!slice_eq(key, numbers[i].key))
				continue;
			known = true;
			if (num_parse(value, 10, UINT32_MAX, numbers[i].place) < 0 ||
			    *numbers[i].place == 0)
				return request_refuse(err, "a limit is not a number above 0");
		}
		if (!known)
			return request_refuse(err, "an unknown field");
	}
	if (fields.len > 0 || request.template.len == 0 || request.lifetime_s == 0)
		return request_refuse(err, "a field is missing or malformed");
	*out = request;
	return 0;
}
