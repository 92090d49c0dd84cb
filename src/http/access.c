/*
 * Who may call.
 *
 * Rules:
 *  1. A browser that was sent to us under a foreign name (DNS rebinding) shows that name in Host:
 *     refused.
 *  2. A page of another origin that makes a browser write to us shows in Origin: refused, unless
 * the operator has named it. Hosts are compared as authority.h reads them, never as strings.
 *  3. A request without Host (HTTP/1.0 only) or without Origin comes from no browser's page, and is
 *     let through.
 */
#include "http/access.h"

#include "base/ascii.h"
#include "http/authority.h"

struct origin {
	bool is_https;
	struct authority authority;
};

static bool take_scheme(struct slice *text, const char *scheme)
{
	if (!slice_starts_nocase(*text, scheme))
		return false;
	slice_skip(text, strlen(scheme));
	return true;
}

/* Reads the whole of an Origin field (RFC 6454 section 7): scheme://host[:port], nothing behind it.
 */
static int read_origin(struct slice text, struct origin *out)
{
	out->is_https = take_scheme(&text, "https://");
	if (!out->is_https && !take_scheme(&text, "http://"))
		return -1;
	return authority_parse(text, &out->authority);
}

/* The origin of a configured URL: what stands before its path. */
static int read_url_origin(const char *url, struct origin *out)
{
	const char *authority = strstr(url, "://");
	size_t end = authority ? (size_t)(authority + 3 - url) : 0;

	end += strcspn(url + end, "/?#");
	return read_origin((struct slice){url, end}, out);
}

/* RFC 3986 section 6.2.3: a port that is the scheme's own is no port. */
static int port_of(const struct authority *authority, bool is_https)
{
	if (authority->port >= 0)
		return authority->port;
	return is_https ? 443 : 80;
}

/* A configured address or name: as an authority, or an IPv6 address without brackets. */
static int read_configured(struct slice text, struct authority *out)
{
	if (authority_parse(text, out) == 0)
		return 0;
	*out = (struct authority){.host = text, .is_ipv6 = true, .port = -1};
	/* Anything that is not an IPv6 address equals no host, not even itself. */
	return authority_same_host(out, out) ? 0 : -1;
}

static bool names_host(struct slice configured, const struct authority *host)
{
	struct authority authority;

	return read_configured(configured, &authority) == 0 &&
	       authority_same_host(&authority, host);
}

static bool is_in_list(const char *list, const struct authority *host)
{
	struct slice rest = slice_of(list ? list : "");

	while (rest.len)
		if (names_host(ascii_trim(slice_take(&rest, ',')), host))
			return true;
	return false;
}

bool http_is_loopback(struct slice host)
{
	struct authority authority;

	return read_configured(host, &authority) == 0 && authority_is_loopback(&authority);
}

int http_check_host(const struct http_access *access, const struct http_request *request,
		    struct error *err)
{
	struct authority host;
	struct origin public;

	if (request->host.len == 0 && request->minor_version == 0)
		return 0;
	if (authority_parse(request->host, &host) == 0 &&
	    (authority_is_loopback(&host) ||
	     (access->bind && names_host(slice_of(access->bind), &host)) ||
	     (access->public_base_url && read_url_origin(access->public_base_url, &public) == 0 &&
	      authority_same_host(&public.authority, &host)) ||
	     is_in_list(access->allowed_hosts, &host)))
		return 0;
	return error_set(err, 421, "host_not_allowed",
			 "this Host is not served here; the operator can name it in ALLOWED_HOSTS");
}

const char *http_scheme(const char *public_base_url, struct slice host)
{
	struct origin public;
	struct authority named;

	if (public_base_url && read_url_origin(public_base_url, &public) == 0 && public.is_https &&
	    authority_parse(host, &named) == 0 && authority_same_host(&named, &public.authority) &&
	    port_of(&named, true) == port_of(&public.authority, true))
		return "https";
	return "http";
}

static bool is_same_origin(const struct origin *a, const struct origin *b)
{
	return a->is_https == b->is_https && authority_same_host(&a->authority, &b->authority) &&
	       port_of(&a->authority, a->is_https) == port_of(&b->authority, b->is_https);
}

/* The next origin of a list; a slash at its end changes nothing. 0, or -1 when it is none. */
static int next_origin(struct slice *list, struct origin *out)
{
	struct slice text = ascii_trim(slice_take(list, ','));

	if (text.len && text.data[text.len - 1] == '/')
		text.len--;
	return read_origin(text, out);
}

bool http_are_origins(const char *list)
{
	struct slice rest = slice_of(list);
	struct origin ignored;

	do {
		if (next_origin(&rest, &ignored) < 0)
			return false;
	} while (rest.len);
	return true;
}

static bool is_listed(const char *list, const struct origin *origin)
{
	struct slice rest = slice_of(list ? list : "");
	struct origin listed;

	while (rest.len)
		if (next_origin(&rest, &listed) == 0 && is_same_origin(&listed, origin))
			return true;
	return false;
}

static bool is_allowed_origin(const struct http_access *access, const struct http_request *request,
			      struct slice text)
{
	struct origin origin, public;
	struct authority host;

	if (read_origin(text, &origin) < 0)
		return false;
	/* TLS may end in front of us, so the scheme of our own Host is whatever the page was loaded
	 * with. */
	if (authority_parse(request->host, &host) == 0 &&
	    authority_same_host(&host, &origin.authority) &&
	    port_of(&host, origin.is_https) == port_of(&origin.authority, origin.is_https))
		return true;
	if (access->public_base_url && read_url_origin(access->public_base_url, &public) == 0 &&
	    is_same_origin(&public, &origin))
		return true;
	return is_listed(access->allowed_origins, &origin);
}

int http_check_origin(const struct http_access *access, const struct http_request *request,
		      struct error *err)
{
	const struct slice *content_type = http_field(request, "Content-Type");
	bool has_origin = false, has_body = request->chunked || request->content_length > 0;

	for (unsigned i = 0; i < request->field_count; i++) {
		if (!slice_eq_nocase(request->fields[i].name, "Origin"))
			continue;
		has_origin = true;
		if (!is_allowed_origin(access, request, request->fields[i].value))
			return error_set(err, 403, "origin_not_allowed",
					 "a page of another origin may not call this service; the "
					 "operator can name it in ALLOWED_ORIGINS");
	}
	if (has_origin && has_body &&
	    (!content_type ||
	     (!http_is_media_type(*content_type, "application/json") &&
	      !(access->takes_forms && http_is_media_type(*content_type, "multipart/form-data")))))
		return error_set(err, 415, "json_required",
				 "a request from a page must have Content-Type application/json");
	return 0;
}
