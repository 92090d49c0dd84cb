/*
 * While the program runs: the clocks, the host's word, and its end. Its output is output.c's.
 *
 * Rules:
 *  1. The job ends when the main process ends. Then every other process is killed and reaped, and
 *     only then is the rest of the output read: a process that holds a pipe open delays nothing.
 *  2. One epoll_wait, until the next clock (clock.c).
 *  3. An OOM kill makes the job's end `oom` when the main process did not exit with 0: one that
 *     outlived the OOM of a child has dealt with it.
 */
#include "init/run.h"
#include "base/cleanup.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#define EVENTS_AT_ONCE 5 /* signals, the connection, stdout, stderr, a channel */

/* In a session kernels stay. */
static void end_others(const struct run *run)
{
	if (init_job_is_session(run->job))
		init_kernel_kill(&run->prepared->kernels, NULL, run->lifetime);
	else
		init_end_everything(run->lifetime);
}

/* SIGINT for the cell, and a date for its kernel. */
static void interrupt_cell(struct run *run)
{
	if (run->cell.kill_at != INT64_MAX)
		return;
	run->cell.kill_at = deadline_in(CELL_GRACE_MS);
	(void)kill(-run->program.pid, SIGINT); /* it leads a group: setsid(2) in start.c */
}

/* A program: everything is killed, with what it has started. */
void run_stop(struct run *run, const char *reason)
{
	if (!run->killed_for)
		run->killed_for = reason;
	if (run->cell.kernel)
		interrupt_cell(run);
	else if (init_job_is_session(run->job))
		(void)kill(run->program.pid, SIGKILL); /* what it has started goes with its end */
	else
		init_kill_everything();
}

/* --- Events ----------------------------------------------------------------------------------- */

/* Bounded: a process that makes orphans without end must not keep us here. The main process, our
   first child, is the first that waitpid looks at. */
static void reap(struct run *run)
{
	struct signalfd_siginfo info;

	/* before a waitpid, never after: what ends in between must leave a mark */
	while (read(run->signals, &info, sizeof(info)) > 0)
		;
	for (unsigned i = 0; i < PIDS_MAX; i++) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid <= 0)
			return;
		if (pid == run->program.pid) {
			run->status = status;
			run->ended = true;
			return;
		}
		init_kernels_note_end(&run->prepared->kernels, pid);
	}
}

/* After GO only CANCEL may come, and it may have come together with GO. */
static void take_frames(struct run *run)
{
	struct frame frame;
	struct error err;
	int found;

	while ((found = frame_reader_next(run->reader, &frame, &err)) == 1) {
		if (frame.type == FRAME_CANCEL)
			run_stop(run, "cancelled");
		else
			run->host_gone = true;
	}
	if (found < 0)
		run->host_gone = true;
}

static void hear_host(struct run *run)
{
	ssize_t got = frame_reader_fill(run->reader);

	if (got == 0 || (got < 0 && errno != EAGAIN))
		run->host_gone = true;
	take_frames(run);
}

static void dispatch(struct run *run, const struct epoll_event *event)
{
	if (event->data.ptr == run) {
		reap(run);
	} else if (event->data.ptr == run->reader) {
		if (event->events & EPOLLOUT)
			pump_flush(&run->pump);
		if (event->events & (EPOLLIN | EPOLLERR | EPOLLHUP))
			hear_host(run);
	} else if (event->data.ptr == &run->cell) {
		run->cell.is_readable = true;
	} else {
		pump_enqueue(&run->pump, event->data.ptr);
	}
}

static void wait_for_events(struct run *run)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int count = epoll_wait(run->epoll, events, EVENTS_AT_ONCE, clock_next_ms(run));

	for (int i = 0; i < count; i++)
		dispatch(run, &events[i]);
}

/* --- Beginning and end ------------------------------------------------------------------------ */

int run_watch(const struct run *run, int fd, void *who)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = who};

	return epoll_ctl(run->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* SIGCHLD is blocked since before the first fork. */
int run_open(struct run *run, struct error *err)
{
	sigset_t children;

	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	run->epoll = epoll_create1(EPOLL_CLOEXEC);
	run->signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
	run->pump.epoll = run->epoll;
	if (run->epoll < 0 || run->signals < 0 || run_watch(run, run->signals, run) < 0 ||
	    run_watch(run, run->reader->fd, run->reader) < 0)
		return error_set_errno(err, 500, "not_started", "epoll");
	return 0;
}

int run_watch_program(struct run *run, struct error *err)
{
	for (int i = 0; i < 2; i++)
		run->pump.streams[i] = (struct stream){
			.fd = run->program.output[i],
			.frame_type = i ? FRAME_STDERR : FRAME_STDOUT,
			.left = run->job->stream_bytes,
		};
	if (pump_watch(&run->pump) < 0)
		return error_set_errno(err, 500, "not_started", "epoll");
	return 0;
}

static int start(struct run *run, struct error *err)
{
	bool waits = init_prepared_take(run->prepared, run->job, run->lifetime, &run->program);

	clock_start(run);
	if (!(waits && init_prepared_go(run->prepared, &run->program, run->lifetime)) &&
	    init_start(run->job, run->job->env, -1, -1, &run->program, err) < 0)
		return -1;
	return run_open(run, err) < 0 || run_watch_program(run, err) < 0 ? -1 : 0;
}

static const char *reason_of(struct run *run, struct init_outcome *out)
{
	if (init_start_failed(&run->program, run->job, &out->err)) {
		out->status = -1;
		return "not_started";
	}
	if (run->killed_for && (run->cell.kernel || WIFSIGNALED(run->status) ||
				strcmp(run->killed_for, "cancelled") == 0))
		return run->killed_for;
	if (clock_oom_kills(run) && run->status != 0)
		return "oom"; /* rule 3 */
	return WIFSIGNALED(run->status) ? "signaled" : "exited";
}

int run_report(struct run *run, bool is_over, struct init_outcome *out, struct error *err)
{
	struct rusage reaped;

	if (run->host_gone)
		return error_set(err, 502, "host_gone", "the host has gone");
	if (!is_over)
		return error_set(err, 504, "lifetime", "the container's time is over");
	out->status = run->status;
	out->reason = reason_of(run, out);
	out->cpu_us = clock_cpu_us(run);
	if (!init_counter_read(&run->cgroup->peak_bytes, &out->max_rss_bytes)) {
		(void)getrusage(RUSAGE_CHILDREN, &reaped);
		out->max_rss_bytes = (uint64_t)reaped.ru_maxrss * KIB;
	}
	return 0;
}

int run_drain(struct run *run, deadline_ms deadline, bool has_writer, struct init_outcome *out,
	      struct error *err)
{
	if (pump_drain(&run->pump, deadline, has_writer) < 0)
		return error_set_errno(err, 502, "host_gone", "sending output");
	for (int i = 0; i < 2; i++)
		out->truncated[i] = run->pump.streams[i].truncated;
	return 0;
}

void run_close(struct run *run)
{
	int *descriptors[] = {&run->epoll, &run->signals, &run->pump.streams[0].fd,
			      &run->pump.streams[1].fd, &run->program.failure_fd};

	for (size_t i = 0; i < COUNT_OF(descriptors); i++)
		cleanup_close(descriptors[i]);
}

static int finish(struct run *run, struct init_outcome *out, struct error *err)
{
	out->wall_us = (uint64_t)(monotonic_us() - run->started_us);
	end_others(run);
	return run_report(run, run->ended, out, err) < 0 ||
			       run_drain(run, run->lifetime, false, out, err) < 0
		       ? -1
		       : 0;
}

struct run run_new(const struct init_job *job, const struct init_context *context)
{
	return (struct run){
		.job = job,
		.prepared = context->prepared,
		.reader = context->reader,
		.cgroup = context->cgroup,
		.program = INIT_PROGRAM_NONE,
		.pump = {.connection = context->reader->fd,
			 .connection_id = context->reader,
			 .space = context->space,
			 .streams = {{.fd = -1}, {.fd = -1}}},
		.cell = {.kill_at = INT64_MAX},
		.epoll = -1,
		.signals = -1,
		.lifetime = context->lifetime,
	};
}

void run_loop(struct run *run, void (*turn)(struct run *run))
{
	const char *over;

	take_frames(run);
	while (!run->ended && !run->cell.has_ended && (!run->host_gone || run->cell.kernel) &&
	       deadline_left_ms(run->lifetime)) {
		wait_for_events(run);
		pump_turn(&run->pump);
		if (turn)
			turn(run);
		if ((over = clock_check(run)))
			run_stop(run, over);
		run->host_gone |= run->pump.host_gone;
	}
}

int init_run(const struct init_job *job, const struct init_context *context,
	     struct init_outcome *out, struct error *err)
{
	struct run run = run_new(job, context);
	int result = 0;

	if (start(&run, &out->err) < 0) {
		out->reason = "not_started";
		end_others(&run);
	} else {
		run_loop(&run, NULL);
		result = finish(&run, out, err);
	}
	run_close(&run);
	return result;
}
