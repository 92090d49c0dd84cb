/*
 * Server-sent events: who asks for them, what is sent byte for byte, and a client that does not
 * read. And of the texts of a job's streams: joined they are what the whole would have become,
 * wherever the pieces were cut.
 */
#include "http/sse.h"

#include "base/utf8.h"
#include "server/stream.h"
#include "tap.h"
#include "util.h"

#include <sys/socket.h>

static void test_accept(void)
{
	static const struct {
		const char *accept;
		bool is_wanted;
	} rows[] = {
		{"text/event-stream", true},
		{"TEXT/Event-Stream", true},
		{"application/json, text/event-stream", true},
		{"text/event-stream;q=0.5 , */*", true},
		{"text/event-stream ; charset=utf-8", true},
		{"text/event-stream;q=0.01", true},
		{"text/event-stream;q=0", false},
		{"text/event-stream; q=0.000", false},
		{"text/event-stream; charset=utf-8; Q=0.0", false},
		{"text/event-stream;q=0, text/event-stream", true},
		{"application/json", false},
		{"*/*", false},
		{"text/*", false},
		{"text/event-streams", false},
		{"x-text/event-stream", false},
		{"", false},
		{" , ;", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request request = {
			.fields = {{SLICE_LITERAL("Accept"), slice_of(rows[i].accept)}},
			.field_count = 1};

		is_number(sse_is_accepted(&request), rows[i].is_wanted, "Accept: %s",
			  rows[i].accept);
	}
	ok(!sse_is_accepted(&(struct http_request){0}), "no Accept at all");
}

/* A connection whose other end has sent nothing. */
static void make_pair(int pair[2])
{
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
}

/* Everything that has arrived; the caller frees it. */
static char *received(int fd)
{
	size_t max = 4 * MIB, len = 0;
	char *text = malloc(max + 1);
	ssize_t got;

	must(text);
	while ((got = recv(fd, text + len, max - len, MSG_DONTWAIT)) > 0)
		len += (size_t)got;
	text[len] = '\0';
	return text;
}

static void test_bytes(void)
{
	int pair[2];

	make_pair(pair);

	struct sse sse = sse_new(pair[0], MIB);

	sse_begin(&sse);
	sse_event(&sse, "stdout", SLICE_LITERAL("{\"text\":\"a\"}"));
	sse_beat(&sse);
	is_number(sse_end(&sse, deadline_in(1000)), 0, "everything is sent");

	_cleanup_free_ char *text = received(pair[1]);
	const char *body = strstr(text, "\r\n\r\n");

	ok(strncmp(text, "HTTP/1.1 200 OK\r\n", 17) == 0, "a 200");
	ok(strstr(text, "\r\nContent-Type: text/event-stream\r\n") != NULL, "its type");
	ok(strstr(text, "\r\nCache-Control: no-store\r\n") &&
		   strstr(text, "\r\nX-Content-Type-Options: nosniff\r\n"),
	   "the fields that every reply has");
	ok(!strcasestr(text, "Content-Length") && strstr(text, "\r\nConnection: close\r\n"),
	   "its end is the connection's");
	must(body);
	is_text(body, "\r\n\r\nevent: stdout\ndata: {\"text\":\"a\"}\n\n",
		"one event, and no heartbeat so soon");
	sse.sent -= SSE_HEARTBEAT_MS;
	sse_beat(&sse);
	sse_beat(&sse);

	_cleanup_free_ char *beat = received(pair[1]);

	is_text(beat, ":\n\n", "one heartbeat when it is time");
	sse_free(&sse);
	close(pair[0]);
	close(pair[1]);
}

/* The client does not read: what it does not take is kept, and comes when it reads. */
static void test_slow_client(void)
{
	static char large[256 * 1024];
	int pair[2];

	make_pair(pair);
	memset(large, 'x', sizeof(large));

	struct sse sse = sse_new(pair[0], MIB);

	sse_event(&sse, "a", (struct slice){large, sizeof(large)});
	sse_event(&sse, "b", (struct slice){large, sizeof(large)});
	ok(sse.outgoing.len > 0 && !sse.is_broken, "%zu bytes are kept, and nothing has waited",
	   sse.outgoing.len);

	size_t before = sse.outgoing.len, heard = 0;
	_cleanup_free_ char *first = received(pair[1]);

	heard = strlen(first);
	ok(sse_push(&sse) ? sse.outgoing.len < before : sse.outgoing.len == 0,
	   "when it has read, more is sent");
	while (sse.outgoing.len) {
		_cleanup_free_ char *more = received(pair[1]);

		heard += strlen(more);
		(void)sse_push(&sse);
	}

	_cleanup_free_ char *rest = received(pair[1]);

	heard += strlen(rest);
	is_number(heard, 2 * (sizeof(large) + strlen("event: a\ndata: \n\n")),
		  "and nothing is lost");
	for (int i = 0; i < 8; i++)
		sse_event(&sse, "c", (struct slice){large, sizeof(large)});
	ok(sse.is_broken, "one that is too far behind is given up");
	is_number(sse_end(&sse, deadline_in(1000)), -1, "which the end says");
	sse_free(&sse);
	close(pair[0]);
	close(pair[1]);
}

static void test_gone_client(void)
{
	int pair[2];

	make_pair(pair);

	struct sse sse = sse_new(pair[0], MIB);

	close(pair[1]);
	sse_event(&sse, "a", SLICE_LITERAL("{}"));
	ok(sse.is_broken && sse.outgoing.len == 0,
	   "to one that has gone nothing is sent, and nothing kept");
	sse_event(&sse, "a", SLICE_LITERAL("{}"));
	is_number(sse.outgoing.len, 0, "later neither");
	sse_free(&sse);
	close(pair[0]);
}

/* Adds the texts of one stream's events. */
static void join(const char *events, const char *name, struct buf *out)
{
	char start[32];

	(void)snprintf(start, sizeof(start), "event: %s\ndata: ", name);
	for (const char *at = events; (at = strstr(at, start));) {
		at += strlen(start);

		json_t *value = json_loadb(at, strcspn(at, "\n"), JSON_ALLOW_NUL, NULL);

		must(value);

		const json_t *text = json_object_get(value, "text");

		must(json_is_string(text) &&
		     utf8_is_valid(
			     (struct slice){json_string_value(text), json_string_length(text)}));
		must(buf_append(out, json_string_value(text), json_string_length(text)) == 0);
		json_decref(value);
	}
}

/* Sends data in two pieces cut at one place, and one more piece of the other stream between
   them. */
static bool joins(struct slice data, size_t cut)
{
	struct http_connection connection = {0};
	struct call call = {.connection = &connection};
	struct buf whole = buf_new(MIB), joined = buf_new(MIB);
	int pair[2];

	make_pair(pair);
	connection.fd = pair[0];

	struct stream stream = stream_new(&call);

	stream.is_wanted = true;
	stream_open(&stream);
	stream_output(&stream, false, (struct slice){data.data, cut});
	stream_output(&stream, true, SLICE_LITERAL("\xe2"));
	stream_output(&stream, false, (struct slice){data.data + cut, data.len - cut});
	stream_output_end(&stream, false, false);
	must(utf8_append_clean(&whole, data) == 0);

	_cleanup_free_ char *events = received(pair[1]);

	join(events, "stdout", &joined);

	bool is_same = joined.len == whole.len &&
		       memcmp(buf_slice(&joined).data, buf_slice(&whole).data, whole.len) == 0;

	if (!is_same)
		printf("# cut at %zu: %s\n", cut, events);
	stream_free(&stream);
	buf_free(&whole);
	buf_free(&joined);
	close(pair[0]);
	close(pair[1]);
	return is_same;
}

static void test_borders(void)
{
	static const struct {
		const char *what;
		struct slice data;
	} rows[] = {
		{"characters of every length",
		 SLICE_LITERAL("a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80z")},
		{"none of them whole", SLICE_LITERAL("\xc3\xe4\xb8\xf0\x9f\x98")},
		{"an end that is not whole", SLICE_LITERAL("a\xf0\x9f\x98")},
		{"lone continuations", SLICE_LITERAL("\x80\x80\xbf\x80")},
		{"surrogates and overlong forms",
		 SLICE_LITERAL("\xed\xa0\x80\xc0\xaf\xe0\x80\xaf\xf5\x80\x80\x80")},
		{"NUL, escapes and newlines", SLICE_LITERAL("\0\x1b[31m\n\r\n\"\\")},
		{"a byte order mark", SLICE_LITERAL("\xef\xbb\xbfx\xff\xfe")},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool good = true;

		for (size_t cut = 0; cut <= rows[i].data.len; cut++)
			good &= joins(rows[i].data, cut);
		ok(good, "%s, cut anywhere", rows[i].what);
	}
}

static void test_stream_state(void)
{
	struct http_connection connection = {0};
	struct call call = {.connection = &connection};
	int pair[2];

	make_pair(pair);
	connection.fd = pair[0];

	struct stream stream = stream_new(&call);

	stream_open(&stream);
	stream_output(&stream, false, SLICE_LITERAL("x"));
	stream_event(&stream, "status", json_object());
	stream_tick(&stream);
	ok(!stream_reply(&stream, 200, SLICE_LITERAL("{}")),
	   "an answer to a client that wants no events is an ordinary one");

	_cleanup_free_ char *nothing = received(pair[1]);

	is_text(nothing, "", "nothing is sent to a client that wants no events");
	stream.is_wanted = true;
	ok(!stream_reply(&stream, 400, SLICE_LITERAL("{}")),
	   "so is a refusal before the stream begins");
	stream_open(&stream);
	stream_open(&stream);
	stream_output(&stream, true, SLICE_LITERAL("cut \xe4\xb8"));
	stream_output_end(&stream, true, true);
	ok(stream_reply(&stream, 200, SLICE_LITERAL("{}")), "the answer is its last event");

	_cleanup_free_ char *events = received(pair[1]);
	const char *body = strstr(events, "\r\n\r\n");

	must(body);
	is_text(body,
		"\r\n\r\nevent: stderr\ndata: {\"text\":\"cut \"}\n\nevent: result\ndata: {}\n\n",
		"one head; of a stream that was cut, no half character");
	ok(call.executor.watch.is_stream && call.executor.watch.may_probe && call.status == 200,
	   "whoever watches the client knows");
	stream_free(&stream);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	test_accept();
	test_bytes();
	test_slow_client();
	test_gone_client();
	test_borders();
	test_stream_state();
	return done();
}
