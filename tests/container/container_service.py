"""The service in containers: worker/service/compose.yaml as it is, run by podman-compose beside the host's Podman, whose socket the engine's has.

`make check-container` builds the image first. Rules:
 1. The settings are .env.example's; only the key, the port, the folder and the instance are the test's own.
 2. Project, folder, volume and networks carry the test's name, and go with it.
"""
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import harness

SERVICE = os.path.join(harness.ROOT, "worker/service")
KEY = "container-test-key"
HELLO = {"python": "print('hello')", "node": "console.log('hello')", "bun": "console.log('hello')", "bash": "echo hello", "ruby": "puts 'hello'",
         "php": "<?php echo 'hello', PHP_EOL;"}
MAYFLY_UID = "10080"


class Deployment:
    def __init__(self):
        self.podman = harness.Podman()
        self.name = "t-" + os.urandom(6).hex()
        self.folder = tempfile.mkdtemp(prefix="mayfly-container-")
        self.run = os.path.join(self.folder, "run")
        self.port = harness.free_port()
        self.environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/root"), "CONTAINER_HOST": f"unix://{self.podman.socket}"}
        shutil.copy(os.path.join(SERVICE, "compose.yaml"), self.folder)
        with open(os.path.join(SERVICE, ".env.example"), encoding="utf-8") as file:
            text = file.read()
        for variable, value in {"EXECUTOR_API_KEY": KEY, "MAYFLY_PUBLISH": f"127.0.0.1:{self.port}", "ENGINE_SOCKET": self.podman.socket,
                                "MAYFLY_RUN_DIR": self.run}.items():
            text, count = re.subn(rf"^{variable}=.*$", f"{variable}={value}", text, flags=re.MULTILINE)
            assert count == 1, f".env.example lacks {variable}"
        with open(os.path.join(self.folder, ".env"), "w", encoding="utf-8") as file:
            file.write(f"{text}MAYFLY_INSTANCE={self.name}\nARTIFACT_RETENTION_DAYS=1\n")

    def call(self, *command, check=True):
        done = subprocess.run(command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=2 * harness.DEADLINE_S, check=False)
        assert not check or done.returncode == 0, (command, done.stdout)
        return done.stdout

    def compose(self, *arguments):
        return self.call("podman-compose", "-p", self.name, *arguments)

    def inside(self, *command, check=True):
        """Runs a command in http's namespaces, as its user: podman exec of 4.3 now and then loses what a short command has printed."""
        pid = self.inspect("http")["State"]["Pid"]
        with open(f"/proc/{pid}/environ", encoding="utf-8") as file:
            environment = dict(entry.split("=", 1) for entry in file.read().split("\0") if entry)
        done = subprocess.run(["/usr/bin/nsenter", f"--target={pid}", "--mount", "--pid", "--net", "--ipc", "--uts", "--root", "--wd",
                               f"--setuid={MAYFLY_UID}", f"--setgid={MAYFLY_UID}", *command], env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=harness.DEADLINE_S, check=False)
        assert not check or done.returncode == 0, (command, done.stdout)
        return done.stdout

    def container(self, service):
        return f"{self.name}_{service}_1"

    def inspect(self, service):
        return self.podman.inspect(self.container(service))

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2 * harness.DEADLINE_S)
        connection.request(method, path, json.dumps(body) if body is not None else None, {"X-API-Key": KEY, **(headers or {})})
        reply = connection.getresponse()
        result = harness.Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
        connection.close()
        return result

    def is_well(self):
        try:
            return self.request("GET", "/health").status == 200
        except OSError:
            return False

    def wait_quiet(self):
        """Until nobody makes pooled containers any more: one that was being made when its engine is killed would end by its own deadline only."""
        harness.until(lambda: "\n/usr/libexec/mayfly/mayfly" not in self.call("podman", "top", self.container("http"), "args"), "no refill")

    def up(self):
        self.compose("up", "-d")
        harness.until(self.is_well, "the service is well")

    def jobs(self):
        """Containers of jobs, pooled containers and sessions."""
        return self.podman.containers(self.name)

    def close(self):
        for service in ("http", "engine"):
            self.call("podman", "rm", "--force", "--time", "5", "--volumes", self.container(service), check=False)
        for container in self.jobs():
            self.podman.remove(container["Id"])
        self.call("podman", "volume", "rm", f"{self.name}_data", check=False)
        self.call("podman", "network", "rm", f"{self.name}_published", f"{self.name}_nowhere", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


class Container(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Deployment()
        cls.addClassCleanup(cls.service.close)
        cls.service.up()

    def execute(self, code, language="bash", **more):
        reply = self.service.request("POST", "/run", {"sessionId": "s", "language": language, "code": code, **more})
        self.assertEqual(200, reply.status, reply.body)
        return json.loads(reply.body)

    def status_of(self, service):
        """What the kernel says of the container's first process: {field: value} of /proc/PID/status."""
        with open(f"/proc/{self.service.inspect(service)['State']['Pid']}/status", encoding="utf-8") as file:
            return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)

    def test_a_job_in_every_language(self):
        for language, code in HELLO.items():
            with self.subTest(language=language):
                reply = self.execute(code, language)
                self.assertEqual((0, "hello\n"), (reply["exitCode"], reply["output"]))

    def test_artifacts_outlive_the_containers_of_the_service(self):
        reply = self.execute("printf 0123456789 >digits")
        path = reply["artifacts"]["outputs"]["digits"].removeprefix(f"http://127.0.0.1:{self.service.port}")
        part = self.service.request("GET", path, headers={"Range": "bytes=2-4"})
        self.assertEqual((206, b"234"), (part.status, part.body))
        # what is past its time, and half of a result: mayfly-reap comes with the start, and then every minute
        self.service.inside("sh", "-c", "cd $AA_STORAGE_PATH && cp -r $(ls -d s/job-* | head -n 1) s/job-OLDold && touch -d '3 days ago' s/job-OLDold s/job-OLDold/*")
        self.service.wait_quiet()
        self.service.compose("down")
        self.assertEqual([], self.service.jobs(), "pooled containers end with the service")
        self.service.up()
        self.assertEqual(b"0123456789", self.service.request("GET", path).body)
        harness.until(lambda: "OLDold" not in self.service.inside("ls", "/var/lib/mayfly/artifacts/s"), "the reaper was there")
        self.assertEqual("hello\n", self.execute("echo hello")["output"])

    def test_a_session_keeps_its_state(self):
        made = json.loads(self.service.request("POST", "/session/create", {"tenant_id": "t", "scope": "s"}).body)
        for code, output in (("x = 41", ""), ("print(x + 1)", "42\n")):
            reply = json.loads(self.service.request("POST", "/session/execute", {"session_id": made["session_id"], "code": code}).body)
            self.assertEqual(("success", output), (reply["status"], reply["stdout"]), reply)
        self.assertEqual(200, self.service.request("POST", "/session/destroy", {"session_id": made["session_id"]}).status)

    def test_a_pooled_container_waits_and_is_claimed(self):
        self.execute("echo $0", filename="pooled.sh")
        harness.until(lambda: "pooled.sh" in self.service.inside("mayflyctl", "pool"), "a pooled container")
        claims = re.compile(r"claims (\d+)")
        before = int(claims.search(self.service.inside("mayflyctl", "pool"))[1])
        self.execute("echo $0", filename="pooled.sh")
        self.assertEqual(before + 1, int(claims.search(self.service.inside("mayflyctl", "pool"))[1]))

    def test_a_client_that_hangs_up_cancels_the_job(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port)
        connection.request("POST", "/run", json.dumps({"sessionId": "gone", "code": "sleep 300", "filename": "gone.sh", "timeout": 600}), {"X-API-Key": KEY})
        harness.until(lambda: self.running("sleep 300"), "the job runs")
        connection.close()
        harness.until(lambda: not self.running("sleep 300"), "the job has ended")

    def running(self, words):
        """Does a job of ours run this command?"""
        for container in self.service.jobs():
            _, top = self.service.podman.call("GET", f"/v1.41/containers/{container['Id']}/top?ps_args=args")
            if any(words in " ".join(row) for row in (top or {}).get("Processes") or []):
                return True
        return False

    def test_without_the_key_nothing_runs(self):
        for key in ("", "wrong"):
            self.assertEqual(401, self.service.request("POST", "/run", {"sessionId": "s", "code": "true"}, {"X-API-Key": key}).status)

    def test_a_key_made_in_the_container_is_good(self):
        token = re.search(r"^mf_\S+$", self.service.inside("mayflyctl", "keys", "add", "test"), re.MULTILINE)[0]
        reply = self.service.request("POST", "/v1/runs", {"language": "python", "code": "print(1)"}, {"Authorization": f"Bearer {token}"})
        self.assertEqual((200, "1\n"), (reply.status, json.loads(reply.body)["stdout"]))

    def test_who_reads_the_network_has_no_engine(self):
        self.assertEqual([MAYFLY_UID] * 4, self.status_of("http")["Uid"].split("\t"))
        for path in (self.service.podman.socket, "/run/podman/podman.sock", "/var/run/docker.sock"):
            self.assertIn("no", self.service.inside("sh", "-c", f"test -e {path} || echo no"), path)
        mounts = {mount["Destination"] for mount in self.service.inspect("http")["Mounts"]}
        self.assertEqual({self.service.run, "/var/lib/mayfly"}, mounts)
        refused = self.service.inside("sh", "-c", "cd $MAYFLY_RUN_DIR; ls making; mv jobs x; mv engine.sock x; rm -f engine.sock; touch lent/x; mv lent y; true")
        self.assertEqual(6, len(re.findall("Permission denied|Operation not permitted", refused)), refused)

    def test_both_are_confined(self):
        for service in ("http", "engine"):
            with self.subTest(service=service):
                status = self.status_of(service)
                for field, value in {"CapEff": 0, "CapPrm": 0, "CapBnd": 0, "NoNewPrivs": 1, "Seccomp": 2}.items():
                    self.assertEqual(value, int(status[field], 16), (field, status[field]))
                self.assertTrue(self.service.inspect(service)["HostConfig"]["ReadonlyRootfs"])
                root = os.statvfs(f"/proc/{self.service.inspect(service)['State']['Pid']}/root")
                self.assertTrue(root.f_flag & os.ST_RDONLY)

    def test_it_is_asked_whether_it_is_well(self):
        done = subprocess.run(["podman", "healthcheck", "run", self.service.container("http")], env=self.service.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=harness.DEADLINE_S, check=False)
        self.assertEqual(0, done.returncode, done.stdout)

    def test_when_nobody_listens_the_container_starts_again(self):
        pid = self.service.inspect("http")["State"]["Pid"]
        with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
            children = {open(f"/proc/{child}/comm", encoding="utf-8").read().strip(): int(child) for child in file.read().split()}
        os.kill(children["tcpserver"], signal.SIGKILL)
        harness.until(lambda: self.service.inspect("http")["State"]["Pid"] not in (0, pid), "another first process")
        harness.until(self.service.is_well, "the service is well")
        self.assertEqual("hello\n", self.execute("echo hello")["output"])

    def test_an_engine_that_is_killed_starts_again(self):
        """Its socket's name is still there then."""
        self.service.wait_quiet()
        pid = self.service.inspect("engine")["State"]["Pid"]
        os.kill(pid, signal.SIGKILL)
        harness.until(lambda: self.service.inspect("engine")["State"]["Pid"] not in (0, pid), "another first process")
        harness.until(lambda: self.service.request("POST", "/run", {"sessionId": "s", "code": "true"}).status == 200, "a job runs")
        # a pooled container that was claimed meanwhile had nobody to remove it
        harness.until(lambda: "containers=" in self.service.inside("/usr/libexec/mayfly/mayfly-reap", check=False)
                      and all(job["State"] == "running" for job in self.service.jobs()), "the reaper removes it")

    def test_what_a_job_gets_mounted_is_the_engines(self):
        """The folder that both share: what lies in it and is lent to jobs nobody but the engine writes."""
        for name in ("lent/mayfly-init", "lent/share/seccomp.json", "making", "jobs"):
            self.assertEqual(0, os.stat(os.path.join(self.service.run, name)).st_uid, name)
        self.assertEqual(0o1770, os.stat(self.service.run).st_mode & 0o7777)
        self.assertLess(time.time() - os.stat(os.path.join(self.service.run, "lent")).st_ctime, 3600)


if __name__ == "__main__":
    harness.main()
