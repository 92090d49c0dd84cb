/*
 * Running one job over a container's control socket: down goes what is to run, up comes what it
 * did.
 *
 * Rules:
 *  1. The container is hostile: frames are bounded (base/frame.h), come in the order of the
 *     protocol or end the job, and what they name is checked again before it is stored.
 *  2. The socket is opened by O_PATH|O_NOFOLLOW, checked to be one, and connected through
 *     /proc/self/fd: never by path.
 *  3. Everything ends by an absolute deadline, whatever the container does.
 */
#pragma once

#include "base/deadline.h"
#include "base/display.h"
#include "base/slice.h"
#include "bounds.h"
#include "config/config.h"
#include "http/watch.h"
#include "job/engine_client.h"
#include "store/storage.h"

#include <stdint.h>

struct job_input {
	struct slice path, data;
};

struct job {
	struct slice argv[JOB_ARGV_MAX_COUNT];
	unsigned argc;
	struct slice env[JOB_ENV_MAX_COUNT]; /* NAME=value */
	unsigned env_count;
	const char *cwd;
	const char *const *folders; /* made beneath cwd, ended by NULL; or NULL */
	/* a folder beneath cwd in which the program starts and can change nothing; or NULL */
	const char *readonly;
	/* a folder of artifacts: beneath cwd and in place of it, or absolute and beside it; NULL:
	   none */
	const char *collect;
	const char *const *ignored; /* names that are not collected, ended by NULL; or NULL */
	/* only what is directly in it, and no further than the first file that breaks a cap */
	bool collect_flat;
	/* patterns (fnmatch(3)) of files that are kept, ended by NULL; NULL: all */
	const char *const *artifacts;
	const char *template;  /* of its container */
	struct slice language; /* a registry entry's name, for the metrics; or "" */
	/* texts NAME=value behind env, but for names that are there; ended by NULL; NULL for none
	 */
	const char *const *language_env;
	struct engine_limits limits; /* below the template's */
	/* texts NAME=value that make the runtime wait before its script, ended by NULL; NULL when
	   it cannot */
	const char *const *boot_env;
	uint64_t wall_ms, cpu_ms; /* cpu_ms 0: no budget */
	uint64_t stream_bytes, artifact_count, artifact_bytes, artifacts_bytes;
	const struct job_input *inputs;
	unsigned input_count;
	/* by input: neither stored nor listed, nor is what the program makes of it; NULL: none
	   is */
	const bool *hidden;
	struct slice standard_input;
	/* what the fields of these names say in protocol/control.h; without argv and kernel it is
	   about files alone */
	const char *kernel, *script, *fetch, *remove;
	bool is_echo, is_last, is_list;
	uint64_t idle_s, idle_cpu_ms;
};

enum job_reason {
	JOB_EXITED,
	JOB_SIGNALED,
	JOB_TIMEOUT,
	JOB_CPU,
	JOB_OOM,
	JOB_CANCELLED,
	JOB_NOT_STARTED,
	/* the container ended without a word: its memory was used up, or it was removed */
	JOB_LOST,
};

enum job_kernel { JOB_KERNEL_NONE, JOB_KERNEL_KEPT, JOB_KERNEL_LOST, JOB_KERNEL_ENDED };

struct job_result {
	enum job_reason reason;
	enum job_kernel kernel; /* of a cell: what became of who ran it */
	int code, signal;       /* as wait(2) says */
	uint64_t wall_us, cpu_us, max_rss_bytes;
	uint64_t idle_cpu_us;         /* of a session: what ran since its last job */
	bool is_ended;                /* with it the session */
	uint64_t bytes_in, bytes_out; /* inputs and stdin; streams and artifacts, as they came */
	bool stdout_truncated, stderr_truncated;
	/* with JOB_TIMEOUT: its container did not end it, and it runs until that is removed */
	bool is_overdue;
	char message[256]; /* with JOB_NOT_STARTED */
};

/* The container ended with the job, or has to. */
static inline bool job_is_lost(const struct job_result *result)
{
	return result->reason == JOB_LOST || result->is_overdue;
}

static inline bool job_is_hidden(const struct job *job, unsigned input)
{
	return job->hidden && job->hidden[input];
}

/* Hears of output as it arrives. */
struct job_listener {
	void *context;
	void (*on_output)(void *context, bool is_stderr, struct slice data);
	/* or NULL: when the job has been sent, for what can be done while it runs; an error ends
	   the job. Again, should the job be sent anew to another container (job_not_taken) */
	int (*on_sent)(void *context, struct error *err);
	/* or NULL: once when the job has been sent, then whenever nothing was heard for tick_ms,
	   and when the client takes what watch has more of */
	void (*on_tick)(void *context);
	int64_t tick_ms;
	/* or NULL, and they are dropped: a rich result */
	void (*on_display)(void *context, const struct display *display);
	/* or NULL: a file that is there (job->is_list); path is a relative one, mtime_ms since
	   1970 */
	void (*on_listed)(void *context, struct slice path, uint64_t size_bytes, int64_t mtime_ms);
};

/* Appends what of a job decides how its runtime starts: the fields argv, env, cwd and readonly of
   its JOB frame. 0, or -1 as buf_append. */
MUST_USE int job_command(const struct job *job, struct buf *fields);

/* Connects to the container whose folder is beneath <run>/jobs (rule 2). *out is the caller's. 0,
   or -1 with *err: 502 "control_failed". */
MUST_USE int job_connect(const struct config *config, const char *folder, int *out,
			 struct error *err);

/* Runs the job over control, storing streams and artifacts in storage. 0 and *out for every program
   that was started or could not be, or -1 with *err: status 0 "client_gone"; 502 "job_not_taken":
   the program was certainly not started; "control_failed", "frame_…"; 504 "job_overdue": the
   program has ended, and its files do not come; what storage says. */
MUST_USE int job_run(const struct job *job, int control, struct storage *storage,
		     const struct job_listener *listener, struct http_watch *watch,
		     struct job_result *out, struct error *err);

/* The exit code that a client is shown: -1 for a time-out, 137 when memory or the CPU budget ran
   out, 128+n for signal n, 127 for a program that could not be started. */
int job_exit_code(const struct job_result *result);
