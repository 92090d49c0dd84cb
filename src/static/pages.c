/*
 * The pages: the admin page at /, and /debug, /debug/{tool-name}; what they load from
 * /assets/{file} and /debug/assets/{file}. Static files; the scripts ask GET /openapi.json and GET
 * /tools what to show.
 */
#include "static/static.h"

#include "config/registry.h"
#include "pages/pages.h"

#include <inttypes.h>
#include <stdio.h>

/* No inline script or style, nothing from elsewhere, never in a frame; and no string ever becomes
 * markup or script. */
#define PAGE_POLICY                                                                                \
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "            \
	"img-src 'self' blob: data:; form-action 'none'; frame-ancestors 'none'; "                 \
	"base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

/* FNV-1a, 64 bits: tells one build's page from another's; nothing hangs on it. */
static uint64_t page_hash(struct slice bytes)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < bytes.len; i++)
		hash = (hash ^ (unsigned char)bytes.data[i]) * 0x100000001b3;
	return hash;
}

static void add_page_fields(struct http_reply *reply, const char *type, const char *etag)
{
	http_reply_field(reply, "Content-Type", "%s", type);
	http_reply_field(reply, "ETag", "%s", etag);
	http_reply_field(reply, "Cache-Control", "no-cache");
	http_reply_field(reply, "Content-Security-Policy", PAGE_POLICY);
	http_reply_field(reply, "Cross-Origin-Opener-Policy", "same-origin");
	http_reply_field(reply, "Cross-Origin-Resource-Policy", "same-origin");
	http_reply_field(reply, "Referrer-Policy", "no-referrer");
}

void static_page(struct call *call, struct slice name)
{
	const struct slice *known = http_field(&call->connection->request, "If-None-Match");
	bool is_head = call->connection->request.method == HTTP_HEAD;
	struct http_reply reply;
	struct slice bytes;
	struct error err;
	const char *type;
	char etag[24];

	if (!page_find(name, &bytes, &type)) {
		(void)call_no_route(call, &err);
		call_refuse(call, &err);
		return;
	}
	snprintf(etag, sizeof(etag), "\"%016" PRIx64 "\"", page_hash(bytes));
	reply = http_reply_new(known && slice_eq(*known, etag) ? 304 : 200);
	add_page_fields(&reply, type, etag);
	call->sent_bytes = reply.status == 200 && !is_head ? (int64_t)bytes.len : 0;
	call_send(call, &reply, bytes);
	http_reply_free(&reply);
}

void static_admin(struct call *call)
{
	static_page(call, SLICE_LITERAL(PAGE_ADMIN));
}

void static_landing(struct call *call)
{
	static_page(call, SLICE_LITERAL(PAGE_LANDING));
}

void static_asset(struct call *call)
{
	static_page(call, call->rest);
}

/* True when text, which shows a tool's name with dashes, names one. */
static bool is_tool(struct slice text, const struct registry_names *tools)
{
	char name[REGISTRY_NAME_MAX_BYTES + 1];

	if (!registry_is_name(text))
		return false;
	for (size_t i = 0; i < text.len; i++)
		name[i] = text.data[i] == '-' ? '_' : text.data[i];
	name[text.len] = '\0';
	for (size_t i = 0; i < tools->count; i++)
		if (strcmp(tools->names[i], name) == 0)
			return true;
	return false;
}

static void refuse_tool(struct call *call, const struct registry_names *tools)
{
	json_t *names = json_array();

	for (size_t i = 0; i < tools->count; i++)
		(void)json_array_append_new(names, json_string(tools->names[i]));
	call->code = "unknown_tool";
	call_reply_json(call, 404,
			json_pack("{s:s, s:o}", "error", "Debug UI not found for this tool",
				  "availableTools", names));
}

void static_tool_page(struct call *call)
{
	_cleanup_registry_names_ struct registry_names tools = {0};
	struct error refusal;

	if (registry_names(call->config, REGISTRY_TOOLS, &tools, &refusal) < 0)
		call_refuse(call, &refusal);
	else if (is_tool(call->rest, &tools))
		static_page(call, SLICE_LITERAL(PAGE_TOOL));
	else
		refuse_tool(call, &tools);
}
