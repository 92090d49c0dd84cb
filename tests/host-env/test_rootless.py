"""Rootless Podman as a user has it: what it cannot enforce, what it does with an image, and the storage drivers.

The cgroup manager here is cgroupfs, by which a rootless Podman may make no cgroup, whatever the machine has: no limit is enforced, and
Podman does not say so (with cgroups of version 2 not even in what it says of the container). See tests/host for one that is delegated
all or some controllers.
"""
import contextlib
import os
import re
import unittest

import harness
import rootless

ALL = "memory,pids,cpu"
ALLOWED = {"MAYFLY_ALLOW_UNENFORCED": ALL}
HELLO = "echo hello from $UID; cat /proc/self/uid_map"
FAMILIES = {
    "/run": {"sessionId": "s", "language": "bash", "code": "echo no"},
    "/tools/execute": {"tool": "code_execution", "sessionId": "s", "language": "bash", "code": "echo no"},
    "/v1/runs": {"language": "python", "code": "print('no')"},
    "/execute": {"tenant_id": "t", "scope": "s", "language": "bash", "code": "echo no"},
    "/api/v1/ai/agents/a/auto-run": {"frontend": {"html": "<p>", "css": "p{}", "javascript": "let a;"}, "test": "1", "prompt": "p"},
    "/validate": {"language": "python", "files": {"a.py": "print(1)"}},
    "/session/create": {"tenant_id": "t", "scope": "s"},
}


class StoreTest(unittest.TestCase):
    """A service for the class; the subclasses say of which store."""
    storage = containers = ""

    @classmethod
    def setUpClass(cls):
        cls.rootless = rootless.Rootless(cls.storage, cls.containers)
        cls.addClassCleanup(cls.rootless.close)
        cls.pristine = cls.rootless.layers()  # no job has run yet

    def tearDown(self):
        self.assertEqual(self.rootless.containers(), [])

    def hello(self, **environment):
        """Runs a job: what it wrote, and what was logged."""
        script = self.rootless.path("hello.sh")
        with open(script, "w", encoding="utf-8") as file:
            file.write(HELLO)
        status, output, errors = self.rootless.ctl("run", "--language", "bash", script, **{**ALLOWED, **environment})
        self.assertEqual(status, 0, (output, errors, self.rootless.logs()))
        self.assertRegex(output, r"^hello from 2\d{4}\n")
        return output, errors

    def setUp(self):
        # what the engine has learned, as a new boot forgets it
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.rootless.path("run/mayfly/engine.info"))

    def driver(self):
        """The storage driver, and the program that mounts for it."""
        status, info = self.rootless.call("GET", "/v1.41/libpod/info")
        self.assertEqual(status, 200)
        mounts = info["store"]["graphOptions"].get("overlay.mount_program", {}).get("Executable")
        return info["store"]["graphDriverName"], mounts


class Overlay(StoreTest):
    """The kernel's own, and a containers.conf that would map every image to another user namespace."""
    storage = 'driver = "overlay"'
    containers = 'userns = "keep-id"'

    def test_no_limit_enforced_is_a_refusal_of_every_family(self):
        for path, body in FAMILIES.items():
            with self.subTest(path=path):
                status, answer, log = self.rootless.post(path, body)
                self.assertEqual(status, 500, answer)
                self.assertRegex(str(answer), f"Rootless Podman cannot enforce these limits: {ALL}. Either .*MAYFLY_ALLOW_UNENFORCED={ALL}")
                self.assertEqual(len(re.findall("mayfly-engine.*limit_ignored", log)), 1, log)

    def test_allowing_some_is_not_allowing_all(self):
        status, answer, _ = self.rootless.post("/run", FAMILIES["/run"], MAYFLY_ALLOW_UNENFORCED="cpu,pids")
        self.assertEqual(status, 500)
        self.assertIn("limits: " + ALL, answer["details"])

    def test_what_is_allowed_runs_and_is_logged_once(self):
        _, log = self.hello()
        self.assertIn(f"not enforced: {ALL}", log)
        self.assertNotIn("not enforced", self.hello()[1])

    def test_what_was_allowed_is_refused_again(self):
        self.hello()
        self.assertEqual(self.rootless.post("/run", FAMILIES["/run"])[0], 500)

    def test_no_copy_of_the_image_is_made(self):
        output, _ = self.hello()
        self.assertEqual(self.rootless.layers(), self.pristine)
        inside = [line.split() for line in output.splitlines()[1:]]
        self.assertEqual(inside, [["0", str(rootless.UID), "1"], ["1", *rootless.SUBORDINATE.split(":")]])

    def test_a_label_is_left_out_where_selinux_is_off(self):
        self.hello(MAYFLY_SELINUX_TYPE="container_t")

    def test_it_is_the_kernels(self):
        self.assertEqual(self.driver(), ("overlay", None))


class FuseOverlay(StoreTest):
    storage = 'driver = "overlay"\n[storage.options.overlay]\nmount_program = "/usr/bin/fuse-overlayfs"'

    def test_a_job_runs(self):
        self.assertNotIn("vfs", self.hello()[1])
        self.assertEqual(self.rootless.layers(), self.pristine)
        self.assertEqual(self.driver(), ("overlay", "/usr/bin/fuse-overlayfs"))


class Vfs(StoreTest):
    storage = 'driver = "vfs"'

    def test_a_job_runs_with_a_warning(self):
        self.assertRegex(self.hello()[1], 'vfs copies the image .*set driver = .*overlay.* in storage.conf')
        self.assertNotIn("vfs", self.hello()[1])
        self.assertEqual(self.driver(), ("vfs", None))


if os.geteuid() != 0:
    # whoever tests without root tests with a rootless Podman
    del Overlay, FuseOverlay, Vfs
del StoreTest
if __name__ == "__main__":
    harness.main()
