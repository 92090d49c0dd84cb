/*
 * What mayfly-static serves: artifacts, pages and the description of it all.
 *
 * Rules:
 *  1. GET and HEAD only; HEAD gives the fields GET would give.
 *  2. Nothing outside a job's folder is reachable, by any encoding: a path is decoded once, checked
 *     by component, opened beneath the storage folder, and what counts is what fstat(2) says.
 *  3. No byte of an artifact runs in a browser in our origin: nosniff on all, sandbox and
 *     attachment on what could.
 */
#pragma once

#include "server/server.h"

#include <sys/stat.h>

extern const struct server static_server;

/* The handlers. call->rest is still encoded. */
void static_artifact(struct call *call);
void static_landing(struct call *call);
void static_tool_page(struct call *call);
void static_asset(struct call *call);
void static_admin(struct call *call);
void static_openapi(struct call *call);
void static_signed(struct call *call);

/* Sends an open regular file, or the part of it that is asked for, under the type of file_name. */
void static_send_file(struct call *call, int file, const struct stat *status,
		      struct slice file_name);

/* Sends a page, or what it loads (pages/pages.h), with the policy that all have. */
void static_page(struct call *call, struct slice name);

/* A place beneath the storage folder that a path of /artifacts names; every part is checked. */
struct static_place {
	int storage;                     /* the folder (O_PATH), not owned */
	struct slice session, job, path; /* decoded; job and path may be empty */
	const char *beneath;             /* the same as one path */
};

/* Looking into results: answers ?view and ?list. False when that is not what was asked for, or
   there is nothing to show: then nothing was answered. */
bool static_preview(struct call *call, const struct static_place *place);
