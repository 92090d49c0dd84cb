/*
 * A growing byte buffer that is born with its maximum.
 *
 * Rules:
 *  1. It never holds more than max bytes; an append that would is refused whole and changes
 *     nothing.
 *  2. data[len] is always NUL (not counted in len), so text may be passed on as a C string.
 */
#pragma once

#include "base/error.h"
#include "base/slice.h"

#include <stdarg.h>
#include <stddef.h>

struct buf {
	char *data;
	size_t len;      /* bytes used */
	size_t capacity; /* bytes allocated, less the NUL */
	size_t max;      /* bytes */
};

#define _cleanup_buf_ __attribute__((cleanup(buf_free)))

/* An empty buffer; allocates nothing yet. max in bytes. */
struct buf buf_new(size_t max);

/* Frees the memory and leaves an empty buffer with the same maximum. */
void buf_free(struct buf *buf);

/* Appends; -1 with errno EMSGSIZE when it would pass max, ENOMEM when memory is out (base/memory.h,
   rule 2). */
MUST_USE int buf_append(struct buf *buf, const void *data, size_t len);
MUST_USE int buf_append_text(struct buf *buf, const char *text);
MUST_USE int buf_printf(struct buf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Makes room for len more bytes and returns where to write them (then add to len), or NULL as
 * buf_append. */
char *buf_reserve(struct buf *buf, size_t len);

static inline struct slice buf_slice(const struct buf *buf)
{
	return (struct slice){buf->data ? buf->data : "", buf->len};
}
