"""What the hostile suite shares: the invariant of every row.

Rules:
 1. While an attack runs, a neighbour runs beside it: short jobs one after another, on a server of its own, each of which knows its exact
    output and how long it may be kept waiting. A neighbour that notices the attack fails it.
 2. After an attack: the reply was in time, a hello-world job succeeds, nothing is left, the host's files are as they were.
 3. What a program in a container can see or try by itself is an attack of worker/attack.d, which mayflyctl doctor --attack runs as well
    (tests/attack/test_programs.py); what needs an observer outside is a test of its own.
"""
import hashlib
import json
import os
import shutil
import threading
import time

import harness

GRACE_S = 5  # beyond a job's time-out, for collecting: the promise of the service
PROMPT_S = 25  # what waits for nothing is done by then, wherever it runs; the time-outs that it must not wait for are 60 s
START_S = 40  # for a slot (10) and a container (30 at most), on a machine that others use too

NEIGHBOUR = """
import hashlib, os, sys, time
name, steps, worst = sys.argv[0] and NAME, 0, 0
digest, last, end = name.encode(), time.monotonic(), time.monotonic() + 0.6
while time.monotonic() < end:
    with open("state", "wb") as state:
        state.write(digest)
    time.sleep(0.02)
    with open("state", "rb") as state:
        assert state.read() == digest
    digest = hashlib.sha256(digest).digest()
    steps += 1
    now = time.monotonic()
    worst, last = max(worst, now - last), now
os.unlink("state")
print(name, "worked" if steps else steps, "unhindered" if worst < 2 else worst,
      sorted(pid for pid in os.listdir("/proc") if pid.isdigit()), sorted(os.listdir(".")), sorted(os.listdir("/tmp")), sorted(os.listdir("/dev/shm")))
"""


class Neighbour:
    """Rule 1."""

    def __init__(self):
        self.server = harness.Server()
        self.results = []  # (started, ended, what was wrong or None)
        self.news = threading.Condition()
        self.is_over = False
        self.thread = threading.Thread(target=self._live, daemon=True)
        self.thread.start()

    def _job(self):
        name = "neighbour-" + os.urandom(4).hex()
        try:
            result = self.server.execute(NEIGHBOUR.replace("NAME", repr(name)), "python", session=name, timeout=20)
        except Exception as error:  # whatever it is, it is what the neighbour noticed
            return repr(error)
        pids = result.get("stdout", "").split("[")[1].split("]")[0].replace("'", "").split(", ") if "[" in result.get("stdout", "") else []
        expected = f"{name} worked unhindered ['1', '{pids[-1] if pids else ''}'] ['script.js'] [] []\n"
        if (result["exitCode"], result.get("stdout"), result.get("stderr")) != (0, expected, None):
            return str(result)
        return None

    def _live(self):
        while not self.is_over:
            started = time.monotonic()
            wrong = self._job()
            with self.news:
                self.results.append((started, time.monotonic(), wrong))
                self.news.notify_all()

    def check(self, since):
        """Waits for the job that runs now to end; says what jobs that ran since then noticed, and how many there were."""
        now = time.monotonic()

        def overlapping():
            return [result for result in self.results if result[1] > since]
        with self.news:
            assert self.news.wait_for(lambda: self.results and self.results[-1][1] > now, harness.DEADLINE_S), "the neighbour hangs"
            return len(overlapping()), [wrong for _, _, wrong in overlapping() if wrong]

    def close(self):
        self.is_over = True
        self.thread.join(harness.DEADLINE_S)
        self.server.close()


def host_files():
    """What no job may change, as one hash per kind: names, sizes, modes, owners and times of the host's programs and settings, and the
    kernel's settings that a job would reach for."""
    kinds = {}
    for top in ("/etc", "/usr/bin", "/usr/sbin", "/usr/local", "/var/spool/cron", "/boot", harness.BUILD):
        digest = hashlib.sha256()
        for folder, folders, files in os.walk(top):
            folders.sort()
            if top == harness.BUILD:
                folders.clear()  # below are objects and what tests fetch; the programs are here
            for name in sorted(files):
                try:
                    status = os.lstat(os.path.join(folder, name))
                except FileNotFoundError:
                    continue
                digest.update(repr((folder, name, status.st_size, status.st_mode, status.st_uid, status.st_mtime_ns)).encode())
        kinds[top] = digest.hexdigest()
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/kernel/sysrq", "/proc/sys/vm/overcommit_memory",
                 "/proc/sys/kernel/modprobe", "/proc/sysvipc/shm", "/proc/sysvipc/sem", "/proc/sysvipc/msg", "/proc/modules"):
        try:
            with open(path, "rb") as file:
                # a shared memory segment that somebody attaches to changes its line: its key, id and size count
                kinds[path] = [line.split()[:4] for line in file] if "sysvipc" in path else [line.split()[:2] for line in file]
        except FileNotFoundError:
            kinds[path] = None
    return kinds


def describe(pid):
    """What a process that should not be there is doing."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status, open(f"/proc/{pid}/wchan", encoding="ascii") as wait:
            return pid, status.read().split("\n")[:3], wait.read(), {fd: os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    except OSError as error:
        return pid, str(error)


class AttackTest(harness.ServerTest):
    """A server to attack, its neighbour, and the host's files."""
    has_neighbour = True

    @classmethod
    def setUpClass(cls):
        cls.host_before = host_files()
        super().setUpClass()
        if cls.has_neighbour:
            cls.neighbour = Neighbour()
            cls.addClassCleanup(cls.neighbour.close)

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        after = host_files()
        changed = [kind for kind in after if after[kind] != cls.host_before[kind]]
        if changed:
            raise AssertionError(f"changed on the host: {changed}")

    def setUp(self):
        self.since = time.monotonic()

    def attack(self, code, language="python", timeout=5, **more):
        """Runs a job and holds it to the invariant. The reply's JSON, with the whole stdout as bytes under "raw" when asked for later by
        the caller; took_s is added."""
        started = time.monotonic()
        result = self.server.execute(code, language, timeout=timeout, **more)
        result["took_s"] = time.monotonic() - started
        self.assertLess(result["took_s"], timeout + GRACE_S + START_S)
        self.check_recovered(started)
        return result

    def check_recovered(self, since=None):
        """Rule 2."""
        hello = self.server.execute("print('hello')", "python", session="hello")
        self.assertEqual((hello["exitCode"], hello.get("stdout"), hello.get("stderr")), (0, "hello\n", None))
        left = self.server.leaks()
        self.assertEqual(left, {}, [describe(pid) for pid in left.get("processes", [])])
        if self.has_neighbour:
            jobs, noticed = self.neighbour.check(self.since if since is None else since)
            self.assertEqual(noticed, [])
            self.assertGreater(jobs, 0)

    def probe(self, code, language="python", timeout=10, **more):
        """attack() for a program that prints one JSON object, which is returned."""
        result = self.attack(code, language, timeout, **more)
        self.assertEqual(result["exitCode"], 0, result)
        return json.loads(self.server.output(result))


class Folder:
    """A folder with a file system of its own, taken down at the end."""

    def __init__(self, path, options):
        self.path = path
        os.makedirs(path, exist_ok=True)
        harness.subprocess.run(["mount", "-t", "tmpfs", "-o", options, "mayfly-test", path], check=True)

    def close(self):
        harness.subprocess.run(["umount", "--lazy", self.path], check=True)


def copy_programs(folder):
    """A copy of our programs, for a test that breaks one."""
    os.makedirs(folder)
    for name in ("mayfly", "mayfly-engine", "mayfly-init", "mayfly-reap", "mayfly-static"):
        shutil.copy2(os.path.join(harness.BUILD, name), folder)
    return folder
