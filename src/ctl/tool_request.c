#include "ctl/tool_request.h"

#include "ctl/command.h"
#include "job/defaults.h"
#include "server/call.h"

#include <sysexits.h>

int tool_request_make(const struct config *config, const char *who, const char *tool,
		      json_t *request, struct tool_request *out)
{
	_cleanup_json_ json_t *issues = json_array();
	const json_t *issue;
	struct error err;
	size_t i;

	*out = (struct tool_request){.values = json_object()};
	if (tool_load(config, tool, &out->tool, &err) < 0)
		return ctl_fail(who, err.status == 404 ? EX_DATAERR : EX_CONFIG, "%s", err.message);
	if (tool_validate(config, &out->tool, request, issues, out->values, &err) < 0)
		return ctl_fail(who, EX_OSERR, "%s", err.message);
	json_array_foreach (issues, i, issue)
		(void)ctl_fail(who, 0, "%s: %s",
			       json_string_value(json_array_get(json_object_get(issue, "path"), 0)),
			       ctl_text(issue, "message"));
	if (json_array_size(issues))
		return EX_DATAERR;
	job_defaults(config, &out->job);
	out->made.staging = &out->staging;
	out->made.owner = CALLER_LOOPBACK;
	if (tool_job(config, &out->tool, out->values, &out->made, &out->job, out->inputs, &err) < 0)
		return ctl_fail(who, err.status == 500 ? EX_CONFIG : EX_DATAERR, "%s", err.message);
	return EX_OK;
}

void tool_request_free(struct tool_request *request)
{
	tool_job_free(&request->made);
	tool_free(&request->tool);
	staging_free(&request->staging);
	json_decref(request->values);
}
