/* mayfly-init serving jobs: what a program sees, what of it is heard, how it ends by itself. */
#include "init_talk.h"

/* --- What a program sees and says ------------------------------------------------------------- */

static const struct {
	const char *script, *more;
	const char *out, *err;   /* all of it; NULL: not looked at */
	const char *exit, *also; /* fields of EXIT */
} rows[] = {
	{"echo out; exit 3", "", "out\n", "", "reason=exited", "code=3"},
	{"echo err >&2; echo out", "", "out\n", "err\n", "reason=exited", "code=0"},
	{"kill -SEGV $$", "", "", "", "reason=signaled", "signal=11"},
	{"kill -9 $$", "", "", "", "reason=signaled", "signal=9"},
	{"kill -9 1; kill -15 1; kill -19 1; echo still", "", "still\n", "", "reason=exited",
	 "code=0"},
	{"env | grep -v ^_= | grep -v ^PWD= | sort", "", "A=1\nPATH=/nonexistent:/usr/bin:/bin\n",
	 NULL, "reason=exited", "code=0"},
	{"for fd in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/self/fd/$fd ] && echo $fd; done; true", "",
	 "0\n1\n2\n", NULL, "reason=exited", "code=0"},
	{"cat; echo done", "", "done\n", "", "reason=exited", "code=0"},
	{"ulimit -c; ulimit -Hc; umask", "", "0\n0\n0022\n", "", "reason=exited", "code=0"},
	{"grep -E 'Sig(Blk|Ign):' /proc/self/status | cut -f2 | sort -u", "", "0000000000000000\n",
	 "", "reason=exited", "code=0"},
	{"cat /proc/self/oom_score_adj", "", "1000\n", "", "reason=exited", "code=0"},
	{"nice; grep -cE 'Max (nice|realtime) priority +0 +0' /proc/self/limits", "", "10\n2\n", "",
	 "reason=exited", "code=0"},
	{"read pid b c d e session rest </proc/self/stat; [ $pid = $session ] && echo leader", "",
	 "leader\n", "", "reason=exited", "code=0"},
	{"echo 0123456789; echo e >&2", "stream_bytes=4\0", "0123", "e\n", "stdout_truncated=1",
	 "stderr_truncated=0"},
	{"printf 0123", "stream_bytes=4\0", "0123", "", "stdout_truncated=0", "code=0"},
	{"echo x", "stream_bytes=0\0", "", "", "stdout_truncated=1", "code=0"},
	{"head -c 9000000 /dev/zero; echo end >&2", "stream_bytes=10\0", NULL, "end\n",
	 "stdout_truncated=1", "code=0"},
	{"sleep 100 & echo main", "", "main\n", "", "reason=exited", "code=0"},
	{"(setsid sh -c 'trap \"\" TERM HUP; sleep 100' &); echo main", "", "main\n", "",
	 "reason=exited", "code=0"},
	{"while :; do echo spam; done & echo main >&2", "", NULL, "main\n", "reason=exited",
	 "code=0"},
	{"echo part; trap '' TERM INT; sleep 100", "wall_ms=200\0", "part\n", NULL,
	 "reason=timeout", "signal=9"},
	{"while :; do :; done", "wall_ms=200\0", "", "", "reason=timeout", "signal=9"},
	{"while :; do :; done", "cpu_ms=50\0", "", "", "reason=cpu", "signal=9"},
	{"sleep 0.2", "cpu_ms=100\0", "", "", "reason=exited", "code=0"},
};

static void test_rows(void)
{
	static struct talk talk;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		run(&talk, rows[i].script, rows[i].more);
		if (rows[i].out)
			is_text(talk.out, rows[i].out, "its output");
		if (rows[i].err)
			is_text(talk.err, rows[i].err, "its errors");
		ok(says(&talk, rows[i].exit) && says(&talk, rows[i].also), "%s, %s in %s",
		   rows[i].exit, rows[i].also, talk.exit);
	}
}

static void test_not_started(void)
{
	static const char *const programs[][2] = {
		{"python4", "message=python4: not found in the image"},
		{"/etc/passwd", "message=/etc/passwd: Permission denied"},
		{"/nonexistent/x", "message=/nonexistent/x: not found in the image"},
		{"a\nb", "message=a?b: not found in the image"},
	};
	static struct talk talk;

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		_cleanup_buf_ struct buf fields = buf_new(FRAME_JOB_MAX_BYTES);
		int failed = field_add(&fields, "argv", slice_of(programs[i][0]));

		failed |= field_add(&fields, "cwd", slice_of(root));
		failed |= field_add(&fields, "wall_ms", slice_of("1000"));
		start_init(&talk, "", PATIENCE_MS);
		failed |= frame_send(talk.fd, FRAME_JOB, buf_slice(&fields), deadline_in(1000));
		ok(failed == 0, "%s: sent", programs[i][1]);
		send_frame(&talk, FRAME_GO, "");
		listen_until_end(&talk);
		is_number(finish(&talk), 0, "init ends well");
		ok(talk.has_end && says(&talk, "reason=not_started") &&
			   strstr(talk.exit, programs[i][1]),
		   "its reason in %s", talk.exit);
	}
	start_init(&talk, "", PATIENCE_MS);
	send_job(&talk, "true", "cwd=/nonexistent\0");
	send_frame(&talk, FRAME_FILE, "a");
	send_frame(&talk, FRAME_DATA, "thrown away");
	send_frame(&talk, FRAME_GO, "");
	listen_until_end(&talk);
	is_number(finish(&talk), 0, "a refused job: init ends well");
	ok(talk.has_end && says(&talk, "reason=not_started"), "and says why: %s", talk.exit);
}

static void test_input_output(void)
{
	static struct talk talk;

	start_init(&talk, "", PATIENCE_MS);
	send_job(&talk, "cat; cat in/put; echo new >new",
		 "artifact_count=9\0artifact_bytes=9\0artifacts_bytes=9\0");
	send_frame(&talk, FRAME_FILE, "in/put");
	send_frame(&talk, FRAME_DATA, "file ");
	send_frame(&talk, FRAME_DATA, "data");
	send_frame(&talk, FRAME_STDIN, "typed ");
	send_frame(&talk, FRAME_STDIN, "in ");
	send_frame(&talk, FRAME_GO, "");
	listen_until_end(&talk);
	is_number(finish(&talk), 0, "inputs: init ends well");
	is_text(talk.out, "typed in file data", "standard input and file arrive");
	ok(strstr(talk.order, "XSFDZ"),
	   "EXIT, SKIPPED for the FIFO, one FILE with its DATA, END: %s", talk.order);
	ok(fs_remove_tree(root_fd, "in") == 0 && fs_remove_tree(root_fd, "new") == 0, "removed");

	/* each stream is a pipe of its own: the second line waits until the first has been read */
	run(&talk, "bash -c 'echo 1 >&2; while read -t 0 </proc/self/fd/2; do :; done; echo 2'",
	    "");
	ok(talk.order[0] == 'E', "what was written first comes first: %s", talk.order);
	run(&talk, "dd if=/dev/zero bs=1 count=100000 2>/dev/null", "");
	ok(talk.out_len == 100000 && talk.frames < 20000,
	   "100000 writes of a byte come in %zu frames", talk.frames);
}

int main(void)
{
	struct init_prepared prepared = init_prepared_new();
	struct error err;

	set_up();
	ok(init_serve(-1, NULL, &prepared, deadline_in(0), &err) == -1 &&
		   strcmp(err.code, "not_pid_1") == 0,
	   "outside a pid namespace nothing is served, for it would kill everything");
	test_rows();
	test_not_started();
	test_input_output();
	tear_down();
	return done();
}
