"""Bodies that are not taken, in words for the client and each API's own shape: JSON that is none, and a Content-Encoding."""
import gzip
import json

import harness

JSON, FORM = {"Content-Type": "application/json"}, {"Content-Type": "multipart/form-data; boundary=x"}
BOM, GZIP = "begins with a byte order mark", "Content-Encoding gzip is not taken"
ROUTES = {  # of each API: how its errors say what is wrong
    "/run": "message", "/tools/execute": "message", "/validate": "message", "/v1/runs": "error", "/api/v1/ai/agents/a/auto-run": "message"}
REFUSED = (
    (b"\xef\xbb\xbf{}", BOM), (b"", "it is empty"), ("{}".encode("utf-16"), "it is UTF-16: send UTF-8"), (b'{"code":"\\u0000"}', "a string must not have \\u0000 in it"),
    (b'{"\\u0000":1}', "a name must not have \\u0000 in it"), (b'{"code":"a\nb"}', "a string must not go over a line's end: write \\n"),
    (b'{"code":"\xff"}', "this is not UTF-8"), (b'{"code":1,"code":2}', "a name is there twice"), (b"{'code':1}", "a name in double quotes is missing, near '''"),
    (b'{"code":1', "the text ends too early"), (b"code=1", "no value looks like this, near 'code'"), (b"{}{}", "something follows the end"))


class Bodies(harness.ServerTest):
    def test_json_that_is_none(self):
        for path, field in ROUTES.items():
            for body, words in REFUSED:
                if path.endswith("auto-run") and not body:
                    continue  # no body is {} there
                with self.subTest(path=path, body=body):
                    reply = self.server.request("POST", path, body, JSON)
                    self.assertEqual(reply.status, 400, reply)
                    self.assertIn(words, json.loads(reply.body)[field])

    def test_sandbox_takes_it_for_an_empty_object(self):
        for body, _ in REFUSED:
            if b"\\u0000" not in body:
                reply = self.server.request("POST", "/execute", body, JSON)
                self.assertEqual((reply.status, json.loads(reply.body)["error"]), (400, "Missing required fields: tenant_id, scope, code"), body)

    def test_content_encoding(self):
        body = gzip.compress(b'{"sessionId":"s","language":"bash","code":"echo hi"}')
        for path, field in {**ROUTES, "/templates": "error", "/execute": "error", "/session/create": "error", "/v1/files": "error"}.items():
            for sent in (body, b"{}"):
                with self.subTest(path=path, sent=sent):
                    reply = self.server.request("POST", path, sent, {**(FORM if path == "/v1/files" else JSON), "Content-Encoding": "gzip"})
                    self.assertEqual((reply.status, reply.headers.get("accept-encoding")), (415, "identity"), reply)
                    self.assertIn(GZIP, json.loads(reply.body)[field])
        reply = self.server.request("PUT", "/sessions/0123456789ab/files/a", b"x", {"Content-Encoding": "br"})
        self.assertEqual((reply.status, json.loads(reply.body)["status"]), (415, "error"))
        good = self.server.request("POST", "/run", {"sessionId": "s", "language": "bash", "code": "echo hi"}, {"Content-Encoding": "identity"})
        self.assertEqual((good.status, json.loads(good.body)["output"]), (200, "hi\n"))


if __name__ == "__main__":
    harness.main()
