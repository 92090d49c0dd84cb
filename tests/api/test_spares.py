"""Spares over real HTTP and real Podman: claimed once, by one, without the engine; of one kind; bounded; gone in the end. And mayflyctl.

Each test has a kind of its own (a file name), so that none finds what another left. Where a test needs one process of mayfly by itself
(another environment, a kill at a moment of its choosing) it starts mayfly on a socket pair, as systemd would.
"""
import concurrent.futures
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

import harness

MAYFLY = os.path.join(harness.BUILD, "mayfly")
MAYFLYCTL = os.path.join(harness.BUILD, "mayflyctl")
NO_ENGINE = {"DOCKER_SOCKET_PATH": "/run/mayfly-test/no-such.sock"}
# what is in the container before the job, and which container it is: its id is in the source of the mount of /etc/hostname
LOOK = ("ls -A /workspace /tmp /dev/shm | tr '\\n' ' '; pgrep -c sleep; "
        "grep -om1 '[0-9a-f]\\{64\\}/userdata/hostname' /proc/self/mountinfo || echo none; ")
LEAVE = "echo secret | tee /workspace/left /tmp/left /dev/shm/left >/dev/null; setsid sleep 60 & disown; "


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
    """A server with spares, whose kinds change only when a test says so."""

    def __init__(self, **environment):
        self.stamp = tempfile.mkstemp(prefix="mayfly-stamp-")[1]
        settings = {"MAYFLY_SPARES": "1", "MAYFLY_SPARES_TOTAL": "64", "MAYFLY_IMAGE_STAMP": self.stamp, "MAX_CONCURRENT_RUNS": "16"}
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
        done = self.ctl("spares", "--json")
        assert done.returncode == 0, done
        return json.loads(done.stdout)

    def waiting(self, filename=None):
        """The spares of a kind, by the file name that its label ends with."""
        return [spare for spare in self.listed()["spares"] if filename is None or re.search(r"\W" + re.escape(filename) + "$", spare["label"])]

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

    def container(self, spare):
        """What the engine knows of the container of a folder."""
        digits = spare["folder"][-24:]
        found = [c for c in self.podman.containers(self.instance) if c["Labels"]["mayfly.folder"].endswith(digits)]
        assert len(found) == 1, (spare, found)
        return self.podman.inspect(found[0]["Id"])

    def drop(self):
        done = self.ctl("spares", "drop", "all")
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


class SparesTest(harness.ServerTest):
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


class Claim(SparesTest):
    def test_a_claim_makes_no_engine_call(self):
        self.server.warm("python:quiet.py")
        status, reply, log = self.server.run_child(request("print(6 * 7)", "python", "quiet.py"), **NO_ENGINE)
        self.assertEqual((status, reply.get("exitCode"), reply.get("stdout")), (200, 0, "42\n"), log)
        self.assertIn('after="engine_unreachable"', log, "the engine was really out of reach, and nobody was told before")
        self.assertNotIn("asked_us=", log)
        status, reply, log = self.server.run_child(request("print(6 * 7)", "python", "quiet.py"), **NO_ENGINE)
        self.assertEqual((status, reply["error"]), (500, "Tool execution failed"), "and no second job is served by it")
        self.assertEqual(self.server.swept(), [])

    def test_the_answer_comes_before_the_next_one_is_made(self):
        self.server.warm("bash:after.sh")
        before = self.server.counters()
        child = Child(self.server, request("echo hi", filename="after.sh"))
        self.assertEqual(child.answer()[1]["stdout"], "hi\n")
        self.assertRegex(child.finish(), r" answered_us=\d+ ")
        self.assertCounted(before, claims=1, refills=1)
        self.assertEqual(len(self.server.waiting("after.sh")), 1)

    def test_two_jobs_race_for_one_spare(self):
        for count, filename in ((2, "race.sh"), (8, "crowd.sh")):
            with self.subTest(count=count):
                self.server.warm("bash:" + filename)
                before = self.server.counters()
                jobs = [Child(self.server, request(f"echo job{i}; sleep 5", filename=filename), MAYFLY_SPARES="1") for i in range(count)]
                answers = [job.answer() for job in jobs]
                logs = [job.finish() for job in jobs]
                self.assertEqual([(status, reply.get("stdout")) for status, reply in answers], [(200, f"job{i}\n") for i in range(count)])
                self.assertEqual(sum("asked_us=" not in log for log in logs), 1, "one claims, the others go cold")
                after = self.server.counters()
                self.assertEqual((after["claims"] - before["claims"], after["misses"] - before["misses"]), (1, count - 1))
                self.assertEqual(len(self.server.waiting(filename)), 1)

    def test_counters_are_exact(self):
        before = self.server.counters()
        job = request("true", filename="count.sh")
        self.server.run_child(job)
        self.assertCounted(before, misses=1, refills=1)
        for _ in range(3):
            self.server.run_child(job)
        self.assertCounted(before, misses=1, claims=3, refills=4)
        self.server.run_child(job, MAYFLY_SPARES="3")
        self.assertCounted(before, misses=1, claims=4, refills=7)
        self.assertEqual(len(self.server.waiting("count.sh")), 3)
        self.server.run_child(job)
        self.assertCounted(before, misses=1, claims=5, refills=7)
        self.assertGreater(self.server.counters()["refill_mean_ms"], 0)

    def test_off(self):
        self.server.warm("bash:off.sh")
        before = self.server.counters()
        _, reply, log = self.server.run_child(request("echo cold", filename="off.sh"), MAYFLY_SPARES="0")
        self.assertEqual(reply["stdout"], "cold\n")
        self.assertIn("asked_us=", log)
        self.assertCounted(before)
        self.assertEqual(len(self.server.waiting("off.sh")), 1, "what waits stays for who wants it")

    def test_a_spare_answers_as_a_new_container_does(self):
        programs = [
            ("python", "main.py", "import sys, os\nprint(sys.argv, __name__, __file__, os.getcwd(), sorted(os.environ))\n"
             "print('to stderr', file=sys.stderr)\nopen('left.txt', 'w').write('kept')\nraise ValueError('out')\n"),
            ("python", "exit.py", "import sys, atexit\natexit.register(print, 'bye')\nprint(sys.stdin.read() == '')\nsys.exit(3)\n"),
            ("node", "main.mjs", "console.log(process.argv.length, import.meta.url, process.cwd());\n"
             "import fs from 'fs'; fs.writeFileSync('a.txt', 'a'); process.exit(4)\n"),
            ("bash", "main.sh", "echo $0 $# $PWD; cat; ls -A; echo x > made; kill -TERM $$\n"),
            ("ruby", "main.rb", "p $0, ARGV, __FILE__, Dir.pwd, ENV.keys.sort\nraise 'out'\n"),
            ("php", "main.php", "<?php echo __FILE__, count($argv), getcwd(); fwrite(STDERR, 'e'); exit(5);\n"),
        ]
        self.server.warm(*(f"{language}:{filename}" for language, filename, _ in programs))
        for language, filename, code in programs:
            with self.subTest(filename=filename):
                job = request(code, language, filename)
                _, warm, warm_log = self.server.run_child(job)
                _, cold, cold_log = self.server.run_child(job, MAYFLY_SPARES="0")
                self.assertEqual(("asked_us=" in warm_log, "asked_us=" in cold_log), (False, True))

                def result(reply):
                    files = {}
                    for name in reply["artifacts"]["outputs"]:
                        with open(os.path.join(self.server.storage, "s", "job-" + reply["id"], name), "rb") as file:
                            files[name] = file.read()
                    return reply["exitCode"], files
                self.assertEqual(result(warm), result(cold))

    def test_a_client_that_hangs_up_on_a_spare_ends_it(self):
        self.server.warm("bash:hangup.sh")
        digits = self.server.waiting("hangup.sh")[0]["folder"][-24:]
        child = Child(self.server, request("sleep 300", filename="hangup.sh", timeout=600))
        harness.until(lambda: "c-" + digits in self.server.folders(), "the spare claimed")
        child.connection.close()
        child.process.wait(harness.DEADLINE_S)
        self.assertIn('reason="client_gone"', child.log())
        self.assertNotIn("c-" + digits, self.server.folders())
        self.assertEqual(len(self.server.waiting("hangup.sh")), 1, "and the next one waits")
        self.assertEqual(self.server.swept(), [])

    def test_limits_of_a_spare_are_those_of_a_cold_container(self):
        self.server.warm("bash:limits.sh")
        spare = self.server.container(self.server.waiting("limits.sh")[0])
        child = Child(self.server, request("sleep 2", filename="limits.sh"), MAYFLY_SPARES="0")
        folder = harness.until(lambda: self.server.folders("c-"), "a cold container")[0]
        cold = self.server.container({"folder": folder})
        child.answer()
        child.finish()
        differ = {"Binds"}  # the folder's own name
        self.assertEqual({key: value for key, value in spare["HostConfig"].items() if key not in differ},
                         {key: value for key, value in cold["HostConfig"].items() if key not in differ})
        self.assertEqual(spare["Config"]["User"], cold["Config"]["User"])


class OneJobOnly(SparesTest):
    settings = {"MAYFLY_SPARES": "4", "MAX_CONCURRENT_RUNS": "8", "MAYFLY_SLOT_WAIT_MS": "60000"}

    def test_no_container_serves_two_jobs(self):
        """60 jobs, 8 at a time: each its own container, its own output, and nothing of anybody else's."""
        self.server.warm("bash:once.sh")
        before = self.server.counters()

        def job(number):
            nonce = os.urandom(16).hex()
            reply = self.server.execute(f"echo {nonce}; {LOOK} {LEAVE} echo {nonce}{number}", filename="once.sh", timeout=60)
            return nonce, number, reply
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            done = list(pool.map(job, range(60)))
        ids = set()
        clean = "/dev/shm: /tmp: /workspace: once.sh 0"
        for nonce, number, reply in done:
            lines = reply["stdout"].split("\n")
            self.assertEqual((reply["exitCode"], lines[0], lines[-2]), (0, nonce, f"{nonce}{number}"))
            self.assertEqual(" ".join(lines[1].split()), clean, "nothing of the job before")
            ids.add(re.fullmatch(r"([0-9a-f]{64})/userdata/hostname", lines[2]).group(1))
        self.assertEqual(len(ids), 60, "a container of its own for each")
        harness.until(lambda: not self.server.processes(), "all cleaned up")
        after = self.server.counters()
        claims, misses = (after[name] - before[name] for name in ("claims", "misses"))
        self.assertEqual(claims + misses, 60)
        self.assertGreaterEqual(claims, 4, "those that waited were used")
        self.assertEqual(self.server.swept(), [])
        self.assertLessEqual(len(os.listdir(os.path.join(self.server.run, "spares"))), 4 + 1, "what was noted of each is gone with it")


class Kind(SparesTest):
    """Whatever makes a spare what it is has changed: then it is not used."""

    def setUp(self):
        self.server.drop()
        self.server.warm("bash:kind.sh")
        self.before = self.server.counters()
        self.kind = self.server.waiting("kind.sh")[0]["kind"]

    def assertMissed(self, job=None, **environment):
        status, reply, log = self.server.run_child(job or request("echo new", filename="kind.sh"), **environment)
        self.assertEqual((status, reply["stdout"]), (200, "new\n"))
        self.assertIn("asked_us=", log)
        self.assertCounted(self.before, misses=1, refills=1)
        self.assertIn(self.kind, [spare["kind"] for spare in self.server.waiting()])

    def test_nothing_changed(self):
        _, reply, log = self.server.run_child(request("echo same", filename="kind.sh"))
        self.assertEqual(reply["stdout"], "same\n")
        self.assertNotIn("asked_us=", log)
        self.assertCounted(self.before, claims=1, refills=1)

    def test_limits_variable(self):
        self.assertMissed(MAYFLY_MEMORY_MB="300")

    def test_language(self):
        self.assertMissed(request("print('new')", "python", "kind.sh"))

    def test_file_name(self):
        self.assertMissed(request("echo new", filename="kind2.sh"))

    def test_template_file(self):
        with open(os.path.join(harness.ROOT, "worker/templates.d/default.json"), encoding="utf-8") as file:
            template = json.load(file)
        folder = os.path.join(self.server.folder, "config/templates.d")
        os.makedirs(folder, exist_ok=True)
        self.addCleanup(shutil.rmtree, folder)
        with open(os.path.join(folder, "default.json"), "w", encoding="utf-8") as file:
            json.dump({**template, "pids": 77}, file)
        self.assertMissed()

    def test_runtime_file(self):
        folder = os.path.join(self.server.folder, "config/runtimes.d")
        os.makedirs(folder, exist_ok=True)
        self.addCleanup(shutil.rmtree, folder)
        with open(os.path.join(folder, "bash.json"), "w", encoding="utf-8") as file:
            json.dump({"description": "another", "argv": ["bash", "-u"]}, file)
        self.assertMissed()

    def test_seccomp_profile(self):
        path = os.path.join(self.server.folder, "profile.json")
        shutil.copy(os.path.join(harness.ROOT, "worker/seccomp.json"), path)
        self.assertMissed(SECCOMP_PROFILE=path)

    def test_stamp(self):
        os.utime(self.server.stamp, (1, 1))
        self.addCleanup(os.utime, self.server.stamp)
        self.assertMissed()


class Image(SparesTest):
    """The image's tag is moved to another image. The stamp is Podman's own list of images, as in a user's install."""
    settings = {"MAYFLY_IMAGE_STAMP": None}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.environment.pop("MAYFLY_IMAGE_STAMP", None)
        cls.name = "mayfly-test-" + cls.server.instance
        cls.addClassCleanup(cls.remove_tags)
        folder = os.path.join(cls.server.folder, "config/templates.d")
        os.makedirs(folder)
        with open(os.path.join(harness.ROOT, "worker/templates.d/default.json"), encoding="utf-8") as file:
            template = json.load(file)
        with open(os.path.join(folder, "default.json"), "w", encoding="utf-8") as file:
            json.dump({**template, "image": cls.name + ":latest"}, file)

    @classmethod
    def call(cls, method, path, *expected, body=None):
        status, answer = cls.server.podman.call(method, "/v1.41" + path, body)
        assert status in expected, (method, path, status, answer)
        return answer

    @classmethod
    def remove_tags(cls):
        for tag in ("latest", "other"):
            cls.call("DELETE", f"/images/{cls.name}:{tag}", 200, 404)

    def test_the_tag_names_another_image(self):
        self.call("POST", f"/images/{harness.IMAGE}/tag?repo={self.name}&tag=latest", 201)
        labels = {"mayfly.instance": self.server.instance, "mayfly.folder": "none"}
        made = self.call("POST", "/containers/create", 201, body=json.dumps({"Image": harness.IMAGE, "Cmd": ["true"], "Labels": labels}))
        other = self.call("POST", f"/commit?container={made['Id']}&repo={self.name}&tag=other&pause=false", 201)["Id"].removeprefix("sha256:")
        self.server.podman.remove(made["Id"])
        self.server.warm("bash:image.sh")
        old = self.server.waiting("image.sh")[0]
        self.assertNotEqual(self.server.container(old)["Image"].removeprefix("sha256:"), other)
        before = self.server.counters()
        self.call("POST", f"/images/{other}/tag?repo={self.name}&tag=latest", 201)

        _, reply, log = self.server.run_child(request("echo new", filename="image.sh"))
        self.assertEqual(reply["stdout"], "new\n")
        self.assertIn("asked_us=", log)
        self.assertCounted(before, misses=1, refills=1)
        new = [spare for spare in self.server.waiting("image.sh") if spare["kind"] != old["kind"]]
        self.assertEqual([self.server.container(spare)["Image"].removeprefix("sha256:") for spare in new], [other])
        self.server.drop()


class Bounds(SparesTest):
    settings = {"MAYFLY_SPARES": "2", "MAYFLY_SPARES_TOTAL": "3"}

    def setUp(self):
        self.server.drop()

    def age(self, seconds=1):
        harness.until(lambda: all(spare["age_s"] >= seconds for spare in self.server.waiting()), "spares of some age")

    def test_the_oldest_of_another_kind_gives_way(self):
        self.server.warm("--count", "1", "bash:first.sh")
        self.age(1)
        self.server.warm("--count", "2", "bash:second.sh")
        self.age(2)
        self.server.warm("--count", "2", "bash:third.sh")
        names = sorted(spare["label"].split()[-1] for spare in self.server.waiting())
        self.assertEqual(names, ["second.sh", "third.sh", "third.sh"])
        self.assertEqual(self.server.swept(), [], "what gave way is gone")

    def test_none_of_its_own_kind_gives_way(self):
        said = self.server.warm("--count", "5", "bash:own.sh")
        self.assertIn("3 waiting", said)
        self.assertEqual(len(self.server.waiting()), 3)

    def test_kinds_that_fill_the_last_places_together_end(self):
        """8 kinds at once where there is room for 3: never more than that, and it comes to an end."""
        jobs = [Child(self.server, request("true", filename=f"fill{i}.sh")) for i in range(8)]
        while any(job.process.poll() is None for job in jobs):
            self.assertLessEqual(len(self.server.folders("s-")), 3)
        self.assertEqual([job.answer()[0] for job in jobs], [200] * 8)
        self.assertEqual([re.search("after=.*", job.finish()) for job in jobs], [None] * 8)
        self.assertEqual(len(self.server.folders("s-")), 3)
        self.assertEqual(self.server.swept(), [])

    def test_memory(self):
        environment = {"MAYFLY_SPARES_TOTAL": "32", "MAYFLY_SPARES_MEMORY_MB": "1"}
        self.server.warm("--count", "30", "bash:memory.sh", **environment)
        waiting = self.server.waiting()
        noted = [json.loads(json.dumps(spare))["memory_bytes"] for spare in waiting]
        self.assertTrue(1 <= len(waiting) < 30, waiting)
        self.assertGreater(sum(noted), 1 << 20, "there is no more room")
        self.age(1)
        self.server.warm("--count", "1", "bash:memory2.sh", **environment)
        self.assertEqual(len(self.server.waiting("memory2.sh")), 1)
        self.assertLess(len(self.server.waiting("memory.sh")), len(waiting))

    def test_none(self):
        for name in ("MAYFLY_SPARES_TOTAL", "MAYFLY_SPARES_MEMORY_MB"):
            with self.subTest(name=name):
                _, reply, log = self.server.run_child(request("echo none", filename="none.sh"), **{name: "0"})
                self.assertEqual(reply["stdout"], "none\n")
                self.assertNotIn("after=", log)
                self.assertEqual(self.server.waiting(), [])


class End(SparesTest):
    """The end of spares that nobody wanted, and of processes that were killed."""
    settings = {"MAYFLY_SPARES": "2", "MAYFLY_SPARE_TTL_S": "60"}

    def setUp(self):
        self.server.drop()

    def short(self):
        """Containers of a template that lives no longer than a test."""
        folder = os.path.join(self.server.folder, "config/templates.d")
        os.makedirs(folder, exist_ok=True)
        self.addCleanup(shutil.rmtree, folder)
        with open(os.path.join(folder, "default.json"), "w", encoding="utf-8") as file:
            json.dump({"name": "default", "image": harness.IMAGE, "timeout_s": 1, "timeout_max_s": 1}, file)
        return {"MAYFLY_SPARE_TTL_S": "1"}

    def test_time_to_live(self):
        self.server.warm("bash:ttl.sh", MAYFLY_SPARE_TTL_S="2")
        self.assertEqual(len(self.server.folders("s-")), 2)
        harness.until(lambda: {c["State"] for c in self.server.podman.containers(self.server.instance)} == {"exited"}, "spares ended")
        self.assertEqual(json.loads(self.server.ctl("spares", "--json", MAYFLY_SPARE_TTL_S="2").stdout)["spares"], [])
        self.assertEqual(self.server.reap().returncode, 0)
        self.assertEqual((self.server.folders(), self.server.podman.containers(self.server.instance)), ([], []))

    def test_one_that_has_ended_is_skipped(self):
        self.server.warm("--count", "1", "bash:dead.sh")
        before = self.server.counters()
        spare = self.server.waiting("dead.sh")[0]
        pid = self.server.container(spare)["State"]["Pid"]
        os.kill(pid, signal.SIGKILL)
        harness.until(lambda: self.server.container(spare)["State"]["Status"] == "exited", "init ended")
        _, reply, log = self.server.run_child(request("echo cold", filename="dead.sh"), MAYFLY_SPARES="1")
        self.assertEqual(reply["stdout"], "cold\n")
        self.assertIn("asked_us=", log)
        self.assertCounted(before, misses=1, refills=1)
        self.assertEqual(self.server.swept(), [])

    def test_one_that_ends_between_claim_and_job_costs_only_time(self):
        self.server.warm("--count", "1", "bash:gone.sh")
        kind = self.server.waiting("gone.sh")[0]["kind"]
        self.server.drop()
        for code in ("echo cold", "echo cold #" + "x" * 800000):  # shorter and longer than what a socket takes unread
            with self.subTest(length=len(code)), socket.socket(socket.AF_UNIX) as listener:
                folder = os.path.join(self.server.run, "jobs", f"s-{kind}-{os.urandom(12).hex()}")
                os.mkdir(folder)
                os.chmod(folder, 0o755)
                listener.bind(os.path.join(folder, "control"))
                listener.listen(1)
                listener.settimeout(harness.DEADLINE_S)
                child = Child(self.server, request(code, filename="gone.sh"), MAYFLY_SPARES="1")
                listener.accept()[0].close()
                status, reply = child.answer()
                self.assertEqual((status, reply.get("stdout")), (200, "cold\n"), reply)
                self.assertIn("asked_us=", child.finish())
                self.server.drop()
                shutil.rmtree(folder.replace(f"s-{kind}-", "c-"))

    def test_mayfly_killed_right_after_its_answer(self):
        self.server.warm("bash:killed.sh")
        for expected in (1, 0):
            child = Child(self.server, request("echo ok", filename="killed.sh"))
            self.assertEqual(child.answer()[1]["stdout"], "ok\n")
            child.kill()
            harness.until(lambda: not self.server.processes(), "its engine ended")
            self.assertEqual(self.server.swept(), [])
            self.assertEqual(len(self.server.waiting("killed.sh")), expected, "spares survive")

    def kill_during_refill(self, find_victim, filename):
        """Kills what find_victim finds as soon as a container is being made for a spare; then nothing stays."""
        environment = self.short()
        child = Child(self.server, request("echo ok", filename=filename), **environment)
        self.assertEqual(child.answer()[1]["stdout"], "ok\n")
        making = os.path.join(self.server.run, "making")
        harness.until(lambda: os.listdir(making), "a spare being made")
        os.kill(find_victim(child), signal.SIGKILL)
        child.process.wait(harness.DEADLINE_S)
        child.connection.close()
        harness.until(lambda: not self.server.processes(), "all processes ended")
        self.assertEqual(self.server.swept(120), [])
        self.server.drop()
        return child.log()

    def test_mayfly_killed_during_refill(self):
        self.kill_during_refill(lambda child: child.process.pid, "refill1.sh")

    def test_engine_killed_during_refill(self):
        def engine(child):
            for pid in self.server.processes():
                with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="utf-8") as comm:
                    if comm.read().strip() == "mayfly-engine":
                        return pid
            raise AssertionError("no engine: " + child.log())
        self.assertIn('after="engine_failed"', self.kill_during_refill(engine, "refill2.sh"))

    def test_mayfly_killed_while_a_spare_is_prepared(self):
        environment = self.short()
        child = Child(self.server, request("echo ok", filename="refill3.sh"), **environment)
        used = harness.until(lambda: self.server.folders("c-"), "the job's container")
        self.assertEqual(child.answer()[1]["stdout"], "ok\n")
        harness.until(lambda: set(self.server.folders()) - set(used), "a spare's container listening")
        child.kill()
        harness.until(lambda: not self.server.processes(), "its engine ended")
        harness.until(lambda: self.server.swept(1) == [], "nothing left", 120)

    def test_a_refill_that_fails_is_not_the_clients_business(self):
        self.server.warm("--count", "1", "bash:fail.sh")
        before = self.server.counters()
        os.chmod(os.path.join(self.server.run, "spares"), 0o500)
        shutil.move(os.path.join(self.server.run, "spares"), os.path.join(self.server.run, "spares.away"))
        with open(os.path.join(self.server.run, "spares"), "w", encoding="utf-8"):
            pass  # no folder: nothing can be noted
        status, reply, log = self.server.run_child(request("echo ok", filename="fail.sh"))
        os.unlink(os.path.join(self.server.run, "spares"))
        shutil.move(os.path.join(self.server.run, "spares.away"), os.path.join(self.server.run, "spares"))
        os.chmod(os.path.join(self.server.run, "spares"), 0o700)
        self.assertEqual((status, reply["stdout"]), (200, "ok\n"))
        self.assertIn('after="run_folder"', log)
        self.assertCounted(before, claims=1)
        self.assertEqual(self.server.swept(), [])

    def test_notes_of_spares_that_are_gone_are_swept(self):
        self.server.warm("--count", "1", "bash:notes.sh")
        records = os.path.join(self.server.run, "spares")
        kept = self.server.waiting("notes.sh")[0]["folder"][-24:]
        gone = [os.urandom(12).hex() for _ in range(2)]
        for digits in gone:
            with open(os.path.join(records, digits), "w", encoding="utf-8") as file:
                file.write("1 2 0 default: bash gone.sh")
        os.utime(os.path.join(records, gone[0]), (time.time() - 3600,) * 2)
        os.utime(os.path.join(records, kept), (time.time() - 3600,) * 2)
        self.server.warm("--count", "1", "bash:notes.sh")
        self.assertEqual(sorted(os.listdir(records)), sorted(["lock", kept, gone[1]]), "but not of one that may still be coming")
        os.unlink(os.path.join(records, gone[1]))


class Ctl(SparesTest):
    """mayflyctl."""

    def setUp(self):
        self.server.drop()

    def test_list(self):
        said = self.server.warm("python:list.py", "bash")
        self.assertEqual(said, "python:list.py: 1 waiting\nbash: 1 waiting\n")
        listed = self.server.listed()
        self.assertEqual(sorted(listed), ["counters", "spares"])
        self.assertEqual(sorted(listed["counters"]), ["claims", "misses", "refill_mean_ms", "refills"])
        spares = {spare["label"]: spare for spare in listed["spares"]}
        self.assertEqual(sorted(spares), ["default: bash script.js", "default: python3 list.py"])
        for spare in spares.values():
            self.assertRegex(spare["kind"], "^[0-9a-f]{16}$")
            self.assertTrue(0 <= spare["age_s"] < 60)
            self.assertEqual(spare["memory_from"], "cgroup")
            self.assertTrue(64 << 10 < spare["memory_bytes"] < 64 << 20, spare)
        with open(os.path.join(harness.ROOT, "worker/runtimes.d/python.json"), encoding="utf-8") as file:
            self.assertEqual(spares["default: python3 list.py"]["kernel"], "kernel" in json.load(file))
        table = self.server.ctl("spares").stdout
        self.assertRegex(table, r"(?m)^KIND +AGE +MEMORY +KERNEL +FOR$")
        self.assertRegex(table, r"(?m)^[0-9a-f]{16} +\d+ s +\d+\.\d MiB +(yes|no) +default: python3 list\.py$")
        self.assertRegex(table, r"(?m)^2 waiting; claims \d+, misses \d+, refills \d+, \d+ ms each$")

    def test_list_of_nothing(self):
        self.assertEqual(self.server.listed()["spares"], [])
        self.assertRegex(self.server.ctl("spares").stdout, r"^0 waiting; ")
        empty = self.server.ctl("spares", MAYFLY_RUN_DIR=os.path.join(self.server.folder, "never"))
        self.assertEqual((empty.returncode, empty.stdout), (0, "0 waiting; claims 0, misses 0, refills 0, 0 ms each\n"))

    def test_a_label_moves_no_cursor(self):
        self.server.warm("bash:\u202eevil.sh")
        table = self.server.ctl("spares").stdout
        self.assertIn("bash ???evil.sh", table)
        self.assertTrue(table.isascii())
        self.assertEqual(self.server.waiting()[0]["label"], "default: bash \u202eevil.sh")

    def test_without_an_engine(self):
        self.server.warm("bash:lonely.sh")
        listed = self.server.ctl("spares", "--json", **NO_ENGINE)
        self.assertEqual(listed.returncode, 0)
        self.assertEqual(json.loads(listed.stdout)["spares"][0]["memory_from"], "preparation")
        self.assertIn("no container engine answers", listed.stderr)
        warm = self.server.ctl("warm", "bash", **NO_ENGINE)
        self.assertEqual((warm.returncode, warm.stdout), (69, ""))
        self.assertIn("mayflyctl warm: no container engine answers: ", warm.stderr)
        self.assertIn(NO_ENGINE["DOCKER_SOCKET_PATH"], warm.stderr)
        drop = self.server.ctl("spares", "drop", "all", **NO_ENGINE)
        self.assertEqual((drop.returncode, drop.stdout), (69, "0 removed\n"))
        self.assertEqual(self.server.swept(), [])

    def test_drop(self):
        self.server.warm("bash:a.sh", "bash:b.sh", "bash:c.sh")
        kinds = {spare["label"].split()[-1]: spare["kind"] for spare in self.server.waiting()}
        self.assertEqual(self.server.ctl("spares", "drop", kinds["a.sh"]).stdout, "1 removed\n")
        self.assertEqual([spare["kind"] for spare in self.server.waiting("a.sh")], [])
        self.assertEqual(self.server.ctl("spares", "drop", kinds["a.sh"], kinds["b.sh"]).stdout, "1 removed\n")
        self.assertEqual(self.server.ctl("spares", "drop", "all").stdout, "1 removed\n")
        self.assertEqual((self.server.waiting(), self.server.folders()), ([], []))
        self.assertEqual(self.server.podman.containers(self.server.instance), [])

    def test_usage(self):
        for arguments in ((), ("spare",), ("spares", "list"), ("spares", "drop"), ("spares", "drop", "python"), ("spares", "--json", "x"),
                          ("warm", "--count"), ("warm", "--count", "0", "bash"), ("warm", "--count", "-1", "bash"), ("warm", "--count", "9999"),
                          ("warm", "--all"), ("warm",)):
            with self.subTest(arguments=arguments):
                done = self.server.ctl(*arguments)
                self.assertEqual((done.returncode, done.stdout), (64, ""))
                self.assertIn("mayflyctl", done.stderr)
        for arguments in (("help",), ("--help",)):
            done = self.server.ctl(*arguments)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("mayflyctl warm [--count N]", done.stdout)
        self.assertRegex(self.server.ctl("version").stdout, r"^mayflyctl \d+\.\d+")

    def test_configuration_is_checked(self):
        for name, value in (("MAYFLY_SPARES", "many"), ("MAYFLY_SPARE_TTL_S", "0")):
            done = self.server.ctl("spares", **{name: value})
            self.assertEqual(done.returncode, 78)
            self.assertIn(f'{name} is "{value}"', done.stderr)
        off = self.server.ctl("warm", "bash", MAYFLY_SPARES="0")
        self.assertEqual(off.returncode, 78)
        self.assertIn("spares are off", off.stderr)

    def test_what_cannot_be_warmed_keeps_nothing_else_from_it(self):
        done = self.server.ctl("warm", "cobol", "bash:fine.sh", "bash:a/b")
        self.assertEqual((done.returncode, done.stdout), (65, "bash:fine.sh: 1 waiting\n"))
        self.assertIn("mayflyctl warm: cobol: Invalid option", done.stderr)
        self.assertIn("mayflyctl warm: bash:a/b: ", done.stderr)

    def test_warm_takes_its_list_from_the_configuration(self):
        said = self.server.warm(MAYFLY_WARM="bash  python:x.py,node:main.mjs")
        self.assertEqual(said, "bash: 1 waiting\npython:x.py: 1 waiting\nnode:main.mjs: 1 waiting\n")

    def test_what_is_warmed_is_what_a_job_takes(self):
        for language, filename, code in (("bash", None, "echo x"), ("python", "a-b.py", "print('x')"), ("node", "-x.js", "console.log('x')"),
                                         ("ruby", None, "puts 'x'"), ("php", "é.php", "<?php echo \"x\\n\";"), ("bun", "x.ts", "console.log('x')")):
            with self.subTest(language=language):
                self.server.warm(language + (":" + filename if filename else ""))
                before = self.server.counters()
                body = {"sessionId": "s", "language": language, "code": code, **({"filename": filename} if filename else {})}
                _, reply, log = self.server.run_child(body, path="/run")
                self.assertEqual(reply["output"], "x\n")
                self.assertNotIn("asked_us=", log)
                self.assertCounted(before, claims=1, refills=1)

    def test_warm_renews_what_has_lived_half_of_its_time(self):
        self.server.warm("--count", "2", "bash:renew.sh")
        old, young = self.server.waiting("renew.sh")
        self.server.warm("--count", "2", "bash:renew.sh")
        self.assertEqual({spare["folder"] for spare in self.server.waiting("renew.sh")}, {old["folder"], young["folder"]})
        path = os.path.join(self.server.run, "spares", old["folder"][-24:])
        with open(path, encoding="utf-8") as file:
            made, rest = file.read().split(" ", 1)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"{int(made) - 200} {rest}")  # of 300 s
        self.assertEqual(self.server.warm("--count", "2", "bash:renew.sh"), "bash:renew.sh: 2 waiting\n")
        left = {spare["folder"] for spare in self.server.waiting("renew.sh")}
        self.assertEqual(len(left), 2)
        self.assertIn(young["folder"], left)
        self.assertNotIn(old["folder"], left)
        self.assertEqual(self.server.swept(), [])


class Settings(harness.unittest.TestCase):
    """Typed in a shell, mayflyctl finds the settings of the service: as another user, from another place."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mayfly-ctl-")
        self.addCleanup(shutil.rmtree, self.folder)
        for name in ("bin", "libexec/mayfly", "share/mayfly/tools.d", "config/mayfly", "run"):
            os.makedirs(os.path.join(self.folder, name))
        shutil.copy(MAYFLYCTL, os.path.join(self.folder, "bin"))
        for name, _, _ in os.walk(self.folder):
            os.chmod(name, 0o755)

    def ctl(self, *arguments, settings="", user=12345, **environment):
        with open(os.path.join(self.folder, "config/mayfly/mayfly.conf"), "w", encoding="utf-8") as file:
            file.write(settings)
        return subprocess.run([os.path.join(self.folder, "bin/mayflyctl"), *arguments], user=user if os.geteuid() == 0 else None,
                              env={"XDG_CONFIG_HOME": os.path.join(self.folder, "config"), "XDG_RUNTIME_DIR": os.path.join(self.folder, "run"),
                                   "HOME": self.folder, **environment},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.DEADLINE_S, check=False)

    def test_the_file(self):
        for line, value in (("MAYFLY_SPARES=many", "many"), ("  MAYFLY_SPARES = many \r", "many"), ('MAYFLY_SPARES="a b"', "a b"),
                            ("MAYFLY_SPARES='x'", "x"), ('MAYFLY_SPARES="x', '"x')):
            with self.subTest(line=line):
                done = self.ctl("spares", settings=f"# a comment\n;MAYFLY_SPARES=no\n\nno equals sign\n{line}\n")
                self.assertEqual(done.returncode, 0 if "=" in line and line.startswith("  MAYFLY_SPARES =") else 78, done)
                if done.returncode:
                    self.assertIn(f'MAYFLY_SPARES is "{value}"', done.stderr)

    def test_the_environment_comes_first(self):
        self.assertEqual(self.ctl("spares", settings="MAYFLY_SPARES=many\n", MAYFLY_SPARES="1").returncode, 0)

    def test_a_unit_needs_no_file(self):
        run = os.path.join(self.folder, "run/mayfly")
        self.assertEqual(self.ctl("spares", settings="MAYFLY_SPARES=many\n", MAYFLY_RUN_DIR=run).returncode, 0)

    def test_places(self):
        broken = os.path.join(self.folder, "share/mayfly/tools.d/code_execution.json")
        with open(broken, "w", encoding="utf-8") as file:
            file.write("{")
        self.assertIn("mayfly-engine", self.ctl("warm", "bash").stderr, "there is none in PREFIX/libexec/mayfly")
        engine = os.path.join(self.folder, "libexec/mayfly/mayfly-engine")
        with open(engine, "w", encoding="utf-8") as file:  # answers PING as an engine does
            file.write("#!/usr/bin/python3\nimport socket\ns = socket.socket(fileno=0)\ns.recv(5)\ns.sendall(b'k\\0\\0\\0\\0')\ns.recv(9)\n")
        os.chmod(engine, 0o755)
        self.assertIn("share/mayfly/tools.d/code_execution.json", self.ctl("warm", "bash").stderr)


if __name__ == "__main__":
    harness.main()
