/*
 * The body of POST /v1/runs: whatever comes, a request is refused with a 400 and a word, or
 * everything in it is within its bounds.
 */
#include "fuzz.h"

#include "api/runs/request.h"
#include "base/fs.h"
#include "base/utf8.h"

static void check_limits(const struct run_limits *limits)
{
	for (size_t i = 0; i < RUN_LIMIT_COUNT; i++) {
		uint64_t value = run_limit_of(limits, &run_limit_table[i]);

		must(value >= run_limit_table[i].least && value <= run_limit_table[i].most);
	}
}

static void check_environment(const json_t *env)
{
	const json_t *text;
	size_t i;

	must(json_array_size(env) <= INVOCATION_ENV_MAX_COUNT);
	json_array_foreach ((json_t *)env, i, text) {
		const char *value = json_string_value(text);

		must(strchr(value, '=') > value && strncmp(value, "LD_", 3) != 0);
		for (const char *const *ours = run_environment; *ours; ours++)
			must(strncmp(value, *ours, strcspn(*ours, "=") + 1) != 0);
	}
}

static void check_files(const struct run_request *request)
{
	must(request->staging.file_count <= STAGING_FILES_MAX);
	for (unsigned i = 0; i < request->staging.file_count; i++) {
		const char *path = request->staging.files[i].path;

		must(strncmp(path, RUN_INPUTS, strlen(RUN_INPUTS)) == 0 &&
		     strlen(path) <= JOB_PATH_MAX_BYTES);
		must(fs_is_relative_path(slice_of(path), JOB_ARTIFACT_DEPTH_MAX));
		for (unsigned j = 0; j < i; j++)
			must(strcmp(path, request->staging.files[j].path) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run_request request;
	struct error err = {0};
	struct slice body = {(const char *)data, size};

	if (run_request_begin(body, &request, &err) < 0 || run_request_take(&request, &err) < 0) {
		must(err.status == 400 && err.code && err.message[0]);
	} else {
		must(request.language.len > 0 && request.code.len > 0 &&
		     request.code.len <= RUN_CODE_MAX_BYTES);
		must(utf8_is_valid(request.code) && strlen(request.code.data) == request.code.len);
		must(json_array_size(request.invocation.args) <= INVOCATION_ARGS_MAX_COUNT);
		check_limits(&request.limits);
		check_environment(request.invocation.variables);
		check_files(&request);
	}
	run_request_free(&request);
	return 0;
}
