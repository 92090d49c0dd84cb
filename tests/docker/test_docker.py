"""Docker Engine in Podman's place: a job in each language, limits that hold, memory, pooled containers, sessions, clients that leave, the reaper, and the
sockets that are looked for. A daemon of its own, which ends with the test. `make check-docker` runs the suites against Docker as well."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import unittest

# read by harness and by scripts/docker-service
os.environ["MAYFLY_ENGINE"] = "docker"
os.environ["MAYFLY_DOCKER_DIR"] = tempfile.mkdtemp(prefix="mayfly-docker-", dir="/var/tmp")

import control  # noqa: E402
import harness  # noqa: E402
import pool  # noqa: E402

SERVICE = os.path.join(harness.ROOT, "scripts/docker-service")
PROGRAMS = {"python": "print(6 * 7)", "node": "console.log(6 * 7)", "bun": "console.log(6 * 7)", "bash": "echo $((6 * 7))",
            "ruby": "puts 6 * 7", "php": "<?php echo 6 * 7, PHP_EOL;"}


def setUpModule():
    if os.geteuid() != 0:
        raise unittest.SkipTest("dockerd needs root")
    started = subprocess.run([SERVICE, "start", harness.IMAGE], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, check=False)
    assert started.returncode == 0, started.stdout


def tearDownModule():
    subprocess.run([SERVICE, "stop", "--purge"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


class Docker(pool.PoolTest):
    settings = {"MAYFLY_POOL": "0"}

    def containers(self):
        return self.server.podman.containers(self.server.instance)

    def running(self):
        return [container for container in self.containers() if container["State"] == "running"]

    def test_a_job_in_each_language(self):
        for language, code in PROGRAMS.items():
            with self.subTest(language):
                reply = self.server.execute(code, language)
                self.assertEqual((reply["exitCode"], self.server.output(reply)), (0, b"42\n"), reply)

    def test_limits_hold(self):
        script = """cd /sys/fs/cgroup
            if [ -e memory.max ]; then cat memory.max pids.max; else cat memory/memory.limit_in_bytes pids/pids.max; fi
            grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status | cut -f2; ls /sys/class/net; touch /var/tmp/x /x 2>&1 | wc -l
            ls /dev/pts | wc -l; renice 19 1 2>&1 | grep -c 'not permitted'; nice"""
        self.assertEqual(self.server.output(self.server.execute(script)).decode().split(),
                         [str(512 << 20), "128", "0000000000000000", "1", "2", "lo", "2", "0", "1", "10"])

    def test_too_much_memory_is_137(self):
        reply = self.server.execute("x = bytearray(1 << 30)\nprint(len(x))", "python")
        self.assertEqual(reply["exitCode"], 137, reply)

    def test_a_pooled_container_answers_without_the_engine(self):
        self.server.warm("python:pooled.py", MAYFLY_POOL="1")
        status, reply, log = self.server.run_child(pool.request("print(1)", "python", "pooled.py"), MAYFLY_POOL="1", **pool.NO_ENGINE)
        self.assertEqual((status, reply["stdout"]), (200, "1\n"), log)
        self.assertEqual(self.server.swept(), [], "the reaper removes what no engine was there to remove")

    def test_a_session_keeps_its_state(self):
        def post(path, body):
            reply = self.server.request("POST", path, body)
            self.assertEqual(reply.status, 200, reply)
            return json.loads(reply.body)

        session = post("/session/create", {"tenant_id": "t", "scope": "s"})["session_id"]
        for code, output in (("x = 41", ""), ("print(x + 1)", "42\n")):
            self.assertEqual(post("/session/execute", {"session_id": session, "code": code})["stdout"], output)
        post("/session/destroy", {"session_id": session})
        harness.until(lambda: not self.containers(), "the session's container is removed")

    def test_a_client_that_leaves_ends_its_job(self):
        body = json.dumps({"sessionId": "gone", "code": "sleep 600", "timeout": 900}).encode()
        with self.server.connect() as client:
            client.sendall(b"POST /run HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            harness.until(self.running, "the job runs")
        harness.until(lambda: not self.containers(), "the container is removed")

    def test_the_reaper_removes_what_a_crash_left(self):
        child = pool.Child(self.server, pool.request("sleep 600", timeout=900))
        harness.until(self.running, "the job runs")
        # the engine's process first: it would take the container down
        for pid in sorted(self.server.processes(), key=lambda pid: pid == child.process.pid):
            with contextlib.suppress(ProcessLookupError):  # one that cleans up after an earlier job
                os.kill(pid, signal.SIGKILL)
        child.kill()
        incoming = os.path.join(self.server.storage, ".incoming")
        self.assertEqual((self.server.swept(), os.listdir(incoming)), ([], []))


class Sockets(unittest.TestCase):
    """Which of the host's sockets is taken where no variable names one. In a mount namespace with a /run of its own."""

    SCRIPT = """set -e
        touch "$1"; mount --bind "$2" "$1"; mount -t tmpfs none /run
        shift 2
        while [ $# -gt 1 ]; do mkdir -p "${1%/*}"; ln -s "$2" "$1"; shift 2; done
        exec "$1" """

    def ping(self, links):
        """Which engine answers mayfly-engine where /run holds these links, by the name of what they lead to."""
        with tempfile.TemporaryDirectory(prefix="mayfly-sockets-") as folder:
            podman = os.path.join(folder, "podman.sock")  # the real one, which lies beneath /run
            sockets = {"podman": podman, "docker": harness.podman_socket(), "nobody": os.path.join(folder, "none.sock")}
            ours, theirs = socket.socketpair()
            command = ["unshare", "--mount", "sh", "-c", self.SCRIPT, "sh", podman, self.podman,
                       *(word for path, name in links.items() for word in (path, sockets[name])), os.path.join(harness.BUILD, "mayfly-engine")]
            with ours, subprocess.Popen(command, stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": folder, "XDG_RUNTIME_DIR": "/run/user/0",
                                             "MAYFLY_RUN_DIR": os.path.join(folder, "run")}) as process:
                theirs.close()
                channel = control.Channel(ours)
                channel.send(control.frame(b"p"))
                kind, payload = channel.receive()
                ours.shutdown(socket.SHUT_WR)
                errors = process.stderr.read()
            self.assertEqual(kind, b"k", (payload, errors))
            return control.decode(payload)["engine"]

    @classmethod
    def setUpClass(cls):
        started = subprocess.run([os.path.join(harness.ROOT, "scripts/podman-service"), "start"], stdout=subprocess.PIPE, text=True, check=True,
                                 stdin=subprocess.DEVNULL)
        cls.podman = started.stdout.strip()

    def test_docker_where_there_is_no_podman(self):
        self.assertEqual(self.ping({"/run/docker.sock": "docker"}), "docker")

    def test_podman_behind_the_link_of_podman_docker(self):
        self.assertEqual(self.ping({"/run/docker.sock": "podman"}), "podman")

    def test_podman_comes_before_docker(self):
        self.assertEqual(self.ping({"/run/podman/podman.sock": "podman", "/run/docker.sock": "docker"}), "podman")

    def test_the_users_podman_comes_first(self):
        self.assertEqual(self.ping({"/run/user/0/podman/podman.sock": "podman", "/run/podman/podman.sock": "docker"}), "podman")

    def test_a_socket_that_nobody_holds_is_passed_over(self):
        self.assertEqual(self.ping({"/run/podman/podman.sock": "nobody", "/run/docker.sock": "docker"}), "docker")


class Build(unittest.TestCase):
    """The image, where there is no Podman."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mayfly-build-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        programs = os.path.join(self.folder, "bin")
        os.mkdir(programs)
        for place in ("/usr/sbin", "/usr/bin"):
            for name in set(os.listdir(place)) - {"podman"} - set(os.listdir(programs)):
                os.symlink(os.path.join(place, name), os.path.join(programs, name))
        self.environment = {"PATH": programs, "HOME": self.folder, "DOCKER_HOST": "unix://" + harness.podman_socket(), "DOCKER_BUILDKIT": "0"}

    def run_script(self, name, *arguments):
        return subprocess.run([os.path.join(harness.ROOT, "scripts", name), *arguments], env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=5 * harness.DEADLINE_S, check=False)

    def docker(self, *arguments):
        done = self.run_script("docker-build/podman", *arguments)
        self.assertEqual(done.returncode, 0, done)
        return done.stdout

    def test_build_worker_asks_docker(self):
        done = self.run_script("build-worker")
        self.assertEqual((done.returncode, done.stdout), (0, f"build-worker: {harness.IMAGE} is up to date\n"), done.stderr)

    def test_an_image_is_built_as_build_worker_does(self):
        with open(os.path.join(self.folder, "Containerfile"), "w", encoding="utf-8") as file:
            file.write("ARG BASE\nFROM ${BASE}\nRUN echo built > /tmp/made\n")
        self.docker("tag", harness.IMAGE, "localhost/mayfly-test-base:build")
        self.docker("build", "--isolation=chroot", "--squash-all", "--force-rm", "--pull=never", "--build-arg", "BASE=localhost/mayfly-test-base:build",
                    "--label", "test.inputs=some", "--tag", "mayfly-test:latest", self.folder)
        self.docker("image", "exists", "mayfly-test:latest")
        self.assertEqual(self.docker("image", "inspect", "--format", '{{index .Labels "test.inputs"}}', "mayfly-test:latest"), "some\n")
        self.docker("image", "rm", "--force", "mayfly-test:latest", "localhost/mayfly-test-base:build")

    def test_make_run_serves_with_docker(self):
        environment = {**os.environ, "DOCKER_SOCKET_PATH": harness.podman_socket(), "PORT": str(harness.free_port()), "HOME": self.folder,
                       "AA_STORAGE_PATH": os.path.join(self.folder, "storage"), "MAYFLY_RUN_DIR": os.path.join(self.folder, "run"),
                       "MAYFLY_INSTANCE": "t-" + os.urandom(6).hex(), "MAYFLY_POOL": "0"}
        done = subprocess.run([os.path.join(harness.ROOT, "scripts/run"), "--once"], env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=5 * harness.DEADLINE_S, check=False)
        self.assertEqual((done.returncode, done.stdout.count("hello from")), (0, 6), done.stdout)

    def test_what_docker_cannot_do_fails(self):
        for words in (("volume", "ls"), ("build", "--network=host", "."), ("image", "exists", "mayfly-none:latest")):
            with self.subTest(words):
                self.assertNotEqual(self.run_script("docker-build/podman", *words).returncode, 0)


if __name__ == "__main__":
    harness.main()
