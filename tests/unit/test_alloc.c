/*
 * Memory runs out once, at each allocation in turn, on the way from a request to its job and back
 * to JSON: the step says so by its error, nothing crashes, nothing leaks, and no text is silently
 * another.
 *
 * malloc(3) and its kin are replaced (glibc manual, "Replacing malloc"). Under AddressSanitizer,
 * which has replaced them already, the allocations of json.c, which are all of jansson's, and
 * those of buf.c fail, by another name for malloc in a copy of their own; the sanitizer looks for
 * leaks.
 */
#include "job/tool_job.h"
#include "json/schema.h"

#include "tap.h"
#include "util.h"

#include <setjmp.h>
#include <sys/random.h>

static unsigned long allocations, fail_at; /* fail_at 0: none fails */
static long live;

static bool is_to_fail(void)
{
	return ++allocations == fail_at;
}

#ifdef __SANITIZE_ADDRESS__

static void *failing_realloc(void *old, size_t size)
{
	return is_to_fail() ? NULL : realloc(old, size);
}

#define malloc(size)       failing_realloc(NULL, size)
#define realloc(old, size) failing_realloc(old, size)
#include "../../src/base/buf.c"
#include "../../src/json/json.c"
#undef malloc
#undef realloc

#else

/* glibc's own, by the names that replacements are meant to call. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void __libc_free(void *old);

static void *counted(void *memory)
{
	live += memory != NULL;
	return memory;
}

static void *out_of_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

void *malloc(size_t size)
{
	return is_to_fail() ? out_of_memory() : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
	return is_to_fail() ? out_of_memory() : counted(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size)
{
	if (is_to_fail())
		return out_of_memory();

	void *memory = __libc_realloc(old, size);

	live += !old && memory;
	return memory;
}

void free(void *old)
{
	live -= old != NULL;
	__libc_free(old);
}

#endif

static struct config config;
static struct tool tool;
static struct buf written = {.max = MIB};

/* A request becomes a job and its values are written. 0, or -1 with *err. */
static int take(const char *request, struct error *err)
{
	_cleanup_json_ json_t *input = NULL, *issues = json_array(), *values = json_object();
	static struct job_input inputs[JOB_INPUT_MAX_COUNT];
	_cleanup_tool_job_ struct tool_job made = {0};
	struct job job = {0};
	int result = -1;

	if (!issues || !values)
		(void)error_set(err, 500, "out_of_memory", "no memory to begin with");
	else if (json_parse(slice_of(request), &input, err) == 0 &&
		 schema_validate(tool.parameters, input, issues, values, err) == 0) {
		if (json_array_size(issues))
			result = json_write(issues, &written);
		else if (tool_job(&config, &tool, values, &made, &job, inputs, err) == 0)
			result = json_write(values, &written);
		else
			goto out;
		if (result < 0)
			(void)error_set(err, 500, "out_of_memory", "no memory to write");
	}
out:
	return result;
}

/* Each allocation of the request fails once. Counts what went wrong in any way. */
static void fail_each(const char *request, const char *want)
{
	unsigned long rounds = 0;
	unsigned wrong_text = 0, wrong_error = 0, leaked = 0;
	struct error err, first = {.message = ""};

	for (bool is_last = false; !is_last; rounds++) {
		long before;

		buf_free(&written);
		before = live;
		err = (struct error){.code = "", .message = ""};
		allocations = 0;
		fail_at = rounds + 1;

		int result = take(request, &err);

		is_last = allocations < fail_at;
		fail_at = 0;
		if (result == 0)
			wrong_text += strcmp(buf_slice(&written).data, want) != 0;
		else if (err.status != 500) {
			wrong_error++;
			first = err;
		}
		if (is_last)
			wrong_text += result != 0;
		buf_free(&written);
		leaked += live != before;
	}
	ok(rounds > 10, "%lu allocations fail, each once: %.40s", rounds - 1, request);
	is_number(wrong_text, 0, "what comes out is right or nothing");
	ok(wrong_error == 0, "the error is ours, not the client's %s", first.message);
	is_number(leaked, 0, "nothing leaks");
}

static void test_requests(void)
{
	fail_each("{\"code\":\"echo hi\",\"language\":\"python\",\"filename\":\"-a.py\"}",
		  "{\"language\":\"python\",\"code\":\"echo hi\",\"filename\":\"-a.py\"}");
	fail_each(
		"{\"code\":\"\",\"language\":\"cobol\",\"filename\":5}",
		"[{\"code\":\"invalid_value\",\"path\":[\"language\"],\"message\":\"Invalid option: expected one of "
		"\\\"bash\\\"|\\\"bun\\\"|\\\"node\\\"|\\\"php\\\"|\\\"python\\\"|\\\"ruby\\\"\"},"
		"{\"code\":\"too_small\",\"path\":[\"code\"],\"message\":\"Code must not be empty\"},"
		"{\"code\":\"invalid_type\",\"path\":[\"filename\"],\"message\":\"Invalid input: expected string, received number\"}]");
	fail_each(
		"{\"code\":\"1\",\"a\":[[{\"b\":1.5e3}],true,null,-9007199254740993],\"c\":\"\\ud83d\\ude00\"}",
		"{\"language\":\"bash\",\"code\":\"1\",\"filename\":\"script.js\"}");
}

/* The text grows past each size of jansson's buffer, so that every byte of a string is once the
 * one there is no room for. */
static void test_lengths(void)
{
	char request[256], want[256], code[80];

	for (int len = 1; len < 70; len++) {
		memset(code, 'c', (size_t)len);
		code[len] = '\0';
		(void)snprintf(request, sizeof(request), "{\"code\":\"%s\"}", code);
		(void)snprintf(want, sizeof(want),
			       "{\"language\":\"bash\",\"code\":\"%s\",\"filename\":\"script.js\"}",
			       code);
		fail_each(request, want);
		(void)snprintf(request, sizeof(request), "{\"code\":\"1\",\"n\":%.*s}",
			       len < 18 ? len : 18, "123456789012345678");
		fail_each(request,
			  "{\"language\":\"bash\",\"code\":\"1\",\"filename\":\"script.js\"}");
	}
}

static void test_load(void)
{
	unsigned long rounds = 0;
	unsigned wrong = 0, leaked = 0;
	struct error err;

	for (bool is_last = false; !is_last; rounds++) {
		struct tool other;
		long before = live;

		allocations = 0;
		fail_at = rounds + 1;

		int result = tool_load(&config, "code_execution", &other, &err);

		is_last = allocations < fail_at;
		fail_at = 0;
		wrong += result < 0 ? err.status != 500 || is_last
				    : json_object_size(other.parameters) != 3;
		if (result == 0)
			tool_free(&other);
		leaked += live != before;
	}
	ok(rounds > 50, "%lu allocations fail, each once, while a tool is read", rounds - 1);
	is_number(wrong, 0, "it is read whole or refused");
	is_number(leaked, 0, "nothing leaks");
}

static void test_buf(void)
{
	_cleanup_buf_ struct buf buf = buf_new(KIB);

	must(buf_append_text(&buf, "kept") == 0);
	allocations = 0;
	fail_at = 1;
	errno = 0;
	is_number(buf_printf(&buf, "%0*d", 500, 0), -1, "a buffer that cannot grow refuses");
	fail_at = 0;
	is_number(errno, ENOMEM, "by ENOMEM");
	is_text(buf.data, "kept", "and keeps what it has");
}

int main(void)
{
	struct error err;

	config = test_config();
	must(tool_load(&config, "code_execution", &tool, &err) == 0);

	/* a refusal names the languages that there are: they are known from here on */
	_cleanup_json_ json_t *issues = json_array(), *values = json_object(),
			      *input = json_pack("{s:s}", "language", "none");

	must(tool_validate(&config, &tool, input, issues, values, &err) == 0);
	must(json_array_size(issues) > 0);
	test_requests();
	test_lengths();
	test_load();
	test_buf();
	tool_free(&tool);
	return done();
}
