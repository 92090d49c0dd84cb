#include "config/uid_range.h"

#include "base/cleanup.h"
#include "base/num.h"
#include "bounds.h"

#include <fcntl.h>

/* How many ids this user namespace has, from 0 on: what its first range maps (user_namespaces(7)).
 */
static uint64_t mapped_ids(void)
{
	_cleanup_close_ int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
	char text[128];
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	uint64_t count = 0;
	const char *at = text;

	if (len <= 0)
		return 0;
	text[len] = '\0';
	for (int field = 0; field < 3; field++) {
		size_t digits;

		at += strspn(at, " ");
		digits = strcspn(at, " \n");
		if (num_parse((struct slice){at, digits}, 10, UINT32_MAX, &count) < 0 ||
		    (field == 0 && count != 0))
			return 0;
		at += digits;
	}
	return count;
}

struct uid_range uid_range(const struct config *config, bool is_rootless)
{
	if (config->uids_first)
		return (struct uid_range){(uint32_t)config->uids_first,
					  (uint32_t)(config->uids_last - config->uids_first + 1)};
	return (struct uid_range){!is_rootless && mapped_ids() >= USER_FIRST + USER_COUNT
					  ? USER_FIRST
					  : USER_FIRST_INSIDE,
				  USER_COUNT};
}
