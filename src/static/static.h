/*
 * What mayfly-static serves: artifacts, pages and the description of it all. One call is one request on one connection,
 * answered once.
 *
 * Rules:
 *  1. GET and HEAD only; HEAD gives the fields GET would give.
 *  2. Nothing outside a job's folder is reachable, by any encoding: a path is decoded once, checked
 *     by component, opened beneath the storage folder, and what counts is what fstat(2) says.
 *  3. No byte of an artifact runs in a browser in our origin: nosniff on all, sandbox and
 *     attachment on what could.
 */
#ifndef MAYFLY_API_STATIC_H
#define MAYFLY_API_STATIC_H

#include "base/deadline.h"
#include "server/call.h"

#include <sys/stat.h>

/* The code, for the log, of a reply that the client did not take whole. */
#define STATIC_NOT_SENT "reply_not_sent"

struct static_call {
	struct call *call;
	int storage;           /* the storage folder (O_PATH), or -1 when there is none yet */
	deadline_ms deadline;  /* for the whole reply to be taken */
	uint64_t length_bytes; /* written: bytes of a file or page sent */
};

/* Answers the request by the table of routes. call.connection's descriptor is a socket that does
 * not block. */
void static_serve(struct static_call *call);

/* The handlers. rest is the path after the route's prefix, still encoded. */
void static_artifact(struct static_call *call, struct slice rest);
void static_landing(struct static_call *call, struct slice rest);
void static_tool_page(struct static_call *call, struct slice rest);
void static_asset(struct static_call *call, struct slice rest);
void static_admin(struct static_call *call, struct slice rest);
void static_openapi(struct static_call *call, struct slice rest);
void static_signed(struct static_call *call, struct slice rest);

/* Shared by the handlers: sends fields and content (left out for HEAD and 304). */
void static_send(struct static_call *call, const struct http_reply *reply, struct slice content);

/* Sends an open regular file, or the part of it that is asked for, under the type of file_name. */
void static_send_file(struct static_call *call, int file, const struct stat *status,
		      struct slice file_name);

/* Sends a page, or what it loads (pages/pages.h), with the policy that all have. */
void static_page(struct static_call *call, struct slice name);

/* The ordinary 404 of a path that is no route. */
void static_refuse_route(struct static_call *call);

static inline const struct http_request *static_request(const struct static_call *call)
{
	return &call->call->connection->request;
}

#endif
