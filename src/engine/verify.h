/*
 * What the engine says a container was made with, against what was asked for (spec.h, rule 4).
 * Podman
 * without root drops limits whose cgroup controller it was not given, and says so only in its own
 * log; an image with VOLUME lines gets writable folders of the host's disk. Neither shall start.
 */
#pragma once

#include "engine/spec.h"

/* created is what GET /containers/ID/json says. 0, or -1 with *err: 500 "limit_ignored". */
MUST_USE int verify_container(const struct spec *spec, const json_t *created, struct error *err);
