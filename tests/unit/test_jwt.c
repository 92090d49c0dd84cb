/* auth/jwt.h: the vectors of RFC 7515 and RFC 7519; every algorithm but HS256, every altered byte,
   every claim out of time is refused, and in the same words. */
#include "tap.h"
#include "util.h"

#include "auth/jwt.h"
#include "base/base64.h"
#include "base/sha256.h"

/* RFC 7515 appendix A.1: header, payload, signature, and the key as a JWK has it. */
#define RFC_PAYLOAD                                                                                \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define RFC_TOKEN                                                                                  \
	"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." RFC_PAYLOAD                                    \
	".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define RFC_KEY                                                                                    \
	"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
#define RFC_EXPIRES 1300819380

static const struct slice secret = SLICE_LITERAL("a secret");
static struct error err;
static struct jwt jwt;

/* The token of these parts, signed with key; valid until the next one. */
static struct slice sign(const char *header, const char *payload, struct slice key)
{
	static struct buf token;
	unsigned char digest[SHA256_BYTES];

	buf_free(&token);
	token = buf_new(64 * KIB);
	must(base64url_encode(&token, slice_of(header)) == 0 && buf_append_text(&token, ".") == 0 &&
	     base64url_encode(&token, slice_of(payload)) == 0);
	sha256_hmac(key, buf_slice(&token), digest);
	must(buf_append_text(&token, ".") == 0 &&
	     base64url_encode(&token, (struct slice){(const char *)digest, sizeof(digest)}) == 0);
	return buf_slice(&token);
}

static bool is_good(const char *header, const char *payload, int64_t now_s)
{
	return jwt_verify(sign(header, payload, secret), secret, now_s, &jwt, &err) == 0;
}

#define HS256 "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

static void test_rfc_vectors(void)
{
	_cleanup_buf_ struct buf key = buf_new(KIB);

	must(base64url_decode(&key, SLICE_LITERAL(RFC_KEY)) == 0);

	const struct slice token = SLICE_LITERAL(RFC_TOKEN);

	is_number(jwt_verify(token, buf_slice(&key), RFC_EXPIRES - 1, &jwt, &err), 0,
		  "RFC 7515 A.1 in the second before it expires");
	is_text(jwt.subject, "", "it has no subject");
	is_number(jwt_verify(token, buf_slice(&key), RFC_EXPIRES, &jwt, &err), -1,
		  "at that second it is no good (RFC 7519 section 4.1.4)");
	is_number(err.status, 401, "a 401");
	is_text(err.code, "invalid_token", "has a word");
	is_text(err.message, "Invalid or expired token", "as src/api/agents/README.md has it");
	is_number(jwt_verify(SLICE_LITERAL("eyJhbGciOiJub25lIn0." RFC_PAYLOAD "."), buf_slice(&key),
			     0, &jwt, &err),
		  -1, "RFC 7519 section 6.1, an unsecured token");
}

static void test_every_changed_byte(void)
{
	_cleanup_buf_ struct buf key = buf_new(KIB);
	char text[] = RFC_TOKEN;
	size_t len = sizeof(text) - 1;
	unsigned accepted = 0;

	must(base64url_decode(&key, SLICE_LITERAL(RFC_KEY)) == 0);
	for (size_t i = 0; i < len; i++) {
		char was = text[i];

		for (unsigned bit = 0; bit < 8; bit++) {
			text[i] = (char)(was ^ (1 << bit));
			accepted += jwt_verify((struct slice){text, len}, buf_slice(&key), 0, &jwt,
					       &err) == 0;
		}
		text[i] = was;
		accepted +=
			jwt_verify((struct slice){text, i}, buf_slice(&key), 0, &jwt, &err) == 0;
	}
	is_number(accepted, 0, "no changed bit and no shortened token is accepted");
	is_number(jwt_verify((struct slice){text, len}, buf_slice(&key), 0, &jwt, &err), 0,
		  "as it was it is good");
}

static void test_algorithms(void)
{
	static const char *const headers[] = {
		"{\"alg\":\"none\"}",
		"{\"alg\":\"None\"}",
		"{\"alg\":\"hs256\"}",
		"{\"alg\":\"HS384\"}",
		"{\"alg\":\"RS256\"}",
		"{\"alg\":[\"HS256\"]}",
		"{\"alg\":null}",
		"{}",
		"[]",
		"\"HS256\"",
		"",
		"{\"alg\":\"HS256\"",
		"{\"alg\":\"none\",\"alg\":\"HS256\"}",
		"{\"alg\":\"HS256\",\"crit\":[\"x\"],\"x\":1}",
	};

	ok(is_good(HS256, "{\"sub\":\"ann\"}", 0), "HS256 is good");
	is_text(jwt.subject, "ann", "and says who it is");
	ok(is_good("{\"alg\":\"HS256\"}", "{}", 0), "without a type, too");
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		ok(!is_good(headers[i], "{\"sub\":\"ann\"}", 0),
		   "signed with our secret, but its header is %s", headers[i]);
}

/* Whoever has only a public key signs with it and hopes that we use it as a secret. */
static void test_key_confusion(void)
{
	const struct slice public = SLICE_LITERAL("-----BEGIN PUBLIC KEY-----\nMFww\n");

	is_number(jwt_verify(sign("{\"alg\":\"RS256\"}", "{}", public), public, 0, &jwt, &err), -1,
		  "RS256, signed by HMAC with the public key that is our secret");
	is_number(jwt_verify(sign(HS256, "{}", public), secret, 0, &jwt, &err), -1,
		  "HS256, signed with another secret");
	is_number(
		jwt_verify(sign(HS256, "{}", SLICE_LITERAL("")), SLICE_LITERAL(""), 0, &jwt, &err),
		-1, "an empty secret opens nothing");
}

static void test_times(void)
{
	static const struct {
		const char *claims;
		bool good;
	} cases[] = {
		{"{}", true},
		{"{\"exp\":1001}", true},
		{"{\"exp\":1000}", false},
		{"{\"exp\":1000.5}", true},
		{"{\"exp\":999.9}", false},
		{"{\"exp\":0}", false},
		{"{\"exp\":-1}", false},
		{"{\"exp\":1e300}", true},
		{"{\"exp\":\"1001\"}", false},
		{"{\"exp\":null}", false},
		{"{\"exp\":true}", false},
		{"{\"nbf\":1000}", true},
		{"{\"nbf\":1001}", false},
		{"{\"nbf\":1000.5}", false},
		{"{\"nbf\":\"0\"}", false},
		{"{\"nbf\":900,\"exp\":1100}", true},
		{"{\"nbf\":1100,\"exp\":900}", false},
		{"{\"iat\":99999}", true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ok(is_good(HS256, cases[i].claims, 1000) == cases[i].good, "%s at 1000: %s",
		   cases[i].claims, cases[i].good ? "good" : "refused");
}

static void test_claims(void)
{
	char payload[JWT_SUBJECT_MAX_BYTES + 32], name[JWT_SUBJECT_MAX_BYTES + 2];

	ok(!is_good(HS256, "{\"sub\":1}", 0), "a subject that is a number");
	ok(!is_good(HS256, "{\"sub\":null}", 0), "a subject that is null");
	ok(!is_good(HS256, "[]", 0) && !is_good(HS256, "", 0) && !is_good(HS256, "{}x", 0),
	   "claims are an object");
	ok(!is_good(HS256, "{\"sub\":\"a\",\"sub\":\"b\"}", 0), "two subjects");
	ok(!is_good(HS256, "{\"sub\":\"a\\u0000b\"}", 0), "a subject with a NUL");
	for (size_t len = JWT_SUBJECT_MAX_BYTES; len <= JWT_SUBJECT_MAX_BYTES + 1; len++) {
		memset(name, 'a', len);
		name[len] = '\0';
		(void)snprintf(payload, sizeof(payload), "{\"sub\":\"%s\"}", name);
		ok(is_good(HS256, payload, 0) == (len <= JWT_SUBJECT_MAX_BYTES),
		   "a subject of %zu bytes", len);
	}
}

static void test_shapes(void)
{
	static const char *const tokens[] = {"",    ".",     "..",      "...",
					     "a.b", "a.b.c", "a.b.c.d", "a..c"};
	char *long_token = malloc(JWT_MAX_BYTES + 1);

	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
		is_number(jwt_verify(slice_of(tokens[i]), secret, 0, &jwt, &err), -1, "\"%s\"",
			  tokens[i]);
	must(long_token != NULL);
	memset(long_token, '.', JWT_MAX_BYTES + 1);
	is_number(jwt_verify((struct slice){long_token, JWT_MAX_BYTES + 1}, secret, 0, &jwt, &err),
		  -1, "one byte too long");
	free(long_token);
}

int main(void)
{
	test_rfc_vectors();
	test_every_changed_byte();
	test_algorithms();
	test_key_confusion();
	test_times();
	test_claims();
	test_shapes();
	return done();
}
