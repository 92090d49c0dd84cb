/* mayflyctl setup; see the header. */
#include "ctl/commands.h"

#include "ctl/script.h"

#include <errno.h>
#include <sysexits.h>
#include <unistd.h>

#define SCRIPT "setup-service"

int ctl_setup(const struct config *config, struct ctl_arguments *arguments)
{
	char path[PATH_MAX];

	(void)arguments;
	if (!ctl_find_script(config, SCRIPT, path))
		return EX_CONFIG;
	(void)execl(path, SCRIPT, (char *)NULL);
	return ctl_fail("setup", EX_OSERR, "%s: %s", path, strerror(errno));
}
