/* The files of a session: listed, fetched, put, removed (routes in sandbox.h). */
#include "api/sandbox/internal.h"
#include "api/sandbox/sandbox.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "http/media_types.h"
#include "http/uri.h"

#include <string.h>

#define FILES     "/files"
#define BYTE_TYPE "application/octet-stream"
#define METHODS   "GET, HEAD, POST, PUT, DELETE"

/* What the request's path names. */
struct place {
	struct slice id;
	struct slice encoded; /* what follows "/files/", with has_path */
	bool has_path;
};

/* /sessions/{id}/files or /sessions/{id}/files/{path} */
static int split(struct slice rest, struct place *out, struct error *err)
{
	const char *slash = memchr(rest.data, '/', rest.len);

	out->id = (struct slice){rest.data, slash ? (size_t)(slash - rest.data) : rest.len};
	slice_skip(&rest, out->id.len);
	if (!slice_starts(rest, FILES) ||
	    (rest.len > strlen(FILES) && rest.data[strlen(FILES)] != '/'))
		return error_set(err, 404, "no_route", "Route not found: sessions have files");
	out->has_path = rest.len > strlen(FILES "/");
	if (out->has_path)
		out->encoded =
			(struct slice){rest.data + strlen(FILES "/"), rest.len - strlen(FILES "/")};
	return 0;
}

/* What a file is called. */
static int take_path(const struct place *place, char path[SANDBOX_PATH_BYTES], struct error *err)
{
	_cleanup_buf_ struct buf decoded = buf_new(URI_PATH_MAX_BYTES);

	if (uri_decode(place->encoded, &decoded, err) < 0)
		return strcmp(err->code, "nul_in_path") == 0
			       ? error_set(err, 400, "path_nul", "Path contains null bytes")
			       : -1;
	return sandbox_session_path(buf_slice(&decoded), path, err);
}

static int take_session(struct call *call, const struct place *place, struct session *out,
			struct error *err)
{
	_cleanup_buf_ struct buf tenant_id = buf_new(SANDBOX_NAME_MAX_BYTES);

	if (sandbox_query_tenant(call->connection->request.query, &tenant_id, err) < 0)
		return -1;

	const struct session_requester requester = sandbox_requester(call, buf_slice(&tenant_id));

	return session_take(call->config, place->id, &requester, &call->executor.watch, out, err);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void add_row(void *context, struct slice path, uint64_t size_bytes, int64_t mtime_ms)
{
	(void)json_array_append_new(context,
				    json_pack("{s:o, s:I, s:f}", "path", json_clean_string(path),
					      "size", (json_int_t)size_bytes, "modified",
					      (double)mtime_ms / MS_PER_S));
}

static int reply_list(struct call *call, struct session *session, struct error *err)
{
	_cleanup_json_ json_t *rows = json_array();

	if (session_list_files(&call->executor, session, add_row, rows, err) < 0)
		return -1;
	call_reply_json(call, 200, json_pack("{s:s, s:O}", "status", "success", "files", rows));
	return 0;
}

static int reply_file(struct call *call, const struct place *place, struct session *session,
		      struct error *err)
{
	_cleanup_buf_ struct buf disposition = buf_new(HTTP_REPLY_HEAD_MAX_BYTES / 2);
	_cleanup_free_ char *data = NULL;
	char path[SANDBOX_PATH_BYTES];
	const char *slash;
	size_t len;

	if (take_path(place, path, err) < 0 ||
	    session_read_file(&call->executor, session, path, &data, &len, err) < 0)
		return -1;
	slash = strrchr(path, '/');
	if (static_disposition(&disposition, STATIC_SAVED, slice_of(slash ? slash + 1 : path)) < 0)
		return error_set(err, 500, "reply_failed", "Cannot make the reply");
	call->disposition = disposition.data;
	call_reply(call, 200, BYTE_TYPE, (struct slice){data, len});
	call->disposition = NULL;
	return 0;
}

void api_session_files_read(struct call *call)
{
	_cleanup_session_ struct session session = {.lock = -1};
	struct place place = {0};
	struct error err = {0};

	if (split(call->rest, &place, &err) < 0 || take_session(call, &place, &session, &err) < 0 ||
	    (place.has_path ? reply_file(call, &place, &session, &err)
			    : reply_list(call, &session, &err)) < 0)
		call_refuse(call, &err);
}

/* --- writing ---------------------------------------------------------------------------------- */

/* PUT: the body is the file. */
static int take_body(const struct call *call, const struct place *place, char *path,
		     struct sandbox_files *files, struct error *err)
{
	if (take_path(place, path, err) < 0 ||
	    sandbox_add_size(call->body.len, SESSION_FILE_MAX_BYTES, &files->total_bytes, err) < 0)
		return -1;
	files->inputs[files->count++] = (struct job_input){slice_of(path), buf_slice(&call->body)};
	return 0;
}

/* POST: {"files":{path: content}}. */
static int take_files(const struct call *call, json_t **body, struct sandbox_files *files,
		      struct error *err)
{
	static const char *const required[] = {"files", NULL};
	struct sandbox_request ignored;

	if (sandbox_parse(buf_slice(&call->body), body, err) < 0 ||
	    sandbox_take(*body, required, &ignored, err) < 0)
		return -1;
	return sandbox_take_files(call->config, call->caller.id, json_object_get(*body, "files"),
				  files, err);
}

static void reply_written(struct call *call, const struct sandbox_files *files)
{
	json_t *rows = json_array();

	for (unsigned i = 0; i < files->count; i++)
		(void)json_array_append_new(rows, json_pack("{s:s, s:I}", "path",
							    files->inputs[i].path.data, "size",
							    (json_int_t)files->inputs[i].data.len));
	call_reply_json(call, 200, json_pack("{s:s, s:o}", "status", "success", "files", rows));
}

static int write_files(struct call *call, struct sandbox_files *files, struct error *err)
{
	_cleanup_session_ struct session session = {.lock = -1};
	_cleanup_json_ json_t *body = NULL;
	bool is_put = call->connection->request.method == HTTP_PUT;
	char path[SANDBOX_PATH_BYTES];
	struct place place = {0};

	if (split(call->rest, &place, err) < 0)
		return -1;
	if (is_put != place.has_path)
		return error_set(err, 405, "method_not_allowed",
				 "PUT takes a file's path, POST takes none");
	if ((is_put ? take_body(call, &place, path, files, err)
		    : take_files(call, &body, files, err)) < 0 ||
	    take_session(call, &place, &session, err) < 0 ||
	    session_write_files(&call->executor, &session, files->inputs, files->count, err) < 0)
		return -1;
	reply_written(call, files);
	return 0;
}

void api_session_files_write(struct call *call)
{
	struct sandbox_files files = {.is_session = true};
	struct error err;

	call->allow = METHODS;
	if (write_files(call, &files, &err) < 0)
		call_refuse(call, &err);
	sandbox_files_free(&files);
}

/* --- removing --------------------------------------------------------------------------------- */

static int remove_file(struct call *call, char path[SANDBOX_PATH_BYTES], struct error *err)
{
	_cleanup_session_ struct session session = {.lock = -1};
	struct place place = {0};

	if (split(call->rest, &place, err) < 0)
		return -1;
	if (!place.has_path)
		return error_set(err, 405, "method_not_allowed", "DELETE takes a file's path");
	if (take_path(&place, path, err) < 0 || take_session(call, &place, &session, err) < 0)
		return -1;
	return session_remove_file(&call->executor, &session, path, err);
}

void api_session_files_remove(struct call *call)
{
	char path[SANDBOX_PATH_BYTES];
	struct error err;

	call->allow = METHODS;
	if (remove_file(call, path, &err) < 0) {
		call_refuse(call, &err);
		return;
	}
	call_reply_json(call, 200,
			json_pack("{s:s, s:o}", "status", "success", "message",
				  json_sprintf("File %s removed", path)));
}
