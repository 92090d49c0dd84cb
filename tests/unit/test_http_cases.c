/*
 * Replays tests/http/cases: NAME.http holds the exact bytes of a request, NAME.expect what must
 * become of them. Each is sent whole, byte by byte, and cut behind each CRLF, through the real
 * functions in the order in which mayfly calls them, with equal results.
 *
 * NAME.expect: directives, then the outcome as outcome_text() writes it.
 *     # max N          the route's maximum for the body, in bytes
 *     # stalls head    the client falls silent and keeps the connection; the deadline of the head
 * (or body) is short
 *
 * Every word of a refusal in src/http stands in some case, but for those in elsewhere[].
 */
#include "tap.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "http/access.h"
#include "http/chunked.h"
#include "http/read.h"
#include "http/uri.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#define FILE_MAX_BYTES (1024 * 1024)
#define CASES_MIN      80
/* less than any read of ours, so that SOCK_SEQPACKET keeps the cuts */
#define PIECE_MAX_BYTES   1024
#define SHOWN_BODY_BYTES  64
#define LONG_DEADLINE_MS  60000
#define SHORT_DEADLINE_MS 40

enum split { SPLIT_NONE, SPLIT_BYTES, SPLIT_CRLF, SPLIT_COUNT };

static const char *const split_names[] = {"whole", "byte by byte", "cut behind each CRLF"};

struct client {
	int fd;
	struct slice bytes;
	enum split split;
	bool stalls;
};

struct http_case {
	char *bytes, *expect; /* owned */
	size_t bytes_len, expect_len;
	const char *outcome; /* the expected one, within expect */
	uint64_t max_bytes;
	bool stalls_head, stalls_body;
};

static size_t piece_len(const struct client *client, size_t at)
{
	size_t left = client->bytes.len - at;
	const char *start = client->bytes.data + at;

	if (client->split == SPLIT_NONE)
		return left;
	if (client->split == SPLIT_BYTES)
		return 1;

	const char *end = memmem(start, left, "\r\n", 2);
	size_t len = end ? (size_t)(end + 2 - start) : left;

	return len < PIECE_MAX_BYTES ? len : PIECE_MAX_BYTES;
}

/* Ends when all is sent or the server has closed. A silent client waits for that. */
static void *run_client(void *argument)
{
	const struct client *client = argument;
	char byte;

	for (size_t at = 0, len; at < client->bytes.len; at += len) {
		len = piece_len(client, at);
		if (io_send_all(client->fd, client->bytes.data + at, len,
				deadline_in(LONG_DEADLINE_MS)) < 0)
			break;
	}
	if (!client->stalls)
		shutdown(client->fd, SHUT_WR);
	while (io_read_some(client->fd, &byte, 1, deadline_in(LONG_DEADLINE_MS)) > 0)
		;
	return NULL;
}

static void append_shown(struct buf *out, struct slice body)
{
	int failed = buf_printf(out, "body %zu", body.len);

	if (body.len)
		failed |= buf_append(out, " ", 1);
	for (size_t i = 0; i < body.len && i < SHOWN_BODY_BYTES; i++) {
		unsigned char byte = (unsigned char)body.data[i];

		failed |= byte >= ' ' && byte < 0x7f && byte != '\\'
				  ? buf_printf(out, "%c", byte)
				  : buf_printf(out, "\\x%02x", byte);
	}
	if (failed | buf_append(out, "\n", 1))
		abort();
}

static void append_line(struct buf *out, const char *key, struct slice value)
{
	if (value.len && buf_printf(out, "%s %.*s\n", key, (int)value.len, value.data) < 0)
		abort();
}

/* The facts about a request that was read. */
static void append_request(struct buf *out, const struct http_request *request,
			   struct slice decoded, struct slice body)
{
	if (buf_printf(out, "ok %.*s %.*s\nversion 1.%u\n", (int)request->method_text.len,
		       request->method_text.data, (int)request->path.len, request->path.data,
		       request->minor_version) < 0)
		abort();
	append_line(out, "host", request->host);
	append_line(out, "query", request->query);
	append_line(out, "decoded", decoded);
	if (buf_printf(out, "fields %u\n", request->field_count) < 0)
		abort();
	append_shown(out, body);
}

/* What mayfly does with a connection before it knows the route. */
static void outcome_text(int fd, const struct http_case *one, struct buf *out)
{
	static const struct http_access access = {
		.bind = "127.0.0.1",
		.public_base_url = "https://public.example/base",
		.allowed_hosts = "other.example, allowed.example",
	};
	struct http_connection connection = http_connection_new(fd);
	_cleanup_buf_ struct buf body = buf_new(one->max_bytes);
	_cleanup_buf_ struct buf decoded = buf_new(URI_PATH_MAX_BYTES);
	struct error err = {0};
	int head_ms = one->stalls_head ? SHORT_DEADLINE_MS : LONG_DEADLINE_MS;
	int body_ms = one->stalls_body ? SHORT_DEADLINE_MS : LONG_DEADLINE_MS;

	if (http_read_head(&connection, deadline_in(head_ms), &err) < 0 ||
	    http_check_host(&access, &connection.request, &err) < 0 ||
	    http_check_origin(&access, &connection.request, &err) < 0 ||
	    uri_decode(connection.request.path, &decoded, &err) < 0 ||
	    http_read_body(&connection, &body, deadline_in(body_ms), &err) < 0) {
		if (buf_printf(out, "%d %s\n", err.status, err.code) < 0)
			abort();
	} else {
		append_request(out, &connection.request, buf_slice(&decoded), buf_slice(&body));
	}
	http_connection_free(&connection);
}

static void replay(const char *name, const struct http_case *one, enum split split)
{
	_cleanup_buf_ struct buf outcome = buf_new(FILE_MAX_BYTES);
	int pair[2];
	pthread_t thread;

	if (socketpair(AF_UNIX, (split == SPLIT_NONE ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC,
		       0, pair) < 0)
		abort();

	struct client client = {
		.fd = pair[1],
		.bytes = {one->bytes, one->bytes_len},
		.split = split,
		.stalls = one->stalls_head || one->stalls_body,
	};

	if (pthread_create(&thread, NULL, run_client, &client) != 0)
		abort();
	outcome_text(pair[0], one, &outcome);
	close(pair[0]);
	pthread_join(thread, NULL);
	close(pair[1]);
	is_text(buf_slice(&outcome).data, one->outcome, "%s, %s", name, split_names[split]);
}

static bool read_file(const char *path, char **data, size_t *len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && io_read_file(fd, FILE_MAX_BYTES, data, len) == 0;
}

/* Takes the directives off the front. False for one that does not exist. */
static bool read_directives(struct http_case *one)
{
	struct slice max = SLICE_LITERAL("# max ");

	one->max_bytes = HTTP_BODY_MAX_BYTES;
	for (one->outcome = one->expect; one->outcome[0] == '#';) {
		const char *end = strchr(one->outcome, '\n');

		if (!end)
			return false;

		struct slice line = {one->outcome, (size_t)(end - one->outcome)};

		if (slice_eq(line, "# stalls head"))
			one->stalls_head = true;
		else if (slice_eq(line, "# stalls body"))
			one->stalls_body = true;
		else if (!slice_starts(line, max.data) ||
			 num_parse((struct slice){line.data + max.len, line.len - max.len}, 10,
				   FILE_MAX_BYTES, &one->max_bytes) < 0)
			return false;
		one->outcome = end + 1;
	}
	return true;
}

static void run_case(const char *name, struct buf *all_expected)
{
	struct http_case one = {0};
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "http/cases/%s.http", name);
	bool good = read_file(path, &one.bytes, &one.bytes_len);

	(void)snprintf(path, sizeof(path), "http/cases/%s.expect", name);
	good = good && read_file(path, &one.expect, &one.expect_len) && read_directives(&one);
	if (!good) {
		ok(false, "%s can be read", name);
	} else {
		for (unsigned split = 0; split < SPLIT_COUNT; split++)
			replay(name, &one, (enum split)split);
		if (buf_printf(all_expected, " %s", one.outcome) < 0)
			abort();
	}
	free(one.bytes);
	free(one.expect);
}

static int is_case(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 5 && strcmp(entry->d_name + len - 5, ".http") == 0;
}

/* The third argument of the error_set call at text, where it stands there as a literal. */
static bool word_of(const char *text, struct slice *word)
{
	const char *at = strchr(text, ',');

	at = at ? strchr(at + 1, ',') : NULL;
	if (!at)
		return false;
	at += 1 + strspn(at + 1, " \t\n");
	*word = (struct slice){at + 1, strcspn(at + 1, "\"")};
	return at[0] == '"';
}

/* Each word that a source file refuses with has a case, unless its test is elsewhere. */
static void check_words_of(const char *file, const char *all_expected)
{
	static const char *const elsewhere[] = {
		"client_gone",   /* test_http_read */
		"out_of_memory", /* test_http_read */
	};
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX], sought[80];
	struct slice word;
	size_t len;

	(void)snprintf(path, sizeof(path), "../src/http/%s", file);
	bool good = read_file(path, &text, &len) && text;

	ok(good, "%s can be read", file);
	if (!good)
		return;
	for (const char *at = strstr(text, "error_set"); at; at = strstr(at + 1, "error_set")) {
		bool found = false;

		if (!word_of(at, &word))
			continue;
		(void)snprintf(sought, sizeof(sought), " %.*s\n", (int)word.len, word.data);
		for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
			found |= slice_eq(word, elsewhere[i]);
		ok(found || strstr(all_expected, sought), "%s: %.*s has a case", file,
		   (int)word.len, word.data);
	}
}

int main(void)
{
	static const char *const sources[] = {"parse.c", "read.c", "chunked.c", "access.c",
					      "uri.c"};
	const char *folder = getenv("MAYFLY_TESTS");
	_cleanup_buf_ struct buf all_expected = buf_new(FILE_MAX_BYTES);
	struct dirent **entries = NULL;
	int count = -1;

	if (chdir(folder ? folder : "tests") == 0)
		count = scandir("http/cases", &entries, is_case, alphasort);
	ok(count >= CASES_MIN, "%d cases", count);
	for (int i = 0; i < count; i++) {
		char *name = entries[i]->d_name;

		name[strlen(name) - 5] = '\0';
		run_case(name, &all_expected);
		free(entries[i]);
	}
	free(entries);
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		check_words_of(sources[i], buf_slice(&all_expected).data);
	return done();
}
