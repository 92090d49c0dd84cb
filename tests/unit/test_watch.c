/*
 * Is the client still there? Over TCP and over a Unix socket: one that waits, one that half-
 * closes, one that hangs up, in every order, told by events alone.
 */
#include "http/watch.h"

#include "tap.h"
#include "util.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define LONG_MS 10000

static const char probe[] = "HTTP/1.1 100 Continue\r\n\r\n";

/* A connection: pair[0] is the server's end, pair[1] the client's. */
static void make_tcp(int pair[2])
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	_cleanup_close_ int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	pair[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(listener >= 0 && pair[1] >= 0 &&
	     bind(listener, (struct sockaddr *)&address, len) == 0 && listen(listener, 1) == 0 &&
	     getsockname(listener, (struct sockaddr *)&address, &len) == 0 &&
	     connect(pair[1], (struct sockaddr *)&address, len) == 0);
	pair[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	must(pair[0] >= 0);
}

static void make_unix(int pair[2])
{
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
}

static const struct {
	const char *name;
	void (*make)(int pair[2]);
} kinds[] = {{"TCP", make_tcp}, {"Unix", make_unix}};

/* Waits for the next event and takes it. 1: gone, 0: not, -1: no event until the deadline. */
static int next_event(struct http_watch *watch, int64_t wait_ms)
{
	struct pollfd poll_fd = http_watch_pollfd(watch);

	if (poll(&poll_fd, 1, (int)wait_ms) <= 0)
		return -1;
	return http_watch_is_gone(watch, poll_fd.revents);
}

/* Until it is gone: a half-close may be told first. */
static bool goes(struct http_watch *watch)
{
	deadline_ms deadline = deadline_in(LONG_MS);

	for (;;) {
		int event = next_event(watch, deadline_left_ms(deadline));

		if (event != 0)
			return event == 1;
	}
}

static void test_waits(size_t kind)
{
	int pair[2];

	kinds[kind].make(pair);

	struct http_watch watch = {.fd = pair[0], .may_probe = true};

	is_number(next_event(&watch, 0), -1, "%s: a client that waits makes no event",
		  kinds[kind].name);
	must(write(pair[1], "GET / HTTP/1.1\r\n", 16) == 16);
	is_number(next_event(&watch, 0), -1, "%s: nor does one that sends on", kinds[kind].name);
	close(pair[1]);
	ok(goes(&watch), "%s: one that hangs up with all that unread is gone", kinds[kind].name);
	close(pair[0]);
}

static void test_half_close(size_t kind)
{
	const char *name = kinds[kind].name;
	char got[64] = "";
	int pair[2];

	kinds[kind].make(pair);

	struct http_watch watch = {.fd = pair[0], .may_probe = true};

	must(shutdown(pair[1], SHUT_WR) == 0);
	is_number(next_event(&watch, LONG_MS), 0, "%s: a client that half-closes is not gone",
		  name);
	ok(watch.is_half_closed, "%s: but known to have", name);
	is_number(next_event(&watch, 50), -1, "%s: and does not wake us again and again", name);
	must(read(pair[1], got, sizeof(got) - 1) > 0);
	is_text(got, probe, "%s: it was sent one interim answer", name);
	must(write(pair[0], "answer", 6) == 6 && read(pair[1], got, sizeof(got)) == 6);
	ok(memcmp(got, "answer", 6) == 0, "%s: and gets the real one", name);
	close(pair[1]);

	/* what tells is the reset that its side answers to bytes: on TCP somebody must have sent
	 * some */
	(void)send(pair[0], "x", 1, MSG_NOSIGNAL);
	ok(goes(&watch), "%s: when it hangs up after that it is gone", name);
	close(pair[0]);
}

static void test_hang_up(size_t kind)
{
	int pair[2];

	kinds[kind].make(pair);

	struct http_watch watch = {.fd = pair[0], .may_probe = true};

	close(pair[1]);
	ok(goes(&watch), "%s: a client that hangs up is gone", kinds[kind].name);
	close(pair[0]);
}

static void test_reset(void)
{
	struct linger abort_at_once = {.l_onoff = 1};
	int pair[2];

	make_tcp(pair);

	struct http_watch watch = {.fd = pair[0]};

	must(setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &abort_at_once, sizeof(abort_at_once)) ==
	     0);
	close(pair[1]);
	is_number(next_event(&watch, LONG_MS), 1, "TCP: a reset is told at once, without a probe");
	close(pair[0]);
}

static void test_no_probe(void)
{
	char byte;
	int pair[2];

	make_tcp(pair);

	struct http_watch watch = {.fd = pair[0], .may_probe = false};

	must(shutdown(pair[1], SHUT_WR) == 0);
	is_number(next_event(&watch, LONG_MS), 0,
		  "where no probe may be sent, a half-close is none the less seen");
	is_number(recv(pair[1], &byte, 1, MSG_DONTWAIT), -1, "and nothing is sent");
	close(pair[0]);
	close(pair[1]);
}

static void test_nobody(void)
{
	struct http_watch watch = {.fd = -1};

	is_number(next_event(&watch, 0), -1, "nobody to watch makes no event");
	ok(!http_watch_is_gone(&watch, 0), "and is not gone");

	int closed = dup(STDIN_FILENO);

	close(closed);
	watch.fd = closed;
	is_number(next_event(&watch, LONG_MS), 1, "a descriptor that is closed counts as gone");
}

/* Within a stream of events the probe is a comment; where an event is on its way, that is the
   probe. */
static void test_stream(void)
{
	char text[64] = "";
	int pair[2];

	make_tcp(pair);

	struct http_watch watch = {.fd = pair[0], .may_probe = true, .is_stream = true};

	must(shutdown(pair[1], SHUT_WR) == 0);
	is_number(next_event(&watch, LONG_MS), 0, "a client of a stream that half-closes");
	must(recv(pair[1], text, sizeof(text) - 1, 0) > 0);
	is_text(text, ":\n\n", "gets a comment");
	watch = (struct http_watch){
		.fd = pair[0], .may_probe = true, .is_stream = true, .has_more = true};
	ok(http_watch_pollfd(&watch).events & POLLOUT, "what is kept for it is waited for");
	is_number(next_event(&watch, LONG_MS), 0, "and one that half-closes then");
	is_number(recv(pair[1], text, sizeof(text), MSG_DONTWAIT), -1, "gets nothing in between");
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
		test_waits(kind);
		test_half_close(kind);
		test_hang_up(kind);
	}
	test_reset();
	test_no_probe();
	test_nobody();
	test_stream();
	return done();
}
