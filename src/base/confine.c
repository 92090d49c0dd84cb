#include "base/confine.h"

#include "base/internal.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Bounding, ambient, then the three sets of the process. The bounding set can be dropped only by
   who holds CAP_SETPCAP; without that, no execve and no new privileges keep it from ever mattering.
 */
static int drop_capabilities(struct error *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
	unsigned long capability = 0;

	while (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0)
		capability++;
	if (errno != EINVAL && errno != EPERM) /* EINVAL: past the kernel's last capability */
		return error_set_errno(err, 500, "confine_failed", "PR_CAPBSET_DROP");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return error_set_errno(err, 500, "confine_failed", "PR_CAP_AMBIENT_CLEAR_ALL");
	if (syscall(SYS_capset, &header, none) < 0)
		return error_set_errno(err, 500, "confine_failed", "capset");
	return 0;
}

int confine(const struct confine_path *paths, size_t count, enum confine_profile profile,
	    struct error *err)
{
	int landlock_abi;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set_errno(err, 500, "confine_failed", "PR_SET_NO_NEW_PRIVS");
	/* the filter comes last: it allows none of the calls made here */
	if (confine_landlock(paths, count, &landlock_abi, err) < 0 || drop_capabilities(err) < 0)
		return -1;
	return confine_seccomp_possible() ? confine_seccomp(profile, landlock_abi, err) : 0;
}

struct confine_support confine_support(void)
{
	return (struct confine_support){confine_landlock_abi(), confine_seccomp_possible()};
}
