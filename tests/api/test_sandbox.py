"""The sandbox API without sessions: POST /execute, GET /capabilities, /templates, keys, X-Request-ID, OPTIONS, CORS; each rule and message of src/api/sandbox/README.md."""
import base64
import concurrent.futures
import json
import os
import re

import changes
import harness
import pool

UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
FLAT = ("status", "exit_code", "stdout", "stderr", "execution_time", "artifacts")


class SandboxTest(harness.ServerTest):
    def post(self, path, body, headers=None):
        reply = self.server.request("POST", path, body, headers)
        return reply.status, json.loads(reply.body)

    def execute(self, code="print(6*7)", **more):
        status, body = self.post("/execute", {"tenant_id": "acme", "scope": "flow", "code": code, **more})
        self.assertEqual(200, status, body)
        return body

    def refused(self, status, message, body, path="/execute"):
        self.assertEqual((status, {"status": "error", "error": message}), self.post(path, body))


class Execute(SandboxTest):
    def test_reply_is_flat_and_nested(self):
        body = self.execute()
        self.assertEqual(("success", 0, "42\n", "", []), tuple(body[key] for key in ("status", "exit_code", "stdout", "stderr", "artifacts")))
        self.assertEqual(("acme", "flow"), (body["tenant_id"], body["scope"]))
        self.assertGreaterEqual(body["execution_time"], 0)
        self.assertEqual({key: body[key] for key in FLAT}, {key: body["result"][key] for key in FLAT})
        self.assertEqual("python", body["result"]["language"])
        self.assertGreater(body["usage"]["cpu_ms"], 0)
        self.assertGreater(body["usage"]["bytes_out"], 0)
        self.assertTrue(body["result"]["container_id"])
        self.assertRegex(body["request_id"], UUID)

    def test_a_program_that_fails_is_200(self):
        for language, code in (("python", "import sys; print('x'); sys.exit(3)"), ("bash", "echo x; exit 3"), ("node", "console.log('x'); process.exit(3)")):
            with self.subTest(language=language):
                body = self.execute(code, language=language)
                self.assertEqual(("error", 3, "x\n"), (body["status"], body["exit_code"], body["stdout"]))
                self.assertEqual(["error"], [entry["type"] for entry in body["artifacts"]])

    def test_languages_and_aliases_in_any_case(self):
        for names, code, wanted in ((("python", "Python", "PYTHON"), "print(1+1)", "python"),
                                    (("node", "javascript", "js", "JavaScript"), "console.log(1+1)", "node"),
                                    (("bash", "sh", "shell", "SHELL"), "echo $((1+1))", "bash")):
            for name in names:
                with self.subTest(language=name):
                    body = self.execute(code, language=name)
                    self.assertEqual(("2\n", wanted), (body["stdout"], body["result"]["language"]), body)

    def test_unsupported_language(self):
        for name in ("ruby", "php", "cobol", "r", "python ", "\u00e9\u00e9"):
            with self.subTest(language=name):
                body = self.execute("1", language=name)
                self.assertEqual(("error", f"Unsupported language: {name}", -1), (body["status"], body["error"], body["exit_code"]))
                self.assertEqual(-1, body["result"]["exit_code"])

    def test_missing_fields(self):
        for body in ({}, {"tenant_id": "t"}, {"scope": "s", "code": "x"}, {"tenant_id": "t", "scope": "s", "code": ""}, {"tenant_id": None, "scope": 0, "code": []}):
            with self.subTest(body=body):
                self.refused(400, "Missing required fields: tenant_id, scope, code", body)

    def test_numbers_and_booleans_are_their_texts(self):
        reply = self.server.request("POST", "/execute", {"tenant_id": 7, "scope": True, "code": 42, "language": 0, "template": ""}, timeout=60)
        body = json.loads(reply.body)
        self.assertEqual((200, "7", "true", "success", "python"), (reply.status, body["tenant_id"], body["scope"], body["status"], body["result"]["language"]))

    def test_malformed_json_counts_as_nothing(self):
        for text in (b"{", b"", b"nonsense", b"[1,2]", b"null", b'{"a":1} x', b'{"tenant_id":"t","tenant_id":"u"}', b"\xff", b"[" * 100000):
            with self.subTest(text=text[:20]):
                self.refused(400, "Missing required fields: tenant_id, scope, code", text)

    def test_wrong_types(self):
        good = {"tenant_id": "t", "scope": "s", "code": "1"}
        for field, value, message in (("tenant_id", [7], "tenant_id must be a string"), ("scope", ["x"], "scope must be a string"), ("code", {"a": 7}, "code must be a string"),
                                      ("language", [], "language must be a string"), ("template", {}, "template must be a string"),
                                      ("files", ["x"], "files must be an object of path and content"), ("tenant_id", "a\nb", "tenant_id must not hold control characters"),
                                      ("scope", "x" * 256, "scope exceeds 255 bytes")):
            with self.subTest(field=field, value=value):
                self.refused(400, message, {**good, field: value})

    def test_timeout(self):
        for language, code in (("python", "import time\nprint('early', flush=True)\ntime.sleep(60)"), ("bash", "echo early; sleep 60")):
            with self.subTest(language=language):
                body = self.execute(code, language=language, timeout=1)
                self.assertEqual((-1, "error", "Execution exceeded timeout (1s)"), (body["exit_code"], body["status"], body["error"]))
                self.assertEqual("early\n", body["stdout"])
                self.assertIn("Execution exceeded timeout (1s)", body["stderr"])

    def test_a_full_stderr_does_not_swallow_the_time_out(self):
        for language, code in (("python", "import os, time\nfor _ in range(40): os.write(2, b'e' * 2**16)\ntime.sleep(60)"),
                               ("bash", "head -c 2000000 /dev/zero | tr '\\0' e >&2; sleep 60")):
            with self.subTest(language=language):
                body = self.execute(code, language=language, timeout=2)
                self.assertEqual((-1, "Execution exceeded timeout (2s)", True), (body["exit_code"], body["error"], body["stderr_truncated"]))
                self.assertEqual("e" * 2**20 + "\nExecution exceeded timeout (2s)\n", body["stderr"])

    def test_unknown_template_behaves_as_default(self):
        for template in ("nothing", "", "../default", "DEFAULT", "a/b"):
            with self.subTest(template=template):
                self.assertEqual("42\n", self.execute(template=template)["stdout"])

    def test_output_of_any_bytes(self):
        code = "import sys; sys.stdout.buffer.write(b'a\\xffb\\0c\\x1b[31m'); sys.stderr.buffer.write(b'\\xe2\\x82')"
        body = self.execute(code)
        self.assertEqual(("a\ufffdb\0c\x1b[31m", "\ufffd"), (body["stdout"], body["stderr"]))

    def test_output_is_capped(self):
        body = self.execute("print('x' * 5000000)")
        self.assertEqual((1048576, True), (len(body["stdout"]), body["stdout_truncated"]))
        self.assertEqual(0, body["exit_code"])

    def test_one_error_entry(self):
        body = self.execute("def f():\n    raise ValueError('no good')\nf()")
        (entry,) = body["artifacts"]
        self.assertEqual(("error", "error"), (entry["type"], entry["name"]))
        self.assertEqual("ValueError: no good", entry["metadata"]["message"])
        self.assertIn("Traceback (most recent call last)", entry["metadata"]["traceback"])
        self.assertIn("line 2, in f", entry["metadata"]["traceback"])

    def files_of(self, body):
        """What came back, by name: content where it is there, and the same by the link."""
        found = {}
        for entry in body["artifacts"]:
            reply = self.server.request("GET", entry["url"].split(self.server.host, 1)[1])
            self.assertEqual((200, entry["size"], entry["metadata"]["size"]), (reply.status, len(reply.body), len(reply.body)))
            content = entry["content"]
            if content is not None:
                content = base64.b64decode(content) if entry["metadata"]["encoding"] == "base64" else content.encode()
                self.assertEqual(reply.body, content)
            found[entry["name"]] = reply.body
        return found

    def test_files_that_a_program_leaves(self):
        bash = "printf 'a,b' > t.csv; mkdir sub; printf 1 > sub/.x; printf '\\211PNG' > /tmp/output/a.png; printf '\\377' > latin.txt; truncate -s 2M big; ln -s big link; true"
        python = ("import os\nopen('t.csv', 'w').write('a,b')\nos.mkdir('sub')\nopen('sub/.x', 'w').write('1')\nopen('/tmp/output/a.png', 'wb').write(b'\\x89PNG')\n"
                  "open('latin.txt', 'wb').write(b'\\xff')\nopen('big', 'w').truncate(2**21)\nos.symlink('big', 'link')")
        node = ("const fs = require('fs'); fs.writeFileSync('t.csv', 'a,b'); fs.mkdirSync('sub'); fs.writeFileSync('sub/.x', '1'); fs.writeFileSync('/tmp/output/a.png', Buffer.from([0x89, 80, 78, 71]));"
                "fs.writeFileSync('latin.txt', Buffer.from([255])); fs.writeFileSync('big', ''); fs.truncateSync('big', 2**21); fs.symlinkSync('big', 'link')")
        expected = [("big", "application/octet-stream", None, "big"), ("latin.txt", "text/plain", "base64", "latin.txt"), ("t.csv", "text/csv", "utf-8", "t.csv"),
                    ("sub/.x", "application/octet-stream", "base64", "sub/.x"), ("a.png", "image/png", "base64", "/tmp/output/a.png")]
        for language, code in (("bash", bash), ("python", python), ("node", node)):
            with self.subTest(language=language):
                body = self.execute(code, language=language)
                self.assertEqual(expected, [(entry["name"], entry["type"], entry["content"] and entry["metadata"]["encoding"], entry["metadata"]["path"])
                                            for entry in body["artifacts"]])
                self.assertEqual({"big": bytes(2**21), "latin.txt": b"\xff", "t.csv": b"a,b", "sub/.x": b"1", "a.png": b"\x89PNG"}, self.files_of(body))
                self.assertEqual(1, len({entry["metadata"]["source"] for entry in body["artifacts"]} | {"file"}))

    def test_plotly_s_figures_are_charts(self):
        chart = ("import sys, types\nmodule = sys.modules['plotly.basedatatypes'] = types.ModuleType('plotly.basedatatypes')\n"
                 "class BaseFigure:\n    def to_json(self):\n        return '{\"data\":[]}'\nmodule.BaseFigure = BaseFigure\n"
                 "from IPython.display import display\ndisplay(BaseFigure())\nBaseFigure()")
        charts = self.execute(None, cells=[chart])["artifacts"]
        self.assertEqual([("chart", f"plotly_chart_{n}", '{"data":[]}', "plotly") for n in range(2)],
                         [(entry["type"], entry["name"], entry["content"], entry["metadata"]["library"]) for entry in charts])

    def test_what_a_runtime_leaves_for_itself_is_no_file_of_the_programs(self):
        self.assertEqual([], self.execute("import mod; print(mod.x)", files={"mod.py": "x = 5"})["artifacts"])
        self.assertEqual([], self.execute("import os; os.makedirs('.cache/deep'); open('.cache/deep/x', 'w')")["artifacts"])

    def test_what_was_sent_and_changed_comes_back(self):
        files = {name: {"content": base64.b64encode(data).decode(), "encoding": "base64"} for name, data in changes.files().items()}
        files = {name.replace(" ", "_"): data for name, data in files.items()}
        for more in ({"code": changes.code().replace(" bytes", "_bytes").replace("same size", "same_size").replace("made anew", "made_anew").replace("there and back", "there_and_back")},):
            body = self.execute(files=files, **more)
            self.assertEqual((0, ""), (body["exit_code"], body["stderr"]))
            changes.check(self, {name.replace("_", " "): data for name, data in self.files_of(body).items()})

    def test_rich_results_of_a_program(self):
        code = "class Plot:\n    def _repr_png_(self):\n        return b'\\x89PNG'\nx = Plot()\nx"
        body = self.execute("", cells=[code, "'text'"])
        pictures = [entry for entry in body["artifacts"] if entry["type"] == "image/png"]
        self.assertEqual([b"\x89PNG"], [base64.b64decode(entry["content"]) for entry in pictures], body)
        self.assertEqual("base64", pictures[0]["metadata"]["encoding"])
        self.assertEqual(pictures, [entry for entry in body["cells"][0]["artifacts"] if entry["type"] == "image/png"])

    def test_rich_results_can_be_fetched_and_reused(self):
        body = self.execute(cells=["class P:\n    def _repr_html_(self): return '<b>x</b>'\nP()",
                                   "import os; os.makedirs('/tmp/output/sub', exist_ok=True)\nopen('/tmp/output/sub/ä.png', 'wb').write(b'\\x89PNG')"], code=None)
        found = {entry["name"]: entry for entry in body["artifacts"]}
        for name, content, saved_as in (("display_0", b"<b>x</b>", "display_0.html"), ("sub/ä.png", b"\x89PNG", "%C3%A4.png")):
            with self.subTest(name=name):
                reply = self.server.request("GET", found[name]["url"].split(self.server.host, 1)[1])
                self.assertEqual((200, content), (reply.status, reply.body))
                self.assertIn(saved_as, reply.headers["content-disposition"])
        again = self.execute("print(open('page.html').read())", files={"page.html": {"id": found["display_0"]["id"]}})
        self.assertEqual("<b>x</b>\n", again["stdout"])
        self.assertGreater(body["usage"]["cpu_ms"], body["cells"][0]["usage"]["cpu_ms"] - 1)

    def test_isolation(self):
        code = """
import os, socket
def tries(name, action):
    try: action(); print(name, 'worked')
    except OSError as error: print(name, error.strerror)
tries('root', lambda: open('/x', 'w'))
tries('usr', lambda: open('/usr/x', 'w'))
open('/tmp/run', 'w').write('#!/bin/sh\\n'); os.chmod('/tmp/run', 0o755)
tries('tmp', lambda: os.execv('/tmp/run', ['run']))
tries('net', lambda: socket.create_connection(('192.0.2.1', 80), 5))
print(os.getcwd(), os.statvfs('/workspace').f_blocks * os.statvfs('/workspace').f_frsize // 2**20, os.statvfs('/tmp').f_blocks * os.statvfs('/tmp').f_frsize // 2**20)
print([line for line in open('/proc/self/status') if line.startswith(('CapEff', 'NoNewPrivs'))])
"""
        self.assertEqual("root Read-only file system\nusr Read-only file system\ntmp Permission denied\nnet Network is unreachable\n"
                         "/workspace 50 100\n['CapEff:\\t0000000000000000\\n', 'NoNewPrivs:\\t1\\n']\n", self.execute(code)["stdout"])

    def test_the_workspace_executes(self):
        self.assertEqual("ran\n", self.execute("printf '#!/bin/sh\\necho ran\\n' > x; chmod +x x; ./x", language="bash")["stdout"])

    def test_nothing_stays(self):
        self.execute("open('/workspace/left', 'w'); open('/tmp/left', 'w')")
        self.assertEqual("[] False\n", self.execute("import os; print([n for n in os.listdir('/workspace') if n != 'main.py'], os.path.exists('/tmp/left'))")["stdout"])

    def test_memory_is_bounded(self):
        body = self.execute("x = bytearray(2 * 1024**3)\nfor i in range(0, len(x), 4096): x[i] = 1\nprint('all of it')")
        self.assertNotEqual(0, body["exit_code"])
        self.assertNotIn("all of it", body["stdout"])
        self.assertEqual("42\n", self.execute()["stdout"])


class Files(SandboxTest):
    def test_every_form(self):
        form = (b'--b\r\nContent-Disposition: form-data; name="file"; filename="up.bin"\r\n\r\nuploaded\xff\r\n--b--\r\n')
        uploaded = self.server.request("POST", "/v1/files", form, {"Content-Type": "multipart/form-data; boundary=b"})
        files = {"a.txt": "text \u00e9", "deep/er/b.bin": {"content": base64.b64encode(bytes(range(256))).decode(), "encoding": "base64"},
                 "c": {"content": "plain"}, "up": {"id": json.loads(uploaded.body)["id"]}, "nul": "a\0b", "empty": ""}
        code = "import hashlib\nfor name in ('a.txt','deep/er/b.bin','c','up','nul','empty'): print(name, open(name,'rb').read().hex()[:40])"
        wanted = {"a.txt": "text \u00e9".encode(), "deep/er/b.bin": bytes(range(256)), "c": b"plain", "up": b"uploaded\xff", "nul": b"a\0b", "empty": b""}
        self.assertEqual("".join(f"{name} {data.hex()[:40]}\n" for name, data in wanted.items()), self.execute(code, files=files)["stdout"])

    def test_files_for_every_language(self):
        for language, code in (("bash", "cat d/f; ls"), ("node", "console.log(require('fs').readFileSync('d/f','utf8')); require('./m.js')"),
                               ("python", "import m; print(open('d/f').read())")):
            with self.subTest(language=language):
                body = self.execute(code, language=language, files={"d/f": "here", "m.js": "console.log('module')", "m.py": "print('module')"})
                self.assertIn("here", body["stdout"], body)
                self.assertEqual(0, body["exit_code"])

    def test_a_file_where_the_program_would_lie(self):
        body = self.execute("print(open('main.py').read())", files={"main.py": "mine"})
        self.assertEqual("mine\n", body["stdout"], body)

    def test_refusals(self):
        for path, message in (("", "Empty path"), ("a\0b", "Path contains null bytes"), ("../x", "Path traversal detected: ../x"), ("a/../../x", "Path traversal detected: a/../../x"),
                              ("/etc/passwd", "Absolute paths not allowed: /etc/passwd"), ("a b", "Invalid characters in path component: a b"),
                              ("d/$(id)", "Invalid characters in path component: $(id)"), ("\u202etxt.exe", "Invalid characters in path component: \u202etxt.exe"),
                              ("run.sh", "Dangerous file extension not allowed: .sh"), ("d/x.PYC", "Dangerous file extension not allowed: .pyc"),
                              ("lib.so", "Dangerous file extension not allowed: .so")):
            with self.subTest(path=path):
                self.refused(400, message, {"tenant_id": "t", "scope": "s", "code": "1", "files": {path: "x"}})

    def test_sizes(self):
        good = {"tenant_id": "t", "scope": "s", "code": "print(1)"}
        self.refused(400, "File size 10485761 exceeds limit 10485760", {**good, "files": {"big": "x" * 10485761}})
        upload = b'--b\r\nContent-Disposition: form-data; name="file"; filename="u"\r\n\r\n' + b"x" * 10485760 + b"\r\n--b--\r\n"
        stored = json.loads(self.server.request("POST", "/v1/files", upload, {"Content-Type": "multipart/form-data; boundary=b"}).body)["id"]
        files = {f"f{i}": {"id": stored} for i in range(11)}
        self.refused(400, "Total storage would exceed limit 104857600", {**good, "files": files})

    def test_more_than_the_workspace_holds(self):
        upload = b'--b\r\nContent-Disposition: form-data; name="file"; filename="u"\r\n\r\n' + b"x" * 10485760 + b"\r\n--b--\r\n"
        stored = json.loads(self.server.request("POST", "/v1/files", upload, {"Content-Type": "multipart/form-data; boundary=b"}).body)["id"]
        body = self.execute("print(1)", files={f"f{i}": {"id": stored} for i in range(6)})
        self.assertEqual(("error", ""), (body["status"], body["stdout"]))
        self.assertIn("No space left", body["error"])

    def test_another_key_s_upload_or_none(self):
        status, body = self.post("/execute", {"tenant_id": "t", "scope": "s", "code": "1", "files": {"a": {"id": "file_0123456789ab"}}})
        self.assertEqual((404, "uploaded file not found"), (status, body["error"]))

    def test_a_body_of_16_mib(self):
        body = json.dumps({"tenant_id": "t", "scope": "s", "code": "print(1)", "files": {"a": "x" * 9000000}}).encode()
        self.assertEqual(200, self.server.request("POST", "/execute", body + b" " * (16 * 1024 * 1024 - len(body))).status)
        refused = self.server.request("POST", "/execute", body + b" " * (16 * 1024 * 1024 - len(body) + 1))
        self.assertEqual((413, "error"), (refused.status, json.loads(refused.body)["status"]))


class Notebook(SandboxTest):
    def cells(self, *cells, **more):
        status, body = self.post("/execute", {"tenant_id": "t", "scope": "s", "cells": list(cells), **more})
        self.assertEqual(200, status, body)
        return body

    def test_cells_share_their_state_and_have_a_result_each(self):
        body = self.cells("x = 20", "x + 1", "import os; os.getcwd()", files={"a": "b"})
        self.assertEqual(["", "21\n", "'/workspace'\n"], [cell["stdout"] for cell in body["cells"]])
        self.assertEqual(["success"] * 3, [cell["status"] for cell in body["cells"]])
        self.assertEqual(("success", 0, "21\n'/workspace'\n"), (body["status"], body["exit_code"], body["stdout"]))

    def test_one_that_fails(self):
        for more, codes, said, why in (({}, [0, 1, -1], "", "Not run: cell 1 failed"), ({"stop_on_error": None}, [0, 1, -1], "", "Not run: cell 1 failed"),
                                       ({"stop_on_error": False}, [0, 1, 0], "1\n", None)):
            with self.subTest(more=more):
                body = self.cells("x = 1", "1/0", "print(x)", **more)
                self.assertEqual(codes, [cell["exit_code"] for cell in body["cells"]])
                self.assertEqual((1, "error", said, why), (body["exit_code"], body["status"], body["cells"][2]["stdout"], body["cells"][2].get("error")))
                self.assertEqual(["error"], [entry["type"] for entry in body["artifacts"]])

    def test_time_out_is_of_all_of_them(self):
        body = self.cells("x = 1", "import time; time.sleep(60)", timeout=2)
        self.assertEqual([0, -1], [cell["exit_code"] for cell in body["cells"]])
        self.assertEqual((-1, "Execution exceeded timeout (2s)"), (body["exit_code"], body["error"]))

    def test_output_of_all_of_them_is_capped_as_one_program_s(self):
        body = self.cells("print('é' * 300000, end='')", "print('ü' * 300000, end='')")
        self.assertEqual([600000, 600000], [len(cell["stdout"].encode()) for cell in body["cells"]])
        whole = body["stdout"].encode()
        self.assertEqual((2**20, True), (len(whole), body.get("stdout_truncated")))
        self.assertEqual("é" * 300000 + "ü" * ((2**20 - 600000) // 2), body["stdout"])
        self.assertNotIn("stdout_truncated", body["cells"][1])

    def test_other_languages(self):
        self.assertEqual(["", "6\n"], [cell["stdout"] for cell in self.cells("let x = 5", "x + 1", language="node")["cells"]])
        self.assertEqual(["", "5 /tmp\n"], [cell["stdout"] for cell in self.cells("x=5; cd /tmp", "echo $x $PWD", language="bash")["cells"]])

    def test_refusals(self):
        for cells in ([], "x", [1], ["x"] * 129):
            with self.subTest(cells=cells[:2]):
                self.refused(400, "cells must be an array of 1 to 128 texts", {"tenant_id": "t", "scope": "s", "cells": cells})


class Streaming(SandboxTest):
    def events(self, body, path="/execute"):
        reply = self.server.request("POST", path, body, {"Accept": "text/event-stream"})
        self.assertEqual((200, "text/event-stream"), (reply.status, reply.headers["content-type"].split(";")[0]))
        found = []
        for block in reply.body.decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if fields:
                found.append((fields["event"], json.loads(fields["data"])))
        return found

    def test_events_then_the_result(self):
        found = self.events({"tenant_id": "t", "scope": "s", "code": "import sys; print('out'); print('err', file=sys.stderr)"})
        self.assertEqual("status", found[0][0])
        self.assertEqual("out\n", "".join(data["text"] for name, data in found if name == "stdout"))
        self.assertEqual("err\n", "".join(data["text"] for name, data in found if name == "stderr"))
        self.assertEqual(("result", "out\n"), (found[-1][0], found[-1][1]["stdout"]))

    def test_rich_results_come_as_they_are_made(self):
        found = self.events({"tenant_id": "t", "scope": "s", "cells": ["class P:\n    def _repr_html_(self): return '<b>x</b>'\nP()"]})
        (entry,) = [data for name, data in found if name == "artifact"]
        self.assertEqual(("text/html", "<b>x</b>"), (entry["type"], entry["content"]))

    def test_a_refusal_is_ordinary(self):
        reply = self.server.request("POST", "/execute", {}, {"Accept": "text/event-stream"})
        self.assertEqual((400, "error"), (reply.status, json.loads(reply.body)["status"]))

    def test_a_client_that_goes_takes_its_program_along(self):
        body = json.dumps({"tenant_id": "t", "scope": "s", "code": "import time\nprint(1, flush=True)\ntime.sleep(60)"}).encode()
        with self.server.connect() as connection:
            connection.sendall(b"POST /execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            harness.until(lambda: self.server.podman.containers(self.server.instance), "the container")
        harness.until(lambda: not self.server.podman.containers(self.server.instance), "no container")


class Head(SandboxTest):
    def test_request_id(self):
        for sent in ("abc", "x" * 128, "7f3d/..:!"):
            reply = self.server.request("GET", "/capabilities", headers={"X-Request-ID": sent})
            self.assertEqual(sent, reply.headers["x-request-id"])
        for sent in ("x" * 129, "a b", ""):
            self.assertRegex(self.server.request("GET", "/capabilities", headers={"X-Request-ID": sent}).headers["x-request-id"], UUID)
        reply = self.server.request("POST", "/execute", {}, {"X-Request-ID": "of-a-refusal"})
        self.assertEqual((400, "of-a-refusal"), (reply.status, reply.headers["x-request-id"]))
        self.assertEqual("mine", self.post("/execute", {"tenant_id": "t", "scope": "s", "code": "1"}, {"X-Request-ID": "mine"})[1]["request_id"])

    def test_options(self):
        for path in ("/execute", "/session/create", "/sessions/0123456789ab/files/x", "/health", "/nowhere"):
            with self.subTest(path=path):
                reply = self.server.request("OPTIONS", path)
                self.assertEqual((200, b"", "Content-Type, X-API-Key, X-Request-ID"), (reply.status, reply.body, reply.headers["access-control-allow-headers"]))
                self.assertIn("access-control-allow-methods", reply.headers)

    def test_origins(self):
        own = f"http://{self.server.host}"
        self.assertEqual(own, self.server.request("OPTIONS", "/execute", headers={"Origin": own}).headers["access-control-allow-origin"])
        self.assertNotIn("evil", self.server.request("OPTIONS", "/execute", headers={"Origin": "http://evil.example"}).headers["access-control-allow-origin"])
        body = {"tenant_id": "t", "scope": "s", "code": "print(1)"}
        reply = self.server.request("POST", "/execute", body, {"Origin": own})
        self.assertEqual((200, own), (reply.status, reply.headers["access-control-allow-origin"]))
        for path in ("/execute", "/session/create"):
            reply = self.server.request("POST", path, body, {"Origin": "http://evil.example"})
            self.assertEqual((403, "error"), (reply.status, json.loads(reply.body)["status"]))
            self.assertNotIn("access-control-allow-origin", reply.headers)
        self.assertEqual(403, self.server.request("GET", "/sessions", headers={"Origin": "http://evil.example"}).status)

    def test_shape_of_every_refusal(self):
        for method, path, status in (("GET", "/execute", 405), ("PUT", "/capabilities", 405), ("DELETE", "/sessions", 405)):
            reply = self.server.request(method, path)
            self.assertEqual(status, reply.status)
            self.assertEqual({"status", "error"}, set(json.loads(reply.body)))
        reply = self.server.request("GET", "/health", headers={"Host": "evil.example"})
        self.assertEqual((421, {"status", "error"}), (reply.status, set(json.loads(reply.body))))

    def test_capabilities(self):
        body = json.loads(self.server.request("GET", "/capabilities").body)
        self.assertEqual("success", body["status"])
        self.assertEqual({"interactive_execution", "snapshot_restore", "pause_resume", "supported_languages"}, set(body["capabilities"]))
        for language in ("python", "node", "javascript", "bash"):
            self.assertIn(language, body["capabilities"]["supported_languages"])

    def test_templates(self):
        body = json.loads(self.server.request("GET", "/templates").body)
        (default,) = [row for row in body["templates"] if row["name"] == "default"]
        self.assertEqual(("512m", 100000, 30, False), (default["memory_limit"], default["cpu_quota"], default["timeout"], default["network_enabled"]))
        self.assertEqual({"name", "description", "base_image", "memory_limit", "cpu_quota", "timeout", "network_enabled", "package_count", "missing_packages"}, set(default))

    def test_a_template_of_the_operator_s(self):
        folder = os.path.join(self.server.folder, "config", "templates.d")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "tiny.json"), "w", encoding="utf-8") as file:
            json.dump({"public": True, "image": harness.IMAGE, "memory_mb": 128, "workspace_mb": 5, "languages": "python cpp", "timeout_s": 2, "timeout_max_s": 3, "name": "tiny"}, file)
        with open(os.path.join(folder, "broken.json"), "w", encoding="utf-8") as file:
            file.write("{")
        names = [row["name"] for row in json.loads(self.server.request("GET", "/templates").body)["templates"]]
        self.assertIn("tiny", names)
        self.assertNotIn("broken", names)
        self.assertEqual("5\n", self.execute("import os; s = os.statvfs('/workspace'); print(s.f_blocks * s.f_frsize // 2**20)", template="tiny")["stdout"])
        self.assertEqual("Unsupported language: bash", self.execute("1", template="tiny", language="bash")["error"])
        self.assertEqual("Execution exceeded timeout (2s)", self.execute("while True: pass", template="tiny")["error"])
        self.assertEqual("Execution exceeded timeout (3s)", self.execute("while True: pass", template="tiny", timeout=600)["error"])

    def test_many_at_once(self):
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            found = list(pool.map(lambda i: self.execute(f"print({i})", tenant_id=f"t{i}"), range(12)))
        self.assertEqual([(f"t{i}", f"{i}\n") for i in range(12)], [(body["tenant_id"], body["stdout"]) for body in found])


class Key(SandboxTest):
    environment = {"EXECUTOR_API_KEY": "a-secret"}

    def test_every_route_wants_it(self):
        for method, path in (("GET", "/health"), ("GET", "/capabilities"), ("GET", "/templates"), ("GET", "/sessions"), ("POST", "/execute"),
                             ("POST", "/session/create"), ("POST", "/session/execute"), ("POST", "/session/destroy"), ("GET", "/sessions/0123456789ab/files"),
                             ("PUT", "/sessions/0123456789ab/files/a")):
            for headers in ({}, {"X-API-Key": "A-secret"}, {"X-API-Key": ""}, {"X-API-Key": "a-secret "[:-2]}, {"Authorization": "Bearer a-secret"}):
                with self.subTest(path=path, headers=headers):
                    reply = self.server.request(method, path, {} if method == "POST" else None, headers)
                    self.assertEqual((401, {"status": "error", "error": "Unauthorized"}), (reply.status, json.loads(reply.body)))
        self.assertNotIn("a-secret", self.server.logs().replace("EXECUTOR_API_KEY=a-secret", ""))

    def test_who_has_it_is_served(self):
        reply = self.server.request("POST", "/execute", {"tenant_id": "t", "scope": "s", "code": "print(1)"}, {"X-API-Key": "a-secret"})
        self.assertEqual((200, "1\n"), (reply.status, json.loads(reply.body)["stdout"]))

    def test_a_browser_may_ask_without_it(self):
        self.assertEqual(200, self.server.request("OPTIONS", "/execute").status)


class Pool(pool.PoolTest, SandboxTest):
    def test_programs_and_sessions_find_one(self):
        self.assertEqual("42\n", self.execute()["stdout"])
        harness.until(self.server.waiting, "a pooled container")
        self.assertEqual("1 ['main.py']\n", self.execute("import sys; print(1, sys.argv)")["stdout"])
        harness.until(lambda: self.server.counters()["claims"] == 1, "a claim")
        harness.until(self.server.waiting, "another pooled container")
        session = self.post("/session/create", {"tenant_id": "t", "scope": "s"})[1]["session_id"]
        harness.until(lambda: self.server.counters()["claims"] == 2, "another claim")
        for wanted in ("1\n", "2\n"):
            body = self.post("/session/execute", {"session_id": session, "code": "x = globals().get('x', 0) + 1; x"})[1]
            self.assertEqual(wanted, body["stdout"], body)
        self.assertEqual(200, self.post("/session/destroy", {"session_id": session})[0])


if __name__ == "__main__":
    harness.main()
