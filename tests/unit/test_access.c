/* Host and Origin rules, and how an authority is read. Whole requests for them are in
 * tests/http/cases. */
#include "tap.h"

#include "http/access.h"
#include "http/authority.h"

#include <stdlib.h>

static bool is_loopback(const char *text)
{
	return http_is_loopback(slice_of(text));
}

static void test_loopback(void)
{
	static const char *const good[] = {
		"localhost",       "LOCALHOST", "localhost.", "127.0.0.1",
		"127.255.255.254", "::1",       "[::1]",      "0:0:0:0:0:0:0:1",
	};
	static const char *const bad[] = {
		"",
		".",
		"0.0.0.0",
		"128.0.0.1",
		"127.1",
		"127.0.0.1.evil.example",
		"::",
		"[::2]",
		"[::1",
		"::1]",
		"localhost.evil.example",
		"xlocalhost",
		"2130706433",
		"0x7f.0.0.1",
		"::ffff:192.0.2.1",
		"127.0.0.1 ",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ok(is_loopback(good[i]), "\"%s\" is the loopback", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!is_loopback(bad[i]), "\"%s\" is not", bad[i]);
}

static void test_authority(void)
{
	struct authority authority;

	ok(authority_parse(SLICE_LITERAL("[2001:db8::1]:65535"), &authority) == 0 &&
		   authority.is_ipv6 && authority.port == 65535 &&
		   slice_eq(authority.host, "2001:db8::1"),
	   "an IPv6 address and a port");
	ok(authority_parse(SLICE_LITERAL("my_host-1.example"), &authority) == 0 &&
		   !authority.is_ipv6 && authority.port == -1,
	   "a name without port");
	authority.port = 4711;
	ok(authority_parse(SLICE_LITERAL("a:b"), &authority) < 0 && authority.port == 4711,
	   "a refusal leaves the result untouched");
}

/* The status that a request of these fields earns; 0 when both checks pass. */
static int check(const struct http_access *access, const char *fields)
{
	struct http_request request;
	struct error err = {0};
	char head[512];

	(void)snprintf(head, sizeof(head), "GET / HTTP/1.1\r\n%s\r\n", fields);
	if (http_parse_head(head, strlen(head), &request, &err) != 1)
		abort();
	if (http_check_host(access, &request, &err) < 0 ||
	    http_check_origin(access, &request, &err) < 0)
		return err.status;
	return 0;
}

static void test_hosts(void)
{
	struct http_access access = {.bind = "192.0.2.7"};

	is_number(check(&access, "Host: 192.0.2.7:8080\r\n"), 0, "the bound address");
	is_number(check(&access, "Host: 192.0.2.8\r\n"), 421, "its neighbour");
	is_number(check(&access, "Host: allowed.example\r\n"), 421, "a name nobody listed");
	access.bind = "2001:db8::1";
	is_number(check(&access, "Host: [2001:DB8:0::1]\r\n"), 0, "a bound IPv6 address, by value");
	access.bind = "[2001:db8::1]";
	is_number(check(&access, "Host: [2001:db8::1]\r\n"), 0, "and with brackets");
	access.allowed_hosts = " a.example ,,b.example:99, 2001:db8::2,";
	is_number(check(&access, "Host: A.EXAMPLE.\r\n"), 0, "a listed name");
	is_number(check(&access, "Host: b.example\r\n"), 0, "a port in the list is ignored");
	is_number(check(&access, "Host: [2001:db8::2]\r\n"), 0, "a listed IPv6 address");
	is_number(check(&access, "Host: example\r\n"), 421, "part of a listed name");
	is_number(check(&access, "Host: c.example\r\n"), 421, "a name that is not listed");
	access = (struct http_access){.public_base_url = "https://run.example:8443/base"};
	is_number(check(&access, "Host: run.example\r\n"), 0, "the public URL's host");
	is_number(check(&access, "Host: base\r\n"), 421, "but not its path");
	access.public_base_url = "run.example";
	is_number(check(&access, "Host: run.example\r\n"), 421, "a public URL that is none");
	access.public_base_url = "";
	is_number(check(&access, "Host: localhost\r\n"), 0, "nor does an empty one do harm");
}

static void test_origins(void)
{
	struct http_access access = {.bind = "127.0.0.1",
				     .public_base_url = "https://run.example:8443/base"};

	is_number(check(&access, "Host: localhost:8080\r\nOrigin: http://localhost:8080\r\n"), 0,
		  "own origin");
	is_number(check(&access, "Host: localhost:80\r\nOrigin: http://localhost\r\n"), 0,
		  "a default port named by one of them");
	is_number(check(&access, "Host: localhost:80\r\nOrigin: https://localhost\r\n"), 403,
		  "is not that of the other scheme");
	is_number(check(&access, "Host: localhost\r\nOrigin: https://localhost\r\n"), 0,
		  "TLS may end before us");
	is_number(check(&access, "Host: localhost:8080\r\nOrigin: http://localhost\r\n"), 403,
		  "another port");
	is_number(check(&access, "Host: [::1]:1\r\nOrigin: http://[0:0::1]:1\r\n"), 0,
		  "IPv6 by value");
	is_number(check(&access, "Host: localhost\r\nOrigin: https://run.example:8443\r\n"), 0,
		  "the public origin");
	is_number(check(&access, "Host: localhost\r\nOrigin: https://run.example\r\n"), 403,
		  "without its port");
	is_number(check(&access, "Host: localhost\r\nOrigin: null\r\n"), 403, "null");
	access.allowed_origins = "https://App.example, http://[2001:db8::1]:3000/";
	is_number(check(&access, "Host: localhost\r\nOrigin: https://app.example\r\n"), 0,
		  "a listed origin");
	is_number(check(&access, "Host: localhost\r\nOrigin: https://app.example:443\r\n"), 0,
		  "with its scheme's port");
	is_number(check(&access, "Host: localhost\r\nOrigin: http://[2001:db8:0::1]:3000\r\n"), 0,
		  "the second of the list");
	is_number(check(&access, "Host: localhost\r\nOrigin: http://app.example\r\n"), 403,
		  "another scheme");
	is_number(check(&access, "Host: localhost\r\nOrigin: https://app.example:8443\r\n"), 403,
		  "another port");
	is_number(check(&access, "Host: localhost\r\nOrigin: https://a.app.example\r\n"), 403,
		  "a host below it");
	is_number(check(&access, "Host: localhost\r\nOrigin: https://app.example\r\n"
				 "Origin: https://evil.example\r\n"),
		  403, "beside a foreign one");
	is_number(check(&access, "Host: app.example\r\n"), 421, "an origin is no Host");
	is_number(check(&access, "Host: localhost\r\nOrigin: http://localhost\r\n"
				 "Content-Length: 0\r\nContent-Type: text/plain\r\n"),
		  0, "no body, so no type asked for");
	is_number(check(&access, "Host: localhost\r\nOrigin: http://localhost\r\n"
				 "Content-Length: 1\r\nContent-Type: text/plain\r\n"),
		  415, "a body that a form could send");
}

static void test_origin_lists(void)
{
	static const char *const good[] = {"https://a.example", "http://localhost:3000/",
					   " http://a.example , https://[::1]:8443,"};
	static const char *const bad[] = {
		"*",
		"null",
		"",
		"a.example",
		"https://",
		"ftp://a.example",
		"https://a.example/path",
		"https://*.example",
		"https://a.example, *",
		"https://a.example https://b.example",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ok(http_are_origins(good[i]), "\"%s\" are origins", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!http_are_origins(bad[i]), "\"%s\" are not", bad[i]);
}

static void test_scheme(void)
{
	static const char url[] = "https://run.example:8443/base";

	is_text(http_scheme(url, SLICE_LITERAL("RUN.example:8443")), "https", "the public URL's");
	is_text(http_scheme(url, SLICE_LITERAL("run.example")), "http", "another port");
	is_text(http_scheme(url, SLICE_LITERAL("127.0.0.1:8443")), "http", "another host");
	is_text(http_scheme(url, SLICE_LITERAL("")), "http", "no Host");
	is_text(http_scheme("https://run.example", SLICE_LITERAL("run.example:443")), "https",
		"the port of https");
	is_text(http_scheme("http://run.example", SLICE_LITERAL("run.example")), "http",
		"a public URL without TLS");
	is_text(http_scheme(NULL, SLICE_LITERAL("run.example")), "http", "no public URL");
}

int main(void)
{
	test_loopback();
	test_authority();
	test_hosts();
	test_origins();
	test_origin_lists();
	test_scheme();
	return done();
}
