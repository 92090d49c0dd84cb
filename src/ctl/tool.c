#include "ctl/tool.h"

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "config/tool.h"
#include "ctl/shell_job.h"
#include "job/defaults.h"
#include "json/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

static int usage(void)
{
	(void)fputs(
		"usage: mayflyctl run [--language L] [-o DIR] [--timeout S] FILE [-- ARGUMENT...]\n"
		"       mayflyctl tool NAME [-o DIR] [--timeout S] [KEY=VALUE]...\n"
		"       mayflyctl tool check FILE...\n"
		"       mayflyctl tool list [--json]\n"
		"VALUE @FILE is what the file holds, @- standard input, @@x the text @x.\n",
		stderr);
	return EX_USAGE;
}

/* --- what both take --------------------------------------------------------------------------- */

/* Takes an option with its value at *at. 1 when it was one, 0 when not, -1 when it is wrong. */
static int take_option(struct shell_job *job, int argc, char **argv, int *at)
{
	bool is_folder = strcmp(argv[*at], "-o") == 0;

	if (!is_folder && strcmp(argv[*at], "--timeout") != 0)
		return 0;
	if (*at + 1 == argc)
		return -1;
	*at += 1;
	if (is_folder)
		job->folder = argv[*at];
	else if (num_parse(slice_of(argv[*at]), 10, TIMEOUT_MAX_S, &job->timeout_s) < 0 ||
		 job->timeout_s < TIMEOUT_MIN_S)
		return -1;
	return 1;
}

/* Standard input is the program's when it is meant to be: a file or a pipe, not a terminal
   nor /dev/null. */
static bool is_given_input(void)
{
	struct stat status;

	return fstat(STDIN_FILENO, &status) == 0 &&
	       (S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode));
}

/* Reads a whole file, "-" being standard input. 0 and *out, the caller's, or -1 when it was
   complained of. */
static int read_file(const char *command, const char *path, char **out, size_t *len)
{
	_cleanup_close_ int fd =
		strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && io_read_to_end(fd, HTTP_BODY_FILES_MAX_BYTES, out, len) == 0)
		return 0;
	(void)fprintf(stderr, "mayflyctl %s: %s: %s\n", command, path, strerror(errno));
	return -1;
}

/* --- mayflyctl run ---------------------------------------------------------------------------- */

struct run_arguments {
	const char *language, *file;
};

static int take_run_arguments(int argc, char **argv, struct run_arguments *out,
			      struct shell_job *job)
{
	int i = 1;

	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		int taken = take_option(job, argc, argv, &i);

		if (taken < 0)
			return -1;
		if (taken)
			continue;
		if (strcmp(argv[i], "--language") == 0 && i + 1 < argc)
			out->language = argv[++i];
		else if (!out->file && (argv[i][0] != '-' || argv[i][1] == '\0'))
			out->file = argv[i];
		else
			return -1;
	}
	if (i < argc) {
		job->arguments = argv + i + 1;
		job->argument_count = (unsigned)(argc - i - 1);
	}
	return out->file ? 0 : -1;
}

int ctl_run(const struct config *config, int argc, char **argv)
{
	struct shell_job job = {.command = "run", .tool = DEFAULT_TOOL};
	struct run_arguments arguments = {0};
	_cleanup_free_ char *code = NULL;
	size_t len;

	if (take_run_arguments(argc, argv, &arguments, &job) < 0)
		return usage();
	if (read_file("run", arguments.file, &code, &len) < 0)
		return EX_NOINPUT;

	_cleanup_json_ json_t *request = json_pack("{s:s%}", "code", code, len);
	const char *slash = strrchr(arguments.file, '/');
	bool is_input = strcmp(arguments.file, "-") == 0;

	if (!request ||
	    (arguments.language &&
	     json_object_set_new(request, "language", json_string(arguments.language)) < 0) ||
	    (!is_input &&
	     json_object_set_new(request, "filename",
				 json_string(slash ? slash + 1 : arguments.file)) < 0)) {
		(void)fprintf(stderr, "mayflyctl run: %s is not UTF-8\n", arguments.file);
		return EX_DATAERR;
	}
	job.request = request;
	job.has_input = !is_input && is_given_input();
	return shell_job_run(config, &job);
}

/* --- mayflyctl tool NAME ---------------------------------------------------------------------- */

/* A value of the type that the schema wants; what is none stays text, so that the refusal is the
   schema's. */
static json_t *value_of(const json_t *schema, struct slice text)
{
	const char *type = json_string_value(json_object_get(schema, "type"));
	struct error ignored;
	json_t *value;

	if (!type || strcmp(type, "string") == 0 || json_parse(text, &value, &ignored) < 0)
		return json_stringn(text.data, text.len);
	return value;
}

/* What a file holds, as the parameter takes it. */
static json_t *file_value(const json_t *schema, const char *path)
{
	_cleanup_free_ char *data = NULL;
	_cleanup_buf_ struct buf text = buf_new(2 * HTTP_BODY_FILES_MAX_BYTES);
	size_t len;

	if (read_file("tool", path, &data, &len) < 0)
		return NULL;
	if (!json_object_get(schema, "contentEncoding"))
		return value_of(schema, (struct slice){data, len});
	return base64_encode(&text, (struct slice){data, len}) < 0
		       ? NULL
		       : json_stringn(text.data, text.len);
}

/* Adds "KEY=VALUE". 0, or an exit status. */
static int take_value(const struct tool *tool, char *argument, json_t *request)
{
	char *value = strchr(argument, '=');
	const json_t *schema;
	json_t *taken;

	if (!value || value == argument)
		return usage();
	*value++ = '\0';
	schema = json_object_get(tool->parameters, argument);
	if (!schema) {
		(void)fprintf(stderr, "mayflyctl tool: %s has no parameter %s\n", tool->name,
			      argument);
		return EX_DATAERR;
	}
	if (value[0] == '@' && value[1] != '@')
		taken = file_value(schema, value + 1);
	else
		taken = value_of(schema, slice_of(value + (value[0] == '@')));
	if (!taken || json_object_set_new(request, argument, taken) < 0) {
		(void)fprintf(stderr, "mayflyctl tool: %s is not UTF-8\n", argument);
		return EX_DATAERR;
	}
	return 0;
}

static int run_tool(const struct config *config, int argc, char **argv)
{
	struct shell_job job = {.command = "tool", .tool = argv[1]};
	_cleanup_json_ json_t *request = json_object();
	_cleanup_tool_ struct tool tool = {0};
	struct error err;

	if (tool_load(config, argv[1], &tool, &err) < 0) {
		(void)fprintf(stderr, "mayflyctl tool: %s\n", err.message);
		return err.status == 404 ? EX_DATAERR : EX_CONFIG;
	}
	for (int i = 2; i < argc; i++) {
		int taken = take_option(&job, argc, argv, &i);

		if (taken < 0)
			return usage();

		int status = taken ? 0 : take_value(&tool, argv[i], request);

		if (status)
			return status;
	}
	job.request = request;
	return shell_job_run(config, &job);
}

/* --- check and list --------------------------------------------------------------------------- */

/* The tool's name: the file's, without its folder and suffix. */
static bool name_of(const char *path, char out[REGISTRY_NAME_MAX_BYTES + 1])
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	const char *suffix = strrchr(base, '.');
	struct slice name = {base, suffix ? (size_t)(suffix - base) : 0};

	if (!suffix || strcmp(suffix, ".json") != 0 || !registry_is_name(name))
		return false;
	(void)snprintf(out, REGISTRY_NAME_MAX_BYTES + 1, "%.*s", (int)name.len, base);
	return true;
}

/* Beyond the file itself: what it names must be there. */
static int check_names(const struct config *config, const struct tool *tool,
		       const struct registry_file *file, struct error *err)
{
	_cleanup_json_ json_t *shown = tool_describe(config, tool);
	struct template template;
	struct error why;

	if (template_load(config, slice_of(tool->template), &template, &why) < 0)
		return registry_bad_field(file, "template", err, "%s: %.200s", tool->template,
					  why.message);
	/* with the languages that there are */
	return schema_check_defaults(json_object_get(shown, "parameters"), &why) < 0
		       ? registry_bad_field(file, "parameters", err, "%.200s", why.message)
		       : 0;
}

static int check_file(const struct config *config, const char *path)
{
	_cleanup_registry_file_ struct registry_file file = {.kind = REGISTRY_TOOLS};
	_cleanup_tool_ struct tool tool = {0};
	char name[REGISTRY_NAME_MAX_BYTES + 1];
	struct error err;

	if (!name_of(path, name)) {
		(void)printf("%s: a tool's file is called NAME.json, of a-z, 0-9, _ and -\n", path);
		return EX_DATAERR;
	}
	if (read_file("tool check", path, &file.data, &file.len) < 0)
		return EX_NOINPUT;
	(void)snprintf(file.path, sizeof(file.path), "%s", path);
	if (tool_read(&file, name, &tool, &err) < 0 ||
	    check_names(config, &tool, &file, &err) < 0) {
		(void)printf("%s\n", err.message);
		return EX_DATAERR;
	}
	(void)printf("%s: good\n", path);
	return EX_OK;
}

static int print_tool(const struct config *config, const char *name, json_t *list)
{
	_cleanup_tool_ struct tool tool = {0};
	struct error err;
	bool is_good = tool_load(config, name, &tool, &err) == 0;

	if (list)
		return json_object_set_new(list, name,
					   is_good ? tool_describe(config, &tool)
						   : json_pack("{s:s}", "error", err.message));
	(void)printf("%-24s %s%s\n", name,
		     is_good ? "" : "broken: ", is_good ? tool.description : err.message);
	return 0;
}

static int list_tools(const struct config *config, bool as_json)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	_cleanup_json_ json_t *list = as_json ? json_object() : NULL;
	struct error err;

	if (registry_names(config, REGISTRY_TOOLS, &names, &err) < 0) {
		(void)fprintf(stderr, "mayflyctl tool list: %s\n", err.message);
		return EX_OSERR;
	}
	for (size_t i = 0; i < names.count; i++)
		if (print_tool(config, names.names[i], list) < 0)
			return EX_OSERR;
	if (as_json) {
		(void)json_dumpf(list, stdout, JSON_INDENT(2));
		(void)putchar('\n');
	}
	return EX_OK;
}

int ctl_tool(const struct config *config, int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "-";
	int status = EX_OK;

	if (strcmp(what, "list") == 0) {
		bool as_json = argc == 3 && strcmp(argv[2], "--json") == 0;

		return argc == 2 || as_json ? list_tools(config, as_json) : usage();
	}
	if (*what == '-' || (strcmp(what, "check") == 0 && argc < 3))
		return usage();
	if (strcmp(what, "check") != 0)
		return run_tool(config, argc, argv);
	for (int i = 2; i < argc; i++) {
		int found = check_file(config, argv[i]);

		if (status == EX_OK)
			status = found;
	}
	return status;
}
