/* Whole reads and writes by a deadline: short counts, ends of file, signals, full and closed
 * peers. */
#include "base/io.h"

#include "tap.h"
#include "util.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#define BRIEF_MS 20
#define LONG_MS  20000

static void make_pair(int pair[2])
{
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
}

static void close_both(const int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

static void test_wait(void)
{
	int pair[2];

	make_pair(pair);

	int64_t start = monotonic_us();

	is_number(io_wait(pair[0], POLLIN, deadline_in(BRIEF_MS)), 0,
		  "nothing to read: waits to the deadline");
	ok(monotonic_us() - start >= (BRIEF_MS - 1) * 1000, "and not less");
	is_number(io_wait(pair[0], POLLIN, deadline_in(-1000)), 0,
		  "a deadline that has passed does not wait");
	ok(io_wait(pair[0], POLLOUT, deadline_in(0)) & POLLOUT, "but still looks");
	must(write(pair[1], "x", 1) == 1);
	ok(io_wait(pair[0], POLLIN, deadline_in(LONG_MS)) & POLLIN, "something to read");
	close_both(pair);
	ok(io_wait(pair[0], POLLIN, deadline_in(LONG_MS)) & POLLNVAL,
	   "a closed descriptor is told");
}

static void test_read_some(void)
{
	int pair[2];
	char data[16];

	make_pair(pair);
	is_number(io_read_some(pair[0], data, sizeof(data), deadline_in(BRIEF_MS)), -1,
		  "nothing comes");
	is_number(errno, ETIMEDOUT, "until the deadline");
	must(write(pair[1], "abc", 3) == 3);
	is_number(io_read_some(pair[0], data, sizeof(data), deadline_in(LONG_MS)), 3,
		  "what is there is read");
	ok(memcmp(data, "abc", 3) == 0, "as it was sent");
	must(write(pair[1], "abcdef", 6) == 6 && fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0);
	is_number(io_read_some(pair[0], data, 4, deadline_in(LONG_MS)), 4,
		  "no more than asked for, not blocking either");
	is_number(io_read_some(pair[0], data, 4, deadline_in(LONG_MS)), 2, "and then the rest");
	is_number(io_read_some(pair[0], data, 4, deadline_in(BRIEF_MS)), -1,
		  "a descriptor that does not block waits all the same");
	is_number(errno, ETIMEDOUT, "to the deadline");
	close(pair[1]);
	is_number(io_read_some(pair[0], data, sizeof(data), deadline_in(LONG_MS)), 0,
		  "0 at the end");
	close(pair[0]);
	is_number(io_read_some(-1, data, sizeof(data), deadline_in(0)), -1,
		  "no descriptor, no bytes");
}

struct transfer {
	int fd;
	size_t len;
};

/* Reads to the end in small bites; ends with 0 when every byte was as it should be. */
static int slow_reader(void *context)
{
	const struct transfer *transfer = context;
	unsigned char data[777];
	size_t at = 0;

	for (;;) {
		ssize_t got = io_read_some(transfer->fd, data, sizeof(data), deadline_in(LONG_MS));

		if (got <= 0)
			return got == 0 && at == transfer->len ? 0 : 1;
		for (ssize_t i = 0; i < got; i++, at++)
			if (data[i] != (unsigned char)(at * 31))
				return 1;
	}
}

static void alarm_rang(int number)
{
	(void)number;
}

/* Signals without SA_RESTART all the time: every call that can be interrupted will be. */
static void ring(long interval_us)
{
	struct sigaction action = {.sa_handler = alarm_rang};
	struct itimerval timer = {{0, interval_us}, {0, interval_us}};

	must(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void test_send_all(void)
{
	enum { LEN = 2 * 1000 * 1000 };
	_cleanup_free_ unsigned char *data = malloc(LEN);
	int pair[2], small = 4096;

	must(data);
	for (size_t i = 0; i < LEN; i++)
		data[i] = (unsigned char)(i * 31);
	make_pair(pair);
	must(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) == 0);

	struct transfer transfer = {pair[1], LEN};
	int keep = pair[0];

	fflush(stdout);

	pid_t child = fork();

	must(child >= 0);
	if (child == 0) {
		close(keep);
		_exit(slow_reader(&transfer));
	}
	close(pair[1]);
	ring(500);
	is_number(io_send_all(pair[0], data, LEN, deadline_in(LONG_MS)), 0,
		  "two million bytes through a small socket");
	ring(0);
	close(pair[0]);
	is_number(wait_child(child), 0, "come out whole and in order, signals or not");
}

static void test_send_refused(void)
{
	static char much[1 << 20];
	int pair[2];

	make_pair(pair);
	is_number(io_send_all(pair[0], "", 0, deadline_in(0)), 0, "nothing is sent at once");

	int64_t start = monotonic_us();

	is_number(io_send_all(pair[0], much, sizeof(much), deadline_in(BRIEF_MS)), -1,
		  "a peer that never reads");
	is_number(errno, ETIMEDOUT, "ends at the deadline");
	ok(monotonic_us() - start < LONG_MS * 1000, "in time");
	close(pair[1]);
	is_number(io_send_all(pair[0], "x", 1, deadline_in(LONG_MS)), -1, "a peer that has gone");
	is_number(errno, EPIPE, "is told by EPIPE, and no signal ends us");
	close(pair[0]);
}

static void test_write_all(void)
{
	_cleanup_close_ int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	_cleanup_close_ int readable = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const char *path = in_scratch("written");

	is_number(io_write_all(full, "x", 1), -1, "a full device refuses");
	is_number(errno, ENOSPC, "by ENOSPC");
	is_number(io_write_all(full, "", 0), 0, "but not nothing");
	is_number(io_write_all(readable, "x", 1), -1, "so does what is open for reading");
	write_file(path, SLICE_LITERAL("a\0b"));
	ok(file_is(path, SLICE_LITERAL("a\0b")), "every byte arrives in a file");
}

static void reads_file(const char *path, size_t max, int number, struct slice want,
		       const char *what)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char untouched, *data = &untouched;
	size_t len = 4711;

	must(fd >= 0);
	if (number) {
		is_number(io_read_file(fd, max, &data, &len), -1, "%s: refused", what);
		is_number(errno, number, "%s: by the right error", what);
		ok(data == &untouched && len == 4711, "%s: nothing is written", what);
		return;
	}
	is_number(io_read_file(fd, max, &data, &len), 0, "%s: read", what);
	ok(len == want.len && memcmp(data, want.data, len) == 0 && data[len] == '\0',
	   "%s: whole, and a NUL", what);
	free(data);
}

static void test_read_file(void)
{
	const char *path = in_scratch("read");

	write_file(path, SLICE_LITERAL("12345\0007"));
	reads_file(path, 7, 0, SLICE_LITERAL("12345\0007"), "a file of exactly the maximum");
	reads_file(path, 8, 0, SLICE_LITERAL("12345\0007"), "a smaller file");
	reads_file(path, 6, EFBIG, SLICE_LITERAL(""), "a file of one byte more");
	reads_file(path, 0, EFBIG, SLICE_LITERAL(""), "a maximum of 0");
	write_file(path, SLICE_LITERAL(""));
	reads_file(path, 0, 0, SLICE_LITERAL(""), "an empty file");
	must(truncate(path, 1LL << 40) == 0);
	reads_file(path, 1000, EFBIG, SLICE_LITERAL(""), "a sparse terabyte");
	reads_file(scratch(), 1 << 20, EISDIR, SLICE_LITERAL(""), "a folder");
	errno = 0;
	ok(io_read_file(-1, 10, &(char *){NULL}, &(size_t){0}) < 0 && errno == EBADF,
	   "no descriptor, no file");
}

/* Through a pipe, which has no length beforehand. */
static void test_read_to_end(void)
{
	char *data = NULL;
	size_t len = 0;

	for (size_t max = 6; max <= 8; max++) {
		int ends[2];

		must(pipe(ends) == 0 && write(ends[1], "123\00056", 6) == 6);
		must(write(ends[1], "7", 1) == 1);
		close(ends[1]);
		if (max < 7) {
			errno = 0;
			ok(io_read_to_end(ends[0], max, &data, &len) < 0 && errno == EFBIG,
			   "one byte too many is refused");
		} else {
			is_number(io_read_to_end(ends[0], max, &data, &len), 0, "read at most %zu",
				  max);
			ok(len == 7 && memcmp(data, "123\000567", 8) == 0, "whole, and a NUL");
			free(data);
		}
		close(ends[0]);
	}

	_cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	is_number(io_read_to_end(null, 0, &data, &len), 0, "nothing is something to read");
	ok(len == 0 && *data == '\0', "and is empty");
	free(data);
	ok(io_read_to_end(-1, 10, &data, &len) < 0 && errno == EBADF, "no descriptor, no text");
}

int main(void)
{
	test_wait();
	test_read_some();
	test_send_all();
	test_send_refused();
	test_write_all();
	test_read_file();
	test_read_to_end();
	return done();
}
