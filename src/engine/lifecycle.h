/*
 * A lease: one container made for one connection, and its folder; both go when the lease ends.
 *
 *   state     entered by                                     left by
 *   nothing   lease_new, lease_end, lease_detach             lease_make: folder and container made
 *   starting  POST start sent, perhaps init listens already  lease_started: the engine has answered
 *   running   lease_started                                  lease_end, lease_detach
 *
 * Rules:
 *  1. lease_make returns as soon as init listens, which may be before the engine says that it has
 *     started the container.
 *  2. Whatever was begun is taken back by lease_end, in bounded time, from every state: what cannot
 *     be is left to the reaper, which knows it by its labels and by the folder's lock.
 */
#ifndef MAYFLY_ENGINE_LEASE_H
#define MAYFLY_ENGINE_LEASE_H

#include "engine/container.h"
#include "engine/folder.h"
#include "engine/spec.h"

struct lease {
	struct folder folder;               /* name empty: none was made */
	char name[CONTAINER_NAME_BYTES];    /* of the container; empty: none can exist */
	char id[CONTAINER_ID_BYTES];        /* empty: the engine has not told */
	char image[CONTAINER_ID_BYTES];     /* id of the image it was made from */
	char warning[ENGINE_MESSAGE_BYTES]; /* what the engine said when it made the container; for
					       the log */
	bool starting;                      /* the call is under way in the backend */
	int pidfd;                          /* owned: init; -1 when unknown */
	deadline_ms deadline;               /* of the container's life */
};

struct lease lease_new(void);

/* Makes a container by the request. 0, or -1 with *err; in both cases lease_end must follow. */
MUST_USE int lease_make(struct lease *lease, struct backend *backend, const struct config *config,
			const struct job_folders *jobs, const struct isolation_request *request,
			struct error *err);

/* Takes the engine's answer to start (backend_wait returned 1, or lease_make has seen it) and
   learns which process init is. Never fails: if the container did not start, its control socket
   says so to who holds it. */
void lease_started(struct lease *lease, struct backend *backend);

/* Removes container and folder; another may be made then. 0, or -1 with *err: they are the reaper's
 * now. */
MUST_USE int lease_end(struct lease *lease, struct backend *backend, const struct job_folders *jobs,
		       struct error *err);

/* Lets the container live on without an owner: a spare. It must have been started. */
void lease_detach(struct lease *lease);

/* Closes what a lease that has ended holds. */
void lease_free(struct lease *lease);

#endif
