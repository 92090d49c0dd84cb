"""mayfly as system units with users of their own, on a real host."""
import json
import os

import harness
import installed
import vm

KEY = "host-test-key"
DROP_IN = "/etc/systemd/system/mayfly@.service.d"
PROBE = "/usr/local/lib/test-host/probe.py"
# what may be done from inside each unit, of all that probe.py tries
MAY = {"mayfly@": ["keys, as given", "secret", "signing key", "interfaces", "engine", "jobs", "run folder", "templates", "read", "write"],
       "mayfly-static@": ["interfaces", "read"], "mayfly-engine@": ["interfaces", "podman", "making", "jobs", "run folder"],
       "mayfly-reap": ["signing key", "engine", "jobs", "run folder", "templates", "read", "write"],
       "mayfly-warm": ["signing key", "engine", "jobs", "run folder", "read"], "mayfly-health": ["interfaces", "port"],
       "mayfly-images": ["making", "jobs", "run folder"]}
ASK = """
import socket, sys
with socket.socket(*eval(sys.argv[1])) as connection:
    connection.connect(eval(sys.argv[2]))
    connection.sendall(b" ")
    print(connection.recv(4096).decode())
"""
# what Podman, systemd and the tests themselves leave
NOT_OURS = ("/root", "/tmp", "/var/tmp", "/var/log", "/var/cache", "/var/lib/containers", "/home/alice/.local/share/containers",
            "/usr/local/lib/test-host", "/etc/systemd/system/timers.target.wants")


class SystemTest(installed.Installed):
    storage = "/var/lib/mayfly/artifacts"
    run_folder = "/run/mayfly"

    def systemctl(self, *arguments, **more):
        return self.machine.run("systemctl", *arguments, **more)

    def containers(self):
        return self.machine.run("podman", "--url", "unix:///run/mayfly/podman.sock", "ps", "--all", "--quiet").split()

    def configure(self, **variables):
        text = "".join(f"{name}={value}\n" for name, value in variables.items())
        self.machine.run("cp /usr/share/mayfly/mayfly.conf.example /etc/mayfly/mayfly.conf; cat >>/etc/mayfly/mayfly.conf",
                         stdin=text.encode())

    def files(self):
        """Every file, folder and user of the host, less those of others."""
        pruned = " -o ".join(f"-path {path}" for path in NOT_OURS)
        return set(self.machine.run(f"find / -xdev \\( {pruned} \\) -prune -o -print; ls -d /run/mayfly* 2>/dev/null || true;"
                                    " cut -d: -f1 /etc/passwd; cut -d: -f1,4 /etc/group; findmnt --raw --noheadings --output TARGET").splitlines())

    def before_install(self):
        type(self).before = self.files()

    def enable(self):
        self.systemctl("enable", "--now", "mayfly.socket")

    def as_user(self, user, *argv):
        return self.machine.try_run("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--", *argv)

    def test_14_containers_are_kept_in_memory(self):
        self.assertEqual(self.machine.run("stat", "--file-system", "--format=%T", "/run/mayfly-podman/graph").strip(), "tmpfs")
        self.assertEqual(self.machine.run("podman", "ps", "--all", "--quiet"), "")
        found = self.machine.run("podman", "--url", "unix:///run/mayfly/podman.sock", "images", "--format", "{{.Repository}} {{.ReadOnly}}")
        self.assertIn("localhost/aa-worker true", found)

    def test_14_sandboxes(self):
        whose = {"tenant_id": "host", "scope": "test"}
        session = {"session_id": self.call("/session/create", {**whose, "ttl": 3600})["session_id"]}
        for code, said in (("x = 41", ""), ("print(x + 1)", "42\n")):
            reply = self.call("/session/execute", {**session, "code": code, "timeout": 240})
            self.assertEqual((reply["status"], reply["stdout"]), ("success", said), reply)
        self.call("/session/destroy", session)
        self.assertEqual(self.call("/execute", {**whose, "code": "print(6*7)", "timeout": 240})["stdout"], "42\n")

    def test_14_agents_and_validation(self):
        page = {"html": "<html></html>", "css": "a{}", "javascript": "let answer = 42;"}
        reply = self.call("/api/v1/ai/agents/host/auto-run", {"frontend": page, "test": "console.log(6*7)", "prompt": "a page"})
        self.assertEqual((reply["data"]["status"], reply["data"]["stdout"]), ("completed", "42\n"), reply)
        reply = self.call("/validate", {"language": "python", "files": {"a.py": "print(1"}})
        self.assertIn("a.py", json.dumps(reply))

    def test_15_who_reads_the_network_cannot_reach_podman(self):
        ping = ("curl", "--silent", "--show-error", "--unix-socket", "/run/mayfly/podman.sock", "http://podman/_ping")
        self.assertEqual(self.as_user("mayfly-engine", *ping).stdout, "OK")
        for user in ("mayfly", "mayfly-static", "alice"):
            self.assertNotEqual(self.as_user(user, *ping).status, 0, user)
        for user in ("mayfly-static", "alice"):
            for path in ("/run/mayfly/", "/run/mayfly/jobs/", "/etc/mayfly/mayfly.conf"):
                self.assertNotEqual(self.as_user(user, "cat" if path.endswith("conf") else "ls", path).status, 0, (user, path))
        self.assertNotEqual(self.as_user("mayfly", "ls", "/run/mayfly/making").status, 0)
        self.assertNotEqual(self.as_user("mayfly", "touch", "/run/mayfly/x").status, 0)
        self.assertEqual(self.as_user("mayfly-static", "cat", self.kept.replace("http://127.0.0.1:8080/artifacts", self.storage)
                                      .replace("/host/", "/host/job-")).status, 0)

    def test_16_folders_have_their_modes(self):
        shown = self.machine.run("cd /run/mayfly && stat --format '%n %a %U %G' . making users jobs pool metrics-2 buckets slots images")
        self.assertEqual(shown.splitlines(), [
            ". 750 mayfly-engine mayfly", "making 700 mayfly-engine mayfly-engine", "users 700 mayfly-engine mayfly-engine", "jobs 770 mayfly-engine mayfly",
            "pool 750 mayfly mayfly", "metrics-2 640 mayfly mayfly", "buckets 700 mayfly mayfly", "slots 600 mayfly mayfly",
            "images 644 mayfly-engine mayfly"])
        self.hello()
        self.until(lambda: self.folders("bash script.js"), "a pooled container")
        folder = self.folders("bash script.js").pop()
        self.assertEqual(self.machine.run("stat", "--format", "%a %U", f"/run/mayfly/jobs/{folder}").strip(), "555 mayfly-engine")

    def test_17_keys_are_roots(self):
        """Where systemd opens the file, a key counts at once; user mayfly cannot open it."""
        def mode():
            return self.machine.run("stat", "--format", "%a %U %G", "/etc/mayfly/keys").strip()

        self.assertEqual(mode(), "600 root root")
        token = self.machine.run("mayflyctl", "keys", "add", "host").strip()
        run = {"language": "python", "code": "print(6*7)"}
        for fields, wanted in (({}, 401), ({"Authorization": "Bearer mf_wrong"}, 401), ({"Authorization": "Bearer " + token}, 200)):
            if wanted == 401:
                self.assertEqual(self.request("/v1/runs", run, fields)[0], wanted)
            else:
                self.assertEqual(self.call("/v1/runs", run, fields)["stdout"], "42\n")
        self.assertEqual(mode(), "600 root root")
        for user in ("mayfly", "mayfly-engine", "mayfly-static", "alice"):
            self.assertNotEqual(self.as_user(user, "cat", "/etc/mayfly/keys").status, 0, user)
        self.assertNotIn(token, self.journal())
        self.machine.run("mayflyctl", "keys", "revoke", "host")
        self.assertEqual(self.call("/v1/runs", run)["stdout"], "42\n", "no key: loopback needs none")

    def test_17_credentials(self):
        self.machine.run("install -d -m 0700 /etc/mayfly/credentials; cat >/etc/mayfly/credentials/API_KEYS",
                         stdin=f"{KEY}:host:10:10\n".encode())
        self.machine.run(f"install -D -m 0644 /usr/share/mayfly/credentials.conf.example {DROP_IN}/credentials.conf;"
                         f"sed -i '/^#LoadCredential=API_KEYS/s/^#//' {DROP_IN}/credentials.conf; systemctl daemon-reload")
        run = {"language": "python", "code": "print(6*7)"}
        self.assertEqual(self.request("/v1/runs", run)[0], 401)
        status, _, body = self.request("/v1/runs", run, {"Authorization": "Bearer " + KEY})
        self.assertEqual(status, 200, body + self.journal())
        self.assertIn('"stdout":"42\\n"', body)
        self.assertNotIn(KEY, self.journal())
        self.machine.run(f"rm -r {DROP_IN} /etc/mayfly/credentials; systemctl daemon-reload")

    def probe(self, unit):
        """What probe.py can do in place of a unit's program."""
        ask = {"mayfly@": ("[socket.AF_INET]", '("127.0.0.1", 8080)'), "mayfly-static@": ("[socket.AF_INET]", '("127.0.0.1", 8081)'),
               "mayfly-engine@": ("[socket.AF_UNIX]", '"/run/mayfly/engine.sock"')}
        if unit in ask:
            return json.loads(self.machine.run("python3", "-c", ASK, *ask[unit]))
        self.systemctl("start", unit)
        said = self.journal(os.path.basename(unit)).splitlines()
        return json.loads([line for line in said if line.startswith("[")][-1])

    def test_18_what_can_be_done_from_inside_each_unit(self):
        self.systemctl("start", "mayfly-static.socket")
        self.systemctl("stop", "mayfly-reap.timer", "mayfly-warm.timer")
        self.call("/v1/runs", {"language": "python", "code": "open('outputs/answer', 'w').write('42')"})  # whose link is signed: the key is there then
        self.configure(JWT_SECRET="host-test-secret", MAYFLY_WARM="bash")
        artifact = self.kept.replace("http://127.0.0.1:8080/artifacts", self.storage).replace("/host/", "/host/job-")
        with open(os.path.join(vm.HERE, "probe.py"), "rb") as file:
            self.machine.run(f"cat >{PROBE}; chmod 755 {PROBE}", stdin=file.read())
        for unit, may in MAY.items():
            folder = f"/run/systemd/system/{unit}.service.d"
            drop_in = f"[Service]\nExecStart=\nExecStart={PROBE} {artifact} {self.storage}\n"
            self.machine.run(f"mkdir -p {folder}; cat >{folder}/probe.conf; systemctl daemon-reload", stdin=drop_in.encode())
            with self.subTest(unit=unit):
                self.assertEqual(self.probe(unit), may)
            self.machine.run(f"rm -r {folder}; systemctl daemon-reload")
        self.configure(MAYFLY_POOL="1", MAYFLY_WARM="node")
        self.systemctl("stop", "mayfly-static.socket")
        self.systemctl("start", "mayfly-reap.timer", "mayfly-warm.timer")
        self.hello()

    def test_19_what_confinement_takes_away_on_this_kernel(self):
        """The unit test's own program, by root and by mayfly: this kernel's Landlock is an older one than most machines that build have."""
        with open(os.path.join(harness.BUILD, "tests/test_confine"), "rb") as file:
            self.machine.run("cat >/usr/local/lib/test-host/confine; chmod 755 /usr/local/lib/test-host/confine", stdin=file.read())
        for user in ("root", "mayfly"):
            said = self.as_user(user, "/usr/local/lib/test-host/confine")
            # what it costs is no question for a machine without KVM
            failed = [line for line in said.stdout.splitlines() if line.startswith("not ok") and "costs less" not in line]
            self.assertEqual(failed, [], said.stdout[-2000:] + said.stderr)
            self.assertRegex(said.stdout, r"\n1\.\.[1-9]")
            self.assertRegex(said.stdout, r"Landlock ABI [1-9]")

    def test_40_uninstall_keeps_what_is_the_operators(self):
        self.machine.run(f"make -C {installed.TREE} uninstall")
        left = [line for line in self.files() - self.before if line.startswith("/")]
        self.assertEqual([path for path in left if not path.startswith(("/etc/mayfly", "/var/lib/mayfly"))], [])
        self.machine.run("test", "-f", "/etc/mayfly/mayfly.conf")
        self.machine.run("test", "-d", "/var/lib/mayfly/artifacts/host")
        self.assertEqual(self.machine.try_run("pgrep", "--full", "--list-full", "mayfly|conmon").stdout, "")

    def test_41_purge_leaves_nothing(self):
        self.machine.run(f"{installed.TREE}/scripts/install uninstall --purge")
        self.assertEqual(self.files() ^ self.before, set())
        self.assertEqual(self.machine.run("systemctl list-units --all --no-legend 'mayfly*'"), "")


del installed.Installed  # unittest would run it by itself
if __name__ == "__main__":
    harness.main()
