#include "base/io.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/memory.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define READ_PIECE_BYTES (16 * 1024)

int io_wait(int fd, short events, deadline_ms deadline)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};

	for (;;) {
		int ready = poll(&poll_fd, 1, deadline_left_ms(deadline));

		if (ready > 0)
			return poll_fd.revents;
		if (ready == 0)
			return 0;
		if (errno != EINTR)
			return -1;
	}
}

int io_await(int fd, short events, deadline_ms deadline)
{
	int ready = io_wait(fd, events, deadline);

	if (ready == 0)
		errno = ETIMEDOUT;
	return ready > 0 ? 0 : -1;
}

ssize_t io_read_some(int fd, void *data, size_t len, deadline_ms deadline)
{
	for (;;) {
		if (io_await(fd, POLLIN, deadline) < 0)
			return -1;

		ssize_t got = read(fd, data, len);

		if (got >= 0 || (errno != EINTR && errno != EAGAIN))
			return got;
	}
}

int io_send_all(int fd, const void *data, size_t len, deadline_ms deadline)
{
	const char *at = data;

	while (len) {
		ssize_t sent = send(fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent > 0) {
			at += sent;
			len -= (size_t)sent;
		} else if (sent < 0 && errno == EAGAIN) {
			if (io_await(fd, POLLOUT, deadline) < 0)
				return -1;
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

int io_write_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t written = write(fd, at, len);

		if (written < 0) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		at += written;
		len -= (size_t)written;
	}
	return 0;
}

int io_connect(const char *path, int flags, int64_t patience_ms)
{
	/* socket(7): SO_SNDTIMEO bounds a connect(2), too */
	const struct timeval patience = {.tv_sec = patience_ms / MS_PER_S,
					 .tv_usec = patience_ms % MS_PER_S * US_PER_MS};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (fd < 0 ||
	    (patience_ms &&
	     setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0) ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return steal_fd(&fd);
}

int io_read_file(int fd, size_t max, char **data, size_t *len)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -1;
	if (status.st_size < 0 || (uint64_t)status.st_size > max) {
		errno = EFBIG;
		return -1;
	}

	size_t size = (size_t)status.st_size, used = 0;
	_cleanup_free_ char *text = memory_checked(malloc(size + 1));

	if (!text)
		return -1;
	while (used < size) {
		ssize_t got = read(fd, text + used, size - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	text[used] = '\0';
	*data = steal_ptr(&text);
	*len = used;
	return 0;
}

int io_read_to_end(int fd, size_t max, char **data, size_t *len)
{
	_cleanup_buf_ struct buf text = buf_new(max);
	char piece[READ_PIECE_BYTES];
	ssize_t got;

	while ((got = read(fd, piece, sizeof(piece))) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (buf_append(&text, piece, (size_t)got) < 0) {
			errno = errno == EMSGSIZE ? EFBIG : errno;
			return -1;
		}
	}
	if (!buf_reserve(&text, 0))
		return -1;
	*data = steal_ptr(&text.data);
	*len = text.len;
	return 0;
}
