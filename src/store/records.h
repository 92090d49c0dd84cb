/*
 * Records of runs: what a run was answered with, kept for the key that made it.
 *
 *     <STORAGE_DIR>/.runs/<owner>/<run id>        the summary, a newline, the record; both JSON
 *                                                 without line breaks
 *     <STORAGE_DIR>/.runs/<owner>/.new-<run id>   one being written, or the room for it
 *     <STORAGE_DIR>/.runs/<owner>/.keys/<hash>    an idempotency key (store/idempotency.h)
 *
 * Rules:
 *  1. A record is written aside, synced, and one rename(2) makes it visible whole, in place of
 *     nothing or of what was reserved; it never changes again.
 *  2. A record belongs to the key that made it. For any other key it does not exist (404).
 *  3. A run's id begins with the time that it was asked for, so names in their order are runs in
 *     theirs: a list needs no index.
 *  4. A record that was reserved before its run has two more lines: the first two say that the
 *     result was lost, the others that the run goes on, which is so while the file is locked
 *     (flock(2)). The process that runs holds the lock; the kernel takes it back from one that
 * dies.
 *  5. Records older than the retention are swept, and with them what a crash left half-written.
 */
#pragma once

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/slice.h"
#include "bounds.h"
#include "config/config.h"

#include <stdbool.h>

#define RECORDS_FOLDER      ".runs"
#define RECORDS_KEYS_FOLDER ".keys" /* beneath an owner's */
#define RUN_ID_PREFIX       "run_"
#define RUN_ID_BYTES        (sizeof(RUN_ID_PREFIX) + RUN_ID_LENGTH) /* with the NUL */

/* Makes an id for a run that is asked for now, in milliseconds since 1970 (rule 3). */
void record_make_id(int64_t now_ms, char out[RUN_ID_BYTES]);

/* True for "run_" and RUN_ID_LENGTH of A-Za-z0-9. */
bool record_is_id(struct slice text);

/* Opens the owner's folder (a caller's id), made if missing. The descriptor, or -1 with errno. */
int records_open_owner(const struct config *config, const char *owner);

/* Writes a record. 0, or -1 with *err: 500 "storage_full", "storage_failed". */
MUST_USE int record_write(const struct config *config, const char *owner, const char *id,
			  struct slice summary, struct slice record, struct error *err);

/* The place of a run's record, with room for it. */
struct record_place {
	int folder, fd; /* owned: the owner's, and what is there meanwhile, locked; -1: none */
	struct atomic_file room; /* owned */
	char id[RUN_ID_BYTES];
};

struct record_text {
	struct slice summary, record;
};

/* Reserves it, synced (rule 4): what is read while the run goes on, and what stays when it ends
   without record_fill, small texts both. 0, or -1 with *err and nothing left: 507 "storage_full",
   500 "storage_failed". */
MUST_USE int record_reserve(const struct config *config, const char *owner, const char *id,
			    struct record_text running, struct record_text lost,
			    uint64_t room_bytes, struct record_place *out, struct error *err);

/* Puts the record there. 0, or -1 with *err as record_write. */
MUST_USE int record_fill(const struct config *config, struct record_place *place,
			 struct slice summary, struct slice record, struct error *err);

/* Closes the place; also takes back the record that is there if nothing ran. */
void record_leave(struct record_place *place, bool has_run);

struct record {
	char *data;        /* owned: the file */
	struct slice text; /* of it: the record */
	int64_t written_s; /* on the real clock */
};

/* Reads a record; the caller frees out->data. 0, or -1 with *err: 404 "run_not_found" (message "run
   not found"), also for what is no id and for another's; 500 "storage_failed". */
MUST_USE int record_read(const struct config *config, const char *owner, struct slice id,
			 struct record *out, struct error *err);

/* What stands in a record's text between two keys. Within a string of JSON every quote has a
   backslash before it, so a raw match is the key itself; the rest is not parsed, since output may
   hold what json_parse refuses, as NUL. */
bool record_between(struct slice text, const char *key, const char *next, struct slice *out);

/* The id whose time is ms and whose random part is not: for runs that are named by their time. And
   the time of such an id. */
void record_id_of_ms(int64_t ms, char out[RUN_ID_BYTES]);
int64_t record_ms_of(const char *id);

/* Takes an id, so that of two processes that want it only one gets it: a file as of a record that
   is being written. 1 when it is taken already, 0, or -1 with *err as record_write. Its holder
   gives it back, or the reaper does. */
MUST_USE int record_claim(const struct config *config, const char *owner, const char *id,
			  struct error *err);
void record_unclaim(const struct config *config, const char *owner, const char *id);

/* True when the owner has a record of that id. */
bool record_exists(const struct config *config, const char *owner, const char *id);

/* Calls row(context, id, summary) for at most limit records of the owner, the newest first; with
   before not empty only for older ones than that. *more: there are still older ones. 0, or -1
   with *err. */
MUST_USE int records_list(const struct config *config, const char *owner, struct slice before,
			  unsigned limit,
			  void (*row)(void *context, const char *id, struct slice summary),
			  void *context, bool *more, struct error *err);

/* Rule 5. Returns how many were removed. */
uint64_t records_sweep(const struct config *config);
