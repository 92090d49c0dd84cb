"""A whole program that is an ES module runs as one, wherever JavaScript is taken, and is a valid one; CommonJS stays what it was."""
import json

import harness

MODULE = "import fs from 'fs';\nimport { b } from './b.mjs';\nconst a = await Promise.resolve(40);\nexport const c = a + b;\nconsole.log(c, typeof fs.existsSync, typeof require);\n"
ALONE = MODULE.replace("import { b } from './b.mjs';\n", "const b = 2;\n")
COMMONJS = "const fs = require('fs');\nconsole.log(42, typeof fs.existsSync, typeof module);\n"
SAID = {MODULE: "42 function undefined\n", ALONE: "42 function undefined\n", COMMONJS: "42 function object\n"}
BROKEN = "import fs from 'fs';\nlet a = = 1;\n"
B = "export const b = 2;\n"
LONG = 120  # seconds, for a run on a busy machine
TENANT = {"tenant_id": "t", "scope": "s"}


class ModulesTest(harness.ServerTest):
    environment = {"MAYFLY_SLOT_WAIT_MS": "60000"}

    def post(self, path, body):
        reply = self.server.request("POST", path, body, timeout=LONG)
        self.assertEqual(reply.status, 200, reply.body)
        return json.loads(reply.body)

    def runs(self, code):
        """(where, exit code, output, errors) of a program on every route."""
        body = self.post("/run", {"sessionId": "s", "language": "node", "code": code})
        yield "run", body["exitCode"], body["output"], body["output"]
        body = self.post("/run", {"sessionId": "s", "language": "bun", "code": code})
        yield "run bun", body["exitCode"], body["output"], body["output"]
        body = self.post("/v1/runs", {"language": "node", "code": code})
        yield "runs", body["exit_code"], body["stdout"], body["stderr"]
        body = self.post("/execute", {**TENANT, "language": "javascript", "code": code})
        yield "execute", body["exit_code"], body["stdout"], body["stderr"]
        body = self.post("/api/v1/ai/agents/a/auto-run", {"frontend": {"html": "<html></html>", "css": "a{}", "javascript": "console.log('a script')"}, "test": code})["data"]
        yield "agents", body["exitCode"], body["stdout"], body["stderr"]

    def test_programs_alone(self):
        for code in (ALONE, COMMONJS):
            for _ in ("made", "pooled"):
                for where, exit_code, out, err in self.runs(code):
                    with self.subTest(where=where, code=code[:20]):
                        if where == "run bun":
                            self.assertEqual((exit_code, out[:12]), (0, "42 function "), err)
                        else:
                            self.assertEqual((exit_code, out), (0, SAID[code]), err)

    def test_with_another_module(self):
        body = self.post("/execute", {**TENANT, "language": "node", "code": MODULE, "files": {"b.mjs": B}})
        self.assertEqual((body["exit_code"], body["stdout"]), (0, SAID[MODULE]), body["stderr"])

    def test_a_mistake_is_told_by_the_parser_of_modules(self):
        for where, exit_code, _, err in self.runs(BROKEN):
            if where != "run bun":
                with self.subTest(where=where):
                    self.assertEqual(exit_code, 1)
                    self.assertIn(":2\nlet a = = 1;\n        ^\n", err)
                    self.assertIn("SyntaxError: Unexpected token '='", err)

    def test_validators(self):
        for name, files, good in (("a module", {"a.js": ALONE}, True), ("CommonJS", {"a.js": COMMONJS}, True), ("neither", {"a.js": BROKEN}, False),
                                  ("another that is not there", {"a.js": MODULE}, True), ("two", {"a.js": MODULE, "c.js": COMMONJS}, True), ("sloppy", {"a.js": "x = 010"}, True),
                                  ("one of two", {"a.js": MODULE, "c.js": BROKEN}, False), ("no word", {"a.js": "let a = = 1"}, False)):
            with self.subTest(name=name):
                body = self.post("/validate", {"language": "node", "files": files})
                self.assertEqual(body["syntax"]["passed"] if "syntax" in body else body["data"]["syntax"]["passed"], good, body)
        body = self.post("/api/v1/ai/agents/a/auto-run", {"frontend": {"html": "<html></html>", "css": "a{}", "javascript": ALONE}, "test": ALONE})["data"]
        self.assertEqual((body["validationResults"]["syntax"]["passed"], body["exitCode"]), (True, 0), body)


if __name__ == "__main__":
    harness.main()
