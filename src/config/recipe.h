/*
 * Recipes: how the image of a template is made, the object "build" of its file.
 * scripts/build-template carries one out.
 *
 *   base              image that it is made from, which must be here
 *   apt, npm          packages of Debian, npm
 *   python            Python's packages, each under its name at the Python index and, behind a
 *                     blank, under Debian's, where it has one: all are from the index where that
 *                     answers, else all from Debian
 *   packages          as a client names them: one that Debian has under that very name is
 *                     Debian's, the others are Python's, as above
 *   stand_ins         Debian packages that others depend on and that nothing in the image needs:
 *                     empty ones are put in their place
 *   models            what Python's packages work with and do not have: "nltk:NAME", "spacy:NAME",
 *                     from their authors, or from a file that the operator gives
 *   setup_commands    commands that run as root at the end
 *
 * Rules:
 *  1. A value is one line, and a name is of the characters that names have: neither an option, a
 *     path nor a URL. So none can become anything else in the text that scripts/build-template
 *     reads, nor on a command line.
 *  2. Everything has a maximum.
 */
#pragma once

#include "config/registry.h"
#include "config/template.h"

/* A variable's name that is neither LD_… (of the dynamic loader) nor MAYFLY_… (ours); a Python
   module's; an image's (OCI distribution specification, "Pulling manifests"). */
bool recipe_is_variable(const char *name);
bool recipe_is_module(const json_t *name);
bool recipe_is_image(const char *name);

/* A text of one line, at most RECIPE_LINE_MAX_BYTES. */
bool recipe_is_line(const json_t *text);

/* A list of packages, or of commands, as rule 1 has them; what: the name of the list as above. */
bool recipe_is_list(const char *what, const json_t *list);

/* Checks the whole. 0, or -1 with *err: 500 "bad_template", which names file, line and field. */
MUST_USE int recipe_check(const json_t *build, const struct registry_file *file, struct error *err);

/* How many packages and models it names. */
uint64_t recipe_package_count(const json_t *build);

/* Their names, and those of the models, as the image's label says which of them it lacks: an array,
   which is the caller's. */
json_t *recipe_names(const json_t *build);

/* Appends what scripts/build-template reads: lines of a word and a value. build has been checked.
   0, or -1 as buf_append. */
MUST_USE int recipe_write(const struct template *template, const json_t *build, struct buf *out);
