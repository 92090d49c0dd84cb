"""Put before every attack in Python. An attack prints a line for each act, "held: what: how" or
"broken: what: how", and "end" at last. Set before this are what the container should have
(memory_mb, pids, cpu_percent, the names in environment) and port, where the service
listens on the host."""
import ctypes
import errno
import os
import platform
import time

# What was put on the host for the attacks to look for, by a test whose prelude.py says more than this one: texts that no
# program may find, paths that none may see, ports of loopback and abstract sockets that none may reach, hosts that none
# may resolve.
secrets, host_paths, host_ports, host_abstract, host_names = [], [], [], [], []

IS_X86 = platform.machine() == "x86_64"
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def act(is_held, what, happened):
    print(f"{'held' if is_held else 'broken'}: {what}: {happened}".replace("\n", " "), flush=True)


def outcome(function, *arguments):
    """The name of the errno that it fails with, or "done"."""
    try:
        function(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    except ValueError as error:  # what the module resource makes of EPERM
        return "EPERM" if "not allowed" in str(error) else str(error)
    return "done"


def refused(what, answer, *also):
    """An act that must fail with EPERM, ENOSYS or one of also."""
    act(answer in ("EPERM", "ENOSYS", *also), what, answer)


def call(numbers, *arguments):
    """A system call by its numbers on x86-64 and arm64; None where there is none."""
    ctypes.set_errno(0)
    number = numbers[0 if IS_X86 else 1]
    if number is None:
        return "ENOSYS"
    result = libc.syscall(number, *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    return "done" if result >= 0 else errno.errorcode[ctypes.get_errno()]


def in_child(function):
    """What function returns in a process of its own, or "signal N"."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, str(function()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    _, status = os.waitpid(pid, 0)
    said = os.read(reading, 4096).decode()
    os.close(reading)
    return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else said


def write(path, data=b"1"):
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def content(path):
    """The beginning of a file; "" where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(65536).decode("latin-1")
    except OSError:
        return ""


def files_below(*folders):
    for top in folders:
        for folder, _, names in os.walk(top):
            if not folder.startswith(("/proc", "/sys")):
                yield from (os.path.join(folder, name) for name in names)


def listed(names):
    """For the end of a line: how many, and the first."""
    return ", ".join(map(str, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "") if names else "none"
