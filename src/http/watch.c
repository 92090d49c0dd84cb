#include "http/watch.h"

#include <string.h>
#include <sys/socket.h>

struct pollfd http_watch_pollfd(const struct http_watch *watch)
{
	return (struct pollfd){.fd = watch->fd, .events = watch->is_half_closed ? 0 : POLLRDHUP};
}

bool http_watch_is_gone(struct http_watch *watch, short revents)
{
	static const char probe[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (revents & (POLLERR | POLLHUP | POLLNVAL))
		return true;
	if (!(revents & POLLRDHUP))
		return false;
	watch->is_half_closed = true;
	return watch->may_probe &&
	       send(watch->fd, probe, strlen(probe), MSG_NOSIGNAL | MSG_DONTWAIT) < 0;
}
