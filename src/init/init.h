/*
 * The parts of mayfly-init, PID 1 of every container (src/README.md, "The control socket").
 *
 *   init.c          main: connections one after the other until the last job is done
 *   control.c  the control socket: bind, listen, who may connect
 *   job.c      frames down: JOB, inputs, standard input, GO
 *   start.c    the program: a fresh process with three descriptors
 *   readonly.c a folder that the program cannot change
 *   prepared.c    a runtime started before its job comes
 *   run.c      while it runs: cancel, its end
 *   clock.c    its wall clock and its CPU budget
 *   kernel_cell.c     while a kernel runs a cell
 *   kernel.c   the kernels of a session: start, find, end
 *   end.c      the end of every other process, or of all but some kernels'
 *   output.c     its output on the way to the host
 *   cgroup.c   what the kernel counted: CPU time, memory, OOM kills
 *   collect.c  the files it left
 *   serve.c    one connection: a job from JOB to END, or a pooled container's PREPARE
 *
 * Rules:
 *  1. What needs memory gets it before GO: a program that fills its cgroup must not take init with
 *     it. After GO nothing is allocated but kernel objects.
 *  2. Every descriptor of ours is close-on-exec.
 *  3. Nothing waits without a deadline, and none lies behind init's own.
 */
#pragma once

#include "base/buf.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/frame.h"
#include "bounds.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* --- control.c -------------------------------------------------------------------------------- */

/* Binds CONTROL_NAME_NEW in folder, listens, renames it to CONTROL_NAME. The listening descriptor,
   or -1 with *err. */
MUST_USE int init_control_listen(const char *folder, struct error *err);

struct init_prepared;
struct init_cgroup;

/* Waits for a connection, or the deadline; what ends meanwhile is reaped, and a kernel among
   it forgotten. What a session's cells have left running is ended at the third OOM kill, and when
   it has used up the CPU time of the session's rest, with their kernels. */
void init_control_rest(struct init_prepared *prepared, const struct init_cgroup *cgroup,
		       deadline_ms deadline);

/* The first connection whose SO_PEERCRED pid is peer_pid (0: a process outside our pid namespace);
   others are closed at once. The descriptor, or -1 with *err at the deadline. */
MUST_USE int init_control_accept(int listener, pid_t peer_pid, deadline_ms deadline,
				 struct error *err);

/* --- job.c ------------------------------------------------------------------------------------ */

/* What an input was when it came. */
struct init_input {
	uint64_t size_bytes, hash;
};

/* A job as it came down the control socket. */
struct init_job {
	struct buf text;   /* owned: the JOB frame; argv, env and cwd point into it */
	struct buf inputs; /* owned: the paths of FILE frames, each ended by NUL */
	struct init_input given[JOB_INPUT_MAX_COUNT]; /* in the order of inputs */
	struct buf prepare;                           /* owned: the PREPARE frame */
	char *argv[JOB_ARGV_MAX_COUNT + 1];
	char *env[JOB_ENV_MAX_COUNT + 1];
	unsigned argc, envc, input_count;
	char *cwd;
	char *folders[JOB_FOLDER_MAX_COUNT];  /* to be made beneath cwd */
	char *ignored[JOB_IGNORED_MAX_COUNT]; /* names that are not collected */
	unsigned folder_count, ignored_count;
	char *readonly; /* the folder beneath cwd that the program cannot change; NULL: none */
	/* a folder that artifacts are in: beneath cwd and in place of it, or absolute and beside
	   it; NULL: none */
	char *collect;
	char *kernel; /* name of the kernel that runs it; NULL: a program of its own */
	char *script; /* an input that is the cell's code; NULL: standard input is */
	char *fetch;  /* path of a file that is asked for, or NULL */
	char *remove; /* path of a file that is to go, or NULL */
	uint64_t echo, last, list, idle_s, idle_cpu_ms; /* see protocol/control.h */
	struct timespec since;   /* only files changed since then are collected; 0: all */
	struct timespec started; /* inputs changed before then are as they came */
	uint64_t flat;           /* 1: see protocol/control.h */
	uint64_t wall_ms, cpu_ms, stream_bytes;
	uint64_t artifact_count, artifact_bytes, artifacts_bytes;
	uint64_t stdin_bytes;
	int cwd_fd, file_fd, stdin_fd; /* owned, or -1 */
	bool received;                 /* a JOB frame came */
	bool is_preparation;           /* a PREPARE frame came after it */
	bool cancelled;
	bool refused; /* it cannot be started; refusal says why */
	struct error refusal;
};

struct init_job init_job_new(void);
void init_job_free(struct init_job *job);

/* Reads frames until GO, CANCEL or PREPARE, writes the inputs beneath cwd. What is wrong with the
   job itself (a path, a full tmpfs) becomes job->refused, so that the host hears of it in EXIT. 0,
   or -1 with *err when the connection or its framing is gone. */
MUST_USE int init_job_read(struct frame_reader *reader, struct init_job *job, deadline_ms deadline,
			   struct error *err);

/* True when the container goes on after it. */
bool init_job_is_session(const struct init_job *job);

/* True when it runs no program: files go down or come up. */
bool init_job_is_files(const struct init_job *job);

/* True when both have one argv, environment and folders. */
bool init_job_same_command(const struct init_job *left, const struct init_job *right);

/* The input of the job that came under path, or NULL. */
const struct init_input *init_job_input(const struct init_job *job, const char *path);

/* Removes the file at path, which is a clean one, beneath the job's cwd. 0, or -1 with errno. */
int init_job_remove(const struct init_job *job, const char *path);

/* What a file's hash becomes by more of its bytes; it begins with INIT_HASH_EMPTY. A program that
   makes two files of one hash fools only itself. */
#define INIT_HASH_EMPTY 0xcbf29ce484222325ULL
uint64_t init_hash(uint64_t hash, struct slice data);

/* --- cgroup.c --------------------------------------------------------------------------------- */

/* One number in one file of the cgroup file system, held open. */
struct init_counter {
	int fd;           /* owned; -1: the kernel does not count this here */
	const char *key;  /* the word before it on its line; NULL: the file is the number */
	uint64_t divisor; /* to our unit */
};

struct init_cgroup {
	struct init_counter cpu_us, oom_kills, peak_bytes, current_bytes;
};

/* Finds our cgroup's files beneath root (a descriptor of /sys/fs/cgroup), membership being the text
   of /proc/self/cgroup; v1 and v2, with a cgroup namespace or the host's. Never fails: what is not
   there counts nothing. */
void init_cgroup_open(int root, const char *membership, struct init_cgroup *out);

/* The same for this process. Opened before the connection, while no client waits. */
void init_cgroup_open_own(struct init_cgroup *out);

/* Reads a counter. False when it cannot be read. */
bool init_counter_read(const struct init_counter *counter, uint64_t *out);

/* --- start.c ---------------------------------------------------------------------------------- */

struct init_program {
	pid_t pid;
	int output[2];  /* owned: the reading ends of its stdout and stderr, non-blocking */
	int failure_fd; /* owned: says why it was not executed, see init_start_failed */
};

#define INIT_PROGRAM_NONE ((struct init_program){-1, {-1, -1}, -1})

/* Closes what is ours of it; then it is none. */
void init_program_forget(struct init_program *program);

/* Forks and executes job->argv with env, ended by NULL. go_fd and code_fd, when not -1, become the
   program's INIT_GO_FD and INIT_CODE_FD; with a code_fd its standard input is empty. 0 and *out, or
   -1 with *err when there is no new process. */
MUST_USE int init_start(const struct init_job *job, char *const *env, int go_fd, int code_fd,
			struct init_program *out, struct error *err);

/* Once the process has ended: true with *err when it ended before it was the program. */
bool init_start_failed(const struct init_program *program, const struct init_job *job,
		       struct error *err);

/* Marks descriptors from first on close-on-exec; walk: without close_range(2) (Linux 5.11). */
void init_close_on_exec_from(unsigned first, bool walk);

/* --- readonly.c ------------------------------------------------------------------------------- */

/* In the process that becomes the program: goes to job->readonly and gives up changing modes for
   good. 0, or -1 with errno. */
MUST_USE int init_readonly_enter(const struct init_job *job);

/* Once the inputs are there: takes them, their folders and cwd the right to be written. 0, or -1
   with *err. */
MUST_USE int init_readonly_seal(struct init_job *job, struct error *err);

/* --- end.c ------------------------------------------------------------------------------------ */

/* Kills every other process; does nothing outside a pid namespace of our own. */
void init_kill_everything(void);

/* The same, until there is none, or the kernel has had its time (INIT_REAP_DEADLINE_MS). */
void init_end_everything(deadline_ms lifetime);

/* Kills every other process but those of kept (ended by -1) and what they have started, until they
   are gone or the kernel has had its time. None can run away: all are stopped first. */
void init_end_all_but(const pid_t *kept, deadline_ms lifetime);

/* --- kernel.c --------------------------------------------------------------------------------- */

/* An interpreter that stays. */
struct init_kernel {
	char name[KERNEL_NAME_MAX_BYTES + 1];
	struct init_job job;         /* owned: what it was started for by PREPARE */
	struct init_program program; /* owned; pid -1: none runs */
	int channel, code;           /* owned, or -1: our ends (protocol/control.h) */
	bool is_waiting;             /* it has sent READY */
	uint64_t cells;              /* it was given so far */
};

/* The kernels of a container. */
struct init_kernels {
	struct init_kernel list[CELL_KERNEL_MAX_COUNT];
};

void init_kernels_new(struct init_kernels *kernels);
void init_kernels_free(struct init_kernels *kernels);

/* Starts the kernel job->kernel names; env: more of it, ended by NULL, or NULL. 0 and *out, or -1
   with *err. */
MUST_USE int init_kernel_start(struct init_kernels *kernels, const struct init_job *job,
			       char *const *env, struct init_kernel **out, struct error *err);

/* The kernel that runs job's cell when it has one, or NULL. One that waits unused for another
   command is ended first. */
struct init_kernel *init_kernel_find(struct init_kernels *kernels, const struct init_job *job,
				     deadline_ms lifetime);

/* Kills a kernel and what it has started; the others stay. NULL: kills what belongs to none. */
void init_kernel_kill(const struct init_kernels *kernels, const struct init_kernel *kernel,
		      deadline_ms lifetime);

/* Waits for its READY. False when that does not come. */
bool init_kernel_await_ready(struct init_kernel *kernel, deadline_ms deadline);

/* Closes what is ours of one that has ended; its place is free. */
void init_kernel_forget(struct init_kernel *kernel);

/* Both. */
void init_kernel_end(struct init_kernels *kernels, struct init_kernel *kernel,
		     deadline_ms lifetime);

/* A process was reaped: a kernel that it was is none any more. */
void init_kernels_note_end(struct init_kernels *kernels, pid_t pid);

/* Gives it a cell: index, and the code from job's standard input. 0, or -1 when it does not take
   it. */
MUST_USE int init_kernel_give(struct init_kernel *kernel, const struct init_job *job);

/* --- prepared.c ------------------------------------------------------------------------------- */

/* What waits for a job. */
struct init_prepared {
	bool is_prepared;
	bool is_session;             /* a job with idle_s came: connections go on coming */
	struct init_kernels kernels; /* owned */
	deadline_ms idle;            /* no job until then: init ends */
	/* what the container had used when the session's last job ended, and what it may use until
	   the next; 0: any amount */
	uint64_t rest_from_us, rest_budget_us;
	bool is_spent;               /* it has used that, and everything was killed */
	struct timespec ended;       /* a session's last job, with its files; 0: there was none */
	struct init_job job;         /* owned: what the runtime was started for */
	const char *unless;          /* a job with this input is not for it; in job, or NULL */
	struct init_program program; /* owned; pid -1: no runtime waits */
	int go_fd;                   /* owned, or -1: our end of what it waits on */
	int listener; /* owned, or -1: closed before a job's program runs, which could connect */
};

struct init_prepared init_prepared_new(void);
void init_prepared_free(struct init_prepared *prepared);

/* True when its PREPARE asks for a kernel of cells. */
bool init_prepared_wants_kernel(const struct init_job *job);

/* Starts job's runtime as its PREPARE says, waits until that waits, answers READY. A runtime that
   does not is ended, and the pooled container is one without. Takes the job. 0, or -1 with *err:
   the request is malformed, the host has gone. */
MUST_USE int init_prepared_prepare(struct init_prepared *prepared, struct init_job *job,
				   int connection, const struct init_cgroup *cgroup,
				   deadline_ms lifetime, struct error *err);

/* Has the session's rest used up its CPU time? *next: when to look again. */
bool init_prepared_is_spent(const struct init_prepared *prepared, const struct init_cgroup *cgroup,
			    deadline_ms *next);

/* Ends what waits, and everything else. */
void init_prepared_drop(struct init_prepared *prepared, deadline_ms lifetime);

/* True with *out, which is the caller's, when the waiting runtime can run the job; init_prepared_go
   is next. Else none waits any more. */
bool init_prepared_take(struct init_prepared *prepared, const struct init_job *job,
			deadline_ms lifetime, struct init_program *out);

/* Lets program, the waiting one, go on to its script. False when it has ended at this moment: then
   there is none. */
bool init_prepared_go(struct init_prepared *prepared, struct init_program *program,
		      deadline_ms lifetime);

/* --- run.c ------------------------------------------------------------------------------------ */

/* Memory that is there before GO (rule 1). */
struct init_space {
	char data[FRAME_DATA_MAX_BYTES]; /* what is read, before it is sent */
	struct buf outgoing;             /* owned: a frame on its way */
	struct buf fields;               /* owned: the EXIT frame */
	struct buf channel;              /* owned: a frame of a kernel's; empty without kernels */
};

/* What the jobs of one connection are run with. */
struct init_context {
	struct init_prepared *prepared;
	struct frame_reader *reader; /* its fd is the connection */
	const struct init_cgroup *cgroup;
	struct init_space *space;
	deadline_ms lifetime; /* init's own */
};

/* How a job ended: what EXIT says. */
struct init_outcome {
	const char *reason; /* a word of protocol/control.h */
	int status;         /* as wait(2) wrote it; -1: there was no program */
	uint64_t wall_us, cpu_us, max_rss_bytes, idle_cpu_us;
	bool truncated[2];  /* stdout, stderr */
	const char *kernel; /* what became of a cell's: a word of protocol/control.h, or NULL */
	bool is_ended;      /* with it the session: nothing runs in it any more */
	struct error err;   /* with not_started */
};

/* Allocates and touches, once; with_channel: for kernels, too. 0, or -1 with *err. */
MUST_USE int init_space_prepare(struct init_space *space, bool with_channel, struct error *err);

/* Runs the job's program, the waiting one where it can, to its end and every other process with it;
   sends its output. 0 and *out, or -1 with *err when the host has gone or init's own deadline has
   come: then there is no one to tell. */
MUST_USE int init_run(const struct init_job *job, const struct init_context *context,
		      struct init_outcome *out, struct error *err);

/* --- kernel_cell.c ---------------------------------------------------------------------------- */

/* The same for a cell, by the kernel it names, which is started when it does not run. A host that
   has gone is an error only after the cell has come to its end. */
MUST_USE int init_cell_run(const struct init_job *job, const struct init_context *context,
			   struct init_outcome *out, struct error *err);

/* --- collect.c -------------------------------------------------------------------------------- */

/* Sends every regular file that the job left where its artifacts are, and every input that it
   changed, within the job's caps, and names what it skips. 0, or -1 with *err when the host has
   gone. */
MUST_USE int init_collect(const struct init_job *job, int connection, struct init_space *space,
			  deadline_ms deadline, struct error *err);

/* The file job->fetch as an artifact, or SKIPPED, or nothing when there is none. 0, or -1 with *err
 * when the host has gone. */
MUST_USE int init_fetch(const struct init_job *job, int connection, struct init_space *space,
			deadline_ms deadline, struct error *err);

/* --- serve.c ---------------------------------------------------------------------------------- */

/* Serves a connection: the one job, or what prepares for it; then prepared->is_prepared, and the
   job comes over the next; or a job of a session; then prepared->is_session. Only for PID 1 of a
   pid namespace: it ends every other process. 0, or -1 with *err, which ends no session. */
MUST_USE int init_serve(int connection, const struct init_cgroup *cgroup,
			struct init_prepared *prepared, deadline_ms lifetime, struct error *err);
