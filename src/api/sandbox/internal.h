/* The parts of an execution between request and reply, for sandbox*.c alone. */
#ifndef MAYFLY_API_SANDBOX_PARTS_H
#define MAYFLY_API_SANDBOX_PARTS_H

#include "api/sandbox/request.h"
#include "config/language.h"
#include "job/run.h"
#include "job/tool_job.h"
#include "server/call.h"
#include "server/stream.h"
#include "store/storage.h"

/* What one program, or one cell, did. */
struct sandbox_result {
	bool is_refused; /* it was not run: error says why */
	struct job_result job;
	struct buf texts[2]; /* owned: stdout, stderr */
	bool is_cut[2];
	json_t *artifacts; /* owned: an array of entries */
	char error
		[ERROR_MESSAGE_BYTES]; /* "" when there is nothing to say beside the program's own words */
	char *failure,
		*traceback; /* owned: of a program that failed, as its kernel tells; or NULL */
};

struct sandbox_run {
	struct call *call;
	json_t *body; /* owned */
	struct slice tenant_id, scope, code, language_text;
	const char *session_id; /* of a session's cell, else NULL */
	const json_t *cells;    /* an array of texts, or NULL */
	struct template template;
	char template_name[TEMPLATE_NAME_BYTES]; /* as the engine knows it */
	uint64_t timeout_s;
	const struct sandbox_language *language; /* NULL: none that the template has */
	struct tool tool;                        /* owned */
	struct tool_job made;                    /* owned */
	json_t *values;                          /* owned: of the tool's parameters */
	struct sandbox_files files;              /* owned */
	struct job job;
	struct stream stream;   /* owned */
	struct storage storage; /* owned, once has_storage */
	bool has_storage;
	struct sandbox_result *result; /* of the cell that runs */
	unsigned display_count;
	uint64_t display_bytes;
};

/* Begins, and frees, what every execution has. */
struct sandbox_run sandbox_run_new(struct call *call);
void sandbox_run_free(struct sandbox_run *run);

struct sandbox_result sandbox_result_new(void);
void sandbox_result_free(struct sandbox_result *result);

/* Takes language and files from the body and fills the job; template is there already. A language that is not there is no error. 0, or -1 with *err. */
MUST_USE int sandbox_prepare(struct sandbox_run *run, struct error *err);

/* The same for a session that is made: the job that starts the first kernel of its template. 0, or -1 with *err: 500 "no_cells". */
MUST_USE int sandbox_prepare_kernel(struct sandbox_run *run, struct error *err);

/* Runs one program or cell with run->code and collects what it did. where: what runs a job, as executor_run. 0, or -1 with *err. */
typedef int sandbox_where(struct executor *executor, const struct job *job, struct storage *storage,
			  const struct job_listener *listener, struct job_result *out,
			  struct error *err);
MUST_USE int sandbox_run_one(struct sandbox_run *run, sandbox_where *where,
			     struct sandbox_result *out, struct error *err);

/* The exit code of a reply. */
int sandbox_exit_code(const struct sandbox_result *result);

/* {"status","exit_code","stdout","stderr","execution_time","artifacts"[,"error"]}: the six that a reply has twice. NULL when memory is out. */
json_t *sandbox_describe(const struct sandbox_result *result);

/* Hears of a rich result (struct job_listener). context: the run. */
void sandbox_display(void *context, const struct display *display);

/* Puts a rich result into the file store and sets "id", "url" and "expires_at" of its entry. */
void sandbox_publish(const struct sandbox_run *run, struct slice type, struct slice name,
		     struct slice content, json_t *entry);

/* Adds what was left in /tmp/output, and for a program that failed its error. 0, or -1 with *err. */
MUST_USE int sandbox_add_artifacts(struct sandbox_run *run, struct error *err);

#endif
