import resource
import signal

init = os.pidfd_open(1)
for name in ("SIGKILL", "SIGSTOP", "SIGTERM", "SIGINT", "SIGHUP", "SIGSEGV", "SIGTSTP", "SIGUSR1", "SIGPIPE", "SIGALRM", "SIGABRT"):
    answer = outcome(os.kill, 1, getattr(signal, name))
    act(answer == "done" and os.path.exists("/proc/1"), f"{name} to init", f"{answer}: init goes on, and so does this program")
answer = outcome(signal.pidfd_send_signal, init, signal.SIGKILL)
act(answer == "done" and os.path.exists("/proc/1"), "SIGKILL to init by its pidfd", answer)
os.close(init)
reached = [pid for pid in range(2, 40000) if pid not in (os.getpid(), os.getppid()) and outcome(os.kill, pid, 0) != "ESRCH"]
act(not reached, "signals to pids 2 to 40000", f"{len(reached)} others could be named")
refused("limits of init", outcome(resource.prlimit, 1, resource.RLIMIT_NOFILE, (1, 1)))
refused("read limits of init", outcome(resource.prlimit, 1, resource.RLIMIT_CPU))
for name, value in (("NOFILE", 1 << 20), ("NPROC", 1 << 20), ("CORE", 1 << 30), ("FSIZE", 1 << 40), ("MSGQUEUE", 1 << 20)):
    refused("raise RLIMIT_" + name, outcome(resource.setrlimit, getattr(resource, "RLIMIT_" + name), (value, value)), "EINVAL")
for path, value in (("/proc/self/oom_score_adj", b"-1000"), ("/proc/1/oom_score_adj", b"-1000"), ("/proc/1/oom_score_adj", b"1000")):
    refused(f"{value.decode()} to {path}", outcome(write, path, value), "EACCES")
print("end")
