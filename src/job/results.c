#include "job/results.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "http/media_types.h"
#include "job/program.h"
#include "store/files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What a file of a type is called, where its name does not say so. */
static const struct {
	const char *type, *extension;
} extensions[] = {
	{"image/png", ".png"},
	{"image/jpeg", ".jpg"},
	{"image/gif", ".gif"},
	{"image/svg+xml", ".svg"},
	{"text/html", ".html"},
	{"text/latex", ".tex"},
	{"text/markdown", ".md"},
	{"application/json", ".json"},
	{"application/vnd.plotly.v1+json", ".json"},
};

static bool ends_with(struct slice text, const char *end)
{
	size_t len = strlen(end);

	return text.len >= len && memcmp(text.data + text.len - len, end, len) == 0;
}

static bool is_text(struct slice type)
{
	return slice_starts(type, "text/") || ends_with(type, "/json") ||
	       ends_with(type, "+json") || ends_with(type, "+xml") ||
	       ends_with(type, "/javascript");
}

void results_next(struct results *results)
{
	free(results->failure);
	free(results->traceback);
	results->failure = results->traceback = NULL;
}

void results_free(struct results *results)
{
	results_next(results);
}

/* --- the store -------------------------------------------------------------------------------- */

/* The last component of the name, as UTF-8, with the type's extension. */
static struct slice file_name(struct slice type, struct slice name, struct buf *out)
{
	const char *extension = "";
	const char *slash = memrchr(name.data, '/', name.len);
	size_t extension_len;

	if (slash)
		name = (struct slice){slash + 1, (size_t)(name.data + name.len - slash - 1)};
	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++)
		if (slice_eq(type, extensions[i].type))
			extension = extensions[i].extension;
	extension_len = ends_with(name, extension) ? 0 : strlen(extension);
	if (utf8_append_clean(out, name) < 0)
		out->len = 0;
	if (out->len > JOB_NAME_MAX_BYTES - extension_len)
		out->len = utf8_trim(out->data, JOB_NAME_MAX_BYTES - extension_len);
	if (buf_append(out, extension, extension_len) < 0 || !files_is_name(buf_slice(out)))
		return SLICE_LITERAL("result");
	return buf_slice(out);
}

static int store(const struct results *results, const struct result *result, struct file_meta *out,
		 struct error *err)
{
	_cleanup_buf_ struct buf clean = buf_new(4 * JOB_PATH_MAX_BYTES);
	struct slice name = file_name(result->type, result->name, &clean);
	struct file_writer writer;

	if (files_begin(results->config, RESULTS_MAX_BYTES, &writer, err) < 0)
		return -1;

	int stored = files_append(&writer, result->content, err) < 0 ||
				     files_commit(&writer, results->owner, name, out, err) < 0
			     ? -1
			     : 0;

	files_abandon(&writer);
	return stored;
}

/* --- results ---------------------------------------------------------------------------------- */

static void add(struct results *results, struct result *result)
{
	struct file_meta meta;
	struct error err;

	if (results->count >= RESULT_MAX_COUNT ||
	    result->content.len > RESULTS_MAX_BYTES - results->bytes)
		return;
	results->count++;
	results->bytes += result->content.len;
	result->size_bytes = result->content.len;
	result->has_content = true;
	result->is_text = is_text(result->type);
	if (store(results, result, &meta, &err) == 0)
		result->file_id = meta.id;
	else
		result->code = err.code;
	results->on_result(results->context, result);
}

void results_display(void *context, const struct display *display)
{
	struct results *results = context;
	struct result result = {
		.type = display->type,
		.name = display->name,
		.content = display->content,
		.source = display->source,
		.cell = display->index,
	};

	if (!slice_eq(display->type, DISPLAY_ERROR_TYPE)) {
		add(results, &result);
		return;
	}
	if (!results->failure)
		results->failure = memory_text(display->message.data, display->message.len);
	if (!results->traceback)
		results->traceback = memory_text(display->content.data, display->content.len);
}

/* The content of a file, where it is small enough to be shown. The caller frees it. */
static char *read_shown(struct results *results, int fd, uint64_t size_bytes, struct result *result)
{
	char *data;

	if (size_bytes > RESULT_FILE_SHOWN_MAX_BYTES ||
	    size_bytes > RESULTS_MAX_BYTES - results->bytes ||
	    io_read_file(fd, RESULT_FILE_SHOWN_MAX_BYTES, &data, &result->content.len) < 0)
		return NULL;
	results->bytes += result->content.len;
	result->content.data = data;
	result->has_content = true;
	result->is_text = is_text(result->type) && utf8_is_valid(result->content);
	return data;
}

/* Moves a file of the program's into the store. */
static void add_file(struct results *results, const struct storage *storage, const char *path)
{
	_cleanup_buf_ struct buf clean = buf_new(4 * JOB_PATH_MAX_BYTES);
	struct slice type = slice_of(static_type_of(slice_of(path)).name);
	struct result result = {
		.name = slice_of(path), .source = SLICE_LITERAL("file"), .path = path};
	char stored[JOB_PATH_MAX_BYTES + 1];
	struct file_meta meta;
	struct stat status;
	struct error err;

	if (!storage_path(storage, result.name, stored))
		return;
	if (slice_starts(result.name, PROGRAM_OUTPUT_FOLDER "/"))
		slice_skip(&result.name, strlen(PROGRAM_OUTPUT_FOLDER "/"));
	result.type = slice_take(&type, ';'); /* without a charset */

	_cleanup_close_ int fd = fs_open_beneath(storage->folder, stored, O_RDONLY | O_NOFOLLOW, 0);

	if (fd < 0 || fstat(fd, &status) < 0)
		return;
	result.size_bytes = (uint64_t)status.st_size;

	_cleanup_free_ char *data = read_shown(results, fd, result.size_bytes, &result);

	if (files_publish(results->config, results->owner, storage->folder, stored,
			  file_name(SLICE_LITERAL(""), result.name, &clean), &meta, &err) == 0)
		result.file_id = meta.id;
	else
		result.code = err.code;
	results->on_result(results->context, &result);
}

int results_collect(struct results *results, struct storage *storage, struct error *err)
{
	const struct buf *names = &storage->names;

	if (storage_end_file(storage, err) < 0)
		return -1;
	for (size_t at = 0; at < names->len; at += strlen(names->data + at) + 1)
		add_file(results, storage, names->data + at);
	return 0;
}

/* --- failures --------------------------------------------------------------------------------- */

/* The last line of a text that says something. */
static struct slice last_line(struct slice text)
{
	size_t start;

	while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
		text.len--;
	start = text.len;
	while (start && text.data[start - 1] != '\n')
		start--;
	return (struct slice){text.data + start, text.len - start};
}

bool results_failure(const struct results *results, const struct execution *execution,
		     struct result_failure *out)
{
	const struct slice said = buf_slice(&execution->captures[1].text);
	int exit_code = job_exit_code(&execution->result);

	(void)snprintf(out->own, sizeof(out->own), "Exited with code %d", exit_code);
	out->message = *execution->ending ? slice_of(execution->ending)
		       : results->failure ? slice_of(results->failure)
		       : said.len         ? last_line(said)
					  : slice_of(out->own);
	out->traceback = results->traceback ? slice_of(results->traceback) : said;
	return exit_code != 0;
}
