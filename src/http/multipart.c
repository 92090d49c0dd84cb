/*
 * One byte at a time but for what cannot begin a delimiter. A delimiter has no CRLF of its own when
 * it opens the body (RFC 2046 section 5.1.1, dash-boundary), or when the CRLF before it is the
 * empty line of a part without content; so there the search starts as if one had been read.
 *
 * | state     | the delimiter | '-'       | blank    | CR         | LF        | other     |
 * |-----------|---------------|-----------|----------|------------|-----------|-----------|
 * | PREAMBLE  | BOUNDARY      | skipped, up to a maximum                                 |
 * | DATA      | BOUNDARY, end | content                                                  |
 * | BOUNDARY  |               | DASH      | PADDING  | LINE_END   | refused   | refused   |
 * | DASH      |               | CLOSED    | refused  | refused    | refused   | refused   |
 * | PADDING   |               | refused   | PADDING  | LINE_END   | refused   | refused   |
 * | LINE_END  |               | refused   | refused  | refused    | HEADER    | refused   |
 * | HEADER    | gathered up to an empty line; then begin, DATA                           |
 * | CLOSED    |               | refused   | CLOSED   | CLOSED_END | refused   | refused   |
 * | CLOSED_END|               | refused   | refused  | refused    | EPILOGUE  | refused   |
 * | EPILOGUE  | ignored                                                                  |
 *
 * A delimiter has its only CR at its front, so a match that fails can begin anew only with the byte
 * it failed at.
 */
#include "http/multipart.h"

#include "base/ascii.h"
#include "http/parse.h"

#define MEDIA_TYPE          "multipart/form-data"
#define BOUNDARY_CHARACTERS ASCII_ALNUM "'()+_,-./:=? "
#define TOKEN_CHARACTERS    ASCII_ALNUM "!#$%&'*+-.^_`|~"

enum multipart_state {
	PREAMBLE,
	DATA,
	BOUNDARY,
	DASH,
	PADDING,
	LINE_END,
	HEADER,
	CLOSED,
	CLOSED_END,
	EPILOGUE
};

static int malformed(struct error *err, const char *what)
{
	return error_set(err, 400, "multipart_malformed", "malformed form: %s", what);
}

static void skip_blanks(struct slice *text)
{
	slice_skip(text, ascii_span(*text, " \t"));
}

/* Takes the longest beginning of *text that is a token. */
static struct slice take_token(struct slice *text)
{
	struct slice taken = {text->data, ascii_span(*text, TOKEN_CHARACTERS)};

	slice_skip(text, taken.len);
	return taken;
}

/* A quoted string into out, which has room for all of *text. A backslash quotes only a quote or
   itself: some clients send paths of Windows raw. */
static int take_quoted(struct slice *text, char *out, size_t *out_len)
{
	size_t len = 0;

	for (slice_skip(text, 1); text->len && *text->data != '"'; slice_skip(text, 1)) {
		if (*text->data == '\\' && text->len > 1 &&
		    (text->data[1] == '"' || text->data[1] == '\\'))
			slice_skip(text, 1);
		out[len++] = *text->data;
	}
	if (text->len == 0)
		return -1;
	slice_skip(text, 1);
	*out_len = len;
	return 0;
}

/* One parameter, ";name=value" with blanks about, its value into out. 1; 0 at the end; -1 for
   anything else. */
static int take_parameter(struct slice *text, struct slice *name, char *out, size_t *out_len)
{
	skip_blanks(text);
	if (text->len == 0)
		return 0;
	if (*text->data != ';')
		return -1;
	slice_skip(text, 1);
	skip_blanks(text);
	if (text->len == 0) /* a last semicolon */
		return 0;
	*name = take_token(text);
	if (name->len == 0 || text->len < 2 || *text->data != '=')
		return -1;
	slice_skip(text, 1);
	if (*text->data == '"')
		return take_quoted(text, out, out_len) < 0 ? -1 : 1;

	struct slice value = take_token(text);

	if (value.len == 0)
		return -1;
	memcpy(out, value.data, value.len);
	*out_len = value.len;
	return 1;
}

static bool is_boundary(struct slice text)
{
	return text.len > 0 && text.len <= MULTIPART_BOUNDARY_MAX_BYTES &&
	       ascii_is_of(text, BOUNDARY_CHARACTERS) && text.data[text.len - 1] != ' ';
}

int multipart_begin(struct slice content_type, struct multipart *out, struct error *err)
{
	struct slice rest = content_type, name;
	size_t type_len = slice_take(&rest, ';').len, len;
	char value[MULTIPART_HEADER_MAX_BYTES];
	int more;

	if (!http_is_media_type(content_type, MEDIA_TYPE))
		return error_set(err, 400, "multipart_required",
				 "Content-Type must be " MEDIA_TYPE);
	slice_skip(&content_type, type_len);
	if (content_type.len > sizeof(value))
		return error_set(err, 400, "multipart_boundary", "Content-Type is too long");
	*out = (struct multipart){
		.state = PREAMBLE, .delimiter = "\r\n--", .matched = 2, .matched_before = 2};
	while ((more = take_parameter(&content_type, &name, value, &len)) > 0) {
		if (!slice_eq_nocase(name, "boundary"))
			continue;
		if (out->delimiter_len || !is_boundary((struct slice){value, len}))
			break;
		memcpy(out->delimiter + 4, value, len);
		out->delimiter_len = 4 + len;
	}
	if (more || !out->delimiter_len)
		return error_set(err, 400, "multipart_boundary",
				 "Content-Type has no valid boundary (RFC 2046)");
	return 0;
}

/* form-data; name="…"; filename="…" */
static int read_disposition(struct multipart *parser, struct slice value,
			    struct multipart_part *part, struct error *err)
{
	static const char what[] = "Content-Disposition";
	struct slice type = take_token(&value), name;
	char other[MULTIPART_HEADER_MAX_BYTES];
	size_t len;
	int more;

	if (!slice_eq_nocase(type, "form-data") || part->name.data)
		return malformed(err, what);
	for (;;) {
		struct slice ahead = value;

		more = take_parameter(&ahead, &name, other, &len);
		if (more <= 0)
			break;
		value = ahead;
		if (slice_eq_nocase(name, "name")) {
			if (part->name.data)
				return malformed(err, what);
			memcpy(parser->name, other, len);
			part->name = (struct slice){parser->name, len};
		} else if (slice_eq_nocase(name, "filename")) {
			if (part->has_filename)
				return malformed(err, what);
			memcpy(parser->filename, other, len);
			part->filename = (struct slice){parser->filename, len};
			part->has_filename = true;
		}
	}
	return more < 0 || !part->name.data ? malformed(err, what) : 0;
}

static int read_field(struct multipart *parser, struct slice line, struct multipart_part *part,
		      struct error *err)
{
	struct slice name = take_token(&line);

	/* a folded line begins with a blank, which no name does */
	if (name.len == 0 || line.len == 0 || *line.data != ':')
		return malformed(err, "a part's header");
	slice_skip(&line, 1);
	skip_blanks(&line);
	line = ascii_trim(line);
	if (!ascii_is_line(line))
		return malformed(err, "a control byte in a part's header");
	if (slice_eq_nocase(name, "Content-Disposition"))
		return read_disposition(parser, line, part, err);
	if (slice_eq_nocase(name, "Content-Transfer-Encoding") &&
	    !slice_eq_nocase(line, "binary") && !slice_eq_nocase(line, "7bit") &&
	    !slice_eq_nocase(line, "8bit"))
		return malformed(
			err, "Content-Transfer-Encoding is not accepted (RFC 7578 section 4.7)");
	return 0;
}

/* The gathered header, its last empty line included. */
static int read_header(struct multipart *parser, const struct multipart_events *events,
		       struct error *err)
{
	struct slice rest = {parser->header, parser->header_len - 2};
	struct multipart_part part = {0};

	if (++parser->parts > MULTIPART_PART_MAX_COUNT)
		return error_set(err, 400, "multipart_too_many_parts",
				 "the form has more than %d parts", MULTIPART_PART_MAX_COUNT);
	while (rest.len) {
		const char *end = memmem(rest.data, rest.len, "\r\n", 2);
		size_t len = end ? (size_t)(end - rest.data) : rest.len;

		if (read_field(parser, (struct slice){rest.data, len}, &part, err) < 0)
			return -1;
		slice_skip(&rest, end ? len + 2 : len);
	}
	if (!part.name.data)
		return malformed(err, "a part has no Content-Disposition");
	return events->begin(events->context, &part, err);
}

/* The header, byte by byte, up to its empty line. An empty header is that line alone. */
static int take_header(struct multipart *parser, char byte, const struct multipart_events *events,
		       struct error *err)
{
	size_t len = parser->header_len;

	if (len == sizeof(parser->header))
		return error_set(err, 400, "multipart_header_too_long",
				 "a part's header is over %llu bytes", MULTIPART_HEADER_MAX_BYTES);
	/* bare ones are control bytes, which read_field refuses; one before LF is none */
	if (byte == '\n' && (len == 0 || parser->header[len - 1] != '\r'))
		return malformed(err, "a line that ends in a bare LF");
	parser->header[parser->header_len++] = byte;
	len = parser->header_len;
	if (byte != '\n' ||
	    !(len == 2 || (len >= 4 && memcmp(parser->header + len - 4, "\r\n\r\n", 4) == 0)))
		return 0;
	parser->state = DATA;
	parser->matched = parser->matched_before = 2;
	return read_header(parser, events, err);
}

/* What stands behind a delimiter on its line. */
static int take_line_rest(struct multipart *parser, char byte, struct error *err)
{
	int state = parser->state;
	bool is_blank = byte == ' ' || byte == '\t';

	if (is_blank && (state == BOUNDARY || state == PADDING || state == CLOSED)) {
		if (++parser->skipped > MULTIPART_PADDING_MAX_BYTES)
			return malformed(err, "too many blanks behind a boundary");
		parser->state = state == CLOSED ? CLOSED : PADDING;
	} else if (byte == '-' && (state == BOUNDARY || state == DASH)) {
		parser->state = state == BOUNDARY ? DASH : CLOSED;
	} else if (byte == '\r' && (state == BOUNDARY || state == PADDING || state == CLOSED)) {
		parser->state = state == CLOSED ? CLOSED_END : LINE_END;
	} else if (byte == '\n' && (state == LINE_END || state == CLOSED_END)) {
		parser->state = state == LINE_END ? HEADER : EPILOGUE;
		parser->header_len = 0;
	} else {
		return malformed(err, "a line begins with the boundary and goes on");
	}
	return 0;
}

/* Content, or preamble. */
static int emit(struct multipart *parser, struct slice data, const struct multipart_events *events,
		struct error *err)
{
	if (parser->state == DATA)
		return data.len ? events->data(events->context, data, err) : 0;
	parser->skipped += data.len;
	if (parser->skipped > MULTIPART_PREAMBLE_MAX_BYTES)
		return malformed(err, "it does not begin with its boundary");
	return 0;
}

/* One step of the search for the delimiter: takes at least one byte of *piece. */
static int search(struct multipart *parser, struct slice *piece,
		  const struct multipart_events *events, struct error *err)
{
	if (parser->matched == 0) {
		const char *carriage_return = memchr(piece->data, '\r', piece->len);
		size_t len = carriage_return ? (size_t)(carriage_return - piece->data) : piece->len;

		if (emit(parser, (struct slice){piece->data, len}, events, err) < 0)
			return -1;
		slice_skip(piece, len);
		if (!carriage_return)
			return 0;
	}
	if (*piece->data != parser->delimiter[parser->matched]) {
		struct slice held = {parser->delimiter + parser->matched_before,
				     parser->matched - parser->matched_before};

		parser->matched = parser->matched_before = 0; /* the byte is looked at again */
		return emit(parser, held, events, err);
	}
	slice_skip(piece, 1);
	if (++parser->matched < parser->delimiter_len)
		return 0;

	bool is_part = parser->state == DATA;

	parser->state = BOUNDARY;
	parser->matched_before = parser->skipped = 0;
	return is_part ? events->end(events->context, err) : 0;
}

int multipart_feed(struct multipart *parser, struct slice piece,
		   const struct multipart_events *events, struct error *err)
{
	while (piece.len && parser->state != EPILOGUE) {
		int done;

		if (parser->state == PREAMBLE || parser->state == DATA) {
			done = search(parser, &piece, events, err);
		} else {
			done = parser->state == HEADER
				       ? take_header(parser, *piece.data, events, err)
				       : take_line_rest(parser, *piece.data, err);
			slice_skip(&piece, 1);
		}
		if (done < 0)
			return -1;
	}
	return 0;
}

int multipart_end(const struct multipart *parser, struct error *err)
{
	/* the last line may go without its end (RFC 2046: the epilogue, CRLF included, is
	   optional) */
	if (parser->state != CLOSED && parser->state != EPILOGUE)
		return error_set(err, 400, "multipart_incomplete",
				 "malformed form: it ends before its closing boundary");
	return 0;
}
