"""What the tests of templates share: a server without pooled containers, mayflyctl template, and images that are built where they
are missing (mayflyctl template build does nothing when they are there).
"""
import json
import os
import subprocess

import harness
from pool import MAYFLYCTL, Site

BUILD_DEADLINE_S = 1200


def has_image(name):
    return subprocess.run(["podman", "image", "exists", "--", name], stdin=subprocess.DEVNULL, check=False).returncode == 0


def execute(server, code, template="default", language="python", **more):
    reply = server.request("POST", "/execute", {"tenant_id": "t", "scope": "s", "code": code, "template": template, "language": language, **more},
                           timeout=180)
    return reply.status, json.loads(reply.body)


class TemplatesTest(harness.ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.server = Site(**{"MAYFLY_POOL": "0", **cls.environment})
        cls.addClassCleanup(cls.server.close)

    def template(self, *arguments, **more):
        return self.server.ctl("template", *arguments, **more)

    def good(self, *arguments, **more):
        done = self.template(*arguments, **more)
        self.assertEqual(done.returncode, 0, done)
        return done.stdout

    def add(self, definition, **environment):
        path = os.path.join(self.server.folder, "new.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(definition, file)
        return self.template("add", path, **environment)

    def build(self, *arguments, **environment):
        return subprocess.run([MAYFLYCTL, "template", "build", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=BUILD_DEADLINE_S, check=False,
                              env={**self.server.environment, "HOME": os.environ["HOME"], **environment})

    def image(self, name):
        shown = json.loads(self.good("show", name))
        if "build" in shown:
            built = self.build(name)
            self.assertEqual(built.returncode, 0, built.stdout)
        self.assertTrue(has_image(shown["image"]))
        harness.hand_over(shown["image"])

    def check_program(self, template, language, code, output, **more):
        """A program of a template's, and what it prints."""
        self.image(template)
        status, reply = execute(self.server, code, template, language, **more)
        self.assertEqual((status, reply.get("stdout"), reply.get("exit_code")), (200, output, 0), reply)
