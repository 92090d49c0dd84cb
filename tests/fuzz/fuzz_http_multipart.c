/*
 * multipart/form-data. The first line is the Content-Type, the rest the body. Invariants:
 *  1. Fed whole, in two pieces, and byte by byte, the events and the outcome are the same.
 *  2. Content holds no delimiter, and there is never more of it than of body.
 *  3. Events come in order: begin, data, end; a body that is accepted has ended every part.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "http/multipart.h"

#include <string.h>

struct witness {
	struct buf events;  /* what was told, as text */
	struct buf content; /* of the part that is open */
	const struct multipart *parser;
	size_t content_len;
	bool is_open;
};

static int on_begin(void *context, const struct multipart_part *part, struct error *err)
{
	struct witness *witness = context;

	(void)err;
	must(!witness->is_open);
	witness->is_open = true;
	witness->content.len = 0;
	must(part->name.data && part->name.len < MULTIPART_HEADER_MAX_BYTES);
	must(part->has_filename || part->filename.len == 0);
	must(buf_printf(&witness->events, "begin %zu %zu %d:", part->name.len, part->filename.len,
			part->has_filename) == 0);
	must(buf_append(&witness->events, part->name.data, part->name.len) == 0);
	must(buf_append(&witness->events, part->filename.data, part->filename.len) == 0);
	return 0;
}

static int on_data(void *context, struct slice data, struct error *err)
{
	struct witness *witness = context;

	(void)err;
	must(witness->is_open && data.len > 0);
	witness->content_len += data.len;
	must(buf_append(&witness->content, data.data, data.len) == 0);
	return 0;
}

static int on_end(void *context, struct error *err)
{
	struct witness *witness = context;
	struct slice content = buf_slice(&witness->content);

	(void)err;
	must(witness->is_open);
	witness->is_open = false;
	must(!memmem(content.data, content.len, witness->parser->delimiter,
		     witness->parser->delimiter_len));
	must(buf_printf(&witness->events, "content %zu:", content.len) == 0);
	must(buf_append(&witness->events, content.data, content.len) == 0);
	must(buf_append_text(&witness->events, "end\n") == 0);
	return 0;
}

/* Parses in pieces: one of first bytes, then some of step bytes each. What was told is in the
   witness, the outcome at its end. */
static struct witness parse(struct slice content_type, const uint8_t *data, size_t size,
			    size_t first, size_t step)
{
	struct multipart parser;
	struct witness witness = {.events = buf_new(size * 2 + 65536),
				  .content = buf_new(size + 1),
				  .parser = &parser};
	const struct multipart_events events = {on_begin, on_data, on_end, &witness};
	struct error err = {.code = "begun"};
	int done = multipart_begin(content_type, &parser, &err);

	for (size_t at = 0, len; done == 0 && at < size; at += len) {
		len = at == 0 && first ? first : step;
		if (len > size - at)
			len = size - at;

		char *piece = malloc(len); /* of exactly its size, for ASan */

		must(piece);
		memcpy(piece, data + at, len);
		done = multipart_feed(&parser, (struct slice){piece, len}, &events, &err);
		free(piece);
	}
	if (done == 0)
		done = multipart_end(&parser, &err);
	must(done == 0 || (err.status == 400 && strncmp(err.code, "multipart_", 10) == 0));
	must(done < 0 || !witness.is_open);
	must(witness.content_len <= size);
	must(buf_printf(&witness.events, "%d %s", done, done < 0 ? err.code : "") == 0);
	buf_free(&witness.content);
	return witness;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	size_t line = end ? (size_t)(end - data) : size;
	struct slice content_type = {(const char *)data, line};

	if (end)
		line++;
	data += line;
	size -= line;

	size_t cut = size ? data[size / 2] % size : 0;
	struct witness whole = parse(content_type, data, size, size, size ? size : 1);
	struct witness two = parse(content_type, data, size, cut, size ? size : 1);
	struct witness bytes = parse(content_type, data, size, 1, 1);

	must(whole.events.len == two.events.len &&
	     memcmp(whole.events.data, two.events.data, whole.events.len) == 0);
	must(whole.events.len == bytes.events.len &&
	     memcmp(whole.events.data, bytes.events.data, whole.events.len) == 0);
	buf_free(&whole.events);
	buf_free(&two.events);
	buf_free(&bytes.events);
	return 0;
}
