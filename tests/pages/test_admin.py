"""The admin page in headless Chromium against the real mayfly and Podman (src/api/runs/README.md; rows G and K of tests/attack/README.md)."""
import base64
import json
import os
import shlex

import browser
import harness
from pagetools import CONTRAST, png

TOKEN = "a-token-of-ann"
OTHER_TOKEN = "a-token-of-bob"
SLOW_TOKEN = "a-token-of-cal"
IDLE = "!document.querySelector('#result[aria-busy]')"
DONE = f"document.querySelector('#exit-code') && {IDLE} && document.querySelector('.summary [data-status]').dataset.status"
REFUSED = f"{IDLE} && document.querySelector('#outcome .problem')?.innerText"
NO_KEY = "status of 401"  # what the browser itself logs of the list that needs a key


class PageTest(harness.ServerTest):
    environment = {"API_KEYS": f"{TOKEN}:ann:1000:1000,{OTHER_TOKEN}:bob:1000:1000,{SLOW_TOKEN}:cal:0.001:1", "DEBUG_UI": "false", "RUNNER_IMAGE_COMPILED": "localhost/mayfly-compiled-c:latest"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser = browser.Browser()
        cls.addClassCleanup(cls.browser.close)

    def open(self, token=TOKEN, **how):
        page = self.browser.open(f"http://{self.server.host}/", **how)
        page.wait("!document.querySelector('#workbench').hidden && !document.querySelector('#history-note').matches(':empty')")
        if token:
            self.enter_key(page, token)
        return page

    def enter_key(self, page, token):
        page.fill("#field-key", token)
        page.run("document.querySelector('#field-key').blur()")
        page.wait("document.querySelector('[data-run]') || document.querySelector('#history-note').innerText.includes('none yet')")

    def run_code(self, page, code, language="python"):
        """Runs code from the form; returns the status."""
        page.choose("#field-language", language)
        page.fill("#field-code", code)
        page.key("Enter", "Control")
        return page.wait(DONE)

    def open_part(self, page, name):
        page.run(f"document.querySelector('#{name}-part').open = true")

    def raw(self, page, name):
        return page.run(f"document.querySelector('[data-raw={name}]').textContent")

    def api(self, method, path, body=None, token=TOKEN):
        reply = self.server.request(method, path, body, {"Authorization": f"Bearer {token}"})
        self.assertEqual(200, reply.status, reply.body)
        return json.loads(reply.body)

    def assert_quiet(self, page):
        self.assertEqual([], [text for text in page.complaints if NO_KEY not in text])


class Served(PageTest):
    def test_page_and_what_it_loads(self):
        page = self.server.request("GET", "/")
        self.assertEqual((200, "text/html; charset=utf-8"), (page.status, page.headers["content-type"]))
        policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
        self.assertEqual(("'none'", "'self'", "'self'", "'self'", "'none'", "'script'", "'none'"), tuple(policy[name] for name in (
            "default-src", "script-src", "style-src", "connect-src", "frame-ancestors", "require-trusted-types-for", "trusted-types")))
        self.assertNotRegex(page.body.decode(), r"<style|style=|\son\w+=|<script(?![^>]*src=)|https?://")
        head = self.server.request("HEAD", "/")
        self.assertEqual((200, b"", page.headers["content-length"]), (head.status, head.body, head.headers["content-length"]))
        self.assertEqual(304, self.server.request("GET", "/", headers={"If-None-Match": page.headers["etag"]}).status)
        for path in ("/assets/admin.js", "/assets/admin.css", "/assets/icon.svg"):
            self.assertEqual(200, self.server.request("GET", path).status, path)

    def test_nothing_else(self):
        for path in ("/assets/", "/assets/nothing.js", "/assets/../admin.js", "/debug/assets/dom.js", "/admin", "//"):
            self.assertIn(self.server.request("GET", path).status, (400, 404), path)
        self.assertEqual((405, "GET, HEAD"), (lambda reply: (reply.status, reply.headers["allow"]))(self.server.request("POST", "/", {})))
        self.assertEqual(421, self.server.request("GET", "/", headers={"Host": "elsewhere.example"}).status)

    def test_asks_only_this_origin(self):
        page = self.open()
        self.run_code(page, "print(1)")
        page.wait("document.querySelector('[data-run]')")
        self.assertEqual([], page.run("performance.getEntriesByType('resource').map(({name}) => name)"
                                      ".filter((name) => !name.startsWith(location.origin))"))
        self.assert_quiet(page)


class Run(PageTest):
    def test_form_is_built_from_the_description(self):
        schemas = json.loads(self.server.request("GET", "/openapi.json").body)["components"]["schemas"]
        page = self.open(token=None)
        self.assertEqual(sorted(schemas["RunRequest"]["properties"]["language"]["enum"]),
                         sorted(page.run("Array.from(document.querySelector('#field-language').options, (option) => option.value)")))
        self.assertEqual("python", page.run("document.querySelector('#field-language').value"))
        for name, schema in schemas["RunLimits"]["properties"].items():
            self.assertEqual([str(schema[key]) for key in ("minimum", "maximum", "default")],
                             page.run(f"(({{min, max, value}}) => [min, max, value])(document.querySelector('#field-{name}'))"), name)
        self.assert_quiet(page)

    def test_first_program_of_every_language_runs(self):
        page = self.open()
        self.open_part(page, "input")
        page.fill("#field-args", "one\ntwo words")
        page.fill("#field-stdin", "some input")
        for language in page.run("Array.from(document.querySelector('#field-language').options, (option) => option.value)"):
            with self.subTest(language):
                page.choose("#field-language", language)
                self.assertIn("Hello from", page.run("document.querySelector('#field-code').value"))
                if language in ("go", "java", "r", "rust"):
                    continue  # their image is not among those that every test has
                page.wait("!document.querySelector('#run').hasAttribute('aria-disabled')")
                page.click("#run")
                self.assertEqual("succeeded", page.wait(DONE + f" && document.querySelector('.summary').innerText.includes('{language}')"
                                                        " && document.querySelector('.summary [data-status]').dataset.status"),
                                 page.text("#outcome"))
                output = page.text("[data-stream=stdout] pre")
                self.assertRegex(output, f"(?i)hello from {language.replace('cpp', 'c[+][+]')}")
                self.assertRegex(output, r"Arguments: *\[ *[\"']one[\"'], *[\"']two words[\"'] *\]")
                self.assertIn("Input: some input", output)
                self.assertEqual(1, page.run("document.querySelectorAll('#artifacts li').length"))
        self.assert_quiet(page)

    def test_everything_of_the_form_reaches_the_program(self):
        page = self.open()
        for part in ("input", "limits", "env"):
            self.open_part(page, part)
        page.fill("#field-stdin", "in\nput\n")
        page.fill("#field-args", "--flag\n\na b\n")
        page.fill("#field-env", "ONE=1\n\nTWO=a=b \nLD_PRELOAD=/x")
        page.fill("#field-memory_mb", "128")
        page.fill("#field-max_output_bytes", "5000")
        self.assertEqual(["2", "2 changed"], [page.text("#input-count"), page.text("#limits-count")])
        code = ("import json, os, sys\nprint(json.dumps([sys.stdin.read(), sys.argv, os.environ['ONE'], os.environ['TWO'],"
                " 'LD_PRELOAD' in os.environ]))")
        self.assertEqual("succeeded", self.run_code(page, code), page.text("#outcome"))
        self.assertEqual(["in\nput\n", ["main.py", "--", "--flag", "", "a b"], "1", "a=b ", False], json.loads(page.text("[data-stream=stdout] pre")))
        page.run("document.querySelector('.exchange').open = true")
        request = json.loads(self.raw(page, "request"))
        self.assertEqual({"memory_mb": 128, "max_output_bytes": 5000}, request["limits"], "only what is not the default")
        self.assertNotIn("files", request)
        words = shlex.split(self.raw(page, "curl").replace("\\\n", " "))
        self.assertEqual(["curl", "-sS", f"http://{self.server.host}/v1/runs", "-H", "Authorization: Bearer $MAYFLY_KEY"], words[:5])
        self.assertEqual(request, json.loads(words[-1]))
        record = json.loads(self.raw(page, "record"))
        self.assertEqual(record, self.api("GET", f"/v1/runs/{record['id']}"))
        self.assertEqual((128, 5000, 5000), tuple(record["limits"][name] for name in ("memory_mb", "max_output_bytes", "timeout_ms")))
        self.assertNotIn(TOKEN, page.run("document.documentElement.textContent"))
        self.assert_quiet(page)

    def test_uploads(self):
        paths = []
        for name, data in (("ta ble.csv", b"a,b\n1,2\n"), ("other.bin", bytes(range(256)))):
            paths.append(os.path.join(self.server.folder, name))
            with open(paths[-1], "wb") as file:
                file.write(data)
        page = self.open()
        self.open_part(page, "files")
        page.choose_file("#field-files", paths[0])
        self.assertEqual("8 bytes", page.wait("document.querySelector('.upload .size').innerText.includes('bytes') && "
                                              "document.querySelector('.upload .size').innerText"))
        page.choose_file("#field-files", paths[1])
        page.wait("document.querySelectorAll('.upload .size')[1]?.innerText === '256 bytes'")
        self.assertEqual("2", page.text("#files-count"))
        page.fill(".upload input", "data/in.csv")
        code = "import os\nfor folder, _, names in sorted(os.walk('inputs')):\n\tprint(folder, names, [len(open(f'{folder}/{n}', 'rb').read()) for n in names])"
        self.assertEqual("succeeded", self.run_code(page, code), page.text("#outcome"))
        self.assertEqual("inputs ['other.bin'] [256]\ninputs/data ['in.csv'] [8]", page.text("[data-stream=stdout] pre").strip())
        page.fill(".upload input", "../up")
        page.key("Enter", "Control")
        page.wait(REFUSED)
        self.assertIn("invalid file path: ../up", page.text("#field-files-error"))
        page.click(".upload button")
        self.assertEqual("1", page.text("#files-count"))
        self.assertEqual("succeeded", self.run_code(page, "print(1)"))
        self.assertTrue(page.run("document.querySelector('#field-files-error').hidden"), "an old message is gone")

    def test_upload_too_large(self):
        path = os.path.join(self.server.folder, "large.bin")
        with open(path, "wb") as file:
            file.truncate(10 * 1024 * 1024 + 1)
        page = self.open()
        self.open_part(page, "files")
        page.choose_file("#field-files", path)
        self.assertIn("larger than 10 MiB", page.wait("document.querySelector('.upload .field-error')?.innerText"))
        self.assertEqual("succeeded", self.run_code(page, "print(1)"), "what was not uploaded is not sent")

    def test_events_are_shown_as_they_come_and_cancel_ends_the_run(self):
        page = self.open()
        self.open_part(page, "limits")
        page.fill("#field-timeout_ms", "10000")
        page.fill("#field-code", "import sys, time\nprint('first', flush=True)\nprint('<b>second', file=sys.stderr, flush=True)\ntime.sleep(60)")
        page.key("Enter", "Control")
        page.wait("document.querySelector('[data-stream=stdout] pre')?.textContent === 'first\\n' && "
                  "document.querySelector('[data-stream=stderr] pre')?.textContent === '<b>second\\n' && document.querySelector('#result[aria-busy]')")
        self.assertRegex(page.text(".summary"), r"running\s+run_")
        page.wait("parseFloat(document.querySelector('#seconds').innerText) >= 0.5", "the clock moves")
        self.assertEqual("Running.", page.text("#announcement"))
        page.click("#run")  # a second run must not start
        self.assertEqual(1, len(self.server.podman.containers(self.server.instance)))
        page.click("#cancel")
        self.assertIn("Cancelled", page.wait(REFUSED))
        self.assertTrue(page.run("document.querySelector('#cancel').hidden && document.querySelector('#elapsed').hidden"))
        self.assertEqual("run", page.run("document.activeElement.id"), "the focus is not lost with the button")
        self.assertEqual({}, self.server.leaks(), "closing the connection ended the run")
        self.assertEqual("succeeded", self.run_code(page, "print(1)"))

    def test_a_flood_of_events(self):
        page = self.open()
        code = "import os\nfor n in range(20000):\n\tos.write(1 + n % 2, b'line %d\\n' % n)"
        self.assertEqual("succeeded", self.run_code(page, code), page.text("#outcome"))
        for name, last in (("stdout", "line 19998\n"), ("stderr", "line 19999\n")):
            text = page.run(f"document.querySelector('[data-stream={name}] pre').textContent")
            self.assertEqual((10000, last), (text.count("\n"), text[-len(last):]))

    def stream(self, page, pieces):
        """Makes the page's next run one whose events are these pieces of bytes."""
        page.run(f"""(() => {{
            const real = window.fetch;
            window.fetch = (path, options) => {{
                if (options.method !== "POST")
                    return real(path, options);
                window.fetch = real;
                const body = new ReadableStream({{start(sink) {{
                    for (const piece of {json.dumps(pieces)})
                        sink.enqueue(Uint8Array.from(piece));
                    sink.close();
                }}}});
                return Promise.resolve(new Response(body, {{headers: {{"Content-Type": "text/event-stream"}}}}));
            }};
        }})()""")

    def test_events_in_any_pieces(self):
        page = self.open()
        self.run_code(page, "print('\u00e4')")
        record = json.dumps({**json.loads(self.raw(page, "record")), "stdout": "of the \u00e4 stream"}, ensure_ascii=False)
        text = (": heartbeat\n\nevent: status\ndata: {}\n\nevent: unknown\ndata: 1\n\nevent: stdout\ndata: {\"text\":\"\u00e4\"}\n\n"
                f"event: result\r\ndata: {record}\r\n\r\n").encode()
        for pieces in ([list(text)], [[byte] for byte in text]):
            self.stream(page, pieces)
            page.key("Enter", "Control")
            page.wait(f"{IDLE} && document.querySelector('[data-stream=stdout] pre')?.textContent === 'of the \u00e4 stream'")
            self.run_code(page, "print('real')")
            page.wait(f"{IDLE} && document.querySelector('[data-stream=stdout] pre')?.textContent === 'real\\n'")

    def test_streams_that_end_badly(self):
        page = self.open()
        begun = b'event: status\ndata: {"id":"x","status":"running"}\n\n'
        for more, wanted in ((b"", "The run was lost"), (b"event: result\ndata: {", "The run was lost"),
                             (b'event: error\ndata: {"error":"no space","data":null}\n\n', "The run could not be finished\nno space")):
            self.stream(page, [list(begun + more)])
            page.key("Enter", "Control")
            self.assertIn(wanted, page.wait(f"{IDLE} && document.querySelector('#outcome .problem')?.innerText.includes({json.dumps(wanted)}) && "
                                            "document.querySelector('#outcome .problem').innerText"))
        self.assertEqual("succeeded", self.run_code(page, "print(1)"))

    def test_a_service_that_does_not_stream(self):
        page = self.open()
        page.run("(() => { const real = window.fetch; window.fetch = (path, options) => real(path, {...options, headers: {...options.headers, "
                 "Accept: 'application/json'}}); })()")
        self.assertEqual("succeeded", self.run_code(page, "print('plain')"))
        self.assertEqual("plain", page.text("[data-stream=stdout] pre").strip())

    def test_statuses(self):
        page = self.open()
        self.open_part(page, "limits")
        page.fill("#field-timeout_ms", "500")
        page.fill("#field-memory_mb", "64")
        self.assertEqual("timeout", self.run_code(page, "import time\nprint('before', flush=True)\ntime.sleep(60)"))
        self.assertEqual(("timed out", "exit 124"), (page.text(".summary [data-status]"), page.text("#exit-code")))
        self.assertIn("Execution timed out", page.text("[data-stream=stderr] pre"))
        page.fill("#field-timeout_ms", "10000")
        self.assertEqual("oom", self.run_code(page, "x = bytearray(200 * 1024 * 1024)"))
        self.assertEqual("failed", self.run_code(page, "raise SystemExit(3)"))
        self.assertIn("exit code 3", page.text("#announcement"))
        self.assertEqual("Empty", page.text("[data-stream=stdout] .empty"))

    def test_usage_bars(self):
        page = self.open()
        self.open_part(page, "limits")
        page.fill("#field-max_output_bytes", "1000")
        page.fill("#field-max_artifact_files", "2")
        code = "print('x' * 5000)\nfor n in 'ab':\n\topen(f'outputs/{n}.txt', 'w').write('y' * 300)"
        self.assertEqual("succeeded", self.run_code(page, code))
        record = json.loads(self.raw(page, "record"))
        bars = page.run("Object.fromEntries(Array.from(document.querySelectorAll('#usage [data-usage]'), (row) => [row.dataset.usage, "
                        "(({value, max, high}) => [value, max, value > high])(row.querySelector('meter'))]))")
        limits, usage = record["limits"], record["usage"]
        self.assertEqual({
            "timeout_ms": [usage["wall_ms"], limits["timeout_ms"], False], "cpu_ms": [usage["cpu_ms"], limits["cpu_ms"], False],
            "memory_mb": [usage["max_rss_mb"], limits["memory_mb"], False], "max_output_bytes": [1000, 1000, True],
            "max_artifact_bytes": [600, limits["max_artifact_bytes"], False], "max_artifact_files": [2, 2, True]}, bars)
        self.assertIn("Cut at 1000 bytes", page.text("[data-stream=stdout] .note"))
        self.assertGreater(page.run("document.querySelector('meter').getBoundingClientRect().width"), 80)

    def test_output_is_shown_as_text_only(self):
        hostile = "<img src=x onerror=\"window.stolen=1\"><script>window.stolen=1</script>"
        name = hostile.replace("/", "_")
        page = self.open()
        code = (f"import sys, json\nsys.stdout.write({hostile!r} + '\\n')\nsys.stderr.write('\\033[31mred\\007\\r\\n')\n"
                f"open('outputs/' + {name!r}, 'w')\nopen('outputs/a.csv', 'w').write({hostile!r})\n"
                f"json.dump({{{hostile!r}: [{hostile!r}]}}, open('outputs/b.json', 'w'))\nopen('outputs/c.html', 'w').write({hostile!r})")
        self.run_code(page, code)
        self.assertEqual(hostile, page.text("[data-stream=stdout] pre").strip())
        self.assertEqual("\u241b[31mred\u2407", page.text("[data-stream=stderr] pre").strip())
        self.assertIn(name, page.run("Array.from(document.querySelectorAll('#artifacts .file-name'), (link) => link.textContent)"))
        for shown in ("a.csv", "b.json", "c.html"):
            page.run(f"document.querySelector(\"[aria-label='View {shown}']\").click()")
        page.wait("document.querySelector('#artifacts table') && document.querySelector('#artifacts .tree') && document.querySelector('#artifacts pre')")
        page.run("document.querySelector('.exchange').open = document.querySelector('.tree details details').open = true")
        page.wait("document.querySelector('.tree details details li')")
        self.assertEqual(2, page.text(".tree").count("<script>"))
        self.assertEqual(0, page.run("document.querySelectorAll('#outcome img, #outcome script').length"))
        self.assertEqual("undefined", page.run("typeof window.stolen"))
        self.assert_quiet(page)


class Artifacts(PageTest):
    def test_previews(self):
        svg = ('<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30" onload="top.stolen=1">'
               '<script>top.stolen=1</script><rect width="40" height="30"/></svg>')
        page = self.open()
        code = (f"import base64, json\nw = lambda n, d: open('outputs/' + n, 'wb').write(d)\nw('a.png', base64.b64decode({base64.b64encode(png(60, 50)).decode()!r}))\n"
                f"w('b.svg', {svg!r}.encode())\nw('c.png', b'no image')\nw('d.csv', b'n,text\\r\\n1,\"a, \"\"b\"\"\\nc\"\\r\\n' + b'2,x\\n' * 300)\n"
                "w('e.tsv', b'p\\tq\\n1\\t2')\nw('f.json', json.dumps({'list': [1, {'deep': None}], 'text': 'x', 'none': []}).encode())\n"
                "w('g.json', b'{broken')\nw('h.txt', b'hello\\n')\nw('i.bin', b'\\0' * 100)\nw('j', b'')")
        self.assertEqual("succeeded", self.run_code(page, code), page.text("#outcome"))
        page.wait("document.querySelectorAll('.gallery figure').length === 3 && document.querySelector('.gallery figure span')")
        sizes = page.run("Promise.all(Array.from(document.querySelectorAll('.gallery img'), (image) => image.decode().then(() =>"
                         "[image.alt, image.naturalWidth, image.naturalHeight]))).then((sizes) => sizes.sort())")
        self.assertEqual([["a.png", 60, 50], ["b.svg", 40, 30]], sizes)
        viewable = page.run("Array.from(document.querySelectorAll('#artifacts [aria-expanded]'), (button) => button.getAttribute('aria-label').slice(5))")
        self.assertEqual(["b.svg", "d.csv", "e.tsv", "f.json", "g.json", "h.txt"], viewable)
        for name in viewable:
            page.run(f"document.querySelector(\"[aria-label='View {name}']\").click()")
        page.wait("document.querySelectorAll('#artifacts .view :is(pre, table, .tree)').length === 6")
        tables = page.run("Array.from(document.querySelectorAll('table'), (table) => Array.from(table.rows, (row) => Array.from(row.cells, (cell) => cell.textContent)))")
        self.assertEqual([["n", "text"], ["1", "a, \"b\"\nc"], ["2", "x"]], tables[0][:3])
        self.assertEqual(200, len(tables[0]))
        self.assertIn("The first 200 rows", page.text(".table + .note"))
        self.assertEqual([["p", "q"], ["1", "2"]], tables[1])
        self.assertEqual("{3 fields}", page.text(".tree summary"))
        self.assertIn("list: [2 items]", page.text(".tree"))
        self.assertNotIn("deep", page.text(".tree"), "folded")
        page.run("for (let fold; (fold = document.querySelector('.tree details:not([open])')); ) fold.open = true; new Promise(requestAnimationFrame)")
        page.run("for (let fold; (fold = document.querySelector('.tree details:not([open])')); ) fold.open = true; new Promise(requestAnimationFrame)")
        page.wait("document.querySelector('.tree').innerText.includes('deep: null')")
        self.assertIn("{broken", page.run("Array.from(document.querySelectorAll('.view pre'), (text) => text.textContent)"))
        self.assertEqual("undefined", page.run("typeof window.stolen"))
        links = page.run("Array.from(document.querySelectorAll('#artifacts a[download]'), (link) => [link.getAttribute('href'), link.download])")
        self.assertEqual(10, len(links))
        for href, name in links:
            reply = self.server.request("GET", href)
            self.assertEqual(200, reply.status, name)
        page.click("[aria-label='View h.txt']")
        page.wait("document.querySelectorAll('#artifacts .view').length === 5")
        self.assert_quiet(page)

    def test_an_old_link_is_asked_for_again(self):
        page = self.open()
        self.run_code(page, "open('outputs/a.txt', 'w').write('text')")
        run = page.text("#run-id")
        before = self.server.logs().count(f'"/v1/runs/{run}"')
        page.run("(() => { const now = Date.now; Date.now = () => now() + 3600000; })()")
        page.click("[aria-label='View a.txt']")
        self.assertEqual("text", page.wait("document.querySelector('.view pre')?.textContent"))
        harness.until(lambda: self.server.logs().count(f'"/v1/runs/{run}"') > before, "the record read again")


class History(PageTest):
    def test_runs_are_listed_and_opened(self):
        for number in range(22):
            self.api("POST", "/v1/runs", {"language": "python", "code": f"print({number})"}, OTHER_TOKEN)
        page = self.open(token=OTHER_TOKEN)
        page.wait("document.querySelectorAll('[data-run]').length === 20")
        wanted = [run["id"] for run in self.api("GET", "/v1/runs?limit=100", token=OTHER_TOKEN)["runs"]]
        shown = "Array.from(document.querySelectorAll('[data-run]'), (row) => row.dataset.run)"
        self.assertEqual(wanted[:20], page.run(shown))
        page.click("#history-more")
        page.wait("document.querySelectorAll('[data-run]').length === 22")
        self.assertEqual(wanted, page.run(shown))
        self.assertTrue(page.run("document.querySelector('#history-more').hidden"))
        page.click(f"[data-run={wanted[21]}]")
        self.assertEqual(wanted[21], page.wait("document.querySelector('#run-id')?.innerText"))
        self.assertEqual("0", page.text("[data-stream=stdout] pre").strip())
        self.assertEqual([wanted[21]], page.run("Array.from(document.querySelectorAll('[data-run][aria-current=true]'), (row) => row.dataset.run)"))
        self.assertEqual("succeeded", self.run_code(page, "print('new')"))
        self.assertEqual(page.text("#run-id"), page.run(shown)[0], "a new run is on top")
        self.enter_key(page, TOKEN)
        page.wait(f"!document.querySelector('[data-run={wanted[21]}]')", "another key's runs are not shown")
        self.assert_quiet(page)

    def test_key_stays_in_this_tab(self):
        page = self.open(token=None)
        self.assertIn("With a key", page.text("#history-note"))
        self.enter_key(page, TOKEN)
        self.assertEqual([TOKEN, []], page.run(f"[sessionStorage.getItem('mayfly.key'), Object.values(localStorage).filter((value) => value.includes('{TOKEN}'))]"))
        self.assertEqual("", page.run("document.cookie"))
        page.go(f"http://{self.server.host}/")
        page.wait("!document.querySelector('#workbench').hidden")
        self.assertEqual(TOKEN, page.run("document.querySelector('#field-key').value"))
        self.assertEqual("disc", page.run("getComputedStyle(document.querySelector('#field-key')).webkitTextSecurity"))
        self.assertEqual("", self.open(token=None).run("document.querySelector('#field-key').value"))
        page.fill("#field-key", "")
        self.assertEqual(0, page.run("sessionStorage.length"))


class Open(PageTest):
    """A service on loopback without keys."""
    environment = {}

    def test_works_without_a_key_and_without_storage(self):
        page = self.open(token=None)
        for name in ("localStorage", "sessionStorage"):
            page.send("Page.addScriptToEvaluateOnNewDocument",
                      source=f"Object.defineProperty(window, '{name}', {{get() {{ throw new DOMException('no', 'SecurityError'); }}}});")
        page.go(f"http://{self.server.host}/")
        page.wait("!document.querySelector('#workbench').hidden")
        self.assertEqual("succeeded", self.run_code(page, "print(1)"))
        page.wait("document.querySelectorAll('[data-run]').length === 1")
        page.run("document.querySelector('.exchange').open = true")
        self.assertNotIn("Authorization", self.raw(page, "curl"))
        self.assertEqual([], page.complaints)


class Errors(PageTest):
    def test_messages_at_the_fields(self):
        page = self.open()
        self.open_part(page, "limits")
        page.fill("#field-memory_mb", "100000")
        page.run("document.querySelector('#limits-part').open = false")
        page.key("Enter", "Control")
        self.assertIn("Refused with status 400", page.wait(REFUSED))
        self.assertEqual("memory_mb exceeds maximum", page.text("#field-memory_mb-error"))
        self.assertEqual(["field-memory_mb", True, "true"], page.run(
            "[document.activeElement.id, document.querySelector('#limits-part').open, document.activeElement.getAttribute('aria-invalid')]"))
        page.fill("#field-memory_mb", "256")
        self.open_part(page, "env")
        page.fill("#field-env", "GOOD=1\nno value")
        page.key("Enter", "Control")
        self.assertEqual("Line 2 must be NAME=value.", page.wait("!document.querySelector('#field-env-error').hidden && "
                                                                 "document.querySelector('#field-env-error').innerText"))
        self.assertTrue(page.run("document.querySelector('#field-memory_mb-error').hidden"), "an old message is gone")
        page.fill("#field-env", "")
        page.fill("#field-code", "")
        page.key("Enter", "Control")
        self.assertEqual("code is required", page.wait("!document.querySelector('#field-code-error').hidden && "
                                                       "document.querySelector('#field-code-error').innerText"))
        self.assertEqual("succeeded", self.run_code(page, "print(1)"))

    def test_keys(self):
        page = self.open(token=None)
        for token, message in (("", "missing bearer token"), ("wrong", "invalid token")):
            page.fill("#field-key", token)
            page.key("Enter", "Control")
            self.assertIn("Refused with status 401", page.wait(f"{IDLE} && document.querySelector('#outcome .problem')?.innerText.includes('{message}') && "
                                                               "document.querySelector('#outcome .problem').innerText"))
            self.assertEqual(message, page.text("#field-key-error"))
            self.assertEqual("field-key", page.run("document.activeElement.id"))
        self.enter_key(page, SLOW_TOKEN)
        self.assertEqual("succeeded", self.run_code(page, "print(1)"))
        page.key("Enter", "Control")
        problem = page.wait(REFUSED)
        self.assertIn("rate limit exceeded", problem)
        self.assertRegex(problem, r"Try again in \d+ s\.")

    def test_server_gone(self):
        page = self.open()
        page.send("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
        page.key("Enter", "Control")
        self.assertIn("The server cannot be reached", page.wait(REFUSED))
        page.click("#history-refresh")
        page.wait("document.querySelector('#history-note').innerText.includes('cannot be reached')")
        page.send("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)
        self.assertEqual("succeeded", self.run_code(page, "print(1)"))


class Reach(PageTest):
    """Phone, dark, keyboard, screen reader, and the policy."""

    CODE = ("import base64\nprint('x' * 500)\nprint(' '.join('y' * 90 for _ in range(5)))\n"
            "open('outputs/' + 'a' * 120 + '.csv', 'w').write(','.join('column' for _ in range(30)) + '\\n')\n"
            f"open('outputs/b.png', 'wb').write(base64.b64decode({base64.b64encode(png(800, 20)).decode()!r}))\n"
            "open('outputs/c.json', 'w').write('{\"key\": [\"' + 'v' * 300 + '\"]}')\nraise SystemExit(1)")

    def pages(self, **how):
        page = self.open(**how)
        yield page
        for part in ("input", "files", "limits", "env"):
            self.open_part(page, part)
        self.assertEqual("failed", self.run_code(page, self.CODE))
        page.wait("document.querySelector('.gallery figure')")
        page.run("document.querySelectorAll('#artifacts [aria-expanded]').forEach((button) => button.click())")
        page.wait("document.querySelector('table') && document.querySelector('.tree')")
        page.run("document.querySelector('.exchange').open = true")
        yield page
        page.fill("#field-memory_mb", "1")
        page.key("Enter", "Control")
        page.wait(REFUSED)
        yield page

    def test_narrow_screens_do_not_scroll_sideways(self):
        for width in (320, 360, 800, 1280):
            for page in self.pages(width=width):
                self.assertEqual(width, page.run("document.documentElement.scrollWidth"))
                self.assertEqual([], page.run(
                    "Array.from(document.querySelectorAll('button, input, select, textarea, meter, summary')).filter((control) => "
                    f"control.checkVisibility() && !control.closest('.tree') && (control.getBoundingClientRect().right > {width} || "
                    "control.offsetHeight < (control.matches('meter') ? 6 : 20))).map((control) => control.outerHTML)"))

    def test_contrast_in_light_and_dark(self):
        backgrounds = set()
        for dark in (False, True):
            for page in self.pages(dark=dark):
                found = page.run(CONTRAST)
                self.assertGreater(found["checked"], 20)
                self.assertEqual([], found["poor"])
            backgrounds.add(page.run("getComputedStyle(document.body).backgroundColor"))
        self.assertEqual(2, len(backgrounds))

    def test_keyboard_reaches_everything_and_is_not_trapped(self):
        page = self.open(token=None)
        page.run("document.activeElement.blur()")
        seen = []
        for _ in range(40):
            page.key("Tab")
            at = page.run("document.activeElement.id || document.activeElement.className || document.activeElement.closest('[id]')?.id || document.activeElement.tagName")
            if seen and at in ("BODY", seen[0]):
                break
            seen.append(at)
            self.assertNotEqual(["none", "0px"], page.run(
                "(({outlineStyle, outlineWidth}) => [outlineStyle, outlineWidth])(getComputedStyle(document.activeElement))"), at)
        else:
            self.fail(f"trapped: {seen}")
        self.assertEqual(["skip", "brand", "crumb", "field-key", "field-language", "field-code", "input-part", "files-part", "limits-part", "env-part", "run",
                          "history-refresh"], seen)

    def test_controls_have_names(self):
        for page in self.pages():
            nodes = page.send("Accessibility.getFullAXTree")["nodes"]
            controls = [node for node in nodes if not node["ignored"] and node["role"]["value"] in (
                "button", "link", "textbox", "combobox", "spinbutton", "checkbox", "DisclosureTriangle", "image", "meter", "region")]
            self.assertGreater(len(controls), 8)
            self.assertEqual([], [node["role"]["value"] for node in controls if not node.get("name", {}).get("value")])

    def test_policy_is_enforced(self):
        page = self.open()
        self.assertEqual(["refused", "refused", "undefined"], page.run("""(() => {
            const refused = (action) => { try { action(); return "done"; } catch { return "refused"; } };
            const script = document.createElement("script");
            return [refused(() => { document.body.innerHTML = "<b>x</b>"; }),
                    refused(() => { script.text = "window.stolen = 1"; document.body.append(script); }), typeof window.stolen];
        })()"""))
        self.assertEqual("refused", page.run("fetch('http://127.0.0.1:1/').then(() => 'done', () => 'refused')"))


if __name__ == "__main__":
    harness.main()
