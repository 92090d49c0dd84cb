/* Templates; the rules are in the header. */
#include "config/template.h"

#include "base/num.h"
#include "config/recipe.h"
#include "config/registry.h"
#include "config/template_custom.h"
#include "json/json.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define WORKDIR_DEFAULT   "/workspace"
#define LANGUAGES_DEFAULT "python node bash"
#define WORKDIR_OTHER     "/work"
#define IMAGE_ENV_PREFIX  "RUNNER_IMAGE_"

/* One row per number. The variable, where there is one, gives the value of a file that leaves the
 * field out. */
static const struct {
	const char *field, *variable;
	uint64_t least, most, fallback;
	size_t offset;
} numbers[] = {
#define NUMBER(field, variable, least, most, fallback)                                             \
	{                                                                                          \
#field, variable, least, most, fallback, offsetof(struct template, field)          \
	}
	NUMBER(uid, NULL, 1, RUNNER_ID_MAX, RUNNER_ID),
	NUMBER(gid, NULL, 1, RUNNER_ID_MAX, RUNNER_ID),
	NUMBER(memory_mb, "MAYFLY_MEMORY_MB", MEMORY_MIN_MB, MEMORY_MAX_MB, DEFAULT_MEMORY_MB),
	NUMBER(pids, "MAYFLY_PIDS", PIDS_MIN, PIDS_MAX, DEFAULT_PIDS),
	NUMBER(cpu_percent, "MAYFLY_CPU_PERCENT", 1, CPU_PERCENT_MAX, DEFAULT_CPU_PERCENT),
	NUMBER(workspace_mb, "MAYFLY_WORKSPACE_MB", 1, TMPFS_MAX_MB, DEFAULT_WORKSPACE_MB),
	NUMBER(tmp_mb, "MAYFLY_TMP_MB", 1, TMPFS_MAX_MB, DEFAULT_TMP_MB),
	NUMBER(shm_mb, "MAYFLY_SHM_MB", 1, TMPFS_MAX_MB, DEFAULT_SHM_MB),
	NUMBER(nofile, "MAYFLY_NOFILE", NOFILE_MIN, NOFILE_MAX, DEFAULT_NOFILE),
	NUMBER(nproc, "MAYFLY_NPROC", NPROC_MIN, NPROC_MAX, DEFAULT_NPROC),
	NUMBER(fsize_mb, "MAYFLY_FSIZE_MB", 1, TMPFS_MAX_MB, DEFAULT_FSIZE_MB),
	NUMBER(timeout_s, NULL, TIMEOUT_MIN_S, SANDBOX_TIMEOUT_MAX_S, TIMEOUT_DEFAULT_S),
	NUMBER(timeout_max_s, NULL, TIMEOUT_MIN_S, SANDBOX_TIMEOUT_MAX_S, TIMEOUT_MAX_S),
#undef NUMBER
};

#define NUMBER_COUNT (sizeof(numbers) / sizeof(numbers[0]))

static const struct {
	const char *field;
	size_t offset;
	size_t size; /* bytes, with the NUL */
} texts[] = {
	{"name", offsetof(struct template, name), sizeof(((struct template *)0)->name)},
	{"description", offsetof(struct template, description), TEMPLATE_TEXT_BYTES},
	{"image", offsetof(struct template, image), TEMPLATE_TEXT_BYTES},
	{"image_env", offsetof(struct template, image_env), TEMPLATE_TEXT_BYTES},
	{"workdir", offsetof(struct template, workdir), TEMPLATE_TEXT_BYTES},
	{"languages", offsetof(struct template, languages), TEMPLATE_TEXT_BYTES},
};

#define TEXT_COUNT (sizeof(texts) / sizeof(texts[0]))

static uint64_t *number_place(struct template *template, size_t row)
{
	return (uint64_t *)((char *)template + numbers[row].offset);
}

/* Rule 3. */
static int set_defaults(struct template *template, struct error *err)
{
	for (size_t i = 0; i < NUMBER_COUNT; i++) {
		const char *text = numbers[i].variable ? getenv(numbers[i].variable) : NULL;
		uint64_t value = numbers[i].fallback;

		if (text && *text &&
		    (num_parse(slice_of(text), 10, numbers[i].most, &value) < 0 ||
		     value < numbers[i].least))
			return error_set(err, 500, "bad_configuration",
					 "%s is \"%.64s\", but takes a whole number from %" PRIu64
					 " to %" PRIu64,
					 numbers[i].variable, text, numbers[i].least,
					 numbers[i].most);
		*number_place(template, i) = value;
	}
	return 0;
}

#define bad_field(err, file, ...) registry_bad_field(file, err, "bad_template", __VA_ARGS__)

static int take_number(struct template *template, size_t row, const json_t *value,
		       const struct registry_file *file, struct error *err)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || (uint64_t)number < numbers[row].least ||
	    (uint64_t)number > numbers[row].most)
		return bad_field(err, file, numbers[row].field,
				 "takes a whole number from %" PRIu64 " to %" PRIu64,
				 numbers[row].least, numbers[row].most);
	*number_place(template, row) = (uint64_t)number;
	return 0;
}

static int take_text(struct template *template, size_t row, const json_t *value,
		     const struct registry_file *file, struct error *err)
{
	size_t len = json_string_length(value);

	if (!json_is_string(value) || len == 0 || len >= texts[row].size)
		return bad_field(err, file, texts[row].field, "takes a text of 1 to %zu bytes",
				 texts[row].size - 1);
	memcpy((char *)template + texts[row].offset, json_string_value(value), len + 1);
	return 0;
}

static int take_environment(struct template *template, const json_t *value,
			    const struct registry_file *file, struct error *err)
{
	char *place = template->environment;
	const json_t *text;
	const char *name;

	if (!json_is_object(value))
		return bad_field(err, file, "environment", "takes {\"NAME\": \"value\"}");
	json_object_foreach ((json_t *)value, name, text) {
		size_t room =
			sizeof(template->environment) - (size_t)(place - template->environment);
		int len;

		if (!recipe_is_variable(name) || !recipe_is_line(text))
			return bad_field(
				err, file, "environment",
				"cannot hold \"%.64s\": names are of A-Z, a-z, 0-9 and _ but "
				"neither LD_… nor MAYFLY_…, values one line of text",
				name);
		len = snprintf(place, room, "%s=%s", name, json_string_value(text));
		if ((size_t)len + 2 > room) /* its own NUL, and the one that ends them all */
			return bad_field(err, file, "environment", "takes %zu bytes in all",
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

	if (!json_is_array(value))
		return bad_field(err, file, "preload", "takes a list of Python modules");
	json_array_foreach ((json_t *)value, i, name) {
		if (!recipe_is_module(name))
			return bad_field(err, file, "preload", "takes a list of Python modules");
		used += (size_t)snprintf(template->preload + used, sizeof(template->preload) - used,
					 "%s%s", i ? "," : "", json_string_value(name));
		if (used >= sizeof(template->preload))
			return bad_field(err, file, "preload", "takes %zu bytes in all",
					 sizeof(template->preload) - 1);
	}
	return 0;
}

static int take_field(struct template *template, const char *field, const json_t *value,
		      const struct registry_file *file, struct error *err)
{
	for (size_t i = 0; i < NUMBER_COUNT; i++)
		if (strcmp(field, numbers[i].field) == 0)
			return take_number(template, i, value, file, err);
	for (size_t i = 0; i < TEXT_COUNT; i++)
		if (strcmp(field, texts[i].field) == 0)
			return take_text(template, i, value, file, err);
	if (strcmp(field, "environment") == 0)
		return take_environment(template, value, file, err);
	if (strcmp(field, "preload") == 0)
		return take_preload(template, value, file, err);
	if (strcmp(field, "build") == 0) {
		template->package_count = recipe_package_count(value);
		template->is_built = true;
		return recipe_check(value, file, err);
	}
	if (strcmp(field, "network") != 0)
		return bad_field(err, file, field, "is not a field of a template");
	if (!json_is_boolean(value))
		return bad_field(err, file, field, "takes true or false");
	template->network = json_is_true(value);
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
		return bad_field(err, file, "image_env", "must begin with " IMAGE_ENV_PREFIX);
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

static int check_whole(const struct template *template, struct slice name,
		       const struct registry_file *file, struct error *err)
{
	if (!slice_eq(name, template->name))
		return bad_field(err, file, "name", "must be the file's own name, %.*s",
				 (int)name.len, name.data);
	if (!*template->image)
		return bad_field(err, file, "image", "is missing");
	if (!recipe_is_image(template->image))
		return bad_field(err, file, "image", "is not the name of an image");
	if (strcmp(template->workdir, WORKDIR_DEFAULT) != 0 &&
	    strcmp(template->workdir, WORKDIR_OTHER) != 0)
		return bad_field(err, file, "workdir",
				 "takes " WORKDIR_DEFAULT " or " WORKDIR_OTHER);
	if (template->timeout_s > template->timeout_max_s)
		return bad_field(err, file, "timeout_s", "is more than timeout_max_s");
	return 0;
}

/* Reads the fields into *template, which holds the defaults. */
static int parse(const struct registry_file *file, struct template *template, struct slice name,
		 struct error *err)
{
	_cleanup_json_ json_t *root = NULL;
	const char *field;
	json_t *value;

	if (registry_parse(file, "bad_template", &root, err) < 0)
		return -1;
	json_object_foreach (root, field, value)
		if (take_field(template, field, value, file, err) < 0)
			return -1;
	if (take_image_env(template, file, err) < 0)
		return -1;
	return check_whole(template, name, file, err);
}

int template_parse(const struct registry_file *file, struct slice name, struct template *out,
		   struct error *err)
{
	struct template template = {0};

	memcpy(template.name, name.data, name.len);
	memcpy(template.workdir, WORKDIR_DEFAULT, sizeof(WORKDIR_DEFAULT));
	memcpy(template.languages, LANGUAGES_DEFAULT, sizeof(LANGUAGES_DEFAULT));
	if (set_defaults(&template, err) < 0 || parse(file, &template, name, err) < 0)
		return -1;
	*out = template;
	return 0;
}

static int load_plain(const struct config *config, struct slice name, struct template *out,
		      struct error *err)
{
	const size_t prefix_len = strlen(TEMPLATE_SANDBOX_PREFIX);

	if (!slice_starts(name, TEMPLATE_SANDBOX_PREFIX))
		return template_load_from(config, REGISTRY_TEMPLATES, name, out, err);
	name.data += prefix_len;
	name.len -= prefix_len;
	return template_load_from(config, REGISTRY_SANDBOXES, name, out, err);
}

int template_load_from(const struct config *config, const char *registry, struct slice name,
		       struct template *out, struct error *err)
{
	_cleanup_registry_file_ struct registry_file file = {0};

	if (registry_open(config, registry, name, &file, err) == 0)
		return template_parse(&file, name, out, err);
	if (err->status == 404 && strcmp(registry, REGISTRY_SANDBOXES) == 0)
		return custom_load(config, name, out, err);
	return err->status == 404
		       ? error_set(err, 404, "not_found", "There is no template of that name")
		       : -1;
}

/* The template of a tool that brings its own image: which one is the operator's word, in the tool's file. */
static int load_of_tool(const struct config *config, struct slice tool, struct template *out,
			struct error *err)
{
	_cleanup_registry_file_ struct registry_file file = {0};
	_cleanup_json_ json_t *root = NULL;
	struct template template;

	if (registry_open(config, REGISTRY_TOOLS, tool, &file, err) < 0 ||
	    json_parse((struct slice){file.data, file.len}, &root, err) < 0)
		return -1;

	const char *image = json_string_value(json_object_get(root, "image"));
	const char *base = json_string_value(json_object_get(root, "template"));

	if (!image || strlen(image) >= sizeof(template.image) || !recipe_is_image(image))
		return bad_field(err, &file, "image", "names no image");
	if (load_plain(config, slice_of(base ? base : "default"), &template, err) < 0)
		return -1;
	memcpy(template.image, image, strlen(image) + 1);
	*out = template;
	return 0;
}

int template_load(const struct config *config, struct slice name, struct template *out,
		  struct error *err)
{
	const size_t prefix = strlen(TEMPLATE_OF_TOOL);

	if (!slice_starts(name, TEMPLATE_OF_TOOL))
		return load_plain(config, name, out, err);
	return load_of_tool(config, (struct slice){name.data + prefix, name.len - prefix}, out,
			    err);
}

void template_hash(const struct template *template, struct sha256 *hash)
{
	for (size_t i = 0; i < TEXT_COUNT; i++) {
		const char *text = (const char *)template + texts[i].offset;

		sha256_add(hash, (struct slice){text, strlen(text) + 1});
	}
	for (size_t i = 0; i < NUMBER_COUNT; i++)
		sha256_add(hash, (struct slice){(const char *)template + numbers[i].offset,
						sizeof(uint64_t)});
	sha256_add(hash, (struct slice){template->environment, sizeof(template->environment)});
	sha256_add(hash, (struct slice){template->preload, strlen(template->preload) + 1});
	sha256_add(hash,
		   (struct slice){(const char *)&template->network, sizeof(template->network)});
}
