"""Pages of other origins: ALLOWED_ORIGINS lets them in by name, with preflights on every route and replies that they may read; any other stays out."""
import json
import unittest

import harness

PAGE, OTHER, EVIL = "https://app.example.com", "http://localhost:3000", "https://evil.example"
KEY = "a-service-key"
WANTED = {"authorization", "x-api-key", "x-request-id", "content-type", "accept"}
JOB = {"tenant_id": "t", "scope": "s", "code": "print(1)"}
RUN = {"sessionId": "s", "language": "bash", "code": "echo hi"}
EVENTS = {"Accept": "text/event-stream"}
SANDBOX_FIELDS = "Content-Type, X-API-Key, X-Request-ID"


def preflight(origin, method, fields="authorization,content-type"):
    return {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": fields}


class Allowed(harness.ServerTest):
    environment = {"ALLOWED_ORIGINS": f"{PAGE}, {OTHER}/", "EXECUTOR_API_KEY": KEY}

    def ask(self, method, path, body=None, origin=PAGE, **fields):
        return self.server.request(method, path, body, {"Origin": origin, "X-API-Key": KEY, **fields})

    def assert_readable(self, reply, origin=PAGE):
        self.assertEqual((reply.headers.get("access-control-allow-origin"), reply.headers.get("vary")), (origin, "Origin"), reply)
        self.assertIn("Retry-After", reply.headers["access-control-expose-headers"])

    def test_preflight_of_every_route(self):
        paths = json.loads(self.ask("GET", "/openapi.json").body)["paths"]
        self.assertGreater(len(paths), 20)
        for path, operations in paths.items():
            for method in (name.upper() for name in operations if name != "parameters"):
                for origin in (PAGE, OTHER):
                    with self.subTest(path=path, method=method, origin=origin):
                        reply = self.server.request("OPTIONS", path.replace("{", "x").replace("}", "x"), headers=preflight(origin, method))
                        self.assertEqual((reply.status, reply.body), (200, b""))
                        self.assert_readable(reply, origin)
                        self.assertIn(method, reply.headers["access-control-allow-methods"].split(", "))
                        self.assertLessEqual(WANTED, set(reply.headers["access-control-allow-headers"].lower().split(", ")))
                        self.assertGreater(int(reply.headers["access-control-max-age"]), 0)

    def test_replies_are_readable(self):
        artifact = json.loads(self.ask("POST", "/run", RUN).body)["artifacts"]["outputs"]["stdout"]
        artifact = artifact[artifact.index("/artifacts"):]
        etag = {"If-None-Match": self.ask("GET", artifact).headers["etag"]}
        for method, path, body, fields, status in (
                ("POST", "/run", RUN, {}, 200), ("POST", "/run", RUN, EVENTS, 200), ("POST", "/run", {}, {}, 400), ("POST", "/run", b"{", {"Content-Type": "application/json"}, 400),
                ("POST", "/run", b"x", {"Content-Type": "text/plain"}, 415), ("POST", "/run", b"x" * (2 << 20), {"Content-Type": "application/json"}, 413),
                ("POST", "/execute", JOB, {}, 200), ("POST", "/execute", JOB, EVENTS, 200), ("POST", "/execute", JOB, {"X-API-Key": "wrong"}, 401),
                ("POST", "/v1/runs", {"language": "python", "code": "1"}, {}, 200), ("POST", "/v1/runs", {"language": "python", "code": "1"}, EVENTS, 200),
                ("GET", "/v1/runs/run_nothing", None, {}, 404), ("POST", "/api/v1/ai/agents/a/auto-run", {}, {}, 200),
                ("GET", "/nowhere", None, {}, 404), ("PATCH", "/run", None, {}, 405), ("GET", "/health", None, {}, 200), ("HEAD", "/tools", None, {}, 200),
                ("GET", "/v1/files/file_0123456789ab", None, {}, 403), ("GET", artifact, None, {}, 200), ("HEAD", artifact, None, {}, 200),
                ("GET", artifact, None, etag, 304), ("GET", artifact + "x", None, {}, 404), ("GET", "/debug", None, {}, 200), ("GET", "/openapi.json", None, {}, 200)):
            with self.subTest(method=method, path=path, body=body if body is None or len(body) < 100 else len(body), **fields):
                reply = self.ask(method, path, body, **fields)
                self.assertEqual(reply.status, status, reply)
                self.assert_readable(reply)

    def test_foreign_pages_stay_out(self):
        for origin in (EVIL, "null", "http://app.example.com", PAGE + ":8443", PAGE + ".evil.example", "https://localhost:3000"):
            for method, path, body in (("POST", "/run", RUN), ("POST", "/execute", JOB), ("GET", "/health", None), ("GET", "/debug", None), ("GET", "/nowhere", None)):
                with self.subTest(origin=origin, path=path):
                    reply = self.ask(method, path, body, origin)
                    self.assertEqual((reply.status, reply.headers.get("access-control-allow-origin"), reply.headers.get("vary")), (403, None, "Origin"))
            reply = self.server.request("OPTIONS", "/run", headers=preflight(origin, "POST"))
            self.assertEqual((reply.headers["access-control-allow-origin"], reply.headers["access-control-allow-headers"]),
                             (f"http://{self.server.host}", SANDBOX_FIELDS), "the sandbox API's answer to all, which lets no other page in")

    def test_options_that_are_no_preflight(self):
        for path in ("/execute", "/nowhere"):
            reply = self.server.request("OPTIONS", path)
            self.assertEqual((reply.status, reply.headers["access-control-allow-headers"]), (200, SANDBOX_FIELDS))
        self.assertEqual(self.server.request("OPTIONS", "/debug").status, 405)
        self.assertEqual(self.server.request("OPTIONS", "/execute", headers={"Host": "evil.example", **preflight(PAGE, "POST")}).status, 421)

    def test_replies_without_a_page_vary_as_well(self):
        """A cache must not give a page what it kept from a request without Origin."""
        reply = self.server.request("GET", "/openapi.json")
        self.assertEqual((reply.status, reply.headers["vary"], reply.headers.get("access-control-allow-origin")), (200, "Origin", None))

    def test_static_alone(self):
        with harness.Server("mayfly-static", engine=False, **self.environment) as server:
            reply = server.request("OPTIONS", "/artifacts/a/b/c", headers=preflight(PAGE, "GET"))
            self.assertEqual(reply.status, 200)
            self.assert_readable(reply)
            self.assertEqual(server.request("OPTIONS", "/artifacts/a/b/c", headers=preflight(EVIL, "GET")).status, 403)


class Settings(unittest.TestCase):
    def test_usual_name(self):
        with harness.Server(engine=False, CORS_ORIGIN=PAGE) as server:
            self.assertEqual(server.request("GET", "/health", headers={"Origin": PAGE}).headers["access-control-allow-origin"], PAGE)

    def test_refused(self):
        for settings in ({"ALLOWED_ORIGINS": "*"}, {"CORS_ORIGIN": "*"}, {"ALLOWED_ORIGINS": PAGE, "CORS_ORIGIN": OTHER}, {"CORS_ORIGIN": "app.example.com"}):
            with self.subTest(settings), harness.Server(engine=False, **settings) as server:
                reply = server.request("GET", "/health")
                self.assertEqual(reply.status, 500)
                self.assertIn(sorted(settings)[0].encode(), reply.body)

    def test_none(self):
        with harness.Server(engine=False) as server:
            reply = server.request("GET", "/tools", headers={"Origin": PAGE})
            self.assertEqual((reply.status, reply.headers.get("access-control-allow-origin")), (403, None))
            self.assertNotIn("vary", server.request("GET", "/tools").headers)


if __name__ == "__main__":
    harness.main()
