#include "job/staging.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/memory.h"

#include <stdio.h>
#include <sys/mman.h>

#define WANTED "files must be an array of {\"id\",\"path\"}, both strings"

static int bad_path(struct error *err, const char *path, const char *why)
{
	return error_set(err, 400, "bad_file_path", "invalid file path: %s%s", path, why);
}

/* Why a file cannot be there beside another; NULL: it can. */
static const char *clash(const char *path, struct slice other)
{
	if (slice_eq(other, path))
		return ": it is there twice";
	return fs_paths_collide(other, slice_of(path)) ? ": another file is in its way" : NULL;
}

static int take_file(struct staging *staging, const json_t *item, const char *prefix,
		     struct error *err)
{
	struct staged_file *file = &staging->files[staging->file_count];
	const json_t *id = json_object_get(item, "id"), *path = json_object_get(item, "path");
	struct slice text = json_slice(path);
	const char *why;

	if (!json_is_string(id) || !json_is_string(path))
		return error_set(err, 400, "wrong_type", WANTED);
	file->id = json_slice(id);
	if (!fs_is_relative_path(text, JOB_ARTIFACT_DEPTH_MAX - 1) ||
	    snprintf(file->path, sizeof(file->path), "%s%s", prefix, text.data) >
		    JOB_PATH_MAX_BYTES)
		return bad_path(err, text.data, "");
	if (storage_is_stream(slice_of(file->path)))
		return bad_path(err, text.data, STAGING_RESERVED);
	for (unsigned i = 0; i < staging->file_count; i++)
		if ((why = clash(file->path, slice_of(staging->files[i].path))))
			return bad_path(err, text.data, why);
	staging->file_count++;
	return 0;
}

int staging_list(struct staging *staging, const json_t *list, const char *prefix, struct error *err)
{
	const json_t *item;
	size_t i, count = json_array_size(list);

	if (list && !json_is_null(list) && !json_is_array(list))
		return error_set(err, 400, "wrong_type", WANTED);
	if (count == 0)
		return 0;
	if (count > STAGING_FILES_MAX)
		return error_set(err, 400, "too_many_files", "files has more than %d entries",
				 STAGING_FILES_MAX);
	staging->files = memory_array(count, sizeof(*staging->files));
	json_array_foreach ((json_t *)list, i, item)
		if (take_file(staging, item, prefix, err) < 0)
			return -1;
	return 0;
}

int staging_map(struct staging *staging, int fd, uint64_t len, struct slice *out, struct error *err)
{
	void *data;

	*out = SLICE_LITERAL("");
	if (len == 0)
		return 0;
	if (staging->mapping_count == JOB_INPUT_MAX_COUNT)
		return error_set(err, 400, "too_many_files", "at most %d files",
				 JOB_INPUT_MAX_COUNT);
	data = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return error_set_errno(err, 500, "storage_failed", "A stored file cannot be read");
	staging->mappings[staging->mapping_count].data = data;
	staging->mappings[staging->mapping_count++].len = len;
	*out = (struct slice){data, len};
	return 0;
}

int staging_upload(struct staging *staging, const struct config *config, const char *owner,
		   struct slice id, struct slice *out, struct file_meta *meta, struct error *err)
{
	int opened;

	if (files_open(config, owner, id, &opened, meta, err) < 0)
		return -1;

	_cleanup_close_ int fd = opened;

	staging->total_bytes += meta->size_bytes;
	if (meta->size_bytes > RUN_FILE_MAX_BYTES)
		return error_set(err, 400, "file_too_large", "file %s exceeds 10 MiB", meta->name);
	if (staging->total_bytes > RUN_FILES_MAX_BYTES)
		return error_set(err, 400, "files_too_large", "total file size exceeds 25 MiB");
	return staging_map(staging, fd, meta->size_bytes, out, err);
}

int staging_inputs(struct staging *staging, const struct config *config, const char *owner,
		   struct job_input *inputs, unsigned *count, struct error *err)
{
	unsigned before = *count;

	for (unsigned i = 0; i < staging->file_count; i++) {
		const struct staged_file *file = &staging->files[i];
		struct file_meta meta;
		struct slice data;
		const char *why;

		for (unsigned other = 0; other < before; other++)
			if ((why = clash(file->path, inputs[other].path)))
				return bad_path(err, file->path, why);
		if (*count == JOB_INPUT_MAX_COUNT)
			return error_set(err, 400, "too_many_files", "at most %d files",
					 JOB_INPUT_MAX_COUNT);
		if (staging_upload(staging, config, owner, file->id, &data, &meta, err) < 0)
			return -1;
		inputs[(*count)++] = (struct job_input){.path = slice_of(file->path), .data = data};
	}
	return 0;
}

void staging_free(struct staging *staging)
{
	for (unsigned i = 0; i < staging->mapping_count; i++)
		(void)munmap(staging->mappings[i].data, staging->mappings[i].len);
	free(staging->files);
	*staging = (struct staging){0};
}
