/*
 * The one error contract: a function returns 0 and writes its result, or returns -1, fills *err and
 * leaves the result untouched.
 */
#pragma once

#define ERROR_MESSAGE_BYTES 512

struct error {
	int status;       /* the HTTP status that a client would see for it */
	const char *code; /* stable (style: reply, log, manual, test); static storage */
	char message[ERROR_MESSAGE_BYTES]; /* one sentence, says what to do where something can be
					      done */
};

#define MUST_USE __attribute__((warn_unused_result))

/* Fills *err. Always returns -1, so that a refusal is one line: return error_set(err, 413,
 * "body_too_large", ...). */
int error_set(struct error *err, int status, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* As error_set, with ": <strerror(errno)>" at the end. */
int error_set_errno(struct error *err, int status, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
