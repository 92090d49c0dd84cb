/*
 * mayflyctl logs: a job's request line names its container, and by that the lines of mayfly-engine
 * and mayfly-reap are found, which may know no more of it.
 *
 * Rules:
 *  1. journalctl gets checked arguments, never by a shell.
 *  2. Only lines of the users that mayfly's programs run as are shown: any user may
 *     write MAYFLY_JOB= into the journal, but not the _UID= of another.
 */
#include "ctl/logs.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "bounds.h"
#include "ctl/command.h"
#include "ctl/settings.h"
#include "job/engine_client.h"
#include "protocol/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define JOURNALCTL     "journalctl"
#define CONTAINERS_MAX 16 /* of one job: a session's is one, a run that was compiled has two */
#define ARGUMENTS_MAX  (16 + 4 * (CONTAINERS_MAX + 1))
#define MATCH_BYTES    128

struct query {
	const char *job;
	bool as_json, follow;
	char users[2][MATCH_BYTES]; /* _UID=…; "" when there is none */
	char containers[CONTAINERS_MAX][MATCH_BYTES];
	unsigned container_count;
	char match[MATCH_BYTES];
	const char *arguments[ARGUMENTS_MAX];
	unsigned argument_count;
};

/* Of a job, run, agent run or session: letters, digits, "-" and "_". */
static bool is_id(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len < ENGINE_JOB_BYTES && strspn(text, ENGINE_JOB_ALPHABET) == len;
}

static int parse(int argc, char **argv, struct query *query)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			query->as_json = true;
		else if (strcmp(argv[i], "--follow") == 0)
			query->follow = true;
		else if (query->job || strncmp(argv[i], "--", 2) == 0)
			return CTL_USAGE;
		else
			query->job = argv[i];
	}
	if (!query->job)
		return CTL_USAGE;
	if (is_id(query->job))
		return EX_OK;
	(void)fprintf(
		stderr,
		"mayflyctl logs: a job is the id that its reply has: letters, digits, \"-\" and "
		"\"_\", %d at most\n",
		ENGINE_JOB_BYTES - 1);
	return EX_USAGE;
}

/* The users that mayfly, mayfly-reap and mayfly-engine run as: the owners of what is theirs in the
   run folder. */
static void find_users(const struct config *config, struct query *query)
{
	const char *const folders[] = {"pool", JOBS_DIR_NAME};
	struct stat status;

	for (unsigned i = 0; i < 2; i++) {
		char path[PATH_MAX + 16];

		(void)snprintf(path, sizeof(path), "%s/%s", config->run, folders[i]);
		(void)snprintf(query->users[i], MATCH_BYTES, "_UID=%u",
			       stat(path, &status) == 0 ? status.st_uid : geteuid());
	}
}

static void add(struct query *query, const char *argument)
{
	query->arguments[query->argument_count++] = argument;
	query->arguments[query->argument_count] = NULL;
}

/* Lines of ours that have this, too: journalctl takes different fields together, the same field's
   values as alternatives, and "+" for or. */
static void add_match(struct query *query, const char *match)
{
	if (match != query->match)
		add(query, "+");
	for (unsigned i = 0; i < 2; i++)
		add(query, query->users[i]);
	add(query, match);
}

static void begin(struct query *query)
{
	query->argument_count = 0;
	add(query, JOURNALCTL);
	add(query, "--no-pager");
	add(query, "--quiet");
}

static void become_journalctl(struct query *query)
{
	execvp(JOURNALCTL, (char *const *)query->arguments); /* which changes none */
	(void)fprintf(
		stderr,
		"mayflyctl logs: journalctl cannot be started (%s). Without a journal the lines "
		"are where mayfly's standard error goes: look for "
		"job=\"%s\" there\n",
		strerror(errno), query->job);
}

/* All that journalctl prints. Its exit status, or -1 with errno. */
static int read_journal(struct query *query, char **out, size_t *len)
{
	_cleanup_close_ int from = -1;
	int ends[2], status, read_all;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	from = ends[0];
	child = fork();
	if (child == 0) {
		if (dup2(ends[1], STDOUT_FILENO) == STDOUT_FILENO)
			become_journalctl(query);
		_exit(EX_UNAVAILABLE);
	}
	close(ends[1]);
	if (child < 0)
		return -1;
	read_all = io_read_to_end(from, LOGS_CONTAINERS_MAX_BYTES, out, len);
	close(steal_fd(&from));
	if (waitpid(child, &status, 0) < 0 || read_all < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EX_OSERR;
}

static void note_container(struct query *query, const char *name)
{
	char match[MATCH_BYTES];

	if (!is_id(name) || query->container_count == CONTAINERS_MAX)
		return;
	(void)snprintf(match, sizeof(match), "MAYFLY_CONTAINER=%s", name);
	for (unsigned i = 0; i < query->container_count; i++)
		if (strcmp(query->containers[i], match) == 0)
			return;
	memcpy(query->containers[query->container_count++], match, sizeof(match));
}

/* Which containers the job had. EX_OK, or what is to be the exit status. */
static int find_containers(struct query *query)
{
	_cleanup_free_ char *text = NULL;
	char *line, *rest;
	size_t len;
	int status;

	begin(query);
	add(query, "--output=cat");
	add(query, "--output-fields=MAYFLY_CONTAINER,MAYFLY_JOB");
	add_match(query, query->match);
	status = read_journal(query, &text, &len);
	if (status != 0) {
		if (status < 0)
			(void)fprintf(stderr, "mayflyctl logs: journalctl: %s\n", strerror(errno));
		return status < 0 ? EX_OSERR : EX_UNAVAILABLE; /* it has said why */
	}
	if (len == 0 && !query->follow) {
		(void)fprintf(
			stderr,
			"mayflyctl logs: the journal has nothing of the job %s. Has this user the "
			"right to read it (group systemd-journal), and does mayfly "
			"write to it? Else the lines are where mayfly's standard error goes\n",
			query->job);
		return EX_DATAERR;
	}
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (strcmp(line, query->job) != 0)
			note_container(query, line);
	return EX_OK;
}

int ctl_logs(const struct config *config, int argc, char **argv)
{
	struct query query = {0};
	int status = parse(argc, argv, &query);

	if (status != EX_OK)
		return status;
	(void)snprintf(query.match, sizeof(query.match), "MAYFLY_JOB=%s", query.job);
	find_users(config, &query);
	status = find_containers(&query);
	if (status != EX_OK)
		return status;
	begin(&query);
	if (query.as_json)
		add(&query, "--output=json");
	if (query.follow)
		add(&query, "--follow");
	add_match(&query, query.match);
	for (unsigned i = 0; i < query.container_count; i++)
		add_match(&query, query.containers[i]);
	become_journalctl(&query);
	return EX_UNAVAILABLE;
}
