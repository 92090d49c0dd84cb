#include "ctl/commands.h"

#include "base/base64.h"
#include "base/cleanup.h"
#include "config/language.h"
#include "config/tool.h"
#include "ctl/shell_job.h"
#include "job/defaults.h"
#include "json/schema.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>

/* --- what both take --------------------------------------------------------------------------- */

static int take_options(const struct ctl_arguments *arguments, struct shell_job *job)
{
	job->folder = ctl_option(arguments, "-o");
	return ctl_number(arguments, job->command, "--timeout", TIMEOUT_MIN_S, TIMEOUT_MAX_S,
			  &job->timeout_s);
}

/* Standard input is the program's when it is meant to be: a file or a pipe, not a terminal
   nor /dev/null. */
static bool is_given_input(void)
{
	struct stat status;

	return fstat(STDIN_FILENO, &status) == 0 &&
	       (S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode));
}

/* --- mayflyctl run ---------------------------------------------------------------------------- */

/* Are programs of a profile called like that? Modules of JavaScript (.mjs, .cts) as others. */
static bool has_ending(const struct language_profile *profile, const char *ending)
{
	const char *own = profile->file ? strrchr(profile->file, '.') : NULL;

	return own && (strcmp(own + 1, ending) == 0 ||
		       (strchr("mc", *ending) && strlen(ending) == 3 && ending[2] == 's' &&
			strcmp(own + 1, ending + 1) == 0));
}

/* The language that a file's name shows: it is called as programs of that language are. NULL where
   there is none that tools have. */
static const char *language_of(const struct config *config, const char *file,
			       char out[REGISTRY_NAME_MAX_BYTES + 1])
{
	_cleanup_registry_names_ struct registry_names names = {0};
	const char *dot = strrchr(file, '.'), *found = NULL;
	struct error err;

	if (!dot || registry_names(config, REGISTRY_LANGUAGES, &names, &err) < 0)
		return NULL;
	for (size_t i = 0; i < names.count && !found; i++) {
		_cleanup_language_ struct language language = {0};

		if (language_load(config, slice_of(names.names[i]), &language, &err) == 0 &&
		    language.tools.argv &&
		    (has_ending(&language.tools, dot + 1) || has_ending(&language.runs, dot + 1) ||
		     has_ending(&language.sandbox, dot + 1)))
			found = memcpy(out, names.names[i], REGISTRY_NAME_MAX_BYTES + 1);
	}
	return found;
}

int ctl_run(const struct config *config, struct ctl_arguments *arguments)
{
	struct shell_job job = {.command = "run",
				.tool = DEFAULT_TOOL,
				.arguments = arguments->rest,
				.argument_count = (unsigned)arguments->rest_count};
	const char *file = arguments->words[0], *slash = strrchr(file, '/'),
		   *name = slash ? slash + 1 : file,
		   *language = ctl_option(arguments, "--language");
	char found[REGISTRY_NAME_MAX_BYTES + 1];
	bool is_input = strcmp(file, "-") == 0;
	_cleanup_free_ char *code = NULL;
	size_t len;

	if (take_options(arguments, &job) < 0)
		return CTL_USAGE;
	if (ctl_read_file("run", file, HTTP_BODY_FILES_MAX_BYTES, &code, &len) < 0)
		return EX_NOINPUT;

	_cleanup_json_ json_t *request =
		json_pack("{s:s%, s:s*, s:s*}", "code", code, len, "language",
			  language ? language : language_of(config, name, found), "filename",
			  is_input ? NULL : name);

	if (!request)
		return ctl_fail("run", EX_DATAERR, "%s is not UTF-8", file);
	job.request = request;
	job.has_input = !is_input && is_given_input();
	return shell_job_run(config, &job);
}

/* --- mayflyctl tool NAME ---------------------------------------------------------------------- */

/* A value of the type that the schema wants; what is none stays text, so that the refusal is the
   schema's. */
static json_t *value_of(const json_t *schema, struct slice text)
{
	const char *type = json_text(schema, "type");
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

	if (ctl_read_file("tool", path, HTTP_BODY_FILES_MAX_BYTES, &data, &len) < 0)
		return NULL;
	if (!json_object_get(schema, "contentEncoding"))
		return value_of(schema, (struct slice){data, len});
	return base64_encode(&text, (struct slice){data, len}) < 0
		       ? NULL
		       : json_stringn(text.data, text.len);
}

/* Adds "KEY=VALUE". EX_OK, or an exit status. */
static int take_value(const struct tool *tool, char *argument, json_t *request)
{
	char *value = strchr(argument, '=');
	const json_t *schema;
	json_t *taken;

	if (!value || value == argument)
		return CTL_USAGE;
	*value++ = '\0';
	schema = json_object_get(tool->parameters, argument);
	if (!schema)
		return ctl_fail("tool", EX_DATAERR, "%s has no parameter %s", tool->name, argument);
	if (value[0] == '@' && value[1] != '@')
		taken = file_value(schema, value + 1);
	else
		taken = value_of(schema, slice_of(value + (value[0] == '@')));
	if (!taken || json_object_set_new(request, argument, taken) < 0)
		return ctl_fail("tool", EX_DATAERR, "%s is not UTF-8", argument);
	return EX_OK;
}

int ctl_tool(const struct config *config, struct ctl_arguments *arguments)
{
	struct shell_job job = {.command = "tool", .tool = arguments->words[0]};
	_cleanup_json_ json_t *request = json_object();
	_cleanup_tool_ struct tool tool = {0};
	struct error err;
	int status = EX_OK;

	if (tool_load(config, job.tool, &tool, &err) < 0)
		return ctl_fail("tool", err.status == 404 ? EX_DATAERR : EX_CONFIG, "%s",
				err.message);
	if (take_options(arguments, &job) < 0)
		return CTL_USAGE;
	for (int i = 1; status == EX_OK && i < arguments->count; i++)
		status = take_value(&tool, arguments->words[i], request);
	job.request = request;
	return status == EX_OK ? shell_job_run(config, &job) : status;
}

/* --- check and list --------------------------------------------------------------------------- */

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
	_cleanup_registry_file_ struct registry_file file = {0};
	_cleanup_tool_ struct tool tool = {0};
	char name[REGISTRY_NAME_MAX_BYTES + 1];
	struct error err;

	if (!ctl_entry_name(path, name)) {
		(void)printf("%s: a tool's file is called NAME.json, of a-z, 0-9, _ and -\n", path);
		return EX_DATAERR;
	}
	if (registry_read_path(path, REGISTRY_TOOLS, &file, &err) < 0)
		return ctl_fail("tool check", EX_NOINPUT, "%s", err.message);
	if (tool_read(&file, name, &tool, &err) < 0 ||
	    check_names(config, &tool, &file, &err) < 0) {
		(void)printf("%s\n", err.message);
		return EX_DATAERR;
	}
	(void)printf("%s: good\n", path);
	return EX_OK;
}

int ctl_tool_list(const struct config *config, struct ctl_arguments *arguments)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	json_t *list = json_object();
	struct error err;

	if (registry_names(config, REGISTRY_TOOLS, &names, &err) < 0)
		return ctl_error("tool list", &err);
	for (size_t i = 0; i < names.count; i++) {
		_cleanup_tool_ struct tool tool = {0};
		bool is_good = tool_load(config, names.names[i], &tool, &err) == 0;

		if (ctl_option(arguments, "--json"))
			(void)json_object_set_new(
				list, names.names[i],
				is_good ? tool_describe(config, &tool)
					: json_pack("{s:s}", "error", err.message));
		else
			(void)printf("%-24s %s%s\n", names.names[i], is_good ? "" : "broken: ",
				     is_good ? tool.description : err.message);
	}
	return ctl_option(arguments, "--json") ? ctl_print_json(list, JSON_INDENT(2)) : EX_OK;
}

int ctl_tool_check(const struct config *config, struct ctl_arguments *arguments)
{
	int status = EX_OK;

	for (int i = 0; i < arguments->count; i++) {
		int found = check_file(config, arguments->words[i]);

		if (status == EX_OK)
			status = found;
	}
	return status;
}
