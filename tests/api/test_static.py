"""mayfly-static: artifacts and debug pages (src/api/tools/README.md; row G of tests/attack/README.md)."""

import json
import os
import re
import shutil
import socket
import subprocess
import unittest
from email.utils import formatdate

import harness

PROGRAM = os.path.join(harness.BUILD, "mayfly-static")
JOB = "/artifacts/session/AbC_-9"
SECRET = b"not for anybody\n"


class Reply:
    """A reply's exact bytes taken apart: status, fields (lower-case names, each once) and body."""

    def __init__(self, raw):
        head, separator, self.body = raw.partition(b"\r\n\r\n")
        if not separator:
            raise AssertionError(f"not an HTTP reply: {raw[:200]!r}")
        lines = head.decode("latin-1").split("\r\n")
        version, status, _ = lines[0].split(" ", 2)
        if version != "HTTP/1.1":
            raise AssertionError(f"not an HTTP/1.1 reply: {lines[0]!r}")
        self.status = int(status)
        self.field_lines = lines[1:]
        self.fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            if name.lower() in self.fields:
                raise AssertionError(f"field {name} twice in {lines!r}")
            self.fields[name.lower()] = value


class StaticTest(unittest.TestCase):
    debug_ui = "true"

    @classmethod
    def setUpClass(cls):
        cls.server = harness.Server(program="mayfly-static", engine=False, DEBUG_UI=cls.debug_ui)
        cls.addClassCleanup(cls.server.close)
        cls.job = os.path.join(cls.server.storage, "session", "job-AbC_-9")
        cls.put("stdout", b"0123456789")
        for folder in (cls.server.folder, cls.server.storage):
            with open(os.path.join(folder, "secret"), "wb") as file:
                file.write(SECRET)

    @classmethod
    def put(cls, name, data):
        path = os.path.join(cls.job.encode(), name if isinstance(name, bytes) else name.encode())
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def request(self, target, method="GET", fields=(), host="localhost", server=None):
        head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in dict(fields).items())
        return Reply((server or self.server).raw(head.encode("latin-1") + b"\r\n"))

    def get(self, target, **fields):
        return self.request(target, fields={name.replace("_", "-"): value for name, value in fields.items()})

    def assert_not_found(self, reply):
        self.assertEqual(404, reply.status)
        self.assertEqual(b'{"error":"Artifact not found"}', reply.body)


class ArtifactTest(StaticTest):
    def test_bytes_and_fields(self):
        reply = self.get(f"{JOB}/stdout")
        self.assertEqual((200, b"0123456789"), (reply.status, reply.body))
        self.assertEqual("application/octet-stream", reply.fields["content-type"])
        self.assertEqual("10", reply.fields["content-length"])
        self.assertEqual("nosniff", reply.fields["x-content-type-options"])
        self.assertEqual("bytes", reply.fields["accept-ranges"])
        self.assertEqual("private, no-cache", reply.fields["cache-control"])
        self.assertRegex(reply.fields["etag"], r'^"[0-9a-f.-]+"$')
        status = os.stat(os.path.join(self.job, "stdout"))
        self.assertEqual(formatdate(int(status.st_mtime), usegmt=True), reply.fields["last-modified"])

    def test_head_has_the_fields_of_get(self):
        get = self.get(f"{JOB}/stdout")
        head = self.request(f"{JOB}/stdout", method="HEAD")
        self.assertEqual(b"", head.body)
        without_date = [[line for line in reply.field_lines if not line.startswith("Date:")] for reply in (get, head)]
        self.assertEqual(without_date[0], without_date[1])
        missing = self.request(f"{JOB}/missing", method="HEAD")
        self.assertEqual((404, b""), (missing.status, missing.body))

    def test_empty_file(self):
        self.put("empty.txt", b"")
        for fields in ({}, {"Range": "bytes=0-"}, {"Range": "bytes=-5"}):
            reply = self.get(f"{JOB}/empty.txt", **fields)
            self.assertEqual((200, b"", "0"), (reply.status, reply.body, reply.fields["content-length"]))

    def test_subfolder_encoded_names(self):
        self.put("a/b c/ü?#%25.txt", b"deep")
        for path in ("a/b%20c/%C3%BC%3F%23%2525.txt", "a/b%20c/%c3%bc%3f%23%2525%2etxt"):
            reply = self.get(f"{JOB}/{path}")
            self.assertEqual((200, b"deep"), (reply.status, reply.body))
            self.assertEqual("inline; filename=\"__?#_25.txt\"; filename*=UTF-8''%C3%BC%3F%23%2525.txt",
                             reply.fields["content-disposition"])

    def test_hostile_names_stay_out_of_the_head(self):
        for name in (b'q"uote\\.html', "rtl\u202e.txt".encode(), b"invalid\xff.txt", b"-rf.txt", b"x" * 251 + b".txt"):
            self.put(name, b"x")
            reply = self.get(f"{JOB}/" + "".join(f"%{byte:02x}" for byte in name))
            self.assertEqual((200, b"x"), (reply.status, reply.body), name)
            self.assertTrue(reply.fields["content-disposition"].isascii())
            self.assertNotIn("\\", reply.fields["content-disposition"])
            self.assertEqual(2, reply.fields["content-disposition"].count('"'))
        self.put(b"new\nline.txt", b"x")
        self.assert_not_found(self.get(f"{JOB}/new%0aline.txt"))
        self.assert_not_found(self.get(f"{JOB}/new%0d%0aSet-Cookie:%20a=b"))

    def test_query_is_no_part_of_the_name(self):
        self.assertEqual(200, self.get(f"{JOB}/stdout?download=1").status)

    def test_large_file_through_a_slow_reader(self):
        data = os.urandom(1 << 20) * 24
        self.put("large.bin", data)
        with self.server.connect() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            connection.sendall(f"GET {JOB}/large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            reply = Reply(harness.read_all(connection))
        self.assertEqual(200, reply.status)
        self.assertTrue(reply.body == data)

    def test_client_that_leaves(self):
        self.put("left.bin", bytes(16 << 20))
        with self.server.connect() as connection:
            connection.sendall(f"GET {JOB}/left.bin HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            connection.recv(1000)
        harness.until(lambda: "reply_not_sent" in self.server.logs(), "the log tells of it")

    def test_client_that_never_reads(self):
        self.put("unread.bin", bytes(64 << 20))
        with self.server.connect() as connection:
            connection.sendall(f"GET {JOB}/unread.bin HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            harness.until(lambda: "unread.bin\" status=200" in self.server.logs(), "the deadline")
        self.assertRegex(self.server.logs(), r'unread\.bin" status=200 bytes=\d+ duration_us=\d+ code="?reply_not_sent')

    def test_pipelined_request_is_ignored(self):
        one = f"GET {JOB}/stdout HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        raw = self.server.raw(one + one)
        self.assertEqual(1, raw.count(b"HTTP/1.1 "))
        self.assertEqual(b"0123456789", Reply(raw).body)

    def test_other_methods(self):
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            raw = self.server.raw(f"{method} {JOB}/stdout HTTP/1.1\r\nHost: localhost\r\n"
                                   f"Content-Length: 3\r\n\r\nabc".encode())
            reply = Reply(raw)
            self.assertEqual((405, "GET, HEAD"), (reply.status, reply.fields["allow"]), method)

    def test_unknown_route(self):
        reply = self.get("/nothing/here")
        self.assertEqual(404, reply.status)
        body = json.loads(reply.body)
        self.assertEqual((404, "Not Found", "Route GET:/nothing/here not found"),
                         (body["statusCode"], body["error"], body["message"]))

    def test_access(self):
        self.assertEqual(421, self.request(f"{JOB}/stdout", host="evil.example").status)
        self.assertEqual(403, self.get(f"{JOB}/stdout", Origin="http://evil.example").status)
        self.assertEqual(200, self.get(f"{JOB}/stdout", Origin="http://localhost").status)


class ConfinementTest(StaticTest):
    """Nothing outside the job's folder is reachable, by any encoding."""

    def test_every_encoding_of_dot_dot(self):
        dots = ("..", "%2e%2e", "%2E%2E", ".%2e", "%2e.", "%252e%252e", "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae",
                "%u002e%u002e", "..%00", "..;", "\\..", "..\\", "%5c..", "..%5c", ".%00.", "%2e%2e%2f%2e%2e")
        slashes = ("/", "%2f", "%2F", "%252f", "%c0%af", "\\", "%5c", "//", "/./", "%2f%2f")
        tried = 0
        for dot in dots:
            for slash in slashes:
                for depth in (1, 2, 3, 4):
                    up = (dot + slash) * depth
                    for target in (f"{JOB}/{up}secret", f"/artifacts/session/{up}secret", f"/artifacts/{up}secret"):
                        raw = self.server.raw(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                        self.assertIn(Reply(raw).status, (400, 404), target)
                        self.assertNotIn(SECRET, raw, target)
                        tried += 1
        self.assertEqual(len(dots) * len(slashes) * 12, tried)

    def test_absolute_and_odd_paths(self):
        for path in ("/etc/passwd", "//etc/passwd", "%2fetc%2fpasswd", "", ".", "./stdout", "stdout/", "stdout/.", "//stdout",
                     "%00", "stdout%00", "stdout%00.txt", "%", "%2", "%zz", "stdout%", "%ff%fe", "a" * 256, "a/" * 40 + "b",
                     "/proc/self/environ", "~root", "%2e", "x/../stdout", "x%2f..%2fstdout"):
            self.assert_not_found(self.get(f"{JOB}/{path}"))

    def test_session_and_job_names(self):
        os.makedirs(os.path.join(self.server.storage, ".incoming", "job-AbC_-9"), exist_ok=True)
        with open(os.path.join(self.server.storage, ".incoming", "job-AbC_-9", "stdout"), "w", encoding="ascii") as file:
            file.write("hidden")
        for target in ("/artifacts/.incoming/AbC_-9/stdout", "/artifacts/%2eincoming/AbC_-9/stdout",
                       "/artifacts/session/AbC_-/stdout", "/artifacts/session/AbC_-99/stdout", "/artifacts/session/AbC_%20/stdout",
                       "/artifacts/session/../AbC_-9/stdout", "/artifacts//AbC_-9/stdout", "/artifacts/session/AbC_-9",
                       "/artifacts/session", "/artifacts/", "/artifacts/" + "s" * 129 + "/AbC_-9/stdout",
                       "/artifacts/session/job-AbC_-9/stdout", "/artifacts/other/AbC_-9/stdout"):
            self.assert_not_found(self.get(target))

    def test_only_regular_files(self):
        os.makedirs(os.path.join(self.job, "folder"), exist_ok=True)
        os.mkfifo(os.path.join(self.job, "fifo"))
        with socket.socket(socket.AF_UNIX) as unix:
            unix.bind(os.path.join(self.job, "socket"))
        os.symlink("../../secret", os.path.join(self.job, "link"))
        os.symlink("stdout", os.path.join(self.job, "inner-link"))
        os.symlink("/", os.path.join(self.job, "root"))
        os.symlink("link-loop", os.path.join(self.job, "link-loop"))
        for name in ("folder", "folder/", "fifo", "socket", "link", "inner-link", "root/etc/passwd", "root", "link-loop"):
            self.assert_not_found(self.get(f"{JOB}/{name}"))

    def test_device_and_hard_limits(self):
        if os.geteuid() == 0:
            os.mknod(os.path.join(self.job, "null"), 0o20666, os.makedev(1, 3))
            self.assert_not_found(self.get(f"{JOB}/null"))
        self.put("d/" * 16 + "deep.txt", b"deep")
        self.assertEqual(200, self.get(f"{JOB}/" + "d/" * 16 + "deep.txt").status)
        self.assert_not_found(self.get(f"{JOB}/" + "d/" * 17 + "deep.txt"))

    def test_session_folder_as_link(self):
        os.symlink("session", os.path.join(self.server.storage, "linked"))
        self.assert_not_found(self.get("/artifacts/linked/AbC_-9/stdout"))

    def test_no_storage_yet(self):
        with harness.Server(program="mayfly-static", engine=False) as server:
            self.assert_not_found(self.request(f"{JOB}/stdout", server=server))


class ActiveContentTest(StaticTest):
    """No byte of an artifact runs in a browser in our origin."""

    def test_what_a_browser_would_run(self):
        active = {"page.html": "text/html; charset=utf-8", "page.HTM": "text/html; charset=utf-8", "image.svg": "image/svg+xml",
                  "feed.xml": "text/xml; charset=utf-8", "page.xhtml": "application/xhtml+xml", "code.js": "text/javascript; charset=utf-8",
                  "code.mjs": "text/javascript; charset=utf-8", "paper.pdf": "application/pdf", "a.xsl": "application/xslt+xml",
                  "page.mhtml": "multipart/related", "code.wasm": "application/wasm"}
        for name, media_type in active.items():
            self.put(name, b"<script>alert(1)</script>")
            reply = self.get(f"{JOB}/{name}")
            self.assertEqual(media_type, reply.fields["content-type"])
            self.assertEqual(f'attachment; filename="{name}"', reply.fields["content-disposition"])
            self.assertIn("sandbox; default-src 'none'", reply.fields["content-security-policy"])
            self.assertEqual("nosniff", reply.fields["x-content-type-options"])

    def test_what_a_browser_shows(self):
        shown = {"plot.png": "image/png", "notes.txt": "text/plain; charset=utf-8", "table.csv": "text/csv; charset=utf-8",
                 "data.json": "application/json", "main.py": "text/x-python; charset=utf-8"}
        for name, media_type in shown.items():
            self.put(name, b"x")
            reply = self.get(f"{JOB}/{name}")
            self.assertEqual(media_type, reply.fields["content-type"])
            self.assertEqual(f'inline; filename="{name}"', reply.fields["content-disposition"])
            self.assertEqual("nosniff", reply.fields["x-content-type-options"])

    def test_what_has_no_type(self):
        for name in ("stdout", ".html", "name.", "name.unknown", "html", "page.html.xyz"):
            self.put(name, b"0123456789")
            self.assertEqual("application/octet-stream", self.get(f"{JOB}/{name}").fields["content-type"], name)


class RangeTest(StaticTest):
    def test_one_range(self):
        for text, body, content_range in (
                ("bytes=0-0", b"0", "0-0"), ("bytes=2-4", b"234", "2-4"), ("bytes=5-", b"56789", "5-9"),
                ("bytes=-3", b"789", "7-9"), ("bytes=0-999", b"0123456789", "0-9"), ("bytes=-999", b"0123456789", "0-9"),
                ("BYTES=1-1", b"1", "1-1"), ("bytes= 1-1", b"1", "1-1"), ("bytes=9-18446744073709551616", b"9", "9-9"),
                ("bytes=000000000000000000000000001-1", b"1", "1-1")):
            reply = self.get(f"{JOB}/stdout", Range=text)
            self.assertEqual((206, body, f"bytes {content_range}/10", str(len(body))),
                             (reply.status, reply.body, reply.fields["content-range"], reply.fields["content-length"]), text)

    def test_not_satisfiable(self):
        for text in ("bytes=10-", "bytes=10-20", "bytes=-0", "bytes=18446744073709551615-", "bytes=99999999999999999999999-"):
            reply = self.get(f"{JOB}/stdout", Range=text)
            self.assertEqual((416, b"", "bytes */10"), (reply.status, reply.body, reply.fields["content-range"]), text)

    def test_ignored(self):
        for text in ("bytes=", "bytes=-", "bytes=--1", "bytes=4-2", "bytes=a-b", "bytes=1", "bytes=1-2-3", "bytes=+1-2", "bytes=0x1-2",
                     "bytes=1-2,4-5", "bytes=0-0," * 200 + "1-1", "bytes 1-2", "lines=1-2", "1-2", "bytes=1 -2", "bytes=-1-",
                     "bytes=1.5-2", "bytes=0-,0-,0-,0-"):
            reply = self.get(f"{JOB}/stdout", Range=text)
            self.assertEqual((200, b"0123456789"), (reply.status, reply.body), text)

    def test_repeated_field_and_head(self):
        raw = self.server.raw(f"GET {JOB}/stdout HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-0\r\nRange: bytes=1-1\r\n\r\n".encode())
        self.assertEqual(200, Reply(raw).status)
        head = self.request(f"{JOB}/stdout", method="HEAD", fields={"Range": "bytes=0-0"})
        self.assertEqual((200, "10"), (head.status, head.fields["content-length"]))

    def test_conditions(self):
        first = self.get(f"{JOB}/stdout")
        etag, modified = first.fields["etag"], first.fields["last-modified"]
        old = "Sun, 06 Nov 1994 08:49:37 GMT"
        for fields, status in (
                ({"If-None-Match": etag}, 304), ({"If-None-Match": f'"x", W/{etag}'}, 304), ({"If-None-Match": "*"}, 304),
                ({"If-None-Match": '"x"'}, 200), ({"If-None-Match": '"x"', "If-Modified-Since": modified}, 200),
                ({"If-Modified-Since": modified}, 304), ({"If-Modified-Since": old}, 200), ({"If-Modified-Since": "yesterday"}, 200),
                ({"If-Match": etag}, 200), ({"If-Match": f"W/{etag}"}, 412), ({"If-Match": '"x"'}, 412),
                ({"If-Unmodified-Since": old}, 412), ({"If-Unmodified-Since": modified}, 200),
                ({"Range": "bytes=0-1", "If-Range": etag}, 206), ({"Range": "bytes=0-1", "If-Range": f"W/{etag}"}, 200),
                ({"Range": "bytes=0-1", "If-Range": '"x"'}, 200), ({"Range": "bytes=0-1", "If-Range": modified}, 206),
                ({"Range": "bytes=0-1", "If-Range": old}, 200), ({"Range": "bytes=0-1", "If-None-Match": etag}, 304),
                ({"Range": "bytes=99-", "If-Range": '"x"'}, 200)):
            reply = self.request(f"{JOB}/stdout", fields=fields)
            self.assertEqual(status, reply.status, fields)
            if status == 304:
                self.assertEqual((b"", etag), (reply.body, reply.fields["etag"]))

    def test_etag_follows_the_content(self):
        self.put("changing.txt", b"one")
        before = self.get(f"{JOB}/changing.txt").fields["etag"]
        self.put("changing.txt", b"two")
        self.assertNotEqual(before, self.get(f"{JOB}/changing.txt").fields["etag"])


class HandoverTest(StaticTest):
    """mayfly-static --head-fd=N: mayfly has read the head, and perhaps more."""

    def run_with_head(self, head, arguments=None, **environment):
        ours, theirs = socket.socketpair()
        memory = os.memfd_create("head")
        os.write(memory, head)
        try:
            with ours, theirs:
                program = subprocess.Popen(
                    [PROGRAM, *(arguments or [f"--head-fd={memory}"])], stdin=theirs, stderr=subprocess.DEVNULL, pass_fds=[memory],
                    env={**self.server.environment, **environment})
                theirs.close()
                ours.settimeout(20)
                raw = harness.read_all(ours)
                return program.wait(timeout=20), raw
        finally:
            os.close(memory)

    def test_head_and_more(self):
        for more in (b"", b"GET / HTTP/1.1\r\n\r\n", b"x" * 100000):
            status, raw = self.run_with_head(f"GET {JOB}/stdout HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() + more)
            self.assertEqual((0, 200, b"0123456789"), (status, Reply(raw).status, Reply(raw).body))

    def test_access_is_checked_again(self):
        _, raw = self.run_with_head(f"GET {JOB}/stdout HTTP/1.1\r\nHost: evil.example\r\n\r\n".encode())
        self.assertEqual(421, Reply(raw).status)

    def test_not_a_head(self):
        for head, wanted in ((b"", 500), (b"GET / HT", 500), (b"rubbish\r\n\r\n", 400)):
            status, raw = self.run_with_head(head)
            self.assertEqual((0, wanted), (status, Reply(raw).status), head)

    def test_usage(self):
        for arguments in (["--head-fd="], ["--head-fd=-1"], ["--head-fd=x"], ["--help"], ["--head-fd=3", "more"]):
            status, raw = self.run_with_head(b"", arguments)
            self.assertEqual((64, b""), (status, raw), arguments)
        with open(os.devnull, "rb") as null:
            self.assertEqual(64, subprocess.run([PROGRAM], stdin=null, stderr=subprocess.DEVNULL, check=False).returncode)

    def test_listen_fds(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            program = subprocess.Popen(
                ["/bin/sh", "-c", 'exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0"', PROGRAM], stdin=theirs,
                stderr=subprocess.DEVNULL, env=self.server.environment)
            theirs.close()
            ours.sendall(f"GET {JOB}/stdout HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            self.assertEqual(b"0123456789", Reply(harness.read_all(ours)).body)
            self.assertEqual(0, program.wait(timeout=20))

    def test_wrong_configuration(self):
        status, raw = self.run_with_head(b"GET /debug HTTP/1.1\r\nHost: localhost\r\n\r\n", PORT="many")
        self.assertEqual((78, 500), (status, Reply(raw).status))
        self.assertIn("PORT", json.loads(Reply(raw).body)["message"])


class DebugTest(StaticTest):
    def test_pages_and_assets(self):
        for target, media_type in (("/debug", "text/html"), ("/debug/", "text/html"), ("/debug/code-execution", "text/html"),
                                   ("/debug/code_execution", "text/html"), ("/debug/assets/debug.css", "text/css"),
                                   ("/debug/assets/tool.js", "text/javascript"), ("/debug/assets/icon.svg", "image/svg+xml")):
            reply = self.get(target)
            self.assertEqual(200, reply.status, target)
            self.assertTrue(reply.fields["content-type"].startswith(media_type), target)
            policy = reply.fields["content-security-policy"]
            for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' blob: data:",
                         "form-action 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
                self.assertIn(part, policy)
            self.assertNotIn("unsafe", policy)
            again = self.get(target, If_None_Match=reply.fields["etag"])
            self.assertEqual((304, b""), (again.status, again.body))

    def test_no_inline_script_or_style(self):
        for target in ("/debug", "/debug/code-execution"):
            page = self.get(target).body.decode()
            self.assertNotRegex(page, r"(?i)<style|\sstyle=|\son[a-z]+=|[\"']javascript:|https?://")
            self.assertNotRegex(page, r"(?i)<script(?![^>]*\ssrc=)")
            for source in set(re.findall(r'(?:src|href)="(/debug/assets/[^"]+)"', page)):
                self.assertEqual(200, self.get(source).status, source)

    def test_scripts_write_text_only(self):
        names = [name for name in os.listdir(os.path.join(harness.ROOT, "src", "pages")) if name.endswith(".js")]
        self.assertGreater(len(names), 4)
        for name in names:
            reply = self.get(f"/debug/assets/{name}")
            self.assertEqual(200, reply.status, name)
            self.assertNotRegex(reply.body.decode(), r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|\.style\b")

    def test_unknown_tool(self):
        for name in ("nope", "code-execution-2", "..", "%63ode-execution", "code-execution/", "Code-Execution", "a" * 200, "assets"):
            reply = self.get(f"/debug/{name}")
            self.assertEqual(404, reply.status, name)
            self.assertEqual({"error": "Debug UI not found for this tool", "availableTools": ["code_execution"]},
                             {**json.loads(reply.body), "availableTools": json.loads(reply.body)["availableTools"][:1]}, name)
        self.assertEqual(404, self.get("/debug/assets/nope.js").status)
        self.assertEqual(404, self.get("/debug/assets/../../etc/passwd").status)

    def test_a_tool_is_a_file(self):
        folder = os.path.join(self.server.environment["MAYFLY_CONFIG_DIR"], "tools.d")
        os.makedirs(folder, exist_ok=True)
        for name in ("new_tool.json", "Bad.json", "notes.txt", ".json", "x.json.bak"):
            with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                file.write("{}")
        self.addCleanup(shutil.rmtree, folder)
        self.assertEqual(200, self.get("/debug/new-tool").status)
        listed = json.loads(self.get("/debug/other").body)["availableTools"]
        self.assertEqual(sorted(listed), listed)
        self.assertIn("new_tool", listed)
        self.assertFalse({"Bad", "notes", "", "x"} & set(listed))


class DebugOffTest(StaticTest):
    debug_ui = "false"

    def test_ordinary_404(self):
        for target in ("/debug", "/debug/", "/debug/code-execution", "/debug/assets/tool.js"):
            reply = self.get(target)
            body = json.loads(reply.body)
            self.assertEqual((404, 404, "Not Found", f"Route GET:{target} not found"),
                             (reply.status, body["statusCode"], body["error"], body["message"]))
        self.assertEqual(200, self.get(f"{JOB}/stdout").status)


if __name__ == "__main__":
    harness.main()
