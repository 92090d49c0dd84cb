/* Templates; the rules are in the header. */
#include "config/template.h"

#include "base/ascii.h"
#include "config/recipe.h"
#include "config/registry.h"

#include <stdio.h>
#include <stdlib.h>

#define WORKDIR_DEFAULT   "/workspace"
#define LANGUAGES_DEFAULT "python node bash"
#define WORKDIR_OTHER     "/work"
#define USER_DEFAULT      "runner"
#define IMAGE_ENV_PREFIX  "RUNNER_IMAGE_"

/* NUMBER(field, variable, least, most, fallback): the variable, where there is one, gives the value
   of a file that leaves the field out. */
#define NUMBERS(NUMBER)                                                                            \
	NUMBER(memory_mb, "MAYFLY_MEMORY_MB", MEMORY_MIN_MB, MEMORY_MAX_MB, DEFAULT_MEMORY_MB)     \
	NUMBER(pids, "MAYFLY_PIDS", PIDS_MIN, PIDS_MAX, DEFAULT_PIDS)                              \
	NUMBER(cpu_percent, "MAYFLY_CPU_PERCENT", 1, CPU_PERCENT_MAX, DEFAULT_CPU_PERCENT)         \
	NUMBER(workspace_mb, "MAYFLY_WORKSPACE_MB", 1, TMPFS_MAX_MB, DEFAULT_WORKSPACE_MB)         \
	NUMBER(tmp_mb, "MAYFLY_TMP_MB", 1, TMPFS_MAX_MB, DEFAULT_TMP_MB)                           \
	NUMBER(shm_mb, "MAYFLY_SHM_MB", 1, TMPFS_MAX_MB, DEFAULT_SHM_MB)                           \
	NUMBER(nofile, "MAYFLY_NOFILE", NOFILE_MIN, NOFILE_MAX, DEFAULT_NOFILE)                    \
	NUMBER(nproc, "MAYFLY_NPROC", NPROC_MIN, NPROC_MAX, DEFAULT_NPROC)                         \
	NUMBER(fsize_mb, "MAYFLY_FSIZE_MB", 1, TMPFS_MAX_MB, DEFAULT_FSIZE_MB)                     \
	NUMBER(timeout_s, NULL, TIMEOUT_MIN_S, SANDBOX_TIMEOUT_MAX_S, TIMEOUT_DEFAULT_S)           \
	NUMBER(timeout_max_s, NULL, TIMEOUT_MIN_S, SANDBOX_TIMEOUT_MAX_S, TIMEOUT_MAX_S)

#define TEXTS(TEXT)                                                                                \
	TEXT(name)                                                                                 \
	TEXT(description)                                                                          \
	TEXT(image)                                                                                \
	TEXT(image_env)                                                                            \
	TEXT(workdir)                                                                              \
	TEXT(user)                                                                                 \
	TEXT(languages)

/* What is read of a file. */
struct whole {
	struct template template;
	const json_t *environment, *preload, *build;
};

#define WHOLE(field, kind) READ_FIELD(struct whole, template.field, #field, kind)
#define NUMBER_FIELD(field, variable, least, most, fallback)                                       \
	{WHOLE(field, READ_NUMBER), READ_BOUNDS(least, most)},
#define TEXT_FIELD(field)                                                                          \
	{WHOLE(field, READ_COPY), READ_BOUNDS(1, sizeof(((struct template *)0)->field) - 1)},

static const struct json_field fields[] = {
	NUMBERS(NUMBER_FIELD) TEXTS(TEXT_FIELD){WHOLE(network, READ_FLAG)},
	{WHOLE(pty, READ_FLAG)},
	{READ_FIELD(struct whole, template.is_public, "public", READ_FLAG)},
	{READ_FIELD(struct whole, environment, "environment", READ_OBJECT)},
	{READ_FIELD(struct whole, preload, "preload", READ_TEXTS)},
	{READ_FIELD(struct whole, build, "build", READ_OBJECT)},
};

#define DEFAULT(field, variable, least, most, fallback)                                            \
	{variable, least, most, fallback, offsetof(struct template, field)},

static const struct {
	const char *variable;
	uint64_t least, most, fallback;
	size_t offset;
} defaults[] = {NUMBERS(DEFAULT)};

/* Rule 3. */
static int set_defaults(struct template *template, struct error *err)
{
	for (size_t i = 0; i < COUNT_OF(defaults); i++) {
		uint64_t *place = (uint64_t *)(void *)((char *)template + defaults[i].offset);

		*place = defaults[i].fallback;
		if (defaults[i].variable && config_number(defaults[i].variable, defaults[i].least,
							  defaults[i].most, place, err) < 0)
			return -1;
	}
	return 0;
}

static int take_environment(struct template *template, const json_t *value,
			    const struct registry_file *file, struct error *err)
{
	char *place = template->environment;
	const json_t *text;
	const char *name;

	json_object_foreach ((json_t *)value, name, text) {
		size_t room =
			sizeof(template->environment) - (size_t)(place - template->environment);
		char field[REGISTRY_FIELD_BYTES];
		int len;

		(void)snprintf(field, sizeof(field), "environment.%.64s", name);
		if (!recipe_is_variable(name) || !recipe_is_line(text))
			return registry_bad_field(
				file, field, err,
				"cannot be: names are of A-Z, a-z, 0-9 and _ but neither LD_… nor "
				"MAYFLY_…, values one line of text");
		len = snprintf(place, room, "%s=%s", name, json_string_value(text));
		if ((size_t)len + 2 > room) /* its own NUL, and the one that ends them all */
			return registry_bad_field(file, "environment", err,
						  "takes %zu bytes in all",
						  sizeof(template->environment) - 1);
		place += len + 1;
	}
	*place = '\0';
	return 0;
}

static int take_preload(struct template *template, const json_t *value,
			const struct registry_file *file, struct error *err)
{
	const json_t *name;
	size_t used = 0, i;

	json_array_foreach ((json_t *)value, i, name) {
		if (!recipe_is_module(name))
			return registry_bad_field(file, "preload", err,
						  "takes a list of Python modules");
		used += (size_t)snprintf(template->preload + used, sizeof(template->preload) - used,
					 "%s%s", i ? "," : "", json_string_value(name));
		if (used >= sizeof(template->preload))
			return registry_bad_field(file, "preload", err, "takes %zu bytes in all",
						  sizeof(template->preload) - 1);
	}
	return 0;
}

/* The operator's image, if there is one. */
static int take_image_env(struct template *template, const struct registry_file *file,
			  struct error *err)
{
	const char *image;

	if (!*template->image_env)
		return 0;
	if (strncmp(template->image_env, IMAGE_ENV_PREFIX, strlen(IMAGE_ENV_PREFIX)) != 0)
		return registry_bad_field(file, "image_env", err,
					  "must begin with " IMAGE_ENV_PREFIX);
	image = getenv(template->image_env);
	if ((!image || !*image) && !*template->image)
		return error_set(err, 404, "no_image", "Template %s has no image: set %.64s",
				 template->name, template->image_env);
	if (!image || !*image)
		return 0;
	if (strlen(image) >= sizeof(template->image))
		return error_set(err, 500, "bad_configuration",
				 "%.64s must have less than %zu bytes", template->image_env,
				 sizeof(template->image));
	memcpy(template->image, image, strlen(image) + 1);
	return 0;
}

/* A name for passwd(5), and none that stands there already (engine/user.c). */
static bool is_user(const char *name)
{
	return strchr(ASCII_LOWER, *name) && strcmp(name, "root") != 0 &&
	       strcmp(name, "nobody") != 0 &&
	       ascii_is_of(slice_of(name), ASCII_LOWER ASCII_DIGITS "_-");
}

static int check_whole(const struct template *template, struct slice name,
		       const struct registry_file *file, struct error *err)
{
	if (!slice_eq(name, template->name))
		return registry_bad_field(file, "name", err, "must be the file's own name, %.*s",
					  (int)name.len, name.data);
	if (!*template->image)
		return registry_bad_field(file, "image", err, "is missing");
	if (!recipe_is_image(template->image))
		return registry_bad_field(file, "image", err, "is not the name of an image");
	if (strcmp(template->workdir, WORKDIR_DEFAULT) != 0 &&
	    strcmp(template->workdir, WORKDIR_OTHER) != 0)
		return registry_bad_field(file, "workdir", err,
					  "takes " WORKDIR_DEFAULT " or " WORKDIR_OTHER);
	if (!is_user(template->user))
		return registry_bad_field(file, "user", err,
					  "takes a lower-case letter, then a-z, 0-9, _ and -; "
					  "neither root nor nobody");
	if (template->timeout_s > template->timeout_max_s)
		return registry_bad_field(file, "timeout_s", err, "is more than timeout_max_s");
	return 0;
}

static int read_whole(const struct registry_file *file, const json_t *definition, struct slice name,
		      struct whole *whole, struct error *err)
{
	struct template *template = &whole->template;

	if (REGISTRY_READ(file, "", definition, fields, whole, err) < 0 ||
	    take_environment(template, whole->environment, file, err) < 0 ||
	    take_preload(template, whole->preload, file, err) < 0 ||
	    (whole->build && recipe_check(whole->build, file, err) < 0) ||
	    take_image_env(template, file, err) < 0)
		return -1;
	template->package_count = recipe_package_count(whole->build);
	template->is_built = whole->build != NULL;
	return check_whole(template, name, file, err);
}

int template_parse(const struct registry_file *file, struct slice name, struct template *out,
		   struct error *err)
{
	struct whole whole = {.template = {.workdir = WORKDIR_DEFAULT,
					   .user = USER_DEFAULT,
					   .languages = LANGUAGES_DEFAULT}};
	_cleanup_json_ json_t *definition = NULL;

	memcpy(whole.template.name, name.data, name.len);
	if (set_defaults(&whole.template, err) < 0 || registry_parse(file, &definition, err) < 0 ||
	    read_whole(file, definition, name, &whole, err) < 0)
		return -1;
	*out = whole.template;
	return 0;
}

int template_load(const struct config *config, struct slice name, struct template *out,
		  struct error *err)
{
	_cleanup_registry_file_ struct registry_file file = {0};

	if (registry_open(config, REGISTRY_TEMPLATES, name, &file, err) == 0)
		return template_parse(&file, name, out, err);
	return err->status == 404
		       ? error_set(err, 404, "not_found", "There is no template of that name")
		       : -1;
}

void template_hash(const struct template *template, struct sha256 *hash)
{
#define ADD_TEXT(field)                                                                            \
	sha256_add(hash, (struct slice){template->field, strlen(template->field) + 1});
#define ADD(field, ...)                                                                            \
	sha256_add(hash, (struct slice){(const char *)&template->field, sizeof(template->field)});
	TEXTS(ADD_TEXT)
	NUMBERS(ADD)
	ADD(environment)
	ADD_TEXT(preload)
	ADD(network)
	ADD(pty)
}
