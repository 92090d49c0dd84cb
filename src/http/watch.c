#include "http/watch.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/*
 * Between two looks at a lock. The kernel tells of one that is free only by inotify, of which all
 * callers, who are one user, have 128 together. So a wait looks again after a part of what it has
 * taken so far: it ends a little later, and many waits cost little.
 */
#define WAITED_PER_PAUSE 8
#define PAUSE_MIN_MS     1
#define PAUSE_MAX_MS     32

struct pollfd http_watch_pollfd(const struct http_watch *watch)
{
	int events = (watch->is_half_closed ? 0 : POLLRDHUP) | (watch->has_more ? POLLOUT : 0);

	return (struct pollfd){.fd = watch->fd, .events = (short)events};
}

bool http_watch_is_gone(struct http_watch *watch, short revents)
{
	const char *probe = watch->is_stream ? ":\n\n" : "HTTP/1.1 100 Continue\r\n\r\n";

	if (revents & (POLLERR | POLLHUP | POLLNVAL))
		return true;
	if (!(revents & POLLRDHUP))
		return false;
	watch->is_half_closed = true;
	/* what is kept back is the probe, and a comment would come in the middle of an event */
	return watch->may_probe && !watch->has_more &&
	       send(watch->fd, probe, strlen(probe), MSG_NOSIGNAL | MSG_DONTWAIT) < 0;
}

int http_watch_lock(struct http_watch *watch, deadline_ms deadline, int (*take)(void *context),
		    void *context)
{
	const int64_t began_us = monotonic_us();
	int taken;

	while ((taken = take(context)) < 0 && errno == EAGAIN) {
		int64_t pause_ms =
			(monotonic_us() - began_us) / US_PER_MS / WAITED_PER_PAUSE + PAUSE_MIN_MS;
		struct pollfd client = http_watch_pollfd(watch);
		int left = deadline_left_ms(deadline);

		errno = ETIMEDOUT;
		if (left == 0)
			return -1;
		pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
		errno = ECONNRESET;
		if (poll(&client, 1, left < pause_ms ? left : (int)pause_ms) > 0 &&
		    http_watch_is_gone(watch, client.revents))
			return -1;
	}
	return taken;
}
