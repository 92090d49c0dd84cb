#include "http/watch.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>

/* a killed holder's close is told before its lock is gone: look again after this */
#define RETRY_MS 100

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

/* Sleeps until inotify has something, the client goes, or ms are over. False when the client has
   gone. */
static bool sleep_once(struct http_watch *watch, int inotify, int ms)
{
	char events[4096];
	struct pollfd polls[2] = {{.fd = inotify, .events = POLLIN}, http_watch_pollfd(watch)};

	if (poll(polls, 2, ms) > 0) {
		if (polls[1].revents && http_watch_is_gone(watch, polls[1].revents))
			return false;
		while (polls[0].revents && read(inotify, events, sizeof(events)) > 0)
			continue;
	}
	return true;
}

int http_watch_lock(struct http_watch *watch, const char *path, deadline_ms deadline,
		    int (*take)(void *context), void *context)
{
	_cleanup_close_ int inotify = -1;
	int taken;

	while ((taken = take(context)) < 0 && errno == EAGAIN) {
		int left = deadline_left_ms(deadline);

		if (inotify < 0) {
			inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
			if (inotify < 0 || inotify_add_watch(inotify, path, IN_CLOSE_WRITE) < 0)
				return -1;
			continue; /* it may have been closed before the watch stood */
		}
		errno = left ? ECONNRESET : ETIMEDOUT;
		if (left == 0 || !sleep_once(watch, inotify, left < RETRY_MS ? left : RETRY_MS))
			return -1;
	}
	return taken;
}
