/* What the engine is: for the operator's doctor, which may not ask it itself. */
#pragma once

#include "base/buf.h"
#include "config/config.h"
#include "engine/podman.h"

/* Adds the fields of INFO (protocol/engine.h) to fields. A field that the engine does not tell is
   left out. 0, or -1 with *err: what podman_call and template_load say, 502 "engine_bad_reply". */
MUST_USE int info_write(struct podman *podman, const struct config *config, struct slice template,
			struct buf *fields, struct error *err);
