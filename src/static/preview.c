/*
 * Looking into results, only when DEBUG_UI is on (src/api/tools/README.md):
 *
 *   GET /artifacts/{sessionId}[/{jobId}[/{path}]]?view
 *       the page that shows a file, the files of a job or the jobs of a session
 *   GET /artifacts/{sessionId}/{jobId}?list
 *       {"files":[{"path","size"}],"cut"}, in name order
 *   GET /artifacts/{sessionId}?list
 *       {"jobs":[{"id","modified"}],"cut"}, the newest first
 *
 * Rules:
 *  1. The page is a constant; what it shows it asks for as any client would, and what a program
 *     wrote becomes text or an image, never markup.
 *  2. Lists name regular files alone, follow no link, and end at their caps.
 */
#include "static/static.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/date.h"
#include "base/fs.h"
#include "base/memory.h"
#include "bounds.h"
#include "pages/pages.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define JOB_PREFIX "job-"

/* One row of a list, and what its place goes by. */
struct row {
	json_t *value;
	const char *key;
};

static int compare_rows(const void *left, const void *right)
{
	const struct row *a = left, *b = right;

	return strcmp(a->key, b->key);
}

/* A list in the order of the field key, or against it; takes over rows. */
static json_t *sorted(json_t *rows, const char *key, bool is_reversed)
{
	size_t count = json_array_size(rows);
	struct row *order = memory_array(count + 1, sizeof(*order));
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		order[i].value = json_array_get(rows, i);
		order[i].key = json_string_value(json_object_get(order[i].value, key));
	}
	qsort(order, count, sizeof(*order), compare_rows);
	for (size_t i = 0; i < count; i++)
		(void)json_array_append(list, order[is_reversed ? count - 1 - i : i].value);
	free(order);
	json_decref(rows);
	return list;
}

struct walk {
	json_t *rows;
	unsigned left; /* entries that may still be looked at */
};

/* Adds the regular files of a folder in at, and of those beneath it. */
static void walk_folder(struct walk *walk, int at, const char *name, const char *prefix,
			unsigned depth)
{
	_cleanup_closedir_ DIR *listing = fs_list(at, name);
	char path[JOB_PATH_MAX_BYTES + 1];
	struct stat status;

	for (const char *entry; walk->left && (entry = fs_next(listing)); walk->left--) {
		if (snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "/" : "", entry) >=
			    (int)sizeof(path) ||
		    fstatat(dirfd(listing), entry, &status, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISREG(status.st_mode))
			(void)json_array_append_new(walk->rows,
						    json_pack("{s:o, s:I}", "path",
							      json_clean_string(slice_of(path)),
							      "size", (json_int_t)status.st_size));
		else if (S_ISDIR(status.st_mode) && depth < JOB_ARTIFACT_DEPTH_MAX)
			walk_folder(walk, dirfd(listing), entry, path, depth + 1);
		if (walk->left == 0)
			return;
	}
}

static json_t *list_files(int folder)
{
	struct walk walk = {json_array(), JOB_ARTIFACT_SCAN_MAX};

	walk_folder(&walk, folder, ".", "", 0);
	return json_pack("{s:o, s:b}", "files", sorted(walk.rows, "path", false), "cut",
			 walk.left == 0);
}

static json_t *list_jobs(int folder)
{
	_cleanup_closedir_ DIR *listing = fs_list(folder, ".");
	unsigned left = JOB_ARTIFACT_SCAN_MAX;
	json_t *rows = json_array();
	char modified[DATE_BYTES];
	struct stat status;

	for (const char *entry; left && (entry = fs_next(listing)); left--) {
		if (strncmp(entry, JOB_PREFIX, strlen(JOB_PREFIX)) != 0 ||
		    fstatat(dirfd(listing), entry, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(status.st_mode))
			continue;
		date_rfc3339(timespec_ms(status.st_mtim), modified);
		(void)json_array_append_new(rows, json_pack("{s:s, s:s}", "id",
							    entry + strlen(JOB_PREFIX), "modified",
							    modified));
	}
	return json_pack("{s:o, s:b}", "jobs", sorted(rows, "modified", true), "cut", left == 0);
}

bool static_preview(struct call *call, const struct static_place *place)
{
	const struct slice query = call->connection->request.query;
	bool is_view = slice_eq(query, "view"), is_list = slice_eq(query, "list");
	bool is_file = place->path.len > 0;
	struct stat status;

	if (!call->config->debug_ui || !(is_view || (is_list && !is_file)))
		return false;

	_cleanup_close_ int found = fs_open_beneath(
		place->storage, place->beneath, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);

	if (found < 0 || fstat(found, &status) < 0 ||
	    !(is_file ? S_ISREG(status.st_mode) : S_ISDIR(status.st_mode)))
		return false;
	if (is_list)
		call_reply_json(call, 200, place->job.len ? list_files(found) : list_jobs(found));
	else
		static_page(call, SLICE_LITERAL(PAGE_VIEW));
	return true;
}
