/* The routes of mayfly: what varies between them stands in the rows (server/server.h). */
#pragma once

#include "server/server.h"

extern const struct server api_server;
