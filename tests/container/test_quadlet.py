"""The Quadlet units say the same of the two containers as compose.yaml, which make check-container runs, by keys that podman-systemd.unit(5) has."""
import os
import re
import unittest

import harness

SERVICE = os.path.join(harness.ROOT, "worker/service")
# of podman-systemd.unit(5): those that are used here
CONTAINER_KEYS = {"Image", "ContainerName", "Exec", "User", "Group", "Network", "PublishPort", "ReadOnly", "DropCapability", "NoNewPrivileges", "EnvironmentFile",
                  "Volume", "HealthCmd", "HealthInterval", "HealthTimeout", "PodmanArgs"}


def sections(name):
    """A unit as {section: [(key, value)]}."""
    found, current = {}, None
    with open(os.path.join(SERVICE, "quadlet", name), encoding="utf-8") as file:
        for line in file.read().splitlines():
            if line.startswith("["):
                current = found.setdefault(line.strip("[]"), [])
            elif line and not line.startswith("#"):
                key, separator, value = line.partition("=")
                assert separator and current is not None, (name, line)
                current.append((key, value))
    return found


def compose(service):
    """The lines of one service in compose.yaml, and of what both have in common."""
    with open(os.path.join(SERVICE, "compose.yaml"), encoding="utf-8") as file:
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", file.read())
    common = re.search(r"^x-service:.*?(?=^services:)", text, re.MULTILINE | re.DOTALL)[0]
    own = re.search(rf"^  {service}:\n(.*?)(?=^  ?\w|\Z)", text, re.MULTILINE | re.DOTALL)[1]
    return common + own


class Quadlet(unittest.TestCase):
    units = {"engine": "mayfly-container-engine.container", "http": "mayfly-container.container"}

    def test_only_documented_keys(self):
        for name in self.units.values():
            self.assertEqual(set(), {key for key, _ in sections(name)["Container"]} - CONTAINER_KEYS)
        self.assertEqual({"Volume": []}, sections("mayfly-data.volume"))

    def test_they_are_what_compose_has(self):
        for service, name in self.units.items():
            with self.subTest(service=service):
                text, unit = compose(service), sections(name)["Container"]
                self.assertIn(f"command: [{dict(unit)['Exec']}]", text)
                self.assertIn(f"image: {dict(unit)['Image']}", text)
                volumes = re.findall(r"^      - (\S+:\S+)$", text, re.MULTILINE)
                self.assertEqual(sorted(volumes), sorted(value.replace("mayfly-data.volume:", "data:") for key, value in unit if key == "Volume"))
                for key, value, line in (("ReadOnly", "true", "read_only: true"), ("DropCapability", "all", "cap_drop: [ALL]"),
                                         ("NoNewPrivileges", "true", "security_opt: [no-new-privileges]")):
                    self.assertIn((key, value), unit)
                    self.assertIn(line, text)
                arguments = dict(unit)["PodmanArgs"].split()
                self.assertIn("--pids-limit=4096", arguments)
                self.assertIn("pids_limit: 4096", text)
                self.assertIn("--memory=1g", arguments)
                self.assertIn("mem_limit: 1g", text)
                self.assertEqual("pid: host" in text, "--pid=host" in arguments)

    def test_who_may_what(self):
        engine, http = (dict(sections(name)["Container"]) for name in self.units.values())
        self.assertEqual(("0", "10080", "none"), (engine["User"], engine["Group"], engine["Network"]))
        self.assertNotIn("User", http, "the image's own")
        self.assertEqual("127.0.0.1:8080:8080", http["PublishPort"])
        self.assertNotIn("podman.sock", str(sections(self.units["http"])))


if __name__ == "__main__":
    harness.main()
