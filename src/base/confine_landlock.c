/*
 * Landlock by its system calls, at the best ABI that the kernel has and we know.
 *
 * Rules:
 *  1. Everything that the ABI can handle is handled, so what no rule grants is refused; the right
 *     to execute, to make links and devices, and TCP are never granted.
 *  2. The numbers are the kernel's (include/uapi/linux/landlock.h), written here because the header
 *     of the build host may be older than the kernel that runs.
 */
#include "base/cleanup.h"
#include "base/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define CREATE_RULESET_VERSION 1U
#define RULE_PATH_BENEATH      1

/* rights on files and folders */
#define WRITE_FILE  (1ULL << 1)
#define READ_FILE   (1ULL << 2)
#define READ_DIR    (1ULL << 3)
#define REMOVE_DIR  (1ULL << 4)
#define REMOVE_FILE (1ULL << 5)
#define MAKE_DIR    (1ULL << 7)
#define MAKE_REG    (1ULL << 8)
#define REFER       (1ULL << 13)
#define TRUNCATE    (1ULL << 14)
#define FILE_RIGHTS (WRITE_FILE | READ_FILE | TRUNCATE) /* the others are EINVAL on a file */

#define ABI_REFER 2
#define ABI_KNOWN 6

/* rights on files and folders, on TCP, and scopes; an older kernel takes the longer struct as long
   as what it does not know is zero */
#define RULESET_WORDS 3

struct path_rule {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

/* what each ABI can handle, from 0 */
static const uint64_t handled[ABI_KNOWN + 1][RULESET_WORDS] = {
	{0, 0, 0},
	{(1ULL << 13) - 1, 0, 0},
	{(1ULL << 14) - 1, 0, 0}, /* REFER */
	{(1ULL << 15) - 1, 0, 0}, /* TRUNCATE */
	{(1ULL << 15) - 1, 3, 0}, /* bind and connect on TCP */
	{(1ULL << 16) - 1, 3, 0}, /* ioctl on devices */
	{(1ULL << 16) - 1, 3, 3}, /* abstract Unix sockets and signals of others */
};

static const uint64_t granted[] = {
	[CONFINE_READ] = READ_FILE | READ_DIR,
	[CONFINE_READ_WRITE] = READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | MAKE_DIR | MAKE_REG |
			       REMOVE_DIR | REMOVE_FILE | REFER,
	[CONFINE_REMOVE] = READ_FILE | READ_DIR | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | REFER,
};

static int abi_limit = ABI_KNOWN;

void confine_limit_landlock(int abi)
{
	abi_limit = abi < ABI_KNOWN ? abi : ABI_KNOWN;
}

int confine_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

	if (abi < 0) /* ENOSYS, EOPNOTSUPP: built without, or off; EPERM: a container's filter */
		return 0;
	return abi < abi_limit ? (int)abi : abi_limit;
}

static int add_path(int ruleset, const struct confine_path *path, uint64_t rights,
		    struct error *err)
{
	_cleanup_close_ int fd = open(path->path, O_PATH | O_CLOEXEC);
	struct stat status;

	if (fd < 0)
		return errno == ENOENT ? 0
				       : error_set_errno(err, 500, "confine_failed",
							 "cannot open %s", path->path);
	if (fstat(fd, &status) < 0)
		return error_set_errno(err, 500, "confine_failed", "cannot look at %s", path->path);

	struct path_rule rule = {
		.allowed = rights & granted[path->access] &
			   (S_ISDIR(status.st_mode) ? ~0ULL : FILE_RIGHTS),
		.parent_fd = fd,
	};

	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
		return error_set_errno(err, 500, "confine_failed", "Landlock refuses a rule for %s",
				       path->path);
	return 0;
}

int confine_landlock(const struct confine_path *paths, size_t count, int *enforced_abi,
		     struct error *err)
{
	int abi = confine_landlock_abi();

	/* without REFER the kernel refuses every move between folders */
	for (size_t i = 0; i < count && abi < ABI_REFER; i++)
		if (paths[i].access != CONFINE_READ)
			abi = 0;
	if (abi > 0) {
		const uint64_t *attributes = handled[abi];
		_cleanup_close_ int ruleset = (int)syscall(SYS_landlock_create_ruleset, attributes,
							   sizeof(handled[abi]), 0);

		if (ruleset < 0)
			return error_set_errno(err, 500, "confine_failed",
					       "Landlock makes no rule set");
		for (size_t i = 0; i < count; i++)
			if (add_path(ruleset, &paths[i], attributes[0], err) < 0)
				return -1;
		if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
			return error_set_errno(err, 500, "confine_failed",
					       "Landlock does not restrict");
	}
	*enforced_abi = abi;
	return 0;
}
