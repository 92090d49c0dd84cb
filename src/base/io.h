/* Whole reads and writes on descriptors, bounded by a deadline. EINTR and short counts are handled
 * here. */
#pragma once

#include "base/deadline.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Waits for events (POLLIN…) on fd. Returns revents, 0 at the deadline, -1 with errno. */
int io_wait(int fd, short events, deadline_ms deadline);

/* The same for who goes on only then: 0, or -1 with errno, ETIMEDOUT at the deadline. */
MUST_USE int io_await(int fd, short events, deadline_ms deadline);

/* Reads what is there, once, waiting at most until the deadline. Bytes read, 0 at end of file, -1
   with errno (ETIMEDOUT at the deadline). Works on sockets and pipes, blocking or not. */
ssize_t io_read_some(int fd, void *data, size_t len, deadline_ms deadline);

/* Writes all of data to a socket (MSG_NOSIGNAL). 0, or -1 with errno (ETIMEDOUT at the deadline).
 */
MUST_USE int io_send_all(int fd, const void *data, size_t len, deadline_ms deadline);

/* Writes all of data to a file. 0, or -1 with errno. */
MUST_USE int io_write_all(int fd, const void *data, size_t len);

/* Connects to the Unix socket at path, waiting at most patience_ms while its backlog is full (0: as
   long as that takes); flags are socket(2)'s. The descriptor (O_CLOEXEC), or -1 with errno. */
int io_connect(const char *path, int flags, int64_t patience_ms);

/* Reads a whole file of at most max bytes into memory that the caller frees; NUL-terminated, *len
   without the NUL. 0, or -1 with errno (EFBIG when it is larger). */
MUST_USE int io_read_file(int fd, size_t max, char **data, size_t *len);

/* The same of what has no length beforehand, such as a pipe. */
MUST_USE int io_read_to_end(int fd, size_t max, char **data, size_t *len);
