/*
 * mayfly-reap: removes whatever a crash left behind, and what has expired. Run by a timer; harmless
 * at any time.
 *
 * Rules:
 *  1. Only what carries our instance's label and has no owner or is past its own deadline is
 *     touched: containers and their folders through the engine, half-written and old results in
 *     storage.
 *     With --all the service is over: whatever is of our instance and our run folder goes, the
 *     containers of live sessions too.
 *  2. What fails for one container is logged, and the others are removed.
 *  3. Nothing stored is removed by its age while the clock is in doubt (storage_clock_is_sure).
 *  4. Exit status: 0 done; 1 the engine could not be asked, or a container could not be removed
 *     (all else was done all the same); EX_USAGE (64); EX_CONFIG (78).
 */
#include "auth/rate_limit.h"
#include "base/confine.h"
#include "base/log.h"
#include "base/memory.h"
#include "bounds.h"
#include "job/engine_client.h"
#include "job/session.h"
#include "store/files.h"
#include "store/records.h"
#include "store/storage.h"

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#define PROGRAM "mayfly-reap"
/* what is more waits for the next run */
#define FOUND_MAX_BYTES (REAP_CONTAINERS_MAX * sizeof(struct engine_row))

struct search {
	bool takes_all;
	struct buf found; /* owned: rows, one behind the other */
};

static void collect(void *context, const struct engine_row *row)
{
	struct search *search = context;

	if ((row->is_expired || search->takes_all) &&
	    buf_append(&search->found, (const char *)row, sizeof(*row)) < 0)
		return; /* the next run will find it */
}

static void log_container(const struct engine_row *row, const struct error *err)
{
	struct log_line line;

	log_begin(&line, err ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, PROGRAM);
	log_text(&line, err ? "left" : "removed", "container");
	if (*row->job)
		log_text(&line, "job", row->job);
	log_text(&line, "container", row->folder);
	if (err)
		log_text(&line, "error", err->message);
	log_end(&line);
}

/* True when the next container will fare no better. */
static bool is_out_of_reach(const struct error *err)
{
	return err->status == 503 || err->status == 504;
}

/* Removes expired containers, or all; one that cannot be is left to the next run, and the others
   are removed. Their number is written; 0, or -1 with *err when some are left. */
static int reap_containers(struct engine *engine, bool takes_all, int64_t *removed,
			   struct error *err)
{
	struct search search = {takes_all, buf_new(FOUND_MAX_BYTES)};
	deadline_ms deadline = deadline_in(REAP_CONTAINERS_DEADLINE_MS);
	int result =
		engine_list(engine, deadline_in(ENGINE_LIST_DEADLINE_MS), collect, &search, err);
	bool goes_on = result == 0 || !is_out_of_reach(err);

	*removed = 0;
	for (size_t at = 0; goes_on && at < search.found.len; at += sizeof(struct engine_row)) {
		struct engine_row row;

		memcpy(&row, search.found.data + at, sizeof(row));
		if (engine_remove(engine, row.folder, deadline_in(ENGINE_CALL_DEADLINE_MS), err) <
		    0) {
			result = -1;
			log_container(&row, err);
			goes_on = !is_out_of_reach(err);
		} else {
			log_container(&row, NULL);
			++*removed;
		}
		goes_on = goes_on && deadline_left_ms(deadline) > 0;
	}
	buf_free(&search.found);
	return result;
}

/* Opens the way to the engine, then confines itself: from there on it can remove results and talk
   to the engine, no more. */
static int prepare(const struct config *config, struct engine *engine, uint64_t *sessions,
		   bool *is_clock_sure, struct error *err)
{
	char buckets[PATH_MAX + 16];
	const struct confine_path paths[] = {
		{config->storage, CONFINE_REMOVE},
		{config->storage_dir, CONFINE_REMOVE},
		{buckets, CONFINE_REMOVE},
		{"/proc/sys/kernel/random/boot_id", CONFINE_READ},
	};

	(void)snprintf(buckets, sizeof(buckets), "%s/buckets", config->run);

	log_open();
	if (engine_open(config, engine, err) < 0)
		return -1;
	/* locked and counted, which a confined process could not do. One whose container is removed
	   only now is found by the next run */
	*sessions = session_sweep(config, engine);
	*is_clock_sure = storage_clock_is_sure(config->storage);
	if (strcmp(config->storage, config->storage_dir) != 0)
		*is_clock_sure = storage_clock_is_sure(config->storage_dir) && *is_clock_sure;
	return confine(paths, COUNT_OF(paths), CONFINE_REAP, err);
}

int main(int argc, char **argv)
{
	struct engine engine = {.fd = -1};
	struct config config;
	uint64_t sessions = 0;
	struct error err;
	struct log_line line;
	bool takes_all = argc == 2 && strcmp(argv[1], "--all") == 0;
	int64_t containers;
	bool is_clock_sure;
	int reaped;

	if (argc != 1 && !takes_all) {
		dprintf(STDERR_FILENO, "usage: " PROGRAM " [--all]\n");
		return EX_USAGE;
	}
	memory_end_when_out(NULL);
	log_begin(&line, LOG_LEVEL_INFO, PROGRAM);
	if (config_read(&config, &err) < 0 ||
	    prepare(&config, &engine, &sessions, &is_clock_sure, &err) < 0) {
		log_text(&line, "error", err.message);
		log_end(&line);
		return EX_CONFIG;
	}
	/* first: behind its socket the engine hangs up who is silent, and from in here it cannot be
	   connected to again */
	reaped = reap_containers(&engine, takes_all, &containers, &err);
	if (is_clock_sure) {
		log_number(&line, "results", (int64_t)storage_sweep(&config));
		log_number(&line, "files", (int64_t)files_sweep(&config));
		log_number(&line, "records", (int64_t)records_sweep(&config));
	} else {
		log_text(&line, "clock", "doubted");
	}
	log_number(&line, "sessions", (int64_t)sessions);
	log_number(&line, "buckets", (int64_t)bucket_sweep(&config));
	if (reaped == 0 || containers > 0)
		log_number(&line, "containers", containers);
	if (reaped < 0)
		log_text(&line, "error", err.message);
	log_end(&line);
	engine_close(&engine);
	return reaped < 0 ? 1 : 0;
}
