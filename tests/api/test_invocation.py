"""How a request invokes its program, the same on every route that takes code: stdin, args, env, files, the names of languages, and what a file may be called."""
import json

import harness

# What a program says of how it was invoked: its arguments, two variables, its standard input.
PROGRAMS = {
    "python": "import os, sys, json\nprint(json.dumps([[a for a in sys.argv[1:] if a != '--'], os.environ.get('NAME'), os.environ.get('LD_X'), sys.stdin.read()]))\n",
    "node": "const fs = require('fs');\nconsole.log(JSON.stringify([process.argv.slice(2).filter(a => a !== '--'), process.env.NAME ?? null, process.env.LD_X ?? null, "
            "fs.readFileSync(0, 'utf8')]));\n",
    "bun": "const stdin: string = await Bun.stdin.text();\nconsole.log(JSON.stringify([process.argv.slice(2), process.env.NAME ?? null, process.env.LD_X ?? null, stdin]));\n",
    "bash": "python3 -c 'import json, sys; print(json.dumps([sys.argv[4:], sys.argv[1] or None, sys.argv[2] or None, sys.argv[3]]))' \"$NAME\" \"$LD_X\" \"$(cat)\" \"$@\"\n",
    "ruby": "require 'json'\nputs JSON.generate([ARGV.reject { |a| a == '--' }, ENV['NAME'], ENV['LD_X'], $stdin.read])\n",
    "php": "<?php\necho json_encode([array_values(array_filter(array_slice($argv, 1), fn($a) => $a !== '--')), getenv('NAME') ?: null, getenv('LD_X') ?: null, "
           "stream_get_contents(STDIN)], JSON_UNESCAPED_UNICODE), \"\\n\";\n",
}
ARGS = ["one", "two words", "", "-x", "$(id)", "\u00fc"]
ENV = {"NAME": "a=b \u00fc", "LD_X": "1"}
# The routes with the languages that each has.
ROUTES = {
    "/run": ["python", "node", "bun", "bash", "ruby", "php"],
    "/tools/execute": ["python", "node", "bun", "bash"],
    "/execute": ["python", "node", "bash"],
    "/v1/runs": ["python", "node", "ruby", "php"],
    "agent": ["node"],
}
ALIASES = {"python": ["python3", "py", "Python"], "node": ["javascript", "js"], "bun": ["typescript", "ts"], "bash": ["sh", "shell"]}


class Invocation(harness.ServerTest):
    environment = {"MAYFLY_SLOT_WAIT_MS": "60000"}

    def ask(self, route, language, code, **more):
        """The route's reply to a program."""
        body = {"language": language, "code": code, **more}
        if route in ("/run", "/tools/execute"):
            body.update({"sessionId": "s", "tool": "code_execution"})
        elif route == "/execute":
            body.update({"tenant_id": "t", "scope": "s"})
        elif route == "agent":
            route, body = "/api/v1/ai/agents/a/auto-run", {
                "frontend": {"html": "<html>", "css": "a {}", "javascript": "const answer = 42;"}, "test": code, **more}
        return self.server.request("POST", route, body, timeout=120)

    def output(self, route, language, code, **more):
        reply = self.ask(route, language, code, **more)
        self.assertEqual(reply.status, 200, (route, language, reply.body[:1000]))
        answer = json.loads(reply.body)
        answer = answer.get("data", answer)
        return answer["output"] if route == "/run" else answer.get("stdout", "") or str(answer)

    def refused(self, route, language="python", code="print(1)", **more):
        """What a 400 says in whichever shape."""
        reply = self.ask(route, language, code, **more)
        self.assertEqual(reply.status, 400, (route, more, reply.body[:500]))
        answer = json.loads(reply.body)
        return answer["details"][0]["message"] if "details" in answer else answer.get("error") or answer["message"]

    def upload(self, data):
        form = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n" + data + b"\r\n--b--\r\n"
        reply = self.server.request("POST", "/v1/files", form, {"Content-Type": "multipart/form-data; boundary=b"})
        self.assertEqual(reply.status, 200, reply.body)
        return json.loads(reply.body)["id"]

    def test_stdin_args_and_env_on_every_route(self):
        for route, languages in ROUTES.items():
            for language in languages:
                with self.subTest(route=route, language=language):
                    said = self.output(route, language, PROGRAMS[language], stdin="line\n\u4e2d", args=ARGS, env=ENV)
                    self.assertEqual([ARGS, ENV["NAME"], None, "line\n\u4e2d"], json.loads(said))
                    self.assertEqual([[], None, None, ""], json.loads(self.output(route, language, PROGRAMS[language])))

    def test_without_stdin_a_python_program_keeps_its_figures(self):
        reply = self.ask("/execute", "python", "import os, sys\nprint(sys.argv[1:], os.environ['NAME'])\n", args=["x"], env={"NAME": "n"})
        self.assertEqual("['x'] n\n", json.loads(reply.body)["stdout"])

    def test_ruby_reads_standard_input_with_gets(self):
        self.assertEqual("HELLO\n", self.output("/v1/runs", "ruby", "puts gets.upcase", stdin="hello\n"))

    def test_wrong_types_are_told_on_every_route(self):
        for route in ROUTES:
            for field, wrong, message in [("stdin", 1, "stdin must be a string"), ("args", "x", "args must be an array of strings"),
                                          ("args", [1], "args must be an array of strings"), ("env", {"A": 1}, "env must be an object of strings"),
                                          ("env", {"A=b": "x"}, "env: a name must not be empty and must hold no '='"), ("args", ["x"] * 121, "args has more than 120 entries")]:
                with self.subTest(route=route, field=field):
                    self.assertEqual(message, self.refused(route, "node", "1", **{field: wrong}))
        for field, wrong in [("args", ["a\0b"]), ("env", {"A": "a\0b"})]:
            with self.subTest(field=field):
                self.assertIn(f"{field} must be", self.refused("/execute", **{field: wrong}))

    def test_a_session_has_no_invocation_but_a_program_in_it_has(self):
        session = json.loads(self.server.request("POST", "/session/create", {"tenant_id": "t", "scope": "s"}).body)["session_id"]
        try:
            for more in ({"stdin": "x"}, {"args": ["x"]}, {"env": {"A": "x"}}):
                reply = self.server.request("POST", "/session/execute", {"session_id": session, "code": "1", **more})
                self.assertEqual(400, reply.status, reply.body)
            reply = self.server.request("POST", "/session/execute", {"session_id": session, "code": "print(2)"}, timeout=60)
            self.assertEqual("2\n", json.loads(reply.body)["stdout"])
        finally:
            self.server.request("POST", "/session/destroy", {"session_id": session})

    def test_usual_names_of_languages(self):
        for route, languages in ROUTES.items():
            for language in set(languages) & set(ALIASES) if route != "agent" else []:
                for alias in ALIASES[language]:
                    with self.subTest(route=route, alias=alias):
                        self.assertEqual([["x"], None, None, ""], json.loads(self.output(route, alias, PROGRAMS[language], args=["x"])))
        reply = self.server.request("POST", "/validate", {"language": "js", "files": {"a.js": "eval('1')"}}, timeout=60)
        answer = json.loads(reply.body)
        self.assertEqual((200, True, False), (reply.status, answer["syntax"]["passed"], answer["security"]["passed"]), reply.body)
        self.assertEqual("python", json.loads(self.ask("/v1/runs", "py", "1").body)["language"])

    def test_bun_is_typescript_by_default(self):
        reply = json.loads(self.ask("/run", "bun", "const x: number = 1; console.log(x)").body)
        self.assertEqual(("1\n", ["script.ts"]), (reply["output"], list(reply["artifacts"]["inputs"])))
        reply = json.loads(self.ask("/run", "bun", "console.log(2)", filename="a.mjs").body)
        self.assertEqual(("2\n", ["a.mjs"]), (reply["output"], list(reply["artifacts"]["inputs"])))
        self.assertEqual(["script.js"], list(json.loads(self.ask("/run", "node", "1").body)["artifacts"]["inputs"]))

    def test_names_of_files(self):
        upload = self.upload(b"data")
        for route in ("/run", "/tools/execute"):
            for paths, message in [(["stdout"], "invalid file path: stdout: stdout and stderr hold the program's output"),
                                   (["stderr/x"], "invalid file path: stderr/x: stdout and stderr hold the program's output"),
                                   (["a", "a"], "invalid file path: a: it is there twice"), (["a", "a/b"], "invalid file path: a/b: another file is in its way"),
                                   (["script.js"], "invalid file path: script.js: it is there twice"), (["../a"], "invalid file path: ../a")]:
                with self.subTest(route=route, paths=paths):
                    self.assertEqual(message, self.refused(route, files=[{"id": upload, "path": path} for path in paths]))
        self.assertEqual("invalid file path: a: it is there twice", self.refused("/v1/runs", files=[{"id": upload, "path": "a"}] * 2))
        said = self.output("/v1/runs", "python", "print(open('inputs/stdout').read())", files=[{"id": upload, "path": "stdout"}])
        self.assertEqual("data\n", said)

    def test_a_file_of_the_programs_own_name_does_not_vanish(self):
        code = "import os\nprint(open('{0}').read().strip(), sorted(os.listdir('.')))\n"
        self.assertEqual("x = 1 ['main.py']\n", self.output("/execute", "python", code.format("main.py"), files={"main.py": "x = 1\n"}))
        self.assertEqual("1\n", self.output("/execute", "python", "import main\nprint(main.x)\n", files={"main.py": "x = 1\n"}))
        for language, name, program in (("node", "main.js", "console.log(require('fs').readFileSync('main.js', 'utf8'))"), ("bash", "main.sh", "cat main.txt")):
            name = "main.txt" if language == "bash" else name
            self.assertEqual("y", self.output("/execute", language, program, files={name: "y"}).strip())


if __name__ == "__main__":
    harness.main()
