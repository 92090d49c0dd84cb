/* mayfly-init making pooled containers of itself: what waits, for which job it is, and what becomes
   of it otherwise. The runtime is bash, held by BASH_ENV; its script, an input of the job, says
   whether it was held: waited or fresh. */
#include "init_talk.h"

/* $BEFORE comes from the job's environment, so it may differ from test to test. */
#define HOOK                                                                                       \
	"eval \"$BEFORE\"\n"                                                                       \
	"printf w >&$MAYFLY_GO; read -rn1 -u $MAYFLY_GO || exit 99\n"                              \
	"exec {MAYFLY_GO}>&-; unset MAYFLY_GO\n"                                                   \
	"how=waited\n"

static char bash_env[sizeof(root) + 32];

static void put(const char *name, const char *text)
{
	_cleanup_close_ int fd =
		openat(root_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || io_write_all(fd, text, strlen(text)) < 0)
		perror(name);
}

/* --- Both ends' words ------------------------------------------------------------------------- */

/* Fields, each ended by NUL, and an empty one. */
static void add_fields(struct buf *out, const char *fields)
{
	for (; *fields; fields += strlen(fields) + 1)
		if (buf_append(out, fields, strlen(fields) + 1) < 0)
			abort();
}

/* argv, env and cwd of a job: bash script. */
static void add_command(struct buf *out, const char *before)
{
	int failed = field_add(out, "argv", slice_of("bash"));

	failed |= field_add(out, "argv", slice_of("script"));
	failed |= field_add(out, "env", slice_of("PATH=/usr/bin:/bin"));
	failed |= buf_append(out, "env=", 4);
	failed |= field_add(out, "BEFORE", slice_of(before));
	failed |= field_add(out, "cwd", slice_of(root));
	if (failed)
		abort();
}

static void send_fields(int fd, uint8_t type, const struct buf *fields)
{
	if (frame_send(fd, type, buf_slice(fields), deadline_in(PATIENCE_MS)) < 0)
		perror("frame_send");
}

/* JOB and PREPARE; prepare: fields more than idle_s and BASH_ENV. */
static void send_pooled(struct talk *talk, const char *before, const char *prepare)
{
	_cleanup_buf_ struct buf job = buf_new(FRAME_JOB_MAX_BYTES), prepared = job;

	add_command(&job, before);
	add_fields(&prepared, "idle_s=10\0");
	add_fields(&prepared, bash_env);
	add_fields(&prepared, prepare);
	send_fields(talk->fd, FRAME_JOB, &job);
	send_fields(talk->fd, FRAME_PREPARE, &prepared);
}

/* READY's fields into talk->exit; false when init gave up. */
static bool hear_ready(struct talk *talk)
{
	struct frame frame;
	struct error err;
	size_t len = 0;

	if (frame_read(&talk->reader, &frame, deadline_in(PATIENCE_MS), &err) < 0)
		return false;
	ok(frame.type == FRAME_READY, "READY and nothing else: %c", frame.type);
	keep(talk->exit, sizeof(talk->exit), &len, frame.payload);
	for (size_t i = 0; i < len; i++)
		if (talk->exit[i] == '\0')
			talk->exit[i] = ' ';
	ok(frame_read(&talk->reader, &frame, deadline_in(PATIENCE_MS), &err) < 0 &&
		   strcmp(err.code, "frame_closed") == 0,
	   "then the connection is closed");
	return true;
}

/* A job over the next connection, to its end. */
static void run_next(struct talk *talk, const char *before, const char *script, const char *more,
		     const char *input, const char *standard_input)
{
	_cleanup_buf_ struct buf job = buf_new(FRAME_JOB_MAX_BYTES);

	close(talk->fd);
	talk->fd = talk->next;
	talk->next = -1;
	frame_reader_free(&talk->reader);
	talk->reader = frame_reader_new(talk->fd);
	talk->exit[0] = '\0';
	add_command(&job, before);
	add_fields(&job, "wall_ms=60000\0stream_bytes=1000000\0");
	add_fields(&job, more);
	send_fields(talk->fd, FRAME_JOB, &job);
	send_frame(talk, FRAME_FILE, "script");
	send_frame(talk, FRAME_DATA, script);
	if (input)
		send_frame(talk, FRAME_FILE, input);
	if (standard_input)
		send_frame(talk, FRAME_STDIN, standard_input);
	send_frame(talk, FRAME_GO, "");
	listen_until_end(talk);
	is_number(finish(talk), 0, "init ends well");
	ok(talk->has_exit && talk->has_end, "EXIT and END");
	ok(unlinkat(root_fd, "script", 0) == 0 || unlinkat(root_fd, "d/script", 0) == 0,
	   "the script was there");
	if (input)
		ok(unlinkat(root_fd, input, 0) == 0, "so was the input");
}

static void prepare(struct talk *talk, const char *before, const char *more, const char *ready)
{
	start_init(talk, "0::/\n", PATIENCE_MS);
	send_pooled(talk, before, more);
	ok(hear_ready(talk), "%s: READY", before);
	ok(says(talk, ready), "%s: %s in %s", before, ready, talk->exit);
}

/* --- For which job it is ---------------------------------------------------------------------- */

#define SAY "echo ${how-fresh}; "

static const struct {
	const char *what;
	const char *more_prepare, *ready;
	const char *more, *input, *standard_input; /* of the job */
	const char *out;
} jobs[] = {
	{"the same job", "", "prebooted=1", "", NULL, NULL, "waited\n"},
	{"one more argument", "", "prebooted=1", "argv=x\0", NULL, NULL, "fresh\n"},
	{"one more variable", "", "prebooted=1", "env=A=1\0", NULL, NULL, "fresh\n"},
	{"an empty standard input", "", "prebooted=1", "", NULL, "", "fresh\n"},
	{"a standard input", "", "prebooted=1", "", NULL, "x", "fresh\n"},
	{"an input", "", "prebooted=1", "", "other", NULL, "waited\n"},
	{"an input it had looked for", "env=MAYFLY_UNLESS=other\0", "prebooted=1", "", "other",
	 NULL, "fresh\n"},
	{"no such input", "env=MAYFLY_UNLESS=other\0", "prebooted=1", "", "others", NULL,
	 "waited\n"},
	{"a variable that the job has, too", "env=PATH=/bin\0", "prebooted=0", "", NULL, NULL,
	 "fresh\n"},
	{"a variable of ours", "env=MAYFLY_OTHER=1\0", "prebooted=1", "", NULL, NULL, "waited\n"},
};

static void test_jobs(void)
{
	static struct talk talk;
	char folder[sizeof(root) + 16] = ""; /* a field, and the empty one behind it */

	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
		prepare(&talk, "", jobs[i].more_prepare, jobs[i].ready);
		run_next(&talk, "", SAY, jobs[i].more, jobs[i].input, jobs[i].standard_input);
		is_text(talk.out, jobs[i].out, "%s: %s", jobs[i].what, jobs[i].out);
		ok(says(&talk, "code=0"), "%s: its end", jobs[i].what);
	}
	prepare(&talk, "", "", "prebooted=1");
	run_next(&talk, "true", SAY, "", NULL, NULL);
	is_text(talk.out, "fresh\n", "a variable with another value");
	prepare(&talk, "", "", "prebooted=1");
	snprintf(folder, sizeof(folder), "cwd=%s/d", root);
	ok(mkdirat(root_fd, "d", 0755) == 0, "a folder");
	run_next(&talk, "", SAY, folder, NULL, NULL);
	is_text(talk.out, "fresh\n", "another folder");
	ok(unlinkat(root_fd, "d", AT_REMOVEDIR) == 0, "removed");
}

/* What the job's program finds. */
static void test_program(void)
{
	static struct talk talk;

	run(&talk, "echo ${BASH_ENV-none}", "");
	is_text(talk.out, "none\n", "a job that no pooled container was made for");
	put("memory.current", "4321\n");
	prepare(&talk, "", "", "memory_bytes=4321");
	run_next(&talk, "",
		 SAY "echo /proc/self/fd/* | tr -cd '0-9 '; echo; echo ${MAYFLY_GO-gone}; "
		     "ulimit -c; nice; cat /proc/self/oom_score_adj; cat; exit 7",
		 "", NULL, NULL);
	is_text(talk.out, "waited\n0 1 2 3\ngone\n0\n10\n1000\n",
		"descriptors (3 is the listing), limits, priority");
	ok(says(&talk, "code=7"), "its exit code in %s", talk.exit);

	prepare(&talk, "", "", "prebooted=1");
	run_next(&talk, "", "sleep 100", "wall_ms=200\0", NULL, NULL);
	ok(says(&talk, "reason=timeout"), "its time-out in %s", talk.exit);
	ok(fs_remove_tree(root_fd, "memory.current") == 0, "removed");
}

/* Everything is counted from GO. */
static void test_usage(void)
{
	static struct talk talk;

	put("memory.events", "oom_kill 0\n");
	prepare(&talk, "echo usage_usec 9000000 >cpu.stat; echo oom_kill 1 >memory.events", "",
		"prebooted=1");
	ok(fs_remove_tree(root_fd, "memory.events") == 0, "removed");
	put("memory.events", "oom_kill 1\n");
	run_next(&talk, "echo usage_usec 9000000 >cpu.stat; echo oom_kill 1 >memory.events",
		 "echo usage_usec 9000321 >cpu.stat; exit 1", "cpu_ms=400\0", NULL, NULL);
	ok(says(&talk, "reason=exited"), "what booting used is not in the job's budget: %s",
	   talk.exit);
	ok(fs_remove_tree(root_fd, "cpu.stat") == 0 &&
		   fs_remove_tree(root_fd, "memory.events") == 0,
	   "removed");
}

/* --- What does not wait ----------------------------------------------------------------------- */

static void test_not_waiting(void)
{
	static const char *const befores[] = {
		"exec 3>fifo; echo >&3; exit 0",
		"exec 3>fifo; echo >&3; kill -9 $$",
		"exec 3>fifo; echo >&3; echo early",
		"exec 3>fifo; echo >&3; echo early >&2",
		"exec 3>fifo; echo >&3; (sleep 100 63>&- &); exit 1",
	};
	static struct talk talk;
	char text[8];

	for (size_t i = 0; i < sizeof(befores) / sizeof(befores[0]); i++) {
		_cleanup_close_ int alive =
			openat(root_fd, "fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

		prepare(&talk, befores[i], "", "prebooted=0");
		ok(read(alive, text, sizeof(text)) == 1 && read(alive, text, 1) == 0,
		   "%s: it ran, and all of it is dead", befores[i]);
		run_next(&talk, befores[i], SAY, "", NULL, NULL);
		is_text(talk.out, "fresh\n", "%s: runs anew", befores[i]);
		is_text(talk.err, "", "%s: nothing is heard of the other", befores[i]);
	}
	start_init(&talk, "", 400);
	send_pooled(&talk, "sleep 100", "");
	ok(hear_ready(&talk) && says(&talk, "prebooted=0"), "a silent one is given up");
	is_number(finish(&talk), 1, "and init's own deadline has come");
}

static void test_dead_meanwhile(void)
{
	static const char *const ends[] = {"kill -9 $$", "echo late; exec 1>&3; echo >&3",
					   "echo late >&2; exec 2>&3; echo >&3"};
	static struct talk talk;
	char before[256], byte;

	ok(mkfifoat(root_fd, "go", 0600) == 0, "a second FIFO");
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		_cleanup_close_ int alive =
			openat(root_fd, "fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		_cleanup_close_ int go = openat(root_fd, "go", O_RDWR | O_CLOEXEC);

		/* killed: the pipe is closed; talking: a line comes through it */
		snprintf(before, sizeof(before), "exec 3>fifo; (%sread x <go; %s) & exec 3>&-%s",
			 i ? "" : "exec 3>&-; ", ends[i], i ? "" : "; exec 3>fifo");
		prepare(&talk, before, "", "prebooted=1");
		ok(io_write_all(go, "x\n", 2) == 0, "%s: now", ends[i]);
		ok(io_read_some(alive, &byte, 1, deadline_in(PATIENCE_MS)) == (i ? 1 : 0),
		   "%s: done", ends[i]);
		run_next(&talk, before, SAY, "", NULL, NULL);
		is_text(talk.out, "fresh\n", "%s: runs anew", ends[i]);
		is_text(talk.err, "", "and nothing is heard of the other");
	}
	ok(fs_remove_tree(root_fd, "go") == 0, "removed");
}

static void test_stand_in(void)
{
	static struct talk talk;

	prepare(&talk, "x=$(wc -c <script)", "env=MAYFLY_STAND_IN=1\0", "prebooted=1");
	ok(faccessat(root_fd, "script", F_OK, 0) < 0,
	   "it is gone when the pooled container is ready");
	run_next(&talk, "x=$(wc -c <script)", SAY "echo $x; env | grep -c MAYFLY_S", "", NULL,
		 NULL);
	is_text(talk.out, "waited\n1\n0\n", "there was one byte, and no variable of ours");

	put("script", "");
	prepare(&talk, "", "env=MAYFLY_STAND_IN=1\0", "prebooted=0");
	ok(unlinkat(root_fd, "script", 0) == 0, "a script that was there is left alone");
	run_next(&talk, "", SAY, "", NULL, NULL);
	is_text(talk.out, "fresh\n", "and nothing is started over it");
}

/* --- What is no pooled container -------------------------------------------------------------- */

static void test_no_pool(void)
{
	static const char *const bad[][2] = {
		{"", "idle_s=x\0"},
		{"", "other=1\0"},
		{"", "env=NAME\0"},
		{"", "idle_s=99999999\0"},
	};
	static struct talk talk;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		start_init(&talk, "", PATIENCE_MS);
		send_pooled(&talk, bad[i][0], bad[i][1]);
		ok(!hear_ready(&talk), "%s: no READY", bad[i][1]);
		is_number(finish(&talk), 1, "init gives up");
	}
	start_init(&talk, "", PATIENCE_MS);
	send_job(&talk, "true", "cwd=/nonexistent\0");
	send_frame(&talk, FRAME_PREPARE, "");
	ok(!hear_ready(&talk), "a job that cannot be: no READY");
	is_number(finish(&talk), 1, "init gives up");

	prepare(&talk, "", "", "prebooted=1");
	close(talk.fd);
	talk.fd = talk.next;
	talk.next = -1;
	frame_reader_free(&talk.reader);
	talk.reader = frame_reader_new(talk.fd);
	send_pooled(&talk, "", "");
	ok(!hear_ready(&talk), "a second PREPARE: no READY");
	is_number(finish(&talk), 1, "init gives up");

	start_init(&talk, "", PATIENCE_MS);
	send_job(&talk, "true", "");
	send_frame(&talk, FRAME_PREPARE, "");
	ok(hear_ready(&talk) && says(&talk, "prebooted=0"),
	   "without a variable nothing is started");
	is_number(finish(&talk), 1, "the host hangs up");
}

int main(void)
{
	set_up();
	put("hook", HOOK);
	snprintf(bash_env, sizeof(bash_env), "env=BASH_ENV=%s/hook", root);
	test_jobs();
	test_program();
	test_usage();
	test_not_waiting();
	test_dead_meanwhile();
	test_stand_in();
	test_no_pool();
	tear_down();
	return done();
}
