/* The two ends of a connection, for tests of what talks over one. */
#ifndef MAYFLY_TESTS_ENDS_H
#define MAYFLY_TESTS_ENDS_H

#include "base/cleanup.h"
#include "http/client.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>

#define DEADLINE_MS 20000

struct ends {
	int server, client;
};

__attribute__((unused)) static struct ends connect_pair(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	return (struct ends){pair[0], pair[1]};
}

/* A socket that listens on a free port of the loopback. */
static int listen_tcp(uint64_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		abort();
	*port = ntohs(address.sin_port);
	return fd;
}

/* A TCP connection on the loopback. */
__attribute__((unused)) static struct ends connect_tcp(void)
{
	uint64_t port;
	_cleanup_close_ int listener = listen_tcp(&port);
	struct error err;
	struct ends ends = {
		.client = http_client_connect("127.0.0.1", port, deadline_in(DEADLINE_MS), &err)};

	ends.server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (ends.client < 0 || ends.server < 0)
		abort();
	return ends;
}

#endif
