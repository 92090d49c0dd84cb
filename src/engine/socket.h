/* Where the container engine listens. */
#pragma once

#include "base/error.h"

#include <sys/un.h>

#define SOCKET_PATH_BYTES sizeof(((struct sockaddr_un *)0)->sun_path)

/* Writes the path of the socket to use: from DOCKER_SOCKET_PATH, DOCKER_HOST or CONTAINER_HOST,
   whichever is set first; else the first that takes a connection of
   $XDG_RUNTIME_DIR/podman/podman.sock, /run/podman/podman.sock, /var/run/docker.sock. 0, or -1
   with *err: 500 "bad_configuration" for an address that is not a Unix socket; 503
   "engine_unreachable", saying what was looked at. */
MUST_USE int socket_find(char out[SOCKET_PATH_BYTES], struct error *err);
