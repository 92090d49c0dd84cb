/* What the commands of mayflyctl have in common: arguments, complaints, answers in JSON. */
#pragma once

#include "config/registry.h"

/* A command returns the exit status, or this: the arguments are wrong, and its usage is to be
   shown. */
#define CTL_USAGE (-1)

#define CTL_OPTIONS_MAX (ATTACK_MAX_COUNT + 8)

/* A command's arguments, sorted. What is an option, and whether a value follows it, is what the
   command's usage says (prog/mayflyctl.c). */
struct ctl_arguments {
	struct {
		const char *name, *value; /* "" for one that takes none */
	} options[CTL_OPTIONS_MAX];
	int option_count;
	char **words; /* those that are no options */
	int count;
	char **rest; /* behind "--" */
	int rest_count;
};

/* The value of an option ("--rate", with its dashes), the last where it was given twice; NULL where
   it was not given. */
const char *ctl_option(const struct ctl_arguments *arguments, const char *name);

/* The same as a number. 0 with *out, which stays as it was where the option was not given; or -1
   when it was complained of. */
MUST_USE int ctl_number(const struct ctl_arguments *arguments, const char *command,
			const char *name, uint64_t least, uint64_t most, uint64_t *out);

/* "mayflyctl COMMAND: …" on standard error. Returns status. */
int ctl_fail(const char *command, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with the message; the status is that of the error: EX_DATAERR for what an argument or a
   file says wrongly, EX_CONFIG, EX_OSERR. */
int ctl_error(const char *command, const struct error *err);

/* The name of an entry of a registry whose file that is, or could be: "NAME.json". False for no
   such file. */
bool ctl_entry_name(const char *path, char out[REGISTRY_NAME_MAX_BYTES + 1]);

/* On a line of standard output; flags are json_dumpf's, beside JSON_COMPACT or JSON_INDENT. Takes
   value. Returns EX_OK. */
int ctl_print_json(json_t *value, size_t flags);

/* The text at name in a JSON object that we made; "" where there is none. */
const char *ctl_text(const json_t *object, const char *name);

/* Reads a whole file, "-" being standard input. 0 and *out, the caller's, or -1 when it was
   complained of. */
MUST_USE int ctl_read_file(const char *command, const char *path, size_t most_bytes, char **out,
			   size_t *len);
