#include "auth/jwt.h"

#include "base/base64.h"
#include "base/secret.h"
#include "base/sha256.h"
#include "json/json.h"

#include <stdio.h>

struct parts {
	struct slice header, payload, signature;
	struct slice signed_text; /* header, a dot, payload */
};

static int refuse(struct error *err)
{
	return error_set(err, 401, "invalid_token", "Invalid or expired token");
}

/* header "." payload "." signature (RFC 7515 section 7.1). */
static bool split(struct slice token, struct parts *out)
{
	const char *end = token.data + token.len;
	const char *first = memchr(token.data, '.', token.len);
	const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;

	if (!second || memchr(second + 1, '.', (size_t)(end - second - 1)))
		return false;
	*out = (struct parts){
		.header = {token.data, (size_t)(first - token.data)},
		.payload = {first + 1, (size_t)(second - first - 1)},
		.signature = {second + 1, (size_t)(end - second - 1)},
		.signed_text = {token.data, (size_t)(second - token.data)},
	};
	return true;
}

/* Rules 1 and 2. The text of a signature is compared: base64url has one for each. */
static bool is_signed(const struct parts *parts, struct slice secret)
{
	_cleanup_buf_ struct buf wanted = buf_new(2 * SHA256_BYTES);
	unsigned char digest[SHA256_BYTES];

	sha256_hmac(secret, parts->signed_text, digest);
	return base64url_encode(&wanted, (struct slice){(const char *)digest, sizeof(digest)}) ==
		       0 &&
	       secret_equal(parts->signature, wanted.data);
}

/* A part of the token as an object; the caller's. NULL when it is none. */
static json_t *parse_part(struct slice part)
{
	_cleanup_buf_ struct buf text = buf_new(JWT_MAX_BYTES);
	json_t *value = NULL;
	struct error ignored;

	if (base64url_decode(&text, part) < 0 || json_parse(buf_slice(&text), &value, &ignored) < 0)
		return NULL;
	if (json_is_object(value))
		return value;
	json_decref(value);
	return NULL;
}

static bool is_good_header(struct slice part)
{
	_cleanup_json_ json_t *header = parse_part(part);

	return json_text_is(header, "alg", "HS256") && !json_object_get(header, "crit");
}

/* Rule 3. NumericDate may have a fraction (RFC 7519 section 2). */
static bool is_in_time(const json_t *claims, int64_t now_s)
{
	const json_t *expires = json_object_get(claims, "exp"),
		     *begins = json_object_get(claims, "nbf");
	double now = (double)now_s;

	if ((expires && !json_is_number(expires)) || (begins && !json_is_number(begins)))
		return false;
	return (!expires || now < json_number_value(expires)) &&
	       (!begins || now >= json_number_value(begins));
}

int jwt_verify(struct slice token, struct slice secret, int64_t now_s, struct jwt *out,
	       struct error *err)
{
	_cleanup_json_ json_t *claims = NULL;
	struct parts parts;

	if (token.len > JWT_MAX_BYTES || secret.len == 0 || !split(token, &parts) ||
	    !is_signed(&parts, secret) || !is_good_header(parts.header))
		return refuse(err);
	claims = parse_part(parts.payload);

	const json_t *subject = json_object_get(claims, "sub");

	if (!claims || !is_in_time(claims, now_s) || (subject && !json_is_string(subject)) ||
	    json_string_length(subject) > JWT_SUBJECT_MAX_BYTES)
		return refuse(err);
	(void)snprintf(out->subject, sizeof(out->subject), "%s",
		       subject ? json_string_value(subject) : "");
	return 0;
}
