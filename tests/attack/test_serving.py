"""Row G of tests/attack/README.md: serving artifacts. Signed links: tests/api/test_files.py."""
import json
import os

import attack
import harness

SECRET = b"secret of the host"


class Serving(attack.AttackTest):
    has_neighbour = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.job = cls.server.execute("""
import os
files = {'page.html': '<script>alert(document.domain)</script>', 'image.svg': '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
         'feed.xml': '<?xml version="1.0"?><x/>', 'page.xhtml': '<html xmlns="http://www.w3.org/1999/xhtml"/>', 'code.js': 'alert(1)', 'paper.pdf': '%PDF',
         'PAGE.HTM': '<script>', 'sheet.xsl': '<x/>', 'no_extension': '<html><script>alert(1)</script>', 'text.txt': '<script>alert(1)</script>',
         'worker.mjs': 'x', 'a.html.txt': '<script>', 'a.txt.html': '<script>', '.html': '<script>', 'x.HtMl': '<script>', 'data.bin': '0123456789' * 1000,
         'style.css': 'x', 'archive.mhtml': 'x', 'movie.swf': 'x', 'module.wasm': 'x', 'data.json': '{}', 'empty': ''}
for name, text in files.items():
    open(name, 'w').write(text)
os.makedirs('d/e')
open('d/e/f', 'w').write('deep')
""", "python", session="s")
        cls.base = f"/artifacts/s/{cls.job['id']}/"
        with open(os.path.join(cls.server.storage, "secret"), "wb") as file:
            file.write(SECRET)
        with open(os.path.join(cls.server.storage, "s", "secret"), "wb") as file:
            file.write(SECRET)
        with open(os.path.join(cls.server.folder, "secret"), "wb") as file:
            file.write(SECRET)

    def raw_get(self, target, *fields):
        """Status, head and body of a GET whose target is sent as it is."""
        lines = [b"GET " + target + b" HTTP/1.1", b"Host: localhost", b"Connection: close", *[field.encode() for field in fields]]
        head, _, body = self.server.raw(b"\r\n".join(lines) + b"\r\n\r\n").partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), head.decode("ascii").lower(), body

    def test_every_encoding_of_dot_dot_is_400_or_404(self):
        ups = ["..", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "..%2f", "%2e%2e%2f", "..%5c", "..\\", "%c0%ae%c0%ae", "%e0%80%ae", "%uff0e%uff0e",
            "..;", "..%00",
               "..%0d%0a", "..%20", ". .", "....", "..././", "%2e%2e%5c", "\uff0e\uff0e", "..%c0%af", "..%252f", "%%32%65%%32%65", "..%2f..%2f"]
        for up in ups:
            for target in (f"{self.base}{up}/secret", f"{self.base}{up}/{up}/secret", f"{self.base}{up}/{up}/{up}/secret",
                f"/artifacts/s/{up}/secret",
                           f"/artifacts/{up}/secret", f"/artifacts/{up}/{self.job['id']}/secret", f"{self.base}d/{up}/{up}/{up}/secret",
                           f"{self.base}{up}secret", f"/{up}/artifacts/s/secret"):
                with self.subTest(target=target):
                    status, _, body = self.raw_get(target.encode())
                    self.assertIn(status, (400, 404))
                    self.assertNotIn(SECRET, body)

    def test_absolute_paths_are_400_or_404(self):
        for path in ("/etc/passwd", "//etc/passwd", "%2fetc%2fpasswd", "%2Fetc/passwd", self.server.folder + "/secret", "file:///etc/passwd",
            "./text.txt",
                     "d//e/f", "d/./e/f", "d/e/f/", "d/e/", "d", "d/", "", "text.txt/", "text.txt/x", "text.txt%00", "text.txt%00.png",
                     "text.txt%0a", "TEXT.TXT"):
            with self.subTest(path=path):
                status, _, body = self.raw_get((self.base + path).encode())
                self.assertIn(status, (400, 404))
                self.assertNotIn(b"root:", body)
        self.assertEqual(self.raw_get((self.base + "d/e/f").encode())[::2], (200, b"deep"))

    def test_other_jobs_ids_and_hidden_folders_are_404(self):
        job = self.job["id"]
        for path in (f"s/job-{job}/text.txt", f"s/{job}x/text.txt", f"s/{job[:5]}/text.txt", f".incoming/{job}/text.txt", f"S/{job}/text.txt",
                     f"s%00/{job}/text.txt", f"s//{job}/text.txt", f"/s/{job}/text.txt", f"s/{job}", "s", "", "s/", f"%2e/s/{job}/text.txt",
                     f"s/%2e%2f{job}/text.txt"):
            with self.subTest(path=path):
                self.assertIn(self.raw_get(b"/artifacts/" + path.encode())[0], (400, 404))

    def test_what_is_not_a_regular_file_is_404(self):
        folder = os.path.join(self.server.storage, "s", "job-" + self.job["id"])
        # what the collector never stores, put there by somebody else
        os.symlink(os.path.join(self.server.folder, "secret"), os.path.join(folder, "link"))
        os.symlink("d", os.path.join(folder, "linked"))
        os.mkfifo(os.path.join(folder, "fifo"))
        for name in ("link", "linked/e/f", "fifo"):
            with self.subTest(name=name):
                status, _, body = self.raw_get((self.base + name).encode())
                self.assertEqual((status, json.loads(body)), (404, {"error": "Artifact not found"}))

    def test_what_a_browser_would_run_is_sandboxed_and_an_attachment(self):
        for name in ("page.html", "image.svg", "feed.xml", "page.xhtml", "PAGE.HTM", "sheet.xsl", "code.js", "worker.mjs", "paper.pdf",
            "a.txt.html", "x.HtMl",
                     "archive.mhtml", "movie.swf", "module.wasm"):
            with self.subTest(name=name):
                status, head, _ = self.raw_get((self.base + name).encode())
                self.assertEqual(status, 200)
                self.assertRegex(head, r"content-security-policy: ([^\r]*; )?sandbox[;\r]")
                self.assertNotIn("allow-", head)
                self.assertIn("content-disposition: attachment", head)
                self.assertIn("x-content-type-options: nosniff", head)

    def test_everything_says_nosniff_and_nothing_else_is_html(self):
        for name in ("no_extension", "text.txt", "a.html.txt", ".html", "data.bin", "style.css", "data.json", "empty", "stdout", "stderr",
            "script.js", "nothing"):
            with self.subTest(name=name):
                _, head, _ = self.raw_get((self.base + name).encode())
                self.assertIn("x-content-type-options: nosniff", head)
                self.assertNotRegex(head, "content-type: (text/html|image/svg|application/xhtml)")

    def test_what_the_client_asks_for_changes_no_type(self):
        for query in ("?download=page.html", "?content-type=text/html", "?x=\u00e9".encode().decode("latin-1"), "?"):
            _, head, _ = self.raw_get((self.base + "text.txt" + query).encode("latin-1"), "Accept: text/html")
            self.assertTrue("text/plain" in head or " 400 " in head.split("\r\n")[0], head)

    def test_range_abuse_is_200_206_or_416(self):
        size = 10000
        ranges = ["bytes=0-", "bytes=-1", "bytes=9999-", "bytes=0-0", "bytes=10000-", "bytes=-0", "bytes=5-2", "bytes=-99999999999999999999",
            "bytes=0-99999999999999999999",
                  "bytes=18446744073709551615-", "bytes=18446744073709551616-", "bytes=-18446744073709551615", "bytes=0-18446744073709551615",
                  "bytes=--1", "bytes=-", "bytes=",
                  "bytes", "bytes=a-b", "bytes=0x0-5", "bytes= 0-5", "bytes=0 -5", "bytes=+1-5", "chars=0-5", "bytes=0-5,6-9",
                  "bytes=" + ",".join(["0-"] * 500),
                  "bytes=" + ",".join(f"{i}-{i}" for i in range(500)), "bytes=0-5;", "BYTES=0-5", "bytes=1e1-", "bytes=0-5,", "none"]
        for value in ranges:
            with self.subTest(range=value[:60]):
                status, head, body = self.raw_get((self.base + "data.bin").encode(), "Range: " + value)
                self.assertIn(status, (200, 206, 416))
                self.assertLessEqual(len(body), size)
                self.assertIn(f"content-length: {len(body)}\r\n", head + "\r\n")
                if status == 206:
                    first, last = head.split("content-range: bytes ")[1].split("/")[0].split("-")
                    whole = b"0123456789" * 1000
                    self.assertEqual(body, whole[int(first):int(last) + 1])
                if status == 200:
                    self.assertEqual(len(body), size)
                if status == 416:
                    self.assertIn("content-range: bytes */10000", head)

    def test_two_range_fields_and_a_range_of_nothing(self):
        for fields in (["Range: bytes=0-1", "Range: bytes=2-3"], ["Range: bytes=0-1", "If-Range: \"wrong\""]):
            self.assertEqual(self.raw_get((self.base + "data.bin").encode(), *fields)[0], 200)
        self.assertIn(self.raw_get((self.base + "empty").encode(), "Range: bytes=0-")[0], (200, 416))

    def test_other_methods_change_nothing(self):
        before = os.listdir(os.path.join(self.server.storage, "s", "job-" + self.job["id"]))
        for method in ("PUT", "DELETE", "POST", "PATCH", "MOVE", "PROPFIND", "TRACE", "OPTIONS"):
            with self.subTest(method=method):
                self.assertIn(self.server.request(method, self.base + "text.txt", b"x").status, (405, 501))
        self.assertEqual(os.listdir(os.path.join(self.server.storage, "s", "job-" + self.job["id"])), before)

    def test_session_names_that_look_like_paths_serve_their_own_files_only(self):
        for session in ("%2e%2e", "a%2fb", "a..", "%2e%2e%2f", "a\\b", "~", "-", "con", "%"):
            with self.subTest(session=session):
                result = self.server.execute("echo mine > f", session=session)
                self.assertEqual(self.server.fetch(result["artifacts"]["outputs"]["f"]), b"mine\n")
        self.check_recovered()


if __name__ == "__main__":
    harness.main()
