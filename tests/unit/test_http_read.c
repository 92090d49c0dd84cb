/* Reading from a connection: what tests/http/cases cannot say in bytes alone. */
#include "ends.h"
#include "tap.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "http/read.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

#define HOST "Host: localhost\r\n"

static void say(int fd, const char *text)
{
	if (io_send_all(fd, text, strlen(text), deadline_in(DEADLINE_MS)) < 0)
		abort();
}

/* Reads a head and a body; 0 or the status of the refusal. */
static int read_request(struct http_connection *connection, struct buf *body, struct error *err)
{
	if (http_read_head(connection, deadline_in(DEADLINE_MS), err) < 0 ||
	    http_read_body(connection, body, deadline_in(DEADLINE_MS), err) < 0)
		return err->status ? err->status : -1;
	return 0;
}

static void test_handed_over(void)
{
	struct ends ends = connect_pair();
	struct http_connection connection = http_connection_new(ends.server);
	_cleanup_buf_ struct buf body = buf_new(100);
	struct error err;

	if (buf_append_text(&connection.head, "POST / HTTP/1.0\r\nContent-Len") < 0)
		abort();
	say(ends.client, "gth: 4\r\n\r\nab");
	say(ends.client, "cdefgh");
	is_number(read_request(&connection, &body, &err), 0, "bytes that another has read count");
	is_text(buf_slice(&body).data, "abcd", "the body ends where it said");
	http_connection_free(&connection);

	connection = http_connection_new(-1);
	if (buf_append_text(&connection.head, "GET / HTTP/1.0\r\n\r\n") < 0)
		abort();
	is_number(http_read_head(&connection, deadline_in(0), &err), 0,
		  "a whole head needs no descriptor");
	http_connection_free(&connection);
	close(ends.server);
	close(ends.client);
}

/* A client that sends the body only once it was told to go on. */
static void *run_waiting_client(void *argument)
{
	static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct ends *ends = argument;
	char got[sizeof(interim)] = "";
	size_t len = 0;

	say(ends->client, "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
			  "Content-Length: 2\r\n\r\n");
	while (len < sizeof(interim) - 1) {
		ssize_t piece = io_read_some(ends->client, got + len, sizeof(interim) - 1 - len,
					     deadline_in(DEADLINE_MS));

		if (piece <= 0)
			return NULL;
		len += (size_t)piece;
	}
	say(ends->client, strcmp(got, interim) == 0 ? "ok" : "no");
	return NULL;
}

static void test_continue(void)
{
	struct ends ends = connect_pair();
	struct http_connection connection = http_connection_new(ends.server);
	_cleanup_buf_ struct buf body = buf_new(100);
	struct error err;
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_waiting_client, &ends) != 0)
		abort();
	is_number(read_request(&connection, &body, &err), 0, "a waiting client is answered");
	is_text(buf_slice(&body).data, "ok", "with 100 Continue, and sends its body");
	pthread_join(thread, NULL);
	http_connection_free(&connection);
	close(ends.server);
	close(ends.client);
}

/* What comes back when the request is sent whole. */
static void no_continue(const char *request, int status, const char *why)
{
	struct ends ends = connect_pair();
	struct http_connection connection = http_connection_new(ends.server);
	_cleanup_buf_ struct buf body = buf_new(4);
	struct error err;
	char byte;

	say(ends.client, request);
	shutdown(ends.client, SHUT_WR);
	is_number(read_request(&connection, &body, &err), status, "%s: status", why);
	is_number(recv(ends.client, &byte, 1, MSG_DONTWAIT), -1, "%s: no 100 Continue", why);
	http_connection_free(&connection);
	close(ends.server);
	close(ends.client);
}

/* Rule 1 of read.c. */
static void test_allocation(void)
{
	struct ends ends = connect_pair();
	struct http_connection connection = http_connection_new(ends.server);
	_cleanup_buf_ struct buf body = buf_new(32 * MIB);
	struct error err;

	say(ends.client, "POST / HTTP/1.1\r\n" HOST "Content-Length: 33554432\r\n\r\nx");
	shutdown(ends.client, SHUT_WR);
	is_number(read_request(&connection, &body, &err), 400, "32 MiB announced, one byte sent");
	is_text(err.code, "body_incomplete", "the body is incomplete");
	ok(body.capacity <= 2 * HTTP_BODY_READ_BYTES, "%zu bytes were allocated", body.capacity);
	http_connection_free(&connection);
	close(ends.server);
	close(ends.client);
}

/* close(2) with SO_LINGER 0 sends RST. */
static void test_client_gone(const char *sent)
{
	struct ends ends = connect_tcp();
	struct http_connection connection = http_connection_new(ends.server);
	_cleanup_buf_ struct buf body = buf_new(100);
	struct error err = {.code = ""};
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	say(ends.client, sent);
	if (http_read_head(&connection, deadline_in(DEADLINE_MS), &err) < 0)
		abort();
	setsockopt(ends.client, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(ends.client);
	is_number(http_read_body(&connection, &body, deadline_in(DEADLINE_MS), &err), -1,
		  "a connection that was reset");
	is_number(err.status, 0, "needs no answer");
	is_text(err.code, "client_gone", "the client is gone");
	http_connection_free(&connection);
	close(ends.server);
}

int main(void)
{
	test_handed_over();
	test_continue();
	no_continue("POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
		    "Content-Length: 2\r\n\r\nok",
		    0, "the body came at once");
	no_continue("POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
		    "Content-Length: 5\r\n\r\n",
		    413, "too large");
	no_continue("POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
		    "Content-Length: 0\r\n\r\n",
		    0, "no body to wait for");
	no_continue("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", 0,
		    "HTTP/1.0");
	no_continue("POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n", 400, "nobody asked");
	no_continue("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", 400,
		    "HTTP/1.0 cannot ask");
	test_allocation();
	test_client_gone("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nab");
	test_client_gone("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nab");
	return done();
}
