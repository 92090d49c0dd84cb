"""The Python SDK (scripts/sdk/python): installed by pip without an index, and its examples run against a real server."""
import ast
import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import harness
from pool import MAYFLYCTL

SDK = os.path.join(harness.ROOT, "scripts/sdk/python")
sys.path.insert(0, SDK)

import mayfly_sandbox as sdk  # noqa: E402: from the tree

PNG = b"\x89PNG\r\n\x1a\n"
BUILD_DEADLINE_S = 1200


class SdkTest(harness.ServerTest):
    def setUp(self):
        self.url = f"http://{self.server.host}"
        self.folder = tempfile.mkdtemp(prefix="mayfly-sdk-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def client(self, **more):
        return sdk.Client(self.url, **more)

    def sandbox(self, **more):
        return sdk.CodeSandbox(base_url=self.url, **more)

    def tearDown(self):
        self.assertEqual(self.client().list_sessions(), [], "the test's sessions are gone")


class Programs(SdkTest):
    def test_result(self):
        result = self.client().execute("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
        self.assertEqual((result.stdout, result.stderr, result.exit_code, result.success, result.status), ("out\n", "err\n", 3, False, "error"))
        self.assertGreater(result.execution_time, 0)
        self.assertEqual((result["tenant_id"], result.get("nothing")), ("default", None))
        with self.assertRaises(sdk.ExecutionFailed) as raised:
            result.check()
        self.assertEqual((str(raised.exception), raised.exception.result), ("err", result))

    def test_languages_and_files(self):
        client = self.client()
        self.assertEqual(client.execute("console.log(6 * 7)", "node").check().stdout, "42\n")
        result = client.execute("cat a/text; xxd -p raw", "bash", files={"a/text": "h\u00e4llo\n", "raw": b"\x00\xff\n"})
        self.assertEqual(result.stdout, "h\u00e4llo\n00ff0a\n")

    def test_time_out(self):
        result = self.client().execute("import time; print('begun', flush=True); time.sleep(60)", timeout=1)
        self.assertEqual((result.exit_code, result.stdout), (-1, "begun\n"))
        self.assertIn("Execution exceeded timeout (1s)", f"{result.error}{result.stderr}")

    def test_cells(self):
        result = self.client().execute_cells(["x = 20", "x += 1\nprint(x)", "x * 2"])
        self.assertEqual([cell.exit_code for cell in result.cells], [0, 0, 0])
        self.assertEqual(result.cells[1].stdout, "21\n")

    def test_streaming(self):
        events = list(self.client().stream("import sys\nprint('one', flush=True)\nprint('two', file=sys.stderr, flush=True)"))
        self.assertEqual("".join(event.text for event in events if event.type == "stdout"), "one\n")
        self.assertEqual("".join(event.text for event in events if event.type == "stderr"), "two\n")
        self.assertEqual((events[-1].type, events[-1].result.exit_code, events[-1].result.stdout), ("result", 0, "one\n"))
        self.assertEqual([event for event in events[:-1] if event.result], [])

    def test_output_comes_while_it_runs(self):
        """The second line is printed only when the first one has been taken: it waits for a file that comes with it."""
        with self.sandbox() as sandbox:
            heard = []

            def hear(text):
                heard.append(text)
            result = sandbox.run("for i in range(3): print(i, flush=True)", on_stdout=hear)
            self.assertEqual("".join(heard), result.stdout)
            stream = sandbox.stream("import time\nprint('first', flush=True)\ntime.sleep(3)\nprint('second')")
            first = next(event for event in stream if event.type == "stdout")
            self.assertEqual(first.text.rstrip("\n"), "first")
            self.assertTrue(next(iter(stream)).type in ("status", "stdout"), "the program was not over")
            self.assertEqual(list(stream)[-1].result.stdout, "first\nsecond\n")


class Sandboxes(SdkTest):
    def test_state_stays(self):
        with self.sandbox() as sandbox:
            interpreter = sdk.CodeInterpreter(sandbox)
            self.assertEqual(interpreter.run("x = 41").exit_code, 0)
            result = interpreter.run("x += 1; print(x)")
            self.assertEqual((result.stdout, result.stderr, result.exit_code, result.kernel), ("42\n", "", 0, "kept"))
            self.assertEqual(interpreter.run("echo $((6 * 7))", "bash").stdout, "42\n")
            found = sandbox.client.list_sessions()
            self.assertEqual([session["id"] for session in found], [sandbox.session_id])
        with self.assertRaises(sdk.SandboxError):
            sandbox.run("x")
        sandbox.close()

    def test_starts_when_it_is_used(self):
        sandbox = self.sandbox(ttl=60)
        self.assertEqual(self.client().list_sessions(), [])
        self.addCleanup(sandbox.close)
        self.assertEqual(sdk.CodeInterpreter(sandbox, "node").run("console.log(1)").stdout, "1\n")
        self.assertEqual(self.client().list_sessions()[0]["ttl"], 60)
        sandbox.close()

    def test_closes_after_an_exception(self):
        with self.assertRaises(ZeroDivisionError), self.sandbox():
            raise ZeroDivisionError

    def test_file_operations(self):
        """The example of file operations: upload, work on it, list, download."""
        with open(self.path("sales.csv"), "w", encoding="utf-8") as file:
            file.write("city,sold\nKiel,3\nUlm,4\n")
        with self.sandbox() as sandbox:
            self.assertEqual(sandbox.upload(self.path("sales.csv")), "sales.csv")
            sandbox.write_file("notes/b.bin", b"\x00\xff")
            sandbox.write_file("notes/t.txt", "text")
            result = sandbox.run("import csv, json\nrows = list(csv.DictReader(open('sales.csv')))\n"
                                 "json.dump(sum(int(row['sold']) for row in rows), open('total.json', 'w'))\nprint(len(rows))")
            self.assertEqual(result.check().stdout, "2\n")
            self.assertEqual({file.path: file.size for file in sandbox.list_files()},
                             {"sales.csv": 23, "notes/b.bin": 2, "notes/t.txt": 4, "total.json": 1})
            self.assertEqual(sandbox.read_file("notes/b.bin"), b"\x00\xff")
            sandbox.write_file("résumé (1) 数.pdf", b"mine")
            self.assertEqual(sandbox.read_file("résumé (1) 数.pdf"), b"mine")
            sandbox.delete_file("résumé (1) 数.pdf")
            self.assertNotIn("résumé (1) 数.pdf", [file.path for file in sandbox.list_files()])
            self.assertEqual(sandbox.download("total.json", self.folder), self.path("total.json"))
            self.assertEqual(sandbox.download("total.json", self.path("other.json")), self.path("other.json"))
            with open(self.path("other.json"), encoding="ascii") as file:
                self.assertEqual(file.read(), "7")
            with self.assertRaises(sdk.NotFound):
                sandbox.read_file("nothing")
            with self.assertRaises(sdk.InvalidRequest):
                sandbox.write_file("a/../../x", "no")

    def test_artifacts(self):
        with self.sandbox() as sandbox:
            result = sandbox.run("class Shown:\n    def _repr_html_(self): return '<b>\u00e4</b>'\nShown()")
            shown = [artifact for artifact in result.check().artifacts if artifact.type == "text/html"]
            self.assertEqual([artifact.data.decode() for artifact in shown], ["<b>\u00e4</b>"])
            failed = sandbox.run("1 / 0")
            self.assertEqual([artifact.type for artifact in failed.artifacts], ["error"])
            self.assertIn("ZeroDivisionError", failed.artifacts[0].content)

    def test_artifact_names_stay_in_their_folder(self):
        for name in ("../../evil", "/etc/evil", "..", "", "a\0b"):
            saved = sdk.Artifact("image/png", name, "iVBORw0KGgo=").save(self.path("charts") + os.sep)
            self.assertEqual(os.path.dirname(os.path.realpath(saved)), os.path.realpath(self.path("charts")), name)
            with open(saved, "rb") as file:
                self.assertEqual(file.read(), PNG)


def build_python_data(test):
    built = subprocess.run([MAYFLYCTL, "template", "build", "python-data"], env={**test.server.environment, "HOME": os.environ["HOME"]},
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=BUILD_DEADLINE_S, check=False)
    test.assertEqual(built.returncode, 0, built.stdout)
    harness.hand_over("localhost/mayfly-python-data:latest")


class Visualisation(SdkTest):
    def test_figures(self):
        """The example of visualisation, in the template that has matplotlib."""
        build_python_data(self)
        with self.sandbox(template="python-data") as sandbox:
            result = sdk.CodeInterpreter(sandbox).run(
                "import matplotlib.pyplot as plt\nimport pandas as pd\nframe = pd.DataFrame({'x': [1, 2, 3], 'y': [2, 4, 8]})\n"
                "frame.plot(x='x', y='y'); plt.show()\nplt.bar([1, 2], [3, 4])\nprint(frame['y'].sum())", timeout=60).check()
        self.assertEqual(result.stdout, "14\n")
        figures = [artifact for artifact in result.artifacts if artifact.type == "image/png"]
        self.assertEqual([figure.name for figure in figures], ["plot_0", "plot_1"])
        self.assertEqual(figures[0].metadata["source"], "matplotlib")
        for figure in figures:
            with open(figure.save(self.path("charts", "")), "rb") as file:
                self.assertTrue(file.read().startswith(PNG))
        self.assertEqual(sorted(os.listdir(self.path("charts"))), ["plot_0.png", "plot_1.png"])


class Sessions(SdkTest):
    environment = {"MAYFLY_SESSIONS": "2"}

    def manager(self, **more):
        return sdk.SessionManager(base_url=self.url, **more)

    def test_sessions(self):
        """The example of sessions: two that know nothing of each other."""
        with self.manager(default_ttl=120) as manager:
            one, two = manager.create_session(), manager.create_session(template="default", ttl=60)
            self.assertRegex(one, "^[0-9a-f]{12}$")
            self.assertEqual((one.session_id, one.ttl, two.ttl, one.template), (str(one), 120, 60, "default"))
            manager.execute_in_session(one, "import math; r = 2").check()
            self.assertEqual(manager.execute_in_session(one, "print(round(math.pi * r ** 2, 2))").stdout, "12.57\n")
            self.assertIn("NameError", manager.execute_in_session(str(two), "r").stderr)
            manager.upload(two, "f.txt", "mine")
            self.assertEqual((manager.download(two, "f.txt"), [file.path for file in manager.list_files(two)]), (b"mine", ["f.txt"]))
            self.assertEqual({session["id"] for session in manager.list_sessions()}, {one, two})
            with self.assertRaises(sdk.SessionLimitReached):
                manager.create_session()
            self.assertEqual(list(manager.stream_in_session(one, "print(r)"))[-1].result.stdout, "2\n")
            self.assertTrue(manager.destroy_session(one))
            self.assertFalse(manager.destroy_session(one))
            with self.assertRaises(sdk.SessionNotFound):
                manager.execute_in_session(one, "1")
            with self.assertRaises(sdk.SessionNotFound):
                list(manager.stream_in_session(one, "1"))
            self.assertEqual(manager.get_metrics()["active_sessions"], 1)

    def test_counters(self):
        """Each event once."""
        before = self.client().metrics()
        with self.manager() as manager:
            session = manager.create_session()
            for _ in range(3):
                manager.execute_in_session(session, "1")
        harness.until(lambda: not self.server.processes(), "all processes ended")
        after = self.client().metrics()
        grown = {name: after[name] - before[name] for name in ("sessions_created", "sessions_reused", "sessions_destroyed", "sessions_expired", "errors")}
        self.assertEqual(grown, {"sessions_created": 1, "sessions_reused": 3, "sessions_destroyed": 1, "sessions_expired": 0, "errors": 0})
        self.assertEqual((after["active_sessions"], after["max_sessions"], after["default_ttl"]), (0, 2, 300))
        jobs = {(series["family"], series["language"], series["template"]): series["outcomes"]["succeeded"] for series in after["jobs"]}
        self.assertGreaterEqual(jobs["B", "python", "default"], 3)

    def test_other_tenants_see_nothing(self):
        with self.manager(tenant_id="ann") as ann, self.manager(tenant_id="bob") as bob:
            session = ann.create_session()
            self.assertEqual(bob.list_sessions(), [])
            with self.assertRaises(sdk.SessionNotFound):
                bob.execute_in_session(session, "1")
            self.assertFalse(bob.destroy_session(session))
            self.assertEqual(len(ann.list_sessions()), 1)


class Templates(SdkTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        made = subprocess.run([MAYFLYCTL, "keys", "add", "sdk", "--scopes", "run,read,admin"], env=cls.server.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True)
        cls.token = made.stdout.strip()

    def client(self, **more):
        return super().client(**{"token": self.token, **more})

    def test_register(self):
        manager = sdk.TemplateManager(self.client())
        template = sdk.SandboxTemplate("sdk-small", "Small", memory_limit="128m", timeout=7, environment_variables={"GREETING": "hello"})
        shown = manager.register_template(template, persist=True)
        self.assertEqual((shown["name"], shown["memory_limit"], shown["timeout"]), ("sdk-small", "128m", 7))
        self.assertEqual(manager.get_template("sdk-small")["description"], "Small")
        with sdk.CodeSandbox(template, base_url=self.url, token=self.token) as sandbox:
            self.assertEqual(sandbox.run("import os; print(os.environ['GREETING'])").stdout, "hello\n")
        manager.unregister_template("sdk-small")
        with self.assertRaises(sdk.NotFound):
            manager.get_template("sdk-small")
        with self.assertRaises(sdk.NotFound):
            manager.unregister_template("sdk-small")

    def test_without_persist_it_ends_with_the_process(self):
        program = ("import mayfly_sandbox as sdk\nmanager = sdk.template_manager\n"
                   "manager.register_template(sdk.SandboxTemplate('sdk-brief'))\nprint(manager.get_template('sdk-brief')['name'])")
        shown = subprocess.run(["/usr/bin/python3", "-c", program], stdout=subprocess.PIPE, text=True, check=True,
                               env={"PYTHONPATH": SDK, "MAYFLY_URL": self.url, "MAYFLY_TOKEN": self.token, "PYTHONDONTWRITEBYTECODE": "1"})
        self.assertEqual(shown.stdout, "sdk-brief\n")
        self.assertNotIn("sdk-brief", [template["name"] for template in self.client().list_templates()])

    def test_without_a_key(self):
        with self.assertRaises(sdk.AuthenticationError):
            sdk.TemplateManager(self.client(token="wrong")).register_template(sdk.SandboxTemplate("sdk-no"))


class Errors(unittest.TestCase):
    def test_templates_are_checked_before_they_are_sent(self):
        for wrong in ({"name": ""}, {"name": "a", "memory_limit": "512"}, {"name": "a", "memory_limit": "512mb\n"}, {"name": "a", "timeout": 0},
                      {"name": "a", "timeout": 3601}, {"name": "a", "cpu_quota": 0}):
            with self.assertRaises(sdk.InvalidRequest, msg=wrong):
                sdk.SandboxTemplate(**wrong)

    def test_nobody_listens(self):
        with self.assertRaises(sdk.ConnectionFailed):
            sdk.Client(f"http://127.0.0.1:{harness.free_port()}").health()
        for url in ("ftp://127.0.0.1", "127.0.0.1:8080", "http://"):
            with self.assertRaises(sdk.InvalidRequest, msg=url):
                sdk.Client(url)

    def test_keys(self):
        with harness.Server(engine=False, EXECUTOR_API_KEY="k3y") as server:
            url = f"http://{server.host}"
            self.assertEqual(sdk.Client(url, api_key="k3y").health()["status"], "healthy")
            with self.assertRaises(sdk.AuthenticationError) as raised:
                sdk.Client(url, api_key="wrong").list_sessions()
            self.assertEqual((raised.exception.status, raised.exception.message), (401, "Unauthorized"))

    def test_refusals(self):
        with harness.Server(engine=False) as server:
            client = sdk.Client(f"http://{server.host}")
            with self.assertRaises(sdk.InvalidRequest) as raised:
                client.execute("print(1)", files={"../x": ""})
            self.assertEqual((raised.exception.status, str(raised.exception)), (400, "Path traversal detected: ../x"))
            self.assertIsInstance(raised.exception, ValueError)


class OriginalNames(SdkTest):
    """Programs for the original executor: its modules, classes, arguments and results."""

    def run_program(self, *arguments, **environment):
        done = subprocess.run(["/usr/bin/python3", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                              cwd=self.folder, env={"PYTHONPATH": SDK, "MAYFLY_URL": self.url, "PYTHONDONTWRITEBYTECODE": "1", **environment})
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_modules(self):
        for module, names in {"sandbox": ("CodeSandbox",), "session": ("SessionManager",), "interpreter": ("CodeInterpreter",),
                              "templates": ("TemplateManager", "template_manager")}.items():
            loaded = importlib.import_module("executor." + module)
            for name in names:
                self.assertIs(getattr(loaded, name), getattr(sdk, name))
            for name in loaded.__all__:
                self.assertTrue(hasattr(loaded, name), name)

    def test_sandbox_and_session(self):
        program = ("from executor.sandbox import CodeSandbox\nfrom executor.session import SessionManager\nfrom executor.interpreter import CodeInterpreter\n"
                   "with CodeSandbox(template='default') as sandbox:\n"
                   "    result = CodeInterpreter(sandbox).run('class Shown:\\n    def _repr_html_(self): return \"<b>\"\\n    __repr__ = lambda self: \"shown\"\\nprint(6 * 7)\\nShown()')\n"
                   "    print(result.stdout, result.stderr, result.exit_code, [(artifact.name, artifact.type) for artifact in result.artifacts])\n"
                   "with SessionManager() as manager:\n"
                   "    session_id = manager.create_session(template='default')\n"
                   "    result = manager.execute_in_session(session_id, 'import sys; print(sys.version_info.major)')\n"
                   "    print(result.stdout, result['stdout'], manager.destroy_session(session_id))\n")
        self.assertEqual(self.run_program("-c", program), "42\nshown\n  0 [('display_0', 'text/html')]\n3\n 3\n True\n")

    def test_custom_template(self):
        """Its largest: 4 GB, four processors; packages wait for the operator."""
        program = ("from executor.templates import SandboxTemplate, template_manager\n"
                   "template = SandboxTemplate(name='sdk-large', description='Large', base_image='executor-sandbox:latest', packages=['pillow', 'keras'],\n"
                   "                           memory_limit='4g', cpu_quota=400000, timeout=300)\n"
                   "template_manager.register_template(template, persist=True)\n"
                   "shown = template_manager.get_template('sdk-large')\n"
                   "print(shown['description'], shown['memory_limit'], shown['timeout'], template.base_image, template.cpu_quota)\n"
                   "template_manager.unregister_template('sdk-large')\n")
        self.assertEqual(self.run_program("-c", program), "Large 4g 300 executor-sandbox:latest 400000\n")

    def test_session_examples(self):
        self.assertEqual(self.run_program("-m", "executor.examples.session_examples"),
                         "area: 12.57\nthe other session knows radius: False\nits shell: kept\nsessions now: 2 of 10\nafterwards: SessionNotFound\n")

    def test_file_operations(self):
        self.assertEqual(self.run_program("-m", "executor.examples.file_operations", self.folder),
                         "uploaded: orders.csv\nprogram: written\nfiles: notes/readme.txt, orders.csv, out/report.json\nnote: text, or bytes\n"
                         "report: {'orders': 2, 'total': 29.75}\nrefused: Path traversal detected: ../outside\n")
        self.assertTrue(os.path.isfile(self.path("report.json")))

    def test_visualization_examples(self):
        build_python_data(self)
        said = self.run_program("-m", "executor.examples.visualization_examples", self.path("charts"))
        self.assertIn("{'Kiel': 36, 'Ulm': 34}\nArtifact: plot_0 (image/png)\n", said)
        for cell in ("0", "1"):
            with open(self.path("charts", cell, "plot_0.png"), "rb") as file:
                self.assertTrue(file.read().startswith(PNG))
        self.assertIn("(text/html)", said, "the table of describe()")


class Installation(unittest.TestCase):
    """In fresh virtual environments, where nothing is but Python; no index answers."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mayfly-sdk-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": self.folder, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_CACHE_DIR": "1", "PIP_CONFIG_FILE": os.devnull}

    def run_program(self, *command):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.environment, cwd=self.folder, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def wheel(self):
        built = os.path.join(self.folder, "built")
        self.run_program("make", "--no-print-directory", "-C", harness.ROOT, "sdk", f"BUILD={built}")
        wheels = [name for name in os.listdir(built) if name.endswith(".whl")]
        self.assertEqual(wheels, [f"mayfly_sandbox-{sdk.__version__}-py3-none-any.whl"])
        return os.path.join(built, wheels[0])

    def test_pip_installs_it(self):
        wheel, closed = self.wheel(), f"http://127.0.0.1:{harness.free_port()}/simple"
        for what in (SDK, wheel):
            for index in (("--no-index",), ("--index-url", closed)):
                with self.subTest(what=what, index=index):
                    home = tempfile.mkdtemp(dir=self.folder)
                    self.run_program("/usr/bin/python3", "-m", "venv", "--without-pip", home)
                    self.run_program("/usr/bin/python3", "-m", "pip", "--python", f"{home}/bin/python", "install", *index, what)
                    shown = self.run_program(f"{home}/bin/python", "-I", "-c",
                                             "import executor.examples, executor.interpreter, executor.sandbox, executor.session, executor.templates as t, mayfly_sandbox as m\n"
                                             "print(m.__file__, t.template_manager is m.template_manager)")
                    self.assertRegex(shown, f"\\A{home}/lib/.*/site-packages/mayfly_sandbox/__init__.py True\n\\Z")
                    listed = self.run_program("/usr/bin/python3", "-m", "pip", "--python", f"{home}/bin/python", "show", "--files", "mayfly-sandbox")
                    for name in ("mayfly_sandbox/py.typed", "executor/examples/session_examples.py", f"Version: {sdk.__version__}"):
                        self.assertIn(name, listed)
                    self.run_program("/usr/bin/python3", "-m", "pip", "--python", f"{home}/bin/python", "check")

    def test_wheel_is_the_same_again(self):
        with open(self.wheel(), "rb") as first:
            before = first.read()
        with open(self.wheel(), "rb") as second:
            self.assertEqual(before, second.read())

    def test_standard_library_only_and_typed(self):
        for name in (os.path.join(folder, name) for package in ("mayfly_sandbox", "executor") for folder, _, names in os.walk(os.path.join(SDK, package))
                     for name in names if name.endswith(".py")):
            with open(name, encoding="utf-8") as file:
                tree = ast.parse(file.read(), feature_version=(3, 9))
            for node in ast.walk(tree):
                modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else \
                    [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
                for module in modules:
                    self.assertIn(module.partition(".")[0], {*sys.stdlib_module_names, "executor", "mayfly_sandbox"}, name)
                if isinstance(node, ast.FunctionDef):
                    self.assertIsNotNone(node.returns, f"{name}: {node.name}")
                    for argument in node.args.args + node.args.kwonlyargs:
                        self.assertTrue(argument.annotation or argument.arg in ("self", "cls"), f"{name}: {node.name}({argument.arg})")

    def test_readme_names_what_there_is(self):
        with open(os.path.join(SDK, "README.md"), encoding="utf-8") as file:
            text = file.read()
        for module, names in re.findall(r"from ((?:mayfly_sandbox|executor)[.a-z]*) import (.*)", text):
            for name in names.split(", "):
                self.assertTrue(hasattr(importlib.import_module(module), name), name)
        for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            ast.parse(block)
        for name in sdk.__all__:
            self.assertTrue(hasattr(sdk, name), name)


if __name__ == "__main__":
    harness.main()
