/*
 * host[:port], and which hosts are the same.
 *
 * Rules:
 *  1. One reading of an authority for the Host field, the request target, Origin and the
 *     configuration: what two readers take apart differently is where a foreign host slips in.
 *  2. Addresses are compared by value, and only in their full form: inet_pton(3) takes neither
 *     "127.1" nor "0x7f.1".
 */
#include "http/authority.h"

#include "base/ascii.h"
#include "base/num.h"
#include "bounds.h"

#include <arpa/inet.h>

static bool to_ipv6(struct slice text, struct in6_addr *out)
{
	char address[INET6_ADDRSTRLEN];

	return slice_copy(text, address, sizeof(address)) && inet_pton(AF_INET6, address, out) == 1;
}

static struct slice without_trailing_dot(struct slice name)
{
	if (name.len > 1 && name.data[name.len - 1] == '.')
		name.len--;
	return name;
}

/* Takes the host off the front of *text. */
static int take_host(struct slice *text, struct authority *out)
{
	size_t end = 0;

	if (text->len && text->data[0] == '[') {
		const char *close = memchr(text->data, ']', text->len);
		struct in6_addr address;

		if (!close)
			return -1;
		end = (size_t)(close - text->data);
		out->host = (struct slice){text->data + 1, end - 1};
		out->is_ipv6 = true;
		end++;
		if (!to_ipv6(out->host, &address))
			return -1;
	} else {
		end = ascii_span(*text, ASCII_ALNUM "-._");
		out->host = (struct slice){text->data, end};
		out->is_ipv6 = false;
		if (end == 0 || slice_eq(out->host, "."))
			return -1;
	}
	slice_skip(text, end);
	return 0;
}

int authority_parse(struct slice text, struct authority *out)
{
	struct authority found = {.port = -1};

	if (text.len > HTTP_AUTHORITY_MAX_BYTES || take_host(&text, &found) < 0)
		return -1;
	if (text.len) {
		uint64_t port = 0;

		if (text.data[0] != ':' || num_parse((struct slice){text.data + 1, text.len - 1},
						     10, UINT16_MAX, &port) < 0)
			return -1;
		found.port = (int)port;
	}
	*out = found;
	return 0;
}

bool authority_same_host(const struct authority *a, const struct authority *b)
{
	if (a->is_ipv6 || b->is_ipv6) {
		struct in6_addr left, right;

		return to_ipv6(a->host, &left) && to_ipv6(b->host, &right) &&
		       memcmp(&left, &right, sizeof(left)) == 0;
	}

	struct slice left = without_trailing_dot(a->host), right = without_trailing_dot(b->host);

	return left.len == right.len && strncasecmp(left.data, right.data, left.len) == 0;
}

bool authority_is_loopback(const struct authority *authority)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr six;
	struct in_addr four;

	if (authority->is_ipv6)
		return to_ipv6(authority->host, &six) && IN6_IS_ADDR_LOOPBACK(&six);

	struct slice name = without_trailing_dot(authority->host);

	if (slice_eq_nocase(name, "localhost"))
		return true;
	return slice_copy(name, text, sizeof(text)) && inet_pton(AF_INET, text, &four) == 1 &&
	       ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET;
}
