"""What a program printed before it ended is in the reply, however it ended, in the order and at the time in which it was printed; and the reply says
why it ended. Each language of the worker image, on each API that runs it, and mayflyctl run.

Rules:
 1. A program prints "a", a line feed and "b", and no line feed behind that: what waits for the end of a line is missed, too.
 2. That output comes in time is no matter of clocks: the program never ends, and its client hangs up when it has seen what it waits for.
"""
import collections
import concurrent.futures
import json
import os
import re
import signal
import subprocess

import harness
from pool import MAYFLYCTL

AT_ONCE = 4
TIMEOUT_S = 3
MEMORY_MB = 128
CPU_MS = 600
CHILDREN = "python3 -c 'print(1, end=str()); import os; os._exit(0)'; ruby -e 'print 2; exit! 0'"
LINE = json.dumps(CHILDREN)
# How each prints, never ends, kills itself, takes memory without end, leaves with 3 and does not tidy up; a program whose children print, and buffer
# unless they are told not to; one that forks when it has printed.
LANGUAGES = {
    "python": {"say": "import os, time\nprint('a')\nprint('b', end='')\n", "wait": "while True: time.sleep(9)", "spin": "while True: pass",
               "kill": "os.kill(os.getpid(), 9)", "memory": "x = []\nwhile True: x.append(bytearray(1 << 24))", "leave": "os._exit(3)",
               "children": f"import os\nprint('a')\nos.system({LINE})\nprint('b')\n",
               "fork": "import os\nprint('a')\nprint('b', end='')\nif os.fork() == 0: os._exit(0)\n_ = os.wait()\n"},
    "node": {"say": "console.log('a'); process.stdout.write('b');\n", "wait": "for (;;);", "spin": "for (;;);", "kill": "process.kill(process.pid, 9); for (;;);",
             "memory": "for (const x = []; ;) x.push(Buffer.alloc(1 << 24, 1));", "leave": "process.reallyExit(3)",
             "children": f"console.log('a'); require('child_process').execSync({LINE}, {{stdio: 'inherit'}}); console.log('b');"},
    "bun": {"say": "console.log('a'); process.stdout.write('b');\n", "wait": "setInterval(() => {}, 1e6)", "kill": "process.kill(process.pid, 9); for (;;);",
            "memory": "for (const x: Uint8Array[] = []; ;) x.push(new Uint8Array(1 << 24).fill(1));", "leave": "process.reallyExit(3)",
            "children": f"console.log('a'); require('child_process').execSync({LINE}, {{stdio: 'inherit'}}); console.log('b');"},
    "ruby": {"say": "puts 'a'\nprint 'b'\n", "wait": "sleep", "spin": "loop {}", "kill": "Process.kill :KILL, $$\nsleep",
             "memory": "x = []\nloop { x << 'x' * (1 << 24) }", "leave": "exit! 3", "children": f"puts 'a'\nsystem {LINE}\nputs 'b'\n",
             "fork": "puts 'a'\nprint 'b'\nfork { exit 0 }\nProcess.wait\n"},
    "php": {"say": "<?php echo \"a\\n\"; echo 'b';\n", "wait": "for (;;) sleep(9);", "spin": "for (;;);", "kill": "posix_kill(getmypid(), 9); sleep(9);",
            "memory": "for ($x = []; ; ) $x[] = str_repeat('x', 1 << 24);", "leave": "exit(3);", "children": f"<?php echo \"a\\n\"; passthru({LINE}); echo \"b\\n\";"},
    "bash": {"say": "echo a\nprintf b\n", "wait": "while :; do sleep 9; done", "spin": "while :; do :; done", "kill": "kill -9 $$",
             "memory": "x=x; while :; do x=$x$x; done", "leave": "exec bash -c 'exit 3'", "children": f"echo a; {CHILDREN}; echo b",
             "fork": "echo a; printf b; (:) & wait"},
}
SUFFIXES = {"python": ".py", "node": ".js", "bun": ".ts", "ruby": ".rb", "php": ".php", "bash": ".sh"}
CELLS = ("python", "node", "bash")
APIS = {"run": LANGUAGES, "tools": LANGUAGES, "runs": ("python", "node", "ruby", "php"), "sandbox": CELLS, "cells": CELLS, "session": CELLS,
        "agents": ("node",), "ctl": LANGUAGES}
# how each API shows the end, and what it says of it
Ending = collections.namedtuple("Ending", "timeout memory kill cpu")
TOOLS = Ending(rf"\nExecution timed out after \d+\.\d\ds \(timeout was set to {TIMEOUT_S}s\)\n", rf"\nExecution ran out of memory \(limit {MEMORY_MB} MB\)\n",
               r"\nExecution was killed by signal 9 \(SIGKILL\)\n", None)
RUNS = Ending(r"Execution timed out\n", TOOLS.memory[2:], TOOLS.kill[2:], rf"Execution used up its CPU budget \(limit {CPU_MS} ms\)\n")
SANDBOX = Ending(rf"Execution exceeded timeout \({TIMEOUT_S}s\)\n", RUNS.memory, RUNS.kill, None)
AGENTS = Ending(None, rf"The test ran out of memory \(limit {MEMORY_MB} MB\)", r"The test was killed by signal 9 \(SIGKILL\)", None)
WORDS = {"run": TOOLS, "tools": TOOLS, "runs": RUNS, "sandbox": SANDBOX, "cells": SANDBOX, "session": SANDBOX, "agents": AGENTS, "ctl": TOOLS}
TIMEOUT_CODES = {"runs": 124, "ctl": 124}  # of all others -1

Said = collections.namedtuple("Said", "code out why")  # why: standard error, or what stands for it



class OutputTest(harness.ServerTest):
    environment = {"MAYFLY_SLOT_WAIT_MS": "60000", "MAYFLY_MEMORY_MB": str(MEMORY_MB)}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = os.path.join(cls.server.folder, "config/templates.d")
        os.makedirs(folder)
        for name in ("agent", "default"):
            with open(os.path.join(harness.ROOT, f"worker/templates.d/{name}.json"), encoding="utf-8") as file:
                template = {**json.load(file), "memory_mb": MEMORY_MB}
            with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
                json.dump(template, file)

    # --- a program, by each API -------------------------------------------------------------------------------------------

    @staticmethod
    def request_of(api, language, code, timeout_s, cpu_ms=20000):
        """(path, body)"""
        name = "t" + SUFFIXES[language]
        return {
            "run": ("/run", {"sessionId": "s", "language": language, "code": code, "filename": name, "timeout": timeout_s}),
            "tools": ("/tools/execute", {"tool": "code_execution", "sessionId": "s", "language": language, "code": code, "filename": name, "timeout": timeout_s}),
            "runs": ("/v1/runs", {"language": language, "code": code,
                                  "limits": {"memory_mb": MEMORY_MB, "timeout_ms": min(timeout_s, 10) * 1000, "cpu_ms": cpu_ms}}),
            "sandbox": ("/execute", {"tenant_id": "t", "scope": "s", "language": language, "code": code, "timeout": timeout_s}),
            "cells": ("/execute", {"tenant_id": "t", "scope": "s", "language": language, "cells": [code], "timeout": timeout_s}),
            "session": ("/session/execute", {"language": language, "code": code, "timeout": timeout_s}),
            "agents": ("/api/v1/ai/agents/a/auto-run", {"frontend": {"html": "<html>", "css": "a {}", "javascript": "const answer = 42;"}, "test": code}),
        }[api]

    def with_session(self, api, body, act):
        """Calls act, for a session in one that is made and destroyed."""
        if api != "session":
            return act(body)
        session = json.loads(self.server.request("POST", "/session/create", {"tenant_id": "t", "scope": "s"}).body)["session_id"]
        try:
            return act({**body, "session_id": session})
        finally:
            self.server.request("POST", "/session/destroy", {"session_id": session})

    def post(self, api, path, body):
        reply = self.with_session(api, body, lambda whole: self.server.request("POST", path, whole))
        self.assertEqual(reply.status, 200, reply.body)
        return json.loads(reply.body)

    def shell(self, language, code):
        path = os.path.join(self.server.folder, f"{os.urandom(4).hex()}{SUFFIXES[language]}")
        with open(path, "w", encoding="utf-8") as file:
            file.write(code)
        return [MAYFLYCTL, "run", "--language", language, path], {"env": self.server.environment, "stdin": subprocess.DEVNULL,
                                                                  "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}

    def run_program(self, api, language, code, timeout_s=60, **more):
        if api == "ctl":
            command, options = self.shell(language, code)
            done = subprocess.run([*command[:2], "--timeout", str(timeout_s), *command[2:]], timeout=harness.DEADLINE_S, check=False, **options)
            return Said(done.returncode, done.stdout.decode(), done.stderr.decode())
        body = self.post(api, *self.request_of(api, language, code, timeout_s, **more))
        if api == "agents":
            record = body["data"]
            return Said(record["exitCode"], record["stdout"], record["testResult"]["summary"])
        if api == "run":  # both streams in one text
            return Said(body["exitCode"], body["output"][:3], body["output"][3:])
        return Said(body["exitCode" if api == "tools" else "exit_code"], body.get("stdout", ""), body.get("stderr", ""))

    def each(self, check, rows, at_once=AT_ONCE):
        """check(api, language, …) of each row, some at a time."""
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            for row, done in [(row, pool.submit(check, *row)) for row in rows]:
                with self.subTest(row=row):
                    done.result()

    @staticmethod
    def rows(key, *apis):
        return [(api, language) for api in apis or APIS for language in APIS[api] if key in LANGUAGES[language]]

    def test_what_is_left_out_is_named(self):
        write = "import os; os.makedirs('%s', exist_ok=True); open('%s/big', 'wb').truncate(%d)"
        runs = self.post("runs", *self.request_of("runs", "python", write % ("outputs", "outputs", 6 << 20), 10))
        self.assertEqual((runs["artifacts"], runs["skipped"]), ([], ["big", "\u2026more"]))
        runs = self.post("runs", *self.request_of("runs", "python", "print('x' * 5000000)", 10))
        self.assertEqual((runs["status"], len(runs["stdout"]), runs["stdout_truncated"]), ("succeeded", 1 << 20, True))
        self.assertNotIn("skipped", runs)

    # --- the tables -------------------------------------------------------------------------------------------------------

    def check_ending(self, api, language, ending):
        code = {"timeout": TIMEOUT_CODES.get(api, -1), "leave": 3}.get(ending, 128 + signal.SIGKILL)
        words = "" if ending == "leave" else getattr(WORDS[api], ending)
        how = {"timeout": "wait", "cpu": "spin"}.get(ending, ending)
        said = self.run_program(api, language, LANGUAGES[language]["say"] + LANGUAGES[language][how],
                                **({"timeout_s": TIMEOUT_S} if ending == "timeout" else {"cpu_ms": CPU_MS} if ending == "cpu" else {}))
        self.assertEqual((said.code, said.out), (code, "a\nb"), said)
        self.assertRegex(said.why, words + r"\Z")

    def test_each_ending(self):
        self.each(self.check_ending, [(api, language, ending) for ending in ("timeout", "kill", "memory", "leave") for api, language in self.rows("say")
                                      if api != "agents" or ending != "timeout"])  # that is in test_agents.py
        self.each(self.check_ending, [(api, language, "cpu") for api, language in self.rows("spin", "runs")], 1)

    def check_order(self, api, language, program, wanted):
        said = self.run_program(api, language, LANGUAGES[language][program])
        whole = said.out + said.why if api == "run" else said.out
        self.assertEqual((said.code, whole), (0, wanted), said)

    def test_children_print_in_turn(self):
        self.each(self.check_order, [(*row, "children", "a\n12b\n") for row in self.rows("children")])

    def test_what_is_printed_is_not_forked(self):
        self.each(self.check_order, [(*row, "fork", "a\nb") for row in self.rows("fork")])

    def check_stream(self, api, language):
        path, body = self.request_of(api, language, LANGUAGES[language]["say"] + LANGUAGES[language]["wait"], 60)
        self.with_session(api, body, lambda whole: self.hear(path, whole))

    def hear(self, path, body):
        text = json.dumps(body).encode()
        heard, events = "", b""
        with self.server.connect() as client:
            client.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                           % (path.encode(), len(text), text))
            while len(heard) < len("a\nb"):
                piece = client.recv(65536)
                self.assertTrue(piece, events)
                events += piece
                heard = "".join(json.loads(data)["text"] for data in re.findall(rb"(?m)^event: stdout\r?\ndata: (.*)$", events))
        self.assertEqual(heard, "a\nb")

    def check_shell_stream(self, language):
        command, options = self.shell(language, LANGUAGES[language]["say"] + LANGUAGES[language]["wait"])
        with subprocess.Popen(command, **options) as process:
            self.assertEqual(process.stdout.read(3), b"a\nb")
            process.terminate()
            process.communicate(timeout=harness.DEADLINE_S)

    def test_streams_come_while_it_runs(self):
        self.each(self.check_stream, self.rows("wait", *[api for api in APIS if api not in ("agents", "ctl")]))
        self.each(self.check_shell_stream, [(language,) for language in LANGUAGES])


if __name__ == "__main__":
    harness.main()
