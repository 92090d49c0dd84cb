/*
 * Custom templates over HTTP or with mayflyctl template add: files
 * <MAYFLY_TEMPLATES_DIR>/NAME.json, as those of templates.d.
 *
 * Rules:
 *  1. They lie apart from the installed, and none takes the name of one of those.
 *  2. mayfly, which reads the network, may write them, so what they say is not believed: each
 *     program that loads one, mayfly-engine too, takes from it only name, description, image,
 *     memory, CPU, time-out, network and environment, and those within what the operator has
 *     allowed (MAYFLY_TEMPLATE_…). All else is as in the operator's template default.
 *  3. An image is that of a public template of the operator's, one that MAYFLY_TEMPLATE_IMAGES
 *     lists, or the template's own: localhost/mayfly-custom-NAME, which only the operator makes,
 *     with mayflyctl template build.
 *  4. A file is there whole or not at all.
 */
#pragma once

#include "config/registry.h"
#include "config/template.h"

#define CUSTOM_IMAGE_PREFIX "localhost/mayfly-custom-"

/* Loads one by its name. 0, or -1 with *err: 404 "not_found"; 403 "template_not_allowed" (rule 3);
   500 "bad_template". */
MUST_USE int custom_load(const struct config *config, struct slice name, struct template *out,
			 struct error *err);

/* Reads the file of one. The caller frees *out. As registry_open. */
MUST_USE int custom_open(const struct config *config, struct slice name, struct registry_file *out,
			 struct error *err);

/* Adds the names of all of them to out, unsorted. As registry_names. */
MUST_USE int custom_names(const struct config *config, struct registry_names *out,
			  struct error *err);

/*
 * Adds one from a request: name*, description, base_image, packages, environment_variables,
 * setup_commands, memory_limit ("512m", "2g"), cpu_quota (CPUs, or microseconds of 100000), timeout
 * (seconds), network_enabled. 0 and *out, whose image may have to be built yet: *needs_build; or -1
 * with *err: 400 "bad_template", naming the field; 403 "template_not_allowed"; 409
 * "template_exists", "too_many_templates"; 500 "templates_not_written".
 */
MUST_USE int custom_put(const struct config *config, const json_t *request, struct template *out,
			bool *needs_build, struct error *err);

/* Removes one. 0, or -1 with *err: 404 "not_found"; 403 "template_not_custom" (it is installed);
   500 "templates_not_written". */
MUST_USE int custom_remove(const struct config *config, struct slice name, struct error *err);

/* Rule 3, for the custom template of that name ("": none). 0, or -1 with *err: 403
   "template_not_allowed". */
MUST_USE int custom_check_image(const struct config *config, const char *name, const char *image,
				struct error *err);

/* 500 "templates_not_written", from errno. Always -1. */
int custom_not_written(const struct config *config, struct error *err);
