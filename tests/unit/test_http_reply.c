/* Replies as bytes on the wire, and leaving in good order. */
#include "ends.h"
#include "tap.h"

#include "base/cleanup.h"
#include "base/date.h"
#include "base/io.h"
#include "bounds.h"
#include "http/reply.h"

#include <errno.h>
#include <pthread.h>

#define BIG_BODY_BYTES (8 * 1024 * 1024)

/* Everything until end of file. */
static void read_all(int fd, struct buf *out)
{
	struct error err;

	if (http_client_read(fd, deadline_in(DEADLINE_MS), out, &err) < 0)
		abort();
}

/* The wire form with its date, which must be one, replaced by "DATE". */
static void wire(const struct http_reply *reply, struct slice body, bool head_only, struct buf *out)
{
	struct ends ends = connect_pair();
	_cleanup_buf_ struct buf raw = buf_new(MIB);

	if (http_reply_send(ends.server, reply, body, head_only, deadline_in(DEADLINE_MS)) < 0)
		abort();
	close(ends.server);
	read_all(ends.client, &raw);
	close(ends.client);

	char *date = strstr(buf_slice(&raw).data, "\r\nDate: ");
	size_t skipped = strlen("\r\nDate: ");

	if (!ok(date && strncmp(date + skipped + DATE_HTTP_BYTES - 5, " GMT\r\n", 6) == 0,
		"the reply has a date"))
		return;
	if (buf_append(out, raw.data, (size_t)(date - raw.data) + skipped) < 0 ||
	    buf_append_text(out, "DATE") < 0 ||
	    buf_append_text(out, date + skipped + DATE_HTTP_BYTES - 1) < 0)
		abort();
}

static void test_wire(void)
{
	static const char common[] = "Date: DATE\r\nConnection: close\r\n"
				     "X-Content-Type-Options: nosniff\r\n";
	static const struct {
		const char *line, *length, *body;
		int status;
		bool head_only;
	} cases[] = {
		{"200 OK", "Content-Length: 5\r\n", "hello", 200, false},
		{"200 OK", "Content-Length: 5\r\n", "", 200, true},
		{"204 No Content", "", "", 204, false},
		{"304 Not Modified", "", "", 304, false},
		{"421 Misdirected Request", "Content-Length: 5\r\n", "hello", 421, false},
		{"599 ", "Content-Length: 5\r\n", "hello", 599, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_reply reply = http_reply_new(cases[i].status);
		_cleanup_buf_ struct buf got = buf_new(4096), want = buf_new(4096);

		if (http_reply_field(&reply, "X-N", "%d-%s", 7, "a") < 0 ||
		    buf_printf(&want, "HTTP/1.1 %s\r\n%s%sX-N: 7-a\r\n\r\n%s", cases[i].line,
			       common, cases[i].length, cases[i].body) < 0)
			abort();
		wire(&reply, SLICE_LITERAL("hello"), cases[i].head_only, &got);
		is_text(buf_slice(&got).data, want.data, "status %d%s", cases[i].status,
			cases[i].head_only ? ", head only" : "");
		http_reply_free(&reply);
	}
}

static void test_fields(void)
{
	static const char *const bad[] = {"a\r\nX: y", "a\n", "a\r", "\x01", "\x7f", "\x1b[31m"};
	struct http_reply reply = http_reply_new(200);
	char large[HTTP_REPLY_HEAD_MAX_BYTES];

	ok(http_reply_field(&reply, "A", "%s", "one\ttwo \xc3\xbc") == 0, "a good value");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		errno = 0;
		ok(http_reply_field(&reply, "B", "%s", bad[i]) < 0 && errno == EINVAL,
		   "value %zu with a control byte is refused", i);
	}
	ok(http_reply_field(&reply, "B", "a%cb", '\0') < 0 && errno == EINVAL, "so is NUL");
	memset(large, 'a', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	ok(http_reply_field(&reply, "B", "%s", large) < 0 && errno == EMSGSIZE,
	   "so is a value that does not fit");
	is_text(buf_slice(&reply.fields).data, "A: one\ttwo \xc3\xbc\r\n", "nothing of them stays");
	http_reply_free(&reply);
}

static void test_date(void)
{
	static const int64_t moments[] = {
		0,          68169599,   68169600,   784111777,   951782399,    951782400,
		951868799,  951868800,  1709164800, 1709251199,  1735689599,   4107542399,
		4107542400, 2147483648, 4102444800, 13569465600, 253402300799,
	};
	char got[DATE_HTTP_BYTES], want[64];

	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		time_t moment = (time_t)moments[i];
		struct tm parts;

		(void)gmtime_r(&moment, &parts);
		(void)strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &parts);
		date_http(moments[i], got);
		is_text(got, want, "%lld", (long long)moments[i]);
	}
	for (int64_t day = 0; day < 150000; day++) {
		time_t moment = (time_t)(day * 86400 + day % 86400);
		struct tm parts;

		(void)gmtime_r(&moment, &parts);
		(void)strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &parts);
		date_http(moment, got);
		if (strcmp(got, want) != 0) {
			is_text(got, want, "day %lld", (long long)day);
			return;
		}
	}
	ok(true, "each day of 410 years");
	date_http(-1, got);
	is_text(got, "Thu, 01 Jan 1970 00:00:00 GMT", "before 1970");
	date_http(INT64_MAX, got);
	is_text(got, "Fri, 31 Dec 9999 23:59:59 GMT", "after 9999");
}

struct reading {
	int fd;
	struct buf got;
};

static void *run_reader(void *argument)
{
	struct reading *reading = argument;

	read_all(reading->fd, &reading->got);
	return NULL;
}

static void test_big_body(void)
{
	struct ends ends = connect_pair();
	struct http_reply reply = http_reply_new(200);
	struct reading reading = {ends.client, buf_new(2 * BIG_BODY_BYTES)};
	_cleanup_free_ char *body = malloc(BIG_BODY_BYTES);
	pthread_t thread;

	if (!body || pthread_create(&thread, NULL, run_reader, &reading) != 0)
		abort();
	for (size_t i = 0; i < BIG_BODY_BYTES; i++)
		body[i] = (char)(i * 31 >> 8);
	is_number(http_reply_send(ends.server, &reply, (struct slice){body, BIG_BODY_BYTES}, false,
				  deadline_in(DEADLINE_MS)),
		  0, "8 MiB go out in pieces");
	close(ends.server);
	pthread_join(thread, NULL);
	ok(reading.got.len > BIG_BODY_BYTES &&
		   memcmp(reading.got.data + reading.got.len - BIG_BODY_BYTES, body,
			  BIG_BODY_BYTES) == 0,
	   "and arrive as they were");
	buf_free(&reading.got);
	http_reply_free(&reply);
	close(ends.client);
}

static void test_bad_clients(void)
{
	struct ends ends = connect_pair();
	struct http_reply reply = http_reply_new(200);
	_cleanup_free_ char *body = calloc(1, BIG_BODY_BYTES);
	struct slice big = {body, BIG_BODY_BYTES};

	if (!body)
		abort();
	errno = 0;
	ok(http_reply_send(ends.server, &reply, big, false, deadline_in(30)) < 0 &&
		   errno == ETIMEDOUT,
	   "a client that never reads costs us the deadline");
	close(ends.client);
	errno = 0;
	ok(http_reply_send(ends.server, &reply, big, false, deadline_in(DEADLINE_MS)) < 0 &&
		   errno == EPIPE,
	   "one that has gone is an error, not a signal");
	close(ends.server);
	http_reply_free(&reply);
}

/* A client that sends all of a large body before it looks for an answer. */
static void *run_talker(void *argument)
{
	static const char body[BIG_BODY_BYTES];
	struct reading *reading = argument;

	if (io_send_all(reading->fd, body, sizeof(body), deadline_in(DEADLINE_MS)) < 0)
		return NULL;
	shutdown(reading->fd, SHUT_WR);
	read_all(reading->fd, &reading->got);
	return NULL;
}

static void test_linger(void)
{
	struct ends ends = connect_tcp();
	struct http_reply reply = http_reply_new(413);
	struct reading reading = {ends.client, buf_new(MIB)};
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_talker, &reading) != 0)
		abort();
	is_number(http_reply_send(ends.server, &reply, SLICE_LITERAL("too large"), false,
				  deadline_in(DEADLINE_MS)),
		  0, "an early refusal");
	http_linger(ends.server);
	close(ends.server);
	pthread_join(thread, NULL);
	ok(strstr(buf_slice(&reading.got).data, "\r\n\r\ntoo large"),
	   "a client still sending 8 MiB can read it");
	buf_free(&reading.got);
	http_reply_free(&reply);
	close(ends.client);
}

/* Neither a silent client nor one that is gone holds us. */
static void test_linger_ends(void)
{
	struct ends ends = connect_pair();
	int64_t start = monotonic_us(), took_ms;

	http_linger(ends.server);
	took_ms = (monotonic_us() - start) / 1000;
	ok(took_ms >= HTTP_LINGER_DEADLINE_MS - 100 && took_ms < HTTP_LINGER_DEADLINE_MS + 5000,
	   "a silent client is left after %lld ms", (long long)took_ms);
	close(ends.client);
	start = monotonic_us();
	http_linger(ends.server);
	took_ms = (monotonic_us() - start) / 1000;
	ok(took_ms < HTTP_LINGER_DEADLINE_MS / 2, "one that is gone, at once");
	close(ends.server);
}

int main(void)
{
	test_wire();
	test_fields();
	test_date();
	test_big_body();
	test_bad_clients();
	test_linger();
	test_linger_ends();
	return done();
}
