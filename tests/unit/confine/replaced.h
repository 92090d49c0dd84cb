/*
 * The acts that the directives refuse which a unit of the hot path goes without: confine() refuses
 * each of them. Where an act could do harm it is asked for in a way that no process can do: then it
 * fails with another error than EPERM and EACCES.
 */
#ifndef MAYFLY_TESTS_CONFINE_REPLACED_H
#define MAYFLY_TESTS_CONFINE_REPLACED_H

#include "refused.h"

#include <linux/keyctl.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/sysmacros.h>

#define KLOG_SIZE_BUFFER 10   /* syslog(2) */
#define NAME_TOO_LONG    4096 /* of a host */

static int make_outside(void)
{
	int code = result(openat(base_fd, "made", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));

	(void)unlinkat(base_fd, "made", 0);
	return code;
}

static int list_home(void)
{
	return open_and_close("/home", O_RDONLY | O_DIRECTORY);
}

static int open_device(void)
{
	return open_and_close("/dev/zero", O_RDONLY);
}

static int make_device(void)
{
	return result(mknodat(writable_fd, "spare", S_IFCHR | 0600, makedev(1, 3)));
}

static int look_at_another(void)
{
	return open_and_close("/proc/1/status", O_RDONLY);
}

static int write_tunable(void)
{
	return open_and_close("/proc/sys/kernel/hostname", O_WRONLY);
}

static int list_cgroups(void)
{
	return open_and_close("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY);
}

static int remove_module(void)
{
	return result(syscall(SYS_delete_module, "mayfly_no_such_module", 0));
}

static int read_kernel_log(void)
{
	return result(syscall(SYS_syslog, KLOG_SIZE_BUFFER, NULL, 0));
}

static int set_clock(void)
{
	struct timespec now = {0};

	return result(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &now));
}

static int set_host_name(void)
{
	return result(syscall(SYS_sethostname, NULL, NAME_TOO_LONG));
}

static int enter_namespace(void)
{
	return result(syscall(SYS_setns, -1, 0));
}

static int become_realtime(void)
{
	struct sched_param none = {0};

	return result(syscall(SYS_sched_setscheduler, 0, -1, &none));
}

static int change_personality(void)
{
	return result(personality(0xffffffff));
}

static int set_user_id_on_file(void)
{
	return result(fchmodat(writable_fd, "file", S_ISUID | 0600, 0));
}

static int set_group_id_on_folder(void)
{
	return result(fchmod(writable_fd, S_ISGID | 0700));
}

static int make_set_user_id_file(void)
{
	return result(openat(writable_fd, "made", O_WRONLY | O_CREAT | O_CLOEXEC, S_ISUID | 0600));
}

static int share_memory(void)
{
	return result(shmget(IPC_PRIVATE, 0, 0));
}

static int use_keyring(void)
{
	return result(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 0));
}

static int change_user(void)
{
	return result(syscall(SYS_setresuid, -1, -1, -1));
}

static int mount_nothing(void)
{
	return result(syscall(SYS_mount, NULL, NULL, NULL, 0, NULL));
}

static int swap_on_nothing(void)
{
	return result(syscall(SYS_swapon, NULL, 0));
}

static int reboot_wrongly(void)
{
	return result(syscall(SYS_reboot, 0, 0, 0, NULL));
}

static int change_root(void)
{
	return result(syscall(SYS_chroot, "/"));
}

static int set_limit(void)
{
	return result(syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, NULL));
}

static int count_events(void)
{
	return result(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
}

static int load_bpf(void)
{
	return result(syscall(SYS_bpf, -1, NULL, 0));
}

static int set_up_ring(void)
{
	return result(syscall(SYS_io_uring_setup, 0, NULL));
}

#if defined(__x86_64__)
static int raise_io_privilege(void)
{
	return result(syscall(SYS_ioperm, -1UL, -1UL, 0));
}

static int read_descriptors(void)
{
	return result(syscall(SYS_modify_ldt, 0, NULL, 0));
}
#endif

static const struct refused replaced[] = {
	{"ProtectSystem, PrivateTmp: making a file elsewhere", make_outside, JOB, false, 1, false},
	{"ProtectSystem, PrivateTmp: making a file elsewhere", make_outside, STATIC | REAP, true, 1,
	 false},
	{"ProtectHome: listing /home", list_home, ALL, false, 1, false},
	{"PrivateDevices: opening /dev/zero", open_device, ALL, false, 1, false},
	{"PrivateDevices: making a device", make_device, ALL, true, 1, true},
	{"ProtectProc: opening /proc/1/status", look_at_another, ALL, false, 1, false},
	{"ProtectKernelTunables: opening one to write", write_tunable, JOB, false, 1, true},
	{"ProtectKernelTunables: opening one to write", write_tunable, STATIC | REAP, true, 1,
	 true},
	{"ProtectControlGroups: listing cgroups", list_cgroups, ALL, false, 1, false},
	{"ProtectKernelModules: delete_module", remove_module, ALL, true, 0, true},
	{"ProtectKernelLogs: syslog", read_kernel_log, ALL, true, 0, true},
	{"ProtectClock: clock_settime", set_clock, ALL, true, 0, false},
	{"ProtectHostname: sethostname", set_host_name, ALL, true, 0, true},
	{"RestrictNamespaces: setns", enter_namespace, ALL, true, 0, false},
	{"RestrictRealtime: sched_setscheduler", become_realtime, ALL, true, 0, false},
	{"LockPersonality: personality", change_personality, ALL, true, 0, false},
	{"RestrictSUIDSGID: a file's mode", set_user_id_on_file, ALL, true, 0, false},
	{"RestrictSUIDSGID: a folder's mode", set_group_id_on_folder, ALL, true, 0, false},
	{"RestrictSUIDSGID: a new file's mode", make_set_user_id_file, ALL, true, 0, false},
	{"PrivateIPC: shmget", share_memory, ALL, true, 0, false},
	{"KeyringMode: keyctl", use_keyring, ALL, true, 0, true},
	{"PrivateUsers: setresuid", change_user, ALL, true, 0, false},
	{"SystemCallFilter @mount: mount", mount_nothing, ALL, true, 0, true},
	{"SystemCallFilter @swap: swapon", swap_on_nothing, ALL, true, 0, true},
	{"SystemCallFilter @reboot: reboot", reboot_wrongly, ALL, true, 0, true},
	{"SystemCallFilter @privileged: chroot", change_root, ALL, true, 0, true},
	{"SystemCallFilter @resources: prlimit64", set_limit, ALL, true, 0, false},
	{"SystemCallFilter @debug: perf_event_open", count_events, ALL, true, 0, true},
	{"SystemCallFilter: bpf", load_bpf, ALL, true, 0, true},
	{"SystemCallFilter: io_uring_setup", set_up_ring, ALL, true, 0, true},
#if defined(__x86_64__)
	{"SystemCallFilter @raw-io: ioperm", raise_io_privilege, ALL, true, 0, true},
	{"SystemCallFilter @cpu-emulation: modify_ldt", read_descriptors, ALL, true, 0, true},
#endif
};

#endif
