/*
 * Frames: one byte of type, four of length (big-endian), payload. The control socket to mayfly-init
 * speaks them, and so does the socket to mayfly-engine.
 *
 * Rules:
 *  1. Every length is checked against the maximum of its type before anything is read or allocated
 *     for it.
 *  2. An unknown type is an error: both ends are built from one tree.
 *  3. A payload of fields is a run of "key=value" strings, each ended by NUL. Keys may repeat
 *     (argv, env) and their order counts.
 *
 * Control socket, down (host to init), in this order: JOB, then any of FILE (followed by its DATA)
 * and STDIN, then GO; CANCEL at any time. Up: STDOUT, STDERR, DISPLAY any times, EXIT once, then
 * FILE (followed by its DATA) and SKIPPED any times, END once. A connection may instead make a
 * pooled container of the container: JOB and PREPARE down, READY up; the job itself comes over the
 * next connection. In a session (protocol/control.h) every connection is a job of its own, and
 * LISTED comes as FILE does.
 */
#pragma once

#include "base/buf.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum frame_type {
	/* down */
	FRAME_JOB = 'J',     /* fields, see protocol/control.h */
	FRAME_STDIN = 'I',   /* bytes of standard input, in order */
	FRAME_PREPARE = 'B', /* fields, see protocol/control.h: this becomes a pooled container */
	FRAME_GO = 'G',      /* empty: start the program */
	FRAME_CANCEL = 'C',  /* empty: end the program now; EXIT and END still follow */
	/* both ways */
	FRAME_FILE = 'F', /* relative path, no NUL; a new empty regular file */
	FRAME_DATA = 'D', /* bytes appended to the file named last */
	/* up */
	FRAME_STDOUT = 'O',
	FRAME_STDERR = 'E',
	FRAME_DISPLAY = 'P', /* a rich output: base/display.h */
	FRAME_READY = 'Y',   /* fields, see protocol/control.h: the pooled container is prepared */
	FRAME_EXIT = 'X',    /* fields, see protocol/control.h */
	FRAME_SKIPPED =
		'S', /* relative path of something not collected: a link, a device, past a cap */
	FRAME_LISTED = 'N', /* fields, see protocol/control.h: a file that is there */
	FRAME_END = 'Z',    /* empty: nothing follows */
	/* engine verbs and answers (protocol/engine.h) */
	FRAME_MAKE = 'm',
	FRAME_REMOVE = 'r',
	FRAME_LIST = 'l',
	FRAME_PING = 'p',
	FRAME_INFO = 'd',
	FRAME_IMAGES = 'i',
	FRAME_OK = 'k',
	FRAME_ROW = 'w',
	FRAME_ERROR = 'e',
};

/* The most bytes of payload a frame of this type may have, or -1 for a type that does not exist. */
int64_t frame_max_bytes(uint8_t type);

struct frame {
	uint8_t type;
	struct slice payload; /* points into the reader's buffer, until the next call */
};

/* The pure decoder. Looks at the first bytes of data. Returns 1 with *out and *used written when a
   whole frame is there, 0 when more bytes are needed, -1 with *err for a frame that must not be
   (rules 1 and 2). */
MUST_USE int frame_decode(struct slice data, struct frame *out, size_t *used, struct error *err);

/* Bytes of a frame with its header, whose FRAME_HEADER_BYTES are at header; it was not checked. */
size_t frame_whole_bytes(const char *header);

/* Reads frames from a descriptor. Buffer grows to the largest frame seen. */
struct frame_reader {
	int fd;         /* not owned */
	struct buf buf; /* owned */
	size_t used;    /* bytes of the frame handed out last */
};

struct frame_reader frame_reader_new(int fd);
void frame_reader_free(struct frame_reader *reader);

/* The next frame that is in the buffer already: 1, or 0, or -1 as frame_decode. */
MUST_USE int frame_reader_next(struct frame_reader *reader, struct frame *out, struct error *err);

/* One read(2) into the buffer. Bytes read; 0 at end of file; -1 with errno (EAGAIN where fd does
 * not block). */
ssize_t frame_reader_fill(struct frame_reader *reader);

/* Waits for the next frame until the deadline. 0, or -1 with *err: status 504 "frame_timeout", 502
   "frame_closed" at end of file, 502 "frame_bad". */
MUST_USE int frame_read(struct frame_reader *reader, struct frame *out, deadline_ms deadline,
			struct error *err);

/* Sends one frame. 0, or -1 with errno. */
MUST_USE int frame_send(int fd, uint8_t type, struct slice payload, deadline_ms deadline);

/* Appends one whole frame to out, to be sent with others in one write. 0, or -1 as buf_append. */
MUST_USE int frame_append(struct buf *out, uint8_t type, struct slice payload);

/* Appends "key=value\0". 0, or -1 as buf_append. The value must hold no NUL. */
MUST_USE int field_add(struct buf *fields, const char *key, struct slice value);
MUST_USE int field_add_number(struct buf *fields, const char *key, uint64_t value);

/* A field that is a number from 0 to max, and where it goes. */
struct field_number {
	const char *key;
	uint64_t max, *place;
};

/* Takes a field that is one of these. 1; 0 when it is none; -1 when its value is no such number. */
MUST_USE int field_take_number(const struct field_number *numbers, size_t count, struct slice key,
			       struct slice value);

/* Iterates: takes the next field off *fields. True with key and value written (both point into the
   payload; value is followed by NUL), false at the end or at a malformed field (*fields is then not
   empty). */
bool field_next(struct slice *fields, struct slice *key, struct slice *value);
