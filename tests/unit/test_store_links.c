/* store/links.h: the vector of src/api/README.md, each refusal, every single change to a link, the
   key that is made once whoever comes first. */
#include "tap.h"
#include "util.h"

#include "base/base64.h"
#include "base/sha256.h"
#include "store/links.h"

#define ID        "file_0123456789ab"
#define PATH      "/v1/files/" ID
#define EXPIRES   1893456000
#define SIGNATURE "121131c0e32d6d3a86374ed8c885c7687a044f1722060e68564410cd5b0b417c"
#define PROCESSES 16

static const struct sign_key vector_key = {"changeme-signing-key"};

static struct config no_base_config(void)
{
	return test_config();
}

/* The query of a link. */
static struct slice query_of(const struct buf *link)
{
	return slice_of(strchr(link->data, '?') + 1);
}

static void test_vector(void)
{
	struct config config = no_base_config();
	_cleanup_buf_ struct buf link = buf_new(4096), json = buf_new(4096);
	struct error err;

	is_number(sign_link(&vector_key, &config, SLICE_LITERAL("host:8080"), ID, EXPIRES, &link),
		  0, "a link is made");

	char *payload = strstr(link.data, "?payload="), *signature = strstr(link.data, "&sig=");

	must(payload && signature);
	is_text(signature, "&sig=" SIGNATURE, "the vector's signature");
	payload += strlen("?payload=");
	is_number(base64url_decode(&json, (struct slice){payload, (size_t)(signature - payload)}),
		  0, "unpadded base64url");
	is_text(json.data, "{\"path\":\"" PATH "\",\"exp\":1893456000,\"method\":\"GET\"}",
		"of the vector's text");
	ok(strncmp(link.data, "http://host:8080" PATH "?payload=",
		   strlen("http://host:8080" PATH "?payload=")) == 0,
	   "the Host field says where: %s", link.data);
	is_number(
		sign_check(&vector_key, SLICE_LITERAL(PATH), query_of(&link), "GET", EXPIRES, &err),
		0, "exp equal to now is valid");
	is_number(sign_check(&vector_key, SLICE_LITERAL(PATH), query_of(&link), "HEAD", 0, &err), 0,
		  "HEAD is part of GET");
}

static void test_base_url(void)
{
	struct config config = no_base_config();
	_cleanup_buf_ struct buf link = buf_new(4096), none = buf_new(8);

	config.public_base_url = "https://code.example.org/mayfly//";
	is_number(buf_append_text(&link, "x "), 0, "something is there");
	is_number(sign_link(&vector_key, &config, SLICE_LITERAL("host"), ID, EXPIRES, &link), 0,
		  "a link");
	ok(strncmp(link.data, "x https://code.example.org/mayfly" PATH "?", 48) == 0,
	   "PUBLIC_BASE_URL goes before Host: %s", link.data);
	is_number(sign_link(&vector_key, &config, SLICE_LITERAL("host"), ID, EXPIRES, &none), -1,
		  "one that does not fit");
	is_number(none.len, 0, "leaves nothing behind");
}

static void refused(const char *path, const char *query, const char *method, int64_t now_s,
		    const char *message)
{
	struct error err = {0};

	is_number(sign_check(&vector_key, slice_of(path), slice_of(query), method, now_s, &err), -1,
		  "%s: %.40s", message, query);
	is_number(err.status, 403, "is a 403");
	is_text(err.message, message, "as src/api/README.md has it");
}

/* A query with a right signature for any text. */
static void sign_text(const char *text, char out[1024])
{
	_cleanup_buf_ struct buf payload = buf_new(1024);
	unsigned char digest[SHA256_BYTES];
	char hex[SHA256_HEX_BYTES];

	sha256_hmac(slice_of(vector_key.text), slice_of(text), digest);
	sha256_hex(digest, hex);
	must(base64url_encode(&payload, slice_of(text)) == 0);
	(void)snprintf(out, 1024, "payload=%s&sig=%s", buf_slice(&payload).data, hex);
}

static void test_refusals(void)
{
	char query[1024], other[2048];

	refused(PATH, "", "GET", 0, "missing signature");
	refused(PATH, "payload=abc", "GET", 0, "missing signature");
	refused(PATH, "sig=abc", "GET", 0, "missing signature");
	refused(PATH, "payload=&sig=", "GET", 0, "missing signature");
	refused(PATH, "payload=abc&sig=" SIGNATURE, "GET", 0, "invalid signature");
	refused(PATH, "payload=abc=&sig=" SIGNATURE, "GET", 0, "invalid signature");
	sign_text("{\"path\":\"" PATH "\",\"exp\":1893456000,\"method\":\"GET\"}", query);
	refused("/v1/files/file_0123456789aB", query, "GET", 0, "path mismatch");
	refused("/v1/files/file_%30123456789ab", query, "GET", 0, "path mismatch");
	refused(PATH, query, "POST", 0, "method mismatch");
	refused(PATH, query, "GET", EXPIRES + 1, "url expired");
	(void)snprintf(other, sizeof(other), "%s&x=1", query);
	refused(PATH, other, "GET", 0, "invalid signature");
	(void)snprintf(other, sizeof(other), "%s&%s", query, query);
	refused(PATH, other, "GET", 0, "invalid signature");
	sign_text("{\"path\":\"" PATH "\",\"exp\":1893456000,\"method\":\"POST\"}", query);
	refused(PATH, query, "GET", 0, "method mismatch");
	/* signed with our key, yet nothing that we sign */
	sign_text("{\"path\":\"" PATH "\",\"method\":\"GET\"}", query);
	refused(PATH, query, "GET", 0, "invalid signature");
	sign_text("{\"path\":\"" PATH "\",\"exp\":\"1893456000\",\"method\":\"GET\"}", query);
	refused(PATH, query, "GET", 0, "invalid signature");
	sign_text("no JSON", query);
	refused(PATH, query, "GET", 0, "invalid signature");
	sign_text("[]", query);
	refused(PATH, query, "GET", 0, "invalid signature");
}

static void test_every_change(void)
{
	struct config config = no_base_config();
	_cleanup_buf_ struct buf link = buf_new(4096);
	struct error err;
	unsigned accepted = 0, tried = 0;

	must(sign_link(&vector_key, &config, SLICE_LITERAL("h"), ID, EXPIRES, &link) == 0);

	struct slice query = query_of(&link);
	char *text = strdup(query.data);

	must(text);
	for (size_t i = 0; i < query.len; i++) {
		for (int bit = 0; bit < 8; bit++, tried++) {
			text[i] = (char)(query.data[i] ^ (1 << bit));
			accepted +=
				sign_check(&vector_key, SLICE_LITERAL(PATH),
					   (struct slice){text, query.len}, "GET", 0, &err) == 0;
		}
		text[i] = query.data[i];
		accepted += sign_check(&vector_key, SLICE_LITERAL(PATH), (struct slice){text, i},
				       "GET", 0, &err) == 0;
	}
	is_number(sign_check(&vector_key, SLICE_LITERAL(PATH), slice_of(text), "GET", 0, &err), 0,
		  "as it was it is good");
	is_number(accepted, 0, "none of %u changed links, and no shortened one", tried);
	for (size_t i = query.len - 64; i < query.len; i++)
		if (text[i] >= 'a')
			text[i] = (char)(text[i] - 'a' + 'A');
	is_number(sign_check(&vector_key, SLICE_LITERAL(PATH), slice_of(text), "GET", 0, &err), -1,
		  "upper case is another text");
	free(text);
}

static void key_path(const struct config *config, char out[PATH_MAX + 32])
{
	(void)snprintf(out, PATH_MAX + 32, "%s/" SIGN_KEY_FILE, config->storage_dir);
}

struct maker {
	const struct config *config;
	int start, keys;
};

static int make_key(void *context)
{
	struct maker *maker = context;
	struct sign_key key;
	struct error err;
	char byte;

	must(read(maker->start, &byte, 1) == 0);
	if (sign_key_load(maker->config, true, &key, &err) < 0)
		return 1;
	return write(maker->keys, key.text, 64) == 64 ? 0 : 1;
}

static void test_race(const struct config *config)
{
	pid_t children[PROCESSES];
	struct maker maker = {.config = config};
	int start[2], keys[2], bad = 0, different = 0;
	char first[65] = "", text[65] = "";

	must(pipe(start) == 0 && pipe(keys) == 0);
	maker.start = start[0];
	maker.keys = keys[1];
	fflush(stdout);
	for (int i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		must(children[i] >= 0);
		if (children[i] == 0) {
			close(start[1]);
			_exit(make_key(&maker));
		}
	}
	close(start[1]);
	close(keys[1]);
	for (int i = 0; i < PROCESSES; i++)
		bad += wait_child(children[i]) != 0;
	while (read(keys[0], text, 64) == 64) {
		if (!*first)
			memcpy(first, text, sizeof(first));
		different += strcmp(first, text) != 0;
	}
	close(start[0]);
	close(keys[0]);
	is_number(bad, 0, "%d processes get a key at once", PROCESSES);
	is_number(strspn(first, "0123456789abcdef"), 64, "256 random bits");
	is_number(different, 0, "and it is the same for all");
}

static void test_key(void)
{
	struct config config = no_base_config();
	struct sign_key key, again;
	struct error err = {0};
	char path[PATH_MAX + 32];
	struct stat status;

	(void)snprintf(config.storage_dir, PATH_MAX, "%s/files", scratch());
	is_number(sign_key_load(&config, false, &key, &err), -1, "no key where none was made");
	is_text(err.code, "no_signing_key", "has a word");
	(void)umask(0);
	test_race(&config);
	key_path(&config, path);
	must(stat(path, &status) == 0);
	is_number(status.st_mode & 07777, 0600, "only the owner reads it, whatever the umask");
	is_number(count_entries(config.storage_dir), 1, "and nothing else is left");
	is_number(sign_key_load(&config, false, &key, &err), 0, "it is there");
	is_number(sign_key_load(&config, true, &again, &err), 0, "and stays");
	is_text(again.text, key.text, "the same");
	must(truncate(path, 0) == 0);
	is_number(sign_key_load(&config, true, &again, &err), -1,
		  "an empty file is no key, and is not replaced");
	is_text(err.code, "signing_key_unreadable", "has a word");
	(void)snprintf(config.signing_key, sizeof(config.signing_key), "changeme-signing-key");
	is_number(sign_key_load(&config, false, &again, &err), 0,
		  "SIGNING_KEY goes before the file");
	is_text(again.text, "changeme-signing-key", "as it is");
}

int main(void)
{
	test_vector();
	test_base_url();
	test_refusals();
	test_every_change();
	test_key();
	return done();
}
