"""Pooled containers over real HTTP and real Podman: claimed once, by one, without the engine, and only by a job of their kind."""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import tempfile

import harness
from pool import NO_ENGINE, Child, PoolTest, request

# what is in the container before the job, and which container it is: its id is in the source of the mount of /etc/hostname
LOOK = ("ls -A /workspace /tmp /dev/shm | tr '\\n' ' '; pgrep -c sleep; "
        "grep -oEm1 '[0-9a-f]{64}/(userdata/)?hostname' /proc/self/mountinfo || echo none; ")
LEAVE = "echo secret | tee /workspace/left /tmp/left /dev/shm/left >/dev/null; setsid sleep 60 & disown; "


class Claim(PoolTest):
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

    def test_two_jobs_race_for_one_pooled_container(self):
        for count, filename in ((2, "race.sh"), (8, "crowd.sh")):
            with self.subTest(count=count):
                self.server.warm("bash:" + filename)
                before = self.server.counters()
                jobs = [Child(self.server, request(f"echo job{i}; sleep 5", filename=filename), MAYFLY_POOL="1") for i in range(count)]
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
        self.server.run_child(job, MAYFLY_POOL="3")
        self.assertCounted(before, misses=1, claims=4, refills=7)
        self.assertEqual(len(self.server.waiting("count.sh")), 3)
        self.server.run_child(job)
        self.assertCounted(before, misses=1, claims=5, refills=7)
        self.assertGreater(self.server.counters()["refill_mean_ms"], 0)

    def test_off(self):
        self.server.warm("bash:off.sh")
        before = self.server.counters()
        _, reply, log = self.server.run_child(request("echo cold", filename="off.sh"), MAYFLY_POOL="0")
        self.assertEqual(reply["stdout"], "cold\n")
        self.assertIn("asked_us=", log)
        self.assertCounted(before)
        self.assertEqual(len(self.server.waiting("off.sh")), 1, "what waits stays for who wants it")

    def test_a_pooled_container_answers_as_a_new_container_does(self):
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
                _, cold, cold_log = self.server.run_child(job, MAYFLY_POOL="0")
                self.assertEqual(("asked_us=" in warm_log, "asked_us=" in cold_log), (False, True))

                def result(reply):
                    files = {}
                    for name in reply["artifacts"]["outputs"]:
                        with open(os.path.join(self.server.storage, "s", "job-" + reply["id"], name), "rb") as file:
                            files[name] = file.read()
                    return reply["exitCode"], files
                self.assertEqual(result(warm), result(cold))

    def test_a_client_that_hangs_up_on_a_pooled_container_ends_it(self):
        self.server.warm("bash:hangup.sh")
        digits = self.server.waiting("hangup.sh")[0]["folder"][-24:]
        child = Child(self.server, request("sleep 300", filename="hangup.sh", timeout=600))
        harness.until(lambda: "c-" + digits in self.server.folders(), "the pooled container claimed")
        child.connection.close()
        child.process.wait(harness.DEADLINE_S)
        self.assertIn('code="client_gone"', child.log())
        self.assertNotIn("c-" + digits, self.server.folders())
        self.assertEqual(len(self.server.waiting("hangup.sh")), 1, "and the next one waits")
        self.assertEqual(self.server.swept(), [])

    def test_limits_of_a_pooled_container_are_those_of_a_cold_container(self):
        self.server.warm("bash:limits.sh")
        pooled = self.server.container(self.server.waiting("limits.sh")[0])
        child = Child(self.server, request("sleep 2", filename="limits.sh"), MAYFLY_POOL="0")
        folder = harness.until(lambda: self.server.folders("c-"), "a cold container")[0]
        cold = self.server.container({"folder": folder})
        child.answer()
        child.finish()
        differ = {"Binds"}  # the folder's own name
        users = [made["Config"]["User"].split(":")[0] for made in (pooled, cold)]
        self.assertNotEqual(*users)
        self.assertEqual(*({key: json.loads(json.dumps(value).replace(user, "USER")) for key, value in made["HostConfig"].items() if key not in differ}
                           for made, user in zip((pooled, cold), users)))


class OneJobOnly(PoolTest):
    settings = {"MAYFLY_POOL": "4", "MAX_CONCURRENT_RUNS": "8", "MAYFLY_SLOT_WAIT_MS": "60000"}

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
            ids.add(re.fullmatch(r"([0-9a-f]{64})/(userdata/)?hostname", lines[2]).group(1))
        self.assertEqual(len(ids), 60, "a container of its own for each")
        harness.until(lambda: not self.server.processes(), "all cleaned up")
        after = self.server.counters()
        claims, misses = (after[name] - before[name] for name in ("claims", "misses"))
        self.assertEqual(claims + misses, 60)
        self.assertGreaterEqual(claims, 4, "those that waited were used")
        self.assertEqual(self.server.swept(), [])
        noted = [name for name in os.listdir(os.path.join(self.server.run, "pool")) if not name.startswith("kind-")]
        self.assertLessEqual(len(noted), 4 + 1, "what was noted of each is gone with it")


class Kind(PoolTest):
    """Whatever makes a pooled container what it is has changed: then it is not used."""

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
        self.assertIn(self.kind, [pooled["kind"] for pooled in self.server.waiting()])

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
        with open(os.path.join(harness.ROOT, "worker/templates.d/tool.json"), encoding="utf-8") as file:
            template = json.load(file)
        folder = os.path.join(self.server.folder, "config/templates.d")
        os.makedirs(folder, exist_ok=True)
        self.addCleanup(shutil.rmtree, folder)
        with open(os.path.join(folder, "tool.json"), "w", encoding="utf-8") as file:
            json.dump({**template, "pids": 77}, file)
        self.assertMissed()

    def test_runtime_file(self):
        folder = os.path.join(self.server.folder, "config/languages.d")
        os.makedirs(folder, exist_ok=True)
        self.addCleanup(shutil.rmtree, folder)
        with open(os.path.join(folder, "bash.json"), "w", encoding="utf-8") as file:
            json.dump({"description": "another", "tools": {"argv": ["bash", "-u"]}}, file)
        self.assertMissed()

    def test_seccomp_profile(self):
        path = os.path.join(self.server.folder, "profile.json")
        shutil.copy(os.path.join(harness.ROOT, "worker/seccomp.json"), path)
        self.assertMissed(SECCOMP_PROFILE=path)

    def test_stamp(self):
        os.utime(self.server.stamp, (1, 1))
        self.addCleanup(os.utime, self.server.stamp)
        self.assertMissed()


class Image(PoolTest):
    """The image's tag is moved to another image. The stamp is the engine's own list of images, as in a user's install."""
    settings = {"MAYFLY_IMAGE_STAMP": None}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.environment.pop("MAYFLY_IMAGE_STAMP", None)
        if stamp := cls.server.podman.image_list():
            cls.server.environment["MAYFLY_IMAGE_STAMP"] = stamp
        cls.name = "mayfly-test-" + cls.server.instance
        cls.addClassCleanup(cls.remove_tags)
        folder = os.path.join(cls.server.folder, "config/templates.d")
        os.makedirs(folder)
        with open(os.path.join(harness.ROOT, "worker/templates.d/tool.json"), encoding="utf-8") as file:
            template = json.load(file)
        with open(os.path.join(folder, "tool.json"), "w", encoding="utf-8") as file:
            json.dump({**template, "image": cls.name + ":latest"}, file)

    @staticmethod
    def images(*arguments):
        return subprocess.run([*harness.image_tool(), *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    @classmethod
    def remove_tags(cls):
        for tag in ("latest", "other"):
            subprocess.run([*harness.image_tool(), "rmi", "--no-prune", f"{cls.name}:{tag}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    def test_the_tag_names_another_image(self):
        self.images("tag", harness.IMAGE, f"{self.name}:latest")
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "Containerfile"), "w", encoding="utf-8") as file:
                file.write(f"FROM localhost/{harness.IMAGE}\nLABEL another=one\n")
            self.images("build", "--quiet", "--tag", f"{self.name}:other", "--file", folder + "/Containerfile", folder)
        other = self.images("image", "inspect", "--format", "{{.Id}}", f"{self.name}:other").removeprefix("sha256:")
        self.server.warm("bash:image.sh")
        old = self.server.waiting("image.sh")[0]
        self.assertNotEqual(self.server.container(old)["Image"].removeprefix("sha256:"), other)
        before = self.server.counters()
        self.images("tag", other, f"{self.name}:latest")

        _, reply, log = self.server.run_child(request("echo new", filename="image.sh"))
        self.assertEqual(reply["stdout"], "new\n")
        self.assertIn("asked_us=", log)
        self.assertCounted(before, misses=1, refills=1)
        new = [pooled for pooled in self.server.waiting("image.sh") if pooled["kind"] != old["kind"]]
        self.assertEqual([self.server.container(pooled)["Image"].removeprefix("sha256:") for pooled in new], [other])
        self.server.drop()


if __name__ == "__main__":
    harness.main()
