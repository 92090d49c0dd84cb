/*
 * A job's events for a client that asked for them (Accept: text/event-stream): what happens while
 * it runs, then the result.
 *
 *   event: status   {"id","status":"running"}, later {"id","status","exit_code"}; id where the job
 *                   has one by then
 *   event: stdout   {"text"}; the same for stderr
 *   event: result   what the answer would have been
 *   event: error    what the refusal would have been
 *
 * Rules:
 *  1. A refusal before the job runs is an ordinary one, with its status: the stream begins when the
 *     program does.
 *  2. The texts of a stream, joined, are what the result says of it (as far as it does), however
 *     the output came in pieces: a character that is not whole yet waits for its rest.
 *  3. The job does not wait for the client; a client that hangs up cancels it (http/watch.h).
 */
#pragma once

#include "http/sse.h"
#include "job/execution.h"
#include "server/call.h"

#define STREAM_TAIL_BYTES 3 /* the most of a character of UTF-8 that is not whole */

struct stream {
	struct call *call;
	struct sse sse;          /* owned */
	bool is_wanted, is_open; /* the client asked for it; it has begun */
	const char *id;          /* of the job, or NULL: it has none yet */
	const char *status;      /* what the job does now */
	const char *announced;   /* what the client has been told that it does, or NULL */
	struct {
		char bytes[STREAM_TAIL_BYTES];
		size_t len;
	} tails[2]; /* of stdout and stderr */
};

/* Looks whether the call's client wants a stream; what gives it one sets call->stream, and takes it
 * back before stream_free. */
struct stream stream_new(struct call *call);
void stream_free(struct stream *stream);

/* Begins the stream if it is wanted and has not begun. */
void stream_open(struct stream *stream);

/* All of these do nothing while the stream is not open. value is taken over. What an observer calls
   takes the stream as its context. */
void stream_event(struct stream *stream, const char *name, json_t *value);
void stream_output(void *stream, bool is_stderr, struct slice data);

/* The end of both streams: what waits for its rest will get none. dropped: it is cut there, and
 * what is not whole is left out. */
void stream_output_end(void *stream, bool is_stderr, bool dropped);

/* Begins the stream if it is wanted, tells a new status, sends what the client takes now, and a
 * heartbeat when it is time. */
void stream_tick(void *stream);

/* An observer that does all this (job/execution.h); the stream must outlive it. */
struct execution_observer stream_observer(struct stream *stream);

/* Takes an answer: of a stream that is open, or is wanted and would begin with its result, text
   (one line of JSON) becomes the last event, and all that is left is sent. False when it is an
   ordinary reply's. For call_reply. */
bool stream_reply(struct stream *stream, int status, struct slice text);
