"""Keys, scopes and rates of the runs API over HTTP, and mayflyctl keys (src/api/README.md; row K of tests/attack/README.md)."""
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import time
import unittest

import harness

FORM = {"Content-Type": "multipart/form-data; boundary=b"}
UPLOAD = (b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello\r\n--b--\r\n')
PUBLIC = "192.0.2.7"  # documentation (RFC 5737): bound to in name only


def bearer(token):
    return {"Authorization": "Bearer " + token}


class Case(unittest.TestCase):
    settings = {}
    engine = False
    secrets = ()

    @classmethod
    def setUpClass(cls):
        cls.server = harness.Server(engine=cls.engine, **cls.settings)
        cls.addClassCleanup(cls.server.close)
        cls.tokens = list(cls.secrets)

    @classmethod
    def tearDownClass(cls):
        left = cls.server.leaks()
        if left:
            raise AssertionError(f"left behind: {left}\n{cls.server.logs()[-3000:]}")
        log = cls.server.logs()
        for secret in cls.tokens:
            if secret in log or hashlib.sha256(secret.encode()).hexdigest() in log:
                raise AssertionError(f"{secret} is in the log")

    def upload(self, headers=None, server=None):
        return (server or self.server).request("POST", "/v1/files", UPLOAD, {**FORM, **(headers or {})})

    def refused(self, reply, status, message):
        self.assertEqual((status, {"error": message, "data": None}), (reply.status, json.loads(reply.body)))

    def ctl(self, *arguments, status=0, server=None):
        """mayflyctl keys …: standard output; standard error goes where the failure shows it."""
        done = subprocess.run([os.path.join(harness.BUILD, "mayflyctl"), "keys", *arguments], env=(server or self.server).environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=harness.DEADLINE_S, check=False)
        self.assertEqual(status, done.returncode, done.stderr)
        self.said = done.stderr
        return done.stdout

    @property
    def keys_file(self):
        return os.path.join(self.server.folder, "config", "keys")


class TokenTest(Case):
    secrets = ("S3cret-Alpha", "tok:with:colons", "S3cret-Beta")
    settings = {"API_KEYS": "S3cret-Alpha:alice:100:1000, tok:with:colons:bob:100:1000"}

    def test_good(self):
        for fields in (bearer("S3cret-Alpha"), {"Authorization": "bearer S3cret-Alpha"}, {"Authorization": "BEARER   S3cret-Alpha"},
                       {"authorization": "Bearer S3cret-Alpha"}, bearer("tok:with:colons")):
            self.assertEqual(200, self.upload(fields).status, fields)

    def test_missing(self):
        for fields in ({}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Bearer "},
                       {"Authorization": "Basic UzNjcmV0LUFscGhhOg=="}, {"Authorization": "S3cret-Alpha"},
                       {"Authorization": "BearerS3cret-Alpha"}, {"X-API-Key": "S3cret-Alpha"}):
            reply = self.upload(fields)
            self.refused(reply, 401, "missing bearer token")
            self.assertEqual(b'{"error":"missing bearer token","data":null}', reply.body)
            self.assertEqual("Bearer", reply.headers["www-authenticate"])

    def test_wrong(self):
        for token in ("s3cret-alpha", "S3CRET-ALPHA", "S3cret-Alph", "S3cret-Alphaa", "S3cret-Alpha x", "alice", "x" * 5000,
                      "S3cret-Beta", "S3cret-Alpha:alice", hashlib.sha256(b"S3cret-Alpha").hexdigest()):
            reply = self.upload(bearer(token))
            self.refused(reply, 401, "invalid token")
            self.assertEqual(b'{"error":"invalid token","data":null}', reply.body)

    def test_two_fields_are_none(self):
        raw = self.server.raw(b"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer S3cret-Alpha\r\n"
                              b"Authorization: Bearer S3cret-Alpha\r\nContent-Length: 0\r\n\r\n")
        self.assertIn(b"invalid token", raw)

    def test_refused_before_the_body_is_read(self):
        raw = self.server.raw(b"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
                              b"Content-Length: 100000\r\nExpect: 100-continue\r\n\r\n")
        self.assertTrue(raw.startswith(b"HTTP/1.1 401 "), raw)

    def test_open_routes(self):
        self.assertEqual(b'{"status":"ok"}', self.server.request("GET", "/v1/health").body)
        self.assertEqual(403, self.server.request("GET", "/v1/files/file_0123456789ab").status, "a download wants a signature")
        for path, fields in (("/models", {}), ("/models", bearer("x")), ("/v1/models", bearer("S3cret-Alpha"))):
            self.assertEqual(b'{"object":"list","data":[]}', self.server.request("GET", path, headers=fields).body)
        self.refused(self.server.request("GET", "/v1/models"), 401, "missing bearer token")

    def test_log_says_who(self):
        self.assertEqual(200, self.upload(bearer("S3cret-Alpha")).status)
        harness.until(lambda: re.search(r'key="?alice"?', self.server.logs()), "the label is in the log")

    def test_tenants(self):
        """What one key uploads is not there for another: the store knows them apart by more than the label."""
        owners = set()
        for token in ("S3cret-Alpha", "tok:with:colons"):
            file_id = json.loads(self.upload(bearer(token)).body)["id"]
            with open(os.path.join(self.server.storage, ".files", file_id, "meta.json"), encoding="utf-8") as file:
                owners.add(json.load(file)["owner"])
        self.assertEqual(2, len(owners))
        for owner in owners:
            self.assertRegex(owner, r"\A[a-z0-9]{1,32}\Z")
            for token in self.secrets:
                self.assertNotIn(hashlib.sha256(token.encode()).hexdigest()[:8], owner)


class OpenTest(Case):
    """No key configured."""

    def test_loopback_is_served(self):
        self.assertEqual(200, self.upload().status)
        self.assertEqual(200, self.upload(bearer("whatever")).status)
        self.assertEqual(200, self.upload({"Authorization": "Basic abc"}).status)

    def test_what_a_proxy_passes_on_is_not_from_loopback(self):
        for name, value in (("Forwarded", "for=192.0.2.1"), ("X-Forwarded-For", "127.0.0.1"), ("x-real-ip", "127.0.0.1"), ("Via", "1.1 front")):
            with self.subTest(name):
                self.assertEqual(403, self.upload({name: value}).status)
                self.assertEqual(403, self.server.request("POST", "/run", {"sessionId": "s", "code": "x"}, {name: value}).status)

    def test_a_short_secret_is_refused_where_others_reach_it(self):
        for name, value in (("EXECUTOR_API_KEY", "fifteen-letters"), ("SIGNING_KEY", "s"), ("JWT_SECRET", "x" * 15), ("API_KEYS", "short:alice:1:1")):
            with self.subTest(name):
                with harness.Server(engine=False, BIND=PUBLIC, **{name: value}) as server:
                    reply = server.request("GET", "/v1/runs")
                    self.assertEqual(500, reply.status, reply)
                    self.assertRegex(reply.body.decode(), f"{name}.*has fewer than 16 characters.*openssl rand -hex 32")
                with harness.Server(engine=False, **{name: value}) as server:
                    self.assertNotEqual(500, server.request("GET", "/v1/runs").status, "on loopback it is the operator's own risk")

    def test_elsewhere_is_closed(self):
        with harness.Server(engine=False, BIND=PUBLIC) as server:
            for fields in ({}, bearer("whatever")):
                reply = self.upload(fields, server)
                self.assertEqual(403, reply.status)
                self.assertIn("API_KEYS", json.loads(reply.body)["error"])
            self.assertEqual(200, server.request("GET", "/v1/health").status)
            run = server.request("POST", "/run", {"sessionId": "s", "code": "x"})
            self.assertEqual(403, run.status)
            self.assertIn("EXECUTOR_API_KEY", json.loads(run.body)["message"])


class PublicTest(Case):
    """Bound elsewhere, with keys of both kinds. Who may run gets as far as the engine, which is not there."""
    secrets = ("S3cret-of-alice-Run", "S3cret-of-the-Executor")
    settings = {"BIND": PUBLIC, "API_KEYS": "S3cret-of-alice-Run:alice:100:1000", "EXECUTOR_API_KEY": "S3cret-of-the-Executor",
                "DOCKER_SOCKET_PATH": "/nonexistent/engine.sock"}

    def run_code(self, fields):
        return self.server.request("POST", "/run", {"sessionId": "s", "code": "true"}, fields).status

    def test_who_may_run(self):
        read_only = self.ctl("add", "reader", "--scopes", "read").strip()
        self.tokens.append(read_only)
        for fields, allowed in ((bearer("S3cret-of-alice-Run"), True), ({"X-API-Key": "S3cret-of-the-Executor"}, True), ({}, False),
                                ({"X-API-Key": "s3cret-of-the-executor"}, False), ({"X-API-Key": "S3cret-of-alice-Run"}, False),
                                (bearer("S3cret-of-the-Executor"), False), (bearer("S3cret-of-alice-Rum"), False)):
            self.assertEqual(allowed, self.run_code(fields) not in (401, 403), fields)
            self.assertEqual(401, self.run_code({"X-API-Key": ""}))
        self.assertEqual(403, self.run_code(bearer(read_only)))
        self.assertEqual(200, self.upload(bearer("S3cret-of-alice-Run")).status)
        self.refused(self.upload({"X-API-Key": "S3cret-of-the-Executor"}), 401, "missing bearer token")


class FileTest(Case):
    """The keys file and mayflyctl."""

    def setUp(self):
        if os.path.exists(self.keys_file):
            os.remove(self.keys_file)

    def add(self, *arguments):
        token = self.ctl("add", *arguments)
        self.assertRegex(token, r"\Amf_[A-Za-z0-9_-]{43}\n\Z")
        self.tokens.append(token.strip())
        return token.strip()

    def test_add_list_revoke(self):
        self.assertEqual(200, self.upload().status, "open as long as there is none")
        token = self.add("alice")
        self.assertNotIn(token, self.said)
        self.refused(self.upload(), 401, "missing bearer token")
        self.assertEqual(200, self.upload(bearer(token)).status)
        second = self.add("bob", "--rate", "0.5", "--burst", "7", "--scopes", "run,read,admin", "--days", "30")
        self.assertEqual(200, self.upload(bearer(second)).status)
        with open(self.keys_file, encoding="ascii") as file:
            text = file.read()
        for known in (token, token[3:], second):
            self.assertNotIn(known, text)
        self.assertIn(hashlib.sha256(token.encode()).hexdigest(), text)
        self.assertEqual(0o600, os.stat(self.keys_file).st_mode & 0o7777 & ~0o040)
        rows = {row["label"]: row for row in json.loads(self.ctl("list", "--json"))}
        self.assertEqual({"alice", "bob"}, set(rows))
        self.assertEqual(("0.5", 7, "run,read,admin"), (rows["bob"]["rate"], rows["bob"]["burst"], rows["bob"]["scopes"]))
        self.assertEqual(("5", 20, "run,read", "never"), tuple(rows["alice"][name] for name in ("rate", "burst", "scopes", "expires")))
        shown = self.ctl("list")
        self.assertIn("alice", shown)
        self.assertNotIn(hashlib.sha256(token.encode()).hexdigest(), shown)
        self.ctl("revoke", rows["alice"]["id"])
        self.refused(self.upload(bearer(token)), 401, "invalid token")
        self.assertEqual(200, self.upload(bearer(second)).status)
        self.ctl("revoke", "bob")
        self.assertIn("It was the last one", self.said)
        self.refused(self.upload(), 401, "missing bearer token")
        self.assertEqual([], json.loads(self.ctl("list", "--json")))
        self.ctl("revoke", "bob", status=65)
        self.assertIn("no key", self.said)

    def test_label_of_two(self):
        self.add("twin")
        self.add("twin")
        self.ctl("revoke", "twin", status=65)
        self.assertEqual(2, len(json.loads(self.ctl("list", "--json"))))

    def test_scopes(self):
        reader = self.add("reader", "--scopes", "read")
        reply = self.upload(bearer(reader))
        self.refused(reply, 403, 'this key lacks the scope "run"')
        self.assertEqual(200, self.upload(bearer(self.add("admin", "--scopes", "admin"))).status, "admin includes the others")

    def test_expiry(self):
        token = self.add("brief", "--days", "1")
        self.assertEqual(200, self.upload(bearer(token)).status)
        with open(self.keys_file, encoding="ascii") as file:
            text = file.read()
        expires = re.search(r" (\d{10}) brief", text)[1]
        self.assertLess(abs(int(expires) - time.time() - 86400), 60)
        with open(self.keys_file, "w", encoding="ascii") as file:
            file.write(text.replace(expires, str(int(time.time()))))
        self.refused(self.upload(bearer(token)), 401, "invalid token")
        self.assertIn("expired", self.ctl("list"))

    def test_bad_arguments(self):
        for arguments in ((), ("add",), ("add", "a b"), ("add", "x" * 65), ("add", "x", "--rate"), ("add", "x", "--rate", "0"),
                          ("add", "x", "--rate", "-1"), ("add", "x", "--burst", "0"), ("add", "x", "--scopes", "fly"),
                          ("add", "x", "--scopes", "run,"), ("add", "x", "--scopes", ""), ("add", "x", "--days", "0"),
                          ("add", "x", "--what", "1"), ("add", "x", "--jobs", "0"), ("add", "x", "--cpu", "x"), ("list", "x"), ("revoke",), ("fly",)):
            self.ctl(*arguments, status=64)
        self.assertFalse(os.path.exists(self.keys_file))

    def test_mistakes_close(self):
        os.makedirs(os.path.dirname(self.keys_file), exist_ok=True)
        with open(self.keys_file, "w", encoding="ascii") as file:
            file.write("this is no key\n")
        self.refused(self.upload(), 401, "missing bearer token")
        self.ctl("list")
        self.assertIn("1 lines", self.said)
        os.remove(self.keys_file)
        os.mkdir(self.keys_file)
        try:
            reply = self.upload()
            self.assertEqual(500, reply.status)
            self.assertIn("cannot be read", json.loads(reply.body)["error"])
        finally:
            os.rmdir(self.keys_file)

    def test_many_at_once(self):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            tokens = list(pool.map(lambda i: self.add(f"key{i}"), range(16)))
        self.assertEqual(16, len(json.loads(self.ctl("list", "--json"))))
        self.assertEqual([200] * 16, [self.upload(bearer(token)).status for token in tokens])


class SecretsTest(Case):
    def test_credential(self):
        folder = os.path.join(self.server.folder, "credentials")
        os.mkdir(folder, 0o700)
        with open(os.path.join(folder, "API_KEYS"), "w", encoding="ascii") as file:
            file.write("S3cret-Credential:alice:1:10\n")
        self.tokens.append("S3cret-Credential")
        with harness.Server(engine=False, CREDENTIALS_DIRECTORY=folder) as server:
            self.refused(self.upload(server=server), 401, "missing bearer token")
            self.assertEqual(200, self.upload(bearer("S3cret-Credential"), server).status)
            self.assertNotIn("S3cret", server.logs())

    def test_mistake_in_api_keys(self):
        with harness.Server(engine=False, API_KEYS="S3cret-Good:alice:1:1,S3cret-Bad:bob:fast:1") as server:
            reply = self.upload(bearer("S3cret-Good"), server)
            self.assertEqual(500, reply.status)
            self.assertIn("entry 2", json.loads(reply.body)["error"])
            self.assertNotIn(b"S3cret", reply.body)
            self.assertNotIn("S3cret", server.logs())


class RateTest(Case):
    engine = True
    secrets = ("S3cret-Slow", "S3cret-Busy", "S3cret-Other")
    settings = {"API_KEYS": "S3cret-Slow:slow:0.5:3,S3cret-Busy:busy:0.001:20,S3cret-Other:other:0.001:2"}

    def ask(self, token):
        """A run that costs a token and is then refused for its body."""
        return self.server.request("POST", "/v1/runs", {}, bearer(token))

    def test_burst_then_the_real_wait(self):
        for _ in range(3):
            self.refused(self.ask("S3cret-Slow"), 400, "language is required")
        reply = self.ask("S3cret-Slow")
        self.refused(reply, 429, "rate limit exceeded")
        self.assertEqual(b'{"error":"rate limit exceeded","data":null}', reply.body)
        wait = int(reply.headers["retry-after"])
        self.assertIn(wait, (1, 2))
        time.sleep(wait)
        self.assertEqual(400, self.ask("S3cret-Slow").status, "after Retry-After there is one again")
        self.refused(self.ask("S3cret-Other"), 400, "language is required")
        self.assertEqual(401, self.server.request("POST", "/v1/runs", {}).status)

    def test_every_route_that_runs_or_stores(self):
        """One token: the first request is answered, however it is; the second is not."""
        file, agent = "/sessions/0123456789ab/files", "/api/v1/ai/agents/a/auto-run"
        costs = (("POST", "/run"), ("POST", "/tools/execute"), ("POST", "/execute"), ("POST", "/session/create"), ("POST", "/session/execute"),
                 ("POST", file), ("PUT", file + "/a"), ("POST", "/v1/runs"), ("POST", "/v1/files"), ("POST", "/validate"), ("POST", agent))
        free = (("GET", "/sessions"), ("GET", file), ("DELETE", file + "/a"), ("POST", "/session/destroy"), ("GET", "/v1/runs"),
                ("GET", "/api/v1/ai/agents/a/runs"), ("GET", "/metrics"))
        for method, path in costs + free:
            with self.subTest(f"{method} {path}"):
                token = self.ctl("add", "once", "--rate", "0.001", "--burst", "1").strip()
                self.tokens.append(token)
                replies = [self.server.request(method, path, b"{" if method != "GET" else None, bearer(token)) for _ in range(2)]
                self.assertNotEqual(429, replies[0].status)
                self.assertEqual((method, path) in costs, replies[1].status == 429, replies)
                if replies[1].status == 429:
                    self.assertIn(b'"rate limit exceeded"', replies[1].body)
                    self.assertTrue(900 <= int(replies[1].headers["retry-after"]) <= 1000)

    def rows(self):
        return {row["label"]: row for row in json.loads(self.ctl("list", "--json"))}

    def test_quotas(self):
        """How many jobs at once and how much CPU time, on every route that runs; the reply says which of them."""
        code = {"language": "python", "code": "while True: pass"}
        tenant = {"tenant_id": "t", "scope": "s"}
        runs = (("/run", {"sessionId": "s", **code, "timeout": 3}), ("/tools/execute", {"tool": "code_execution", "sessionId": "s", **code}),
                ("/execute", {**tenant, **code}), ("/session/create", tenant), ("/v1/runs", code), ("/validate", {"language": "js", "files": {"a.js": "1"}}),
                ("/api/v1/ai/agents/a/auto-run", {}))
        token = self.ctl("add", "bound", "--jobs", "1", "--cpu", "1", "--rate", "1000", "--burst", "1000").strip()
        self.tokens.append(token)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            busy = pool.submit(self.server.request, "POST", *runs[0], bearer(token))
            harness.until(lambda: self.rows()["bound"]["running"] == 1, "it runs")
            for path, body in runs:
                reply = self.server.request("POST", path, body, bearer(token))
                self.assertEqual(429, reply.status, (path, reply))
                self.assertIn(b"job limit exceeded: this key runs at most 1 jobs at once", reply.body)
                self.assertEqual("1", reply.headers["retry-after"])
            self.assertEqual(200, busy.result().status)
        for path, body in runs:
            reply = self.server.request("POST", path, body, bearer(token))
            self.assertEqual(429, reply.status, (path, reply))
            self.assertIn(b"CPU limit exceeded: this key has 1 CPU seconds an hour", reply.body)
            self.assertTrue(3000 < int(reply.headers["retry-after"]) <= 3600)
        row = self.rows()["bound"]
        self.assertEqual((0, 1, 1), (row["running"], row["jobs"], row["cpu"]))
        self.assertGreaterEqual(row["cpu_used"], 1)
        self.assertRegex(self.ctl("list"), r"bound +1000 +1000 +0 of 1 +[12]\.[0-9] of 1 +run,read")

    def test_exact_under_concurrency(self):
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            replies = list(pool.map(lambda _: self.ask("S3cret-Busy"), range(64)))
        self.assertEqual({400: 20, 429: 44}, {status: [reply.status for reply in replies].count(status) for status in (400, 429)})
        for reply in replies:
            if reply.status == 429:
                self.assertTrue(900 <= int(reply.headers["retry-after"]) <= 1000, reply)

    def test_buckets_are_tidied(self):
        token = self.ctl("add", "brief", "--rate", "1000", "--burst", "1").strip()
        self.tokens.append(token)
        buckets = os.path.join(self.server.run, "buckets")
        before = set(os.listdir(buckets)) if os.path.isdir(buckets) else set()
        self.assertEqual(400, self.ask(token).status)
        mine, = set(os.listdir(buckets)) - before
        self.assertNotIn(hashlib.sha256(token.encode()).hexdigest()[:12], mine)
        self.ctl("revoke", "brief")
        done = self.server.reap()
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertNotIn(mine, os.listdir(buckets), "full again, so it goes")


if __name__ == "__main__":
    harness.main()
