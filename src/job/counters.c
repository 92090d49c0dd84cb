#include "job/counters.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/num.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>

#define DIGITS_MAX_BYTES 24

static int open_counter(const struct config *config, const char *name, int flags)
{
	char path[PATH_MAX + 16];

	(void)snprintf(path, sizeof(path), "%s/counters", config->run);

	_cleanup_close_ int folder = fs_open_or_make_dir(path, 0750);

	return folder < 0 ? -1 : openat(folder, name, flags | O_CLOEXEC | O_NOFOLLOW, 0640);
}

static uint64_t read_value(int fd)
{
	char text[DIGITS_MAX_BYTES];
	ssize_t len = pread(fd, text, sizeof(text), 0);
	uint64_t value = 0;

	/* anything but a number counts from 0 again */
	if (len <= 0 || num_parse((struct slice){text, (size_t)len}, 10, UINT64_MAX, &value) < 0)
		return 0;
	return value;
}

void counter_add(const struct config *config, const char *name, uint64_t amount)
{
	_cleanup_close_ int fd = open_counter(config, name, O_RDWR | O_CREAT);
	char text[DIGITS_MAX_BYTES];

	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return;

	int len = snprintf(text, sizeof(text), "%" PRIu64, read_value(fd) + amount);

	/* it only ever grows longer, and one write within a page is whole or not at all */
	if (pwrite(fd, text, (size_t)len, 0) != len)
		return;
}

uint64_t counter_read(const struct config *config, const char *name)
{
	_cleanup_close_ int fd = open_counter(config, name, O_RDONLY);

	return fd < 0 ? 0 : read_value(fd);
}
