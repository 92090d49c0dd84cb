#include "server/auth.h"

#include "auth/jwt.h"
#include "auth/rate_limit.h"
#include "base/secret.h"
#include "http/accept.h"
#include "http/access.h"

#include <stdio.h>
#include <time.h>

#define SCHEME         "Bearer"
#define SUBJECT_PREFIX "jwt"

/* The token of "Bearer <token>" (RFC 6750 section 2.1; the scheme without case, RFC 9110 section 11.1). False when there is none. *doubled: two fields
   say who calls, which nobody means. */
static bool bearer_token(const struct http_request *request, struct slice *out, bool *doubled)
{
	unsigned found = 0;

	*out = (struct slice){"", 0};
	for (unsigned i = 0; i < request->field_count; i++) {
		struct slice value = request->fields[i].value;
		size_t len = strlen(SCHEME);

		if (!slice_eq_nocase(request->fields[i].name, "Authorization"))
			continue;
		found++;
		if (value.len <= len || value.data[len] != ' ' ||
		    strncasecmp(value.data, SCHEME, len) != 0)
			continue;
		while (len < value.len && value.data[len] == ' ')
			len++;
		*out = (struct slice){value.data + len, value.len - len};
	}
	*doubled = found > 1;
	return out->len > 0;
}

bool auth_is_loopback(const struct call *call)
{
	char address[HTTP_ADDRESS_BYTES];

	http_local_address(call->connection->fd, address);
	return http_is_loopback(slice_of(call->config->bind)) &&
	       (!*address || http_is_loopback(slice_of(address)));
}

static void set_caller(const struct key *key, struct caller *out)
{
	*out = (struct caller){.has_key = key != NULL};
	if (key)
		out->key = *key;
	(void)snprintf(out->id, sizeof(out->id), "%s", key ? key->id : CALLER_LOOPBACK);
	(void)snprintf(out->label, sizeof(out->label), "%s", key ? key->label : CALLER_LOOPBACK);
}

static int refuse_scope(enum key_scope scope, struct error *err)
{
	char name[KEY_SCOPES_BYTES];

	key_scope_names(scope, name);
	return error_set(err, 403, "scope_missing", "this key lacks the scope \"%s\"", name);
}

/* The key of the request's token. 0, or -1 with *err. */
static int find_key(const struct call *call, const struct keys *keys, enum key_scope scope,
		    const struct key **out, struct error *err)
{
	struct slice token;
	bool doubled;

	if (!bearer_token(&call->connection->request, &token, &doubled))
		return error_set(err, 401, "missing_token", "missing bearer token");
	*out = doubled || token.len > KEY_TOKEN_MAX_BYTES ? NULL
							  : keys_find(keys, token, time(NULL));
	if (!*out)
		return error_set(err, 401, "invalid_token", "invalid token");
	if (!((*out)->scopes & (scope | KEY_ADMIN)))
		return refuse_scope(scope, err);
	return 0;
}

int auth_check(const struct call *call, enum key_scope scope, struct caller *out, struct error *err)
{
	_cleanup_keys_ struct keys keys = {0};
	const struct key *key = NULL;

	if (keys_load(call->config, &keys, err) < 0)
		return -1;
	if (keys.is_configured) {
		if (find_key(call, &keys, scope, &key, err) < 0)
			return -1;
	} else if (!auth_is_loopback(call)) {
		return error_set(
			err, 403, "no_key_configured",
			"Reachable from other machines, this service serves nobody without a key: set API_KEYS, or make one with mayflyctl keys add");
	}
	set_caller(key, out);
	return 0;
}

static bool has_executor_key(const struct call *call)
{
	const struct slice *given = http_field(&call->connection->request, "X-API-Key");
	const char *secret = call->config->executor_api_key;

	return *secret && given && secret_equal(*given, secret);
}

/* On loopback a token is not needed; one that is good says whose files and results are meant. */
static int take_loopback_caller(struct call *call, struct error *err)
{
	_cleanup_keys_ struct keys keys = {0};
	const struct key *key = NULL;
	struct error ignored;

	if (http_field(&call->connection->request, "Authorization")) {
		if (keys_load(call->config, &keys, err) < 0)
			return -1;
		if (keys.is_configured && find_key(call, &keys, KEY_RUN, &key, &ignored) < 0)
			key = NULL;
	}
	set_caller(key, &call->caller);
	return 0;
}

int auth_check_admin(const struct call *call, struct caller *out, struct error *err)
{
	if (*call->config->executor_api_key && !has_executor_key(call))
		return error_set(err, 401, "unauthorized", "Unauthorized");
	if (auth_check(call, KEY_ADMIN, out, err) < 0)
		return -1;
	if (out->has_key || !*call->config->executor_api_key)
		return 0;
	return error_set(
		err, 403, "scope_missing",
		"This wants a key with the scope admin: mayflyctl keys add LABEL --scopes admin");
}

int auth_check_run(struct call *call, struct error *err)
{
	const char *secret = call->config->executor_api_key;
	_cleanup_keys_ struct keys keys = {0};
	const struct key *key = NULL;
	struct error ignored;

	if (auth_is_loopback(call))
		return take_loopback_caller(call, err);
	if (has_executor_key(call)) {
		set_caller(NULL, &call->caller);
		(void)snprintf(call->caller.id, sizeof(call->caller.id), CALLER_EXECUTOR);
		(void)snprintf(call->caller.label, sizeof(call->caller.label), CALLER_EXECUTOR);
		return 0;
	}
	if (keys_load(call->config, &keys, err) < 0)
		return -1;
	if (!*secret && !keys.is_configured)
		return error_set(
			err, 403, "no_key_configured",
			"Reachable from other machines, this service runs nothing without a key: set EXECUTOR_API_KEY or API_KEYS");
	if (find_key(call, &keys, KEY_RUN, &key, &ignored) == 0) {
		set_caller(key, &call->caller);
		return 0;
	}
	if (ignored.status == 403)
		return refuse_scope(KEY_RUN, err);
	return error_set(err, 401, "unauthorized", "Unauthorized");
}

/* A caller named by a hash: a subject is any text. */
static void set_subject(const char *subject, struct caller *out)
{
	unsigned char digest[SHA256_BYTES];
	char hex[SHA256_HEX_BYTES];
	struct sha256 hash = sha256_new();

	sha256_add(&hash, slice_of(subject));
	sha256_end(&hash, digest);
	sha256_hex(digest, hex);
	*out = (struct caller){0};
	(void)snprintf(out->id, sizeof(out->id), SUBJECT_PREFIX "%.24s", hex);
	(void)snprintf(out->label, sizeof(out->label), "%s",
		       key_is_label(slice_of(subject)) ? subject : out->id);
}

int auth_check_agent(struct call *call, struct caller *out, struct error *err)
{
	const char *secret = call->config->jwt_secret;
	struct slice token;
	struct jwt jwt;
	bool doubled;

	if (!*secret) {
		if (auth_check_run(call, err) < 0)
			return -1;
		set_caller(NULL, out);
		return 0;
	}
	if (!bearer_token(&call->connection->request, &token, &doubled))
		return error_set(err, 401, "missing_token", "No token provided");
	if (doubled)
		return error_set(err, 401, "invalid_token", "Invalid or expired token");
	if (jwt_verify(token, slice_of(secret), time(NULL), &jwt, err) < 0)
		return -1;
	set_subject(jwt.subject, out);
	return 0;
}

int auth_take_token(struct call *call, struct error *err)
{
	if (!call->caller.has_key)
		return 0;
	return bucket_take(call->config, &call->caller.key, &call->retry_after_s, err);
}

int auth_check_sandbox(struct call *call, bool needs_key, struct error *err)
{
	_cleanup_keys_ struct keys keys = {0};
	const struct key *key = NULL;
	struct error ignored;

	if (*call->config->executor_api_key && !has_executor_key(call))
		return error_set(err, 401, "unauthorized", "Unauthorized");
	call->has_service_key = *call->config->executor_api_key;
	set_caller(NULL, &call->caller);
	if (!needs_key)
		return 0;
	if (auth_check_run(call, err) < 0 || keys_load(call->config, &keys, err) < 0)
		return -1;
	/* who shows a key of his own beside the service's is that key's owner */
	if (keys.is_configured && find_key(call, &keys, KEY_RUN, &key, &ignored) == 0)
		set_caller(key, &call->caller);
	return 0;
}
