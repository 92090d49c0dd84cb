/*
 * Spares: a runtime that was started before its job came (protocol/control.h, PREPARE).
 *
 *   state      PREPARE    first byte   ended, silent   same job   another job   idle
 *   listening  booting    –            –               –          –             –
 *   booting    –          waiting      empty           –          –             –
 *   waiting    error      –            –               GO         killed, new   gone
 *   empty      error      –            –               new        new           gone
 *
 * Rules:
 *  1. What waits is the program itself, with the argv, environment, folder, descriptors and limits of its job, held up by a hook of
 *     worker/kernels before it opens its script: whatever comes after GO is its own doing. What it can still be told by is
 *     /proc/self/environ, and clocks that count from a process's start.
 *  2. It runs only a job that is the same byte for byte in argv, environment and folders, has no standard input, and does not bring the
 *     file named in UNLESS_VARIABLE: one that the runtime has looked for already.
 *  3. One that has died, or has said anything, is not used: its words would have been the job's.
 *  4. A runtime that opens its script before it can be held finds a line feed in its place (STAND_IN_VARIABLE), which is gone before READY.
 *  5. The descriptor it waits on has a number that no program comes to by counting up: those it opens before GO are numbered as ever.
 */
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/num.h"
#include "init/init.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define GO_VARIABLE       "MAYFLY_GO"
#define STAND_IN_VARIABLE "MAYFLY_STAND_IN="
#define UNLESS_VARIABLE   "MAYFLY_UNLESS="

/* What PREPARE asks for. */
struct request {
	uint64_t idle_s;
	char *env[JOB_ENV_MAX_COUNT + INIT_KERNEL_ENV_MAX_COUNT + 2]; /* the job's first */
	unsigned envc;
	char go[sizeof(GO_VARIABLE) + 16];
	bool has_kernel;
	const char *cell;     /* the kernel's name, or NULL */
	const char *stand_in; /* a path beneath cwd, or NULL */
	const char *unless;   /* a path beneath cwd, or NULL */
};

static const struct init_program no_program = {-1, {-1, -1}, -1};

struct init_spare init_spare_new(void)
{
	struct init_spare spare = {
		.job = init_job_new(),
		.program = no_program,
		.go_fd = -1,
		.listener = -1,
	};

	init_kernels_new(&spare.kernels);
	return spare;
}

static void forget_program(struct init_spare *spare)
{
	cleanup_close(&spare->program.output[0]);
	cleanup_close(&spare->program.output[1]);
	cleanup_close(&spare->program.failure_fd);
	cleanup_close(&spare->go_fd);
	spare->program = no_program;
	spare->go_fd = -1;
}

/* With everything it has started. */
void init_spare_drop(struct init_spare *spare, deadline_ms lifetime)
{
	init_end_everything(lifetime);
	forget_program(spare);
}

void init_spare_free(struct init_spare *spare)
{
	forget_program(spare);
	init_job_free(&spare->job);
	init_kernels_free(&spare->kernels);
}

/* --- PREPARE -----------------------------------------------------------------------------------*/

/* True when the job's own environment has the variable: two of one name would not be the job's environment any more. */
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
		if (num_parse(value, 10, SPARE_TTL_MAX_S, &request->idle_s) < 0)
			return error_set(err, 400, "prepare_bad",
					 "idle_s is not a number from 0 to %d", SPARE_TTL_MAX_S);
		return 0;
	}
	if (slice_eq(key, "cell") && value.len && value.len <= CELL_NAME_MAX_BYTES) {
		request->cell = value.data; /* NUL follows it */
		return 0;
	}
	if (!slice_eq(key, "env") || !memchr(value.data, '=', value.len))
		return error_set(err, 400, "prepare_bad", "unknown field %.*s", (int)key.len,
				 key.data);
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
	out->has_kernel = out->envc > job->envc;
	if (out->cell)
		return 0;
	out->env[out->envc++] = out->go;
	for (unsigned i = job->envc; i < out->envc; i++)
		out->has_kernel &= !job_has(job, out->env[i]);
	return 0;
}

bool init_spare_wants_kernel(const struct init_job *job)
{
	struct slice fields = buf_slice(&job->prepare), key, value;

	while (field_next(&fields, &key, &value))
		if (slice_eq(key, "cell"))
			return true;
	return false;
}

/* Rule 3. What has ended is reaped here. */
static bool is_usable(const struct init_spare *spare)
{
	for (int i = 0; i < 2; i++) {
		int said = 0;

		if (ioctl(spare->program.output[i], FIONREAD, &said) < 0 || said)
			return false;
	}
	return waitpid(spare->program.pid, NULL, WNOHANG) == 0;
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
static bool start(struct init_spare *spare, const struct request *request, deadline_ms lifetime)
{
	deadline_ms deadline = deadline_earlier(lifetime, deadline_in(INIT_BOOT_DEADLINE_MS));
	struct error ignored;
	int ends[2];
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return false;
	spare->go_fd = ends[0];

	int started = init_start(&spare->job, request->env, ends[1], -1, &spare->program, &ignored);

	close(ends[1]);
	return started == 0 && io_read_some(ends[0], &byte, 1, deadline) == 1 && is_usable(spare);
}

static bool boot(struct init_spare *spare, const struct request *request, deadline_ms lifetime)
{
	bool waits;

	/* with a folder to start in the script is there, and a stand-in would not be */
	if (request->stand_in &&
	    (spare->job.readonly || !put_stand_in(&spare->job, request->stand_in)))
		return false;
	waits = start(spare, request, lifetime);
	if (request->stand_in && unlinkat(spare->job.cwd_fd, request->stand_in, 0) < 0)
		return false;
	return waits;
}

/* The cells' kernel instead: for any cell of this command, or none. */
static bool boot_kernel(struct init_spare *spare, const struct request *request,
			deadline_ms lifetime)
{
	deadline_ms deadline = deadline_earlier(lifetime, deadline_in(INIT_BOOT_DEADLINE_MS));
	struct init_kernel *kernel;
	struct error ignored;

	spare->job.cell = (char *)request->cell;
	if (init_kernel_start(&spare->kernels, &spare->job, request->env + spare->job.envc, &kernel,
			      &ignored) < 0)
		return false;
	if (!init_cell_await_ready(kernel, deadline)) {
		init_kernel_end(&spare->kernels, kernel, lifetime);
		return false;
	}
	kernel->job = spare->job;
	spare->job = init_job_new();
	return true;
}

static int send_ready(bool waits, int connection, const struct init_cgroup *cgroup,
		      deadline_ms deadline, struct error *err)
{
	_cleanup_buf_ struct buf fields = buf_new(FRAME_EXIT_MAX_BYTES);
	uint64_t memory_bytes = 0;

	(void)init_counter_read(&cgroup->current_bytes, &memory_bytes);
	if (field_add_number(&fields, "memory_bytes", memory_bytes) < 0 ||
	    field_add_number(&fields, "kernel", waits) < 0 ||
	    frame_send(connection, FRAME_READY, buf_slice(&fields), deadline) < 0)
		return error_set_errno(err, 502, "host_gone", "saying that the spare is ready");
	return 0;
}

int init_spare_prepare(struct init_spare *spare, struct init_job *job, int connection,
		       const struct init_cgroup *cgroup, deadline_ms lifetime, struct error *err)
{
	struct request request = {0};
	int listener = spare->listener;
	bool waits = false;

	if (parse(job, &request, err) < 0)
		return -1;
	init_spare_free(spare);
	*spare = init_spare_new();
	spare->listener = listener;
	spare->job = *job;
	spare->unless = request.unless;
	*job = init_job_new();
	if (request.cell)
		waits = boot_kernel(spare, &request, lifetime);
	else if (request.has_kernel && !(waits = boot(spare, &request, lifetime)))
		init_spare_drop(spare, lifetime);
	spare->is_prepared = true;
	spare->idle = deadline_earlier(lifetime, deadline_in((int64_t)request.idle_s * 1000));
	return send_ready(waits, connection, cgroup, lifetime, err);
}

/* --- The job -----------------------------------------------------------------------------------*/

/* Rule 2. */
static bool is_for(const struct init_spare *spare, const struct init_job *job)
{
	return init_job_same_command(&spare->job, job) && job->stdin_fd < 0 &&
	       (!spare->unless || !init_job_is_input(job, spare->unless));
}

bool init_spare_take(struct init_spare *spare, const struct init_job *job, deadline_ms lifetime,
		     struct init_program *out)
{
	if (spare->program.pid < 0)
		return false;
	if (is_for(spare, job) && is_usable(spare)) {
		*out = spare->program;
		spare->program = no_program;
		return true;
	}
	init_spare_drop(spare, lifetime);
	return false;
}

bool init_spare_go(struct init_spare *spare, struct init_program *program, deadline_ms lifetime)
{
	static const char go = 'g';

	if (send(spare->go_fd, &go, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1) {
		close(steal_fd(&spare->go_fd));
		return true;
	}
	spare->program = *program;
	*program = no_program;
	init_spare_drop(spare, lifetime);
	return false;
}
