"""Row E of tests/attack/README.md: what a job learns of its host and of us (programs/identity.py); a test is one act."""
import os

import attack
import harness

TOKEN = "token-" + os.urandom(12).hex()
SECRETS = {name: f"{TOKEN}-{name}" for name in ("EXECUTOR_API_KEY", "SIGNING_KEY", "JWT_SECRET", "MAYFLY_SECRET", "AWS_SECRET_ACCESS_KEY")}


class Identity(attack.ProbeTest):
    program = "identity.py"
    environment = {**SECRETS, "API_KEYS": TOKEN + ":label:10:10", "XDG_RUNTIME_DIR": "/run/user/0", "XDG_SESSION_ID": "1",
                   "XDG_CONFIG_HOME": "/root/.config", "NOTIFY_SOCKET": "/run/systemd/notify", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/bus",
                   "INVOCATION_ID": TOKEN, "CREDENTIALS_DIRECTORY": "/run/credentials/x", "SSH_AUTH_SOCK": "/tmp/agent"}

    @classmethod
    def replacements(cls):
        return {"SECRETS": repr([TOKEN, cls.server.instance])}

    def test_no_token_in_any_environment(self):
        self.assertNotIn(TOKEN, str(self.found["environment"]) + str(self.found["environments in proc"]) + str(self.found["command lines"]))

    def test_the_environment_is_ours_and_nothing_else(self):
        self.assertEqual(set(self.found["environment"]), {"PATH", "HOME", "TMPDIR", "USER", "LANG"})

    def test_no_listen_or_xdg_variables(self):
        text = str(self.found["environment"]) + str(self.found["environments in proc"])
        # a booted runtime was started with variables of worker/kernels, which the program's environment no longer has
        for word in ("LISTEN_", "XDG_", "NOTIFY_SOCKET", "DBUS_", "CREDENTIALS", "REMOTE_ADDR", "AA_STORAGE", "DOCKER_", "MAYFLY_RUN", "MAYFLY_INST",
                     "MAYFLY_CONFIG", "MAYFLY_DATA", "MAYFLY_SECRET", self.server.instance, self.server.folder):
            self.assertNotIn(word, text)

    def test_the_environment_of_init_is_closed(self):
        self.assertIn("/proc/1/environ", self.found["environments in proc"])
        for path in ("/proc/1/environ", "/proc/1/task/1/environ"):
            self.assertIn(self.found["environments in proc"][path], ("!EACCES", "!EPERM"))

    def test_only_its_own_processes_are_in_proc(self):
        self.assertEqual(self.found["pids"], [1, self.found["me"]])
        self.assertEqual(self.found["parent"], 1)
        self.assertEqual(self.found["command lines"]["/proc/1/cmdline"][0], "/run/mayfly-init")

    def test_no_secret_in_any_file(self):
        self.assertEqual(self.found["files with secrets"], [])
        self.assertEqual(self.found["secrets"], [])

    def test_the_hostname_is_generic(self):
        names = self.found["hostname"]
        self.assertEqual({names["gethostname"], names["uname"], names["file"].strip(), names["proc"].strip()}, {"sandbox"})
        self.assertEqual((names["domain"].strip(), names["environment"]), ("(none)", None))

    def test_the_hosts_file_names_nothing_of_the_host(self):
        names = {name for line in self.found["hostname"]["hosts"].splitlines() for name in line.split("#")[0].split()}
        self.assertEqual(names - {"127.0.0.1", "::1", "localhost", "sandbox", "ip6-localhost", "ip6-loopback"}, set())

    def test_no_nameserver_and_no_machine_id(self):
        self.assertNotIn("nameserver", self.found["resolv"])
        self.assertEqual([text for text in self.found["machine-id"].values() if text.strip() not in ("!ENOENT", "", "uninitialized")], [])

    def test_it_is_the_runner(self):
        self.assertEqual(self.found["ids"], [[10001] * 3, [10001] * 3, [10001]])


class WarmIdentity(Identity):
    """The same for a job that claims a pooled container."""
    is_warm = True


if __name__ == "__main__":
    harness.main()
