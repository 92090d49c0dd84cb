/*
 * The request head: one pass from left to right over the bytes there are.
 *
 * Rules (those of parse.h, and):
 *  1. Every refusal depends only on the bytes up to where it is found, so a head that arrives in
 *     pieces ends exactly as one that arrives whole, and a refusal comes with the first byte that
 *     earns it.
 *  2. Nothing is skipped or repaired: no empty line before the request line, no blanks but the
 *     single spaces of the request line and those around a value.
 *
 * | reading | text                                   | CRLF                            |
 * |---------|----------------------------------------|---------------------------------|
 * | method  | token byte: stay; SP: target           | refused                         |
 * | target  | target byte: stay; SP: version         | refused (HTTP/0.9)              |
 * | version | "HTTP/" DIGIT "." DIGIT: stay          | name, of the first field        |
 * | name    | token byte: stay; ':': value           | nothing yet: end; else: refused |
 * | value   | stay                                   | name, of the next field         |
 */
#include "http/parse.h"

#include "base/ascii.h"
#include "base/num.h"
#include "http/authority.h"

struct parser {
	const char *data;
	size_t len, at;
	bool in_request_line;
	bool absolute; /* the target is in absolute-form: its authority is the host, whatever Host
			  says */
	bool has_host;
	struct http_request request;
};

enum looked { LOOKED_REFUSED = -1, LOOKED_NEEDS_MORE, LOOKED_TEXT, LOOKED_LINE_END };

/* What stands at the parser's place. A line end is the two bytes CR LF. */
static enum looked look(const struct parser *parser, struct error *err)
{
	if (parser->at == parser->len)
		return LOOKED_NEEDS_MORE;

	char byte = parser->data[parser->at];

	if (parser->at + 2 > HTTP_HEAD_MAX_BYTES)
		return error_set(err, 431, "head_too_long", "the request head is over %llu bytes",
				 HTTP_HEAD_MAX_BYTES);
	if (byte == '\r') {
		if (parser->at + 1 == parser->len)
			return LOOKED_NEEDS_MORE;
		if (parser->data[parser->at + 1] == '\n')
			return LOOKED_LINE_END;
		return error_set(err, 400, "bare_cr", "a CR without LF in the request head");
	}
	if (byte == '\n')
		return error_set(err, 400, "bare_lf", "an LF without CR in the request head");
	if (byte == '\0')
		return error_set(err, 400, "nul_byte", "a NUL byte in the request head");
	if (byte != '\t' && ascii_is_control(byte))
		return error_set(err, 400, "control_byte", "a control byte in the request head");
	if (parser->in_request_line && parser->at >= HTTP_REQUEST_LINE_MAX_BYTES)
		return error_set(err, 414, "request_line_too_long",
				 "the request line is over %llu bytes",
				 HTTP_REQUEST_LINE_MAX_BYTES);
	return LOOKED_TEXT;
}

static int bad_request_line(struct error *err)
{
	return error_set(err, 400, "bad_request_line",
			 "the request line is not \"METHOD TARGET HTTP/1.1\"");
}

/* RFC 9110 section 5.6.2 */
static bool is_token_byte(char c)
{
	return c && strchr(ASCII_ALNUM "!#$%&'*+-.^_`|~", c);
}

/* What RFC 3986 allows in a path or a query, and [ ] ^ ` { | }, which browsers and curl leave as
 * they are. */
static bool is_target_byte(char c)
{
	return c > ' ' && c < 0x7f && !strchr("\"#<>\\", c);
}

/* Each reader below: 1 when its part was read whole, 0 when more bytes are needed, -1 with *err. */

static int read_method(struct parser *parser, struct error *err)
{
	for (;; parser->at++) {
		enum looked looked = look(parser, err);

		if (looked == LOOKED_NEEDS_MORE || looked == LOOKED_REFUSED)
			return (int)looked;
		if (looked == LOOKED_LINE_END && parser->at == 0)
			return error_set(err, 400, "empty_line",
					 "an empty line before the request line");
		if (looked == LOOKED_LINE_END)
			return bad_request_line(err);
		if (parser->data[parser->at] == ' ' && parser->at > 0)
			break;
		if (!is_token_byte(parser->data[parser->at]))
			return error_set(err, 400, "bad_method",
					 "the request does not begin with a method");
		if (parser->at == HTTP_METHOD_MAX_BYTES)
			return error_set(err, 501, "method_too_long", "the method is over %d bytes",
					 HTTP_METHOD_MAX_BYTES);
	}
	parser->request.method_text = (struct slice){parser->data, parser->at};
	parser->at++;
	return 1;
}

static int read_target(struct parser *parser, struct error *err)
{
	size_t start = parser->at;

	for (;; parser->at++) {
		enum looked looked = look(parser, err);

		if (looked == LOOKED_NEEDS_MORE || looked == LOOKED_REFUSED)
			return (int)looked;
		if (looked == LOOKED_LINE_END)
			return bad_request_line(err);
		if (parser->data[parser->at] == ' ')
			break;
		if (!is_target_byte(parser->data[parser->at]))
			return error_set(err, 400, "bad_target",
					 "the request target has a byte that must be "
					 "percent-encoded");
	}
	if (parser->at == start)
		return bad_request_line(err);
	parser->request.target = (struct slice){parser->data + start, parser->at - start};
	parser->at++;
	return 1;
}

static int read_version(struct parser *parser, struct error *err)
{
	static const char pattern[] = "HTTP/0.0"; /* 0 stands for any digit */
	size_t start = parser->at, length = sizeof(pattern) - 1;
	enum looked looked;

	for (; (looked = look(parser, err)) == LOOKED_TEXT; parser->at++) {
		size_t i = parser->at - start;
		char c = parser->data[parser->at];

		if (i == length || (pattern[i] == '0' ? c < '0' || c > '9' : c != pattern[i]))
			return bad_request_line(err);
	}
	if (looked != LOOKED_LINE_END)
		return (int)looked;
	if (parser->at - start != length)
		return bad_request_line(err);

	char major = parser->data[start + 5], minor = parser->data[start + 7];

	if (major != '1' || minor > '1')
		return error_set(err, 505, "version_not_supported",
				 "only HTTP/1.0 and HTTP/1.1 are supported");
	parser->request.minor_version = (unsigned)(minor - '0');
	parser->at += 2;
	return 1;
}

static enum http_method method_of(struct slice text)
{
	static const struct {
		const char *name;
		enum http_method method;
	} methods[] = {
		{"GET", HTTP_GET}, {"HEAD", HTTP_HEAD},     {"POST", HTTP_POST},
		{"PUT", HTTP_PUT}, {"DELETE", HTTP_DELETE}, {"OPTIONS", HTTP_OPTIONS},
	};

	for (size_t i = 0; i < COUNT_OF(methods); i++) {
		if (slice_eq(text, methods[i].name))
			return methods[i].method;
	}
	return HTTP_OTHER;
}

/* Takes "http://authority" off the front of *rest (RFC 9112 section 3.2.2). */
static int take_authority(struct parser *parser, struct slice *rest)
{
	struct authority authority;
	size_t scheme = sizeof("http://") - 1, end = scheme;

	if (!slice_starts_nocase(*rest, "http://"))
		return -1;
	while (end < rest->len && rest->data[end] != '/' && rest->data[end] != '?')
		end++;
	parser->request.host = (struct slice){rest->data + scheme, end - scheme};
	parser->absolute = true;
	slice_skip(rest, end);
	return authority_parse(parser->request.host, &authority);
}

/* The three forms of a target that there are without CONNECT. */
static int split_target(struct parser *parser, struct error *err)
{
	struct http_request *request = &parser->request;
	struct slice rest = request->target;

	request->method = method_of(request->method_text);
	if (slice_eq(rest, "*") && request->method == HTTP_OPTIONS) {
		request->path = rest;
		return 0;
	}
	if (!slice_starts(rest, "/") && take_authority(parser, &rest) < 0)
		return error_set(err, 400, "bad_target",
				 "the request target is neither a path nor an http URL");

	bool has_query = memchr(rest.data, '?', rest.len);

	request->path = slice_take(&rest, '?');
	request->query = rest;
	/* RFC 9112 section 3.2.4: an absolute target without a path means "*" to OPTIONS, and "/"
	 * otherwise. */
	if (request->path.len == 0)
		request->path = request->method == HTTP_OPTIONS && !has_query ? SLICE_LITERAL("*")
									      : SLICE_LITERAL("/");
	return 0;
}

/* RFC 9112 section 5.1: no blank before the colon; section 5.2: no folding. */
static int read_name(struct parser *parser, struct slice *name, struct error *err)
{
	size_t start = parser->at;

	for (;; parser->at++) {
		enum looked looked = look(parser, err);

		if (looked == LOOKED_NEEDS_MORE || looked == LOOKED_REFUSED)
			return (int)looked;

		char c = parser->data[parser->at];

		if (looked == LOOKED_TEXT && parser->at == start &&
		    parser->request.field_count == HTTP_FIELD_MAX_COUNT)
			return error_set(err, 431, "too_many_fields", "more than %d header fields",
					 HTTP_FIELD_MAX_COUNT);
		if (c == ':' && parser->at > start)
			break;
		if (ascii_is_blank(c) && parser->at == start)
			return error_set(err, 400, "obs_fold", "a folded header field");
		if (ascii_is_blank(c))
			return error_set(err, 400, "blank_before_colon",
					 "a blank before the colon of a header field");
		if (looked == LOOKED_LINE_END || !is_token_byte(c))
			return error_set(err, 400, "bad_field",
					 "a header field is not \"name: value\"");
	}
	*name = (struct slice){parser->data + start, parser->at - start};
	parser->at++;
	return 1;
}

/* --- the fields that say how a body is framed and which host is meant: each once, and none beside
   one that contradicts it ------------------------------------------------------------------------
   */

static int take_host(struct parser *parser, struct slice value, struct error *err)
{
	struct authority authority;

	if (parser->has_host)
		return error_set(err, 400, "host_doubled", "more than one Host field");
	parser->has_host = true;
	if (authority_parse(value, &authority) < 0)
		return error_set(err, 400, "host_bad", "the Host field is not host[:port]");
	if (!parser->absolute)
		parser->request.host = value;
	return 0;
}

static int take_content_length(struct parser *parser, struct slice value, struct error *err)
{
	struct http_request *request = &parser->request;

	if (request->chunked)
		return error_set(err, 400, "te_and_content_length",
				 "both Transfer-Encoding and Content-Length");
	if (request->has_content_length)
		return error_set(err, 400, "content_length_doubled",
				 "more than one Content-Length field");
	if (num_parse(value, 10, HTTP_CONTENT_LENGTH_MAX_BYTES, &request->content_length) < 0)
		return error_set(err, 400, "content_length_bad",
				 "the Content-Length is not a number of bytes");
	request->has_content_length = true;
	return 0;
}

static int take_transfer_encoding(struct parser *parser, struct slice value, struct error *err)
{
	if (parser->request.has_content_length)
		return error_set(err, 400, "te_and_content_length",
				 "both Transfer-Encoding and Content-Length");
	if (parser->request.chunked)
		return error_set(err, 400, "te_doubled", "more than one Transfer-Encoding field");
	if (parser->request.minor_version == 0)
		return error_set(err, 400, "te_in_http10", "HTTP/1.0 has no Transfer-Encoding");
	if (!slice_eq_nocase(value, "chunked"))
		return error_set(err, 501, "te_unknown",
				 "the only transfer coding known here is \"chunked\"");
	parser->request.chunked = true;
	return 0;
}

static int take_expect(struct parser *parser, struct slice value, struct error *err)
{
	if (!slice_eq_nocase(value, "100-continue"))
		return error_set(err, 417, "expect_unknown",
				 "the only expectation known here is \"100-continue\"");
	/* RFC 9110 section 10.1.1: ignored when it comes from HTTP/1.0. */
	parser->request.expect_continue = parser->request.minor_version == 1;
	return 0;
}

/* Adds a field to the request. 1, or -1 with *err. */
static int take_field(struct parser *parser, struct slice name, struct slice value,
		      struct error *err)
{
	static const struct {
		const char *name;
		int (*take)(struct parser *parser, struct slice value, struct error *err);
	} framing[] = {
		{"Host", take_host},
		{"Content-Length", take_content_length},
		{"Transfer-Encoding", take_transfer_encoding},
		{"Expect", take_expect},
	};

	for (size_t i = 0; i < COUNT_OF(framing); i++) {
		if (slice_eq_nocase(name, framing[i].name) &&
		    framing[i].take(parser, value, err) < 0)
			return -1;
	}
	parser->request.fields[parser->request.field_count++] = (struct http_field){name, value};
	return 1;
}

static int read_field(struct parser *parser, struct error *err)
{
	struct slice name = {0}, value;
	int got = read_name(parser, &name, err);
	enum looked looked;

	if (got != 1)
		return got;
	value.data = parser->data + parser->at;
	while ((looked = look(parser, err)) == LOOKED_TEXT)
		parser->at++;
	if (looked != LOOKED_LINE_END)
		return (int)looked;
	value.len = (size_t)(parser->data + parser->at - value.data);
	parser->at += 2;
	return take_field(parser, name, ascii_trim(value), err);
}

static int read_request_line(struct parser *parser, struct error *err)
{
	int got;

	parser->in_request_line = true;
	if ((got = read_method(parser, err)) != 1 || (got = read_target(parser, err)) != 1 ||
	    (got = read_version(parser, err)) != 1)
		return got;
	parser->in_request_line = false;
	return split_target(parser, err) < 0 ? -1 : 1;
}

int http_parse_head(const char *data, size_t len, struct http_request *out, struct error *err)
{
	struct parser parser = {.data = data, .len = len};
	enum looked looked;
	int got = read_request_line(&parser, err);

	if (got != 1)
		return got;
	while ((looked = look(&parser, err)) == LOOKED_TEXT) {
		if ((got = read_field(&parser, err)) != 1)
			return got;
	}
	if (looked != LOOKED_LINE_END)
		return (int)looked;
	if (parser.request.minor_version == 1 && !parser.has_host)
		return error_set(err, 400, "host_missing", "an HTTP/1.1 request without Host");
	parser.request.head_len = parser.at + 2;
	*out = parser.request;
	return 1;
}

const struct slice *http_field(const struct http_request *request, const char *name)
{
	for (unsigned i = 0; i < request->field_count; i++) {
		if (slice_eq_nocase(request->fields[i].name, name))
			return &request->fields[i].value;
	}
	return NULL;
}

bool http_is_media_type(struct slice content_type, const char *wanted)
{
	return slice_eq_nocase(ascii_trim(slice_take(&content_type, ';')), wanted);
}
