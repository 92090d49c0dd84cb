"""What is logged, as the journal gets it: a datagram socket of this test's own stands where journald's would, in a mount namespace of
the service's own, so nothing goes to the host's journal. mayflyctl logs is given a journalctl that says what it was asked."""
import contextlib
import json
import os
import re
import select
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import harness

SECRETS = ("k3y-of-the-operator", "s1gning-s3cret", "env-s3cret-value", "code-s3cret-text")
MARK, END = b"MARK=\n", b"END=\n"  # a test's own datagrams
LIMIT, WINDOW_S = 200, 60  # LOG_WINDOW_LINES, LOG_WINDOW_S
# in a mount namespace journald's folder is this test's; standard error is what JOURNAL_STREAM names
WRAPPER = """#!/bin/bash
exec unshare --mount --propagation=private bash -c '
mount -t tmpfs mayfly-test /run/systemd && mkdir /run/systemd/journal && mount --bind {folder} /run/systemd/journal || exit 1
export JOURNAL_STREAM={stream}
exec {program}'
"""


def parse(datagram):
    """The fields of an entry in the journal's native protocol, each once."""
    fields = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        if b"=" in line:
            name, _, value = line.partition(b"=")
        else:
            name = line
            length, = struct.unpack("<Q", rest[:8])
            value, rest = rest[8:8 + length], rest[8 + length:]
            assert rest[:1] == b"\n", datagram
            rest = rest[1:]
        assert name not in fields, datagram
        fields[name.decode()] = value.decode()
        datagram = rest
    return fields


class Journal:
    """Takes datagrams where journald would."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="mayfly-journal-")
        os.chmod(self.folder, 0o755)
        self.raw = []
        self.reading = threading.Lock()
        self.marks = threading.Semaphore(0)
        self.socket = self.listen()
        self.thread = threading.Thread(target=self.take, daemon=True)
        self.thread.start()

    def listen(self):
        path = os.path.join(self.folder, "socket")
        taker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        taker.bind(path)
        os.chmod(path, 0o666)
        return taker

    def take(self):
        while True:
            with self.reading:
                if not select.select([self.socket], [], [], 0.02)[0]:
                    continue
                datagram = self.socket.recv(65536)
            if datagram == END:
                return
            if datagram == MARK:
                self.marks.release()
            else:
                self.raw.append(datagram)

    def send(self, datagram):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(datagram, os.path.join(self.folder, "socket"))

    def settle(self, server):
        """Waits until everything is there that the server's processes had to say."""
        harness.until(lambda: not server.processes(), "everybody has logged")
        self.send(MARK)
        assert self.marks.acquire(timeout=harness.DEADLINE_S)

    def paused(self):
        """While this is held nothing is read."""
        return self.reading

    def entries(self, **wanted):
        """Those that have these values; keys without MAYFLY_."""
        found = [parse(datagram) for datagram in list(self.raw)]
        return [entry for entry in found if all(entry.get("MAYFLY_" + key) == value for key, value in wanted.items())]

    def wait(self, count=1, **wanted):
        harness.until(lambda: len(self.entries(**wanted)) >= count, f"{count} entries with {wanted}")
        return self.entries(**wanted)

    def close(self):
        self.send(END)
        self.thread.join(harness.DEADLINE_S)
        self.socket.close()
        shutil.rmtree(self.folder)


class LogsTest(unittest.TestCase):
    def setUp(self):
        self.journal = Journal()
        self.addCleanup(self.journal.close)

    def wrapped(self, program, stream="$(stat --dereference --format=%d:%i /proc/self/fd/2)"):
        """A program of ours that finds this test's journal."""
        path = os.path.join(self.journal.folder, program)
        with open(path, "w", encoding="utf-8") as script:
            script.write(WRAPPER.format(folder=self.journal.folder, stream=stream, program=os.path.join(harness.BUILD, program)))
        os.chmod(path, 0o755)
        return path

    def serve(self, program="mayfly", stream=None, **environment):
        server = harness.Server(self.wrapped(program, **({"stream": stream} if stream else {})), **environment)
        self.addCleanup(server.close)
        return server


def runs_with(argument):
    """Is there a process with this argument?"""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as cmdline:
            if argument.encode() in cmdline.read().split(b"\0"):
                return True
    return False


def lines(server):
    """What our programs wrote to standard error; systemd-socket-activate writes there, too."""
    return [line for line in server.logs().splitlines() if re.match(r"(<\d>)?mayfly", line)]


class Requests(LogsTest):
    def test_a_job(self):
        with tempfile.NamedTemporaryFile() as stamp:  # no other test's image makes a pooled container an old one
            self.check_jobs(self.serve(MAYFLY_POOL="1", MAYFLY_IMAGE_STAMP=stamp.name))

    def check_jobs(self, server):
        for pooled in ("miss", "hit"):
            reply = server.execute("print(6 * 7)", "python")
            entry, = self.journal.wait(JOB=reply["id"])
            container = entry.pop("MAYFLY_CONTAINER")
            self.assertRegex(container, "^c-[0-9a-f]{24}$")
            for name in ("DURATION_US", "PROGRAM_US", "ANSWERED_US", *(("ASKED_US", "ENGINE_US") if pooled == "miss" else ())):
                self.assertRegex(entry.pop("MAYFLY_" + name), "^[0-9]+$", name)
            message = entry.pop("MESSAGE")
            self.assertEqual(entry, {
                "PRIORITY": "6", "SYSLOG_IDENTIFIER": "mayfly", "MAYFLY_METHOD": "POST", "MAYFLY_PATH": "/tools/execute",
                "MAYFLY_ROUTE": "/tools/execute", "MAYFLY_STATUS": "200", "MAYFLY_KEY": "loopback", "MAYFLY_JOB": reply["id"],
                "MAYFLY_FAMILY": "A", "MAYFLY_LANGUAGE": "python", "MAYFLY_TEMPLATE": "tool", "MAYFLY_OUTCOME": "succeeded",
                "MAYFLY_POOL": pooled})
            self.assertRegex(message, r'^method="POST" path="/tools/execute" .* status=200 ')
        self.assertEqual(lines(server), [], "nothing is written twice")
        harness.until(lambda: not server.processes(), "the pooled container is made")
        subprocess.run([os.path.join(harness.BUILD, "mayflyctl"), "pool", "drop", "all"], env=server.environment, check=True,
                       stdout=subprocess.DEVNULL, timeout=harness.DEADLINE_S)

    def test_what_a_client_writes_begins_no_field(self):
        server = self.serve(engine=False)
        server.raw(b"GET /x\"%0AMAYFLY_JOB=forged%0A HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: a\xffMAYFLY_JOB=b\r\n\r\n")
        server.raw(b"BREW\"=x /\\MAYFLY_JOB=forged HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for entry in self.journal.wait(2):
            self.assertLessEqual(set(entry), {"PRIORITY", "SYSLOG_IDENTIFIER", "MESSAGE", *(
                "MAYFLY_" + name for name in ("METHOD", "PATH", "STATUS", "DURATION_US", "ANSWERED_US", "CODE"))})
            self.assertTrue(entry["MESSAGE"].isascii() and entry["MESSAGE"].isprintable(), entry)

    def test_no_secret(self):
        key, signing, value, code = SECRETS
        server = self.serve(API_KEYS=f"{key}:the-label:50:50", SIGNING_KEY=signing, EXECUTOR_API_KEY=key, JWT_SECRET=signing)
        bearer = {"Authorization": "Bearer " + key}
        reply = server.request("POST", "/v1/runs", {"language": "python", "code": f"open('outputs/{code}', 'w').write('x'); print('{code}')",
                                                    "env": {"SECRET": value}, "stdin": code, "args": [code]}, bearer)
        run = json.loads(reply.body)
        self.assertEqual((reply.status, run["status"]), (200, "succeeded"), run)
        link = run["artifacts"][0]["url"]
        path = link[link.index("/v1/"):]
        self.assertEqual(server.request("GET", path).status, 200)
        signature = path.partition("sig=")[2]
        self.assertTrue(signature)
        server.request("POST", "/v1/runs", {"language": "python", "code": code}, {"Authorization": "Bearer " + value})
        server.request("POST", "/execute", {"code": code, "language": "python"}, {"X-API-Key": value})
        self.journal.wait(KEY="the-label", JOB=run["id"], FAMILY="C")
        self.journal.wait(STATUS="401")
        self.journal.settle(server)
        said = b"".join(self.journal.raw).decode(errors="replace") + server.logs()
        for secret in (*SECRETS, signature):
            self.assertNotIn(secret, said)

    def test_the_static_handler(self):
        server = self.serve("mayfly-static", engine=False)
        self.assertEqual(server.request("GET", "/artifacts/nobody/ABCDEF/stdout?sig=s3cret").status, 404)
        entry, = self.journal.wait(STATUS="404")
        self.assertEqual((entry["SYSLOG_IDENTIFIER"], entry["MAYFLY_PATH"]), ("mayfly-static", "/artifacts/nobody/ABCDEF/stdout"))
        self.assertEqual(lines(server), [])


class Elsewhere(LogsTest):
    """Where the line goes instead."""

    def test_another_standard_error_gets_the_line(self):
        server = self.serve(engine=False, stream="1:1")
        self.assertEqual(server.request("GET", "/nowhere").status, 404)
        said = harness.until(lambda: lines(server), "the line")
        self.assertRegex("".join(said), '^mayfly method="GET" path="/nowhere" status=404 ')  # no level, which is for journald
        self.journal.settle(server)
        self.assertEqual(self.journal.entries(), [])

    def test_without_a_journal_the_line_has_its_level(self):
        server = self.serve(engine=False)
        path = os.path.join(self.journal.folder, "socket")
        os.rename(path, path + ".gone")
        self.assertEqual(server.request("GET", "/nowhere").status, 404)
        said = harness.until(lambda: lines(server), "the line")
        os.rename(path + ".gone", path)
        self.assertRegex("".join(said), '^<6>mayfly method="GET" path="/nowhere" status=404 ')
        self.journal.settle(server)
        self.assertEqual(self.journal.entries(), [])

    def test_one_that_does_not_keep_up_stops_nobody(self):
        server = self.serve(engine=False)
        with open("/proc/sys/net/unix/max_dgram_qlen", encoding="ascii") as file:
            room = int(file.read()) + 1
        with self.journal.paused():
            for _ in range(room + 8):
                self.assertEqual(server.request("GET", "/tools").status, 200)
            harness.until(lambda: not server.processes(), "nobody waits for the journal")
        self.journal.settle(server)
        self.assertTrue(0 < len(self.journal.entries()) <= room)
        self.assertEqual(lines(server), [])


class Flood(LogsTest):
    """Refusals in the journal are bounded; jobs and failures are not hidden by them."""

    def setUp(self):
        super().setUp()
        self.server = self.serve(RUNNER_IMAGE_PYTHON="localhost/mayfly-no-such-image:none")

    def fill(self, window, refusals, failures=0):
        """As if so many lines were written in this window already."""
        os.makedirs(self.server.run, mode=0o700, exist_ok=True)
        with open(os.path.join(self.server.run, "log-mayfly"), "wb") as file:
            file.write(struct.pack("=QQQQ", window, refusals, window, failures))

    def within_a_window(self, test):
        """Runs a test of one window; again, when time went on to the next meanwhile."""
        while True:
            window = int(time.clock_gettime(time.CLOCK_BOOTTIME)) // WINDOW_S
            self.journal.raw.clear()
            said = test(window)
            self.journal.settle(self.server)
            if int(time.clock_gettime(time.CLOCK_BOOTTIME)) // WINDOW_S == window:
                return said

    def test_refusals_end_at_the_limit(self):
        def flood(window):
            self.fill(window, LIMIT - 2)
            for _ in range(5):
                self.assertEqual(self.server.request("GET", "/nowhere").status, 404)
        self.within_a_window(flood)
        self.assertEqual(len(self.journal.entries(STATUS="404")), 2)
        self.assertEqual(lines(self.server), [])

    def test_a_job_and_a_failure_are_told_all_the_same(self):
        def flood(window):
            self.fill(window, LIMIT)
            self.assertEqual(self.server.request("GET", "/nowhere").status, 404)
            reply = self.server.execute("exit 3")
            failed = self.server.request("POST", "/v1/runs", {"language": "python", "code": "1"})
            return reply["id"], failed.status
        job, status = self.within_a_window(flood)
        self.assertEqual(self.journal.entries(STATUS="404"), [])
        self.assertEqual([entry["MAYFLY_OUTCOME"] for entry in self.journal.entries(JOB=job)], ["failed"])
        self.assertGreaterEqual(status, 500)
        self.assertEqual(len(self.journal.entries(STATUS=str(status), METHOD="POST")), 1)

    def test_the_next_window_says_what_is_missing(self):
        def begin(window):
            self.fill(window - 1, LIMIT + 50)
            self.server.request("GET", "/nowhere")
            self.journal.settle(self.server)
            self.server.request("GET", "/nowhere")
        self.within_a_window(begin)
        self.assertEqual([entry.get("MAYFLY_SUPPRESSED") for entry in self.journal.entries()], ["50", None])


class Behind(LogsTest):
    """What mayfly-engine and mayfly-reap have to say of a job."""

    def test_the_engine_names_the_job(self):
        server = self.serve(RUNNER_IMAGE_PYTHON="localhost/mayfly-no-such-image:none")
        server.request("POST", "/v1/runs", {"language": "python", "code": "1"})
        engine, = self.journal.wait(VERB="make")
        self.assertEqual((engine["SYSLOG_IDENTIFIER"], engine["PRIORITY"], engine["MAYFLY_ERROR"]), ("mayfly-engine", "3", "image_missing"))
        self.assertRegex(engine["MAYFLY_JOB"], "^run_")
        request, = self.journal.wait(METHOD="POST", JOB=engine["MAYFLY_JOB"])
        self.assertEqual((request["SYSLOG_IDENTIFIER"], request["MAYFLY_CODE"], request["MAYFLY_OUTCOME"]), ("mayfly", "image_missing", "error"))

    def test_the_reaper_names_the_container(self):
        server = self.serve()
        server.execute("true")
        harness.until(lambda: not server.processes(), "the job's end")
        folder = "c-" + os.urandom(12).hex()
        path = os.path.join(server.run, "jobs", folder)
        os.mkdir(path)
        os.utime(path, (1, 1))
        subprocess.run([self.wrapped("mayfly-reap")], env=server.environment, stdin=subprocess.DEVNULL, stdout=server.log, stderr=server.log,
                       timeout=harness.DEADLINE_S, check=True)
        removed, = self.journal.wait(REMOVED="container")
        self.assertEqual((removed["SYSLOG_IDENTIFIER"], removed["MAYFLY_CONTAINER"]), ("mayfly-reap", folder))
        self.assertEqual([entry["MESSAGE"].split()[0] for entry in self.journal.wait(CONTAINERS="1")], ["results=0"])

    def test_the_reaper_names_the_job_that_a_container_was_made_for(self):
        server = self.serve()
        token = os.urandom(8).hex()
        body = json.dumps({"language": "python", "code": "import time; time.sleep(600)", "args": [token], "limits": {"timeout_ms": 10000}}).encode()
        with server.connect() as connection:
            connection.sendall(b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                               % (len(body), body))
            harness.until(lambda: runs_with(token), "the program")  # from then on the container ends with who talks to it
            container, = server.podman.containers(server.instance)
            job = container["Labels"]["mayfly.job"]
            self.assertRegex(job, "^run_")
            for number in (signal.SIGSTOP, signal.SIGKILL):  # none may see another end
                for pid in server.processes():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)

        def reaped():
            subprocess.run([self.wrapped("mayfly-reap")], env=server.environment, stdin=subprocess.DEVNULL, stdout=server.log, stderr=server.log,
                           timeout=harness.DEADLINE_S, check=True)
            return self.journal.entries(REMOVED="container", JOB=job)
        removed, = harness.until(reaped, "the container's removal")
        self.assertEqual(removed["MAYFLY_CONTAINER"], container["Labels"]["mayfly.folder"])


class Shown(unittest.TestCase):
    """mayflyctl logs, with a journalctl that says what it was asked."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mayfly-logs-")
        self.addCleanup(shutil.rmtree, self.folder)
        for name in ("pool", "jobs"):
            os.mkdir(os.path.join(self.folder, name))
            os.chown(os.path.join(self.folder, name), *((7001, 0) if name == "pool" else (7002, 0)))

    def journalctl(self, first="c-0123456789abcdef01234567\nYx1_aB\nc-0123456789abcdef01234567\n; rm\n"):
        """Says what the journal has to the first question, and what was asked to the second."""
        path = os.path.join(self.folder, "journalctl")
        with open(path, "w", encoding="utf-8") as script:
            script.write("#!/bin/bash\nprintf '%s\\n' \"$*\" >>\"$0.asked\"\n"
                         f"[[ $* != *--output-fields=* ]] || printf %s {shlex.quote(first)}\n")
        os.chmod(path, 0o755)

    def logs(self, *arguments, path=None):
        environment = {"PATH": path or self.folder + ":" + os.environ["PATH"], "HOME": self.folder, "MAYFLY_RUN_DIR": self.folder}
        return subprocess.run([os.path.join(harness.BUILD, "mayflyctl"), "logs", *arguments], env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.DEADLINE_S, check=False)

    def asked(self):
        with open(os.path.join(self.folder, "journalctl.asked"), encoding="utf-8") as file:
            return file.read().splitlines()

    def test_the_job_and_its_container_are_asked_for(self):
        self.journalctl()
        ours = "_UID=7001 _UID=7002"
        containers = f"+ {ours} MAYFLY_CONTAINER=c-0123456789abcdef01234567"
        for arguments, options in ((("Yx1_aB",), ""), (("--json", "Yx1_aB"), "--output=json "), (("Yx1_aB", "--follow"), "--follow ")):
            with self.subTest(arguments=arguments):
                done = self.logs(*arguments)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                first, second = self.asked()[-2:]
                self.assertEqual(first, f"--no-pager --quiet --output=cat --output-fields=MAYFLY_CONTAINER,MAYFLY_JOB {ours} MAYFLY_JOB=Yx1_aB")
                self.assertEqual(second, f"--no-pager --quiet {options}{ours} MAYFLY_JOB=Yx1_aB {containers}")

    def test_what_is_no_id_is_refused(self):
        self.journalctl()
        for arguments in ((), ("a", "b"), ("--boot",), ("a=b",), ("",), ("a b",), ("+",), ("a\nb",), ("x" * 64,), ("--json",), ("é",)):
            with self.subTest(arguments=arguments):
                done = self.logs(*arguments)
                self.assertEqual((done.returncode, done.stdout), (64, ""))
                self.assertIn("mayflyctl logs", done.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "journalctl.asked")))

    def test_where_the_lines_are_else(self):
        self.journalctl(first="")
        done = self.logs("Yx1_aB")
        self.assertEqual((done.returncode, done.stdout), (65, ""))
        self.assertIn("systemd-journal", done.stderr)
        done = self.logs("Yx1_aB", path="/nonexistent")
        self.assertEqual(done.returncode, 69)
        self.assertIn('look for job="Yx1_aB"', done.stderr)


if __name__ == "__main__":
    harness.main()
