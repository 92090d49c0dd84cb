/* Custom templates of the sandbox API (config/template_custom.h). */
#include "api/sandbox/sandbox.h"
#include "config/template_custom.h"

#include <stdio.h>

void api_template_add(struct call *call)
{
	_cleanup_json_ json_t *body = NULL;
	struct template template;
	json_t *reply;
	struct error err;
	bool needs_build;

	/* what cannot be read counts as {} in this API */
	if (json_parse(buf_slice(&call->body), &body, &err) < 0)
		body = json_object();
	if (custom_put(call->config, body, &template, &needs_build, &err) < 0) {
		call_refuse(call, &err);
		return;
	}
	(void)snprintf(call->executor.job_id, sizeof(call->executor.job_id), "template=%.48s",
		       template.name);
	reply = json_pack("{s:s, s:o, s:s}", "status", "success", "template",
			  sandbox_describe_template(call->config, &template), "state",
			  needs_build ? "pending" : "ready");
	if (needs_build)
		(void)json_object_set_new(
			reply, "message",
			json_sprintf(
				"Packages and commands are installed by the operator: mayflyctl "
				"template build %s. Until then jobs of this template fail.",
				template.name));
	call_reply_json(call, 200, reply);
}

void api_template_remove(struct call *call)
{
	struct slice name = call->rest;
	struct error err;

	if (custom_remove(call->config, name, &err) < 0) {
		call_refuse(call, &err);
		return;
	}
	call_reply_json(call, 200,
			json_pack("{s:s, s:o}", "status", "success", "message",
				  json_sprintf("Template %.*s removed", (int)name.len, name.data)));
}
