"""POST /validate over real HTTP and real Podman: each language's own parser, lists of patterns, sizes, refusals, and that nothing is ever run."""
import json
import os

import harness

LONG = 120  # seconds, for a check on a busy machine
LANGUAGES = {  # good, wrong, what its parser says of that, what would show that it was run
    "node": ("a.js", "const a = 1;", "let a = ;", "SyntaxError", "process.exit(3)"),
    "bun": ("a.ts", "const a: number = 1;", "let a = ;", "Unexpected ;", "process.exit(3)"),
    "python": ("a.py", "def f():\n    pass\n", "def f(:", "SyntaxError", "raise SystemExit(3)"),
    "bash": ("a.sh", "if true; then echo; fi", "if", "syntax error", "exit 3"),
    "ruby": ("a.rb", "def f; end", "def f(", "syntax error", "BEGIN { exit 3 }"),
    "php": ("a.php", "<?php echo 1;", "<?php echo (;", "syntax error", "<?php exit(3);"),
}


class Validate(harness.ServerTest):
    def validate(self, language, files):
        reply = self.server.request("POST", "/validate", {"language": language, "files": files}, timeout=LONG)
        self.assertEqual(reply.status, 200, (reply.body, self.server.logs()[-1500:]))
        answer = json.loads(reply.body)
        self.assertEqual(["language", "valid", "syntax", "security", "size"], list(answer))
        for name in ("syntax", "security", "size"):
            self.assertEqual(["passed", "message", "details"], list(answer[name]))
        self.assertEqual(answer["valid"], all(answer[name]["passed"] for name in ("syntax", "security", "size")))
        return answer

    def refused(self, body, status=400):
        reply = self.server.request("POST", "/validate", body, timeout=LONG)
        answer = json.loads(reply.body)
        self.assertEqual((status, ["statusCode", "code", "error", "message"]), (reply.status, list(answer)), answer)
        return answer["code"], answer["message"]

    def put(self, path, value):
        path = os.path.join(self.server.folder, "config", path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(value, file)

    def test_every_language_is_here(self):
        folder, checked = os.path.join(harness.ROOT, "worker/languages.d"), []
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                if "check" in json.load(file):
                    checked.append(name[:-5])
        self.assertEqual(sorted(LANGUAGES), checked)

    def test_syntax(self):
        for language, (name, good, wrong, words, running) in LANGUAGES.items():
            with self.subTest(language):
                answer = self.validate(language, {name: good})
                self.assertEqual((True, "Syntax: No syntax errors", {"errors": []}), tuple(answer["syntax"].values()), answer)
                answer = self.validate(language, {name: wrong})
                self.assertEqual((False, f"Syntax: Syntax errors in {name}"), (answer["syntax"]["passed"], answer["syntax"]["message"]))
                self.assertEqual([name], [error["file"] for error in answer["syntax"]["details"]["errors"]])
                self.assertIn(words, answer["syntax"]["details"]["errors"][0]["output"])
                answer = self.validate(language, {name: running, "deep/-" + name: wrong, "z '\"$(x)" + name: good, "~" + name: running})
                self.assertEqual([f"deep/-{name}"], [error["file"] for error in answer["syntax"]["details"]["errors"]], "each file by itself; none is run")
                self.assertIn(words, answer["syntax"]["details"]["errors"][0]["output"])

    def test_one_file_is_not_run_either(self):
        for language, (name, _, _, _, running) in LANGUAGES.items():
            with self.subTest(language):
                self.assertTrue(self.validate(language, {name: running})["syntax"]["passed"])

    def test_a_backslash_in_a_name(self):
        files = {"a\\nb": "if", "a\\": ""}
        self.assertEqual(["a\\nb"], [error["file"] for error in self.validate("bash", files)["syntax"]["details"]["errors"]])

    def test_modules_of_the_parser_are_not_the_request_s(self):
        self.assertTrue(self.validate("python", {"py_compile.py": "raise SystemExit(3)", "ast.py": "raise SystemExit(3)", "a.py": "1"})["syntax"]["passed"])

    def test_security(self):
        answer = self.validate("python", {"a.py": "import os\n\nos.system('x')\n", "b/c.py": "x = eval (y)\n"})
        self.assertEqual([("a.py", 3, "os.system (", "os.system()"), ("b/c.py", 1, "eval (", "eval()")],
                         [tuple(hit.values()) for hit in answer["security"]["details"]["hits"]])
        self.assertEqual(("Security: Issues found", ["os.system()", "eval()"]), (answer["security"]["message"], answer["security"]["details"]["found"]))
        self.assertTrue(answer["syntax"]["passed"])

    def test_size(self):
        answer = self.validate("bash", {"a": "#" * 60000, "b": "#\U0001F600" + "#" * 39997})
        self.assertEqual((False, 100000, {"a": 60000, "b": 40000}),
                         (answer["size"]["passed"], answer["size"]["details"]["total"], answer["size"]["details"]["sizes"]))

    def test_drop_in_files(self):
        self.put("languages.d/list.json", {"description": "x", "tools": {"argv": ["cat"]}, "check": ["grep", "-q", "^ok"]})
        self.put("patterns.d/list.json", {"description": "x", "patterns": [{"pattern": "not  ok", "message": "trouble"}]})
        answer = self.validate("list", {"a": "ok\nnot ok", "b": "no"})
        self.assertEqual(["b"], [error["file"] for error in answer["syntax"]["details"]["errors"]])
        self.assertEqual(("Security: Issues found", ["trouble"]), (answer["security"]["message"], answer["security"]["details"]["found"]))
        self.put("languages.d/bare.json", {"description": "x", "tools": {"argv": ["cat"]}})
        self.assertEqual(("language_not_checked", "Language bare has no parser"), self.refused({"language": "bare", "files": {"a": ""}}))
        self.put("languages.d/absent.json", {"description": "x", "tools": {"argv": ["cat"]}, "check": ["there-is-no-such-parser"]})
        for files in ({"a": ""}, {"a": "", "b": ""}):
            self.assertEqual("parser_missing", self.refused({"language": "absent", "files": files}, 500)[0])
        self.put("patterns.d/bash.json", {"description": "x", "patterns": [{}]})
        self.assertEqual("bad_patterns", self.refused({"language": "bash", "files": {"a": ""}}, 500)[0])
        os.remove(os.path.join(self.server.folder, "config/patterns.d/bash.json"))

    def test_a_parser_that_does_not_end(self):
        self.put("templates.d/check.json", {"description": "x", "image": harness.IMAGE, "timeout_s": 1, "timeout_max_s": 1})
        self.addCleanup(os.remove, os.path.join(self.server.folder, "config/templates.d/check.json"))
        self.put("languages.d/slow.json", {"description": "x", "tools": {"argv": ["cat"]}, "check": ["tail", "-f"]})
        for files in ({"a": ""}, {"a": "", "b": ""}):
            answer = self.validate("slow", files)
            self.assertEqual((False, "Syntax: The parser took too long"), (answer["syntax"]["passed"], answer["syntax"]["message"]))
        self.put("languages.d/floods.json", {"description": "x", "tools": {"argv": ["cat"]}, "check": ["sh", "-c", "yes >&2"]})
        self.assertEqual("Syntax: The parser took too long", self.validate("floods", {"a": ""})["syntax"]["message"])

    def test_many_words_of_a_parser_are_cut(self):
        self.put("languages.d/loud.json", {"description": "x", "tools": {"argv": ["cat"]}, "check": ["sh", "-c", "yes | head -c 3000000; exit 1"]})
        for count in (1, 64):
            errors = self.validate("loud", {f"f{i}": "" for i in range(count)})["syntax"]["details"]["errors"]
            self.assertEqual([4096] * count, [len(error["output"]) for error in errors])

    def test_refusals(self):
        for body, code in ((b"{", "bad_json"), (b"[]", "wrong_type"), ({}, "wrong_type"), ({"language": 1, "files": {"a": ""}}, "wrong_type"),
                           ({"language": "node"}, "wrong_type"), ({"language": "node", "files": []}, "wrong_type"), ({"language": "node", "files": {"a": 1}}, "wrong_type"),
                           ({"language": "node", "files": {}}, "bad_file_count"), ({"language": "node", "files": {f"{i}": "" for i in range(65)}}, "bad_file_count"),
                           ({"language": "cobol", "files": {"a": ""}}, "language_unsupported"), ({"language": "../tools.d/x", "files": {"a": ""}}, "language_unsupported"),
                           ({"language": "", "files": {"a": ""}}, "language_unsupported"), ({"language": "x" * 5000, "files": {"a": ""}}, "language_unsupported")):
            with self.subTest(str(body)[:60]):
                self.assertEqual(code, self.refused(body)[0])

    def test_hostile_paths(self):
        for path in ("", ".", "..", "../a", "/a", "a/../b", "a//b", "a/", "a\nb", "\x7f", "x" * 256, "/".join("a" * 20), "x/" * 15 + "y" * 1020):
            with self.subTest(path[:40]):
                self.assertEqual("bad_file_path", self.refused({"language": "node", "files": {path: ""}})[0])
        for files in ({"a": "", "a/b": ""}, {"a/b": "", "a": ""}):
            self.assertEqual("bad_file_path", self.refused({"language": "node", "files": files})[0], "a file beneath a file")


if __name__ == "__main__":
    harness.main()
