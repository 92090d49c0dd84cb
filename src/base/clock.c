#include "base/clock.h"

#include "base/cleanup.h"

#include <fcntl.h>

int boot_id(char out[BOOT_ID_BYTES])
{
	_cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	out[BOOT_ID_BYTES - 1] = '\0';
	return fd >= 0 && read(fd, out, BOOT_ID_BYTES - 1) == BOOT_ID_BYTES - 1 ? 0 : -1;
}
