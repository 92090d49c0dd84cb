"""scripts/install and the unit files: installed into a tree of its own, verified by systemd's own tools, removed again.

Rules:
 1. The host is not touched: everything happens beneath a temporary DESTDIR.
 2. What is installed is what was built; a program that is not built yet is a stub, which the test says.
 3. systemd-analyze verify is silent when all is well; that it speaks up otherwise is tested too.
"""
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

import harness

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("MAYFLY_BUILD", "build"))
PROGRAMS = ["mayfly", "mayfly-engine", "mayfly-init", "mayfly-reap", "mayfly-static"]
COMMANDS = ["mayflyctl"]  # in PREFIX/bin
COMMON_UNITS = ["mayfly.socket", "mayfly@.service", "mayfly-engine.socket", "mayfly-engine@.service", "mayfly-static.socket",
                "mayfly-static@.service", "mayfly-reap.timer", "mayfly-reap.service", "mayfly-health.timer", "mayfly-health.service", "mayfly-warm.timer", "mayfly-warm.service"]
UNITS = {"system": COMMON_UNITS + ["mayfly-podman.socket", "mayfly-podman.service", "mayfly.slice", "mayfly-images.path",
                                   "mayfly-images.service"], "user": COMMON_UNITS}
DATA = ["seccomp.json", "hosts", "resolv.conf", "worker/Containerfile", "worker/packages", "scripts/build-worker", "scripts/build-lib", "scripts/build-image",
        "scripts/setup-service", "scripts/first-jobs",
        "scripts/build-template", "worker/template/Containerfile", "worker/template/install", "worker/template/missing.py", "worker/images/documents",
        "templates.d/python-data.json", "templates.d/python-data.lock", "mayfly.conf.example",
        "credentials.conf.example", "front/nginx.conf", "front/Caddyfile", "front/unix-socket.conf", "manifest", "templates.d/default.json", "tools.d/code_execution.json",
        "languages.d/python.json", "languages.d/node.json", "languages.d/bun.json", "languages.d/bash.json"]
# on the way of a request, where each directive costs (see the units), and Podman itself, which cannot be sandboxed
HOT = {"mayfly@.service", "mayfly-engine@.service", "mayfly-static@.service", "mayfly-podman.service"}
WORST_EXPOSURE = 2.0


def run(*command, **environment):
    environment = {**os.environ, "LC_ALL": "C", **environment}
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)


def settings(path):
    """The settings of a unit file: {name: [values]}."""
    found = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            name, is_setting, value = line.strip().partition("=")
            if is_setting and not line.startswith("#"):
                found.setdefault(name, []).append(value)
    return found


class Tree:
    """A DESTDIR, with what the programs come from."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="mayfly-units-")
        self.destdir = os.path.join(self.folder, "dest")
        self.build = os.path.join(self.folder, "build")
        os.mkdir(self.destdir)
        os.mkdir(self.build)
        for name in PROGRAMS + COMMANDS:
            built, here = os.path.join(BUILD, name), os.path.join(self.build, name)
            if os.path.exists(built):
                os.symlink(built, here)
            else:
                print(f"# {name} is not built: a stub is installed", file=sys.stderr)
                shutil.copy("/bin/true", here)

    def close(self):
        shutil.rmtree(self.folder)

    def script(self, *arguments, prefix="/usr", systemctl=None):
        path = os.environ["PATH"]
        if systemctl:
            stub = os.path.join(self.folder, "bin", "systemctl")
            os.makedirs(os.path.dirname(stub), exist_ok=True)
            with open(stub, "w", encoding="utf-8") as file:
                file.write(f"#!/bin/sh\necho 'systemd {systemctl} (test)'\n")
            os.chmod(stub, 0o755)
            path = os.path.dirname(stub) + ":" + path
        return run(os.path.join(ROOT, "scripts/install"), *arguments, DESTDIR=self.destdir, PREFIX=prefix, BUILD=self.build,
                   PATH=path)

    def path(self, *parts):
        return os.path.join(self.destdir, *(part.lstrip("/") for part in parts))

    def files(self):
        return sorted(os.path.join(folder, name)[len(self.destdir):]
                      for folder, _, names in os.walk(self.destdir) for name in names)

    def unit_folder(self, kind):
        return self.path("usr/lib/systemd", kind)

    def add_host_units(self, kind):
        """What our units refer to: the targets and slices of this host, and Podman, which may not be installed."""
        source, target = f"/usr/lib/systemd/{kind}", self.unit_folder(kind)
        for name in os.listdir(source):
            if name.endswith((".target", ".slice")) and not name.startswith("mayfly"):
                shutil.copy(os.path.join(source, name), target)
        with open(os.path.join(target, "podman.socket"), "w", encoding="utf-8") as file:
            file.write("[Socket]\nListenStream=%t/podman/podman.sock\n")
        with open(os.path.join(target, "podman.service"), "w", encoding="utf-8") as file:
            file.write("[Service]\nExecStart=/usr/bin/podman\n")
        os.makedirs(self.path("usr/bin"), exist_ok=True)
        for name in ("podman", "sh", "test", "touch", "sleep"):  # what our units start that is not ours
            shutil.copy("/bin/true", self.path("usr/bin", name))

    def verify(self, kind, names):
        names = [name.replace("@.", "@1.") for name in names]
        if kind == "system":
            return run("systemd-analyze", "verify", "--man=no", f"--root={self.destdir}", *names)
        # --user takes no --root: a copy whose paths exist as they stand
        copy, runtime = os.path.join(self.folder, "user"), os.path.join(self.folder, "runtime")
        shutil.copytree(self.unit_folder("user"), copy, dirs_exist_ok=True)
        os.makedirs(runtime, mode=0o700, exist_ok=True)
        for name in os.listdir(copy):
            with open(os.path.join(copy, name), encoding="utf-8") as file:
                text = file.read()
            with open(os.path.join(copy, name), "w", encoding="utf-8") as file:
                file.write(re.sub(r"^(ExecStart|ExecCondition)=", rf"\1={self.destdir}", text, flags=re.M))
        return run("systemd-analyze", "verify", "--man=no", "--user", *names, SYSTEMD_UNIT_PATH=copy, XDG_RUNTIME_DIR=runtime)

    def exposure(self, kind, name):
        shown = run("systemd-analyze", "security", "--offline=true", "--no-pager",
                    os.path.join(self.unit_folder(kind), name))
        return float(re.search(r"Overall exposure level for .*: ([0-9.]+)", shown.stdout).group(1))


class InstalledTest(unittest.TestCase):
    """What an installed tree holds."""

    @classmethod
    def setUpClass(cls):
        cls.tree = Tree()
        cls.addClassCleanup(cls.tree.close)
        cls.said = cls.tree.script("install")
        cls.installed = cls.tree.files()
        for kind in UNITS:
            cls.tree.add_host_units(kind)

    def test_succeeds(self):
        self.assertEqual(self.said.returncode, 0, self.said.stdout)

    def test_every_file_is_there(self):
        expected = ([f"/usr/libexec/mayfly/{name}" for name in PROGRAMS] + [f"/usr/bin/{name}" for name in COMMANDS] + [f"/usr/share/mayfly/{name}" for name in DATA]
                    + [f"/usr/lib/systemd/{kind}/{name}" for kind, names in UNITS.items() for name in names]
                    + ["/usr/lib/sysusers.d/mayfly.conf", "/usr/lib/tmpfiles.d/mayfly.conf", "/etc/mayfly/mayfly.conf",
                       "/usr/libexec/mayfly/stop", "/usr/share/man/man1/mayflyctl.1", "/usr/share/man/man5/mayfly.conf.5", "/usr/share/man/man8/mayfly.8",
                       "/usr/share/bash-completion/completions/mayflyctl"])
        self.assertEqual(sorted(set(expected) - set(self.installed)), [])
        self.assertEqual([name for name in self.installed if name.endswith(".new")], [])

    def test_every_registry_file_is_there(self):
        for registry in ("languages.d", "templates.d", "tools.d", "patterns.d"):
            self.assertTrue(os.path.isdir(self.tree.path("etc/mayfly", registry)))
            for name in os.listdir(os.path.join(ROOT, "worker", registry)):
                self.assertIn(f"/usr/share/mayfly/{registry}/{name}", self.installed)

    def test_every_kernel_is_there(self):
        here = os.path.join(ROOT, "worker/kernels")
        wanted = [os.path.join(folder, name)[len(here):] for folder, _, names in os.walk(here) for name in names if not name.endswith(".pyc")]
        self.assertGreater(len(wanted), 0)
        self.assertEqual([name for name in wanted if "/usr/share/mayfly/kernels" + name not in self.installed], [])

    def test_modes(self):
        def mode(path):
            return stat.S_IMODE(os.stat(self.tree.path(path)).st_mode)

        for name in PROGRAMS:
            self.assertEqual(mode(f"usr/libexec/mayfly/{name}"), 0o755)
        self.assertEqual(mode("etc/mayfly/mayfly.conf"), 0o640)
        self.assertEqual(mode("usr/lib/systemd/system/mayfly.socket"), 0o644)

    def test_manifest_lists_what_is_installed(self):
        with open(self.tree.path("usr/share/mayfly/manifest"), encoding="utf-8") as file:
            listed = file.read().split()
        kept = {"/etc/mayfly/mayfly.conf", "/usr/share/mayfly/manifest"}
        self.assertEqual(sorted(listed), sorted(set(self.installed) - kept))

    def test_units_verify(self):
        for kind, names in UNITS.items():
            with self.subTest(kind=kind):
                shown = self.tree.verify(kind, names)
                self.assertEqual((shown.returncode, shown.stdout), (0, ""))

    def test_verify_would_say_so(self):
        for kind in UNITS:
            with self.subTest(kind=kind):
                with open(os.path.join(self.tree.unit_folder(kind), "mayfly-wrong.service"), "w", encoding="utf-8") as file:
                    file.write("[Service]\nExecStart=/usr/libexec/mayfly/absent\nNoSuchSetting=yes\n")
                shown = self.tree.verify(kind, ["mayfly-wrong.service"])
                self.assertIn("NoSuchSetting", shown.stdout)
                self.assertIn("absent", shown.stdout)

    def test_exposure(self):
        """What is not on the way of a request has everything; and no number is worse than systemd/README.md says."""
        with open(os.path.join(ROOT, "systemd/README.md"), encoding="utf-8") as file:
            table = re.search(r"^\| unit \| system \| user \|.*?\n\n", file.read(), re.M | re.S).group(0)
        published = {}
        for names, *numbers in re.findall(r"^\| (`[^|]*) \| ([\d.–]+) \| ([\d.–]+) \|", table, re.M):
            published.update(dict.fromkeys(re.findall("`(mayfly[^`]*)`", names), [float(number.replace("–", "0")) for number in numbers]))
        for kind, names in UNITS.items():
            for name in names:
                if not name.endswith(".service"):
                    continue
                with self.subTest(kind=kind, unit=name):
                    exposure = self.tree.exposure(kind, name)
                    print(f"# exposure of {kind}/{name}: {exposure}", file=sys.stderr)
                    if name not in HOT:
                        self.assertLessEqual(exposure, WORST_EXPOSURE)
                    self.assertLessEqual(exposure, published[name.removesuffix(".service")][kind == "user"])

    def test_sockets_stay_up_under_load(self):
        for kind in UNITS:
            for name in ("mayfly", "mayfly-engine", "mayfly-static"):
                found = settings(os.path.join(self.tree.unit_folder(kind), f"{name}.socket"))
                self.assertEqual(found["TriggerLimitIntervalSec"], ["0"])
                self.assertEqual(found["Accept"], ["yes"])
                self.assertGreaterEqual(int(found["MaxConnections"][0]), 1024)
                if name != "mayfly-engine":
                    self.assertIn("MaxConnectionsPerSource", found)

    def test_connections_end_and_are_forgotten(self):
        for kind in UNITS:
            for name in ("mayfly", "mayfly-engine", "mayfly-static"):
                found = settings(os.path.join(self.tree.unit_folder(kind), f"{name}@.service"))
                self.assertEqual(found["CollectMode"], ["inactive-or-failed"])
                self.assertIn("TimeoutStopSec", found)
                self.assertIn("RuntimeMaxSec", found)
            self.assertGreater(int(settings(os.path.join(self.tree.unit_folder(kind), "mayfly@.service"))["RuntimeMaxSec"][0]), 3600)

    def test_hot_path_has_no_mount_namespace(self):
        dear = re.compile("^(Private(Tmp|Devices|IPC)|Protect(System|Home|Kernel.*|ControlGroups|Proc)|DynamicUser|.*Paths"
                          "|SystemCallFilter|LoadCredential|PAMName|RootDirectory|MountFlags|ProcSubset)$")
        for kind in UNITS:
            for name in HOT & set(UNITS[kind]):
                found = settings(os.path.join(self.tree.unit_folder(kind), name))
                self.assertEqual([setting for setting in found if dear.match(setting)], [], name)

    def test_sandboxed_user_unit_has_private_users(self):
        found = settings(os.path.join(self.tree.unit_folder("user"), "mayfly-reap.service"))
        self.assertEqual(found["PrivateUsers"], ["yes"])
        self.assertEqual(found["CapabilityBoundingSet"], [""])
        # it would fail there (218)
        self.assertNotIn("CapabilityBoundingSet", settings(os.path.join(self.tree.unit_folder("user"), "mayfly@.service")))

    def test_who_reads_the_network_cannot_reach_podman(self):
        folder = self.tree.unit_folder("system")
        users = {name: settings(os.path.join(folder, f"{name}.service"))["User"][0]
                 for name in ("mayfly@", "mayfly-static@", "mayfly-engine@", "mayfly-reap", "mayfly-warm")}
        self.assertEqual(users, {"mayfly-warm": "mayfly", "mayfly@": "mayfly", "mayfly-static@": "mayfly-static", "mayfly-engine@": "mayfly-engine",
                                 "mayfly-reap": "mayfly"})
        podman = settings(os.path.join(folder, "mayfly-podman.socket"))
        self.assertEqual((podman["SocketUser"], podman["SocketMode"]), (["mayfly-engine"], ["0600"]))
        engine = settings(os.path.join(folder, "mayfly-engine.socket"))
        self.assertEqual((engine["SocketGroup"], engine["SocketMode"]), (["mayfly"], ["0660"]))

    def test_who_reads_the_network_cannot_open_the_keys(self):
        """systemd opens them for mayfly, by the path that mayflyctl and tmpfiles.d know."""
        found = settings(os.path.join(self.tree.unit_folder("system"), "mayfly@.service"))
        self.assertEqual(found["StandardInput"], ["file:/etc/mayfly/keys"])
        self.assertIn("MAYFLY_KEYS_STDIN=true", " ".join(found["Environment"]))
        self.assertNotIn("SupplementaryGroups", found)
        with open(self.tree.path("usr/lib/tmpfiles.d/mayfly.conf"), encoding="utf-8") as file:
            self.assertRegex(file.read(), r"\nf +/etc/mayfly/keys +0600 root +root ")
        found = settings(os.path.join(self.tree.unit_folder("user"), "mayfly@.service"))
        self.assertEqual(found["StandardInput"], ["socket"])

    def test_no_key_reaches_who_needs_none(self):
        for kind in UNITS:
            for name in ("mayfly-engine@", "mayfly-static@", "mayfly-reap", "mayfly-warm"):
                unset = settings(os.path.join(self.tree.unit_folder(kind), f"{name}.service"))["UnsetEnvironment"]
                self.assertEqual(unset, ["EXECUTOR_API_KEY API_KEYS SIGNING_KEY JWT_SECRET"])

    def test_warm_sees_what_a_job_sees(self):
        """Pooled containers are of the kind that mayfly@ asks for only if all that goes into a kind is the same for both."""
        for kind in UNITS:
            seen = {}
            for name in ("mayfly@", "mayfly-warm"):
                found = settings(os.path.join(self.tree.unit_folder(kind), f"{name}.service"))
                variables = dict(word.split("=", 1) for value in found["Environment"] for word in value.split())
                seen[name] = {key: variables.get(key) for key in ("MAYFLY_RUN_DIR", "MAYFLY_DATA_DIR", "MAYFLY_IMAGE_STAMP")}
                seen[name]["file"] = found["EnvironmentFile"]
                if name == "mayfly-warm":
                    self.assertEqual(variables["MAYFLY_LIBEXEC_DIR"], "/usr/libexec/mayfly")
                else:
                    self.assertEqual(os.path.dirname(found["ExecStart"][0]), "/usr/libexec/mayfly")
            self.assertEqual(seen["mayfly@"], seen["mayfly-warm"])

    def test_warm_is_run_more_often_than_pooled_containers_get_old(self):
        with open(os.path.join(ROOT, "src/bounds.h"), encoding="utf-8") as file:
            ttl_s = int(re.search(r"POOL_TTL_DEFAULT_S\s+(\d+)", file.read()).group(1))
        for kind in UNITS:
            found = settings(os.path.join(self.tree.unit_folder(kind), "mayfly-warm.timer"))
            minutes = int(re.fullmatch(r"(\d+)min", found["OnUnitInactiveSec"][0]).group(1))
            self.assertLess(minutes * 60, ttl_s / 2)

    def test_nothing_is_warmed_that_nobody_asked_for(self):
        found = {kind: settings(os.path.join(self.tree.unit_folder(kind), "mayfly-warm.service")) for kind in UNITS}
        self.assertEqual(found["system"]["ExecCondition"], ["/usr/bin/test -n ${MAYFLY_WARM}"])
        self.assertIn('test -z "$MAYFLY_WARM" || exec ', found["user"]["ExecStart"][0])
        for kind in UNITS:
            self.assertIn("MAYFLY_WARM=", found[kind]["Environment"][-1].split())

    def test_sandboxed_user_unit_starts_one_process(self):
        """A second one cannot enter the namespaces of the first, which belong to a user namespace of its own."""
        for name in UNITS["user"]:
            found = settings(os.path.join(self.tree.unit_folder("user"), name))
            if "PrivateUsers" in found:
                self.assertEqual([setting for setting in found if setting.startswith("Exec")], ["ExecStart"], name)
                self.assertEqual(len(found["ExecStart"]), 1, name)

    def test_a_change_of_images_is_never_the_last(self):
        """Neither a burst of changes nor one while the last is being noted goes unseen."""
        folder = self.tree.unit_folder("system")
        service = settings(os.path.join(folder, "mayfly-images.service"))
        self.assertEqual(service["StartLimitIntervalSec"], ["0"])
        self.assertEqual(service["ExecStart"][0], service["ExecStart"][-1])
        self.assertIn("mayfly-images.path", settings(os.path.join(folder, "mayfly.socket"))["Wants"][0])

    def test_configuration_names_every_variable(self):
        """Every variable that a source file asks the environment for stands in the example; systemd's own do not, nor what a client says."""
        asked = set()
        for folder, _, names in os.walk(os.path.join(ROOT, "src")):
            for name in names:
                if name.endswith((".c", ".h")):
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        text = file.read()
                    asked |= set(re.findall(r'"(MAYFLY_[A-Z_]+|ARTIFACT_RETENTION_DAYS|MAX_CONCURRENT_RUNS)"', text))
                    asked |= set(re.findall(r'(?:getenv|variable|variable_or|read_flag)\("([A-Z_]+)"', text))
        asked -= {"HOME", "XDG_RUNTIME_DIR", "LISTEN_PID", "LISTEN_FDS", "CREDENTIALS_DIRECTORY", "PATH", "JOURNAL_STREAM", "XDG_CONFIG_HOME",
                  "TMPDIR", "MAYFLY_TOKEN", "MAYFLY_GO"}
        asked = {name for name in asked if not name.startswith("MAYFLY_SPARE")}  # old names, which are refused
        with open(self.tree.path("etc/mayfly/mayfly.conf"), encoding="utf-8") as file:
            text = file.read()
        named = set(re.findall(r"^#([A-Z_]+)=", text, flags=re.M)) | {"EXECUTOR_PORT"}
        self.assertGreater(len(asked), 15)
        self.assertEqual(sorted(asked - named), [])
        # nothing is set: every line is a comment
        self.assertEqual([line for line in text.splitlines() if line and not line.startswith("#")], [])

    def test_users_and_folders(self):
        host = os.path.join(self.tree.folder, "host")
        os.makedirs(os.path.join(host, "etc"))
        for name in ("passwd", "group"):
            with open(os.path.join(host, "etc", name), "w", encoding="utf-8") as file:
                file.write("root:x:0:0::/root:/bin/sh\n" if name == "passwd" else "root:x:0:\n")
        shown = run("systemd-sysusers", f"--root={host}", self.tree.path("usr/lib/sysusers.d/mayfly.conf"))
        self.assertEqual(shown.returncode, 0, shown.stdout)
        with open(os.path.join(host, "etc/passwd"), encoding="utf-8") as file:
            uids = {line.split(":")[0]: int(line.split(":")[2]) for line in file}
        for name in ("mayfly", "mayfly-engine", "mayfly-static"):
            self.assertLess(uids[name], 1000)
        with open(os.path.join(host, "etc/group"), encoding="utf-8") as file:
            members = {line.split(":")[0]: line.strip().split(":")[3] for line in file}
        self.assertEqual((members["mayfly-static"], members["mayfly"]), ("mayfly", ""))
        if os.geteuid() != 0:
            return  # giving folders to users takes root
        shown = run("systemd-tmpfiles", "--create", f"--root={host}", self.tree.path("usr/lib/tmpfiles.d/mayfly.conf"))
        self.assertEqual(shown.returncode, 0, shown.stdout)
        for path, mode, owner in (("etc/mayfly/keys", 0o600, "root"), ("run/mayfly", 0o750, "mayfly-engine"), ("run/mayfly/jobs", 0o770, "mayfly-engine"),
                                  ("run/mayfly/making", 0o700, "mayfly-engine"), ("run/mayfly/pool", 0o750, "mayfly"),
                                  ("run/mayfly/sessions", 0o700, "mayfly"), ("run/mayfly/metrics-2", 0o640, "mayfly"), ("run/mayfly/images", 0o644, "mayfly-engine"),
                                  ("run/mayfly/slots", 0o600, "mayfly"), ("var/lib/mayfly", 0o711, "mayfly"),
                                  ("run/mayfly/log-mayfly", 0o600, "mayfly"), ("run/mayfly-static", 0o700, "mayfly-static"),
                                  ("var/lib/mayfly/artifacts", 0o2750, "mayfly")):
            status = os.stat(os.path.join(host, path))
            self.assertEqual((oct(stat.S_IMODE(status.st_mode)), status.st_uid), (oct(mode), uids[owner]), path)


class LifeCycleTest(unittest.TestCase):
    """Install, upgrade, uninstall."""

    def setUp(self):
        self.tree = Tree()
        self.addCleanup(self.tree.close)

    def install(self, **options):
        shown = self.tree.script("install", **options)
        self.assertEqual(shown.returncode, 0, shown.stdout)

    def uninstall(self, *arguments, **options):
        shown = self.tree.script("uninstall", *arguments, **options)
        self.assertEqual(shown.returncode, 0, shown.stdout)

    def test_uninstall_keeps_configuration_and_data(self):
        self.install()
        os.makedirs(self.tree.path("var/lib/mayfly/artifacts"))
        with open(self.tree.path("var/lib/mayfly/artifacts/result"), "w", encoding="utf-8") as file:
            file.write("kept")
        self.uninstall()
        self.assertEqual(self.tree.files(), ["/etc/mayfly/mayfly.conf", "/var/lib/mayfly/artifacts/result"])
        for folder in ("usr/libexec/mayfly", "usr/share/mayfly"):
            self.assertFalse(os.path.exists(self.tree.path(folder)))

    def test_purge_leaves_nothing(self):
        self.install()
        os.makedirs(self.tree.path("var/lib/mayfly/artifacts"))
        self.uninstall("--purge")
        self.assertEqual(self.tree.files(), [])
        self.assertFalse(os.path.exists(self.tree.path("etc/mayfly")))
        self.assertFalse(os.path.exists(self.tree.path("var/lib/mayfly")))

    def test_uninstall_leaves_what_is_not_ours(self):
        self.install()
        other = self.tree.path("usr/lib/systemd/system/other.service")
        with open(other, "w", encoding="utf-8") as file:
            file.write("[Service]\nExecStart=/bin/true\n")
        self.uninstall("--purge")
        self.assertEqual(self.tree.files(), ["/usr/lib/systemd/system/other.service"])

    def test_uninstall_twice(self):
        self.install()
        self.uninstall()
        self.uninstall()

    def test_upgrade_keeps_configuration_and_drops_what_is_gone(self):
        self.install()
        with open(self.tree.path("etc/mayfly/mayfly.conf"), "w", encoding="utf-8") as file:
            file.write("DEBUG_UI=true\n")
        gone = "/usr/lib/systemd/system/mayfly-former.service"
        with open(self.tree.path(gone), "w", encoding="utf-8") as file:
            file.write("[Service]\nExecStart=/bin/true\n")
        with open(self.tree.path("usr/share/mayfly/manifest"), "a", encoding="utf-8") as file:
            file.write(f"{gone}\n/etc/passwd\n")
        os.makedirs(self.tree.path("etc"), exist_ok=True)
        with open(self.tree.path("etc/passwd"), "w", encoding="utf-8") as file:
            file.write("root:x:0:0::/root:/bin/sh\n")
        self.install()
        with open(self.tree.path("etc/mayfly/mayfly.conf"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "DEBUG_UI=true\n")
        self.assertFalse(os.path.exists(self.tree.path(gone)))
        self.assertTrue(os.path.exists(self.tree.path("etc/passwd")))

    def test_prefix(self):
        self.install(prefix="/usr/local")
        with open(self.tree.path("usr/local/lib/systemd/system/mayfly@.service"), encoding="utf-8") as file:
            text = file.read()
        self.assertIn("ExecStart=/usr/local/libexec/mayfly/mayfly\n", text)
        self.assertIn("MAYFLY_DATA_DIR=/usr/local/share/mayfly\n", text)
        self.assertEqual([name for name in self.tree.files() if not name.startswith(("/usr/local/", "/etc/mayfly/"))], [])
        for name in self.tree.files():
            if name.endswith((".service", ".socket", ".timer", ".example")):
                with open(self.tree.path(name), encoding="utf-8") as file:
                    self.assertNotRegex(file.read(), "/usr/(libexec|share)/mayfly", name)
        self.uninstall("--purge", prefix="/usr/local")
        self.assertEqual(self.tree.files(), [])

    def test_newer_systemd_gets_its_second_limit(self):
        self.install(systemctl="257")
        drop_ins = [name for name in self.tree.files() if name.endswith(".socket.d/poll-limit.conf")]
        self.assertEqual(len(drop_ins), 6)
        self.assertEqual(settings(self.tree.path(drop_ins[0])), {"PollLimitIntervalSec": ["0"]})
        self.uninstall("--purge", systemctl="257")
        self.assertEqual(self.tree.files(), [])
        self.assertFalse(os.path.exists(self.tree.path("usr/lib/systemd/system/mayfly.socket.d")))

    def test_older_systemd_does_not(self):
        self.install(systemctl="252")
        self.assertEqual([name for name in self.tree.files() if ".socket.d/" in name], [])

    def test_missing_program_is_told(self):
        os.unlink(os.path.join(self.tree.build, "mayfly-reap"))
        shown = self.tree.script("install")
        self.assertNotEqual(shown.returncode, 0)
        self.assertIn("mayfly-reap is missing", shown.stdout)

    def test_wrong_arguments(self):
        self.assertEqual(self.tree.script("instal").returncode, 2)
        self.assertNotEqual(self.tree.script("install", prefix="usr").returncode, 0)
        self.assertEqual(self.tree.files(), [])


if __name__ == "__main__":
    harness.main()
