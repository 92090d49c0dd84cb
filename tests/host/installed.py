"""What an installed mayfly must do, whichever way it was installed: the tests that host_system.py and host_user.py share.

Rules:
 1. One machine for all tests of a class, in the order of their names: install, use, upgrade, reboot, uninstall.
 2. Everything is done as systemd/README.md says, by the commands that it names.
 3. Nothing asserts on how long something took: a machine without KVM is some 20 times slower than a real one.
"""
import json
import re
import shlex
import unittest

import harness
import vm

TREE = "/root/mayfly"
HELLO = {
    "python": "print('hello from python')",
    "node": "console.log('hello from node')",
    "bun": "console.log('hello from bun')",
    "bash": "echo hello from bash",
    "ruby": "puts 'hello from ruby'",
    "php": "<?php echo 'hello from php', PHP_EOL;",
}
LIMITS = """
for name in memory.max memory.swap.max pids.max cpu.max; do echo $name $(cat /sys/fs/cgroup/$name); done
"""
# two processes want a CPU each for as long as it takes to be throttled often
BURN = """
import os, time
began = time.monotonic()
for _ in range(2):
    if os.fork() == 0:
        while time.monotonic() < began + 8:
            pass
        os._exit(0)
os.wait(); os.wait()
used = os.times()
throttled = [line.split()[1] for line in open('/sys/fs/cgroup/cpu.stat') if line.startswith('nr_throttled')][0]
print((used.children_user + used.children_system) / (time.monotonic() - began), throttled)
"""
FORK = """
import os, signal, time
count = 0
try:
    while count < 1000:
        if os.fork() == 0:
            signal.pause()
            os._exit(0)
        count += 1
except BlockingIOError:
    pass
print(count)
"""
ALLOCATE = "print('began', flush=True)\nkept = bytearray(700 << 20)\nprint('got it')"


class Installed(unittest.TestCase):
    """Shared; the subclasses say how it is installed."""
    machine = None
    user = "root"  # who runs mayflyctl
    storage = run_folder = ""

    @classmethod
    def setUpClass(cls):
        cls.machine = vm.Machine()
        cls.addClassCleanup(cls.machine.close)

    # --- helpers ---

    def systemctl(self, *arguments, **more):
        """systemctl of the manager that mayfly's units belong to."""
        raise NotImplementedError

    def journal(self, identifier=None):
        """The last lines of mayfly's log, or of one program's."""
        chosen = [identifier] if identifier else ["mayfly", "mayfly-engine", "mayfly-static", "mayfly-reap", "mayfly-warm"]
        return self.machine.run("journalctl", "--no-pager", "--output=cat", "--lines=60", *[f"--identifier={name}" for name in chosen])

    def property(self, unit, name):
        return self.systemctl("show", "--value", "--property", name, unit).strip()

    def until(self, condition, what):
        return harness.until(condition, what, vm.COMMAND_S)

    def request(self, path, body, headers=None):
        try:
            return self.machine.http("POST", path, json.dumps(body), {"Content-Type": "application/json", **(headers or {})})
        except ConnectionError as error:
            raise AssertionError(f"{error}\n{self.journal()}") from error

    def call(self, path, body, headers=None):
        """A request that must succeed: its reply."""
        status, _, reply = self.request(path, body, headers)
        for _ in range(5):
            # mayfly's patience with its engine is made for real machines; this one may be slower
            if status == 200 or "within" not in reply and "in time" not in reply:
                break
            status, _, reply = self.request(path, body, headers)
        self.assertEqual(status, 200, reply + "\n" + self.journal())
        return json.loads(reply)

    def job(self, language, code, **more):
        """Runs a job over HTTP: its reply."""
        return self.call("/run", {"sessionId": "host", "language": language, "code": code, "timeout": 240, **more})

    def hello(self, language="bash"):
        reply = self.job(language, HELLO[language])
        self.assertEqual((reply["exitCode"], reply["output"]), (0, f"hello from {language}\n"), self.journal())
        return reply

    def fetch(self, url):
        return self.machine.http("GET", url.removeprefix("http://127.0.0.1:8080"))

    def pooled(self):
        return json.loads(self.machine.run("mayflyctl", "pool", "--json", user=self.user))

    def folders(self, label):
        """The folders of the pooled containers whose label ends so."""
        return {row["folder"] for row in self.pooled()["pool"] if row["label"].endswith(label)}

    def containers(self):
        """The ids of the containers there are."""
        raise NotImplementedError

    def job_folders(self):
        """The folders of jobs that run, or of what is left of them."""
        return self.machine.run(f"cd {self.run_folder} && find jobs making -name 'c-*'").split()

    def configure(self, **variables):
        raise NotImplementedError

    # --- tests, in order ---

    def test_01_installs(self):
        self.machine.put_tree(TREE)
        self.before_install()
        said = self.machine.run(f"make -C {TREE} install")
        self.assertNotIn("  CC ", said)
        self.after_install()
        self.configure(MAYFLY_POOL="0")
        self.enable()
        for unit in ("mayfly.socket", "mayfly-engine.socket"):
            self.assertEqual(self.property(unit, "SubState"), "listening")
        self.assertEqual(self.property("mayfly-reap.timer", "ActiveState"), "active")

    def before_install(self):
        pass

    def after_install(self):
        pass

    def enable(self):
        raise NotImplementedError

    def test_02_health(self):
        status, _, body = self.machine.http("GET", "/health")
        self.assertEqual(status, 200, body)

    def test_03_a_job_in_every_language(self):
        for language in HELLO:
            with self.subTest(language=language):
                self.hello(language)

    def test_04_artifacts_are_served(self):
        reply = self.job("python", "open('data.bin', 'wb').write(bytes(range(256)) * 4096)")
        status, headers, body = self.fetch(reply["artifacts"]["outputs"]["data.bin"])
        self.assertEqual((status, headers["x-content-type-options"]), (200, "nosniff"))
        self.assertEqual(body.encode("latin-1"), bytes(range(256)) * 4096)
        type(self).kept = reply["artifacts"]["outputs"]["data.bin"]
        path = f"{self.storage}/host/job-{reply['id']}/data.bin"
        self.assertEqual(self.machine.run("stat", "--format", "%s", path).strip(), str(256 * 4096))

    def test_05_limits_are_in_the_cgroup(self):
        reply = self.job("bash", LIMITS)
        self.assertEqual(reply["output"].splitlines(), ["memory.max 536870912", "memory.swap.max 0", "pids.max 128",
                                                        "cpu.max 50000 100000"], reply)

    def test_06_memory_holds(self):
        reply = self.job("python", ALLOCATE)
        self.assertEqual((reply["exitCode"], reply["output"]), (137, "began\n"))

    def test_07_processes_hold(self):
        reply = self.job("python", FORK)
        self.assertEqual(reply["exitCode"], 0, reply)
        self.assertGreater(int(reply["output"]), 64)
        self.assertLess(int(reply["output"]), 128)

    def test_08_cpu_holds(self):
        reply = self.job("python", BURN)
        self.assertEqual(reply["exitCode"], 0, reply)
        used, throttled = reply["output"].split()
        self.assertLess(float(used), 0.6)
        self.assertGreater(int(throttled), 0)

    def test_09_a_pooled_container_is_made_and_claimed(self):
        self.configure(MAYFLY_POOL="1")
        self.hello("python")
        before = self.until(lambda: self.folders("python3 script.js"), "a pooled container for the job that was")
        claims = self.pooled()["counters"]["claims"]
        self.hello("python")
        self.until(lambda: self.pooled()["counters"]["claims"] == claims + 1, "the claim, which is counted after the answer")
        self.assertTrue(before - self.folders("python3 script.js"))

    def test_10_the_warm_timer_makes_pooled_containers(self):
        self.machine.run("mayflyctl", "pool", "drop", "all", user=self.user)
        self.configure(MAYFLY_POOL="1", MAYFLY_WARM="node", MAYFLY_POOL_TTL_S="3600")
        self.systemctl("enable", "--now", "mayfly-warm.timer")
        waiting = self.until(lambda: self.folders("node ./script.js"), "a pooled container that nobody asked for")
        claims = self.pooled()["counters"]["claims"]
        self.hello("node")
        self.until(lambda: self.pooled()["counters"]["claims"] == claims + 1, "the claim, which is counted after the answer")
        self.assertTrue(waiting - self.folders("node ./script.js"))

    def test_11_the_reaper_comes_by_its_timer(self):
        self.until(lambda: self.property("mayfly-reap.timer", "LastTriggerUSec"), "the timer's first run")
        self.until(lambda: re.search("results=.*containers=", self.journal("mayfly-reap")), "the reaper's success")

    def test_12_what_a_killed_engine_leaves_is_removed(self):
        self.configure(MAYFLY_POOL="0")
        request = json.dumps({"sessionId": "left", "language": "bash", "code": "trap '' TERM; while :; do sleep 600; done", "timeout": 900})
        self.machine.run(f"curl --silent --max-time 900 http://127.0.0.1:8080/run --output /dev/null --data {shlex.quote(request)} "
                         "</dev/null >/dev/null 2>&1 &")
        self.until(lambda: self.machine.try_run("pgrep", "--full", "^sleep 600$").status == 0, "the job's start")
        self.systemctl("kill", "--signal=KILL", "mayfly@*.service", "mayfly-engine@*.service")
        self.until(lambda: not self.job_folders(), "the folder's removal, which follows the container's")
        self.assertEqual(self.machine.try_run("pgrep", "--full", "^sleep 600$").status, 1)
        self.assertLessEqual(len(self.containers()), len(self.pooled()["pool"]))
        self.assertRegex(self.journal("mayfly-reap"), "containers=[1-9]")

    def test_13_a_new_image_is_used_at_once(self):
        """One that is made in the host's own store, the usual way, while pooled containers of the old one wait."""
        self.configure(MAYFLY_POOL="1")
        self.hello()
        self.until(lambda: self.folders("bash script.js"), "a pooled container of the old image")
        self.machine.run("cd $(mktemp -d) && echo new >version &&"
                         " printf 'FROM localhost/aa-worker\\nCOPY version /etc/version\\n' >Containerfile &&"
                         " podman build --quiet --isolation=chroot --tag aa-worker:latest .", user=self.user)
        self.until(lambda: self.job("bash", "cat /etc/version")["output"] == "new\n", "the new image")

    def test_19_a_job_is_found_in_the_journal(self):
        # this host keeps its journal in memory, where there is none for each user
        self.machine.run("usermod", "--append", "--groups", "systemd-journal", "alice")
        self.addCleanup(self.machine.run, "gpasswd", "--delete", "alice", "systemd-journal")
        self.configure(MAYFLY_POOL="0")
        reply = self.hello("python")
        shown = self.until(lambda: self.machine.try_run("mayflyctl", "logs", "--json", reply["id"], user=self.user).stdout, "the job's line")
        entry, = [json.loads(line) for line in shown.splitlines()]
        wanted = {"SYSLOG_IDENTIFIER": "mayfly", "_TRANSPORT": "journal", "MAYFLY_STATUS": "200", "MAYFLY_LANGUAGE": "python", "MAYFLY_FAMILY": "A",
                  "MAYFLY_OUTCOME": "succeeded"}
        self.assertEqual({name: entry.get(name) for name in wanted}, wanted, entry)
        matched = self.machine.run("journalctl", "--output=cat", "--quiet", f"MAYFLY_JOB={reply['id']}")
        self.assertEqual(len(matched.splitlines()), 1, "once, not also as standard error")
        done = self.machine.try_run("mayflyctl", "logs", "neverseen", user=self.user)
        self.assertEqual((done.status, done.stdout), (65, ""))

    def test_20_an_upgrade_keeps_configuration_and_results(self):
        self.configure(DEBUG_UI="true", MAYFLY_POOL="1", MAYFLY_WARM="node")
        self.machine.run(f"make -C {TREE} install")
        self.systemctl("daemon-reload")
        self.assertEqual(self.machine.http("GET", "/debug")[0], 200)
        self.assertEqual(self.fetch(self.kept)[0], 200)
        self.hello()

    def test_30_a_reboot_brings_everything_back(self):
        former = set(self.until(self.containers, "the pooled container that the last job is followed by"))
        self.machine.reboot()
        for unit in ("mayfly.socket", "mayfly-engine.socket"):
            self.assertEqual(self.property(unit, "SubState"), "listening")
        for unit in ("mayfly-reap.timer", "mayfly-warm.timer"):
            self.assertEqual(self.property(unit, "ActiveState"), "active")
        self.assertEqual(self.fetch(self.kept)[0], 200)
        for language in ("bash", "python"):
            self.hello(language)
        self.until(lambda: self.folders("node ./script.js"), "a pooled container made by the timer")
        self.until(lambda: not former & set(self.containers()), "the removal of what is left of the former boot")
