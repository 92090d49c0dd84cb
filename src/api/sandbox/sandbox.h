/* The sandbox API: sandboxes and sessions (src/api/sandbox/README.md). */
#pragma once

#include "config/template.h"
#include "server/call.h"

void api_capabilities(struct call *call);
void api_templates(struct call *call);
void api_template_add(struct call *call);
void api_template_remove(struct call *call);
void api_sandbox_execute(struct call *call);
void api_session_create(struct call *call);
void api_session_execute(struct call *call);
void api_session_destroy(struct call *call);
void api_sessions(struct call *call);
void api_session_files_read(struct call *call);
void api_session_files_write(struct call *call);
void api_session_files_remove(struct call *call);

/* A template as GET /templates shows it. */
json_t *sandbox_describe_template(const struct config *config, const struct template *template);
