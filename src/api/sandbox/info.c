/* What there is: capabilities and templates. */
#include "api/sandbox/sandbox.h"

#include "config/language.h"
#include "config/template_find.h"

#include <inttypes.h>

#define CPU_WHOLE 100.0 /* percent of one */

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
		(void)json_array_extend(list, (json_t *)language.sandbox.aliases);
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

json_t *sandbox_describe_template(const struct template *template)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:f, s:I, s:b, s:I}", "name", template->name,
			 "description", template->description, "base_image", template->image,
			 "memory_limit", memory_text(template->memory_mb), "cpu_quota",
			 (double)template->cpu_percent / CPU_WHOLE, "timeout",
			 (json_int_t) template->timeout_s, "network_enabled", template->network,
			 "package_count", (json_int_t) template->package_count);
}

void api_templates(struct call *call)
{
	_cleanup_registry_names_ struct registry_names names = {0};
	json_t *list = json_array();
	struct error err;

	if (template_names(call->config, &names, &err) < 0) {
		json_decref(list);
		call_refuse(call, &err);
		return;
	}
	for (size_t i = 0; i < names.count; i++) {
		struct template template;

		/* a broken file takes out only itself */
		if (template_find_public(call->config, slice_of(names.names[i]), &template, &err) ==
		    0)
			(void)json_array_append_new(list, sandbox_describe_template(&template));
		else if (err.status != 404) /* one that is not public is none here */
			call->code = err.code;
	}
	call_reply_json(call, 200, json_pack("{s:s, s:o}", "status", "success", "templates", list));
}
