/* The accepted connection that this process was started with. */
#pragma once

#include "base/error.h"

/* The connected stream socket passed with LISTEN_PID and LISTEN_FDS=1 (sd_listen_fds(3)), else the
   one on fd 0. The variables are taken out of the environment, so that no child mistakes them for
   its own. 0, or -1 when there is none. */
MUST_USE int http_accepted(int *fd);

#define HTTP_ADDRESS_BYTES 46 /* INET6_ADDRSTRLEN */

/* Writes the address, without port, that the client reached us at; "" for a Unix socket. */
void http_local_address(int fd, char out[HTTP_ADDRESS_BYTES]);

/* The same of the client: what of its address one client has for itself, all of IPv4's, half of
   IPv6's (RFC 4291 section 2.5.4). */
void http_peer_network(int fd, char out[HTTP_ADDRESS_BYTES]);
