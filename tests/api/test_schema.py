"""The API description is true: schemathesis makes requests from it, good and bad ones, and a real server's answers must be as it says.

Rules:
 1. "default" is taken out of what schemathesis reads: with it any status would do, and each that a request can bring about is named.
 2. The seed is fixed. MAYFLY_SCHEMA_S says for how long more is tried (make check-schema); without it a round of less than 90 s is made.
"""
import json
import os
import subprocess
import sys
import unittest

import harness

VERSION = "4.32.5"
HOME = os.path.join(harness.BUILD, "schemathesis")
CHECKS = {  # each check of schemathesis, and why it is off
    "not_a_server_error": None,
    "status_code_conformance": None,
    "content_type_conformance": None,
    "response_headers_conformance": None,
    "response_schema_conformance": None,
    "negative_data_rejection": "unknown fields are ignored, a number where text is wanted is its text, a body that is no JSON is {} in sandboxes",
    "positive_data_acceptance": "a schema does not know which uploads, sessions and runs there are",
    "missing_required_header": "no header is required but by who calls, which test_keys.py covers",
    "unsupported_method": "OPTIONS is answered on every path; tests/http has the others",
    "allow_header_conformance": "tests/http has the Allow field",
    "use_after_free": "what is destroyed answers 200 with an error to /session/execute; test_sessions.py covers it",
    "ensure_resource_availability": "names and ids are the server's, which no link in the description ties together",
    "ignored_auth": "a caller on loopback needs no key where none is configured; test_keys.py covers where one is",
    "object_level_authorization": "it needs two callers; test_keys.py and test_sessions.py have them",
}
SEED, EXAMPLES = 20, 5


def install():
    """Puts schemathesis into a virtual environment, by this machine's own pip configuration; skips the test where no index answers."""
    program = os.path.join(HOME, "bin/schemathesis")
    stamp = os.path.join(HOME, "installed-" + VERSION)
    if not os.path.exists(stamp):
        python = os.path.join(HOME, "bin/python")
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", HOME], check=True)
        done = subprocess.run([sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-input", "--disable-pip-version-check",
                               "--retries", "1", "--timeout", "30", "schemathesis==" + VERSION], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=600, check=False)
        if done.returncode != 0:
            raise unittest.SkipTest("pip cannot fetch schemathesis: " + done.stdout.strip().rpartition("\n")[2][:200])
        with open(stamp, "w", encoding="ascii"):
            pass
    return program


class Schema(harness.ServerTest):
    environment = {"DEBUG_UI": "true", "MAYFLY_SLOT_WAIT_MS": "60000"}

    @classmethod
    def setUpClass(cls):
        cls.program = install()
        super().setUpClass()

    def test_every_check_is_decided_about(self):
        done = subprocess.run([self.program, "run", "--help"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True)
        known = " ".join(done.stdout.partition("--checks")[2].partition("[possible values:")[2].partition("]")[0].replace(",", " ").split())
        self.assertEqual(sorted(CHECKS), sorted(set(known.split()) - {"all"}))

    def test_answers_are_as_described(self):
        document = json.loads(self.server.request("GET", "/openapi.json").body)
        for operations in document["paths"].values():
            for operation in operations.values():
                del operation["responses"]["default"]
        description = os.path.join(self.server.folder, "openapi.json")
        with open(description, "w", encoding="utf-8") as file:
            json.dump(document, file)
        longer_s = int(os.environ.get("MAYFLY_SCHEMA_S", "0"))
        budget = ["--max-time", str(longer_s)] if longer_s else ["--max-examples", str(EXAMPLES)]
        done = subprocess.run(
            [self.program, "run", description, "--url", "http://" + self.server.host, "--checks", ",".join(name for name, why in CHECKS.items() if not why),
             "--phases", "examples,coverage,fuzzing", "--seed", str(SEED), *budget, "--workers", "1", "--continue-on-failure", "--no-shrink",
             "--warnings", "off", "--suppress-health-check", "all", "--request-timeout", "120"],
            cwd=self.server.folder, env={**os.environ, "NO_COLOR": "1", "HOME": self.server.folder}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=longer_s + 600, check=False)
        for session in json.loads(self.server.request("GET", "/sessions").body)["sessions"]:
            self.server.request("POST", "/session/destroy", {"session_id": session["id"], "tenant_id": session["metadata"]["tenant_id"]})
        self.assertEqual(0, done.returncode, done.stdout[-20000:])
        self.assertIn(f"Tested: {sum(map(len, document['paths'].values()))}\n", done.stdout, "every operation")


if __name__ == "__main__":
    harness.main()
