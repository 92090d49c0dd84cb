/* The routes of mayfly-static, and the answers they share. */
#include "static/static.h"

enum route_kind { ROUTE_EXACT, ROUTE_BENEATH };

static const struct {
	const char *path;
	enum route_kind kind;
	bool debug; /* only when DEBUG_UI is on */
	void (*serve)(struct static_call *call, struct slice rest);
} routes[] = {
	{"/artifacts/", ROUTE_BENEATH, false, static_artifact},
	{"/v1/files/", ROUTE_BENEATH, false, static_signed},
	{"/", ROUTE_EXACT, false, static_admin},
	{"/assets/", ROUTE_BENEATH, false, static_asset},
	{"/openapi.json", ROUTE_EXACT, false, static_openapi},
	{"/debug", ROUTE_EXACT, true, static_landing},
	{"/debug/", ROUTE_EXACT, true, static_landing},
	{"/debug/assets/", ROUTE_BENEATH, true, static_asset},
	{"/debug/", ROUTE_BENEATH, true, static_tool_page},
};

void static_send(struct static_call *call, const struct http_reply *reply, struct slice content)
{
	bool head_only = static_request(call)->method == HTTP_HEAD;

	call->call->status = reply->status;
	call->length_bytes = head_only || reply->status == 304 ? 0 : content.len;
	if (http_reply_send(call->call->connection->fd, reply, content, head_only, call->deadline) <
	    0)
		call->call->code = STATIC_NOT_SENT;
}

void static_refuse_route(struct static_call *call)
{
	const struct http_request *request = static_request(call);
	struct error refusal;

	error_set(&refusal, 404, "no_route", "Route %.*s:%.*s not found",
		  (int)request->method_text.len, request->method_text.data, (int)request->path.len,
		  request->path.data);
	call_refuse(call->call, &refusal);
}

static void refuse_method(struct static_call *call)
{
	struct error refusal;

	error_set(&refusal, 405, "method_not_allowed", "Only GET and HEAD are answered here");
	call->call->allow = "GET, HEAD";
	call_refuse(call->call, &refusal);
}

void static_serve(struct static_call *call)
{
	const struct http_request *request = static_request(call);
	struct slice path = request->path;

	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		size_t prefix_len = strlen(routes[i].path);

		if ((routes[i].debug && !call->call->config->debug_ui) ||
		    !slice_starts(path, routes[i].path) ||
		    (routes[i].kind == ROUTE_EXACT && path.len != prefix_len))
			continue;
		if (request->method == HTTP_GET || request->method == HTTP_HEAD)
			routes[i].serve(call, (struct slice){path.data + prefix_len,
							     path.len - prefix_len});
		else
			refuse_method(call);
		return;
	}
	static_refuse_route(call);
}
