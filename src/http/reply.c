/*
 * Answering once, and leaving in good order.
 *
 * Rules:
 *  1. A field's value has no control byte in it: a caller cannot add a field, or end the head, from
 *     outside.
 *  2. SIGPIPE never comes: everything is sent with MSG_NOSIGNAL.
 *  3. A client that does not read costs us at most the deadline.
 */
#include "http/reply.h"

#include "base/ascii.h"
#include "base/date.h"
#include "base/io.h"
#include "bounds.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

struct http_reply http_reply_new(int status)
{
	return (struct http_reply){
		.status = status,
		.fields = buf_new(HTTP_REPLY_HEAD_MAX_BYTES),
	};
}

void http_reply_free(struct http_reply *reply)
{
	buf_free(&reply->fields);
}

/* Appends the value and CRLF. 0, or -1 with errno and perhaps rubbish behind the buffer's end. */
static int append_value(struct buf *fields, const char *format, va_list arguments)
{
	va_list again;

	va_copy(again, arguments);
	int len = vsnprintf(NULL, 0, format, arguments);
	char *value = len < 0 ? NULL : buf_reserve(fields, (size_t)len + 2);

	if (value)
		(void)vsnprintf(value, (size_t)len + 1, format, again);
	va_end(again);
	if (!value)
		return -1;
	if (!ascii_is_line((struct slice){value, (size_t)len})) {
		errno = EINVAL;
		return -1;
	}
	memcpy(value + len, "\r\n", 3);
	fields->len += (size_t)len + 2;
	return 0;
}

int http_reply_field(struct http_reply *reply, const char *name, const char *format, ...)
{
	struct buf *fields = &reply->fields;
	size_t before = fields->len;
	va_list arguments;

	va_start(arguments, format);
	if (buf_printf(fields, "%s: ", name) < 0 || append_value(fields, format, arguments) < 0) {
		reply->is_broken = true;
		fields->len = before;
		if (fields->data)
			fields->data[before] = '\0';
	}
	va_end(arguments);
	return reply->is_broken ? -1 : 0;
}

const char *http_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{200, "OK"},
		{201, "Created"},
		{202, "Accepted"},
		{204, "No Content"},
		{206, "Partial Content"},
		{304, "Not Modified"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{408, "Request Timeout"},
		{409, "Conflict"},
		{411, "Length Required"},
		{412, "Precondition Failed"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{415, "Unsupported Media Type"},
		{416, "Range Not Satisfiable"},
		{417, "Expectation Failed"},
		{421, "Misdirected Request"},
		{422, "Unprocessable Content"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
		{505, "HTTP Version Not Supported"},
		{507, "Insufficient Storage"},
	};

	for (size_t i = 0; i < COUNT_OF(reasons); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "";
}

/* RFC 9110 section 8.6 forbids a length with 1xx and 204; with 304 it would have to be that of the
 * file. */
static bool is_bodiless(int status)
{
	return status < 200 || status == 204 || status == 304;
}

static struct {
	bool differs;
	struct slice origin;
} sharing;

void http_reply_share(struct slice origin)
{
	sharing.differs = true;
	sharing.origin = origin;
}

int http_reply_add_sharing(struct buf *head)
{
	if (!sharing.differs)
		return 0;
	if (buf_append_text(head, "Vary: Origin\r\n") < 0)
		return -1;
	/* a page sees but seven fields of a reply by itself */
	return sharing.origin.len
		       ? buf_printf(
				 head,
				 "Access-Control-Allow-Origin: %.*s\r\n"
				 "Access-Control-Expose-Headers: Accept-Ranges, "
				 "Content-Disposition, Content-Range, ETag, Idempotent-Replayed, "
				 "Retry-After, X-Request-ID\r\n",
				 (int)sharing.origin.len, sharing.origin.data)
		       : 0;
}

static int write_head(struct buf *head, const struct http_reply *reply, uint64_t length)
{
	char date[DATE_HTTP_BYTES];
	struct slice fields = buf_slice(&reply->fields);

	date_http(time(NULL), date);
	errno = EINVAL;
	if (reply->is_broken || buf_printf(head,
					   "HTTP/1.1 %d %s\r\nDate: %s\r\nConnection: close\r\n"
					   "X-Content-Type-Options: nosniff\r\n",
					   reply->status, http_reason(reply->status), date) < 0)
		return -1;
	if (!is_bodiless(reply->status) &&
	    buf_printf(head, "Content-Length: %llu\r\n", (unsigned long long)length) < 0)
		return -1;
	if (http_reply_add_sharing(head) < 0 || buf_append(head, fields.data, fields.len) < 0)
		return -1;
	return buf_append_text(head, "\r\n");
}

int http_reply_write(struct buf *out, const struct http_reply *reply, struct slice body,
		     bool head_only)
{
	if (write_head(out, reply, body.len) < 0)
		return -1;
	return head_only || is_bodiless(reply->status) ? 0 : buf_append(out, body.data, body.len);
}

static bool has_begun;

bool http_reply_has_begun(void)
{
	return has_begun;
}

void http_reply_begins(void)
{
	has_begun = true;
}

static int send_two(int fd, struct slice head, struct slice body, deadline_ms deadline)
{
	while (head.len || body.len) {
		struct iovec pieces[2] = {
			{.iov_base = (char *)head.data, .iov_len = head.len},
			{.iov_base = (char *)body.data, .iov_len = body.len},
		};
		struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
		ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno != EINTR &&
		    (errno != EAGAIN || io_await(fd, POLLOUT, deadline) < 0))
			return -1;
		if (sent < 0)
			continue;

		size_t of_head = (size_t)sent < head.len ? (size_t)sent : head.len;
		size_t of_body = (size_t)sent - of_head;

		slice_skip(&head, of_head);
		slice_skip(&body, of_body);
	}
	return 0;
}

static int send_reply(int fd, const struct http_reply *reply, uint64_t length, struct slice body,
		      deadline_ms deadline)
{
	_cleanup_buf_ struct buf head = buf_new(HTTP_REPLY_HEAD_MAX_BYTES + KIB);

	if (write_head(&head, reply, length) < 0)
		return -1;
	http_reply_begins();
	return send_two(fd, buf_slice(&head), body, deadline);
}

int http_reply_send_head(int fd, const struct http_reply *reply, uint64_t length,
			 deadline_ms deadline)
{
	return send_reply(fd, reply, length, (struct slice){"", 0}, deadline);
}

int http_reply_send(int fd, const struct http_reply *reply, struct slice body, bool head_only,
		    deadline_ms deadline)
{
	if (head_only || is_bodiless(reply->status))
		return http_reply_send_head(fd, reply, body.len, deadline);
	return send_reply(fd, reply, body.len, body, deadline);
}

void http_linger(int fd)
{
	deadline_ms deadline = deadline_in(HTTP_LINGER_DEADLINE_MS);
	uint64_t dropped = 0;
	char piece[HTTP_BODY_READ_BYTES];

	if (shutdown(fd, SHUT_WR) < 0)
		return;
	while (dropped < HTTP_LINGER_MAX_BYTES && deadline_left_ms(deadline) > 0) {
		ssize_t got = io_read_some(fd, piece, sizeof(piece), deadline);

		if (got <= 0)
			return;
		dropped += (uint64_t)got;
	}
}
