/*
 * What a program has to say about a request: a line of key=value for people, values quoted and
 * escaped, and the same as fields of a journal entry. Only programs log; libraries return errors.
 *
 * Rules:
 *  1. Where standard error is the journal (systemd.exec(5), JOURNAL_STREAM) an entry is one
 *     datagram in the journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): MESSAGE,
 *     PRIORITY, SYSLOG_IDENTIFIER and MAYFLY_<KEY> for each key, capital. Anywhere else it is the
 *     line, on standard error. Never both.
 *  2. Every field is length-prefixed, so no value can begin another. Names are ours.
 *  3. A journal that does not keep up costs the entry, not the caller's time. One that is not there
 *     is written to as a line, with its level as in sd-daemon(3).
 *  4. No secret. A field's value is cut at LOG_VALUE_MAX_BYTES, a line at LOG_LINE_MAX_BYTES.
 */
#pragma once

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6 };

/* A line under construction: log_begin, log_text/log_number any times, log_end writes it with one
   system call. A field that finds no room in the entry any more is left out. */
struct log_line {
	enum log_level level;
	size_t message; /* where it begins in text, behind the program's name */
	size_t used, entry_used;
	char text[2048];
	char entry[8192];
};

/* program and keys are string constants; a key is [a-z_]. */
void log_begin(struct log_line *line, enum log_level level, const char *program);
void log_text(struct log_line *line, const char *key, const char *value);
void log_number(struct log_line *line, const char *key, int64_t value);
void log_end(struct log_line *line);

/* Is standard error the journal? */
bool log_to_journal(void);

/* Makes the socket for the journal now, where there is one: for a program that may make none later
   (base/confine.h). */
void log_open(void);

/* The datagram of a line, as log_end sends it; line's, and to be asked for once. */
struct slice log_entry(struct log_line *line);
