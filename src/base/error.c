#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fill(struct error *err, int status, const char *code, const char *format,
		 va_list arguments)
{
	err->status = status;
	err->code = code;
	(void)vsnprintf(err->message, sizeof(err->message), format, arguments);
}

int error_set(struct error *err, int status, const char *code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fill(err, status, code, format, arguments);
	va_end(arguments);
	return -1;
}

int error_set_errno(struct error *err, int status, const char *code, const char *format, ...)
{
	int number = errno;
	va_list arguments;

	va_start(arguments, format);
	fill(err, status, code, format, arguments);
	va_end(arguments);

	size_t used = strlen(err->message);

	(void)snprintf(err->message + used, sizeof(err->message) - used, ": %s", strerror(number));
	return -1;
}
