/*
 * Job folders: one per container, beneath <run>/jobs. A folder is mounted in its container and
 * holds the control socket.
 *
 * Rules:
 *  1. The jobs folder is closed to others: what is in it is open to everybody for a moment.
 *  2. Open (0777) until init listens, because init's user is not ours; then sealed (0555) for good.
 *  3. Who owns a folder holds a lock on it (flock(2)), which the kernel takes back when the owner
 * dies, however it dies.
 */
#ifndef MAYFLY_ENGINE_FOLDER_H
#define MAYFLY_ENGINE_FOLDER_H

#include "base/error.h"
#include "base/slice.h"
#include "job/config.h"

#define FOLDER_PREFIX     "c-"
#define FOLDER_HEX_DIGITS 24
#define FOLDER_NAME_BYTES (sizeof(FOLDER_PREFIX) + FOLDER_HEX_DIGITS) /* with the NUL */

struct folder {
	int fd;     /* owned, locked (rule 3) */
	int notify; /* owned: an inotify descriptor, readable when something was renamed into the
		       folder; does not block */
	char name[FOLDER_NAME_BYTES];
};

/* A folder that is none. */
#define FOLDER_NONE ((struct folder){.fd = -1, .notify = -1})

/* True for the name of a job folder. */
bool folder_is_name(struct slice name);

/* Opens <run>/jobs, making it (0700) if missing. The descriptor, or -1 with *err: 500
 * "bad_configuration" when others may enter. */
int folder_open_jobs(const struct config *config, struct error *err);

/* Makes, opens, locks and watches a new folder. 0, or -1 with *err. */
MUST_USE int folder_make(int jobs_fd, struct folder *out, struct error *err);

/* True when the control socket is there: init listens. Empties the notifications. */
bool folder_is_listening(const struct folder *folder);

/* Rule 2. 0, or -1 with *err. */
MUST_USE int folder_seal(const struct folder *folder, struct error *err);

/* Closes the descriptors, which gives up the lock. */
void folder_close(struct folder *folder);

enum folder_owner { FOLDER_ABSENT, FOLDER_OWNED, FOLDER_ABANDONED };

/* Whether a live process owns the folder of that name, and how long ago the folder was made or last
 * changed, in ms (0 when absent). */
enum folder_owner folder_look(int jobs_fd, const char *name, int64_t *age_ms);

#endif
