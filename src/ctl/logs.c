/*
 * mayflyctl logs: a job's request line names its container, and by that the lines of mayfly-engine
 * and mayfly-reap are found, which may know no more of it.
 *
 * Rules:
 *  1. journalctl gets checked arguments, never by a shell.
 *  2. Only lines of the users that mayfly's programs run as are shown: any user may
 *     write MAYFLY_JOB= into the journal, but not the _UID= of another.
 */
#include "ctl/commands.h"

#include "bounds.h"
#include "ctl/child.h"
#include "job/engine_client.h"
#include "protocol/engine.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define JOURNALCTL     "journalctl"
#define CONTAINERS_MAX 16 /* of one job: a session's is one, a run that was compiled has two */
#define ARGUMENTS_MAX  (16 + 4 * (CONTAINERS_MAX + 1))
#define MATCH_BYTES    128

struct query {
	const char *job;
	const struct ctl_arguments *asked;
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

static void become_journalctl(const struct query *query)
{
	execvp(JOURNALCTL, (char *const *)query->arguments); /* which changes none */
	(void)ctl_fail("logs", 0,
		       "journalctl cannot be started (%s). Without a journal the lines are where "
		       "mayfly's standard error goes: look for job=\"%s\" there",
		       strerror(errno), query->job);
}

static int run_journalctl(const void *query)
{
	become_journalctl(query);
	return EX_UNAVAILABLE;
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
	_cleanup_buf_ struct buf text = buf_new(LOGS_CONTAINERS_MAX_BYTES), errors = buf_new(KIB);

	begin(query);
	add(query, "--output=cat");
	add(query, "--output-fields=MAYFLY_CONTAINER,MAYFLY_JOB");
	add_match(query, query->match);
	if (child_run(run_journalctl, query, deadline_in(LOGS_DEADLINE_MS), &text, &errors) != 0) {
		(void)fputs(buf_slice(&errors).data, stderr);
		return EX_UNAVAILABLE;
	}
	if (text.len == 0 && !ctl_option(query->asked, "--follow"))
		return ctl_fail(
			"logs", EX_DATAERR,
			"the journal has nothing of the job %s. Has this user the right to "
			"read it (group systemd-journal), and does mayfly write to it? Else "
			"the lines are where mayfly's standard error goes",
			query->job);
	for (char *line, *rest = text.data; (line = strsep(&rest, "\n"));)
		if (strcmp(line, query->job) != 0)
			note_container(query, line);
	return EX_OK;
}

int ctl_logs(const struct config *config, struct ctl_arguments *arguments)
{
	struct query query = {.job = arguments->words[0], .asked = arguments};
	int status;

	if (!is_id(query.job))
		return ctl_fail("logs", EX_USAGE,
				"a job is the id that its reply has: letters, digits, \"-\" and "
				"\"_\", %d at most",
				ENGINE_JOB_BYTES - 1);
	(void)snprintf(query.match, sizeof(query.match), "MAYFLY_JOB=%s", query.job);
	find_users(config, &query);
	status = find_containers(&query);
	if (status != EX_OK)
		return status;
	begin(&query);
	if (ctl_option(arguments, "--json"))
		add(&query, "--output=json");
	if (ctl_option(arguments, "--follow"))
		add(&query, "--follow");
	add_match(&query, query.match);
	for (unsigned i = 0; i < query.container_count; i++)
		add_match(&query, query.containers[i]);
	become_journalctl(&query);
	return EX_UNAVAILABLE;
}
