/*
 * Frames, their fields, and the reader. The input is a stream of frames as a hostile container
 * would send it. Invariants:
 *  1. A decoded frame lies within its input, has a known type, and is no longer than its type's
 *     maximum.
 *  2. Nothing less than the whole frame decodes to it; more bytes after it change nothing.
 *  3. frame_append of what was decoded gives the same bytes.
 *  4. Fields lie within their payload, hold no NUL, and field_add gives the same bytes.
 *  5. The reader, over a pipe and however it is cut, hands out the same frames and the same end.
 */
#include "fuzz.h"

#include "base/cleanup.h"
#include "base/frame.h"
#include "bounds.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PIPE_BYTES 4096 /* written at once; less than any pipe holds */

static bool within(struct slice inner, struct slice outer)
{
	return inner.data >= outer.data && inner.len <= outer.len &&
	       (size_t)(inner.data - outer.data) <= outer.len - inner.len;
}

static void check_fields(struct slice payload)
{
	_cleanup_buf_ struct buf again = buf_new(payload.len);
	struct slice fields = payload, key, value;

	while (field_next(&fields, &key, &value)) {
		char name[64];

		must(within(key, payload) && within(value, payload) && within(fields, payload));
		must(!memchr(key.data, '\0', key.len) && !memchr(key.data, '=', key.len));
		must(!memchr(value.data, '\0', value.len) && value.data[value.len] == '\0');
		if (key.len >= sizeof(name))
			continue;
		memcpy(name, key.data, key.len);
		name[key.len] = '\0';
		again.len = 0;
		must(field_add(&again, name, value) == 0);
		must(memcmp(again.data, key.data, again.len) == 0);
	}
	must(within(fields, payload));
}

/* Invariants 1 to 3 for one frame that was decoded from the beginning of data. */
static void check_frame(struct slice data, const struct frame *frame, size_t used)
{
	struct frame part;
	struct error err;
	size_t part_used;

	must(used == FRAME_HEADER_BYTES + frame->payload.len && used <= data.len);
	must(within(frame->payload, data) && frame->type == (uint8_t)data.data[0]);
	must(frame_max_bytes(frame->type) >= (int64_t)frame->payload.len);
	for (size_t len = 0; len < used && len < 64; len++)
		must(frame_decode((struct slice){data.data, len}, &part, &part_used, &err) == 0);
	must(frame_decode((struct slice){data.data, used - 1}, &part, &part_used, &err) == 0);
	must(frame_decode((struct slice){data.data, used}, &part, &part_used, &err) == 1);
	must(part_used == used);

	_cleanup_buf_ struct buf again = buf_new(used);

	must(frame_append(&again, frame->type, frame->payload) == 0);
	must(again.len == used && memcmp(again.data, data.data, used) == 0);
	check_fields(frame->payload);
}

/* A stream on its way into a pipe. */
struct source {
	struct slice rest;
	int write_fd;
	size_t piece;
};

/* Puts the next piece into the pipe, or closes it: the next fill does not wait. */
static void feed(struct source *source)
{
	size_t len = source->rest.len < source->piece ? source->rest.len : source->piece;

	if (len == 0) {
		cleanup_close(&source->write_fd);
		source->write_fd = -1;
		return;
	}
	must(write(source->write_fd, source->rest.data, len) == (ssize_t)len);
	source->rest.data += len;
	source->rest.len -= len;
}

/* Reads the whole stream in pieces; it must give the frames that lie in data, and then the end they
   have: 1 more would be wrong, 0 end of file, -1 an error. */
static void check_reader(struct slice data, size_t piece)
{
	int ends[2];
	struct error err;
	struct frame want, got;
	size_t used;

	must(pipe2(ends, O_CLOEXEC) == 0);

	struct source source = {data, ends[1], piece};
	struct frame_reader reader = frame_reader_new(ends[0]);

	for (int found = 1; found == 1;) {
		int expected = frame_decode(data, &want, &used, &err);

		while ((found = frame_reader_next(&reader, &got, &err)) == 0 &&
		       source.write_fd >= 0) {
			feed(&source);
			must(frame_reader_fill(&reader) >= 0);
		}
		must(found == expected);
		if (found != 1)
			break;
		must(got.type == want.type && got.payload.len == want.payload.len);
		must(memcmp(got.payload.data, want.payload.data, got.payload.len) == 0);
		data.data += used;
		data.len -= used;
	}
	must(reader.buf.capacity <= reader.buf.max);
	frame_reader_free(&reader);
	cleanup_close(&source.write_fd);
	close(ends[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = {(const char *)data, size};
	struct frame frame;
	struct error err = {0};
	size_t used;
	int found;

	if (size == 0)
		return 0;
	check_fields(rest);
	while ((found = frame_decode(rest, &frame, &used, &err)) == 1) {
		check_frame(rest, &frame, used);
		rest.data += used;
		rest.len -= used;
	}
	must(found == 0 || (found == -1 && err.status == 502 && err.code));
	rest = (struct slice){(const char *)data, size};
	check_reader(rest, PIPE_BYTES);
	check_reader(rest, 1 + data[size / 2] % 16u);
	return 0;
}
