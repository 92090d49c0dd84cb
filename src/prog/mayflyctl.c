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
#include "ctl/commands.h"
#include "ctl/doctor/doctor.h"
#include "ctl/settings.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

static const struct command {
	const char *name, *verb; /* NULL: it has none */
	const char *arguments;   /* for people, and find_option */
	const char *summary;
	int (*run)(const struct config *config, struct ctl_arguments *arguments);
	int least, most; /* words that are no options */
} commands[] = {
	{"doctor", NULL, "[--json]", "check this installation, and say what to do", ctl_doctor, 0,
	 0},
	{"doctor", NULL, "--attack [--json] [--only NAME]...",
	 "run hostile programs and requests against the service, and report what held", ctl_doctor,
	 0, 0},
	{"setup", NULL, "",
	 "make the worker image, start the service, run a first job in each language", ctl_setup, 0,
	 0},
	{"keys", "add",
	 "LABEL [--rate N] [--burst N] [--jobs N] [--sessions N] [--cpu SECONDS] "
	 "[--scopes run,read,admin] [--days N]",
	 "make a key for a caller; its token is shown once", ctl_keys_add, 1, 1},
	{"keys", "list", "[--json]", "list the keys, and what they use", ctl_keys_list, 0, 0},
	{"keys", "revoke", "ID|LABEL", "revoke a key", ctl_keys_revoke, 1, 1},
	{"logs", NULL, "JOB [--json] [--follow]",
	 "show the journal's entries about a job, run or session", ctl_logs, 1, 1},
	{"run", NULL, "[--language L] [-o DIR] [--timeout S] FILE [-- ARGUMENT...]",
	 "run a program as POST /run would; its files go to DIR", ctl_run, 1, 1},
	{"tool", NULL, "NAME [-o DIR] [--timeout S] [KEY=VALUE|KEY=@FILE]...",
	 "run a tool; @FILE is what the file holds, @- standard input, @@x the text @x", ctl_tool,
	 1, INT_MAX},
	{"tool", "check", "FILE...", "report mistakes with file, line and field", ctl_tool_check, 1,
	 INT_MAX},
	{"tool", "list", "[--json]", "list the tools", ctl_tool_list, 0, 0},
	{"pool", NULL, "[--json]",
	 "list the containers that wait for a job, and how often they helped", ctl_pool_list, 0, 0},
	{"pool", "drop", "KIND...|all", "remove waiting containers", ctl_pool_drop, 1, INT_MAX},
	{"template", "list", "[--json]", "list the templates of sandboxes", ctl_template_list, 0,
	 0},
	{"template", "show", "NAME", "show a template with all its defaults", ctl_template_show, 1,
	 1},
	{"template", "check", "[NAME|FILE]...", "report mistakes with file, line and field",
	 ctl_template_check, 0, INT_MAX},
	{"template", "build", "[--force] [--trust] [--model FILE] NAME...|--all",
	 "make the images of templates; --trust: also one that a client has added",
	 ctl_template_build, 0, INT_MAX},
	{"template", "add", "FILE|-", "add a custom template", ctl_template_add, 1, 1},
	{"template", "remove", "NAME", "remove a custom template", ctl_template_remove, 1, 1},
	{"warm", NULL, "[--count N] [LANGUAGE[:FILENAME]]...",
	 "make containers ahead; without arguments, those of MAYFLY_WARM", ctl_warm, 0, INT_MAX},
};

/* Those of that name, or all. before: the first line's beginning. False for none. */
static bool print_commands(FILE *to, const char *name, const char *before)
{
	bool is_any = false;

	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		const struct command *row = &commands[i];

		if (name && strcmp(row->name, name) != 0)
			continue;
		(void)fprintf(to, "%s mayflyctl %s%s%s%s%s\n%*s%s\n", before, row->name,
			      row->verb ? " " : "", row->verb ? row->verb : "",
			      *row->arguments ? " " : "", row->arguments, (int)strlen(before) + 5,
			      "", row->summary);
		before = name ? "      " : before;
		is_any = true;
	}
	return is_any;
}

static void print_help(FILE *to)
{
	(void)fputs("usage: mayflyctl COMMAND [ARGUMENT]...\n\n", to);
	(void)print_commands(to, NULL, " ");
	(void)fputs("  mayflyctl help\n  mayflyctl version\n", to);
}

/* The one with that verb, else the one that has none. */
static const struct command *find_command(const char *name, const char *verb)
{
	const struct command *found = NULL;

	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		if (strcmp(name, commands[i].name) != 0)
			continue;
		if (!commands[i].verb)
			found = &commands[i];
		else if (strcmp(verb, commands[i].verb) == 0)
			return &commands[i];
	}
	return found;
}

/* How the usage of a command shows a word: not, as an option, or as one with a value behind it. */
enum option { OPTION_NONE, OPTION_FLAG, OPTION_VALUE };

static enum option find_option(const struct command *command, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i < COUNT_OF(commands); i++)
		for (const char *text = commands[i].arguments, *at = text;
		     commands[i].run == command->run && !strpbrk(word, " []|") &&
		     (at = strstr(at, word));
		     at += len)
			if ((at == text || strchr(" [|", at[-1])) && strchr(" ]|", at[len]))
				return at[len] == ' ' && isalpha((unsigned char)at[len + 1])
					       ? OPTION_VALUE
					       : OPTION_FLAG;
	return OPTION_NONE;
}

/* argv: without the command and its verb. False when they are not as the usage says. */
static bool read_arguments(const struct command *command, int argc, char **argv,
			   struct ctl_arguments *out)
{
	*out = (struct ctl_arguments){.words = argv};
	for (int i = 0; i < argc; i++) {
		enum option option;

		if (argv[i][0] != '-' || !argv[i][1]) {
			out->words[out->count++] = argv[i];
			continue;
		}
		option = find_option(command, argv[i]);
		if (option == OPTION_NONE || out->option_count == CTL_OPTIONS_MAX)
			return false;
		if (strcmp(argv[i], "--") == 0) {
			out->rest = argv + i + 1;
			out->rest_count = argc - i - 1;
			break;
		}
		if (option == OPTION_VALUE && i + 1 == argc)
			return false;
		out->options[out->option_count].name = argv[i];
		out->options[out->option_count++].value = option == OPTION_VALUE ? argv[++i] : "";
	}
	return out->count >= command->least && out->count <= command->most;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	struct ctl_arguments arguments;
	struct config config;
	struct error err;

	if (!read_arguments(command, argc, argv, &arguments))
		return CTL_USAGE;
	/* doctor reads the settings itself, since they may be what is wrong */
	if (command->run != ctl_doctor &&
	    (ctl_settings(&err) < 0 || config_read(&config, &err) < 0)) {
		(void)fprintf(stderr, "mayflyctl: %s\n", err.message);
		return EX_CONFIG;
	}
	return command->run(&config, &arguments);
}

static void say_out_of_memory(void)
{
	static const char text[] = "mayflyctl: out of memory\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const struct command *command = find_command(name, argc > 2 ? argv[2] : "");
	int first = command && command->verb ? 3 : 2, status = CTL_USAGE;

	memory_end_when_out(say_out_of_memory);
	if (command)
		status = run_command(command, argc - first, argv + first);
	if (status != CTL_USAGE)
		return status;
	if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0) {
		print_help(stdout);
		return EX_OK;
	}
	if (strcmp(name, "version") == 0 || strcmp(name, "--version") == 0) {
		(void)puts("mayflyctl " MAYFLY_VERSION);
		return EX_OK;
	}
	if (print_commands(stderr, name, "usage:"))
		return command && command->run == ctl_doctor ? DOCTOR_EXIT_USAGE : EX_USAGE;
	if (*name)
		(void)fprintf(stderr, "mayflyctl: there is no command \"%s\"\n\n", name);
	print_help(stderr);
	return EX_USAGE;
}
