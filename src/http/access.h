/*
 * Which requests a browser may send here: the Host and Origin rules of src/api/README.md. Pure.
 */
#pragma once

#include "http/parse.h"

struct http_access {
	const char *bind;            /* the configured address; a name or an address, no port */
	const char *public_base_url; /* or NULL */
	const char *allowed_hosts;   /* comma-separated names, or NULL */
	const char *allowed_origins; /* as http_are_origins takes them, or NULL */
	bool takes_forms; /* multipart/form-data is as good as JSON: the route is an upload */
};

/* 421 "host_not_allowed" for a Host that is not localhost, a loopback address (127.0.0.0/8, [::1]),
   the bound address, the public URL's host or in the list. A port is ignored. */
MUST_USE int http_check_host(const struct http_access *access, const struct http_request *request,
			     struct error *err);

/* 403 "origin_not_allowed" for an Origin that is neither the request's own Host (with http or
   https) nor the public URL's nor listed, "null" included; 415 "json_required" for a request with
   an Origin, an allowed one, and a body that is not application/json, nor a form where those are
   taken. No Origin: 0. */
MUST_USE int http_check_origin(const struct http_access *access, const struct http_request *request,
			       struct error *err);

/* True for origins, scheme://host[:port] of http or https each, with commas between. */
bool http_are_origins(const char *list);

/* How a client reaches us under this Host value: "https" when the public URL is of that host and
   port and says so (TLS ends in front of us), else "http". */
const char *http_scheme(const char *public_base_url, struct slice host);

/* True when the address text names the loopback: localhost, 127.0.0.0/8, ::1 (with or without
 * brackets). */
bool http_is_loopback(struct slice host);
