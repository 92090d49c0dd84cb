#include "ctl/shell_job.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/io.h"
#include "ctl/command.h"
#include "ctl/settings.h"
#include "ctl/shell_save.h"
#include "ctl/tool_request.h"
#include "job/execution.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>

#define EXIT_TIMEOUT 124 /* as timeout(1) */
#define PROGRESS_MS  200
#define NAMES_BYTES  (JOB_ARTIFACT_SCAN_MAX * 256ULL + KIB)
#define ERASE_LINE   "\r\033[K"

/* The child's. */
struct run {
	const struct config *config;
	const struct shell_job *asked;
	struct executor executor;
	struct tool_request made;   /* owned */
	struct execution execution; /* owned */
	char *input;                /* owned: standard input */
	int64_t started_us;
	bool shows_progress, has_line; /* there is a terminal to show it on; it is shown */
};

static int say(const struct run *run, const char *what, int status)
{
	return ctl_fail(run->asked->command, status, "%s", what);
}

/* --- the job ---------------------------------------------------------------------------------- */

static int take_input(struct run *run)
{
	size_t len;

	if (!run->asked->has_input || run->made.job.standard_input.len)
		return EX_OK;
	if (io_read_to_end(STDIN_FILENO, JOB_STDIN_MAX_BYTES, &run->input, &len) < 0)
		return say(run,
			   errno == EFBIG ? "standard input is larger than 32 MiB"
					  : "standard input cannot be read",
			   EX_DATAERR);
	run->made.job.standard_input = (struct slice){run->input, len};
	return EX_OK;
}

static int make_job(struct run *run)
{
	const struct shell_job *asked = run->asked;
	const struct tool *tool = &run->made.tool;
	struct job *job = &run->made.job;
	int status = tool_request_make(run->config, asked->command, asked->tool, asked->request,
				       &run->made);
	uint64_t usual = tool->timeout_s ? tool->timeout_s : TIMEOUT_DEFAULT_S;
	uint64_t most = tool->timeout_max_s ? tool->timeout_max_s : TIMEOUT_MAX_S;

	if (status != EX_OK)
		return status;
	if (asked->timeout_s > most)
		return say(run, "the tool's longest time-out is shorter", EX_DATAERR);
	job->wall_ms = 1000 * (asked->timeout_s ? asked->timeout_s : usual < most ? usual : most);
	if (job->argc + asked->argument_count > JOB_ARGV_MAX_COUNT)
		return say(run, "too many arguments", EX_DATAERR);
	for (unsigned i = 0; i < asked->argument_count; i++)
		job->argv[job->argc++] = slice_of(asked->arguments[i]);
	return take_input(run);
}

/* --- while it runs ---------------------------------------------------------------------------- */

static void erase_progress(struct run *run)
{
	if (run->has_line)
		(void)!write(STDERR_FILENO, ERASE_LINE, strlen(ERASE_LINE));
	run->has_line = false;
}

static void on_output(void *context, bool is_stderr, struct slice data)
{
	struct run *run = context;

	erase_progress(run);
	/* a reader that has gone ends us by SIGPIPE, and the job with us */
	(void)!io_write_all(is_stderr ? STDERR_FILENO : STDOUT_FILENO, data.data, data.len);
}

static void on_tick(void *context)
{
	struct run *run = context;

	if (!run->shows_progress)
		return;
	run->has_line = true;
	(void)dprintf(STDERR_FILENO, ERASE_LINE "%s: %.1f s", run->made.tool.name,
		      (double)(monotonic_us() - run->started_us) / 1e6);
}

static int execute(struct run *run)
{
	const struct job_result *result = &run->execution.result;
	struct error err;

	run->execution = execution_new(&run->executor, &run->made.job, WORDS_TOOLS, 0);
	run->execution.timeout_text = run->made.tool.timeout_text;
	run->execution.observer = (struct execution_observer){
		.context = run, .on_output = on_output, .on_tick = on_tick, .tick_ms = PROGRESS_MS};
	if (execution_run(&run->execution, &err) < 0) {
		erase_progress(run);
		return say(run, err.message, EX_UNAVAILABLE);
	}
	if (result->stdout_truncated || result->stderr_truncated)
		(void)say(run, "the output was longer than is kept, and is cut", 0);
	return result->reason == JOB_TIMEOUT ? EXIT_TIMEOUT : job_exit_code(result);
}

/* Tells who called us where the artifacts are: the result's id, then their paths, each ended by
   NUL. */
static void tell_artifacts(struct run *run, int to)
{
	char id[JOB_ID_LENGTH + 1];
	struct storage *storage = &run->execution.storage;
	const struct buf *names = &storage->names;
	struct error err;

	if (names->len == 0)
		return;
	if (storage_commit(storage, SHELL_SESSION, id, &err) < 0 ||
	    io_write_all(to, id, sizeof(id)) < 0 || io_write_all(to, names->data, names->len) < 0)
		(void)say(run, "the artifacts could not be kept", 0);
}

static void say_usage(const struct run *run)
{
	const struct job_result *result = &run->execution.result;

	if (run->shows_progress)
		(void)fprintf(stderr, "mayflyctl: %.2f s, CPU %.2f s, %" PRIu64 " MiB at most\n",
			      (double)result->wall_us / 1e6, (double)result->cpu_us / 1e6,
			      (uint64_t)((result->max_rss_bytes + MIB - 1) / MIB));
}

/* The child's life. */
static int run_child(const struct config *config, const struct shell_job *asked, int to)
{
	struct run run = {
		.config = config,
		.asked = asked,
		.executor = executor_new(config),
		.shows_progress = isatty(STDERR_FILENO),
		.started_us = monotonic_us(),
	};
	struct error err;
	int status = EX_OK;

	run.executor.family = 'A'; /* as the tools API's, which it stands for */
	if (ctl_become_service(config, &err) < 0)
		return say(&run, err.message, EX_CONFIG);
	/* not even SIGKILL leaves the job behind; a change of user would have undone this */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	status = make_job(&run);
	if (status == EX_OK && engine_open(config, &run.executor.engine, &err) < 0)
		status = say(&run, err.message, EX_OSERR);
	else if (status == EX_OK) {
		status = execute(&run);
		if (asked->folder)
			tell_artifacts(&run, to);
		execution_free(&run.execution);
		say_usage(&run);
		executor_count(&run.executor, monotonic_us() - run.started_us);
		/* who waits for a prompt does not wait for a pooled container */
		executor_next(&run.executor, false);
		executor_end(&run.executor);
	}
	tool_request_free(&run.made);
	free(run.input);
	return status;
}

/* --- who called ------------------------------------------------------------------------------- */

/* The exit status of a child that is waited for; a signal as a shell shows it. */
static int wait_child(pid_t child)
{
	int status = 0;

	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A folder for the result, the service's own. -1 with errno. */
static int make_storage(struct config *config, uid_t *uid, gid_t *gid)
{
	const char *parent = getenv("TMPDIR");
	bool is_other = ctl_service_user(config, uid, gid);

	if ((size_t)snprintf(config->storage, sizeof(config->storage), "%s/mayflyctl-XXXXXX",
			     parent && *parent == '/' ? parent : "/tmp") >= sizeof(config->storage))
		return -1;
	if (!mkdtemp(config->storage) || (is_other && chown(config->storage, *uid, *gid) < 0))
		return -1;
	return open(config->storage, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static volatile sig_atomic_t child_pid; /* 0: there is none yet */

/* Who is to end ends the job first, and tidies up behind it. */
static void pass_on(int number)
{
	if (child_pid)
		(void)kill((pid_t)child_pid, number);
}

/* The terminal's own signals reach the child by themselves. */
static void watch_signals(bool is_child)
{
	static const int numbers[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};

	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		struct sigaction action = {.sa_handler = is_child ? SIG_DFL
							 : i < 2  ? SIG_IGN
								  : pass_on};

		(void)sigaction(numbers[i], &action, NULL);
	}
}

static int run_apart(const struct config *config, const struct shell_job *job, int storage)
{
	_cleanup_free_ char *names = NULL;
	size_t names_len = 0;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return EX_OSERR;

	watch_signals(false);

	pid_t child = fork();

	if (child == 0) {
		watch_signals(true);
		close(ends[0]);
		_exit(run_child(config, job, ends[1]));
	}
	child_pid = child > 0 ? child : 0;
	close(ends[1]);

	int read_all = io_read_to_end(ends[0], NAMES_BYTES, &names, &names_len);
	int status = child < 0 ? EX_OSERR : wait_child(child);

	close(ends[0]);
	if (read_all < 0)
		names_len = 0;
	return shell_save(job, storage, names, names_len) && status == EX_OK ? EX_CANTCREAT
									     : status;
}

int shell_job_run(const struct config *config, const struct shell_job *job)
{
	struct config own = *config;
	uid_t uid;
	gid_t gid;
	_cleanup_close_ int storage = make_storage(&own, &uid, &gid);

	if (storage < 0)
		return ctl_fail(job->command, EX_OSERR, "%s cannot be made: %s", own.storage,
				strerror(errno));

	int status = run_apart(&own, job, storage);

	(void)!fs_remove_tree(AT_FDCWD, own.storage);
	return status;
}
