/* The connection that whoever started us accepted: on fd 0, or passed with LISTEN_FDS; nothing
 * else is one. */
#include "http/accept.h"

#include "tap.h"
#include "util.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PASSED_FD 3

enum kind { NOTHING, PIPE, DATAGRAMS, LISTENER, STREAM };

static int open_kind(enum kind kind)
{
	int pair[2];

	if (kind == NOTHING)
		return -1;
	if (kind == PIPE) {
		must(pipe(pair) == 0);
		return pair[0];
	}
	if (kind == LISTENER) {
		int listener = socket(AF_UNIX, SOCK_STREAM, 0);
		struct sockaddr_un address = {.sun_family = AF_UNIX};

		/* only the family: the kernel gives it a name of its own */
		must(bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0 &&
		     listen(listener, 1) == 0);
		return listener;
	}
	must(socketpair(AF_UNIX, kind == STREAM ? SOCK_STREAM : SOCK_DGRAM, 0, pair) == 0);
	return pair[0];
}

struct start {
	enum kind on_stdin, passed;
	const char *pid, *fds; /* of LISTEN_PID and LISTEN_FDS; "self": our own */
	int want;              /* the descriptor, or -1 */
};

/* In a child: the descriptors and variables as they would be at our start. */
static int accept_in_child(void *context)
{
	const struct start *start = context;
	int on_stdin = open_kind(start->on_stdin), passed = open_kind(start->passed), fd = -1;
	char self[16];

	/* both go high first, so that neither overwrites the other */
	on_stdin = on_stdin < 0 ? -1 : fcntl(on_stdin, F_DUPFD, 50);
	passed = passed < 0 ? -1 : fcntl(passed, F_DUPFD, 50);
	close(STDIN_FILENO);
	close(PASSED_FD);
	must(on_stdin < 0 || dup2(on_stdin, STDIN_FILENO) == STDIN_FILENO);
	must(passed < 0 || dup2(passed, PASSED_FD) == PASSED_FD);
	(void)snprintf(self, sizeof(self), "%d", (int)getpid());
	must(!start->pid ||
	     setenv("LISTEN_PID", strcmp(start->pid, "self") == 0 ? self : start->pid, 1) == 0);
	must(!start->fds || setenv("LISTEN_FDS", start->fds, 1) == 0);
	must(setenv("LISTEN_FDNAMES", "connection", 1) == 0);

	int result = http_accepted(&fd) == 0 ? fd : -1;

	if (getenv("LISTEN_PID") || getenv("LISTEN_FDS") || getenv("LISTEN_FDNAMES"))
		return 50;
	return result == start->want ? 0 : 1;
}

static void accepts(struct start start, const char *what)
{
	int status = in_child(accept_in_child, &start);

	ok(status == 0, "%s", what);
	ok(status != 50, "and no variable is left");
}

static void test_accepted(void)
{
	accepts((struct start){STREAM, NOTHING, NULL, NULL, 0}, "a stream on fd 0");
	accepts((struct start){NOTHING, STREAM, "self", "1", PASSED_FD}, "one that is passed");
	accepts((struct start){STREAM, STREAM, "self", "1", PASSED_FD},
		"one that is passed goes before fd 0");
	accepts((struct start){STREAM, STREAM, "1", "1", 0},
		"one passed to another process is not ours");
	accepts((struct start){STREAM, STREAM, "self", "2", 0}, "nor are two");
	accepts((struct start){STREAM, STREAM, "self", "0", 0}, "nor none");
	accepts((struct start){STREAM, STREAM, "self", "1x", 0}, "nor what is no number");
	accepts((struct start){STREAM, STREAM, NULL, "1", 0}, "nor one passed to nobody");
	accepts((struct start){NOTHING, NOTHING, NULL, NULL, -1}, "nothing at all");
	accepts((struct start){PIPE, NOTHING, NULL, NULL, -1}, "a pipe");
	accepts((struct start){DATAGRAMS, NOTHING, NULL, NULL, -1}, "a socket of datagrams");
	accepts((struct start){LISTENER, NOTHING, NULL, NULL, -1},
		"a socket that still listens (Accept=no)");
	accepts((struct start){STREAM, LISTENER, "self", "1", -1}, "the same, passed");
	accepts((struct start){STREAM, NOTHING, "self", "1", -1}, "one promised and not passed");
}

static void test_local_address(void)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	_cleanup_close_ int four = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_close_ int six = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_close_ int local = open_kind(STREAM);
	char address[HTTP_ADDRESS_BYTES] = "old";

	must(bind(four, (struct sockaddr *)&v4, sizeof(v4)) == 0);
	http_local_address(four, address);
	is_text(address, "127.0.0.1", "the address of a socket of IPv4");
	if (six >= 0 && bind(six, (struct sockaddr *)&v6, sizeof(v6)) == 0) {
		http_local_address(six, address);
		is_text(address, "::1", "of IPv6");
	}
	http_local_address(local, address);
	is_text(address, "", "a Unix socket has none");
	(void)snprintf(address, sizeof(address), "old");
	http_local_address(-1, address);
	is_text(address, "", "nor has no socket");
}

int main(void)
{
	test_accepted();
	test_local_address();
	return done();
}
