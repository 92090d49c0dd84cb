import fcntl
import mmap
import resource
import signal
import socket

SIGNALS, LOCKED_KB = 1024, 64  # what the service gives a container
F_SETPIPE_SZ = 1031


def positive(function, *arguments):
    """A call of the C library's that says -1 when it fails."""
    ctypes.set_errno(0)
    result = function(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def as_many(take, most=100000):
    """What could be had, and what the next one said."""
    taken = []
    while len(taken) < most:
        try:
            taken.append(take())
        except OSError as error:
            return taken, errno.errorcode[error.errno]
    return taken, "done"


def pipe():
    ends = os.pipe()
    try:
        fcntl.fcntl(ends[1], F_SETPIPE_SZ, 1 << 20)
    except OSError:
        os.close(ends[0])
        os.close(ends[1])
        raise
    return ends


def flight():
    pair = socket.socketpair()
    pair[0].setblocking(False)
    socket.send_fds(pair[0], [b"x"], [1] * 250)
    return pair


signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
queued, answer = as_many(lambda: positive(libc.sigqueue, os.getpid(), signal.SIGRTMIN, None))
act(answer == "EAGAIN" and len(queued) <= SIGNALS, "signals queued", f"{answer} after {len(queued)}; at most {SIGNALS} are good")
while signal.sigtimedwait([signal.SIGRTMIN], 0):
    pass
timers, answer = as_many(lambda: positive(libc.timer_create, 1, None, ctypes.byref(ctypes.c_void_p())))
act(answer == "EAGAIN" and len(timers) <= SIGNALS, "timers", f"{answer} after {len(timers)}; at most {SIGNALS} are good")
for what, limit, most in (("signals", resource.RLIMIT_SIGPENDING, SIGNALS), ("locked memory", resource.RLIMIT_MEMLOCK, LOCKED_KB << 10),
                          ("message queues", resource.RLIMIT_MSGQUEUE, 0)):
    act(resource.getrlimit(limit)[1] <= most, "the limit of " + what, f"{resource.getrlimit(limit)[1]}, at most {most}")
    refused(f"more {what} than that", outcome(resource.setrlimit, limit, (most + 1, most + 1)))
memory = mmap.mmap(-1, 2 * LOCKED_KB << 10)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
answer = outcome(positive, libc.mlock, ctypes.c_void_p(address), ctypes.c_size_t(2 * LOCKED_KB << 10))
act(answer in ("ENOMEM", "EPERM", "EAGAIN"), "more locked memory", answer)
for what, take, most in (("inotify instances", lambda: positive(libc.inotify_init1, 0), 900), ("pipes of 1 MiB", pipe, 400),
                         ("messages with 250 descriptors", flight, 400)):
    taken, answer = as_many(take, most)
    # its own, and refused by what counts for its user, which no other container has
    act(answer in ("EMFILE", "EPERM", "ETOOMANYREFS", "EAGAIN", "ENFILE"), what, f"{answer} after {len(taken)}")
    for one in taken:
        for end in one if isinstance(one, tuple) else (one,):
            end.close() if isinstance(end, socket.socket) else os.close(end)
context = ctypes.c_void_p()
refused("io_setup", call((206, 0), 64, ctypes.byref(context)))
terminals, answer = as_many(lambda: os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY), 64)
act(bool(pty) or (not terminals and answer == "ENOENT"), "terminals", f"{answer} after {len(terminals)}; the template has {'some' if pty else 'none'}")
print("end")
