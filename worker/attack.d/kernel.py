import mmap
import signal
import socket
import struct

NAMESPACES = {"mount": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000, "pid": 0x20000000, "net": 0x40000000,
              "time": 0x80}


def clone_with(flags):
    """A raw clone(2); the child, if there is one, ends at once."""
    ctypes.set_errno(0)
    pid = libc.syscall(56 if IS_X86 else 220, ctypes.c_ulong(flags | signal.SIGCHLD), None, None, None, None)
    if pid == 0:
        os._exit(0)
    return "done" if pid > 0 else errno.errorcode[ctypes.get_errno()]


for name, flag in NAMESPACES.items():
    refused("unshare " + name, in_child(lambda flag=flag: call((272, 97), flag)))
    if name != "time":
        refused("clone with a namespace, " + name, in_child(lambda flag=flag: clone_with(flag)))
act(in_child(lambda: clone_with(0)) == "done", "clone without a namespace", "works, as it should")
joined = sorted(os.listdir("/proc/self/ns"))
act(len(joined) >= 7, "namespaces to join", " ".join(joined))
for name in joined:
    fd = os.open("/proc/self/ns/" + name, os.O_RDONLY)
    refused("setns " + name, in_child(lambda fd=fd: call((308, 268), fd, 0)))
    os.close(fd)
arguments = ctypes.create_string_buffer(struct.pack("<8Q", 0x10000000, 0, 0, 0, signal.SIGCHLD, 0, 0, 0), 64)
answer = in_child(lambda: call((435, 435), arguments, 64))
act(answer == "ENOSYS", "clone3", answer)  # the C library then uses clone, whose flags can be looked at

buffer = ctypes.create_string_buffer(256)
bpf_map = ctypes.create_string_buffer(struct.pack("<5I", 1, 4, 4, 1, 0), 128)
event = ctypes.create_string_buffer(struct.pack("<II", 1, 128), 128)
vector = ctypes.create_string_buffer(struct.pack("<2Q", ctypes.addressof(buffer), 8))
remote = ctypes.create_string_buffer(struct.pack("<2Q", ctypes.addressof(buffer), 8))
init = os.pidfd_open(1)
victim = os.fork()
if victim == 0:
    time.sleep(60)
    os._exit(0)
for what, numbers, arguments in (
        ("bpf", (321, 280), (0, bpf_map, 128)), ("perf_event_open", (298, 241), (event, 0, -1, -1, 0)), ("userfaultfd", (323, 282), (0,)),
        ("userfaultfd, user mode only", (323, 282), (1,)), ("io_uring_setup", (425, 425), (4, buffer)),
        ("io_uring_enter", (426, 426), (0, 0, 0, 0, None, 0)), ("io_uring_register", (427, 427), (0, 0, None, 0)),
        ("io_setup", (206, 0), (8, buffer)), ("io_destroy", (207, 1), (0,)), ("io_getevents", (208, 4), (0, 0, 1, buffer, None)),
        ("io_submit", (209, 2), (0, 0, buffer)), ("io_cancel", (210, 3), (0, buffer, buffer)), ("io_pgetevents", (333, 292), (0, 0, 1, buffer, None, None)),
        ("keyctl", (250, 219), (0, -3, 1)), ("add_key", (248, 217), (b"user", b"x", b"y", 1, -3)),
        ("request_key", (249, 218), (b"user", b"x", None, 0)), ("ptrace a child", (101, 117), (16, victim, None, None)),
        ("ptrace init", (101, 117), (16, 1, None, None)), ("seize init", (101, 117), (0x4206, 1, None, None)),
        ("process_vm_readv a child", (310, 270), (victim, vector, 1, remote, 1, 0)),
        ("process_vm_writev a child", (311, 271), (victim, vector, 1, remote, 1, 0)),
        ("process_vm_readv init", (310, 270), (1, vector, 1, remote, 1, 0)), ("kexec_load", (246, 104), (0, 0, None, 0)),
        ("kexec_file_load", (320, 294), (-1, -1, 0, b"", 0)), ("init_module", (175, 105), (buffer, 8, b"")),
        ("finit_module", (313, 273), (0, b"", 0)), ("delete_module", (176, 106), (b"ext4", 0)), ("create_module", (174, None), (b"x", 4096)),
        ("open_by_handle_at", (304, 265), (-100, buffer, 0)),
        ("name_to_handle_at", (303, 264), (-100, b"/", buffer, ctypes.create_string_buffer(8), 0)),
        ("mount tmpfs", (165, 40), (b"x", b"/tmp", b"tmpfs", 0, None)), ("mount proc", (165, 40), (b"x", b"/workspace", b"proc", 0, None)),
        ("mount: bind /", (165, 40), (b"/", b"/tmp", None, 4096, None)), ("mount: bind /etc", (165, 40), (b"/etc", b"/workspace", None, 4096, None)),
        ("remount / writable", (165, 40), (b"x", b"/", None, 32, None)), ("umount2", (166, 39), (b"/run/mayfly", 2)),
        ("pivot_root", (155, 41), (b"/tmp", b"/tmp")), ("chroot", (161, 51), (b"/workspace",)), ("fsopen", (430, 430), (b"tmpfs", 0)),
        ("open_tree", (428, 428), (-100, b"/", 1)), ("move_mount", (429, 429), (-100, b"/", -100, b"/tmp", 0)),
        ("mount_setattr", (442, 442), (-100, b"/", 0, None, 0)), ("swapon", (167, 224), (b"/workspace/x", 0)),
        ("reboot", (169, 142), (0xfee1dead - 2**32, 672274793, 0, None)), ("sethostname", (170, 161), (b"x", 1)),
        ("setdomainname", (171, 162), (b"x", 1)), ("settimeofday", (164, 170), (vector, None)), ("clock_settime", (227, 112), (0, vector)),
        ("acct", (163, 89), (b"/workspace/x",)), ("syslog", (103, 116), (3, buffer, 64)), ("quotactl", (179, 60), (0x800002 - 2**24, b"/", 0, None)),
        ("fanotify_init", (300, 262), (0, 0)), ("pidfd_getfd", (438, 438), (init, 0, 0)), ("kcmp", (312, 272), (1, victim, 0, 0, 0)),
        ("iopl", (172, None), (3,)), ("ioperm", (173, None), (0x80, 1, 1)), ("uselib", (134, None), (b"/bin/sh",)), ("ustat", (136, None), (0, buffer)),
        ("sysfs", (139, None), (3,)), ("process_madvise", (440, 440), (init, vector, 1, 4, 0)),
        ("move_pages", (279, 239), (1, 0, None, None, None, 0)), ("modify_ldt", (154, None), (0, buffer, 64)), ("vhangup", (153, 58), ()),
        ("memfd_secret", (447, 447), (0,)), ("personality", (135, 92), (0x40000,))):
    refused(what, call(numbers, *arguments))
os.kill(victim, signal.SIGKILL)
os.waitpid(victim, 0)
os.close(init)
refused("ptrace me", in_child(lambda: call((101, 117), 0, 0, None, None)))
terminal = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY) if os.path.exists("/dev/ptmx") else -1
if terminal >= 0:
    ctypes.set_errno(0)
    refused("input for a terminal (TIOCSTI)", "done" if libc.ioctl(terminal, 0x5412, b"x") == 0 else errno.errorcode[ctypes.get_errno()], "EACCES", "EIO")


def make_socket(family, kind, protocol=0):
    """The arguments are 64 bits wide: the kernel looks at 32 of each, a filter perhaps at all."""
    ctypes.set_errno(0)
    fd = libc.syscall(41 if IS_X86 else 198, ctypes.c_long(family), ctypes.c_long(kind), ctypes.c_long(protocol))
    if fd < 0:
        return errno.errorcode[ctypes.get_errno()]
    os.close(fd)
    return "done"


answers = {family: {make_socket(family, kind) for kind in (1, 2, 3, 5)} for family in [*range(51), 255, 2**31 - 1, -1]}
made = sorted(family for family, found in answers.items() if "done" in found)
act(made == [1, 2, 10], "sockets of all families", f"families that could be made: {made}; UNIX, INET and INET6 alone are allowed")
odd = {family: found for family, found in answers.items() if family not in made and found - {"EAFNOSUPPORT", "EPERM", "ENOSYS"}}
act(not odd, "answers for other families", str(odd) if odd else "all are refused")
NO_SOCKET = ("EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "EACCES")
for what, arguments in {"icmp": (2, 3, 1), "icmp datagram": (2, 2, 1), "raw ip": (2, 3, 255), "icmpv6": (10, 3, 58), "sctp": (2, 1, 132),
                        "udplite": (2, 2, 136), "mptcp": (2, 1, 262)}.items():
    refused("socket " + what, make_socket(*arguments), *NO_SOCKET)
for protocol in (0, 2, 4, 9, 12, 15, 16):
    refused(f"netlink socket {protocol}", make_socket(16, 3, protocol), "EAFNOSUPPORT")
refused("packet socket", make_socket(17, 3), "EAFNOSUPPORT")
for what, arguments in {"netlink": (2**32 + 16, 3, 0), "packet": (2**32 + 17, 3, 0), "raw": (2, 2**32 + 3, 1), "icmp": (2, 2, 2**32 + 1),
                        "unix as netlink": (-(2**32) + 16, 3, 0)}.items():
    refused("upper half of an argument: " + what, make_socket(*arguments), *NO_SOCKET[:3])
for family in (2, 16, 30, 40):
    refused(f"socket pair of family {family}", outcome(socket.socketpair, family, socket.SOCK_STREAM), "EAFNOSUPPORT", "EOPNOTSUPP")
act(outcome(socket.socketpair, 1, socket.SOCK_STREAM) == "done", "a UNIX socket pair", "works, as it should")


def machine_code(code):
    """Runs it in a process of its own; what it leaves in eax, as a signed number, or "signal N"."""
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    return in_child(lambda: ctypes.CFUNCTYPE(ctypes.c_int)(address)())


if IS_X86:
    answer = machine_code(b"\xb8\x27\0\0\0\x0f\x05\xc3")
    act(not answer.startswith("signal ") and int(answer) > 1, "machine code", "runs, as it should: getpid said " + answer)
    for what, code in {"getpid by int 0x80": b"\xb8\x14\0\0\0\xcd\x80\xc3",
                       "socket by int 0x80": b"\x53\xb8\x67\x01\0\0\xbb\x10\0\0\0\xb9\x03\0\0\0\x31\xd2\xcd\x80\x5b\xc3",
                       "socketcall by int 0x80": b"\x53\xb8\x66\0\0\0\xbb\x01\0\0\0\x31\xc9\xcd\x80\x5b\xc3",
                       "getpid of x32": b"\xb8\x27\0\0\x40\x0f\x05\xc3", "ptrace of x32": b"\xb8\x09\x02\0\x40\x31\xff\x31\xf6\x31\xd2\x0f\x05\xc3",
                       "in from a port": b"\xe4\x80\xc3"}.items():
        answer = machine_code(code)
        act(answer.startswith("signal ") or (int(answer) < 0 and what != "in from a port"), what, answer)

status = dict(line.split(":\t", 1) for line in content("/proc/self/status").splitlines() if ":\t" in line)
for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
    act(int(status[name], 16) == 0, "capabilities " + name, status[name])
act(status["NoNewPrivs"] == "1", "new privileges", "NoNewPrivs " + status["NoNewPrivs"])
act(status["Seccomp"] == "2", "seccomp", "mode " + status["Seccomp"])
for what, function, arguments in (("setuid 0", os.setuid, (0,)), ("setgid 0", os.setgid, (0,)), ("setgroups 0", os.setgroups, ([0],)),
                                  ("real-time priority", os.sched_setscheduler, (0, os.SCHED_FIFO, os.sched_param(1))),
                                  ("priority above others", os.setpriority, (os.PRIO_PROCESS, 0, -20))):
    refused(what, outcome(function, *arguments), "EACCES")
print("end")
