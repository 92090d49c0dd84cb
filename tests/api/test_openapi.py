"""GET /openapi.json: a valid description of OpenAPI 3.1 that agrees with the service, and from which a client can be generated.

A validator and a generator come from npm, at the versions below, into build/npm, once. Which routes and fields must be in it is checked by
tests/unit/test_openapi.c; that replies hold nothing else, here.
"""
import json
import os
import re
import shutil
import subprocess

import harness

PACKAGES = ("@seriousme/openapi-schema-validator@2.3.0", "@hey-api/openapi-ts@0.80.0", "typescript@5.8.3")
NPM = os.path.join(harness.ROOT, "build/npm")
MODULES = os.path.join(NPM, "node_modules")
SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "openapi")
TOKEN = "a-token-of-ann"
SLOW_TOKEN = "a-token-of-bob"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def run(command, **how):
    """A command's standard output; a failure says what it said."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=300, **how)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def install():
    """Fetches the packages unless they are there."""
    stamp = os.path.join(NPM, "installed")
    wanted = " ".join(PACKAGES)
    try:
        with open(stamp, encoding="ascii") as file:
            if file.read() == wanted:
                return
    except FileNotFoundError:
        pass
    if not shutil.which("npm"):
        raise AssertionError("npm is missing: scripts/setup check")
    shutil.rmtree(NPM, ignore_errors=True)
    os.makedirs(NPM)
    try:
        run(["npm", "install", "--prefix", NPM, "--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund",
             "--no-update-notifier", "--loglevel=error", "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=30000", *PACKAGES], cwd=NPM)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        raise AssertionError(f"npm cannot fetch {wanted}: this test needs the npm registry, once; then they are kept in build/npm\n{error}") from None
    with open(stamp, "w", encoding="ascii") as file:
        file.write(wanted)


def check(*pairs):
    """What is wrong with each description and the replies that go with it, as a list of texts for each."""
    cases = [{"document": document, "replies": replies} for document, replies in pairs]
    return json.loads(run(["node", os.path.join(SOURCES, "check.mjs"), MODULES], input=json.dumps(cases)))


class OpenApi(harness.ServerTest):
    environment = {"API_KEYS": f"{TOKEN}:ann:1000:1000,{SLOW_TOKEN}:bob:0.001:1"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        install()
        cls.reply = cls.server.request("GET", "/openapi.json")
        cls.document = json.loads(cls.reply.body)

    def test_served(self):
        self.assertEqual((200, "application/json; charset=utf-8"), (self.reply.status, self.reply.headers["content-type"]))
        self.assertEqual(json.dumps(self.document, separators=(",", ":"), ensure_ascii=False).encode(), self.reply.body, "compact")
        head = self.server.request("HEAD", "/openapi.json")
        self.assertEqual((200, b"", str(len(self.reply.body))), (head.status, head.body, head.headers["content-length"]))
        self.assertEqual(405, self.server.request("POST", "/openapi.json", {}).status)
        self.assertRegex(self.document["openapi"], r"^3\.1\.")

    def test_valid(self):
        self.assertEqual([[]], check((self.document, [])))

    def test_the_validator_can_refuse(self):
        spoilt = []
        for spoil in (lambda document: document["info"].pop("title"), lambda document: document["paths"].update({"no-slash": {}}),
                      lambda document: document["components"]["schemas"].update(Bad={"type": "nothing"}),
                      lambda document: document["components"]["schemas"].update(Bad={"$ref": "#/components/schemas/None"})):
            document = json.loads(self.reply.body)
            spoil(document)
            spoilt.append((document, []))
        for number, found in enumerate(check(*spoilt)):
            with self.subTest(number):
                self.assertNotEqual([], found)

    def test_every_operation_is_answered(self):
        for path, operations in self.document["paths"].items():
            for method in operations:
                with self.subTest(f"{method} {path}"):
                    reply = self.server.request(method.upper(), re.sub(r"\{\w+\}", "x", path), {} if method == "post" else None)
                    self.assertNotIn(reply.status, (405, 501))
                    if path != "/assets/{file}":  # there is none of that name
                        self.assertNotIn(b"no_route", reply.body)

    def replies(self):
        """Real requests and their replies, one of each kind."""
        def ask(method, path, body=None, headers=BEARER, template=None):
            reply = self.server.request(method.upper(), path, body, headers)
            found.append({"path": template or path.split("?")[0], "method": method, "status": reply.status,
                          "type": reply.headers["content-type"].split(";")[0], "body": json.loads(reply.body)})
            return found[-1]["body"]
        found = []
        code = "import sys\nprint(1)\nprint(2, file=sys.stderr)\nfor n in 'ab':\n\topen(f'outputs/{n}.csv', 'w').write('x')"
        record = ask("post", "/v1/runs", {"language": "python", "code": code})
        ask("get", f"/v1/runs/{record['id']}", template="/v1/runs/{id}")
        ask("get", "/v1/runs?limit=1")
        ask("get", "/v1/runs")
        ask("post", "/v1/runs", {"language": "python", "code": "raise SystemExit(3)"})
        ask("post", "/v1/runs", {"language": "python", "code": "while 1: pass", "limits": {"timeout_ms": 200}})
        ask("post", "/v1/runs", {"language": "python"})
        ask("post", "/v1/runs", b"{")
        ask("post", "/v1/runs", {"language": "python", "code": "1"}, {})
        ask("post", "/v1/runs", {"language": "python", "code": "1", "files": [{"id": "file_0123456789ab", "path": "a"}]})
        for _ in range(2):
            ask("post", "/v1/runs", {"language": "python", "code": "1"}, {"Authorization": f"Bearer {SLOW_TOKEN}"})
        run = ask("post", "/api/v1/ai/agents/a/auto-run", {"frontend": {"html": "<html>"}, "prompt": "p"}, template="/api/v1/ai/agents/{id}/auto-run")
        ask("post", "/api/v1/ai/agents/a/auto-run", b"{", template="/api/v1/ai/agents/{id}/auto-run")
        ask("get", "/api/v1/ai/agents/a/runs", template="/api/v1/ai/agents/{id}/runs")
        for name in (run["data"]["id"], "1"):
            ask("get", f"/api/v1/ai/agents/a/runs/{name}", template="/api/v1/ai/agents/{id}/runs/{runId}")
        ask("get", "/api/v1/health")
        ask("post", "/validate", {"language": "bash", "files": {"a": "if"}})
        ask("post", "/validate", {"language": "x", "files": {"a": "if"}})
        ask("get", "/v1/runs/run_0123456789ab", template="/v1/runs/{id}")
        ask("get", "/v1/files/file_0123456789ab", template="/v1/files/{id}")
        form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\ntext\r\n--b--\r\n'
        ask("post", "/v1/files", form, {**BEARER, "Content-Type": "multipart/form-data; boundary=b"})
        ask("post", "/v1/files", b"", {**BEARER, "Content-Type": "multipart/form-data; boundary=b"})
        for path in ("/health", "/v1/health", "/tools", "/openapi.json"):
            ask("get", path, headers={})
        job = {"sessionId": "s", "code": "echo out; echo err >&2; ln -s / link; seq 20000"}
        ask("post", "/run", job)
        ask("post", "/tools/execute", {**job, "tool": "code_execution"})
        for _ in range(2):
            ask("post", "/run", {**job, "cache": True})
            ask("post", "/tools/execute", {**job, "tool": "code_execution", "cache": True})
            ask("post", "/v1/runs", {"language": "python", "code": "2", "cache": True})
        ask("post", "/run", {"code": 1})
        ask("post", "/run", b"{")
        ask("post", "/tools/execute", {"tool": "nothing", "sessionId": "s"})
        ask("get", "/artifacts/s/abcdef/x", template="/artifacts/{sessionId}/{jobId}/{path}")
        ask("get", "/debug/nothing", template="/debug/{tool}")
        return found

    def test_replies_are_as_described(self):
        replies = self.replies()
        statuses = {reply["status"] for reply in replies}
        self.assertLessEqual({200, 400, 401, 403, 404, 429}, statuses)
        cases = [(self.document, replies)]
        for spoil in (lambda body: body.update(undescribed=1), lambda body: body.pop("usage"), lambda body: body["limits"].update(timeout_ms="1")):
            body = json.loads(json.dumps(replies[0]["body"]))
            spoil(body)
            cases.append((self.document, [{**replies[0], "body": body}]))
        good, *bad = check(*cases)
        self.assertEqual([], good)
        self.assertEqual([1, 1, 1], [len(found) for found in bad], "a reply that is not as described is found")

    def test_generated_client(self):
        folder = os.path.join(self.server.folder, "client")
        os.makedirs(folder)
        description = os.path.join(folder, "openapi.json")
        with open(description, "wb") as file:
            file.write(self.reply.body)
        shutil.copy(os.path.join(SOURCES, "use.ts"), folder)
        bin_folder = os.path.join(MODULES, ".bin")
        run([os.path.join(bin_folder, "openapi-ts"), "-i", description, "-o", os.path.join(folder, "client"), "-c", "@hey-api/client-fetch", "--no-log-file"],
            cwd=folder)
        run([os.path.join(bin_folder, "tsc"), "--strict", "--target", "es2022", "--module", "commonjs", "--lib", "es2022,dom,dom.iterable",
             "--skipLibCheck", "--outDir", "built", "use.ts"], cwd=folder)
        out = run(["node", os.path.join(folder, "built/use.js"), f"http://{self.server.host}", TOKEN])
        self.assertEqual({
            "health": ["healthy", 0], "run": ["succeeded", 0, "1,2,3 one two\n", 9000], "same": True, "listed": True, "output": "from bash\n",
            "artifact": "made", "refused": [400, {"error": "memory_mb exceeds maximum", "data": None}],
        }, {name: value for name, value in json.loads(out).items() if name != "next"})


if __name__ == "__main__":
    harness.main()
