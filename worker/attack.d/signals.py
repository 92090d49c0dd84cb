import resource
import signal

for name in ("SIGKILL", "SIGSTOP", "SIGTERM", "SIGINT", "SIGHUP", "SIGSEGV", "SIGUSR1"):
    outcome(os.kill, 1, getattr(signal, name))
    act(os.path.exists("/proc/1"), f"{name} to init", "init goes on, and so does this program")
reached = [pid for pid in list(range(2, 40000)) if pid not in (os.getpid(), os.getppid()) and outcome(os.kill, pid, 0) != "ESRCH"]
act(not reached, "signals to pids 2 to 40000", f"{len(reached)} others could be named")
refused("limits of init", outcome(resource.prlimit, 1, resource.RLIMIT_NOFILE, (1, 1)), "EACCES")
for name, value in (("NOFILE", 1 << 20), ("NPROC", 1 << 20), ("CORE", 1 << 30), ("FSIZE", 1 << 40), ("MSGQUEUE", 1 << 20)):
    refused("raise RLIMIT_" + name, outcome(resource.setrlimit, getattr(resource, "RLIMIT_" + name), (value, value)), "EINVAL")


def write(path, data):
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


for who in ("self", "1"):
    refused(f"lower /proc/{who}/oom_score_adj", outcome(write, f"/proc/{who}/oom_score_adj", b"-1000"), "EACCES")
print("end")
