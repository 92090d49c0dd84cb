/*
 * What confine() takes away and what it leaves, act by act: each in a child of its own, for the
 * filter is for good.
 *
 * Rules:
 *  1. Every refused act is first done unconfined, where it must not be refused: else its refusal
 *     would prove nothing.
 *  2. A result is 0, an errno, or DIED; refused means EPERM or EACCES.
 *  3. Each layer that is said to refuse an act is tried alone as well. The filter of system calls
 *     does not exist under AddressSanitizer, an ABI of Landlock not on every kernel: those rows say
 *     so.
 */
#include "base/deadline.h"
#include "confine/needed.h"
#include "confine/refused.h"
#include "confine/replaced.h"
#include "tap.h"

#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define DIED   1000 /* by a signal */
#define NEWEST 99   /* as much Landlock as there is */

enum layers { NOTHING, FILTER, LANDLOCK, BOTH };

static int confine_here(enum layers layers, enum confine_profile profile, struct error *err)
{
	static const enum confine_access access[] = {[CONFINE_JOB] = CONFINE_READ_WRITE,
						     [CONFINE_STATIC] = CONFINE_READ,
						     [CONFINE_REAP] = CONFINE_REMOVE};
	const struct confine_path paths[] = {{readable, CONFINE_READ},
					     {writable, access[profile]},
					     {"/nonexistent/skipped", CONFINE_READ}};
	int abi;

	if (layers == NOTHING)
		return 0;
	if (layers == FILTER)
		confine_limit_landlock(0);
	if (layers != LANDLOCK)
		return confine(paths, 3, profile, err);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -1
							  : confine_landlock(paths, 3, &abi, err);
}

#define CHILD_FAILED 255

__attribute__((noreturn)) static void be_child(enum layers layers, enum confine_profile profile,
					       int (*act)(void))
{
	struct error err = {.message = "the child's own preparation"};

	tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	own_status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	if (tcp < 0 || own_status < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
	    confine_here(layers, profile, &err) < 0) {
		fprintf(stderr, "# confine: %s\n", err.message);
		_exit(CHILD_FAILED);
	}
	errno = 0;
	_exit(act());
}

/* What an act returns in a child that has confined itself first. */
static int in_confined_child(enum layers layers, enum confine_profile profile, int (*act)(void))
{
	int status;
	pid_t child;

	prepare();
	child = fork();
	if (child == 0)
		be_child(layers, profile, act);
	if (child < 0 || waitpid(child, &status, 0) != child)
		return CHILD_FAILED;
	return WIFSIGNALED(status) ? DIED : WEXITSTATUS(status);
}

static bool is_refusal(int code)
{
	return code == EPERM || code == EACCES;
}

static void check_refused(const struct refused *row, enum confine_profile profile)
{
	static const char *const names[] = {"job", "static", "reap"};
	struct confine_support support = confine_support();
	int before = in_confined_child(NOTHING, profile, row->act), code;
	/* a kernel without the 32-bit calls ends the process instead */
	bool may_die = before == DIED;

	if (row->may_lack && is_refusal(before)) {
		ok(true, "%s: %s # SKIP this host refuses it to everybody", names[profile],
		   row->name);
		return;
	}
	ok(!is_refusal(before) && before != CHILD_FAILED, "%s: %s works before (%d)",
	   names[profile], row->name, before);
	if ((row->filter && support.seccomp) ||
	    (row->abi > 0 && support.landlock_abi >= row->abi)) {
		code = in_confined_child(BOTH, profile, row->act);
		ok(is_refusal(code) || (may_die && code == DIED), "%s: %s is refused (%d)",
		   names[profile], row->name, code);
	}
	if (row->filter && support.seccomp) {
		code = in_confined_child(FILTER, profile, row->act);
		ok(is_refusal(code) || (may_die && code == DIED),
		   "%s: %s is refused by the filter alone (%d)", names[profile], row->name, code);
	}
	if (row->abi == 0)
		return;
	if (support.landlock_abi < row->abi) {
		ok(true, "%s: %s by Landlock alone # SKIP the kernel has ABI %d, it takes %d",
		   names[profile], row->name, support.landlock_abi, row->abi);
		return;
	}
	code = in_confined_child(LANDLOCK, profile, row->act);
	ok(is_refusal(code), "%s: %s is refused by Landlock alone (%d)", names[profile], row->name,
	   code);
}

static void check_all(const struct refused *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (unsigned profile = CONFINE_JOB; profile <= CONFINE_REAP; profile++)
			if (rows[i].profiles & (1U << profile))
				check_refused(&rows[i], (enum confine_profile)profile);
}

/* Every ABI below the kernel's own is a fallback, and is taken once. */
static void check_needed(const struct needed *row, enum confine_profile profile)
{
	static const char *const names[] = {"job", "static", "reap"};
	int newest = confine_support().landlock_abi;

	for (int abi = 0; abi <= newest; abi++) {
		confine_limit_landlock(abi);
		is_number(in_confined_child(BOTH, profile, row->act), 0,
			  "%s: %s works, Landlock ABI %d", names[profile], row->name, abi);
	}
	confine_limit_landlock(NEWEST);
}

/* At each ABI what it is the first to refuse is refused, and at the one before it is not. */
static void check_abis(void)
{
	static const struct {
		int (*act)(void);
		int abi;
	} firsts[] = {{read_passwd, 2}, {connect_tcp, 4}, {connect_abstract, 6}};
	int newest = confine_support().landlock_abi;

	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		for (int abi = 0; abi <= newest; abi++) {
			confine_limit_landlock(abi);
			is_number(confine_support().landlock_abi, abi, "ABI %d is told", abi);
			is_number(is_refusal(in_confined_child(BOTH, CONFINE_JOB, firsts[i].act)),
				  abi >= firsts[i].abi, "job: what ABI %d refuses first, at ABI %d",
				  firsts[i].abi, abi);
		}
	}
	confine_limit_landlock(NEWEST);
	/* without a path to write, ABI 1 is used */
	confine_limit_landlock(1);
	ok(newest < 1 || is_refusal(in_confined_child(BOTH, CONFINE_STATIC, read_passwd)),
	   "static: Landlock at ABI 1");
	confine_limit_landlock(NEWEST);
}

static int64_t spent_us(void)
{
	struct error err;
	int64_t spent = -1;
	int pipe_fds[2];
	pid_t child;

	if (pipe(pipe_fds) < 0)
		return -1;
	child = fork();
	if (child == 0) {
		int64_t before = monotonic_us();

		spent = confine_here(BOTH, CONFINE_JOB, &err) < 0 ? -1 : monotonic_us() - before;
		_exit(write(pipe_fds[1], &spent, sizeof(spent)) < 0);
	}
	close(pipe_fds[1]);
	if (read(pipe_fds[0], &spent, sizeof(spent)) != sizeof(spent))
		spent = -1;
	close(pipe_fds[0]);
	(void)waitpid(child, NULL, 0);
	return spent;
}

/* The best of some: what it costs where nothing else runs. The bound is far above it and far below
 * a mount namespace. */
static void check_cost(void)
{
	int64_t best = INT64_MAX;

	for (int i = 0; i < 30; i++) {
		int64_t spent = spent_us();

		if (spent >= 0 && spent < best)
			best = spent;
	}
	ok(best < 1000, "confining costs less than a millisecond");
	printf("# confine() takes %lld us, Landlock ABI %d\n", (long long)best,
	       confine_support().landlock_abi);
}

int main(void)
{
	if (!ok(set_up() == 0, "folders, listeners and a victim"))
		return done();
	check_all(refused, sizeof(refused) / sizeof(refused[0]));
	check_all(replaced, sizeof(replaced) / sizeof(replaced[0]));
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		for (unsigned profile = CONFINE_JOB; profile <= CONFINE_REAP; profile++)
			if (needed[i].profiles & (1U << profile))
				check_needed(&needed[i], (enum confine_profile)profile);
	check_abis();
	check_cost();
	(void)kill(victim, SIGKILL);
	(void)waitpid(victim, NULL, 0);
	return done();
}
