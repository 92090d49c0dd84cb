# the least wanted place first: its own score is what it may lower
outcome(write, "/proc/self/oom_score_adj", b"0")
cpu = {min(os.sched_getaffinity(0))}
for pid in (0, 1):
    outcome(os.sched_setaffinity, pid, cpu)
outcome(os.setpriority, os.PRIO_PROCESS, 1, 19)
os.write(1, b"busy\n")
try:
    for _ in range(pids):
        if os.fork() == 0:
            break
except OSError:
    pass
while True:
    pass
