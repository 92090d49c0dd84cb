/* mayflyctl setup; see the header. */
#include "ctl/setup.h"

#include "ctl/command.h"
#include "ctl/script.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define SCRIPT "setup-service"

int ctl_setup(const struct config *config, int argc, char **argv)
{
	char path[PATH_MAX];

	(void)argv;
	if (argc != 1)
		return CTL_USAGE;
	if (!ctl_find_script(config, SCRIPT, path))
		return EX_CONFIG;
	(void)execl(path, SCRIPT, (char *)NULL);
	(void)fprintf(stderr, "mayflyctl setup: %s: %s\n", path, strerror(errno));
	return EX_OSERR;
}
