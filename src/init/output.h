/* The program's output on its way to the host. Private to run.c and output.c. */
#pragma once

#include "init/init.h"

struct stream {
	int fd; /* owned; -1 after its end */
	uint8_t frame_type;
	uint64_t left; /* bytes until its cap */
	bool truncated;
};

struct pump {
	int epoll, connection; /* not owned */
	void *connection_id;   /* what epoll calls the connection */
	struct init_space *space;
	struct slice out; /* frames on their way: in space->outgoing, or a display */
	size_t sent;      /* bytes of it */

	struct stream streams[2]; /* stdout, stderr */
	struct stream *queue[2];  /* ready to be read, first come first */
	unsigned queued;
	unsigned frames; /* so far; stays at PUMP_EAGER_FRAMES */
	deadline_ms rest_until;
	bool host_gone;
};

/* Adds both streams to epoll; their events carry a pointer to the stream. 0, or -1 with errno. */
MUST_USE int pump_watch(struct pump *pump);

/* A stream's event: it waits for its turn. */
void pump_enqueue(struct pump *pump, struct stream *stream);

/* Both wait for their turn: there may be something. */
void pump_enqueue_all(struct pump *pump);

/* True when nothing is on its way and no stream waits for its turn. */
bool pump_is_idle(const struct pump *pump);

/* Puts a whole frame on its way, which must stay there until pump_is_idle. Nothing else may be. */
void pump_pass(struct pump *pump, struct slice frame);

/* The host has gone: from now on everything is read and thrown away. */
void pump_discard(struct pump *pump);

/* Reads ready streams, in turn, while the host takes what they give. */
void pump_turn(struct pump *pump);

/* The connection takes bytes again. */
void pump_flush(struct pump *pump);

/* When pump_turn has something to do without an event; INT64_MAX: never. */
deadline_ms pump_next(const struct pump *pump);

/* Sends all that is left in the pipes; has_writer: what is there now, roughly. 0, or -1 with
   errno. */
MUST_USE int pump_drain(struct pump *pump, deadline_ms deadline, bool has_writer);
