/*
 * The cache of the tools API (job/result_cache.h): an entry says which result will do,
 * "<sessionId>/<id>". What it left is copied into a result of its own, under the session that asks,
 * so that every result stands for itself.
 */
#include "api/tools/internal.h"

#include "base/cleanup.h"
#include "base/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define PIECE_BYTES (64 * KIB)

static const char *api_of(const struct tool_run *run)
{
	return run->is_run ? "run" : run->tool.name;
}

/* Copies a file of the earlier result to where take puts its pieces. 0, or -1. */
static int copy(int result, const char *name, struct storage *storage,
		int (*take)(struct storage *storage, struct slice data, struct error *err))
{
	_cleanup_close_ int fd = fs_open_beneath(result, name, O_RDONLY | O_NOFOLLOW, 0);
	char data[PIECE_BYTES];
	struct error ignored;
	ssize_t got = fd < 0 ? -1 : 1;

	while (got > 0) {
		got = read(fd, data, sizeof(data));
		if (got > 0 && take(storage, (struct slice){data, (size_t)got}, &ignored) < 0)
			return -1;
	}
	return (int)got;
}

static int take_stdout(struct storage *storage, struct slice data, struct error *err)
{
	return storage_append_stream(storage, false, data, err);
}

static int take_stderr(struct storage *storage, struct slice data, struct error *err)
{
	return storage_append_stream(storage, true, data, err);
}

/* A name that is not the file's own, because that is not UTF-8, opens nothing: then there is no
   cached result. */
static int copy_all(int result, const json_t *reply, struct storage *storage)
{
	const json_t *outputs = json_object_get(json_object_get(reply, "artifacts"), "outputs");
	char path[JOB_PATH_MAX_BYTES + 1];
	struct error ignored;
	const char *name;
	json_t *url;

	if (copy(result, "stdout", storage, take_stdout) < 0 ||
	    copy(result, "stderr", storage, take_stderr) < 0)
		return -1;
	json_object_foreach ((json_t *)outputs, name, url) {
		if (strcmp(name, "stdout") == 0 || strcmp(name, "stderr") == 0)
			continue;
		if (!storage_path(storage, slice_of(name), path) ||
		    storage_begin_file(storage, slice_of(name), &ignored) < 0 ||
		    copy(result, path, storage, storage_append_file) < 0 ||
		    storage_end_file(storage, &ignored) < 0)
			return -1;
	}
	return storage->skipped.len ? -1 : 0;
}

/* Takes the result that an entry leads to. NULL when it does not any more. */
static json_t *take_result(struct tool_run *run, char *entry)
{
	struct storage *storage = &run->execution.storage;
	char *id = strrchr(entry, '/'), path[CACHE_ENTRY_MAX_BYTES + sizeof("/job-")];
	_cleanup_free_ char *text = NULL;
	json_t *reply = NULL;
	struct error ignored;
	size_t len;

	if (!id)
		return NULL;
	*id++ = '\0';
	(void)snprintf(path, sizeof(path), "%s/job-%s", entry, id);

	_cleanup_close_ int result =
		fs_open_beneath(storage->root, path, O_RDONLY | O_DIRECTORY, 0);

	if (result < 0 || storage_read_record(storage->root, entry, id, &text, &len) < 0 ||
	    json_parse_with_nul((struct slice){text, len}, &reply, &ignored) < 0)
		return NULL;
	if (execution_store_inputs(&run->execution, &ignored) == 0 &&
	    copy_all(result, reply, storage) == 0) {
		(void)json_object_set_new(reply, "cached", json_true());
		return reply;
	}
	json_decref(reply);
	return NULL;
}

int tools_find_cached(struct tool_run *run, json_t **reply, struct error *err)
{
	const struct call *call = run->call;
	char entry[CACHE_ENTRY_MAX_BYTES + 1];
	struct error ignored; /* what is wrong with the job, running it will say */

	if (!json_is_true(json_object_get(run->agent, "cache")) || !call->config->cache_bytes)
		return 0;
	if (cache_key(call->config, call->caller.id, api_of(run), &run->job, run->cache_key,
		      &ignored) < 0) {
		run->cache_key[0] = '\0';
		return 0;
	}
	if (!cache_get(call->config, run->cache_key, entry))
		return 0;
	if (execution_open(&run->execution, err) < 0)
		return -1;
	*reply = take_result(run, entry);
	if (*reply)
		run->cache_key[0] = '\0'; /* it is there already */
	else
		cache_drop(call->config, run->cache_key);
	return *reply != NULL;
}

void tools_keep_cached(const struct tool_run *run, const char *id)
{
	char entry[CACHE_ENTRY_MAX_BYTES + 1];

	if (!*run->cache_key || !cache_may_keep(&run->execution.result))
		return;
	(void)snprintf(entry, sizeof(entry), "%s/%s",
		       json_string_value(json_object_get(run->agent, "sessionId")), id);
	cache_put(run->call->config, run->cache_key, entry);
}
