"""mayflyctl setup and the first jobs, against a real server; systemctl is one that only notes how it was called, for the host's units are not a test's."""
import http.server
import os
import subprocess
import tempfile
import threading
import unittest

import harness

LANGUAGES = ("python", "node", "bun", "bash", "ruby", "php")
UNITS = "mayfly.socket mayfly-reap.timer mayfly-health.timer" if os.geteuid() == 0 else "podman.socket mayfly.socket"
MANAGER = "" if os.geteuid() == 0 else "--user "


class SetupTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="mayfly-setup-")
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name

    def server(self, **more):
        server = harness.Server(**more)
        self.addCleanup(server.close)
        return server

    def systemctl(self, status):
        path = os.path.join(self.folder, "systemctl")
        with open(path, "w", encoding="ascii") as file:
            file.write(f'#!/bin/sh\necho "$*" >>{self.folder}/called\nexit {status}\n')
        os.chmod(path, 0o755)

    def called(self):
        with open(os.path.join(self.folder, "called"), encoding="ascii") as file:
            return file.read()

    def run_program(self, *command, **environment):
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=900,
                              env={**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}", "MAYFLY_DATA_DIR": os.path.join(harness.ROOT, "worker"),
                                   "MAYFLY_RUN_DIR": os.path.join(self.folder, "run"), **environment})

    def first_jobs(self, *arguments, **environment):
        return self.run_program(os.path.join(harness.ROOT, "scripts/first-jobs"), *arguments, **environment)

    def set_up(self, *arguments, **environment):
        return self.run_program(os.path.join(harness.BUILD, "mayflyctl"), "setup", *arguments, **environment)

    def test_from_the_image_to_a_job_in_each_language(self):
        self.systemctl(0)
        done = self.set_up(MAYFLY_HEALTH_URL=f"http://{self.server().host}/health")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("aa-worker:latest is up to date", done.stdout)
        self.assertEqual(self.called(), f"{MANAGER}enable --quiet --now {UNITS}\n")
        for language in LANGUAGES:
            self.assertIn(f"hello from {language}\\n", done.stdout)

    def test_units_that_do_not_start(self):
        self.systemctl(1)
        done = self.set_up()
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(f"the units do not start: systemctl {MANAGER}status {UNITS}", done.stdout)

    def test_a_first_job_that_fails_is_shown(self):
        done = self.first_jobs(f"http://{self.server(engine=False, DOCKER_SOCKET_PATH=self.folder + '/none.sock').host}")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("No Podman socket answers", done.stdout)
        self.assertIn("unexpected reply to the job in python", done.stdout)

    def test_nobody_there(self):
        done = self.first_jobs(PORT=str(harness.free_port()), EXECUTOR_PORT="", MAYFLY_HEALTH_URL="")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("no answer", done.stdout)

    def test_the_key_is_sent(self):
        """To a server that only takes down what it is asked with: mayfly wants no key from loopback."""
        sent = []

        class Listener(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                sent.append((self.path, self.headers["X-API-Key"]))
                self.send_error(401)

            def log_message(self, *_):
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Listener) as listener:
            thread = threading.Thread(target=listener.handle_request)
            thread.start()
            done = self.first_jobs(f"http://127.0.0.1:{listener.server_port}", EXECUTOR_API_KEY="first-key")
            thread.join()
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(sent, [("/run", "first-key")])

    def test_usage(self):
        done = self.set_up("now")
        self.assertEqual((done.returncode, done.stdout), (
            64, "usage: mayflyctl setup\n           make the worker image, start the service, run a first job in each language\n"))


if __name__ == "__main__":
    harness.main()
