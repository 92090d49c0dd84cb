"""Rows A to F of tests/attack/README.md: the attacks of worker/attack.d, as mayflyctl doctor --attack runs them, and what an observer on the host sees beside them.
A test is an attack."""
import json
import os
import socket
import subprocess
import threading

import attack
import harness

FOLDER = os.path.join(harness.ROOT, "worker/attack.d")
CTL = os.path.join(harness.BUILD, "mayflyctl")
TOKEN = "token-" + os.urandom(12).hex()
SECRETS = {name: f"{TOKEN}-{name}" for name in ("EXECUTOR_API_KEY", "SIGNING_KEY", "JWT_SECRET", "MAYFLY_SECRET", "AWS_SECRET_ACCESS_KEY")}


class OtherJob:
    """A job on a server of its own, with a secret, which is there until this is closed; it must not notice anything."""

    def __enter__(self):
        self.server = harness.Server()
        code = f"echo {TOKEN} | tee secret /tmp/secret /dev/shm/secret > /dev/null; echo ready; while [ ! -e /tmp/over ]; do sleep 0.1; done"
        self.results = []
        self.job = threading.Thread(target=lambda: self.results.append(self.server.execute(code, timeout=4)))
        self.job.start()
        harness.until(lambda: [c for c in self.server.podman.containers(self.server.instance) if c["State"] == "running"], "the other job runs")
        return self

    def __exit__(self, *_):
        self.job.join()
        self.server.close()


class Programs(attack.AttackTest):
    environment = {**SECRETS, "API_KEYS": TOKEN + ":label:10:10", "XDG_RUNTIME_DIR": "/run/user/0", "XDG_SESSION_ID": "1",
                   "XDG_CONFIG_HOME": "/root/.config", "NOTIFY_SOCKET": "/run/systemd/notify", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/bus",
                   "INVOCATION_ID": TOKEN, "SSH_AUTH_SOCK": "/tmp/agent"}
    names = sorted(name.removesuffix(".json") for name in os.listdir(FOLDER) if name.endswith(".json"))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plant()

    @classmethod
    def plant(cls):
        """Puts on the host what the attacks look for, and tells them of it in a prelude.py that says more than ours."""
        cls.canary = os.path.join(cls.server.folder, "canary")
        abstract_name = "mayfly-attack-" + os.urandom(6).hex()
        listeners = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)]
        listeners[1].bind("\0" + abstract_name)
        listeners[1].listen()
        cls.reached = []
        for listener in listeners:
            cls.addClassCleanup(listener.close)
            threading.Thread(target=cls.accept, args=(listener,), daemon=True).start()
        paths = [harness.ROOT, cls.canary, cls.server.folder, cls.server.storage, cls.server.run, cls.server.podman.socket,
                 os.path.join(cls.server.run, "engine.sock"), os.path.expanduser("~/.ssh"), os.path.expanduser("~/.bashrc")]
        with open(cls.canary, "w", encoding="ascii") as file:
            file.write(TOKEN)
        os.makedirs(os.path.join(cls.server.folder, "config/attack.d"))
        with open(os.path.join(cls.server.folder, "config/attack.d/prelude.py"), "w", encoding="utf-8") as file:
            with open(os.path.join(FOLDER, "prelude.py"), encoding="utf-8") as ours:
                file.write(ours.read())
            file.write(f"secrets += {[TOKEN, cls.server.instance]!r}\nhost_paths += {paths!r}\nhost_abstract += {[abstract_name]!r}\n"
                       f"host_ports += {[listeners[0].getsockname()[1]]!r}\nhost_names += {[socket.gethostname()]!r}\n")

    @classmethod
    def accept(cls, listener):
        try:
            while True:
                connection, _ = listener.accept()
                cls.reached.append(listener.family)
                connection.close()
        except OSError:
            return

    def run_attack(self, name):
        done = subprocess.run([CTL, "doctor", "--attack", "--json", "--only", name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False,
                              env={**self.server.environment, "PORT": str(self.server.port)}, timeout=600)
        attacks = json.loads(done.stdout)["attacks"]
        self.assertEqual([one["name"] for one in attacks], [name, "nothing-left"])
        broken = {act["what"]: act["happened"] for one in attacks for act in one["acts"] if act["verdict"] == "broken"}
        self.assertEqual((broken, done.returncode), ({}, 0))
        self.assertEqual(self.reached, [])

    def check(self, name):
        self.run_attack(name)
        self.check_recovered()

    def test_files(self):
        with OtherJob() as other:
            self.check("files")
        self.assertEqual((other.results[0]["exitCode"], other.results[0]["stdout"], set(other.results[0]["artifacts"]["outputs"])),
                         (-1, "ready\n", {"secret", "stdout", "stderr"}))
        with open(self.canary, encoding="ascii") as file:
            self.assertEqual(file.read(), TOKEN)

    def test_persist_leave(self):
        self.check("persist-leave")

        def command_line(pid):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    return file.read()
            except OSError:
                return b""
        self.assertEqual([pid for pid in os.listdir("/proc") if pid.isdigit() and b"DOCTOR-MARK" in command_line(pid)], [])


class WarmPrograms(Programs):
    """The same for jobs that claim a pooled container, whose runtime has been booted before the program was known."""
    environment = {**Programs.environment, "MAYFLY_POOL": "1"}
    names = ["files", "identity", "keeper", "kernel", "network"]

    def ctl(self, *arguments):
        return subprocess.run([CTL, *arguments], env=self.server.environment, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout

    def check(self, name):
        self.ctl("warm", "--count", "1", "python:attack.py")
        before = json.loads(self.ctl("pool", "--json"))["counters"]["claims"]
        self.run_attack(name)
        self.assertGreater(json.loads(self.ctl("pool", "--json"))["counters"]["claims"], before, "a pooled container was claimed")
        harness.until(lambda: not self.server.processes(), "pooled containers are made")
        self.ctl("pool", "drop", "all")
        self.assertEqual(self.server.leaks(), {})


def add_tests(case):
    for name in case.names:
        method = "test_" + name.replace("-", "_")
        if method not in case.__dict__:
            setattr(case, method, lambda self, name=name: self.check(name))


add_tests(Programs)
# not tried with a pool: what looks at no container's inside
for one in set(Programs.names) - set(WarmPrograms.names):
    setattr(WarmPrograms, "test_" + one.replace("-", "_"), None)

if __name__ == "__main__":
    harness.main()
