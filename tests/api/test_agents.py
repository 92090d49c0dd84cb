"""The agents API, agent runs, over real HTTP and real Podman: the record, the four validators, the program and its read-only folder, limits, lists, streams, tokens."""
import base64
import concurrent.futures
import hashlib
import hmac
import json
import os
import re
import time

import harness

RECORD = ["id", "agentId", "startedAt", "finishedAt", "status", "logs", "validationResults", "testResult", "exitCode", "stdout", "stderr", "usage", "artifacts"]
APP = {"html": "<html><body></body></html>", "css": "body { margin: 0 }", "javascript": "const answer = 6 * 7;"}
LONG = 120  # seconds, for a run on a busy machine
ROOT = "/api/v1/ai/agents/"


class AgentsTest(harness.ServerTest):
    headers = {}

    def post(self, body, agent="a", headers=None):
        return self.server.request("POST", f"{ROOT}{agent}/auto-run", body, {**self.headers, **(headers or {})}, timeout=LONG)

    def run_test(self, test, agent="a", frontend=None, headers=None, **more):
        """The record of a run, whose answer has the right shape."""
        body = {"frontend": APP if frontend is None else frontend, "test": test, **more}
        reply = self.post(body, agent, headers)
        self.assertEqual(reply.status, 200, (reply.body[:500], self.server.logs()[-1500:]))
        answer = json.loads(reply.body)
        self.assertEqual(["success", "message", "data"], list(answer))
        self.assertEqual((True, "Agent run started"), (answer["success"], answer["message"]))
        return answer["data"]

    def get(self, path, headers=None):
        return self.server.request("GET", ROOT + path, headers={**self.headers, **(headers or {})})

    def runs(self, agent="a", headers=None):
        reply = self.get(f"{agent}/runs", headers)
        self.assertEqual(reply.status, 200, reply.body)
        answer = json.loads(reply.body)
        self.assertEqual((["success", "data"], True), (list(answer), answer["success"]))
        return answer["data"]["runs"]

    def refused(self, reply, status, message):
        answer = json.loads(reply.body)
        self.assertEqual((status, False, message), (reply.status, answer["success"], answer["message"]))
        return answer

    @staticmethod
    def texts(record):
        """The log lines without their dates, which are checked."""
        matches = [re.fullmatch(r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] (.*)", line) for line in record["logs"]]
        return [match.group(1) for match in matches]


class Runs(AgentsTest):
    environment = {"MAYFLY_SLOT_WAIT_MS": "60000", "DEBUG_UI": "true"}

    def test_health(self):
        reply = self.server.request("GET", "/api/v1/health")
        answer = json.loads(reply.body)
        self.assertEqual((200, ["status", "timestamp", "version"], "OK"), (reply.status, list(answer), answer["status"]))
        self.assertRegex(answer["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def test_artifacts(self):
        code = ("const fs = require('fs'), out = process.env.OUTPUT_DIR; fs.writeFileSync(out + '/shot 1.png', Buffer.from([0x89, 80])); fs.mkdirSync(out + '/d');"
                "fs.writeFileSync(out + '/d/é.txt', 'mine'); fs.writeFileSync(out + '/index.html', 'other'); fs.symlinkSync('/etc/passwd', out + '/link')")
        for more, status in (("", "completed"), ("; process.exit(1)", "failed")):
            record = self.run_test(code + more, "art")
            self.assertEqual(status, record["status"], record)
            self.assertEqual(["index.html", "style.css", "script.js", "index.html", "shot 1.png", "d/é.txt"], [entry["name"] for entry in record["artifacts"]])
            for entry in record["artifacts"]:
                self.assertEqual(entry["size"], len(self.server.fetch(entry["url"])), entry)
            self.assertEqual([b"other", b"\x89P", b"mine"], [self.server.fetch(entry["url"]) for entry in record["artifacts"][3:]])
            self.assertIn(b"<html", self.server.fetch(record["artifacts"][0]["url"]))
            self.assertEqual(record, json.loads(self.get(f"art/runs/{record['id']}").body)["data"])
            url = record["artifacts"][4]["url"].split(self.server.host, 1)[1]
            page = self.server.request("GET", url + "?view")
            self.assertEqual((200, "text/html; charset=utf-8"), (page.status, page.headers["content-type"]))
            listed = json.loads(self.server.request("GET", url.rsplit("/", 1)[0] + "?list").body)["files"]
            self.assertEqual({"stdout", "stderr", "run/index.html", "run/style.css", "run/script.js", "index.html", "shot 1.png", "d/é.txt"}, {row["path"] for row in listed})

    def test_record(self):
        before = time.time() * 1000
        record = self.run_test("console.log('out'); console.error('err')", "shape")
        self.assertEqual(RECORD, list(record))
        self.assertTrue(before - 1 <= int(record["id"]) <= time.time() * 1000)
        self.assertLess(record["startedAt"], record["finishedAt"])
        self.assertEqual(("shape", "completed", 0, "out\n", "err\n"), tuple(record[key] for key in ("agentId", "status", "exitCode", "stdout", "stderr")))
        self.assertEqual(["syntax", "structure", "security", "performance"], list(record["validationResults"]))
        for check in record["validationResults"].values():
            self.assertEqual((["passed", "message", "details"], True), (list(check), check["passed"]), check)
        self.assertEqual({"passed": True, "summary": "All basic checks passed"}, {key: record["testResult"][key] for key in ("passed", "summary")})
        texts = self.texts(record)
        self.assertEqual([f"Starting agent run {record['id']}", "Running validation checks"], texts[:2])
        self.assertEqual("Tests PASSED - All basic checks passed", texts[-1])
        self.assertIn("Security: No issues found", texts)

    def test_prompt_is_kept_and_unknown_keys_are_not(self):
        record = self.run_test("0", "prompt", prompt="make\nme \u00e9", other={"a": 1})
        self.assertEqual("make\nme \u00e9", record["prompt"])
        self.assertEqual(set(RECORD) | {"prompt"}, set(record))
        self.assertEqual(record, json.loads(self.get(f"prompt/runs/{record['id']}").body)["data"])

    def test_nothing_given_is_run_with_the_basic_test(self):
        for body in ({}, b""):
            reply = json.loads(self.post(body, "empty").body)["data"]
            self.assertEqual(("failed", -1, "The test was not run: structure did not pass"), (reply["status"], reply["exitCode"], reply["testResult"]["summary"]))
            self.assertFalse(reply["validationResults"]["structure"]["passed"])
        raw = self.server.raw(f"POST {ROOT}empty/auto-run HTTP/1.1\r\nHost: {self.server.host}\r\n\r\n".encode())
        self.assertIn(b'"The test was not run: structure did not pass"', raw, "no length is no body")
        self.assertEqual("completed", self.run_test("", "basic")["status"])

    def test_a_test_that_fails(self):
        record = self.run_test("process.stdout.write('so far'); process.exit(3)")
        self.assertEqual(("failed", 3, False, "so far"), (record["status"], record["exitCode"], record["testResult"]["passed"], record["stdout"]))
        self.assertEqual("Tests FAILED - Test exited with code 3", self.texts(record)[-1])

    def test_what_did_not_pass_is_not_run(self):
        for validator, frontend, is_run in (
                ("syntax", {"javascript": "let answer = ;"}, False), ("structure", {"html": "<p>"}, False), ("structure", {"css": "body"}, False),
                ("structure", {"javascript": "let é = 1;"}, False), ("security", {"javascript": "const a = eval('1');"}, False),
                ("performance", {"css": "a {}" + " " * 100000}, True)):
            with self.subTest(validator, frontend=str(frontend)[:40]):
                record = self.run_test("console.log('was run')", "judged", {**APP, **frontend})
                self.assertEqual([validator], [name for name, check in record["validationResults"].items() if not check["passed"]])
                summary = "All basic checks passed" if is_run else f"The test was not run: {validator} did not pass"
                self.assertEqual(("completed", 0, "was run\n", True, summary) if is_run else ("failed", -1, "", False, summary),
                                 (record["status"], record["exitCode"], record["stdout"], record["testResult"]["passed"], record["testResult"]["summary"]))
                self.assertEqual(f"Tests {'PASSED' if is_run else 'FAILED'} - {summary}", self.texts(record)[-1])
                self.assertEqual(["index.html", "style.css", "script.js"], [entry["name"] for entry in record["artifacts"]], "the page is kept in either case")
                self.assertEqual(frontend.get("html", APP["html"]).encode(), self.server.fetch(record["artifacts"][0]["url"]))
                self.assertEqual(record, json.loads(self.get(f"judged/runs/{record['id']}").body)["data"])

    def test_languages_of_the_test(self):
        write = "print(len(open('index.html').read())); import os, sys; open(os.environ['OUTPUT_DIR'] + '/made', 'w').write(__file__); sys.exit(3)"
        go = 'package main\nimport ("fmt"; "os")\nfunc main() { page, _ := os.ReadFile("index.html"); fmt.Println(len(page)); os.WriteFile(os.Getenv("OUTPUT_DIR") + "/made", nil, 0o600); os.Exit(0) }'
        for language, test, file, code in (
                ("node", "console.log(26)", "test.js", 0), ("JS", "console.log(26)", "test.js", 0), ("python", write, "test.py", 3), ("py", write, "test.py", 3),
                ("bun", "const n: number = 26; console.log(n)", "test.ts", 0), ("bash", "wc -c < index.html", "test.sh", 0), ("ruby", "puts 26", "test.rb", 0),
                ("php", "<?php echo 26;", "test.php", 0), ("go", go, "main.go", 0)):
            with self.subTest(language):
                record = self.run_test(test, "languages", language=language)
                self.assertEqual((code, "26"), (record["exitCode"], record["stdout"].strip()), record)
                self.assertEqual("made" in test, "made" in [entry["name"] for entry in record["artifacts"]])
                self.assertRegex(" ".join(self.texts(record)), rf"Running \w+ {file}")
        self.refused(self.post({"frontend": APP, "test": "1", "language": "cobol"}), 400, "Unsupported language: cobol")

    def test_validators(self):
        script = "let a = ;\neval('1');\nx.innerHTML   = 1; document.write(2)\ndangerouslysetinnerhtml"
        record = self.run_test("0", frontend={"html": "<p>", "css": "body", "javascript": script + " " * 100000})
        results = record["validationResults"]
        self.assertEqual([False] * 4, [check["passed"] for check in results.values()])
        self.assertIn("SyntaxError: Unexpected token ';'", results["syntax"]["details"]["errors"][0]["output"])
        self.assertEqual({"hasHtml": False, "hasScript": True, "hasCss": False}, results["structure"]["details"])
        self.assertTrue(results["security"]["details"]["hasDangerousPatterns"])
        self.assertEqual([("eval()", 2), ("innerHTML assignment", 3), ("document.write", 3), ("dangerouslySetInnerHTML", 4)],
                         [(hit["message"], hit["line"]) for hit in results["security"]["details"]["hits"]])
        self.assertEqual({"html": 3, "css": 4, "javascript": len(script) + 100000}, results["performance"]["details"]["sizes"])
        texts = self.texts(record)
        self.assertEqual([check["message"] + (" - " + ", ".join(f"{kind} detected" for kind in check["details"]["found"]) if "found" in check["details"] else "")
                          for check in results.values()], texts[2:6], "the log has the messages")
        self.assertEqual(("Syntax: Syntax errors in script.js", "Security: Issues found"), (results["syntax"]["message"], results["security"]["message"]))
        self.assertEqual(["eval()", "innerHTML assignment", "document.write", "dangerouslySetInnerHTML"], results["security"]["details"]["found"])
        self.assertEqual("failed", record["status"])

    def test_the_folder_is_read_only(self):
        test = """
            const fs = require('fs'), run = (name, change) => { try { change(); console.log(name, 'worked') } catch (error) { console.log(name, error.code) } };
            console.log(process.cwd(), fs.readdirSync('.').join(), fs.readFileSync('index.html', 'utf8').length);
            run('write', () => fs.writeFileSync('index.html', ''));
            run('create', () => fs.writeFileSync('new', ''));
            run('mkdir', () => fs.mkdirSync('new'));
            run('rename', () => fs.renameSync('index.html', 'x'));
            run('rename folder', () => fs.renameSync('../run', '../x'));
            run('unlink', () => fs.unlinkSync('index.html'));
            run('chmod', () => fs.chmodSync('index.html', 0o666));
            run('chmod folder', () => fs.chmodSync('.', 0o777));
            run('utimes', () => fs.utimesSync('index.html', 1, 1));
            run('link', () => fs.linkSync('index.html', process.env.OUTPUT_DIR + '/l'));
            const fd = fs.openSync('index.html', 'r');
            fs.fchmodSync(fd, 0o666);
            console.log((fs.fstatSync(fd).mode & 0o777).toString(8), fs.existsSync('index.html'));
            run('sh', () => require('child_process').execFileSync('sh', ['-c', 'chmod 777 . ; echo x > new'], {stdio: 'ignore'}));
            run('output', () => fs.writeFileSync(process.env.OUTPUT_DIR + '/a', 'x'));
            run('copy', () => fs.copyFileSync('index.html', process.env.OUTPUT_DIR + '/copy'));
            run('tmp', () => fs.writeFileSync('/tmp/a', 'x'));
        """
        for attempt in range(2):
            record = self.run_test(test)
            self.assertEqual(
                ["/workspace/run index.html,script.js,style.css,test.js 26", "write EACCES", "create EACCES", "mkdir EACCES", "rename EACCES", "rename folder EACCES",
                 "unlink EACCES", "chmod EPERM", "chmod folder EPERM", "utimes EPERM", "link EPERM", "444 true", "sh undefined", "output worked", "copy worked",
                 "tmp worked"], record["stdout"].splitlines(), (attempt, record["stderr"]))

    def test_limits_from_inside(self):
        record = self.run_test("""
            const fs = require('fs'), read = (...names) => { for (const name of names) try { return fs.readFileSync(name, 'utf8').trim() } catch {} };
            console.log(read('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'));
            const [quota, period] = (read('/sys/fs/cgroup/cpu.max') ?? read('/sys/fs/cgroup/cpu/cpu.cfs_quota_us') + ' ' + read('/sys/fs/cgroup/cpu/cpu.cfs_period_us')).split(' ');
            console.log(quota / period, process.getuid() > 10000, read('/proc/net/dev').match(/\\S+(?=:)/g).join());
            console.log(read('/proc/self/status').match(/CapEff.*|NoNewPrivs.*|Seccomp:.*/g).join().replace(/\\s+/g, ''));
        """)
        self.assertEqual([str(256 << 20), "0.5 true lo", "CapEff:0000000000000000,NoNewPrivs:1,Seccomp:2"], record["stdout"].splitlines(), record["stderr"])

    def test_memory(self):
        record = self.run_test("const all = []; for (;;) all.push(Buffer.alloc(1 << 24, 1))")
        self.assertEqual(("failed", 137, "The test ran out of memory (limit 256 MB)"), (record["status"], record["exitCode"], record["testResult"]["summary"]))

    def test_output_of_any_bytes(self):
        record = self.run_test("process.stdout.write(Buffer.from([0x61, 0, 0xff, 0x22, 0x0a]))", "bytes")
        self.assertEqual("a\0\ufffd\"\n", record["stdout"])
        self.assertEqual(record, json.loads(self.get(f"bytes/runs/{record['id']}").body)["data"])
        self.assertEqual(record, self.events("bytes", record["id"])[-1]["data"])

    def test_a_flood_is_cut(self):
        record = self.run_test("process.stdout.write('x'.repeat(3 << 20))", "flood")
        self.assertEqual((1 << 20, True), (len(record["stdout"]), record["testResult"]["details"]["stdoutTruncated"]))

    def test_lists(self):
        self.assertEqual([], self.runs("lists"))
        ids = [self.run_test("0", "lists")["id"] for _ in range(3)]
        self.assertEqual(ids[::-1], self.runs("lists"), "the newest first")
        self.assertEqual([], self.runs("lists2"), "another agent's")
        self.refused(self.get(f"lists2/runs/{ids[0]}"), 404, "Run not found")
        reply = json.loads(self.get("lists/runs").body)["data"]
        self.assertEqual({"agentId": "lists", "runs": ids[::-1]}, reply)

    def test_ids_are_unique_under_concurrency(self):
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            records = list(pool.map(lambda i: self.run_test(f"console.log({i})", f"many{i % 2}"), range(8)))
        self.assertEqual(8, len({record["id"] for record in records}))
        self.assertEqual([f"{i}\n" for i in range(8)], [record["stdout"] for record in records])
        self.assertEqual({record["id"] for record in records}, {*self.runs("many0"), *self.runs("many1")})

    def events(self, agent, run):
        reply = self.get(f"{agent}/runs/{run}/stream", {"Accept": "text/event-stream"})
        self.assertEqual((200, "text/event-stream"), (reply.status, reply.headers["content-type"]))
        text = reply.body.decode()
        self.assertTrue(text.endswith("\n\n"))
        blocks = text[:-2].split("\n\n")
        self.assertTrue(all(block.startswith("data: ") and "\n" not in block for block in blocks), blocks)
        return [json.loads(block[6:]) for block in blocks]

    def test_stream_of_a_run_replays_and_ends(self):
        record = self.run_test("0", "stream", prompt='"status":"x","logs":["y"],"validationResults":')
        self.assertEqual([{"type": "logs", "data": record["logs"]}, {"type": "status", "data": "completed"}, {"type": "end", "data": record}],
                         self.events("stream", record["id"]))
        head = self.server.request("HEAD", f"{ROOT}stream/runs/{record['id']}/stream")
        self.assertEqual((200, b""), (head.status, head.body))
        self.refused(self.get("stream/runs/1/stream"), 404, "Run not found")

    def test_no_such_route(self):
        for method, path in (("GET", "/api/v1/nothing"), ("GET", f"{ROOT}a"), ("GET", f"{ROOT}a/auto-run"), ("POST", f"{ROOT}a/runs"),
                             ("GET", f"{ROOT}a/runs/1/other"), ("POST", f"{ROOT}a/auto-run/"), ("GET", "/api/v1/")):
            with self.subTest(f"{method} {path}"):
                answer = self.refused(self.server.request(method, path, {} if method == "POST" else None), 404, "Route not found")
                self.assertEqual(["success", "message", "path"], list(answer))
                self.assertEqual(path, answer["path"])

    def test_no_such_run(self):
        for run in ("1", "0", "x", "-1", "..", "%2e%2e", "99999999999999999999", "1%00", "run_0123456789ab"):
            with self.subTest(run):
                self.assertEqual({"success": False, "message": "Run not found"}, self.refused(self.get(f"a/runs/{run}"), 404, "Run not found"))

    def test_hostile_agent_ids(self):
        for agent in ("%2e%2e", "..", ".", "%2fetc", "a%2fb", "a%5c%2e%2e%2f", "a%00", "a%0a", "%ff", "x" * 129, ".hidden"):
            with self.subTest(agent):
                self.refused(self.get(f"{agent}/runs"), 400, "Invalid agent id")
                self.refused(self.post({}, agent), 400, "Invalid agent id")
        for agent in ("x" * 128, "%3Cb%3E", "a%20b", "-rf", "%E2%80%AEx", "con:1"):
            with self.subTest(agent):
                self.assertEqual([], self.runs(agent))

    def test_bad_requests(self):
        for body, word in ((b"{", None), (b"[]", "the body must be an object"), ({"frontend": 1}, "frontend must be an object"),
                           ({"frontend": {"html": 1}}, "frontend.html must be a string"), ({"frontend": {"css": None}}, "frontend.css must be a string"),
                           ({"test": ["x"]}, "test must be a string"), ({"prompt": {}}, "prompt must be a string"),
                           ({"prompt": "x" * 65537}, "prompt exceeds 65536 bytes")):
            with self.subTest(str(body)[:40]):
                reply = self.post(body, "bad")
                answer = json.loads(reply.body)
                self.assertEqual((400, ["success", "message"], False), (reply.status, list(answer), answer["success"]))
                if word:
                    self.assertEqual(word, answer["message"])
        reply = self.post(b" " * (4 * 1024 * 1024 + 1), "bad")
        self.assertEqual((413, False), (reply.status, json.loads(reply.body)["success"]))
        self.assertEqual([], self.runs("bad"), "what was refused is no run")

    def test_a_client_that_goes_leaves_no_run(self):
        body = json.dumps({"test": "setTimeout(() => 0, 25000)"}).encode()
        connection = self.server.connect()
        connection.sendall(f"POST {ROOT}gone/auto-run HTTP/1.1\r\nHost: {self.server.host}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        harness.until(lambda: self.server.podman.containers(self.server.instance), "a container")
        connection.close()
        self.assertEqual({}, self.server.leaks())
        self.assertEqual([], self.runs("gone"))


class Configured(AgentsTest):
    """The operator's files: a limit, a broken image."""

    def put(self, name, **fields):
        folder = os.path.join(self.server.folder, "config/templates.d")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
            json.dump({"description": "x", "image": harness.IMAGE, "timeout_s": 30, "timeout_max_s": 30, "memory_mb": 128, **fields}, file)

    def test_time(self):
        self.put("agent", timeout_s=1)
        record = self.run_test("console.log('begun'); for (;;);", "time")
        self.assertEqual(("failed", -1, "begun\n"), (record["status"], record["exitCode"], record["stdout"]))
        self.assertEqual("Timed out after 1s", record["testResult"]["summary"])
        self.assertTrue(record["testResult"]["details"]["timedOut"])
        record = self.run_test("require('fs').writeSync(2, 'e'.repeat(2 << 20)); for (;;);", "time")
        self.assertEqual((1 << 20, True, "Timed out after 1s"),
                         (len(record["stderr"]), record["testResult"]["details"]["stderrTruncated"], record["testResult"]["summary"]))

    def test_what_cannot_be_run_is_an_error_of_ours_and_is_recorded(self):
        self.put("agent", image="localhost/mayfly-there-is-none:latest")
        reply = self.post({"frontend": APP, "test": "0"}, "broken")
        answer = json.loads(reply.body)
        self.assertEqual((500, ["success", "message"], False), (reply.status, list(answer), answer["success"]))
        run = self.runs("broken")
        self.assertEqual(1, len(run))
        record = json.loads(self.get(f"broken/runs/{run[0]}").body)["data"]
        self.assertEqual((RECORD, "error", -1), (list(record), record["status"], record["exitCode"]))
        self.assertTrue(record["validationResults"]["syntax"]["passed"])
        self.assertIn("Error: ", self.texts(record)[-1])


class Pooled(AgentsTest):
    environment = {"MAYFLY_POOL": "1"}

    def claims(self):
        return json.loads(self.server.request("GET", "/metrics").body)["metrics"]["pool"]["claims"]

    @classmethod
    def tearDownClass(cls):
        """Pooled containers wait; the server's own close removes them."""

    def test_parser_and_program_wait(self):
        test = "try { require('fs').writeFileSync('x', '') } catch (error) { console.log(error.code) } console.log(require('fs').readFileSync('script.js', 'utf8'))"
        for attempt in range(3):
            record = self.run_test(test, frontend={**APP, "javascript": f"'the script {attempt}'"})
            self.assertEqual(f"EACCES\n'the script {attempt}'\n", record["stdout"], "the same where it was started ahead")
            self.assertTrue(record["validationResults"]["syntax"]["passed"])
            harness.until(lambda: not self.server.processes(), "pooled containers made")
        self.assertEqual(4, self.claims(), "two of each run but the first")
        record = self.run_test("0", frontend={"javascript": "let a = ;"})
        self.assertFalse(record["validationResults"]["syntax"]["passed"])
        harness.until(lambda: not self.server.processes(), "pooled containers made")


SECRET = "a-secret-of-thirty-two-characters"


def encode(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()


def token(claims, header=None, secret=SECRET):
    text = encode({"alg": "HS256", "typ": "JWT"} if header is None else header) + "." + encode(claims)
    return text + "." + encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())


def bearer(claims, **how):
    return {"Authorization": "Bearer " + token(claims, **how)}


class Tokens(AgentsTest):
    environment = {"JWT_SECRET": SECRET}
    headers = bearer({"sub": "ann", "exp": 4102444800})

    def test_without_a_token(self):
        for method, path in (("GET", "a/runs"), ("GET", "a/runs/1"), ("GET", "a/runs/1/stream"), ("POST", "a/auto-run")):
            for headers in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}, {"X-API-Key": SECRET}):
                with self.subTest(f"{method} {path} {headers}"):
                    reply = self.server.request(method, ROOT + path, {} if method == "POST" else None, headers)
                    self.assertEqual({"success": False, "message": "No token provided"}, self.refused(reply, 401, "No token provided"))
                    self.assertEqual("Bearer", reply.headers["www-authenticate"])
        self.assertEqual(200, self.server.request("GET", "/api/v1/health").status)

    def test_bad_tokens(self):
        now = time.time()
        good = token({"sub": "ann"})
        tokens = {
            "expired": token({"exp": now - 1}), "not yet": token({"nbf": now + 1000}), "another secret": token({}, secret="x"),
            "none": encode({"alg": "none"}) + "." + encode({}) + ".", "none, signed": token({}, {"alg": "none"}), "RS256": token({}, {"alg": "RS256"}),
            "HS512": token({}, {"alg": "HS512"}), "crit": token({}, {"alg": "HS256", "crit": ["exp"]}), "exp is text": token({"exp": "4102444800"}),
            "cut": good[:-1], "longer": good + "A", "padded": good + "=", "no dots": "abc", "dots": "..", "the secret": SECRET, "sub is a number": token({"sub": 1}),
        }
        for name, text in tokens.items():
            with self.subTest(name):
                self.refused(self.get("a/runs", {"Authorization": "Bearer " + text}), 401, "Invalid or expired token")
        request = f"GET {ROOT}a/runs HTTP/1.1\r\nHost: {self.server.host}\r\nAuthorization: Bearer {good}\r\nAuthorization: Bearer {good}\r\n\r\n"
        self.assertIn(b" 401 ", self.server.raw(request.encode()).split(b"\r\n")[0], "two fields say who calls")
        self.assertNotIn(good.split(".")[2], self.server.logs())

    def test_good_tokens(self):
        now = time.time()
        for claims in ({}, {"sub": "ann"}, {"exp": now + 1000, "nbf": now - 1, "iat": now + 5}, {"exp": int(now) + 1000.5}):
            self.assertEqual(200, self.get("a/runs", bearer(claims)).status, claims)
        self.assertEqual(200, self.get("a/runs", {"Authorization": "bearer " + token({})}).status, "the scheme in any case")

    def test_a_run_is_its_caller_s(self):
        bob = bearer({"sub": "bob"})
        run = self.run_test("0", "own")["id"]
        self.assertEqual([run], self.runs("own"))
        self.assertEqual([run], self.runs("own", bearer({"sub": "ann"})), "another token of the same subject")
        for other in (bob, bearer({}), bearer({"sub": "Ann"}), bearer({"sub": ""})):
            self.assertEqual([], self.runs("own", other))
            self.refused(self.get(f"own/runs/{run}", other), 404, "Run not found")
            self.refused(self.get(f"own/runs/{run}/stream", other), 404, "Run not found")
        his = self.run_test("1", "own", headers=bob)["id"]
        self.assertEqual(([run], [his]), (self.runs("own"), self.runs("own", bob)))


if __name__ == "__main__":
    harness.main()
