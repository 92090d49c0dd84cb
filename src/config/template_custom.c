/* Custom templates: loading, listing, removing; the rules are in the header. Adding is in
   template_put.c. */
#include "config/template_custom.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static int path_of(const struct config *config, struct slice name, char out[PATH_MAX])
{
	return registry_is_name(name) && *config->custom &&
			       (size_t)snprintf(out, PATH_MAX, "%s/%.*s.json", config->custom,
						(int)name.len, name.data) < PATH_MAX
		       ? 0
		       : -1;
}

int custom_open(const struct config *config, struct slice name, struct registry_file *out,
		struct error *err)
{
	char path[PATH_MAX];

	if (path_of(config, name, path) < 0)
		return error_set(err, 404, "not_found", "There is no template of that name");
	if (registry_read_path(path, REGISTRY_TEMPLATES, out, err) == 0)
		return 0;
	return err->status == 404
		       ? error_set(err, 404, "not_found", "There is no template of that name")
		       : -1;
}

/* --- what is allowed -------------------------------------------------------------------------- */

/* Is the image that of a public template of the operator's? A broken one harms no other. */
static bool is_operators(const struct config *config, const char *image)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	struct template template;
	struct error ignored;
	bool found = false;

	if (registry_names(config, REGISTRY_TEMPLATES, &names, &ignored) < 0)
		return false;
	for (size_t i = 0; i < names.count && !found; i++)
		found = template_load(config, slice_of(names.names[i]), &template, &ignored) == 0 &&
			template.is_public && strcmp(template.image, image) == 0;
	return found;
}

static bool is_listed(const char *list, const char *image)
{
	for (size_t len; list && *(list += strspn(list, " \t,")); list += len) {
		len = strcspn(list, " \t,");
		if (slice_eq((struct slice){list, len}, image))
			return true;
	}
	return false;
}

static bool is_own(const char *name, const char *image)
{
	size_t prefix = strlen(CUSTOM_IMAGE_PREFIX), len = strlen(name);

	return len > 0 && strncmp(image, CUSTOM_IMAGE_PREFIX, prefix) == 0 &&
	       strncmp(image + prefix, name, len) == 0 && image[prefix + len] == ':';
}

int custom_check_image(const struct config *config, const char *name, const char *image,
		       struct error *err)
{
	if (is_own(name, image) || is_listed(config->custom_images, image) ||
	    is_operators(config, image))
		return 0;
	return error_set(
		err, 403, "template_not_allowed",
		"The image %.128s is not allowed for custom templates: it must belong to an "
		"installed template or be named in MAYFLY_TEMPLATE_IMAGES",
		image);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Rule 2: what a file asks for, on top of the operator's default. */
static int restrict_to(const struct config *config, const struct template *asked,
		       struct template *out, struct error *err)
{
	struct template template;

	if (custom_check_image(config, asked->name, asked->image, err) < 0 ||
	    template_load(config, SLICE_LITERAL(TEMPLATE_DEFAULT), &template, err) < 0)
		return -1;
	memcpy(template.name, asked->name, sizeof(template.name));
	memcpy(template.description, asked->description, sizeof(template.description));
	memcpy(template.image, asked->image, sizeof(template.image));
	memcpy(template.environment, asked->environment, sizeof(template.environment));
	template.memory_mb = least(asked->memory_mb, config->custom_memory_mb);
	template.cpu_percent = least(asked->cpu_percent, config->custom_cpu_percent);
	template.timeout_s = least(asked->timeout_s, config->custom_timeout_s);
	template.timeout_max_s = config->custom_timeout_s;
	template.network = asked->network && config->custom_network;
	template.package_count = asked->package_count;
	template.preload[0] = '\0';
	template.image_env[0] = '\0';
	template.is_built = asked->is_built;
	template.is_public = false;
	template.is_custom = true;
	*out = template;
	return 0;
}

int custom_load(const struct config *config, struct slice name, struct template *out,
		struct error *err)
{
	_cleanup_registry_file_ struct registry_file file = {0};
	struct template asked;

	return custom_open(config, name, &file, err) < 0 ||
			       template_parse(&file, name, &asked, err) < 0 ||
			       restrict_to(config, &asked, out, err) < 0
		       ? -1
		       : 0;
}

/* --- the folder ------------------------------------------------------------------------------- */

int custom_names(const struct config *config, struct registry_names *out, struct error *err)
{
	return *config->custom ? registry_add_names(config->custom, out, err) : 0;
}

int custom_not_written(const struct config *config, struct error *err)
{
	return error_set_errno(err, 500, "templates_not_written", "%.256s cannot be written to",
			       config->custom);
}

int custom_remove(const struct config *config, struct slice name, struct error *err)
{
	_cleanup_registry_file_ struct registry_file file = {0};
	char path[PATH_MAX];

	if (registry_open(config, REGISTRY_TEMPLATES, name, &file, err) == 0)
		return error_set(err, 403, "template_not_custom",
				 "Template %.*s is the operator's and cannot be removed",
				 (int)name.len, name.data);
	if (path_of(config, name, path) == 0 && unlink(path) == 0)
		return 0;
	if (path_of(config, name, path) == 0 && errno != ENOENT && errno != ENOTDIR)
		return custom_not_written(config, err);
	return error_set(err, 404, "not_found", "There is no template of that name");
}
