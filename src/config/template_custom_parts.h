/* What loading and adding of added templates share. Private to template_custom.c and template_put.c. */
#ifndef MAYFLY_CONFIG_TEMPLATE_CUSTOM_PARTS_H
#define MAYFLY_CONFIG_TEMPLATE_CUSTOM_PARTS_H

#include "config/config.h"

/* Rule 3. 0, or -1 with *err: 403 "template_not_allowed". */
MUST_USE int custom_check_image(const struct config *config, const char *name, const char *image,
				struct error *err);

/* 500 "templates_not_written", from errno. Always -1. */
int custom_not_written(const struct config *config, struct error *err);

#endif
