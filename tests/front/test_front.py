"""nginx and Caddy in front of mayfly, by the very files of systemd/front: TLS, streams, hang-ups, sizes, keys, requests meant to be read in two ways.

Rules:
 1. In a file only the name, the addresses and the certificate are replaced, and each of these must be there to be replaced.
 2. The fronts run as processes of the test, on free loopback ports, with folders of their own; nothing of the host's is read or started.
"""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import unittest

import harness

NAME = "mayfly.example.org"
KEY = "a-key-for-tests-of-fronts"
FRONT = os.path.join(harness.ROOT, "systemd/front")
BODY_MAX_BYTES = 32 << 20


def replaced(path, changes):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for old, new in changes.items():
        assert old in text, f"{path} lacks {old!r}"
        text = text.replace(old, new)
    return text


def start_nginx(folder, port, upstream, certificate, key):
    snippet = replaced(os.path.join(FRONT, "nginx.conf"), {
        "server 127.0.0.1:8080;": f"server {upstream};", "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        f"/etc/ssl/{NAME}.pem": certificate, f"/etc/ssl/private/{NAME}.key": key})
    places = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    with open(os.path.join(folder, "nginx.conf"), "w", encoding="utf-8") as file:
        file.write(f"user root;\ndaemon off;\nworker_processes 1;\npid {folder}/pid;\nerror_log stderr warn;\n"
                   f"events {{}}\nhttp {{\naccess_log off;\n{places}{snippet}}}\n")
    return ["/usr/sbin/nginx", "-e", "stderr", "-p", folder, "-c", os.path.join(folder, "nginx.conf")]


def start_caddy(folder, port, upstream, certificate, key):
    text = replaced(os.path.join(FRONT, "Caddyfile"), {
        f"\n{NAME} {{\n": f"\nhttps://{NAME}:{port} {{\n\ttls {certificate} {key}\n", "\n{\n": "\n{\n\tadmin off\n\tauto_https disable_redirects\n"
        "\tdefault_bind 127.0.0.1\n", "reverse_proxy 127.0.0.1:8080": f"reverse_proxy {upstream.replace('unix:', 'unix/')}"})
    path = os.path.join(folder, "Caddyfile")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return ["/usr/bin/caddy", "run", "--config", path, "--adapter", "caddyfile"]


class Front:
    """A front, with a certificate that it made for itself, before a server."""

    def __init__(self, start, upstream):
        self.folder = tempfile.mkdtemp(prefix="mayfly-front-")
        os.chmod(self.folder, 0o755)
        self.certificate, key = os.path.join(self.folder, "cert.pem"), os.path.join(self.folder, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", key, "-out", self.certificate],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.port = harness.free_port()
        self.host = f"{NAME}:{self.port}"
        self.log_path = os.path.join(self.folder, "log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(start(self.folder, self.port, upstream, self.certificate, key), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True, env={"PATH": "/usr/sbin:/usr/bin:/bin", "HOME": self.folder})
        harness.until(self._listens, "the front listens")

    def _listens(self):
        assert self.process.poll() is None, self.logs()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def logs(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def connect(self):
        context = ssl.create_default_context(cafile=self.certificate)
        return context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), timeout=harness.DEADLINE_S), server_hostname=NAME)

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.host, timeout=harness.DEADLINE_S)
        connection.sock = self.connect()
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        connection.request(method, path, body, {"X-API-Key": KEY, "Connection": "close", "Content-Type": "application/json", **(headers or {})})
        reply = connection.getresponse()
        result = harness.Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
        connection.close()
        return result

    def raw(self, data):
        with self.connect() as connection:
            connection.sendall(data)
            return harness.read_all(connection)

    def close(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(harness.DEADLINE_S)
        shutil.rmtree(self.folder, ignore_errors=True)


def head(*lines, method="POST /run HTTP/1.1", host=NAME):
    return "\r\n".join([method, f"Host: {host}", f"X-API-Key: {KEY}", *lines]).encode() + b"\r\n\r\n"


class FrontTest(harness.ServerTest):
    start = None
    reads_bodies = True  # as a whole, before mayfly hears of the request
    has_socket = False  # mayfly listens on a Unix socket, as unix-socket.conf has it
    environment = {"BIND": NAME, "PUBLIC_BASE_URL": f"https://{NAME}", "EXECUTOR_API_KEY": KEY}

    @classmethod
    def setUpClass(cls):
        cls.server = harness.Server(unix=cls.has_socket, **cls.environment)
        cls.addClassCleanup(cls.server.close)
        cls.front = Front(cls.start, cls.server.address)
        cls.addClassCleanup(cls.front.close)

    def run_job(self, code, session="front", **more):
        reply = self.front.request("POST", "/run", {"sessionId": session, "code": code, **more})
        self.assertEqual(200, reply.status, (reply.body, self.front.logs()[-2000:]))
        return json.loads(reply.body)

    def ran(self, session):
        return os.path.isdir(os.path.join(self.server.storage, session))

    def wait_running(self):
        harness.until(lambda: [c for c in self.server.podman.containers(self.server.instance) if c["State"] == "running"], "running")


class Basics:
    def test_a_job_runs_and_its_artifacts_are_had_in_ranges(self):
        reply = self.run_job("echo hi; printf 0123456789 >digits; exit 3")
        self.assertEqual((3, "hi\n"), (reply["exitCode"], reply["output"]))
        path = f"/artifacts/front/{reply['id']}/digits"
        # of the name as it was sent, which has a port here; https is where that is the public URL's
        self.assertEqual(f"http://{self.front.host}{path}", reply["artifacts"]["outputs"]["digits"])
        url = json.loads(self.front.request("POST", "/run", {"sessionId": "front", "code": "true"}, {"Host": NAME}).body)["artifacts"]["outputs"]["stdout"]
        self.assertTrue(url.startswith(f"https://{NAME}/artifacts/front/"), url)
        whole = self.front.request("GET", path)
        self.assertEqual((200, b"0123456789"), (whole.status, whole.body))
        part = self.front.request("GET", path, headers={"Range": "bytes=2-4"})
        self.assertEqual((206, b"234", "bytes 2-4/10"), (part.status, part.body, part.headers["content-range"]))
        self.assertEqual(304, self.front.request("GET", path, headers={"If-None-Match": whole.headers["etag"]}).status)
        self.assertEqual(416, self.front.request("GET", path, headers={"Range": "bytes=20-"}).status)
        self.assertEqual(404, self.front.request("GET", "/artifacts/front/..%2f..%2fetc/passwd").status)

    def test_a_client_that_hangs_up_cancels_the_job(self):
        body = json.dumps({"sessionId": "gone", "code": "sleep 300", "timeout": 600}).encode()
        connection = self.front.connect()
        connection.sendall(head(f"Content-Length: {len(body)}") + body)
        self.wait_running()
        connection.close()
        self.assertEqual({}, self.server.leaks())
        self.assertIn('code="client_gone"', self.server.logs())

    def test_callers_seem_local_and_need_a_key_all_the_same(self):
        body = {"sessionId": "nokey", "code": "true"}
        for key in ("", "wrong"):
            self.assertEqual(401, self.front.request("POST", "/run", body, {"X-API-Key": key, "X-Forwarded-For": "127.0.0.1"}).status)
        self.assertFalse(self.ran("nokey"))


class Whole(Basics):
    def test_events_come_while_the_job_runs(self):
        code = "echo one; while [ ! -e /tmp/never ]; do sleep 0.2; done"
        body = json.dumps({"sessionId": "events", "code": code, "timeout": 600}).encode()
        with self.front.connect() as connection:
            connection.sendall(head("Accept: text/event-stream", f"Content-Length: {len(body)}") + body)
            seen = b""
            while b'{"text":"one\\n"}' not in seen:  # the job has no end of its own: buffered, this would never come
                piece = connection.recv(65536)
                self.assertTrue(piece, (seen, self.front.logs()))
                seen += piece
            self.assertIn(b"text/event-stream", seen)
        self.assertEqual({}, self.server.leaks())

    def test_http_2(self):
        done = subprocess.run(["curl", "--silent", "--show-error", "--http2", "--noproxy", "*", "--cacert", self.front.certificate, "--resolve",
                               f"{self.front.host}:127.0.0.1", f"https://{self.front.host}/run", "-H", f"X-API-Key: {KEY}", "--write-out",
                               "\n%{http_version} %{http_code}", "--data", '{"sessionId":"two","code":"echo two"}'],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=harness.DEADLINE_S, check=True)
        self.assertIn('"output":"two\\n"', done.stdout)
        self.assertTrue(done.stdout.endswith("\n2 200"), done.stdout)

    def test_a_foreign_host_or_origin_is_refused(self):
        body = {"sessionId": "foreign", "code": "true"}
        # nginx has one server for every name, Caddy knows its own only and then has no answer but an empty one
        foreign = self.front.request("POST", "/run", body, {"Host": "evil.example", "X-Forwarded-Host": NAME})
        self.assertIn((foreign.status, foreign.body == b""), ((421, False), (200, True)))
        self.assertEqual(403, self.front.request("POST", "/run", body, {"Origin": "https://evil.example"}).status)
        self.assertEqual(403, self.front.request("POST", "/run", body, {"Origin": "null"}).status)
        self.assertFalse(self.ran("foreign"))
        self.assertEqual(200, self.front.request("POST", "/run", body, {"Host": NAME, "Origin": f"https://{NAME}"}).status)

    def test_where_clients_say_they_come_from_is_not_passed_on(self):
        claims = {name: "127.0.0.1" for name in ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")}
        with socket.create_server(("127.0.0.1", 0)) as listener:
            front = Front(type(self).start, f"127.0.0.1:{listener.getsockname()[1]}")
            self.addCleanup(front.close)
            with front.connect() as client:
                client.sendall(head("Content-Length: 0", *(f"{name}: {value}" for name, value in claims.items())))
                listener.settimeout(harness.DEADLINE_S)
                upstream, _ = listener.accept()
                upstream.settimeout(harness.DEADLINE_S)
                with upstream:
                    seen = b""
                    while b"\r\n\r\n" not in seen:
                        seen += upstream.recv(65536)
                    upstream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        fields = re.findall(rb"^([^:\r\n]+):", seen, re.MULTILINE)
        self.assertEqual([], [name for name in fields if name.decode().lower() in {claim.lower() for claim in claims}], seen)
        self.assertIn(f"\r\nHost: {NAME}\r\n".encode(), seen)
        self.assertIn(b"\r\nConnection: close\r\n", seen)

    def test_what_is_too_large_is_413(self):
        """Above a route's own size mayfly says so; above that of all, the front."""
        size = (1 << 20) + 1
        # Caddy answers without a look at the body, and the answer may be lost to who goes on sending: so nothing is sent to it
        reply = self.front.raw(head(f"Content-Length: {size}", "Connection: close") + b" " * (size if self.reads_bodies else 0))
        self.assertRegex(reply, rb'^HTTP/1\.1 413 (?s:.*)"code":"body_too_large"')
        for lines in ([f"Content-Length: {BODY_MAX_BYTES + 1}", "Connection: close"], [f"Content-Length: {1 << 40}", "Connection: close"]):
            self.assertRegex(self.front.raw(head(*lines, method="POST /tools/execute HTTP/1.1")), rb"^HTTP/1\.1 413 ")

    def test_the_largest_body_passes(self):
        document = "A" * (24 << 20)  # base64 of 18 MiB
        body = json.dumps({"tool": "document_converter", "sessionId": "large", "filename": "x", "fileContent": document,
                           "conversionScript": "wc -c <x"}).encode()
        body += b" " * (BODY_MAX_BYTES - len(body))
        reply = self.front.request("POST", "/tools/execute", body)
        self.assertEqual(200, reply.status, reply.body[:500])
        self.assertEqual(f"{18 << 20}\n", json.loads(reply.body)["stdout"])

    def test_a_slow_client_is_served(self):
        body = json.dumps({"sessionId": "slow", "code": "head -c 300000 /dev/zero | tr '\\0' x"}).encode()
        with self.front.connect() as connection:
            for piece in (head(f"Content-Length: {len(body)}", "Connection: close"), *(body[i:i + 7] for i in range(0, len(body), 7))):
                connection.sendall(piece)
            answer = b""
            while piece := connection.recv(1000):
                answer += piece
        self.assertIn(b"x" * 300000, answer)

    def test_requests_that_can_be_read_in_two_ways_run_once_or_not_at_all(self):
        """Row I of tests/attack/README.md: whatever the front makes of them, what is hidden behind the first body never becomes a request of its own with a key that is
        not the sender's, and no part of it runs."""
        hidden = json.dumps({"sessionId": "smuggled", "code": "true"}).encode()
        hidden = b"POST /run HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n" % (NAME.encode(), len(hidden)) + hidden
        chunk = b"1\r\n{\r\n"
        size = f"Content-Length: {len(hidden)}"
        for name, data in {
            "length and coding": head("Content-Length: 4", "Transfer-Encoding: chunked") + b"0\r\n\r\n" + hidden,
            "coding and length": head("Transfer-Encoding: chunked", "Content-Length: 4") + b"0\r\n\r\n" + hidden,
            "two lengths": head("Content-Length: 0", size) + hidden,
            "a list of lengths": head(f"Content-Length: 0, {len(hidden)}") + hidden,
            "length with a sign": head("Content-Length: +0") + hidden,
            "blank before the colon": head("Content-Length : 0") + hidden,
            "unknown coding": head("Transfer-Encoding: xchunked") + b"0\r\n\r\n" + hidden,
            "coding twice": head("Transfer-Encoding: chunked", "Transfer-Encoding: identity") + b"0\r\n\r\n" + hidden,
            "coding with a control byte": head("Transfer-Encoding: \x0bchunked") + b"0\r\n\r\n" + hidden,
            "chunk size too large": head("Transfer-Encoding: chunked") + b"fffffffffffffffff\r\n{\r\n0\r\n\r\n" + hidden,
            "chunk size with a sign": head("Transfer-Encoding: chunked") + b"+1\r\n{\r\n0\r\n\r\n" + hidden,
            "chunk without end": head("Transfer-Encoding: chunked") + chunk + b"zz\r\n" + hidden,
            "bare CR in a value": head("X: a\rContent-Length: 0") + hidden,
            "NUL in a value": head("X: a\0b", "Content-Length: 0") + hidden,
        }.items():
            with self.subTest(name=name):
                with self.front.connect() as connection:
                    connection.sendall(data)
                    connection.settimeout(harness.DEADLINE_S)
                    first = connection.recv(65536)
                self.assertTrue(not first or re.match(rb"HTTP/1\.[01] (400|401|405|501|502) ", first), first[:300])
        self.assertEqual({}, self.server.leaks())
        self.assertFalse(self.ran("smuggled"))


class Nginx(Whole, FrontTest):
    start = staticmethod(start_nginx)


class Caddy(Whole, FrontTest):
    start = staticmethod(start_caddy)
    reads_bodies = False


class NginxAndUnixSocket(Basics, FrontTest):
    start = staticmethod(start_nginx)
    has_socket = True


class CaddyAndUnixSocket(Basics, FrontTest):
    start = staticmethod(start_caddy)
    has_socket = True


class UnixSocket(unittest.TestCase):
    def test_the_unit_that_listens_there_is_good(self):
        """mayfly.socket with unix-socket.conf, as systemd reads both."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(os.path.join(harness.ROOT, "systemd/system"), folder, dirs_exist_ok=True)
            os.mkdir(os.path.join(folder, "mayfly.socket.d"))
            shutil.copy(os.path.join(FRONT, "unix-socket.conf"), os.path.join(folder, "mayfly.socket.d"))
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", os.path.join(folder, "mayfly.socket")], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, check=False)
            self.assertNotIn("mayfly.socket", done.stdout.replace("mayfly.socket: Service", ""), done.stdout)


if __name__ == "__main__":
    harness.main()
