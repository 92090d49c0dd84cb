# numbers of x86-64 and arm64
SETAFFINITY, SETSCHEDULER, SETPARAM, SETATTR = (203, 122), (144, 119), (142, 118), (314, 274)
SETPRIORITY, IOPRIO_SET, PRLIMIT = (141, 140), (251, 30), (302, 261)


def standing():
    """What it would be good to change."""
    return os.sched_getaffinity(1), os.sched_getscheduler(1), os.getpriority(os.PRIO_PROCESS, 1), content("/proc/1/oom_score_adj")


cpus = ctypes.create_string_buffer(b"\1" + bytes(127), 128)
parameter = ctypes.create_string_buffer(8)
attributes = ctypes.create_string_buffer((48).to_bytes(4, "little") + (5).to_bytes(4, "little") + bytes(40), 48)  # SCHED_IDLE
before = standing()
# the kernel looks at 32 of an argument's 64 bits
for said, pid in (("1", 1), ("1 with an upper half", 2**32 + 1), ("1 with the highest bit", -2**63 + 1)):
    for what, numbers, arguments in (("sched_setaffinity", SETAFFINITY, (pid, 8, cpus)), ("sched_setscheduler", SETSCHEDULER, (pid, 5, parameter)),
                                     ("sched_setparam", SETPARAM, (pid, parameter)), ("sched_setattr", SETATTR, (pid, attributes, 0)),
                                     ("setpriority", SETPRIORITY, (0, pid, 19)), ("setpriority, upper half", SETPRIORITY, (2**32, pid, 19)),
                                     ("ioprio_set", IOPRIO_SET, (1, pid, 3 << 13)), ("ioprio_set, upper half", IOPRIO_SET, (2**32 + 1, pid, 3 << 13)),
                                     ("prlimit64", PRLIMIT, (pid, 6, cpus, None))):
        refused(f"{what} of {said}", call(numbers, *arguments))
for what, numbers, which in (("setpriority of a group", SETPRIORITY, 1), ("setpriority of a user", SETPRIORITY, 2), ("ioprio_set of a group", IOPRIO_SET, 2),
                             ("ioprio_set of a user", IOPRIO_SET, 3)):
    for who in (0, 1, os.getuid()):
        refused(f"{what} {who}", call(numbers, which, who, 3 << 13 if numbers == IOPRIO_SET else 19))
for name in ("oom_score_adj", "oom_adj", "autogroup", "timerslack_ns", "sched", "comm", "coredump_filter", "clear_refs", "mem", "setgroups", "uid_map"):
    if os.path.exists("/proc/1/" + name):
        answer = outcome(write, "/proc/1/" + name, b"1000")
        act(answer != "done", "write to init's " + name, answer)
after = standing()
act(before == after, "init's standing", f"{before}, then {after}")

nice = os.getpriority(os.PRIO_PROCESS, 0)
act(nice - before[2] == 10 or nice == 19, "a program's priority", f"nice {nice}, init's is {before[2]}")
for what, function, arguments in (("back to init's", os.setpriority, (os.PRIO_PROCESS, 0, nice - 10)), ("one step back", os.setpriority, (os.PRIO_PROCESS, 0, nice - 1)),
                                  ("real time", os.sched_setscheduler, (0, os.SCHED_RR, os.sched_param(1)))):
    refused("priority: " + what, outcome(function, *arguments), "EACCES")
child = os.fork()
if child == 0:
    time.sleep(60)
    os._exit(0)
for what, function, arguments in (("a child's CPUs", os.sched_setaffinity, (child, os.sched_getaffinity(0))), ("its own", os.sched_setaffinity, (0, os.sched_getaffinity(0))),
                                  ("a child's priority", os.setpriority, (os.PRIO_PROCESS, child, nice + 1 if nice < 19 else 19)),
                                  ("a child's class", os.sched_setscheduler, (child, os.SCHED_IDLE, os.sched_param(0)))):
    answer = outcome(function, *arguments)
    act(answer == "done", what, answer + ", as it should")
answer = call(IOPRIO_SET, 1, child, 3 << 13)
act(answer == "done", "a child's disk priority", answer + ", as it should")
os.kill(child, 9)
os.waitpid(child, 0)
print("end")
