/* What the parts of mayflyctl doctor --attack share. Private to attack*.c. */
#pragma once

#include "config/registry.h"
#include "config/template.h"
#include "ctl/doctor/internal.h"

#define ATTACK_SESSION "doctor-attack" /* what the attacks leave in the results is stored as */

struct attack {
	const struct config *config;
	const struct template *template; /* what the container should be */
	const char *name;
	struct registry_file file; /* owned by who runs it */
	const json_t *definition;  /* the file's object */
	const char *what;          /* the row of its jobs that runs, or NULL */
	json_t *acts;              /* owned by who runs it */
	unsigned broken;
};

/* One act of the attack and what came of it. Returns -1. */
int attack_say(struct attack *attack, bool is_held, const char *what, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* 0 for a definition that can be run; else -1 with *err: what is wrong with it, as
 * registry_bad_field. */
MUST_USE int attack_check(struct attack *attack, struct error *err);

/* Runs one that can be: its jobs and its requests, and harmless jobs after them. */
void attack_run(struct attack *attack);

/* Prints {"mayfly", …, "attacks": […]} (ctl/doctor/doctor.h) for a reviewer. */
void attack_print(const json_t *report);
