"""Row K of tests/attack/README.md: who may call, what the log says, what the pages may do. Keys of tenants and sessions: tests/api."""
import html.parser
import json
import os
import re

import attack
import harness

KEY = "Key-" + os.urandom(12).hex()
RUN = {"sessionId": "s", "code": "echo ran"}


class OpenToOthers(attack.AttackTest):
    """Bound to every address, without a key: files are served, nothing is run."""
    environment = {"BIND": "0.0.0.0"}
    has_neighbour = False

    def test_jobs_are_refused_with_403_naming_the_variable(self):
        for path in ("/run", "/tools/execute"):
            with self.subTest(path=path):
                reply = self.server.request("POST", path, {**RUN, "tool": "code_execution"})
                self.assertEqual((reply.status, json.loads(reply.body)["code"]), (403, "no_key_configured"))
                self.assertIn("EXECUTOR_API_KEY", json.loads(reply.body)["message"])
        self.assertEqual(self.server.podman.containers(self.server.instance), [])
        self.assertEqual(self.server.request("POST", "/run", RUN, {"X-API-Key": ""}).status, 403)
        self.assertEqual(self.server.request("POST", "/run", RUN, {"X-API-Key": "anything"}).status, 403)

    def test_health_and_tools_are_served(self):
        for path in ("/health", "/v1/health", "/tools"):
            self.assertEqual(self.server.request("GET", path).status, 200)


class OpenWithKey(attack.AttackTest):
    environment = {"BIND": "0.0.0.0", "EXECUTOR_API_KEY": KEY}
    has_neighbour = False

    def test_missing_wrong_and_other_case_keys_are_401(self):
        for key in (None, "", "x", KEY.lower(), KEY.upper(), KEY[:-1], KEY + "x", " " + KEY + "x", KEY.swapcase(), "Bearer " + KEY,
            KEY + "," + KEY, KEY * 20):
            with self.subTest(key=key):
                reply = self.server.request("POST", "/run", RUN, {"X-API-Key": key} if key is not None else {})
                self.assertEqual((reply.status, json.loads(reply.body)["code"]), (401, "unauthorized"))
        self.assertEqual(self.server.request("POST", "/run?X-API-Key=" + KEY, RUN, {"Authorization": "Bearer " + KEY}).status, 401)

    def test_the_first_of_two_keys_counts_or_both_are_refused(self):
        body = json.dumps(RUN).encode()
        answer = self.server.raw(b"POST /run HTTP/1.1\r\nHost: localhost\r\nX-API-Key: wrong\r\nX-API-Key: %s\r\nContent-Length: %d\r\n\r\n" % (KEY.encode(), len(body)) + body)
        self.assertRegex(answer, rb"^HTTP/1.1 40[01] ")

    def test_the_right_key_runs(self):
        reply = self.server.request("POST", "/run", RUN, {"X-API-Key": KEY})
        self.assertEqual((reply.status, json.loads(reply.body)["output"]), (200, "ran\n"))

    def test_the_key_is_never_logged(self):
        for key in (KEY, KEY + "x", KEY.lower()):
            self.server.request("POST", "/run", RUN, {"X-API-Key": key})
        self.server.request("GET", "/nothing?key=" + KEY, headers={"X-API-Key": KEY})
        harness.until(lambda: self.server.logs().count('path="/nothing') >= 1, "logged")
        self.assertNotIn(KEY.lower(), self.server.logs().lower())


class Log(attack.AttackTest):
    has_neighbour = False

    def own_lines(self):
        return [line for line in self.server.logs().splitlines() if re.match(r"(<\d>)?mayfly[a-z-]* ", line)]

    def assert_log_is_clean(self):
        with open(self.server.log_path, "rb") as log:
            data = log.read()
        self.assertNotRegex(data, rb"[\x00-\x09\x0b-\x1f\x7f-\xff]", "raw bytes")
        for line in self.own_lines():
            self.assertRegex(line, r'^(<\d>)?mayfly[a-z-]*( [a-z_]+=("([^"\\]|\\.)*"|-?\d+))+$')

    def test_what_a_client_sends_is_escaped(self):
        injected = "x\" status=200 job=\"fake"
        for target in (b"/\x22%20status=999", b"/x%0a%3C6%3Emayfly%20injected=1", b"/x%0d%0ainjected", b"/%1b[31m", b"/\xc3\xa9", b"/a'b",
            b"/a;b=1%22"):
            self.server.raw(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for method in (b"G%22T", b"GET'", b"X-Y", b"`id`"):
            self.server.raw(method + b" / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.server.raw(b"\x1b[31mGET / HTTP/1.1\r\n\r\n")
        self.server.request("POST", "/run", {"sessionId": injected, "code": "echo '<6>mayfly injected=1'", "filename": injected})
        self.server.request("POST", "/run", {"sessionId": "s", "code": "printf '\\n<3>mayfly injected=1\\n' >&2", "language": "bash"})
        self.server.request("POST", "/run", {"sessionId": "a\n<3>mayfly injected=1", "code": "x"})
        self.server.request("POST", "/tools/execute", {"sessionId": "s", "tool": "x\n<3>mayfly injected=1"})
        self.server.request("GET", "/" + "x" * 4000)
        before = len(self.own_lines())
        self.server.request("GET", "/v1/health")
        harness.until(lambda: len(self.own_lines()) > before, "logged")
        self.assert_log_is_clean()
        self.assertNotRegex(self.server.logs(), r"(?m)^(<\d>)?mayfly injected")
        self.assertNotIn("status=999", re.sub(r'"([^"\\]|\\.)*"', "", self.server.logs()))
        self.check_recovered()

    def test_code_and_output_are_not_logged(self):
        secret = "secret" + os.urandom(8).hex()
        self.server.execute(f"echo {secret}; echo {secret} >&2; exit 3")
        harness.until(lambda: not self.server.processes(), "logged")
        self.assertNotIn(secret, self.server.logs())

    def test_one_line_per_request(self):
        for number in range(5):
            self.server.request("GET", f"/one-{number}")
        harness.until(lambda: not self.server.processes(), "logged")
        self.assertEqual([sum(f"/one-{number}\"" in line for line in self.own_lines()) for number in range(5)], [1] * 5)


class Page(html.parser.HTMLParser):
    """What a page would load or run."""

    def __init__(self, text):
        super().__init__()
        self.inline, self.loads, self.in_script = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name.startswith("on") or name == "style" or (value or "").strip().lower().startswith("javascript:"):
                self.inline.append((tag, name, value))
            if name in ("src", "href", "action", "data", "srcset", "formaction") and tag != "a":
                self.loads.append(value)
        self.in_script = tag in ("script", "style")

    def handle_endtag(self, tag):
        self.in_script = False

    def handle_data(self, data):
        if self.in_script and data.strip():
            self.inline.append(data.strip())


class Pages(attack.AttackTest):
    has_neighbour = False
    PATHS = ("/debug", "/debug/", "/debug/code-execution")

    def policy(self, path):
        reply = self.server.request("GET", path)
        self.assertEqual(reply.status, 200, path)
        return {name: values for name, *values in (part.split() for part in reply.headers["content-security-policy"].split(";") if part.strip())}

    def test_the_policy_is_strict_and_without_inline_script(self):
        for path in self.PATHS:
            with self.subTest(path=path):
                policy = self.policy(path)
                self.assertEqual(policy["default-src"], ["'none'"])
                self.assertEqual(policy["script-src"], ["'self'"])
                self.assertIn(policy.get("base-uri"), (["'none'"],))
                self.assertIn(policy.get("frame-ancestors"), (["'none'"],))
                self.assertIn(policy.get("form-action", ["'none'"]), (["'none'"], ["'self'"]))
                self.assertEqual(set(policy.pop("img-src")) - {"'self'", "blob:", "data:"}, set(), "previews")
                text = str(policy)
                for word in ("unsafe", "*", "http:", "https:", "blob:", "eval", "nonce", "wasm"):
                    self.assertNotIn(word, text)

    def test_pages_have_no_inline_script_style_or_foreign_resource(self):
        for path in self.PATHS:
            with self.subTest(path=path):
                page = Page(self.server.request("GET", path).body.decode())
                self.assertEqual(page.inline, [])
                self.assertGreater(len(page.loads), 1)
                for where in page.loads:
                    self.assertTrue(where.startswith("/debug") and not where.startswith("//"), where)
                    self.assertEqual(self.server.request("GET", where).status, 200, where)

    def test_scripts_put_output_in_as_text_only(self):
        scripts = {where for path in self.PATHS for where in Page(self.server.request("GET", path).body.decode()).loads if where.endswith(".js")}
        found, seen = [], set()
        while scripts:
            where = scripts.pop()
            if where in seen:
                continue
            seen.add(where)
            text = self.server.request("GET", where).body.decode()
            scripts |= {os.path.normpath(os.path.join(os.path.dirname(where),
                name)) for name in re.findall(r"""(?:from|import)\s*\(?["']([^"']+)["']""", text)}
            for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser",
                "createContextualFragment", "srcdoc", "setTimeout(\"",
                         "http://", "https://"):
                found += [(where, line.strip()) for line in text.splitlines() if word in line and not line.strip().startswith(("//", "*", "/*"))]
        self.assertGreater(len(seen), 1)
        self.assertEqual([one for one in found if "w3.org" not in one[1]], [])

    def test_what_is_in_an_address_is_not_in_a_page(self):
        for path in ("/debug/<script>alert(1)</script>", "/debug/%3Cscript%3Ealert(1)%3C%2Fscript%3E", "/debug/code-execution?x=<script>",
            "/debug?<img>", "/debug/..%2f..%2fetc",
                     "/debug/assets/../landing.html", "/debug/assets/%2e%2e%2flanding.html", "/debug/assets/"):
            with self.subTest(path=path):
                answer = self.server.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                head, _, body = answer.partition(b"\r\n\r\n")
                self.assertNotIn(b"<script>alert", body if b"text/html" in head else b"")
                self.assertIn(b"nosniff", head)

    def test_pages_cannot_be_framed_or_cached_with_anything(self):
        for path in self.PATHS:
            reply = self.server.request("GET", path)
            self.assertEqual(reply.headers["x-content-type-options"], "nosniff")
            self.assertIn(reply.headers.get("referrer-policy"), ("no-referrer", "same-origin", "strict-origin"))
            self.assertNotIn("set-cookie", reply.headers)
            self.assertNotIn("server", reply.headers)

    def test_foreign_sites_may_not_read_pages(self):
        for path in self.PATHS:
            self.assertEqual(self.server.request("GET", path, headers={"Origin": "http://evil.example"}).status, 403)
            self.assertEqual(self.server.request("GET", path, headers={"Host": "evil.example"}).status, 421)


if __name__ == "__main__":
    harness.main()
