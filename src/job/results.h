/*
 * Results of programs: what a kernel displays while a cell runs, files that the program leaves, and
 * why it failed. Each is put into the file store, so that it can be fetched by a link or given to
 * another job by its id.
 *
 * Rules:
 *  1. What a container says of a result is checked (base/display.h); what is not so is dropped.
 *  2. Count and size of what is displayed, and the content of files, are capped over all programs
 * of a request; how many files there are, and their sizes, by the job.
 *  3. A result that cannot be stored is told all the same, without an id.
 */
#pragma once

#include "base/display.h"
#include "job/execution.h"

/* One of them, for as long as it is told. */
struct result {
	struct slice type, name, content;
	uint64_t size_bytes;
	bool has_content; /* false: a file too large to show */
	bool is_text;     /* content is text; else bytes */
	struct slice
		source;   /* what displayed it, such as "matplotlib"; "file": the program left it */
	uint64_t cell;    /* of what was displayed: in its kernel, from 0 */
	const char *path; /* of a file: relative to the working directory, or absolute; else NULL */
	const char *file_id; /* in the store, or NULL: code says why */
	const char *code;
};

struct results {
	/* the caller's */
	const struct config *config;
	const char *owner; /* of their files in the store: a caller's id */
	void (*on_result)(void *context, const struct result *result);
	void *context;

	unsigned count; /* displayed so far, against rule 2 */
	uint64_t bytes;
	char *failure,
		*traceback; /* owned: what the kernel says of a program that failed, or NULL */
};

void results_free(struct results *results);

/* Forgets how the last program failed: another one is run. */
void results_next(struct results *results);

/* Takes what a kernel displays: an execution's on_display. results: a struct results. */
void results_display(void *results, const struct display *display);

/* Takes the files that were stored of a program that has ended: they are gone from the storage
   then. 0, or -1 with *err: as storage_end_file. */
MUST_USE int results_collect(struct results *results, struct storage *storage, struct error *err);

struct result_failure {
	struct slice message, traceback; /* of results, of the execution, or of own */
	char own[32];
};

/* Says why a program failed: as its execution's ending says it, else its kernel, else by the last
   line that it wrote to stderr. False when it did not fail. */
bool results_failure(const struct results *results, const struct execution *execution,
		     struct result_failure *out);
