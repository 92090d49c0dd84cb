/* mayflyctl doctor: a client of the service, as small as can be: one request, one reply, the end of the connection. */
#include "ctl/doctor/internal.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "http/access.h"
#include "http/chunked.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define READ_BYTES     (16 * KIB)
#define REPLY_HEAD_MAX (16 * KIB)

/* BIND as an address; a wildcard as loopback. False for what is none: a name. */
static bool address_of(const struct config *config, struct sockaddr_storage *out, socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	const char *bind = config->bind;

	*out = (struct sockaddr_storage){0};
	if (strcmp(bind, "localhost") == 0 || strcmp(bind, "0.0.0.0") == 0)
		bind = "127.0.0.1";
	if (strcmp(bind, "::") == 0)
		bind = "::1";
	if (inet_pton(AF_INET, bind, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)config->port);
		*len = sizeof(*v4);
		return true;
	}
	if (inet_pton(AF_INET6, bind, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)config->port);
		*len = sizeof(*v6);
		return true;
	}
	return false;
}

void doctor_address(const struct config *config, char out[DOCTOR_ADDRESS_BYTES])
{
	(void)snprintf(out, DOCTOR_ADDRESS_BYTES,
		       strchr(config->bind, ':') ? "[%.64s]:%u" : "%.64s:%u", config->bind,
		       (unsigned)config->port);
}

/* The connection, or -1 with *err. */
static int connect_to(const struct config *config, deadline_ms deadline, struct error *err)
{
	char name[DOCTOR_ADDRESS_BYTES];
	struct sockaddr_storage address;
	socklen_t len, size = sizeof(int);
	int failed = 0;

	doctor_address(config, name);
	if (!address_of(config, &address, &len))
		return error_set(err, 503, "unreachable", "BIND=%.64s is no address", config->bind);

	_cleanup_close_ int fd =
		socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return error_set_errno(err, 503, "unreachable", "no socket");
	if (connect(fd, (struct sockaddr *)&address, len) < 0) {
		if (errno != EINPROGRESS)
			return error_set_errno(err, 503, "unreachable", "%s", name);
		if (io_wait(fd, POLLOUT, deadline) <= 0)
			return error_set(err, 504, "timeout", "%s does not answer", name);
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) < 0 || failed)
			return error_set(err, 503, "unreachable", "%s: %s", name, strerror(failed));
	}
	return steal_fd(&fd);
}

/* Everything until the end. A reset counts as one: a server may refuse a request that it has not read. */
static int read_all(int fd, deadline_ms deadline, struct buf *raw, struct error *err)
{
	for (;;) {
		char *to = buf_reserve(raw, READ_BYTES);

		if (!to)
			return error_set(err, 502, "bad_reply", "the reply is too long");

		ssize_t got = io_read_some(fd, to, READ_BYTES, deadline);

		if (got < 0 && errno == ETIMEDOUT)
			return error_set(err, 504, "timeout",
					 "the service has not ended its reply in time");
		if (got <= 0)
			return 0;
		raw->len += (size_t)got;
		raw->data[raw->len] = '\0';
	}
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

static int take_reply(struct buf *raw, struct doctor_reply *out, struct error *err)
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

int doctor_send(const struct config *config, struct slice request, deadline_ms deadline,
		struct doctor_reply *out, struct error *err)
{
	_cleanup_buf_ struct buf raw = buf_new(2 * ATTACK_REPLY_MAX_BYTES + REPLY_HEAD_MAX);
	_cleanup_close_ int fd = connect_to(config, deadline, err);

	out->status = 0;
	if (fd < 0)
		return -1;
	/* who refuses early may not read it all; his reply is there all the same */
	if (io_send_all(fd, request.data, request.len, deadline) < 0 && errno == ETIMEDOUT)
		return error_set(err, 504, "timeout", "the service does not read");
	if (read_all(fd, deadline, &raw, err) < 0)
		return -1;
	return take_reply(&raw, out, err);
}

int doctor_request(const struct config *config, const char *method, const char *path,
		   const json_t *body, deadline_ms deadline, struct doctor_reply *out,
		   struct error *err)
{
	_cleanup_buf_ struct buf request = buf_new(2 * MIB), text = buf_new(MIB);
	const char *token = getenv("MAYFLY_TOKEN");
	int wrong = body ? json_write(body, &text) : 0;

	wrong |= buf_printf(&request, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n",
			    method, path);
	if (config->executor_api_key[0])
		wrong |= buf_printf(&request, "X-API-Key: %s\r\n", config->executor_api_key);
	if (token && *token)
		wrong |= buf_printf(&request, "Authorization: Bearer %s\r\n", token);
	if (body)
		wrong |= buf_printf(&request,
				    "Content-Type: application/json\r\nContent-Length: %zu\r\n",
				    text.len);
	wrong |= buf_append_text(&request, "\r\n");
	wrong |= buf_append(&request, buf_slice(&text).data, text.len);
	if (wrong)
		return error_set(err, 500, "out_of_memory", "the request is too long");
	return doctor_send(config, buf_slice(&request), deadline, out, err);
}
