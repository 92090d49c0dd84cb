/*
 * The program's output on its way to the host.
 *
 * Rules:
 *  1. One frame at a time is on its way. While the host does not take it, the pipes are left alone
 *     and the program blocks; the clocks, CANCEL and the program's end are seen all the same
 *     (run.c).
 *  2. Pipes are watched one-shot, served in the order in which they became ready, then watched
 *     again: epoll's list is a queue, so stdout and stderr come out nearly as they were written,
 *     and writes meanwhile wake no process.
 *  3. Past its cap a stream is read and thrown away.
 *  4. A program that writes in crumbs is, after a while, read at intervals: a frame a byte would
 *     cost the host more than the program.
 */
#include "init/output.h"

#include "base/io.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define DRAIN_ROUNDS 64 /* reads of FRAME_DATA_MAX_BYTES: far more than a pipe holds */

static void watch_connection(const struct pump *pump, bool for_writing)
{
	struct epoll_event event = {
		.events = for_writing ? EPOLLIN | EPOLLOUT : EPOLLIN,
		.data.ptr = pump->connection_id,
	};

	(void)epoll_ctl(pump->epoll, EPOLL_CTL_MOD, pump->connection, &event);
}

/* Hands the host what it takes now. True when nothing is left. */
static bool send_some(struct pump *pump)
{
	while (pump->sent < pump->out.len) {
		ssize_t sent = send(pump->connection, pump->out.data + pump->sent,
				    pump->out.len - pump->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent > 0)
			pump->sent += (size_t)sent;
		else if (errno == EAGAIN)
			return false;
		else if (errno != EINTR)
			pump->host_gone = true;
		if (pump->host_gone)
			return true;
	}
	pump->out.len = 0;
	pump->sent = 0;
	return true;
}

void pump_flush(struct pump *pump)
{
	if (send_some(pump))
		watch_connection(pump, false);
}

void pump_pass(struct pump *pump, struct slice frame)
{
	pump->out = frame;
	if (!send_some(pump))
		watch_connection(pump, true);
}

void pump_discard(struct pump *pump)
{
	pump->out.len = 0;
	pump->sent = 0;
	pump->host_gone = false;
	for (int i = 0; i < 2; i++)
		pump->streams[i].left = 0;
	(void)epoll_ctl(pump->epoll, EPOLL_CTL_DEL, pump->connection, NULL);
}

/* Puts one frame of the bytes just read on its way. */
static void emit(struct pump *pump, struct stream *stream, size_t len)
{
	size_t kept = len < stream->left ? len : (size_t)stream->left;

	if (kept < len)
		stream->truncated = true;
	stream->left -= kept;
	if (pump->frames < PUMP_EAGER_FRAMES)
		pump->frames++;
	else if (len < PUMP_CRUMB_BYTES)
		pump->rest_until = deadline_in(PUMP_REST_MS);
	if (!kept)
		return;
	pump->space->outgoing.len = 0;
	if (frame_append(&pump->space->outgoing, stream->frame_type,
			 (struct slice){pump->space->data, kept}) < 0)
		pump->host_gone = true; /* the room was made before GO: never */
	else
		pump_pass(pump, buf_slice(&pump->space->outgoing));
}

static int watch_stream(const struct pump *pump, struct stream *stream, int operation)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = stream};

	return epoll_ctl(pump->epoll, operation, stream->fd, &event);
}

/* Reads a stream once, and watches it again before the host hears: what the program writes in
   between is in no queue. True when there was something. */
static bool read_stream(struct pump *pump, struct stream *stream)
{
	struct init_space *space = pump->space;
	ssize_t got = stream->fd < 0 ? 0 : read(stream->fd, space->data, sizeof(space->data));

	if (got == 0 && stream->fd >= 0) {
		close(stream->fd); /* leaves epoll with it */
		stream->fd = -1;
	}
	if (stream->fd >= 0)
		(void)watch_stream(pump, stream, EPOLL_CTL_MOD);
	if (got > 0)
		emit(pump, stream, (size_t)got);
	return got > 0;
}

int pump_watch(struct pump *pump)
{
	for (int i = 0; i < 2; i++)
		if (pump->streams[i].fd >= 0 &&
		    watch_stream(pump, &pump->streams[i], EPOLL_CTL_ADD) < 0)
			return -1;
	return 0;
}

void pump_enqueue(struct pump *pump, struct stream *stream)
{
	if (pump->queued == 2 || (pump->queued && pump->queue[0] == stream))
		return;
	pump->queue[pump->queued++] = stream;
}

void pump_enqueue_all(struct pump *pump)
{
	for (int i = 0; i < 2; i++)
		if (pump->streams[i].fd >= 0)
			pump_enqueue(pump, &pump->streams[i]);
}

bool pump_is_idle(const struct pump *pump)
{
	return pump->queued == 0 && pump->out.len == 0;
}

void pump_turn(struct pump *pump)
{
	while (pump->queued && !pump->out.len && !pump->host_gone &&
	       !deadline_left_ms(pump->rest_until)) {
		struct stream *stream = pump->queue[0];

		pump->queue[0] = pump->queue[1];
		pump->queued--;
		(void)read_stream(pump, stream);
	}
}

deadline_ms pump_next(const struct pump *pump)
{
	return pump->queued && !pump->out.len ? pump->rest_until : INT64_MAX;
}

int pump_drain(struct pump *pump, deadline_ms deadline, bool has_writer)
{
	bool errors_first = pump->queued && pump->queue[0] == &pump->streams[1];
	struct stream *first = &pump->streams[errors_first ? 1 : 0];
	struct stream *second = &pump->streams[errors_first ? 0 : 1];

	for (unsigned rounds = 0;; rounds++) {
		if (pump->out.len && io_send_all(pump->connection, pump->out.data + pump->sent,
						 pump->out.len - pump->sent, deadline) < 0)
			return -1;
		pump->out.len = 0;
		pump->sent = 0;
		if (has_writer && rounds == DRAIN_ROUNDS)
			return 0;
		if (!read_stream(pump, first) && !read_stream(pump, second))
			return 0;
	}
}
