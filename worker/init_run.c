/*
 * While the program runs: the clocks, the host's word, and its end. Its output is init_pump.c's.
 *
 * Rules:
 *  1. The job ends when the main process ends. Then every other process is killed and reaped, and
 *     only then is the rest of the output read: what holds a pipe open holds up nobody.
 *  2. Nothing is polled: one epoll_wait, until the next clock. A CPU budget is looked at when it
 * can have been used up at the earliest.
 *  3. An OOM kill makes the job's end `oom` when the main process did not exit with 0: one that
 *     outlived the OOM of a child has dealt with it.
 */
#include "base/cleanup.h"
#include "base/io.h"
#include "init.h"
#include "init_pump.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct run {
	const struct init_job *job;
	struct init_spare *spare;
	struct frame_reader *reader; /* its fd is the connection */
	const struct init_cgroup *cgroup;
	struct init_program program;
	struct pump pump;

	int epoll, signals; /* owned */
	deadline_ms lifetime, wall, cpu_check;
	int64_t started_us;
	uint64_t cpu_before_us, oom_before;
	unsigned cpus;

	const char *killed_for; /* why we ended it, or NULL */
	bool host_gone, ended;
	int status;
};

static void end_program(struct run *run, const char *reason)
{
	if (!run->killed_for)
		run->killed_for = reason;
	init_kill_everything();
}

/* --- Clocks ------------------------------------------------------------------------------------*/

static uint64_t timeval_us(struct timeval time)
{
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

/* CPU time of the container so far. Without a cgroup: of what was reaped, and of the main process. */
static uint64_t cpu_counted_us(const struct run *run)
{
	uint64_t counted;
	struct rusage reaped;
	struct timespec own = {0};
	clockid_t clock;

	if (init_counter_read(&run->cgroup->cpu_us, &counted))
		return counted;
	(void)getrusage(RUSAGE_CHILDREN, &reaped);
	if (!run->ended && run->program.pid > 0 &&
	    clock_getcpuclockid(run->program.pid, &clock) == 0)
		(void)clock_gettime(clock, &own);
	return timeval_us(reaped.ru_utime) + timeval_us(reaped.ru_stime) +
	       (uint64_t)own.tv_sec * 1000000 + (uint64_t)own.tv_nsec / 1000;
}

/* CPU time of the job so far: since GO. */
static uint64_t cpu_used_us(const struct run *run)
{
	uint64_t counted = cpu_counted_us(run);

	return counted > run->cpu_before_us ? counted - run->cpu_before_us : 0;
}

/* Looks again when the budget can have been used up at the earliest: by every CPU at once. */
static void check_cpu(struct run *run)
{
	uint64_t budget_us = run->job->cpu_ms * 1000, used_us;
	int64_t earliest_ms;

	if (!budget_us || run->killed_for || deadline_left_ms(run->cpu_check))
		return;
	used_us = cpu_used_us(run);
	if (used_us >= budget_us) {
		end_program(run, "cpu");
		return;
	}
	earliest_ms = (int64_t)((budget_us - used_us) / run->cpus / 1000);
	run->cpu_check =
		deadline_in(earliest_ms > CPU_CHECK_MIN_MS ? earliest_ms : CPU_CHECK_MIN_MS);
}

static void check_clocks(struct run *run)
{
	check_cpu(run);
	if (!run->killed_for && deadline_left_ms(run->wall) == 0)
		end_program(run, "timeout");
}

static int until_next_clock_ms(const struct run *run)
{
	deadline_ms next = run->lifetime;

	if (!run->killed_for) {
		next = deadline_earlier(next, run->wall);
		if (run->job->cpu_ms)
			next = deadline_earlier(next, run->cpu_check);
	}
	return deadline_left_ms(deadline_earlier(next, pump_next(&run->pump)));
}

/* --- Events ------------------------------------------------------------------------------------*/

/* Before a waitpid, never after: what ends in between must leave a mark. */
static void forget_signals(const struct run *run)
{
	struct signalfd_siginfo info;

	while (read(run->signals, &info, sizeof(info)) > 0)
		;
}

/* Bounded: a process that makes orphans without end must not keep us here. The main process, our
   first child, is the first that waitpid looks at. */
static void reap(struct run *run)
{
	forget_signals(run);
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
			end_program(run, "cancelled");
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
	} else {
		pump_enqueue(&run->pump, event->data.ptr);
	}
}

static void wait_for_events(struct run *run)
{
	struct epoll_event events[4];
	int count = epoll_wait(run->epoll, events, 4, until_next_clock_ms(run));

	for (int i = 0; i < count; i++)
		dispatch(run, &events[i]);
}

/* --- Beginning and end -------------------------------------------------------------------------*/

static int watch(const struct run *run, int fd, void *who)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = who};

	return epoll_ctl(run->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* SIGCHLD is blocked since before the first fork. */
static int open_watches(struct run *run, struct error *err)
{
	sigset_t children;

	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	run->epoll = epoll_create1(EPOLL_CLOEXEC);
	run->signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
	if (run->epoll < 0 || run->signals < 0 || watch(run, run->signals, run) < 0 ||
	    watch(run, run->reader->fd, run->reader) < 0)
		return error_set_errno(err, 500, "not_started", "epoll");
	return 0;
}

static int start(struct run *run, struct error *err)
{
	bool waits = init_spare_take(run->spare, run->job, run->lifetime, &run->program);
	cpu_set_t set;

	run->cpus = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
	(void)init_counter_read(&run->cgroup->oom_kills, &run->oom_before);
	run->cpu_before_us = cpu_counted_us(run);
	run->started_us = monotonic_us();
	run->wall = deadline_in((int64_t)run->job->wall_ms);
	if (!(waits && init_spare_go(run->spare, &run->program, run->lifetime)) &&
	    init_start(run->job, run->job->env, -1, &run->program, err) < 0)
		return -1;
	for (int i = 0; i < 2; i++)
		run->pump.streams[i] = (struct stream){
			.fd = run->program.output[i],
			.frame_type = i ? FRAME_STDERR : FRAME_STDOUT,
			.left = run->job->stream_bytes,
		};
	if (open_watches(run, err) < 0)
		return -1;
	run->pump.epoll = run->epoll;
	if (pump_watch(&run->pump) < 0)
		return error_set_errno(err, 500, "not_started", "epoll");
	return 0;
}

static const char *reason_of(struct run *run, struct init_outcome *out)
{
	uint64_t oom_kills;

	if (init_start_failed(&run->program, run->job, &out->err)) {
		out->status = -1;
		return "not_started";
	}
	if (run->killed_for &&
	    (WIFSIGNALED(run->status) || strcmp(run->killed_for, "cancelled") == 0))
		return run->killed_for;
	if (init_counter_read(&run->cgroup->oom_kills, &oom_kills) && oom_kills > run->oom_before &&
	    run->status != 0)
		return "oom"; /* rule 6 */
	return WIFSIGNALED(run->status) ? "signaled" : "exited";
}

static void report(struct run *run, struct init_outcome *out)
{
	struct rusage reaped;

	out->status = run->status;
	out->reason = reason_of(run, out);
	out->cpu_us = cpu_used_us(run);
	if (!init_counter_read(&run->cgroup->peak_bytes, &out->max_rss_bytes)) {
		(void)getrusage(RUSAGE_CHILDREN, &reaped);
		out->max_rss_bytes = (uint64_t)reaped.ru_maxrss * KIB;
	}
}

static void close_run(struct run *run)
{
	int *descriptors[] = {&run->epoll, &run->signals, &run->pump.streams[0].fd,
			      &run->pump.streams[1].fd, &run->program.failure_fd};

	for (size_t i = 0; i < sizeof(descriptors) / sizeof(descriptors[0]); i++)
		cleanup_close(descriptors[i]);
}

static int finish(struct run *run, struct init_outcome *out, struct error *err)
{
	out->wall_us = (uint64_t)(monotonic_us() - run->started_us);
	init_end_everything(run->lifetime);
	if (run->host_gone)
		return error_set(err, 502, "host_gone", "the host has gone");
	if (!run->ended)
		return error_set(err, 504, "lifetime", "the container's time is over");
	report(run, out);
	if (pump_drain(&run->pump, run->lifetime) < 0)
		return error_set_errno(err, 502, "host_gone", "sending output");
	for (int i = 0; i < 2; i++)
		out->truncated[i] = run->pump.streams[i].truncated;
	return 0;
}

int init_run(const struct init_job *job, struct init_spare *spare, struct frame_reader *reader,
	     const struct init_cgroup *cgroup, struct init_space *space, deadline_ms lifetime,
	     struct init_outcome *out, struct error *err)
{
	struct run run = {
		.job = job,
		.spare = spare,
		.reader = reader,
		.cgroup = cgroup,
		.program = {.pid = -1, .output = {-1, -1}, .failure_fd = -1},
		.pump = {.connection = reader->fd,
			 .connection_id = reader,
			 .space = space,
			 .streams = {{.fd = -1}, {.fd = -1}}},
		.epoll = -1,
		.signals = -1,
		.lifetime = lifetime,
	};
	int result = 0;

	if (start(&run, &out->err) < 0) {
		out->reason = "not_started";
		init_end_everything(lifetime);
	} else {
		take_frames(&run);
		while (!run.ended && !run.host_gone && deadline_left_ms(lifetime)) {
			wait_for_events(&run);
			pump_turn(&run.pump);
			check_clocks(&run);
			run.host_gone |= run.pump.host_gone;
		}
		result = finish(&run, out, err);
	}
	close_run(&run);
	return result;
}
