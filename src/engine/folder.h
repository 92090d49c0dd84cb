/*
 * Job folders: one per container. A folder is mounted in its container and holds the control
 * socket.
 *
 * Rules:
 *  1. A folder is made in <run>/making, which is ours alone, and moves to <run>/jobs when init
 *     listens in it: a process that may rename in jobs, as mayfly may to claim a pooled container,
 *     can never choose what a container gets mounted.
 *  2. Both are closed to others: a folder is open (0777) until init listens, because init's user is
 *     not ours; then it is sealed (0555) for good.
 *  3. The owner of a folder holds a lock on it (flock(2)), which the kernel takes back when the
 *     owner dies, however it dies.
 *  4. A folder is called c-<digits>, or s-<kind>-<digits> while it waits as a pooled container: the
 *     digits are the container's.
 *  5. A folder in making that has no owner was abandoned, however young it is: it is made and
 * locked under a shared lock on making, and judged under an exclusive one. No clock tells.
 */
#pragma once

#include "base/error.h"
#include "base/slice.h"
#include "config/config.h"
#include "protocol/engine.h"

#define FOLDER_PREFIX     "c-"
#define FOLDER_HEX_DIGITS 24
#define FOLDER_NAME_BYTES (sizeof(FOLDER_PREFIX) + FOLDER_HEX_DIGITS) /* with the NUL */
/* of a pooled container's, too */
#define FOLDER_ANY_NAME_BYTES (FOLDER_NAME_BYTES + POOL_KIND_DIGITS + 1)

struct job_folders {
	int jobs, making, users; /* owned; -1 when closed */
};

#define JOB_FOLDERS_CLOSED ((struct job_folders){-1, -1, -1})

struct folder {
	int fd;     /* owned, locked (rule 3) */
	int notify; /* owned: an inotify descriptor, readable when something was renamed into the
		       folder; does not block */
	char name[FOLDER_NAME_BYTES];
};

/* A folder that is none. */
#define FOLDER_NONE ((struct folder){.fd = -1, .notify = -1})

/* True for the name of a job folder (rule 4). */
bool folder_is_name(struct slice name);

/* The name that a folder had when its container was made, whatever it is called now. */
void folder_first_name(const char *name, char out[FOLDER_NAME_BYTES]);

/* Opens <run>/jobs, <run>/making and <run>/users (engine/user.h), made (0700) if missing. 0, or -1
   with *err: 500 "bad_configuration" when others may enter. */
MUST_USE int folders_open(const struct config *config, struct job_folders *out, struct error *err);
void folders_close(struct job_folders *folders);

/* Makes, opens, locks and watches a new folder in making. 0, or -1 with *err. */
MUST_USE int folder_make(const struct job_folders *folders, struct folder *out, struct error *err);

/* True when the control socket is there: init listens. Empties the notifications. */
bool folder_is_listening(const struct folder *folder);

/* Moves the folder to jobs and seals it (rules 1 and 2). 0, or -1 with *err. */
MUST_USE int folder_publish(const struct folder *folder, const struct job_folders *folders,
			    struct error *err);

/* Removes the folder of that name, wherever it is and whatever it is called now. 0, or -1 with
   errno. */
MUST_USE int folder_remove(const struct job_folders *folders, const char *name);

/* Closes the descriptors, which gives up the lock. */
void folder_close(struct folder *folder);

enum folder_owner { FOLDER_ABSENT, FOLDER_OWNED, FOLDER_ABANDONED };

/* Whether a live process owns the folder of that first name. */
enum folder_owner folder_look(const struct job_folders *folders, const char *first_name);

/* Calls each for every job folder there is, FOLDER_ABSENT where it moved meanwhile, until it
   returns -1. 0, or -1 with errno. */
MUST_USE int folders_each(const struct job_folders *folders,
			  int (*each)(void *context, const char *first_name,
				      enum folder_owner owner),
			  void *context);
