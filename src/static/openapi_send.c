/* GET /openapi.json. */
#include "static/openapi.h"
#include "static/static.h"

void static_openapi(struct static_call *call, struct slice rest)
{
	json_t *document = NULL;
	struct error err;

	(void)rest;
	if (openapi_document(call->call->config, &document, &err) < 0)
		call_refuse(call->call, &err);
	else
		call_reply_json(call->call, 200, document);
}
