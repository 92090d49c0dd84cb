"""What the tests of pooled containers share: servers that have them, mayflyctl, and one process of mayfly by itself.

Each test has a kind of its own (a file name), so that none finds what another left. Where a test needs one mayfly by itself (another
environment, a kill at a moment of its choosing) it starts it on a socket pair, as systemd would.
"""
import contextlib
import json
import os
import re
import socket
import subprocess
import tempfile

import harness

MAYFLY = os.path.join(harness.BUILD, "mayfly")
MAYFLYCTL = os.path.join(harness.BUILD, "mayflyctl")
NO_ENGINE = {"DOCKER_SOCKET_PATH": "/run/mayfly-test/no-such.sock"}


class Child:
    """One mayfly with one request, on a socket pair."""

    def __init__(self, server, body, path="/tools/execute", **environment):
        self.log_path = os.path.join(server.folder, "child-" + os.urandom(4).hex())
        self.connection, theirs = socket.socketpair()
        with theirs, open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([MAYFLY], stdin=theirs, stdout=log, stderr=log, env={**server.environment, **environment})
        text = json.dumps(body).encode()
        self.connection.settimeout(harness.DEADLINE_S)
        self.connection.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
            path.encode(), len(text), text))

    def answer(self):
        """(status, JSON) as soon as all of it is there: mayfly goes on to clean up."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.piece()
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
        while len(body) < length:
            body += self.piece()
        return int(head.split()[1]), json.loads(body)

    def piece(self):
        data = self.connection.recv(65536)
        assert data, self.log()
        return data

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.connection.close()

    def log(self):
        with open(self.log_path, encoding="utf-8") as log:
            return log.read()

    def finish(self):
        """Waits for the end of the cleaning up; returns the log."""
        self.process.wait(harness.DEADLINE_S)
        self.connection.close()
        return self.log()


def request(code, language="bash", filename="script.js", **more):
    return {"tool": "code_execution", "sessionId": "s", "language": language, "filename": filename, "code": code, **more}


class Site(harness.Server):
    """A server with pooled containers, whose kinds change only when a test says so."""

    def __init__(self, **environment):
        self.stamp = tempfile.mkstemp(prefix="mayfly-stamp-")[1]
        settings = {"MAYFLY_POOL": "1", "MAYFLY_POOL_TOTAL": "64", "MAYFLY_IMAGE_STAMP": self.stamp, "MAX_CONCURRENT_RUNS": "16"}
        super().__init__(**{**settings, **environment})

    def close(self):
        super().close()
        os.unlink(self.stamp)

    def ctl(self, *arguments, **environment):
        return subprocess.run([MAYFLYCTL, *arguments], env={**self.environment, **environment}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=2 * harness.DEADLINE_S, check=False)

    def warm(self, *arguments, **environment):
        done = self.ctl("warm", *arguments, **environment)
        assert done.returncode == 0, (done, self.logs()[-2000:])
        return done.stdout

    def listed(self):
        done = self.ctl("pool", "--json")
        assert done.returncode == 0, done
        return json.loads(done.stdout)

    def waiting(self, filename=None):
        """The pooled containers of a kind, by the file name that its label ends with."""
        return [pooled for pooled in self.listed()["pool"] if filename is None or re.search(r"\W" + re.escape(filename) + "$", pooled["label"])]

    def counters(self):
        return self.listed()["counters"]

    def folders(self, prefix=""):
        path = os.path.join(self.run, "jobs")
        return [name for name in os.listdir(path) if name.startswith(prefix)] if os.path.isdir(path) else []

    def run_child(self, *arguments, **more):
        """One job on a mayfly of its own, cleaned up; (status, JSON, log)."""
        child = Child(self, *arguments, **more)
        status, reply = child.answer()
        return status, reply, child.finish()

    def container(self, pooled):
        """What the engine knows of the container of a folder."""
        digits = pooled["folder"][-24:]
        found = [c for c in self.podman.containers(self.instance) if c["Labels"]["mayfly.folder"].endswith(digits)]
        assert len(found) == 1, (pooled, found)
        return self.podman.inspect(found[0]["Id"])

    def drop(self):
        done = self.ctl("pool", "drop", "all")
        assert done.returncode == 0, done

    def swept(self, deadline_s=harness.DEADLINE_S):
        """Reaps until nothing is left but what waits; says what is left if that never comes."""
        def left():
            assert self.reap().returncode == 0
            kept = {name[-24:] for name in self.folders("s-")}
            containers = [c["Id"][:12] for c in self.podman.containers(self.instance) if c["Labels"]["mayfly.folder"][-24:] not in kept]
            making = os.listdir(os.path.join(self.run, "making"))
            return [*containers, *self.folders("c-"), *making, *self.processes()]
        with contextlib.suppress(AssertionError):
            harness.until(lambda: not left(), "nothing left", deadline_s)
        return left()


class PoolTest(harness.ServerTest):
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Site(**cls.settings)
        cls.addClassCleanup(cls.server.close)

    @classmethod
    def tearDownClass(cls):
        harness.until(lambda: not cls.server.processes(), "all processes ended")
        cls.server.drop()
        cls.server.reap()
        super().tearDownClass()

    def assertCounted(self, before, **expected):
        """The counters grew by this much, and by nothing else."""
        after = self.server.counters()
        grown = {name: after[name] - before[name] for name in ("claims", "misses", "refills")}
        self.assertEqual(grown, {"claims": 0, "misses": 0, "refills": 0, **expected})
