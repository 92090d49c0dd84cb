/*
 * Languages: drop-in files languages.d/NAME.json (config/registry.h), one for all APIs.
 *
 *   description*  text
 *   aliases       other names that clients may use
 *   env           environment (texts NAME=value) of its programs; a job's own variable of that name
 *                 counts
 *   boot_env      environment (texts NAME=value) that makes the interpreter wait before its script,
 *                 so that it can be booted ahead; see worker/kernels
 *   check         argv of the language's parser, which behind it takes a file and says by its exit
 *                 code whether that is a program
 *   check_waits   true: the parser can be booted ahead as the interpreter can
 *   kernel        argv of the kernel, which runs cells and keeps its state between them
 *                 (protocol/control.h)
 * and a profile for each API that has the language, whose argv is the whole command:
 *   tools         of tools (config/tool.h), whose own arguments come behind it
 *     argv*
 *     by_path     true: a file is named to it as ./NAME, because it takes some bare names for
 *                 commands of its own
 *     file        what a program is called whose request does not say, in place of the tool's
 *                 default
 *   runs          of POST /v1/runs, where its template has an image
 *     template*, file*, argv*     file: where the program is written, beneath the working directory
 *     compile     what is built before it runs: {template*, argv*, env, output*}. argv runs in
 *                 /work beside the source with env (texts NAME=value, in place of ours) and leaves
 *                 /work/outputs/<output>, which is staged beside the program
 *   sandbox       of the sandbox API, in templates that list the language
 *     file*, argv*
 *     cells       true: its state may stay from one cell to the next, by the kernel
 *     single_as_cell   true: a single program runs as a cell, too, so that it has rich results
 */
#pragma once

#include "bounds.h"
#include "config/config.h"
#include "json/json.h"

#include <stdbool.h>

/* A language's profile for one API. argv NULL: that API does not have it. Lists are arrays of
   texts. */
struct language_profile {
	const json_t *argv, *compile_argv, *compile_env; /* each NULL where there is none */
	const char *file, *template, *compile_template, *compile_output;
	bool by_path, has_cells, is_single_cell;
};

struct language {
	json_t *definition; /* owned: the whole file, which all else points into */
	char name[REGISTRY_NAME_MAX_BYTES + 1];
	const char *env[LANGUAGE_BOOT_ENV_MAX_COUNT + 1],
		*boot_env[LANGUAGE_BOOT_ENV_MAX_COUNT + 1]; /* ended by NULL */
	const json_t *aliases, *check, *kernel;             /* NULL where there is none */
	bool check_waits;
	struct language_profile tools, runs, sandbox;
};

#define _cleanup_language_ __attribute__((cleanup(language_free)))

/* Reads the file of a language by its name, or by one of its aliases, in any case; the caller frees
   *out. 0, or -1 with *err: 404 "unknown_language"; 500
   "bad_language", naming file, line and field, and what registry_open says. */
MUST_USE int language_load(const struct config *config, struct slice name, struct language *out,
			   struct error *err);
void language_free(struct language *language);

/* Takes the next name off a template's list, which has blanks between. False at its end. */
bool language_next(const char **list, struct slice *name);

/* Reads the language of a template's list that has a profile for sandboxes and is called that, or
   by one of its aliases, in any case. As language_load; 404 where there is none. */
MUST_USE int language_find(const struct config *config, const char *list, struct slice called,
			   struct language *out, struct error *err);
