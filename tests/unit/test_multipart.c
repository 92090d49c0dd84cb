/* http/multipart.h: what is accepted and what it says, what is refused and how; the same however
   the bytes arrive. */
#include "tap.h"

#include "base/buf.h"
#include "http/multipart.h"

#define TYPE        "multipart/form-data; boundary=XX"
#define DISPOSITION "Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n"
#define END         "--XX--\r\n"

static int on_begin(void *context, const struct multipart_part *part, struct error *err)
{
	(void)err;
	return buf_printf(context, "[%.*s|%s%.*s]", (int)part->name.len, part->name.data,
			  part->has_filename ? "" : "none", (int)part->filename.len,
			  part->filename.data);
}

static int on_data(void *context, struct slice data, struct error *err)
{
	(void)err;
	return buf_append(context, data.data, data.len);
}

static int on_end(void *context, struct error *err)
{
	(void)err;
	return buf_append_text(context, "[end]");
}

/* Parses in pieces of step bytes; what was told is appended to out. 0, or -1. */
static int parse(const char *type, struct slice body, size_t step, struct buf *out,
		 struct error *err)
{
	const struct multipart_events events = {on_begin, on_data, on_end, out};
	struct multipart parser;

	if (multipart_begin(slice_of(type), &parser, err) < 0)
		return -1;
	for (size_t at = 0; at < body.len; at += step)
		if (multipart_feed(&parser,
				   (struct slice){body.data + at,
						  body.len - at < step ? body.len - at : step},
				   &events, err) < 0)
			return -1;
	return multipart_end(&parser, err);
}

static void accepts_under(const char *type, struct slice body, const char *told, const char *what)
{
	for (size_t step = 1; step <= 4; step += step == 3 ? body.len : 1) {
		_cleanup_buf_ struct buf out = buf_new(65536);
		struct error err = {.message = ""};

		is_number(parse(type, body, step, &out, &err), 0, "%s, by %zu: %s", what, step,
			  err.message);
		is_text(buf_slice(&out).data, told, "%s: what it says", what);
	}
	_cleanup_buf_ struct buf out = buf_new(65536);
	struct error err = {.message = ""};

	is_number(parse(type, body, body.len, &out, &err), 0, "%s, whole: %s", what, err.message);
	is_text(buf_slice(&out).data, told, "%s: what it says", what);
}

#define accepts(body, told, what) accepts_under(TYPE, SLICE_LITERAL(body), told, what)

static void refuses_under(const char *type, struct slice body, const char *code, const char *what)
{
	for (int whole = 0; whole < 2; whole++) {
		_cleanup_buf_ struct buf out = buf_new(1 << 20);
		struct error err = {.code = "none"};

		is_number(parse(type, body, whole ? body.len + 1 : 1, &out, &err), -1, "%s", what);
		is_text(err.code, code, "%s: its code", what);
		is_number(err.status, 400, "%s: its status", what);
	}
}

#define refuses(body, code, what) refuses_under(TYPE, SLICE_LITERAL(body), code, what)

static void test_accepted(void)
{
	accepts("--XX\r\n" DISPOSITION "Content-Type: text/plain\r\n\r\nhello\r\n" END,
		"[file|a.txt]hello[end]", "one part");
	accepts("--XX\r\n" DISPOSITION "\r\n\r\n" END, "[file|a.txt][end]", "an empty file");
	accepts("--XX\r\n" DISPOSITION "\r\n" END, "[file|a.txt][end]", "a part without content");
	accepts("--XX\r\n" DISPOSITION "\r\nx\r\n--XX--", "[file|a.txt]x[end]",
		"no line end behind the end");
	accepts(END, "", "no part at all");
	accepts("--XX\r\n" DISPOSITION "\r\n\r\n--X\r\n--\r\n-\r\r\n--x\r\n" END,
		"[file|a.txt]\r\n--X\r\n--\r\n-\r\r\n--x[end]",
		"content that nearly is a boundary");
	accepts("--XX\r\n" DISPOSITION "\r\n\r\r\n--XX--\r\n", "[file|a.txt]\r[end]",
		"a CR before the boundary");
	accepts("before\r\n--XX\r\n" DISPOSITION "\r\nx\r\n--XX--\r\nafter --XX\r\n",
		"[file|a.txt]x[end]", "preamble and epilogue");
	accepts("\r\n--XX\r\n" DISPOSITION "\r\nx\r\n" END, "[file|a.txt]x[end]",
		"an empty line first");
	accepts("--XX \t \r\n" DISPOSITION "\r\nx\r\n--XX--  \r\n", "[file|a.txt]x[end]",
		"blanks behind boundaries");
	accepts("--XX\r\ncontent-disposition:FORM-DATA;name=a;FileName=b\r\n\r\n1\r\n--XX\r\nContent-Disposition: form-data; name=\"c\"\r\n\r\n2\r\n" END,
		"[a|b]1[end][c|none]2[end]", "tokens, any case, two parts");
	accepts_under("multipart/form-data; boundary=XX",
		      (struct slice){"--XX\r\n" DISPOSITION "\r\na\0b\r\n" END,
				     sizeof("--XX\r\n" DISPOSITION "\r\na\0b\r\n" END) - 1},
		      "[file|a.txt]a", "bytes of any kind");
	accepts_under("Multipart/Form-Data ; charset=utf-8; boundary=\"a b'()+_,-./:=?\"",
		      SLICE_LITERAL("--a b'()+_,-./:=?\r\n" DISPOSITION
				    "\r\nx\r\n--a b'()+_,-./:=?--\r\n"),
		      "[file|a.txt]x[end]", "a boundary of every kind of character");
	accepts_under("multipart/form-data;boundary=--;",
		      SLICE_LITERAL("----\r\n" DISPOSITION "\r\n\r\n---\r\n------\r\n"),
		      "[file|a.txt]\r\n---[end]", "a boundary of dashes");
}

static void test_filenames(void)
{
	accepts("--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\\\"b\\\\c\"\r\n\r\n\r\n" END,
		"[f|a\"b\\c][end]", "quoted quotes and backslashes");
	accepts("--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"C:\\dir\\x\"\r\n\r\n\r\n" END,
		"[f|C:\\dir\\x][end]", "a path of Windows");
	accepts("--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\"\r\n\r\n\r\n" END,
		"[f|][end]", "an empty one is one");
	accepts("--XX\r\nContent-Disposition: form-data; name=\"f\"; filename*=UTF-8''x\r\n\r\n\r\n" END,
		"[f|none][end]", "filename* is none");
	accepts("--XX\r\nContent-Disposition: form-data; filename=\"x;name=y\"; name=\"f\"\r\n\r\n\r\n" END,
		"[f|x;name=y][end]", "what is in quotes is text");
	accepts("--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\xc3\xbc%22\"\r\n\r\n\r\n" END,
		"[f|\xc3\xbc%22][end]", "bytes stay as they are");
}

static void test_refused(void)
{
	refuses("", "multipart_incomplete", "an empty body");
	refuses("--XX\r\n" DISPOSITION "\r\nx\r\n", "multipart_incomplete", "no end");
	refuses("--XX\r\n" DISPOSITION "\r\nx\r\n--XX-", "multipart_incomplete", "half an end");
	refuses("--XX\r\n" DISPOSITION "\r\nx\r\n--XX--\r", "multipart_incomplete",
		"an end without its LF");
	refuses("--XX\r\n" DISPOSITION, "multipart_incomplete", "an end in a header");
	refuses("--XX\r\n" DISPOSITION "\r\nx\r\n--XXY\r\n", "multipart_malformed",
		"a boundary that goes on");
	refuses("--XX\r\n" DISPOSITION "\r\nx\r\n--XX- -\r\n", "multipart_malformed",
		"a dash and a blank");
	refuses("--XX\r\n" DISPOSITION "\r\nx\r\n--XX--x", "multipart_malformed",
		"an end that goes on");
	refuses("--XX\n" DISPOSITION "\r\nx\r\n" END, "multipart_malformed",
		"bare LF behind a boundary");
	refuses("--XX\r\nContent-Disposition: form-data; name=a\n\r\nx\r\n" END,
		"multipart_malformed", "bare LF in a header");
	refuses("--XX\r\nContent-Disposition: form-data; name=a\rb\r\n\r\nx\r\n" END,
		"multipart_malformed", "bare CR in a header");
	accepts("--XX\r\nContent-Disposition: form-data; name=\"a\tb\"\r\n\r\nx\r\n" END,
		"[a\tb|none]x[end]", "a tab is text");
	refuses("--XX\r\nContent-Disposition: form-data; name=\"a\x01\"\r\n\r\nx\r\n" END,
		"multipart_malformed", "a control byte");
	refuses("--XX\r\n" DISPOSITION "X: y\r\n z\r\n\r\nx\r\n" END, "multipart_malformed",
		"a folded field");
	refuses("--XX\r\n" DISPOSITION "X\r\n\r\nx\r\n" END, "multipart_malformed", "no colon");
	refuses("--XX\r\n" DISPOSITION "X : y\r\n\r\nx\r\n" END, "multipart_malformed",
		"a blank before the colon");
	refuses("--XX\r\n\r\nx\r\n" END, "multipart_malformed", "no header");
	refuses("--XX\r\nContent-Type: text/plain\r\n\r\nx\r\n" END, "multipart_malformed",
		"no disposition");
	refuses("--XX\r\n" DISPOSITION DISPOSITION "\r\nx\r\n" END, "multipart_malformed",
		"two of them");
	refuses("--XX\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n" END,
		"multipart_malformed", "no form-data");
	refuses("--XX\r\nContent-Disposition: form-data\r\n\r\nx\r\n" END, "multipart_malformed",
		"no name");
	refuses("--XX\r\nContent-Disposition: form-data; name=\r\n\r\nx\r\n" END,
		"multipart_malformed", "an empty name");
	refuses("--XX\r\nContent-Disposition: form-data; name=a b\r\n\r\nx\r\n" END,
		"multipart_malformed", "two words");
	refuses("--XX\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nx\r\n" END,
		"multipart_malformed", "two names");
	refuses("--XX\r\nContent-Disposition: form-data; name=a; filename=b; filename=c\r\n\r\nx\r\n" END,
		"multipart_malformed", "two filenames");
	refuses("--XX\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx\r\n" END,
		"multipart_malformed", "an open quote");
	refuses("--XX\r\nContent-Disposition: form-data; name=\"a\\\"\r\n\r\nx\r\n" END,
		"multipart_malformed", "a quoted end");
	refuses("--XX\r\nContent-Disposition: form-data; name=\"a\"b\r\n\r\nx\r\n" END,
		"multipart_malformed", "text behind a quote");
	refuses("--XX\r\n" DISPOSITION "Content-Transfer-Encoding: base64\r\n\r\nx\r\n" END,
		"multipart_malformed", "base64");
	accepts("--XX\r\n" DISPOSITION "Content-Transfer-Encoding: Binary\r\n\r\nx\r\n" END,
		"[file|a.txt]x[end]", "binary is no encoding");
}

static void test_content_types(void)
{
	static const char *const none[] = {"",
					   "text/plain",
					   "multipart/mixed; boundary=XX",
					   "multipart/form-dataX; boundary=XX",
					   "application/json",
					   "multipart"};
	static const char *const bad[] = {
		"multipart/form-data",
		"multipart/form-data; boundary",
		"multipart/form-data; boundary=",
		"multipart/form-data; boundary=\"\"",
		"multipart/form-data; boundary=\"a \"",
		"multipart/form-data; boundary=\"a",
		"multipart/form-data; boundary=\"a\"b",
		"multipart/form-data; boundary=a; boundary=a",
		"multipart/form-data; boundary=\"a\\\\b\"",
		"multipart/form-data; boundary=a b",
		"multipart/form-data; boundary=a@b",
		"multipart/form-data; =a",
		"multipart/form-data; boundary=12345678901234567890123456789012345678901234567890123456789012345678901"};

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		refuses_under(none[i], SLICE_LITERAL(END), "multipart_required", none[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses_under(bad[i], SLICE_LITERAL("--a--\r\n"), "multipart_boundary", bad[i]);
	accepts_under(
		"multipart/form-data; boundary=1234567890123456789012345678901234567890123456789012345678901234567890",
		SLICE_LITERAL(
			"--1234567890123456789012345678901234567890123456789012345678901234567890--"),
		"", "70 characters");
}

/* head, then byte times count, then tail */
static int parse_long(const char *head, char byte, size_t count, const char *tail,
		      struct error *err)
{
	_cleanup_buf_ struct buf body = buf_new(1 << 20), out = buf_new(1 << 20);

	if (buf_append_text(&body, head) < 0)
		return -2;

	char *place = buf_reserve(&body, count);

	if (!place)
		return -2;
	memset(place, byte, count);
	body.len += count;
	if (buf_append_text(&body, tail) < 0)
		return -2;
	return parse(TYPE, buf_slice(&body), 1000, &out, err);
}

static void test_maxima(void)
{
	size_t room = MULTIPART_HEADER_MAX_BYTES - strlen(DISPOSITION) - strlen("X: \r\n\r\n");
	struct error err = {0};
	_cleanup_buf_ struct buf many = buf_new(1 << 20), out = buf_new(1 << 20);

	is_number(parse_long("--XX\r\n" DISPOSITION "X: ", 'y', room, "\r\n\r\nx\r\n" END, &err), 0,
		  "the longest header");
	is_number(
		parse_long("--XX\r\n" DISPOSITION "X: ", 'y', room + 1, "\r\n\r\nx\r\n" END, &err),
		-1, "a byte more");
	is_text(err.code, "multipart_header_too_long", "has a code");
	is_number(parse_long("", 'z', MULTIPART_PREAMBLE_MAX_BYTES - 2, "\r\n" END, &err), 0,
		  "a long preamble");
	is_number(parse_long("", 'z', MULTIPART_PREAMBLE_MAX_BYTES + 1, "\r\n" END, &err), -1,
		  "one that is too long");
	is_text(err.code, "multipart_malformed", "has a code");
	is_number(parse_long("--XX", ' ', MULTIPART_PADDING_MAX_BYTES,
			     "\r\n" DISPOSITION "\r\nx\r\n" END, &err),
		  0, "many blanks");
	is_number(parse_long("--XX", ' ', MULTIPART_PADDING_MAX_BYTES + 1,
			     "\r\n" DISPOSITION "\r\nx\r\n" END, &err),
		  -1, "too many");
	is_number(parse_long("--XX\r\n" DISPOSITION "\r\n", '\r', 100000, "\r\n" END, &err), 0,
		  "nothing but CR");
	for (int i = 0; i < MULTIPART_PART_MAX_COUNT; i++)
		ok(buf_append_text(&many, "--XX\r\n" DISPOSITION "\r\n\r\n") == 0, "part %d", i);

	size_t len = many.len;

	ok(buf_append_text(&many, END) == 0, "their end");
	is_number(parse(TYPE, buf_slice(&many), 100, &out, &err), 0, "as many parts as may be");
	many.len = len;
	ok(buf_append_text(&many, "--XX\r\n" DISPOSITION "\r\n\r\n" END) == 0, "one more");
	is_number(parse(TYPE, buf_slice(&many), 100, &out, &err), -1, "is too many");
	is_text(err.code, "multipart_too_many_parts", "with a code");
}

int main(void)
{
	test_accepted();
	test_filenames();
	test_refused();
	test_content_types();
	test_maxima();
	return done();
}
