/*
 * What the engine can enforce. One that is not root's has the cgroup controllers that systemd
 * delegates to its user and no others. Under cgroup v1, and with the cgroupfs manager, rootless
 * Podman runs a container without any limit and returns no warning.
 *
 * Rules:
 *  1. Root's engine is not asked: where it lacks a controller it fails, or what it says of the
 *     container shows it (spec.h, rule 4). It is asked when the operator allows to go without a
 *     limit.
 *  2. A limit that cannot be enforced is a refusal, unless the operator allows to go without
 *     (MAYFLY_ALLOW_UNENFORCED).
 *  3. An answer takes Podman half a second, so it is kept in <run>/engine.info for as long as the
 *     machine runs and the socket is the same. One that leads to a refusal is not: the refusal ends
 *     when its cause does.
 */
#pragma once

#include "base/deadline.h"
#include "base/error.h"
#include "config/config.h"
#include "engine/podman.h"

struct host_limits {
	unsigned missing; /* limits (config/config.h) to make a container without */
	bool rootless;    /* Podman, in a user namespace of its user's */
	/* for the log, when the engine has just been asked; or "" */
	char note[ENGINE_MESSAGE_BYTES];
};

/* Learns it, from the engine or from what is kept. 0, or -1 with *err: 500 "limit_ignored" (rule
   2), and what podman_call says. */
MUST_USE int host_limits_learn(struct podman *podman, const struct config *config,
			       deadline_ms deadline, struct host_limits *out, struct error *err);
