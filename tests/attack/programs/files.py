"""What of the file system can be written, read or mounted that should not be. Prints errno names (or "done") by row."""
import ctypes
import errno
import glob
import json
import os
import stat
import subprocess

libc = ctypes.CDLL(None, use_errno=True)
found = {}


def outcome(function, *arguments):
    try:
        function(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "done"


def call(number, *arguments):
    ctypes.set_errno(0)
    return "done" if libc.syscall(number, *arguments) >= 0 else errno.errorcode[ctypes.get_errno()]


def create(path):
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o777))


def overwrite(path):
    os.close(os.open(path, os.O_WRONLY))


def write(path, data=b"1"):
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def content(path):
    """The beginning of a file; None when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(4096).decode("latin-1")
    except OSError:
        return None


folders = ["/", "/usr", "/usr/bin", "/usr/lib", "/usr/lib/mayfly", "/etc", "/etc/cron.d", "/etc/profile.d", "/bin", "/lib", "/root", "/home",
           "/var", "/var/spool", "/var/tmp", "/opt", "/srv", "/boot", "/mnt", "/run", "/work", "/dev", "/dev/pts", "/proc", "/sys"]
found["create"] = {folder: outcome(create, os.path.join(folder, "attack")) for folder in folders if os.path.isdir(folder)}
found["overwrite"] = {path: outcome(overwrite, path) for path in
                      ["/etc/passwd", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/usr/bin/python3", "/bin/sh", "/run/mayfly-init"]
                      if os.path.exists(path)}
found["remount"] = call(165, b"none", b"/", b"none", 0x20, None)
found["control"] = {
    "create": outcome(create, "/run/mayfly/attack"), "unlink": outcome(os.unlink, "/run/mayfly/control"),
    "rename": outcome(os.rename, "/run/mayfly/control", "/run/mayfly/other"), "chmod folder": outcome(os.chmod, "/run/mayfly", 0o777),
    "symlink": outcome(os.symlink, "/etc", "/run/mayfly/link"),
    "xattr of the folder": outcome(os.setxattr, "/run/mayfly", "user.attack", b"1"), "read init": content("/run/mayfly-init") is not None}

found["host paths"] = {path: os.path.exists(path) for path in HOST_PATHS}
found["storage path in mounts"] = [word for word in STORAGE_WORDS if word in (content("/proc/mounts") or "")]
found["writable folders"] = sorted({folder for folder, _, _ in os.walk("/") if os.access(folder, os.W_OK) and not folder.startswith("/proc/")})
found["writable files"] = sorted(os.path.join(folder, name) for folder, _, names in os.walk("/") for name in names
                                 if not folder.startswith(("/proc", "/workspace", "/sys")) and
                                 os.path.isfile(os.path.join(folder, name)) and os.access(os.path.join(folder, name), os.W_OK))
found["secrets of others"] = [path for path in glob.glob("/proc/[0-9]*/root/workspace/*") + glob.glob("/proc/[0-9]*/cwd/*")
                              if os.path.isfile(path) and SECRET in (content(path) or "") and "script.js" not in path]

special = {}
for folder, _, names in os.walk("/usr"):
    for name in names:
        path = os.path.join(folder, name)
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode) and status.st_mode & (stat.S_ISUID | stat.S_ISGID):
            special[path] = oct(status.st_mode)
        elif status.st_mode & 0o111 and outcome(os.getxattr, path, "security.capability") == "done":
            special[path] = "capability"
found["setuid programs"] = special
os.makedirs("bin", exist_ok=True)
with open("/usr/bin/python3", "rb") as source, open("bin/python3", "wb") as target:
    target.write(source.read())
os.chmod("bin/python3", 0o6755)
found["own setuid program"] = json.loads(subprocess.run(
    ["bin/python3", "-c", "import os, json; print(json.dumps([os.getresuid(), os.getresgid()]))"], stdout=subprocess.PIPE, check=True).stdout)
found["su"] = {command[0]: subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                                          timeout=5).stdout.decode("latin-1")
               for command in (["su", "-c", "id -u"], ["mount", "-t", "tmpfs", "x", "/mnt"], ["passwd", "-l", "root"]) if
               subprocess.run(["which", command[0]], stdout=subprocess.DEVNULL, check=False).returncode == 0}
found["set file capability"] = outcome(os.setxattr, "bin/python3", "security.capability", bytes.fromhex("0100000200000020000000000000000000000000"))
found["chown to root"] = outcome(os.chown, "bin/python3", 0, 0)
found["run from /tmp"] = outcome(lambda: (open("/tmp/x", "w").write("#!/bin/sh\n"), os.chmod("/tmp/x", 0o755), os.execv("/tmp/x", ["x"])))

found["mknod"] = {"disk": outcome(os.mknod, "disk", stat.S_IFBLK | 0o666, os.makedev(254, 0)),
                  "memory": outcome(os.mknod, "memory", stat.S_IFCHR | 0o666, os.makedev(1, 1)),
                  "in /dev/shm": outcome(os.mknod, "/dev/shm/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))}
found["mount"] = {"tmpfs": call(165, b"x", b"/workspace/bin", b"tmpfs", 0, None), "bind": call(165, b"/etc", b"/workspace/bin", None, 4096, None),
                  "proc": call(165, b"x", b"/workspace/bin", b"proc", 0, None), "umount": call(166, b"/run/mayfly", 2),
                  "fsopen": call(430, b"tmpfs", 0), "open_tree": call(428, -100, b"/", 1), "move_mount": call(429, -100, b"/", -100, b"/tmp", 0),
                  "mount_setattr": call(442, -100, b"/", 0, None, 0)}
found["chroot"] = call(161, b"/workspace")
found["pivot_root"] = call(155, b"/workspace", b"/workspace/bin")

found["kernel settings"] = {path: outcome(write, path) for path in
                            ["/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/vm/drop_caches",
                             "/proc/sys/kernel/modprobe", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/sysrq", "/proc/irq/0/smp_affinity",
                             "/proc/bus/pci/devices", "/sys/kernel/uevent_helper", "/sys/power/state", "/sys/kernel/mm/ksm/run"]
                            if os.path.exists(path)}
found["release_agent"] = {path: outcome(write, path) for path in
                          glob.glob("/sys/fs/cgroup/*/release_agent") + glob.glob("/sys/fs/cgroup/**/memory.limit_in_bytes", recursive=True)[:5] +
                          glob.glob("/sys/fs/cgroup/**/cgroup.procs", recursive=True)[:5] + glob.glob("/sys/fs/cgroup/memory.max")}
found["new cgroup"] = {path: outcome(os.mkdir, os.path.join(path, "attack")) for path in glob.glob("/sys/fs/cgroup/*/") + ["/sys/fs/cgroup"]}
found["masked"] = {path: content(path) for path in
                   ["/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/timer_list", "/proc/kallsyms", "/proc/modules", "/proc/latency_stats",
                    "/proc/sched_debug", "/proc/interrupts"]}
found["masked folders"] = {path: os.listdir(path) for path in ["/proc/acpi", "/proc/scsi", "/sys/firmware"] if os.path.isdir(path)}
found["debugfs"] = {path: outcome(os.listdir, path) == "done" and os.listdir(path) != [] for path in
                    ["/sys/kernel/debug", "/sys/kernel/tracing", "/sys/fs/bpf", "/sys/kernel/security"]}
found["devices"] = sorted(name for name in os.listdir("/dev") if stat.S_ISBLK(os.lstat("/dev/" + name).st_mode) or
                          stat.S_ISCHR(os.lstat("/dev/" + name).st_mode))
found["dmesg"] = call(103, 3, ctypes.create_string_buffer(64), 64)
print(json.dumps(found))
