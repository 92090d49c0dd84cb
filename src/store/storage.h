/*
 * Results on disk: <storage>/<sessionId>/job-<id>/<file>.
 *
 * Rules:
 *  1. A result is written under <storage>/.incoming; the contents of every file are synced, then
 *     the folders that name them, then one rename(2) makes it visible whole, and the session's
 *     folder is synced: what was answered outlives a power cut, and no half of it is ever shown.
 *  2. Whatever names come from outside are opened beneath the result's own folder and never
 *     overwrite anything.
 *  3. A result that is given up is removed. What a crash leaves in .incoming is swept by the
 * reaper: at once, since its writer's lock (flock(2)) is gone; where the file system has no such
 * locks, when it is old. It is made and locked under a shared lock on .incoming, and judged under
 * an exclusive one.
 *  4. What an artifact is called may be taken: by the input that the program changed. An artifact
 * of an input's path, or of an absolute one, lies in a folder of its own, STORAGE_APART, by that
 *     path.
 */
#pragma once

#include "base/buf.h"
#include "bounds.h"
#include "config/config.h"
#include "json/json.h"

#include <stdbool.h>
#include <time.h>

#define STORAGE_INCOMING ".incoming"
/* <storage>/.records/<sessionId>/<id>: what a result was answered with, JSON */
#define STORAGE_RECORDS ".records"

#define STORAGE_APART ".changed"

#define STORAGE_INCOMING_BYTES 25 /* of a name there, with the NUL */

struct storage {
	int root, folder; /* owned; folder is the result's, under .incoming */
	char incoming_name[STORAGE_INCOMING_BYTES]; /* beneath .incoming; "": committed */
	int stdout_fd, stderr_fd,
		/* owned; file_fd: the artifact being written, or -1; the streams' -1: they are not
		   kept */
		file_fd;
	bool unsynced[2]; /* stdout, stderr: more has been written than is on the disk */
	uint64_t count_left, file_left,
		total_left;      /* what collecting may still store: files, bytes */
	uint64_t artifact_bytes; /* of one file at most */
	struct buf names;        /* paths of stored artifacts, each ended by NUL */
	struct buf inputs;       /* the same, of inputs */
	struct buf skipped;      /* the same, of those that were not stored */
	struct buf hidden;       /* the same, of those that no reply names */
	/* not owned: of artifacts that are wanted, ended by NULL (fnmatch(3)); NULL: all */
	const char *const *patterns;
	bool takes_absolute;      /* artifacts may have absolute paths; else those are skipped */
	const char *storage_path; /* for messages */
};

/* Sets 500 "storage_full" or, with errno, "storage_failed". -1. */
int storage_failed(const char *path, struct error *err, const char *doing);

/* Makes and opens a folder beneath .incoming, which the caller closes; name is written. Moves it to
   where it is seen, in place of nothing or an empty folder; or removes it, unless name is "": it
   was moved. 0, or -1 with errno. */
MUST_USE int storage_open_incoming(int root, char name[STORAGE_INCOMING_BYTES], int *out);
MUST_USE int storage_move_incoming(int root, char name[STORAGE_INCOMING_BYTES], int to,
				   const char *as);
void storage_drop_incoming(int root, char name[STORAGE_INCOMING_BYTES]);

/* Opens a new result with empty stdout and stderr. 0, or -1 with *err: 500 "storage_full",
   "storage_failed". */
MUST_USE int storage_open(const struct config *config, struct storage *out, struct error *err);

/* Opens a place for artifacts alone, in storage->folder: streams are not kept, and every name is
   free. */
MUST_USE int storage_open_files(const struct config *config, struct storage *out,
				struct error *err);

/* Stores an input. The path was checked by the caller. */
MUST_USE int storage_put_input(struct storage *storage, const char *path, struct slice data,
			       struct error *err);

/* Writes where an artifact lies in the result (rule 4). False when the path may not be: it is not
   clean, too deep or too long. */
bool storage_path(const struct storage *storage, struct slice path,
		  char out[JOB_PATH_MAX_BYTES + 1]);

/* An artifact of that path will be neither stored nor noted. */
MUST_USE int storage_hide(struct storage *storage, struct slice path, struct error *err);

/* Appends to a captured stream. */
MUST_USE int storage_append_stream(struct storage *storage, bool is_stderr, struct slice data,
				   struct error *err);

/* Syncs what the streams have so far, so that storage_commit has the less to wait for. */
MUST_USE int storage_sync_streams(struct storage *storage, struct error *err);

/* Begins an artifact, then appends to it. A path that may not be (storage_path; one of the captured
   streams; taken already) or that passes a cap is noted as skipped, together with its bytes; only
   the storage itself makes an error. */
MUST_USE int storage_begin_file(struct storage *storage, struct slice path, struct error *err);
MUST_USE int storage_append_file(struct storage *storage, struct slice data, struct error *err);
MUST_USE int storage_note_skipped(struct storage *storage, struct slice path, struct error *err);

/* Would a file of that path lie where a result has its captured streams? */
bool storage_is_stream(struct slice path);

/* A new array of what was not stored, or NULL when all was. */
json_t *storage_list_skipped(const struct storage *storage);

/* Ends the artifact begun last: it is synced. storage_commit does so, too. */
MUST_USE int storage_end_file(struct storage *storage, struct error *err);

/* Makes the result visible. id receives JOB_ID_LENGTH characters and a NUL. */
MUST_USE int storage_commit(struct storage *storage, const char *session_id,
			    char id[JOB_ID_LENGTH + 1], struct error *err);

/* Writes and syncs the record of a result that is committed. One that cannot be written is not
   worth failing a request for. */
void storage_write_record(const struct storage *storage, const char *session_id, const char *id,
			  struct slice record);

/* Reads it; root is the storage folder, *data the caller's. 0, or -1. */
MUST_USE int storage_read_record(int root, const char *session_id, const char *id, char **data,
				 size_t *len);

/* Closes everything; removes the result unless it was committed. */
void storage_close(struct storage *storage);

/* Since when what was stored is kept (ARTIFACT_RETENTION_DAYS); INT64_MIN: for ever. */
time_t storage_kept_since(const struct config *config);

/* Removes entries of the folder of that name in root whose names begin with prefix and that were
   changed last before. Returns how many were removed; there are none where root is -1. */
uint64_t storage_sweep_folder(int root, const char *name, const char *prefix, time_t before);

/* The same of what crashes left in root's .incoming. */
uint64_t storage_sweep_incoming(int root);

/* False while the clock cannot be trusted with what is removed by its age: for REAP_CLOCK_DOUBT_S
   after it jumped, against the clock that no one sets, or was found more than that much further
   than when the machine was last up. Notes the time in <folder>/.clock, unless there is no such
   folder. */
bool storage_clock_is_sure(const char *folder);

/* Removes results older than the retention and what crashes left in .incoming. Only what
   storage_commit makes is a result: by its name, and by the streams in it. Returns how many were
   removed. */
uint64_t storage_sweep(const struct config *config);
