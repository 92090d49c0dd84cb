/*
 * One request from the connection.
 *
 * Rules:
 *  1. Nothing is allocated on a client's word: memory grows by at most HTTP_BODY_READ_BYTES, or to
 *     twice what has arrived, ahead of the bytes.
 *  2. Deadlines are absolute: a client that sends a byte now and then gains nothing by it.
 *  3. A body that is refused for its announced length is refused before "100 Continue" and before a
 *     byte of it is read.
 */
#include "http/read.h"

#include "base/io.h"

#include <errno.h>

struct http_connection http_connection_new(int fd)
{
	return (struct http_connection){
		.fd = fd,
		.head = buf_new(HTTP_HEAD_MAX_BYTES + HTTP_HEAD_READ_BYTES),
	};
}

void http_connection_free(struct http_connection *connection)
{
	buf_free(&connection->head);
}

static int read_failed(const char *timeout_code, struct error *err)
{
	if (errno == ETIMEDOUT)
		return error_set(err, 408, timeout_code, "the request did not arrive in time");
	return error_set_errno(err, 0, "client_gone", "the connection broke");
}

int http_read_head(struct http_connection *connection, deadline_ms deadline, struct error *err)
{
	struct buf *head = &connection->head;

	for (;;) {
		struct slice text = buf_slice(head);
		int parsed = http_parse_head(text.data, text.len, &connection->request, err);

		if (parsed != 0)
			return parsed < 0 ? -1 : 0;

		/* there is room: a longer head was refused */
		char *place = buf_reserve(head, HTTP_HEAD_READ_BYTES);
		ssize_t got = io_read_some(connection->fd, place, HTTP_HEAD_READ_BYTES, deadline);

		if (got < 0)
			return read_failed("head_timeout", err);
		if (got == 0 && head->len == 0)
			return error_set(err, 0, "no_request", "closed without a request");
		if (got == 0)
			return error_set(err, 400, "head_incomplete",
					 "the connection ended within the request head");
		head->len += (size_t)got;
		head->data[head->len] = '\0';
	}
}

/* What came in behind the head already. */
static struct slice leftover(const struct http_connection *connection)
{
	size_t head_len = connection->request.head_len;

	return (struct slice){connection->head.data + head_len, connection->head.len - head_len};
}

static int body_incomplete(struct error *err)
{
	return error_set(err, 400, "body_incomplete",
			 "the connection ended within the request body");
}

/* RFC 9110 section 10.1.1: not needed by a client that has begun to send the body. */
static int send_continue(const struct http_connection *connection, deadline_ms deadline,
			 struct error *err)
{
	static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (!connection->request.expect_continue || leftover(connection).len > 0)
		return 0;
	if (io_send_all(connection->fd, interim, sizeof(interim) - 1, deadline) < 0)
		return read_failed("body_timeout", err);
	return 0;
}

/* RFC 9110 section 8.4: the bytes would be taken for what they are not. */
static int check_coding(const struct http_request *request, struct error *err)
{
	for (unsigned i = 0; i < request->field_count; i++) {
		struct slice value = request->fields[i].value;

		if (slice_eq_nocase(request->fields[i].name, "Content-Encoding") && value.len &&
		    !slice_eq_nocase(value, "identity"))
			return error_set(err, 415, "content_encoding",
					 "a body in Content-Encoding %.*s is not taken: send it as "
					 "it is, without one",
					 value.len < 64 ? (int)value.len : 64, value.data);
	}
	return 0;
}

int http_body_begin(struct http_connection *connection, uint64_t max, deadline_ms deadline,
		    struct http_body_reader *out, struct error *err)
{
	const struct http_request *request = &connection->request;
	struct http_body_reader reader = {
		.connection = connection,
		.deadline = deadline,
		.chunked = chunked_new(max),
		.first = leftover(connection),
		.left = request->has_content_length ? request->content_length : 0,
	};

	if (check_coding(request, err) < 0)
		return -1;
	if (!request->chunked && !request->has_content_length)
		return error_set(err, 411, "length_required",
				 "a request body needs Content-Length");
	if (reader.left > max)
		return error_set(err, 413, "body_too_large", "the request body is over %llu bytes",
				 (unsigned long long)max);
	if (!request->chunked && reader.first.len > reader.left)
		reader.first.len = (size_t)reader.left;
	if ((request->chunked || reader.left) && send_continue(connection, deadline, err) < 0)
		return -1;
	*out = reader;
	return 0;
}

/* Bytes as they come, those behind the head first. */
static ssize_t take_bytes(struct http_body_reader *reader, char *piece, size_t size,
			  struct error *err)
{
	size_t ready = reader->first.len < size ? reader->first.len : size;

	if (ready) {
		memcpy(piece, reader->first.data, ready);
		slice_skip(&reader->first, ready);
		return (ssize_t)ready;
	}

	ssize_t got = io_read_some(reader->connection->fd, piece, size, reader->deadline);

	if (got < 0)
		return read_failed("body_timeout", err);
	return got ? got : body_incomplete(err);
}

ssize_t http_body_read(struct http_body_reader *reader, char *piece, size_t size, struct error *err)
{
	size_t decoded = 0, consumed = 0;
	ssize_t got;

	if (!reader->connection->request.chunked) {
		if (reader->left == 0)
			return 0;
		got = take_bytes(reader, piece, reader->left < size ? (size_t)reader->left : size,
				 err);
		if (got > 0)
			reader->left -= (size_t)got;
		return got;
	}
	while (!decoded && !reader->chunked.done) {
		got = take_bytes(reader, piece, size, err);
		if (got < 0 || chunked_decode(&reader->chunked, piece, (size_t)got, &decoded,
					      &consumed, err) < 0)
			return -1;
	}
	return (ssize_t)decoded;
}

int http_read_body(struct http_connection *connection, struct buf *body, deadline_ms deadline,
		   struct error *err)
{
	const struct http_request *request = &connection->request;
	char piece[HTTP_BODY_READ_BYTES];
	struct http_body_reader reader = {.connection = connection};
	ssize_t got;

	if (!request->chunked && !request->has_content_length && request->method != HTTP_POST &&
	    request->method != HTTP_PUT)
		return 0;
	if (http_body_begin(connection, body->max - body->len, deadline, &reader, err) < 0)
		return -1;
	/* there is room: lengths are checked before */
	while ((got = http_body_read(&reader, piece, sizeof(piece), err)) > 0)
		(void)!buf_append(body, piece, (size_t)got);
	return got < 0 ? -1 : 0;
}
