"""mayflyctl: pooled containers, warm, and where it finds its settings."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import harness
from pool import MAYFLYCTL, NO_ENGINE, PoolTest


class Ctl(PoolTest):
    """mayflyctl."""

    def setUp(self):
        self.server.drop()

    def test_list(self):
        said = self.server.warm("python:list.py", "bash")
        self.assertEqual(said, "python:list.py: 1 waiting\nbash: 1 waiting\n")
        listed = self.server.listed()
        self.assertEqual(sorted(listed), ["counters", "pool"])
        self.assertEqual(sorted(listed["counters"]), ["claims", "misses", "refill_mean_ms", "refills"])
        pooled = {row["label"]: row for row in listed["pool"]}
        self.assertEqual(sorted(pooled), ["tool: bash script.js", "tool: python3 list.py"])
        for row in pooled.values():
            self.assertRegex(row["kind"], "^[0-9a-f]{16}$")
            self.assertTrue(0 <= row["age_s"] < 60)
            self.assertEqual(row["memory_from"], "cgroup")
            self.assertTrue(64 << 10 < row["memory_bytes"] < 64 << 20, row)
        with open(os.path.join(harness.ROOT, "worker/languages.d/python.json"), encoding="utf-8") as file:
            self.assertEqual(pooled["tool: python3 list.py"]["prebooted"], "boot_env" in json.load(file))
        table = self.server.ctl("pool").stdout
        self.assertRegex(table, r"(?m)^KIND +AGE +MEMORY +PREBOOTED +FOR$")
        self.assertRegex(table, r"(?m)^[0-9a-f]{16} +\d+ s +\d+\.\d MiB +(yes|no) +tool: python3 list\.py$")
        self.assertRegex(table, r"(?m)^2 waiting; claims \d+, misses \d+, refills \d+, \d+ ms each$")

    def test_list_of_nothing(self):
        self.assertEqual(self.server.listed()["pool"], [])
        self.assertRegex(self.server.ctl("pool").stdout, r"^0 waiting; ")
        empty = self.server.ctl("pool", MAYFLY_RUN_DIR=os.path.join(self.server.folder, "never"))
        self.assertEqual((empty.returncode, empty.stdout), (0, "0 waiting; claims 0, misses 0, refills 0, 0 ms each\n"))

    def test_a_label_moves_no_cursor(self):
        self.server.warm("bash:\u202eevil.sh")
        table = self.server.ctl("pool").stdout
        self.assertIn("bash ???evil.sh", table)
        self.assertTrue(table.isascii())
        self.assertEqual(self.server.waiting()[0]["label"], "tool: bash \u202eevil.sh")

    def test_without_an_engine(self):
        self.server.warm("bash:lonely.sh")
        listed = self.server.ctl("pool", "--json", **NO_ENGINE)
        self.assertEqual(listed.returncode, 0)
        self.assertEqual(json.loads(listed.stdout)["pool"][0]["memory_from"], "preparation")
        self.assertIn("no container engine answers", listed.stderr)
        warm = self.server.ctl("warm", "bash", **NO_ENGINE)
        self.assertEqual((warm.returncode, warm.stdout), (69, ""))
        self.assertIn("mayflyctl warm: no container engine answers: ", warm.stderr)
        self.assertIn(NO_ENGINE["DOCKER_SOCKET_PATH"], warm.stderr)
        drop = self.server.ctl("pool", "drop", "all", **NO_ENGINE)
        self.assertEqual((drop.returncode, drop.stdout), (69, "0 removed\n"))
        self.assertEqual(self.server.swept(), [])

    def test_drop(self):
        self.server.warm("bash:a.sh", "bash:b.sh", "bash:c.sh")
        kinds = {pooled["label"].split()[-1]: pooled["kind"] for pooled in self.server.waiting()}
        self.assertEqual(self.server.ctl("pool", "drop", kinds["a.sh"]).stdout, "1 removed\n")
        self.assertEqual([pooled["kind"] for pooled in self.server.waiting("a.sh")], [])
        self.assertEqual(self.server.ctl("pool", "drop", kinds["a.sh"], kinds["b.sh"]).stdout, "1 removed\n")
        self.assertEqual(self.server.ctl("pool", "drop", "all").stdout, "1 removed\n")
        self.assertEqual((self.server.waiting(), self.server.folders()), ([], []))
        self.assertEqual(self.server.podman.containers(self.server.instance), [])

    def test_usage(self):
        for arguments in ((), ("pooled container",), ("pool", "list"), ("pool", "drop"), ("pool", "drop", "python"), ("pool", "--json", "x"),
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
        for name, value in (("MAYFLY_POOL", "many"), ("MAYFLY_POOL_TTL_S", "0")):
            done = self.server.ctl("pool", **{name: value})
            self.assertEqual(done.returncode, 78)
            self.assertIn(f'{name} is "{value}"', done.stderr)
        off = self.server.ctl("warm", "bash", MAYFLY_POOL="0")
        self.assertEqual(off.returncode, 78)
        self.assertIn("pooled containers are off", off.stderr)

    def test_what_cannot_be_warmed_keeps_nothing_else_from_it(self):
        done = self.server.ctl("warm", "cobol", "bash:fine.sh", "bash:a/b")
        self.assertEqual((done.returncode, done.stdout), (65, "bash:fine.sh: 1 waiting\n"))
        self.assertIn("mayflyctl warm: cobol: language: Invalid option", done.stderr)
        self.assertIn("mayflyctl warm: bash:a/b: filename: ", done.stderr)

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
        self.assertEqual({pooled["folder"] for pooled in self.server.waiting("renew.sh")}, {old["folder"], young["folder"]})
        path = os.path.join(self.server.run, "pool", old["folder"][-24:])
        with open(path, encoding="utf-8") as file:
            made, rest = file.read().split(" ", 1)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"{int(made) - 200} {rest}")  # of 300 s
        self.assertEqual(self.server.warm("--count", "2", "bash:renew.sh"), "bash:renew.sh: 2 waiting\n")
        left = {pooled["folder"] for pooled in self.server.waiting("renew.sh")}
        self.assertEqual(len(left), 2)
        self.assertIn(young["folder"], left)
        self.assertNotIn(old["folder"], left)
        self.assertEqual(self.server.swept(), [])


class Settings(unittest.TestCase):
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
        for line, value in (("MAYFLY_POOL=many", "many"), ("  MAYFLY_POOL = many \r", "many"), ('MAYFLY_POOL="a b"', "a b"),
                            ("MAYFLY_POOL='x'", "x"), ('MAYFLY_POOL="x', '"x')):
            with self.subTest(line=line):
                done = self.ctl("pool", settings=f"# a comment\n;MAYFLY_POOL=no\n\nno equals sign\n{line}\n")
                self.assertEqual(done.returncode, 0 if "=" in line and line.startswith("  MAYFLY_POOL =") else 78, done)
                if done.returncode:
                    self.assertIn(f'MAYFLY_POOL is "{value}"', done.stderr)

    def test_the_environment_comes_first(self):
        self.assertEqual(self.ctl("pool", settings="MAYFLY_POOL=many\n", MAYFLY_POOL="1").returncode, 0)

    def test_a_unit_needs_no_file(self):
        run = os.path.join(self.folder, "run/mayfly")
        self.assertEqual(self.ctl("pool", settings="MAYFLY_POOL=many\n", MAYFLY_RUN_DIR=run).returncode, 0)

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
