/*
 * GET and HEAD of /artifacts/{sessionId}/{jobId}/{path}: the file
 * <storage>/<sessionId>/job-<jobId>/<path>. Rules 2 and 3 of static.h live here.
 */
#include "static/static.h"

#include "base/ascii.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/io.h"
#include "bounds.h"
#include "http/media_types.h"
#include "http/range.h"
#include "http/uri.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define JOB_FOLDER_PREFIX "job-"

/* For what a browser could run, should it ignore that it is an attachment: an opaque origin without
 * scripts, forms or loads. */
#define ACTIVE_POLICY "sandbox; default-src 'none'; frame-ancestors 'none'"

static void refuse(struct call *call)
{
	call->code = "artifact_not_found";
	call_reply_json(call, 404, json_pack("{s:s}", "error", "Artifact not found"));
}

static bool is_session_id(struct slice text)
{
	return text.len <= SESSION_ID_MAX_BYTES && fs_is_component(text) && text.data[0] != '.';
}

static bool is_job_id(struct slice text)
{
	return text.len == JOB_ID_LENGTH && ascii_is_of(text, ASCII_ALNUM "_-");
}

/* Turns the encoded rest of the request's path, which decoded is to hold, into a place beneath the
 * storage folder: an artifact's, or of a session or a job, where path is empty. False for what
 * cannot be one. */
static bool storage_place(struct slice rest, struct buf *decoded, struct buf *beneath,
			  struct static_place *out)
{
	struct slice path;
	struct error ignored;

	*out = (struct static_place){.path = SLICE_LITERAL("")};
	if (uri_decode(rest, decoded, &ignored) < 0)
		return false;
	path = buf_slice(decoded);
	out->session = slice_take(&path, '/');
	out->job = slice_take(&path, '/');
	out->path = path;
	if (!is_session_id(out->session) || (out->job.len && !is_job_id(out->job)) ||
	    (out->path.len && (out->job.len == 0 || out->path.len > JOB_PATH_MAX_BYTES ||
			       !fs_is_relative_path(out->path, JOB_ARTIFACT_DEPTH_MAX + 1))))
		return false;
	if (buf_printf(beneath, "%.*s%s%.*s%s%.*s", (int)out->session.len, out->session.data,
		       out->job.len ? "/" JOB_FOLDER_PREFIX : "", (int)out->job.len, out->job.data,
		       out->path.len ? "/" : "", (int)out->path.len, out->path.data) < 0)
		return false;
	out->beneath = beneath->data;
	return true;
}

static void add_fields(struct http_reply *reply, const struct static_validators *file,
		       struct slice file_name)
{
	_cleanup_buf_ struct buf disposition = buf_new(HTTP_REPLY_HEAD_MAX_BYTES / 2);
	struct static_type type = static_type_of(file_name);

	if (static_disposition(&disposition, type.handling, file_name) < 0)
		reply->is_broken = true;
	http_reply_field(reply, "Content-Type", "%s", type.name);
	http_reply_field(reply, "Content-Disposition", "%s", buf_slice(&disposition).data);
	http_reply_field(reply, "ETag", "%s", file->etag);
	http_reply_field(reply, "Last-Modified", "%s", file->modified);
	http_reply_field(reply, "Accept-Ranges", "bytes");
	http_reply_field(reply, "Cache-Control", "private, no-cache");
	if (type.handling == STATIC_ACTIVE)
		http_reply_field(reply, "Content-Security-Policy", ACTIVE_POLICY);
}

/* Copies part of the file to the connection without passing through us (sendfile(2)). 0, or -1 when
 * not all could be sent. */
static int send_part(struct call *call, int file, struct static_part part, deadline_ms deadline)
{
	int connection = call->connection->fd;
	off_t position = (off_t)part.first;
	uint64_t left = part.length;

	while (left > 0) {
		ssize_t sent = sendfile(connection, file, &position, left);

		if (sent > 0) {
			left -= (uint64_t)sent;
			call->sent_bytes += sent;
			continue;
		}
		if (sent < 0 && errno == EINTR)
			continue;
		/* 0: the file shrank, and the client must see that the body is short */
		if (sent == 0 || errno != EAGAIN || io_wait(connection, POLLOUT, deadline) <= 0)
			return -1;
	}
	return 0;
}

/* 200 and 206: the head, then the bytes. */
static void send_content(struct call *call, const struct http_reply *reply, int file,
			 struct static_part part)
{
	deadline_ms deadline = deadline_in(HTTP_WRITE_DEADLINE_MS);

	call->status = reply->status;
	if (http_reply_send_head(call->connection->fd, reply, part.length, deadline) < 0 ||
	    (call->connection->request.method != HTTP_HEAD &&
	     send_part(call, file, part, deadline) < 0))
		call->code = CALL_NOT_SENT;
}

void static_send_file(struct call *call, int file, const struct stat *status,
		      struct slice file_name)
{
	static const int statuses[] = {[STATIC_WHOLE] = 200,
				       [STATIC_PART] = 206,
				       [STATIC_NOT_MODIFIED] = 304,
				       [STATIC_PRECONDITION_FAILED] = 412,
				       [STATIC_NOT_SATISFIABLE] = 416};
	struct static_validators validators = static_validators_of(status);
	struct static_part part;
	enum static_outcome outcome =
		static_evaluate(&call->connection->request, &validators, &part);
	struct http_reply reply = http_reply_new(statuses[outcome]);

	add_fields(&reply, &validators, file_name);
	if (outcome == STATIC_PART)
		http_reply_field(&reply, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
				 part.first, part.first + part.length - 1, validators.size_bytes);
	if (outcome == STATIC_NOT_SATISFIABLE)
		http_reply_field(&reply, "Content-Range", "bytes */%" PRIu64,
				 validators.size_bytes);
	if (outcome == STATIC_WHOLE || outcome == STATIC_PART)
		send_content(call, &reply, file, part);
	else
		call_send(call, &reply, SLICE_LITERAL(""));
	http_reply_free(&reply);
}

void static_artifact(struct call *call)
{
	_cleanup_buf_ struct buf path =
		buf_new(SESSION_ID_MAX_BYTES + JOB_PATH_MAX_BYTES + JOB_NAME_MAX_BYTES);
	_cleanup_buf_ struct buf decoded = buf_new(URI_PATH_MAX_BYTES);
	_cleanup_close_ int storage = open(call->config->storage, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int file = -1;
	struct static_place place;
	struct stat status;

	if (storage < 0 || !storage_place(call->rest, &decoded, &path, &place)) {
		refuse(call);
		return;
	}
	place.storage = storage;
	if (static_preview(call, &place))
		return;
	/* O_NONBLOCK: opening what turns out to be a FIFO must not wait */
	if (place.path.len)
		file = fs_open_beneath(storage, path.data,
				       O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
	if (file < 0 || fstat(file, &status) < 0 || !S_ISREG(status.st_mode))
		refuse(call);
	else
		static_send_file(call, file, &status, slice_of(strrchr(path.data, '/') + 1));
}
