#include "server/call.h"

#include "base/deadline.h"
#include "bounds.h"
#include "server/stream.h"

#include <inttypes.h>
#include <string.h>

#define RETRY_AFTER_S 1 /* a slot is usually free again by then */

/* What only the sandbox API's replies have: who asked, and which page may read the answer (Fetch standard, section 3.2). */
static int add_sandbox_fields(const struct call *call, struct http_reply *reply)
{
	if (!*call->request_id)
		return 0;
	if (http_reply_field(reply, "X-Request-ID", "%s", call->request_id) < 0)
		return -1;
	if (!call->origin.len)
		return 0;
	return http_reply_field(reply, "Access-Control-Allow-Origin", "%.*s", (int)call->origin.len,
				call->origin.data) < 0 ||
			       http_reply_field(reply, "Vary", "Origin") < 0
		       ? -1
		       : 0;
}

void call_reply(struct call *call, int status, const char *type, struct slice body)
{
	bool head_only = call->connection->request.method == HTTP_HEAD;

	if (call->stream && stream_reply(call->stream, status, body))
		return;

	struct http_reply reply = http_reply_new(status);

	call->status = status;
	if (http_reply_field(&reply, "Content-Type", "%s", type) < 0 ||
	    http_reply_field(&reply, "Cache-Control", "no-store") < 0 ||
	    add_sandbox_fields(call, &reply) < 0 ||
	    (status == 503 && http_reply_field(&reply, "Retry-After", "%d", RETRY_AFTER_S) < 0) ||
	    ((status == 429 || status == 409) && call->retry_after_s &&
	     http_reply_field(&reply, "Retry-After", "%" PRId64, call->retry_after_s) < 0) ||
	    (status == 401 && call->wants_bearer &&
	     http_reply_field(&reply, "WWW-Authenticate", "Bearer") < 0) ||
	    (call->is_replayed && http_reply_field(&reply, "Idempotent-Replayed", "true") < 0) ||
	    (status == 405 && http_reply_field(&reply, "Allow", "%s", call->allow) < 0) ||
	    http_reply_send(call->connection->fd, &reply, body, head_only,
			    deadline_in(HTTP_WRITE_DEADLINE_MS)) < 0)
		call->code = "reply_not_sent";
	call->answered_us = monotonic_us();
	http_reply_free(&reply);
}

void call_reply_json(struct call *call, int status, json_t *value)
{
	_cleanup_buf_ struct buf text = buf_new(SANDBOX_REPLY_MAX_BYTES);

	if (!value || json_write(value, &text) < 0) {
		status = 500;
		text.len = 0;
		if (buf_append_text(
			    &text,
			    "{\"statusCode\":500,\"error\":\"Internal Server Error\",\"message\":\"out of memory\"}") <
		    0)
			text.len = 0;
	}
	json_decref(value);
	call_reply(call, status, "application/json; charset=utf-8", buf_slice(&text));
}

void call_refuse_data(struct call *call, const struct error *err)
{
	call->code = err->code;
	call->wants_bearer = true;
	if (err->status == 0)
		return;
	call_reply_json(call, err->status,
			json_pack("{s:o, s:n}", "error", json_clean_string(slice_of(err->message)),
				  "data"));
}

void call_refuse_status(struct call *call, const struct error *err)
{
	call->code = err->code;
	if (err->status == 0)
		return;
	call_reply_json(call, err->status,
			json_pack("{s:s, s:o}", "status", "error", "error",
				  json_clean_string(slice_of(err->message))));
}

void call_refuse(struct call *call, const struct error *err)
{
	call->code = err->code;
	if (err->status == 0)
		return;
	call_reply_json(call, err->status,
			json_pack("{s:i, s:s, s:s, s:o}", "statusCode", err->status, "code",
				  err->code, "error", http_reason(err->status), "message",
				  json_clean_string(slice_of(err->message))));
}
