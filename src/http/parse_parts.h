/* What the files of the parser of request heads share; private to them. */
#ifndef MAYFLY_HTTP_PARSE_PARTS_H
#define MAYFLY_HTTP_PARSE_PARTS_H

#include "http/parse.h"

struct parser {
	const char *data;
	size_t len, at;
	bool in_request_line;
	bool absolute; /* the target is in absolute-form: its authority is the host, whatever Host
			  says */
	bool has_host;
	struct http_request request;
};

/* Adds a field to the request, and heeds it where it says how the body is framed, or which host is
   meant. 1, or -1 with *err. */
MUST_USE int parse_take_field(struct parser *parser, struct slice name, struct slice value,
			      struct error *err);

#endif
