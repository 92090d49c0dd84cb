/* mayfly-init ending jobs: CANCEL, a host that hangs up, deadlines, what the cgroup counted. */
#include "init_talk.h"

/* --- Cancel, hang-up, deadlines --------------------------------------------------------------- */

/* Starts a job whose program holds root/fifo open for writing, and waits until it does. The reading
   end has its end of file when every process of the job is dead. */
static int start_with_fifo(struct talk *talk, const char *script, const char *more,
			   int64_t lifetime_ms)
{
	char byte;
	int fd = openat(root_fd, "fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	start_init(talk, "", lifetime_ms);
	send_job(talk, script, more);
	send_frame(talk, FRAME_GO, "");
	ok(io_read_some(fd, &byte, 1, deadline_in(PATIENCE_MS)) == 1, "%s: it runs", script);
	return fd;
}

static bool all_dead(int fd)
{
	char byte;

	return io_read_some(fd, &byte, 1, deadline_in(PATIENCE_MS)) == 0;
}

#define HOLD "exec 3>fifo; echo >&3; "

static void test_cancel(void)
{
	static struct talk talk;
	_cleanup_close_ int fd =
		start_with_fifo(&talk, "exec 3>fifo; echo a; echo >&3; sleep 100", "", PATIENCE_MS);

	send_frame(&talk, FRAME_CANCEL, "");
	listen_until_end(&talk);
	ok(all_dead(fd), "cancelled: the program is dead");
	ok(says(&talk, "reason=cancelled") && talk.has_end, "EXIT and END follow: %s", talk.exit);
	is_text(talk.out, "a\n", "output is kept");
	is_number(finish(&talk), 0, "init ends well");

	start_init(&talk, "", PATIENCE_MS);
	send_job(&talk, "sleep 100", "");
	if (io_send_all(talk.fd, "G\0\0\0\0C\0\0\0\0", 10, deadline_in(1000)) < 0)
		perror("send");
	listen_until_end(&talk);
	ok(says(&talk, "reason=cancelled") && talk.has_end, "CANCEL together with GO: %s",
	   talk.exit);
	is_number(finish(&talk), 0, "init ends well");

	start_init(&talk, "", PATIENCE_MS);
	send_frame(&talk, FRAME_CANCEL, "");
	listen_until_end(&talk);
	ok(says(&talk, "reason=cancelled") && talk.has_end, "CANCEL before JOB: %s", talk.exit);
	is_number(finish(&talk), 0, "init ends well");
}

static void test_hang_up(void)
{
	static struct talk talk;
	_cleanup_close_ int quiet =
		start_with_fifo(&talk, HOLD "(setsid sleep 100 &); sleep 100", "", PATIENCE_MS);

	is_number(finish(&talk), 1, "the host hangs up on a quiet job");
	ok(all_dead(quiet), "all its processes are dead");

	_cleanup_close_ int loud =
		start_with_fifo(&talk, HOLD "while :; do echo x; done", "", PATIENCE_MS);

	is_number(finish(&talk), 1, "the host hangs up on a loud job");
	ok(all_dead(loud), "all its processes are dead");

	_cleanup_close_ int rude = start_with_fifo(&talk, HOLD "sleep 100", "", PATIENCE_MS);

	send_frame(&talk, FRAME_STDIN, "too late");
	ok(all_dead(rude), "a frame out of place ends the job");
	is_number(finish(&talk), 1, "and init");
}

static void test_deadlines(void)
{
	static struct talk talk;
	_cleanup_close_ int full =
		start_with_fifo(&talk, HOLD "exec yes", "wall_ms=500\0", PATIENCE_MS);

	ok(all_dead(full), "nobody reads: the time-out comes all the same");
	listen_until_end(&talk);
	ok(says(&talk, "reason=timeout") && talk.out_len > 1000, "output so far is kept: %zu",
	   talk.out_len);
	is_number(finish(&talk), 0, "init ends well");

	_cleanup_close_ int old = start_with_fifo(&talk, HOLD "sleep 100", "", 500);

	ok(all_dead(old), "init's own deadline ends a job");
	listen_until_end(&talk);
	ok(!talk.has_exit && !talk.has_end, "without a word");
	is_number(finish(&talk), 1, "init says that it failed");

	start_init(&talk, "", 100);
	send_job(&talk, "true", "");
	listen_until_end(&talk);
	ok(!talk.has_exit, "a GO that does not come");
	is_number(finish(&talk), 1, "ends at the same deadline");
}

/* --- The cgroup's word ------------------------------------------------------------------------ */

static void put(const char *name, const char *text)
{
	_cleanup_close_ int fd =
		openat(root_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || io_write_all(fd, text, strlen(text)) < 0)
		perror(name);
}

static void test_cgroup(void)
{
	static const char *const ends[][2] = {
		{"echo oom_kill 3 >memory.events; exit 1", "reason=oom"},
		{"echo oom_kill 3 >memory.events; kill -9 $$", "reason=oom"},
		{"echo oom_kill 3 >memory.events; exit 0", "reason=exited"},
		{"echo oom_kill 2 >memory.events; exit 1", "reason=exited"},
		{"echo oom_kill 5 >memory.events; sleep 100", "reason=oom"},
		{"echo usage_usec 9000000 >cpu.stat; sleep 100", "reason=cpu"},
	};
	static struct talk talk;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		put("memory.events", "oom_kill 2\n");
		put("cpu.stat", "usage_usec 1000\n");
		put("memory.peak", "12345\n");
		run(&talk, ends[i][0], "cpu_ms=400\0");
		ok(says(&talk, ends[i][1]) && says(&talk, "max_rss_bytes=12345"), "%s in %s",
		   ends[i][1], talk.exit);
	}
	ok(says(&talk, "cpu_us=8999000"), "CPU time is counted from GO");
}

int main(void)
{
	set_up();
	test_cancel();
	test_hang_up();
	test_deadlines();
	test_cgroup();
	tear_down();
	return done();
}
