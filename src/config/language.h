/* The languages of the sandbox API by every name that its clients know them by (src/api/sandbox/README.md). Each is a file languages.d/NAME.json, as those of tools. */
#ifndef MAYFLY_API_SANDBOX_LANGUAGE_H
#define MAYFLY_API_SANDBOX_LANGUAGE_H

#include "base/slice.h"
#include "config/template.h"

#include <stdbool.h>

struct sandbox_language {
	const char *name;
	const char *aliases[3];
	bool has_cells;        /* its state may stay from one cell to the next */
	bool is_one_shot_cell; /* a single program runs as a cell, too, so that it has rich results */
};

/* The language of that name or alias, in any case, if the template's image has it; else NULL. */
const struct sandbox_language *sandbox_language(struct slice name, const struct template *template);

/* The language of that index; NULL behind the last. */
const struct sandbox_language *sandbox_language_at(size_t index);

/* Does the template's image have it? */
bool sandbox_has_language(const struct template *template, const struct sandbox_language *language);

#endif
