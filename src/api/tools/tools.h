/* The tools API: running tools, and what tools there are (src/api/tools/README.md). */
#pragma once

#include "server/call.h"

/* POST /run: code_execution, with stdout and stderr in one text in arrival order. */
void api_run(struct call *call);

/* POST /tools/execute */
void api_tools_execute(struct call *call);

/* GET /tools */
void api_tools(struct call *call);
