"""Row I of tests/attack/README.md: HTTP, over the wire to a real mayfly. The files of exact bytes are in tests/http."""
import concurrent.futures
import json
import os
import re
import socket
import struct
import time

import attack
import harness

RUN = {"sessionId": "s", "code": "touch /tmp/ran; echo ran"}
BODY = json.dumps(RUN).encode()


def chunked(*chunks):
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


class Http(attack.AttackTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # the deadlines take as long as they take: they run beside everything else, on a server of their own
        cls.other = harness.Server()
        cls.addClassCleanup(cls.other.close)
        pool = concurrent.futures.ThreadPoolExecutor(8)
        cls.addClassCleanup(pool.shutdown)
        cls.slow = {one: pool.submit(getattr(cls, one)) for one in
                    ("slow_head", "dripping_head", "silent", "slow_body", "dripping_body", "slow_chunks", "never_reads", "half_closed_head")}

    def head(self, *lines, method=b"POST /run HTTP/1.1"):
        return b"\r\n".join([method, b"Host: localhost", *lines]) + b"\r\n\r\n"

    def status(self, data, **more):
        """Status and machine-readable word of the answer to these bytes; (0, "") for a closed connection."""
        answer = self.server.raw(data, **more)
        if not answer:
            return 0, ""
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertEqual(head.count(b"HTTP/1.1 "), 1)
        self.assertIn(b"Connection: close", head)
        match = re.search(rb'"code":"([a-z0-9_]+)"', body)
        return int(head.split(b" ")[1]), match[1].decode() if match else ""

    def assert_not_run(self, cases):
        stored, before = self.stored(), self.containers()
        for name, data, statuses, words in cases:
            with self.subTest(name=name):
                status, word = self.status(data)
                self.assertIn(status, statuses, (name, word))
                if words:
                    self.assertIn(word, words)
        self.assertEqual(self.stored(), stored, "nothing ran")
        self.assertEqual(self.containers() - before, set())  # one of a job that ended just before may not be gone yet

    def containers(self):
        return {container["Id"] for container in self.server.podman.containers(self.server.instance)}

    def stored(self):
        folder = os.path.join(self.server.storage, "s")
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def test_a_good_request_runs(self):
        self.assertEqual(self.status(self.head(b"Content-Length: %d" % len(BODY)) + BODY)[0], 200)
        self.assertEqual(self.status(self.head(b"Transfer-Encoding: chunked") + chunked(BODY[:5], BODY[5:]))[0], 200)
        self.assertEqual(len(self.stored()) >= 2, True)

    def test_content_length_with_transfer_encoding_is_400(self):
        length, coding = b"Content-Length: %d" % len(BODY), b"Transfer-Encoding: chunked"
        self.assert_not_run([
            ("length first", self.head(length, coding) + chunked(BODY), (400,), {"te_and_content_length"}),
            ("coding first", self.head(coding, length) + chunked(BODY), (400,), {"te_and_content_length"}),
            ("length 0", self.head(b"Content-Length: 0", coding) + chunked(BODY), (400,), {"te_and_content_length"}),
            ("smuggled", self.head(b"content-length: 4", b"TRANSFER-encoding: chunked") + b"0\r\n\r\n" + self.head(length) + BODY, (400,), None)])

    def test_content_length_doubled_signed_or_listed_is_400(self):
        size = b"%d" % len(BODY)
        self.assert_not_run([(name, self.head(*lines) + BODY, (400,), None) for name, *lines in [
            ("doubled", b"Content-Length: " + size, b"Content-Length: " + size), ("doubled and different", b"Content-Length: " + size,
            b"Content-Length: 1"),
            ("plus", b"Content-Length: +" + size), ("minus", b"Content-Length: -1"), ("list", b"Content-Length: " + size + b", " + size),
            ("hexadecimal", b"Content-Length: 0x10"), ("empty", b"Content-Length: "), ("blank inside", b"Content-Length: 1 0"), ("point",
            b"Content-Length: 10.0"),
            ("huge", b"Content-Length: 99999999999999999999"), ("wraps to small", b"Content-Length: 18446744073709551626"), ("exponent",
            b"Content-Length: 1e3"),
            ("letter", b"Content-Length: 10x"), ("quoted", b'Content-Length: "10"')]])

    def test_unknown_transfer_codings_are_400_or_501(self):
        self.assert_not_run([(value.decode(), self.head(b"Transfer-Encoding: " + value) + chunked(BODY), (400, 501), None) for value in (
            b"gzip", b"gzip, chunked", b"chunked, gzip", b"identity", b"chunked, chunked", b"xchunked", b"chunkedx", b'"chunked"',
            b"chunked;q=1", b"\x0bchunked", b",chunked", b"")])
        self.assert_not_run([("doubled", self.head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + chunked(BODY), (400, 501), None),
                             ("in HTTP/1.0", self.head(b"Transfer-Encoding: chunked", method=b"POST /run HTTP/1.0") + chunked(BODY), (400,), None)])

    def test_folding_bare_line_ends_nul_and_blanks_are_400(self):
        length = b"Content-Length: %d" % len(BODY)
        good = self.head(length)
        self.assert_not_run([(name, data + BODY, (400,), None) for name, data in [
            ("obs-fold", self.head(length, b"X: a\r\n b")), ("obs-fold with tab", self.head(length, b"X: a\r\n\tb")), ("bare LF",
            good.replace(b"\r\n", b"\n")),
            ("one bare LF", self.head(length, b"X: a\nY: b")), ("bare CR", self.head(length, b"X: a\rY: b")), ("NUL in a value",
            self.head(length, b"X: a\0b")),
            ("NUL in a name", self.head(length, b"X\0: a")), ("blank before the colon", self.head(b"Content-Length : %d" % len(BODY))),
            ("tab before the colon", self.head(b"Content-Length\t: %d" % len(BODY))), ("blank first", self.head(b" " + length)), ("no colon",
            self.head(length, b"X")),
            ("empty name", self.head(length, b": x")), ("LF in the end", good[:-4] + b"\n\n"), ("control byte", self.head(length, b"X: a\x01b")),
            ("DEL", self.head(length, b"X: \x7f")), ("two blanks in the line", self.head(length, method=b"POST  /run HTTP/1.1")),
            ("tab in the line", self.head(length, method=b"POST\t/run HTTP/1.1")), ("empty line first", b"\r\n" + good)]])

    def test_request_lines_that_are_none_are_refused(self):
        self.assert_not_run([(name, data, (400, 405, 421, 501, 505), None) for name, data in [
            ("HTTP/0.9", b"GET /tools\r\n\r\n"), ("HTTP/2.0", b"GET /tools HTTP/2.0\r\nHost: localhost\r\n\r\n"), ("HTTP/1.2",
            b"GET /tools HTTP/1.2\r\nHost: localhost\r\n\r\n"),
            ("lower case", b"GET /tools http/1.1\r\nHost: localhost\r\n\r\n"), ("no target", b"GET HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"), ("SSH", b"SSH-2.0-x\r\n\r\n"), ("HTTP/2",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            ("CONNECT", b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n"), ("fragment",
            b"GET /tools#x HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            ("high byte", b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n"), ("backslash", b"GET \\tools HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            ("no host", b"GET /tools HTTP/1.1\r\n\r\n"), ("two hosts", b"GET /tools HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"),
            ("user info", b"GET http://x@localhost/tools HTTP/1.1\r\nHost: localhost\r\n\r\n")]])

    def test_chunks_that_are_malformed_are_400_and_never_run(self):
        head = self.head(b"Transfer-Encoding: chunked")
        size = b"%x" % len(BODY)
        cases = [(name, head + body, (400, 413), None) for name, body in [
            ("overflow", b"ffffffffffffffff\r\n" + BODY), ("17 digits", b"00000000000000001\r\nx\r\n0\r\n\r\n"), ("wraps",
            b"10000000000000010\r\n" + BODY),
            ("sign", b"+" + size + b"\r\n" + BODY + b"\r\n0\r\n\r\n"), ("minus", b"-1\r\n" + BODY + b"\r\n0\r\n\r\n"), ("prefix",
            b"0x" + size + b"\r\n" + BODY + b"\r\n0\r\n\r\n"),
            ("not hexadecimal", b"zz\r\n" + BODY + b"\r\n0\r\n\r\n"), ("empty size", b"\r\n" + BODY + b"\r\n0\r\n\r\n"), ("blank",
            b" " + size + b"\r\n" + BODY + b"\r\n0\r\n\r\n"),
            ("bare LF", size + b"\n" + BODY + b"\n0\n\n"), ("data too long", size + b"\r\n" + BODY + b"x\r\n0\r\n\r\n"), ("data too short",
            b"%x\r\n" % (len(BODY) + 1) + BODY + b"\r\n0\r\n\r\n"),
            ("extension flood", size + b";" + b"x" * 100000 + b"\r\n" + BODY + b"\r\n0\r\n\r\n"),
            ("extensions of many chunks", b"".join(b"1;" + b"x" * 200 + b"\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n"),
            ("NUL", size + b"\0\r\n" + BODY + b"\r\n0\r\n\r\n"), ("trailer", chunked(BODY)[:-2] + b"X: y\r\n\r\n"), ("trailer with a length",
            chunked(BODY)[:-2] + b"Content-Length: 5\r\n\r\n")]]
        self.assert_not_run(cases)

    def test_chunks_without_an_end_are_never_run(self):
        head = self.head(b"Transfer-Encoding: chunked")
        stored = self.stored()
        for name, body in [("no last chunk", b"%x\r\n%s\r\n" % (len(BODY), BODY)), ("no final line", chunked(BODY)[:-2]), ("half a final line",
            chunked(BODY)[:-1]), ("nothing", b""),
                           ("half a chunk", b"%x\r\n%s" % (len(BODY), BODY[:5]))]:
            with self.subTest(name=name):
                self.assertEqual(self.status(head + body, half_close=True)[0], 400)
        self.assertEqual(self.status(self.head(b"Content-Length: %d" % (len(BODY) + 1)) + BODY, half_close=True)[0], 400)
        self.assertEqual(self.stored(), stored)

    def test_long_line_414_many_or_long_fields_431(self):
        self.assert_not_run([
            ("long line", b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", (414,), None), ("endless line",
            b"GET /" + b"x" * 100000, (414,), None),
            ("many fields", self.head(*[b"X-%d: y" % number for number in range(100)]), (431,), None),
            ("long field", self.head(b"X: " + b"y" * 20000), (431,), None), ("endless field",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100000, (431,), None),
            ("long name", self.head(b"x" * 20000 + b": y"), (431,), None), ("long method",
            b"G" * 100 + b" / HTTP/1.1\r\nHost: localhost\r\n\r\n", (501,), None),
            ("endless method", b"G" * 100000, (400, 414, 501), None)])

    def test_large_body_is_413_before_it_is_read(self):
        with self.server.connect() as connection:
            connection.sendall(self.head(b"Content-Length: 1000000000"))
            started = time.monotonic()
            self.assertTrue(connection.recv(4096).startswith(b"HTTP/1.1 413 "))
            self.assertLess(time.monotonic() - started, attack.PROMPT_S)
        self.assertEqual(self.status(self.head(b"Content-Length: 9007199254740993"))[0], 400)
        head = self.head(b"Transfer-Encoding: chunked")
        self.assertEqual(self.status(head + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 20)[0], 413)
        self.assertEqual(self.status(head + b"7fffffff\r\n")[0], 413)

    def test_no_length_is_411(self):
        self.assert_not_run([("no length", self.head(), (411,), {"length_required"}), ("a body all the same", self.head() + BODY, (411,),
            {"length_required"})])

    def test_a_pipelined_second_request_is_ignored(self):
        stored = len(self.stored())
        one = self.head(b"Content-Length: %d" % len(BODY)) + BODY
        self.assertEqual(self.server.raw(one + one).count(b"HTTP/1.1 200"), 1)
        self.assertEqual(self.server.raw(self.head(b"Transfer-Encoding: chunked") + chunked(BODY) + one).count(b"HTTP/1.1 200"), 1)
        self.assertEqual(self.server.raw(self.head(method=b"GET /v1/health HTTP/1.1") + one).count(b"HTTP/1.1 200"), 1)
        self.assertEqual(len(self.stored()), stored + 2)

    def test_a_get_with_a_body_is_no_second_request(self):
        answer = self.server.raw(self.head(b"Content-Length: 40", method=b"GET /tools HTTP/1.1") + b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertEqual(answer.count(b"HTTP/1.1 "), 1)

    def test_expect_100_continue_is_answered(self):
        with self.server.connect() as connection:
            connection.sendall(self.head(b"Expect: 100-continue", b"Content-Length: %d" % len(BODY)))
            self.assertEqual(connection.recv(4096), b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.sendall(BODY)
            self.assertTrue(harness.read_all(connection).startswith(b"HTTP/1.1 200 "))
        with self.server.connect() as connection:
            connection.sendall(self.head(b"Expect: 100-continue", b"Content-Length: 1000000000"))
            self.assertTrue(connection.recv(4096).startswith(b"HTTP/1.1 413 "), "no invitation for what would be refused")
        self.assertEqual(self.status(self.head(b"Expect: 200-maybe", b"Content-Length: %d" % len(BODY)) + BODY)[0], 417)

    def test_json_that_is_malformed_is_400(self):
        bodies = [b"", b" ", b"{", b"nul", b'{"sessionId":"s","code":"true"}x', b'{"sessionId":"s","code":"true"}{}',
            b'{"sessionId":"s","sessionId":"t","code":"true"}',
                  b'{"sessionId":"s","code":"\\ud800"}', b'{"sessionId":"s","code":"\\udc00\\ud800"}', b'{"sessionId":"s","code":"a\\u0000b"}',
                  b'{"sessionId":"s","code":"a\0b"}',
                  b'{"sessionId":"s","code":"\xff"}', b'{"sessionId":"s","code":"\xed\xa0\x80"}', b'{"sessionId":"s","code":"\xc0\xaf"}',
                  b'{"sessionId":"s","code":"a\nb"}',
                  b"[" * 500000, b'{"a":' * 100000, b'{"sessionId":"s","code":"true","x":' + b"[" * 65 + b"]" * 65 + b"}",
                  b'{"sessionId":"s","code":"true","timeout":1e999}',
                  b'{"sessionId":"s","code":"true","timeout":%s}' % (b"9" * 400), b'{"sessionId":"s","code":"true","timeout":NaN}',
                  b'{"sessionId":"s","code":"true",}',
                  b"{'sessionId':'s'}", b'{"sessionId":"s","code":"true"}\0', b'\xef\xbb\xbf{"sessionId":"s","code":"true"}',
                  b'{"sessionId":"s",/**/"code":"true"}', b'"s"', b"[]", b"1"]
        self.assert_not_run([(body[:60], self.head(b"Content-Length: %d" % len(body)) + body, (400,), None) for body in bodies])

    def test_foreign_host_is_421(self):
        for host in (b"evil.example", b"localhost.evil.example", b"127.0.0.1.evil.example", b"10.0.0.1", b"[::2]", b"evil.example:8080",
            b"0.0.0.0", b"2130706433"):
            with self.subTest(host=host):
                data = b"POST /run HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
                self.assertEqual(self.status(data)[0], 421)
                self.assertEqual(self.status(b"POST http://" + host + b"/run HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)[0], 421)
        for host in (b"localhost", b"LOCALHOST:1", b"127.0.0.1", b"127.1.2.3:5", b"[::1]", b"[0:0::1]:80", b"localhost."):
            with self.subTest(host=host):
                self.assertEqual(self.status(b"GET /tools HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")[0], 200)

    def test_foreign_origin_is_403(self):
        own = self.server.host
        for origin in ("http://evil.example", "null", "https://localhost.evil.example", f"http://{own}.evil.example",
            f"http://evil.example/{own}", "http://localhost:1", "file://",
                       "chrome-extension://x", "", f"http://{own} http://evil.example", "data:", "*"):
            for method, path, body in (("POST", "/run", BODY), ("GET", "/tools", None), ("GET", "/artifacts/s/aaaaaa/x", None), ("GET", "/debug",
                None)):
                with self.subTest(origin=origin, path=path):
                    reply = self.server.request(method, path, body, {"Origin": origin, "Content-Type": "application/json"})
                    self.assertEqual(reply.status, 403)
                    self.assertNotIn("access-control-allow-origin", reply.headers)
        self.assertEqual(self.server.request("POST", "/run", BODY, {"Origin": f"http://{own}", "Content-Type": "application/json"}).status, 200)
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", "text/json"):
            with self.subTest(kind=kind):
                self.assertEqual(self.server.request("POST", "/run", BODY, {"Origin": f"http://{own}", "Content-Type": kind}).status, 415)

    def test_an_early_refusal_drains_so_that_the_client_can_read_it(self):
        big = b"x" * (20 * 1024 * 1024)
        for head in (self.head(b"Content-Length: %d" % len(big)),
            b"POST /run HTTP/1.1\r\nHost: evil.example\r\nContent-Length: %d\r\n\r\n" % len(big),
                     self.head(b"Content-Length: %d" % len(big), method=b"POST /nothing HTTP/1.1"), self.head(b"Content-Length: %d" % len(big),
                     method=b"GET /run HTTP/1.1"),
                     self.head(b"Content-Length: 1", b"Content-Length: 1")):
            with self.subTest(head=head[:60]):
                answer = self.server.raw(head + big)
                self.assertRegex(answer, rb"^HTTP/1.1 4\d\d ")
                self.assertIn(b"\r\n\r\n{", answer)

    def running(self, connection):
        connection.sendall(self.head(b"Content-Length: %d" % len(self.LONG)) + self.LONG)
        harness.until(lambda: [c for c in self.server.podman.containers(self.server.instance) if c["State"] == "running"], "running")

    LONG = json.dumps({"sessionId": "gone", "code": "sleep 500", "timeout": 600}).encode()

    def test_a_client_gone_mid_run_kills_the_job_and_removes_the_container(self):
        for how in ("close", "reset"):
            with self.subTest(how=how):
                connection = self.server.connect()
                self.running(connection)
                if how == "reset":
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
                harness.until(lambda: self.server.podman.containers(self.server.instance) == [], "the container is removed")
        self.assertFalse(os.path.isdir(os.path.join(self.server.storage, "gone")), "no half result")

    def test_a_client_gone_before_the_body_runs_nothing(self):
        stored = self.stored()
        for data in (b"", b"P", b"POST /run HTTP/1.1\r\n", self.head(b"Content-Length: %d" % len(BODY)),
            self.head(b"Content-Length: %d" % len(BODY)) + BODY[:-1]):
            connection = self.server.connect()
            connection.sendall(data)
            connection.close()
        self.assertEqual(self.stored(), stored)

    # --- what takes until a deadline; each returns what there is to know -----------------------------

    @classmethod
    def wait_for_end(cls, connection, started):
        answer = harness.read_all(connection)
        connection.close()
        return answer[:12], time.monotonic() - started

    @classmethod
    def drip(cls, first, byte, pause_s):
        connection, started = cls.other.connect(), time.monotonic()
        connection.sendall(first)
        answer = b""
        connection.settimeout(pause_s)
        while not answer and time.monotonic() - started < 60:
            try:
                connection.sendall(byte)
                answer = connection.recv(4096) or b"closed"
            except TimeoutError:
                continue
            except OSError:
                answer = b"broken"
        connection.close()
        return answer[:12], time.monotonic() - started

    @classmethod
    def slow_head(cls):
        connection, started = cls.other.connect(), time.monotonic()
        connection.sendall(b"POST /run HTTP/1.1\r\nHost: loc")
        return cls.wait_for_end(connection, started)

    @classmethod
    def half_closed_head(cls):
        connection, started = cls.other.connect(), time.monotonic()
        connection.sendall(b"POST /run HTTP/1.1\r\nHost: loc")
        connection.shutdown(socket.SHUT_WR)
        return cls.wait_for_end(connection, started)

    @classmethod
    def silent(cls):
        connection, started = cls.other.connect(), time.monotonic()
        return cls.wait_for_end(connection, started)

    @classmethod
    def dripping_head(cls):
        return cls.drip(b"POST /run HTTP/1.1\r\nHost: localhost\r\nX: ", b"y", 0.2)

    @classmethod
    def slow_body(cls):
        connection, started = cls.other.connect(), time.monotonic()
        connection.sendall(b"POST /run HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        return cls.wait_for_end(connection, started)

    @classmethod
    def dripping_body(cls):
        return cls.drip(b"POST /run HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n", b" ", 0.2)

    @classmethod
    def slow_chunks(cls):
        return cls.drip(b"POST /run HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", 0.2)

    @classmethod
    def never_reads(cls):
        """The reply (a NUL is six bytes of JSON) is larger than what fits between us, and we take none of it: how long until mayfly gives up?"""
        body = json.dumps({"sessionId": "deaf", "code": "head -c 1048576 /dev/zero"}).encode()
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", cls.other.port))
        connection.sendall(b"POST /run HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        connection.settimeout(60)
        peeked = connection.recv(12, socket.MSG_PEEK)
        started = time.monotonic()
        harness.until(lambda: 'code="reply_not_sent"' in cls.other.logs(), "mayfly gives up")
        took_s = time.monotonic() - started
        connection.close()
        return peeked, took_s

    def assert_deadline(self, name, status, least_s, most_s):
        answer, took_s = self.slow[name].result()
        self.assertEqual(answer, b"HTTP/1.1 %d" % status, name)
        self.assertTrue(least_s <= took_s <= most_s, took_s)

    def test_slow_head_is_408_at_its_deadline(self):
        for name in ("slow_head", "dripping_head"):
            with self.subTest(name=name):
                self.assert_deadline(name, 408, 9, 14)

    def test_slow_head_that_half_closes_is_400_at_once(self):
        self.assert_deadline("half_closed_head", 400, 0, 3)

    def test_slow_silent_client_is_let_go(self):
        answer, took_s = self.slow["silent"].result()
        self.assertIn(answer, (b"", b"HTTP/1.1 408"))
        self.assertTrue(9 <= took_s <= 14, took_s)

    def test_slow_to_send_a_body_is_408_at_its_deadline(self):
        for name in ("slow_body", "dripping_body", "slow_chunks"):
            with self.subTest(name=name):
                self.assert_deadline(name, 408, 28, 35)

    def test_slow_to_read_ends_at_the_write_deadline(self):
        self.assert_deadline("never_reads", 200, 25, 35)

    def test_zz_after_all_this_the_next_job_runs_and_nothing_is_left(self):
        for one in self.slow.values():
            one.result()
        self.check_recovered()
        self.assertEqual(self.other.leaks(), {})


if __name__ == "__main__":
    harness.main()
