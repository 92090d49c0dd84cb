/*
 * Pooled containers: a runtime that was started before its job came (protocol/control.h, PREPARE).
 *
 *   state      PREPARE    first byte   ended, silent   same job   another job   idle
 *   listening  booting    –            –               –          –             –
 *   booting    –          waiting      empty           –          –             –
 *   waiting    error      –            –               GO         killed, new   gone
 *   empty      error      –            –               new        new           gone
 *
 * Rules:
 *  1. What waits is the program itself, with the argv, environment, folder, descriptors and limits
 *     of its job, held up by a hook of worker/kernels before it opens its script: whatever comes
 *     after GO is its own doing. What it can still be told by is /proc/self/environ, and clocks
 *     that count from a process's start.
 *  2. It runs only a job that is the same byte for byte in argv, environment and folders, has no
 *     standard input, and does not bring the file named in UNLESS_VARIABLE: one that the runtime
 *     has looked for already.
 *  3. One that has died, or has said anything, is not used: its words would have been the job's.
 *  4. A runtime that opens its script before it can be held finds a line feed in its place
 *     (STAND_IN_VARIABLE), which is gone before READY.
 *  5. The descriptor it waits on has a number that no program comes to by counting up: those it
 *     opens before GO are numbered as ever.
 */
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/num.h"
#include "init/init.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define GO_VARIABLE       "MAYFLY_GO"
#define STAND_IN_VARIABLE "MAYFLY_STAND_IN="
#define UNLESS_VARIABLE   "MAYFLY_UNLESS="

/* What PREPARE asks for. */
struct request {
	uint64_t idle_s;
	char *env[JOB_ENV_MAX_COUNT + INIT_KERNEL_ENV_MAX_COUNT + 2]; /* the job's first */
	unsigned envc;
	char go[sizeof(GO_VARIABLE) + 16];
	bool is_prebooted;
	const char *kernel;   /* the kernel's name, or NULL */
	const char *stand_in; /* a path beneath cwd, or NULL */
	const char *unless;   /* a path beneath cwd, or NULL */
};

struct init_prepared init_prepared_new(void)
{
	struct init_prepared prepared = {
		.job = init_job_new(),
		.program = INIT_PROGRAM_NONE,
		.go_fd = -1,
		.listener = -1,
	};

	init_kernels_new(&prepared.kernels);
	return prepared;
}

static void forget_program(struct init_prepared *prepared)
{
	init_program_forget(&prepared->program);
	cleanup_close(&prepared->go_fd);
	prepared->go_fd = -1;
}

/* With everything it has started. */
bool init_prepared_is_spent(const struct init_prepared *prepared, const struct init_cgroup *cgroup,
			    deadline_ms *next)
{
	uint64_t used_us, left_ms;

	*next = INT64_MAX;
	if (!prepared->is_session || prepared->is_spent || !prepared->rest_budget_us ||
	    !init_counter_read(&cgroup->cpu_us, &used_us))
		return false;
	used_us -= prepared->rest_from_us;
	if (used_us >= prepared->rest_budget_us)
		return true;
	left_ms = (prepared->rest_budget_us - used_us) / (uint64_t)sysconf(_SC_NPROCESSORS_ONLN) /
		  US_PER_MS;
	*next = deadline_in((int64_t)(left_ms > CPU_CHECK_MIN_MS ? left_ms : CPU_CHECK_MIN_MS));
	return false;
}

void init_prepared_drop(struct init_prepared *prepared, deadline_ms lifetime)
{
	init_end_everything(lifetime);
	forget_program(prepared);
}

void init_prepared_free(struct init_prepared *prepared)
{
	forget_program(prepared);
	init_job_free(&prepared->job);
	init_kernels_free(&prepared->kernels);
}

/* --- PREPARE ---------------------------------------------------------------------------------- */

/* True when the job's own environment has the variable: two of one name would not be the job's
   environment any more. */
static bool job_has(const struct init_job *job, const char *variable)
{
	size_t len = strcspn(variable, "=");

	for (unsigned i = 0; i < job->envc; i++)
		if (strncmp(job->env[i], variable, len) == 0 && job->env[i][len] == '=')
			return true;
	return false;
}

/* The script: the first argument that is no option. */
static const char *script_of(const struct init_job *job)
{
	for (unsigned i = 1; i < job->argc; i++)
		if (job->argv[i][0] != '-')
			return job->argv[i] + (strncmp(job->argv[i], "./", 2) == 0 ? 2 : 0);
	return NULL;
}

/* A variable that is meant for us. False when it is the runtime's. */
static bool take_instruction(struct request *request, const struct init_job *job,
			     struct slice variable)
{
	if (slice_starts(variable, STAND_IN_VARIABLE)) {
		request->stand_in = script_of(job);
		return true;
	}
	if (slice_starts(variable, UNLESS_VARIABLE)) {
		request->unless = variable.data + strlen(UNLESS_VARIABLE); /* NUL follows it */
		return true;
	}
	return false;
}

static int take_field(struct request *request, const struct init_job *job, struct slice key,
		      struct slice value, struct error *err)
{
	if (slice_eq(key, "idle_s")) {
		if (num_parse(value, 10, POOL_TTL_MAX_S, &request->idle_s) < 0)
			return error_set(err, 400, "prepare_bad",
					 "idle_s is not a number from 0 to %d", POOL_TTL_MAX_S);
		return 0;
	}
	if (slice_eq(key, "kernel") && value.len && value.len <= KERNEL_NAME_MAX_BYTES) {
		request->kernel = value.data; /* NUL follows it */
		return 0;
	}
	if (!slice_eq(key, "env") || !memchr(value.data, '=', value.len))
		return error_set(err, 400, "prepare_bad", "unknown field %.*s", (int)key.len,
				 key.data);
	request->is_prebooted = true;
	if (take_instruction(request, job, value))
		return 0;
	if (request->envc == job->envc + INIT_KERNEL_ENV_MAX_COUNT)
		return error_set(err, 400, "prepare_bad", "more than %d of env",
				 INIT_KERNEL_ENV_MAX_COUNT);
	request->env[request->envc++] = (char *)value.data; /* NUL follows it */
	return 0;
}

static int parse(const struct init_job *job, struct request *out, struct error *err)
{
	struct slice fields = buf_slice(&job->prepare), key, value;

	memcpy(out->env, job->env, job->envc * sizeof(job->env[0]));
	out->envc = job->envc;
	while (field_next(&fields, &key, &value))
		if (take_field(out, job, key, value, err) < 0)
			return -1;
	if (fields.len)
		return error_set(err, 400, "prepare_bad", "a field without a name or an end");
	(void)snprintf(out->go, sizeof(out->go), GO_VARIABLE "=%d", INIT_GO_FD);
	if (out->kernel)
		return 0;
	out->env[out->envc++] = out->go;
	for (unsigned i = job->envc; i < out->envc; i++)
		out->is_prebooted &= !job_has(job, out->env[i]);
	return 0;
}

bool init_prepared_wants_kernel(const struct init_job *job)
{
	struct slice fields = buf_slice(&job->prepare), key, value;

	while (field_next(&fields, &key, &value))
		if (slice_eq(key, "kernel"))
			return true;
	return false;
}

/* Rule 3. What has ended is reaped here. */
static bool is_usable(const struct init_prepared *prepared)
{
	for (int i = 0; i < 2; i++) {
		int said = 0;

		if (ioctl(prepared->program.output[i], FIONREAD, &said) < 0 || said)
			return false;
	}
	return waitpid(prepared->program.pid, NULL, WNOHANG) == 0;
}

/* Rule 4. */
static bool put_stand_in(const struct init_job *job, const char *path)
{
	if (!fs_is_relative_path(slice_of(path), JOB_ARTIFACT_DEPTH_MAX))
		return false;

	_cleanup_close_ int fd =
		fs_open_beneath(job->cwd_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);

	return fd >= 0 && io_write_all(fd, "\n", 1) == 0;
}

/* Starts the runtime and waits for the byte that says it waits. */
static bool start(struct init_prepared *prepared, const struct request *request,
		  deadline_ms lifetime)
{
	deadline_ms deadline = deadline_earlier(lifetime, deadline_in(INIT_BOOT_DEADLINE_MS));
	struct error ignored;
	int ends[2];
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return false;
	prepared->go_fd = ends[0];

	int started =
		init_start(&prepared->job, request->env, ends[1], -1, &prepared->program, &ignored);

	close(ends[1]);
	return started == 0 && io_read_some(ends[0], &byte, 1, deadline) == 1 &&
	       is_usable(prepared);
}

static bool boot(struct init_prepared *prepared, const struct request *request,
		 deadline_ms lifetime)
{
	bool waits;

	/* with a folder to start in the script is there, and a stand-in would not be */
	if (request->stand_in &&
	    (prepared->job.readonly || !put_stand_in(&prepared->job, request->stand_in)))
		return false;
	waits = start(prepared, request, lifetime);
	if (request->stand_in && unlinkat(prepared->job.cwd_fd, request->stand_in, 0) < 0)
		return false;
	return waits;
}

/* The cells' kernel instead: for any cell of this command, or none. */
static bool boot_kernel(struct init_prepared *prepared, const struct request *request,
			deadline_ms lifetime)
{
	deadline_ms deadline = deadline_earlier(lifetime, deadline_in(INIT_BOOT_DEADLINE_MS));
	struct init_kernel *kernel;
	struct error ignored;

	prepared->job.kernel = (char *)request->kernel;
	if (init_kernel_start(&prepared->kernels, &prepared->job, request->env + prepared->job.envc,
			      &kernel, &ignored) < 0)
		return false;
	if (!init_kernel_await_ready(kernel, deadline)) {
		init_kernel_end(&prepared->kernels, kernel, lifetime);
		return false;
	}
	kernel->job = prepared->job;
	prepared->job = init_job_new();
	return true;
}

static int send_ready(bool waits, int connection, const struct init_cgroup *cgroup,
		      deadline_ms deadline, struct error *err)
{
	_cleanup_buf_ struct buf fields = buf_new(FRAME_EXIT_MAX_BYTES);
	uint64_t memory_bytes = 0;

	(void)init_counter_read(&cgroup->current_bytes, &memory_bytes);
	if (field_add_number(&fields, "memory_bytes", memory_bytes) < 0 ||
	    field_add_number(&fields, "prebooted", waits) < 0 ||
	    frame_send(connection, FRAME_READY, buf_slice(&fields), deadline) < 0)
		return error_set_errno(err, 502, "host_gone",
				       "saying that the pooled container is ready");
	return 0;
}

int init_prepared_prepare(struct init_prepared *prepared, struct init_job *job, int connection,
			  const struct init_cgroup *cgroup, deadline_ms lifetime, struct error *err)
{
	struct request request = {0};
	int listener = prepared->listener;
	bool waits = false;

	if (parse(job, &request, err) < 0)
		return -1;
	init_prepared_free(prepared);
	*prepared = init_prepared_new();
	prepared->listener = listener;
	prepared->job = *job;
	prepared->unless = request.unless;
	*job = init_job_new();
	if (request.kernel)
		waits = boot_kernel(prepared, &request, lifetime);
	else if (request.is_prebooted && !(waits = boot(prepared, &request, lifetime)))
		init_prepared_drop(prepared, lifetime);
	prepared->is_prepared = true;
	prepared->idle =
		deadline_earlier(lifetime, deadline_in((int64_t)request.idle_s * MS_PER_S));
	return send_ready(waits, connection, cgroup, lifetime, err);
}

/* --- The job ---------------------------------------------------------------------------------- */

bool init_prepared_take(struct init_prepared *prepared, const struct init_job *job,
			deadline_ms lifetime, struct init_program *out)
{
	if (prepared->program.pid < 0)
		return false;
	/* rules 2 and 3 */
	if (init_job_same_command(&prepared->job, job) && job->stdin_fd < 0 &&
	    (!prepared->unless || !init_job_input(job, prepared->unless)) && is_usable(prepared)) {
		*out = prepared->program;
		prepared->program = INIT_PROGRAM_NONE;
		return true;
	}
	init_prepared_drop(prepared, lifetime);
	return false;
}

bool init_prepared_go(struct init_prepared *prepared, struct init_program *program,
		      deadline_ms lifetime)
{
	static const char go = 'g';

	if (send(prepared->go_fd, &go, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1) {
		close(steal_fd(&prepared->go_fd));
		return true;
	}
	prepared->program = *program;
	*program = INIT_PROGRAM_NONE;
	init_prepared_drop(prepared, lifetime);
	return false;
}
