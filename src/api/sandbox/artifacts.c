/*
 * Rich results: {"type","name","content","metadata"} (src/api/sandbox/README.md).
 *
 * Rules:
 *  1. What a container says of a result is checked (base/display.h); what is not so is dropped.
 *  2. Count and size are capped. Content that is text by its type is text, anything else base64; metadata.encoding says which.
 */
#include "api/sandbox/internal.h"

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "http/media_types.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* The content as rule 2 has it; NULL when memory is out. */
static json_t *encode(struct slice type, struct slice content)
{
	_cleanup_buf_ struct buf text = buf_new(content.len * 2 + 4);

	if (is_text(type))
		return json_clean_string(content);
	return base64_encode(&text, content) < 0 ? NULL : json_stringn(text.data, text.len);
}

/* Room for one more of this size? */
static bool has_room(struct sandbox_run *run, struct slice content)
{
	if (run->display_count >= SANDBOX_DISPLAY_MAX_COUNT ||
	    content.len > SANDBOX_DISPLAYS_MAX_BYTES - run->display_bytes)
		return false;
	run->display_count++;
	run->display_bytes += content.len;
	return true;
}

/* metadata is taken over. */
static void add_entry(struct sandbox_run *run, struct slice type, struct slice name,
		      struct slice content, json_t *metadata)
{
	json_t *entry;

	if (!has_room(run, content)) {
		json_decref(metadata);
		return;
	}
	if (json_object_set_new(metadata, "encoding",
				json_string(is_text(type) ? "utf-8" : "base64")) < 0 ||
	    json_object_set_new(metadata, "size", json_integer((json_int_t)content.len)) < 0)
		run->call->code = "out_of_memory";
	entry = json_pack("{s:s%, s:o, s:o, s:o}", "type", type.data, type.len, "name",
			  json_clean_string(name), "content", encode(type, content), "metadata",
			  metadata);
	if (entry)
		sandbox_publish(run, type, name, content, entry);
	if (!entry || json_array_append(run->result->artifacts, entry) < 0)
		run->call->code = "out_of_memory";
	stream_event(&run->stream, "artifact", entry);
}

void sandbox_display(void *context, const struct display *display)
{
	struct sandbox_run *run = context;
	struct sandbox_result *result = run->result;
	json_t *metadata;

	if (slice_eq(display->type, DISPLAY_ERROR_TYPE)) {
		if (!result->failure)
			result->failure = memory_text(display->message.data, display->message.len);
		if (!result->traceback)
			result->traceback =
				memory_text(display->content.data, display->content.len);
		return;
	}
	metadata = json_pack("{s:s%, s:I}", "source", display->source.data, display->source.len,
			     "cell", (json_int_t)display->index);
	if (slice_eq(display->source, "plotly") &&
	    json_object_set_new(metadata, "library", json_string("plotly")) < 0)
		run->call->code = "out_of_memory";
	add_entry(run, display->type, display->name, display->content, metadata);
}

/* --- files ------------------------------------------------------------------------------------------ */

/* An image that was left in the output folder. */
static void add_file(struct sandbox_run *run, const char *path)
{
	const char *type = static_type_of(slice_of(path)).name;
	_cleanup_close_ int fd =
		fs_open_beneath(run->storage.folder, path, O_RDONLY | O_NOFOLLOW, 0);
	_cleanup_free_ char *data = NULL;
	size_t len;

	if (strncmp(type, "image/", strlen("image/")) != 0 || fd < 0 ||
	    io_read_file(fd, SANDBOX_DISPLAYS_MAX_BYTES, &data, &len) < 0)
		return;
	add_entry(run, slice_of(type), slice_of(path), (struct slice){data, len},
		  json_pack("{s:s, s:o}", "source", "file", "path",
			    json_clean_string(slice_of(path))));
}

/* --- failures --------------------------------------------------------------------------------------- */

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

/* One entry says why a program failed: in its kernel's words, else by what it wrote itself. */
static int add_failure(struct sandbox_run *run, struct error *err)
{
	struct sandbox_result *result = run->result;
	struct slice said = buf_slice(&result->texts[1]);
	char ending[64];

	(void)snprintf(ending, sizeof(ending), "Exited with code %d", sandbox_exit_code(result));

	struct slice message = *result->error    ? slice_of(result->error)
			       : result->failure ? slice_of(result->failure)
			       : said.len        ? last_line(said)
						 : slice_of(ending);
	struct slice traceback = result->traceback ? slice_of(result->traceback) : said;
	json_t *entry;

	if (sandbox_exit_code(result) == 0)
		return 0;
	entry = json_pack("{s:s, s:s, s:o, s:{s:o, s:o}}", "type", "error", "name", "error",
			  "content", json_clean_string(message), "metadata", "message",
			  json_clean_string(message), "traceback", json_clean_string(traceback));
	return json_array_append_new(result->artifacts, entry) < 0
		       ? error_set(err, 500, "out_of_memory", "no memory for the result")
		       : 0;
}

int sandbox_add_artifacts(struct sandbox_run *run, struct error *err)
{
	const struct buf *names = &run->storage.names;

	if (storage_end_file(&run->storage, err) < 0)
		return -1;
	for (size_t at = 0; at < names->len; at += strlen(names->data + at) + 1)
		add_file(run, names->data + at);
	return add_failure(run, err);
}
