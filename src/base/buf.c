#include "base/buf.h"

#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_FIRST_BYTES 256

struct buf buf_new(size_t max)
{
	return (struct buf){.max = max};
}

void buf_free(struct buf *buf)
{
	free(buf->data);
	*buf = buf_new(buf->max);
}

char *buf_reserve(struct buf *buf, size_t len)
{
	if (len > buf->max - buf->len) {
		errno = EMSGSIZE;
		return NULL;
	}
	if (!buf->data || buf->len + len > buf->capacity) {
		size_t capacity = buf->capacity ? buf->capacity : BUF_FIRST_BYTES;

		while (capacity < buf->len + len)
			capacity *= 2;
		if (capacity > buf->max)
			capacity = buf->max;

		char *data = memory_checked(realloc(buf->data, capacity + 1));

		if (!data) {
			errno = ENOMEM;
			return NULL;
		}
		buf->data = data;
		buf->capacity = capacity;
	}
	buf->data[buf->len + len] = '\0';
	return buf->data + buf->len;
}

int buf_append(struct buf *buf, const void *data, size_t len)
{
	char *place = buf_reserve(buf, len);

	if (!place)
		return -1;
	if (len)
		memcpy(place, data, len);
	buf->len += len;
	return 0;
}

int buf_append_text(struct buf *buf, const char *text)
{
	return buf_append(buf, text, strlen(text));
}

int buf_printf(struct buf *buf, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int len = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (len < 0)
		return -1;

	char *place = buf_reserve(buf, (size_t)len);

	if (!place)
		return -1;
	va_start(arguments, format);
	(void)vsnprintf(place, (size_t)len + 1, format, arguments);
	va_end(arguments);
	buf->len += (size_t)len;
	return 0;
}
