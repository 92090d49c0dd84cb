"""The tools API (src/api/tools/README.md) over real HTTP and real Podman: requests, replies, errors, artifacts, on-disk paths."""
import concurrent.futures
import json
import os
import socket
import urllib.parse

import harness

EXECUTE = {"tool": "code_execution", "sessionId": "s", "language": "python", "code": "print(1)"}


class Run(harness.ServerTest):
    def run_code(self, code, **more):
        reply = self.server.request("POST", "/run", {"sessionId": "s", "code": code, **more})
        self.assertEqual(reply.status, 200, reply.body)
        return json.loads(reply.body)

    def test_reply_shape_is_exact(self):
        reply = self.server.request("POST", "/run", {"sessionId": "s", "language": "python", "code": "print('hi')", "filename": "a.py"})
        result = json.loads(reply.body)
        base = f"http://{self.server.host}/artifacts/s/{result['id']}"
        self.assertRegex(result["id"], r"^[A-Za-z0-9_-]{6}$")
        self.assertEqual(result, {
            "sessionId": "s", "id": result["id"], "exitCode": 0, "output": "hi\n",
            "artifacts": {"inputs": {"a.py": base + "/a.py"}, "outputs": {"stdout": base + "/stdout", "stderr": base + "/stderr"}},
            "usage": result["usage"]})
        self.assertEqual(reply.body, json.dumps(result, separators=(",", ":")).encode(), "compact, in this order")
        self.assertEqual(reply.headers["content-type"], "application/json; charset=utf-8")

    def test_defaults_are_bash_and_script_js(self):
        result = self.run_code("echo $0")
        self.assertEqual(result["output"], "script.js\n")
        self.assertEqual(list(result["artifacts"]["inputs"]), ["script.js"])

    def test_languages(self):
        for language, code, expected in [
                ("python", "import sys; print('py', sys.version_info[0])", "py 3\n"),
                ("node", "console.log('node', typeof process.version)", "node string\n"),
                ("bun", "console.log('bun', typeof Bun.version)", "bun string\n"),
                ("bash", "echo bash ${BASH_VERSION%%.*}", "bash 5\n"),
                ("ruby", "puts \"ruby #{RUBY_VERSION[0]}\"", "ruby 3\n"),
                ("php", "<?php echo 'php ', PHP_MAJOR_VERSION, \"\\n\";", "php 8\n")]:
            with self.subTest(language=language):
                result = self.run_code(code, language=language)
                self.assertEqual((result["exitCode"], result["output"]), (0, expected))

    def test_stdout_and_stderr_in_arrival_order(self):
        code = "import os, time\nfor i in range(5):\n os.write(1, b'o%d ' % i); time.sleep(.02)\n os.write(2, b'e%d ' % i); time.sleep(.02)\n"
        result = self.run_code(code, language="python")
        self.assertEqual(result["output"], "o0 e0 o1 e1 o2 e2 o3 e3 o4 e4 ")

    def test_exit_codes(self):
        for code, expected in [("exit 3", 3), ("kill -TERM $$", 143), ("kill -KILL $$", 137), ("exit 255", 255)]:
            with self.subTest(code=code):
                self.assertEqual(self.run_code(code)["exitCode"], expected)

    def test_output_that_is_not_utf8_becomes_u_fffd_and_stays_as_it_is_on_disk(self):
        result = self.run_code(r"printf 'a\xff\xc3(\x00b\xe2\x82'")
        self.assertEqual(result["output"], "a\ufffd\ufffd(\0b\ufffd")
        self.assertEqual(self.server.output(result), b"a\xff\xc3(\x00b\xe2\x82")

    def test_stdin_is_empty(self):
        self.assertEqual(self.run_code("wc -c")["output"].strip(), "0")

    def test_every_wrong_field_is_listed(self):
        reply = self.server.request("POST", "/run", {"sessionId": "", "code": "", "language": "cobol", "timeout": 0, "filename": "a/b"})
        error = json.loads(reply.body)
        self.assertEqual((reply.status, error["error"]), (400, "Invalid request body"))
        issues = {issue["path"][0]: issue for issue in error["details"]}
        self.assertEqual(set(issues), {"sessionId", "code", "language", "timeout", "filename"})
        self.assertEqual(issues["sessionId"]["message"], "Session ID must not be empty")
        self.assertEqual(issues["code"], {"code": "too_small", "path": ["code"], "message": "Code must not be empty"})
        self.assertEqual(issues["timeout"]["message"], "Timeout must be at least 1 second")
        self.assertEqual(issues["language"]["code"], "invalid_value")

    def test_refusals(self):
        good = {"sessionId": "s", "code": "true"}
        for change, code in [
                ({"sessionId": "x" * 129}, "too_big"), ({"sessionId": "a/b"}, "invalid_value"), ({"sessionId": ".x"}, "invalid_value"),
                ({"sessionId": "a\x07"}, "invalid_value"), ({"sessionId": 5}, "invalid_type"), ({"sessionId": None}, "invalid_type"),
                ({"code": None}, "invalid_type"), ({"code": ["x"]}, "invalid_type"), ({"language": 1}, "invalid_type"),
                ({"language": "pythons"}, "invalid_value"), ({"timeout": 901}, "too_big"), ({"timeout": 1.5}, "invalid_type"),
                ({"timeout": "1"}, "invalid_type"), ({"timeout": -1}, "too_small"), ({"timeout": True}, "invalid_type"),
                ({"filename": ".."}, "invalid_value"), ({"filename": "a/b"}, "invalid_value"), ({"filename": "stdout"}, "invalid_value"),
                ({"filename": "stderr"}, "invalid_value"), ({"filename": ""}, "too_small"), ({"filename": "x" * 256}, "too_big")]:
            with self.subTest(change=change):
                reply = self.server.request("POST", "/run", {**good, **change})
                details = json.loads(reply.body)["details"]
                self.assertEqual((reply.status, [issue["code"] for issue in details], [issue["path"] for issue in details]),
                                 (400, [code], [list(change)]))
        reply = self.server.request("POST", "/run", {**good, "timeout": 901})
        self.assertEqual(json.loads(reply.body)["details"][0]["message"], "Timeout cannot exceed 900 seconds (15 minutes)")

    def test_what_is_not_an_object(self):
        for body in (b"[]", b"1", b"null", b'"x"'):
            with self.subTest(body=body):
                reply = self.server.request("POST", "/run", body)
                self.assertEqual((reply.status, json.loads(reply.body)["details"][0]["path"]), (400, []))

    def test_malformed_json(self):
        for body in (b"", b"{", b'{"sessionId":"s","code":"true"}x', b'{"code":"\\ud800"}', b'{"a":1,"a":2}', b"\xff", b'{"code":"a\\u0000b"}',
                     b"[" * 100000, b'{"timeout":1e999}', b'{"timeout":99999999999999999999}'):
            with self.subTest(body=body[:40]):
                reply = self.server.request("POST", "/run", body)
                error = json.loads(reply.body)
                self.assertEqual((reply.status, error["statusCode"], error["error"]), (400, 400, "Bad Request"))
                self.assertTrue(error["message"])

    def test_a_body_over_the_limit_is_413_and_readable(self):
        reply = self.server.request("POST", "/run", {"sessionId": "s", "code": "#" * 1024 * 1024})
        error = json.loads(reply.body)
        self.assertEqual((reply.status, error["statusCode"], error["error"]), (413, 413, "Content Too Large"))

    def test_unknown_keys_are_ignored(self):
        self.assertEqual(self.run_code("echo x", other={"a": 1}, tool="nothing")["output"], "x\n")

    def test_filename_with_a_leading_dot_and_dash(self):
        for name in (".x", "-c", "a b", "\u00fc\u4e2d.sh", "$(id)"):
            with self.subTest(name=name):
                result = self.run_code("echo ran", filename=name)
                self.assertEqual((result["output"], list(result["artifacts"]["inputs"])), ("ran\n", [name]))
                self.assertEqual(self.server.fetch(result["artifacts"]["inputs"][name]), b"echo ran")

    def test_output_over_the_reply_cap_is_marked_and_whole_on_disk(self):
        result = self.run_code("head -c 3000000 /dev/zero | tr '\\0' x")
        self.assertEqual((len(result["output"]), result["outputTrimmed"]), (1024 * 1024, True))
        self.assertEqual(len(self.server.output(result)), 3000000)

    def test_a_full_output_does_not_swallow_the_time_out(self):
        result = self.run_code("head -c 3000000 /dev/zero | tr '\\0' x; sleep 60", timeout=1)
        self.assertRegex(result["output"], r"^x{1048576}\nExecution timed out after 1\.\d\ds \(timeout was set to 1s\)\n$")
        self.assertEqual((result["exitCode"], result["outputTrimmed"]), (-1, True))


class Execute(harness.ServerTest):
    environment = {"MAYFLY_SLOT_WAIT_MS": "60000"}

    def test_reply_shape_is_exact(self):
        reply = self.server.request("POST", "/tools/execute", {**EXECUTE, "code": "import sys; print('o'); print('e', file=sys.stderr)"})
        result = json.loads(reply.body)
        base = f"http://{self.server.host}/artifacts/s/{result['id']}"
        self.assertEqual(result, {
            "sessionId": "s", "tool": "code_execution", "id": result["id"], "exitCode": 0, "stdout": "o\n", "stderr": "e\n",
            "artifacts": {"inputs": {"script.js": base + "/script.js"},
                          "outputs": {"stdout": base + "/stdout", "stderr": base + "/stderr"}}, "usage": result["usage"]})

    def test_empty_streams_are_left_out_but_downloadable(self):
        result = self.server.execute("true")
        self.assertEqual(set(result), {"sessionId", "tool", "id", "exitCode", "artifacts", "usage"})
        self.assertEqual((self.server.output(result), self.server.output(result, "stderr")), (b"", b""))

    def test_streams_are_trimmed_at_10_kib_at_a_character(self):
        result = self.server.execute("for i in range(5000): print('\u4e2d', end='')", "python")
        self.assertEqual((result["stdout"], result["stdoutTrimmed"]), ("\u4e2d" * 3413, True))
        self.assertNotIn("stderrTrimmed", result)
        exact = self.server.execute("head -c 10240 /dev/zero | tr '\\0' x >&2")
        self.assertEqual(len(exact["stderr"]), 10240)
        self.assertNotIn("stderrTrimmed", exact)

    def test_errors_in_their_order(self):
        for body, error in [
                ({"code": "", "tool": "nope"}, "Invalid request body (agent params)"),
                ({"sessionId": "s"}, "Invalid request body (agent params)"),
                ({"sessionId": "s", "tool": 1}, "Invalid request body (agent params)"),
                ({"sessionId": "s", "tool": "code_execution", "timeout": 0, "code": ""}, "Invalid request body (agent params)"),
                ({"sessionId": "s", "tool": "code_execution", "code": ""}, "Invalid request body (tool params)"),
                ({"sessionId": "s", "tool": "code_execution"}, "Invalid request body (tool params)")]:
            with self.subTest(body=body):
                reply = self.server.request("POST", "/tools/execute", body)
                self.assertEqual((reply.status, json.loads(reply.body)["error"]), (400, error))
        reply = self.server.request("POST", "/tools/execute", {"sessionId": "s", "tool": "nope"})
        self.assertEqual((reply.status, json.loads(reply.body)),
                         (400, {"error": "Unknown tool type: nope", "availableTools": ["code_execution", "document_converter"]}))

    def test_timeout(self):
        result = self.server.execute("echo before; echo err >&2; trap '' TERM; sleep 60", timeout=1)
        self.assertEqual((result["exitCode"], result["stdout"]), (-1, "before\n"))
        self.assertRegex(result["stderr"], r"^err\n\nExecution timed out after 1\.\d\ds \(timeout was set to 1s\)\n$")
        self.assertEqual(self.server.output(result, "stderr").decode(), result["stderr"])

    def test_a_full_stderr_does_not_swallow_the_time_out(self):
        result = self.server.execute("head -c 20000 /dev/zero | tr '\\0' e >&2; sleep 60", timeout=1)
        self.assertRegex(result["stderr"], r"^e{10240}\nExecution timed out after 1\.\d\ds \(timeout was set to 1s\)\n$")
        self.assertEqual((result["exitCode"], result["stderrTrimmed"]), (-1, True))
        self.assertEqual(self.server.output(result, "stderr").decode(), "e" * 20000 + result["stderr"][10240:])

    def test_out_of_memory_is_137(self):
        result = self.server.execute("x = []\nwhile True: x.append(bytearray(10**7))", "python")
        self.assertEqual(result["exitCode"], 137)

    def test_artifacts(self):
        result = self.server.execute("mkdir -p a/b; echo 1 > a/b/c.txt; echo 2 > '\u00fc x.txt'; echo own > stdout; echo hidden > .h; "
                                     "ln -s /etc/passwd link; mkfifo pipe; echo changed > script.js; echo said")
        outputs = result["artifacts"]["outputs"]
        self.assertEqual(set(outputs), {"stdout", "stderr", "a/b/c.txt", "\u00fc x.txt", ".h", "script.js"})
        self.assertEqual(self.server.fetch(outputs["script.js"]), b"changed\n")
        self.assertTrue(outputs["\u00fc x.txt"].endswith("/%C3%BC%20x.txt"), outputs)
        self.assertEqual(self.server.fetch(outputs["a/b/c.txt"]), b"1\n")
        self.assertEqual(self.server.fetch(outputs["\u00fc x.txt"]), b"2\n")
        self.assertEqual(self.server.fetch(outputs["stdout"]), b"said\n", "the captured stream wins")
        self.assertIn(b"mkdir", self.server.fetch(result["artifacts"]["inputs"]["script.js"]), "the script as it was sent")
        on_disk = os.path.join(self.server.storage, "test", "job-" + result["id"])
        self.assertEqual(set(os.listdir(on_disk)), {"stdout", "stderr", "a", "\u00fc x.txt", ".h", "script.js", ".changed"})

    def test_session_ids_are_encoded_in_urls(self):
        session = "a b%2f\u00e9?#"
        result = self.server.execute("echo x > f", session=session)
        self.assertIn("/artifacts/" + urllib.parse.quote(session, safe="") + "/", result["artifacts"]["outputs"]["f"])
        self.assertEqual(self.server.fetch(result["artifacts"]["outputs"]["f"]), b"x\n")

    def test_the_url_has_the_host_header(self):
        reply = self.server.request("POST", "/tools/execute", EXECUTE, {"Host": "localhost:99"})
        self.assertTrue(json.loads(reply.body)["artifacts"]["outputs"]["stdout"].startswith("http://localhost:99/artifacts/s/"))

    def test_concurrent_jobs_do_not_mix(self):
        def one(number):
            result = self.server.execute(f"echo {number}-$RANDOM > f; cat f; sleep 0.1; cat f; ls | wc -l")
            lines = result["stdout"].split()
            return lines[0] == lines[1] and lines[0].startswith(f"{number}-") and lines[2] == "2"
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            self.assertEqual(list(pool.map(one, range(16))), [True] * 16)

    def test_a_program_left_in_the_background_does_not_delay_the_reply(self):
        result = self.server.execute("setsid sleep 100 & echo now", timeout=20)
        self.assertEqual((result["exitCode"], result["stdout"]), (0, "now\n"))


class Others(harness.ServerTest):
    def test_tools(self):
        reply = self.server.request("GET", "/tools")
        tools = json.loads(reply.body)
        self.assertEqual((reply.status, list(tools), list(tools["code_execution"])), (200, ["code_execution", "document_converter"], ["description", "parameters"]))
        parameters = tools["code_execution"]["parameters"]
        self.assertEqual(set(parameters), {"language", "code", "filename"})
        self.assertEqual(set(parameters["language"]["enum"]), {"python", "node", "bun", "bash", "ruby", "php"})
        self.assertEqual((parameters["language"]["default"], parameters["filename"]["default"]), ("bash", "script.js"))

    def test_health(self):
        reply = self.server.request("GET", "/health")
        health = json.loads(reply.body)
        self.assertEqual((reply.status, list(health)),
                         (200, ["status", "service", "version", "queue_depth", "cpu_percent", "memory_percent"]))
        self.assertEqual((health["status"], health["service"], health["version"], health["queue_depth"]),
                         ("healthy", "executor-api", "2.0.0", 0))
        self.assertTrue(0 <= health["cpu_percent"] <= 100 and 0 < health["memory_percent"] <= 100)
        self.assertEqual(self.server.request("GET", "/v1/health").body, b'{"status":"ok"}')

    def test_not_found_and_wrong_method(self):
        reply = self.server.request("GET", "/nothing")
        self.assertEqual((reply.status, json.loads(reply.body)["statusCode"]), (404, 404))
        reply = self.server.request("GET", "/run")
        self.assertEqual((reply.status, reply.headers["allow"]), (405, "POST"))
        self.assertEqual(self.server.request("POST", "/tools", b"").headers["allow"], "GET, HEAD")

    def test_host_and_origin(self):
        self.assertEqual(self.server.request("GET", "/health", headers={"Host": "evil.example"}).status, 421)
        self.assertEqual(self.server.request("GET", "/debug", headers={"Host": "evil.example"}).status, 421)
        for origin in ("http://evil.example", "null", "https://127.0.0.1.evil.example"):
            with self.subTest(origin=origin):
                for method, path in (("POST", "/tools/execute"), ("GET", "/tools"), ("GET", "/artifacts/a/b/c")):
                    self.assertEqual(self.server.request(method, path, EXECUTE, {"Origin": origin}).status, 403)
        same = {"Origin": f"http://{self.server.host}"}
        self.assertEqual(self.server.request("POST", "/tools/execute", EXECUTE, same).status, 200)
        reply = self.server.request("POST", "/tools/execute", EXECUTE, {**same, "Content-Type": "text/plain"})
        self.assertEqual((reply.status, json.loads(reply.body)["code"]), (415, "json_required"))
        reply = self.server.request("POST", "/tools/execute", EXECUTE, {"Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual(reply.status, 200, "curl -d")

    def test_chunked_body_and_100_continue(self):
        body = json.dumps(EXECUTE).encode()
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 7]), body[i:i + 7]) for i in range(0, len(body), 7)) + b"0\r\n\r\n"
        head = b"POST /tools/execute HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.assertTrue(self.server.raw(head + chunks).startswith(b"HTTP/1.1 200 "))
        with self.server.connect() as connection:
            connection.sendall(b"POST /tools/execute HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
            self.assertEqual(connection.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.sendall(body)
            self.assertTrue(harness.read_all(connection).startswith(b"HTTP/1.1 200 "))

    def test_a_pipelined_second_request_is_ignored(self):
        one = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        self.assertEqual(self.server.raw(one + one).count(b"HTTP/1.1"), 1)


class Hangup(harness.ServerTest):
    BODY = json.dumps({"sessionId": "h", "code": "touch started; echo up; sleep 30", "timeout": 40}).encode()

    def send(self, body):
        connection = self.server.connect()
        connection.sendall(b"POST /run HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        return connection

    def test_a_client_that_hangs_up_cancels_the_job(self):
        connection = self.send(self.BODY)
        harness.until(lambda: [c for c in self.server.podman.containers(self.server.instance) if c["State"] == "running"], "running")
        connection.close()
        self.assertEqual(self.server.leaks(), {})
        self.assertIn('code="client_gone"', self.server.logs())

    def test_a_client_that_resets_cancels_the_job(self):
        connection = self.send(self.BODY)
        harness.until(lambda: [c for c in self.server.podman.containers(self.server.instance) if c["State"] == "running"], "running")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
        self.assertEqual(self.server.leaks(), {})

    def test_a_client_that_half_closes_gets_its_answer(self):
        connection = self.send(json.dumps({"sessionId": "h", "code": "sleep 1; echo done"}).encode())
        connection.shutdown(socket.SHUT_WR)
        answer = harness.read_all(connection)
        connection.close()
        self.assertIn(b'"output":"done\\n"', answer)
        self.assertRegex(answer, rb"^(HTTP/1.1 100 Continue\r\n\r\n)?HTTP/1.1 200 OK\r\n")


if __name__ == "__main__":
    harness.main()
