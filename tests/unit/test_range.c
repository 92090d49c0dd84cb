/* Conditional requests and byte ranges of mayfly-static: the arithmetic at its edges, and hostile
 * field values. */
#include "http/range.h"

#include "tap.h"

#include <stdio.h>

#define BIG ((uint64_t)1 << 40)

static struct static_validators file_of(uint64_t size)
{
	struct stat status = {.st_ino = 7, .st_size = (off_t)size};

	status.st_mtim.tv_sec = 784111777;
	return static_validators_of(&status);
}

/* Evaluates a request with those field lines (each ended by CRLF). */
static enum static_outcome evaluate(const char *method, const char *fields, uint64_t size,
				    struct static_part *part)
{
	static char head[8192];
	struct http_request request;
	struct static_validators file = file_of(size);
	struct error err;
	int len =
		snprintf(head, sizeof(head), "%s / HTTP/1.1\r\nHost: a\r\n%s\r\n", method, fields);

	if (!ok(http_parse_head(head, (size_t)len, &request, &err) == 1, "head parses"))
		return STATIC_WHOLE;
	return static_evaluate(&request, &file, part);
}

static void check_range(const char *range, uint64_t size, enum static_outcome outcome,
			uint64_t first, uint64_t length)
{
	struct static_part part;
	char fields[4200];

	snprintf(fields, sizeof(fields), "Range: %s\r\n", range);
	is_number(evaluate("GET", fields, size, &part), outcome, "outcome of %.40s", range);
	if (outcome != STATIC_NOT_SATISFIABLE) {
		is_number(part.first, first, "first of %.40s", range);
		is_number(part.length, length, "length of %.40s", range);
	}
}

static void test_ranges(void)
{
	check_range("bytes=0-0", 1, STATIC_PART, 0, 1);
	check_range("bytes=0-", 1, STATIC_PART, 0, 1);
	check_range("bytes=1-", 1, STATIC_NOT_SATISFIABLE, 0, 0);
	check_range("bytes=0-18446744073709551615", 10, STATIC_PART, 0, 10);
	check_range("bytes=0-18446744073709551616", 10, STATIC_PART, 0, 10);
	check_range("bytes=18446744073709551615-18446744073709551615", 10, STATIC_NOT_SATISFIABLE,
		    0, 0);
	check_range("bytes=-18446744073709551616", 10, STATIC_PART, 0, 10);
	check_range("bytes=-1", 10, STATIC_PART, 9, 1);
	check_range("bytes=-0", 10, STATIC_NOT_SATISFIABLE, 0, 0);
	check_range("bytes=4294967296-4294967297", BIG, STATIC_PART, 4294967296, 2);
	check_range("bytes=9-8", 10, STATIC_WHOLE, 0, 10);
	check_range("bytes=0-1,2-3", 10, STATIC_WHOLE, 0, 10);
	check_range("bytes=", 10, STATIC_WHOLE, 0, 10);
	check_range("bytes=-", 10, STATIC_WHOLE, 0, 10);
	check_range("byte=0-1", 10, STATIC_WHOLE, 0, 10);
	check_range("bytes=0-0", 0, STATIC_WHOLE, 0, 0);
	check_range("bytes=-5", 0, STATIC_WHOLE, 0, 0);
}

static void test_long_number(void)
{
	char range[4100];

	snprintf(range, sizeof(range), "bytes=0-%04000d", 3);
	check_range(range, 10, STATIC_PART, 0, 4);
}

static void test_methods(void)
{
	struct static_part part;

	is_number(evaluate("HEAD", "Range: bytes=0-0\r\n", 10, &part), STATIC_WHOLE,
		  "a range is for GET");
	is_number(part.length, 10, "and HEAD tells the whole length");
}

static void test_lists(void)
{
	struct static_validators file = file_of(10);
	static const struct {
		const char *format;
		enum static_outcome outcome;
	} cases[] = {
		{"If-None-Match: %s\r\n", STATIC_NOT_MODIFIED},
		{"If-None-Match: W/%s\r\n", STATIC_NOT_MODIFIED},
		{"If-None-Match: \"a\" , %s\r\n", STATIC_NOT_MODIFIED},
		{"If-None-Match: \"a\",,, %s\r\n", STATIC_NOT_MODIFIED},
		{"If-None-Match: \"a\"\r\nIf-None-Match: %s\r\n", STATIC_NOT_MODIFIED},
		{"If-None-Match: a, %s\r\n", STATIC_WHOLE},
		{"If-None-Match: x%s\r\n", STATIC_WHOLE},
		{"If-None-Match: w/%s\r\n", STATIC_WHOLE},
		{"If-Match: %s\r\n", STATIC_WHOLE},
		{"If-Match: W/%s\r\n", STATIC_PRECONDITION_FAILED},
	};
	struct static_part part;
	char fields[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(fields, sizeof(fields), cases[i].format, file.etag);
#pragma GCC diagnostic pop
		is_number(evaluate("GET", fields, 10, &part), cases[i].outcome, "%s",
			  cases[i].format);
	}
	is_number(evaluate("GET", "If-None-Match: \"open\r\n", 10, &part), STATIC_WHOLE,
		  "an open quote ends the list");
	is_number(evaluate("GET", "If-None-Match: \r\n", 10, &part), STATIC_WHOLE,
		  "an empty list holds nothing");
}

static void test_dates(void)
{
	static const char *const same[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
					   "Sunday, 06-Nov-94 08:49:37 GMT",
					   "Sun Nov  6 08:49:37 1994"};
	static const char *const bad[] = {"Sun, 06 Nov 1994 08:49:37", "784111777", "",
					  "Sun, 06 Nov 1994 08:49:37 GMT GMT"};
	struct static_part part;
	char fields[256];

	is_text(file_of(1).modified, same[0], "Last-Modified is an IMF-fixdate");
	for (size_t i = 0; i < 3; i++) {
		snprintf(fields, sizeof(fields), "If-Modified-Since: %s\r\n", same[i]);
		is_number(evaluate("GET", fields, 10, &part), STATIC_NOT_MODIFIED, "%s", same[i]);
	}
	for (size_t i = 0; i < 4; i++) {
		snprintf(fields, sizeof(fields), "If-Modified-Since: %s\r\n", bad[i]);
		is_number(evaluate("GET", fields, 10, &part), STATIC_WHOLE, "ignored: %s", bad[i]);
	}
}

static void test_etag(void)
{
	struct stat status = {.st_ino = 7, .st_size = 10};
	struct static_validators first = static_validators_of(&status), other;

	status.st_mtim.tv_nsec = 1;
	other = static_validators_of(&status);
	ok(strcmp(first.etag, other.etag) != 0, "a nanosecond makes another tag");
	status.st_mtim.tv_nsec = 0;
	status.st_ino = 8;
	other = static_validators_of(&status);
	ok(strcmp(first.etag, other.etag) != 0, "another file has another tag");
	ok(first.etag[0] == '"' && first.etag[strlen(first.etag) - 1] == '"', "it is quoted");
}

int main(void)
{
	test_ranges();
	test_long_number();
	test_methods();
	test_lists();
	test_dates();
	test_etag();
	return done();
}
