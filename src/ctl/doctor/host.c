/* mayflyctl doctor: what the kernel and the host give. */
#include "ctl/doctor/internal.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/confine.h"
#include "base/date.h"
#include "base/io.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/statfs.h>
#include <sys/timex.h>

#define CGROUPS "/sys/fs/cgroup"
#define YEAR_MS INT64_C(31556952000) /* on the average */

static const char *const controllers[] = {"cpu", "memory", "pids"};

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at += len)
		if ((at == text || at[-1] == ' ') && strchr(" \n", at[len]))
			return true;
	return false;
}

/* The controllers that text, a cgroup.controllers, lacks, with commas between; "" for none. */
static void list_missing(const char *text, char *out, size_t size)
{
	*out = '\0';
	for (size_t i = 0; i < COUNT_OF(controllers); i++)
		if (!has_word(text, controllers[i]))
			doctor_list(out, size, "%s", controllers[i]);
}

/* A user's containers live beneath what systemd delegates to his manager. */
static void say_controllers(struct doctor *doctor)
{
	_cleanup_free_ char *text = NULL;
	char path[256], missing[64];
	size_t len;
	unsigned uid = geteuid();

	if (uid == 0)
		(void)snprintf(path, sizeof(path), CGROUPS "/cgroup.controllers");
	else
		(void)snprintf(path, sizeof(path),
			       CGROUPS
			       "/user.slice/user-%u.slice/user@%u.service/cgroup.controllers",
			       uid, uid);

	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || io_read_to_end(fd, KIB, &text, &len) < 0) {
		doctor_warn(doctor, "cgroup.controllers",
			    "loginctl enable-linger, and log in through systemd",
			    "%s cannot be read: nothing is delegated to this user", path);
		return;
	}
	list_missing(text, missing, sizeof(missing));
	if (*missing)
		doctor_fail(doctor, "cgroup.controllers",
			    uid ? "systemctl edit user@.service: [Service] Delegate=cpu cpuset io "
				  "memory pids; then log in anew"
				: "enable them in the kernel's command line",
			    "missing in %s: %s; limits on it would not hold", path, missing);
	else
		doctor_ok(doctor, "cgroup.controllers", "cpu, memory and pids are %s",
			  uid ? "delegated to this user" : "there");
}

static void say_controllers_v1(struct doctor *doctor)
{
	char path[64], missing[64] = "";

	for (size_t i = 0; i < COUNT_OF(controllers); i++) {
		(void)snprintf(path, sizeof(path), CGROUPS "/%s/cgroup.procs", controllers[i]);
		if (access(path, F_OK) < 0)
			doctor_list(missing, sizeof(missing), "%s", controllers[i]);
	}
	if (*missing)
		doctor_fail(doctor, "cgroup.controllers", "mount them, or boot with cgroup v2",
			    "no hierarchy of cgroup v1 for: %s", missing);
	else
		doctor_ok(doctor, "cgroup.controllers",
			  "cpu, memory and pids have hierarchies of cgroup v1");
}

static void say_cgroup(struct doctor *doctor)
{
	struct statfs status;
	bool is_v2 = statfs(CGROUPS, &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC;

	if (is_v2) {
		doctor_ok(doctor, "cgroup", "version 2");
		say_controllers(doctor);
		return;
	}
	doctor_say(doctor, geteuid() == 0 ? DOCTOR_WARN : DOCTOR_FAIL, "cgroup",
		   "boot with systemd.unified_cgroup_hierarchy=1",
		   "version 1 at " CGROUPS
		   ": an engine of root limits jobs, a rootless one cannot");
	say_controllers_v1(doctor);
}

static void say_confinement(struct doctor *doctor)
{
	struct confine_support support = confine_support();

	if (support.landlock_abi >= 2 && support.seccomp)
		doctor_ok(doctor, "kernel", "Landlock (ABI %d) and seccomp confine mayfly itself",
			  support.landlock_abi);
	else
		doctor_warn(
			doctor, "kernel",
			"a kernel of 5.19 or later, with landlock in lsm= of its command line",
			"mayfly itself is confined less: Landlock ABI %d (wanted 2), seccomp %s",
			support.landlock_abi, support.seccomp ? "yes" : "no");
}

static void say_clock(struct doctor *doctor)
{
	char now[DATE_BYTES];
	struct timex timex = {0};
	int64_t unix_ms = unix_now_ms();
	int state = adjtimex(&timex);
	int64_t year = 1970 + unix_ms / YEAR_MS;

	date_rfc3339(unix_ms, now);
	if (year < DOCTOR_YEAR_MIN || year > DOCTOR_YEAR_MAX)
		doctor_fail(doctor, "clock", "set it: timedatectl set-ntp true, or date --set",
			    "%s cannot be right: links, keys and retention depend on the clock",
			    now);
	else if (state < 0 || (timex.status & STA_UNSYNC))
		doctor_warn(doctor, "clock",
			    "timedatectl set-ntp true, or install chrony, unless the "
			    "hypervisor keeps it",
			    "%s, not known to be synchronised", now);
	else
		doctor_ok(doctor, "clock", "%s, synchronised", now);
}

void doctor_host(struct doctor *doctor)
{
	say_cgroup(doctor);
	say_confinement(doctor);
	say_clock(doctor);
}
