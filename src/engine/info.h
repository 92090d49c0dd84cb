/* What the engine is, and which images it has: for the operator's doctor, which may not ask it
 * itself. */
#pragma once

#include "base/buf.h"
#include "config/config.h"
#include "engine/podman.h"

/* Adds the fields of INFO (protocol/engine.h) to fields. A field that the engine does not tell is
   left out. 0, or -1 with *err: what podman_call and template_load say, 502 "engine_bad_reply". */
MUST_USE int info_write(struct podman *podman, const struct config *config, struct slice template,
			struct buf *fields, struct error *err);

/* Calls row(context, …) for each name of an image that scripts/build-template has made, with what
   it lacks; it ends the list by returning -1. 0, or -1 with *err as info_write. */
MUST_USE int info_images(struct podman *podman,
			 int (*row)(void *context, const char *image, const char *missing),
			 void *context, struct error *err);
