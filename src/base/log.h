/*
 * One line per request on stderr (the journal, under systemd): key=value, values quoted and
 * escaped, no secret, no raw bytes. Only programs log; libraries return errors.
 */
#ifndef MAYFLY_BASE_LOG_H
#define MAYFLY_BASE_LOG_H

#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6 };

/* A line under construction: log_begin, log_text/log_number any times, log_end writes it with one
   write(2). What does not fit LOG_LINE_MAX_BYTES is cut. */
struct log_line {
	unsigned used;
	char text[2048];
};

void log_begin(struct log_line *line, enum log_level level, const char *program);
void log_text(struct log_line *line, const char *key, const char *value);
void log_number(struct log_line *line, const char *key, int64_t value);
void log_end(struct log_line *line);

#endif
