/* The user ids that containers get. */
#pragma once

#include "config/config.h"

struct uid_range {
	uint32_t first, count;
};

/* MAYFLY_UIDS, else the default: from USER_FIRST on where this user namespace has such ids and the
   container engine is not rootless, else from USER_FIRST_INSIDE. */
struct uid_range uid_range(const struct config *config, bool is_rootless);
