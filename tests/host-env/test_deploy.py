"""scripts/deploy: an upgrade keeps what there is, one that is not well is taken back, a dry run does nothing, a backup restores.

Everything happens beneath a DESTDIR; what is deployed there really serves: systemd-socket-activate starts the programs from it, and the health check asks
them. Where a test needs a version that is not well, its mayfly is /bin/false.
"""
import fcntl
import io
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
import unittest

import harness

DEPLOY = os.path.join(harness.ROOT, "scripts/deploy")
HEALTH = os.path.join(harness.ROOT, "scripts/health")


def tree(path):
    """What is beneath a folder: {name: (mode, size, time, target or None)}."""
    found = {}
    for folder, folders, names in os.walk(path):
        for name in folders + names:
            full = os.path.join(folder, name)
            status = os.lstat(full)
            found[os.path.relpath(full, path)] = (status.st_mode, status.st_size if stat.S_ISREG(status.st_mode) else 0, status.st_mtime_ns)
    return found


class DeployTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mayfly-deploy-")
        self.addCleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o755)
        self.destdir = os.path.join(self.folder, "root")
        os.mkdir(self.destdir)
        self.url = None

    def path(self, *parts):
        return os.path.join(self.destdir, *parts)

    def build(self, name="good", **replaced):
        """A build folder with the programs that were built, some replaced by others."""
        folder = os.path.join(self.folder, name)
        os.makedirs(folder, exist_ok=True)
        for program in ("mayfly", "mayfly-engine", "mayfly-init", "mayfly-reap", "mayfly-static", "mayflyctl"):
            shutil.copy(replaced.get(program.replace("-", "_"), os.path.join(harness.BUILD, program)), os.path.join(folder, program))
        return folder

    def deploy(self, *arguments, build="", **environment):
        settings = {"DESTDIR": self.destdir, "BUILD": build or self.build(), "PATH": os.environ["PATH"], "HEALTH_TIMEOUT_S": "2", "HOME": self.folder,
                    "TMPDIR": self.folder}
        if self.url:
            settings["MAYFLY_HEALTH_URL"] = self.url
        return subprocess.run([DEPLOY, *arguments], env={**settings, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120, check=False)

    def deployed(self, *arguments, **more):
        done = self.deploy(*arguments, **more)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def serve(self):
        """The programs beneath DESTDIR behind a port, as mayfly.socket would have them."""
        port = harness.free_port()
        self.url = f"http://127.0.0.1:{port}/health"
        environment = {"PATH": os.environ["PATH"], "HOME": self.folder, "MAYFLY_RUN_DIR": os.path.join(self.folder, "run"),
                       "AA_STORAGE_PATH": self.path("var/lib/mayfly/artifacts"), "MAYFLY_DATA_DIR": self.path("usr/share/mayfly"),
                       "MAYFLY_INSTANCE": "t-" + os.urandom(6).hex(), "MAYFLY_POOL": "0"}
        listener = subprocess.Popen(["systemd-socket-activate", "--accept", "--inetd", f"--listen=127.0.0.1:{port}",
                                     *[f"--setenv={name}={value}" for name, value in environment.items()], self.path("usr/libexec/mayfly/mayfly")],
                                    env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(listener.wait)
        self.addCleanup(listener.terminate)
        needle = f" 0100007F:{port:04X} 00000000:0000 0A "

        def listens():
            with open("/proc/net/tcp", encoding="ascii") as table:
                return any(needle in line for line in table)
        harness.until(listens, "systemd-socket-activate listening")

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def backups(self):
        folder = self.path("var/backups/mayfly")
        return sorted(name for name in os.listdir(folder) if not name.startswith(".")) if os.path.isdir(folder) else []

    def fill(self):
        """What an operator and jobs leave behind."""
        self.write("etc/mayfly/mayfly.conf", "DEBUG_UI=true\n")
        self.write("etc/mayfly/tools.d/ours.json", "{}\n")
        self.write("var/lib/mayfly/artifacts/s1/job-abcdef/stdout", "a result\n")
        self.write("var/lib/mayfly/artifacts/.incoming/half", "half\n")


class Upgrades(DeployTest):
    def test_first_installation(self):
        self.deployed()
        self.serve()
        said = self.deployed()
        self.assertIn("is healthy", said)
        for name in ("usr/libexec/mayfly/mayfly", "usr/bin/mayflyctl", "usr/libexec/mayfly/health", "etc/mayfly/mayfly.conf",
                     "etc/systemd/journald.conf.d/mayfly.conf", "usr/lib/systemd/system/mayfly-health.timer"):
            self.assertTrue(os.path.exists(self.path(name)), name)

    def test_an_upgrade_keeps_what_there_is(self):
        self.deployed()
        self.fill()
        self.write("etc/systemd/journald.conf.d/mayfly.conf", "[Journal]\nSystemMaxUse=3G\n")
        self.serve()
        said = self.deployed()
        self.assertIn("upgrading", said)
        self.assertEqual(self.read("etc/mayfly/mayfly.conf"), "DEBUG_UI=true\n")
        self.assertEqual(self.read("etc/mayfly/tools.d/ours.json"), "{}\n")
        self.assertEqual(self.read("var/lib/mayfly/artifacts/s1/job-abcdef/stdout"), "a result\n")
        self.assertIn("3G", self.read("etc/systemd/journald.conf.d/mayfly.conf"))
        self.assertEqual(len(self.backups()), 1)

    def test_backups(self):
        self.deployed()
        self.fill()
        self.deployed()
        name = self.path("var/backups/mayfly", self.backups()[-1])
        self.assertEqual(stat.S_IMODE(os.stat(name).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(name)).st_mode), 0o700)
        with tarfile.open(name) as archive:
            names = archive.getnames()
        self.assertIn("var/lib/mayfly/artifacts/s1/job-abcdef/stdout", names)
        self.assertEqual([name for name in names if "half" in name], [], "half-written results are nobody's")
        self.assertIn(os.path.basename(name), self.deploy("--list").stdout)

    def test_old_backups_go(self):
        self.deployed()
        for day in range(1, 8):
            self.write(f"var/backups/mayfly/2020010{day}T000000Z.tar.gz", "")
        self.deployed(BACKUP_KEEP="3")
        self.assertEqual(len(self.backups()), 3)
        self.assertEqual([name for name in self.backups() if name < "20200106"], [])
        self.assertEqual(self.deploy(BACKUP_KEEP="0").returncode, 1)

    def test_skip_backup(self):
        self.deployed()
        before = self.backups()
        self.fill()
        self.deployed("--skip-backup")
        self.assertEqual(self.backups(), before)


class NotWell(DeployTest):
    def test_an_upgrade_is_taken_back(self):
        self.deployed()
        self.fill()
        self.serve()
        before = tree(self.destdir)
        done = self.deploy(build=self.build("bad", mayfly="/bin/false"))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("the previous version is restored", done.stdout)
        self.assertEqual(subprocess.run([HEALTH, self.url], stdout=subprocess.DEVNULL, check=False).returncode, 0)
        after = tree(self.destdir)
        changed = [name for name in before.keys() | after.keys() if not name.startswith("var/backups") and not stat.S_ISDIR((before.get(name) or after[name])[0])
                   and (before.get(name) or ())[:2] != (after.get(name) or ())[:2]]
        self.assertEqual(changed, [])
        with open(self.path("usr/libexec/mayfly/mayfly"), "rb") as now, open(os.path.join(harness.BUILD, "mayfly"), "rb") as built:
            self.assertEqual(now.read(), built.read())
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("tmp.")], [], "nothing is left aside")

    def test_results_of_meanwhile_stay(self):
        """Jobs go on while a version is tried: what they store is not undone with it."""
        self.deployed()
        self.serve()
        program = os.path.join(self.folder, "stores")
        with open(program, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\nmkdir -p {self.path('var/lib/mayfly/artifacts/new')}; echo kept >{self.path('var/lib/mayfly/artifacts/new/stdout')}\n")
        os.chmod(program, 0o755)
        done = self.deploy(build=self.build("bad", mayfly=program))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(self.read("var/lib/mayfly/artifacts/new/stdout"), "kept\n")

    def test_without_a_backup_too(self):
        self.deployed()
        self.serve()
        self.assertEqual(self.deploy("--skip-backup", build=self.build("bad", mayfly="/bin/false")).returncode, 1)
        self.assertEqual(subprocess.run([HEALTH, self.url], stdout=subprocess.DEVNULL, check=False).returncode, 0)

    def test_a_first_installation_leaves_nothing(self):
        self.url = f"http://127.0.0.1:{harness.free_port()}/health"
        done = self.deploy()
        self.assertEqual(done.returncode, 1, done.stdout)
        left = [name for name, found in tree(self.destdir).items() if not stat.S_ISDIR(found[0]) and not name.startswith("var/backups/")]
        self.assertEqual(left, [])

    def test_when_the_old_one_is_not_well_either(self):
        self.deployed()
        self.url = f"http://127.0.0.1:{harness.free_port()}/health"
        done = self.deploy()
        self.assertEqual(done.returncode, 3, done.stdout)
        self.assertIn("not healthy either", done.stdout)

    def test_an_installation_that_fails(self):
        self.deployed()
        broken = self.build("broken")
        os.unlink(os.path.join(broken, "mayfly-static"))
        before = self.read("usr/share/mayfly/manifest")
        done = self.deploy(build=broken)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("mayfly-static is missing", done.stdout)
        self.assertEqual(self.read("usr/share/mayfly/manifest"), before)

    def test_skip_health_check(self):
        self.deployed()
        self.url = f"http://127.0.0.1:{harness.free_port()}/health"
        self.assertIn("health was not checked", self.deployed("--skip-health-check"))


class DryRun(DeployTest):
    def test_touches_nothing(self):
        self.assertEqual(self.deploy("--dry-run").returncode, 0)
        self.assertEqual(tree(self.destdir), {})
        self.deployed()
        self.fill()
        self.url = "http://127.0.0.1:9/health"
        before = tree(self.destdir)
        said = self.deployed("--dry-run", build=self.build("bad", mayfly="/bin/false"))
        self.assertEqual(tree(self.destdir), before)
        for what in ("backing up", "installing", "checking its health"):
            self.assertIn(what, said)
        backup = self.path("var/backups/mayfly", self.backups()[0]) if self.backups() else ""
        if backup:
            self.deployed("--dry-run", "--restore", backup)
            self.assertEqual(tree(self.destdir), before)


class Restores(DeployTest):
    def test_a_backup_restores(self):
        self.deployed()
        self.fill()
        self.deployed()
        backup = self.path("var/backups/mayfly", self.backups()[-1])
        self.write("etc/mayfly/mayfly.conf", "DEBUG_UI=false\n")
        self.write("etc/mayfly/new.json", "{}")
        shutil.rmtree(self.path("var/lib/mayfly/artifacts/s1"))
        self.deployed("--restore", backup)
        self.assertEqual(self.read("etc/mayfly/mayfly.conf"), "DEBUG_UI=true\n")
        self.assertEqual(self.read("var/lib/mayfly/artifacts/s1/job-abcdef/stdout"), "a result\n")
        self.assertFalse(os.path.exists(self.path("etc/mayfly/new.json")))
        self.assertEqual([name for folder in ("etc", "var/lib") for name in os.listdir(self.path(folder)) if name.startswith(".")], [])
        self.assertEqual(len(self.backups()), 2, "what the restore replaced was backed up")

    def test_what_is_no_backup_changes_nothing(self):
        self.deployed()
        self.fill()
        cases = {"absent": None, "damaged": b"no archive", "cut": None}
        for name, member in (("foreign", "etc/passwd"), ("upward", "etc/mayfly/../../passwd")):
            data = io.BytesIO()
            with tarfile.open(fileobj=data, mode="w:gz") as archive:
                archive.addfile(tarfile.TarInfo(member), io.BytesIO())
            cases[name] = data.getvalue()
        self.deployed()
        with open(self.path("var/backups/mayfly", self.backups()[-1]), "rb") as file:
            cases["cut"] = file.read()[:-30]
        before = tree(self.destdir)
        for name, data in cases.items():
            path = os.path.join(self.folder, name)
            if data is not None:
                with open(path, "wb") as file:
                    file.write(data)
            done = self.deploy("--restore", path)
            self.assertEqual(done.returncode, 1, (name, done.stdout))
            self.assertEqual(tree(self.destdir), before, name)


class Calls(DeployTest):
    def test_wrong_arguments(self):
        for arguments in (["--no"], ["--restore"], ["now"]):
            self.assertEqual(self.deploy(*arguments).returncode, 2)
        self.assertEqual(tree(self.destdir), {})

    def test_one_at_a_time(self):
        self.deployed()
        with open(self.path("var/backups/mayfly/.lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = self.deploy()
        self.assertEqual(done.returncode, 1)
        self.assertIn("another deployment is under way", done.stdout)

    def test_health_says_why(self):
        url = f"http://127.0.0.1:{harness.free_port()}/health"
        done = subprocess.run([HEALTH, url], env={"PATH": os.environ["PATH"], "HEALTH_TIMEOUT_S": "0"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is not healthy", done.stdout)

    def test_health_with_a_key(self):
        with harness.Server(engine=False, EXECUTOR_API_KEY="k3y") as server:
            for key, status in (("k3y", 0), ("wrong", 1), (None, 1)):
                environment = {"PATH": os.environ["PATH"], "HEALTH_TIMEOUT_S": "0", "PORT": str(server.port)}
                if key:
                    environment["EXECUTOR_API_KEY"] = key
                done = subprocess.run([HEALTH], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
                self.assertEqual(done.returncode, status, done.stdout)


if __name__ == "__main__":
    harness.main()
