/*
 * The clocks of a job: wall time, a CPU budget and a number of OOM kills.
 *
 * Rules:
 *  1. A CPU budget is looked at when it can have been used up at the earliest: by every CPU at
 * once.
 *  2. Each OOM kill writes to the kernel's log, so a job that provokes one after another is ended.
 *     Their count is polled: cgroup v1 announces it only to what can write in the cgroup.
 */
#include "init/run.h"

#include <sched.h>
#include <sys/resource.h>

static uint64_t timeval_us(struct timeval time)
{
	return (uint64_t)time.tv_sec * US_PER_S + (uint64_t)time.tv_usec;
}

/* CPU time of the container so far. Without a cgroup: of what was reaped, and of the main
   process. */
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
	       (uint64_t)timespec_us(own);
}

uint64_t clock_cpu_us(const struct run *run)
{
	uint64_t counted = cpu_counted_us(run);

	return counted > run->cpu_before_us ? counted - run->cpu_before_us : 0;
}

void clock_start(struct run *run)
{
	cpu_set_t set;

	run->cpus = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
	(void)init_counter_read(&run->cgroup->oom_kills, &run->oom_before);
	run->oom_check = deadline_in(INIT_OOM_CHECK_MS);
	run->cpu_before_us = cpu_counted_us(run);
	run->started_us = monotonic_us();
	run->wall = deadline_in((int64_t)run->job->wall_ms);
}

static bool is_cpu_used_up(struct run *run)
{
	uint64_t budget_us = run->job->cpu_ms * US_PER_MS, used_us;
	int64_t earliest_ms;

	if (!budget_us || deadline_left_ms(run->cpu_check))
		return false;
	used_us = clock_cpu_us(run);
	if (used_us >= budget_us)
		return true;
	earliest_ms = (int64_t)((budget_us - used_us) / run->cpus / US_PER_MS);
	run->cpu_check =
		deadline_in(earliest_ms > CPU_CHECK_MIN_MS ? earliest_ms : CPU_CHECK_MIN_MS);
	return false;
}

uint64_t clock_oom_kills(const struct run *run)
{
	uint64_t counted;

	return init_counter_read(&run->cgroup->oom_kills, &counted) && counted > run->oom_before
		       ? counted - run->oom_before
		       : 0;
}

/* Rule 2. */
static bool is_killed_too_often(struct run *run)
{
	if (deadline_left_ms(run->oom_check))
		return false;
	run->oom_check = deadline_in(INIT_OOM_CHECK_MS);
	return clock_oom_kills(run) >= INIT_OOM_KILLS_MAX;
}

const char *clock_check(struct run *run)
{
	if (run->killed_for)
		return NULL;
	if (is_killed_too_often(run))
		return "oom";
	if (is_cpu_used_up(run))
		return "cpu";
	return deadline_left_ms(run->wall) == 0 ? "timeout" : NULL;
}

int clock_next_ms(const struct run *run)
{
	deadline_ms next = deadline_earlier(run->lifetime, run->cell.kill_at);

	if (!run->killed_for) {
		next = deadline_earlier(deadline_earlier(next, run->wall), run->oom_check);
		if (run->job->cpu_ms)
			next = deadline_earlier(next, run->cpu_check);
	}
	return deadline_left_ms(deadline_earlier(next, pump_next(&run->pump)));
}
