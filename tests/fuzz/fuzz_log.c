/*
 * A log line whose values are anybody's. Invariants:
 *  1. The journal's entry is fields and nothing else, each as often as it was given, with names of
 *     ours and values that are the given ones' beginning.
 *  2. The message is one line of printable ASCII.
 */
#include "fuzz.h"

#include "base/log.h"
#include "bounds.h"

#include <endian.h>
#include <string.h>

#define VALUES_MAX 8

static struct slice take(struct slice *entry, size_t len)
{
	struct slice taken = {entry->data, len};

	must(len <= entry->len);
	*entry = (struct slice){entry->data + len, entry->len - len};
	return taken;
}

static struct slice take_field(struct slice *entry, struct slice *name)
{
	const char *newline = memchr(entry->data, '\n', entry->len);
	uint64_t length;

	must(newline);
	*name = take(entry, (size_t)(newline - entry->data));
	(void)take(entry, 1);
	memcpy(&length, take(entry, sizeof(length)).data, sizeof(length));

	struct slice value = take(entry, le64toh(length));

	must(*take(entry, 1).data == '\n');
	return value;
}

static void check_message(struct slice message)
{
	for (size_t i = 0; i < message.len; i++)
		must(message.data[i] >= 0x20 && message.data[i] < 0x7F);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[4096], *values[VALUES_MAX];
	struct log_line line;
	unsigned count = 0, seen = 0, messages = 0;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	log_begin(&line, LOG_LEVEL_INFO, "mayfly");
	for (size_t at = 0; at <= size && count < VALUES_MAX; at += strlen(text + at) + 1) {
		values[count++] = text + at;
		log_text(&line, "value", text + at);
	}

	struct slice entry = log_entry(&line), name;

	must(entry.len <= LOG_ENTRY_MAX_BYTES);
	while (entry.len > 0) {
		struct slice value = take_field(&entry, &name);

		if (slice_eq(name, "MAYFLY_VALUE")) {
			size_t len = strnlen(values[seen], LOG_VALUE_MAX_BYTES);

			must(seen < count && value.len == len &&
			     memcmp(value.data, values[seen], len) == 0);
			seen++;
		} else if (slice_eq(name, "MESSAGE")) {
			check_message(value);
			messages++;
		} else {
			must(slice_eq(name, "PRIORITY") || slice_eq(name, "SYSLOG_IDENTIFIER"));
		}
	}
	must(messages == 1 && seen == count);
	return 0;
}
