/* The calls about one container, by its id or name. */
#pragma once

#include "engine/podman.h"

#include <jansson.h>

#define CONTAINER_ID_BYTES   65 /* with the NUL */
#define CONTAINER_NAME_BYTES 80

enum { CONTAINER_TAKEN = 1, CONTAINER_UNCERTAIN };

struct container_made {
	char id[CONTAINER_ID_BYTES];
	char warning[ENGINE_MESSAGE_BYTES]; /* the first one of the engine, or "" */
};

/* POST /containers/create. 0; CONTAINER_TAKEN when its name is; CONTAINER_UNCERTAIN with *err when
   it is open whether one was made (podman.h, rule 4); -1 with *err: 500 "image_missing" (image and
   template stand in the message), "engine_refused", "limit_ignored"; and what podman_call says. */
MUST_USE int container_create(struct podman *podman, const char *name, const char *image,
			      struct slice body, deadline_ms deadline, struct container_made *out,
			      struct error *err);

/* GET /containers/ID/json. The caller owns *out. 0; 1 when there is none; or -1 with *err. */
MUST_USE int container_inspect(struct podman *podman, const char *id, deadline_ms deadline,
			       json_t **out, struct error *err);

/* DELETE /containers/ID, running or not, with its anonymous volumes, by podman_ask. 0, also when
   there is none; or -1 with *err. */
MUST_USE int container_remove(struct podman *podman, const char *id, deadline_ms deadline,
			      struct error *err);

/* True for an id as the engines make them. */
bool container_is_id(struct slice id);
