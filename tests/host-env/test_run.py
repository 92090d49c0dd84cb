#!/usr/bin/python3
"""scripts/run, which `make run` is: what it passes on, what it refuses, and what it leaves behind."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import harness

RUN = os.path.join(harness.ROOT, "scripts/run")
SETTINGS = os.path.join(harness.ROOT, "systemd/mayfly.conf")
# for those of which the example names no value
VALUES = {"ALLOWED_HOSTS": "127.0.0.1", "EXECUTOR_API_KEY": "k", "API_KEYS": "one:s3cret", "SIGNING_KEY": "s" * 40, "JWT_SECRET": "j" * 40,
          "RUNNER_IMAGE_MINE": "localhost/mine", "MAX_CONCURRENT_RUNS": "3"}
# what the test itself chooses, what names something that must be there, and what stands for another
OWN = {"BIND", "PORT", "DOCKER_SOCKET_PATH", "DOCKER_HOST", "CONTAINER_HOST", "MAYFLY_RUN_DIR", "MAYFLY_DATA_DIR", "MAYFLY_LIBEXEC_DIR",
       "MAYFLY_INSTANCE", "AA_STORAGE_PATH", "STORAGE_DIR", "MAYFLY_KEYS_STDIN", "MAYFLY_KEYS_FILE", "MAYFLY_TEMPLATES_DIR", "MAYFLY_POOL", "DEBUG_UI"}

# which are known, and are no settings
OTHERS = {"MAYFLY_" + name: "x" for name in ("PUBLISH", "SERVICE_IMAGE", "SERVICE_MEMORY", "TOKEN", "URL", "BUILD", "DOCKER_DIR", "ENGINE", "TESTS")}


class Runner:
    """scripts/run in a terminal's place: a session of its own, whose group Ctrl-C goes to."""

    def __init__(self, *arguments, **environment):
        self.folder = tempfile.mkdtemp(prefix="mayfly-run-", dir="/tmp")
        self.podman = harness.Podman()
        self.instance = "t-" + os.urandom(6).hex()
        self.port = harness.free_port()
        self.run = os.path.join(self.folder, "none/yet")
        self.environment = {"PATH": os.environ["PATH"], "HOME": self.folder, "DOCKER_SOCKET_PATH": self.podman.socket, "PORT": str(self.port),
                            "MAYFLY_RUN_DIR": self.run, "MAYFLY_INSTANCE": self.instance, "AA_STORAGE_PATH": os.path.join(self.folder, "storage"),
                            "STORAGE_DIR": os.path.join(self.folder, "files"), "MAYFLY_POOL": "1", **environment}
        self.log_path = os.path.join(self.folder, "log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([RUN, *arguments], env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def said(self, words):
        def look():
            assert words in self.log() or self.process.poll() is None, self.log()
            return words in self.log()
        harness.until(look, words, 3 * harness.DEADLINE_S)

    def interrupt(self):
        os.killpg(self.process.pid, signal.SIGINT)

    def request(self, path, body):
        return subprocess.run(["curl", "-sS", "--max-time", str(harness.DEADLINE_S), f"http://127.0.0.1:{self.port}{path}", "-d", json.dumps(body)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout

    def processes(self):
        """Those that have its instance in their environment: the listener, what serves, what tidies up."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as environment:
                if f"MAYFLY_INSTANCE={self.instance}".encode() in environment.read().split(b"\0"):
                    found.append(int(pid))
        return found

    def left(self):
        return {"processes": self.processes(), "containers": [c["Id"] for c in self.podman.containers(self.instance)],
                "folders": [self.run] if os.path.exists(self.run) else []}

    def close(self):
        if self.process.poll() is None:
            self.interrupt()
            self.process.wait(harness.DEADLINE_S)
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for container in self.podman.containers(self.instance):
            self.podman.remove(container["Id"])
        shutil.rmtree(self.folder, ignore_errors=True)


class RunTest(unittest.TestCase):
    def start(self, *arguments, **environment):
        runner = Runner(*arguments, **environment)
        self.addCleanup(runner.close)
        return runner

    def test_every_setting_is_passed_on(self):
        """To a mayfly that has been started for a connection."""
        with open(SETTINGS, encoding="utf-8") as file:
            known = dict(re.findall(r"^#([A-Z_]+)=(.*)", file.read(), flags=re.M))
        wanted = {name: value for name, value in {**known, **VALUES}.items() if value and name not in OWN}
        self.assertGreater(len(wanted), 30)
        runner = self.start(**wanted, **OTHERS)
        wanted.update((name, runner.environment[name]) for name in ("STORAGE_DIR", "AA_STORAGE_PATH", "MAYFLY_INSTANCE", "MAYFLY_POOL"))
        runner.said("Ctrl-C ends it")
        self.assertEqual(runner.log().count("hello from"), 6, runner.log())
        connection = harness.socket.create_connection(("127.0.0.1", runner.port))
        self.addCleanup(connection.close)

        def served():
            for pid in runner.processes():
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{pid}/exe") == os.path.join(harness.BUILD, "mayfly"):
                        with open(f"/proc/{pid}/environ", encoding="utf-8") as file:
                            found = dict(entry.split("=", 1) for entry in file.read().split("\0") if entry)
                        if found.get("API_KEYS"):  # else it has served a first job, and wiped them
                            return found
            return None
        passed = harness.until(served, "a mayfly for the connection")
        self.assertEqual({name: passed.get(name) for name in wanted}, wanted)
        self.assertEqual(set(passed) & set(OTHERS), set())

    def test_what_is_no_setting_is_refused(self):
        for name in ("MAYFLY_POOLS", "MAYFLY_SPARES", "MAYFLY_"):
            with self.subTest(name):
                runner = self.start(**{name: "1"})
                self.assertEqual(runner.process.wait(harness.DEADLINE_S), 1)
                self.assertIn(f"{name} is no setting", runner.log())
                self.assertEqual(runner.left(), {"processes": [], "containers": [], "folders": []})

    def test_nothing_is_left(self):
        """Of a job that runs, a live session and pooled containers, when it is told to end twice."""
        runner = self.start()
        runner.said("Ctrl-C ends it")
        session = runner.request("/sessions", {"template": "default"})
        self.assertIn("session", session)
        job = subprocess.Popen(["curl", "-sS", "-o", "/dev/null", f"http://127.0.0.1:{runner.port}/run", "-d",
                                '{"sessionId": "s", "language": "bash", "code": "sleep 600", "timeout": 600}'], stderr=subprocess.DEVNULL)
        self.addCleanup(job.wait)
        self.addCleanup(job.kill)
        harness.until(lambda: len(runner.left()["containers"]) >= 2, "a session and a job")
        runner.interrupt()
        runner.said("==> ending")
        runner.interrupt()
        self.assertEqual(runner.process.wait(harness.DEADLINE_S), 130, runner.log())
        self.assertEqual(runner.left(), {"processes": [], "containers": [], "folders": []}, runner.log())

    def test_the_reaper_runs_every_minute(self):
        """With minutes that are over at once."""
        with tempfile.TemporaryDirectory(prefix="mayfly-run-", dir="/tmp") as bin_folder:
            with open(os.path.join(bin_folder, "sleep"), "w", encoding="utf-8") as file:
                file.write('#!/bin/sh\n[ "$1" = 60 ] && set -- 0.2\nexec /usr/bin/sleep "$@"\n')
            os.chmod(file.name, 0o755)
            runner = self.start(PATH=f"{bin_folder}:{os.environ['PATH']}")
            runner.said("Ctrl-C ends it")
            harness.until(lambda: runner.log().count("sessions=0") >= 2, "two runs of mayfly-reap")

    def test_another_with_the_same_folder(self):
        runner = self.start()
        runner.said("first jobs")
        other = self.start(MAYFLY_RUN_DIR=runner.run)
        self.assertEqual(other.process.wait(harness.DEADLINE_S), 1)
        self.assertIn("another scripts/run serves with", other.log())
        self.assertTrue(os.path.isdir(runner.run))

    @unittest.skipIf(os.geteuid() != 0, "needs root for namespaces of its own")
    def test_its_own_podman_is_ended(self):
        """Where none answers: in namespaces without the host's sockets."""
        with tempfile.TemporaryDirectory(prefix="mayfly-run-", dir="/tmp") as folder:
            script = ('ip link set lo up && mount -t tmpfs none /run && mkdir /run/lock && exec 2>&1 || exit 90; "$0" --once; echo "status $?"; '
                      'find /run/podman /run/mayfly-tree ! -path /run/podman 2>/dev/null; '
                      'for p in /proc/[0-9]*; do [ "$(readlink $p/ns/net)" = "$(readlink /proc/self/ns/net)" ] && [ ${p#/proc/} != $$ ] && '
                      'tr "\\0" " " <$p/cmdline 2>/dev/null && echo; done; true')
            done = subprocess.run(["unshare", "--mount", "--net", "sh", "-c", script, RUN], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                  env={"PATH": os.environ["PATH"], "HOME": folder, "MAYFLY_INSTANCE": "t-" + os.urandom(6).hex(), "MAYFLY_POOL": "1"},
                                  timeout=5 * harness.DEADLINE_S, check=False)
        lines = done.stdout.splitlines()
        self.assertIn("==> starting a Podman service", lines, done.stdout)
        self.assertEqual(done.stdout.count("hello from"), 6, done.stdout)
        at = lines.index("status 0")
        self.assertEqual([line for line in lines[at + 1:] if "readlink" not in line], [], done.stdout)


if __name__ == "__main__":
    sys.exit(harness.main())
