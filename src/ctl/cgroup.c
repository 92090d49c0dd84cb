#include "ctl/cgroup.h"

#include "base/cleanup.h"
#include "base/num.h"
#include "bounds.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>

#define CGROUPS "/sys/fs/cgroup"

/* How a line of /proc/<pid>/cgroup begins and where what it names lies, best first. */
static const struct {
	const char *controllers; /* between the colons; "" is v2's */
	const char *root, *file;
} hierarchies[] = {
	{"memory", CGROUPS "/memory", "memory.usage_in_bytes"},
	{"", CGROUPS, "memory.current"},
	{"", CGROUPS "/unified", "memory.current"},
};

static bool read_text(const char *path, char *text, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, size - 1);

	text[len > 0 ? len : 0] = '\0';
	return len > 0;
}

static bool read_number(const char *path, uint64_t *out)
{
	char text[32];

	return read_text(path, text, sizeof(text)) &&
	       num_parse((struct slice){text, strcspn(text, "\n")}, 10, INT64_MAX, out) == 0;
}

/* lines: the membership of a process in that container. */
static bool read_memory(const char *lines, uint64_t *bytes)
{
	for (size_t i = 0; i < COUNT_OF(hierarchies); i++) {
		char wanted[32], path[PATH_MAX];
		const char *at;

		(void)snprintf(wanted, sizeof(wanted), ":%s:/", hierarchies[i].controllers);
		at = strstr(lines, wanted);
		if (!at)
			continue;
		at += strlen(wanted) - 1;
		(void)snprintf(path, sizeof(path), "%s%.*s/%s", hierarchies[i].root,
			       (int)strcspn(at, "\n"), at, hierarchies[i].file);
		if (read_number(path, bytes))
			return true;
	}
	return false;
}

bool cgroup_memory(const char *container_id, uint64_t *bytes)
{
	_cleanup_closedir_ DIR *processes = opendir("/proc");

	for (const struct dirent *entry; processes && (entry = readdir(processes));) {
		char path[sizeof("/proc//cgroup") + sizeof(entry->d_name)], lines[8 * KIB];

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%s/cgroup", entry->d_name);
		if (read_text(path, lines, sizeof(lines)) && strstr(lines, container_id))
			return read_memory(lines, bytes);
	}
	return false;
}
