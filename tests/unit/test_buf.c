/* The buffer with a maximum: what fits, what does not, and that a refusal changes nothing. */
#include "base/buf.h"

#include "tap.h"
#include "util.h"

static void test_empty(void)
{
	_cleanup_buf_ struct buf buf = buf_new(10);

	ok(!buf.data && buf.len == 0 && buf.max == 10, "a new buffer allocates nothing");
	is_text(buf_slice(&buf).data, "", "and yet shows an empty text");
	is_number(buf_append(&buf, NULL, 0), 0, "nothing can be appended to it");
	is_text(buf.data, "", "and then it is an empty text");
}

static void test_maximum(void)
{
	_cleanup_buf_ struct buf buf = buf_new(4);

	is_number(buf_append(&buf, "abcd", 4), 0, "exactly the maximum fits");
	is_text(buf.data, "abcd", "with its NUL");
	is_number(buf_append(&buf, "", 0), 0, "and nothing fits after it");
	errno = 0;
	is_number(buf_append(&buf, "e", 1), -1, "one more is refused");
	is_number(errno, EMSGSIZE, "as too large");
	is_text(buf.data, "abcd", "and nothing changed");

	_cleanup_buf_ struct buf whole = buf_new(4);

	is_number(buf_append_text(&whole, "abcde"), -1, "too much at once is refused whole");
	is_number(whole.len, 0, "not in part");
	ok(!buf_reserve(&whole, SIZE_MAX) && !buf_reserve(&whole, SIZE_MAX - 3),
	   "lengths near the largest do not wrap around");
	ok(buf_append(&buf, "x", SIZE_MAX) < 0, "not in a full buffer either");

	_cleanup_buf_ struct buf none = buf_new(0);

	is_number(buf_append_text(&none, ""), 0, "a maximum of 0 holds nothing");
	is_number(buf_append_text(&none, "x"), -1, "and no byte");
}

static void test_growth(void)
{
	enum { MAX = 10007 };
	_cleanup_buf_ struct buf buf = buf_new(MAX);
	bool terminated = true, bounded = true;

	for (unsigned i = 0; i < MAX; i++) {
		char byte = (char)('a' + i % 26);

		must(buf_append(&buf, &byte, 1) == 0);
		terminated &= buf.data[buf.len] == '\0';
		bounded &= buf.capacity <= MAX;
	}
	ok(terminated, "data[len] is NUL at every length");
	ok(bounded, "never more than the maximum is allocated");
	is_number(strlen(buf.data), MAX, "byte by byte up to the maximum");

	bool same = true;

	for (unsigned i = 0; i < MAX; i++)
		same &= buf.data[i] == (char)('a' + i % 26);
	ok(same, "growing keeps what is there");
	is_number(buf_append(&buf, "x", 1), -1, "and not past it");
}

static void test_bytes(void)
{
	_cleanup_buf_ struct buf buf = buf_new(100);

	must(buf_append(&buf, "a\0b\xff", 4) == 0);
	ok(buf.len == 4 && memcmp(buf.data, "a\0b\xff\0", 5) == 0,
	   "NUL and other bytes are kept as they are");

	char *place = buf_reserve(&buf, 3);

	ok(place == buf.data + 4, "reserved room begins behind what is there");
	is_number(buf.len, 4, "and is not yet used");
	memset(place, 'x', 3);
	buf.len += 3;
	is_text(buf.data + 4, "xxx", "once filled it ends with a NUL");
}

static void test_printf(void)
{
	_cleanup_buf_ struct buf buf = buf_new(1000);

	is_number(buf_printf(&buf, "%s=%d", "key", 42), 0, "formatted");
	is_number(buf_printf(&buf, "%s", ""), 0, "to nothing");
	is_number(buf_printf(&buf, "%0*d", 600, 7), 0, "or longer than the first allocation");
	ok(buf.len == 606 && slice_starts(buf_slice(&buf), "key=42000") && buf.data[605] == '7' &&
		   buf.data[606] == '\0',
	   "and appended each time");
	is_number(buf_printf(&buf, "%0*d", 395, 0), -1, "one byte past the maximum is refused");
	ok(buf.len == 606 && buf.data[606] == '\0', "and nothing changed");
	is_number(buf_printf(&buf, "%0*d", 394, 0), 0, "exactly the maximum fits");
	is_number(buf.len, 1000, "to the byte");
}

static void test_free(void)
{
	struct buf buf = buf_new(5);

	must(buf_append_text(&buf, "hello") == 0);
	buf_free(&buf);
	ok(!buf.data && buf.len == 0 && buf.capacity == 0, "freed, it is empty");
	is_number(buf_append_text(&buf, "hellos"), -1, "with the same maximum");
	is_number(buf_append_text(&buf, "hello"), 0, "and can be used again");
	buf_free(&buf);
	buf_free(&buf);
	ok(!buf.data, "freed twice");
}

int main(void)
{
	test_empty();
	test_maximum();
	test_growth();
	test_bytes();
	test_printf();
	test_free();
	return done();
}
