/* The routes of mayfly: what varies between them stands in the rows (server/server.h). */
#ifndef MAYFLY_API_ROUTES_H
#define MAYFLY_API_ROUTES_H

#include "server/server.h"

extern const struct server api_server;

#endif
