/*
 * Which template a name stands for: one that is installed (config/template.h), else a custom one
 * (config/template_custom.h). No custom template takes the name of an installed one.
 */
#pragma once

#include "config/registry.h"
#include "config/template.h"

/* What a job names: a template, or with the prefix TEMPLATE_OF_TOOL a tool that brings an image,
   which stands for its template with that image. 0, or -1 with *err as template_load and
   custom_load. */
MUST_USE int template_find(const struct config *config, struct slice name, struct template *out,
			   struct error *err);

/* What a client of the sandbox API may name: a custom template, or one that is installed and
   public. As template_load. */
MUST_USE int template_find_public(const struct config *config, struct slice name,
				  struct template *out, struct error *err);

/* The names of all templates: the installed, sorted, then the custom ones. The caller frees *out.
   As registry_names. */
MUST_USE int template_names(const struct config *config, struct registry_names *out,
			    struct error *err);
