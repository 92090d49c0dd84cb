/*
 * The sandbox API's templates, changed over HTTP (config/template_custom.h says what such a template may be):
 *   POST   /templates          as custom_put takes it; {"status":"success","template":{…},"state":"ready"|"pending"[,"message"]}, where pending means that the
 *                              image must be built first, which no request can
 *   DELETE /templates/{name}
 */
#ifndef MAYFLY_API_TEMPLATES_H
#define MAYFLY_API_TEMPLATES_H

#include "server/call.h"

void api_template_add(struct call *call);
void api_template_remove(struct call *call);

#endif
