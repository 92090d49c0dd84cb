"""Looking into results in headless Chromium: /artifacts/…?view, and the lists behind it (rows F, G and K of tests/attack/README.md)."""
import base64
import json
import os
import shlex

import browser
import harness
from pagetools import CONTRAST, png

DONE = "document.querySelector('#content')?.getAttribute('aria-busy') === 'false'"
HOSTILE = "<img src=x onerror=\"top.stolen=1\"><script>top.stolen=1</script>"


class ViewTest(harness.ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser = browser.Browser()
        cls.addClassCleanup(cls.browser.close)
        svg = "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='30' onload='top.stolen=1'><script>top.stolen=1</script><rect width='40' height='30'/></svg>"
        code = "\n".join([
            f"echo {base64.b64encode(png(60, 50)).decode()} | base64 -d > a.png",
            f"printf 'name;price\\n\"x;y\";3\\n%s;4\\n' {shlex.quote(HOSTILE)} > table.csv",
            "echo '{\"list\":[1,{\"deep\":true}],\"text\":\"two\"}' > data.json",
            "printf '# Title\\n\\n**bold** <b>markup</b>\\n' > notes.md",
            f"echo {shlex.quote(svg)} > drawing.svg; echo {shlex.quote('<!doctype html><body>' + HOSTILE)} > page.html",
            "printf '%%PDF-1.4\\n' > paper.pdf; printf 'a\\0b' > bytes.bin; printf plain > noextension; mkdir -p 'sub/ä #?'; echo deep > 'sub/ä #?/x y.txt'",
            f"echo said; : > empty.txt; echo broken > 'broken.json'; touch {shlex.quote(HOSTILE.replace('/', '_'))}; ln -s /etc/passwd link; mkfifo pipe"])
        cls.result = cls.server.execute(code, "bash", session="my session")
        assert cls.result["exitCode"] == 0, cls.result
        cls.base = f"/artifacts/my%20session/{cls.result['id']}"

    def open(self, path, **how):
        page = self.browser.open(f"http://{self.server.host}{path}", **how)
        page.wait(DONE)
        return page

    def view(self, name, **how):
        page = self.open(f"{self.base}/{name}?view", **how)
        self.assertEqual("undefined", page.run("typeof window.stolen"))
        self.assertEqual([], page.complaints)
        return page


class Files(ViewTest):
    def test_table(self):
        page = self.view("table.csv")
        self.assertEqual([["name", "price"], ["x;y", "3"], [HOSTILE, "4"]],
                         page.run("Array.from(document.querySelectorAll('tr'), (row) => Array.from(row.cells, (cell) => cell.textContent))"))
        self.assertEqual(("text/csv", "table.csv"), (page.text("#type"), page.text("h1")))
        self.assertEqual([f"{self.base}/table.csv", "table.csv"],
                         page.run("(() => { const link = document.querySelector('a[download]'); return [link.getAttribute('href'), link.download]; })()"))

    def test_json_is_folded(self):
        page = self.view("data.json")
        self.assertEqual([True, False], page.run("Array.from(document.querySelectorAll('details'), (fold) => fold.open)"))
        page.click("li summary")
        page.wait("document.querySelectorAll('details').length === 3")
        self.assertIn("[2 items]", page.text(".tree"))
        self.assertEqual("broken", self.view("broken.json").text(".output").strip())

    def test_text_and_markdown_as_text(self):
        self.assertEqual("# Title\n\n**bold** <b>markup</b>", self.view("notes.md").text(".output").strip())
        self.assertEqual("plain", self.view("noextension").text(".output"))
        self.assertEqual("said", self.view("stdout").text(".output").strip())
        self.assertEqual("deep", self.view("sub/%C3%A4%20%23%3F/x%20y.txt").text(".output").strip())
        self.assertEqual("Empty", self.view("empty.txt").text(".empty"))

    def test_html_as_text(self):
        page = self.view("page.html")
        self.assertEqual("<!doctype html><body>" + HOSTILE, page.text(".output").strip())
        self.assertEqual(0, page.run("document.querySelectorAll('main img, main script').length"))

    def test_images(self):
        for name, size in (("a.png", [60, 50]), ("drawing.svg", [40, 30])):
            page = self.view(name)
            self.assertEqual(size, page.run("document.querySelector('.gallery img').decode().then(() => { const image = document.querySelector('.gallery img');"
                                            "return [image.naturalWidth, image.naturalHeight]; })"))

    def test_what_is_only_downloaded(self):
        for name in ("paper.pdf", "bytes.bin"):
            page = self.view(name)
            self.assertIn("Download it", page.text("#content p"))
            self.assertEqual(1, page.run("document.querySelectorAll('a[download]').length"))
        reply = self.server.request("GET", f"{self.base}/paper.pdf")
        self.assertTrue(reply.headers["content-disposition"].startswith("attachment"))

    def test_the_file_itself_is_as_ever(self):
        for query in ("", "?", "?views", "?view=1", "?x=view"):
            reply = self.server.request("GET", f"{self.base}/table.csv{query}")
            self.assertEqual((reply.status, reply.headers["content-type"]), (200, "text/csv; charset=utf-8"), query)


class Lists(ViewTest):
    def test_job(self):
        page = self.open(f"{self.base}?view")
        names = page.run("Array.from(document.querySelectorAll('.file-name'), (link) => link.textContent)")
        self.assertEqual(sorted(["a.png", "table.csv", "data.json", "notes.md", "drawing.svg", "page.html", "paper.pdf", "bytes.bin", "noextension", "empty.txt",
                                 "broken.json", "sub/ä #?/x y.txt", "stdout", "stderr", "script.js", HOSTILE.replace("/", "_")],
                                key=str.encode), names)
        page.click(".file-name[href*='x%20y']")
        page.loaded.get(timeout=browser.DEADLINE_S)
        page.wait(DONE)
        self.assertEqual("deep", page.text(".output").strip())
        self.assertEqual(["my session", self.result["id"], "sub/ä #?/x y.txt"],
                         page.run("Array.from(document.querySelectorAll('.crumb'), (crumb) => crumb.textContent)"))
        self.assertEqual([], page.complaints)

    def test_session(self):
        other = self.server.execute("true", session="my session")
        page = self.open("/artifacts/my%20session?view")
        self.assertEqual([other["id"], self.result["id"]], page.run("Array.from(document.querySelectorAll('.file-name'), (link) => link.textContent)"))
        page.click("li:nth-child(2) a")
        page.loaded.get(timeout=browser.DEADLINE_S)
        page.wait(f"{DONE} && document.querySelectorAll('#list li').length > 10")

    def test_json(self):
        reply = self.server.request("GET", f"{self.base}/?list")
        listed = json.loads(reply.body)
        self.assertEqual((reply.status, listed["cut"]), (200, False))
        self.assertIn({"path": "notes.md", "size": len("# Title\n\n**bold** <b>markup</b>\n")}, listed["files"])
        self.assertEqual([], [file for file in listed["files"] if file["path"] in ("link", "pipe")])

    def test_from_the_debug_page(self):
        page = self.browser.open(f"http://{self.server.host}/debug/code-execution")
        page.wait("!document.querySelector('#workbench').hidden")
        page.choose("#field-language", "bash")
        page.fill("#field-code", "echo 1,2 > t.csv")
        page.key("Enter", "Control")
        page.wait("document.querySelector('[data-files=outputs] a[href$=\"?view\"]')")
        page.click("[data-files=outputs] a[href$='?view']")
        page.loaded.get(timeout=browser.DEADLINE_S)
        page.wait(DONE)
        self.assertEqual(2, page.run("document.querySelectorAll('th').length"))

    def test_what_is_not_there(self):
        os.makedirs(os.path.join(self.server.storage, "outside"))
        for path in ("/artifacts/nobody?view", "/artifacts/nobody?list", f"{self.base}/missing?view", f"{self.base}/sub?view", f"{self.base}/link?view",
                     "/artifacts/my%20session/AAAAAA?view", "/artifacts/my%20session/..?list", "/artifacts/..?list", "/artifacts/.incoming?list",
                     "/artifacts/%2e%2e/%2e%2e?list", "/artifacts/?list", f"{self.base}/sub?list"):
            reply = self.server.request("GET", path)
            self.assertEqual((reply.status, json.loads(reply.body)), (404, {"error": "Artifact not found"}), path)


class Off(harness.ServerTest):
    environment = {"DEBUG_UI": "false"}

    def test_nothing_of_it_is_there(self):
        result = self.server.execute("echo 1,2 > t.csv", session="s")
        base = f"/artifacts/s/{result['id']}"
        for path in ("/artifacts/s?view", "/artifacts/s?list", f"{base}?view", f"{base}?list", f"{base}/?list"):
            self.assertEqual(404, self.server.request("GET", path).status, path)
        reply = self.server.request("GET", f"{base}/t.csv?view")
        self.assertEqual((200, b"1,2\n"), (reply.status, reply.body))


class Reach(ViewTest):
    def pages(self):
        return [f"{self.base}/{name}?view" for name in ("table.csv", "data.json", "notes.md", "a.png")] + [f"{self.base}?view", "/artifacts/my%20session?view"]

    def test_narrow_screens_do_not_scroll_sideways(self):
        for path in self.pages():
            page = self.open(path)
            page.resize(320)
            self.assertLessEqual(page.run("document.documentElement.scrollWidth"), 320, path)

    def test_contrast_in_light_and_dark(self):
        for scheme in ("light", "dark"):
            for path in self.pages():
                page = self.open(path)
                page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
                found = page.run(CONTRAST)
                self.assertGreater(found["checked"], 3)
                self.assertEqual([], found["poor"], (scheme, path))


if __name__ == "__main__":
    harness.main()
