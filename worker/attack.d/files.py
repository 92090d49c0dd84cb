import glob
import shutil
import stat
import subprocess


def create(path):
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o777))


CLOSED = ("EROFS", "EACCES", "ENOENT", "EINVAL", "EIO")
READ_ONLY = ("/", "/usr", "/usr/bin", "/usr/lib", "/etc", "/bin", "/lib", "/home", "/var", "/var/tmp", "/opt", "/run")
for folder in (*READ_ONLY, "/usr/lib/mayfly", "/etc/cron.d", "/etc/profile.d", "/root", "/var/spool", "/srv", "/boot", "/mnt", "/run/mayfly", "/work",
               "/dev", "/dev/pts", "/proc", "/sys"):
    if os.path.isdir(folder):
        answer = outcome(create, os.path.join(folder, "attack"))
        act(answer == "EROFS" if folder in READ_ONLY else answer in ("EROFS", "EACCES", "ENOENT", "EPERM"), "create a file in " + folder, answer)
for path in ("/etc/passwd", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/usr/bin/python3", "/bin/sh", "/run/mayfly-init"):
    if os.path.exists(path):
        refused("write to " + path, outcome(write, path), "EROFS", "EACCES", "ETXTBSY")
for what, function, arguments in (
        ("create in", create, ("/run/mayfly/attack",)), ("unlink", os.unlink, ("/run/mayfly/control",)),
        ("rename", os.rename, ("/run/mayfly/control", "/run/mayfly/other")), ("chmod of", os.chmod, ("/run/mayfly", 0o777)),
        ("symbolic link in", os.symlink, ("/etc", "/run/mayfly/link")), ("attribute of", os.setxattr, ("/run/mayfly", "user.attack", b"1"))):
    refused(f"the control folder: {what} it", outcome(function, *arguments), "EACCES", "EROFS")
for path in ["/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/hostname",
             "/proc/sys/kernel/sysrq", "/proc/sys/vm/drop_caches", "/proc/sys/net/ipv4/ip_forward", "/proc/irq/0/smp_affinity",
             "/proc/bus/pci/devices", "/sys/kernel/uevent_helper", "/sys/power/state", "/sys/kernel/mm/ksm/run", "/proc/1/oom_score_adj"]:
    if os.path.exists(path):
        refused("write to " + path, outcome(write, path), "EROFS", "EACCES")
for pattern in ("/sys/fs/cgroup/*/release_agent", "/sys/fs/cgroup/**/memory.limit_in_bytes", "/sys/fs/cgroup/**/cgroup.procs",
                "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/**/pids.max"):
    for path in sorted(glob.glob(pattern, recursive=True))[:5]:
        refused("write to " + path, outcome(write, path), "EROFS", "EACCES")
for folder in glob.glob("/sys/fs/cgroup/*/"):
    refused("new cgroup in " + folder, outcome(os.mkdir, folder + "attack"), "EROFS", "EACCES")
for path in ("/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/timer_list", "/proc/sched_debug", "/proc/kallsyms", "/proc/modules",
             "/proc/latency_stats", "/proc/interrupts"):
    act(content(path) == "", "read " + path, f"{len(content(path))} bytes")
for path in ("/proc/acpi", "/proc/scsi", "/sys/firmware", "/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security", "/sys/fs/bpf"):
    names = os.listdir(path) if outcome(os.listdir, path) == "done" else []
    act(names == [], "list " + path, f"{len(names)} names")
for path in ("/var/lib/mayfly", "/var/run/docker.sock", "/run/systemd/private", "/run/dbus", "/home/user", "/etc/shadow-"):
    names = outcome(os.listdir, path) == "done" and os.listdir(path)
    act(not names, "the host's " + path, "absent" if not os.path.lexists(path) else "there, empty or closed" if not names else str(names[:3]))
for path in ("/var/lib/containers", "/run/containers", "/run/podman", "/run/containerd", "/run/user", "/proc/1/root/etc", "/host", "/root/.ssh",
             *host_paths):
    act(not os.path.exists(path), "the host's " + path, "there" if os.path.exists(path) else "absent")
mounts = [word for word in host_paths if word in content("/proc/mounts")]
act(not mounts, "paths of the host in /proc/mounts", listed(mounts))
# under cgroup v1 the runtime mounts a tmpfs of 1 MiB at /sys/fs/cgroup
writable = {folder for folder, _, _ in os.walk("/") if os.access(folder, os.W_OK) and not folder.startswith("/proc/")}
writable -= {"/workspace", "/tmp", "/dev/shm", "/dev/mqueue", "/sys/fs/cgroup"}
act(not writable, "other folders that can be written to", listed(sorted(writable)))
writable = [path for path in files_below("/") if not path.startswith("/workspace") and os.path.isfile(path) and os.access(path, os.W_OK)]
act(not writable, "other files that can be written to", listed(writable))
theirs = [path for path in glob.glob("/proc/[0-9]*/root/workspace/*") + glob.glob("/proc/[0-9]*/cwd/*")
          if os.path.isfile(path) and "/attack.py" not in path and any(word in content(path) for word in secrets)]
act(not theirs, "files of other jobs", listed(theirs))
special = []
for path in files_below("/usr"):
    status = os.lstat(path)
    if stat.S_ISREG(status.st_mode) and (status.st_mode & (stat.S_ISUID | stat.S_ISGID) or
                                         status.st_mode & 0o111 and outcome(os.getxattr, path, "security.capability") == "done"):
        special.append(path)
act(not special, "setuid programs and capabilities in the image", listed(special))
devices = sorted(name for name in os.listdir("/dev") if stat.S_ISBLK(os.lstat("/dev/" + name).st_mode) or stat.S_ISCHR(os.lstat("/dev/" + name).st_mode))
usual = {"null", "zero", "full", "random", "urandom", "tty", "console", "ptmx"}
act(set(devices) <= usual, "devices", " ".join(devices))
for what, path, mode, device in (("a disk", "device", stat.S_IFBLK, os.makedev(254, 0)), ("the memory", "device", stat.S_IFCHR, os.makedev(1, 1)),
                                 ("/dev/shm/null", "/dev/shm/null", stat.S_IFCHR, os.makedev(1, 3))):
    refused("mknod of " + what, outcome(os.mknod, path, mode | 0o666, device))
shutil.copyfile("/usr/bin/python3", "python3")
os.chmod("python3", 0o6755)
ids = subprocess.run(["./python3", "-c", "import os; print(*os.getresuid(), *os.getresgid())"], stdout=subprocess.PIPE, check=True, text=True).stdout
act(ids.split() == list(map(str, os.getresuid() + os.getresgid())), "a setuid program of its own", "runs as " + ids)
refused("chown to root", outcome(os.chown, "python3", 0, 0))
refused("file capabilities", outcome(os.setxattr, "python3", "security.capability", bytes.fromhex("0100000200000020000000000000000000000000")), "EOPNOTSUPP")
os.unlink("python3")
for command in (["su", "-c", "id -u"], ["mount", "-t", "tmpfs", "x", "/mnt"], ["passwd", "-l", "root"]):
    if shutil.which(command[0]):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=5)
        act(done.returncode != 0 and b"0\n" != done.stdout, " ".join(command), done.stdout.decode("latin-1"))
with open("/tmp/x", "w", encoding="ascii") as script:
    script.write("#!/bin/sh\n")
os.chmod("/tmp/x", 0o755)
refused("execute a file in /tmp", outcome(os.execv, "/tmp/x", ["x"]), "EACCES")
print("end")
