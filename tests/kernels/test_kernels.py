"""A runtime that was booted ahead behaves as one that was not: a corpus of scripts, run both ways in real containers, compared byte
for byte: standard output and errors, exit code or signal, and the files left. A kernel of cells that is given a script as its last cell
behaves so, too.

Rules:
 1. A kernel that does not wait is a failure: it would be compared with itself. Where it must not, the case says so.
 2. What differs for good reasons (times, addresses) is kept out of the scripts, never masked here.
"""
import concurrent.futures
import json
import os
import re
import select
import shutil
import signal
import tempfile
import unittest

import control
import corpus_node
import corpus_python
import corpus_ruby
import harness

LANGUAGES = {"python": (corpus_python.CASES, "script.py"), "node": (corpus_node.CASES, "./script.js"), "ruby": (corpus_ruby.CASES, "script.rb")}
# what cannot be held: the case runs anew, and is compared all the same
WITHOUT_KERNEL = {("ruby", "run_text"), ("ruby", "nested")}
# what a script that a kernel of cells became can see of it: the descriptor of displays, and what waits for figures
CELL_DIFFERENCES = {"descriptors", "collector"}
AT_ONCE = 3


def runtime(language):
    with open(os.path.join(harness.ROOT, f"worker/languages.d/{language}.json")) as file:
        return json.load(file)


def environment(language):
    return control.ENVIRONMENT + runtime(language).get("env", [])


class Case:
    def __init__(self, language, name):
        cases, script = LANGUAGES[language]
        case = cases[name]
        if not isinstance(case, dict):
            case = {"source": case}
        self.language, self.name = language, name
        self.kernel = runtime(language)["boot_env"]
        arguments = case.get("argv", [script])
        self.argv = [*runtime(language)["tools"]["argv"], *arguments]
        own = case.get("env", [])
        names = {text.partition("=")[0] for text in own}
        self.env = [text for text in control.ENVIRONMENT if text.partition("=")[0] not in names] + own
        self.own_env = self.env + runtime(language).get("env", [])
        # a module's way into node differs, and with it node's own lines in a stack
        self.has_reference = "reference" in case
        self.reference = [self.argv[0], *case["reference"], *self.argv[1:]] if "reference" in case else self.argv
        self.files = dict(case.get("files", {}))
        if case["source"] is not None:
            source = case["source"] if isinstance(case["source"], bytes) else case["source"].encode()
            self.files[arguments[0] if arguments[0].endswith(".mjs") else os.path.normpath(script)] = source

    def can_be_cell(self):
        return self.language == "python" and self.argv == ["python3", "script.py"]

    def run_cell(self, place):
        container = place.make()
        argv = [*control.cell_argv(self.language)[:-1], "script.py"]
        try:
            ready = container.prepare_cell(self.language, self.env, argv)
            assert ready["prebooted"] == "1", f"READY says {ready}"
            result = container.cell(self.language, files=self.files, env=self.env, argv=argv, script="script.py", last=1)
        finally:
            container.remove()
        return self.outcome(result)

    def run(self, place, way):
        """fresh: by the bare interpreter; cold: as a job without a pooled container; kernel: prebooted."""
        container = place.make()
        try:
            if way == "kernel":
                ready = container.prepare(self.argv, self.kernel, self.own_env)
                wanted = "0" if (self.language, self.name) in WITHOUT_KERNEL else "1"
                assert ready.get("prebooted") == wanted, f"READY says {ready}"
            result = container.run(self.reference, self.files, self.env) if way == "fresh" else container.run(self.argv, self.files, self.own_env)
        finally:
            container.remove()
        outcome = self.outcome(result)
        if self.has_reference:
            outcome["stderr"] = re.sub(rb"\n    at [^\n]*node:internal/[^\n]*", b"", outcome["stderr"])
        return outcome

    @staticmethod
    def outcome(result):
        assert result.has_ended and result.exit["reason"] != "not_started", result.exit
        return {"reason": result.exit["reason"], "code": result.exit.get("code"), "signal": result.exit.get("signal"),
                "stdout": without_pid(result.out), "stderr": without_pid(result.err), "files": result.files, "skipped": result.skipped}


# how the programs of the corpora and SAY tell their pid
PIDS = [(rb"(\(node:|\b(?:Tgid|NStgid):(?:\t|\\t))\d+", rb"\g<1>2"), (rb"^(\d+) 1 \1 \1 ", b"2 1 2 2 "), (rb"\n(\d+)\n1\n\1\n$", b"\n2\n1\n2\n"),
        (rb"^(True|False) \d+ ", rb"\1 2 "), (rb"(PWD=/workspace\\n)\d+", rb"\g<1>3")]


def without_pid(text):
    """With Docker, runc's threads take numbers of the container before the program does, and not always as many: 2 stands for its pid."""
    for pattern, two in PIDS if harness.ENGINE == "docker" else []:
        text = re.sub(pattern, two, text)
    return re.sub(rb"(?<!\d)[27]\d{4}(?!\d)", b"UID", text)  # each container has a user id of its own


class PlaceTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.place = control.Place()
        cls.addClassCleanup(cls.place.close)


class KernelsTest(PlaceTest):
    def compare(self, language):
        cases = [Case(language, name) for name in LANGUAGES[language][0]]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            runs = [(case, *(pool.submit(case.run, self.place, way) for way in ("fresh", "kernel")),
                     pool.submit(case.run, self.place, "cold") if case.own_env != case.env else None,
                     pool.submit(case.run_cell, self.place) if case.can_be_cell() else None) for case in cases]
            for case, fresh, kernel, cold, cell in runs:
                with self.subTest(case=case.name):
                    self.assertEqual(kernel.result(), fresh.result())
                    if cold:
                        self.assertEqual(cold.result(), fresh.result())
                    if cell and case.name in CELL_DIFFERENCES:
                        self.assertNotEqual(cell.result(), fresh.result())
                    elif cell:
                        self.assertEqual(cell.result(), fresh.result())

    def test_python(self):
        self.compare("python")

    def test_node(self):
        self.compare("node")

    def test_ruby(self):
        self.compare("ruby")


SAY = "import os, sys\nprint(b'MAYFLY_GO' in open('/proc/self/environ', 'rb').read(), os.getpid(), len(os.listdir('/proc/self/fd')))\n"
PYTHON = ["python3", "script.py"]


class PoolTest(PlaceTest):
    """Pooled containers with a kernel, as init keeps them. The environment that a process was started with tells which one ran: scripts do not look there."""

    def setUp(self):
        self.kernel = runtime("python")["boot_env"]

    def prepared(self, kernel=None, **more):
        container = self.place.make()
        self.addCleanup(container.remove)
        ready = container.prepare(PYTHON, self.kernel if kernel is None else kernel, **more)
        return container, ready

    def run_script(self, container, source=SAY, argv=None, **more):
        return container.run(PYTHON if argv is None else argv, {"script.py": source.encode()}, **more)

    def test_folder_is_read_only_and_may_be_absent(self):
        look = "import os\nprint(os.listdir('/usr/lib/mayfly'))\nprint([l.split()[5] for l in open('/proc/self/mountinfo') if ' /usr/lib/mayfly ' in l])\nopen('/usr/lib/mayfly/x', 'w')\n"
        result = self.run_script(self.prepared()[0], look)
        self.assertIn(b"'node.js'", result.out)
        options = result.out.split(b"['")[-1].split(b"'")[0].split(b",")
        self.assertTrue(({b"ro"} if harness.ENGINE == "docker" else {b"ro", b"nosuid", b"nodev"}) <= set(options), options)  # Docker takes no more
        self.assertIn(b"Read-only file system", result.err)
        data = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, data)
        shutil.copytree(os.path.join(harness.ROOT, "worker"), data, ignore=shutil.ignore_patterns("kernels"), dirs_exist_ok=True)
        with control.Place(data) as place:
            container = place.make()
            self.assertEqual(container.prepare(PYTHON, self.kernel)["prebooted"], "0")
            self.assertTrue(self.run_script(container, look).out.startswith(b"[]\n[]\n"))
            container.remove()

    def test_each_runtime_waits(self):
        scripts = {"python": SAY, "node": "console.log(require('fs').readFileSync('/proc/self/environ', 'latin1').includes('MAYFLY_GO'))",
                   "ruby": "p File.binread('/proc/self/environ').include?('MAYFLY_GO')"}
        for language, (_, script) in LANGUAGES.items():
            argv = [*runtime(language)["tools"]["argv"], script]
            container = self.place.make()
            self.addCleanup(container.remove)
            ready = container.prepare(argv, runtime(language)["boot_env"], environment(language))
            self.assertEqual(ready["prebooted"], "1", language)
            self.assertGreater(int(ready["memory_bytes"]), 1 << 20, language)
            result = container.run(argv, {os.path.normpath(script): scripts[language].encode()}, environment(language))
            self.assertEqual(result.out.split()[0].lower(), b"true", (language, result.out, result.err))

    def test_runs_the_job_it_was_made_for(self):
        container, ready = self.prepared()
        self.assertEqual(ready["prebooted"], "1")
        self.assertEqual(without_pid(self.run_script(container).out), b"True 2 4\n")
        with self.assertRaises(OSError):
            container.connect()

    def test_runs_any_other_anew(self):
        for more in ({"argv": [*PYTHON, "x"]}, {"env": control.ENVIRONMENT + ["A=1"]}, {"env": control.ENVIRONMENT[1:]}, {"stdin": b""}, {"stdin": b"x"}):
            container, ready = self.prepared()
            self.assertEqual(ready["prebooted"], "1")
            found = self.run_script(container, **more).out.split()
            self.assertEqual((found[0], found[2]), (b"False", b"4"), more)

    def test_a_package_of_node_runs_anew(self):
        argv, files = ["node", "./script.js"], {"package.json": b"{}", "script.js": b"console.log(require('fs').readFileSync('/proc/self/environ', 'latin1').includes('MAYFLY_GO'))"}
        container = self.place.make()
        self.addCleanup(container.remove)
        self.assertEqual(container.prepare(argv, runtime("node")["boot_env"], environment("node"))["prebooted"], "1")
        self.assertEqual(container.run(argv, files, environment("node")).out, b"false\n")

    def test_without_kernel(self):
        container, ready = self.prepared(kernel=[])
        self.assertEqual(ready["prebooted"], "0")
        self.assertEqual(without_pid(self.run_script(container).out), b"False 2 4\n")

    def test_what_is_not_there_does_not_wait(self):
        container = self.place.make()
        self.addCleanup(container.remove)
        self.assertEqual(container.prepare(["nosuchprogram"], self.kernel)["prebooted"], "0")
        self.assertEqual(self.run_script(container).out.split()[0], b"False")

    def test_preload(self):
        container, ready = self.prepared(kernel=[*self.kernel, "MAYFLY_PRELOAD=json,no_such_module,xml.dom"])
        self.assertEqual(ready["prebooted"], "1")
        result = self.run_script(container, "import os, sys\nprint('json' in sys.modules, 'xml.dom' in sys.modules, 'MAYFLY_PRELOAD' in os.environ)\n")
        self.assertEqual((result.out, result.err), (b"True True False\n", b""))

    def test_killed_while_it_waits(self):
        container, ready = self.prepared()
        self.assertEqual(ready["prebooted"], "1")
        pid = self.waiting_pid(container)
        with open(f"/proc/{pid}/stat") as stat:
            self.assertIn("python3", stat.read())
            descriptor = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        select.select([descriptor], [], [], harness.DEADLINE_S)
        os.close(descriptor)
        self.assertEqual(self.run_script(container).out.split()[0], b"False")

    def test_ends_when_no_job_comes(self):
        container, _ = self.prepared(idle_s=1)
        self.assertEqual(self.exit_code(container), 0)
        with self.assertRaises(OSError):
            container.connect()

    def test_second_preparation_is_an_error(self):
        container, _ = self.prepared()
        self.assertEqual(container.prepare(PYTHON, self.kernel), {})
        self.assertEqual(self.exit_code(container), 1)

    def test_clocks_count_from_go(self):
        container, _ = self.prepared()
        usage = self.run_script(container, "print(1)\n").exit
        fresh = self.run_script(self.prepared(kernel=[])[0], "print(1)\n").exit
        self.assertLess(int(usage["cpu_us"]), int(fresh["cpu_us"]))
        container, _ = self.prepared()
        result = self.run_script(container, "while True: pass\n", limits=[("cpu_ms", 30)])
        self.assertEqual(result.exit["reason"], "cpu")
        self.assertGreaterEqual(int(result.exit["cpu_us"]), 30000)
        container, _ = self.prepared()
        self.assertEqual(self.run_script(container, "import time\ntime.sleep(1000)\n", limits=[("wall_ms", 200)]).exit["reason"], "timeout")

    def exit_code(self, container):
        """Init's, when it has ended."""
        identity = next(found["Id"] for found in self.place.podman.containers(self.place.instance)
                        if any(container.folder.partition("-")[2] in name for name in found["Names"]))
        status, ended = self.place.podman.call("POST", f"/v1.41/containers/{identity}/wait")
        self.assertEqual(status, 200, ended)
        return ended["StatusCode"]

    def waiting_pid(self, container):
        """The runtime as the host sees it: it has the container's folder mounted."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as environment, open(f"/proc/{pid}/mountinfo") as mounts:
                    if b"MAYFLY_GO=" in environment.read() and container.folder in mounts.read():
                        return int(pid)
            except OSError:
                continue
        raise AssertionError("no process waits")


if __name__ == "__main__":
    harness.main()
