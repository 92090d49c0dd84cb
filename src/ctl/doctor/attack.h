/* What the parts of mayflyctl doctor --attack share. Private to attack*.c. */
#ifndef MAYFLY_CTL_DOCTOR_ATTACK_PARTS_H
#define MAYFLY_CTL_DOCTOR_ATTACK_PARTS_H

#include "config/registry.h"
#include "config/template.h"
#include "ctl/doctor/internal.h"

#define REGISTRY_ATTACKS "attack.d"
#define ATTACK_SESSION   "doctor-attack" /* what the attacks leave in the results is stored as */

struct attack {
	const struct config *config;
	const struct template *template; /* what the container should be */
	const char *name;
	struct registry_file file; /* owned by who runs it */
	const json_t *definition;  /* the file's object */
	json_t *acts;              /* owned by who runs it */
	unsigned held, broken;
};

/* One act of the attack and what came of it. */
void attack_say(struct attack *attack, bool is_held, const char *what, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* True for a definition that can be run; else an act says what is wrong with it. */
bool attack_is_good(struct attack *attack);

/* Runs one whose definition has a program, or requests. */
void attack_run_program(struct attack *attack);
void attack_run_requests(struct attack *attack);

/* A job that prints hello: after an attack the service goes on. */
void attack_run_hello(struct attack *attack);

/* Prints {"mayfly", …, "attacks": […]} (ctl/doctor/doctor.h) for a reviewer. */
void attack_print(const json_t *report);

#endif
