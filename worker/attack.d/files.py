import glob
import stat
import subprocess


def create(path):
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o777))


def write(path):
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, b"1")
    finally:
        os.close(fd)


CLOSED = ("EROFS", "EACCES", "ENOENT", "EINVAL", "EIO")
for folder in ("/", "/usr", "/usr/bin", "/usr/lib/mayfly", "/etc", "/etc/cron.d", "/root", "/home", "/var", "/var/spool", "/opt", "/boot", "/run",
               "/run/mayfly", "/proc", "/sys"):
    if os.path.isdir(folder):
        refused("create a file in " + folder, outcome(create, os.path.join(folder, "attack")), *CLOSED)
for path in ("/etc/passwd", "/etc/hosts", "/etc/resolv.conf", "/usr/bin/python3", "/bin/sh", "/run/mayfly-init"):
    if os.path.exists(path):
        refused("write to " + path, outcome(write, path), *CLOSED, "ETXTBSY")
for path in ["/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches", "/proc/sys/net/ipv4/ip_forward",
             "/sys/kernel/uevent_helper", "/sys/power/state", "/proc/1/oom_score_adj", *glob.glob("/sys/fs/cgroup/*/release_agent"),
             "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/pids/pids.max"]:
    refused("write to " + path, outcome(write, path), *CLOSED)
for folder in glob.glob("/sys/fs/cgroup/*/") + ["/sys/fs/cgroup/unified/"]:
    refused("new cgroup in " + folder, outcome(os.mkdir, folder + "attack"), *CLOSED)
for path in ("/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/kallsyms", "/proc/latency_stats"):
    act(content(path) == "", "read " + path, f"{len(content(path))} bytes")
for path in ("/proc/acpi", "/proc/scsi", "/sys/firmware", "/sys/kernel/debug", "/sys/kernel/tracing", "/sys/fs/bpf"):
    names = os.listdir(path) if outcome(os.listdir, path) == "done" else []
    act(names == [], "list " + path, f"{len(names)} names")
for path in ("/var/lib/containers", "/var/lib/mayfly", "/run/podman", "/var/run/docker.sock", "/run/containerd", "/run/systemd/private", "/run/dbus",
             "/home/user", "/root/.ssh", "/etc/shadow-", "/host"):
    names = outcome(os.listdir, path) == "done" and os.listdir(path)
    act(not names, "the host's " + path, "absent" if not os.path.lexists(path) else "there, empty or closed" if not names else str(names[:3]))
devices = sorted(name for name in os.listdir("/dev") if stat.S_ISBLK(os.lstat("/dev/" + name).st_mode) or stat.S_ISCHR(os.lstat("/dev/" + name).st_mode))
usual = {"null", "zero", "full", "random", "urandom", "tty", "console", "ptmx"}
act(set(devices) <= usual, "devices", " ".join(devices))
for what, mode, device in (("a disk", stat.S_IFBLK, os.makedev(254, 0)), ("the memory", stat.S_IFCHR, os.makedev(1, 1))):
    refused("mknod of " + what, outcome(os.mknod, "device", mode | 0o666, device))
with open("/usr/bin/python3", "rb") as source, open("python3", "wb") as target:
    target.write(source.read())
os.chmod("python3", 0o6755)
ids = subprocess.run(["./python3", "-c", "import os; print(os.geteuid(), os.getegid())"], stdout=subprocess.PIPE, check=True, text=True).stdout.split()
act(ids == [str(os.getuid()), str(os.getgid())], "a setuid program of its own", "runs as " + " ".join(ids))
refused("chown to root", outcome(os.chown, "python3", 0, 0))
refused("file capabilities", outcome(os.setxattr, "python3", "security.capability", bytes.fromhex("0100000200000020000000000000000000000000")), "EOPNOTSUPP")
os.unlink("python3")
with open("/tmp/x", "w", encoding="ascii") as script:
    script.write("#!/bin/sh\n")
os.chmod("/tmp/x", 0o755)
refused("execute a file in /tmp", outcome(os.execv, "/tmp/x", ["x"]), "EACCES")
print("end")
