#include "server/stream.h"

#include "base/utf8.h"

#define EVENT_MAX_BYTES (8 * FRAME_DATA_MAX_BYTES) /* \u00XX is six bytes for one */

struct stream stream_new(struct call *call)
{
	return (struct stream){
		.call = call,
		.sse = sse_new(call->connection->fd, SSE_BACKLOG_MAX_BYTES),
		.is_wanted = sse_is_accepted(&call->connection->request),
		.status = "running",
	};
}

void stream_free(struct stream *stream)
{
	sse_free(&stream->sse);
}

/* What waits for the client has to know whether there is something for it. */
static void tell_watch(struct stream *stream)
{
	stream->call->executor.watch.has_more = stream->sse.outgoing.len > 0;
}

void stream_open(struct stream *stream)
{
	struct call *call = stream->call;

	if (!stream->is_wanted || stream->is_open)
		return;
	stream->is_open = true;
	call->status = 200;
	call->executor.watch.may_probe = call->executor.watch.is_stream = true;
	sse_begin(&stream->sse);
	tell_watch(stream);
}

void stream_event(struct stream *stream, const char *name, json_t *value)
{
	_cleanup_buf_ struct buf text = buf_new(EVENT_MAX_BYTES);

	if (stream->is_open && value && json_write(value, &text) == 0) {
		sse_event(&stream->sse, name, buf_slice(&text));
		tell_watch(stream);
	}
	json_decref(value);
}

static void send_text(struct stream *stream, bool is_stderr, struct slice text)
{
	if (text.len)
		stream_event(stream, is_stderr ? "stderr" : "stdout",
			     json_pack("{s:o}", "text", json_clean_string(text)));
}

void stream_output(void *context, bool is_stderr, struct slice data)
{
	struct stream *stream = context;
	char *tail = stream->tails[is_stderr].bytes;
	size_t *tail_len = &stream->tails[is_stderr].len;
	_cleanup_buf_ struct buf whole = buf_new(STREAM_TAIL_BYTES + data.len);

	if (!stream->is_open || data.len == 0 || buf_append(&whole, tail, *tail_len) < 0 ||
	    buf_append(&whole, data.data, data.len) < 0)
		return;

	size_t len = utf8_trim(whole.data, whole.len);

	*tail_len = whole.len - len;
	memcpy(tail, whole.data + len, *tail_len);
	send_text(stream, is_stderr, (struct slice){whole.data, len});
}

void stream_output_end(void *context, bool is_stderr, bool dropped)
{
	struct stream *stream = context;

	if (stream->is_open && !dropped)
		send_text(stream, is_stderr,
			  (struct slice){stream->tails[is_stderr].bytes,
					 stream->tails[is_stderr].len});
	stream->tails[is_stderr].len = 0;
}

void stream_tick(void *context)
{
	struct stream *stream = context;

	stream_open(stream);
	if (!stream->is_open)
		return;
	if (stream->announced != stream->status)
		stream_event(stream, "status",
			     json_pack("{s:s*, s:s}", "id", stream->id, "status", stream->status));
	stream->announced = stream->status;
	(void)sse_push(&stream->sse);
	sse_beat(&stream->sse);
	tell_watch(stream);
}

struct execution_observer stream_observer(struct stream *stream)
{
	return (struct execution_observer){
		.context = stream,
		.on_output = stream_output,
		.on_output_end = stream_output_end,
		.on_tick = stream_tick,
		.tick_ms = SSE_HEARTBEAT_MS,
	};
}

bool stream_reply(struct stream *stream, int status, struct slice text)
{
	struct call *call = stream->call;

	if (status == 200)
		stream_open(stream);
	if (!stream->is_open)
		return false;
	sse_event(&stream->sse, status == 200 ? "result" : "error", text);
	if (sse_end(&stream->sse, deadline_in(SSE_END_DEADLINE_MS)) < 0)
		call->code = CALL_NOT_SENT;
	call->answered_us = monotonic_us();
	return true;
}
