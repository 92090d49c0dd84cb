/* Finding scripts; see the header. */
#include "ctl/script.h"

#include <stdio.h>
#include <unistd.h>

bool ctl_find_script(const struct config *config, const char *name, char path[PATH_MAX])
{
	for (unsigned i = 0; i < CONFIG_REGISTRY_DIRS; i++) {
		const char *folder = config->registry[i];

		for (unsigned place = 0; *folder && place < 2; place++) {
			(void)snprintf(path, PATH_MAX,
				       place ? "%.3000s/../scripts/%.64s" : "%.3000s/scripts/%.64s",
				       folder, name);
			if (access(path, X_OK) == 0)
				return true;
		}
	}
	(void)fprintf(stderr, "mayflyctl: there is no scripts/%s in %s\n", name,
		      config->registry[CONFIG_REGISTRY_DIRS - 1]);
	return false;
}
