#include "base/frame.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "bounds.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

static const struct {
	uint8_t type;
	uint32_t max_bytes;
} frame_maximums[] = {
	{FRAME_JOB, FRAME_JOB_MAX_BYTES},
	{FRAME_STDIN, FRAME_DATA_MAX_BYTES},
	{FRAME_PREPARE, FRAME_JOB_MAX_BYTES},
	{FRAME_GO, 0},
	{FRAME_CANCEL, 0},
	{FRAME_FILE, JOB_PATH_MAX_BYTES},
	{FRAME_DATA, FRAME_DATA_MAX_BYTES},
	{FRAME_STDOUT, FRAME_DATA_MAX_BYTES},
	{FRAME_STDERR, FRAME_DATA_MAX_BYTES},
	{FRAME_DISPLAY, FRAME_DISPLAY_MAX_BYTES},
	{FRAME_READY, FRAME_EXIT_MAX_BYTES},
	{FRAME_EXIT, FRAME_EXIT_MAX_BYTES},
	{FRAME_SKIPPED, JOB_PATH_MAX_BYTES},
	{FRAME_LISTED, FRAME_LISTED_MAX_BYTES},
	{FRAME_END, 0},
	{FRAME_MAKE, FRAME_ENGINE_MAX_BYTES},
	{FRAME_REMOVE, FRAME_ENGINE_MAX_BYTES},
	{FRAME_LIST, 0},
	{FRAME_PING, 0},
	{FRAME_INFO, FRAME_ENGINE_MAX_BYTES},
	{FRAME_IMAGES, 0},
	{FRAME_OK, FRAME_ENGINE_MAX_BYTES},
	{FRAME_ROW, FRAME_ENGINE_MAX_BYTES},
	{FRAME_ERROR, FRAME_ENGINE_MAX_BYTES},
};

int64_t frame_max_bytes(uint8_t type)
{
	for (size_t i = 0; i < COUNT_OF(frame_maximums); i++)
		if (frame_maximums[i].type == type)
			return frame_maximums[i].max_bytes;
	return -1;
}

/* The length in a header of FRAME_HEADER_BYTES bytes. */
static uint32_t header_length(const unsigned char *header)
{
	return (uint32_t)header[1] << 24 | (uint32_t)header[2] << 16 | (uint32_t)header[3] << 8 |
	       header[4];
}

size_t frame_whole_bytes(const char *header)
{
	return FRAME_HEADER_BYTES + (size_t)header_length((const unsigned char *)header);
}

int frame_decode(struct slice data, struct frame *out, size_t *used, struct error *err)
{
	const unsigned char *bytes = (const unsigned char *)data.data;

	if (data.len == 0)
		return 0;

	int64_t max = frame_max_bytes(bytes[0]);

	if (max < 0)
		return error_set(err, 502, "frame_type", "frame of unknown type 0x%02x", bytes[0]);
	if (data.len < FRAME_HEADER_BYTES)
		return 0;

	uint32_t len = header_length(bytes);

	if (len > max)
		return error_set(err, 502, "frame_too_long",
				 "frame of type '%c' has %" PRIu32 " bytes, more than %" PRId64,
				 bytes[0], len, max);
	if (data.len - FRAME_HEADER_BYTES < len)
		return 0;
	*out = (struct frame){bytes[0], {data.data + FRAME_HEADER_BYTES, len}};
	*used = FRAME_HEADER_BYTES + (size_t)len;
	return 1;
}

struct frame_reader frame_reader_new(int fd)
{
	return (struct frame_reader){
		.fd = fd,
		.buf = buf_new(FRAME_HEADER_BYTES + FRAME_DISPLAY_MAX_BYTES + FRAME_DATA_MAX_BYTES),
	};
}

void frame_reader_free(struct frame_reader *reader)
{
	buf_free(&reader->buf);
}

int frame_reader_next(struct frame_reader *reader, struct frame *out, struct error *err)
{
	struct slice rest = buf_slice(&reader->buf);
	size_t used = 0;

	rest.data += reader->used;
	rest.len -= reader->used;

	int found = frame_decode(rest, out, &used, err);

	if (found == 1)
		reader->used += used;
	return found;
}

ssize_t frame_reader_fill(struct frame_reader *reader)
{
	struct buf *buf = &reader->buf;

	if (reader->used) {
		memmove(buf->data, buf->data + reader->used, buf->len - reader->used);
		buf->len -= reader->used;
		reader->used = 0;
	}

	/* Room for the frame that is being read, or else for a usual one. Its length was checked by
	 * frame_decode. */
	size_t want = FRAME_DATA_MAX_BYTES / 4;

	if (buf->len >= FRAME_HEADER_BYTES) {
		size_t whole = frame_whole_bytes(buf->data);

		if (whole > buf->len && whole - buf->len > want)
			want = whole - buf->len;
	}

	char *place = buf_reserve(buf, want);

	if (!place)
		return -1;

	ssize_t got;

	do {
		got = read(reader->fd, place, want);
	} while (got < 0 && errno == EINTR);
	if (got > 0)
		buf->len += (size_t)got;
	return got;
}

int frame_read(struct frame_reader *reader, struct frame *out, deadline_ms deadline,
	       struct error *err)
{
	for (;;) {
		int found = frame_reader_next(reader, out, err);

		if (found != 0)
			return found == 1 ? 0 : -1;

		int ready = io_wait(reader->fd, POLLIN, deadline);

		if (ready == 0)
			return error_set(err, 504, "frame_timeout", "no answer in time");

		ssize_t got = frame_reader_fill(reader);

		if (got == 0)
			return error_set(err, 502, "frame_closed",
					 "the other end closed the connection");
		if (got < 0 && errno != EAGAIN)
			return error_set_errno(err, 502, "frame_closed", "reading failed");
	}
}

static void write_header(unsigned char header[FRAME_HEADER_BYTES], uint8_t type, size_t len)
{
	header[0] = type;
	header[1] = (unsigned char)(len >> 24);
	header[2] = (unsigned char)(len >> 16);
	header[3] = (unsigned char)(len >> 8);
	header[4] = (unsigned char)len;
}

int frame_send(int fd, uint8_t type, struct slice payload, deadline_ms deadline)
{
	unsigned char header[FRAME_HEADER_BYTES];
	struct iovec parts[2] = {{header, sizeof(header)}, {(void *)payload.data, payload.len}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

	write_header(header, type, payload.len);

	ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		return -1;
	if (sent < 0)
		sent = 0;
	if ((size_t)sent < sizeof(header)) {
		if (io_send_all(fd, header + sent, sizeof(header) - (size_t)sent, deadline) < 0)
			return -1;
		sent = sizeof(header);
	}

	size_t done = (size_t)sent - sizeof(header);

	return io_send_all(fd, payload.data + done, payload.len - done, deadline);
}

int frame_append(struct buf *out, uint8_t type, struct slice payload)
{
	unsigned char *place = (unsigned char *)buf_reserve(out, FRAME_HEADER_BYTES + payload.len);

	if (!place)
		return -1;
	write_header(place, type, payload.len);
	if (payload.len)
		memcpy(place + FRAME_HEADER_BYTES, payload.data, payload.len);
	out->len += FRAME_HEADER_BYTES + payload.len;
	return 0;
}

int field_add(struct buf *fields, const char *key, struct slice value)
{
	size_t key_len = strlen(key);
	char *place = buf_reserve(fields, key_len + value.len + 2);

	if (!place)
		return -1;
	memcpy(place, key, key_len);
	place[key_len] = '=';
	memcpy(place + key_len + 1, value.data, value.len);
	place[key_len + 1 + value.len] = '\0';
	fields->len += key_len + value.len + 2;
	return 0;
}

int field_add_number(struct buf *fields, const char *key, uint64_t value)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%" PRIu64, value);

	return field_add(fields, key, (struct slice){text, (size_t)len});
}

int field_take_number(const struct field_number *numbers, size_t count, struct slice key,
		      struct slice value)
{
	for (size_t i = 0; i < count; i++)
		if (slice_eq(key, numbers[i].key))
			return num_parse(value, 10, numbers[i].max, numbers[i].place) < 0 ? -1 : 1;
	return 0;
}

bool field_next(struct slice *fields, struct slice *key, struct slice *value)
{
	const char *end = fields->len ? memchr(fields->data, '\0', fields->len) : NULL;
	const char *equals = end ? memchr(fields->data, '=', (size_t)(end - fields->data)) : NULL;

	if (!equals)
		return false;
	*key = (struct slice){fields->data, (size_t)(equals - fields->data)};
	*value = (struct slice){equals + 1, (size_t)(end - equals - 1)};
	fields->len -= (size_t)(end + 1 - fields->data);
	fields->data = end + 1;
	return true;
}
