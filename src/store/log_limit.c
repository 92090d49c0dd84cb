#include "store/log_limit.h"

#include "base/clock.h"
#include "base/lock.h"
#include "bounds.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define LOCK_DEADLINE_MS 2

struct window {
	uint64_t number; /* since the machine started; the file does not outlive that */
	uint64_t lines;
};

int log_limit_open(const struct config *config, const char *program)
{
	char path[PATH_MAX + 32];

	if (!*config->run || !log_to_journal())
		return -1;
	(void)snprintf(path, sizeof(path), "%s/log-%s", config->run, program);
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Counts a line in its window. False: it is one too many. *suppressed: how many were, in the last
   window before a new one. */
static bool may_write(int fd, bool is_failure, uint64_t *suppressed)
{
	const off_t at = is_failure ? sizeof(struct window) : 0;
	const uint64_t number = boot_now_s() / LOG_WINDOW_S;
	struct window window = {0};

	*suppressed = 0;
	if (!lock_file(fd, false, deadline_in(LOCK_DEADLINE_MS)))
		return false;
	if (pread(fd, &window, sizeof(window), at) != (ssize_t)sizeof(window))
		window = (struct window){0}; /* new */
	if (window.number != number) {
		if (window.lines > LOG_WINDOW_LINES)
			*suppressed = window.lines - LOG_WINDOW_LINES;
		window = (struct window){.number = number};
	}
	window.lines++;
	/* write(2): a confined program may not pwrite(2); where it cannot be kept there is no
	   limit */
	if (lseek(fd, at, SEEK_SET) == at)
		(void)!write(fd, &window, sizeof(window));
	lock_file_release(fd);
	return window.lines <= LOG_WINDOW_LINES;
}

void log_limit_end(struct log_line *line, int count, bool is_failure)
{
	uint64_t suppressed = 0;

	if (count >= 0 && !may_write(count, is_failure, &suppressed))
		return;
	if (suppressed)
		log_number(line, "suppressed", (int64_t)suppressed);
	log_end(line);
}
