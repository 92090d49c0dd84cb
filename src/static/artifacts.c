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

/* Takes the text up to the next slash off *path. */
static bool next_component(struct slice *path, struct slice *component)
{
	const char *slash = memchr(path->data, '/', path->len);

	if (!slash)
		return false;
	*component = (struct slice){path->data, (size_t)(slash - path->data)};
	path->data = slash + 1;
	path->len -= component->len + 1;
	return true;
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
	if (!next_component(&path, &out->session))
		out->session = path;
	else if (!next_component(&path, &out->job))
		out->job = path;
	else
		out->path = path;
	if (!is_session_id(out->session) || (out->job.len && !is_job_id(out->job)) ||
	    (out->path.len && (out->job.len == 0 || out->path.len > JOB_PATH_MAX_BYTES ||
			       !fs_is_relative_path(out->path, JOB_ARTIFACT_DEPTH_MAX + 1))))
		return false;
	if (buf_append(beneath, out->session.data, out->session.len) < 0 ||
	    (out->job.len && buf_printf(beneath, "/" JOB_FOLDER_PREFIX "%.*s", (int)out->job.len,
					out->job.data) < 0) ||
	    (out->path.len && buf_printf(beneath, "/%.*s", (int)out->path.len, out->path.data) < 0))
		return false;
	out->beneath = beneath->data;
	return true;
}

static int add_fields(struct http_reply *reply, const struct static_validators *file,
		      struct slice file_name)
{
	_cleanup_buf_ struct buf disposition = buf_new(HTTP_REPLY_HEAD_MAX_BYTES / 2);
	struct static_type type = static_type_of(file_name);

	if (static_disposition(&disposition, type.handling, file_name) < 0 ||
	    http_reply_field(reply, "Content-Type", "%s", type.name) < 0 ||
	    http_reply_field(reply, "Content-Disposition", "%s", disposition.data) < 0 ||
	    http_reply_field(reply, "ETag", "%s", file->etag) < 0 ||
	    http_reply_field(reply, "Last-Modified", "%s", file->modified) < 0 ||
	    http_reply_field(reply, "Accept-Ranges", "bytes") < 0 ||
	    http_reply_field(reply, "Cache-Control", "private, no-cache") < 0)
		return -1;
	if (type.handling == STATIC_ACTIVE)
		return http_reply_field(reply, "Content-Security-Policy", ACTIVE_POLICY);
	return 0;
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

/* Adds what the outcome says and sends. 0, or -1 when a field could not be added. */
static int send_outcome(struct call *call, struct http_reply *reply, enum static_outcome outcome,
			const struct static_validators *validators, int file,
			struct static_part part)
{
	uint64_t size = validators->size_bytes;

	switch (outcome) {
	case STATIC_PART:
		if (http_reply_field(reply, "Content-Range",
				     "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, part.first,
				     part.first + part.length - 1, size) < 0)
			return -1;
		/* fall through */
	case STATIC_WHOLE:
		send_content(call, reply, file, part);
		return 0;
	case STATIC_NOT_SATISFIABLE:
		if (http_reply_field(reply, "Content-Range", "bytes */%" PRIu64, size) < 0)
			return -1;
		/* fall through */
	default:
		call_send(call, reply, SLICE_LITERAL(""));
		return 0;
	}
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
	struct error err;

	if (add_fields(&reply, &validators, file_name) < 0 ||
	    send_outcome(call, &reply, outcome, &validators, file, part) < 0) {
		error_set_errno(&err, 500, "reply_failed", "Cannot make the reply");
		call_refuse(call, &err);
	}
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
