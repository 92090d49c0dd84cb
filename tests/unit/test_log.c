/* The log: one line whatever the values hold, nothing raw, nothing past its length. */
#include "base/log.h"
#include "bounds.h"

#include "tap.h"
#include "util.h"

#include <endian.h>
#include <sys/stat.h>

/* What log_end writes, without a NUL of its own. */
static size_t written(struct log_line *line, char *out, size_t size)
{
	int saved = dup(STDERR_FILENO), pipe_fds[2];

	must(saved >= 0 && pipe(pipe_fds) == 0 && dup2(pipe_fds[1], STDERR_FILENO) >= 0);
	close(pipe_fds[1]);
	log_end(line);
	must(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);

	ssize_t got = read(pipe_fds[0], out, size - 1);
	char more;

	must(got >= 0 && read(pipe_fds[0], &more, 1) == 0);
	close(pipe_fds[0]);
	out[got] = '\0';
	return (size_t)got;
}

static void logs(const char *value, const char *want)
{
	struct log_line line;
	char text[LOG_LINE_MAX_BYTES + 1];

	log_begin(&line, LOG_LEVEL_INFO, "p");
	log_text(&line, "k", value);
	(void)written(&line, text, sizeof(text));
	is_text(text, want, "logged as %.*s", (int)strcspn(want, "\n"), want);
}

static void test_values(void)
{
	logs("", "p k=\"\"\n");
	logs("plain text / with ~ signs", "p k=\"plain text / with ~ signs\"\n");
	logs("two\nlines", "p k=\"two\\x0alines\"\n");
	logs("\r\n<3>mayfly forged=\"1\"", "p k=\"\\x0d\\x0a<3>mayfly forged=\\\"1\\\"\"\n");
	logs("a\" b=\"c", "p k=\"a\\\" b=\\\"c\"\n");
	logs("\\", "p k=\"\\\\\"\n");
	logs("\x1b[31mred\x7f", "p k=\"\\x1b[31mred\\x7f\"\n");
	logs("gr\xc3\xbc\xff", "p k=\"gr\\xc3\\xbc\\xff\"\n");
}

static void test_whole_line(void)
{
	struct log_line line;
	char text[LOG_LINE_MAX_BYTES + 1];

	log_begin(&line, LOG_LEVEL_ERROR, "mayfly");
	log_text(&line, "path", "/run");
	log_number(&line, "status", -200);
	log_number(&line, "least", INT64_MIN);
	(void)written(&line, text, sizeof(text));
	is_text(text, "mayfly path=\"/run\" status=-200 least=-9223372036854775808\n",
		"a line of several keys");
	log_begin(&line, LOG_LEVEL_WARNING, "again");
	(void)written(&line, text, sizeof(text));
	is_text(text, "again\n", "a line begun again is empty");
}

static void test_length(void)
{
	struct log_line line;
	char text[LOG_LINE_MAX_BYTES + 100], value[2 * LOG_LINE_MAX_BYTES];
	unsigned wrong = 0;

	/* every length around the maximum, of bytes that take one place and of bytes that take
	 * four */
	for (size_t len = 1; len < LOG_LINE_MAX_BYTES + 50;
	     len += len < LOG_LINE_MAX_BYTES - 50 && len > 10 ? 17 : 1) {
		memset(value, len % 2 ? 'x' : '\n', len);
		value[len] = '\0';
		log_begin(&line, LOG_LEVEL_INFO, "p");
		log_text(&line, "k", value);
		log_number(&line, "n", 1);

		size_t got = written(&line, text, sizeof(text));
		size_t want = strlen("p k=\"\" n=1\n") + len * (len % 2 ? 1 : 4);

		want = want < LOG_LINE_MAX_BYTES ? want : LOG_LINE_MAX_BYTES;
		wrong += got != want || text[got - 1] != '\n' ||
			 memchr(text, '\n', got) != text + got - 1;
	}
	is_number(wrong, 0, "of any length: one line, cut at the maximum, ended by its newline");
}

/* --- the journal's entry ---------------------------------------------------------------------- */

/* Takes the first field off an entry, as journald does: name, newline, 64 bits of length, value,
   newline. */
static bool take_field(struct slice *entry, struct slice *name, struct slice *value)
{
	const char *newline = memchr(entry->data, '\n', entry->len);
	uint64_t length;
	size_t head;

	if (!newline)
		return false;
	*name = (struct slice){entry->data, (size_t)(newline - entry->data)};
	head = name->len + 1 + sizeof(length);
	if (entry->len < head + 1)
		return false;
	memcpy(&length, newline + 1, sizeof(length));
	length = le64toh(length);
	if (length > entry->len - head - 1 || entry->data[head + length] != '\n')
		return false;
	*value = (struct slice){entry->data + head, length};
	*entry = (struct slice){entry->data + head + length + 1, entry->len - head - length - 1};
	return true;
}

/* Looks at a whole entry: how many fields, whether all are well formed; the value of one of
   them. */
static unsigned look(struct slice entry, const char *wanted, struct slice *out)
{
	struct slice name, value;
	unsigned count = 0;

	*out = SLICE_LITERAL("(missing)");
	while (entry.len > 0) {
		if (!take_field(&entry, &name, &value))
			return 0;
		count++;
		if (slice_eq(name, wanted))
			*out = value;
	}
	return count;
}

static void has(struct slice entry, const char *name, const char *want)
{
	struct slice value;

	ok(look(entry, name, &value) > 0 && slice_eq(value, want), "%s", name);
	if (!slice_eq(value, want))
		printf("#  got: %.*s\n# want: %s\n", (int)value.len, value.data, want);
}

static void test_entry(void)
{
	struct log_line line;
	struct slice value;

	log_begin(&line, LOG_LEVEL_WARNING, "mayfly");
	log_text(&line, "path", "/run");
	log_text(&line, "code", "one\nMAYFLY_JOB=forged\n\nMESSAGE\n");
	log_number(&line, "duration_us", -42);

	struct slice entry = log_entry(&line);

	is_number(look(entry, "", &value), 6, "an entry of six fields");
	has(entry, "PRIORITY", "4");
	has(entry, "SYSLOG_IDENTIFIER", "mayfly");
	has(entry, "MAYFLY_PATH", "/run");
	has(entry, "MAYFLY_CODE", "one\nMAYFLY_JOB=forged\n\nMESSAGE\n");
	has(entry, "MAYFLY_DURATION_US", "-42");
	has(entry, "MAYFLY_JOB", "(missing)");
	has(entry, "MESSAGE",
	    "path=\"/run\" code=\"one\\x0aMAYFLY_JOB=forged\\x0a\\x0aMESSAGE\\x0a\" duration_us=-42");
}

static void test_entry_of_any_length(void)
{
	struct log_line line;
	struct slice value;
	unsigned wrong = 0;
	char text[3 * LOG_VALUE_MAX_BYTES];

	for (size_t len = 0; len < sizeof(text); len += len % 97 ? 61 : 1) {
		memset(text, '\n', len);
		text[len] = '\0';
		log_begin(&line, LOG_LEVEL_INFO, "p");
		for (unsigned i = 0; i < 12; i++) /* more than there is room for */
			log_text(&line, "k", text);
		log_number(&line, "last", 1);

		struct slice entry = log_entry(&line);
		size_t want = len < LOG_VALUE_MAX_BYTES ? len : LOG_VALUE_MAX_BYTES;

		wrong += entry.len > LOG_ENTRY_MAX_BYTES || look(entry, "MAYFLY_K", &value) < 4 ||
			 value.len != want;
		wrong += look(entry, "MESSAGE", &value) == 0 || value.len < 4 ||
			 memcmp(value.data, "k=", 2) != 0;
	}
	is_number(wrong, 0, "whatever the values, an entry is well formed and has its message");
}

static void test_not_a_journal(void)
{
	static const char *const streams[] = {"",      "8:1",
					      "8",     ":",
					      "8:",    ":1",
					      "8:1:2", "-8:1",
					      "0x8:1", "99999999999999999999999:1"};

	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		must(setenv("JOURNAL_STREAM", streams[i], 1) == 0);
		ok(!log_to_journal(), "\"%s\" is not standard error", streams[i]);
	}

	struct stat status;
	char stream[64];

	must(fstat(STDERR_FILENO, &status) == 0);
	(void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
		       (unsigned long long)status.st_ino);
	must(setenv("JOURNAL_STREAM", stream, 1) == 0);
	ok(log_to_journal(), "its own device and inode are");
	must(unsetenv("JOURNAL_STREAM") == 0);
	ok(!log_to_journal(), "without JOURNAL_STREAM there is no journal");
}

int main(void)
{
	must(setenv("JOURNAL_STREAM", "8:1", 1) ==
	     0); /* inherited by who was given another standard error */
	test_values();
	test_whole_line();
	test_length();
	test_entry();
	test_entry_of_any_length();
	test_not_a_journal();
	return done();
}
