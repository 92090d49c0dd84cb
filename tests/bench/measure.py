"""What the measurements share: one command or one request timed from outside, percentiles, a process seen in /proc, instructions counted.

Rules:
 1. A time is taken by whoever waits for the result: from before the first system call until the last byte is read (and, for a command, until
    it has been waited for).
 2. Every result is checked: a measurement of something that did not work is no measurement.
"""
import ctypes
import json
import os
import re
import signal
import socket
import threading
import time

import harness

SETTLE_S = 3  # for what the last measurement left to do; others' containers may come and go on, so it is no failure
CODE = {"python": "print(1)", "node": "console.log(1)"}


def now_ms():
    return time.monotonic_ns() / 1e6


def percentile(values, percent):
    """By linear interpolation between the two nearest."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def summary(values):
    return {"p50": percentile(values, 50), "p95": percentile(values, 95), "count": len(values)}


class Command:
    """A program that prints 1, started and waited for."""

    def __init__(self, argv, environment):
        self.argv = argv
        self.environment = environment

    def run(self):
        read_end, write_end = os.pipe()
        started = now_ms()
        pid = os.posix_spawn(self.argv[0], self.argv, self.environment, file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, write_end, 1)])
        os.close(write_end)
        output = b""
        while piece := os.read(read_end, 4096):
            output += piece
        status = os.waitpid(pid, 0)[1]
        took_ms = now_ms() - started
        os.close(read_end)
        assert (status, output) == (0, b"1\n"), f"{self.argv[0]}: status {status}, output {output!r}"
        return took_ms


class Post:
    """One request to a server, whose answer must match a pattern."""

    def __init__(self, server, path, body, pattern, headers=()):
        self.server = server
        self.pattern = pattern
        text = json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", f"Host: {server.host}", "Content-Type: application/json", f"Content-Length: {len(text)}", *headers]
        self.request = "".join(line + "\r\n" for line in [*lines, ""]).encode() + text
        self.last = None  # (started, ended, what the pattern found)

    def run(self):
        started = now_ms()
        with self.server.connect() as connection:
            connection.sendall(self.request)
            reply = harness.read_all(connection)
        ended = now_ms()
        found = re.search(self.pattern, reply)
        assert reply.startswith(b"HTTP/1.1 200 ") and found, f"{reply!r}\n{self.server.logs()[-2000:]}"
        self.last = (started, ended, found[1].decode())
        return ended - started


class Job(Post):
    """POST /run; what is found is the job's id."""

    def __init__(self, server, language="python"):
        super().__init__(server, "/run", {"sessionId": "bench", "language": language, "code": CODE[language]},
                         rb'"id":"([^"]+)","exitCode":0,"output":"1\\n"')


def log_times(server):
    """The times that mayfly logged for its jobs, in µs: {id: {"us":…, "asked_us":…, …}}. A job that needed no engine has engine_us 0."""
    times = {}
    for line in server.logs().splitlines():
        job = re.search(r' job="([^"]+)"', line)
        if line.startswith("mayfly ") and job:
            times[job[1]] = {"engine_us": 0, **{name: int(value) for name, value in re.findall(r" ((?:\w+_)?us)=(\d+)", line)}}
    return times


def cleanup_runs():
    """Is an engine still clearing up after a container? conmon starts a process for it."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as words:
                if b"\0container\0cleanup\0" in words.read().replace(b"--exit-command-arg\0", b""):
                    with open(f"/proc/{pid}/comm", encoding="utf-8") as name:
                        if name.read().strip() == "podman":
                            return True
        except OSError:
            continue
    return False


def settle(server):
    """Waits until nothing of the last measurement runs on, so that it does not weigh on the next."""
    try:
        harness.until(lambda: not server.processes(), "our processes ended", harness.DEADLINE_S)
        harness.until(lambda: not cleanup_runs(), "containers cleared up", SETTLE_S)
    except AssertionError as error:
        if "our processes" in str(error):
            raise


def throughput(run, jobs, concurrency):
    """Runs jobs that many at a time. (times in ms, began, ended) by now_ms()."""
    times, lock, left = [], threading.Lock(), iter(range(jobs))
    errors = []

    def worker():
        while True:
            with lock:
                if errors or next(left, None) is None:
                    return
            try:
                took_ms = run()
            except Exception as error:  # told to the caller below
                with lock:
                    errors.append(error)
                return
            with lock:
                times.append(took_ms)

    threads = [threading.Thread(target=worker) for _ in range(concurrency)]
    began = now_ms()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return times, began, now_ms()


def memory(pid):
    """Of a process: {"rss_kib", "pss_kib", "private_kib", "libcurl"}."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as table:
        kib = {name: int(value) for name, value in re.findall(r"^(\w+): +(\d+) kB", table.read(), re.MULTILINE)}
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        has_libcurl = "libcurl" in maps.read()
    return {"rss_kib": kib["Rss"], "pss_kib": kib["Pss"], "private_kib": kib["Private_Clean"] + kib["Private_Dirty"],
            "libcurl": has_libcurl}


PTRACE_TRACEME, PTRACE_SINGLESTEP = 0, 9


def ptrace(request, pid=0):
    call = ctypes.CDLL(None, use_errno=True).ptrace
    call.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    return lambda: call(request, pid, None, None)


class Steps:
    """Counts the instructions of a program in user space, by stepping through every one, the dynamic linker's included. A profiler that
    runs the program in a machine of its own cannot be used: what mayfly confines itself with would confine the profiler."""

    def __init__(self):
        self.count = 0

    def run(self, argv, environment, standard_input):
        trace_me = ptrace(PTRACE_TRACEME)
        pid = os.fork()
        if pid == 0:
            os.dup2(standard_input, 0)
            null = os.open("/dev/null", os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            trace_me()
            os.execve(argv[0], argv, environment)
        step = ptrace(PTRACE_SINGLESTEP, pid)
        while True:
            status = os.waitpid(pid, 0)[1]
            if not os.WIFSTOPPED(status):
                assert status == 0, f"{argv[0]} under the counter ended with {status}"
                return self.count
            assert os.WSTOPSIG(status) == signal.SIGTRAP, f"{argv[0]} under the counter got signal {os.WSTOPSIG(status)}"
            self.count += 1
            assert step() == 0, "ptrace"


class StandInEngine:
    """What answers on <run>/engine.sock with a refusal, so that a request ends where the engine would be asked."""
    REFUSAL = b"status=503\0word=engine_refused\0message=a stand-in\0"

    def __init__(self, run_folder, asked):
        self.path = os.path.join(run_folder, "engine.sock")
        self.asked = asked  # called when the engine is asked
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                frame = connection.recv(65536)
                if frame:
                    self.asked(frame)
                    connection.sendall(b"e" + len(self.REFUSAL).to_bytes(4, "big") + self.REFUSAL)
                    connection.recv(1)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        os.unlink(self.path)
