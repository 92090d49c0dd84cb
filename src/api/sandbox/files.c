/* The files of a request: as text, in base64, or uploaded before. */
#include "api/sandbox/request.h"

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/memory.h"
#include "store/files.h"

#include <stdlib.h>
#include <string.h>

static int wrong_file(struct error *err, const char *path)
{
	return error_set(err, 400, "wrong_type",
			 "File %.200s must be text, {\"content\",\"encoding\"} or {\"id\"}", path);
}

static int take_path(struct sandbox_files *files, struct slice path, struct error *err)
{
	char *out = files->paths[files->count];

	if ((files->is_session ? sandbox_session_path : sandbox_path)(path, out, err) < 0)
		return -1;
	for (unsigned i = 0; i < files->count; i++)
		if (fs_paths_collide(slice_of(files->paths[i]), slice_of(out)))
			return error_set(err, 400, "path_taken",
					 "Path collides with another file: %.200s", out);
	files->inputs[files->count].path = slice_of(out);
	return 0;
}

/* {"content": text, "encoding": "base64" | "utf-8"} */
static int take_content(struct sandbox_files *files, const json_t *value, struct error *err)
{
	const json_t *content = json_object_get(value, "content"),
		     *encoding = json_object_get(value, "encoding");
	const char *path = files->paths[files->count];
	struct slice name = encoding ? json_slice(encoding) : SLICE_LITERAL("utf-8");
	struct buf *decoded = &files->decoded[files->count];

	if (!json_is_string(content) || (encoding && !json_is_string(encoding)))
		return wrong_file(err, path);
	files->inputs[files->count].data = json_slice(content);
	if (slice_eq_nocase(name, "utf-8") || slice_eq_nocase(name, "utf8") ||
	    slice_eq_nocase(name, "text"))
		return 0;
	if (!slice_eq_nocase(name, "base64"))
		return error_set(err, 400, "bad_encoding",
				 "File %.200s: encoding must be base64 or utf-8", path);
	*decoded = buf_new(json_slice(content).len);
	if (base64_decode(decoded, json_slice(content)) < 0)
		return error_set(err, 400, "bad_base64", "File %.200s: invalid base64", path);
	files->inputs[files->count].data = buf_slice(decoded);
	return 0;
}

static int take_upload(const struct config *config, const char *owner, struct sandbox_files *files,
		       const json_t *id, struct error *err)
{
	struct file_meta meta;
	int opened;

	if (!json_is_string(id))
		return wrong_file(err, files->paths[files->count]);
	if (files_open(config, owner, json_slice(id), &opened, &meta, err) < 0)
		return -1;

	_cleanup_close_ int fd = opened;

	return staging_map(&files->uploads, fd, meta.size_bytes, &files->inputs[files->count].data,
			   err);
}

static int take_file(const struct config *config, const char *owner, struct sandbox_files *files,
		     struct slice path, const json_t *value, struct error *err)
{
	const json_t *id = json_object_get(value, "id");
	int taken = 0;

	if (files->count == JOB_INPUT_MAX_COUNT - 1) /* and the code's own */
		return error_set(err, 400, "too_many_files", "More than %d files",
				 JOB_INPUT_MAX_COUNT - 1);
	if (take_path(files, path, err) < 0)
		return -1;
	if (json_is_string(value))
		files->inputs[files->count].data = json_slice(value);
	else if (id)
		taken = take_upload(config, owner, files, id, err);
	else
		taken = take_content(files, value, err);
	if (taken < 0)
		return -1;
	return sandbox_add_size(files->inputs[files->count++].data.len,
				files->is_session ? SESSION_FILE_MAX_BYTES : SANDBOX_FILE_MAX_BYTES,
				&files->total_bytes, err);
}

int sandbox_take_files(const struct config *config, const char *owner, const json_t *given,
		       struct sandbox_files *files, struct error *err)
{
	const char *path;
	json_t *value;

	if (!sandbox_is_given(given))
		return 0;
	if (!json_is_object(given))
		return error_set(err, 400, "wrong_type",
				 "files must be an object of path and content");
	files->paths = memory_array(JOB_INPUT_MAX_COUNT, sizeof(*files->paths));
	json_object_foreach ((json_t *)given, path, value)
		if (take_file(config, owner, files, slice_of(path), value, err) < 0)
			return -1;
	return 0;
}

void sandbox_files_free(struct sandbox_files *files)
{
	for (unsigned i = 0; i < JOB_INPUT_MAX_COUNT; i++)
		buf_free(&files->decoded[i]);
	staging_free(&files->uploads);
	free(files->paths);
}
