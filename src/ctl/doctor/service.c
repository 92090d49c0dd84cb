/* mayflyctl doctor: which process listens, does it answer, and which callers are served. */
#include "ctl/doctor/internal.h"

#include "auth/keys.h"
#include "base/ascii.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/num.h"
#include "http/access.h"
#include "http/authority.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>

#define TABLE_MAX_BYTES  (4 * MIB)
#define STATE_LISTEN     "0A"
#define LISTENERS_BYTES  256
#define FIELD_LOCAL      1
#define FIELD_STATE      3
#define FIELD_UID        7
#define FIELD_COUNT      8
#define START_ADVICE_SYS "systemctl enable --now mayfly.socket"
#define START_ADVICE_USR "systemctl --user enable --now mayfly.socket"

/* --- listeners, from /proc/net/tcp and tcp6 (proc(5)) ----------------------------------------- */

struct listeners {
	uint64_t port;
	char text[LISTENERS_BYTES]; /* "127.0.0.1 (uid 0), …" */
	bool is_public;             /* one is on no loopback address */
	unsigned count;
};

/* 8 or 32 hexadecimal digits: words of 32 bits, each as this machine has them in memory. */
static bool parse_address(const char *hex, size_t len, char out[INET6_ADDRSTRLEN])
{
	uint32_t words[4] = {0};

	for (size_t i = 0; i < len / 8; i++) {
		uint64_t word;

		if (num_parse((struct slice){hex + 8 * i, 8}, 16, UINT32_MAX, &word) < 0)
			return false;
		words[i] = (uint32_t)word;
	}
	return inet_ntop(len == 8 ? AF_INET : AF_INET6, words, out, INET6_ADDRSTRLEN) != NULL;
}

/* One line: "sl: address:port remote:port state queues timer retransmits uid …". */
static void take_line(char *line, struct listeners *listeners)
{
	char *fields[FIELD_COUNT] = {NULL}, *rest = line, text[INET6_ADDRSTRLEN], *colon;
	uint64_t port, uid;

	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (!(fields[i] = strtok_r(i ? NULL : line, " ", &rest)))
			return;
	colon = strchr(fields[FIELD_LOCAL], ':');
	if (strcmp(fields[FIELD_STATE], STATE_LISTEN) != 0 || !colon ||
	    num_parse(slice_of(colon + 1), 16, UINT16_MAX, &port) < 0 || port != listeners->port ||
	    num_parse(slice_of(fields[FIELD_UID]), 10, UINT32_MAX, &uid) < 0 ||
	    !parse_address(fields[FIELD_LOCAL], (size_t)(colon - fields[FIELD_LOCAL]), text))
		return;
	doctor_list(listeners->text, sizeof(listeners->text), "%s (uid %u)", text, (unsigned)uid);
	listeners->count++;
	if (!http_is_loopback(slice_of(text)))
		listeners->is_public = true;
}

static void read_table(const char *path, struct listeners *listeners)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (fd < 0 || io_read_to_end(fd, TABLE_MAX_BYTES, &text, &len) < 0)
		return;
	for (char *line, *rest = text; (line = strsep(&rest, "\n"));)
		take_line(line, listeners);
}

static void say_port(struct doctor *doctor, const struct listeners *listeners)
{
	bool wants_public = !http_is_loopback(slice_of(doctor->config->bind));

	if (listeners->count == 0)
		doctor_fail(doctor, "port", geteuid() == 0 ? START_ADVICE_SYS : START_ADVICE_USR,
			    "nothing listens on port %u", (unsigned)listeners->port);
	else if (listeners->is_public != wants_public)
		doctor_warn(
			doctor, "port",
			"make BIND and PORT in mayfly.conf what mayfly.socket has, or the other "
			"way "
			"round",
			"port %u: listens on %s, but BIND is %s", (unsigned)listeners->port,
			listeners->text, doctor->config->bind);
	else
		doctor_ok(doctor, "port", "port %u: listens on %s", (unsigned)listeners->port,
			  listeners->text);
}

static void say_health(struct doctor *doctor)
{
	struct http_client_reply reply = {.body = buf_new(MIB)};
	char name[HTTP_CLIENT_NAME_BYTES];
	struct error err;
	int result = doctor_request(doctor->config, "GET", "/health", NULL,
				    deadline_in(DOCTOR_HTTP_DEADLINE_MS), &reply, &err);

	http_client_name(doctor->config->bind, doctor->config->port, name);
	if (result < 0)
		doctor_fail(doctor, "health",
			    geteuid() == 0 ? "journalctl -u 'mayfly@*'; " START_ADVICE_SYS
					   : "journalctl --user; " START_ADVICE_USR,
			    "%s", err.message);
	else if (reply.status != 200 || !reply.body.data ||
		 !strstr(reply.body.data, "\"status\":\"healthy\""))
		doctor_fail(doctor, "health", "see mayfly's log", "GET /health at %s: %d %.200s",
			    name, reply.status, buf_slice(&reply.body).data);
	else
		doctor_ok(doctor, "health", "GET /health at %s: healthy", name);
	buf_free(&reply.body);
}

/* --- keys ------------------------------------------------------------------------------------- */

static bool is_public_name(struct slice name)
{
	struct authority authority;

	name = ascii_trim(name);
	return name.len &&
	       (authority_parse(name, &authority) < 0 || !authority_is_loopback(&authority));
}

/* Does the operator say that clients reach it from elsewhere: through a proxy, which itself is a
   caller on loopback? */
static const char *public_setting(const struct config *config)
{
	const char *url = config->public_base_url ? strstr(config->public_base_url, "://") : NULL;
	const char *hosts = config->allowed_hosts;

	if (url && is_public_name((struct slice){url + 3, strcspn(url + 3, "/?#")}))
		return "PUBLIC_BASE_URL";
	while (hosts && *hosts) {
		size_t len = strcspn(hosts, ",");

		if (is_public_name((struct slice){hosts, len}))
			return "ALLOWED_HOSTS";
		hosts += len + (hosts[len] == ',');
	}
	return NULL;
}

#define KEY_ADVICE     "mayflyctl keys add LABEL, and EXECUTOR_API_KEY in mayfly.conf"
#define KEY_ADVICE_TOO "; " KEY_ADVICE

static unsigned usable_keys(const struct keys *keys)
{
	unsigned usable = 0;

	for (size_t i = 0; i < keys->count; i++)
		if (!keys->list[i].expires_s || keys->list[i].expires_s > unix_now_ms() / 1000)
			usable++;
	return usable;
}

static bool is_short(const char *secret)
{
	return *secret && strlen(secret) < SECRET_MIN_BYTES;
}

static void say_key_count(struct doctor *doctor, const struct keys *keys)
{
	if (keys->bad_lines)
		doctor_warn(doctor, "keys.file", "correct or remove those lines",
			    "%s: %zu lines are malformed", doctor->config->keys_file,
			    keys->bad_lines);
	if (keys->short_tokens || is_short(doctor->config->executor_api_key) ||
	    is_short(doctor->config->jwt_secret) || is_short(doctor->config->signing_key))
		doctor_warn(doctor, "keys.short", "take long ones: openssl rand -hex 32",
			    "a key or secret has fewer than %d characters", SECRET_MIN_BYTES);
	if (keys->is_configured && !usable_keys(keys))
		doctor_warn(doctor, "keys.expired", "mayflyctl keys add LABEL",
			    "keys are configured, but none is valid: the runs API serves no one");
}

static void say_keys(struct doctor *doctor, bool listens_publicly)
{
	const struct config *config = doctor->config;
	_cleanup_keys_ struct keys keys = {0};
	const char *setting = public_setting(config);
	bool is_public = listens_publicly || !http_is_loopback(slice_of(config->bind));
	struct error err;

	if (keys_load(config, &keys, &err) < 0) {
		doctor_fail(doctor, "keys", "correct it, or run this as a user that may read it",
			    "%s", err.message);
		return;
	}
	say_key_count(doctor, &keys);

	bool has_key = config->executor_api_key[0] || keys.is_configured;

	if (is_public && !has_key)
		doctor_fail(doctor, "keys", KEY_ADVICE ", or listen on 127.0.0.1",
			    "it listens on an address that others reach, and there is no key");
	else if (setting && !is_public)
		doctor_say(doctor, has_key ? DOCTOR_WARN : DOCTOR_FAIL, "keys",
			   "make the proxy ask for a password" KEY_ADVICE_TOO,
			   "%s says that others reach it, and who comes through a proxy on this "
			   "machine "
			   "is a caller on loopback, whom %s",
			   setting,
			   has_key ? "the tools' routes ask for no key" : "nothing asks for a key");
	else if (has_key)
		doctor_ok(doctor, "keys", "%zu keys of callers, %s EXECUTOR_API_KEY", keys.count,
			  config->executor_api_key[0] ? "an" : "no");
	else
		doctor_ok(doctor, "keys", "none: only callers on loopback are served");
}

void doctor_service(struct doctor *doctor)
{
	struct listeners listeners = {.port = doctor->config->port};

	read_table("/proc/net/tcp", &listeners);
	read_table("/proc/net/tcp6", &listeners);
	say_port(doctor, &listeners);
	if (listeners.count)
		say_health(doctor);
	say_keys(doctor, listeners.is_public);
}
