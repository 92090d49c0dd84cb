/* What there is: capabilities and templates. */
#include "api/sandbox/sandbox.h"

#include "base/cleanup.h"
#include "config/language.h"
#include "config/recipe.h"
#include "config/template_custom.h"
#include "config/template_find.h"

#include <inttypes.h>

/* The languages of the template that a request without one gets, each with its aliases behind
   it. */
static json_t *list_languages(const struct config *config)
{
	json_t *list = json_array();
	struct template template;
	struct error ignored;
	struct slice name;

	if (template_find_public(config, SLICE_LITERAL(TEMPLATE_DEFAULT), &template, &ignored) < 0)
		return list;
	for (const char *at = template.languages; language_next(&at, &name);) {
		_cleanup_language_ struct language language = {0};

		if (language_load(config, name, &language, &ignored) < 0 || !language.sandbox.argv)
			continue;
		(void)json_array_append_new(list, json_string(language.name));
		(void)json_array_extend(list, (json_t *)language.aliases);
	}
	return list;
}

void api_capabilities(struct call *call)
{
	call_reply_json(call, 200,
			json_pack("{s:s, s:{s:b, s:b, s:b, s:o}}", "status", "success",
				  "capabilities", "interactive_execution", 1, "snapshot_restore", 0,
				  "pause_resume", 0, "supported_languages",
				  list_languages(call->config)));
}

/* As people write it: 512m, 2g. */
static json_t *memory_text(uint64_t memory_mb)
{
	return memory_mb % KIB ? json_sprintf("%" PRIu64 "m", memory_mb)
			       : json_sprintf("%" PRIu64 "g", memory_mb / (uint64_t)KIB);
}

json_t *sandbox_describe_template(const struct config *config, const struct template *template)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:b, s:I}", "name", template->name,
			 "description", template->description, "base_image", template->image,
			 "memory_limit", memory_text(template->memory_mb), "cpu_quota",
			 (json_int_t)(template->cpu_percent * CUSTOM_CPU_QUOTA_PERIOD_US / 100),
			 "timeout", (json_int_t) template->timeout_s, "network_enabled",
			 template->network && config->network, "package_count",
			 (json_int_t) template->package_count);
}

/* What a template's image would be built with; the caller's. */
static json_t *packages_of(const struct config *config, const struct template *template)
{
	_cleanup_registry_file_ struct registry_file file = {0};
	_cleanup_json_ json_t *root = NULL;
	struct slice name = slice_of(template->name);
	struct error ignored;

	if ((template->is_custom
		     ? custom_open(config, name, &file, &ignored)
		     : registry_open(config, REGISTRY_TEMPLATES, name, &file, &ignored)) < 0 ||
	    registry_parse(&file, &root, &ignored) < 0)
		return json_array();
	return recipe_names(json_object_get(root, "build"));
}

/* images: what each image that was built lacks, under its name. */
static void add_image(void *images, struct slice image, struct slice missing)
{
	json_t *names = json_array();

	while (missing.len > 0) {
		struct slice name = slice_take(&missing, ' ');

		(void)json_array_append_new(names, json_stringn(name.data, name.len));
	}
	(void)json_object_setn_new(images, image.data, image.len, names);
}

/* Says of a template whose image is built what it really has. images NULL: the engine does not
   say. */
static void add_missing(const struct config *config, const struct template *template,
			const json_t *images, json_t *described)
{
	const json_t *lacking = json_object_get(images, template->image);
	_cleanup_json_ json_t *all =
		template->is_built ? packages_of(config, template) : json_array();
	size_t total = json_array_size(all), missing;

	if (template->is_built && !lacking && images)
		lacking = all;
	missing = json_array_size(lacking);
	(void)json_object_set_new(described, "missing_packages",
				  lacking ? json_deep_copy(lacking) : json_array());
	if (missing == 0)
		return;
	(void)json_object_set_new(
		described, "package_count",
		json_integer(missing < total ? (json_int_t)(total - missing) : 0));
	(void)json_object_set_new(
		described, "missing_hint",
		lacking == all
			? json_sprintf("The image is not built: mayflyctl template build %s",
				       template->name)
			: json_sprintf("Packages come with mayflyctl template build %s, where a "
				       "Python index answers; a model of spacy's or nltk's comes "
				       "from a file, with --model FILE",
				       template->name));
}

void api_templates(struct call *call)
{
	_cleanup_json_ json_t *images = json_object();
	_cleanup_registry_names_ struct registry_names names = {0};
	json_t *list = json_array();
	struct error err;

	if (template_names(call->config, &names, &err) < 0) {
		json_decref(list);
		call_refuse(call, &err);
		return;
	}
	if (engine_images(&call->executor.engine, deadline_in(ENGINE_CALL_DEADLINE_MS), add_image,
			  images, &err) < 0) {
		call->code = err.code;
		json_decref(images);
		images = NULL;
	}
	for (size_t i = 0; i < names.count; i++) {
		struct template template;
		json_t *described;

		/* a broken file takes out only itself */
		if (template_find_public(call->config, slice_of(names.names[i]), &template, &err) ==
		    0) {
			described = sandbox_describe_template(call->config, &template);
			add_missing(call->config, &template, images, described);
			(void)json_array_append_new(list, described);
		} else if (err.status != 404) /* one that is not public is none here */
			call->code = err.code;
	}
	call_reply_json(call, 200, json_pack("{s:s, s:o}", "status", "success", "templates", list));
}
