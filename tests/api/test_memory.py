"""Memory that is not there (src/server/server.h, rule 3): its API's 503, and nothing is left."""
import json
import os
import socket
import subprocess
import tempfile
import unittest

import harness

LIMIT_KIB = 16 << 10  # of addresses: ordinary jobs run in it, these requests do not
STATIC_LIMIT_KIB = 3 << 10
MESSAGE = "The request needs more memory than there is; try a smaller one"
# each API's routes, what a job of it looks like, and its errors
AGENT = "/api/v1/ai/agents/a/auto-run"
SHAPES = {
    "/run": {"statusCode": 503, "code": "out_of_memory", "error": "Service Unavailable", "message": MESSAGE},
    "/execute": {"status": "error", "error": MESSAGE},
    "/v1/runs": {"error": MESSAGE, "data": None},
    AGENT: {"success": False, "message": MESSAGE},
}
LARGE = "import sys; [stream.write(chr(0) * (1 << 20)) for stream in (sys.stdout, sys.stderr)]"  # six bytes of JSON for each
PAGE = {"html": "<html></html>", "css": "a {}", "javascript": "console.log('a script')"}
JOBS = {
    "/run": {"sessionId": "large", "language": "python", "code": LARGE},
    "/execute": {"tenant_id": "t", "scope": "s", "code": LARGE},
    "/v1/runs": {"language": "python", "code": LARGE},
    AGENT: {"frontend": PAGE, "test": "for (const to of [process.stdout, process.stderr]) to.write('\\0'.repeat(1 << 20));"},
}


def limited(folder, program, limit_kib, libexec=harness.BUILD):
    """A program that starts ours with so many addresses, and its other programs in libexec."""
    path = os.path.join(folder, program)
    with open(path, "w", encoding="ascii") as script:
        script.write(f"#!/bin/sh\nulimit -S -v {limit_kib}\nMAYFLY_LIBEXEC_DIR={libexec} exec {harness.BUILD}/{program}\n")
    os.chmod(path, 0o755)
    return path


@unittest.skipIf("san" in harness.BUILD, "a sanitizer's shadow alone is terabytes of addresses")
class Limited(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.chmod(self.folder, 0o755)

    def serve(self, program, **more):
        server = harness.Server(program=program, **more)
        self.addCleanup(server.close)
        return server

    def assert_refused(self, reply, shape):
        self.assertEqual((reply.status, json.loads(reply.body)), (503, shape))
        self.assertEqual((reply.headers["retry-after"], reply.headers["x-content-type-options"]), ("1", "nosniff"))
        self.assertEqual(int(reply.headers["content-length"]), len(reply.body))


class Worst(unittest.TestCase):
    """What a request's body can make of mayfly stays within its unit's MemoryMax (systemd/system/mayfly@.service)."""
    ROUTES = {"/run": 1, "/tools/execute": 32, "/execute": 16, "/session/create": 16, "/session/execute": 16, "/v1/runs": 1, "/templates": 1,
              "/validate": 2, AGENT: 2}  # MiB that the body may have
    # how a body begins, what it repeats, at most how often, and how it ends
    SHAPES = {
        "empty objects": (b'{"x":[', b"{},", None, b"0]}"),
        "as many values as are taken": (b'{"x":[', b"{},", 199000, b"0]}"),
        "one string": (b'{"code":"', b"x", None, b'"}'),
        "escapes": (b'{"code":"', b"\\u0041", None, b'"}'),
        "a file": (b'{"tenant_id":"t","scope":"s","code":"1","files":{"f":"', b"x", 10 << 20, b'"}}'),
    }

    def peak_mib(self, path, body, size):
        """The status, and the most memory that one mayfly had: at least this process's own, which therefore holds no body."""
        with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener, \
                socket.create_connection(listener.getsockname(), harness.DEADLINE_S) as client:
            server, _ = listener.accept()
            with server:
                process = subprocess.Popen([os.path.join(harness.BUILD, "mayfly")], stdin=server, stdout=server, stderr=subprocess.DEVNULL, env={
                    "HOME": folder, "MAYFLY_RUN_DIR": folder + "/run", "MAYFLY_DATA_DIR": os.path.join(harness.ROOT, "worker"),
                    "DOCKER_SOCKET_PATH": folder + "/none"})
            try:
                client.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n".encode())
                client.sendfile(body)
                reply = harness.read_all(client)
            except (BrokenPipeError, ConnectionResetError):
                reply = b"HTTP/1.1 hung-up "
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        return reply.split(b" ")[1].decode(), usage.ru_maxrss / 1024

    def test_each_route(self):
        for path, mib in self.ROUTES.items():
            for shape, (head, piece, most, tail) in self.SHAPES.items():
                count = ((mib << 20) - len(head) - len(tail)) // len(piece)
                with self.subTest(path=path, shape=shape), tempfile.TemporaryFile() as body:
                    body.write(head)
                    left = min(count, most or count)
                    while left:
                        body.write(piece * min(left, 10000))
                        left -= min(left, 10000)
                    body.write(tail)
                    size = body.tell()
                    body.seek(0)
                    status, peak = self.peak_mib(path, body, size)
                    self.assertIn(status, ("400", "403", "404", "500", "503"))  # there is no engine
                    self.assertLess(peak, 256)


class Mayfly(Limited):
    def setUp(self):
        super().setUp()
        limited(self.folder, "mayfly-engine", "unlimited")  # it alone loads thirty libraries
        # a slot that were held would refuse the next job
        self.server = self.serve(limited(self.folder, "mayfly", LIMIT_KIB, self.folder), MAX_CONCURRENT_RUNS="1",
                                 MAYFLY_SLOT_WAIT_MS="50")

    def check_whole(self):
        """The next job succeeds; no container, no half result."""
        harness.until(lambda: not self.server.processes(), "our processes end")
        self.assertEqual(self.server.execute("echo hello")["stdout"], "hello\n")
        incoming = os.path.join(self.server.storage, ".incoming")
        for name in os.listdir(incoming):
            os.utime(os.path.join(incoming, name), (0, 0))  # older than the reaper waits for
        self.assertEqual(self.server.reap().returncode, 0)
        self.assertEqual(self.server.leaks(), {})
        for folder, folders, files in os.walk(self.server.storage):
            if os.path.basename(folder).startswith("job-"):
                self.assertLessEqual({"stdout", "stderr"}, set(files), folder)

    def test_a_large_body(self):
        body = b'{"x":[' + b"{}," * 150000 + b"0]}"  # half a MB of text, an object each three bytes
        for path, shape in SHAPES.items():
            with self.subTest(path):
                reply = self.server.request("POST", path, body, {"Content-Type": "application/json", "X-Request-ID": "mine"})
                self.assert_refused(reply, shape)
                self.assertEqual(reply.headers.get("x-request-id"), "mine" if path == "/execute" else None)
        self.assertEqual(self.server.podman.containers(self.server.instance), [])
        self.check_whole()

    def test_a_body_that_does_not_fit(self):
        body = {"tool": "code_execution", "sessionId": "large", "code": "true", "args": ["x" * (30 << 20)]}
        self.assert_refused(self.server.request("POST", "/tools/execute", body), SHAPES["/run"])
        self.check_whole()

    def test_a_reply_that_grows_large(self):
        for path, job in JOBS.items():
            with self.subTest(path):
                self.assert_refused(self.server.request("POST", path, job), SHAPES[path])
                self.check_whole()
        self.assertEqual(self.server.logs().count('status=503'), len(JOBS))
        for path in ("/v1/runs", os.path.dirname(AGENT) + "/runs"):
            self.assertIn(b'"runs":[]', self.server.request("GET", path).body)


class Static(Limited):
    def test_a_list_that_grows_large(self):
        server = self.serve(limited(self.folder, "mayfly-static", STATIC_LIMIT_KIB), engine=False)
        job = os.path.join(server.storage, "s", "job-AbC_-9")
        os.makedirs(job)
        for number in range(4000):
            with open(os.path.join(job, f"{number:0200d}"), "wb"):
                pass
        self.assert_refused(server.request("GET", "/artifacts/s/AbC_-9?list"), SHAPES["/run"])
        self.assertEqual(server.request("GET", "/debug").status, 200)


if __name__ == "__main__":
    harness.main()
