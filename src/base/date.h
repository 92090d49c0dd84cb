/*
 * Dates as RFC 3339 and as HTTP has them, in UTC. What lies before 1970 or after 9999 becomes the
 * nearest time that does not. No time zone file is read, as gmtime(3) would.
 */
#pragma once

#include <stdint.h>

#define DATE_BYTES      sizeof("2026-11-20T11:20:40.123Z")
#define DATE_HTTP_BYTES sizeof("Sun, 06 Nov 1994 08:49:37 GMT")

void date_rfc3339(int64_t unix_ms, char out[DATE_BYTES]);

/* An IMF-fixdate (RFC 9110 section 5.6.7). */
void date_http(int64_t unix_s, char out[DATE_HTTP_BYTES]);
