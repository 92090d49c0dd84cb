/*
 * The kernels of a session: interpreters that stay between cells (protocol/control.h).
 *
 * Rules:
 *  1. A kernel is hostile: it is never waited for without a deadline, and what it does to its
 *     descriptors harms no other process.
 *  2. A cell's code goes through a memfd, so that a large one needs no kernel that reads; the
 *     channel carries one short line.
 *  3. One that waits unused runs only cells of the command it was started for; one that has run a
 *     cell has a state to be kept.
 *  4. With a kernel goes all that it has started.
 */
#include "base/cleanup.h"
#include "base/io.h"
#include "init/init.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define LINE_BYTES (JOB_NAME_MAX_BYTES + 128)

static void make_new(struct init_kernel *kernel)
{
	*kernel = (struct init_kernel){
		.job = init_job_new(),
		.program = INIT_PROGRAM_NONE,
		.channel = -1,
		.code = -1,
	};
}

/* Closes what is ours of it. */
void init_kernel_forget(struct init_kernel *kernel)
{
	init_program_forget(&kernel->program);
	cleanup_close(&kernel->channel);
	cleanup_close(&kernel->code);
	init_job_free(&kernel->job);
	make_new(kernel);
}

void init_kernels_new(struct init_kernels *kernels)
{
	for (unsigned i = 0; i < CELL_KERNEL_MAX_COUNT; i++)
		make_new(&kernels->list[i]);
}

void init_kernels_free(struct init_kernels *kernels)
{
	for (unsigned i = 0; i < CELL_KERNEL_MAX_COUNT; i++)
		init_kernel_forget(&kernels->list[i]);
}

void init_kernels_note_end(struct init_kernels *kernels, pid_t pid)
{
	for (unsigned i = 0; i < CELL_KERNEL_MAX_COUNT; i++)
		if (kernels->list[i].program.pid == pid)
			init_kernel_forget(&kernels->list[i]);
}

void init_kernel_kill(const struct init_kernels *kernels, const struct init_kernel *kernel,
		      deadline_ms lifetime)
{
	pid_t kept[CELL_KERNEL_MAX_COUNT + 1];
	unsigned count = 0;

	for (unsigned i = 0; i < CELL_KERNEL_MAX_COUNT; i++)
		if (&kernels->list[i] != kernel && kernels->list[i].program.pid > 0)
			kept[count++] = kernels->list[i].program.pid;
	kept[count] = -1;
	init_end_all_but(kept, lifetime);
}

void init_kernel_end(struct init_kernels *kernels, struct init_kernel *kernel, deadline_ms lifetime)
{
	init_kernel_kill(kernels, kernel, lifetime);
	init_kernel_forget(kernel);
}

/* The two descriptors that a kernel gets more than a program. */
static int open_ends(struct init_kernel *kernel, int *theirs)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	*theirs = ends[1];
	kernel->channel = ends[0];
	kernel->code = memfd_create("cell", MFD_CLOEXEC);
	return kernel->code < 0 ? -1 : 0;
}

static struct init_kernel *free_place(struct init_kernels *kernels)
{
	for (unsigned i = 0; i < CELL_KERNEL_MAX_COUNT; i++)
		if (kernels->list[i].name[0] == '\0')
			return &kernels->list[i];
	return NULL;
}

/* job's environment, ours, and what is added to it. */
static int join_environments(const struct init_job *job, char *const *more, char *variable,
			     char **out, unsigned max)
{
	unsigned count = 0;

	for (; count < job->envc; count++)
		out[count] = job->env[count];
	for (; more && *more; more++) {
		if (count + 2 >= max)
			return -1;
		out[count++] = *more;
	}
	out[count++] = variable;
	out[count] = NULL;
	return 0;
}

int init_kernel_start(struct init_kernels *kernels, const struct init_job *job, char *const *env,
		      struct init_kernel **out, struct error *err)
{
	struct init_kernel *kernel = free_place(kernels);
	char *all[JOB_ENV_MAX_COUNT + INIT_KERNEL_ENV_MAX_COUNT + 2];
	char variable[64];
	_cleanup_close_ int theirs = -1;

	if (!kernel)
		return error_set(err, 400, "not_started", "more than %d kernels",
				 CELL_KERNEL_MAX_COUNT);
	(void)snprintf(variable, sizeof(variable), "MAYFLY_CELL=%d,%d", INIT_GO_FD, INIT_CODE_FD);
	if (join_environments(job, env, variable, all, COUNT_OF(all)) < 0)
		return error_set(err, 400, "not_started", "too much environment");
	if (open_ends(kernel, &theirs) < 0)
		(void)error_set_errno(err, 500, "not_started", "a kernel's descriptors");
	else if (init_start(job, all, theirs, kernel->code, &kernel->program, err) == 0)
		*out = kernel;
	if (kernel->program.pid < 0) {
		init_kernel_forget(kernel);
		return -1;
	}
	(void)snprintf(kernel->name, sizeof(kernel->name), "%s", job->kernel);
	return 0;
}

struct init_kernel *init_kernel_find(struct init_kernels *kernels, const struct init_job *job,
				     deadline_ms lifetime)
{
	for (unsigned i = 0; i < CELL_KERNEL_MAX_COUNT; i++) {
		struct init_kernel *kernel = &kernels->list[i];

		if (strcmp(kernel->name, job->kernel) != 0)
			continue;
		if (kernel->cells || init_job_same_command(&kernel->job, job)) /* rule 3 */
			return kernel;
		init_kernel_end(kernels, kernel, lifetime);
		return NULL;
	}
	return NULL;
}

/* Rule 2. */
static int write_code(const struct init_kernel *kernel, int from)
{
	struct stat status = {0};
	off_t at = 0;

	if (ftruncate(kernel->code, 0) < 0 || lseek(kernel->code, 0, SEEK_SET) < 0)
		return -1;
	if (from >= 0 && fstat(from, &status) < 0)
		return -1;
	while (at < status.st_size)
		if (sendfile(kernel->code, from, &at, (size_t)(status.st_size - at)) <= 0)
			return -1;
	return lseek(kernel->code, 0, SEEK_SET) < 0 ? -1 : 0;
}

int init_kernel_give(struct init_kernel *kernel, const struct init_job *job)
{
	char line[LINE_BYTES];
	int len = snprintf(line, sizeof(line), "index=%llu echo=%u last=%u script=%s\n",
			   (unsigned long long)kernel->cells, (unsigned)job->echo,
			   (unsigned)job->last, job->script ? job->script : "");

	if (write_code(kernel, job->stdin_fd) < 0)
		return -1;
	kernel->cells++;
	return send(kernel->channel, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) == len ? 0
											    : -1;
}

bool init_kernel_await_ready(struct init_kernel *kernel, deadline_ms deadline)
{
	char frame[FRAME_HEADER_BYTES];
	size_t len = 0;
	ssize_t got;

	do {
		got = io_read_some(kernel->channel, frame + len, sizeof(frame) - len, deadline);
		len += got > 0 ? (size_t)got : 0;
	} while (got > 0 && len < sizeof(frame));
	kernel->is_waiting = len == sizeof(frame) && frame[0] == FRAME_READY;
	return kernel->is_waiting;
}
