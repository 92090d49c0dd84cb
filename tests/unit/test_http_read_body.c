/* http/read.h, the body in pieces: counted and chunked, what lay behind the head first, and every
   way to end. */
#include "tap.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "http/read.h"

#include <sys/socket.h>

#define DEADLINE_MS 20000
#define MAX_BYTES   64
#define HEAD        "POST / HTTP/1.1\r\nHost: localhost\r\n"

/* Sends bytes, in part together with the head, and reads the body in pieces of step bytes. Their
   number, or -1; what came is appended to out. */
static ssize_t read_body(const char *head, struct slice body, size_t with_head, size_t step,
			 struct buf *out, struct error *err)
{
	int pair[2];
	struct http_body_reader reader;
	char piece[256];
	ssize_t len = -1, pieces = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -2;

	struct http_connection connection = http_connection_new(pair[0]);
	deadline_ms deadline = deadline_in(DEADLINE_MS);

	if (with_head > body.len)
		with_head = body.len;
	if (io_send_all(pair[1], head, strlen(head), deadline) < 0 ||
	    io_send_all(pair[1], body.data, with_head, deadline) < 0 ||
	    http_read_head(&connection, deadline, err) < 0)
		return -2;
	if (io_send_all(pair[1], body.data + with_head, body.len - with_head, deadline) < 0 ||
	    shutdown(pair[1], SHUT_WR) < 0)
		return -2;
	if (http_body_begin(&connection, MAX_BYTES, deadline, &reader, err) == 0)
		while ((len = http_body_read(&reader, piece, step, err)) > 0 && ++pieces)
			if ((size_t)len > step || buf_append(out, piece, (size_t)len) < 0)
				return -2;
	http_connection_free(&connection);
	close(pair[0]);
	close(pair[1]);
	return len < 0 ? -1 : pieces;
}

static void gives(const char *head, const char *body, const char *want, const char *what)
{
	for (size_t with_head = 0; with_head <= strlen(body); with_head++) {
		for (size_t step = 1; step <= 5; step += 2) {
			_cleanup_buf_ struct buf out = buf_new(256);
			struct error err = {.message = ""};
			ssize_t pieces =
				read_body(head, slice_of(body), with_head, step, &out, &err);

			if (!ok(pieces >= (ssize_t)(strlen(want) / step),
				"%s, %zu bytes with the head, by %zu: %s", what, with_head, step,
				err.message))
				continue;
			is_text(buf_slice(&out).data, want, "%s: its bytes", what);
		}
	}
}

static void refuses(const char *head, const char *body, int status, const char *code)
{
	for (size_t with_head = 0; with_head <= strlen(body); with_head++) {
		_cleanup_buf_ struct buf out = buf_new(256);
		struct error err = {.code = "none"};

		is_number(read_body(head, slice_of(body), with_head, 7, &out, &err), -1,
			  "%s, %zu bytes with the head", code, with_head);
		is_text(err.code, code, "%s: its code", code);
		is_number(err.status, status, "%s: its status", code);
	}
}

int main(void)
{
	gives(HEAD "Content-Length: 11\r\n\r\n", "hello worldGET /", "hello world",
	      "counted, with more behind it");
	gives(HEAD "Content-Length: 0\r\n\r\n", "", "", "empty");
	gives(HEAD "Transfer-Encoding: chunked\r\n\r\n",
	      "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\nGET /", "hello world",
	      "chunked, with more behind it");
	gives(HEAD "Transfer-Encoding: chunked\r\n\r\n", "0\r\n\r\n", "", "chunked and empty");
	refuses(HEAD "Content-Length: 11\r\n\r\n", "hello worl", 400, "body_incomplete");
	refuses(HEAD "Transfer-Encoding: chunked\r\n\r\n", "5\r\nhello\r\n", 400,
		"body_incomplete");
	refuses(HEAD "Transfer-Encoding: chunked\r\n\r\n", "5\r\nhelloo", 400, "chunk_end_bad");
	refuses(HEAD "Transfer-Encoding: chunked\r\n\r\n", "41\r\n", 413, "body_too_large");
	refuses(HEAD "Content-Length: 65\r\n\r\n", "x", 413, "body_too_large");
	refuses(HEAD "\r\n", "", 411, "length_required");
	return done();
}
