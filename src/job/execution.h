/*
 * One run of a job, the same for every API: its output is kept within caps and told to an observer,
 * its end is said in words, its files are kept. It knows no HTTP and no API's JSON.
 *
 * Rules:
 *  1. At a cap what fits is kept, cut at a character, and marked. A cut is the end: nothing is
 *     added behind it.
 *  2. Room for the words of the ending is reserved: they are there however full the stream is.
 *  3. The observer hears all of the output, also what is not kept.
 */
#pragma once

#include "base/buf.h"
#include "job/executor.h"

/* The text that is kept of one stream. */
struct capture {
	struct buf text; /* owned */
	size_t limit;    /* bytes of the program's own */
	size_t said;     /* bytes at its end that are ours */
	bool is_cut;     /* there was more */
};

/* An empty one. limit in bytes; what we say ourselves comes on top. */
struct capture capture_new(size_t limit);
void capture_free(struct capture *capture);

/* Rule 1. */
void capture_add(struct capture *capture, struct slice data);

/* Marks that the stream was cut where it ends now. */
void capture_cut(struct capture *capture);

/* Adds words of ours (rule 2). */
void capture_say(struct capture *capture, struct slice words);

/* Adds what another one kept, as if both were of one stream. */
void capture_join(struct capture *capture, const struct capture *more);

/* What is told of a job while it runs. Each function may be NULL. */
struct execution_observer {
	void *context;
	void (*on_output)(void *context, bool is_stderr, struct slice data);
	/* before our own words come: the program says no more. is_cut: it had more to say */
	void (*on_output_end)(void *context, bool is_stderr, bool is_cut);
	/* when the program starts, then whenever nothing was heard for tick_ms, and whenever the
	   client takes what the executor's watch has more of */
	void (*on_tick)(void *context);
	int64_t tick_ms;
};

/* Whose words say how a job ended: a row of the table in execution.c. */
enum execution_words {
	WORDS_NONE,
	WORDS_TOOLS,
	WORDS_RUNS,
	WORDS_SANDBOX,
	WORDS_AGENTS,
	WORDS_CHECKS,
	WORDS_COUNT,
};

struct execution {
	struct executor *executor;
	const struct job *job;
	enum execution_words words;
	const char *timeout_text; /* of the tool, with WORDS_TOOLS */
	uint64_t timeout_s; /* for the words, where the job has only what is left of it; or 0 */
	bool is_again;      /* it runs in the container of the last job, whose init waits for it */
	bool is_shared;     /* captures[0] has both streams, in the order in which they came */
	bool is_result;     /* streams and inputs are stored, too, for storage_commit */
	struct execution_observer observer;
	/* or NULL: a rich result */
	void (*on_display)(void *context, const struct display *display);
	void *display_context;
	struct storage storage; /* owned, once has_storage */
	bool has_storage, has_inputs;
	bool was_sent; /* the job was sent to its container: the program may have run */
	struct capture captures[2];          /* owned: stdout, stderr */
	struct job_result result;            /* once it has run */
	char ending[EXECUTION_ENDING_BYTES]; /* why it ended, in words; "": by itself */
};

/* One that keeps limit bytes of each stream, without an observer. */
struct execution execution_new(struct executor *executor, const struct job *job,
			       enum execution_words words, size_t limit);
void execution_free(struct execution *execution);

/* Runs the job. 0 for every program that was started or could not be, or -1 with *err: as
   executor_run, storage_open. */
MUST_USE int execution_run(struct execution *execution, struct error *err);

/* The steps of it, for what takes a job's place. execution_open opens a new storage with the job's
   caps, in place of one that is open. execution_output takes output as a program's. execution_end
   takes execution->result as how the program ended: it cuts and marks what the result says is cut,
   and says the ending. */
MUST_USE int execution_open(struct execution *execution, struct error *err);
MUST_USE int execution_store_inputs(struct execution *execution, struct error *err);
void execution_output(struct execution *execution, bool is_stderr, struct slice data);
MUST_USE int execution_end(struct execution *execution, struct error *err);
