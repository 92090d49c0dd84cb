/*
 * What the kernel counted for our cgroup.
 *
 * Rules:
 *  1. The files are opened before the program starts and read through the same descriptors after.
 *  2. A container sees its cgroup at the path in /proc/self/cgroup (host's namespace) or at the
 *     root of the mount (namespace of its own, or a v1 bind mount): tried in this order.
 */
#include "base/cleanup.h"
#include "base/num.h"
#include "init/init.h"

#include <fcntl.h>
#include <stdio.h>

#define COUNTER_FILE_BYTES 4096 /* cpu.stat, the longest, has about 500 */

/* A v1 hierarchy goes by its controller; v2 has none (cgroups(7), /proc/[pid]/cgroup). */
static const struct {
	const char *controller, *file;
	const char *key;
	uint64_t divisor;
	size_t counter; /* offset in struct init_cgroup */
} sources[] = {
	{"cpuacct", "cpuacct.usage", NULL, 1000, offsetof(struct init_cgroup, cpu_us)},
	{"", "cpu.stat", "usage_usec", 1, offsetof(struct init_cgroup, cpu_us)},
	{"memory", "memory.oom_control", "oom_kill", 1, offsetof(struct init_cgroup, oom_kills)},
	{"", "memory.events", "oom_kill", 1, offsetof(struct init_cgroup, oom_kills)},
	{"memory", "memory.max_usage_in_bytes", NULL, 1, offsetof(struct init_cgroup, peak_bytes)},
	{"", "memory.peak", NULL, 1, offsetof(struct init_cgroup, peak_bytes)},
	{"memory", "memory.usage_in_bytes", NULL, 1, offsetof(struct init_cgroup, current_bytes)},
	{"", "memory.current", NULL, 1, offsetof(struct init_cgroup, current_bytes)},
};

/* One line of /proc/self/cgroup: "ID:controller,controller:/path". */
struct membership {
	struct slice controllers, path;
};

static bool next_membership(const char **text, struct membership *out)
{
	const char *first = strchr(*text, ':');
	const char *second = first ? strchr(first + 1, ':') : NULL;

	if (!second)
		return false;

	size_t len = strcspn(second + 1, "\n");

	out->controllers = (struct slice){first + 1, (size_t)(second - first - 1)};
	out->path = (struct slice){second + 1, len};
	*text = second + 1 + len;
	return true;
}

static bool has_controller(struct slice list, const char *controller)
{
	if (controller[0] == '\0')
		return list.len == 0;
	while (list.len)
		if (slice_eq(slice_take(&list, ','), controller))
			return true;
	return false;
}

static int open_counter(int root, struct slice folder, struct slice path, const char *file)
{
	char name[COUNTER_FILE_BYTES];
	int len = snprintf(name, sizeof(name), "./%.*s/%.*s/%s", (int)folder.len, folder.data,
			   (int)path.len, path.data, file);

	return len > 0 && (size_t)len < sizeof(name) ? openat(root, name, O_RDONLY | O_CLOEXEC)
						     : -1;
}

static int find_counter(int root, const char *membership, const char *controller, const char *file)
{
	struct membership line;
	int fd = -1;

	while (fd < 0 && next_membership(&membership, &line)) {
		/* v1 is mounted under its controller's name or the whole list's */
		struct slice folders[] = {slice_of(controller), line.controllers};
		size_t names = slice_eq(line.controllers, controller) ? 1 : 2;

		if (!has_controller(line.controllers, controller))
			continue;
		for (size_t i = 0; fd < 0 && i < names * 2; i++)
			fd = open_counter(root, folders[i % names],
					  i < names ? line.path : SLICE_LITERAL("."), file);
	}
	return fd;
}

void init_cgroup_open(int root, const char *membership, struct init_cgroup *out)
{
	static const struct init_counter none = {.fd = -1};

	*out = (struct init_cgroup){none, none, none, none};
	for (size_t i = 0; i < COUNT_OF(sources); i++) {
		struct init_counter *counter =
			(struct init_counter *)((char *)out + sources[i].counter);

		if (counter->fd >= 0)
			continue;
		*counter = (struct init_counter){
			find_counter(root, membership, sources[i].controller, sources[i].file),
			sources[i].key,
			sources[i].divisor,
		};
	}
}

void init_cgroup_open_own(struct init_cgroup *out)
{
	_cleanup_close_ int root = open("/sys/fs/cgroup", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	char membership[COUNTER_FILE_BYTES];
	ssize_t len = fd < 0 ? 0 : read(fd, membership, sizeof(membership) - 1);

	membership[len > 0 ? len : 0] = '\0';
	init_cgroup_open(root, membership, out);
}

bool init_counter_read(const struct init_counter *counter, uint64_t *out)
{
	char text[COUNTER_FILE_BYTES];
	ssize_t len = counter->fd < 0 ? -1 : pread(counter->fd, text, sizeof(text) - 1, 0);
	size_t key_len = counter->key ? strlen(counter->key) : 0;
	uint64_t value;

	if (len <= 0)
		return false;
	text[len] = '\0';
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *number = line;

		if (counter->key) {
			if (strncmp(line, counter->key, key_len) != 0 || line[key_len] != ' ')
				continue;
			number += key_len + 1;
		}

		struct slice digits = {number, strcspn(number, "\n")};

		if (num_parse(digits, 10, UINT64_MAX, &value) < 0)
			return false;
		*out = value / counter->divisor;
		return true;
	}
	return false;
}
