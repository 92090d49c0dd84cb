/*
 * The body of POST /v1/runs: every rule of src/api/runs/README.md with its message, in its order,
 * and each limit at its bounds.
 */
#include "api/runs/request.h"

#include "tap.h"
#include "util.h"

#include <inttypes.h>

static struct error err;

/* Both halves. */
static int parse(struct slice body, struct run_request *out)
{
	err = (struct error){0};
	return run_request_begin(body, out, &err) < 0 || run_request_take(out, &err) < 0 ? -1 : 0;
}

static void refuses(const char *body, const char *code, const char *message)
{
	struct run_request request;
	int parsed = parse(slice_of(body), &request);

	if (!ok(parsed == -1 && err.status == 400 && strcmp(err.code, code) == 0 &&
			strcmp(err.message, message) == 0,
		"%.70s: %s", body, message))
		printf("# %d %d %s: %s\n", parsed, err.status, err.code, err.message);
	run_request_free(&request);
}

#define CODE "\"language\":\"python\",\"code\":\"x\""

static void test_refusals(void)
{
	static const char files_type[] =
		"files must be an array of {\"id\",\"path\"}, both strings";
	static const struct {
		const char *body, *code, *message;
	} rows[] = {
		{"[]", "wrong_type", "the request body must be a JSON object"},
		{"\"x\"", "wrong_type", "the request body must be a JSON object"},
		{"{}", "language_required", "language is required"},
		{"{\"language\":\"\"}", "language_required", "language is required"},
		{"{\"language\":null}", "language_required", "language is required"},
		{"{\"language\":5}", "wrong_type", "language must be a string"},
		{"{\"language\":\"python\"}", "code_required", "code is required"},
		{"{\"language\":\"python\",\"code\":\"\"}", "code_required", "code is required"},
		{"{\"language\":\"python\",\"code\":[\"x\"]}", "wrong_type",
		 "code must be a string"},
		{"{" CODE ",\"stdin\":1}", "wrong_type", "stdin must be a string"},
		{"{" CODE ",\"args\":\"x\"}", "wrong_type", "args must be an array of strings"},
		{"{" CODE ",\"args\":[1]}", "wrong_type", "args must be an array of strings"},
		{"{" CODE ",\"args\":{\"0\":\"x\"}}", "wrong_type",
		 "args must be an array of strings"},
		{"{" CODE ",\"env\":[\"A=b\"]}", "wrong_type", "env must be an object of strings"},
		{"{" CODE ",\"env\":{\"A\":1}}", "wrong_type", "env must be an object of strings"},
		{"{" CODE ",\"env\":{\"LD_X\":1}}", "wrong_type",
		 "env must be an object of strings"},
		{"{" CODE ",\"env\":{\"\":\"x\"}}", "bad_env",
		 "env: a name must not be empty and must hold no '='"},
		{"{" CODE ",\"env\":{\"A=b\":\"x\"}}", "bad_env",
		 "env: a name must not be empty and must hold no '='"},
		{"{" CODE ",\"limits\":[]}", "wrong_type", "limits must be an object of integers"},
		{"{" CODE ",\"limits\":{\"cpu_ms\":\"5\"}}", "wrong_type",
		 "cpu_ms must be an integer"},
		{"{" CODE ",\"limits\":{\"cpu_ms\":5.0}}", "wrong_type",
		 "cpu_ms must be an integer"},
		{"{" CODE ",\"limits\":{\"cpu_ms\":1e3}}", "wrong_type",
		 "cpu_ms must be an integer"},
		{"{" CODE ",\"limits\":{\"cpu_ms\":true}}", "wrong_type",
		 "cpu_ms must be an integer"},
		{"{" CODE ",\"files\":{}}", "wrong_type", files_type},
		{"{" CODE ",\"files\":[\"file_0123456789ab\"]}", "wrong_type", files_type},
		{"{" CODE ",\"files\":[{\"id\":\"x\"}]}", "wrong_type", files_type},
		{"{" CODE ",\"files\":[{\"id\":1,\"path\":\"a\"}]}", "wrong_type", files_type},
		{"{" CODE ",\"files\":[{\"id\":\"x\",\"path\":null}]}", "wrong_type", files_type},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		refuses(rows[i].body, rows[i].code, rows[i].message);
}

static void test_order(void)
{
	refuses("{\"language\":\"\",\"code\":\"\",\"limits\":5,\"files\":5}", "language_required",
		"language is required");
	refuses("{\"language\":\"python\",\"code\":\"\",\"limits\":5,\"files\":5}", "code_required",
		"code is required");
	refuses("{" CODE ",\"limits\":{\"memory_mb\":513},\"files\":5}", "limit_too_large",
		"memory_mb exceeds maximum");
}

static void test_code_size(void)
{
	struct run_request request;
	size_t len = 204800;
	struct buf body = buf_new(MIB);

	must(buf_append_text(&body, "{\"language\":\"python\",\"code\":\"") == 0);

	char *code = buf_reserve(&body, len + 3);

	must(code);
	memset(code, 'x', len);
	memcpy(code + len, "\"}", 3);
	body.len += len + 2;
	is_number(parse(buf_slice(&body), &request), 0, "code of 204800 bytes");
	is_number(request.code.len, len, "all of it");
	run_request_free(&request);
	memcpy(code + len, "y\"}", 3);
	body.len++;
	is_number(parse(buf_slice(&body), &request), -1, "one more");
	is_text(err.message, "code exceeds 200 KiB", "is too much");
	run_request_free(&request);
	buf_free(&body);
}

static void test_limits(void)
{
	static const struct {
		const char *name;
		uint64_t fallback, most, least;
	} rows[] = {
		{"timeout_ms", 5000, 10000, 1},
		{"memory_mb", 256, 512, 16},
		{"cpu_ms", 5000, 20000, 1},
		{"max_output_bytes", 1048576, 2097152, 1},
		{"max_artifact_bytes", 5242880, 20971520, 0},
		{"max_artifact_files", 10, 10, 0},
	};
	struct run_request request;
	char body[256], message[64];

	is_number(sizeof(rows) / sizeof(rows[0]), RUN_LIMIT_COUNT, "six limits");
	must(parse(SLICE_LITERAL("{" CODE ",\"limits\":{\"cpu_ms\":null,\"other\":[]}}"),
		   &request) == 0);
	for (size_t i = 0; i < RUN_LIMIT_COUNT; i++)
		is_number(run_limit_of(&request.limits, &run_limit_table[i]), rows[i].fallback,
			  "%s by default", rows[i].name);
	run_request_free(&request);
	for (size_t i = 0; i < RUN_LIMIT_COUNT; i++) {
		const uint64_t good[] = {rows[i].least, rows[i].most};

		is_text(run_limit_table[i].name, rows[i].name, "the row of %s", rows[i].name);
		for (size_t j = 0; j < 2; j++) {
			(void)snprintf(body, sizeof(body),
				       "{" CODE ",\"limits\":{\"%s\":%" PRIu64 "}}", rows[i].name,
				       good[j]);
			is_number(parse(slice_of(body), &request), 0, "%s %" PRIu64, rows[i].name,
				  good[j]);
			is_number(run_limit_of(&request.limits, &run_limit_table[i]), good[j],
				  "is what it becomes");
			run_request_free(&request);
		}
		(void)snprintf(body, sizeof(body), "{" CODE ",\"limits\":{\"%s\":%" PRIu64 "}}",
			       rows[i].name, rows[i].most + 1);
		(void)snprintf(message, sizeof(message), "%s exceeds maximum", rows[i].name);
		refuses(body, "limit_too_large", message);
		(void)snprintf(body, sizeof(body), "{" CODE ",\"limits\":{\"%s\":%" PRId64 "}}",
			       rows[i].name, (int64_t)rows[i].least - 1);
		(void)snprintf(message, sizeof(message), "%s is below minimum", rows[i].name);
		refuses(body, "limit_too_small", message);
		(void)snprintf(body, sizeof(body),
			       "{" CODE ",\"limits\":{\"%s\":9223372036854775807}}", rows[i].name);
		(void)snprintf(message, sizeof(message), "%s exceeds maximum", rows[i].name);
		refuses(body, "limit_too_large", message);
	}
}

/* The texts of an array, with blanks between. */
static const char *texts_of(const json_t *list)
{
	static char text[1024];
	const json_t *one;
	size_t i;

	text[0] = '\0';
	json_array_foreach ((json_t *)list, i, one)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
			       i ? " " : "", json_string_value(one));
	return text;
}

static void test_environment(void)
{
	struct run_request request;

	must(parse(SLICE_LITERAL(
			   "{" CODE
			   ",\"args\":[\"-x\",\"\",\"$(id)\"],\"stdin\":\"in\",\"env\":{\"A\":\"b=c\",\"LD_PRELOAD\":\"/x\",\"HOME\":\"/root\","
			   "\"TMPDIR\":\"/\",\"PATH\":\"/evil\",\"ld_x\":\"1\",\"LD\":\"2\",\"PATHS\":\"3\",\"PAT\":\"4\"}}"),
		   &request) == 0);
	is_text(texts_of(request.invocation.variables), "A=b=c ld_x=1 LD=2 PATHS=3 PAT=4",
		"LD_* and what we set ourselves are dropped");
	is_text(texts_of(request.invocation.args), "-x  $(id)", "arguments as they came");
	ok(slice_eq(request.invocation.standard_input, "in"), "standard input");
	run_request_free(&request);
	is_text(run_environment[0], "HOME=/work", "what we set begins with HOME");
	must(parse(SLICE_LITERAL(
			   "{" CODE
			   ",\"args\":null,\"env\":null,\"stdin\":null,\"files\":null,\"limits\":null}"),
		   &request) == 0);
	ok(request.staging.file_count == 0 && json_array_size(request.invocation.variables) == 0 &&
		   request.invocation.standard_input.len == 0,
	   "null is as good as nothing");
	run_request_free(&request);
}

static void test_counts(void)
{
	struct run_request request;
	static const struct {
		const char *start, *one, *end;
		int most;
		const char *code;
	} rows[] = {
		{"{" CODE ",\"args\":[", "\"a\"", "]}", INVOCATION_ARGS_MAX_COUNT, "too_many_args"},
		{"{" CODE ",\"env\":{", "\"V%d\":\"x\"", "}}", INVOCATION_ENV_MAX_COUNT, "bad_env"},
		{"{" CODE ",\"files\":[", "{\"id\":\"i\",\"path\":\"p%d\"}", "]}",
		 STAGING_FILES_MAX, "too_many_files"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int more = 0; more < 2; more++) {
			struct buf body = buf_new(MIB);

			must(buf_append_text(&body, rows[i].start) == 0);
			for (int n = 0; n < rows[i].most + more; n++) {
				char one[64];
				const char *mark = strstr(rows[i].one, "%d");

				if (mark)
					(void)snprintf(one, sizeof(one), "%.*s%d%s",
						       (int)(mark - rows[i].one), rows[i].one, n,
						       mark + 2);
				else
					(void)snprintf(one, sizeof(one), "%s", rows[i].one);
				must(buf_printf(&body, "%s%s", n ? "," : "", one) == 0);
			}
			must(buf_append_text(&body, rows[i].end) == 0);
			is_number(parse(buf_slice(&body), &request), more ? -1 : 0, "%d of them",
				  rows[i].most + more);
			if (more)
				is_text(err.code, rows[i].code, "one too many");
			run_request_free(&request);
			buf_free(&body);
		}
	}
}

static void test_paths(void)
{
	static const char *const good[] = {
		"a",        "a/b/c.txt", "-x",
		".hidden",  "a b",       "\\u00fc/\\u4e2d",
		"inputs/a", "a..b",      "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15"};
	static const struct {
		const char *path, *shown;
	} bad[] = {
		{"", ""},
		{"/etc/passwd", "/etc/passwd"},
		{"../x", "../x"},
		{"a/../b", "a/../b"},
		{"a/..", "a/.."},
		{".", "."},
		{"./a", "./a"},
		{"a//b", "a//b"},
		{"a/", "a/"},
		{"a\\nb", "a\nb"},
		{"a\\u007fb", "a\x7f"
			      "b"},
		{"1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16",
		 "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16"},
	};
	static const struct {
		const char *first, *second, *why;
	} collisions[] = {{"a", "a", ": it is there twice"},
			  {"a", "a/b", ": another file is in its way"},
			  {"a/b", "a", ": another file is in its way"},
			  {"a/b/c", "a/b", ": another file is in its way"}};
	struct run_request request;
	char body[2048], message[1200];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		(void)snprintf(body, sizeof(body),
			       "{" CODE ",\"files\":[{\"id\":\"i\",\"path\":\"%s\"}]}", good[i]);
		ok(parse(slice_of(body), &request) == 0 &&
			   strncmp(request.staging.files[0].path, "inputs/", 7) == 0,
		   "a good path: %s", good[i]);
		run_request_free(&request);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(body, sizeof(body),
			       "{" CODE ",\"files\":[{\"id\":\"i\",\"path\":\"%s\"}]}",
			       bad[i].path);
		(void)snprintf(message, sizeof(message), "invalid file path: %s", bad[i].shown);
		refuses(body, "bad_file_path", message);
	}
	for (size_t i = 0; i < sizeof(collisions) / sizeof(collisions[0]); i++) {
		(void)snprintf(
			body, sizeof(body),
			"{" CODE
			",\"files\":[{\"id\":\"i\",\"path\":\"%s\"},{\"id\":\"j\",\"path\":\"%s\"}]}",
			collisions[i].first, collisions[i].second);
		(void)snprintf(message, sizeof(message), "invalid file path: %s%s",
			       collisions[i].second, collisions[i].why);
		refuses(body, "bad_file_path", message);
	}
	must(parse(SLICE_LITERAL(
			   "{" CODE
			   ",\"files\":[{\"id\":\"i\",\"path\":\"ab\"},{\"id\":\"i\",\"path\":\"a\"},{\"id\":\"i\",\"path\":\"a.b\"}]}"),
		   &request) == 0);
	is_number(request.staging.file_count, 3,
		  "neighbours do not collide, and one file may come twice");
	run_request_free(&request);
}

/* A path of 1025 bytes with what comes before it, in components of good length. */
static void test_long_path(void)
{
	struct run_request request;

	for (size_t len = 1017; len <= 1018; len++) {
		char path[1100], body[1300];

		for (size_t i = 0; i < len; i++)
			path[i] = i % 200 == 199 ? '/' : 'x';
		path[len] = '\0';
		(void)snprintf(body, sizeof(body),
			       "{" CODE ",\"files\":[{\"id\":\"i\",\"path\":\"%s\"}]}", path);
		is_number(parse(slice_of(body), &request), len > 1017 ? -1 : 0,
			  "a path of %zu bytes", len);
		run_request_free(&request);
	}
	is_text(err.code, "bad_file_path", "is too long");
}

int main(void)
{
	test_refusals();
	test_order();
	test_code_size();
	test_limits();
	test_environment();
	test_counts();
	test_paths();
	test_long_path();
	return done();
}
