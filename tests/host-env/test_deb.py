"""The Debian package: built twice, looked through by lintian, installed into a Debian of its own, upgraded, removed, purged.

Rules:
 1. The host is not touched: the Debian is one that mmdebstrap makes for these tests, without what the package depends on but systemd.
 2. That its units start, and serve, is for tests/host to show: here nothing is started.
"""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import harness
from debpackage import CONFFILE, build, next_version, run

ENABLED = {"/etc/systemd/system/sockets.target.wants/mayfly.socket", "/etc/systemd/system/timers.target.wants/mayfly-health.timer",
           "/etc/systemd/system/timers.target.wants/mayfly-reap.timer"}
# $1 is the Debian, $2 the folder with the packages and for what is found: after each step a list of files
LIFE = """
set -eu
list() { (cd "$1" && find . -xdev \\( -path ./proc -o -path ./sys -o -path ./tmp -o -path ./var/log -o -path ./var/cache -o -path ./var/lib/dpkg \
	-o -path ./var/lib/systemd -o -path ./dev \\) -prune -o -printf '/%P %m %U %G\\n'); }
install() { cp "$2" "$1/tmp/"; chroot "$1" dpkg --force-depends --force-confold -i "/tmp/${2##*/}"; }
list "$1" >"$2/before"
install "$1" "$2"/first/mayfly_*.deb
list "$1" >"$2/installed"
cat "$1/etc/passwd" >"$2/users"
find "$1/etc/systemd" -type l >"$2/links"
echo DEBUG_UI=true >>"$1/etc/mayfly/mayfly.conf"
echo result >"$1/var/lib/mayfly/artifacts/kept"
echo '{}' >"$1/etc/mayfly/tools.d/ours.json"
echo key >"$1/etc/mayfly/keys"
chroot "$1" systemctl --quiet disable mayfly-health.timer
install "$1" "$2"/next/mayfly_*.deb
list "$1" >"$2/upgraded"
cat "$1/etc/mayfly/mayfly.conf" >"$2/conf"
find "$1/etc/systemd" -type l >"$2/upgraded-links"
chroot "$1" dpkg --remove mayfly
list "$1" >"$2/removed"
chroot "$1" dpkg --purge mayfly
list "$1" >"$2/purged"
chroot "$1" dpkg --status mayfly >"$2/status" 2>&1 || true
"""


def packages(folder):
    return sorted(name for name in os.listdir(folder) if name.endswith(".deb"))


def debian_sources():
    """The host's own sources of bookworm, as scripts/build-lib finds them; none where it has none."""
    found = subprocess.run(["bash", "-c", f". {harness.ROOT}/scripts/build-lib; debian_sources"], stdout=subprocess.PIPE, text=True, check=True)
    return found.stdout


class PackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="mayfly-deb-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        os.chmod(cls.folder, 0o755)
        cls.first = os.path.join(cls.folder, "first")
        commit_s = run("git", "-C", harness.ROOT, "log", "-1", "--format=%ct").strip()
        cls.environment = {**os.environ, "SOURCE_DATE_EPOCH": commit_s}  # whatever is committed meanwhile
        cls.package = build(cls.first, env=cls.environment)

    def path(self, name):
        return os.path.join(self.folder, name)

    def lines(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read().splitlines()

    def contents(self):
        """{path: (mode, owner)} of what is packed."""
        found = {}
        for line in run("dpkg-deb", "--contents", self.package).splitlines():
            mode, owner, _, _, _, name = line.split(maxsplit=5)
            found[name.split(" -> ")[0][1:]] = (mode, owner)
        return found

    def test_the_same_source_gives_the_same_bytes(self):
        other = self.path("elsewhere/deeper")
        os.makedirs(other)
        build(other, env={**self.environment, "TZ": "Asia/Tokyo", "LANG": "C"}, umask=0o077)
        self.assertEqual(packages(other), packages(self.first))
        for name in packages(other):
            run("cmp", os.path.join(self.first, name), os.path.join(other, name))

    def test_lintian_has_nothing_to_say(self):
        changes = [os.path.join(self.first, name) for name in os.listdir(self.first) if name.endswith(".changes")]
        said = run("lintian", "--allow-root", "--display-info", "--pedantic", "--fail-on", "error,warning,info,pedantic", *changes)
        self.assertNotIn("unused-override", said)

    def test_it_holds_what_install_places(self):
        destdir = self.path("installed-by-hand")
        run(os.path.join(harness.ROOT, "scripts/install"), "install", env={**os.environ, "DESTDIR": destdir, "BUILD": harness.BUILD})
        by_hand = {os.path.join(folder, name)[len(destdir):] for folder, _, names in os.walk(destdir) for name in names}
        by_hand.remove("/usr/share/mayfly/manifest")
        expected = {re.sub(r"^/usr(/lib/systemd/system/)", r"\1", name) + (".gz" if "/share/man/" in name else "") for name in by_hand}
        packed = {name for name, (mode, _) in self.contents().items() if mode[0] != "d"}
        self.assertEqual({name for name in packed if not name.startswith(("/usr/share/doc/", "/usr/share/lintian/"))}, expected)

    def test_configuration_is_the_operators(self):
        self.assertEqual(run("dpkg-deb", "--info", self.package, "conffiles").split(), [CONFFILE])
        self.assertEqual(self.contents()[CONFFILE], ("-rw-r-----", "root/root"))

    def test_what_it_depends_on(self):
        depends = run("dpkg-deb", "--field", self.package, "Depends")
        for name in ("podman (>= 4.3) | docker.io", "libcurl4 ", "libjansson4 ", "libc6 ", "systemd"):
            self.assertIn(name, depends)
        self.assertRegex(run("dpkg-deb", "--field", self.package, "Built-Using"), r"glibc \(= .*jansson \(= ")

    def test_from_installation_to_purge(self):
        os.mkdir(self.path("next"))
        next_version(self.package, self.path("next"))
        with open(self.path("sources"), "w", encoding="utf-8") as file:
            file.write(debian_sources())
        with open(self.path("life"), "w", encoding="utf-8") as file:
            file.write(LIFE)
        os.chmod(self.folder, 0o777)  # another user's, where mmdebstrap has no root
        run("mmdebstrap", "--quiet", "--variant=essential", "--include=systemd", "--dpkgopt=force-unsafe-io", "--format=null",
            f"--customize-hook=bash {self.path('life')} \"$1\" {self.folder}", "bookworm", "-", *([self.path("sources")] if self.lines("sources") else []))
        before, installed, upgraded, removed, purged = ({line.split()[0]: line.split(maxsplit=1)[1] for line in self.lines(name)}
                                                       for name in ("before", "installed", "upgraded", "removed", "purged"))
        with self.subTest("installed"):
            users = {line.split(":")[0]: line.split(":")[2] for line in self.lines("users")}
            self.assertEqual(installed["/var/lib/mayfly/artifacts"], f"2750 {users['mayfly']} {users['mayfly-static']}")
            self.assertEqual(installed["/run/mayfly"], f"750 {users['mayfly-engine']} {users['mayfly']}")
            self.assertEqual(installed[CONFFILE], "640 0 0")
            self.assertLessEqual({"/usr/bin/mayflyctl", "/run/mayfly/jobs", "/usr/libexec/mayfly/mayfly-init"}, set(installed))
            self.assertEqual({link[link.index("/etc/systemd"):] for link in self.lines("links") if "mayfly" in link}, ENABLED)
        with self.subTest("upgraded"):
            self.assertEqual(self.lines("conf")[-1], "DEBUG_UI=true")
            self.assertLessEqual({"/var/lib/mayfly/artifacts/kept", "/etc/mayfly/keys", "/etc/mayfly/tools.d/ours.json"}, set(upgraded))
            self.assertNotIn("mayfly-health.timer", "".join(self.lines("upgraded-links")))
        with self.subTest("removed"):
            left = {name for name in removed if "mayfly" in name}
            self.assertLessEqual({CONFFILE, "/var/lib/mayfly/artifacts/kept", "/etc/mayfly/keys"}, left)
            # deb-systemd-helper keeps what is enabled for the day it is installed again
            self.assertEqual({name for name in left if not name.startswith(("/etc/mayfly", "/var/lib/mayfly", "/etc/systemd/system/"))}, set())
        with self.subTest("purged"):
            # accounts stay, as Debian's policy has it
            self.assertEqual({name for name in set(purged) ^ set(before) if not re.fullmatch(r"/etc/(passwd|group|shadow|gshadow)-?|/etc/\.pwd\.lock", name)},
                             set())
            self.assertIn("not installed", "".join(self.lines("status")))


if __name__ == "__main__":
    harness.main()
