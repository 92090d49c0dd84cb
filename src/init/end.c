/*
 * The end of every process but init, or of all but some.
 *
 * Rules:
 *  1. PID 1 gets every orphan, so when it has no child left there is no process left. SIGCHLD is
 *     blocked since before the first fork: one that comes between two looks stays pending, and the
 *     wait for it ends at once.
 *  2. Which processes to spare is looked up while all are stopped: a process that forks as fast as
 *     it can does not get away. A spared process's are its session (setsid(2) in start.c) and its
 *     descendants; what left both is not spared.
 */
#include "base/cleanup.h"
#include "base/num.h"
#include "init/init.h"

#include <fcntl.h>
#include <stdio.h>

#include <signal.h>
#include <sys/wait.h>

/* kill(2): -1 is every process but PID 1 and the caller, which here is one. Outside a pid namespace
   of its own init never runs; this line makes sure of it. */
void init_kill_everything(void)
{
	if (getpid() == 1)
		(void)kill(-1, SIGKILL);
}

/* True when a child has ended since the last look, or does so in time. */
static bool wait_for_child(deadline_ms deadline)
{
	int left_ms = deadline_left_ms(deadline);
	struct timespec left = {left_ms / MS_PER_S, left_ms % MS_PER_S * NS_PER_MS};
	sigset_t children;

	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	return left_ms > 0 && sigtimedwait(&children, NULL, &left) == SIGCHLD;
}

void init_end_everything(deadline_ms lifetime)
{
	deadline_ms deadline = deadline_earlier(lifetime, deadline_in(INIT_REAP_DEADLINE_MS));
	pid_t pid;

	do {
		init_kill_everything();
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
	} while (pid == 0 && wait_for_child(deadline));
}

/* --- All but some ----------------------------------------------------------------------------- */

#define STAT_BYTES 512

struct process {
	pid_t pid, parent, session;
	bool is_kept;
};

/* The number that follows the blanks at *text; 0 when there is none. */
static pid_t next_number(const char **text)
{
	uint64_t value = 0;
	size_t len;

	*text += strspn(*text, " ");
	len = strcspn(*text, " ");
	(void)!num_parse((struct slice){*text, len}, 10, INT32_MAX, &value);
	*text += len;
	return (pid_t)value;
}

/* proc(5), /proc/[pid]/stat: "pid (name) state ppid pgrp session …"; the name may hold anything. */
static bool read_process(int proc, const char *name, struct process *out)
{
	char path[64], text[STAT_BYTES];
	const char *at = name;
	int len = snprintf(path, sizeof(path), "%.20s/stat", name);
	_cleanup_close_ int fd = len > 0 ? openat(proc, path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (got <= 0)
		return false;
	text[got] = '\0';
	*out = (struct process){.pid = next_number(&at)};
	at = strrchr(text, ')');
	if (!at || strlen(at) < 4)
		return false;
	at += 3; /* ") S" */
	out->parent = next_number(&at);
	(void)next_number(&at);
	out->session = next_number(&at);
	return out->pid > 1;
}

static unsigned read_processes(struct process *list, unsigned max)
{
	_cleanup_closedir_ DIR *folder = opendir("/proc");
	const struct dirent *entry;
	unsigned count = 0;

	while (folder && count < max && (entry = readdir(folder)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    read_process(dirfd(folder), entry->d_name, &list[count]))
			count++;
	return count;
}

static bool is_among(pid_t pid, const pid_t *list)
{
	for (; *list != -1; list++)
		if (*list == pid)
			return true;
	return false;
}

static bool has_kept_parent(const struct process *list, unsigned count, const struct process *child)
{
	for (unsigned i = 0; i < count; i++)
		if (list[i].pid == child->parent)
			return list[i].is_kept;
	return false;
}

static void mark_kept(struct process *list, unsigned count, const pid_t *kept)
{
	bool has_changed = true;

	for (unsigned i = 0; i < count; i++)
		list[i].is_kept = is_among(list[i].pid, kept) || is_among(list[i].session, kept);
	while (has_changed) {
		has_changed = false;
		for (unsigned i = 0; i < count; i++)
			if (!list[i].is_kept && has_kept_parent(list, count, &list[i]))
				list[i].is_kept = has_changed = true;
	}
}

/* Each comes to PID 1 when its parent is dead, too. True when there is one left. */
static bool reap_killed(const struct process *list, unsigned count)
{
	bool is_left = false;

	for (unsigned i = 0; i < count; i++)
		if (!list[i].is_kept && waitpid(list[i].pid, NULL, WNOHANG) != list[i].pid &&
		    kill(list[i].pid, 0) == 0)
			is_left = true;
	return is_left;
}

void init_end_all_but(const pid_t *kept, deadline_ms lifetime)
{
	static struct process list[PIDS_MAX];
	deadline_ms deadline = deadline_earlier(lifetime, deadline_in(INIT_REAP_DEADLINE_MS));
	unsigned count;
	char self[8]; /* a /proc of another pid namespace has other numbers */

	if (getpid() != 1)
		return;
	if (*kept == -1 || readlink("/proc/self", self, sizeof(self)) != 1 || self[0] != '1') {
		init_end_everything(lifetime);
		return;
	}
	(void)kill(-1, SIGSTOP);
	count = read_processes(list, PIDS_MAX);
	mark_kept(list, count, kept);
	for (unsigned i = 0; i < count; i++)
		if (!list[i].is_kept)
			(void)kill(list[i].pid, SIGKILL);
	(void)kill(-1, SIGCONT);
	while (reap_killed(list, count) && wait_for_child(deadline))
		;
}
