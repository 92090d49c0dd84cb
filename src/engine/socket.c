/*
 * Where the container engine listens.
 *
 * Rules:
 *  1. A socket counts when it takes a connection, not when it exists.
 *  2. What the operator names is used or reported, never passed over.
 *  3. No address leaves this host: tcp:// and ssh:// are refused, and not repeated, since they may
 *     hold a password.
 */
#include "engine/socket.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/slice.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#define LOOKED_AT_MAX_BYTES 384

static const char *const variables[] = {"DOCKER_SOCKET_PATH", "DOCKER_HOST", "CONTAINER_HOST"};

/* 0 when path answers, with *out written; else 1, with path and reason added to looked_at. */
static int try_path(const char *path, char out[SOCKET_PATH_BYTES], struct buf *looked_at)
{
	_cleanup_close_ int fd = io_connect(path, SOCK_NONBLOCK, 0);

	if (fd >= 0 || errno == EAGAIN) { /* a full backlog */
		memcpy(out, path, strlen(path) + 1);
		return 0;
	}
	/* what does not fit is left out: the message is for reading */
	(void)!buf_printf(looked_at, "%s%s: %s", looked_at->len ? ", " : "", path, strerror(errno));
	return 1;
}

static int refuse(const struct buf *looked_at, struct error *err)
{
	return error_set(err, 503, "engine_unreachable",
			 "No Podman socket answers (looked at %s). Start one: systemctl %sstart "
			 "podman.socket",
			 looked_at->len ? looked_at->data : "no path at all",
			 geteuid() == 0 ? "" : "--user ");
}

/* Rule 2. 1 when no variable is set. */
static int find_named(char out[SOCKET_PATH_BYTES], struct buf *looked_at, struct error *err)
{
	static const char scheme[] = "unix://";

	for (size_t i = 0; i < COUNT_OF(variables); i++) {
		const char *value = getenv(variables[i]);

		if (!value || !*value)
			continue;
		if (slice_starts(slice_of(value), scheme))
			value += strlen(scheme);
		if (*value != '/')
			return error_set(err, 500, "bad_configuration",
					 "%s must name a Unix socket, as unix:///path",
					 variables[i]);
		return try_path(value, out, looked_at) == 0 ? 0 : refuse(looked_at, err);
	}
	return 1;
}

int socket_find(char out[SOCKET_PATH_BYTES], struct error *err)
{
	static const char *const usual[] = {"/run/podman/podman.sock", "/var/run/docker.sock"};
	_cleanup_buf_ struct buf looked_at = buf_new(LOOKED_AT_MAX_BYTES);
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char path[SOCKET_PATH_BYTES];
	int named = find_named(out, &looked_at, err);

	if (named <= 0)
		return named;
	if (runtime && *runtime == '/' &&
	    (size_t)snprintf(path, sizeof(path), "%s/podman/podman.sock", runtime) < sizeof(path) &&
	    try_path(path, out, &looked_at) == 0)
		return 0;
	for (size_t i = 0; i < COUNT_OF(usual); i++)
		if (try_path(usual[i], out, &looked_at) == 0)
			return 0;
	return refuse(&looked_at, err);
}
