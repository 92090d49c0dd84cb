/*
 * From fork to exec.
 *
 * Rules:
 *  1. The program has descriptors 0, 1 and 2, the default signal dispositions, an empty signal
 *     mask, a session of its own, no core dumps, and exactly the environment that JOB names. A
 *     runtime started ahead has, until GO, one descriptor more and what PREPARE adds; a kernel has
 *     two more.
 *  2. The OOM killer takes it before it takes init, and init gets the CPU before it does: it is
 *     nicer by so much that init outweighs a hundred of its processes, and cannot come back.
 *  3. A failure before exec comes back through a close-on-exec pipe: once the program runs, it
 *     has no writing end. It is read when the process has ended, so starting waits for nothing.
 */
#include "base/cleanup.h"
#include "base/io.h"
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

/* The child's last words. */
struct failure {
	int error;        /* errno */
	const char *step; /* a literal of ours: both processes have it at one address; NULL: exec */
};

void init_program_forget(struct init_program *program)
{
	cleanup_close(&program->output[0]);
	cleanup_close(&program->output[1]);
	cleanup_close(&program->failure_fd);
	*program = INIT_PROGRAM_NONE;
}

void init_close_on_exec_from(unsigned first, bool walk)
{
	struct rlimit files;

	if (!walk && close_range(first, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	for (rlim_t fd = first; fd < files.rlim_cur; fd++)
		(void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
}

static _Noreturn void fail(int failure_fd, const char *step)
{
	struct failure failure = {errno, step};

	if (io_write_all(failure_fd, &failure, sizeof(failure)) < 0)
		_exit(126);
	_exit(127);
}

/* Rule 2. The files of a process that is not dumpable belong to root, so it must be, until exec
   makes it so anyway. Where the file cannot be written the kernel's own choice stands: the largest.
 */
static int offer_to_oom_killer(void)
{
	(void)prctl(PR_SET_DUMPABLE, 1);

	_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -1 : io_write_all(fd, "1000", 4);
}

/* Rule 2, and no core dumps. The limits are what an unprivileged process may raise its priority to
   (getrlimit(2)): not at all. */
static int limit(void)
{
	static const __rlimit_resource_t none[] = {RLIMIT_CORE, RLIMIT_NICE, RLIMIT_RTPRIO};
	static const struct rlimit nothing = {0, 0};

	for (size_t i = 0; i < COUNT_OF(none); i++)
		if (setrlimit(none[i], &nothing) < 0)
			return -1;
	errno = 0; /* -1 is a nice value, too */
	return nice(INIT_PROGRAM_NICE) == -1 && errno ? -1 : 0;
}

/* By the kernel's own call: the C library keeps two signals to itself, and its posix_spawn(3)
   leaves them ignored. */
static void reset_signals(void)
{
	/* struct kernel_sigaction, all zero: SIG_DFL, no flags, no mask (rt_sigaction(2)) */
	static const unsigned long normal[4];
	const size_t mask_bytes = 8;
	sigset_t none;

	for (int number = 1; number <= SIGRTMAX; number++)
		(void)syscall(SYS_rt_sigaction, number, normal, NULL,
			      mask_bytes); /* SIGKILL and its like say EINVAL */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static const char *search_path(char *const *env)
{
	for (; *env; env++)
		if (strncmp(*env, "PATH=", 5) == 0)
			return *env + 5;
	return DEFAULT_PATH;
}

/* As execvpe(3), but for scripts without an interpreter line: those are not handed to a shell.
   Returns only on failure, with errno. */
static void execute(char *const *argv, char *const *env)
{
	const char *path = search_path(env);
	char name[PATH_MAX];
	int worst = ENOENT;

	if (strchr(argv[0], '/')) {
		(void)execve(argv[0], argv, env);
		return;
	}
	for (;;) {
		size_t len = strcspn(path, ":");
		int used = snprintf(name, sizeof(name), "%.*s/%s", (int)len, path, argv[0]);

		if (len && used > 0 && (size_t)used < sizeof(name)) {
			(void)execve(name, argv, env);
			if (errno == EACCES)
				worst = EACCES;
			else if (errno != ENOENT && errno != ENOTDIR)
				return;
		}
		if (path[len] == '\0')
			break;
		path += len + 1;
	}
	errno = worst;
}

/* Descriptors of ours that become the program's. */
struct descriptors {
	int standard[3];
	int go, code; /* or -1 */
	int failure;
};

static _Noreturn void become_program(const struct init_job *job, char *const *env,
				     const struct descriptors *fds)
{
	(void)offer_to_oom_killer();
	if (setsid() < 0)
		fail(fds->failure, "session");
	for (int i = 0; i < 3; i++)
		if (dup2(fds->standard[i], i) < 0)
			fail(fds->failure, "descriptors");
	init_close_on_exec_from(STDERR_FILENO + 1, false);
	if ((fds->go >= 0 && dup2(fds->go, INIT_GO_FD) < 0) ||
	    (fds->code >= 0 && dup2(fds->code, INIT_CODE_FD) < 0))
		fail(fds->failure, "descriptors");
	if (fchdir(job->cwd_fd) < 0)
		fail(fds->failure, "cwd");
	if (job->readonly && init_readonly_enter(job) < 0)
		fail(fds->failure, "readonly");
	if (limit() < 0)
		fail(fds->failure, "rlimits");
	reset_signals();
	execute(job->argv, env);
	fail(fds->failure, NULL);
}

/* A pipe whose reading end does not block; the writing end, which the program gets, does. */
static int make_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	return fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

int init_start(const struct init_job *job, char *const *env, int go_fd, int code_fd,
	       struct init_program *out, struct error *err)
{
	int ends[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}}; /* stdout, stderr, failure */
	_cleanup_close_ int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int input = job->stdin_fd >= 0 && code_fd < 0 ? job->stdin_fd : nothing;
	pid_t pid = -1;

	if (input >= 0 && make_pipe(ends[0]) == 0 && make_pipe(ends[1]) == 0 &&
	    make_pipe(ends[2]) == 0)
		pid = fork();
	if (pid == 0) {
		const struct descriptors fds = {
			{input, ends[0][1], ends[1][1]}, go_fd, code_fd, ends[2][1]};

		become_program(job, env, &fds);
	}
	if (pid < 0)
		(void)error_set_errno(err, 500, "fork", "no new process");
	for (int i = 0; i < 3; i++) {
		cleanup_close(&ends[i][1]);
		if (pid < 0)
			cleanup_close(&ends[i][0]);
	}
	if (pid < 0)
		return -1;
	*out = (struct init_program){pid, {ends[0][0], ends[1][0]}, ends[2][0]};
	return 0;
}

bool init_start_failed(const struct init_program *program, const struct init_job *job,
		       struct error *err)
{
	struct failure failure;

	if (read(program->failure_fd, &failure, sizeof(failure)) != (ssize_t)sizeof(failure))
		return false;

	const char *why = strerrordesc_np(failure.error);

	if (failure.step)
		(void)error_set(err, 500, "not_started", "%s: %s", failure.step, why);
	else if (failure.error == ENOENT)
		(void)error_set(err, 500, "not_started", "%s: not found in the image",
				job->argv[0]);
	else
		(void)error_set(err, 500, "not_started", "%s: %s", job->argv[0], why);
	return true;
}
