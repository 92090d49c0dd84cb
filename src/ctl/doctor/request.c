/* mayflyctl doctor: our data files, and requests to the service with the keys that are configured.
 */
#include "ctl/doctor/internal.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <fcntl.h>
#include <stdio.h>

int doctor_request(const struct config *config, const char *method, const char *path,
		   const json_t *body, deadline_ms deadline, struct http_client_reply *out,
		   struct error *err)
{
	_cleanup_buf_ struct buf request = buf_new(2 * MIB), text = buf_new(MIB);
	const char *token = getenv("MAYFLY_TOKEN");
	int failed = body ? json_write(body, &text) : 0;

	failed |= buf_printf(&request, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n",
			     method, path);
	if (config->executor_api_key[0])
		failed |= buf_printf(&request, "X-API-Key: %s\r\n", config->executor_api_key);
	if (token && *token)
		failed |= buf_printf(&request, "Authorization: Bearer %s\r\n", token);
	if (body)
		failed |= buf_printf(&request,
				     "Content-Type: application/json\r\nContent-Length: %zu\r\n",
				     text.len);
	failed |= buf_append_text(&request, "\r\n") |
		  buf_append(&request, buf_slice(&text).data, text.len);
	if (failed)
		return error_set(err, 500, "too_long", "the request is too long");
	return http_client_send(config->bind, config->port, buf_slice(&request), deadline, out,
				err);
}

int doctor_data(const struct config *config, const char *name, char **text, size_t *len,
		struct error *err)
{
	char path[PATH_MAX];

	for (unsigned i = 0; i < CONFIG_REGISTRY_DIRS; i++) {
		if (!config->registry[i][0] ||
		    (size_t)snprintf(path, sizeof(path), "%s/%s", config->registry[i], name) >=
			    sizeof(path))
			continue;

		_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd >= 0 && io_read_file(fd, REGISTRY_FILE_MAX_BYTES, text, len) == 0)
			return 0;
	}
	return error_set(err, 500, "bad_configuration",
			 "%s is in none of the data folders; install mayfly again, or set "
			 "MAYFLY_DATA_DIR",
			 name);
}
