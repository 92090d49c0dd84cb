/*
 * A lifecycle: one container made for one connection, and its folder; both go when the lifecycle
 * ends.
 *
 *   state     entered by                                     left by
 *   nothing   lifecycle_new, lifecycle_end, lifecycle_free   lifecycle_make: folder and container
 *             made
 *   starting  POST start sent, perhaps init listens already lifecycle_started: the engine has
 *             answered
 *   running   lifecycle_started                                  lifecycle_end, lifecycle_free
 *
 * Rules:
 *  1. lifecycle_make returns as soon as init listens, which may be before the engine says that it
 *     has started the container.
 *  2. Whatever was begun is taken back by lifecycle_end, in bounded time, from every state: what
 *     cannot be is left to the reaper, which knows it by its labels and by the folder's lock.
 */
#pragma once

#include "engine/container.h"
#include "engine/folder.h"
#include "engine/prepare.h"

struct lifecycle {
	struct folder folder;               /* name empty: none was made */
	char name[CONTAINER_NAME_BYTES];    /* of the container; empty: none can exist */
	char id[CONTAINER_ID_BYTES];        /* empty: the engine has not told */
	char image[CONTAINER_ID_BYTES];     /* id of the image it was made from */
	char warning[ENGINE_MESSAGE_BYTES]; /* what the engine said when it made the container; for
					       the log */
	bool starting;                      /* the call is under way in the podman */
	int pidfd;                          /* owned: init; -1 when unknown */
	deadline_ms deadline;               /* of the container's life */
};

struct lifecycle lifecycle_new(void);

/* Makes a container by the request. 0, or -1 with *err; in both cases lifecycle_end must follow. */
MUST_USE int lifecycle_make(struct lifecycle *lifecycle, struct podman *podman,
			    const struct config *config, const struct job_folders *jobs,
			    const struct prepare_request *request, struct error *err);

/* Takes the engine's answer to start (podman_wait returned 1, or lifecycle_make has seen it) and
   learns which process init is. Never fails: if the container did not start, its control socket
   says so to who holds it. */
void lifecycle_started(struct lifecycle *lifecycle, struct podman *podman);

/* Removes container and folder; another may be made then. 0, or -1 with *err: they are the reaper's
 * now. */
MUST_USE int lifecycle_end(struct lifecycle *lifecycle, struct podman *podman,
			   const struct job_folders *jobs, struct error *err);

/* Closes what it holds. A container that was started and has not ended lives on without an owner: a
   pooled container. */
void lifecycle_free(struct lifecycle *lifecycle);
