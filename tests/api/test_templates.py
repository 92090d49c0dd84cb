"""Templates of the sandbox API: the images of those that CI builds do what they promise (tests/templates has the others), and what is
added is held to what the operator has allowed.
"""
import json
import os
import subprocess
import unittest

import harness
from pool import NO_ENGINE, Site
from templates import TemplatesTest, execute, has_image

# what each image is for, and what it prints
PROGRAMS = {
    "default": ("python", "import yaml, requests; print(6 * 7)", "42\n"),
    "minimal": ("python", "print(6 * 7)", "42\n"),
    "node-basic": ("node", "const _ = require('lodash'), { parse } = require('csv-parse/sync');"
                   "console.log(_.sum(parse('1,2').flat().map(Number)), require('uuid').v4().length,"
                   " require('dayjs')('2024-02-29').format('DD.MM.YYYY'), require('zod').z.number().parse(4))", "3 36 29.02.2024 4\n"),
    "python-data": ("python", "import numpy, pandas, scipy.stats, seaborn, plotly, PIL, sklearn.linear_model, networkx, jinja2, tqdm, docx\n"
                    "import io, subprocess, reportlab.pdfgen.canvas\n"
                    "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt\n"
                    "plt.plot([1, 2]); plt.savefig('p.png')\n"
                    "frame = pandas.DataFrame({'a': [1, 2, 3]})\n"
                    "file = io.BytesIO(); frame.to_excel(file, index=False); print(pandas.read_excel(file).a.sum(), docx.Document().add_paragraph('x').text)\n"
                    "canvas = reportlab.pdfgen.canvas.Canvas('p.pdf'); canvas.drawString(9, 9, 'x'); canvas.save()\n"
                    "print(frame.describe().loc['mean', 'a'], numpy.eye(2).sum(),"
                    " round(float(scipy.stats.norm.cdf(0)), 2), open('p.png', 'rb').read(4)[1:], open('p.pdf', 'rb').read(4))\n"
                    "print(subprocess.run(['ffmpeg', '-version'], capture_output=True, text=True).stdout.split()[0])",
                    "6 x\n2.0 2.0 0.5 b'PNG' b'%PDF'\nffmpeg\n"),
}
C = "#include <math.h>\n#include <stdio.h>\nint main(void) { printf(\"%g c\\n\", sqrt(1764)); }"
CPP = "#include <iostream>\n#include <vector>\nint main() { std::vector<int> v{40, 2}; std::cout << v[0] + v[1] << \" c++\" << std::endl; }"
# memory_limit, cpu_quota, timeout of src/api/sandbox/README.md; network_enabled where the operator allows none
CONTRACT = {
    "default": ("512m", 100000, 30, False), "python-data": ("1g", 100000, 60, False), "python-ml": ("2g", 200000, 120, False),
    "python-nlp": ("1g", 100000, 60, False), "python-web": ("512m", 100000, 60, False), "node-basic": ("512m", 100000, 30, False),
    "minimal": ("256m", 50000, 30, False), "compiled": ("1g", 100000, 60, False),
}
CONTRACT["python-web-browser"] = ("1g", 100000, 60, False)


def remove_image(image):
    """Once its last container is gone."""
    def call(tool, verb, name):
        return subprocess.run([*tool, "image", verb, name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                              check=False).returncode
    for tool in (["podman"], harness.image_tool()):
        for name in (image, image.removeprefix("localhost/")):  # docker-service gives both
            harness.until(lambda: call(tool, "rm", name) == 0 or call(tool, "inspect", name) != 0, f"{image} removed")


def add_networked(server):
    """A template with a network, of the worker image."""
    folder = os.path.join(server.folder, "config/templates.d")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "networked.json"), "w", encoding="utf-8") as file:
        json.dump({"public": True, "image": "aa-worker:latest", "network": True}, file)


class Images(TemplatesTest):
    """Each of the seven, really built and really run."""

    def test_a_second_build_does_nothing(self):
        self.image("node-basic")
        self.assertEqual(self.build("node-basic").stdout, "build-template: localhost/mayfly-node-basic:latest is up to date\n")
        self.assertIn("there is nothing to build", self.build("minimal").stdout)

    def test_limits_reach_the_container(self):
        code = ("import os, resource\n"
                "def first(*paths):\n"
                "    for path in paths:\n"
                "        if os.path.exists(path): return open(path).read().split()[0]\n"
                "print(first('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'),"
                " first('/sys/fs/cgroup/pids.max', '/sys/fs/cgroup/pids/pids.max'),"
                " *(os.statvfs(f).f_blocks * os.statvfs(f).f_frsize >> 20 for f in ('/workspace', '/tmp')))")
        _, reply = execute(self.server, code, "minimal")
        self.assertEqual(reply["stdout"], f"{256 << 20} 64 50 100\n", reply)

    def test_scientific_packages_are_all_of_one_source(self):
        """The newest that run on the image's Python where an index answered, Debian's where not; in both cases what is listed is there."""
        self.image("python-data")
        row = self.row("python-data")
        code = ("import pandas, numpy, scipy, matplotlib, sklearn, openpyxl\n"
                "print({m.__file__.split('/')[2] for m in (pandas, numpy, scipy, matplotlib, sklearn, openpyxl)})")
        found = execute(self.server, code, "python-data")[1]["stdout"]
        self.assertIn((found, row["missing_packages"]), [("{'local'}\n", []), ("{'lib'}\n", ["pyarrow", "python-pptx"])], row)
        self.assertEqual(row["package_count"], 23 - len(row["missing_packages"]))
        self.assertEqual("missing_hint" in row, bool(row["missing_packages"]))

    def row(self, name):
        listed = json.loads(self.server.request("GET", "/templates").body)["templates"]
        return next(row for row in listed if row["name"] == name)

    def test_where_no_index_answers(self):
        """All from Debian; what Debian does not have is named, in the list and to the program that wants it, with what would bring it."""
        name = "lacking-" + os.urandom(4).hex()
        folder = os.path.join(self.server.folder, "config/templates.d")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
            json.dump({"public": True, "image": f"localhost/mayfly-{name}:latest",
                       "build": {"base": "aa-worker:latest", "python": ["tabulate python3-tabulate", "polars", "python-pptx"]}}, file)
        row = self.row(name)
        self.assertEqual((row["package_count"], row["missing_packages"]), (0, ["tabulate", "polars", "python-pptx"]))
        self.assertIn("mayflyctl template build " + name, row["missing_hint"])
        self.addCleanup(remove_image, f"localhost/mayfly-{name}:latest")
        built = self.build(name, MAYFLY_PYTHON_INDEX="none")
        self.assertEqual(built.returncode, 0, built.stdout)
        self.assertIn("the image lacks: polars python-pptx", built.stdout)
        harness.hand_over(f"localhost/mayfly-{name}:latest")
        row = self.row(name)
        self.assertEqual((row["package_count"], row["missing_packages"]), (1, ["polars", "python-pptx"]))
        self.assertIn("where a Python index answers", row["missing_hint"])
        for code, status, expected in (
                ("import tabulate; print(tabulate.__file__)", 0, "/usr/lib/python3/dist-packages/tabulate.py"),
                ("import polars", 1, f"ModuleNotFoundError: No module named 'polars' (the image of template {name} was built without it"),
                ("import pptx", 1, f"mayflyctl template build {name}"),
                ("import pandas", 1, "ModuleNotFoundError: No module named 'pandas'\n"),
                ("import importlib.util; print(importlib.util.find_spec('polars'))", 0, "None")):
            with self.subTest(code):
                _, reply = execute(self.server, code, name)
                self.assertEqual(reply["exit_code"], status, reply)
                self.assertIn(expected, reply["stdout"] + reply["stderr"])
                self.assertNotIn("mayfly_missing", reply["stderr"])

    def test_the_environment_is_the_template_s(self):
        self.image("python-data")
        _, reply = execute(self.server, "import os; print(os.environ['OMP_NUM_THREADS'], os.environ['HOME'])", "python-data")
        self.assertEqual(reply["stdout"], "1 /workspace\n", reply)

    def test_no_network_unless_the_operator_allows_it(self):
        add_networked(self.server)
        _, reply = execute(self.server, "import os; print(os.listdir('/sys/class/net'))", "networked")
        self.assertEqual(reply["stdout"], "['lo']\n")


for template_name in PROGRAMS:
    setattr(Images, "test_" + template_name.replace("-", "_"), lambda self, name=template_name: self.check_program(name, *PROGRAMS[name]))


class Compiled(TemplatesTest):
    """C and C++, of the image that is built in seconds; tests/templates has the other languages of the whole one."""
    environment = {"RUNNER_IMAGE_COMPILED": "localhost/mayfly-compiled-c:latest"}

    def test_execute(self):
        self.image("compiled-c")
        for language, code, output in (("c", C, "42 c\n"), ("cpp", CPP, "42 c++\n"), ("C++", CPP, "42 c++\n")):
            with self.subTest(language):
                _, reply = execute(self.server, code, "compiled", language)
                self.assertEqual((reply.get("stdout"), reply.get("exit_code")), (output, 0), reply)
        self.assertIn("there is nothing to build", self.build("compiled").stdout)
        _, reply = execute(self.server, "int main(void) { return x; }", "compiled", "c")
        self.assertIn("undeclared", reply["stderr"], reply)

    def test_runs(self):
        self.image("compiled-c")
        for language, code, output in (("c", C, "42 c\n"), ("cpp", CPP, "42 c++\n")):
            with self.subTest(language):
                reply = json.loads(self.server.request("POST", "/v1/runs", {"language": language, "code": code}).body)
                self.assertEqual((reply.get("stdout"), reply.get("exit_code")), (output, 0), reply)


class Network(TemplatesTest):
    environment, interface = {"MAYFLY_NETWORK": "allow"}, "tap0"

    @classmethod
    def setUpClass(cls):
        if harness.ENGINE == "docker":  # the daemon of tests has no bridge; one where containers do not see each other is what systemd/README.md says
            cls.environment, cls.interface = {"MAYFLY_NETWORK": "mayfly-test-" + os.urandom(4).hex()}, "eth0"
            cls.network("create", "-o", "com.docker.network.bridge.enable_icc=false", cls.environment["MAYFLY_NETWORK"])
            cls.addClassCleanup(cls.network, "rm", cls.environment["MAYFLY_NETWORK"])
        super().setUpClass()

    @staticmethod
    def network(*arguments):
        subprocess.run([*harness.image_tool(), "network", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)

    def test_the_list_says_it(self):
        rows = json.loads(self.server.request("GET", "/templates").body)["templates"]
        own = {row["name"]: row["network_enabled"] for row in rows if row["name"] != "networked"}  # which another test adds
        self.assertEqual(["python-web", "python-web-browser"], sorted(name for name, enabled in own.items() if enabled))

    def test_only_where_the_template_says_so(self):
        code = "import os; print(sorted(os.listdir('/sys/class/net')))"
        self.assertEqual(execute(self.server, code)[1]["stdout"], "['lo']\n")
        add_networked(self.server)
        self.assertEqual(execute(self.server, code, "networked")[1]["stdout"], f"{sorted(['lo', self.interface])}\n")

    def test_the_host_s_loopback_stays_closed(self):
        code = ("import socket\n"
                "for address in ('127.0.0.1', '10.0.2.2'):\n"
                "    try: socket.create_connection((address, %d), 2); print('open')\n"
                "    except OSError: print('closed')" % self.server.port)
        add_networked(self.server)
        self.assertEqual(execute(self.server, code, "networked")[1]["stdout"], "closed\nclosed\n")

    def test_a_name_that_is_a_mode_is_refused(self):
        for name in ("host", "container:x", "ns:/proc/1/ns/net", "-x", "a b", "x" * 65):
            with self.subTest(name):
                done = self.template("list", MAYFLY_NETWORK=name)
                self.assertEqual(done.returncode, 78)
                self.assertIn("MAYFLY_NETWORK", done.stderr)


class Listing(TemplatesTest):
    def test_get(self):
        reply = self.server.request("GET", "/templates")
        listed = {row["name"]: row for row in json.loads(reply.body)["templates"]}
        self.assertEqual(set(listed), set(CONTRACT))
        for name, expected in CONTRACT.items():
            row = listed[name]
            self.assertEqual((row["memory_limit"], row["cpu_quota"], row["timeout"], row["network_enabled"]), expected, name)
        self.assertEqual(listed["python-data"]["base_image"], "localhost/mayfly-python-data:latest")

    def test_list_show_check(self):
        table = self.good("list")
        self.assertRegex(table, r"(?m)^python-ml +2048 MB +2 +120 s +none +operator +localhost/mayfly-python-ml:latest$")
        self.assertRegex(table, r"(?m)^python-web .* refused ")
        self.assertRegex(self.good("list", MAYFLY_NETWORK="allow"), r"(?m)^python-web .* yes ")
        rows = {row["name"]: row for row in json.loads(self.good("list", "--json"))}
        self.assertEqual(rows["minimal"]["pids"], 64)
        self.assertEqual(json.loads(self.good("show", "python-data"))["preload"], "numpy,pandas,matplotlib.pyplot")
        self.assertEqual(self.good("check").count(": good\n"), len(CONTRACT))

    def test_a_broken_file_harms_no_other(self):
        folder = os.path.join(self.server.folder, "config/templates.d")
        os.makedirs(folder)
        path = os.path.join(folder, "minimal.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write('{\n"image": "i",\n"memory_mb": 1\n}')
        self.addCleanup(os.unlink, path)
        done = self.template("check")
        self.assertEqual(done.returncode, 65)
        self.assertIn(f'{path}:3: "memory_mb" takes a whole number from 16 to ', done.stderr)
        self.assertEqual(done.stdout.count(": good\n"), len(CONTRACT) - 1)
        names = [row["name"] for row in json.loads(self.server.request("GET", "/templates").body)["templates"]]
        self.assertEqual(names, sorted(set(CONTRACT) - {"minimal"}))

    def test_hostile_files(self):
        path = os.path.join(self.server.folder, "x.json")
        lists = ("apt", "python", "npm", "packages", "stand_ins", "models", "setup_commands")
        bad = [({"image": image}, "image") for image in ("--privileged", "-v/:/host", "a b", "a\nRUN x", "../x", "/etc", "x;id", "$(id)", "i" * 300)]
        bad += [({"build": {"base": "b", what: [value]}}, what) for what in lists[:5]
                for value in ("-o=x", "a b c", "a\nb", "a;b", "$(id)", "../a", "/etc/x", "file:x", "https://x/y", "git+ssh://x", "x" * 200, "", 7, None)]
        bad += [({"build": {"base": "b", "npm": [value]}}, "npm") for value in ("a/b", "@a", "@a/", "@a/b/c", "@/x", "./x")]
        bad += [({"build": {"base": "b", what: [value]}}, what) for what in lists[5:] for value in ("a\nimage x", "\x1b[2J", "\x00", "", 7, "x" * 2000)]
        bad += [({"build": {"base": "b", "apt": ["a"] * 300}}, "apt"), ({"build": {"base": "b", "apt": "a"}}, "apt"), ({"build": {}}, "build"),
                ({"build": []}, "build"), ({"build": {"base": "b", "volumes": []}}, "volumes"), ({"build": {"base": "-x"}}, "base")]
        bad += [({"environment": {name: "x"}}, "environment") for name in ("LD_PRELOAD", "MAYFLY_GO", "A=B", "A\nB", "", "1A", "A" * 200)]
        bad += [({"environment": value}, "environment") for value in ({"A": "x\ny"}, {"A": 1}, {"A": "x" * 2000}, [], {f"A{i}": "x" * 1000 for i in range(9)})]
        bad += [({"preload": value}, "preload") for value in (["a b"], ["a;b"], ["os,sys"], "os", [1], ["x" * 100] * 9)]
        for fields, field in bad:
            with self.subTest(fields=fields):
                with open(path, "w", encoding="utf-8") as file:
                    json.dump({"image": "i", **fields}, file)
                done = self.template("check", path)
                self.assertEqual((done.returncode, done.stdout), (65, ""), done)
                self.assertRegex(done.stderr, rf'x\.json:1: "(build\.)?{field}[".]|NUL|\\u0000')
                self.assertNotIn("\x1b", done.stderr)

    def test_usage(self):
        for arguments in ((), ("lists",), ("show",), ("add",), ("remove",), ("build",), ("build", "--force"), ("build", "--all", "x"), ("list", "x")):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.template(*arguments).returncode, 64)
        for arguments in (("show", "none"), ("check", "none"), ("build", "none"), ("build", "../x"), ("remove", "none"), ("add", "/none"),
                          ("check", "/none.json"), ("check", "./UPPER.json")):
            with self.subTest(arguments=arguments):
                done = self.template(*arguments, **NO_ENGINE)
                self.assertEqual(done.returncode, 65, done)


class Added(TemplatesTest):
    """What clients add."""
    environment = {"MAYFLY_TEMPLATE_IMAGES": "docker.io/library/other:1, localhost/mine"}

    def tearDown(self):
        folder = os.path.join(self.server.storage, ".templates")
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            os.unlink(os.path.join(folder, name))

    def post(self, body, **fields):
        reply = self.server.request("POST", "/templates", body, headers=fields)
        return reply.status, json.loads(reply.body)

    def delete(self, name):
        reply = self.server.request("DELETE", "/templates/" + name)
        return reply.status, json.loads(reply.body)

    def test_add_use_remove(self):
        status, reply = self.post({"name": "mine", "description": "d", "base_image": "aa-worker:latest", "environment_variables": {"GREETING": "hi you"},
                                   "memory_limit": "128m", "cpu_quota": 50000, "timeout": 7, "network_enabled": False, "packages": [],
                                   "setup_commands": []})
        self.assertEqual((status, reply["status"], reply["state"]), (200, "success", "ready"), reply)
        self.assertEqual(reply["template"], {"name": "mine", "description": "d", "base_image": "aa-worker:latest", "memory_limit": "128m",
                                             "cpu_quota": 50000, "timeout": 7, "network_enabled": False, "package_count": 0})
        self.assertIn({**reply["template"], "missing_packages": []}, json.loads(self.server.request("GET", "/templates").body)["templates"])
        _, ran = execute(self.server, "echo $GREETING", "mine", "bash")
        self.assertEqual(ran["stdout"], "hi you\n", ran)
        self.assertEqual(self.post({"name": "mine"})[0], 409)
        self.assertEqual(self.delete("mine")[0], 200)
        self.assertEqual(self.delete("mine"), (404, {"status": "error", "error": "There is no template of that name"}))
        self.assertEqual(execute(self.server, "echo $GREETING", "mine", "bash")[1]["stdout"], "\n", "an unknown template behaves as default")

    def test_packages_wait_for_the_operator(self):
        command = f"echo {self.server.instance} > /etc/made"  # so the image is nobody else's
        status, reply = self.post({"name": "tables", "packages": ["tabulate"], "setup_commands": [command]})
        self.assertEqual((status, reply["state"]), (200, "pending"), reply)
        self.assertIn("mayflyctl template build tables", reply["message"])
        image = reply["template"]["base_image"]
        self.assertRegex(image, r"^localhost/mayfly-custom-tables:[0-9a-f]{12}$")
        self.addCleanup(remove_image, image)
        code = "import tabulate; print(tabulate.tabulate([[1, 2]], tablefmt='plain'), open('/etc/made').read())"
        status, ran = execute(self.server, code, "tables")
        self.assertEqual((status, ran["status"]), (500, "error"))
        self.assertIn("mayflyctl template build tables", ran["error"])
        refused = self.build("tables")
        self.assertEqual(refused.returncode, 65)
        self.assertIn("was added by a client", refused.stdout)
        self.assertIn("run " + command, refused.stdout)
        built = self.build("--trust", "tables")
        self.assertEqual(built.returncode, 0, built.stdout)
        harness.hand_over(image)
        self.assertEqual(execute(self.server, code, "tables")[1]["stdout"], f"1  2 {self.server.instance}\n\n")

    def test_refused(self):
        cases = [
            ({}, 400, "name: "), ({"name": "Big"}, 400, "name: "), ({"name": "../x"}, 400, "name: "), ({"name": "x" * 65}, 400, "name: "),
            ({"name": "python-data"}, 409, "the operator's"), ({"name": "default"}, 409, "the operator's"),
            ({"base_image": "docker.io/evil:1"}, 403, "not allowed"), ({"base_image": "--privileged"}, 400, "base_image: "),
            ({"base_image": "localhost/mayfly-custom-other:1"}, 403, "not allowed"), ({"base_image": "a\nb"}, 400, "base_image: "),
            ({"memory_limit": "512"}, 400, "memory_limit: "), ({"memory_limit": "5g"}, 400, "memory_limit: takes 16m to 4096m"),
            ({"memory_limit": "1k"}, 400, "memory_limit: "), ({"memory_limit": "-1m"}, 400, "memory_limit: "), ({"memory_limit": 512}, 400, "memory_limit: "),
            ({"memory_limit": "99999999999999999999g"}, 400, "memory_limit: "), ({"cpu_quota": 5}, 400, "cpu_quota: "), ({"cpu_quota": 0}, 400, "cpu_quota: "),
            ({"cpu_quota": "1"}, 400, "cpu_quota: "), ({"timeout": 0}, 400, "timeout: "), ({"timeout": 3601}, 400, "timeout: "),
            ({"timeout": 1.5}, 400, "timeout: "), ({"network_enabled": True}, 403, "network_enabled: "), ({"network_enabled": 1}, 400, "network_enabled: "),
            ({"packages": ["-x"]}, 400, "packages: "), ({"packages": "x"}, 400, "packages: "), ({"packages": ["x"] * 1000}, 400, "packages: "),
            ({"setup_commands": ["a\nb"]}, 400, "setup_commands: "), ({"environment_variables": {"LD_PRELOAD": "x"}}, 400, "environment_variables: "),
            ({"environment_variables": {"A": "x" * 1000, **{f"B{i}": "x" * 1000 for i in range(9)}}}, 400, "environment"),
        ]
        for fields, expected, message in cases:
            with self.subTest(fields=str(fields)[:80]):
                body = {"name": "new", **fields} if fields else {}
                status, reply = self.post(body)
                self.assertEqual((status, reply["status"]), (expected, "error"), reply)
                self.assertIn(message, reply["error"])
        self.assertEqual(self.post(b"{")[0], 400)
        self.assertEqual(os.listdir(os.path.join(self.server.storage, ".templates")) if os.path.isdir(
            os.path.join(self.server.storage, ".templates")) else [], [])
        self.assertEqual(self.delete("default")[0], 403)
        self.assertEqual(self.delete("..%2Fx")[0], 404)

    def test_listed_images_are_allowed(self):
        for image in ("docker.io/library/other:1", "localhost/mine"):
            self.assertEqual(self.post({"name": "o" + str(len(image)), "base_image": image})[0], 200)
        self.assertEqual(self.post({"name": "no", "base_image": "localhost/min"})[0], 403)

    def test_a_forged_file_gets_no_more_than_was_allowed(self):
        """As a mayfly that was taken over could write it (rule 2 of template_added.h)."""
        folder = os.path.join(self.server.storage, ".templates")
        os.makedirs(folder, exist_ok=True)

        def forge(name, **fields):
            with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
                json.dump({"name": name, "image": "aa-worker:latest", **fields}, file)

        forge("forged", memory_mb=100000, pids=30000, cpu_percent=10000, user="operator", network=True, nofile=100000, workspace_mb=10000,
              timeout_s=3600, timeout_max_s=3600, workdir="/work", preload=["os"])
        shown = json.loads(self.good("show", "forged", MAYFLY_NETWORK="allow"))
        self.assertEqual((shown["memory_mb"], shown["cpu_percent"], shown["network"], shown["workspace_mb"], shown["pids"], shown["preload"]),
                         (4096, 400, False, 50, 128, ""))
        _, ran = execute(self.server, "import os; print(os.getuid(), os.getcwd(), os.listdir('/sys/class/net'))", "forged")
        self.assertRegex(ran["stdout"], r"^[27]\d{4} /workspace \['lo'\]\n$", ran)
        for number, image in enumerate(("docker.io/evil:1", "localhost/mayfly-custom-other:1", "RUNNER")):
            forge(f"image{number}", image=image)
            status, ran = execute(self.server, "print(1)", f"image{number}")
            self.assertIn(status, (403, 500), ran)
            self.assertIn("is not allowed", ran["error"])
        forge("default", memory_mb=16)
        self.assertEqual(json.loads(self.good("show", "default"))["memory_mb"], 512)

    def test_no_more_than_the_maximum(self):
        for number in range(64):
            self.assertEqual(self.post({"name": f"n{number}"})[0], 200)
        status, reply = self.post({"name": "one-more"})
        self.assertEqual((status, reply["error"]), (409, "There are 64 custom templates already, the maximum"))

    def test_mayflyctl_add_and_remove(self):
        self.assertEqual(self.add({"name": "byhand", "memory_limit": "1G"}).stdout, "byhand: added\n")
        self.assertRegex(self.good("list"), r"(?m)^byhand +1024 MB .* custom +aa-worker:latest$")
        self.assertEqual(self.add({"name": "byhand"}).returncode, 65)
        self.assertEqual(self.add({"name": "much", "memory_limit": "1g"}, MAYFLY_TEMPLATE_MEMORY_MB="512").returncode, 65)
        self.assertEqual(json.loads(self.good("show", "byhand", MAYFLY_TEMPLATE_MEMORY_MB="512"))["memory_mb"], 512)
        self.assertEqual(self.good("remove", "byhand"), "byhand: removed\n")
        self.assertEqual(self.template("remove", "minimal").returncode, 65)


class Keys(TemplatesTest):
    environment = {"API_KEYS": "user-token:user:10:10", "EXECUTOR_API_KEY": "secret"}

    def test_the_admin_scope(self):
        made = self.server.ctl("keys", "add", "boss", "--scopes", "admin")
        self.assertEqual(made.returncode, 0, made)
        boss, body = {"Authorization": "Bearer " + made.stdout.strip()}, {"name": "of-boss"}
        secret, user = {"X-API-Key": "secret"}, {"Authorization": "Bearer user-token"}

        def post(headers):
            return self.server.request("POST", "/templates", body, headers=headers).status

        self.assertEqual([post({}), post(secret), post(boss), post({**secret, **user}), post({**secret, **boss})], [401, 401, 401, 403, 200])
        delete = self.server.request("DELETE", "/templates/of-boss", headers=secret)
        self.assertEqual(delete.status, 401)
        self.assertEqual(self.server.request("DELETE", "/templates/of-boss", headers={**secret, **boss}).status, 200)


class OnlyASecret(TemplatesTest):
    environment = {"EXECUTOR_API_KEY": "secret"}

    def test_it_is_nobody_s_administration(self):
        reply = self.server.request("POST", "/templates", {"name": "x"}, headers={"X-API-Key": "secret"})
        self.assertEqual(reply.status, 403)
        self.assertIn("mayflyctl keys add", json.loads(reply.body)["error"])


class Pooled(unittest.TestCase):
    """What a template preloads is there before anybody asks, and a large template does not starve the others."""

    def setUp(self):
        self.server = Site(MAYFLY_POOL="2", MAYFLY_POOL_MEMORY_MB="64")
        self.addCleanup(self.server.close)
        folder = os.path.join(self.server.folder, "config/templates.d")
        os.makedirs(folder)
        for name, preload in (("large", ["antigravity_is_not_there", "decimal", "sqlite3"]),):
            with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
                json.dump({"public": True, "image": "aa-worker:latest", "memory_mb": 256, "cpu_percent": 100, "preload": preload}, file)

    def settled(self, count):
        return harness.until(lambda: not self.server.processes() and len(self.server.waiting()) == count and self.server.waiting(),
                             f"{count} pooled containers, and nobody at work")

    def test_preload(self):
        code = "import sys; print('decimal' in sys.modules, 'sqlite3' in sys.modules)"
        self.assertEqual(execute(self.server, code, "large")[1]["stdout"], "False False\n", "a cold job imports nothing by itself")
        self.settled(2)
        self.assertEqual(execute(self.server, code, "large")[1]["stdout"], "True True\n")
        self.settled(2)
        self.server.drop()

    def test_the_second_of_a_large_one_takes_nobody_s_place(self):
        def pretend(label, megabytes):
            """What was noted of a pooled container when it was prepared."""
            for pooled in self.server.waiting():
                if label in pooled["label"]:
                    path = os.path.join(self.server.run, "pool", pooled["folder"][-24:])
                    with open(path, encoding="utf-8") as file:
                        made, _, rest = file.read().split(" ", 2)
                    with open(path, "w", encoding="utf-8") as file:
                        file.write(f"{int(made) - 5} {megabytes << 20} {rest}")

        execute(self.server, "print(1)", "large")
        self.settled(2)
        large = [pooled for pooled in self.server.waiting() if "large" in pooled["label"]]
        self.assertEqual(len(large), 2)
        self.server.ctl("pool", "drop", large[0]["kind"])
        execute(self.server, "print(1)", "default")
        self.settled(2)
        pretend("default", 5)
        execute(self.server, "print(1)", "large")
        self.settled(4)
        pretend("large", 60)
        pretend("default", 5)
        execute(self.server, "print(1)", "large")  # takes one of two; what is left passes half of the memory
        labels = [pooled["label"].split(":")[0] for pooled in self.settled(3)]
        self.assertEqual(sorted(labels), ["default", "default", "large"])
        self.server.drop()


if __name__ == "__main__":
    harness.main()
