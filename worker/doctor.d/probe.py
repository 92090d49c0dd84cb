"""What a job really has, for mayflyctl doctor: prints NAME=VALUE lines. `pids` is set before this text."""
import errno
import glob
import os
import resource
import signal
import time


def say(name, value):
    print(f"{name}={value}")


def content(path):
    try:
        with open(path, "rb") as file:
            return file.read(4096).decode("latin-1").strip()
    except OSError:
        return ""


def outcome(function, *arguments):
    try:
        function(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "done"


def first(*paths):
    """What the first of these files holds that can be read."""
    return next((text for text in map(content, paths) if text), "")


with open("/proc/self/status", encoding="ascii") as status:
    fields = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
say("ids", ",".join(sorted(set(fields["Uid"].split() + fields["Gid"].split() + fields["Groups"].split()))))
say("capabilities", ",".join(key for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if int(fields[key], 16)))
say("no_new_privileges", fields["NoNewPrivs"])
say("seccomp", fields["Seccomp"])

# names of cgroup v2, then of v1
say("memory", first("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"))
say("swap", first("/sys/fs/cgroup/memory.swap.max"))
say("pids", first("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"))
quota = first("/sys/fs/cgroup/cpu.max").split() or [first("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us"),
                                                   first("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us")]
say("cpu", round(int(quota[0]) * 100 / int(quota[1])) if quota[0].isdigit() and quota[1].isdigit() else quota[0])

say("writable", ",".join(path for path in ("/", "/etc", "/usr", "/usr/bin", "/var", "/run", "/run/mayfly", "/sys/fs/cgroup/pids", "/proc/sys/kernel")
                         if outcome(lambda path=path: os.close(os.open(path + "/doctor", os.O_CREAT | os.O_WRONLY))) == "done"))
say("interfaces", ",".join(sorted(line.split(":")[0].strip() for line in content("/proc/net/dev").split("\n") if ":" in line)))
say("unmasked", ",".join([path for path in ("/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/latency_stats",
                                            "/proc/kallsyms") if content(path)] +
                         [path for path in ("/proc/acpi", "/proc/scsi", "/sys/firmware") if os.path.isdir(path) and os.listdir(path)]))
say("devices", ",".join(sorted(set(os.listdir("/dev")) & {"mem", "kmem", "port", "kmsg", "fuse", "loop-control", "vda", "sda", "nvme0n1", "kvm", "dri"})))
say("environment", ",".join(sorted(name for name in os.environ if name.startswith(("LISTEN_", "XDG_", "NOTIFY", "MAYFLY", "DBUS")) or
                                   "KEY" in name or "TOKEN" in name or "SECRET" in name)))
say("processes", len(glob.glob("/proc/[0-9]*")))
for name in ("NOFILE", "NPROC", "CORE", "FSIZE", "MSGQUEUE", "SIGPENDING", "MEMLOCK"):
    say(name.lower(), resource.getrlimit(getattr(resource, "RLIMIT_" + name))[1])

# what holds, not what is said: an endless loop's share of a CPU, and processes until there are no more
started, used = time.monotonic(), time.process_time()
while time.monotonic() - started < 1:
    pass
say("cpu_used", round((time.process_time() - used) * 100 / (time.monotonic() - started)))
children, refused = [], ""
while len(children) < pids + FORKS_BEYOND and not refused:
    try:
        child = os.fork()
    except OSError as error:
        refused = errno.errorcode[error.errno]
        break
    if child == 0:
        signal.pause()
    children.append(child)
say("forked", len(children))
say("fork_refused", refused)
for child in children:
    os.kill(child, signal.SIGKILL)
