#include "http/accept.h"

#include "base/num.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTEN_FD_FIRST    3 /* sd_listen_fds(3) */
#define IPV6_NETWORK_BYTES 8

static bool variable_is(const char *name, uint64_t wanted)
{
	const char *text = getenv(name);
	uint64_t value;

	return text && num_parse(slice_of(text), 10, INT32_MAX, &value) == 0 && value == wanted;
}

int http_accepted(int *fd)
{
	bool is_passed =
		variable_is("LISTEN_PID", (uint64_t)getpid()) && variable_is("LISTEN_FDS", 1);
	int candidate = is_passed ? LISTEN_FD_FIRST : STDIN_FILENO, type, listens;
	socklen_t len = sizeof(int);

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (getsockopt(candidate, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM)
		return -1;
	/* a socket that still listens: the unit says Accept=no */
	if (getsockopt(candidate, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 || listens)
		return -1;
	*fd = candidate;
	return 0;
}

static void print_address(const struct sockaddr_storage *address, char out[HTTP_ADDRESS_BYTES])
{
	if (address->ss_family == AF_INET)
		(void)inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, out,
				HTTP_ADDRESS_BYTES);
	if (address->ss_family == AF_INET6)
		(void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, out,
				HTTP_ADDRESS_BYTES);
}

void http_local_address(int fd, char out[HTTP_ADDRESS_BYTES])
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);

	out[0] = '\0';
	if (getsockname(fd, (struct sockaddr *)&address, &len) == 0)
		print_address(&address, out);
}

void http_peer_network(int fd, char out[HTTP_ADDRESS_BYTES])
{
	struct sockaddr_storage address = {0};
	struct in6_addr *ip = &((struct sockaddr_in6 *)&address)->sin6_addr;
	socklen_t len = sizeof(address);

	out[0] = '\0';
	if (getpeername(fd, (struct sockaddr *)&address, &len) < 0)
		return;
	if (address.ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(ip))
		memset(ip->s6_addr + IPV6_NETWORK_BYTES, 0,
		       sizeof(ip->s6_addr) - IPV6_NETWORK_BYTES);
	print_address(&address, out);
}
