/* What the engine is: for the operator's doctor, which may not ask it itself. */
#ifndef MAYFLY_ENGINE_DESCRIBE_H
#define MAYFLY_ENGINE_DESCRIBE_H

#include "base/buf.h"
#include "config/config.h"
#include "engine/podman.h"

/* Adds the fields of DESCRIBE (protocol/engine.h) to answer. A field that the engine does not tell is left out. 0, or -1 with *err: what backend_call
   and template_load say, 502 "engine_bad_reply". */
MUST_USE int describe(struct backend *backend, const struct config *config, struct slice template,
		      struct buf *answer, struct error *err);

#endif
