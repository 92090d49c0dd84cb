#include "base/log.h"

#include "limits.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof(((struct log_line *)0)->text) == LOG_LINE_MAX_BYTES,
	       "limits.h says how long a log line is");

/* Always leaves room for the newline. */
static void put(struct log_line *line, const char *text, size_t len)
{
	size_t room = sizeof(line->text) - 1 - line->used;

	if (len > room)
		len = room;
	memcpy(line->text + line->used, text, len);
	line->used += (unsigned)len;
}

void log_begin(struct log_line *line, enum log_level level, const char *program)
{
	line->used = 0;
	/* sd-daemon(3): "<N>" at the start of a line is its syslog level; on a terminal it would only be noise */
	if (getenv("JOURNAL_STREAM"))
		put(line, (char[]){'<', (char)('0' + level), '>'}, 3);
	put(line, program, strlen(program));
}

void log_text(struct log_line *line, const char *key, const char *value)
{
	put(line, " ", 1);
	put(line, key, strlen(key));
	put(line, "=\"", 2);
	for (; *value; value++) {
		unsigned char byte = (unsigned char)*value;
		char escape[5];

		if (byte == '"' || byte == '\\') {
			put(line, (char[]){'\\', (char)byte}, 2);
		} else if (byte < 0x20 || byte >= 0x7F) {
			(void)snprintf(escape, sizeof(escape), "\\x%02x", byte);
			put(line, escape, 4);
		} else {
			put(line, value, 1);
		}
	}
	put(line, "\"", 1);
}

void log_number(struct log_line *line, const char *key, int64_t value)
{
	char text[64];
	int len = snprintf(text, sizeof(text), " %s=%" PRId64, key, value);

	if (len > 0)
		put(line, text, (size_t)len);
}

void log_end(struct log_line *line)
{
	line->text[line->used] = '\n';

	ssize_t ignored = write(STDERR_FILENO, line->text, line->used + 1);

	(void)ignored; /* there is nowhere to say that the log is gone */
}
