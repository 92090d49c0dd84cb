"""mayfly as user units of a lingering account, with rootless Podman."""
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

    def test_40_uninstall(self):
        self.systemctl("disable", "--now", "mayfly.socket", "mayfly-reap.timer", "mayfly-warm.timer")
        self.until(lambda: not self.systemctl("list-units", "--no-legend", "mayfly*.service"), "the end of what still runs")
        self.machine.run("mayflyctl", "spares", "drop", "all", user="alice")
        self.machine.run(f"{installed.TREE}/scripts/install uninstall --purge")
        self.systemctl("daemon-reload")
        self.assertEqual(self.systemctl("list-units", "--all", "--no-legend", "mayfly*"), "")
        self.assertEqual(self.containers(), [])
        left = self.machine.run("find / -xdev -name '*mayfly*' -not -path '/root/*' -not -path '*/containers/storage/*'").split()
        self.assertEqual(left, [HOME + "/.config/mayfly", HOME + "/.config/mayfly/mayfly.conf"])  # hers, as are her results


del installed.Installed
if __name__ == "__main__":
    harness.main()
