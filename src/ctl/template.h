/* mayflyctl template: templates, and above all those of the sandbox API. */
#pragma once

#include "config/config.h"

/*
 * mayflyctl template list [--json]
 *     Lists those of the sandbox API; a broken one is said to be so.
 * mayflyctl template show NAME
 *     What one comes to, defaults and the operator's limits included, as JSON.
 * mayflyctl template check [NAME|FILE]...
 *     Checks templates, or files that may become some; without arguments all. A mistake is reported
 *     with file, line and field.
 * mayflyctl template build [--force] [--trust] NAME...|--all
 *     Makes the images of templates that say how (config/recipe.h), unless they are up to date. A
 *     custom template is a client's: what it would
 *     have done as root is shown, and done with --trust.
 * mayflyctl template add FILE|-
 *     Adds one, from JSON as POST /templates takes it.
 * mayflyctl template remove NAME
 *     Removes one that was added.
 *
 * Returns the program's exit status: EX_DATAERR for a template that is not there or no good.
 */
int ctl_template(const struct config *config, int argc, char **argv);
