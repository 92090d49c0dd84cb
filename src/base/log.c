#include "base/log.h"

#include "base/num.h"
#include "bounds.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define FIELD_PREFIX   "MAYFLY_"
#define FIELD_LENGTH   sizeof(uint64_t)
#define MESSAGE_ROOM   (sizeof("MESSAGE\n") + FIELD_LENGTH + LOG_LINE_MAX_BYTES + 1)

_Static_assert(sizeof(((struct log_line *)0)->text) == LOG_LINE_MAX_BYTES &&
		       sizeof(((struct log_line *)0)->entry) == LOG_ENTRY_MAX_BYTES,
	       "bounds.h says how long a log line and an entry are");

static int journal = -1; /* a socket, once it is made */

/* Always leaves room for the newline. */
static void put(struct log_line *line, const char *text, size_t len)
{
	size_t room = sizeof(line->text) - 1 - line->used;

	if (len > room)
		len = room;
	memcpy(line->text + line->used, text, len);
	line->used += len;
}

static void append(struct log_line *line, const void *data, size_t len)
{
	memcpy(line->entry + line->entry_used, data, len);
	line->entry_used += len;
}

/* Name, newline, length, value, newline; left out when it does not leave so much room. */
static void put_field(struct log_line *line, const char *name, struct slice value, size_t room_left)
{
	size_t name_len = strlen(name), len = name_len + 1 + FIELD_LENGTH + value.len + 1;
	uint64_t length = htole64(value.len);

	if (line->entry_used + len + room_left > sizeof(line->entry))
		return;
	append(line, name, name_len);
	append(line, "\n", 1);
	append(line, &length, sizeof(length));
	append(line, value.data, value.len);
	append(line, "\n", 1);
}

/* The field of a key. */
static void put_key(struct log_line *line, const char *key, struct slice value)
{
	char name[LOG_FIELD_NAME_BYTES] = FIELD_PREFIX;
	size_t len = strlen(FIELD_PREFIX);

	for (; *key && len < sizeof(name) - 1; key++)
		name[len++] = (char)(*key >= 'a' && *key <= 'z' ? *key - 'a' + 'A' : *key);
	name[len] = '\0';
	put_field(line, name, value, MESSAGE_ROOM);
}

void log_begin(struct log_line *line, enum log_level level, const char *program)
{
	const char digit = (char)('0' + level);

	line->level = level;
	line->used = line->entry_used = 0;
	put(line, program, strlen(program));
	line->message = line->used;
	put_field(line, "PRIORITY", (struct slice){&digit, 1}, MESSAGE_ROOM);
	put_field(line, "SYSLOG_IDENTIFIER", slice_of(program), MESSAGE_ROOM);
}

void log_text(struct log_line *line, const char *key, const char *value)
{
	put_key(line, key, (struct slice){value, strnlen(value, LOG_VALUE_MAX_BYTES)});
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
	char text[32];
	int len = snprintf(text, sizeof(text), "%" PRId64, value);

	put(line, " ", 1);
	put(line, key, strlen(key));
	put(line, "=", 1);
	put(line, text, (size_t)len);
	put_key(line, key, (struct slice){text, (size_t)len});
}

bool log_to_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM"), *colon = stream ? strchr(stream, ':') : NULL;
	uint64_t device, inode;
	struct stat status;

	return colon &&
	       num_parse((struct slice){stream, (size_t)(colon - stream)}, 10, UINT64_MAX,
			 &device) == 0 &&
	       num_parse(slice_of(colon + 1), 10, UINT64_MAX, &inode) == 0 &&
	       fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
	       status.st_ino == inode;
}

void log_open(void)
{
	if (journal < 0 && log_to_journal())
		journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

struct slice log_entry(struct log_line *line)
{
	size_t begin = line->message < line->used ? line->message + 1 : line->used; /* a blank */

	put_field(line, "MESSAGE", (struct slice){line->text + begin, line->used - begin}, 0);
	return (struct slice){line->entry, line->entry_used};
}

/* False when there is no journal that could be written to so. */
static bool send_entry(struct log_line *line)
{
	static const struct sockaddr_un address = {AF_UNIX, JOURNAL_SOCKET};
	struct slice entry = log_entry(line);

	log_open();
	if (journal < 0)
		return false;
	return sendto(journal, entry.data, entry.len, MSG_DONTWAIT | MSG_NOSIGNAL,
		      (const struct sockaddr *)&address, sizeof(address)) >= 0 ||
	       errno == EAGAIN || errno == ENOBUFS; /* rule 3 */
}

void log_end(struct log_line *line)
{
	bool in_journal = log_to_journal();
	char level[] = {'<', (char)('0' + line->level), '>', '\0'};

	if (in_journal && send_entry(line))
		return;
	line->text[line->used] = '\n';

	const struct iovec parts[] = {{level, in_journal ? strlen(level) : 0},
				      {line->text, line->used + 1}};
	ssize_t ignored = writev(STDERR_FILENO, parts, 2);

	(void)ignored; /* there is nowhere to say that the log is gone */
}
