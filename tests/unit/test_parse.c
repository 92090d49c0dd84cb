/* The request head: the facts it yields, that every cut of it agrees with the whole, and the exact
 * limits. */
#include "tap.h"

#include "base/buf.h"
#include "http/parse.h"

#include <stdlib.h>

static bool slice_is(struct slice got, const char *want)
{
	return slice_eq(got, want);
}

static bool lies_within(struct slice part, const char *data, size_t len)
{
	return part.data >= data && part.data + part.len <= data + len;
}

static void test_facts(void)
{
	static const char head[] = "POST http://localhost:8080/run?a=b HTTP/1.1\r\n"
				   "Host: ignored.example\r\n"
				   "X-Twice: first\r\n"
				   "x-twice:\tsecond \r\n"
				   "Content-Length: 12\r\n"
				   "Expect: 100-continue\r\n"
				   "\r\n"
				   "body";
	struct http_request request;
	struct error err;
	const struct slice *value;

	is_number(http_parse_head(head, sizeof(head) - 1, &request, &err), 1, "a whole head");
	ok(request.method == HTTP_POST && slice_is(request.method_text, "POST"), "method");
	ok(slice_is(request.target, "http://localhost:8080/run?a=b"), "target as sent");
	ok(slice_is(request.path, "/run") && slice_is(request.query, "a=b"), "path and query");
	ok(slice_is(request.host, "localhost:8080"), "the target's authority is the host");
	is_number(request.minor_version, 1, "version");
	is_number(request.field_count, 5, "fields");
	ok(request.has_content_length && !request.chunked && request.expect_continue, "framing");
	is_number(request.content_length, 12, "content length");
	is_number(request.head_len, sizeof(head) - 1 - 4, "head_len ends before the body");
	value = http_field(&request, "X-TWICE");
	ok(value && slice_is(*value, "first"), "the first of two fields, by any case");
	ok(slice_is(request.fields[2].value, "second"), "blanks are not part of a value");
	ok(!http_field(&request, "X-Absent"), "no such field");
	for (unsigned i = 0; i < request.field_count; i++)
		ok(lies_within(request.fields[i].name, head, sizeof(head)) &&
			   lies_within(request.fields[i].value, head, sizeof(head)),
		   "field %u lies in the input", i);
}

static void test_methods(void)
{
	static const struct {
		const char *text;
		enum http_method method;
	} methods[] = {
		{"GET", HTTP_GET},     {"HEAD", HTTP_HEAD},     {"POST", HTTP_POST},
		{"PUT", HTTP_PUT},     {"DELETE", HTTP_DELETE}, {"OPTIONS", HTTP_OPTIONS},
		{"PATCH", HTTP_OTHER}, {"TRACE", HTTP_OTHER},   {"get", HTTP_OTHER},
	};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		struct http_request request;
		struct error err;
		char head[64];

		(void)snprintf(head, sizeof(head), "%s / HTTP/1.0\r\n\r\n", methods[i].text);
		is_number(http_parse_head(head, strlen(head), &request, &err), 1, "%s is read",
			  methods[i].text);
		is_number(request.method, methods[i].method, "%s", methods[i].text);
	}
}

/* Every prefix of a good head needs more, and leaves the result untouched. */
static void test_prefixes(void)
{
	static const char head[] = "GET /a?b HTTP/1.1\r\nHost: localhost\r\nA: b\r\n\r\n";
	struct http_request request;
	struct error err;
	size_t len = sizeof(head) - 1;

	for (size_t cut = 0; cut < len; cut++) {
		request.head_len = 4711;
		if (http_parse_head(head, cut, &request, &err) != 0 || request.head_len != 4711) {
			ok(false, "a head cut at %zu needs more", cut);
			return;
		}
	}
	ok(true, "every prefix needs more");
	is_number(http_parse_head(head, len, &request, &err), 1, "and the whole is enough");
}

/* The refusal comes with the byte that earns it: one byte less still needs more. */
static void test_earliest(void)
{
	static const struct {
		const char *head;
		int status;
		const char *code;
	} cases[] = {
		{"\x16", 400, "control_byte"},
		{"{", 400, "bad_method"},
		{"\r\n", 400, "empty_line"},
		{"GET /\n", 400, "bare_lf"},
		{"GET /#", 400, "bad_target"},
		{"GET / h", 400, "bad_request_line"},
		{"GET / HTTP/1.1\rX", 400, "bare_cr"},
		{"GET / HTTP/2.0\r\n", 505, "version_not_supported"},
		{"GET x HTTP/1.1\r\n", 400, "bad_target"},
		{"GET / HTTP/1.1\r\n ", 400, "obs_fold"},
		{"GET / HTTP/1.1\r\nHost ", 400, "blank_before_colon"},
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n", 400, "host_doubled"},
		{"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400,
		 "te_and_content_length"},
		{"GET / HTTP/1.1\r\n\r\n", 400, "host_missing"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_request request;
		struct error err = {0};
		size_t len = strlen(cases[i].head);

		is_number(http_parse_head(cases[i].head, len - 1, &request, &err), 0,
			  "%s: not before", cases[i].code);
		is_number(http_parse_head(cases[i].head, len, &request, &err), -1, "%s: at once",
			  cases[i].code);
		is_text(err.code ? err.code : "", cases[i].code, "its code");
		is_number(err.status, cases[i].status, "its status");
	}
}

/* Builds before, then count bytes of 'a', then after; returns what the parser makes of it. */
static int parse_filled(const char *before, size_t count, const char *after, struct error *err)
{
	_cleanup_buf_ struct buf head = buf_new(4 * HTTP_HEAD_MAX_BYTES);
	struct http_request request;
	int failed = buf_append_text(&head, before);

	for (size_t i = 0; i < count; i++)
		failed |= buf_append(&head, "a", 1);
	if (failed | buf_append_text(&head, after))
		abort();
	return http_parse_head(head.data, head.len, &request, err);
}

static void test_limits(void)
{
	static const char line[] = "GET /", line_end[] = " HTTP/1.1\r\nHost: a\r\n\r\n";
	static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\nX: ", head_end[] = "\r\n\r\n";
	size_t of_line = HTTP_REQUEST_LINE_MAX_BYTES - strlen("GET / HTTP/1.1");
	size_t of_head = HTTP_HEAD_MAX_BYTES - strlen(head) - strlen(head_end);
	struct error err;

	is_number(parse_filled(line, of_line, line_end, &err), 1, "the longest request line");
	is_number(parse_filled(line, of_line + 1, line_end, &err), -1, "one byte more");
	is_number(err.status, 414, "is 414");
	is_number(parse_filled(line, HTTP_REQUEST_LINE_MAX_BYTES - 5, "", &err), 0,
		  "a line that may still end");
	is_number(parse_filled(line, HTTP_REQUEST_LINE_MAX_BYTES - 4, "", &err), -1,
		  "and one that cannot");
	is_text(err.code, "request_line_too_long", "before its end was seen");
	is_number(parse_filled(head, of_head, head_end, &err), 1, "the longest head");
	is_number(parse_filled(head, of_head + 1, head_end, &err), -1, "one byte more");
	is_number(err.status, 431, "is 431");
	is_number(parse_filled(head, HTTP_HEAD_MAX_BYTES, "", &err), -1,
		  "a head that cannot end in time");
	is_text(err.code, "head_too_long", "before its end was seen");
}

int main(void)
{
	test_facts();
	test_methods();
	test_prefixes();
	test_earliest();
	test_limits();
	return done();
}
