/*
 * What is done in sessions: they are made, run cells, hold files, end. The same for every API.
 *
 * Rules:
 *  1. A session is given with its lock held (session_take); the lock is given back before the
 *     function returns, so that the client's next request finds it free.
 *  2. A container that has ended takes its session along. To its owner that is as if the session
 *     had expired, and as if it never was: 404 "session_not_found".
 *  3. What comes of a cell belongs to the caller that asked for it, whatever the session's kernel
 *     does meanwhile.
 *  4. All of this is noted for the metrics in the executor.
 */
#pragma once

#include "config/template.h"
#include "job/execution.h"
#include "job/session.h"

/* Makes a session, whose owner, tenant_id, scope and ttl_s are set, in a container of a template:
   a pooled one where the first kernel of the template waits. Sessions that have expired make room.
   0, or -1 with *err: as session_reserve, executor_keep; 500 "no_cells", "bad_tool". */
MUST_USE int session_create(struct executor *executor, const struct template *template,
			    struct session *session, struct error *err);

/* Runs the job, which execution has too, in the session's container; NULL: none, which is a use of
   the session all the same. As execution_run; and 404 "session_not_found" (rule 2). */
MUST_USE int session_run(struct session *session, struct job *job, struct execution *execution,
			 struct error *err);

/* Calls row for every file in the session's workspace; path is relative to it, mtime_ms since 1970.
   0, or -1 with *err: 404 "session_not_found". */
MUST_USE int session_list_files(struct executor *executor, struct session *session,
				void (*row)(void *context, struct slice path, uint64_t size_bytes,
					    int64_t mtime_ms),
				void *context, struct error *err);

/* Reads a file of at most SESSION_FILE_MAX_BYTES into memory that the caller frees. 0, or -1
   with *err: 404 "session_not_found", "file_not_found"; 400 "file_too_large", "files_refused". */
MUST_USE int session_read_file(struct executor *executor, struct session *session, const char *path,
			       char **data, size_t *len, struct error *err);

/* Writes files, in the place of those that are there. 0, or -1 with *err: 404 "session_not_found";
   400 "files_refused". */
MUST_USE int session_write_files(struct executor *executor, struct session *session,
				 const struct job_input *files, unsigned count, struct error *err);

/* Removes a file. 0, or -1 with *err: 404 "session_not_found", "file_not_found". */
MUST_USE int session_remove_file(struct executor *executor, struct session *session,
				 const char *path, struct error *err);

/* Ends a requester's session, whatever runs in it. 0 with its id in *out, or -1 with *err: 404
   "session_not_found". */
MUST_USE int session_destroy(struct executor *executor, struct slice id,
			     const struct session_requester *requester, struct session *out,
			     struct error *err);
