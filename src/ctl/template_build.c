/*
 * mayflyctl template build: what a template's file says is checked here and carried out by
 * scripts/build-template, to which the recipe goes by a pipe, one checked line after another:
 * nothing of it is ever an argument.
 */
#include "base/cleanup.h"
#include "base/io.h"
#include "config/recipe.h"
#include "config/template_custom.h"
#include "ctl/script.h"
#include "ctl/template.h"
#include "ctl/template_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define SCRIPT "build-template"

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
		"mayflyctl template: %s was added by a client. Building it runs this as root, with network:\n%s"
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

	if (template_find(build->config, name, &file, &template, &err) < 0 ||
	    registry_parse(&file, "bad_template", &root, &err) < 0)
		return template_fail(&err);
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

/* The operator's: what clients added is built one by one. */
static int build_all(const struct build *build)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	struct error err;
	int status = EX_OK;

	if (registry_names(build->config, REGISTRY_SANDBOXES, &names, &err) < 0)
		return template_fail(&err);
	for (size_t i = 0; i < names.count; i++) {
		int one = build_one(build, names.names[i]);

		if (one != EX_OK)
			status = one;
	}
	return status;
}

int template_build(const struct config *config, int argc, char **argv)
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
