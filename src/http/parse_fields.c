/* The fields that say how a body is framed and which host is meant: each once, and none beside one
   that contradicts it. */
#include "http/parse_parts.h"

#include "base/num.h"
#include "http/authority.h"

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

int parse_take_field(struct parser *parser, struct slice name, struct slice value,
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

	for (size_t i = 0; i < sizeof(framing) / sizeof(framing[0]); i++) {
		if (slice_eq_nocase(name, framing[i].name) &&
		    framing[i].take(parser, value, err) < 0)
			return -1;
	}
	parser->request.fields[parser->request.field_count++] = (struct http_field){name, value};
	return 1;
}
