/* One request, one reply; see the header. */
#include "http/client.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "http/chunked.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#define READ_BYTES (16 * KIB)

/* False for what is no address: a name. */
static bool parse_address(const char *address, uint64_t port, struct sockaddr_storage *out,
			  socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	*out = (struct sockaddr_storage){0};
	if (strcmp(address, "localhost") == 0 || strcmp(address, "0.0.0.0") == 0)
		address = "127.0.0.1";
	if (strcmp(address, "::") == 0)
		address = "::1";
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		*len = sizeof(*v4);
		return true;
	}
	if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		*len = sizeof(*v6);
		return true;
	}
	return false;
}

void http_client_name(const char *address, uint64_t port, char out[HTTP_CLIENT_NAME_BYTES])
{
	(void)snprintf(out, HTTP_CLIENT_NAME_BYTES,
		       strchr(address, ':') ? "[%.64s]:%u" : "%.64s:%u", address, (unsigned)port);
}

int http_client_connect(const char *address, uint64_t port, deadline_ms deadline, struct error *err)
{
	char name[HTTP_CLIENT_NAME_BYTES];
	struct sockaddr_storage to;
	socklen_t len, size = sizeof(int);
	int failed = 0;

	http_client_name(address, port, name);
	if (!parse_address(address, port, &to, &len))
		return error_set(err, 503, "unreachable", "%.64s is no address", address);

	_cleanup_close_ int fd =
		socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return error_set_errno(err, 503, "unreachable", "no socket");
	if (connect(fd, (struct sockaddr *)&to, len) < 0) {
		if (errno != EINPROGRESS)
			return error_set_errno(err, 503, "unreachable", "%s", name);
		if (io_wait(fd, POLLOUT, deadline) <= 0)
			return error_set(err, 504, "timeout", "%s does not answer", name);
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) < 0 || failed)
			return error_set(err, 503, "unreachable", "%s: %s", name, strerror(failed));
	}
	return steal_fd(&fd);
}

int http_client_read(int fd, deadline_ms deadline, struct buf *raw, struct error *err)
{
	while (raw->len < raw->max) {
		size_t want = raw->max - raw->len < READ_BYTES ? raw->max - raw->len : READ_BYTES;
		ssize_t got = io_read_some(fd, buf_reserve(raw, want), want, deadline);

		if (got < 0 && errno == ETIMEDOUT)
			return error_set(err, 504, "timeout",
					 "the server has not ended its reply in time");
		if (got <= 0)
			return 0;
		raw->len += (size_t)got;
		raw->data[raw->len] = '\0';
	}
	return error_set(err, 502, "bad_reply", "the reply is too long");
}

/* One body from raw's, which is decoded in place. */
static int take_body(struct buf *raw, size_t head, bool is_chunked, struct buf *body,
		     struct error *err)
{
	struct chunked chunked = chunked_new(body->max);
	size_t len = raw->len - head, used;

	if (is_chunked && chunked_decode(&chunked, raw->data + head, len, &len, &used, err) < 0)
		return -1;
	if (is_chunked && !chunked.done)
		return error_set(err, 502, "bad_reply", "the reply ends in the middle");
	return buf_append(body, raw->data + head, len) < 0
		       ? error_set(err, 502, "bad_reply", "the reply is too long")
		       : 0;
}

static int take_reply(struct buf *raw, struct http_client_reply *out, struct error *err)
{
	static const char version[] = "HTTP/1.1 ";
	const char *end = raw->len ? strstr(raw->data, "\r\n\r\n") : NULL;
	uint64_t status;

	if (raw->len == 0)
		return 0; /* hung up on */
	if (!end || !slice_starts(buf_slice(raw), version) ||
	    num_parse((struct slice){raw->data + strlen(version), 3}, 10, 999, &status) < 0)
		return error_set(err, 502, "bad_reply",
				 "what answers there does not speak HTTP/1.1");
	raw->data[end - raw->data] = '\0'; /* of what is searched */

	bool is_chunked = strcasestr(raw->data, "\r\ntransfer-encoding: chunked") != NULL;

	if (take_body(raw, (size_t)(end - raw->data) + 4, is_chunked, &out->body, err) < 0)
		return -1;
	out->status = (int)status;
	return 0;
}

int http_client_send(const char *address, uint64_t port, struct slice request, deadline_ms deadline,
		     struct http_client_reply *out, struct error *err)
{
	/* a chunk of one byte comes as six */
	_cleanup_buf_ struct buf raw = buf_new(6 * out->body.max + HTTP_REPLY_HEAD_MAX_BYTES);
	_cleanup_close_ int fd = http_client_connect(address, port, deadline, err);

	out->status = 0;
	if (fd < 0)
		return -1;
	/* a server that refuses early may not read it all; its reply is there all the same */
	if (io_send_all(fd, request.data, request.len, deadline) < 0 && errno == ETIMEDOUT)
		return error_set(err, 504, "timeout", "the server does not read");
	if (http_client_read(fd, deadline, &raw, err) < 0)
		return -1;
	return take_reply(&raw, out, err);
}
