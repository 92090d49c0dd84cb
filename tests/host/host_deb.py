"""The Debian package on a real host: from apt install to the first job by two commands, then upgrade, removal and purge.

Rules:
 1. The image of jobs is there already, for the host has no network; that it is made is for scripts/build-worker's own tests to show.
 2. As in installed.py: one machine, tests in the order of their names, and nothing asserts on time.
"""
import json
import os
import shutil
import tempfile
import time
import unittest

import debpackage
import harness
import vm

RESULT = "/var/lib/mayfly/artifacts/first-run"
# accounts stay; of the others these are the host's own or Podman's
LEFT = "find / -xdev -name '*mayfly*' -not -path '/root/*' -not -path '*/containers/storage/*' -not -path '/var/log/*'; ls -d /run/*mayfly* 2>/dev/null || true"


class DebTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="mayfly-deb-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.package = debpackage.build(os.path.join(cls.folder, "first"))
        cls.machine = vm.Machine()
        cls.addClassCleanup(cls.machine.close)

    def install(self, package):
        """What somebody does who has the file: it goes to the host, and apt installs it."""
        name = f"/root/{os.path.basename(package)}"
        with open(package, "rb") as file:
            self.machine.run(f"cat >{name}", stdin=file)
        return self.machine.run("apt-get", "install", "--yes", "--quiet", name, DEBIAN_FRONTEND="noninteractive", timeout_s=1800)

    def setup_service(self):
        """Without pooled containers, and again where a job was late: mayfly's patience with its engine is made for real machines."""
        self.machine.run("echo MAYFLY_POOL=0 >>/etc/mayfly/mayfly.conf")
        for _ in range(5):
            result = self.machine.try_run("mayflyctl", "setup", timeout_s=1800)
            if result.status == 0:
                break
        self.assertEqual(result.status, 0, result.stdout + result.stderr + self.machine.run("journalctl --no-pager --lines=60 --unit='mayfly*'"))
        return result.stderr

    def active(self, unit):
        return self.machine.try_run("systemctl", "is-active", unit).stdout.strip()

    def left(self):
        return set(self.machine.run(LEFT).split())

    def test_1_from_apt_install_to_the_first_job(self):
        type(self).before = self.left()
        started = time.monotonic()
        self.install(self.package)
        installed = time.monotonic()
        for unit in ("mayfly.socket", "mayfly-engine.socket", "mayfly-reap.timer", "mayfly-health.timer"):
            self.assertEqual(self.active(unit), "active", unit)
        for unit, state in (("mayfly.socket", "enabled"), ("mayfly-static.socket", "disabled"), ("mayfly-warm.timer", "disabled")):
            self.assertEqual(self.machine.try_run("systemctl", "is-enabled", unit).stdout.strip(), state, unit)
        self.assertEqual(self.machine.try_run("systemctl", "--global", "is-enabled", "mayfly.socket").stdout.strip(), "disabled")
        self.assertEqual(self.machine.http("GET", "/health")[0], 200)
        said = self.setup_service()
        vm.say(f"apt install {installed - started:.0f} s, mayflyctl setup {time.monotonic() - installed:.0f} s")
        for language in ("python", "node", "bun", "bash", "ruby", "php"):
            self.assertIn(f"hello from {language}\\n", said)

    def test_2_an_upgrade_keeps_what_there_is(self):
        self.machine.run("echo DEBUG_UI=true >>/etc/mayfly/mayfly.conf; systemctl disable --now mayfly-health.timer")
        results = self.machine.run("ls", RESULT)
        os.mkdir(os.path.join(self.folder, "next"))
        self.machine.run("echo 'DPkg::Options { \"--force-confold\"; };' >/etc/apt/apt.conf.d/test")
        self.install(debpackage.next_version(self.package, os.path.join(self.folder, "next")))
        self.assertEqual(self.machine.run("dpkg-query --show --showformat '${Version}' mayfly")[-5:], "+next")
        self.assertEqual(self.machine.run("ls", RESULT), results)
        self.assertEqual((self.active("mayfly.socket"), self.active("mayfly-health.timer")), ("active", "inactive"))
        self.assertEqual(self.machine.http("GET", "/debug")[0], 200)
        harness.until(self.runs_a_job, "a job after the upgrade", vm.COMMAND_S)

    def runs_a_job(self):
        status, _, body = self.machine.http("POST", "/run", json.dumps({"sessionId": "deb", "language": "bash", "code": "echo hi", "timeout": 240}),
                                            {"Content-Type": "application/json"})
        return status == 200 and json.loads(body)["output"] == "hi\n"

    def test_3_removal_ends_everything_and_keeps_what_is_the_operators(self):
        self.machine.run("apt-get", "remove", "--yes", "--quiet", "mayfly", DEBIAN_FRONTEND="noninteractive", timeout_s=1800)
        left = self.left() - self.before
        self.assertLessEqual({"/etc/mayfly", "/var/lib/mayfly"}, left)
        self.assertEqual({path for path in left if not path.startswith(("/etc/mayfly", "/var/lib/mayfly", "/var/lib/dpkg/", "/var/lib/systemd/deb-",
                                                                       "/etc/systemd/system/"))}, set())
        self.machine.run("test", "-d", RESULT)
        self.assertEqual(self.machine.try_run("pgrep", "--full", "--list-full", "mayfly|conmon").stdout, "")
        self.assertNotIn("mayfly", self.machine.run("findmnt --raw --noheadings --output TARGET"))

    def test_4_purge_leaves_nothing(self):
        self.machine.run("dpkg", "--purge", "mayfly", timeout_s=1800)
        self.assertEqual(self.left(), self.before)
        self.assertEqual(self.machine.run("systemctl list-units --all --no-legend 'mayfly*'"), "")


if __name__ == "__main__":
    harness.main()
