/* A client and servers that are none: what they answer, and what is made of it. */
#include "ends.h"
#include "tap.h"
#include "util.h"

#define SHORT_MS 100

/* A server in a child: it reads what comes first, sends answer, and waits for the client's end
   before its own if stays. */
struct server {
	const char *answer;
	bool stays;
	int listener; /* owned */
	uint64_t port;
};

static int serve(void *context)
{
	struct server *server = context;
	int fd = accept(server->listener, NULL, NULL);
	char data[4096];

	must(fd >= 0 && recv(fd, data, sizeof(data), 0) > 0);
	must(io_send_all(fd, server->answer, strlen(server->answer), deadline_in(DEADLINE_MS)) ==
	     0);
	while (server->stays && recv(fd, data, sizeof(data), 0) > 0)
		continue;
	return 0;
}

/* The status, or -1; *err and *body are written. */
static int ask(const char *answer, bool stays, char body[64], struct error *err)
{
	struct server server = {.answer = answer, .stays = stays};
	struct http_client_reply reply = {.body = buf_new(63)};
	pid_t child;

	server.listener = listen_tcp(&server.port);
	child = start_child(serve, &server);
	close(server.listener);
	*err = (struct error){.code = ""};

	int result = http_client_send("127.0.0.1", server.port, SLICE_LITERAL("GET / x\r\n\r\n"),
				      deadline_in(stays ? SHORT_MS : DEADLINE_MS), &reply, err);

	(void)snprintf(body, 64, "%s", buf_slice(&reply.body).data);
	must(waitpid(child, NULL, 0) == child);
	buf_free(&reply.body);
	return result < 0 ? -1 : reply.status;
}

#define HEAD "HTTP/1.1 200 OK\r\n"

static void test_replies(void)
{
	static const struct {
		const char *answer;
		int status;
		const char *body, *code;
	} rows[] = {
		{HEAD "Content-Length: 2\r\n\r\n{}", 200, "{}", ""},
		{HEAD "\r\n", 200, "", ""},
		{"HTTP/1.1 404 Not Found\r\n\r\nlost", 404, "lost", ""},
		{HEAD "transfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 200,
		 "abc", ""},
		{HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", -1, "", "bad_reply"},
		{HEAD "Transfer-Encoding: chunked\r\n\r\nzz", -1, "", "chunk_size_bad"},
		{HEAD "Content-Le", -1, "", "bad_reply"},
		{"", 0, "", ""},
		{"SSH-2.0-other\r\n\r\n\r\n", -1, "", "bad_reply"},
		{"HTTP/1.1 2x0 OK\r\n\r\n", -1, "", "bad_reply"},
		{"HTTP/1.1 2", -1, "", "bad_reply"},
		{HEAD "\r\n0123456789012345678901234567890123456789012345678901234567890123456789",
		 -1, "", "bad_reply"},
	};
	struct error err;
	char body[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		is_number(ask(rows[i].answer, false, body, &err), rows[i].status, "status %zu", i);
		is_text(body, rows[i].body, "its body");
		is_text(err.code, rows[i].code, "its code");
	}
	is_number(ask(HEAD "Content-Length: 2\r\n\r\n{}", true, body, &err), -1,
		  "the connection's end is waited for");
	is_text(err.code, "timeout", "until the deadline");
}

static void test_connections(void)
{
	static const struct {
		const char *address, *name;
	} names[] = {
		{"127.0.0.1", "127.0.0.1:80"}, {"::1", "[::1]:80"}, {"localhost", "localhost:80"}};
	char name[HTTP_CLIENT_NAME_BYTES];
	uint64_t port;
	struct error err;
	int fd = listen_tcp(&port);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		http_client_name(names[i].address, 80, name);
		is_text(name, names[i].name, "a name for messages");
	}

	int wildcard = http_client_connect("0.0.0.0", port, deadline_in(DEADLINE_MS), &err);

	ok(wildcard >= 0, "a wildcard is reached on loopback");
	close(wildcard);
	close(fd);
	ok(http_client_connect("127.0.0.1", port, deadline_in(DEADLINE_MS), &err) < 0 &&
		   strcmp(err.code, "unreachable") == 0,
	   "a port without a server is unreachable");
	ok(http_client_connect("example.invalid", port, deadline_in(DEADLINE_MS), &err) < 0 &&
		   strcmp(err.code, "unreachable") == 0,
	   "a name is not looked up");
}

int main(void)
{
	test_replies();
	test_connections();
	return done();
}
