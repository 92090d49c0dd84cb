/* mayfly-init in a session, with kernels that are bash scripts: what goes down the channel, what
   comes up of it, good and bad. */
#include "init_talk.h"

#define TICK_ROUNDS 10

#define FINE "printf 'X\\000\\000\\000\\007code=0\\000' >&63"

/* A kernel that runs $CELL for each line it hears. */
#define KERNEL "fine() { " FINE "; }; while read -r line <&63; do eval \"$CELL\"; done"

/* A JOB of a cell; more: other fields, each ended by NUL, and an empty one. */
static void send_cell(const struct talk *talk, const char *cell, const char *more)
{
	_cleanup_buf_ struct buf fields = buf_new(FRAME_JOB_MAX_BYTES);
	int failed = field_add(&fields, "argv", slice_of("bash"));

	failed |= field_add(&fields, "argv", slice_of("-c"));
	failed |= field_add(&fields, "argv", slice_of(KERNEL));
	failed |= field_add(&fields, "env", slice_of("PATH=/usr/bin:/bin"));
	failed |= buf_append(&fields, "env=", 4);
	failed |= field_add(&fields, "CELL", slice_of(cell));
	failed |= field_add(&fields, "kernel", slice_of("shell"));
	failed |= field_add(&fields, "cwd", slice_of(root));
	failed |= field_add(&fields, "stream_bytes", slice_of("1000"));
	for (; *more; more += strlen(more) + 1)
		failed |= buf_append(&fields, more, strlen(more) + 1);
	if (failed)
		abort();
	if (frame_send(talk->fd, FRAME_JOB, buf_slice(&fields), deadline_in(PATIENCE_MS)) < 0)
		perror("frame_send");
}

static const struct {
	const char *what;
	const char *cell, *code; /* code: standard input */
	const char *more;
	const char *out, *err, *order; /* order: types of frames, but for streams */
	const char *exit[3];           /* fields of EXIT */
} rows[] = {
	{"a line and the code",
	 "echo \"$line\"; cat <&62; " FINE,
	 "the code\n",
	 "idle_s=9\0wall_ms=60000\0echo=1\0",
	 "index=0 echo=1 last=0 script=\nthe code\n",
	 "",
	 "XZ",
	 {"reason=exited", "code=0", "kernel=kept"}},
	{"a script",
	 "echo \"$line\"; " FINE,
	 "",
	 "idle_s=9\0wall_ms=60000\0script=a b\0",
	 "index=0 echo=0 last=0 script=a b\n",
	 "",
	 "XZ",
	 {"reason=exited", "code=0", "kernel=kept"}},
	{"a code",
	 "printf 'X\\000\\000\\000\\010code=77\\000' >&63",
	 "",
	 "idle_s=9\0wall_ms=60000\0",
	 "",
	 "",
	 "XZ",
	 {"reason=exited", "code=77", "kernel=kept"}},
	{"READY and a display",
	 "echo a; printf 'Y\\000\\000\\000\\000P\\000\\000\\000\\033type=a/b\\000name=c\\000source=d\\000\\000e' >&63; echo b; " FINE,
	 "",
	 "idle_s=9\0wall_ms=60000\0",
	 "a\nb\n",
	 "",
	 "PXZ",
	 {"reason=exited", "code=0", "kernel=kept"}},
	{"the end of the process",
	 "echo a; exit 5",
	 "",
	 "idle_s=9\0wall_ms=60000\0",
	 "a\n",
	 "",
	 "XZ",
	 {"reason=exited", "code=5", "kernel=lost"}},
	{"a last cell",
	 "echo a; exit 5",
	 "",
	 "last=1\0wall_ms=60000\0",
	 "a\n",
	 "",
	 "XZ",
	 {"reason=exited", "code=5", "kernel=ended"}},
	{"a last cell that says EXIT, too",
	 FINE "; echo a; exit 5",
	 "",
	 "last=1\0wall_ms=60000\0",
	 "a\n",
	 "",
	 "XZ",
	 {"reason=exited", "code=5", "kernel=ended"}},
	{"a last display",
	 "printf 'P\\000\\000\\000\\033type=a/b\\000name=c\\000source=d\\000\\000e' >&63; exit 0",
	 "",
	 "last=1\0wall_ms=60000\0",
	 "",
	 "",
	 "PXZ",
	 {"reason=exited", "code=0", "kernel=ended"}},
	{"a time-out",
	 "sleep 60",
	 "",
	 "idle_s=9\0wall_ms=100\0",
	 "",
	 "",
	 "XZ",
	 {"reason=timeout", "signal=2", "kernel=lost"}},
	{"a closed channel",
	 "exec 63<&-; exit 3",
	 "",
	 "idle_s=9\0wall_ms=60000\0",
	 "",
	 "",
	 "XZ",
	 {"reason=exited", "code=3", "kernel=lost"}},
	{"bytes that are no frame",
	 "printf hello >&63; sleep 60",
	 "",
	 "idle_s=9\0wall_ms=60000\0",
	 "",
	 "",
	 "XZ",
	 {"reason=signaled", "signal=9", "kernel=lost"}},
	{"a frame that is too long",
	 "printf 'P\\377\\377\\377\\377' >&63; sleep 60",
	 "",
	 "idle_s=9\0wall_ms=60000\0",
	 "",
	 "",
	 "XZ",
	 {"reason=signaled", "signal=9", "kernel=lost"}},
	{"a frame that only the host sends",
	 "printf 'G\\000\\000\\000\\000' >&63; sleep 60",
	 "",
	 "idle_s=9\0wall_ms=60000\0",
	 "",
	 "",
	 "XZ",
	 {"reason=signaled", "signal=9", "kernel=lost"}},
	{"a display that is none",
	 "printf 'P\\000\\000\\000\\001x' >&63; sleep 60",
	 "",
	 "idle_s=9\0wall_ms=60000\0",
	 "",
	 "",
	 "XZ",
	 {"reason=signaled", "signal=9", "kernel=lost"}},
	{"half a frame and the end",
	 "printf 'X\\000\\000' >&63; exit 0",
	 "",
	 "idle_s=9\0wall_ms=60000\0",
	 "",
	 "",
	 "XZ",
	 {"reason=exited", "code=0", "kernel=lost"}},
	{"a code of 256",
	 "printf 'X\\000\\000\\000\\011code=256\\000' >&63; sleep 60",
	 "",
	 "idle_s=9\0wall_ms=60000\0",
	 "",
	 "",
	 "XZ",
	 {"reason=signaled", "signal=9", "kernel=lost"}},
	{"a program that is not there",
	 "exec /nonexistent/x 2>&-",
	 "",
	 "idle_s=9\0wall_ms=60000\0",
	 "",
	 "",
	 "XZ",
	 {"reason=exited", "code=127", "kernel=lost"}},
};

/* The types of all frames that are no stream. */
static void without_streams(char *order)
{
	char *to = order;

	for (const char *from = order; *from; from++)
		if (*from != FRAME_STDOUT && *from != FRAME_STDERR)
			*to++ = *from;
	*to = '\0';
}

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct talk talk;

		start_init(&talk, "0::/\n", PATIENCE_MS);
		send_cell(&talk, rows[i].cell, rows[i].more);
		send_frame(&talk, FRAME_STDIN, rows[i].code);
		send_frame(&talk, FRAME_GO, "");
		listen_until_end(&talk);
		without_streams(talk.order);
		is_text(talk.out, rows[i].out, "%s: output", rows[i].what);
		is_text(talk.err, rows[i].err, "%s: errors", rows[i].what);
		is_text(talk.order, rows[i].order, "%s: frames", rows[i].what);
		for (size_t field = 0; field < 3; field++)
			ok(says(&talk, rows[i].exit[field]), "%s: %s in %s", rows[i].what,
			   rows[i].exit[field], talk.exit);
		/* nothing comes over the other connection: the host has gone */
		close(talk.next);
		talk.next = -1;
		(void)finish(&talk);
	}
}

/* CANCEL, once the cell has begun: a clock would have to know how long that takes. */
static void test_interrupts(void)
{
	static const struct {
		const char *what, *cell, *out, *code, *kernel;
	} interrupts[] = {
		{"heard", "trap 'echo caught; fine' INT; echo begun; sleep 60", "begun\ncaught\n",
		 "code=0", "kernel=kept"},
		{"not heard", "trap '' INT; echo begun; sleep 60", "begun\n", "signal=9",
		 "kernel=lost"},
	};

	for (size_t i = 0; i < sizeof(interrupts) / sizeof(interrupts[0]); i++) {
		struct talk talk;
		struct frame frame = {0};
		struct error err;

		start_init(&talk, "0::/\n", PATIENCE_MS);
		send_cell(&talk, interrupts[i].cell, "idle_s=9\0wall_ms=60000\0");
		send_frame(&talk, FRAME_GO, "");
		ok(frame_read(&talk.reader, &frame, deadline_in(PATIENCE_MS), &err) == 0,
		   "%s: it has begun", interrupts[i].what);
		keep(talk.out, sizeof(talk.out), &talk.out_len, frame.payload);
		send_frame(&talk, FRAME_CANCEL, "");
		listen_until_end(&talk);
		is_text(talk.out, interrupts[i].out, "%s: output", interrupts[i].what);
		ok(says(&talk, "reason=cancelled") && says(&talk, interrupts[i].code) &&
			   says(&talk, interrupts[i].kernel),
		   "%s: %s", interrupts[i].what, talk.exit);
		close(talk.next);
		talk.next = -1;
		(void)finish(&talk);
	}
}

/* Goes on over the next connection. */
static void go_on(struct talk *talk)
{
	close(talk->fd);
	frame_reader_free(&talk->reader);
	talk->fd = talk->next;
	talk->next = -1;
	talk->reader = frame_reader_new(talk->fd);
	talk->out_len = talk->frames = 0;
	talk->has_exit = talk->has_end = false;
	memset(talk->out, 0, sizeof(talk->out));
	memset(talk->order, 0, sizeof(talk->order));
}

static void test_state(void)
{
	static const char cell[] = "count=$((count + 1)); echo $count; " FINE;
	struct talk talk;

	start_init(&talk, "0::/\n", PATIENCE_MS);
	send_cell(&talk, cell, "idle_s=9\0wall_ms=60000\0");
	send_frame(&talk, FRAME_GO, "");
	listen_until_end(&talk);
	is_text(talk.out, "1\n", "the first cell");
	go_on(&talk);
	send_cell(&talk, "another command: it does not matter any more",
		  "idle_s=9\0wall_ms=60000\0");
	send_frame(&talk, FRAME_GO, "");
	listen_until_end(&talk);
	is_text(talk.out, "2\n", "the second one has its state");
	is_number(finish(&talk), 0, "init ends well");
}

/* ctime counts in ticks: a cell that begins in the tick in which the one before wrote a file must
   not take that for its own. */
static void test_files_of_the_cell_before(void)
{
	static const char cell[] = "[ \"$n\" ] || echo x >late; n=1; " FINE;
	static const char more[] =
		"idle_s=9\0wall_ms=60000\0artifact_count=9\0artifact_bytes=9\0artifacts_bytes=9\0";
	struct talk talk;
	int again = 0;

	for (int i = 0; i < TICK_ROUNDS; i++) {
		start_init(&talk, "0::/\n", PATIENCE_MS);
		send_cell(&talk, cell, more);
		send_frame(&talk, FRAME_GO, "");
		listen_until_end(&talk);
		ok(strchr(talk.order, FRAME_FILE) != NULL, "a cell's file comes with it: %s",
		   talk.order);
		go_on(&talk);
		send_cell(&talk, cell, more);
		send_frame(&talk, FRAME_GO, "");
		listen_until_end(&talk);
		again += strchr(talk.order, FRAME_FILE) != NULL;
		(void)finish(&talk);
		(void)unlinkat(root_fd, "late", 0);
	}
	is_number(again, 0, "and not with the next");
}

static void test_files(void)
{
	_cleanup_buf_ struct buf fields = buf_new(FRAME_JOB_MAX_BYTES);
	static const char list[] = "idle_s=9\0list=1\0artifact_count=9";
	struct talk talk;

	start_init(&talk, "0::/\n", PATIENCE_MS);
	ok(field_add(&fields, "cwd", slice_of(root)) == 0 &&
		   buf_append(&fields, list, sizeof(list)) == 0,
	   "a file operation");
	ok(frame_send(talk.fd, FRAME_JOB, buf_slice(&fields), deadline_in(PATIENCE_MS)) == 0,
	   "its JOB");
	send_frame(&talk, FRAME_FILE, "put/here");
	send_frame(&talk, FRAME_DATA, "12345");
	send_frame(&talk, FRAME_GO, "");
	listen_until_end(&talk);
	is_text(talk.order, "XSNZ", "EXIT, a FIFO that is skipped, a file, END");
	ok(says(&talk, "reason=exited") && says(&talk, "code=0"), "it went well: %s", talk.exit);
	close(talk.next);
	talk.next = -1;
	(void)finish(&talk);
	ok(unlinkat(root_fd, "put/here", 0) == 0, "and the file is there");
	ok(unlinkat(root_fd, "put", AT_REMOVEDIR) == 0, "in its folder");
}

int main(void)
{
	set_up();
	test_rows();
	test_interrupts();
	test_state();
	test_files_of_the_cell_before();
	test_files();
	tear_down();
	return done();
}
