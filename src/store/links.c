#include "store/links.h"

#include "base/atomic_file.h"
#include "base/base64.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/sha256.h"
#include "bounds.h"
#include "http/uri.h"
#include "json/json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>

#define KEY_RANDOM_CHARS 64 /* hexadecimal: 256 bits */
#define KEY_ASIDE        SIGN_KEY_FILE ".new"
#define PATH_PREFIX      "/v1/files/"

static int key_failed(const struct config *config, struct error *err)
{
	return error_set_errno(err, 500, "signing_key_unreadable", "%.256s/" SIGN_KEY_FILE,
			       config->storage_dir);
}

/* 0; -1 with errno, ENOENT when there is no file, EINVAL when it holds no key. */
static int read_key(int folder, struct sign_key *out)
{
	_cleanup_close_ int fd =
		openat(folder, SIGN_KEY_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, out->text, sizeof(out->text) - 1);

	if (len < 0)
		return -1;
	out->text[len] = '\0';
	out->text[strcspn(out->text, "\r\n")] = '\0';
	if (*out->text)
		return 0;
	errno = EINVAL;
	return -1;
}

static int make_key(const struct config *config, struct sign_key *out, struct error *err)
{
	_cleanup_close_ int folder = fs_open_or_make_dir(config->storage_dir, 0750);
	char line[KEY_RANDOM_CHARS + 2];

	if (folder < 0 || flock(folder, LOCK_EX) < 0)
		return error_set_errno(err, 500, "storage_failed", "%.256s cannot be opened",
				       config->storage_dir);
	if (read_key(folder, out) == 0) /* another process was here first */
		return 0;
	if (errno != ENOENT)
		return key_failed(config, err);
	random_hex(out->text, KEY_RANDOM_CHARS);
	(void)snprintf(line, sizeof(line), "%.*s\n", KEY_RANDOM_CHARS, out->text);
	if (atomic_file_write(folder, KEY_ASIDE, SIGN_KEY_FILE, 0600,
			      ATOMIC_SYNC | ATOMIC_LOCKED | ATOMIC_MODE, slice_of(line)) < 0)
		return error_set_errno(err, 500, "storage_failed",
				       "A signing key cannot be written to %.256s",
				       config->storage_dir);
	return 0;
}

int sign_key_load(const struct config *config, bool may_make, struct sign_key *out,
		  struct error *err)
{
	_cleanup_close_ int folder = -1;
	struct sign_key key;

	if (*config->signing_key) {
		memcpy(out->text, config->signing_key, sizeof(out->text));
		return 0;
	}
	folder = open(config->storage_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder >= 0 && read_key(folder, &key) == 0) {
		*out = key;
		return 0;
	}
	if (errno != ENOENT)
		return key_failed(config, err);
	if (!may_make)
		return error_set(err, 404, "no_signing_key", "nothing was ever signed here");
	if (make_key(config, &key, err) < 0)
		return -1;
	*out = key;
	return 0;
}

static void sign(const struct sign_key *key, struct slice json, char out[SHA256_HEX_BYTES])
{
	unsigned char digest[SHA256_BYTES];

	sha256_hmac(slice_of(key->text), json, digest);
	sha256_hex(digest, out);
}

/* PUBLIC_BASE_URL without the slashes at its end. */
static struct slice base_of(const struct config *config)
{
	struct slice base = slice_of(config->public_base_url);

	while (base.len && base.data[base.len - 1] == '/')
		base.len--;
	return base;
}

int sign_link(const struct sign_key *key, const struct config *config, struct slice host,
	      const char *id, int64_t expires_s, struct buf *out)
{
	_cleanup_buf_ struct buf json = buf_new(SIGNED_JSON_MAX_BYTES);
	char signature[SHA256_HEX_BYTES];
	size_t before = out->len;

	if (buf_printf(&json,
		       "{\"path\":\"" PATH_PREFIX "%s\",\"exp\":%" PRId64 ",\"method\":\"GET\"}",
		       id, expires_s) < 0)
		return -1;
	sign(key, buf_slice(&json), signature);

	struct slice base = config->public_base_url ? base_of(config) : host;

	if (buf_printf(out,
		       "%s%.*s" PATH_PREFIX "%s?payload=", config->public_base_url ? "" : "http://",
		       (int)base.len, base.data, id) == 0 &&
	    base64url_encode(out, buf_slice(&json)) == 0 &&
	    buf_printf(out, "&sig=%s", signature) == 0)
		return 0;
	out->len = before;
	return -1;
}

static int refuse(struct error *err, const char *code, const char *message)
{
	return error_set(err, 403, code, "%s", message);
}

/* A signed text says what it allows; one that we did not write is as good as altered. */
static int check_claims(struct slice json, struct slice path, const char *method, int64_t now_s,
			struct error *err)
{
	_cleanup_json_ json_t *claims = NULL;
	const char *signed_path, *signed_method;
	json_int_t expires;
	struct error ignored;

	if (json_parse(json, &claims, &ignored) < 0 ||
	    json_unpack(claims, "{s:s, s:I, s:s}", "path", &signed_path, "exp", &expires, "method",
			&signed_method) < 0)
		return refuse(err, "invalid_signature", "invalid signature");
	if (!slice_eq(path, signed_path))
		return refuse(err, "path_mismatch", "path mismatch");
	if (strcmp(method, signed_method) != 0 &&
	    !(strcmp(method, "HEAD") == 0 && strcmp(signed_method, "GET") == 0))
		return refuse(err, "method_mismatch", "method mismatch");
	if (expires < now_s)
		return refuse(err, "url_expired", "url expired");
	return 0;
}

/* How many parameters there are, empty ones too. */
static size_t count_parameters(struct slice query)
{
	size_t count = 1;

	for (size_t i = 0; i < query.len; i++)
		count += query.data[i] == '&';
	return count;
}

int sign_check(const struct sign_key *key, struct slice path, struct slice query,
	       const char *method, int64_t now_s, struct error *err)
{
	_cleanup_buf_ struct buf json = buf_new(SIGNED_JSON_MAX_BYTES);
	struct slice payload, signature;
	char wanted[SHA256_HEX_BYTES];

	if (!uri_query(query, "payload", &payload) || !uri_query(query, "sig", &signature) ||
	    payload.len == 0 || signature.len == 0)
		return refuse(err, "missing_signature", "missing signature");
	if (!key || count_parameters(query) != 2 || base64url_decode(&json, payload) < 0)
		return refuse(err, "invalid_signature", "invalid signature");
	sign(key, buf_slice(&json), wanted);
	if (!secret_equal(signature, wanted))
		return refuse(err, "invalid_signature", "invalid signature");
	return check_claims(buf_slice(&json), path, method, now_s, err);
}
