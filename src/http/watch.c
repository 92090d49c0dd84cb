#include "http/watch.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

bool http_watch_sleep(struct http_watch *watch, int inotify, int ms)
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
