#include "config/template_find.h"

#include "config/recipe.h"
#include "config/template_custom.h"

static int find(const struct config *config, struct slice name, struct template *out,
		struct error *err)
{
	if (template_load(config, name, out, err) == 0)
		return 0;
	return err->status == 404 && strcmp(err->code, "not_found") == 0
		       ? custom_load(config, name, out, err)
		       : -1;
}

/* The template of a tool that brings its own image: which one is the operator's word, in the tool's
   file. */
static int find_of_tool(const struct config *config, struct slice tool, struct template *out,
			struct error *err)
{
	_cleanup_registry_file_ struct registry_file file = {0};
	_cleanup_json_ json_t *root = NULL;

	if (registry_open(config, REGISTRY_TOOLS, tool, &file, err) < 0 ||
	    registry_parse(&file, &root, err) < 0)
		return -1;

	const char *image = json_text(root, "image");
	const char *base = json_text(root, "template");

	if (!image || strlen(image) >= sizeof(out->image) || !recipe_is_image(image))
		return registry_bad_field(&file, "image", err, "is not the name of an image");
	if (find(config, slice_of(base ? base : TEMPLATE_TOOL), out, err) < 0)
		return -1;
	memcpy(out->image, image, strlen(image) + 1);
	return 0;
}

int template_find(const struct config *config, struct slice name, struct template *out,
		  struct error *err)
{
	const size_t prefix = strlen(TEMPLATE_OF_TOOL);

	if (!slice_starts(name, TEMPLATE_OF_TOOL))
		return find(config, name, out, err);
	return find_of_tool(config, (struct slice){name.data + prefix, name.len - prefix}, out,
			    err);
}

int template_find_public(const struct config *config, struct slice name, struct template *out,
			 struct error *err)
{
	if (find(config, name, out, err) < 0)
		return -1;
	return out->is_public || out->is_custom
		       ? 0
		       : error_set(err, 404, "not_found", "There is no template of that name");
}

int template_names(const struct config *config, struct registry_names *out, struct error *err)
{
	_cleanup_registry_names_ struct registry_names names = {0};

	if (registry_names(config, REGISTRY_TEMPLATES, &names, err) < 0 ||
	    custom_names(config, &names, err) < 0)
		return -1;
	*out = names;
	names = (struct registry_names){0};
	return 0;
}
