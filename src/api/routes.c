#include "api/routes.h"

#include "api/agents/agents.h"
#include "api/agents/validate.h"
#include "api/runs/runs.h"
#include "api/runs/upload.h"
#include "api/sandbox/sandbox.h"
#include "api/system/health.h"
#include "api/system/metrics.h"
#include "api/tools/tools.h"
#include "bounds.h"

static const struct route routes[] = {
	{"POST", "/run", ACCESS_LOCAL_OR_KEY, NEEDS_ENGINE | COSTS_TOKEN, HTTP_BODY_MAX_BYTES,
	 api_run},
	{"POST", "/tools/execute", ACCESS_LOCAL_OR_KEY, NEEDS_ENGINE | COSTS_TOKEN,
	 HTTP_BODY_FILES_MAX_BYTES, api_tools_execute},
	{"GET, HEAD", "/tools", ACCESS_PUBLIC, 0, 0, api_tools},
	{"GET, HEAD", "/artifacts", ACCESS_PUBLIC, BY_PREFIX, 0, NULL},
	{"GET, HEAD", "/", ACCESS_PUBLIC, 0, 0, NULL},
	{"GET, HEAD", "/assets/", ACCESS_PUBLIC, BY_PREFIX, 0, NULL},
	{"GET, HEAD", "/openapi.json", ACCESS_PUBLIC, 0, 0, NULL},
	{"GET, HEAD", "/debug", ACCESS_PUBLIC, BY_PREFIX, 0, NULL},
	{"GET, HEAD", "/health", ACCESS_SANDBOX, 0, 0, api_health},
	{"GET, HEAD", "/capabilities", ACCESS_SANDBOX, 0, 0, api_capabilities},
	{"GET, HEAD", "/templates", ACCESS_SANDBOX, NEEDS_ENGINE, 0, api_templates},
	{"POST", "/templates", ACCESS_SANDBOX_ADMIN, COSTS_TOKEN, HTTP_BODY_MAX_BYTES,
	 api_template_add},
	{"DELETE", "/templates/", ACCESS_SANDBOX_ADMIN, BY_PREFIX, 0, api_template_remove},
	{"GET, HEAD", "/sessions", ACCESS_SANDBOX_RUN, 0, 0, api_sessions},
	{"GET, HEAD", "/sessions/", ACCESS_SANDBOX_RUN, NEEDS_ENGINE | BY_PREFIX, 0,
	 api_session_files_read},
	{"POST", "/sessions/", ACCESS_SANDBOX_RUN, NEEDS_ENGINE | BY_PREFIX | COSTS_TOKEN,
	 HTTP_BODY_SANDBOX_MAX_BYTES, api_session_files_write},
	{"PUT", "/sessions/", ACCESS_SANDBOX_RUN, NEEDS_ENGINE | BY_PREFIX | COSTS_TOKEN,
	 SESSION_FILE_MAX_BYTES, api_session_files_write},
	{"DELETE", "/sessions/", ACCESS_SANDBOX_RUN, NEEDS_ENGINE | BY_PREFIX, 0,
	 api_session_files_remove},
	{"POST", "/session/create", ACCESS_SANDBOX_RUN, NEEDS_ENGINE | COSTS_TOKEN,
	 HTTP_BODY_SANDBOX_MAX_BYTES, api_session_create},
	{"POST", "/session/execute", ACCESS_SANDBOX_RUN, NEEDS_ENGINE | COSTS_TOKEN,
	 HTTP_BODY_SANDBOX_MAX_BYTES, api_session_execute},
	{"POST", "/session/destroy", ACCESS_SANDBOX_RUN, NEEDS_ENGINE, HTTP_BODY_SANDBOX_MAX_BYTES,
	 api_session_destroy},
	{"POST", "/execute", ACCESS_SANDBOX_RUN, NEEDS_ENGINE | COSTS_TOKEN,
	 HTTP_BODY_SANDBOX_MAX_BYTES, api_sandbox_execute},
	{"GET, HEAD", "/metrics", ACCESS_SANDBOX_RUN, 0, 0, api_metrics},
	{"GET, HEAD", "/metrics/prometheus", ACCESS_SANDBOX_RUN, 0, 0, api_metrics_prometheus},
	{"GET, HEAD", "/v1/health", ACCESS_PUBLIC, 0, 0, api_v1_health},
	{"GET, HEAD", "/models", ACCESS_PUBLIC, 0, 0, api_models},
	{"GET, HEAD", "/v1/models", ACCESS_READ, 0, 0, api_models},
	{"POST", "/v1/files", ACCESS_RUN, TAKES_FORM | COSTS_TOKEN, 0, api_upload},
	{"GET, HEAD", "/v1/files/", ACCESS_PUBLIC, BY_PREFIX, 0, NULL},
	{"POST", "/v1/runs", ACCESS_RUN, NEEDS_ENGINE | COSTS_TOKEN, HTTP_BODY_MAX_BYTES,
	 api_runs_create},
	{"GET, HEAD", "/v1/runs", ACCESS_READ, 0, 0, api_runs_list},
	{"GET, HEAD", "/v1/runs/", ACCESS_READ, BY_PREFIX, 0, api_runs_read},
	{"POST", "/validate", ACCESS_LOCAL_OR_KEY, NEEDS_ENGINE | COSTS_TOKEN, AGENT_BODY_MAX_BYTES,
	 api_validate},
	{"GET, HEAD", "/api/v1/health", ACCESS_PUBLIC, 0, 0, api_agents_health},
	{"POST", AGENTS_PATH, ACCESS_AGENT, NEEDS_ENGINE | BY_PREFIX | MAY_LACK_BODY | COSTS_TOKEN,
	 AGENT_BODY_MAX_BYTES, api_agents_post},
	{"GET, HEAD", AGENTS_PATH, ACCESS_AGENT, BY_PREFIX, 0, api_agents_get},
};

const struct server api_server = {
	.program = "mayfly",
	.routes = routes,
	.route_count = sizeof(routes) / sizeof(routes[0]),
};
