/*
 * The system calls a profile may make, as a list in classic BPF (seccomp(2)).
 *
 * Rules:
 *  1. What is not listed is refused with EPERM; so is every call of another architecture, and x32
 *     (its numbers are listed nowhere).
 *  2. An argument is checked where the call would else do more than is needed; only ints are, of
 *     which the kernel reads the low half.
 *  3. Adding a call is adding a row, with the reason where it is not plain.
 */
#include "base/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define FILTER_ARCH 0U /* its run time needs calls that no program of ours does */
#elif defined(__x86_64__)
#define FILTER_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define FILTER_ARCH AUDIT_ARCH_AARCH64
#else
#define FILTER_ARCH 0U
#endif

/* The call is allowed when (argument & mask) == value. Rows for the same call are alternatives. */
struct rule {
	uint16_t call;
	uint16_t argument; /* 0 to 5 */
	uint32_t mask, value;
};

struct rules {
	const struct rule *rules;
	size_t count;
};

/* clang-format off */
#define ANY(name) {__NR_##name, 0, 0, 0}
#define WHEN(name, argument, mask, value)                                                          \
	{__NR_##name, (argument), (uint32_t)(mask), (uint32_t)(value)}

static const struct rule common_rules[] = {
	/* the most frequent first */
	ANY(read), ANY(write), ANY(close), ANY(fstat), ANY(newfstatat), ANY(recvfrom), ANY(ppoll),
#ifdef __NR_poll
	ANY(poll),
#endif
	ANY(readv), ANY(writev), ANY(pread64), ANY(lseek), ANY(recvmsg), ANY(shutdown),
	ANY(getsockopt), ANY(setsockopt),
	/* MSG_FASTOPEN would connect a closed TCP socket */
	WHEN(sendto, 3, MSG_FASTOPEN, 0), WHEN(sendmsg, 2, MSG_FASTOPEN, 0),
	/* F_DUPFD to F_SETLKW (0 to 7) and F_DUPFD_CLOEXEC: not F_SETOWN, which sends signals */
	WHEN(fcntl, 1, ~7U, 0), WHEN(fcntl, 1, ~0U, F_DUPFD_CLOEXEC),
	/* how much is unread decides between closing and lingering */
	WHEN(ioctl, 1, ~0U, FIONREAD),
	ANY(getrandom), ANY(clock_gettime), ANY(gettimeofday), ANY(clock_nanosleep), ANY(nanosleep),
	/* memory, never executable */
	ANY(brk), ANY(munmap), ANY(mremap), ANY(madvise), WHEN(mmap, 2, PROT_EXEC, 0),
	WHEN(mprotect, 2, PROT_EXEC, 0),
	ANY(rt_sigaction), ANY(rt_sigprocmask), ANY(rt_sigreturn), ANY(restart_syscall), ANY(futex),
	ANY(getpid), ANY(gettid), ANY(getuid), ANY(geteuid), ANY(getgid), ANY(getegid),
	ANY(exit), ANY(exit_group),
};

/* never set-user-ID or set-group-ID; the mode that openat2 is given a filter cannot see */
static const struct rule mode_rules[] = {
	WHEN(fchmod, 1, S_ISUID | S_ISGID, 0), WHEN(fchmodat, 2, S_ISUID | S_ISGID, 0),
};

/* a job's files, and its sockets: the engine's, a container's */
static const struct rule job_rules[] = {
	WHEN(openat, 3, S_ISUID | S_ISGID, 0), ANY(openat2), ANY(getdents64), ANY(faccessat),
	ANY(statx), ANY(readlinkat),
	ANY(mkdirat), ANY(unlinkat), ANY(renameat2), ANY(renameat), ANY(fsync), ANY(fdatasync),
	ANY(ftruncate), ANY(fallocate),
	ANY(pwrite64), ANY(utimensat), ANY(flock),
	/* slots are bytes locked in a file */
	WHEN(fcntl, 1, ~0U, F_OFD_GETLK), WHEN(fcntl, 1, ~0U, F_OFD_SETLK),
	ANY(fstatfs), ANY(sendfile),
#ifdef __NR_mkdir
	ANY(mkdir), ANY(rmdir), ANY(unlink), ANY(rename), ANY(epoll_wait),
#endif
	ANY(sysinfo), /* the load, for /health */
	ANY(epoll_create1), ANY(epoll_ctl), ANY(epoll_pwait), ANY(dup), ANY(dup3),
	WHEN(socket, 0, ~0U, AF_UNIX), ANY(connect), ANY(getpeername), ANY(getsockname),
};

/* opens to read only; openat2, whose flags a filter cannot see, is added where Landlock sees
   them */
static const struct rule reading_rules[] = {
	WHEN(openat, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY), ANY(getdents64), ANY(statx),
	ANY(readlinkat),
};

static const struct rule serving_rules[] = {ANY(sendfile), ANY(getpeername), ANY(getsockname)};

static const struct rule removing_rules[] = {
	ANY(unlinkat), ANY(renameat), ANY(renameat2), ANY(flock),
#ifdef __NR_rename
	ANY(rmdir), ANY(unlink), ANY(rename),
#endif
};

static const struct rule opening_rules[] = {ANY(openat2)};
/* clang-format on */

#define LIST(array)                                                                                \
	{                                                                                          \
		(array), sizeof(array) / sizeof((array)[0])                                        \
	}
#define LISTS_MAX 5 /* common, three of the profile, opening */

static const struct rules common = LIST(common_rules), opening = LIST(opening_rules);
static const struct rules profiles[][3] = {
	[CONFINE_JOB] = {LIST(job_rules), LIST(mode_rules)},
	[CONFINE_STATIC] = {LIST(reading_rules), LIST(serving_rules)},
	[CONFINE_REAP] = {LIST(reading_rules), LIST(removing_rules), LIST(mode_rules)},
};

#define ABI_TRUNCATE 3    /* Landlock's: from here it sees every way to change a file */
#define CALL_COUNT   512  /* above every number that is listed */
#define RUN_MAX      256  /* runs of numbers with one verdict */
#define FILTER_MAX   1024 /* instructions; a profile has about 250 */

enum verdict { REFUSED, ALLOWED, CHECKED };

/*
 * The kernel walks a new filter once for each number that it knows, so a list costs hundreds of
 * microseconds and a search tree a tenth of that. Verdicts by number become runs, sorted; runs
 * become the tree's leaves.
 */
struct plan {
	struct rules lists[LISTS_MAX];
	uint8_t verdicts[CALL_COUNT];
	uint16_t runs[RUN_MAX]; /* the first number of each */
	unsigned run_count;
	struct sock_filter code[FILTER_MAX];
	unsigned length;
};

static int fill_verdicts(struct plan *plan, struct error *err)
{
	for (size_t i = 0; i < LISTS_MAX; i++) {
		for (size_t j = 0; j < plan->lists[i].count; j++) {
			const struct rule *rule = &plan->lists[i].rules[j];

			if (rule->call >= CALL_COUNT)
				return error_set(err, 500, "confine_failed",
						 "system call %u is past the table", rule->call);
			plan->verdicts[rule->call] = rule->mask ? CHECKED : ALLOWED;
		}
	}
	return 0;
}

static int find_runs(struct plan *plan, struct error *err)
{
	for (unsigned call = 0; call < CALL_COUNT; call++) {
		if (call > 0 && plan->verdicts[call] == plan->verdicts[call - 1] &&
		    plan->verdicts[call] != CHECKED)
			continue;
		if (plan->run_count == RUN_MAX)
			return error_set(err, 500, "confine_failed",
					 "the system calls are too scattered");
		plan->runs[plan->run_count++] = (uint16_t)call;
	}
	return 0;
}

/* Past the end it only counts: confine_seccomp looks at the length at last. */
static void emit(struct plan *plan, uint16_t code, uint32_t operand, uint8_t jump_true,
		 uint8_t jump_false)
{
	if (plan->length < FILTER_MAX)
		plan->code[plan->length] =
			(struct sock_filter){code, jump_true, jump_false, operand};
	plan->length++;
}

static void emit_load(struct plan *plan, size_t offset)
{
	emit(plan, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void emit_return(struct plan *plan, bool allow)
{
	emit(plan, BPF_RET | BPF_K, allow ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EPERM, 0, 0);
}

/* The low half of an argument comes first: both architectures are little-endian. */
static void emit_checks(struct plan *plan, uint16_t call)
{
	for (size_t i = 0; i < LISTS_MAX; i++) {
		for (size_t j = 0; j < plan->lists[i].count; j++) {
			const struct rule *rule = &plan->lists[i].rules[j];

			if (rule->call != call)
				continue;
			emit_load(plan, offsetof(struct seccomp_data, args) +
						rule->argument * sizeof(uint64_t));
			emit(plan, BPF_ALU | BPF_AND | BPF_K, rule->mask, 0, 0);
			emit(plan, BPF_JMP | BPF_JEQ | BPF_K, rule->value, 0, 1);
			emit_return(plan, true);
		}
	}
	emit_return(plan, false);
}

/* The runs from first to before end, by bisection. The depth is the logarithm of RUN_MAX. */
static int emit_tree(struct plan *plan, unsigned first, unsigned end, struct error *err)
{
	uint16_t call = plan->runs[first];
	unsigned middle = (first + end) / 2, branch = plan->length;

	if (end - first == 1) {
		if (plan->verdicts[call] == CHECKED)
			emit_checks(plan, call);
		else
			emit_return(plan, plan->verdicts[call] == ALLOWED);
		return 0;
	}
	emit(plan, BPF_JMP | BPF_JGE | BPF_K, plan->runs[middle], 0, 0);
	if (emit_tree(plan, first, middle, err) < 0)
		return -1;

	unsigned distance = plan->length - branch - 1;

	if (distance > UINT8_MAX || plan->length >= FILTER_MAX)
		return error_set(err, 500, "confine_failed",
				 "the filter of system calls is too long");
	plan->code[branch].jt = (uint8_t)distance;
	return emit_tree(plan, middle, end, err);
}

bool confine_seccomp_possible(void)
{
	return FILTER_ARCH != 0;
}

int confine_seccomp(enum confine_profile profile, int landlock_abi, struct error *err)
{
	struct plan plan = {.lists = {common, profiles[profile][0], profiles[profile][1],
				      profiles[profile][2]}};

	if (landlock_abi >= ABI_TRUNCATE)
		plan.lists[LISTS_MAX - 1] = opening;
	if (fill_verdicts(&plan, err) < 0 || find_runs(&plan, err) < 0)
		return -1;
	emit_load(&plan, offsetof(struct seccomp_data, arch));
	emit(&plan, BPF_JMP | BPF_JEQ | BPF_K, FILTER_ARCH, 1, 0);
	emit_return(&plan, false);
	emit_load(&plan, offsetof(struct seccomp_data, nr));
	if (emit_tree(&plan, 0, plan.run_count, err) < 0)
		return -1;
	if (plan.length > FILTER_MAX)
		return error_set(err, 500, "confine_failed",
				 "the filter of system calls is too long");

	struct sock_fprog program = {(unsigned short)plan.length, plan.code};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return error_set_errno(err, 500, "confine_failed", "seccomp");
	return 0;
}
