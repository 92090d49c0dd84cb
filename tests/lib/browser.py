"""Headless Chromium for the tests of the pages, driven over the DevTools protocol through its pipe: no port, no driver, nothing but
the standard library.

Rules:
 1. A fresh profile for every browser, removed when it ends.
 2. Waiting is on the page's own changes (a MutationObserver in it), never a sleep.
 3. What the page logs as an error, throws, or is refused by its policy is collected in Page.complaints.
"""
import base64
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading

DEADLINE_S = 60
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--no-proxy-server", "--disable-dev-shm-usage", "--hide-scrollbars",
         "--remote-debugging-pipe")
KEYS = {"Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, ""), " ": (32, " ")}
MODIFIERS = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}


class ProtocolError(AssertionError):
    """A command that the browser refused, a script that threw, or an answer that did not come."""


class Browser:
    """Use as a context manager."""

    def __init__(self):
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if not program:
            raise ProtocolError("Chromium is missing: apt-get install chromium")
        self.profile = tempfile.mkdtemp(prefix="mayfly-browser-")
        commands_read, self.commands = os.pipe()
        self.answers, answers_write = os.pipe()
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", f'exec "$0" "$@" 3<&{commands_read} 4>&{answers_write}', program, *FLAGS,
             f"--user-data-dir={self.profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[commands_read, answers_write],
            start_new_session=True, env={"PATH": os.environ["PATH"], "HOME": self.profile, "LANG": "C.UTF-8"})
        os.close(commands_read)
        os.close(answers_write)
        self.last_id = 0
        self.lock = threading.Lock()
        self.waiting = {}
        self.pages = {}
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        try:
            self.send("Browser.getVersion")
        except ProtocolError:
            self.close()
            raise

    def _read(self):
        rest = b""
        while True:
            try:
                piece = os.read(self.answers, 1 << 20)
            except OSError:
                piece = b""
            if not piece:
                with self.lock:
                    for answer in self.waiting.values():
                        answer.put({"error": {"message": "the browser is gone"}})
                return
            *messages, rest = (rest + piece).split(b"\0")
            for message in messages:
                self._dispatch(json.loads(message))

    def _dispatch(self, message):
        if "id" in message:
            with self.lock:
                answer = self.waiting.pop(message["id"], None)
            if answer:
                answer.put(message)
        elif message.get("sessionId") in self.pages:
            self.pages[message["sessionId"]].note(message["method"], message["params"])

    def send(self, method, session=None, **parameters):
        """One command; returns its result."""
        answer = queue.Queue()
        with self.lock:
            self.last_id += 1
            number = self.last_id
            self.waiting[number] = answer
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.commands, data):]
        try:
            reply = answer.get(timeout=DEADLINE_S)
        except queue.Empty:
            raise ProtocolError(f"{method}: no answer within {DEADLINE_S} s") from None
        if "error" in reply:
            raise ProtocolError(f"{method}: {reply['error']['message']}")
        return reply["result"]

    def open(self, url, width=1280, height=900, dark=False, reduced_motion=False):
        """A page in a context of its own (no storage shared with another), loaded."""
        context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        self.pages[session] = page
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.send(f"{domain}.enable")
        page.resize(width, height)
        page.send("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if reduced_motion else "no-preference"}])
        page.go(url)
        return page

    def close(self):
        for end in (self.commands, ):
            os.close(end)
        try:
            self.process.wait(timeout=10)  # it ends when its pipe does
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join()
        os.close(self.answers)
        shutil.rmtree(self.profile, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Page:
    """One tab."""

    def __init__(self, browser, session):
        self.browser = browser
        self.session = session
        self.complaints = []
        self.loaded = queue.Queue()

    def note(self, method, parameters):
        """Called for every event of this tab."""
        if method == "Page.loadEventFired":
            self.loaded.put(True)
        elif method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(argument.get("value")) for argument in parameters["args"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            entry = parameters["entry"]
            self.complaints.append(f"{entry['text']} {entry.get('url', '')}")

    def send(self, method, **parameters):
        return self.browser.send(method, self.session, **parameters)

    def go(self, url):
        while not self.loaded.empty():
            self.loaded.get()
        result = self.send("Page.navigate", url=url)
        if "errorText" in result:
            raise ProtocolError(f"{url}: {result['errorText']}")
        try:
            self.loaded.get(timeout=DEADLINE_S)
        except queue.Empty:
            raise ProtocolError(f"{url} did not load within {DEADLINE_S} s") from None

    def run(self, script):
        """The value of a JavaScript expression; a promise is waited for."""
        reply = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in reply:
            details = reply["exceptionDetails"]
            raise ProtocolError(f"{script}: {details.get('exception', {}).get('description') or details['text']}")
        return reply["result"].get("value")

    def wait(self, condition, what=None):
        """Waits until a JavaScript expression is true, looking again at every change of the document; returns its value."""
        return self.run(f"""new Promise((resolve, reject) => {{
            const watcher = new MutationObserver(() => check());
            const timer = setTimeout(() => {{
                watcher.disconnect();
                reject(new Error({json.dumps("never: " + (what or condition))} + "\\n" + document.body.innerText));
            }}, {DEADLINE_S * 500});
            function check() {{
                const value = ({condition});
                if (value) {{
                    clearTimeout(timer);
                    watcher.disconnect();
                    resolve(value);
                }}
            }}
            watcher.observe(document, {{subtree: true, childList: true, attributes: true, characterData: true}});
            check();
        }})""")

    def text(self, selector):
        return self.run(f"document.querySelector({json.dumps(selector)})?.innerText")

    def fill(self, selector, value):
        """Types a value in place of the present one."""
        self.run(f"(() => {{ const field = document.querySelector({json.dumps(selector)}); field.focus(); field.select?.(); }})()")
        if value:
            self.send("Input.insertText", text=value)
        else:
            self.key("Delete", code=46)

    def choose(self, selector, value):
        self.run(f"(() => {{ const field = document.querySelector({json.dumps(selector)}); field.value = {json.dumps(value)};"
                 "field.dispatchEvent(new Event('change', {bubbles: true})); })()")

    def click(self, selector):
        """A real click at the middle of the element, scrolled into view, once it has stayed in one place for two frames."""
        place = self.run(f"""(async () => {{
            const element = document.querySelector({json.dumps(selector)});
            const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
            const middle = () => {{
                element.scrollIntoView({{block: "center", behavior: "instant"}});
                const box = element.getBoundingClientRect();
                return {{x: box.x + box.width / 2, y: box.y + box.height / 2}};
            }};
            let place = middle();
            for (let still = 0; still < 2;) {{
                await frame();
                const next = middle();
                still = next.x === place.x && next.y === place.y ? still + 1 : 0;
                place = next;
            }}
            return place;
        }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def key(self, key, *modifiers, code=None):
        number, text = KEYS.get(key, (code or 0, ""))
        held = sum(MODIFIERS[name] for name in modifiers)
        text = {} if not text or held & ~MODIFIERS["Shift"] else {"text": text}
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=number, modifiers=held,
                      **(text if kind == "keyDown" else {}))

    def choose_file(self, selector, path):
        document = self.send("DOM.getDocument")
        node = self.send("DOM.querySelector", nodeId=document["root"]["nodeId"], selector=selector)
        self.send("DOM.setFileInputFiles", files=[path], nodeId=node["nodeId"])

    def resize(self, width, height=900):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)

    def screenshot(self, path):
        """The whole page as PNG."""
        size = self.send("Page.getLayoutMetrics")["cssContentSize"]
        picture = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                            clip={"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1})
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture["data"]))
