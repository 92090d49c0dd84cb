/*
 * Templates: what a container is made of and what it may use at most. A template is a file
 * templates.d/NAME.json in a registry (config/registry.h); clients of the sandbox API choose among
 * those that are public.
 *
 * Rules:
 *  1. A template is plain data: its numbers reach no engine.
 *  2. An unknown field, a wrong type, a number out of bounds is an error which names file, line and
 *     field.
 *  3. A limit that a file leaves out is the operator's (an environment variable), else the default
 *     of bounds.h.
 *
 * Fields: name (if there, the file's own), public (true: clients of the sandbox API may name it),
 * description, languages, image (required, unless image_env), network, pty (booleans), workdir,
 * user, image_env, and those of struct template that are numbers, by the same names. image_env
 * names an environment variable of the operator's, RUNNER_IMAGE_…, which stands for the image where
 * it is set; a template that has neither is not there. environment ({"NAME": "value"}), preload (a
 * list of modules) and build, how its image is made (config/recipe.h).
 */
#pragma once

#include "base/error.h"
#include "base/sha256.h"
#include "base/slice.h"
#include "bounds.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

struct template
{
	char name[REGISTRY_NAME_MAX_BYTES + 1];
	char description[TEMPLATE_TEXT_BYTES];
	char image[TEMPLATE_TEXT_BYTES];
	char image_env[TEMPLATE_TEXT_BYTES];
	/* where the tmpfs of workspace_mb is: /workspace or /work */
	char workdir[TEMPLATE_TEXT_BYTES];
	/* of the sandbox API that the image has, with blanks between: "python node bash" */
	char languages[TEMPLATE_TEXT_BYTES];
	char user[TEMPLATE_USER_BYTES]; /* the name of the container's user id, inside */
	bool network;                   /* false: nothing but a loopback of its own */
	bool pty;                       /* false: no pseudo-terminals */
	uint64_t memory_mb;             /* MAYFLY_MEMORY_MB; swap is never more */
	uint64_t pids;                  /* MAYFLY_PIDS */
	uint64_t cpu_percent;           /* MAYFLY_CPU_PERCENT; 100 is one CPU */
	uint64_t workspace_mb;          /* MAYFLY_WORKSPACE_MB */
	uint64_t tmp_mb;                /* MAYFLY_TMP_MB */
	uint64_t shm_mb;                /* MAYFLY_SHM_MB */
	uint64_t nofile;                /* MAYFLY_NOFILE */
	uint64_t nproc;                 /* MAYFLY_NPROC */
	uint64_t fsize_mb;              /* MAYFLY_FSIZE_MB */
	uint64_t timeout_s;             /* of a job that names none */
	uint64_t timeout_max_s;
	/* of a job's program: texts NAME=value, each ended by a NUL, all by one more */
	char environment[TEMPLATE_ENVIRONMENT_BYTES];
	/* Python modules that a kernel imports while no job waits, with commas between */
	char preload[TEMPLATE_TEXT_BYTES];
	uint64_t package_count; /* that its image is built with */
	bool is_public;         /* clients of the sandbox API may name it */
	bool is_built;          /* its file says how its image is made */
	bool is_custom;         /* not the operator's: config/template_custom.h */
};

/* of a client of the sandbox API that names none; what custom ones are like in all else */
#define TEMPLATE_DEFAULT "default"
#define TEMPLATE_TOOL    "tool" /* of a tool that names none */

/* No name of an entry has a colon. What follows the prefix is a tool's name, whose template has the
   image that the tool's file names (config/template_find.h). */
#define TEMPLATE_OF_TOOL "tool:"
/* with the NUL */
#define TEMPLATE_NAME_BYTES (sizeof(TEMPLATE_OF_TOOL) + REGISTRY_NAME_MAX_BYTES)

/* Reads one that is installed by its name. 0, or -1 with *err: 404 "not_found", "no_image"; 500
   "bad_template" (rule 2), "bad_configuration" (a variable of rule 3), and what registry_open
   says. */
MUST_USE int template_load(const struct config *config, struct slice name, struct template *out,
			   struct error *err);

/* Reads a template from a file that is open. name is the file's own. 0, or -1 with *err as
   template_load. */
struct registry_file;
MUST_USE int template_parse(const struct registry_file *file, struct slice name,
			    struct template *out, struct error *err);

/* Adds all that a template says to a hash. */
void template_hash(const struct template *template, struct sha256 *hash);
