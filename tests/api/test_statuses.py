"""Every status that the API description names is one that a real server gives: a table of requests, held against openapi.json."""
import concurrent.futures
import contextlib
import hashlib
import json
import os
import re
import unittest

import harness

PUBLIC = "192.0.2.7"  # documentation (RFC 5737): bound to in name only
AGENTS = "/api/v1/ai/agents/{id}"
FILES, FILE = "/sessions/{id}/files", "/sessions/{id}/files/{path}"
ARTIFACT = "/artifacts/{sessionId}/{jobId}/{path}"
TENANT = {"tenant_id": "t", "scope": "s"}
RUN, PYTHON = {"sessionId": "s", "code": "echo hi"}, {"language": "python", "code": "print(1)"}
TOOL = {**RUN, "tool": "code_execution"}
CELL = {"session_id": "{session}", "code": "1"}
GONE = "0123456789ab"
UPLOAD = (b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\ntext\r\n--b--\r\n', {"Content-Type": "multipart/form-data; boundary=b"})
PART, NO_PART, SAME = {"Range": "bytes=0-1"}, {"Range": "bytes=99999-"}, {"If-None-Match": "{etag}"}
LARGE = {"Content-Length": str(1 << 40)}  # without a byte of it
KEY = {"X-Idempotency-Key": "k"}

# Who is asked: open (no key), keyed (keys, which the request does not show), slow (its key has no token left), public (bound to another address, without a key),
# broken (an image that is not there), full (its one slot is taken), held (a cell runs in the session, the idempotency key's run is on).
# Each row: method and path of the description, {status: [who] path or None, body, headers}.
TABLE = [
    ("post /v1/runs", {
        200: ("open", None, PYTHON), 400: ("open", None, {}), 401: ("keyed", None, PYTHON), 403: ("public", None, PYTHON),
        404: ("open", None, {**PYTHON, "files": [{"id": "file_0123456789ab", "path": "a"}]}), 409: ("held", None, "{idempotent}", KEY),
        413: ("open", None, None, LARGE), 422: ("held", None, PYTHON, KEY),
        503: ("full", None, PYTHON)}),
    ("get /v1/runs", {200: ("open",), 400: ("open", "/v1/runs?limit=x"), 401: ("keyed",)}),
    ("get /v1/runs/{id}", {200: ("open", "/v1/runs/{run}"), 401: ("keyed",), 404: ("open", "/v1/runs/run_0123456789ab")}),
    ("post /v1/files", {200: ("open", None, *UPLOAD), 400: ("open", None, b"", UPLOAD[1]), 401: ("keyed",), 413: ("open", None, None, {**UPLOAD[1], **LARGE})}),
    ("get /v1/files/{id}", {
        200: ("open", "{signed}"), 206: ("open", "{signed}", None, PART), 304: ("open", "{signed}", None, {"If-None-Match": "{signed_etag}"}),
        403: ("open", "/v1/files/file_0123456789ab"), 404: ("open", "{unknown}"), 416: ("open", "{signed}", None, NO_PART)}),
    ("get /models", {200: ("open",)}),
    ("get /v1/models", {200: ("open",), 401: ("keyed",)}),
    ("get /v1/health", {200: ("open",)}),
    ("post /run", {200: ("open", None, RUN), 400: ("open", None, {}), 413: ("open", None, None, LARGE), 500: ("broken", None, RUN), 503: ("full", None, RUN)}),
    ("get /tools", {200: ("open",)}),
    ("post /tools/execute", {
        200: ("open", None, TOOL), 400: ("open", None, {}), 413: ("open", None, None, LARGE), 500: ("broken", None, TOOL), 503: ("full", None, TOOL)}),
    (f"get {ARTIFACT}", {
        200: ("open", "{artifact}"), 206: ("open", "{artifact}", None, PART), 304: ("open", "{artifact}", None, SAME), 404: ("open", "{artifact}x"),
        416: ("open", "{artifact}", None, NO_PART)}),
    ("get /api/v1/health", {200: ("open",)}),
    (f"post {AGENTS}/auto-run", {
        200: ("open", None, {}), 400: ("open", None, b"["), 401: ("keyed", None, {}), 404: ("open", "/api/v1/ai/agents/a/auto-run/", {})}),
    (f"get {AGENTS}/runs", {
        200: ("open",), 400: ("open", "/api/v1/ai/agents/%2e/runs"), 401: ("keyed",), 404: ("open", "/api/v1/ai/agents/a/runs/")}),
    *((f"get {AGENTS}/runs/{{runId}}{more}", {
        200: ("open", "/api/v1/ai/agents/x/runs/{agent_run}" + more), 400: ("open", "/api/v1/ai/agents/%2e/runs/1" + more), 401: ("keyed",),
        404: ("open", "/api/v1/ai/agents/x/runs/1" + more)}) for more in ("", "/stream")),
    ("post /validate", {200: ("open", None, {"language": "bash", "files": {"a": "true"}}), 400: ("open", None, {})}),
    ("get /capabilities", {200: ("open",), 401: ("keyed",)}),
    ("get /templates", {200: ("open",), 401: ("keyed",)}),
    ("post /templates", {
        200: ("open", None, {"name": "mine"}), 400: ("open", None, {}), 401: ("keyed", None, {}), 403: ("public", None, {"name": "mine"}),
        409: ("open", None, {"name": "default"})}),
    ("delete /templates/{name}", {
        200: ("open", "/templates/mine"), 401: ("keyed",), 403: ("open", "/templates/default"), 404: ("open", "/templates/none")}),
    ("post /execute", {
        200: ("open", None, {**TENANT, "code": "1"}), 400: ("open", None, {}), 401: ("keyed", None, {}), 403: ("public", None, {}),
        404: ("open", None, {**TENANT, "code": "1", "files": {"a": {"id": "file_0123456789ab"}}}), 413: ("open", None, None, LARGE),
        503: ("full", None, {**TENANT, "code": "1"})}),
    ("post /session/create", {
        200: ("open", None, TENANT), 400: ("open", None, {}), 401: ("keyed", None, {}), 403: ("public", None, {}), 503: ("full", None, TENANT)}),
    ("post /session/execute", {
        200: ("open", None, CELL), 400: ("open", None, {}), 401: ("keyed", None, {}), 403: ("public", None, {}), 409: ("held", None, CELL),
        503: ("full", None, CELL)}),
    ("post /session/destroy", {
        200: ("last", None, CELL), 400: ("open", None, {}), 401: ("keyed", None, {}), 403: ("public", None, {}),
        404: ("open", None, {"session_id": GONE})}),
    ("get /sessions", {200: ("open",), 400: ("open", "/sessions?tenant_id=%"), 401: ("keyed",), 403: ("public",)}),
    (f"get {FILES}", {
        200: ("open", "/sessions/{session}/files"), 400: ("open", "/sessions/{session}/files?tenant_id=%"), 401: ("keyed",), 403: ("public",),
        404: ("open", f"/sessions/{GONE}/files")}),
    (f"post {FILES}", {
        200: ("open", "/sessions/{session}/files", {"files": {"a": "b"}}), 400: ("open", "/sessions/{session}/files", {"files": {"../a": ""}}),
        401: ("keyed", None, {}), 403: ("public", None, {}), 404: ("open", f"/sessions/{GONE}/files", {"files": {"a": "b"}}),
        409: ("held", "/sessions/{session}/files", {"files": {"a": "b"}}), 413: ("open", None, None, LARGE)}),
    (f"put {FILE}", {
        200: ("open", "/sessions/{session}/files/a", b"b"), 400: ("open", "/sessions/{session}/files/..%2fa", b"b"), 401: ("keyed", None, b""),
        403: ("public", None, b""), 404: ("open", f"/sessions/{GONE}/files/a", b"b"), 409: ("held", "/sessions/{session}/files/a", b"b"),
        413: ("open", None, None, LARGE)}),
    (f"get {FILE}", {
        200: ("open", "/sessions/{session}/files/a"), 400: ("open", "/sessions/{session}/files/..%2fa"), 401: ("keyed",), 403: ("public",),
        404: ("open", "/sessions/{session}/files/none")}),
    (f"delete {FILE}", {
        200: ("open", "/sessions/{session}/files/a"), 400: ("open", "/sessions/{session}/files/..%2fa"), 401: ("keyed",), 403: ("public",),
        404: ("open", "/sessions/{session}/files/none"), 409: ("held", "/sessions/{session}/files/a")}),
    *((f"get {path}", {200: ("open",)}) for path in ("/health", "/metrics", "/metrics/prometheus", "/openapi.json")),
    ("get /", {200: ("open",), 304: ("open", None, None, {"If-None-Match": "{etag}"})}),
    ("get /assets/{file}", {
        200: ("open", "/assets/admin.js"), 304: ("open", "/assets/admin.js", None, SAME), 404: ("open", "/assets/none")}),
    ("get /debug", {200: ("open",), 304: ("open", None, None, SAME)}),
    ("get /debug/{tool}", {
        200: ("open", "/debug/code-execution"), 304: ("open", "/debug/code-execution", None, SAME), 404: ("open", "/debug/none")}),
]


COST = ("post /v1/runs", "post /v1/files", "post /run", "post /tools/execute", f"post {AGENTS}/auto-run", "post /validate", "post /templates", "post /execute",
        "post /session/create", "post /session/execute", f"post {FILES}", f"put {FILE}")
TABLE += [(operation, {429: ("slow", None, b"", {"Authorization": "Bearer slow"})}) for operation in COST]

# what takes a file system of its own, and the test that has one
ELSEWHERE = {("post /v1/runs", 507): "test_runs.py"}


class Statuses(unittest.TestCase):
    def server(self, **environment):
        server = harness.Server(**environment)
        self.addCleanup(server.close)
        return server

    def fill(self, value):
        """A text, or an object of texts, with the names of what there is put in."""
        if isinstance(value, dict):
            return {key: self.fill(text) for key, text in value.items()}
        if not isinstance(value, str):
            return value
        return re.sub(r"\{(\w+)\}", lambda match: self.names.get(match[1], "x"), value)

    def ask(self, operation, who, path=None, body=None, headers=None):
        method, path = operation.split()[0].upper(), self.fill(path or operation.split()[1])
        server = self.servers[who]
        if body == "{idempotent}":
            body = self.slow
        if headers and "{etag}" in headers.values():
            self.names["etag"] = server.request("GET", path).headers["etag"]
        if headers and "Content-Length" in headers:
            fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            return int(server.raw(f"{method} {path} HTTP/1.1\r\nHost: {server.host}\r\n{fields}\r\n".encode()).split()[1])
        if method in ("POST", "PUT") and body is None:
            body = b""
        return server.request(method, path, self.fill(body), self.fill(headers), timeout=120).status

    def ask_all(self, who):
        """All rows of one server; those that wait for what is held do it beside each other."""
        rows = [(operation, status, how[1:]) for operation, row in TABLE for status, how in row.items() if how[0] == who]
        with concurrent.futures.ThreadPoolExecutor(len(rows) if who == "held" else 1) as pool:
            answers = list(pool.map(lambda row: self.ask(row[0], who, *row[2]), rows))
        self.given += [(operation, status, answer) for (operation, status, _), answer in zip(rows, answers)]

    def make(self, server):
        """What the rows name."""
        def post(path, body):
            reply = server.request("POST", path, body, timeout=120)
            self.assertEqual(200, reply.status, reply)
            return json.loads(reply.body)
        record = post("/v1/runs", {"language": "python", "code": "open('outputs/a.txt', 'w').write('text')"})
        signed = record["artifacts"][0]["url"].partition(server.host)[2]
        self.names.update(
            run=record["id"], signed=signed, signed_etag=server.request("GET", signed).headers["etag"], unknown=self.unknown(server),
            artifact=post("/run", RUN)["artifacts"]["outputs"]["stdout"].partition(server.host)[2],
            agent_run=post("/api/v1/ai/agents/x/auto-run", {})["data"]["id"], session=post("/session/create", TENANT)["session_id"])

    @staticmethod
    def unknown(server):
        """A signed link to a file that is gone."""
        record = json.loads(server.request("POST", "/v1/runs", {"language": "python", "code": "open('outputs/b.txt', 'w')"}).body)
        url = record["artifacts"][0]["url"].partition(server.host)[2]
        folder = os.path.join(server.storage, ".files", re.search(r"file_\w+", url)[0])
        os.rename(folder, folder + "-gone")
        return url

    @staticmethod
    def put(server, name, value):
        path = os.path.join(server.folder, "config", name)
        os.makedirs(os.path.dirname(path))
        with open(path, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(value if isinstance(value, str) else json.dumps(value))

    @contextlib.contextmanager
    def holding(self, server, pool, path, body, headers=None):
        """While a request's program runs."""
        def count():
            return json.loads(server.request("GET", "/metrics").body)["metrics"]["slots"]["running"]
        before = count()
        running = pool.submit(server.request, "POST", path, body, headers, 120)
        harness.until(lambda: count() > before, "it runs")
        yield
        running.result()

    def test_every_documented_status_is_given(self):
        self.names, self.given = {}, []
        self.slow = {"language": "slow", "code": "x"}  # to compile, which alone takes longer than a repeat waits
        busy = self.server(MAX_CONCURRENT_RUNS="1", MAYFLY_SLOT_WAIT_MS="1")
        opened = self.server()
        self.servers = {"open": opened, "held": opened, "last": opened, "broken": busy, "full": busy, "public": self.server(engine=False, BIND=PUBLIC),
                        "keyed": self.server(engine=False, API_KEYS="x", EXECUTOR_API_KEY="x", JWT_SECRET="x" * 32)}
        self.servers["slow"] = self.server(engine=False)
        self.put(self.servers["slow"], "keys", f"k1 {hashlib.sha256(b'slow').hexdigest()} 0.001 1 run,read,admin - slow\n")
        self.servers["slow"].request("POST", "/v1/runs", {}, {"Authorization": "Bearer slow"})  # the bucket's one token
        self.make(opened)
        self.put(busy, "templates.d/tool.json", {"description": "x", "image": "localhost/mayfly-there-is-none:latest", "timeout_s": 30, "timeout_max_s": 30})
        template = "interpreter-python"
        self.put(opened, "languages.d/slow.json", {"description": "x", "runs": {
            "template": template, "file": "main", "argv": ["true"], "compile": {"template": template, "argv": ["sleep", "35"], "output": "x"}}})
        for who in ("open", "keyed", "slow", "public", "broken"):
            self.ask_all(who)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            mine, cell = self.names["session"], {"code": "import time; time.sleep(60)", "timeout": 60}
            sessions = [json.loads(busy.request("POST", "/session/create", TENANT).body)["session_id"] for _ in range(2)]
            self.names["session"] = sessions[0]
            with self.holding(busy, pool, "/session/execute", {**cell, "session_id": sessions[1]}):
                self.ask_all("full")
                for session in sessions:
                    busy.request("POST", "/session/destroy", {"session_id": session})
            self.names["session"] = mine
            with self.holding(opened, pool, "/session/execute", {**cell, "session_id": mine}), self.holding(opened, pool, "/v1/runs", self.slow, KEY):
                self.ask_all("held")
                self.ask_all("last")
        self.assertEqual([], [row for row in self.given if row[1] != row[2]])
        document = json.loads(opened.request("GET", "/openapi.json").body)
        described = {(f"{method} {path}", int(status)) for path, operations in document["paths"].items() for method, operation in operations.items()
                     for status in operation["responses"] if status != "default" and method != "head"}
        for (_, status), program in ELSEWHERE.items():
            with open(os.path.join(harness.ROOT, "tests/api", program), encoding="utf-8") as file:
                self.assertIn(str(status), file.read())
        self.assertEqual(described, {*ELSEWHERE, *(row[:2] for row in self.given)}, "what is described and what the table has")


if __name__ == "__main__":
    harness.main()
