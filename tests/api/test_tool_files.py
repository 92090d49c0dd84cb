"""Tools as drop-in files: a new one in a running system, a broken one, files of bytes and of uploads, limits, artifacts (rows H and K of tests/attack/README.md)."""
import base64
import json
import os
import re
import subprocess

import changes
import harness
from pool import MAYFLYCTL
from tooltest import ToolTest, upload

ALICE, BOB = "alice-token-0123456789", "bob-token-0123456789"
BYTES = bytes(range(256)) * 64


def text(**more):
    return {"type": "string", **more}


class Files(ToolTest):
    def test_what_was_sent_and_changed_comes_back(self):
        files = [{"id": upload(self.server, data), "path": name} for name, data in changes.files().items()]
        for tool, cached in (("code_execution", None), ("code_execution", True)):
            result = self.run_tool(tool, language="python", code=changes.code(), filename="main.py", files=files, cache=True)
            self.assertEqual((0, cached), (result["exitCode"], result.get("cached")), result)
            outputs = {name: self.server.fetch(url) for name, url in result["artifacts"]["outputs"].items()}
            changes.check(self, {name: data for name, data in outputs.items() if name not in ("stdout", "stderr")})
            self.assertEqual(changes.files(), {name: self.server.fetch(url) for name, url in result["artifacts"]["inputs"].items() if name != "main.py"})

    def test_a_program_that_changes_itself(self):
        reply = self.server.execute("echo '# more' >> $0; echo new > .changed", language="bash")
        outputs = {name: self.server.fetch(url) for name, url in reply["artifacts"]["outputs"].items()}
        self.assertEqual({"stdout", "stderr", "script.js", ".changed"}, set(outputs) | set(reply.get("skipped", ())))
        self.assertEqual(b"new\n", outputs[".changed"])

    def test_the_tool_of_the_manual(self):
        with open(os.path.join(harness.ROOT, "scripts/man/mayfly-tool.5"), encoding="utf-8") as page:
            definition = re.search(r"\.Bd -literal\n(.*?)\n\.Ed", page.read(), re.S)[1]
        self.assertLessEqual(len(definition.splitlines()), 10)
        self.assertNotIn("word_count", json.loads(self.server.request("GET", "/tools").body))
        self.put("word_count", definition)
        self.assertIn("word_count", json.loads(self.server.request("GET", "/tools").body))
        self.assertEqual(self.run_tool("word_count", document=base64.b64encode(b"one two three\n").decode())["stdout"].split()[0], "3")

    def test_whole_arguments_and_no_shell(self):
        self.put("say", {"description": "d", "parameters": {"a": text(), "b": text(default="b")}, "argv": ["printf", "[%s]", "{a}", "x{a}", "{b}", "{", ""]})
        hostile = "$(id) `id` ; rm -rf / | cat 'x' \"y\" \\ \n*"
        self.assertEqual(self.run_tool("say", a=hostile)["stdout"], f"[{hostile}][x{{a}}][b][{{][]")

    def test_stdin_and_files_of_text_bytes_and_uploads(self):
        self.put("take", {"description": "d", "parameters": {"data": text(contentEncoding="base64"), "note": text(default="note"), "name": text(format="filename")},
                          "files": [{"path": "{name}", "content": "{data}"}, {"path": "in/note.txt", "content": "{note}"}, {"path": "fixed", "content": "as it is"}],
                          "stdin": "{data}", "argv": ["bash", "-c", "sha256sum - *.bin; cat in/note.txt fixed"]})
        file_id = upload(self.server, BYTES)
        for data in (base64.b64encode(BYTES).decode(), file_id):
            result = self.run_tool("take", data=data, name="a.bin", note="ä")
            digests = [line.split()[0] for line in result["stdout"].splitlines()[:2]]
            self.assertEqual(digests, [digests[0]] * 2)
            self.assertTrue(result["stdout"].endswith("äas it is"))
            self.assertEqual(self.server.fetch(result["artifacts"]["inputs"]["a.bin"]), BYTES)
            self.assertEqual(set(result["artifacts"]["inputs"]), {"a.bin", "in/note.txt", "fixed"})

    def test_files_that_are_refused(self):
        self.put("take", {"description": "d", "parameters": {"data": text(contentEncoding="base64"), "name": text(), "only": text(format="upload", default="file_000000000000")},
                          "files": [{"path": "{name}", "content": "{data}"}, {"path": "fixed", "content": ""}], "argv": ["true"]})
        for data in ("YQ", "YQ=\n", "Y Q=", "YQ==YQ==", "YR==", "-_==", "%%%%", "file_", "file_0123456789a/", "FILE_0123456789ab", "../../etc/passwd"):
            self.assertEqual(self.refused("take", data=data, name="n"),
                             (400, "Invalid request body (tool params)", [(["data"], "Must be base64, or the id of an upload")]), data)
        for name in ("../x", "/etc/passwd", "a//b", "", ".", "a/../b", "x\u0007", "fixed", "a/" * 20 + "b"):
            status, error, _ = self.refused("take", data="", name=name)
            self.assertEqual((status, error), (400, "Invalid request body (tool params)"), name)
        self.assertEqual(self.refused("take", data="file_0123456789ab", name="n")[2], [(["data"], "uploaded file not found")])

    def test_files_of_the_tools_own_are_nobodys(self):
        self.put("own", {"description": "d", "parameters": {}, "files": [{"path": ".own.sh", "content": "ls; echo x > made", "artifact": False}], "argv": ["bash", ".own.sh"]})
        result = self.run_tool("own")
        self.assertEqual((result.get("stdout"), result["artifacts"]["inputs"], set(result["artifacts"]["outputs"]), result.get("skipped")),
                         (None, {}, {"stdout", "stderr", "made"}, None))

    def test_artifacts_by_pattern(self):
        self.put("some", {"description": "d", "parameters": {}, "artifacts": ["*.pdf", "out/*"], "argv": ["bash", "-c", "mkdir -p out/deep; touch a.pdf b.txt out/c out/deep/d; ln -s x l"]})
        result = self.run_tool("some")
        self.assertEqual((set(result["artifacts"]["outputs"]), result.get("skipped")), ({"stdout", "stderr", "a.pdf", "out/c", "out/deep/d"}, None))

    def test_limits_and_time_out_text(self):
        self.put("slow", {"description": "d", "parameters": {}, "argv": ["sleep", "60"], "timeoutText": "Too slow:", "limits": {"timeout_s": 1, "timeout_max_s": 2}})
        result = self.run_tool("slow")
        self.assertRegex(result["stderr"], r"^\nToo slow: 1\.\d\ds \(timeout was set to 1s\)\n$")
        self.assertEqual(self.refused("slow", timeout=3), (400, "Invalid request body (agent params)", [(["timeout"], "Timeout cannot exceed 2 seconds")]))
        self.assertEqual(json.loads(self.server.request("GET", "/tools").body)["slow"]["limits"], {"timeout_s": 1, "timeout_max_s": 2})
        self.put("small", {"description": "d", "parameters": {}, "argv": ["bash", "-c", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null;"
                                                                           "head -c 5000 /dev/zero; touch a b c"], "limits": {"memory_mb": 64, "stream_bytes": 1000, "artifact_files": 2}})
        result = self.run_tool("small")
        self.assertTrue(result["stdout"].startswith(str(64 << 20)), result["stdout"][:20])
        self.assertEqual((len(self.server.output(result)), len(result["artifacts"]["outputs"]), len(result["skipped"])), (1000, 4, 1))

    def test_an_image_of_its_own(self):
        self.put("imaged", {"description": "d", "parameters": {}, "argv": ["true"], "image": "localhost/mayfly-no-such-image:latest"})
        reply = self.post("imaged")
        self.assertEqual(reply.status, 500)
        self.assertIn("mayfly-no-such-image", json.loads(reply.body)["details"])
        self.put("imaged2", {"description": "d", "parameters": {}, "argv": ["echo", "ran"], "image": "aa-worker:latest", "template": "default"})
        self.assertEqual(self.run_tool("imaged2")["stdout"], "ran\n")

    def test_a_broken_file_takes_out_only_itself(self):
        self.put("broken", '{\n "description": "d",\n "argv": ["x"],\n "parameters": {\n  "p": {"type": "string",\n   "pattern": "x"}}}')
        tools = json.loads(self.server.request("GET", "/tools").body)
        self.assertIn("code_execution", tools)
        self.assertNotIn("broken", tools)
        self.assertEqual(self.server.execute("echo ok")["stdout"], "ok\n")
        reply = self.post("broken")
        self.assertEqual(reply.status, 500)
        self.assertIn("broken.json:6: parameters.p.pattern is not a known keyword", json.loads(reply.body)["message"].replace('"', ""))

    def test_usage_is_measured(self):
        result = self.server.execute("import time\nx = bytearray(50 << 20)\nend = time.process_time() + .3\nwhile time.process_time() < end: pass\ntime.sleep(.3)\n"
                                     "open('f', 'w').write('x' * 1000); print('y' * 99)", "python")
        usage = result["usage"]
        self.assertEqual(list(usage), ["wall_ms", "cpu_ms", "cpu_percent", "max_rss_mb", "bytes_in", "bytes_out"])
        self.assertTrue(600 <= usage["wall_ms"] < 30000 and 300 <= usage["cpu_ms"] < 5000 and 50 <= usage["max_rss_mb"] < 200, usage)
        self.assertTrue(abs(usage["cpu_percent"] - 100 * usage["cpu_ms"] / usage["wall_ms"]) <= 2, usage)
        self.assertEqual((usage["bytes_in"], usage["bytes_out"]), (len(self.server.fetch(result["artifacts"]["inputs"]["script.js"])), 1100))
        with open(os.path.join(self.server.storage, ".records", "test", result["id"]), encoding="utf-8") as record:
            self.assertEqual(json.load(record), result)


class Uploads(ToolTest):
    environment = {"API_KEYS": f"{ALICE}:alice:1000:1000,{BOB}:bob:1000:1000"}

    def test_files_beside_the_tools_own(self):
        file_id = upload(self.server, BYTES, key=ALICE)
        files = [{"id": file_id, "path": "in/a.bin"}, {"id": file_id, "path": "b.bin"}]
        for path, body in (("/tools/execute", {"tool": "code_execution"}), ("/run", {})):
            reply = self.server.request("POST", path, {"sessionId": "s", "code": "cat in/a.bin b.bin | wc -c", "files": files, **body}, {"Authorization": f"Bearer {ALICE}"})
            result = json.loads(reply.body)
            self.assertEqual((result.get("output") or result["stdout"]).strip(), str(2 * len(BYTES)))
            self.assertEqual(set(result["artifacts"]["inputs"]), {"script.js", "in/a.bin", "b.bin"})
            self.assertEqual(self.server.fetch(result["artifacts"]["inputs"]["in/a.bin"]), BYTES)

    def test_an_upload_is_its_callers(self):
        file_id = upload(self.server, b"x", key=ALICE)
        files = [{"id": file_id, "path": "a"}]
        for key in (BOB, None, "wrong"):
            self.assertEqual(self.refused("code_execution", key=key, code="true", files=files),
                             (400, "Invalid request body (agent params)", [(["files"], "uploaded file not found")]), key)
        self.assertEqual(self.run_tool("code_execution", key=ALICE, code="cat a", files=files)["stdout"], "x")

    def test_lists_that_are_refused(self):
        file_id = upload(self.server, b"x", key=ALICE)
        for files in ({}, "x", 5, [file_id], [{"id": file_id}], [{"id": 1, "path": "a"}]):
            status, error, issues = self.refused("code_execution", key=ALICE, code="true", files=files)
            self.assertEqual((status, error, issues[0][0]), (400, "Invalid request body (agent params)", ["files"]), files)
        for path in ("", "/a", "../a", "a/../b", "a//b", "script.js", "script.js/b", "a\u0000b"):
            reply = self.post("code_execution", key=ALICE, code="true", files=[{"id": file_id, "path": path}])
            self.assertEqual(reply.status, 400, path)
        self.assertEqual(self.refused("code_execution", key=ALICE, code="true", files=[{"id": file_id, "path": "a"}, {"id": file_id, "path": "a/b"}])[2][0],
                         (["files"], "invalid file path: a/b: another file is in its way"))
        self.assertEqual(self.run_tool("code_execution", key=ALICE, code="echo ok", files=[])["stdout"], "ok\n")


class Ctl(ToolTest):
    def ctl(self, *arguments, **more):
        return subprocess.run([MAYFLYCTL, *arguments], env=self.server.environment, stdin=more.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=harness.DEADLINE_S, check=False, **more)

    def test_check(self):
        good = os.path.join(harness.ROOT, "worker/tools.d/code_execution.json")
        done = self.ctl("tool", "check", good, os.path.join(harness.ROOT, "worker/tools.d/document_converter.json"))
        self.assertEqual((done.returncode, done.stdout.count(": good\n")), (0, 2))
        head = '{\n"description": "d",\n"parameters": {"p": {"type": "string"}, "n": {"type": "integer"}},\n'
        for rest, what in (('"argv": ["x", "{q}"]}', r":4: argv\[1\] names no declared text parameter"),
                           ('"argv": ["{n}"]}', r":4: argv\[0\] names no declared"),
                           ('"argv": ["x"],\n"files": [{"path": "a", "content": ""},\n{"path": "../b", "content": ""}]}', r":6: files\[1\]\.path must be a relative path"),
                           ('"argv": ["x"],\n"files": [{"path": "a", "content": "",\n"mode": 7}]}', r":6: files\[0\]\.mode is not a known field"),
                           ('"argv": ["x"],\n"limits": {\n"memory_mb": 1}}', r":6: limits\.memory_mb takes a whole number from 16 to"),
                           ('"argv": ["x"],\n"limits": {"speed": 1}}', r":5: limits\.speed is not a known field"),
                           ('"argv": ["x"],\n"limits": {"timeout_s": 9,\n"timeout_max_s": 8}}', r":5: limits\.timeout_s is more than"),
                           ('"argv": ["x"],\n\n"stdin": "{none}"}', r":6: stdin names no declared"),
                           ('"argv": ["x"],\n"artifacts": "*"}', r":5: artifacts takes a list of"),
                           ('"argv": [],\n"x": 1}', r":5: x is not a known field"),
                           ('"argv": []}', r":4: argv must name a program"),
                           ('"argv": ["x"],\n"template": "none"}', r": template none: There is no template of that name"),
                           ('"argv": ["x"], "description": "twice"}', r"line 4, column"),
                           ('"argv": ["x"]', r"line 4, column")):
            path = self.put("checked", head + rest)
            done = self.ctl("tool", "check", path)
            self.assertEqual(done.returncode, 65, rest)
            self.assertRegex(done.stdout.replace('"', ""), "^" + re.escape(path) + ".*" + what)
        for schema, what in (('{"type": "string", "pattern": "x"}', "p.pattern is not a known keyword"), ('{"type": "array"}', "p.type must be string"),
                             ('{"type": "integer", "minLength": 1}', "p.minLength does not apply to type integer"),
                             ('{"type": "integer", "default": 5, "maximum": 4}', "p.default: Must be at most 4"), ('{"type": "string", "minLength": "1"}', "p.minLength has the wrong type"),
                             ('{"type": "string", "contentEncoding": "gzip"}', "p.contentEncoding has the wrong type"), ('{"type": "string", "$ref": "x"}', r"p.\$ref is not a known keyword")):
            path = self.put("checked", '{"description": "d", "argv": ["x"],\n"parameters": {\n"p": ' + schema + "}}")
            done = self.ctl("tool", "check", path)
            self.assertEqual(done.returncode, 65, schema)
            self.assertRegex(done.stdout.replace('"', ""), re.escape(path) + r":3: parameters\." + what.replace(": Must", " Must"))
        self.assertEqual(self.ctl("tool", "check", "/nowhere/x.json").returncode, 66)
        self.assertEqual(self.ctl("tool", "check", "/etc/passwd").returncode, 65)
        self.assertEqual(self.ctl("tool", "check").returncode, 64)

    def test_list(self):
        self.put("broken", "{")
        done = self.ctl("tool", "list")
        self.assertRegex(done.stdout, r"(?m)^broken +broken: .*broken\.json:1: ")
        self.assertRegex(done.stdout, r"(?m)^code_execution +Runs code")
        listed = json.loads(self.ctl("tool", "list", "--json").stdout)
        self.assertEqual(listed["code_execution"]["parameters"], json.loads(self.server.request("GET", "/tools").body)["code_execution"]["parameters"])
        self.assertIn("error", listed["broken"])


if __name__ == "__main__":
    harness.main()
