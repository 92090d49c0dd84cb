"""Uploads and signed downloads of the runs API over HTTP (src/api/runs/README.md; rows G and H of tests/attack/README.md)."""
import base64
import hashlib
import hmac
import json
import os
import re
import socket
import time
import unittest
from email.utils import formatdate

import harness

SIGNING_KEY = "changeme-signing-key"
TOKEN, OTHER_TOKEN = "tok-3n_Alice", "tok-3n_Bob"
MIB = 1024 * 1024
BEARER = {"Authorization": "Bearer " + TOKEN}
VECTOR_ID, VECTOR_EXPIRES = "file_0123456789ab", 1893456000
VECTOR_SIGNATURE = "121131c0e32d6d3a86374ed8c885c7687a044f1722060e68564410cd5b0b417c"


def part(content, disposition='form-data; name="file"; filename="a.txt"', boundary="XyZ", more=""):
    if isinstance(disposition, str):
        disposition = disposition.encode()
    return b"--%s\r\nContent-Disposition: %s\r\n%s\r\n%s\r\n" % (boundary.encode(), disposition, more.encode(), content)


def form(*parts, boundary="XyZ", end="--\r\n"):
    return b"".join(parts) + f"--{boundary}{end}".encode()


def form_type(boundary="XyZ"):
    return {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def sign(text, key=SIGNING_KEY):
    payload = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    return payload, hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def signed(path, expires=None, method="GET", key=SIGNING_KEY):
    expires = int(time.time()) + 600 if expires is None else expires
    payload, signature = sign(f'{{"path":"{path}","exp":{expires},"method":"{method}"}}', key)
    return f"{path}?payload={payload}&sig={signature}"


class Case(unittest.TestCase):
    settings = {}
    program = "mayfly"

    @classmethod
    def setUpClass(cls):
        settings = {"SIGNING_KEY": SIGNING_KEY, "API_KEYS": f"{TOKEN}:alice:100:1000,{OTHER_TOKEN}:bob:100:1000"}
        settings.update(cls.settings)
        cls.server = harness.Server(program=cls.program, engine=False, **settings)
        cls.addClassCleanup(cls.server.close)

    @classmethod
    def tearDownClass(cls):
        left = cls.server.leaks()
        if left:
            raise AssertionError(f"left behind: {left}\n{cls.server.logs()[-3000:]}")
        for secret in (TOKEN, OTHER_TOKEN, SIGNING_KEY, VECTOR_SIGNATURE, "payload="):
            if secret in cls.server.logs():
                raise AssertionError(f"{secret} is in the log")

    def upload(self, body, headers=None, **more):
        return self.server.request("POST", "/v1/files", body, {**BEARER, **form_type(), **(headers or {})}, **more)

    def refused(self, reply, status, message=None):
        self.assertEqual(status, reply.status, reply.body)
        answer = json.loads(reply.body)
        self.assertEqual(["error", "data"], list(answer))
        self.assertIsNone(answer["data"])
        if message:
            self.assertEqual(message, answer["error"])
        return answer["error"]

    def stored(self, body, headers=None):
        reply = self.upload(body, headers)
        self.assertEqual(200, reply.status, reply.body)
        answer = json.loads(reply.body)
        self.assertEqual(["id", "name", "size", "sha256"], list(answer))
        self.assertRegex(answer["id"], r"\Afile_[0-9A-Za-z]{12}\Z")
        return answer

    def files(self):
        folder = os.path.join(self.server.storage, ".files")
        return set(os.listdir(folder)) if os.path.isdir(folder) else set()

    def put(self, name, content, file_id):
        """An entry of the store as another process would have left it."""
        folder = os.path.join(self.server.storage, ".files", file_id)
        os.makedirs(folder)
        with open(os.path.join(folder, "data"), "wb") as file:
            file.write(content)
        with open(os.path.join(folder, "meta.json"), "w", encoding="utf-8") as file:
            json.dump({"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "owner": "somebody",
                       "created_at": int(time.time())}, file, ensure_ascii=False)
        return file_id


class UploadTest(Case):
    def test_reply_and_disk(self):
        content = bytes(range(256)) * 5 + b"\r\n--XyY\r\n--Xy\r\n"
        answer = self.stored(form(part(content, more="Content-Type: text/plain\r\n")))
        self.assertEqual("a.txt", answer["name"])
        self.assertEqual(len(content), answer["size"])
        self.assertEqual(hashlib.sha256(content).hexdigest(), answer["sha256"])
        folder = os.path.join(self.server.storage, ".files", answer["id"])
        with open(os.path.join(folder, "data"), "rb") as file:
            self.assertEqual(content, file.read())
        with open(os.path.join(folder, "meta.json"), encoding="utf-8") as file:
            self.assertEqual({"name", "size", "sha256", "owner", "created_at"}, set(json.load(file)))
        self.assertEqual(0, os.stat(os.path.join(folder, "data")).st_mode & 0o137)

    def test_empty_file(self):
        answer = self.stored(form(part(b"")))
        self.assertEqual((0, hashlib.sha256(b"").hexdigest()), (answer["size"], answer["sha256"]))

    def test_every_upload_is_one_of_its_own(self):
        ids = {self.stored(form(part(b"same")))["id"] for _ in range(5)}
        self.assertEqual(5, len(ids))
        self.assertLessEqual(ids, self.files())

    def test_names_lose_their_folders(self):
        for filename, name in (("a/b/c.txt", "c.txt"), ("../../etc/passwd", "passwd"), ("C:\\dir\\x.txt", "x.txt"),
                               ("/abs", "abs"), (".hidden", ".hidden"), ("-rf", "-rf"), ("ü 文\u202e.txt", "ü 文\u202e.txt"),
                               ('q\\"uote', 'q"uote'), ("a%22b", "a%22b"), ("x" * 255, "x" * 255), ("a;b", "a;b")):
            with self.subTest(filename):
                disposition = f'form-data; name="file"; filename="{filename}"'
                self.assertEqual(name, self.stored(form(part(b"x", disposition)))["name"])

    def test_filename_with_a_star_is_ignored(self):
        disposition = "form-data; name=file; filename=plain.txt; filename*=UTF-8''other.txt"
        self.assertEqual("plain.txt", self.stored(form(part(b"x", disposition)))["name"])

    def test_names_that_are_none(self):
        before = self.files()
        for filename in (b"..", b".", b"a/..", b"a/", b"\xff\xfe", b"x" * 256, b"bad\x01name", b"tab\tname", b"nul\0name"):
            with self.subTest(filename):
                reply = self.upload(form(part(b"x", b'form-data; name="file"; filename="' + filename + b'"')))
                self.refused(reply, 400)
        self.assertEqual(before, self.files())

    def test_file_is_required(self):
        for name, body, headers in (
                ("no part", form(), {}),
                ("another part", form(part(b"x", 'form-data; name="other"; filename="a"')), {}),
                ("another case", form(part(b"x", 'form-data; name="File"; filename="a"')), {}),
                ("no filename", form(part(b"x", 'form-data; name="file"')), {}),
                ("empty filename", form(part(b"x", 'form-data; name="file"; filename=""')), {}),
                ("only filename*", form(part(b"x", "form-data; name=file; filename*=UTF-8''a")), {}),
                ("JSON", b"{}", {"Content-Type": "application/json"}),
                ("a urlencoded form", b"file=x", {"Content-Type": "application/x-www-form-urlencoded"}),
                ("mixed", form(part(b"x")), {"Content-Type": "multipart/mixed; boundary=XyZ"})):
            with self.subTest(name):
                self.refused(self.upload(body, headers), 400, "file is required")
        raw = self.server.raw(f"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 0\r\n\r\n"
                              .encode())
        self.assertIn(b'{"error":"file is required","data":null}', raw)

    def test_malformed_forms(self):
        good = form(part(b"x"))
        before = self.files()
        for name, body, headers in (
                ("no end", part(b"x"), {}),
                ("half an end", form(part(b"x"), end="-"), {}),
                ("bare LF", good.replace(b"\r\n", b"\n"), {}),
                ("no boundary", good, {"Content-Type": "multipart/form-data"}),
                ("an empty boundary", good, {"Content-Type": "multipart/form-data; boundary="}),
                ("two boundaries", good, form_type("XyZ; boundary=b")),
                ("a boundary that is too long", good, form_type("x" * 71)),
                ("another boundary", good, form_type("other")),
                ("a boundary that goes on", good, form_type("Xy")),
                ("many parts", form(*[part(b"1", 'form-data; name="x"')] * 33), {}),
                ("a long header", form(part(b"x", more="X: " + "y" * 5000 + "\r\n")), {}),
                ("a folded header", form(part(b"x", more="X: y\r\n z\r\n")), {}),
                ("no colon", form(part(b"x", more="X y\r\n")), {}),
                ("base64", form(part(b"eA==", more="Content-Transfer-Encoding: base64\r\n")), {}),
                ("two dispositions", form(part(b"x", more='Content-Disposition: form-data; name="file"\r\n')), {}),
                ("two names", form(part(b"x", 'form-data; name="file"; name="x"; filename="a"')), {}),
                ("an open quote", form(part(b"x", 'form-data; name="file"; filename="a')), {}),
                ("a long preamble", b"z" * 1100 + b"\r\n" + good, {}),
                ("two files", form(part(b"x"), part(b"y")), {})):
            with self.subTest(name):
                self.refused(self.upload(body, headers), 400)
        self.assertEqual(before, self.files())

    def test_other_parts_are_dropped(self):
        body = form(part(b"1", 'form-data; name="purpose"'), part(b"hello"), part(b"2", 'form-data; name="x"; filename="y"'))
        self.assertEqual(5, self.stored(body)["size"])

    def test_split_anywhere(self):
        body = form(part(b"first\r\n--XyYlast"))
        head = (f"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
                f"Content-Type: multipart/form-data; boundary=XyZ\r\n")
        for chunked in (False, True):
            with self.subTest(chunked=chunked), self.server.connect() as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                fields = "Transfer-Encoding: chunked\r\n\r\n" if chunked else f"Content-Length: {len(body)}\r\n\r\n"
                connection.sendall((head + fields).encode())
                for byte in body:
                    connection.sendall(b"1\r\n%c\r\n" % byte if chunked else bytes([byte]))
                if chunked:
                    connection.sendall(b"0\r\n\r\n")
                reply = harness.read_all(connection)
                self.assertIn(b"200 OK", reply.split(b"\r\n")[0], reply)
                self.assertEqual(16, json.loads(reply.partition(b"\r\n\r\n")[2])["size"])

    def test_largest_and_too_large(self):
        self.assertEqual(10 * MIB, self.stored(form(part(b"\r" * (10 * MIB))))["size"])
        before = self.files()
        self.refused(self.upload(form(part(b"x" * (10 * MIB + 1)))), 413, "file exceeds 10 MiB")
        body = form(part(b"x" * (10 * MIB + 1)))
        chunked = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in
                           (body[at:at + 65536] for at in range(0, len(body), 65536))) + b"0\r\n\r\n"
        self.refused(self.upload(chunked, {"Transfer-Encoding": "chunked"}), 413, "file exceeds 10 MiB")
        self.assertEqual(before, self.files())

    def test_too_large_is_refused_before_it_is_read(self):
        raw = self.server.raw(f"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: multipart/"
                              f"form-data; boundary=XyZ\r\nContent-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n".encode())
        self.assertTrue(raw.startswith(b"HTTP/1.1 413 "), raw)
        self.assertTrue(raw.endswith(b'{"error":"file exceeds 10 MiB","data":null}'), raw)

    def test_continue_is_answered(self):
        body = form(part(b"x"))
        with self.server.connect() as connection:
            connection.sendall((f"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: multipart/"
                                f"form-data; boundary=XyZ\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n").encode())
            interim = connection.recv(100)
            self.assertEqual(b"HTTP/1.1 100 Continue\r\n\r\n", interim)
            connection.sendall(body)
            self.assertIn(b" 200 OK", harness.read_all(connection))

    def test_no_length(self):
        raw = self.server.raw(f"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
                              f"Content-Type: multipart/form-data; boundary=XyZ\r\n\r\n".encode())
        self.assertTrue(raw.startswith(b"HTTP/1.1 411 "), raw)
        self.assertIn(b'"data":null}', raw)

    def test_memory_stays_flat(self):
        body = form(part(b"x" * (9 * MIB)))
        with self.server.connect() as connection:
            connection.sendall((f"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: multipart/"
                                f"form-data; boundary=XyZ\r\nContent-Length: {len(body)}\r\n\r\n").encode())
            connection.sendall(body[:-100])
            pid, = self.server.processes()
            data = harness.until(lambda: self.incoming_data(8 * MIB), "most of the file is on the disk")
            with open(f"/proc/{pid}/status", encoding="ascii") as status:
                peak_kib = int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1])
            self.assertTrue(os.path.exists(data))
            self.assertEqual(0, sum(1 for name in self.files() if os.path.getsize(
                os.path.join(self.server.storage, ".files", name, "data")) == 9 * MIB), "nothing is visible yet")
            connection.sendall(body[-100:])
            self.assertIn(b" 200 OK", harness.read_all(connection))
        if "san" not in harness.BUILD:
            self.assertLess(peak_kib, 6 * 1024)

    def incoming_data(self, least):
        incoming = os.path.join(self.server.storage, ".incoming")
        for name in os.listdir(incoming) if os.path.isdir(incoming) else ():
            path = os.path.join(incoming, name, "data")
            if os.path.exists(path) and os.path.getsize(path) >= least:
                return path
        return None

    def test_client_that_goes_leaves_nothing(self):
        before = self.files()
        for rest in (b"", b"--XyZ"):
            with self.server.connect() as connection:
                connection.sendall((f"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: multipart/"
                                    f"form-data; boundary=XyZ\r\nContent-Length: 100000\r\n\r\n").encode() + part(b"x" * 5000) + rest)
                harness.until(lambda: self.incoming_data(4000), "it is being stored")
            harness.until(lambda: not self.server.processes(), "mayfly noticed")
        self.assertEqual(before, self.files())
        self.assertEqual([], os.listdir(os.path.join(self.server.storage, ".incoming")))

    def test_origins(self):
        body = form(part(b"x"))
        self.assertEqual(200, self.upload(body, {"Origin": f"http://{self.server.host}"}).status)
        self.refused(self.upload(body, {"Origin": "http://evil.example"}), 403)
        self.refused(self.upload(body, {"Origin": f"http://{self.server.host}", "Content-Type": "text/plain"}), 415)
        run = self.server.request("POST", "/run", body, {**form_type(), "Origin": f"http://{self.server.host}"})
        self.assertEqual(415, run.status, "a form is for uploads only")

    def test_methods_and_paths(self):
        for method, path, status in (("GET", "/v1/files", 405), ("PUT", "/v1/files", 405), ("POST", "/v1/files/", 404),
                                     ("DELETE", "/v1/files/" + VECTOR_ID, 405), ("GET", "/v1/nothing", 404)):
            with self.subTest(method + path):
                reply = self.server.request(method, path, headers=BEARER)
                self.refused(reply, status)
                if status == 405:
                    self.assertEqual("POST" if path == "/v1/files" else "GET, HEAD", reply.headers["allow"])

    def test_storage_that_fails(self):
        server = harness.Server(engine=False, STORAGE_DIR="/proc/nowhere")
        with server:
            reply = server.request("POST", "/v1/files", form(part(b"x")), form_type())
            self.refused(reply, 500)


class SignedTest(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.content = bytes(range(256)) * 16
        cls.put(cls, "data.bin", cls.content, VECTOR_ID)

    def get(self, target, method="GET", **fields):
        return self.server.request(method, target, headers={name.replace("_", "-"): value for name, value in fields.items()})

    def test_vector(self):
        text = f'{{"path":"/v1/files/{VECTOR_ID}","exp":{VECTOR_EXPIRES},"method":"GET"}}'
        payload, signature = sign(text)
        self.assertEqual(VECTOR_SIGNATURE, signature)
        reply = self.get(f"/v1/files/{VECTOR_ID}?payload={payload}&sig={VECTOR_SIGNATURE}")
        self.assertEqual((200, self.content), (reply.status, reply.body))

    def test_fields(self):
        reply = self.get(signed("/v1/files/" + VECTOR_ID))
        self.assertEqual("application/octet-stream", reply.headers["content-type"])
        self.assertEqual('attachment; filename="data.bin"', reply.headers["content-disposition"])
        self.assertEqual("nosniff", reply.headers["x-content-type-options"])
        self.assertEqual("bytes", reply.headers["accept-ranges"])
        modified = os.stat(os.path.join(self.server.storage, ".files", VECTOR_ID, "data")).st_mtime
        self.assertEqual(formatdate(int(modified), usegmt=True), reply.headers["last-modified"])
        head = self.get(signed("/v1/files/" + VECTOR_ID), method="HEAD")
        self.assertEqual((200, b"", str(len(self.content))), (head.status, head.body, head.headers["content-length"]))

    def test_conditions_and_ranges(self):
        target = signed("/v1/files/" + VECTOR_ID)
        etag = self.get(target).headers["etag"]
        self.assertEqual(304, self.get(target, If_None_Match=etag).status)
        self.assertEqual(200, self.get(target, If_None_Match='"other"').status)
        self.assertEqual(304, self.get(target, If_Modified_Since=self.get(target).headers["last-modified"]).status)
        part_reply = self.get(target, Range="bytes=10-19")
        self.assertEqual((206, self.content[10:20], "bytes 10-19/4096"),
                         (part_reply.status, part_reply.body, part_reply.headers["content-range"]))
        self.assertEqual(self.content[-5:], self.get(target, Range="bytes=-5").body)
        self.assertEqual(200, self.get(target, Range="bytes=0-0", If_Range='"other"').status)
        beyond = self.get(target, Range="bytes=5000-")
        self.assertEqual((416, "bytes */4096"), (beyond.status, beyond.headers["content-range"]))
        self.assertEqual(200, self.get(target, Range="bytes=0-1,3-4").status)

    def test_upload_is_served_under_its_name(self):
        for filename, disposition, kind in (
                ("ü 文.txt", "inline; filename=\"__ ___.txt\"; filename*=UTF-8''%C3%BC%20%E6%96%87.txt", "text/plain; charset=utf-8"),
                ('q\\"x\\\\y;z.csv', "inline; filename=\"y;z.csv\"", "text/csv; charset=utf-8"),
                ("\u202egnp.exe", "attachment; filename=\"___gnp.exe\"; filename*=UTF-8''%E2%80%AEgnp.exe", "application/octet-stream"),
                ("page.html", 'attachment; filename="page.html"', "text/html; charset=utf-8"),
                ("image.SVG", 'attachment; filename="image.SVG"', "image/svg+xml"),
                ("a.png", 'inline; filename="a.png"', "image/png")):
            with self.subTest(filename):
                answer = self.stored(form(part(b"<script>alert(1)</script>", f'form-data; name="file"; filename="{filename}"')))
                reply = self.get(signed("/v1/files/" + answer["id"]))
                self.assertEqual((200, b"<script>alert(1)</script>"), (reply.status, reply.body))
                self.assertEqual(disposition, reply.headers["content-disposition"])
                self.assertEqual(kind, reply.headers["content-type"])
                self.assertEqual("nosniff", reply.headers["x-content-type-options"])
                self.assertEqual("html" in kind or "svg" in kind, "sandbox" in reply.headers.get("content-security-policy", ""))

    def test_refusals(self):
        path = "/v1/files/" + VECTOR_ID
        payload, signature = sign(f'{{"path":"{path}","exp":{VECTOR_EXPIRES},"method":"GET"}}')
        other = signed("/v1/files/file_BBBBBBBBBBBB").partition("?")[2]
        for message, target in (
                ("missing signature", path), ("missing signature", path + "?"), ("missing signature", f"{path}?payload={payload}"),
                ("missing signature", f"{path}?sig={signature}"), ("missing signature", f"{path}?payload=&sig="),
                ("missing signature", f"{path}?Payload={payload}&Sig={signature}"),
                ("invalid signature", f"{path}?payload={payload}&sig={signature[:-1]}"),
                ("invalid signature", f"{path}?payload={payload}&sig={signature}0"),
                ("invalid signature", f"{path}?payload={payload}&sig={signature.upper()}"),
                ("invalid signature", f"{path}?payload={payload}=&sig={signature}"),
                ("invalid signature", f"{path}?payload={payload}&sig={signature}&x=1"),
                ("invalid signature", f"{path}?payload={payload}&payload={payload}&sig={signature}"),
                ("invalid signature", signed(path, key="other-key")), ("invalid signature", signed(path, key="")),
                ("path mismatch", f"{path}?{other}"), ("path mismatch", f"{path}/x?payload={payload}&sig={signature}"),
                ("path mismatch", f"/v1/files/file%5F0123456789ab?payload={payload}&sig={signature}"),
                ("method mismatch", signed(path, method="POST")), ("method mismatch", signed(path, method="get")),
                ("url expired", signed(path, expires=int(time.time()) - 1)), ("url expired", signed(path, expires=-1))):
            with self.subTest(target):
                self.refused(self.get(target), 403, message)
                self.refused(self.get(target, Authorization="Bearer " + TOKEN), 403, message)

    def test_every_altered_character(self):
        good = signed("/v1/files/" + VECTOR_ID, expires=VECTOR_EXPIRES)
        start = good.index("?")
        self.assertEqual(200, self.get(good).status)
        for at in range(start + 1, len(good)):
            swapped = "A" if good[at] != "A" else "B"
            self.assertEqual(403, self.get(good[:at] + swapped + good[at + 1:]).status, at)

    def test_unknown(self):
        self.refused(self.get(signed("/v1/files/file_AAAAAAAAAAAA")), 404, "artifact not found")
        self.refused(self.get(signed("/v1/files/nothing")), 404, "artifact not found")

    def test_nothing_else_is_reachable(self):
        secret = b"not for anybody\n"
        with open(os.path.join(self.server.storage, "secret"), "wb") as file:
            file.write(secret)
        folder = os.path.join(self.server.storage, ".files")
        os.symlink(os.path.join(self.server.storage), os.path.join(folder, "file_LLLLLLLLLLLL"))
        linked = self.put("x", b"x", "file_DDDDDDDDDDDD")
        data = os.path.join(folder, linked, "data")
        os.remove(data)
        os.symlink("../../secret", data)
        pipe = self.put("x", b"x", "file_PPPPPPPPPPPP")
        os.remove(os.path.join(folder, pipe, "data"))
        os.mkfifo(os.path.join(folder, pipe, "data"))
        for name in ("../../secret", "..%2f..%2fsecret", "%2e%2e/%2e%2e/secret", "....//secret", "file_LLLLLLLLLLLL",
                     "file_LLLLLLLLLLLL/secret", linked, pipe, VECTOR_ID + "/data", VECTOR_ID + "/meta.json", VECTOR_ID + "%00",
                     VECTOR_ID + "%2fdata", "../.signing-key", "", ".", "..", "%"):
            with self.subTest(name):
                reply = self.get(signed("/v1/files/" + name))
                self.assertIn(reply.status, (400, 404, 405), reply)
                self.assertNotIn(secret.strip(), reply.body)

    def test_other_methods(self):
        self.refused(self.get(signed("/v1/files/" + VECTOR_ID), method="DELETE"), 405)

    def test_foreign_callers(self):
        self.assertEqual(421, self.get(signed("/v1/files/" + VECTOR_ID), Host="evil.example").status)
        self.assertEqual(403, self.get(signed("/v1/files/" + VECTOR_ID), Origin="http://evil.example").status)


class StandAloneTest(SignedTest):
    """The same by mayfly-static on a port of its own; uploads go to a mayfly beside it."""
    program = "mayfly-static"

    def upload(self, body, headers=None, **more):
        with harness.Server(engine=False, AA_STORAGE_PATH=self.server.storage) as server:
            return server.request("POST", "/v1/files", body, {**BEARER, **form_type(), **(headers or {})}, **more)

    def refused(self, reply, status, message=None):
        if status != 405:  # answered by the table of mayfly-static
            return super().refused(reply, status, message)
        self.assertEqual(405, reply.status)
        return None


class OwnKeyTest(Case):
    """Without SIGNING_KEY there is a file of it, or none."""
    settings = {"SIGNING_KEY": None, "API_KEYS": None}

    def test_key_of_the_file(self):
        file_id = self.put("x", b"x", "file_EEEEEEEEEEEE")
        path = os.path.join(self.server.storage, ".signing-key")
        target = signed("/v1/files/" + file_id, key="kept")
        self.refused(self.server.request("GET", target), 403, "invalid signature")
        self.refused(self.server.request("GET", "/v1/files/" + file_id), 403, "missing signature")
        with open(path, "w", encoding="ascii") as file:
            file.write("kept\n")
        self.assertEqual(200, self.server.request("GET", target).status)
        with open(path, "w", encoding="ascii"):
            pass
        self.refused(self.server.request("GET", signed("/v1/files/" + file_id, key="")), 500)


class OtherFolderTest(Case):
    """STORAGE_DIR is another folder than AA_STORAGE_PATH."""

    @classmethod
    def setUpClass(cls):
        cls.folder = f"/tmp/mayfly-test-files-{os.getpid()}"
        cls.settings = {"STORAGE_DIR": cls.folder}
        cls.addClassCleanup(lambda: __import__("shutil").rmtree(cls.folder, ignore_errors=True))
        super().setUpClass()

    def test_both_ways(self):
        answer = self.stored(form(part(b"elsewhere")))
        self.assertEqual([answer["id"]], os.listdir(os.path.join(self.folder, ".files")))
        self.assertEqual([], os.listdir(os.path.join(self.folder, ".incoming")))
        reply = self.server.request("GET", signed("/v1/files/" + answer["id"]))
        self.assertEqual((200, b"elsewhere"), (reply.status, reply.body))
        self.assertNotIn(".files", os.listdir(self.server.storage))


if __name__ == "__main__":
    harness.main()
