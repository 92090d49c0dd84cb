/*
 * mayflyctl: the operator's hand.
 *
 *   mayflyctl COMMAND [ARGUMENT]...        mayflyctl help says which there are
 *
 * Rules:
 *  1. A command is a row of the table and a file of src/ctl.
 *  2. It works with the configuration that the service has: ctl/settings.h.
 *  3. Results go to standard output, everything else to standard error.
 *  4. Exit status, as in sysexits.h: 0 done; EX_USAGE (64); EX_DATAERR (65) an argument names
 *     nothing there is; EX_UNAVAILABLE (69) no container engine answers; EX_OSERR (71); EX_CONFIG
 *     (78). run and tool pass on the job's exit status, logs journalctl's; doctor has
 *     its own (ctl/doctor/doctor.h).
 */
#include "base/memory.h"
#include "config/config.h"
#include "ctl/command.h"
#include "ctl/doctor/doctor.h"
#include "ctl/keys.h"
#include "ctl/logs.h"
#include "ctl/pool.h"
#include "ctl/settings.h"
#include "ctl/setup.h"
#include "ctl/template.h"
#include "ctl/tool.h"
#include "ctl/warm.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const struct command {
	const char *name, *arguments, *summary;
	bool as_service; /* it writes what the service's own user must be able to write, too */
	int (*run)(const struct config *config, int argc, char **argv); /* argv[0] is name */
} commands[] = {
	{"doctor", "[--json]", "check this installation, and say what to do", false, ctl_doctor},
	{"doctor", "--attack [--json] [--only NAME]...",
	 "run hostile programs and requests against the service, and report what held", false,
	 ctl_doctor},
	{"setup", "", "make the worker image, start the service, run a first job in each language",
	 false, ctl_setup},
	{"keys", "add LABEL [--rate N] [--burst N] [--scopes run,read,admin] [--days N]",
	 "make a key for a caller; its token is shown once", false, ctl_keys},
	{"keys", "list [--json]", "list the keys", false, ctl_keys},
	{"keys", "revoke ID|LABEL", "revoke a key", false, ctl_keys},
	{"logs", "JOB [--json] [--follow]",
	 "show the journal's entries about a job, run or session", false, ctl_logs},
	{"run", "[--language L] [-o DIR] [--timeout S] FILE [-- ARGUMENT...]",
	 "run a program as POST /run would; its files go to DIR", false, ctl_run},
	{"tool", "NAME [-o DIR] [--timeout S] [KEY=VALUE|KEY=@FILE]...", "run a tool", false,
	 ctl_tool},
	{"tool", "check FILE...", "report mistakes with file, line and field", false, ctl_tool},
	{"tool", "list [--json]", "list the tools", false, ctl_tool},
	{"pool", "[--json]", "list the containers that wait for a job, and how often they helped",
	 false, ctl_pool},
	{"pool", "drop KIND...|all", "remove waiting containers", false, ctl_pool},
	{"template", "list [--json]", "list the templates of sandboxes", false, ctl_template},
	{"template", "show NAME", "show a template with all its defaults", false, ctl_template},
	{"template", "check [NAME|FILE]...", "report mistakes with file, line and field", false,
	 ctl_template},
	{"template", "build [--force] [--trust] NAME...|--all",
	 "make the images of templates; --trust: also one that a client has added", false,
	 ctl_template},
	{"template", "add FILE|-", "add a custom template", false, ctl_template},
	{"template", "remove NAME", "remove a custom template", false, ctl_template},
	{"warm", "[--count N] [LANGUAGE[:FILENAME]]...",
	 "make containers ahead; without arguments, those of MAYFLY_WARM", true, ctl_warm},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *to)
{
	(void)fputs("usage: mayflyctl COMMAND [ARGUMENT]...\n\n", to);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		(void)fprintf(to, "  mayflyctl %s%s%s\n      %s\n", commands[i].name,
			      *commands[i].arguments ? " " : "", commands[i].arguments,
			      commands[i].summary);
	(void)fputs("  mayflyctl help\n  mayflyctl version\n", to);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	return NULL;
}

/* EX_USAGE, or doctor's own status for that. */
static int print_usage(const struct command *command)
{
	const char *before = "usage:";

	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(commands[i].name, command->name) != 0)
			continue;
		(void)fprintf(stderr, "%s mayflyctl %s%s%s\n", before, commands[i].name,
			      *commands[i].arguments ? " " : "", commands[i].arguments);
		before = "      ";
	}
	return command->run == ctl_doctor ? DOCTOR_EXIT_USAGE : EX_USAGE;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	struct config config;
	struct error err;

	/* the settings may be what is wrong */
	if (command->run == ctl_doctor)
		return ctl_doctor(NULL, argc, argv);
	if (ctl_settings(&err) < 0 || config_read(&config, &err) < 0 ||
	    (command->as_service && ctl_become_service(&config, &err) < 0)) {
		(void)fprintf(stderr, "mayflyctl: %s\n", err.message);
		return EX_CONFIG;
	}
	return command->run(&config, argc, argv);
}

static void say_out_of_memory(void)
{
	static const char text[] = "mayflyctl: out of memory\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const struct command *command = find_command(name);

	memory_end_when_out(say_out_of_memory);
	if (command) {
		int status = run_command(command, argc - 1, argv + 1);

		return status == CTL_USAGE ? print_usage(command) : status;
	}
	if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0) {
		print_help(stdout);
		return EX_OK;
	}
	if (strcmp(name, "version") == 0 || strcmp(name, "--version") == 0) {
		(void)puts("mayflyctl " MAYFLY_VERSION);
		return EX_OK;
	}
	if (*name)
		(void)fprintf(stderr, "mayflyctl: there is no command \"%s\"\n\n", name);
	print_help(stderr);
	return EX_USAGE;
}
