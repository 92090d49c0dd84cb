/*
 * Asking mayfly-engine for containers. What asks never reaches Podman itself (rule 2 of the
 * design).
 *
 * The engine's end is <run>/engine.sock where systemd holds one; else a child of ours that has
 * forked already, before we confined ourselves, and becomes mayfly-engine by exec at the first word
 * we say to it. A request that needs no container costs no exec. The child stays as long as we do;
 * engine.sock is connected to again, once for each verb, when its end has hung up.
 */
#pragma once

#include "base/deadline.h"
#include "base/frame.h"
#include "config/config.h"
#include "protocol/engine.h"

#include <sys/types.h>

#define ENGINE_FOLDER_BYTES 65 /* a container's folder beneath <run>/jobs, with its NUL */
#define ENGINE_ID_BYTES     65 /* of a container, with its NUL */

struct engine {
	int fd;      /* owned; -1 when closed */
	pid_t child; /* 0 when the other end is a socket of systemd's */
	struct frame_reader reader;
	const struct config *config; /* for the metrics */
	uint64_t asked_again;        /* uncertain answers, for the log */
};

/* Opens a way to the engine. 0, or -1 with *err. */
MUST_USE int engine_open(const struct config *config, struct engine *out, struct error *err);

/* Limits of one container; 0: the template's, which is also the most there can be. */
struct engine_limits {
	uint64_t memory_mb, pids, cpu_percent;
};

struct engine_request {
	const char *template;
	const char *job;     /* whose it will be, for the engine's log; NULL or "": not known yet */
	uint64_t lifetime_s; /* of the container */
	struct engine_limits limits;
	/* it stays when the connection goes, because it waits in the pool, or belongs to a session.
	   Else engine_close gives it back */
	bool is_pooled, is_session;
};

/* Has a container made; its folder is written to folder. 0, or -1 with *err as the engine says
   it. */
MUST_USE int engine_make(struct engine *engine, const struct engine_request *request,
			 deadline_ms deadline, char folder[ENGINE_FOLDER_BYTES], struct error *err);

/* Has the container of a folder removed, and the folder. 0, or -1 with *err. */
MUST_USE int engine_remove(struct engine *engine, const char *folder, deadline_ms deadline,
			   struct error *err);

/* A container of this installation, or a folder without one. */
struct engine_row {
	char folder[ENGINE_FOLDER_BYTES]; /* as it was called when it was made */
	char id[ENGINE_ID_BYTES];         /* the container's; "" when there is none */
	char job[ENGINE_JOB_BYTES];       /* that it was made for; "" where that is not known */
	bool is_expired;
};

/* Calls row for each of them. 0, or -1 with *err. */
MUST_USE int engine_list(struct engine *engine, deadline_ms deadline,
			 void (*row)(void *context, const struct engine_row *row), void *context,
			 struct error *err);

/* Is there a Podman that answers? Writes its name and version. 0, or -1 with *err. */
MUST_USE int engine_ping(struct engine *engine, deadline_ms deadline, struct buf *version,
			 struct error *err);

/* What the engine says of itself and of a template's image: calls field for each field of INFO
   (protocol/engine.h); a value is followed by NUL. 0, or -1 with *err. */
MUST_USE int engine_info(struct engine *engine, const char *template, deadline_ms deadline,
			 void (*field)(void *context, struct slice key, struct slice value),
			 void *context, struct error *err);

/* Calls row for each name of an image of a template that was built, with what it lacks, names with
   blanks between; both are followed by NUL. 0, or -1 with *err. */
MUST_USE int engine_images(struct engine *engine, deadline_ms deadline,
			   void (*row)(void *context, struct slice image, struct slice missing),
			   void *context, struct error *err);

/* Hangs up: the engine removes what it made for us. Waits for a child of ours to have done so,
   because the manager that started us may end our children with us. */
void engine_close(struct engine *engine);
