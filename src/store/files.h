/*
 * The file store: uploads, and artifacts of runs, under an id.
 *
 *     <STORAGE_DIR>/.files/<id>/data         the bytes
 *     <STORAGE_DIR>/.files/<id>/meta.json    {"name","size","sha256","owner","created_at"}
 *
 * Rules:
 *  1. An entry is written under <STORAGE_DIR>/.incoming, synced, and one rename(2) makes it visible
 *     whole; it never changes again.
 *  2. A name is data: it is kept in meta.json, checked, and never becomes a path.
 *  3. An entry belongs to the key that made it. For any other key it does not exist (404).
 *  4. Entries older than the retention are swept, and with them what a crash left half-written.
 */
#pragma once

#include "auth/keys.h"
#include "base/sha256.h"
#include "bounds.h"
#include "config/config.h"
#include "store/storage.h"

#define FILES_FOLDER   ".files"
#define FILE_ID_PREFIX "file_"
#define FILE_ID_BYTES  (sizeof(FILE_ID_PREFIX) + FILE_ID_LENGTH) /* with the NUL */

struct file_meta {
	char id[FILE_ID_BYTES];
	char name[JOB_NAME_MAX_BYTES + 1]; /* UTF-8, one path component, no control bytes */
	char sha256[SHA256_HEX_BYTES];
	uint64_t size_bytes;
	char owner[KEY_ID_BYTES]; /* a key's id, or CALLER_LOOPBACK */
	int64_t created_s;        /* on the real clock */
};

/* An entry being written. */
struct file_writer {
	int folder, data; /* owned; -1 when closed */
	int root;         /* owned: STORAGE_DIR */
	char incoming_name[STORAGE_INCOMING_BYTES];
	struct sha256 hash;
	uint64_t size_bytes, max_bytes;
	const char *storage_path; /* for messages */
};

/* True for "file_" and FILE_ID_LENGTH of A-Za-z0-9. */
bool files_is_id(struct slice text);

/* True for what may be an entry's name: UTF-8, 1 to JOB_NAME_MAX_BYTES bytes, a path component. */
bool files_is_name(struct slice name);

/* Writing: begin, any number of append, then commit or abandon (which after a commit does nothing,
   so call it in any case). append: 413 "file_too_large" past max_bytes. All: 500 "storage_full",
   "storage_failed". commit fills *out; name as files_is_name, owner a caller's id. */
MUST_USE int files_begin(const struct config *config, uint64_t max_bytes, struct file_writer *out,
			 struct error *err);
MUST_USE int files_append(struct file_writer *writer, struct slice data, struct error *err);
MUST_USE int files_commit(struct file_writer *writer, const char *owner, struct slice name,
			  struct file_meta *out, struct error *err);
void files_abandon(struct file_writer *writer);

/* Makes an entry of a file that lies beneath folder, such as a run's artifact: it is hashed, then
   moved by rename(2), so it is gone from there (copied when STORAGE_DIR is another file system;
   then it stays). The file must be regular, synced, and no longer written. */
MUST_USE int files_publish(const struct config *config, const char *owner, int folder,
			   const char *path, struct slice name, struct file_meta *out,
			   struct error *err);

/* Opens an entry for reading. owner: the caller's id; NULL for a request with a signature. *fd is
   the caller's to close. 0, or -1 with *err: 404 "file_not_found" (message "uploaded file not
   found"), also for what is no id and for another's. */
MUST_USE int files_open(const struct config *config, const char *owner, struct slice id, int *fd,
			struct file_meta *out, struct error *err);

/* Removes entries older than the retention, and what crashes left. Returns how many. */
uint64_t files_sweep(const struct config *config);
