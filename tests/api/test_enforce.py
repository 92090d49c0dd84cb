"""What mayfly-engine makes of limits that its engine cannot enforce: fake engines that say of themselves what real ones do.

The real ones: tests/host-env/test_rootless.py (none is enforced), tests/host/host_user.py (all, all but one).
"""
import os
import re

import harness
from test_engine import DOCKER_FIELDS, ENFORCES, FakeEngine, FakeTest

ALL = ["memory", "pids", "cpu"]
DEFAULT = {"Memory": 512 << 20, "MemorySwap": 512 << 20, "PidsLimit": 128, "NanoCpus": 500000000}
FIELDS = {"memory": ["Memory", "MemorySwap"], "pids": ["PidsLimit"], "cpu": ["NanoCpus"]}


def podman(controllers=("memory", "pids", "cpu"), version="v2", manager="systemd", is_rootless=True, driver="overlay"):
    return {"host": {"cgroupVersion": version, "cgroupManager": manager, "cgroupControllers": list(controllers),
                     "security": {"rootless": is_rootless}}, "store": {"graphDriverName": driver}}


class EnforceTest(FakeTest):
    def ask(self, info, fields=None, allow="cpu", **environment):
        """An engine that asks, for it is allowed to go without a limit."""
        place, fake = self.fake(fields, info=(200, info))
        place.environment.update(environment, MAYFLY_ALLOW_UNENFORCED=allow)
        return place, fake

    def made(self, place, fake):
        """Makes a container: the HostConfig that was asked for, and what was logged."""
        engine = self.engine(place)
        engine.make()
        self.assertEqual(engine.hang_up(), 0, engine.logs())
        return fake.bodies["create"]["HostConfig"], engine.logs()

    def asked(self, fake):
        return sum(step == "info" for step, _ in fake.calls)

    def limits(self, host):
        return {name: value for name, value in host.items() if name in DEFAULT}


class Podman(EnforceTest):
    def test_roots_is_not_asked(self):
        place, fake = self.fake()
        host, _ = self.made(place, fake)
        self.assertEqual(self.asked(fake), 0 if os.geteuid() == 0 else 1)
        self.assertEqual(self.limits(host), DEFAULT)

    def test_a_users_is_asked(self):
        place, _ = self.fake()
        os.chmod(place.folder, 0o777)
        if os.geteuid() == 0:
            os.seteuid(65534)  # who listens is whose it is
        try:
            fake = FakeEngine(place.folder + "/engine.2", info=(200, podman(["memory"])))
        finally:
            os.seteuid(os.getuid())
        self.addCleanup(fake.close)
        place.environment["DOCKER_HOST"] = f"unix://{place.folder}/engine.2"
        self.assertIn("limits: pids,cpu.", self.engine(place).refusal()[2])

    def test_what_is_missing_is_refused_and_named(self):
        for info, missing, remedy in (
                (podman(["memory", "pids"]), ["cpu"], "user@.service.d"),
                (podman(["io"]), ALL, "Delegate=memory pids cpu"),
                (podman([], "v1"), ALL, "unified_cgroup_hierarchy"),
                (podman(version="v1"), ALL, "unified_cgroup_hierarchy"),
                (podman(manager="cgroupfs"), ALL, "cgroup_manager"),
                (podman(["cpu"], "v1", is_rootless=False), ["memory", "pids"], "Delegate"),
                ({}, ALL, "Delegate")):
            with self.subTest(info=info):
                place, fake = self.ask(info, allow="cpu" if missing != ["cpu"] else "pids")
                status, word, message = self.engine(place).refusal()
                self.assertEqual((status, word), (500, "limit_ignored"))
                self.assertRegex(message, f"cannot enforce these limits: {','.join(missing)}[.] Either .*{re.escape(remedy)}"
                                 f".*; or .*MAYFLY_ALLOW_UNENFORCED={','.join(missing)}$")
                self.assertEqual((fake.steps_seen(), place.folders()), (["ping"], []), "nothing was made")

    def test_what_is_allowed_is_no_limit(self):
        for missing in (["cpu"], ["pids"], ["memory"], ALL):
            with self.subTest(missing=missing):
                place, fake = self.ask(podman([name for name in ALL if name not in missing]), allow=",".join(ALL))
                host, log = self.made(place, fake)
                self.assertEqual(self.limits(host), {**DEFAULT, **{field: 0 for name in missing for field in FIELDS[name]}})
                self.assertIn("not enforced: " + ",".join(missing), log)

    def test_what_it_can_is_held_whatever_is_allowed(self):
        for info in (podman(), podman(is_rootless=False, manager="cgroupfs", version="v1")):
            place, fake = self.ask(info, allow=",".join(ALL))
            host, log = self.made(place, fake)
            self.assertEqual(self.limits(host), DEFAULT)
            self.assertNotIn("not enforced", log)

    def test_it_is_asked_once_for_a_socket_and_a_boot(self):
        place, fake = self.ask(podman(["memory", "pids"]))
        self.assertIn("not enforced: cpu", self.made(place, fake)[1])
        host, log = self.made(place, fake)
        self.assertNotIn("not enforced", log)
        self.assertEqual((self.asked(fake), host["NanoCpus"], host["UsernsMode"]), (1, 0, "host"))
        kept = place.run + "/engine.info"
        with open(kept, encoding="ascii") as file:
            text = file.read()
        for other in ("", "x", text[:-1], "0" * 36 + text[36:], text.replace("\n", "0\n"), text + text, "x" * 5000):
            with self.subTest(kept=other[:80]):
                with open(kept, "w", encoding="ascii") as file:
                    file.write(other)
                before = self.asked(fake)
                self.made(place, fake)
                self.assertEqual(self.asked(fake), before + 1)
        with open(kept, encoding="ascii") as file:
            self.assertEqual(file.read(), text)
        path = place.folder + "/engine.sock"
        os.rename(path, path + ".old")
        os.link(path + ".old", path)  # the same one, changed
        before = self.asked(fake)
        self.made(place, fake)
        self.assertEqual(self.asked(fake), before + 1)

    def test_a_refusal_is_not_kept(self):
        place, fake = self.ask(podman(["memory"]))
        self.engine(place).refusal()
        fake.steps["info"] = (200, podman())
        self.assertEqual(self.limits(self.made(place, fake)[0]), DEFAULT)

    def test_what_is_not_allowed_any_more_is_refused(self):
        place, fake = self.ask(podman(["memory"]), allow="cpu,pids")
        self.made(place, fake)
        place.environment["MAYFLY_ALLOW_UNENFORCED"] = "pids"
        self.assertEqual(self.engine(place).refusal()[1], "limit_ignored")

    def test_answers_that_are_none(self):
        for reply in ((500, {"message": "no"}), (404, {}), (200, b"nope"), (200, [])):
            with self.subTest(reply=reply):
                place, fake = self.ask({})
                fake.steps["info"] = reply
                self.assertEqual(self.engine(place).refusal()[:2], (502, "engine_bad_reply"))

    def test_vfs_is_warned_of(self):
        place, fake = self.ask(podman(driver="vfs"))
        self.assertRegex(self.made(place, fake)[1], "vfs copies the image .*storage.conf, then podman system reset")
        place, fake = self.ask(podman(["memory", "pids"], driver="vfs"))
        self.assertRegex(self.made(place, fake)[1], "not enforced: cpu; vfs .*podman system reset")

    def test_only_a_rootless_one_is_told_its_user_namespace(self):
        place, fake = self.ask(podman(is_rootless=False))
        self.assertNotIn("UsernsMode", self.made(place, fake)[0])


class Docker(EnforceTest):
    def test_it_says_which(self):
        for name, field in (("memory", "MemoryLimit"), ("pids", "PidsLimit"), ("cpu", "CpuCfsQuota")):
            with self.subTest(name=name):
                info = {**ENFORCES, field: False}
                place, fake = self.ask(info, DOCKER_FIELDS, allow="cpu" if name != "cpu" else "pids")
                self.assertRegex(self.engine(place).refusal()[2], f"^Docker cannot enforce these limits: {name}[.] Either see .*docker info")
                place, fake = self.ask(info, DOCKER_FIELDS, allow=name)
                self.assertEqual(self.limits(self.made(place, fake)[0]), {**DEFAULT, **{limit: 0 for limit in FIELDS[name]}})

    def test_it_is_told_no_user_namespace(self):
        place, fake = self.ask({**ENFORCES, "host": {"security": {"rootless": True}}}, DOCKER_FIELDS)
        self.assertNotIn("UsernsMode", self.made(place, fake)[0])


class Selinux(EnforceTest):
    def test_a_type_is_a_label(self):
        place, fake = self.fake()
        host = self.made(place, fake)[0]
        options = host["SecurityOpt"]
        self.assertEqual([bind.split(":")[1] for bind in host["Binds"] if ":Z" in bind.replace(",", ":")],
                         ["/run/mayfly", "/etc/passwd", "/etc/group"], "what is this container's alone is labelled")
        self.assertEqual([option for option in options if "label" in option], [], "the policy's own, and never label=disable")
        place.environment["MAYFLY_SELINUX_TYPE"] = "container_logreader_t"
        self.assertIn("label=type:container_logreader_t", self.made(place, fake)[0]["SecurityOpt"])

    def test_what_does_not_confine_is_refused(self):
        for name in ("spc_t", "unconfined_t", "unconfined_service_t", "a:b", "a,b", "type:x", "a b", "x" * 65):
            with self.subTest(name=name):
                place, _ = self.fake()
                place.environment["MAYFLY_SELINUX_TYPE"] = name
                status, word, message = self.engine(place).refusal()
                self.assertEqual((status, word), (500, "bad_configuration"))
                self.assertIn("MAYFLY_SELINUX_TYPE is", message)


del FakeTest, EnforceTest
if __name__ == "__main__":
    harness.main()
