/* A job while it runs. Private to run.c, clock.c and kernel_cell.c. */
#pragma once

#include "init/init.h"
#include "init/output.h"

/* What of a run is only a cell's. */
struct cell {
	struct init_kernel *kernel; /* NULL: the run is a program's */
	struct buf *channel;        /* space's: what has come of a frame */
	bool is_open, is_readable;  /* the channel */
	bool is_flushed;            /* what was written before the frame in *channel was read */
	bool is_passing;            /* a display is on its way out of *channel */
	bool is_discarding;         /* the host has gone */
	bool has_ended;             /* EXIT came */
	unsigned displays;          /* so far */
	uint64_t display_bytes;
	deadline_ms kill_at; /* the kernel's, after the interrupt */
};

struct run {
	const struct init_job *job;
	struct init_prepared *prepared;
	struct frame_reader *reader; /* its fd is the connection */
	const struct init_cgroup *cgroup;
	struct init_program program;
	struct pump pump;
	struct cell cell;

	int epoll, signals; /* owned */
	deadline_ms lifetime, wall, cpu_check, oom_check;
	int64_t started_us;
	uint64_t cpu_before_us, oom_before;
	unsigned cpus;

	const char *killed_for; /* why we ended it, or NULL */
	bool host_gone, ended;
	int status;
};

/* --- run.c ------------------------------------------------------------------------------------ */

/* All that a run has before it starts; the watches are open. 0, or -1 with *err. close in any
   case. */
struct run run_new(const struct init_job *job, const struct init_context *context);
MUST_USE int run_open(struct run *run, struct error *err);
void run_close(struct run *run);

/* Watches the program's output. 0, or -1 with *err. */
MUST_USE int run_watch_program(struct run *run, struct error *err);
MUST_USE int run_watch(const struct run *run, int fd, void *who);

/* Until the program has ended, the host has gone, or the lifetime is over; a cell: until it has
   ended, whatever the host does. turn, unless NULL, is called after each event. */
void run_loop(struct run *run, void (*turn)(struct run *run));

/* What EXIT says, once the program or the cell has ended, which is_over says. 0, or -1 with *err:
   there is no one to tell. */
MUST_USE int run_report(struct run *run, bool is_over, struct init_outcome *out, struct error *err);

/* Sends what is left of the output (pump_drain), and says what was cut of it. 0, or -1 with *err.
 */
MUST_USE int run_drain(struct run *run, deadline_ms deadline, bool has_writer,
		       struct init_outcome *out, struct error *err);

/* The job is over for this reason: a program is killed, a cell interrupted. */
void run_stop(struct run *run, const char *reason);

/* --- clock.c ---------------------------------------------------------------------------------- */

/* Starts the clocks: GO. */
void clock_start(struct run *run);

/* CPU time of the job so far: since GO. */
uint64_t clock_cpu_us(const struct run *run);

/* OOM kills in the job so far: since GO. */
uint64_t clock_oom_kills(const struct run *run);

/* Which clock has run out, as EXIT says it: the job is to be stopped; NULL: none has, or it was
   stopped already. */
const char *clock_check(struct run *run);

/* Until the next look at one. */
int clock_next_ms(const struct run *run);
