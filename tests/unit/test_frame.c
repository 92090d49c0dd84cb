/* Frames: the decoder's answers, its maxima, fields, the reader over a socket, sending to a slow
 * peer. */
#include "base/frame.h"

#include "base/cleanup.h"
#include "bounds.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	const char *what, *bytes;
	size_t len;
	int answer;
	size_t used; /* with answer 1 */
	const char *code;
} cases[] = {
	{"nothing", "", 0, 0, 0, NULL},
	{"a type", "O", 1, 0, 0, NULL},
	{"a header but for a byte", "O\0\0\0", 4, 0, 0, NULL},
	{"an empty frame", "O\0\0\0\0", 5, 1, 5, NULL},
	{"a frame but for a byte", "O\0\0\0\3ab", 7, 0, 0, NULL},
	{"a frame", "O\0\0\0\3abc", 8, 1, 8, NULL},
	{"a frame and more", "O\0\0\0\3abcE\0", 10, 1, 8, NULL},
	{"GO", "G\0\0\0\0", 5, 1, 5, NULL},
	{"GO with a payload", "G\0\0\0\1", 5, -1, 0, "frame_too_long"},
	{"a length of one too many", "D\0\1\0\1", 5, -1, 0, "frame_too_long"},
	{"the largest length", "D\0\1\0\0", 5, 0, 0, NULL},
	{"a length of all ones", "O\377\377\377\377", 5, -1, 0, "frame_too_long"},
	{"a length with its sign bit", "O\200\0\0\0", 5, -1, 0, "frame_too_long"},
	{"a path too long", "F\0\0\4\1", 5, -1, 0, "frame_too_long"},
	{"an unknown type", "?", 1, -1, 0, "frame_type"},
	{"type 0", "\0\0\0\0\0", 5, -1, 0, "frame_type"},
};

static void test_decode(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame frame;
		struct error err = {0};
		size_t used = 0;
		int answer = frame_decode((struct slice){cases[i].bytes, cases[i].len}, &frame,
					  &used, &err);

		is_number(answer, cases[i].answer, "%s: the answer", cases[i].what);
		if (answer == 1)
			is_number(used, cases[i].used, "%s: bytes used", cases[i].what);
		if (answer == -1) {
			is_text(err.code, cases[i].code, "%s: the code", cases[i].what);
			is_number(err.status, 502, "%s: the status", cases[i].what);
		}
	}
}

static void test_maxima(void)
{
	int known = 0;

	for (int type = 0; type < 256; type++)
		if (frame_max_bytes((uint8_t)type) >= 0)
			known++;
	is_number(known, 24, "24 types are known");
	is_number(frame_max_bytes(FRAME_CANCEL), 0, "CANCEL is empty");
	is_number(frame_max_bytes(FRAME_JOB), FRAME_JOB_MAX_BYTES, "JOB's maximum");
	is_number(frame_max_bytes('?'), -1, "no maximum for a type that is not");
}

static void test_fields(void)
{
	_cleanup_buf_ struct buf fields = buf_new(64);
	struct slice rest, key, value;

	ok(field_add(&fields, "argv", slice_of("a=b")) == 0, "a value with an equals sign");
	ok(field_add(&fields, "argv", slice_of("")) == 0, "an empty value");
	ok(field_add_number(&fields, "n", UINT64_MAX) == 0, "a number");
	is_number(fields.len, 9 + 6 + 23, "bytes of three fields");
	ok(field_add(&fields, "much", slice_of("01234567890123456789012345678901")) == -1 &&
		   errno == EMSGSIZE && fields.len == 38,
	   "what passes the maximum is refused whole");

	rest = buf_slice(&fields);
	ok(field_next(&rest, &key, &value) && slice_eq(key, "argv") && slice_eq(value, "a=b"),
	   "the first");
	ok(field_next(&rest, &key, &value) && slice_eq(key, "argv") && value.len == 0,
	   "the second, same key");
	ok(field_next(&rest, &key, &value) && slice_eq(value, "18446744073709551615") &&
		   value.data[value.len] == '\0',
	   "the third, NUL behind it");
	ok(!field_next(&rest, &key, &value) && rest.len == 0, "the end is an empty rest");

	static const struct slice bad[] = {
		{"a=b", 3},   /* no NUL */
		{"ab\0", 3},  /* no equals sign */
		{"\0", 1},    /* nothing */
		{"ab\0=", 4}, /* an equals sign, but of the next field */
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		rest = bad[i];
		ok(!field_next(&rest, &key, &value) && rest.len == bad[i].len,
		   "malformed field %zu stops, with a rest", i);
	}
}

static void test_reader_pieces(void)
{
	static const char stream[] = "O\0\0\0\3abcZ\0\0\0\0";
	int ends[2];
	struct frame frame;
	struct error err;
	unsigned seen = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		abort();

	struct frame_reader reader = frame_reader_new(ends[0]);

	for (size_t i = 0; i + 1 < sizeof(stream); i++) {
		ok(write(ends[1], stream + i, 1) == 1 && frame_reader_fill(&reader) == 1,
		   "byte %zu", i);
		while (frame_reader_next(&reader, &frame, &err) == 1) {
			seen++;
			if (seen == 1)
				ok(i == 7 && slice_eq(frame.payload, "abc"),
				   "the first frame, with its last byte");
		}
	}
	is_number(seen, 2, "two frames");
	close(ends[1]);
	is_number(frame_reader_fill(&reader), 0, "then the end of file");
	ok(frame_read(&reader, &frame, deadline_in(1000), &err) == -1 &&
		   strcmp(err.code, "frame_closed") == 0 && err.status == 502,
	   "which frame_read calls frame_closed");
	frame_reader_free(&reader);
	close(ends[0]);
}

static void test_reader_errors(void)
{
	int ends[2];
	struct frame frame;
	struct error err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		abort();

	struct frame_reader reader = frame_reader_new(ends[0]);

	ok(frame_read(&reader, &frame, deadline_in(0), &err) == -1 && err.status == 504 &&
		   strcmp(err.code, "frame_timeout") == 0,
	   "silence is frame_timeout");
	ok(write(ends[1], "O\377\377\377\377", 5) == 5 &&
		   frame_read(&reader, &frame, deadline_in(1000), &err) == -1,
	   "a frame that must not be");
	is_text(err.code, "frame_too_long", "is refused by its header alone");
	ok(reader.buf.capacity < FRAME_DATA_MAX_BYTES, "and nothing is allocated for it");
	frame_reader_free(&reader);
	close(ends[0]);
	close(ends[1]);
}

/* A peer that reads slowly, and one that does not read. */
static void test_send(void)
{
	static char data[FRAME_DATA_MAX_BYTES];
	int ends[2], status = -1;
	int small = 4096;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ||
	    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) < 0)
		abort();

	pid_t pid = fork();

	if (pid == 0) {
		struct frame_reader reader = frame_reader_new(ends[1]);
		struct frame frame;
		struct error err;
		bool whole = frame_read(&reader, &frame, deadline_in(10000), &err) == 0 &&
			     frame.payload.len == sizeof(data) && frame.payload.data[4711] == 'x';

		frame_reader_free(&reader);
		_exit(whole ? 0 : 1);
	}
	memset(data, 'x', sizeof(data));
	ok(frame_send(ends[0], FRAME_DATA, (struct slice){data, sizeof(data)},
		      deadline_in(10000)) == 0,
	   "a frame larger than the socket's buffer is sent");
	ok(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "and arrives whole");
	ok(frame_send(ends[0], FRAME_DATA, (struct slice){data, sizeof(data)}, deadline_in(20)) ==
			   -1 &&
		   errno == ETIMEDOUT,
	   "to a peer that does not read: the deadline");
	close(ends[1]);
	ok(frame_send(ends[0], FRAME_END, SLICE_LITERAL(""), deadline_in(1000)) == -1 &&
		   errno == EPIPE,
	   "to a peer that is gone: EPIPE, no signal");
	close(ends[0]);
}

static void test_append(void)
{
	_cleanup_buf_ struct buf out = buf_new(12);

	ok(frame_append(&out, FRAME_STDERR, slice_of("xy")) == 0 && out.len == 7 &&
		   memcmp(out.data, "E\0\0\0\2xy", 7) == 0,
	   "frame_append writes header and payload");
	ok(frame_append(&out, FRAME_STDERR, slice_of("z")) == -1 && out.len == 7,
	   "and nothing when it does not fit");
}

int main(void)
{
	test_decode();
	test_maxima();
	test_fields();
	test_reader_pieces();
	test_reader_errors();
	test_send();
	test_append();
	return done();
}
