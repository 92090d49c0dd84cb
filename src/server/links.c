#include "server/links.h"

#include "base/date.h"
#include "http/access.h"
#include "http/uri.h"

#include <inttypes.h>
#include <stdio.h>

#define LINK_MAX_BYTES          (4 * KIB)
#define ARTIFACT_LINK_MAX_BYTES (8 * KIB)

int link_set(const struct call *call, const struct sign_key *key, const char *id, json_t *entry)
{
	_cleanup_buf_ struct buf url = buf_new(LINK_MAX_BYTES);
	struct slice host = call->connection->request.host;
	int64_t expires_s = time(NULL) + SIGNED_URL_TTL_S;
	char own[HTTP_AUTHORITY_MAX_BYTES], expires[DATE_BYTES];

	if (host.len == 0) { /* HTTP/1.0 */
		(void)snprintf(own, sizeof(own), "%s:%" PRIu64, call->config->bind,
			       call->config->port);
		host = slice_of(own);
	}
	date_rfc3339(expires_s * 1000, expires);
	if (sign_link(key, call->config, host, id, expires_s, &url) < 0)
		return -1;
	(void)json_object_set_new(entry, "url", json_stringn(url.data, url.len));
	(void)json_object_set_new(entry, "expires_at", json_string(expires));
	return 0;
}

json_t *link_artifact(const struct call *call, const char *session_id, const char *id,
		      struct slice path)
{
	const struct config *config = call->config;
	const struct slice host = call->connection->request.host;
	_cleanup_buf_ struct buf url = buf_new(ARTIFACT_LINK_MAX_BYTES);

	if (buf_printf(&url, "%s://", http_scheme(config->public_base_url, host)) < 0 ||
	    (host.len ? buf_append(&url, host.data, host.len)
		      : buf_printf(&url, "%s:%" PRIu64, config->bind, config->port)) < 0 ||
	    buf_append_text(&url, "/artifacts/") < 0 ||
	    uri_encode(&url, slice_of(session_id), false) < 0 || buf_printf(&url, "/%s/", id) < 0 ||
	    uri_encode(&url, path, true) < 0)
		return NULL;
	return json_stringn(url.data, url.len);
}
