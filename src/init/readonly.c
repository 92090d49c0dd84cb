/*
 * A folder that the program cannot change (protocol/control.h, "readonly").
 *
 * Nothing in a container may mount, and the program runs as the user who wrote its inputs. So what
 * holds is two things together: modes without w, which the kernel holds to for a process without
 * capability; and a system call filter of the program's own that leaves no way to change a
 * mode. The filter is inherited by whatever the program starts and cannot be taken off
 * (seccomp(2)).
 *
 *   chmod and its like, utimes and its like, by a path     EPERM
 *   second names (link)                                    EPERM
 *   the same by a descriptor (fchmod, futimens)            0, and nothing happens: who copies a
 *                                                          file into the output folder asks for it
 *   extended attributes, with them access lists            EOPNOTSUPP
 *
 * Rules:
 *  1. Sealed are every input beneath the folder, the folders on the way to it, the folder, and cwd
 *     that holds it: so nothing in it can be written, made, renamed or removed, and the folder
 *     itself cannot be moved away.
 *  2. The filter is set before the seal and before the program: a runtime that was started ahead
 *     has it, too.
 *  3. Calls of another architecture do not exist.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FOLDER_MODE 0555
#define FILE_MODE   0444

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define ARCHITECTURE 0U /* not known: there is no such folder */
#endif
#define X32_BIT 0x40000000U
/* newer than some build host's headers; one number on every architecture */
#define FCHMODAT2        452
#define SETXATTRAT       463
#define REMOVEXATTRAT    466
#define PATH_ARGUMENT    1 /* of utimensat(2) */
#define DO_NOTHING       (SECCOMP_RET_ERRNO | 0)
#define REFUSE(number)   (SECCOMP_RET_ERRNO | (number))
#define LOAD(offset)     BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define RETURN(action)   BPF_STMT(BPF_RET | BPF_K, (action))
#define CALL(nr, action) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), RETURN(action)
#define PLACE(field)     offsetof(struct seccomp_data, field)
#define ARGUMENT_HALVES  8 /* bytes of an argument; its halves are compared one by one */

static int set_filter(void)
{
	static struct sock_filter rules[] = {
		LOAD(PLACE(arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
		RETURN(REFUSE(ENOSYS)),
		LOAD(PLACE(nr)),
#if defined(__x86_64__)
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1),
		RETURN(REFUSE(ENOSYS)),
		CALL(SYS_chmod, REFUSE(EPERM)),
		CALL(SYS_link, REFUSE(EPERM)),
		CALL(SYS_utime, REFUSE(EPERM)),
		CALL(SYS_utimes, REFUSE(EPERM)),
		CALL(SYS_futimesat, REFUSE(EPERM)),
#endif
		CALL(SYS_fchmodat, REFUSE(EPERM)),
		CALL(SYS_linkat, REFUSE(EPERM)),
		CALL(FCHMODAT2, REFUSE(EPERM)),
		CALL(SYS_fchmod, DO_NOTHING),
		CALL(SYS_setxattr, REFUSE(EOPNOTSUPP)),
		CALL(SYS_lsetxattr, REFUSE(EOPNOTSUPP)),
		CALL(SYS_fsetxattr, REFUSE(EOPNOTSUPP)),
		CALL(SYS_removexattr, REFUSE(EOPNOTSUPP)),
		CALL(SYS_lremovexattr, REFUSE(EOPNOTSUPP)),
		CALL(SYS_fremovexattr, REFUSE(EOPNOTSUPP)),
		CALL(SETXATTRAT, REFUSE(EOPNOTSUPP)),
		CALL(REMOVEXATTRAT, REFUSE(EOPNOTSUPP)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_utimensat, 1, 0),
		RETURN(SECCOMP_RET_ALLOW),
		/* utimensat: without a path it is futimens */
		LOAD(PLACE(args) + PATH_ARGUMENT * ARGUMENT_HALVES),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3),
		LOAD(PLACE(args) + PATH_ARGUMENT * ARGUMENT_HALVES + ARGUMENT_HALVES / 2),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		RETURN(DO_NOTHING),
		RETURN(REFUSE(EPERM)),
	};
	static const struct sock_fprog program = {COUNT_OF(rules), rules};

	if (ARCHITECTURE == 0) {
		errno = ENOSYS;
		return -1;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

int init_readonly_enter(const struct init_job *job)
{
	int fd =
		openat(job->cwd_fd, job->readonly, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fchdir(fd) < 0) /* close-on-exec: the program has no use for it */
		return -1;
	return set_filter();
}

/* Takes w from an input and from the folders between it and the job's folder. path is changed and
   put back. */
static int seal_input(const struct init_job *job, char *path, size_t folder_len)
{
	if (fchmodat(job->cwd_fd, path, FILE_MODE, 0) < 0)
		return -1;
	for (char *slash = strrchr(path, '/'); slash && slash > path + folder_len;) {
		int sealed;

		*slash = '\0';
		sealed = fchmodat(job->cwd_fd, path, FOLDER_MODE, 0);

		char *next = strrchr(path, '/');

		*slash = '/';
		if (sealed < 0)
			return -1;
		slash = next;
	}
	return 0;
}

int init_readonly_seal(struct init_job *job, struct error *err)
{
	size_t folder_len = strlen(job->readonly), len;

	for (size_t at = 0; at < job->inputs.len; at += len) {
		char *path = job->inputs.data + at;

		len = strlen(path) + 1;
		if (strncmp(path, job->readonly, folder_len) == 0 && path[folder_len] == '/' &&
		    seal_input(job, path, folder_len) < 0)
			return error_set_errno(err, 500, "input_failed", "sealing input %s", path);
	}
	if (fchmodat(job->cwd_fd, job->readonly, FOLDER_MODE, 0) < 0 ||
	    fchmod(job->cwd_fd, FOLDER_MODE) < 0)
		return error_set_errno(err, 500, "cwd", "sealing folder %s", job->readonly);
	return 0;
}
