/*
 * Answering one connection: the machine of mayfly and mayfly-static. What a program serves is a
 * table of routes; everything else is done here, for all of them in one order: host, route, origin,
 * who may call, the engine, confinement, the body, the handler.
 *
 * Rules:
 *  1. What a request needs is decided by its head alone. Then the process confines itself, and only
 *     then reads the body. mayfly-static needs the same whatever is asked: it confines itself
 *     before it looks at a byte of the request.
 *  2. Who may not call is told so, whether there is a route or not.
 *  3. Memory that is not there ends the process (base/memory.h, rule 1). Where no reply has begun,
 *     the client gets a 503 "out_of_memory" that was made when the head had been read. The kernel
 *     closes what is open: the engine then removes the container, and what was not renamed into
 *     place was never there.
 */
#pragma once

#include "server/auth.h"
#include "server/call.h"

enum route_flag {
	NEEDS_ENGINE = 1,   /* it runs a job, or speaks with a container */
	BY_PREFIX = 2,      /* the path and what is beneath it; of "x/" only what is beneath */
	TAKES_FORM = 4,     /* an upload: multipart/form-data; its handler reads the body itself */
	COSTS_TOKEN = 8,    /* of the caller's bucket: it runs or stores something */
	MAY_LACK_BODY = 32, /* a POST with neither length nor coding has an empty one */
	DEBUG_ONLY = 16,    /* there only where DEBUG_UI is on */
};

struct route {
	const char *methods; /* as the Allow field has them */
	const char *path;
	enum access access;
	unsigned flags;                     /* of enum route_flag */
	size_t body_max_bytes;              /* 0: the body is not read */
	void (*handler)(struct call *call); /* NULL: a file or a page, left to mayfly-static */
};

/* What one of the programs is. */
struct server {
	const char *program; /* its name in the log */
	const struct route *routes;
	size_t route_count;
	/* it serves files and pages that are there: it reads them and does nothing else */
	bool is_static;
};

/* Answers the request on connection fd (not owned), which came in at started_us on the monotonic
   clock, and writes its log line. head_fd: holds the bytes that another process has read from fd;
   -1: none were read. Returns the program's exit status: EX_OK, whatever the answer, or EX_CONFIG.
   Not at all where mayfly-static takes the process over. */
int server_run(const struct server *server, int fd, int head_fd, int64_t started_us);
