"""mayfly as user units of a lingering account, with rootless Podman."""
import re

import harness
import installed

HOME = "/home/alice"


class UserTest(installed.Installed):
    user = "alice"
    storage = HOME + "/.aa-storage"
    run_folder = "/run/user/1000/mayfly"

    def systemctl(self, *arguments, **more):
        return self.machine.run("systemctl", "--user", *arguments, user="alice", **more)

    def containers(self):
        return self.machine.run("podman", "ps", "--all", "--quiet", user="alice").split()

    def configure(self, **variables):
        text = "".join(f"{name}={value}\n" for name, value in variables.items())
        self.machine.run("mkdir -p ~/.config/mayfly; cat >~/.config/mayfly/mayfly.conf", stdin=text.encode(), user="alice")

    def enable(self):
        self.systemctl("daemon-reload")
        self.systemctl("enable", "--now", "podman.socket", "mayfly.socket")

    def test_14_podman_is_the_users_own(self):
        wanted = "{{.Store.GraphDriverName}} {{.Host.Security.Rootless}} {{.Host.CgroupsVersion}}"
        self.assertEqual(self.machine.run("podman", "info", "--format", wanted, user="alice").strip(), "overlay true v2")

    def controllers(self, *disabled):
        """The cgroup controllers that users' managers get, but for these; the manager and its sockets are started anew."""
        self.machine.run("mkdir -p /etc/systemd/system/user.slice.d && cat >/etc/systemd/system/user.slice.d/test.conf",
                         stdin=f"[Slice]\nDisableControllers={' '.join(disabled)}\n".encode())
        self.machine.run("systemctl daemon-reload && systemctl restart user@1000.service")
        self.until(lambda: self.property("mayfly.socket", "SubState") == "listening", "the socket")

    def test_15_a_limit_that_is_not_enforced_is_refused(self):
        self.configure(MAYFLY_POOL="0")
        for missing in ("cpu", "pids"):
            with self.subTest(missing=missing):
                self.controllers(missing)
                self.configure(MAYFLY_POOL="0")
                before = set(self.containers())  # pooled containers whose processes the manager took along
                status, _, body = self.request("/run", {"sessionId": "host", "language": "bash", "code": "echo no"})
                self.assertEqual(status, 500, body)
                self.assertIn(f"Rootless Podman cannot enforce these limits: {missing}. Either give it the controllers", body)
                self.assertLessEqual(set(self.containers()), before)
                self.configure(MAYFLY_POOL="0", MAYFLY_ALLOW_UNENFORCED=missing)
                held = set(re.findall(r"(?m)^(\S+\.max) \d", self.job("bash", installed.LIMITS)["output"]))
                self.assertEqual(held, {"memory.max", "memory.swap.max", "pids.max", "cpu.max"} - {missing + ".max"})
        self.configure(MAYFLY_POOL="0")
        self.controllers()
        self.test_05_limits_are_in_the_cgroup()

    def test_16_install_tells_of_lingering(self):
        for user, is_told in (("alice", False), ("daemon", True)):
            said = self.machine.run(f"SUDO_USER={user} make -C {installed.TREE} install")
            self.assertEqual(f"loginctl enable-linger {user}" in said, is_told, said)

    def test_18_sandboxed_units_have_nothing_to_give_away(self):
        """That a user manager takes these directives in earnest: no capability can be had, no network is there, nothing of the system's is writable."""
        look = "/usr/bin/sh -c 'grep CapBnd /proc/self/status; wc -l </proc/self/net/dev; touch /etc/mayfly-probe /var/tmp/probe; true'"
        for unit in ("mayfly-reap", "mayfly-warm"):
            self.systemctl("stop", f"{unit}.timer", f"{unit}.service")  # whose run would be taken for this one
            folder = f"/run/user/1000/systemd/user/{unit}.service.d"
            self.machine.run(f"mkdir -p {folder}; cat >{folder}/probe.conf", stdin=f"[Service]\nExecStart=\nExecStart={look}\n".encode(), user="alice")
            self.systemctl("daemon-reload")
            self.systemctl("start", unit)
            self.machine.run(f"rm -r {folder}", user="alice")
            self.systemctl("daemon-reload")
            said = self.until(lambda: (lambda said: "CapBnd:" in said and said)(self.journal(unit)), "what the unit said")
            with self.subTest(unit=unit):
                self.assertIn("CapBnd:\t0000000000000000\n3\n", said)
                self.assertIn("/etc/mayfly-probe': Read-only file system", said)
            self.systemctl("start", f"{unit}.timer")
        self.assertEqual(self.machine.run("ls /etc/mayfly-probe /var/tmp/probe 2>/dev/null || true"), "")

    def test_40_uninstall(self):
        self.systemctl("disable", "--now", "mayfly.socket", "mayfly-reap.timer", "mayfly-warm.timer")
        self.until(lambda: not self.systemctl("list-units", "--no-legend", "mayfly*.service"), "the end of what still runs")
        self.machine.run("mayflyctl", "pool", "drop", "all", user="alice")
        self.machine.run(f"{installed.TREE}/scripts/install uninstall --purge")
        self.systemctl("daemon-reload")
        self.assertEqual(self.systemctl("list-units", "--all", "--no-legend", "mayfly*"), "")
        self.assertEqual(self.containers(), [])
        left = self.machine.run("find / -xdev -name '*mayfly*' -not -path '/root/*' -not -path '*/containers/storage/*'").split()
        self.assertEqual(left, [HOME + "/.config/mayfly", HOME + "/.config/mayfly/mayfly.conf"])  # hers, as are her results


del installed.Installed
if __name__ == "__main__":
    harness.main()
