/*
 * Files of the store on their way into a container: uploads named by id, held in memory as mappings
 * until the job is over. The same for every API that takes them.
 *
 * Rules:
 *  1. A file belongs to the caller who uploaded it; for any other it does not exist
 *     (store/files.h).
 *  2. Paths are relative, of clean components, and no two can collide: they are checked before a
 *     file is opened.
 *  3. One file has at most RUN_FILE_MAX_BYTES, all of a job RUN_FILES_MAX_BYTES.
 */
#pragma once

#include "job/run.h"
#include "store/files.h"
#include "json/json.h"

#define STAGING_PREFIX_BYTES 16 /* of what is put before every path, with the NUL */
#define STAGING_FILES_MAX    (JOB_INPUT_MAX_COUNT - 8)
/* what a message says of a path that storage_is_stream */
#define STAGING_RESERVED ": stdout and stderr hold the program's output"

struct staged_file {
	struct slice id; /* of the store's; the request's bytes */
	/* the prefix and the path asked for */
	char path[STAGING_PREFIX_BYTES + JOB_PATH_MAX_BYTES];
};

struct staging {
	struct staged_file *files; /* owned: what was asked for */
	unsigned file_count;
	struct {
		void *data; /* NULL: empty */
		size_t len;
	} mappings[JOB_INPUT_MAX_COUNT]; /* owned */
	unsigned mapping_count;
	uint64_t total_bytes; /* of uploads */
};

#define _cleanup_staging_ __attribute__((cleanup(staging_free)))

/* Takes a request's list [{"id","path"}], which must outlive the staging; NULL and null are empty
   ones. prefix, such as "inputs/" or "", is put before every path. 0, or -1 with *err: 400
   "wrong_type", "too_many_files", "bad_file_path" ("invalid file path: P", and
   why where it is a good one). */
MUST_USE int staging_list(struct staging *staging, const json_t *list, const char *prefix,
			  struct error *err);

/* Opens an upload of the owner's and maps it. 0 with *out and *meta, or -1 with *err: 404
   "file_not_found"; 400 "file_too_large", "files_too_large". */
MUST_USE int staging_upload(struct staging *staging, const struct config *config, const char *owner,
			    struct slice id, struct slice *out, struct file_meta *meta,
			    struct error *err);

/* Opens everything that was listed and adds it to the job's inputs, which have room for
   JOB_INPUT_MAX_COUNT. 0, or -1 with *err: as staging_upload; 400 "bad_file_path" for a path that
   collides with an input that is there. */
MUST_USE int staging_inputs(struct staging *staging, const struct config *config, const char *owner,
			    struct job_input *inputs, unsigned *count, struct error *err);

/* Maps a whole regular file (fd, of len bytes). 0 and *out, or -1 with *err. */
MUST_USE int staging_map(struct staging *staging, int fd, uint64_t len, struct slice *out,
			 struct error *err);

void staging_free(struct staging *staging);
