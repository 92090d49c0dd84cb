"""What people send comes out as they expect: ten programs of analysts, teachers and web developers for each API.

A program is a file of tests/programs/API: a sentence, then what is sent ("=> ") and what comes back ("<= "), each with the lines below it:

    => POST /execute            a request; the lines are the JSON that it has besides. A file with several has them one after the other
    => code, cell, test, html…  a field of it, as text; cells are collected, html, css and javascript belong to the frontend
    => file NAME                a file that is sent: as an upload where the API wants one, as the document of document_converter
    <= exit 3                   the exit code, 0 where nothing is said; "status failed" likewise, where it is said
    <= stdout, stderr           the whole text; empty where nothing is said; a document's own standard output is stdout, too
    <= file NAME                a file that comes back, the whole text
    <= json                     what the reply has, objects in part
    … matches                   behind stdout, stderr, file: the lines are a regular expression for the whole; of a file as Latin-1

Rules:
 1. What is not said is not there: no other file, no warning, no word on standard error.
"""
import base64
import concurrent.futures
import json
import os
import re
import unittest
import urllib.parse

import harness

PROGRAMS = os.path.join(harness.ROOT, "tests/programs")
AT_ONCE = 4
PAGE = {"html": "index.html", "css": "style.css", "javascript": "script.js"}


class Step:
    """A request and what is to come back."""

    def __init__(self, path):
        self.path, self.body, self.files = path, {}, {}
        self.exit, self.status, self.json = 0, None, {}
        self.texts, self.outputs = {"stdout": (False, ""), "stderr": (False, "")}, {}

    def send(self, words, text):
        kind, _, name = words.partition(" ")
        if kind == "file":
            self.files[name] = text
        elif kind == "cell":
            self.body.setdefault("cells", []).append(text)
        elif kind in PAGE:
            self.body.setdefault("frontend", {})[kind] = text
        else:
            self.body[kind] = text

    def expect(self, words, text):
        kind, _, name = words.removesuffix(" matches").partition(" ")
        expected = (words.endswith(" matches"), text)
        if kind == "file":
            self.outputs[name] = expected
        elif kind == "exit":
            self.exit = int(name)
        elif kind == "status":
            self.status = name
        elif kind == "json":
            self.json = json.loads(text)
        else:
            assert kind in self.texts, words
            self.texts[kind] = expected


def read_program(path):
    """The steps of a file."""
    with open(path, encoding="utf-8") as file:
        parts = re.split(r"^(=>|<=) (.*)\n", file.read(), flags=re.MULTILINE)
    steps = []
    for mark, words, text in zip(parts[1::3], parts[2::3], parts[3::3]):
        if words.startswith("POST "):
            steps.append(Step(words.removeprefix("POST ")))
            steps[-1].body = json.loads(text or "{}")
        elif mark == "=>":
            steps[-1].send(words, text)
        else:
            steps[-1].expect(words, text)
    assert steps, path
    return steps


def fits(expected, actual):
    is_pattern, text = expected
    return re.fullmatch(text.rstrip("\n"), actual.rstrip("\n"), re.DOTALL) if is_pattern else text == actual


def has(reply, part):
    """Whether a reply has what is asked of it: objects in part, all else as it is."""
    if isinstance(part, dict):
        return isinstance(reply, dict) and all(key in reply and has(reply[key], value) for key, value in part.items())
    return reply == part


class ProgramsTest(harness.ServerTest):
    environment = {"MAYFLY_SLOT_WAIT_MS": "60000", "RUNNER_IMAGE_COMPILED": "localhost/mayfly-compiled-c:latest"}

    # --- sending ------------------------------------------------------------------------------------------------------------

    def post(self, path, body, headers=None):
        reply = self.server.request("POST", path, body, headers, timeout=2 * harness.DEADLINE_S)
        assert reply.status == 200, (path, reply.status, reply.body)
        return json.loads(reply.body)

    def upload(self, name, text):
        head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        return self.post("/v1/files", f"{head}{text}\r\n--b--\r\n".encode(), {"Content-Type": "multipart/form-data; boundary=b"})["id"]

    def send(self, step, name, session):
        body = dict(step.body)
        if step.path in ("/run", "/tools/execute"):
            body.setdefault("sessionId", name)
        if step.path == "/session/execute":
            body["session_id"] = session
        if step.path == "/execute":
            body.update(tenant_id="tests", scope=name)
        if body.get("tool") == "document_converter":
            (body["filename"], text), = step.files.items()
            body["fileContent"] = base64.b64encode(text.encode()).decode()
        elif step.files and step.path in ("/execute", "/session/execute"):
            body["files"] = step.files
        elif step.files:
            body["files"] = [{"id": self.upload(os.path.basename(path), text), "path": path} for path, text in step.files.items()]
        return self.post(step.path, body)

    # --- what came back -----------------------------------------------------------------------------------------------------

    def files_of(self, reply):
        """{name: text as Latin-1 or UTF-8} of what a program left, however the API shows it."""
        if "exitCode" in reply and isinstance(reply["artifacts"], dict):
            links = {name: url for name, url in reply["artifacts"]["outputs"].items() if name not in ("stdout", "stderr")}
        elif "agentId" in reply:
            links = {file["name"]: file["url"] for file in reply["artifacts"] if file["name"] not in PAGE.values()}
        elif "limits" in reply:
            links = {file["name"]: file["url"] for file in reply["artifacts"]}
        else:
            links = {}
            found = {}
            for artifact in reply["artifacts"]:
                if artifact["type"] == "error":
                    continue
                content = artifact["content"]
                if isinstance(content, (dict, list)):
                    content = json.dumps(content)
                is_bytes = artifact["metadata"].get("encoding") == "base64"
                found[artifact["metadata"].get("path") or artifact["name"]] = base64.b64decode(content) if is_bytes else content.encode()
            return found
        return {name: self.fetch(url) for name, url in links.items()}

    def fetch(self, url):
        parts = urllib.parse.urlsplit(url)
        reply = self.server.request("GET", urllib.parse.urlunsplit(("", "", *parts[2:])))
        assert reply.status == 200, (url, reply)
        return reply.body

    def faults(self, step, reply):
        """What is not as expected, in words."""
        reply = reply.get("data", reply)
        texts = {"stdout": reply.get("output", reply.get("stdout", "")), "stderr": reply.get("stderr", "")}
        if "output" in reply:  # of /run, where both are one text; what was an error stands by itself, too
            texts["stderr"] = self.fetch(reply["artifacts"]["outputs"]["stderr"]).decode()
        code = reply.get("exit_code", reply.get("exitCode"))
        if code != step.exit:
            yield f"exit {code}, not {step.exit}: {reply.get('error')}"
        if step.status and reply.get("status") != step.status:
            yield f"status {reply.get('status')}, not {step.status}: {reply.get('logs')}"
        for kind, text in texts.items():
            if not fits(step.texts[kind], text):
                yield f"{kind}: {text!r}\nexpected: {step.texts[kind][1]!r}"
        files = self.files_of(reply)
        if files.keys() != step.outputs.keys():
            yield f"files {sorted(files)}, not {sorted(step.outputs)}"
        for name in files.keys() & step.outputs.keys():
            text = files[name].decode("latin-1" if step.outputs[name][0] else "utf-8")
            if not fits(step.outputs[name], text):
                yield f"{name}: {text[:2000]!r}\nexpected: {step.outputs[name][1]!r}"
        if not has(reply, step.json):
            yield f"{json.dumps(reply)[:4000]}\nhas not {step.json}"
        if reply.get("skipped"):
            yield f"skipped: {reply['skipped']}"

    def fault(self, path):
        """All that was wrong with a program; None."""
        steps, name, session, found = read_program(path), os.path.basename(path).removesuffix(".txt"), None, []
        if steps[0].path == "/session/execute":
            session = self.post("/session/create", {"tenant_id": "tests", "scope": name, "template": steps[0].body.pop("template", "default")})["session_id"]
        try:
            for number, step in enumerate(steps, 1):
                found += [f"step {number}: {fault}" for fault in self.faults(step, self.send(step, name, session))]
        finally:
            if session:
                self.post("/session/destroy", {"session_id": session})
        return "\n".join(found) or None

    def run_folder(self, folder):
        folder = os.path.join(PROGRAMS, folder)
        names = sorted(os.listdir(folder))
        self.assertGreaterEqual(len(names), 10)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            futures = {name: pool.submit(self.fault, os.path.join(folder, name)) for name in names}
        for name, future in futures.items():
            with self.subTest(name):
                if fault := future.result():
                    self.fail(fault)

    def test_tools(self):
        self.run_folder("tools")

    def test_execute(self):
        self.run_folder("execute")

    def test_sessions(self):
        self.run_folder("sessions")

    def test_runs(self):
        self.run_folder("runs")

    def test_agents(self):
        self.run_folder("agents")


if __name__ == "__main__":
    harness.main()
