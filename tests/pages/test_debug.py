"""The debug pages in headless Chromium against the real mayfly and Podman (src/api/tools/README.md; rows A and K of tests/attack/README.md)."""
import base64
import json
import os
import shlex

import browser
import harness
from pagetools import CONTRAST, png
from tooltest import upload

IDLE = "!document.querySelector('#result[aria-busy]')"
DONE = f"document.querySelector('#exit-code') && {IDLE} && document.querySelector('#exit-code').dataset.exitCode"
REFUSED = f"document.querySelector('#http-status') && {IDLE} && document.querySelector('#http-status').innerText"


class PageTest(harness.ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser = browser.Browser()
        cls.addClassCleanup(cls.browser.close)

    def open(self, path="/debug/code-execution", **how):
        page = self.browser.open(f"http://{self.server.host}{path}", **how)
        if path == "/debug/code-execution":
            page.wait("!document.querySelector('#workbench').hidden")
        return page

    def run_code(self, page, code, language="bash"):
        """Runs code from the form; returns the exit code."""
        page.choose("#field-language", language)
        page.fill("#field-code", code)
        page.key("Enter", "Control")
        return int(page.wait(DONE))

    def assert_quiet(self, page):
        self.assertEqual([], page.complaints)


class Landing(PageTest):
    def test_lists_the_tools_and_leads_to_them(self):
        page = self.open("/debug")
        self.assertEqual("code_execution", page.wait("document.querySelector('.card-name')?.innerText"))
        tools = json.loads(self.server.request("GET", "/tools").body)
        self.assertEqual(list(tools), page.run("Array.from(document.querySelectorAll('.card-name'), (name) => name.innerText)"))
        self.assertEqual(tools["code_execution"]["description"], page.text(".card-text"))
        page.run("document.querySelector('.card').focus()")
        page.key("Enter")
        page.loaded.get(timeout=browser.DEADLINE_S)
        page.wait("!document.querySelector('#workbench').hidden")
        self.assertEqual("code_execution", page.text("h1"))
        self.assert_quiet(page)

    def test_server_gone(self):
        page = self.open("/debug")
        page.wait("document.querySelector('.card')")
        page.send("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
        page.run("import('/debug/assets/dom.js').then((dom) => dom.fetchTools()).catch((error) => { document.title = error.message; })")
        self.assertIn("cannot be reached", page.wait("document.title.includes('reached') && document.title"))


class Run(PageTest):
    def test_form_is_built_from_the_schema(self):
        page = self.open()
        parameters = json.loads(self.server.request("GET", "/tools").body)["code_execution"]["parameters"]
        for name, schema in parameters.items():
            self.assertEqual(schema["title"], page.text(f"label[for=field-{name}]"))
            self.assertEqual(schema["description"], page.text(f"#field-{name}-help"))
        self.assertEqual(parameters["language"]["enum"],
                         page.run("Array.from(document.querySelector('#field-language').options, (option) => option.value)"))
        self.assertEqual(parameters["language"]["default"], page.run("document.querySelector('#field-language').value"))
        self.assertEqual("script.js", page.run("document.querySelector('#field-filename').placeholder"))
        self.assertEqual("30", page.run("document.querySelector('#field-timeout').value"))
        self.assertRegex(page.run("document.querySelector('#field-sessionId').value"), r"^debug-[0-9a-f]{10}$")
        self.assert_quiet(page)

    def test_starter_of_every_language_runs(self):
        page = self.open()
        for language in page.run("Array.from(document.querySelector('#field-language').options, (option) => option.value)"):
            with self.subTest(language):
                page.choose("#field-language", language)
                self.assertIn("This goes to stderr.", page.run("document.querySelector('#field-code').value"))
                page.click("#run")
                self.assertEqual("0", page.wait(DONE), page.text("#outcome"))
                self.assertRegex(page.text("[data-stream=stdout] pre"), f"(?i)hello from {language}")
                self.assertEqual("This goes to stderr.", page.text("[data-stream=stderr] pre").strip())
                self.assertEqual(1, page.run("document.querySelectorAll('[data-files=outputs] li').length"))
        self.assert_quiet(page)

    def test_starter_leaves_written_code_alone(self):
        page = self.open()
        page.fill("#field-code", "echo mine")
        page.choose("#field-language", "python")
        self.assertEqual("echo mine", page.run("document.querySelector('#field-code').value"))
        page.fill("#field-code", "")
        page.choose("#field-language", "node")
        self.assertIn("Node.js", page.run("document.querySelector('#field-code').value"))

    def test_result_files_and_links(self):
        page = self.open()
        page.fill("#field-sessionId", "my session")
        page.fill("#field-filename", "main.sh")
        code = "mkdir -p sub; printf 'a,b\\n' > 'sub/ta ble#1?.csv'; printf out; printf err >&2; exit 3"
        self.assertEqual(3, self.run_code(page, code))
        self.assertEqual("exit 3", page.text("#exit-code"))
        self.assertRegex(page.text("#duration"), r"^\d+\.\d+ s$")
        self.assertIn("exit code 3", page.text("#announcement"))
        self.assertEqual("out", page.text("[data-stream=stdout] pre"))
        self.assertEqual("err", page.text("[data-stream=stderr] pre"))
        base = f"/artifacts/my%20session/{page.text('#job-id')}"
        links = page.run("Array.from(document.querySelectorAll('#outcome a[download]'), (link) => [link.getAttribute('href'), link.download])")
        self.assertEqual(sorted([[f"{base}/stdout", "stdout"], [f"{base}/stderr", "stderr"], [f"{base}/main.sh", "main.sh"],
                                 [f"{base}/sub/ta%20ble%231%3F.csv", "ta ble#1?.csv"]]), sorted(links))
        for href, _ in links:
            self.assertEqual(200, self.server.request("GET", href).status)
        self.assertEqual("4 bytes", page.wait("document.querySelector('[data-files=outputs] .size').innerText"))
        page.click("[data-files=outputs] button")
        self.assertEqual("a,b", page.wait("document.querySelector('[data-files=outputs] pre')?.innerText.trim() === 'a,b' && 'a,b'"))
        page.click("[data-files=outputs] button")
        page.wait("!document.querySelector('[data-files=outputs] pre')")
        self.assert_quiet(page)

    def test_empty_streams_and_signals(self):
        page = self.open()
        self.assertEqual(137, self.run_code(page, "kill -9 $$"))
        self.assertIn("memory", page.text(".note"))
        self.assertEqual("Empty", page.text("[data-stream=stdout] .empty"))
        self.assertIn("Execution was killed by signal 9 (SIGKILL)", page.text("[data-stream=stderr] pre"))

    def test_output_is_shown_as_text_only(self):
        page = self.open()
        hostile = "<img src=x onerror=\"window.stolen=1\"><script>window.stolen=1</script>"
        name = hostile.replace("/", "_")
        self.run_code(page, f"echo {shlex.quote(hostile)}; printf '\\033[31mred\\007\\r\\n' >&2; touch {shlex.quote(name)}")
        self.assertEqual(hostile, page.text("[data-stream=stdout] pre").strip())
        self.assertEqual("\u241b[31mred\u2407", page.text("[data-stream=stderr] pre").strip())
        self.assertEqual(name, page.text("[data-files=outputs] .file-name"))
        page.run("document.querySelector('details').open = true")
        self.assertEqual(0, page.run("document.querySelectorAll('#outcome img, #outcome script').length"))
        self.assertEqual("undefined", page.run("typeof window.stolen"))

    def test_long_output_is_capped_and_shown_on_demand(self):
        page = self.open()
        self.run_code(page, "seq 1 20000")
        self.assertLessEqual(page.run("document.querySelector('[data-stream=stdout] pre').textContent.length"), 10240)
        self.assertIn("first 10 KiB", page.text("[data-stream=stdout] .note"))
        page.click("[data-stream=stdout] button")
        page.wait("document.querySelector('[data-stream=stdout] pre').textContent.endsWith('20000\\n')")
        self.assertEqual("106 KiB", page.text("[data-stream=stdout] .stream-head .quiet"))
        self.assertEqual(0, page.run("document.querySelectorAll('[data-stream=stdout] button').length"))
        self.run_code(page, "head -c 5000000 /dev/zero | tr '\\0' x")
        page.click("[data-stream=stdout] button")
        page.wait("document.querySelector('[data-stream=stdout] pre').textContent.length === 2097152")
        self.assertIn("4.8 MiB", page.text("[data-stream=stdout] .note"))

    def test_images_are_previewed(self):
        page = self.open()
        svg = ('<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30" onload="top.stolen=1">'
               '<script>top.stolen=1</script><rect width="40" height="30"/></svg>')
        self.run_code(page, f"echo {base64.b64encode(png(60, 50)).decode()} | base64 -d > a.png\n"
                            f"echo {shlex.quote(svg)} > b.svg\necho no image > c.png")
        page.wait("document.querySelectorAll('.gallery figure').length === 3 && document.querySelector('.gallery figure span')")
        sizes = page.run("Promise.all(Array.from(document.querySelectorAll('.gallery img'), (image) => image.decode().then(() =>"
                         "[image.alt, image.naturalWidth, image.naturalHeight]))).then((sizes) => sizes.sort())")
        self.assertEqual([["a.png", 60, 50], ["b.svg", 40, 30]], sizes)
        self.assertIn("not an image", page.text(".gallery figure span"))
        self.assertEqual("undefined", page.run("typeof window.stolen"))

    def test_raw_request_reply_and_curl(self):
        page = self.open()
        code = "echo \"it's\" 'quoted' $HOME \\\\ `true`"
        self.run_code(page, code)
        self.assertFalse(page.run("document.querySelector('details').open"))
        page.click("summary")
        self.assertTrue(page.run("document.querySelector('details').open"))
        request = json.loads(page.run("document.querySelector('[data-raw=request]').textContent").split("\n\n", 1)[1])
        self.assertEqual(("code_execution", code, "bash", 30), tuple(request[name] for name in ("tool", "code", "language", "timeout")))
        status, reply = page.run("document.querySelector('[data-raw=reply]').textContent").split("\n\n", 1)
        self.assertEqual(("200 OK", 0), (status, json.loads(reply)["exitCode"]))
        words = shlex.split(page.run("document.querySelector('[data-raw=curl]').textContent").replace("\\\n", " "))
        self.assertEqual(["curl", "-sS", f"http://{self.server.host}/tools/execute", "-H", "Content-Type: application/json", "-d"], words[:6])
        self.assertEqual(request, json.loads(words[6]))

    def test_time_out(self):
        page = self.open()
        page.fill("#field-timeout", "1")
        self.assertEqual(-1, self.run_code(page, "echo before; sleep 60"))
        self.assertEqual("timed out", page.text("#exit-code"))
        self.assertEqual("before", page.text("[data-stream=stdout] pre").strip())
        self.assertIn("timed out after", page.text("[data-stream=stderr] pre"))

    def test_running_indicator_and_cancel(self):
        page = self.open()
        page.fill("#field-code", "sleep 600")
        page.key("Enter", "Control")
        page.wait("!document.querySelector('#elapsed').hidden && document.querySelector('#result[aria-busy]')")
        page.wait("parseFloat(document.querySelector('#seconds').innerText) >= 0.5", "the clock moves")
        self.assertEqual("Running.", page.text("#announcement"))
        self.assertEqual("true", page.run("document.querySelector('#run').getAttribute('aria-disabled')"))
        page.click("#run")  # a second run must not start
        harness.until(lambda: len(self.server.podman.containers(self.server.instance)) == 1, "one container")
        page.click("#cancel")
        self.assertIn("Cancelled", page.wait(f"{IDLE} && document.querySelector('.problem')?.innerText"))
        self.assertTrue(page.run("document.querySelector('#cancel').hidden && document.querySelector('#elapsed').hidden"))
        self.assertEqual("run", page.run("document.activeElement.id"), "the focus is not lost with the button")
        self.assertEqual({}, self.server.leaks(), "closing the connection ended the job")
        self.assertEqual(0, self.run_code(page, "true"))

    def test_last_session_and_language_are_remembered(self):
        page = self.open()
        page.fill("#field-sessionId", "kept")
        self.run_code(page, "print(1)", "python")
        page.go(f"http://{self.server.host}/debug/code-execution")
        page.wait("!document.querySelector('#workbench').hidden")
        self.assertEqual(["kept", "python"], page.run("['sessionId', 'language'].map((name) => document.querySelector(`#field-${name}`).value)"))
        self.assertIn("from Python", page.run("document.querySelector('#field-code').value"))
        page.click(".joined button")
        self.assertRegex(page.run("document.querySelector('#field-sessionId').value"), "^debug-")

    def test_works_without_storage(self):
        page = self.open()
        page.send("Page.addScriptToEvaluateOnNewDocument",
                  source="Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }});")
        page.go(f"http://{self.server.host}/debug/code-execution")
        page.wait("!document.querySelector('#workbench').hidden")
        self.assertEqual(0, self.run_code(page, "true"))
        self.assert_quiet(page)


class Documents(PageTest):
    def test_a_file_is_picked_and_converted(self):
        page = self.open("/debug/document-converter")
        page.wait("!document.querySelector('#workbench').hidden")
        tool = json.loads(self.server.request("GET", "/tools").body)["document_converter"]
        for name, schema in tool["parameters"].items():
            self.assertEqual(schema["title"], page.text(f"label[for=field-{name}]"))
        self.assertEqual("file", page.run("document.querySelector('#field-fileContent').type"))
        path = os.path.join(self.server.folder, "paper.md")
        data = "# Päper\n\ntext\n".encode()
        with open(path, "wb") as file:
            file.write(data)
        page.choose_file("#field-fileContent", path)
        page.wait("document.querySelector('#field-filename').value === 'paper.md'", "the file's name is filled in")
        page.fill("#field-conversionScript", "pandoc paper.md -o paper.docx; pandoc -t plain paper.md")
        page.key("Enter", "Control")
        self.assertEqual("0", page.wait(DONE), page.text("#outcome"))
        self.assertIn("Päper", page.text("[data-stream=stdout] pre"))
        self.assertEqual(["paper.docx"], page.run("Array.from(document.querySelectorAll('[data-files=outputs] .file-name'), (link) => link.textContent)"))
        address = page.run("document.querySelector('[data-files=inputs] .file-name').getAttribute('href')")
        self.assertEqual(data, self.server.request("GET", address).body)
        self.assert_quiet(page)

    def test_an_upload_in_place_of_a_file(self):
        file_id = upload(self.server, b"of the store", "a.txt")
        page = self.open("/debug/document-converter")
        page.wait("!document.querySelector('#workbench').hidden")
        page.fill("#field-fileContent-upload", file_id)
        page.fill("#field-filename", "a.txt")
        page.fill("#field-conversionScript", "cat a.txt")
        page.key("Enter", "Control")
        self.assertEqual("0", page.wait(DONE), page.text("#outcome"))
        self.assertEqual("of the store", page.text("[data-stream=stdout] pre"))
        self.assert_quiet(page)

    def test_refusals_stand_at_their_fields(self):
        page = self.open("/debug/document-converter")
        page.wait("!document.querySelector('#workbench').hidden")
        page.click("#run")
        self.assertEqual("HTTP 400", page.wait(REFUSED))
        self.assertEqual("File content must not be empty", page.text("#field-fileContent-error"))
        self.assertEqual("Filename must not be empty", page.text("#field-filename-error"))


class Errors(PageTest):
    def test_messages_at_the_fields(self):
        page = self.open()
        page.fill("#field-sessionId", "")
        page.fill("#field-timeout", "901")
        page.key("Enter", "Control")
        self.assertEqual("HTTP 400", page.wait(REFUSED))
        self.assertEqual("Session ID must not be empty", page.text("#field-sessionId-error"))
        self.assertEqual("Timeout cannot exceed 900 seconds (15 minutes)", page.text("#field-timeout-error"))
        self.assertEqual(["true", "true", None], page.run(
            "['sessionId', 'timeout', 'code'].map((name) => document.querySelector(`#field-${name}`).getAttribute('aria-invalid'))"))
        self.assertIn("Invalid request body (agent params)", page.text(".problem"))
        self.assertIn("-error", page.run("document.activeElement.getAttribute('aria-describedby')"), "the cursor is in a wrong field")
        page.fill("#field-sessionId", "s")
        page.fill("#field-timeout", "5")
        page.fill("#field-code", "")
        page.key("Enter", "Control")
        self.assertEqual("Code must not be empty", page.wait("!document.querySelector('#field-code-error').hidden && "
                                                             "document.querySelector('#field-code-error').innerText"))
        self.assertTrue(page.run("document.querySelector('#field-timeout-error').hidden"), "an old message is gone")
        self.assertEqual("field-code", page.run("document.activeElement.id"))
        self.assertEqual(0, self.run_code(page, "true"))
        self.assertTrue(page.run("document.querySelector('#field-code-error').hidden"))

    def test_server_gone(self):
        page = self.open()
        page.send("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
        page.key("Enter", "Control")
        self.assertIn("The server cannot be reached", page.wait(f"{IDLE} && document.querySelector('.problem')?.innerText"))
        page.send("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)
        self.assertEqual(0, self.run_code(page, "true"))

    def test_engine_missing(self):
        with harness.Server(engine=False, DOCKER_SOCKET_PATH="/nonexistent/podman.sock") as server:
            page = self.browser.open(f"http://{server.host}/debug/code-execution")
            page.wait("!document.querySelector('#workbench').hidden")
            page.key("Enter", "Control")
            self.assertRegex(page.wait(REFUSED), "HTTP 50[0234]")
            body = json.loads(page.run("document.querySelector('[data-raw=reply]').textContent").split("\n\n", 1)[1])
            self.assertIn(body["error"], page.text(".problem"))
            self.assertIn(body.get("details") or body["message"], page.text(".problem"))

    def test_another_tool_builds_another_form(self):
        folder = os.path.join(self.server.environment["MAYFLY_CONFIG_DIR"], "tools.d")
        os.makedirs(folder)
        upload = os.path.join(self.server.folder, "up load.bin")
        with open(upload, "wb") as file:
            file.write(bytes(range(256)))
        with open(os.path.join(folder, "try_everything.json"), "w", encoding="ascii") as file:
            json.dump({"description": "Everything.", "runtime": "bash", "argv": ["-c", "true"], "parameters": {
                "fileContent": {"type": "string", "title": "File", "contentEncoding": "base64"},
                "filename": {"type": "string", "title": "Name"},
                "count": {"type": "integer", "title": "Count", "minimum": 1, "maximum": 3},
                "ratio": {"type": "number", "title": "Ratio", "default": 0.5},
                "deep": {"type": "boolean", "title": "Deep", "default": True},
                "note": {"type": "string", "title": "Note", "default": "none"}}}, file)
        page = self.open("/debug/try-everything")
        page.wait("!document.querySelector('#workbench').hidden")
        self.assertEqual(["file", "text", "number", "number", "checkbox", "text"], page.run(
            "['fileContent', 'filename', 'count', 'ratio', 'deep', 'note'].map((name) => document.querySelector(`#field-${name}`).type)"))
        page.choose_file("#field-fileContent", upload)
        self.assertEqual("up load.bin", page.run("document.querySelector('#field-filename').value"))
        page.fill("#field-count", "9")
        page.key("Enter", "Control")
        self.assertEqual("HTTP 400", page.wait(REFUSED))
        self.assertNotEqual("", page.text("#field-count-error"))
        request = json.loads(page.run("document.querySelector('[data-raw=request]').textContent").split("\n\n", 1)[1])
        self.assertEqual(bytes(range(256)), base64.b64decode(request["fileContent"], validate=True))
        self.assertEqual(("up load.bin", 9, 0.5, True), tuple(request[name] for name in ("filename", "count", "ratio", "deep")))
        self.assertNotIn("note", request, "an empty field with a default is left out")


class Reach(PageTest):
    """Phone, dark, keyboard, screen reader, and the policy."""

    def pages(self, **how):
        landing = self.open("/debug", **how)
        landing.wait("document.querySelector('.card')")
        yield landing
        tool = self.open(**how)
        yield tool
        self.run_code(tool, "echo out; echo err >&2; touch " + "a" * 120 + ".txt; printf '%0500d' 1; exit 1")
        tool.run("document.querySelector('details').open = true")
        yield tool
        tool.fill("#field-timeout", "0")
        tool.key("Enter", "Control")
        tool.wait(REFUSED)
        yield tool

    def test_narrow_screens_do_not_scroll_sideways(self):
        for width in (320, 360, 800, 1280):
            for page in self.pages(width=width):
                self.assertEqual(width, page.run("document.documentElement.scrollWidth"))
                self.assertEqual([], page.run(
                    "Array.from(document.querySelectorAll('button, input, select, textarea, a.small')).filter((control) => "
                    f"control.checkVisibility() && (control.getBoundingClientRect().right > {width} || control.offsetHeight < 20))"
                    ".map((control) => control.outerHTML)"))

    def test_contrast_in_light_and_dark(self):
        backgrounds = set()
        for dark in (False, True):
            for page in self.pages(dark=dark):
                found = page.run(CONTRAST)
                self.assertGreater(found["checked"], 5)
                self.assertEqual([], found["poor"])
            backgrounds.add(page.run("getComputedStyle(document.body).backgroundColor"))
        self.assertEqual(2, len(backgrounds))

    def test_keyboard_reaches_everything_and_is_not_trapped(self):
        page = self.open()
        page.run("document.activeElement.blur()")
        seen = []
        for _ in range(30):
            page.key("Tab")
            at = page.run("document.activeElement.id || document.activeElement.className || document.activeElement.tagName")
            if seen and at in ("BODY", seen[0]):
                break
            seen.append(at)
            self.assertNotEqual(["none", "0px"], page.run(
                "(({outlineStyle, outlineWidth}) => [outlineStyle, outlineWidth])(getComputedStyle(document.activeElement))"), at)
        else:
            self.fail(f"trapped: {seen}")
        self.assertEqual(["skip", "brand", "crumb", "field-language", "field-filename", "field-sessionId", "small", "field-timeout",
                          "field-code", "run"], seen)

    def test_skip_link(self):
        page = self.open()
        page.run("document.activeElement.blur()")
        page.key("Tab")
        page.key("Enter")
        page.key("Tab")
        self.assertEqual("field-language", page.run("document.activeElement.id"))

    def test_controls_have_names(self):
        for page in self.pages():
            nodes = page.send("Accessibility.getFullAXTree")["nodes"]
            controls = [node for node in nodes if not node["ignored"] and node["role"]["value"] in (
                "button", "link", "textbox", "combobox", "spinbutton", "checkbox", "DisclosureTriangle", "image")]
            self.assertGreater(len(controls), 2)
            self.assertEqual([], [node["role"]["value"] for node in controls if not node.get("name", {}).get("value")])

    def test_reduced_motion(self):
        for reduced, wanted in ((False, "turn"), (True, "none")):
            page = self.open(reduced_motion=reduced)
            self.assertEqual(wanted, page.run("getComputedStyle(document.querySelector('.spinner')).animationName"))

    def test_policy_is_enforced(self):
        page = self.open()
        self.assertEqual(["refused", "refused", "undefined"], page.run("""(() => {
            const refused = (action) => { try { action(); return "done"; } catch { return "refused"; } };
            const script = document.createElement("script");
            return [refused(() => { document.body.innerHTML = "<b>x</b>"; }),
                    refused(() => { script.text = "window.stolen = 1"; document.body.append(script); }), typeof window.stolen];
        })()"""))
        self.assertEqual("refused", page.run("fetch('http://127.0.0.1:1/').then(() => 'done', () => 'refused')"))
        self.assertTrue(any("Content Security Policy" in complaint for complaint in page.complaints), page.complaints)

    def test_active_artifacts_do_not_run_in_our_origin(self):
        page = self.open()
        self.run_code(page, "echo '<script>document.title=\"ran\"</script>' > page.html")
        path = page.run("document.querySelector('[data-files=outputs] a').getAttribute('href')")
        with self.assertRaisesRegex(browser.ProtocolError, "ERR_ABORTED"):  # it becomes a download
            page.go(f"http://{self.server.host}{path}")
        self.assertNotEqual("ran", page.run("document.title"))


if __name__ == "__main__":
    harness.main()
