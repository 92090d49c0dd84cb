"""A runtime that was booted ahead behaves as one that was not: a corpus of scripts, run both ways in real containers, compared byte
for byte: standard output and errors, exit code or signal, and the files left.

Rules:
 1. A kernel that does not wait is a failure: it would be compared with itself. Where it must not, the case says so.
 2. What differs for good reasons (times, addresses) is kept out of the scripts, never masked here.
"""
import concurrent.futures
import json
import os
import unittest

import control
import corpus_node
import corpus_python
import corpus_ruby
import harness

LANGUAGES = {"python": (corpus_python.CASES, "script.py"), "node": (corpus_node.CASES, "./script.js"), "ruby": (corpus_ruby.CASES, "script.rb")}
# what cannot be held: the case runs anew, and is compared all the same
WITHOUT_KERNEL = {("ruby", "run_text"), ("ruby", "nested")}
AT_ONCE = 3


def runtime(language):
    with open(os.path.join(harness.ROOT, f"worker/runtimes.d/{language}.json")) as file:
        return json.load(file)


class Case:
    def __init__(self, language, name):
        cases, script = LANGUAGES[language]
        case = cases[name]
        if not isinstance(case, dict):
            case = {"source": case}
        self.language, self.name = language, name
        self.kernel = runtime(language)["kernel"]
        arguments = case.get("argv", [script])
        self.argv = [*runtime(language)["argv"], *arguments]
        self.env = control.ENVIRONMENT + case.get("env", [])
        self.files = dict(case.get("files", {}))
        if case["source"] is not None:
            source = case["source"] if isinstance(case["source"], bytes) else case["source"].encode()
            self.files[arguments[0] if arguments[0].endswith(".mjs") else os.path.normpath(script)] = source

    def run(self, place, is_kernel):
        container = place.make()
        try:
            if is_kernel:
                ready = container.prepare(self.argv, self.kernel, self.env)
                wanted = "0" if (self.language, self.name) in WITHOUT_KERNEL else "1"
                assert ready.get("kernel") == wanted, f"READY says {ready}"
            result = container.run(self.argv, self.files, self.env)
        finally:
            container.remove()
        assert result.has_ended and result.exit["reason"] != "not_started", result.exit
        return {"reason": result.exit["reason"], "code": result.exit.get("code"), "signal": result.exit.get("signal"),
                "stdout": result.out, "stderr": result.err, "files": result.files, "skipped": result.skipped}


class KernelsTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.place = control.Place()
        cls.addClassCleanup(cls.place.close)

    def compare(self, language):
        cases = [Case(language, name) for name in LANGUAGES[language][0]]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            runs = [(case, pool.submit(case.run, self.place, False), pool.submit(case.run, self.place, True)) for case in cases]
            for case, fresh, kernel in runs:
                with self.subTest(case=case.name):
                    self.assertEqual(kernel.result(), fresh.result())

    def test_python(self):
        self.compare("python")

    def test_node(self):
        self.compare("node")

    def test_ruby(self):
        self.compare("ruby")


if __name__ == "__main__":
    harness.main()
