/*
 * The verbs of mayfly-engine, spoken as frames (base/frame.h) over its connection: fd 0 of
 * mayfly-engine.
 *
 * Rule: there are no words for anything but these. Isolation is decided inside the engine, from
 * files the operator owns; a limit asked for is clamped to the template's.
 *
 * MAKE    template=NAME lifetime_s=N [pool=1|session=1] [memory_mb=N] [pids=N] [cpu_percent=N]
 *         [job=ID]
 *         A limit that is missing is the template's. The job is for the engine's log alone. The
 *         container belongs to the connection: when that ends, for whatever reason, the engine
 *         removes container and folder. A pooled container has no owner: it stays until a process
 *         has it removed, or its lifetime is over. So does a session's container, whether it was
 *         made for one or has been a pooled container before.
 *    OK   folder=NAME id=HEX image=HEX
 *         The folder lies beneath <run>/jobs and holds the control socket, already listening.
 * REMOVE  folder=NAME
 *    OK   the container of that folder is gone, and the folder
 * LIST    (no fields)
 *    ROW  folder= id= template= job= expired=0|1      any number of them: containers of this
 *         installation, and folders without one
 *    OK
 * PING    (no fields)
 *    OK   engine=podman|docker version=…         the socket answers
 * INFO    template=NAME
 *    OK   what a doctor wants to know, as the engine says it: engine= version= socket=
 *         component=NAME VERSION (any number: engine, monitor, runtime; the version may be a
 *         package's), cgroup=1|2 rootless=0|1 memory= swap= pids= cpu=0|1 (it can limit that)
 *         storage=DRIVER image=NAME image_id=HEX runtime=NAME (image_id is "" when that template's
 *         is missing)
 * IMAGES  (no fields)
 *    ROW  image=NAME missing=NAMES     any number of them: the images that scripts/build-template
 *         has made, under each of their names, and what they lack, with blanks between
 *    OK
 * ERROR   status=… code=… message=…              instead of OK and ROW
 * OK and ERROR have asked_again=N, too, when answers of the engine left open what it had done and
 * it was asked again, N times since the last of them: for the metrics.
 *
 * A connection without a container is hung up after ENGINE_IDLE_DEADLINE_MS of silence where it
 * came by engine.sock: then the client makes another, once, and says its verb there.
 *
 * A folder is called c-<24 hex digits>, and s-<16 hex digits of its kind>-<the same 24> while it
 * waits as a pooled container (job/pool.h): the 24 digits are the container's.
 */
#pragma once

#include <string.h>

#define ENGINE_SOCKET_NAME "engine.sock" /* beneath the run folder, where systemd holds it */
#define JOBS_DIR_NAME      "jobs"        /* beneath the run folder: a folder per container */
/* the engine's own: folders of containers that do not listen yet */
#define MAKING_DIR_NAME  "making"
#define USERS_DIR_NAME   "users" /* the engine's own: which container has which user id */
#define POOL_PREFIX      "s-"
#define POOL_KIND_DIGITS 16

#define ENGINE_ASKED_AGAIN "asked_again"

#define ENGINE_JOB_BYTES    64 /* of a job's id, with its NUL */
#define ENGINE_JOB_ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/* The codes of ERROR, and those of mayfly's about the engine; any other one is told as the last.
   They are counted in this order (store/metrics.h): a change of it is a change of METRICS_LAYOUT.
   */
static const char *const engine_codes[] = {
	"image_missing",  "engine_unreachable", "engine_timeout", "engine_bad_reply",
	"engine_refused", "limit_ignored",      "bad_template",   "bad_configuration",
	"bad_request",    "container_died",     "not_found",      "engine_start",
	"control_failed", "engine_failed",
};

#define ENGINE_CODE_COUNT (sizeof(engine_codes) / sizeof(engine_codes[0]))

/* The place of a code, of len bytes, in engine_codes. */
static inline unsigned engine_code_index(const char *code, size_t len)
{
	unsigned i = 0;

	while (i < ENGINE_CODE_COUNT - 1 &&
	       (strlen(engine_codes[i]) != len || memcmp(engine_codes[i], code, len) != 0))
		i++;
	return i;
}
