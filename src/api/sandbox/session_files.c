/* The files of a session: listed, fetched, put (routes in sandbox.h). */
#include "api/sandbox/sandbox.h"
#include "api/sandbox/sessions.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/io.h"
#include "http/uri.h"
#include "job/defaults.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROUTE     "/sessions/"
#define FILES     "files"
#define BYTE_TYPE "application/octet-stream"
#define MS_PER_S  1000.0

struct file_visit {
	struct call *call;
	struct session session;   /* its lock is held */
	struct slice id, encoded; /* of the request's path; encoded: what follows "files/" */
	bool has_path;
	char path[SANDBOX_PATH_BYTES];
	struct job job;
	json_t *body, *listed;      /* owned */
	struct sandbox_files files; /* owned */
	struct storage storage;     /* owned, once has_storage */
	bool has_storage;
};

static void visit_free(struct file_visit *visit)
{
	session_release(&visit->session);
	sandbox_files_free(&visit->files);
	if (visit->has_storage)
		storage_close(&visit->storage);
	json_decref(visit->body);
	json_decref(visit->listed);
}

int session_query_tenant(const struct call *call, struct buf *out, struct error *err)
{
	struct slice value;

	if (!uri_query(call->connection->request.query, "tenant_id", &value))
		return 0;
	return uri_decode(value, out, err) < 0
		       ? error_set(err, 400, "bad_query", "tenant_id cannot be read")
		       : 0;
}

/* --- the request -------------------------------------------------------------------------------- */

/* /sessions/{id}/files or /sessions/{id}/files/{path} */
static int split(struct file_visit *visit, struct error *err)
{
	struct slice rest = visit->call->connection->request.path;
	const char *slash;

	rest.data += strlen(ROUTE);
	rest.len -= strlen(ROUTE);
	slash = memchr(rest.data, '/', rest.len);
	visit->id = (struct slice){rest.data, slash ? (size_t)(slash - rest.data) : rest.len};
	rest.data += visit->id.len;
	rest.len -= visit->id.len;
	if (!slice_starts(rest, "/" FILES) ||
	    (rest.len > strlen("/" FILES) && rest.data[strlen("/" FILES)] != '/'))
		return error_set(err, 404, "no_route", "Route not found: sessions have " FILES);
	visit->has_path = rest.len > strlen("/" FILES "/");
	if (visit->has_path)
		visit->encoded = (struct slice){rest.data + strlen("/" FILES "/"),
						rest.len - strlen("/" FILES "/")};
	return 0;
}

/* What a file is called. A name that is asked for may have any extension. */
static int take_path(struct file_visit *visit, bool is_read, struct error *err)
{
	_cleanup_buf_ struct buf decoded = buf_new(URI_PATH_MAX_BYTES);

	if (uri_decode(visit->encoded, &decoded, err) < 0)
		return strcmp(err->code, "nul_in_path") == 0
			       ? error_set(err, 400, "path_nul", "Path contains null bytes")
			       : -1;
	return is_read ? sandbox_path_to_read(buf_slice(&decoded), visit->path, err)
		       : sandbox_path(buf_slice(&decoded), visit->path, err);
}

static int take_session(struct file_visit *visit, struct error *err)
{
	struct call *call = visit->call;
	_cleanup_buf_ struct buf tenant_id = buf_new(SANDBOX_NAME_MAX_BYTES);

	if (session_query_tenant(call, &tenant_id, err) < 0)
		return -1;

	const struct session_requester requester =
		session_requester_of(call, buf_slice(&tenant_id));

	if (session_take(call->config, visit->id, &requester, &call->executor.watch,
			 &visit->session, err) < 0)
		return strcmp(err->code, "session_not_found") == 0
			       ? error_set(err, 404, "session_not_found",
					   "Session %.*s not found or expired",
					   (int)(visit->id.len < SANDBOX_NAME_MAX_BYTES
							 ? visit->id.len
							 : SANDBOX_NAME_MAX_BYTES),
					   visit->id.data)
			       : -1;
	job_defaults(call->config, &visit->job);
	visit->job.env_count = 0;
	visit->job.idle_s = visit->session.ttl_s;
	return 0;
}

/* --- the job ------------------------------------------------------------------------------------ */

static void take_listed(void *context, struct slice path, uint64_t size_bytes, int64_t mtime_ms)
{
	struct file_visit *visit = context;

	(void)json_array_append_new(visit->listed,
				    json_pack("{s:o, s:I, s:f}", "path", json_clean_string(path),
					      "size", (json_int_t)size_bytes, "modified",
					      (double)mtime_ms / MS_PER_S));
}

/* Does it, and notes the session's use. A container that has ended takes the session with it. */
static int do_job(struct file_visit *visit, struct error *err)
{
	const struct job_listener listener = {
		.context = visit, .on_output = session_hear_nothing, .on_listed = take_listed};
	struct call *call = visit->call;
	int control = -1;

	if (storage_open_files(call->config, &visit->storage, err) < 0)
		return -1;
	visit->has_storage = true;
	if (job_connect(call->config, visit->session.folder, &control, err) < 0 ||
	    session_file_job(call, control, &visit->job, &listener, &visit->storage, err) < 0) {
		if (!session_is_dead(err))
			return -1;
		session_discard(call, &visit->session);
		return error_set(err, 404, "session_not_found", "Session %s not found or expired",
				 visit->session.id);
	}
	return session_save(call->config, &visit->session, err);
}

/* --- answers ------------------------------------------------------------------------------------ */

static int reply_list(struct file_visit *visit, struct error *err)
{
	visit->job.is_list = true;
	visit->listed = json_array();
	if (do_job(visit, err) < 0)
		return -1;
	call_reply_json(visit->call, 200,
			json_pack("{s:s, s:O}", "status", "success", "files", visit->listed));
	return 0;
}

static int reply_file(struct file_visit *visit, struct error *err)
{
	_cleanup_free_ char *data = NULL;
	size_t len;

	visit->job.fetch = visit->path;
	if (take_path(visit, true, err) < 0 || do_job(visit, err) < 0 ||
	    storage_end_file(&visit->storage, err) < 0)
		return -1;

	_cleanup_close_ int fd = visit->storage.names.len
					 ? fs_open_beneath(visit->storage.folder,
							   visit->storage.names.data, O_RDONLY, 0)
					 : -1;

	if (fd < 0 || io_read_file(fd, visit->call->config->artifact_bytes, &data, &len) < 0)
		return error_set(err, 404, "file_not_found", "File not found: %.200s", visit->path);
	call_reply(visit->call, 200, BYTE_TYPE, (struct slice){data, len});
	return 0;
}

void api_session_files_read(struct call *call)
{
	struct file_visit visit = {.call = call, .session = {.lock = -1}};
	struct error err;

	if (split(&visit, &err) < 0 || take_session(&visit, &err) < 0 ||
	    (visit.has_path ? reply_file : reply_list)(&visit, &err) < 0)
		call_refuse(call, &err);
	visit_free(&visit);
}

/* PUT: the body is the file. */
static int take_body(struct file_visit *visit, struct error *err)
{
	struct sandbox_files *files = &visit->files;

	if (take_path(visit, false, err) < 0 ||
	    sandbox_add_size(visit->call->body.len, &files->total_bytes, err) < 0)
		return -1;
	files->inputs[files->count++] =
		(struct job_input){slice_of(visit->path), buf_slice(&visit->call->body)};
	return 0;
}

/* POST: {"files":{path: content}}. */
static int take_files(struct file_visit *visit, struct error *err)
{
	static const char *const required[] = {"files", NULL};
	struct call *call = visit->call;

	if (sandbox_parse(buf_slice(&call->body), &visit->body, err) < 0 ||
	    sandbox_require(visit->body, required, err) < 0)
		return -1;
	return sandbox_take_files(call->config, call->caller.id,
				  json_object_get(visit->body, "files"), &visit->files, err);
}

static int write_files(struct file_visit *visit, struct error *err)
{
	bool is_put = visit->call->connection->request.method == HTTP_PUT;
	json_t *paths;

	if (is_put != visit->has_path)
		return error_set(err, 405, "method_not_allowed",
				 "PUT takes a file's path, POST takes none");
	if ((is_put ? take_body : take_files)(visit, err) < 0 || take_session(visit, err) < 0)
		return -1;
	visit->job.inputs = visit->files.inputs;
	visit->job.input_count = visit->files.count;
	if (do_job(visit, err) < 0)
		return -1;
	paths = json_array();
	for (unsigned i = 0; i < visit->files.count; i++)
		(void)json_array_append_new(
			paths, json_pack("{s:s, s:I}", "path", visit->files.inputs[i].path.data,
					 "size", (json_int_t)visit->files.inputs[i].data.len));
	call_reply_json(visit->call, 200,
			json_pack("{s:s, s:o}", "status", "success", "files", paths));
	return 0;
}

void api_session_files_write(struct call *call)
{
	struct file_visit visit = {.call = call, .session = {.lock = -1}};
	struct error err;

	call->allow = "GET, HEAD, POST, PUT";
	if (split(&visit, &err) < 0 || write_files(&visit, &err) < 0)
		call_refuse(call, &err);
	visit_free(&visit);
}
