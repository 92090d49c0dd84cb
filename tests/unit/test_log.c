/* The log: one line whatever the values hold, nothing raw, nothing past its length. */
#include "base/log.h"

#include "tap.h"
#include "util.h"

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
	logs("", "<6>p k=\"\"\n");
	logs("plain text / with ~ signs", "<6>p k=\"plain text / with ~ signs\"\n");
	logs("two\nlines", "<6>p k=\"two\\x0alines\"\n");
	logs("\r\n<3>mayfly forged=\"1\"", "<6>p k=\"\\x0d\\x0a<3>mayfly forged=\\\"1\\\"\"\n");
	logs("a\" b=\"c", "<6>p k=\"a\\\" b=\\\"c\"\n");
	logs("\\", "<6>p k=\"\\\\\"\n");
	logs("\x1b[31mred\x7f", "<6>p k=\"\\x1b[31mred\\x7f\"\n");
	logs("gr\xc3\xbc\xff", "<6>p k=\"gr\\xc3\\xbc\\xff\"\n");
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
	is_text(text, "<3>mayfly path=\"/run\" status=-200 least=-9223372036854775808\n",
		"a line of several keys");
	log_begin(&line, LOG_LEVEL_WARNING, "again");
	(void)written(&line, text, sizeof(text));
	is_text(text, "<4>again\n", "a line begun again is empty");
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
		size_t want = strlen("<6>p k=\"\" n=1\n") + len * (len % 2 ? 1 : 4);

		want = want < LOG_LINE_MAX_BYTES ? want : LOG_LINE_MAX_BYTES;
		wrong += got != want || text[got - 1] != '\n' ||
			 memchr(text, '\n', got) != text + got - 1;
	}
	is_number(wrong, 0, "of any length: one line, cut at the maximum, ended by its newline");
}

static void test_terminal(void)
{
	struct log_line line;
	char text[LOG_LINE_MAX_BYTES + 1];

	must(unsetenv("JOURNAL_STREAM") == 0);
	log_begin(&line, LOG_LEVEL_INFO, "mayfly");
	log_number(&line, "n", 1);
	(void)written(&line, text, sizeof(text));
	is_text(text, "mayfly n=1\n", "without a journal a line shows no level");
}

int main(void)
{
	must(setenv("JOURNAL_STREAM", "8:1", 1) == 0);
	test_values();
	test_whole_line();
	test_length();
	test_terminal();
	return done();
}
