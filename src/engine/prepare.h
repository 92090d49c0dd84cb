/* What a container is to be made with: a template, clamped limits, and the files that the host
   lends it. */
#pragma once

#include "engine/spec.h"

struct prepare_request {
	struct slice template;
	uint64_t lifetime_s;
	uint64_t memory_mb, pids, cpu_percent; /* 0: the template's */
	uint64_t pooled, session;              /* not 0: it outlives who asks for it */
	const char *job;                       /* for the log; "" where it is not known yet */
};

/* Loads the template, clamps what is asked for, finds init and the profiles; out->folder and
   out->engine are the caller's to set. 0, or -1 with *err: what template_load says; 500
   "bad_configuration". */
MUST_USE int prepare_spec(const struct config *config, enum engine_kind kind,
			  const struct prepare_request *request, struct spec *out,
			  struct error *err);
