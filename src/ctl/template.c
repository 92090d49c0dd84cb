/*
 * What build does: a template's file is checked here and carried out by scripts/build-template, to
 * which the recipe goes by a pipe, one checked line after another: nothing of it is ever an
 * argument.
 */
#include "ctl/template.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "config/recipe.h"
#include "config/template_custom.h"
#include "config/template_find.h"
#include "ctl/script.h"
#include "ctl/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define SCRIPT     "build-template"
#define ROW_FORMAT "%-20s  %8s  %6s  %8s  %-7s  %-9s  %s\n"

static int usage(void)
{
	(void)fputs("usage: mayflyctl template list [--json]\n"
		    "       mayflyctl template show NAME\n"
		    "       mayflyctl template check [NAME|FILE]...\n"
		    "       mayflyctl template build [--force] [--trust] NAME...|--all\n"
		    "       mayflyctl template add FILE|-\n"
		    "       mayflyctl template remove NAME\n",
		    stderr);
	return EX_USAGE;
}

static int fail(const struct error *err)
{
	(void)fprintf(stderr, "mayflyctl template: %s\n", err->message);
	if (strcmp(err->code, "bad_configuration") == 0)
		return EX_CONFIG;
	return strcmp(err->code, "templates_not_written") == 0 ||
			       strcmp(err->code, "registry_unreadable") == 0
		       ? EX_OSERR
		       : EX_DATAERR;
}

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

static int print_json(const json_t *value)
{
	_cleanup_buf_ struct buf text = buf_new(REGISTRY_FILE_MAX_BYTES);

	if (!value || json_write(value, &text) < 0)
		return EX_OSERR;
	(void)puts(text.data);
	return EX_OK;
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

static int list(const struct config *config, bool as_json)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	_cleanup_json_ json_t *rows = json_array();
	struct template template;
	struct error err;
	int status = EX_OK;

	if (template_names(config, &names, &err) < 0)
		return fail(&err);
	if (!as_json)
		(void)printf(ROW_FORMAT, "NAME", "MEMORY", "CPUS", "TIME-OUT", "NETWORK", "FROM",
			     "IMAGE");
	for (size_t i = 0; i < names.count; i++) {
		if (template_find_public(config, slice_of(names.names[i]), &template, &err) < 0)
			status = err.status == 404 ? status : fail(&err);
		else if (!as_json)
			print_row(config, &template);
		else if (json_array_append_new(rows, describe(config, &template)) < 0)
			return EX_OSERR;
	}
	if (as_json && print_json(rows) != EX_OK)
		return EX_OSERR;
	return status;
}

static int show(const struct config *config, const char *name)
{
	_cleanup_registry_file_ struct registry_file file = {0};
	_cleanup_json_ json_t *shown = NULL, *root = NULL;
	struct template template = {0};
	struct error err;

	if (find(config, name, &file, &template, &err) < 0 ||
	    registry_parse(&file, &root, &err) < 0)
		return fail(&err);
	shown = describe(config, &template);
	if (json_object_get(root, "build"))
		(void)json_object_set(shown, "build", json_object_get(root, "build"));
	(void)json_object_set_new(shown, "file", json_clean_string(slice_of(file.path)));
	return print_json(shown);
}

/* --- check ------------------------------------------------------------------------------------ */

/* A file is told from a name by what no name has. Its own name is what template_parse holds it
   to. */
static int check_file(const char *path, struct error *err)
{
	_cleanup_registry_file_ struct registry_file file = {0};
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	size_t len = strcspn(base, ".");
	struct template template;

	if (!registry_is_name((struct slice){base, len}) || strcmp(base + len, ".json") != 0)
		return error_set(
			err, 400, "bad_template",
			"%.256s: a template's file is NAME.json, NAME of a-z, 0-9, _ and -", path);
	if (registry_read_path(path, REGISTRY_TEMPLATES, &file, err) < 0)
		return -1;
	return template_parse(&file, (struct slice){base, len}, &template, err);
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
		return fail(&err);
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
		return fail(&err);
	for (size_t i = 0; i < names.count; i++)
		if (template_find_public(config, slice_of(names.names[i]), &template, &err) == 0)
			(void)printf("%s: good\n", names.names[i]);
		else if (err.status != 404)
			status = fail(&err);
	return status;
}

static int check(const struct config *config, int argc, char **argv)
{
	int status = EX_OK, one;

	if (argc == 0)
		return check_all(config);
	for (int i = 0; i < argc; i++) {
		one = check_one(config, argv[i]);
		if (one != EX_OK)
			status = one;
	}
	return status;
}

/* --- build ------------------------------------------------------------------------------------ */

struct build {
	const struct config *config;
	bool force, trust, all;
	char script[PATH_MAX];
};

/* Runs the script with the recipe as its standard input. Its exit status, or -1 with errno. */
static int run_script(const struct build *build, const struct buf *recipe)
{
	int ends[2], status;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	(void)signal(SIGPIPE, SIG_IGN);
	child = fork();
	if (child == 0) {
		(void)signal(SIGPIPE, SIG_DFL);
		if (dup2(ends[0], STDIN_FILENO) == STDIN_FILENO)
			execl(build->script, SCRIPT, build->force ? "--force" : NULL, (char *)NULL);
		_exit(EX_OSERR);
	}
	close(ends[0]);
	/* a script that ends early makes this fail, and says why itself */
	if (child > 0)
		(void)!io_write_all(ends[1], recipe->data, recipe->len);
	close(ends[1]);
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
	(void)fprintf(
		stderr,
		"mayflyctl template: %s was added by a client. Building it runs this as root, with "
		"network:\n%s"
		"To allow it: mayflyctl template build --trust %s\n",
		template->name, recipe->data, template->name);
	return false;
}

static int build_one(const struct build *build, const char *name)
{
	_cleanup_registry_file_ struct registry_file file = {0};
	_cleanup_buf_ struct buf text = buf_new(RECIPE_MAX_BYTES);
	_cleanup_json_ json_t *root = NULL;
	struct template template;
	const json_t *recipe;
	struct error err;
	int status;

	if (find(build->config, name, &file, &template, &err) < 0 ||
	    registry_parse(&file, &root, &err) < 0)
		return fail(&err);
	recipe = json_object_get(root, "build");
	if (!recipe) {
		if (!build->all)
			(void)printf("%s: uses %s as it is, there is nothing to build\n", name,
				     template.image);
		return EX_OK;
	}
	if (recipe_write(&template, recipe, &text) < 0) {
		(void)fprintf(stderr, "mayflyctl template: %s: the recipe passes %llu bytes\n",
			      name, (unsigned long long)RECIPE_MAX_BYTES);
		return EX_DATAERR;
	}
	if (!is_trusted(build, &template, &text))
		return EX_DATAERR;
	(void)fflush(stdout);
	status = run_script(build, &text);
	if (status < 0)
		(void)fprintf(stderr, "mayflyctl template: %s: %s\n", build->script,
			      strerror(errno));
	return status == 0 ? EX_OK : EX_UNAVAILABLE;
}

/* The installed: what clients added is built one by one. */
static int build_all(const struct build *build)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	struct error err;
	int status = EX_OK;

	if (registry_names(build->config, REGISTRY_TEMPLATES, &names, &err) < 0)
		return fail(&err);
	for (size_t i = 0; i < names.count; i++) {
		int one = build_one(build, names.names[i]);

		if (one != EX_OK)
			status = one;
	}
	return status;
}

static int build(const struct config *config, int argc, char **argv)
{
	struct build build = {.config = config};
	int first = 0, status = EX_OK;

	for (; first < argc && argv[first][0] == '-'; first++) {
		if (strcmp(argv[first], "--force") == 0)
			build.force = true;
		else if (strcmp(argv[first], "--trust") == 0)
			build.trust = true;
		else if (strcmp(argv[first], "--all") == 0)
			build.all = true;
		else
			return EX_USAGE;
	}
	if (build.all != (first == argc)) {
		(void)fputs("mayflyctl template build: give names, or --all\n", stderr);
		return EX_USAGE;
	}
	if (!ctl_find_script(config, SCRIPT, build.script))
		return EX_CONFIG;
	if (build.all)
		return build_all(&build);
	for (int i = first; i < argc; i++) {
		int one = build_one(&build, argv[i]);

		if (one != EX_OK)
			status = one;
	}
	return status;
}

/* --- add, remove ------------------------------------------------------------------------------ */

/* A file or, as "-", what is piped in. */
static int read_request(const char *path, json_t **out, struct error *err)
{
	_cleanup_close_ int opened = strcmp(path, "-") == 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : opened;
	_cleanup_buf_ struct buf text = buf_new(REGISTRY_FILE_MAX_BYTES);
	ssize_t got = 1;

	while (fd >= 0 && got > 0) {
		char *room = buf_reserve(&text, 4 * KIB);

		got = room ? read(fd, room, 4 * KIB) : -1;
		text.len += got > 0 ? (size_t)got : 0;
	}
	if (fd < 0 || got < 0)
		return error_set_errno(err, 400, "bad_template", "%.256s cannot be read", path);
	return json_parse(buf_slice(&text), out, err);
}

static int add(const struct config *config, const char *path)
{
	_cleanup_json_ json_t *request = NULL;
	struct template template;
	bool needs_build;
	struct error err;

	if (read_request(path, &request, &err) < 0 || ctl_become_service(config, &err) < 0 ||
	    custom_put(config, request, &template, &needs_build, &err) < 0)
		return fail(&err);
	(void)printf("%s: added\n", template.name);
	if (needs_build)
		(void)fprintf(stderr, "its image must be built: mayflyctl template build %s\n",
			      template.name);
	return EX_OK;
}

static int take_away(const struct config *config, const char *name)
{
	struct error err;

	if (ctl_become_service(config, &err) < 0 || custom_remove(config, slice_of(name), &err) < 0)
		return fail(&err);
	(void)printf("%s: removed\n", name);
	return EX_OK;
}

int ctl_template(const struct config *config, int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	if (strcmp(verb, "list") == 0 && argc == 2)
		return list(config, false);
	if (strcmp(verb, "list") == 0 && argc == 3 && strcmp(argv[2], "--json") == 0)
		return list(config, true);
	if (strcmp(verb, "show") == 0 && argc == 3)
		return show(config, argv[2]);
	if (strcmp(verb, "check") == 0)
		return check(config, argc - 2, argv + 2);
	if (strcmp(verb, "build") == 0 && argc > 2)
		return build(config, argc - 2, argv + 2);
	if (strcmp(verb, "add") == 0 && argc == 3)
		return add(config, argv[2]);
	if (strcmp(verb, "remove") == 0 && argc == 3)
		return take_away(config, argv[2]);
	return usage();
}
