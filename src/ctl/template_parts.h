/* What the verbs of mayflyctl template share. Private to template.c and template_build.c. */
#ifndef MAYFLY_CTL_TEMPLATE_PARTS_H
#define MAYFLY_CTL_TEMPLATE_PARTS_H

#include "config/config.h"
#include "config/registry.h"
#include "config/template.h"

/* Says what is wrong and returns the exit status for it. */
int template_fail(const struct error *err);

/* The file of a template of either kind, and the template. The caller frees *file. 0, or -1 with *err. */
MUST_USE int template_find(const struct config *config, const char *name,
			   struct registry_file *file, struct template *out, struct error *err);

/* The verb build; argv behind it. */
int template_build(const struct config *config, int argc, char **argv);

#endif
