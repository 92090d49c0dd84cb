/*
 * POST /v1/files (src/api/runs/README.md): the part "file" of a multipart form, piece by piece from
 * the connection to the disk; in memory there is one piece and one header.
 *
 * Rules:
 *  1. Exactly one part is called "file" and has a filename. Other parts are read and dropped.
 *  2. The name that is kept is the last component of what the client says, with either kind of
 *     slash; it is data and opens nothing.
 *  3. Nothing is visible before the form has ended as it should.
 */
#include "api/runs/upload.h"

#include "http/multipart.h"
#include "store/files.h"

#include <stdio.h>

#define PART_NAME "file"

struct upload {
	const struct config *config;
	struct file_writer writer;
	char name[JOB_NAME_MAX_BYTES];
	size_t name_len;
	bool has_file;   /* the part was there */
	bool is_in_file; /* its content is what comes now */
};

static int required(struct error *err)
{
	return error_set(err, 400, "file_required", "file is required");
}

/* The name without folders, whatever the system it comes from. */
static struct slice last_component(struct slice path)
{
	for (size_t i = path.len; i > 0; i--)
		if (path.data[i - 1] == '/' || path.data[i - 1] == '\\')
			return (struct slice){path.data + i, path.len - i};
	return path;
}

static int begin_part(void *context, const struct multipart_part *part, struct error *err)
{
	struct upload *upload = context;
	struct slice name = last_component(part->filename);

	if (!slice_eq(part->name, PART_NAME))
		return 0;
	if (upload->has_file)
		return error_set(err, 400, "file_doubled", "only one file is taken at a time");
	if (!part->has_filename || part->filename.len == 0)
		return required(err);
	if (!files_is_name(name))
		return error_set(err, 400, "file_name",
				 "the file's name must be 1 to %d bytes of UTF-8, without control "
				 "characters, and neither . nor ..",
				 JOB_NAME_MAX_BYTES);
	if (files_begin(upload->config, UPLOAD_MAX_BYTES, &upload->writer, err) < 0)
		return -1;
	memcpy(upload->name, name.data, name.len);
	upload->name_len = name.len;
	upload->has_file = upload->is_in_file = true;
	return 0;
}

static int take_data(void *context, struct slice data, struct error *err)
{
	struct upload *upload = context;

	return upload->is_in_file ? files_append(&upload->writer, data, err) : 0;
}

static int end_part(void *context, struct error *err)
{
	struct upload *upload = context;

	(void)err;
	upload->is_in_file = false;
	return 0;
}

/* The whole body through the parser. */
static int read_form(struct call *call, struct multipart *parser, struct upload *upload,
		     struct error *err)
{
	const struct multipart_events events = {begin_part, take_data, end_part, upload};
	struct http_body_reader reader = {0};
	char piece[HTTP_BODY_READ_BYTES];
	ssize_t len;

	call->body_is_unread = true;
	if (http_body_begin(call->connection, UPLOAD_FORM_MAX_BYTES,
			    deadline_in(HTTP_BODY_DEADLINE_MS), &reader, err) < 0)
		return -1;
	while ((len = http_body_read(&reader, piece, sizeof(piece), err)) > 0)
		if (multipart_feed(parser, (struct slice){piece, (size_t)len}, &events, err) < 0)
			return -1;
	if (len < 0)
		return -1;
	call->body_is_unread = false;
	return multipart_end(parser, err);
}

/* One limit for the client: a form that is too long is so for its file. */
static int too_large(struct error *err)
{
	return error_set(err, 413, "file_too_large", "file exceeds %llu MiB",
			 UPLOAD_MAX_BYTES / MIB);
}

static int upload_file(struct call *call, struct upload *upload, struct file_meta *out,
		       struct error *err)
{
	const struct slice *type = http_field(&call->connection->request, "Content-Type");
	struct multipart parser;

	if (!type || multipart_begin(*type, &parser, err) < 0) {
		call->body_is_unread = true;
		return type && strcmp(err->code, "multipart_required") != 0 ? -1 : required(err);
	}
	if (read_form(call, &parser, upload, err) < 0)
		return err->status == 413 ? too_large(err) : -1;
	if (!upload->has_file)
		return required(err);
	return files_commit(&upload->writer, call->caller.id,
			    (struct slice){upload->name, upload->name_len}, out, err);
}

void api_upload(struct call *call)
{
	struct upload upload = {.config = call->config,
				.writer = {.root = -1, .folder = -1, .data = -1}};
	struct file_meta meta = {0};
	struct error err = {0};
	int done = upload_file(call, &upload, &meta, &err);

	files_abandon(&upload.writer);
	if (done < 0) {
		call_refuse(call, &err);
		return;
	}
	executor_name(&call->executor, meta.id);
	call_reply_json(call, 200,
			json_pack("{s:s, s:s, s:I, s:s}", "id", meta.id, "name", meta.name, "size",
				  (json_int_t)meta.size_bytes, "sha256", meta.sha256));
}
