"""The scripts that prepare a host (setup, build-worker, podman-service) and the image that jobs run in.

Tools that a test must not really call (apt-get, mmdebstrap, npm, df) are stubs in a folder put first in PATH; everything
else is real. The image is looked at through the Podman API, with the isolation that jobs get.
"""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import harness

SCRIPTS = os.path.join(harness.ROOT, "scripts")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENGINE_VARIABLES = ("DOCKER_SOCKET_PATH", "CONTAINER_HOST", "DOCKER_HOST", "XDG_RUNTIME_DIR")
NOBODY = 65534


class ScriptTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mayfly-env-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        os.chmod(self.folder, 0o755)
        self.stubs = os.path.join(self.folder, "stubs")
        os.mkdir(self.stubs)
        self.environment = {name: value for name, value in os.environ.items() if name not in ENGINE_VARIABLES}
        self.environment["PATH"] = f"{self.stubs}:{os.environ.get('PATH', PATH)}"

    def stub(self, name, body):
        path = os.path.join(self.stubs, name)
        with open(path, "w") as script:
            script.write("#!/bin/bash\n" + body)
        os.chmod(path, 0o755)

    def only(self, *names):
        """From now on PATH holds these programs and the stubs, nothing else."""
        for name in names:
            os.symlink(shutil.which(name, path=PATH), os.path.join(self.stubs, name))
        self.environment["PATH"] = self.stubs

    def start(self, script, *arguments, scripts=SCRIPTS, **more):
        return subprocess.Popen([os.path.join(scripts, script), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=self.environment, **more)

    def run_script(self, script, *arguments, **more):
        """Returns exit status, standard output and standard error."""
        process = self.start(script, *arguments, **more)
        output, errors = process.communicate(timeout=harness.DEADLINE_S)
        return process.returncode, output, errors

    def path(self, *names):
        return os.path.join(self.folder, *names)


def fastest(action):
    """Seconds of the fastest of three: a neighbour may slow one down."""
    times = []
    for _ in range(3):
        started = time.monotonic()
        action()
        times.append(time.monotonic() - started)
    return min(times)


class Setup(ScriptTest):
    installed = "for name; do case $name in -*|*{*) ;; *) echo installed $name ;; esac; done\n"

    def setUp(self):
        super().setUp()
        self.stub("apt-get", f'echo "$@" >>{self.path("calls")}\n')

    def calls(self):
        with contextlib.suppress(FileNotFoundError), open(self.path("calls")) as calls:
            return calls.read().splitlines()
        return []

    def test_nothing_missing_does_nothing_at_once(self):
        self.stub("dpkg-query", self.installed)

        def setup():
            status, output, _ = self.run_script("setup", "build", "run", "check", "bench", "fuzz")
            self.assertEqual(status, 0, output)
            self.assertIn("nothing is missing", output)
        self.assertLess(fastest(setup), 1)
        self.assertEqual(self.calls(), [])

    def test_only_what_is_missing_is_installed(self):
        self.stub("dpkg-query", self.installed.replace("-*|", "-*|make|gcc|"))
        status, output, errors = self.run_script("setup", "build")
        self.assertEqual(status, 0, errors)
        update, install = self.calls()
        self.assertRegex(update, " update$")
        self.assertIn("--no-install-recommends", install)
        self.assertRegex(install, " install gcc make$")

    def test_a_removed_package_with_its_configuration_left_is_missing(self):
        self.stub("dpkg-query", self.installed.replace("echo installed", '[[ $name == make ]] && echo config-files make || echo installed'))
        self.run_script("setup", "build")
        self.assertRegex(self.calls()[-1], " install make$")

    def test_npm_is_not_installed_where_there_is_one(self):
        self.stub("dpkg-query", "exit 1\n")
        self.stub("npm", "")
        self.run_script("setup", "run")
        self.assertNotRegex(self.calls()[-1], r"\bnpm\b")
        os.remove(self.path("calls"))
        self.only("bash", "env", "sed", "tr", "awk", "mktemp", "rm", "tail", "tee", "cat")
        os.remove(os.path.join(self.stubs, "npm"))
        self.run_script("setup", "run")
        self.assertRegex(self.calls()[-1], r"\bnpm\b")

    def test_a_failing_update_says_what_to_do(self):
        self.stub("dpkg-query", "exit 1\n")
        self.stub("apt-get", "echo 'E: no route' >&2; exit 100\n")
        status, _, errors = self.run_script("setup", "build")
        self.assertEqual(status, 1)
        self.assertIn("E: no route", errors)
        self.assertIn("check the network", errors)

    def test_a_failing_install_fails(self):
        self.stub("dpkg-query", "exit 1\n")
        self.stub("apt-get", "[[ $* == *update* ]] || { echo 'E: held broken packages' >&2; exit 100; }\n")
        status, _, errors = self.run_script("setup", "build")
        self.assertEqual(status, 1)
        self.assertIn("held broken packages", errors)

    def test_no_debian_names_the_packages(self):
        self.only("bash", "env", "sed", "tr", "awk")
        os.remove(os.path.join(self.stubs, "apt-get"))
        status, _, errors = self.run_script("setup", "build")
        self.assertEqual(status, 1)
        self.assertIn("not a Debian system", errors)
        self.assertIn("libjansson-dev", errors)

    def test_without_root_and_sudo_it_says_so(self):
        self.stub("dpkg-query", "exit 1\n")
        self.only("bash", "env", "sed", "tr", "awk")
        shutil.copy(os.path.join(SCRIPTS, "setup"), self.folder)  # another user can reach it there
        status, _, errors = self.run_script("setup", "build", scripts=self.folder, **({"user": NOBODY} if os.geteuid() == 0 else {}))
        self.assertEqual(status, 1)
        self.assertIn("run this as root", errors)
        self.assertEqual(self.calls(), [])

    def test_unknown_task(self):
        status, _, errors = self.run_script("setup", "bulid")
        self.assertEqual(status, 1)
        self.assertIn("build run check bench fuzz", errors)


class FakeEngine:
    """A socket that answers every request with the given bytes; with None it never answers."""

    def __init__(self, path, answer=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK"):
        self.answer = answer
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while self.answer is not None:
                connection, _ = self.socket.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(self.answer)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class PodmanService(ScriptTest):
    def setUp(self):
        super().setUp()
        self.directory = self.path("service")
        self.socket = self.path("service", "podman.sock")
        self.addCleanup(self.run_script, "podman-service", "stop", "--dir", self.directory)

    def service(self, verb, *arguments, **more):
        return self.run_script("podman-service", verb, "--dir", self.directory, *arguments, **more)

    def pid(self):
        with open(self.path("service", "podman.pid")) as file:
            return int(file.readline())

    def engine(self, name, **more):
        fake = FakeEngine(self.path(name), **more)
        self.addCleanup(fake.close)
        return self.path(name)

    def test_start_prints_the_path_alone_and_is_found_again(self):
        status, output, errors = self.service("start", "--own")
        self.assertEqual((status, output), (0, self.socket + "\n"), errors)
        pid = self.pid()
        connection = harness.UnixHTTPConnection(self.socket)
        connection.request("GET", "/_ping")
        self.assertEqual(connection.getresponse().read(), b"OK")
        connection.close()
        self.assertEqual(self.service("start", "--own")[:2], (0, self.socket + "\n"))
        self.assertEqual(self.service("path", "--own")[:2], (0, self.socket + "\n"))
        self.assertEqual(self.pid(), pid)

    def test_it_outlives_the_caller_and_holds_none_of_its_descriptors(self):
        read_end, write_end = os.pipe()
        caller = subprocess.Popen(["bash", "-c", f"{SCRIPTS}/podman-service start --own --dir {self.directory}; sleep 1000"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                  env=self.environment, pass_fds=[write_end], start_new_session=True)
        self.assertEqual(caller.stdout.readline(), self.socket + "\n")
        os.close(write_end)
        os.killpg(caller.pid, signal.SIGKILL)
        caller.wait()
        self.assertEqual(caller.stdout.read(), "", "nobody else holds the caller's standard output")
        caller.stdout.close()
        self.assertEqual(os.read(read_end, 1), b"", "nor any other descriptor of it")
        os.close(read_end)
        self.assertEqual(self.service("path", "--own")[0], 0)

    def test_stop_ends_it_and_leaves_nothing(self):
        self.service("start", "--own")
        pid = self.pid()
        self.assertEqual(self.service("stop")[0], 0)
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/stat") as stat:
            self.assertEqual(stat.read().rpartition(")")[2].split()[0], "Z", "at most its parent has not reaped it yet")
        self.assertEqual(os.listdir(self.directory), [])
        self.assertEqual(self.service("stop")[0], 0, "a second time")

    def test_stop_spares_a_process_that_is_not_ours(self):
        os.mkdir(self.directory)
        with subprocess.Popen(["sleep", "1000"]) as other:
            with open(f"/proc/{other.pid}/stat") as stat:
                started = stat.read().rpartition(")")[2].split()[19]
            for time_of_start in (started, "1"):
                with open(self.path("service", "podman.pid"), "w") as file:
                    file.write(f"{other.pid}\n{time_of_start}\n")
                self.service("stop")
                self.assertIsNone(other.poll())
            other.kill()

    def test_many_starts_at_once_make_one_service(self):
        starts = [self.start("podman-service", "start", "--own", "--dir", self.directory) for _ in range(5)]
        answers = {start.communicate(timeout=harness.DEADLINE_S)[0] for start in starts}
        self.assertEqual(answers, {self.socket + "\n"})
        found = [pid for pid in filter(str.isdigit, os.listdir("/proc")) if self.serves(pid)]
        self.assertEqual(found, [str(self.pid())])

    def serves(self, pid):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as command:
            words = command.read().split(b"\0")
            return b"service" in words and f"unix://{self.socket}".encode() in words
        return False

    def test_order_of_look_up(self):
        first, second, third, fourth = (self.engine(name) for name in "abcd")
        os.makedirs(self.path("xdg/podman"))
        fifth = self.engine("xdg/podman/podman.sock")
        self.environment.update(DOCKER_SOCKET_PATH=first, CONTAINER_HOST="unix://" + second, DOCKER_HOST="unix://" + third,
                                XDG_RUNTIME_DIR=self.path("xdg"))
        for expected, name in ((first, "DOCKER_SOCKET_PATH"), (second, "CONTAINER_HOST"), (third, "DOCKER_HOST"),
                               (fifth, "XDG_RUNTIME_DIR")):
            self.assertEqual(self.service("path")[:2], (0, expected + "\n"))
            self.assertEqual(self.service("start")[:2], (0, expected + "\n"))
            del self.environment[name]
        self.environment["CONTAINER_HOST"] = "tcp://" + fourth
        self.assertNotIn(fourth, self.service("path")[1])

    def test_a_socket_that_does_not_answer_is_passed_over(self):
        good = self.engine("good")
        bad = self.engine("bad", answer=b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        for first in (bad, self.engine("silent", answer=None), self.path("absent"), self.folder):
            self.environment.update(DOCKER_SOCKET_PATH=first, DOCKER_HOST="unix://" + good)
            self.assertEqual(self.service("path")[:2], (0, good + "\n"), first)

    def test_a_foreign_socket_in_our_folder_is_not_taken_away(self):
        os.mkdir(self.directory)
        self.engine("service/podman.sock", answer=None)
        status, output, errors = self.service("start", "--own")
        self.assertEqual((status, output), (1, ""))
        self.assertIn("something else listens", errors)
        self.assertTrue(os.path.exists(self.socket))

    def test_a_stale_socket_is_replaced(self):
        os.mkdir(self.directory)
        FakeEngine(self.socket).close()
        self.assertEqual(self.service("start", "--own")[:2], (0, self.socket + "\n"))

    def test_podman_that_ends_at_once_is_quoted(self):
        self.stub("podman", "echo 'Error: the disk is on fire' >&2; exit 125\n")
        status, output, errors = self.service("start", "--own")
        self.assertEqual((status, output), (1, ""))
        self.assertIn("the disk is on fire", errors)
        self.assertFalse(os.path.exists(self.path("service", "podman.pid")))

    def test_no_podman_says_how_to_get_it(self):
        self.only("bash", "env", "sed", "curl", "realpath", "cat", "mkdir", "flock", "dirname")
        status, _, errors = self.service("start", "--own")
        self.assertEqual(status, 1)
        self.assertIn("scripts/setup run", errors)

    def test_path_fails_when_nothing_answers(self):
        status, output, errors = self.service("path", "--own")
        self.assertEqual((status, output), (1, ""))
        self.assertIn("podman-service start", errors)

    def test_a_container_starts_without_limits_of_its_own(self):
        """No rlimit is raised, whatever this host permits."""
        self.service("start", "--own")
        podman = harness.Podman.__new__(harness.Podman)
        podman.socket = self.socket
        status, made = podman.call("POST", "/v1.41/containers/create", json.dumps(
            {"Image": harness.IMAGE, "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}))
        self.assertEqual(status, 201, made)
        try:
            self.assertEqual(podman.call("POST", f"/v1.41/containers/{made['Id']}/start"), (204, None))
        finally:  # the removal fails while the program is just ending
            harness.until(lambda: podman.remove(made["Id"]) or podman.inspect(made["Id"]).get("Id") is None, "the container is removed")


class BuildWorker(ScriptTest):
    """Failures, with an image name of its own; that the build itself works is shown by the image."""
    image = "mayfly-build-test:latest"

    def setUp(self):
        super().setUp()
        real_cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "mayfly")
        self.environment.update(TMPDIR=self.path("tmp"), XDG_CACHE_HOME=self.path("cache"))
        os.mkdir(self.path("tmp"))
        os.makedirs(self.path("cache/mayfly"))
        if os.path.isdir(real_cache):
            for name in os.listdir(real_cache):
                if name.endswith(".tgz"):
                    shutil.copy(os.path.join(real_cache, name), self.path("cache/mayfly"))
        # as where no registry answers
        real_podman = shutil.which("podman", path=PATH)
        self.stub("podman", f'case $1 in manifest|pull) exit 1 ;; image) [[ $2 == exists ]] && exit 1 ;; esac\nexec {real_podman} "$@"\n')

    def build(self):
        return self.run_script("build-worker", "--image", self.image)

    def assert_failed(self, result, *words):
        status, output, errors = result
        self.assertEqual(status, 1, output + errors)
        for word in words:
            self.assertIn(word, errors)
        self.assertEqual(os.listdir(self.path("tmp")), [])

    def test_up_to_date_at_once(self):
        def build():
            status, output, errors = self.run_script("build-worker")
            self.assertEqual((status, output), (0, f"build-worker: {harness.IMAGE} is up to date\n"), errors)
        self.assertLess(fastest(build), 1)

    def test_no_npm(self):
        shutil.rmtree(self.path("cache/mayfly"))
        self.only("bash", "env", "sed", "cat", "sha256sum", "sha512sum", "cut", "uname", "mkdir", "flock", "df", "awk", "mktemp", "chmod",
                  "rm", "dirname", "base64")
        self.assert_failed(self.build(), "npm is needed", "apt install npm")

    def test_npm_without_network(self):
        shutil.rmtree(self.path("cache/mayfly"))
        self.stub("npm", "echo 'npm error code ENOTFOUND' >&2; exit 1\n")
        self.assert_failed(self.build(), "ENOTFOUND", "check it and the proxy", "as it was before")

    def test_another_file_than_the_pinned_one_is_refused(self):
        shutil.rmtree(self.path("cache/mayfly"))
        self.stub("npm", 'while (($# > 0)); do [[ $1 == --pack-destination ]] && echo other >"$2/x.tgz"; shift; done; exit 0\n')
        self.assert_failed(self.build(), "not the pinned file")
        self.assertEqual(os.listdir(self.path("cache/mayfly")), ["build.lock"])

    def test_disk_full_before(self):
        self.stub("df", "echo header; echo x 100 90 10 90% /\n")
        self.assert_failed(self.build(), "the disk is full", "10 MB are free")

    def test_disk_full_meanwhile(self):
        self.stub("mmdebstrap", "echo 'dpkg: error: No space left on device' >&2; exit 1\n")
        self.assert_failed(self.build(), "the disk is full", "as it was before")

    def test_a_failing_step_is_quoted(self):
        self.stub("mmdebstrap", "echo 'E: unable to locate package' >&2; exit 25\n")
        self.assert_failed(self.build(), "making the base with mmdebstrap failed", "unable to locate package")

    def killed_in_mmdebstrap(self, with_signal):
        self.stub("mmdebstrap", f'echo $$ >{self.path("pid.new")}; mv {self.path("pid.new")} {self.path("pid")}\nexec sleep 1000\n')
        process = self.start("build-worker", "--image", self.image)
        harness.until(lambda: os.path.exists(self.path("pid")), "mmdebstrap started")
        with open(self.path("pid")) as file:
            pid = int(file.read())
        process.send_signal(with_signal)
        process.communicate(timeout=harness.DEADLINE_S)
        harness.until(lambda: not os.path.exists(f"/proc/{pid}/exe") or not os.access(f"/proc/{pid}/exe", os.R_OK), "the step ended")
        os.remove(self.path("pid"))
        return process.returncode

    def test_terminated(self):
        self.assertEqual(self.killed_in_mmdebstrap(signal.SIGTERM), 143)
        self.assertEqual(os.listdir(self.path("tmp")), [])

    def test_killed_and_what_it_left_goes_with_the_next_build(self):
        self.assertEqual(self.killed_in_mmdebstrap(signal.SIGKILL), -signal.SIGKILL)
        self.assertEqual(len(os.listdir(self.path("tmp"))), 1)
        self.stub("mmdebstrap", "echo boom; exit 1\n")
        self.assert_failed(self.build(), "boom")

    def test_two_builds_take_turns(self):
        self.stub("mmdebstrap", f'mkdir {self.path("alone")} || {{ echo not alone; exit 1; }}\nsleep 0.5\n'
                                f'rmdir {self.path("alone")}\necho boom; exit 1\n')
        builds = [self.start("build-worker", "--image", self.image) for _ in range(2)]
        for build in builds:
            output, errors = build.communicate(timeout=harness.DEADLINE_S)
            self.assertIn("boom", errors)
            self.assertNotIn("not alone", output + errors)


class Image(unittest.TestCase):
    """What a job finds in the image, under the isolation of a job."""

    @classmethod
    def setUpClass(cls):
        cls.podman = harness.Podman()

    def run_bash(self, script, **config):
        """Runs a script as a job would be run; returns exit code and output."""
        limits = [{"Name": name, "Soft": value, "Hard": value} for name, value in (("nofile", 256), ("nproc", 128), ("core", 0))]
        host = {"ReadonlyRootfs": True, "NetworkMode": "none", "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"],
                "Memory": 512 << 20, "MemorySwap": 512 << 20, "PidsLimit": 128, "IpcMode": "private", "Ulimits": limits,
                "Tmpfs": {"/workspace": "rw,size=50m,mode=0777", "/tmp": "rw,size=100m,mode=1777,noexec"}}
        status, made = self.podman.call("POST", "/v1.41/containers/create", json.dumps(
            {"Image": harness.IMAGE, "Cmd": ["bash", "-c", script], "User": "runner", "HostConfig": host, **config}))
        self.assertEqual(status, 201, made)
        container = made["Id"]
        try:
            connection = harness.UnixHTTPConnection(self.podman.socket)
            connection.connect()
            connection.sock.sendall(f"POST /v1.41/containers/{container}/attach?stream=1&stdout=1&stderr=1 HTTP/1.1\r\n"
                                    "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n".encode())
            answer = b""
            while b"\r\n\r\n" not in answer:
                piece = connection.sock.recv(4096)
                self.assertTrue(piece, answer)
                answer += piece
            self.assertEqual(self.podman.call("POST", f"/v1.41/containers/{container}/start"), (204, None))
            data = answer.partition(b"\r\n\r\n")[2] + harness.read_all(connection.sock)
            connection.close()
            output = b""
            while len(data) >= 8:  # stream, three zero bytes, length
                size = int.from_bytes(data[4:8], "big")
                output += data[8:8 + size]
                data = data[8 + size:]
            state = harness.until(lambda: (lambda now: now["Status"] == "exited" and now)(self.podman.inspect(container)["State"]),
                                  "the container ended")
            return state["ExitCode"], output.decode()
        finally:
            harness.until(lambda: self.podman.remove(container) or self.podman.inspect(container).get("Id") is None,
                          "the container is removed")

    def output(self, script, **config):
        status, output = self.run_bash(script, **config)
        self.assertEqual(status, 0, output)
        return output

    def test_languages(self):
        for command in ("python3 -c 'print(6*7)'", "python -c 'print(6*7)'", "node -e 'console.log(6*7)'", "bun -e 'console.log(6*7)'",
                        "ruby -e 'puts 6*7'", "php -r 'echo 6*7, PHP_EOL;'", "bash -c 'echo $((6*7))'", "perl -e 'print 6*7, qq(\\n)'"):
            with self.subTest(command):
                self.assertEqual(self.output(command), "42\n")

    def test_tools(self):
        self.output("for tool in awk base64 bc bzip2 column curl cut diff envsubst file find git grep gzip head hexdump jq less make openssl "
                    "patch perl ps rg sed sha256sum sort sqlite3 tar tree unzip wget xargs xmllint xxd xz zip zstd; do "
                    "command -v $tool >/dev/null || { echo no $tool; exit 1; }; done; python3 -c 'import requests, yaml'")

    def test_runner(self):
        self.assertEqual(self.output("id -u; id -g; id -un; id -G; echo $HOME; pwd; echo $LANG; echo $PATH").split(),
                         ["10001", "10001", "runner", "10001", "/workspace", "/workspace", "C.UTF-8", "/usr/local/bin:/usr/bin:/bin"])
        self.assertEqual(self.output("python3 -c 'import locale; print(locale.getpreferredencoding(), \"é\")'"), "UTF-8 é\n")

    def test_nothing_can_gain_privileges(self):
        self.assertEqual(self.output("find / -xdev -perm /6000 2>/dev/null; true", User="root"), "")
        self.assertEqual(self.output("""python3 -c '
import os
for folder, _, names in os.walk("/usr"):
    for name in names:
        path = os.path.join(folder, name)
        if os.listxattr(path, follow_symlinks=False): print(path)'"""), "")

    def test_mount_points_are_there(self):
        self.output("test -d /workspace -a -d /work -a -d /run/mayfly -a -f /run/mayfly-init -a ! -s /run/mayfly-init -a -d /usr/lib/mayfly")

    def test_nothing_is_left_of_the_build(self):
        self.assertEqual(self.output("ls /var/lib/apt/lists /var/cache /usr/share/doc /usr/share/man /usr/share/locale /root /var/log "
                                     "/etc/apt/sources.list.d 2>/dev/null | grep -v -e ^/ -e '^$'; cat /etc/apt/sources.list 2>/dev/null; "
                                     "true", User="root"), "")

    def test_python_is_compiled(self):
        """Every module of the image has its .pyc, valid whatever the times of the files."""
        self.assertEqual(self.output("""python3 -c '
import importlib.util, os
count = 0
for top in ("/usr/lib/python3.%d" % __import__("sys").version_info[1], "/usr/lib/python3"):
    for folder, _, names in os.walk(top):
        for name in names:
            if name.endswith(".py"):
                count += 1
                path = os.path.join(folder, name)
                with open(importlib.util.cache_from_source(path), "rb") as compiled:
                    if compiled.read(8)[4:] != b"\\1\\0\\0\\0": print(path)
print(count > 500)'"""), "True\n")

    def test_jobs_write_only_where_they_may(self):
        script = "for d in $(find / -xdev -type d 2>/dev/null); do ( : >$d/probe ) 2>/dev/null && echo $d; done; true"
        self.assertEqual(set(self.output(script).split()), {"/workspace", "/tmp", "/var/tmp", "/run"})


if __name__ == "__main__":
    harness.main()
