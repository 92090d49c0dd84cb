"""What the tests over HTTP share: a real mayfly on a port of its own, raw requests to it, and the traces that it must not leave.

Rules:
 1. Everything is real: the built programs, systemd-socket-activate, Podman; with MAYFLY_ENGINE=docker, Docker in its place. What
    `make check` installs or makes is there: without it a test fails. What no test can bring (rights, a network) it may be skipped
    without; tests/run names it at the end.
 2. Every server has an instance name, storage and run folder of its own, so what it leaves behind can be told from everything else.
 3. Server.close() removes what is left and says so: leaks() is for a test to look at before that.
"""
import collections
import contextlib
import errno
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import unittest
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("MAYFLY_BUILD", "build"))
IMAGE = "aa-worker:latest"
ENGINE = os.environ.get("MAYFLY_ENGINE", "podman")
DEADLINE_S = 60  # for anything that should take much less
USER_IDS = range(70000, 74096)  # of containers, where the engine is root's (src/engine/user.h)

# a runner in the background was told to ignore these, and so would be what the tests start and end
for ending in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    signal.signal(ending, signal.SIG_DFL)

Reply = collections.namedtuple("Reply", "status headers body")


def podman_socket():
    """The path of the engine's socket; starts a service when none answers."""
    found = subprocess.run([os.path.join(ROOT, f"scripts/{ENGINE}-service"), "start"], check=True, stdout=subprocess.PIPE, text=True)
    return found.stdout.strip()


def only_podman(reason):
    """Marks a test, or a class of tests, that is about Podman itself."""
    return unittest.skipIf(ENGINE != "podman", reason)


def image_tool():
    """The command that has the images from which the engine makes containers: Podman's service may keep its containers elsewhere."""
    return ["podman"] if ENGINE == "podman" else ["docker", "--host", "unix://" + podman_socket()]


def hand_over(image):
    """Gives the engine an image that Podman has built."""
    if ENGINE == "docker":
        subprocess.run([os.path.join(ROOT, "scripts/docker-service"), "start", image], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)


def until(condition, what, deadline_s=DEADLINE_S):
    """Waits for something that has no event to wait for; a failure says what."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {deadline_s} s")
        time.sleep(0.02)


def copy_for_others(folder, *programs):
    """Copies programs and worker/ to where every user can run and read them, as not in a tree below a home of mode 0700: (bin, data)."""
    bin_folder, data = os.path.join(folder, "bin"), os.path.join(folder, "data")
    os.mkdir(bin_folder)
    for name in programs:
        shutil.copy(os.path.join(BUILD, name), bin_folder)
    shutil.copytree(os.path.join(ROOT, "worker"), data)
    subprocess.run(["chmod", "-R", "a+rX", bin_folder, data], check=True)
    return bin_folder, data


class UnixHTTPConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=DEADLINE_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Podman:
    """The engine as an observer sees it."""

    def __init__(self):
        self.socket = podman_socket()

    def call(self, method, path, body=None):
        connection = UnixHTTPConnection(self.socket)
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        reply = connection.getresponse()
        text = reply.read()
        connection.close()
        return reply.status, json.loads(text) if text.strip() else None

    def settled(self, method, path):
        """A reply's status and body; asked again while Podman is at odds with itself, as it is about a container that ends at that moment."""
        def ask():
            reply = self.call(method, path)
            return reply if reply[0] < 500 and reply[0] != 409 else None
        return until(ask, f"{method} {path} without an error of Podman's own")

    def containers(self, instance):
        filters = json.dumps({"label": ["mayfly.instance=" + instance]})
        status, found = self.settled("GET", "/v1.41/containers/json?all=true&filters=" + urllib.parse.quote(filters, safe=""))
        assert status == 200, found
        return found

    def inspect(self, container_id):
        return self.settled("GET", f"/v1.41/containers/{container_id}/json")[1]

    def image_list(self):
        """The engine's own list of its images, a file; None for Podman's, which mayfly finds."""
        if ENGINE == "podman":
            return None
        info = self.call("GET", "/v1.41/info")[1]
        return os.path.join(info["DockerRootDir"], "image", info["Driver"], "repositories.json")

    def remove(self, container_id):
        status, answer = self.settled("DELETE", f"/v1.41/containers/{container_id}?force=true&v=true")
        assert status in (200, 204, 404), answer


class Server:
    """mayfly behind systemd-socket-activate on a free loopback port, or on a Unix socket that a front asks."""

    def __init__(self, program="mayfly", engine=True, unix=False, **environment):
        self.podman = Podman() if engine else None
        self.folder = tempfile.mkdtemp(prefix="mayfly-test-")
        os.chmod(self.folder, 0o755)
        self.instance = "t-" + os.urandom(6).hex()
        self.storage = os.path.join(self.folder, "storage")
        self.run = os.path.join(self.folder, "run")
        self.log_path = os.path.join(self.folder, "log")
        self.port = None if unix else free_port()
        self.address = f"unix:{self.folder}/http.sock" if unix else self.host
        self.environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": self.folder,
            "AA_STORAGE_PATH": self.storage,
            "MAYFLY_RUN_DIR": self.run,
            "MAYFLY_INSTANCE": self.instance,
            "MAYFLY_CONFIG_DIR": os.path.join(self.folder, "config"),
            "MAYFLY_DATA_DIR": os.path.join(ROOT, "worker"),
            "DEBUG_UI": "true",
            "MAYFLY_POOL": "0",  # a test of pooled containers asks for them; to all others they would look like leaks
        }
        if engine:
            self.environment["DOCKER_SOCKET_PATH"] = self.podman.socket
            environment = {"MAYFLY_IMAGE_STAMP": self.podman.image_list(), **environment}
        self.environment.update({key: value for key, value in environment.items() if value is not None})
        for name in os.environ:  # sanitizers are steered by these
            if name.endswith("SAN_OPTIONS"):
                self.environment[name] = os.environ[name]
        self.log = open(self.log_path, "wb")
        self.listeners = []
        self.process = self.listen(self.address, program)

    def listen(self, address, program):
        """The program behind systemd-socket-activate there."""
        settings = [f"--setenv={key}={value}" for key, value in self.environment.items()]
        process = subprocess.Popen(
            ["systemd-socket-activate", "--accept", "--inetd", f"--listen={address.removeprefix('unix:')}", *settings, os.path.join(BUILD, program)],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=self.environment, start_new_session=True)
        self.listeners.append(process)
        until(lambda: self._listens(process, address), "systemd-socket-activate listening")
        return process

    def listen_as_engine(self):
        """mayfly-engine behind its socket, as under systemd: from now on no mayfly starts its own."""
        os.makedirs(self.run, 0o700, exist_ok=True)
        return self.listen(f"unix:{self.run}/engine.sock", "mayfly-engine")

    def _listens(self, process, address):
        assert process.poll() is None, self.logs()
        if address.startswith("unix:"):  # __SO_ACCEPTCON is the flag of one that listens
            with open("/proc/net/unix") as table:
                return any(line.split()[3:4] == ["00010000"] and line.endswith(" " + address.removeprefix("unix:") + "\n") for line in table)
        needle = f" 0100007F:{self.port:04X} 00000000:0000 0A "
        with open("/proc/net/tcp") as table:
            return any(needle in line for line in table)

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    def logs(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def connect(self, timeout=DEADLINE_S):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def request(self, method, path, body=None, headers=None, timeout=DEADLINE_S):
        """One request; body is JSON unless it is bytes or None."""
        fields = {"Connection": "close"}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            fields["Content-Type"] = "application/json"
        fields.update(headers or {})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        connection.request(method, path, body, fields)
        reply = connection.getresponse()
        result = Reply(reply.status, {key.lower(): value for key, value in reply.getheaders()}, reply.read())
        connection.close()
        return result

    def raw(self, data, half_close=False, timeout=DEADLINE_S):
        """Sends bytes as they are; returns everything that comes back until the server closes."""
        with self.connect(timeout) as connection:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            return read_all(connection)

    def execute(self, code, language="bash", session="test", **more):
        """POST /tools/execute with code_execution; asserts 200 and returns the reply's JSON."""
        body = {"tool": "code_execution", "sessionId": session, "language": language, "code": code, **more}
        reply = self.request("POST", "/tools/execute", body, timeout=more.get("timeout", 30) + DEADLINE_S)
        assert reply.status == 200, (reply.status, reply.body, self.logs()[-2000:])
        return json.loads(reply.body)

    def fetch(self, url):
        """The bytes of an artifact by its URL from a reply."""
        prefix = f"http://{self.host}"
        assert url.startswith(prefix), url
        reply = self.request("GET", url[len(prefix):])
        assert reply.status == 200, (url, reply)
        return reply.body

    def output(self, reply, name="stdout"):
        return self.fetch(reply["artifacts"]["outputs"][name])

    def processes(self):
        """Our processes for this server: those that carry its instance in their environment, but for the listener."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as environment:
                    if f"MAYFLY_INSTANCE={self.instance}".encode() in environment.read().split(b"\0"):
                        found.append(int(pid))
            except OSError:
                continue
        return [pid for pid in found if all(pid != listener.pid for listener in self.listeners)]

    def engines(self):
        """Those of them that are mayfly-engine."""
        found = []
        for pid in self.processes():
            with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="utf-8") as comm:
                if comm.read().strip() == "mayfly-engine":
                    found.append(pid)
        return found

    def leaks(self):
        """What is left when nothing runs: containers, job folders, half-written results, processes. Waits for removal to end."""
        def left():
            jobs, users, incoming = os.path.join(self.run, "jobs"), os.path.join(self.run, "users"), os.path.join(self.storage, ".incoming")
            return {
                "containers": [c["Id"] for c in self.podman.containers(self.instance)] if self.podman else [],
                "folders": os.listdir(jobs) if os.path.isdir(jobs) else [],
                "users": os.listdir(users) if os.path.isdir(users) else [],
                "incoming": os.listdir(incoming) if os.path.isdir(incoming) else [],
                "processes": self.processes(),
            }
        try:
            until(lambda: not any(left().values()), "nothing left")
        except AssertionError:
            pass
        return {kind: names for kind, names in left().items() if names}

    def reap(self):
        """Runs mayfly-reap once."""
        return subprocess.run([os.path.join(BUILD, "mayfly-reap")], env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=DEADLINE_S, text=True, check=False)

    def close(self):
        for listener in self.listeners:
            listener.terminate()
            listener.wait(DEADLINE_S)
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError as error:
                if error.errno != errno.ESRCH:
                    raise
        if self.podman:
            for container in self.podman.containers(self.instance):
                self.podman.remove(container["Id"])
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def read_all(connection):
    data = b""
    while True:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            return data
        if not piece:
            return data
        data += piece


class ServerTest(unittest.TestCase):
    """A test case with one server for the class; fails when the class leaves anything behind."""
    environment = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Server(**cls.environment)
        cls.addClassCleanup(cls.server.close)

    @classmethod
    def tearDownClass(cls):
        left = cls.server.leaks()
        if left:
            raise AssertionError(f"left behind: {left}\n{cls.server.logs()[-3000:]}")


def main():
    """unittest as TAP on standard output, for tests/run; of the classes and tests that the arguments name, where there are any."""
    loader, module = unittest.defaultTestLoader, sys.modules["__main__"]
    suite = loader.loadTestsFromNames(sys.argv[1:], module) if sys.argv[1:] else loader.loadTestsFromModule(module)
    count = 0

    class Tap(unittest.TestResult):
        def addSuccess(self, test):
            self.report(True, test)

        def addFailure(self, test, err):
            super().addFailure(test, err)
            self.report(False, test, self.failures[-1][1])

        def addError(self, test, err):
            super().addError(test, err)
            self.report(False, test, self.errors[-1][1])

        def addSkip(self, test, reason):
            self.report(True, test, directive=" # SKIP " + reason)

        def addSubTest(self, test, subtest, err):
            super().addSubTest(test, subtest, err)
            if err is not None:
                self.report(False, subtest, "".join(traceback.format_exception(*err)))

        def report(self, good, test, details="", directive=""):
            nonlocal count
            count += 1
            print(f"{'ok' if good else 'not ok'} {count} - {test.id().removeprefix('__main__.')}{directive}", flush=True)
            for line in details.splitlines():
                print("#  " + line, flush=True)

    result = Tap()
    suite.run(result)
    print(f"1..{count}", flush=True)
    sys.exit(0 if result.wasSuccessful() else 1)
