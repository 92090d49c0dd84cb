/*
 * What build does: a template's file is checked here and carried out by scripts/build-template, to
 * which the recipe goes as standard input, one checked line after another: nothing of it is ever an
 * argument.
 */
#include "ctl/commands.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "config/recipe.h"
#include "config/template_custom.h"
#include "config/template_find.h"
#include "ctl/script.h"
#include "ctl/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>

#define SCRIPT     "build-template"
#define ROW_FORMAT "%-20s  %8s  %6s  %8s  %-7s  %-9s  %s\n"

/* The file of a template of either kind, and the template. The caller frees *file. 0, or -1
   with *err. */
static int find(const struct config *config, const char *name, struct registry_file *file,
		struct template *out, struct error *err)
{
	struct registry_file found = {0};

	if (registry_open(config, REGISTRY_TEMPLATES, slice_of(name), &found, err) < 0 &&
	    (err->status != 404 || custom_open(config, slice_of(name), &found, err) < 0)) {
		if (err->status == 404)
			(void)error_set(err, 404, "not_found", "There is no template %.64s", name);
		return -1;
	}
	if (template_find(config, slice_of(name), out, err) == 0) {
		*file = found;
		return 0;
	}
	registry_file_free(&found);
	return -1;
}

/* --- list, show ------------------------------------------------------------------------------- */

static json_t *describe(const struct config *config, const struct template *template)
{
	json_t *environment = json_array();

	for (const char *at = template->environment; *at; at += strlen(at) + 1)
		(void)json_array_append_new(environment, json_string(at));
	return json_pack(
		"{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:o, s:s, s:I, s:s}",
		"name", template->name, "description", template->description, "image",
		template->image, "memory_mb", (json_int_t) template->memory_mb, "cpu_percent",
		(json_int_t) template->cpu_percent, "pids", (json_int_t) template->pids,
		"workspace_mb", (json_int_t) template->workspace_mb, "tmp_mb",
		(json_int_t) template->tmp_mb, "timeout_s", (json_int_t) template->timeout_s,
		"timeout_max_s", (json_int_t) template->timeout_max_s, "network", template->network,
		"network_allowed", template->network && config->network, "environment", environment,
		"preload", template->preload, "package_count", (json_int_t) template->package_count,
		"from", template->is_custom ? "custom" : "operator");
}

static void print_row(const struct config *config, const struct template *template)
{
	char memory[24], cpus[24], timeout[24];

	(void)snprintf(memory, sizeof(memory), "%" PRIu64 " MB", template->memory_mb);
	(void)snprintf(cpus, sizeof(cpus), "%g", (double)template->cpu_percent / 100);
	(void)snprintf(timeout, sizeof(timeout), "%" PRIu64 " s", template->timeout_s);
	(void)printf(ROW_FORMAT, template->name, memory, cpus, timeout,
		     !template->network ? "none"
		     : config->network  ? "yes"
					: "refused",
		     template->is_custom ? "custom" : "operator", template->image);
}

int ctl_template_list(const struct config *config, struct ctl_arguments *arguments)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	bool as_json = ctl_option(arguments, "--json");
	json_t *rows = json_array();
	struct template template;
	struct error err;
	int status = EX_OK;

	if (template_names(config, &names, &err) < 0)
		return ctl_error("template", &err);
	if (!as_json)
		(void)printf(ROW_FORMAT, "NAME", "MEMORY", "CPUS", "TIME-OUT", "NETWORK", "FROM",
			     "IMAGE");
	for (size_t i = 0; i < names.count; i++) {
		if (template_find_public(config, slice_of(names.names[i]), &template, &err) < 0)
			status = err.status == 404 ? status : ctl_error("template", &err);
		else if (as_json)
			(void)json_array_append_new(rows, describe(config, &template));
		else
			print_row(config, &template);
	}
	if (as_json)
		(void)ctl_print_json(rows, JSON_COMPACT);
	return status;
}

int ctl_template_show(const struct config *config, struct ctl_arguments *arguments)
{
	_cleanup_registry_file_ struct registry_file file = {0};
	_cleanup_json_ json_t *root = NULL;
	json_t *shown;
	struct template template = {0};
	struct error err;

	if (find(config, arguments->words[0], &file, &template, &err) < 0 ||
	    registry_parse(&file, &root, &err) < 0)
		return ctl_error("template", &err);
	shown = describe(config, &template);
	if (json_object_get(root, "build"))
		(void)json_object_set(shown, "build", json_object_get(root, "build"));
	(void)json_object_set_new(shown, "file", json_clean_string(slice_of(file.path)));
	return ctl_print_json(shown, JSON_COMPACT);
}

/* --- check ------------------------------------------------------------------------------------ */

/* A file is told from a name by what no name has. Its own name is what template_parse holds it
   to. */
static int check_file(const char *path, struct error *err)
{
	_cleanup_registry_file_ struct registry_file file = {0};
	char name[REGISTRY_NAME_MAX_BYTES + 1];
	struct template template;

	if (!ctl_entry_name(path, name))
		return error_set(
			err, 400, "bad_template",
			"%.256s: a template's file is NAME.json, NAME of a-z, 0-9, _ and -", path);
	if (registry_read_path(path, REGISTRY_TEMPLATES, &file, err) < 0)
		return -1;
	return template_parse(&file, slice_of(name), &template, err);
}

static int check_one(const struct config *config, const char *what)
{
	struct template template;
	struct error err;
	int checked = strpbrk(what, "/.") ? check_file(what, &err)
					  : template_find(config, slice_of(what), &template, &err);

	if (checked < 0) {
		if (err.status == 404)
			(void)error_set(&err, 404, "not_found", "There is no template %.128s",
					what);
		return ctl_error("template", &err);
	}
	(void)printf("%s: good\n", what);
	return EX_OK;
}

/* Mistakes in any; those of the sandbox API are told when they are good, too. */
static int check_all(const struct config *config)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	struct template template;
	struct error err;
	int status = EX_OK;

	if (template_names(config, &names, &err) < 0)
		return ctl_error("template", &err);
	for (size_t i = 0; i < names.count; i++)
		if (template_find_public(config, slice_of(names.names[i]), &template, &err) == 0)
			(void)printf("%s: good\n", names.names[i]);
		else if (err.status != 404)
			status = ctl_error("template", &err);
	return status;
}

int ctl_template_check(const struct config *config, struct ctl_arguments *arguments)
{
	int status = arguments->count ? EX_OK : check_all(config);

	for (int i = 0; i < arguments->count; i++) {
		int one = check_one(config, arguments->words[i]);

		status = one == EX_OK ? status : one;
	}
	return status;
}

/* --- build ------------------------------------------------------------------------------------ */

struct build {
	const struct config *config;
	bool force, trust, all;
	const char *model; /* a file of one, or NULL */
	char script[PATH_MAX];
};

/* Runs the script with the recipe as its standard input. Its exit status, or -1 with errno. */
static int run_script(const struct build *build, const struct buf *recipe)
{
	_cleanup_close_ int input = memfd_create("recipe", MFD_CLOEXEC);
	const char *argv[] = {SCRIPT, NULL, NULL, NULL, NULL};
	unsigned argc = 1;
	int status;
	pid_t child;

	if (input < 0 || io_write_all(input, recipe->data, recipe->len) < 0 ||
	    lseek(input, 0, SEEK_SET) < 0)
		return -1;
	if (build->force)
		argv[argc++] = "--force";
	if (build->model) {
		argv[argc++] = "--model";
		argv[argc] = build->model;
	}
	child = fork();
	if (child == 0) {
		if (dup2(input, STDIN_FILENO) == STDIN_FILENO)
			execv(build->script, (char **)argv);
		_exit(EX_OSERR);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EX_OSERR;
}

/* A client's commands would run as root, though in a container. */
static bool is_trusted(const struct build *build, const struct template *template,
		       const struct buf *recipe)
{
	if (!template->is_custom || build->trust)
		return true;
	(void)ctl_fail("template", 0,
		       "%s was added by a client. Building it runs this as root, with network:\n%s"
		       "To allow it: mayflyctl template build --trust %s",
		       template->name, recipe->data, template->name);
	return false;
}

/* Appends a line "lock REQUIREMENT" for each of NAME.lock, which lies beside NAME.json where the
   versions of the index's packages are pinned. 0, or -1 with *err. */
static int add_lock(const struct registry_file *file, struct buf *recipe, struct error *err)
{
	_cleanup_registry_file_ struct registry_file lock = {0};
	char path[PATH_MAX];
	struct slice rest;

	(void)snprintf(path, sizeof(path), "%.*s.lock", (int)(strlen(file->path) - strlen(".json")),
		       file->path);
	if (registry_read_path(path, REGISTRY_TEMPLATES, &lock, err) < 0)
		return err->status == 404 ? 0 : -1;
	rest = (struct slice){lock.data, lock.len};
	while (rest.len > 0) {
		struct slice line = slice_take(&rest, '\n');

		if (line.len > 0 && *line.data != '#' &&
		    buf_printf(recipe, "lock %.*s\n", (int)line.len, line.data) < 0)
			return error_set(err, 500, "bad_template", "%.256s is too long", path);
	}
	return 0;
}

static int build_one(const struct build *build, const char *name)
{
	_cleanup_registry_file_ struct registry_file file = {0};
	_cleanup_buf_ struct buf text = buf_new(RECIPE_MAX_BYTES);
	_cleanup_json_ json_t *root = NULL;
	struct template template;
	const json_t *recipe;
	const char *image;
	struct error err;
	int status;

	if (find(build->config, name, &file, &template, &err) < 0 ||
	    registry_parse(&file, &root, &err) < 0)
		return ctl_error("template", &err);
	/* an image that RUNNER_IMAGE_… names in its place is the operator's own */
	image = json_text(root, "image");
	recipe =
		image && strcmp(image, template.image) == 0 ? json_object_get(root, "build") : NULL;
	if (!recipe) {
		if (!build->all)
			(void)printf("%s: uses %s as it is, there is nothing to build\n", name,
				     template.image);
		return EX_OK;
	}
	if (recipe_write(&template, recipe, &text) < 0)
		return ctl_fail("template", EX_DATAERR, "%s: the recipe passes %llu bytes", name,
				(unsigned long long)RECIPE_MAX_BYTES);
	if (!is_trusted(build, &template, &text))
		return EX_DATAERR;
	if (!template.is_custom && add_lock(&file, &text, &err) < 0)
		return ctl_error("template", &err);
	(void)fflush(stdout);
	status = run_script(build, &text);
	if (status < 0)
		(void)ctl_fail("template", 0, "%s: %s", build->script, strerror(errno));
	return status == 0 ? EX_OK : EX_UNAVAILABLE;
}

/* With --all the installed: what clients added is built one by one. */
int ctl_template_build(const struct config *config, struct ctl_arguments *arguments)
{
	struct build build = {.config = config,
			      .force = ctl_option(arguments, "--force"),
			      .trust = ctl_option(arguments, "--trust"),
			      .all = ctl_option(arguments, "--all"),
			      .model = ctl_option(arguments, "--model")};
	_cleanup_registry_names_ struct registry_names names = {0};
	struct error err;
	int status = EX_OK;

	if (build.all == (arguments->count > 0))
		return ctl_fail("template build", EX_USAGE, "give names, or --all");
	if (!ctl_find_script(config, SCRIPT, build.script))
		return EX_CONFIG;
	if (build.all && registry_names(config, REGISTRY_TEMPLATES, &names, &err) < 0)
		return ctl_error("template", &err);
	for (size_t i = 0; i < names.count + (size_t)arguments->count; i++) {
		int one = build_one(&build, build.all ? names.names[i] : arguments->words[i]);

		status = one == EX_OK ? status : one;
	}
	return status;
}

/* --- add, remove ------------------------------------------------------------------------------ */

int ctl_template_add(const struct config *config, struct ctl_arguments *arguments)
{
	_cleanup_json_ json_t *request = NULL;
	_cleanup_free_ char *text = NULL;
	struct template template;
	bool needs_build;
	struct error err;
	size_t len;

	if (ctl_read_file("template", arguments->words[0], REGISTRY_FILE_MAX_BYTES, &text, &len) <
	    0)
		return EX_DATAERR;
	if (json_parse((struct slice){text, len}, &request, &err) < 0 ||
	    ctl_become_service(config, &err) < 0 ||
	    custom_put(config, request, &template, &needs_build, &err) < 0)
		return ctl_error("template", &err);
	(void)printf("%s: added\n", template.name);
	if (needs_build)
		(void)fprintf(stderr, "its image must be built: mayflyctl template build %s\n",
			      template.name);
	return EX_OK;
}

int ctl_template_remove(const struct config *config, struct ctl_arguments *arguments)
{
	const char *name = arguments->words[0];
	struct error err;

	if (ctl_become_service(config, &err) < 0 || custom_remove(config, slice_of(name), &err) < 0)
		return ctl_error("template", &err);
	(void)printf("%s: removed\n", name);
	return EX_OK;
}
