#include "ctl/template.h"

#include "base/cleanup.h"
#include "config/template_custom.h"
#include "ctl/settings.h"
#include "ctl/template_parts.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

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

int template_fail(const struct error *err)
{
	(void)fprintf(stderr, "mayflyctl template: %s\n", err->message);
	if (strcmp(err->code, "bad_configuration") == 0)
		return EX_CONFIG;
	return strcmp(err->code, "templates_not_written") == 0 ||
			       strcmp(err->code, "registry_unreadable") == 0
		       ? EX_OSERR
		       : EX_DATAERR;
}

int template_find(const struct config *config, const char *name, struct registry_file *file,
		  struct template *out, struct error *err)
{
	struct registry_file found = {0};

	if (registry_open(config, REGISTRY_SANDBOXES, slice_of(name), &found, err) < 0 &&
	    (err->status != 404 || custom_open(config, slice_of(name), &found, err) < 0)) {
		if (err->status == 404)
			(void)error_set(err, 404, "not_found", "There is no template %.64s", name);
		return -1;
	}
	if (template_load_from(config, REGISTRY_SANDBOXES, slice_of(name), out, err) == 0) {
		*file = found;
		return 0;
	}
	registry_file_free(&found);
	return -1;
}

/* --- list, show ---------------------------------------------------------------------------------- */

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
		return template_fail(&err);
	if (!as_json)
		(void)printf(ROW_FORMAT, "NAME", "MEMORY", "CPUS", "TIME-OUT", "NETWORK", "FROM",
			     "IMAGE");
	for (size_t i = 0; i < names.count; i++) {
		if (template_load_from(config, REGISTRY_SANDBOXES, slice_of(names.names[i]),
				       &template, &err) < 0)
			status = template_fail(&err);
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

	if (template_find(config, name, &file, &template, &err) < 0 ||
	    registry_parse(&file, "bad_template", &root, &err) < 0)
		return template_fail(&err);
	shown = describe(config, &template);
	if (json_object_get(root, "build"))
		(void)json_object_set(shown, "build", json_object_get(root, "build"));
	(void)json_object_set_new(shown, "file", json_clean_string(slice_of(file.path)));
	return print_json(shown);
}

/* --- check --------------------------------------------------------------------------------------- */

/* A file is told from a name by what no name has. Its own name is what template_parse holds it to. */
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
	if (registry_read_path(path, &file, err) < 0)
		return -1;
	return template_parse(&file, (struct slice){base, len}, &template, err);
}

static int check_one(const struct config *config, const char *what)
{
	struct template template;
	struct error err;
	int checked = strpbrk(what, "/.") ? check_file(what, &err)
					  : template_load_from(config, REGISTRY_SANDBOXES,
							       slice_of(what), &template, &err);

	if (checked < 0) {
		if (err.status == 404)
			(void)error_set(&err, 404, "not_found", "There is no template %.128s",
					what);
		return template_fail(&err);
	}
	(void)printf("%s: good\n", what);
	return EX_OK;
}

static int check(const struct config *config, int argc, char **argv)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	struct error err;
	int status = EX_OK, one;

	if (argc == 0 && template_names(config, &names, &err) < 0)
		return template_fail(&err);
	for (size_t i = 0; i < (argc ? (size_t)argc : names.count); i++) {
		one = check_one(config, argc ? argv[i] : names.names[i]);
		if (one != EX_OK)
			status = one;
	}
	return status;
}

/* --- add, remove --------------------------------------------------------------------------------- */

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
		return template_fail(&err);
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
		return template_fail(&err);
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
		return template_build(config, argc - 2, argv + 2);
	if (strcmp(verb, "add") == 0 && argc == 3)
		return add(config, argv[2]);
	if (strcmp(verb, "remove") == 0 && argc == 3)
		return take_away(config, argv[2]);
	return usage();
}
