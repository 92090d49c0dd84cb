/* The authority of a URI (RFC 3986 section 3.2): host[:port]. Pure. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct authority {
	struct slice host; /* a name, an IPv4 address, or an IPv6 address without its brackets */
	bool is_ipv6;      /* it stood in brackets */
	int port;          /* 0 to 65535; -1 when none is given */
};

/* Splits and checks text. Stricter than RFC 3986: a name is letters, digits, '-', '.', '_' (what
   DNS and container names need), no user info, no empty host, no empty port, no IPvFuture, no zone.
   0, or -1 (it has no error of its own: its callers say what was wrong). */
MUST_USE int authority_parse(struct slice text, struct authority *out);

/* True when both name the same host: names without case and without one trailing dot, IPv6
 * addresses by value. */
bool authority_same_host(const struct authority *a, const struct authority *b);

/* True for localhost, 127.0.0.0/8 and ::1. */
bool authority_is_loopback(const struct authority *authority);
