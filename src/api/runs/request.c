#include "api/runs/request.h"

#include "config/template.h"

#define LIMIT(name, from, to)                                                                      \
	{                                                                                          \
		READ_FIELD(struct run_limits, name, #name, READ_NUMBER), READ_BOUNDS(from, to),    \
			.too_small = {"limit_too_small", "is below minimum"}, .too_large = {       \
				"limit_too_large",                                                 \
				"exceeds maximum"                                                  \
			}                                                                          \
	}

const struct json_field run_limit_table[RUN_LIMIT_COUNT] = {
	LIMIT(timeout_ms, 1, 10000),
	LIMIT(memory_mb, 16, 512),
	LIMIT(cpu_ms, 1, 20000),
	LIMIT(max_output_bytes, 1, 2097152),
	LIMIT(max_artifact_bytes, 0, 20971520),
	LIMIT(max_artifact_files, 0, 10),
};

const struct run_limits run_limit_defaults = {
	.timeout_ms = 5000,
	.memory_mb = 256,
	.cpu_ms = 5000,
	.max_output_bytes = 1048576,
	.max_artifact_bytes = 5242880,
	.max_artifact_files = 10,
};

const char *const run_environment[] = {
	"HOME=/work", "TMPDIR=/work/tmp",
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};

#define FIELD(place, name, kind) READ_FIELD(struct run_request, place, name, kind)

/* In the order in which they are checked. */
enum field { LANGUAGE, CODE, LIMITS, LAST, FIELD_COUNT = LAST + 2 };

static const struct json_field fields[FIELD_COUNT] = {
	[LANGUAGE] = {FIELD(language, "language", READ_SLICE), READ_BOUNDS(1, SIZE_MAX),
		      READ_REQUIRED, .too_small = {"language_required", "is required"}},
	[CODE] = {FIELD(code, "code", READ_SLICE), READ_BOUNDS(1, RUN_CODE_MAX_BYTES),
		  READ_REQUIRED, .too_small = {"code_required", "is required"},
		  .too_large = {"code_too_large", "exceeds 200 KiB"}},
	[LIMITS] = {FIELD(asked_limits, "limits", READ_OBJECT), .wanted = "an object of integers"},
	[LAST] = {FIELD(wants_cached, "cache", READ_FLAG)},
	{FIELD(files, "files", READ_ANY)},
};

uint64_t run_limit_of(const struct run_limits *limits, const struct json_field *row)
{
	uint64_t value;

	memcpy(&value, (const char *)limits + row->offset, sizeof(value));
	return value;
}

void run_request_free(struct run_request *request)
{
	json_decref(request->body);
	invocation_free(&request->invocation);
	staging_free(&request->staging);
}

int run_language(const struct config *config, struct slice name, struct language *out,
		 struct error *err)
{
	struct template template;
	int loaded = language_load(config, name, out, err);

	if (loaded == 0 && out->runs.argv)
		loaded = template_load(config, slice_of(out->runs.template), &template, err);
	if (loaded == 0 ? !out->runs.argv : err->status == 404)
		return error_set(err, 400, "language_unsupported", "unsupported language");
	return loaded;
}

static int take(struct run_request *request, enum field first, size_t count, struct error *err)
{
	return json_take(request->body, "", fields + first, count, JSON_NULL_IS_ABSENT, request,
			 err);
}

int run_request_begin(struct slice body, struct run_request *out, struct error *err)
{
	*out = (struct run_request){.limits = run_limit_defaults};
	if (json_parse(body, &out->body, err) < 0)
		return -1;
	if (!json_is_object(out->body))
		return error_set(err, 400, "wrong_type", "the request body must be a JSON object");
	return take(out, LANGUAGE, 1, err);
}

int run_request_take(struct run_request *request, struct error *err)
{
	if (take(request, CODE, 1, err) < 0 ||
	    invocation_take(request->body, run_environment, NULL, &request->invocation, err) < 0 ||
	    take(request, LIMITS, 1, err) < 0 ||
	    json_take(request->asked_limits, "", run_limit_table, RUN_LIMIT_COUNT,
		      JSON_NULL_IS_ABSENT, &request->limits, err) < 0 ||
	    take(request, LAST, FIELD_COUNT - LAST, err) < 0)
		return -1;
	return staging_list(&request->staging, request->files, RUN_INPUTS, err);
}
