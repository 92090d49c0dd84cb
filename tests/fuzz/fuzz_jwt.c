/*
 * A bearer token: whatever comes is refused with a 401, or says who it is within bounds. The input
 * is taken as a token, and as the text of header and payload (a line feed between them) of one that
 * is signed as it should be: else nothing would come past the signature.
 */
#include "fuzz.h"

#include "auth/jwt.h"
#include "base/base64.h"
#include "base/sha256.h"

static const struct slice secret = SLICE_LITERAL("secret");

static void verify(struct slice token)
{
	struct jwt jwt;
	struct error err = {0};

	memset(&jwt, 'x', sizeof(jwt));
	if (jwt_verify(token, secret, 1000, &jwt, &err) < 0)
		must(err.status == 401 && strcmp(err.code, "invalid_token") == 0);
	else
		must(strnlen(jwt.subject, sizeof(jwt.subject)) <= JWT_SUBJECT_MAX_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct slice text = {(const char *)data, size};
	const char *line = memchr(text.data, '\n', size);
	struct slice header = {text.data, line ? (size_t)(line - text.data) : size};
	struct slice payload = {text.data + header.len + (line != NULL),
				size - header.len - (line != NULL)};
	_cleanup_buf_ struct buf token = buf_new(2 * JWT_MAX_BYTES);
	unsigned char digest[SHA256_BYTES];

	verify(text);
	if (base64url_encode(&token, header) < 0 || buf_append_text(&token, ".") < 0 ||
	    base64url_encode(&token, payload) < 0)
		return 0;
	sha256_hmac(secret, buf_slice(&token), digest);
	if (buf_append_text(&token, ".") == 0 &&
	    base64url_encode(&token, (struct slice){(const char *)digest, sizeof(digest)}) == 0)
		verify(buf_slice(&token));
	return 0;
}
