/*
 * While a kernel runs a cell.
 *
 *   state      EXIT      process ended   a clock, CANCEL,   the grace
 *                                        the host gone      is over
 *   running    done      done, lost      interrupted        –
 *   interrupted done     done, lost      –                  killed
 *   killed     –         done, lost      –                  –
 *
 * Rules:
 *  1. A kernel is hostile. Its frames are checked whole before a byte of them goes on; a malformed
 *     one ends it.
 *  2. What it wrote before a frame goes to the host before that frame does, so that text and
 *     pictures keep their order.
 *  3. One frame is read at a time and none ahead: between cells the channel holds what came too
 *     late, and nothing of ours does.
 *  4. A cell that was stopped is reported so whatever it did then. Its kernel is kept when it came
 *     to an end by itself.
 *  5. A host that hangs up stops the cell; what it says then is thrown away. The session goes on.
 *  6. A last cell has ended when the process has.
 */
#include "base/cleanup.h"
#include "base/display.h"
#include "base/num.h"
#include "init/run.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

static void kill_kernel(struct run *run)
{
	run->cell.kill_at = INT64_MAX - 1; /* once */
	run->cell.is_open = false;
	(void)kill(run->program.pid, SIGKILL);
}

/* --- The channel ------------------------------------------------------------------------------ */

/* Reads what is missing of the frame in channel. 1 when it is whole, 0 when more must come, -1 when
   none will. */
static int read_frame(int fd, struct buf *channel, struct frame *out)
{
	for (;;) {
		struct error err;
		size_t used;
		int found = frame_decode(buf_slice(channel), out, &used, &err);
		size_t whole = FRAME_HEADER_BYTES;

		if (found != 0)
			return found;
		if (channel->len >= FRAME_HEADER_BYTES)
			whole = frame_whole_bytes(channel->data);

		char *place = buf_reserve(channel, whole - channel->len);
		ssize_t got = place ? recv(fd, place, whole - channel->len, MSG_DONTWAIT) : -1;

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (got <= 0)
			return -1;
		channel->len += (size_t)got;
	}
}

/* Past a cap on all displays of a cell they are thrown away. */
static void take_display(struct run *run, const struct frame *frame)
{
	struct cell *cell = &run->cell;
	struct display display;
	struct error err;

	if (display_parse(frame->payload, &display, &err) < 0) {
		kill_kernel(run);
		return;
	}
	if (run->host_gone || cell->displays == CELL_DISPLAY_MAX_COUNT ||
	    cell->display_bytes + frame->payload.len > CELL_DISPLAYS_MAX_BYTES)
		return;
	cell->displays++;
	cell->display_bytes += frame->payload.len;
	cell->is_passing = true;
	pump_pass(&run->pump, buf_slice(cell->channel));
}

static void take_exit(struct run *run, struct slice fields)
{
	struct slice key, value;
	uint64_t code = 256;

	while (field_next(&fields, &key, &value))
		if (slice_eq(key, "code") && num_parse(value, 10, 255, &code) < 0)
			break;
	if (code > 255) {
		kill_kernel(run);
		return;
	}
	if (run->job->last)
		return; /* rule 6 */
	run->status = W_EXITCODE((int)code, 0);
	run->cell.has_ended = true;
}

static void take_frame(struct run *run, const struct frame *frame)
{
	switch (frame->type) {
	case FRAME_READY:
		run->cell.kernel->is_waiting = true;
		break;
	case FRAME_DISPLAY:
		take_display(run, frame);
		break;
	case FRAME_EXIT:
		take_exit(run, frame->payload);
		break;
	default:
		kill_kernel(run);
	}
}

/* Nothing more comes: it has closed its end, or broken the frames. Its process may go on, until its
   time is over. */
static void leave_channel(struct run *run)
{
	if (run->cell.channel->len)
		kill_kernel(run);
	run->cell.is_open = false;
}

/* One step. False when there is nothing to do now. */
static bool read_channel(struct run *run)
{
	struct cell *cell = &run->cell;
	struct frame frame;
	int found;

	if (cell->is_passing)
		cell->channel->len = 0;
	cell->is_passing = false;
	found = read_frame(cell->kernel->channel, cell->channel, &frame);
	if (found < 0)
		leave_channel(run);
	if (found <= 0) {
		cell->is_readable = false;
		return false;
	}
	if (!cell->is_flushed) {
		cell->is_flushed = true; /* rule 2: the frame stays where it is */
		pump_enqueue_all(&run->pump);
		return true;
	}
	cell->is_flushed = false;
	take_frame(run, &frame);
	if (!cell->is_passing)
		cell->channel->len = 0;
	return true;
}

/* Takes the kernel's frames when there are any, and kills it when its time has come. */
static void turn(struct run *run)
{
	struct cell *cell = &run->cell;

	if (run->host_gone && !cell->is_discarding) {
		cell->is_discarding = true;
		pump_discard(&run->pump);
		run_stop(run, "cancelled");
	}
	while (cell->is_open && cell->is_readable && !cell->has_ended && pump_is_idle(&run->pump) &&
	       read_channel(run))
		pump_turn(&run->pump);
	if (deadline_left_ms(cell->kill_at) == 0)
		kill_kernel(run);
}

/* --- Beginning and end ------------------------------------------------------------------------ */

static int begin(struct run *run, struct error *err)
{
	struct init_kernels *kernels = &run->prepared->kernels;
	struct init_kernel *kernel = init_kernel_find(kernels, run->job, run->lifetime);

	clock_start(run);
	if (!kernel && init_kernel_start(kernels, run->job, NULL, &kernel, err) < 0)
		return -1;
	run->cell.kernel = kernel;
	run->cell.is_open = true;
	run->program = kernel->program;
	if (run_open(run, err) < 0 || run_watch_program(run, err) < 0)
		return -1;

	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = &run->cell};

	if (epoll_ctl(run->epoll, EPOLL_CTL_ADD, kernel->channel, &event) < 0)
		return error_set_errno(err, 500, "not_started", "epoll");
	if (init_kernel_give(kernel, run->job) < 0)
		kill_kernel(run); /* it is dead already, or has made itself deaf */
	return 0;
}

/* What a kernel said before it ended; no process writes any more. 0, or -1 with errno. */
static int drain_channel(struct run *run, deadline_ms deadline)
{
	struct cell *cell = &run->cell;

	cell->is_open = cell->is_readable = true;
	while (cell->is_open && cell->is_readable) {
		cell->is_flushed = true;
		if (!read_channel(run))
			break;
		if (cell->is_passing && pump_drain(&run->pump, deadline, false) < 0)
			return -1;
	}
	return 0;
}

/* Gives the kernel back what is its own, or ends it. */
static void settle(struct run *run)
{
	struct init_kernel *kernel = run->cell.kernel;

	for (int i = 0; i < 2; i++) {
		kernel->program.output[i] = run->pump.streams[i].fd;
		run->pump.streams[i].fd = -1;
	}
	run->program.failure_fd = -1;
	if (run->ended)
		init_kernel_forget(kernel);
}

static int end(struct run *run, struct init_outcome *out, struct error *err)
{
	deadline_ms deadline = deadline_earlier(run->lifetime, deadline_in(CELL_SEND_DEADLINE_MS));
	bool is_over = run->ended || run->cell.has_ended;

	out->wall_us = (uint64_t)(monotonic_us() - run->started_us);
	if (run->job->last || !is_over)
		init_end_everything(run->lifetime);
	else if (run->ended)
		init_kernel_kill(&run->prepared->kernels, run->cell.kernel, run->lifetime);
	if (run_report(run, is_over, out, err) < 0)
		return -1;
	out->kernel = run->job->last ? "ended" : run->ended ? "lost" : "kept";
	if (run_drain(run, deadline, !run->ended, out, err) < 0)
		return -1;
	return run->ended && drain_channel(run, deadline) < 0
		       ? error_set_errno(err, 502, "host_gone", "sending output")
		       : 0;
}

int init_cell_run(const struct init_job *job, const struct init_context *context,
		  struct init_outcome *out, struct error *err)
{
	struct run run = run_new(job, context);
	int result = 0;

	run.cell.channel = &context->space->channel;
	context->space->channel.len = 0;
	if (begin(&run, &out->err) < 0) {
		out->reason = "not_started";
		if (run.cell.kernel)
			init_kernel_kill(&context->prepared->kernels, run.cell.kernel,
					 context->lifetime);
		run.ended = true;
	} else {
		run_loop(&run, turn);
		result = end(&run, out, err);
	}
	if (run.cell.kernel)
		settle(&run);
	run_close(&run);
	return result;
}
