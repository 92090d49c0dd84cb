/* The routes of mayfly-static. mayfly has a row for each of them, whose files and pages they are.
 */
#include "static/static.h"

#define GET "GET, HEAD"

static const struct route routes[] = {
	{GET, "/artifacts/", ACCESS_PUBLIC, 0, 0, static_artifact},
	{GET, "/artifacts/", ACCESS_PUBLIC, BY_PREFIX, 0, static_artifact},
	{GET, "/v1/files/", ACCESS_PUBLIC, BY_PREFIX, 0, static_signed},
	{GET, "/", ACCESS_PUBLIC, 0, 0, static_admin},
	{GET, "/assets/", ACCESS_PUBLIC, BY_PREFIX, 0, static_asset},
	{GET, "/openapi.json", ACCESS_PUBLIC, 0, 0, static_openapi},
	{GET, "/debug", ACCESS_PUBLIC, DEBUG_ONLY, 0, static_landing},
	{GET, "/debug/", ACCESS_PUBLIC, DEBUG_ONLY, 0, static_landing},
	{GET, "/debug/assets/", ACCESS_PUBLIC, DEBUG_ONLY, 0, static_asset},
	{GET, "/debug/assets/", ACCESS_PUBLIC, DEBUG_ONLY | BY_PREFIX, 0, static_asset},
	{GET, "/debug/", ACCESS_PUBLIC, DEBUG_ONLY | BY_PREFIX, 0, static_tool_page},
};

const struct server static_server = {
	.program = "mayfly-static",
	.routes = routes,
	.route_count = COUNT_OF(routes),
	.is_static = true,
};
