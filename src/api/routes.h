/*
 * The table of routes: what varies between them stands in the rows, and api_serve does the rest in one order for all:
 * host, route, method, origin, permission to run, body, confinement, handler.
 */
#ifndef MAYFLY_API_ROUTES_H
#define MAYFLY_API_ROUTES_H

#include "server/call.h"

/* Answers the request whose head has been read. Returns only when it is answered or nobody is there; a file or page is answered by
   mayfly-static, which takes this process over. The call's config is this one, whose keys are forgotten as soon as it is known who calls. */
void api_serve(struct call *call, struct config *config);

/* A row's name: for what has to agree with the table. */
struct route_name {
	const char *methods; /* as the Allow field has them */
	const char *path;
	bool is_prefix; /* what is beneath it, too */
};

/* The row of that index; false behind the last. */
bool api_route(size_t index, struct route_name *out);

#endif
