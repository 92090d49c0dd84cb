/*
 * Isolation: every setting of a container is decided here and nowhere else, from the operator's
 * files and the template.
 *
 * Rules:
 *  1. What a caller may ask for is a number, and it is clamped to the template's.
 *  2. No host folder is writable inside but the control folder, until it is sealed. Every tmpfs has
 *     a size and is charged to the container's memory.
 *  3. No network (unless the template has one and the operator allows one, MAYFLY_NETWORK), no
 *     capability, no new privileges, a seccomp profile, namespaces and a user of its own.
 *  4. What the engine answers is checked before the container starts: a limit that it did not take
 *     is an error, not a warning. What it can tell beforehand that it will not enforce:
 *     host_limits.h.
 */
#pragma once

#include "config/config.h"
#include "config/template.h"
#include "engine/host_limits.h"
#include "engine/podman.h"
#include "engine/user.h"

#include <jansson.h>

struct spec {
	const struct config *config;
	enum engine_kind kind;
	struct template template;   /* its limits already clamped */
	uint64_t lifetime_s;        /* clamped */
	const char *container_kind; /* for people: what it was made as */
	const char *folder;         /* the container's own, beneath the jobs folder */
	struct user user;           /* the container's own; the caller's to set, as folder is */
	const char *job;            /* for the log: whose it is, or "" */
	char init[PATH_MAX];        /* on the host */
	char seccomp[PATH_MAX];     /* on the host */
	char hosts[PATH_MAX];       /* on the host: what is /etc/hosts inside */
	char resolv[PATH_MAX];  /* on the host: what is /etc/resolv.conf inside; "": the engine's */
	char kernels[PATH_MAX]; /* on the host; "": there are none */
	const char *apparmor;   /* a profile's name, or NULL */
	const char *selinux;    /* a type's name, or NULL: the policy's own for containers */
	struct host_limits engine; /* the caller's to set, as folder is */
};

/* One number of HostConfig that caps what a container takes; 0: not at all. */
struct spec_limit {
	const char *field;
	uint64_t value;
};

#define SPEC_LIMITS 4
#define SPEC_CPUS   "NanoCpus" /* a field that may come back in other words */

/* What the container is to have: spec_write asks for it, and verify_container holds it against what
   the engine says that it has. What the engine cannot enforce is 0. */
void spec_limits(const struct spec *spec, struct spec_limit out[SPEC_LIMITS]);

#define LABEL_INSTANCE "mayfly.instance"
/* the run folder: two installations of one name do not touch each other's */
#define LABEL_RUN      "mayfly.run"
#define LABEL_TEMPLATE "mayfly.template"
#define LABEL_FOLDER   "mayfly.folder"
#define LABEL_KIND     "mayfly.kind" /* as it was made: job, pool, session */
#define LABEL_JOB      "mayfly.job"
#define LABEL_BOOT     "mayfly.boot"     /* the kernel's boot_id */
#define LABEL_DEADLINE "mayfly.deadline" /* seconds on CLOCK_BOOTTIME */

/* Appends the body of POST /containers/create. 0, or -1 with *err. */
MUST_USE int spec_write(const struct spec *spec, struct buf *out, struct error *err);
