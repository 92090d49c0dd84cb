#include "server/auth.h"

#include "auth/jwt.h"
#include "base/secret.h"
#include "http/accept.h"
#include "http/access.h"

#include <stdio.h>

#define SCHEME         "Bearer"
#define SUBJECT_PREFIX "jwt"
#define NOT_LOCAL      "This service is reachable from other machines and has no key, "

/* One request's check. */
struct check {
	struct call *call;
	struct keys keys; /* owned */
	bool is_loaded;
};

/* The token of "Bearer <token>" (RFC 6750 section 2.1; the scheme without case, RFC 9110 section
   11.1). False when there is none. *doubled: two fields name a caller, which no client means. */
static bool bearer_token(const struct http_request *request, struct slice *out, bool *doubled)
{
	unsigned found = 0;

	*out = SLICE_LITERAL("");
	for (unsigned i = 0; i < request->field_count; i++) {
		struct slice value = request->fields[i].value;

		if (!slice_eq_nocase(request->fields[i].name, "Authorization"))
			continue;
		found++;
		if (!slice_starts_nocase(value, SCHEME " "))
			continue;
		slice_skip(&value, strlen(SCHEME));
		while (value.len && *value.data == ' ')
			slice_skip(&value, 1);
		*out = value;
	}
	*doubled = found > 1;
	return out->len > 0;
}

/* Does a proxy say that it passes the request on (RFC 7239; RFC 9110 section 7.6.3)? Then its
   client may be anywhere. */
static bool is_forwarded(const struct http_request *request)
{
	static const char *const names[] = {"Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"};

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (http_field(request, names[i]))
			return true;
	return false;
}

/* Did the request come in on a loopback address, from no proxy, and is that where we are bound? */
static bool is_loopback(const struct call *call)
{
	char address[HTTP_ADDRESS_BYTES];

	if (is_forwarded(&call->connection->request))
		return false;
	http_local_address(call->connection->fd, address);
	return http_is_loopback(slice_of(call->config->bind)) &&
	       (!*address || http_is_loopback(slice_of(address)));
}

static bool has_executor_key(const struct call *call)
{
	const struct slice *given = http_field(&call->connection->request, "X-API-Key");
	const char *secret = call->config->executor_api_key;

	return *secret && given && secret_equal(*given, secret);
}

/* Rule 3. */
static int load_keys(struct check *check, struct error *err)
{
	if (!check->is_loaded && keys_load(check->call->config, &check->keys, err) < 0)
		return -1;
	check->is_loaded = true;
	return 0;
}

/* The key of the request's token, among those that are loaded. 0, or -1 with *err. */
static int find_key(const struct check *check, enum key_scope scope, const struct key **out,
		    struct error *err)
{
	char name[KEY_SCOPES_BYTES];
	struct slice token;
	bool doubled;

	if (!bearer_token(&check->call->connection->request, &token, &doubled))
		return error_set(err, 401, "missing_token", "missing bearer token");
	*out = doubled || token.len > KEY_TOKEN_MAX_BYTES
		       ? NULL
		       : keys_find(&check->keys, token, time(NULL));
	if (!*out)
		return error_set(err, 401, "invalid_token", "invalid token");
	if ((*out)->scopes & (scope | KEY_ADMIN))
		return 0;
	key_scope_names(scope, name);
	return error_set(err, 403, "scope_missing", "this key lacks the scope \"%s\"", name);
}

static int set_name(struct call *call, const char *name)
{
	call->caller = (struct caller){0};
	(void)snprintf(call->caller.id, sizeof(call->caller.id), "%s", name);
	(void)snprintf(call->caller.label, sizeof(call->caller.label), "%s", name);
	return 0;
}

/* The caller is the key's owner; without one, all on loopback are one caller. */
static int set_caller(struct call *call, const struct key *key)
{
	if (!key)
		return set_name(call, CALLER_LOOPBACK);
	call->caller = (struct caller){.has_key = true, .key = *key};
	(void)snprintf(call->caller.id, sizeof(call->caller.id), "%s", key->id);
	(void)snprintf(call->caller.label, sizeof(call->caller.label), "%s", key->label);
	return 0;
}

/* A caller named by a hash: a subject is any text. */
static int set_subject(struct call *call, const char *subject)
{
	char hex[SHA256_HEX_BYTES], id[KEY_ID_BYTES];

	sha256_hex_of(slice_of(subject), hex);
	(void)snprintf(id, sizeof(id), SUBJECT_PREFIX "%.24s", hex);
	(void)set_name(call, id);
	if (key_is_label(slice_of(subject)))
		(void)snprintf(call->caller.label, sizeof(call->caller.label), "%.*s",
			       KEY_LABEL_BYTES - 1, subject);
	return 0;
}

static int check_key(struct check *check, enum key_scope scope, struct error *err)
{
	const struct key *key = NULL;

	if (load_keys(check, err) < 0)
		return -1;
	if (check->keys.is_configured) {
		if (find_key(check, scope, &key, err) < 0)
			return -1;
	} else if (!is_loopback(check->call)) {
		return error_set(err, 403, "no_key_configured",
				 NOT_LOCAL "so it serves no one: set API_KEYS, or make a key with "
					   "mayflyctl keys add");
	}
	return set_caller(check->call, key);
}

/* A token is not needed; one that is good says whose files and results are meant. */
static int take_key(struct check *check, struct error *err)
{
	const struct key *key = NULL;
	struct error ignored;

	if (load_keys(check, err) < 0)
		return -1;
	if (check->keys.is_configured && find_key(check, KEY_RUN, &key, &ignored) == 0)
		return set_caller(check->call, key);
	return 0;
}

static int check_local_or_key(struct check *check, struct error *err)
{
	struct call *call = check->call;
	const struct key *key = NULL;

	if (is_loopback(call)) {
		(void)set_caller(call, NULL);
		return http_field(&call->connection->request, "Authorization")
			       ? take_key(check, err)
			       : 0;
	}
	if (has_executor_key(call))
		return set_name(call, CALLER_EXECUTOR);
	if (load_keys(check, err) < 0)
		return -1;
	if (!*call->config->executor_api_key && !check->keys.is_configured)
		return error_set(err, 403, "no_key_configured",
				 NOT_LOCAL "so it runs nothing: set EXECUTOR_API_KEY or API_KEYS");
	if (find_key(check, KEY_RUN, &key, err) == 0)
		return set_caller(call, key);
	return err->status == 403 ? -1 : error_set(err, 401, "unauthorized", "Unauthorized");
}

static int check_agent(struct check *check, struct error *err)
{
	struct call *call = check->call;
	const char *secret = call->config->jwt_secret;
	struct slice token;
	struct jwt jwt;
	bool doubled;

	if (!*secret)
		return check_local_or_key(check, err);
	if (!bearer_token(&call->connection->request, &token, &doubled))
		return error_set(err, 401, "missing_token", "No token provided");
	if (doubled)
		return error_set(err, 401, "invalid_token", "Invalid or expired token");
	if (jwt_verify(token, slice_of(secret), time(NULL), &jwt, err) < 0)
		return -1;
	return set_subject(call, jwt.subject);
}

static int check_sandbox(struct check *check, struct error *err)
{
	struct call *call = check->call;

	call->has_service_key = has_executor_key(call);
	if (*call->config->executor_api_key && !call->has_service_key)
		return error_set(err, 401, "unauthorized", "Unauthorized");
	return set_caller(call, NULL);
}

/* The service's own key is for all of its users: it does not administer. */
static int check_admin(struct check *check, struct error *err)
{
	if (check_key(check, KEY_ADMIN, err) < 0)
		return -1;
	if (check->call->caller.has_key || !check->call->has_service_key)
		return 0;
	return error_set(
		err, 403, "scope_missing",
		"This needs a key with the scope admin: mayflyctl keys add LABEL --scopes admin");
}

int auth_check(struct call *call, enum access access, struct error *err)
{
	struct check check = {.call = call};
	int allowed = 0;

	switch (access) {
	case ACCESS_PUBLIC:
		break;
	case ACCESS_LOCAL_OR_KEY:
		allowed = check_local_or_key(&check, err);
		break;
	case ACCESS_RUN:
		allowed = check_key(&check, KEY_RUN, err);
		break;
	case ACCESS_READ:
		allowed = check_key(&check, KEY_READ, err);
		break;
	case ACCESS_AGENT:
		allowed = check_agent(&check, err);
		break;
	case ACCESS_SANDBOX:
		allowed = check_sandbox(&check, err);
		break;
	case ACCESS_SANDBOX_RUN:
		allowed = check_sandbox(&check, err);
		if (allowed == 0)
			allowed = check_local_or_key(&check, err);
		if (allowed == 0)
			allowed = take_key(&check, err);
		break;
	case ACCESS_SANDBOX_ADMIN:
		allowed = check_sandbox(&check, err);
		if (allowed == 0)
			allowed = check_admin(&check, err);
		break;
	}
	keys_free(&check.keys);
	return allowed;
}
