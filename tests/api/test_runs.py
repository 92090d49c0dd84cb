"""The runs API, runs, over real HTTP and real Podman: requests and refusals, statuses, limits from inside and outside, staged files, artifacts, records,
idempotency keys, event streams, compiled languages."""
import concurrent.futures
import hashlib
import json
import os
import re
import signal
import socket
import struct
import threading
import time

import changes
import harness

LIMITS = {"timeout_ms": 5000, "memory_mb": 256, "cpu_ms": 5000, "max_output_bytes": 1048576, "max_artifact_bytes": 5242880, "max_artifact_files": 10}
MAXIMA = {"timeout_ms": 10000, "memory_mb": 512, "cpu_ms": 20000, "max_output_bytes": 2097152, "max_artifact_bytes": 20971520, "max_artifact_files": 10}
RECORD = ["id", "status", "exit_code", "stdout", "stderr", "usage", "artifacts", "limits", "created_at", "language", "code_sha256"]
LONG = 120  # seconds, for a run on a busy machine


class RunsTest(harness.ServerTest):
    headers = {}

    def post(self, body, headers=None):
        return self.server.request("POST", "/v1/runs", body, {**self.headers, **(headers or {})}, timeout=LONG)

    def run_code(self, code, language="python", headers=None, **more):
        reply = self.post({"language": language, "code": code, **more}, headers)
        self.assertEqual(reply.status, 200, (reply.body[:500], self.server.logs()[-1500:]))
        return json.loads(reply.body)

    def refused(self, body, headers=None):
        """Status and text of a refusal, whose shape is checked."""
        reply = self.post(body, headers)
        error = json.loads(reply.body)
        self.assertEqual((list(error), error["data"]), (["error", "data"], None))
        return reply.status, error["error"]

    def upload(self, data, name="data.bin", headers=None):
        body = b"--b0undary\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name.encode() + b"\"\r\n\r\n" + data + b"\r\n--b0undary--\r\n"
        reply = self.server.request("POST", "/v1/files", body, {"Content-Type": "multipart/form-data; boundary=b0undary", **self.headers, **(headers or {})})
        self.assertEqual(reply.status, 200, reply.body)
        return json.loads(reply.body)["id"]

    def get(self, path, headers=None):
        return self.server.request("GET", path, headers={**self.headers, **(headers or {})})

    def runs(self, query="?limit=100", headers=None):
        return json.loads(self.get("/v1/runs" + query, headers).body)["runs"]


class Reply(RunsTest):
    def test_shape_is_exact(self):
        code = "import sys; print('o'); print('e', file=sys.stderr)"
        before = time.time()
        reply = self.post({"language": "python", "code": code})
        record = json.loads(reply.body)
        self.assertEqual((reply.status, reply.headers["content-type"]), (200, "application/json; charset=utf-8"))
        self.assertEqual(list(record), RECORD)
        self.assertRegex(record["id"], r"^run_[A-Za-z0-9]{12}$")
        self.assertEqual((record["status"], record["exit_code"], record["stdout"], record["stderr"]), ("succeeded", 0, "o\n", "e\n"))
        self.assertEqual((list(record["usage"]), [type(value) for value in record["usage"].values()]), (["wall_ms", "cpu_ms", "max_rss_mb"], [int] * 3))
        self.assertEqual((record["artifacts"], record["limits"], list(record["limits"])), ([], LIMITS, list(LIMITS)))
        self.assertEqual((record["language"], record["code_sha256"]), ("python", hashlib.sha256(code.encode()).hexdigest()))
        self.assertRegex(record["created_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        created = time.mktime(time.strptime(record["created_at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
        self.assertTrue(before - 1 <= created <= time.time(), record["created_at"])
        self.assertEqual(reply.body, json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode(), "compact")

    def test_languages_and_the_literal_dashes(self):
        for language, code, expected in [
                ("python", "import sys; print(sys.argv)", "['main.py', '--', 'a', '-x']\n"),
                ("node", "console.log(process.argv.slice(1).join())", "/work/main.js,--,a,-x\n"),
                ("ruby", "p $0, ARGV", "\"main.rb\"\n[\"--\", \"a\", \"-x\"]\n"),
                ("php", "<?php echo implode(',', $argv), \"\\n\";", "main.php,--,a,-x\n")]:
            with self.subTest(language=language):
                result = self.run_code(code, language, args=["a", "-x"])
                self.assertEqual((result["status"], result["stdout"], result["language"]), ("succeeded", expected, language))

    def test_the_place_and_the_environment(self):
        code = ("import os, sys\nprint(os.getcwd(), sorted(os.listdir('.')), os.access('tmp', os.W_OK), sys.stdin.read() == '')\n"
                "print(sorted(f'{k}={v}' for k, v in os.environ.items() if k != 'LC_CTYPE'))\n")  # Python sets LC_CTYPE itself (PEP 538)
        result = self.run_code(code, env={"A": "b c", "LD_PRELOAD": "/evil.so", "LD_LIBRARY_PATH": "/", "HOME": "/root", "PATH": "/evil", "TMPDIR": "/"})
        place, environment = result["stdout"].splitlines()
        self.assertEqual(place, "/work ['main.py', 'outputs', 'tmp'] True True")
        self.assertEqual(environment, "['A=b c', 'HOME=/work', 'LANG=C.UTF-8', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'PYTHONUNBUFFERED=1', "
                                      "'RUBYOPT=-r/usr/lib/mayfly/ruby.rb', 'TMPDIR=/work/tmp']")

    def test_stdin(self):
        self.assertEqual(self.run_code("import sys; print(repr(sys.stdin.read()))", stdin="line\n\u4e2d")["stdout"], "'line\\n\u4e2d'\n")

    def test_arguments_never_meet_a_shell(self):
        evil = ["$(touch /work/outputs/x)", "`id`", "; ls", "|", "a\nb", "'\"", "", "--", "\u00fc"]
        result = self.run_code("import sys, json; print(json.dumps(sys.argv[2:]))", args=evil)
        self.assertEqual((json.loads(result["stdout"]), result["artifacts"]), (evil, []))

    def test_what_steers_interpreters_is_the_callers_own(self):
        result = self.run_code("import sys; print('/work/tmp/mine' in sys.path)", env={"PYTHONPATH": "/work/tmp/mine"})
        self.assertEqual(result["stdout"], "True\n")
        result = self.run_code("console.log('main')", "node", env={"NODE_OPTIONS": "--throw-deprecation"})
        self.assertEqual(result["stdout"], "main\n")

    def test_output_that_is_not_utf8_becomes_u_fffd(self):
        result = self.run_code("import os; os.write(1, b'a\\xff\\xc3(\\x00b\\xe2\\x82'); os.write(2, b'\\x1b[31m\\xed\\xa0\\x80')")
        self.assertEqual((result["stdout"], result["stderr"]), ("a\ufffd\ufffd(\0b\ufffd", "\x1b[31m\ufffd\ufffd\ufffd"))


class Refusals(RunsTest):
    def test_messages(self):
        good = {"language": "python", "code": "pass"}
        for change, expected in [
                ({"language": None}, "language is required"), ({"language": ""}, "language is required"), ({"language": "cobol"}, "unsupported language"),
                ({"language": "pythons"}, "unsupported language"), ({"language": "bash"}, "unsupported language"), ({"language": "../python"}, "unsupported language"),
                ({"language": "cobol"}, "unsupported language"), ({"language": "x" * 1000}, "unsupported language"),
                ({"code": ""}, "code is required"), ({"code": None}, "code is required"), ({"code": "#" * 204801}, "code exceeds 200 KiB"),
                ({"files": [{"id": "file_0123456789ab", "path": "../a"}]}, "invalid file path: ../a"),
                ({"files": [{"id": "file_0123456789ab", "path": "/a"}]}, "invalid file path: /a"),
                ({"files": [{"id": "file_0123456789ab", "path": ""}]}, "invalid file path: "),
                ({"language": 1}, "language must be a string"), ({"code": {}}, "code must be a string"), ({"args": "a"}, "args must be an array of strings"),
                ({"env": []}, "env must be an object of strings"), ({"limits": 1}, "limits must be an object of integers")]:
            with self.subTest(change=str(change)[:80]):
                self.assertEqual(self.refused({**good, **change}), (400, expected))
        for limit, maximum in MAXIMA.items():
            with self.subTest(limit=limit):
                self.assertEqual(self.refused({**good, "limits": {limit: maximum + 1}}), (400, f"{limit} exceeds maximum"))
                self.assertEqual(self.refused({**good, "limits": {limit: -1}}), (400, f"{limit} is below minimum"))
                for wrong in ("1", 1.0, True, [1]):
                    self.assertEqual(self.refused({**good, "limits": {limit: wrong}}), (400, f"{limit} must be an integer"))
        for raw in (b'{"language":"python","code":"x","limits":{"cpu_ms":NaN}}', b'{"language":"python","code":"x","limits":{"cpu_ms":1e999}}',
                    b'{"language":"python","code":"x","limits":{"cpu_ms":99999999999999999999}}', b"", b"{", b"[]", b'{"code":1,"code":2}', b"\xff"):
            with self.subTest(raw=raw):
                self.assertEqual(self.refused(raw)[0], 400)

    def test_the_order_of_checks(self):
        wrong = {"language": "", "code": "", "limits": {"cpu_ms": 0}, "files": [{"id": "x", "path": "../a"}]}
        self.assertEqual(self.refused(wrong), (400, "language is required"))
        wrong["language"] = "cobol"
        self.assertEqual(self.refused(wrong), (400, "unsupported language"))
        wrong["language"] = "python"
        self.assertEqual(self.refused(wrong), (400, "code is required"))
        wrong["code"] = "pass"
        self.assertEqual(self.refused(wrong), (400, "cpu_ms is below minimum"))
        del wrong["limits"]
        self.assertEqual(self.refused(wrong), (400, "invalid file path: ../a"))
        wrong["files"][0]["path"] = "a"
        self.assertEqual(self.refused(wrong), (404, "uploaded file not found"))

    def test_code_of_exactly_200_kib_runs(self):
        self.assertEqual(self.run_code("print(1)#" + "x" * (204800 - 9))["stdout"], "1\n")

    def test_a_body_over_1_mib_is_413(self):
        self.assertEqual(self.refused({"language": "python", "code": "#" * 1024 * 1024})[0], 413)

    def test_refusals_leave_no_record(self):
        before = len(self.runs())
        self.refused({"language": "python", "code": ""})
        self.assertEqual(len(self.runs()), before)

    def test_methods(self):
        reply = self.server.request("DELETE", "/v1/runs")
        self.assertEqual((reply.status, set(reply.headers["allow"].split(", "))), (405, {"POST", "GET", "HEAD"}))


class Statuses(RunsTest):
    def ending(self, code, **limits):
        result = self.run_code(code, limits=limits)
        return result["status"], result["exit_code"], result

    def test_exit_codes(self):
        for code, expected in [("import sys; sys.exit(3)", 3), ("import os; os._exit(255)", 255), ("1/0", 1), ("import os; os.kill(os.getpid(), 15)", 143),
                               ("import os; os.kill(os.getpid(), 9)", 137)]:
            with self.subTest(code=code):
                self.assertEqual(self.ending(code)[:2], ("failed", expected))

    def test_timeout_keeps_what_was_written(self):
        status, code, result = self.ending("import sys, time\nprint('out', flush=True)\nsys.stderr.write('err'); sys.stderr.flush()\n"
                                           "open('outputs/f', 'w').write('kept')\ntime.sleep(60)", timeout_ms=700)
        self.assertEqual((status, code, result["stdout"], result["stderr"]), ("timeout", 124, "out\n", "err\nExecution timed out\n"))
        self.assertEqual([artifact["name"] for artifact in result["artifacts"]], ["f"])
        self.assertTrue(700 <= result["usage"]["wall_ms"] < 5000, result["usage"])
        self.assertEqual(result["limits"]["timeout_ms"], 700)

    def test_timeout_of_one_that_ignores_signals_and_of_its_children(self):
        status, code, _ = self.ending("import os, signal, time\nsignal.signal(15, signal.SIG_IGN)\nif os.fork() == 0: os.setsid()\ntime.sleep(60)", timeout_ms=500)
        self.assertEqual((status, code), ("timeout", 124))

    def test_oom(self):
        for memory_mb in (16, 64):
            with self.subTest(memory_mb=memory_mb):
                status, code, result = self.ending("x = []\nwhile True: x.append(bytearray(10**6))", memory_mb=memory_mb)
                self.assertEqual((status, code), ("oom", 137))
                self.assertTrue(memory_mb * 0.8 <= result["usage"]["max_rss_mb"] <= memory_mb, result["usage"])

    def test_memory_in_files_counts(self):
        self.assertEqual(self.ending("open('/work/tmp/x', 'wb').write(bytes(100 * 2**20))", memory_mb=48)[:2], ("oom", 137))

    def test_the_cpu_budget(self):
        status, code, result = self.ending("while True: pass", cpu_ms=300, timeout_ms=10000)
        self.assertEqual((status, code), ("killed", 137))
        self.assertTrue(300 <= result["usage"]["cpu_ms"] < 1500, result["usage"])

    def test_the_cpu_budget_is_of_all_processes_together(self):
        status, _, result = self.ending("import os\nfor _ in range(3): os.fork()\nwhile True: pass", cpu_ms=400, timeout_ms=10000)
        self.assertEqual(status, "killed")
        self.assertTrue(400 <= result["usage"]["cpu_ms"] < 2000, result["usage"])

    def test_sleeping_costs_no_budget(self):
        status, _, result = self.ending("import time; time.sleep(1.2)", cpu_ms=1000)
        self.assertEqual(status, "succeeded")
        self.assertTrue(result["usage"]["wall_ms"] >= 1200 and result["usage"]["cpu_ms"] < 1000, result["usage"])

    def test_usage_is_measured(self):
        result = self.run_code("x = bytearray(60 * 2**20)\nimport time\nend = time.process_time() + .3\nwhile time.process_time() < end: pass")
        self.assertTrue(60 <= result["usage"]["max_rss_mb"] < 120 and 300 <= result["usage"]["cpu_ms"] < 2000, result["usage"])

    def test_a_program_left_in_the_background_does_not_delay_the_reply(self):
        result = self.run_code("import subprocess; subprocess.Popen(['sleep', '100']); print('now')", limits={"timeout_ms": 9000})
        self.assertEqual((result["status"], result["stdout"]), ("succeeded", "now\n"))


class Limits(RunsTest):
    def test_output_is_cut_to_the_byte(self):
        code = "import sys; sys.stdout.write('o' * 5000); sys.stderr.write('e' * 5000)"
        for cap in (1, 1000, 4999, 5000, 5001):
            with self.subTest(cap=cap):
                result = self.run_code(code, limits={"max_output_bytes": cap})
                self.assertEqual((result["stdout"], result["stderr"], result["status"]), ("o" * min(cap, 5000), "e" * min(cap, 5000), "succeeded"))
                self.assertEqual((result.get("stdout_truncated"), result.get("stderr_truncated")), (True, True) if cap < 5000 else (None, None))

    def test_a_cut_never_splits_a_character(self):
        result = self.run_code("print('\u4e2d' * 10)", limits={"max_output_bytes": 8})
        self.assertEqual(result["stdout"], "\u4e2d\u4e2d")

    def test_a_full_stderr_does_not_swallow_the_time_out(self):
        result = self.run_code("import os, time\nos.write(2, b'e' * 5000)\ntime.sleep(60)", limits={"max_output_bytes": 1000, "timeout_ms": 1000})
        self.assertEqual((result["status"], result["stderr"], result["stderr_truncated"]), ("timeout", "e" * 1000 + "\nExecution timed out\n", True))
        self.assertNotIn("stdout_truncated", result)

    def test_the_largest_output_of_the_worst_bytes(self):
        result = self.run_code("import os\nfor fd in (1, 2): os.write(fd, b'') or [os.write(fd, bytes(2**16)) for _ in range(40)]",
                               limits={"max_output_bytes": 2097152, "timeout_ms": 10000})
        self.assertEqual((result["stdout"], result["stderr"], result["status"]), ("\0" * 2097152, "\0" * 2097152, "succeeded"))
        self.assertEqual(json.loads(self.get("/v1/runs/" + result["id"]).body), result)

    def test_a_flood_does_not_kill(self):
        result = self.run_code("import os\nfor _ in range(3000): os.write(1, b'x' * 4096)\nos.write(2, b'end')", limits={"max_output_bytes": 100, "timeout_ms": 10000})
        self.assertEqual((result["stdout"], result["stderr"], result["status"]), ("x" * 100, "end", "succeeded"))

    def test_from_inside(self):
        code = ("import json, os, resource\n"
                "def read(*paths):\n"
                "    for path in paths:\n"
                "        if os.path.exists(path): return open(path).read().split()[0]\n"
                "own = {line.split(':')[1]: line.strip().split(':')[2] for line in open('/proc/self/cgroup')}\n"
                "def of(controller, name): return ['/sys/fs/cgroup/' + controller + own.get(controller, '') + '/' + name, '/sys/fs/cgroup/' + controller + '/' + name]\n"
                "mounts = {line.split()[1]: line.split()[3] for line in open('/proc/mounts')}\n"
                "print(json.dumps({'memory': read(*of('memory', 'memory.limit_in_bytes'), '/sys/fs/cgroup/memory.max'),\n"
                "                  'pids': read(*of('pids', 'pids.max'), '/sys/fs/cgroup/pids.max'), 'uid': os.getuid(), 'work': mounts['/work'],\n"
                "                  'core': resource.getrlimit(resource.RLIMIT_CORE)}))")
        found = json.loads(self.run_code(code, limits={"memory_mb": 77})["stdout"])
        self.assertEqual((found["memory"], found["pids"], found["core"]), (str(77 * 2**20), "32", [0, 0]))
        self.assertIn(found["uid"], harness.USER_IDS)
        self.assertIn("nosuid", found["work"])

    def test_pids_from_inside(self):
        code = "import os, time\nmade = 0\ntry:\n    while True:\n        if os.fork() == 0: time.sleep(60)\n        made += 1\nexcept OSError as error:\n    print(made, error.errno)\n"
        made, errno = map(int, self.run_code(code)["stdout"].split())
        self.assertEqual(errno, 11)
        self.assertTrue(24 <= made < 32, made)

    def test_from_outside(self):
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=LONG) as client:
            body = json.dumps({"language": "python", "code": "import time; print(1, flush=True); time.sleep(60)", "limits": {"memory_mb": 48, "timeout_ms": 9000}}).encode()
            client.sendall(b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            read_until(client, b"event: stdout")
            containers = self.server.podman.containers(self.server.instance)
            self.assertEqual(len(containers), 1)
            host = self.server.podman.inspect(containers[0]["Id"])["HostConfig"]
        self.assertEqual((host["Memory"], host["MemorySwap"], host["PidsLimit"], host["NanoCpus"], host["NetworkMode"], host["ReadonlyRootfs"]),
                         (48 * 2**20, 48 * 2**20, 32, 10**9, "none", True))
        self.assertIn("/work", host["Tmpfs"])
        self.assertNotIn("/workspace", host["Tmpfs"])

    def test_no_network_and_nothing_left(self):
        result = self.run_code("import os, socket\nprint(os.listdir('/sys/class/net'), os.listdir('/work'), os.listdir('/tmp'))\nopen('/work/tmp/left', 'w'); open('/tmp/left', 'w')")
        again = self.run_code("import os\nprint(os.listdir('/sys/class/net'), os.listdir('/work'), os.listdir('/tmp'))")
        self.assertEqual(result["stdout"], again["stdout"])
        self.assertTrue(result["stdout"].startswith("['lo']"), result["stdout"])


class Artifacts(RunsTest):
    def names(self, code, **limits):
        return [artifact["name"] for artifact in self.run_code(code, limits=limits)["artifacts"]]

    def test_an_artifact(self):
        result = self.run_code("open('outputs/a \u00fc.csv', 'wb').write(b'1,2\\n\\0\\xff')")
        artifact, = result["artifacts"]
        self.assertEqual(list(artifact), ["name", "size", "sha256", "url", "expires_at", "content_type"])
        self.assertEqual((artifact["name"], artifact["size"], artifact["sha256"]), ("a \u00fc.csv", 6, hashlib.sha256(b"1,2\n\0\xff").hexdigest()))
        self.assertRegex(artifact["content_type"], "^text/csv")
        self.assertTrue(artifact["url"].startswith(f"http://{self.server.host}/v1/files/file_"), artifact["url"])
        self.assertEqual(self.server.fetch(artifact["url"]), b"1,2\n\0\xff", "the signature alone suffices")
        expires = time.mktime(time.strptime(artifact["expires_at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
        self.assertTrue(500 < expires - time.time() <= 601, artifact["expires_at"])

    def test_only_regular_files_directly_in_outputs(self):
        self.assertEqual(self.names("import os\nos.mkdir('outputs/sub'); open('outputs/sub/x', 'w'); open('elsewhere', 'w'); open('outputs/.h', 'w')\n"
                                    "os.symlink('/etc/passwd', 'outputs/l'); os.symlink('/nowhere', 'outputs/d'); os.symlink('sub', 'outputs/s'); os.mkfifo('outputs/f')\n"
                                    "import socket; socket.socket(socket.AF_UNIX).bind('outputs/u')\n"
                                    "open('outputs/main.py', 'w'); open('outputs/stdout', 'w'); open('outputs/stderr', 'w')\n"
                                    "open('outputs/zero', 'w'); os.chmod('outputs/zero', 0)\nos.link('main.py', 'outputs/hard')"),
                         [".h", "hard", "main.py", "stderr", "stdout", "zero"])

    def test_name_order_and_the_cap_on_files(self):
        code = "for n in 'zyxabc10': open('outputs/' + n, 'w').write(n)"
        self.assertEqual(self.names(code), list("01abcxyz"))
        self.assertEqual(self.names(code, max_artifact_files=3), list("01a"))
        self.assertEqual(self.names(code, max_artifact_files=0), [])
        self.assertEqual(self.names("for n in range(12): open(f'outputs/{n:02}', 'w')"), [f"{n:02}" for n in range(10)])

    def test_stopping_at_the_first_that_would_break_the_cap_on_bytes(self):
        code = "for n, size in (('a', 10), ('b', 20), ('c', 5), ('d', 0)): open('outputs/' + n, 'w').write('x' * size)"
        for cap, expected in [(9, []), (10, ["a"]), (29, ["a"]), (30, ["a", "b"]), (34, ["a", "b"]), (35, ["a", "b", "c", "d"])]:
            with self.subTest(cap=cap):
                self.assertEqual(self.names(code, max_artifact_bytes=cap), expected)
        self.assertEqual(self.names("open('outputs/a', 'w'); open('outputs/b', 'w').write('x'); open('outputs/c', 'w')", max_artifact_bytes=0), ["a"])

    def test_the_largest(self):
        result = self.run_code("open('outputs/a', 'wb').write(b'x' * 20971520)", limits={"max_artifact_bytes": 20971520, "timeout_ms": 10000})
        self.assertEqual([artifact["size"] for artifact in result["artifacts"]], [20971520])
        self.assertEqual(len(self.server.fetch(result["artifacts"][0]["url"])), 20971520)
        identifier = re.search("file_[A-Za-z0-9]{12}", result["artifacts"][0]["url"])[0]
        self.assertEqual(self.refused({"language": "python", "code": "pass", "files": [{"id": identifier, "path": "a"}]}), (400, "file a exceeds 10 MiB"))

    def test_a_sparse_terabyte(self):
        self.assertEqual(self.names("open('outputs/a', 'w').write('x'); f = open('outputs/b', 'w')\ntry: f.truncate(10**12)\nexcept OSError: f.truncate(10**8)\nopen('outputs/c', 'w')"), ["a"])

    def test_an_outputs_folder_that_is_something_else(self):
        for trick in ("os.symlink('/etc', 'outputs')", "os.symlink('tmp', 'outputs'); open('tmp/x', 'w')", "open('outputs', 'w')", "os.mkfifo('outputs')", "pass"):
            with self.subTest(trick=trick):
                result = self.run_code("import os; os.rmdir('outputs'); " + trick)
                self.assertEqual((result["artifacts"], result["status"]), ([], "succeeded"))

    def test_an_outputs_folder_made_anew_and_one_that_is_closed(self):
        self.assertEqual(self.names("import os; os.rmdir('outputs'); os.mkdir('outputs'); open('outputs/a', 'w')"), ["a"])
        self.assertEqual(self.names("import os; open('outputs/a', 'w'); os.chmod('outputs', 0)"), ["a"])

    def test_names_of_any_bytes(self):
        result = self.run_code("for name in (b'-x', b'a\"b', b'bad\\xff', b'rtl\\xe2\\x80\\xaeabc', b'n' * 255): open(b'outputs/' + name, 'w').write('x')\n"
                               "open(b'outputs/line\\nbreak', 'w')")
        self.assertEqual([artifact["name"] for artifact in result["artifacts"]], ["-x", 'a"b', "bad\ufffd", "n" * 255, "rtl\u202eabc"])
        for artifact in result["artifacts"]:
            with self.subTest(name=artifact["name"]):
                self.assertEqual(self.server.fetch(artifact["url"]), b"x")

    def test_staged_files_are_no_artifacts(self):
        identifier = self.upload(b"x")
        result = self.run_code("pass", files=[{"id": identifier, "path": "a"}])
        self.assertEqual(result["artifacts"], [])


class Files(RunsTest):
    def test_staged_byte_for_byte(self):
        data = os.urandom(100000) + b"\0\r\n--b"
        first, empty = self.upload(data), self.upload(b"")
        code = ("import hashlib, os\nfor folder, _, names in sorted(os.walk('inputs')):\n    for name in sorted(names):\n        path = os.path.join(folder, name)\n"
                "        print(path, hashlib.sha256(open(path, 'rb').read()).hexdigest())")
        result = self.run_code(code, files=[{"id": first, "path": "b/c/d.bin"}, {"id": first, "path": "a"}, {"id": empty, "path": "-e \u00fc"}])
        self.assertEqual(result["stdout"].splitlines(), [f"inputs/-e \u00fc {hashlib.sha256(b'').hexdigest()}", f"inputs/a {hashlib.sha256(data).hexdigest()}",
                                                         f"inputs/b/c/d.bin {hashlib.sha256(data).hexdigest()}"])

    def test_reusable_and_unharmed(self):
        identifier = self.upload(b"original")
        for _ in range(2):
            self.assertEqual(self.run_code("print(open('inputs/f').read()); open('inputs/f', 'w').write('changed')", files=[{"id": identifier, "path": "f"}])["stdout"], "original\n")

    def test_what_was_sent_and_changed_comes_back(self):
        files = [{"id": self.upload(data), "path": name} for name, data in changes.files().items()]
        result = self.run_code(changes.code("inputs/"), files=files)
        self.assertEqual((0, ""), (result["exit_code"], result["stderr"]))
        found = {artifact["name"]: self.server.fetch(artifact["url"]) for artifact in result["artifacts"]}
        changes.check(self, {name if name != "renamed.txt" else "sub/renamed.txt": data for name, data in found.items()})

    def test_an_artifact_is_the_next_ones_input(self):
        artifact, = self.run_code("open('outputs/x', 'w').write('handed on')")["artifacts"]
        identifier = re.search("file_[A-Za-z0-9]{12}", artifact["url"])[0]
        self.assertEqual(self.run_code("print(open('inputs/x').read())", files=[{"id": identifier, "path": "x"}])["stdout"], "handed on\n")

    def test_not_found(self):
        for identifier in ("file_0123456789ab", "", "file_", "../../etc/passwd", "run_0123456789ab"):
            with self.subTest(identifier=identifier):
                self.assertEqual(self.refused({"language": "python", "code": "pass", "files": [{"id": identifier, "path": "a"}]}), (404, "uploaded file not found"))

    def test_collisions(self):
        identifier = self.upload(b"x")
        for first, second, why in (("a", "a", "it is there twice"), ("a", "a/b", "another file is in its way"), ("a/b", "a", "another file is in its way")):
            with self.subTest(first=first, second=second):
                self.assertEqual(self.refused({"language": "python", "code": "pass", "files": [{"id": identifier, "path": first}, {"id": identifier, "path": second}]}),
                                 (400, f"invalid file path: {second}: {why}"))

    def test_25_mib_together(self):
        large, rest = self.upload(b"x" * 10485760), self.upload(b"x" * 5242880)
        files = [{"id": large, "path": "a"}, {"id": large, "path": "b"}, {"id": rest, "path": "c"}]
        code = "import os; print(sum(os.path.getsize('inputs/' + n) for n in os.listdir('inputs')))"
        self.assertEqual(self.run_code(code, files=files)["stdout"], "26214400\n")
        one = self.upload(b"x")
        self.assertEqual(self.refused({"language": "python", "code": code, "files": files + [{"id": one, "path": "d"}]}), (400, "total file size exceeds 25 MiB"))

    def test_more_than_the_memory_holds_is_out_of_memory(self):
        large = self.upload(b"x" * 10485760)
        result = self.run_code("print(1)", files=[{"id": large, "path": "a"}, {"id": large, "path": "b"}], limits={"memory_mb": 16})
        self.assertEqual((result["status"], result["exit_code"], result["stdout"]), ("oom", 137, ""))


class Records(RunsTest):
    environment = {"API_KEYS": "alice-token:alice:1000:1000,bob-token:bob:1000:1000"}
    headers = {"Authorization": "Bearer alice-token"}
    bob = {"Authorization": "Bearer bob-token"}

    def test_the_same_record_for_its_key_alone(self):
        reply = self.post({"language": "python", "code": "open('outputs/x', 'w'); print('\\0\\u4e2d')"})
        path = "/v1/runs/" + json.loads(reply.body)["id"]
        again = self.get(path)
        self.assertEqual((again.status, again.body, again.headers["content-type"]), (200, reply.body, reply.headers["content-type"]))
        head = self.server.request("HEAD", path, headers=self.headers)
        self.assertEqual((head.status, head.body, head.headers["content-length"]), (200, b"", str(len(reply.body))))
        for other in (self.get(path, self.bob), self.get("/v1/runs/run_0123456789ab"), self.get("/v1/runs/x"), self.get(path + "/"), self.get("/v1/runs/..%2f")):
            self.assertEqual((other.status, other.body), (404, b'{"error":"run not found","data":null}'))
        anonymous = self.server.request("GET", path)
        self.assertEqual((anonymous.status, json.loads(anonymous.body)["error"]), (401, "missing bearer token"))
        self.assertEqual(self.server.request("GET", "/v1/runs").status, 401)
        self.assertEqual(self.server.request("POST", "/v1/runs", {}).status, 401)

    def test_links_are_signed_again_when_they_are_old(self):
        first = self.run_code("open('outputs/x', 'w').write('bytes'); print('\\0,\"artifacts\":[],\"limits\":{')")
        folder = os.path.join(self.server.storage, ".runs")
        path, = [os.path.join(folder, owner, first["id"]) for owner in os.listdir(folder) if os.path.exists(os.path.join(folder, owner, first["id"]))]
        os.utime(path, (time.time() - 3000, time.time() - 3000))
        harness.until(lambda: time.time() % 1 < 0.5 and json.loads(self.get("/v1/runs/" + first["id"]).body)["artifacts"][0]["url"] != first["artifacts"][0]["url"],
                      "another second, so another link")
        later = json.loads(self.get("/v1/runs/" + first["id"]).body)
        old, new = first["artifacts"][0], later["artifacts"][0]
        self.assertNotEqual((old["url"], old["expires_at"]), (new["url"], new["expires_at"]))
        self.assertEqual(self.server.fetch(new["url"]), b"bytes")
        for artifact in (old, new):
            artifact["url"] = artifact["expires_at"] = ""
        self.assertEqual(later, first, "and nothing else has changed")

    def test_the_list(self):
        made = [self.run_code(f"print({n})", headers=self.bob)["id"] for n in range(5)][::-1]
        page = json.loads(self.get("/v1/runs?limit=2", self.bob).body)
        self.assertEqual((list(page), [run["id"] for run in page["runs"]], page["next"]), (["runs", "next"], made[:2], made[1]))
        self.assertEqual(list(page["runs"][0]), ["id", "status", "exit_code", "usage", "artifact_count", "created_at", "language", "code_sha256"])
        page = json.loads(self.get("/v1/runs?limit=2&before=" + page["next"], self.bob).body)
        self.assertEqual(([run["id"] for run in page["runs"]], page["next"]), (made[2:4], made[3]))
        page = json.loads(self.get("/v1/runs?before=" + page["next"], self.bob).body)
        self.assertEqual(([run["id"] for run in page["runs"]], page["next"]), (made[4:], None))
        self.assertFalse(set(made) & {run["id"] for run in self.runs()}, "another key's list")
        for query, message in [("?limit=0", "limit takes a whole number from 1 to 100"), ("?limit=101", "limit takes a whole number from 1 to 100"),
                               ("?limit=x", "limit takes a whole number from 1 to 100"), ("?before=x", "before takes the id of a run"),
                               ("?before=../x", "before takes the id of a run")]:
            with self.subTest(query=query):
                reply = self.get("/v1/runs" + query)
                self.assertEqual((reply.status, json.loads(reply.body)), (400, {"error": message, "data": None}))

    def test_another_keys_upload_is_not_there(self):
        identifier = self.upload(b"x")
        self.assertEqual(self.refused({"language": "python", "code": "pass", "files": [{"id": identifier, "path": "a"}]}, self.bob), (404, "uploaded file not found"))

    def test_failed_runs_are_recorded_too(self):
        for code, limits, status in (("1/0", {}, "failed"), ("import time; time.sleep(9)", {"timeout_ms": 200}, "timeout"), ("while 1: pass", {"cpu_ms": 50}, "killed")):
            result = self.run_code(code, limits=limits)
            self.assertEqual((result["status"], json.loads(self.get("/v1/runs/" + result["id"]).body)), (status, result))

    def test_records_are_nobodys_business(self):
        self.run_code("print('secret')")
        for folder, _, names in os.walk(os.path.join(self.server.storage, ".runs")):
            self.assertEqual(os.stat(folder).st_mode & 0o077, 0, folder)
            for name in names:
                self.assertEqual(os.stat(os.path.join(folder, name)).st_mode & 0o077, 0, name)
        reply = self.server.request("GET", "/artifacts/.runs/x/y")
        self.assertEqual(reply.status, 404)

    def test_concurrent_runs_are_all_recorded_and_do_not_mix(self):
        def one(number):
            while True:
                reply = self.post({"language": "python", "code": f"import time\nopen('outputs/x', 'w').write('{number}')\ntime.sleep(.05)\nprint('{number}', open('outputs/x').read())"})
                if reply.status != 503:
                    break
                self.assertEqual(reply.headers["retry-after"], "1")
            result = json.loads(reply.body)
            good = (reply.status, result["stdout"], self.server.fetch(result["artifacts"][0]["url"])) == (200, f"{number} {number}\n", str(number).encode())
            return result["id"] if good else reply
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            made = list(pool.map(one, range(16)))
        self.assertEqual(len(set(made)), 16, made)
        self.assertEqual(set(made) - {run["id"] for run in self.runs()}, set())


class Durable(harness.ServerTest):
    def test_across_a_restart_and_until_the_retention_is_over(self):
        def request(server, method, path, body=None):
            reply = server.request(method, path, body, {"Authorization": "Bearer t"})
            return reply.status, reply.body
        environment = {"API_KEYS": "t:label:10:10", "STORAGE_DIR": os.path.join(self.server.folder, "elsewhere")}
        with harness.Server(**environment) as first:
            status, body = request(first, "POST", "/v1/runs", {"language": "python", "code": "open('outputs/x', 'w').write('x')"})
            self.assertEqual(status, 200, body)
            record = json.loads(body)
            self.assertEqual(first.leaks(), {})
        with harness.Server(**environment) as second:
            path = "/v1/runs/" + record["id"]
            self.assertEqual(request(second, "GET", path), (200, body))
            link = record["artifacts"][0]["url"].split("/v1/", 1)[1]
            self.assertEqual(second.request("GET", "/v1/" + link).body, b"x", "the link is as durable")
            folder = os.path.join(environment["STORAGE_DIR"], ".runs")
            stored = os.path.join(folder, os.listdir(folder)[0], record["id"])
            self.assertEqual(second.reap().returncode, 0)
            self.assertEqual(request(second, "GET", path)[0], 200)
            os.utime(stored, (1, 1))
            self.assertEqual(second.reap().returncode, 0)
            self.assertEqual((request(second, "GET", path)[0], request(second, "GET", "/v1/runs")), (404, (200, b'{"runs":[],"next":null}')))

    def test_a_disk_that_is_full(self):
        folder = os.path.join(self.server.folder, "full")
        os.makedirs(folder)
        harness.subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "mayfly-test", folder], check=True)
        try:
            with harness.Server(STORAGE_DIR=folder) as server:
                reply = server.request("POST", "/v1/runs", {"language": "python", "code": "print('x' * 300000)"})
                self.assertEqual(reply.status, 500)
                self.assertRegex(json.loads(reply.body)["error"], "^No space left in ")
                self.assertEqual(json.loads(server.request("GET", "/v1/runs").body)["runs"], [])
                reply = server.request("POST", "/v1/runs", {"language": "python", "code": "open('outputs/x', 'wb').write(b'x' * 300000)"})
                self.assertEqual(reply.status, 500)
                key = {"X-Idempotency-Key": "full"}
                for _ in range(2):
                    reply = server.request("POST", "/v1/runs", {"language": "python", "code": "print(1)"}, key)
                    self.assertEqual(reply.status, 507)
                    self.assertRegex(json.loads(reply.body)["error"], "^No space in .* so nothing ran: free some")
                self.assertEqual(json.loads(server.request("GET", "/v1/runs").body)["runs"], [])
                harness.subprocess.run(["mount", "-o", "remount,size=20m", folder], check=True)
                reply = server.request("POST", "/v1/runs", {"language": "python", "code": "print(1)"}, key)
                self.assertEqual((reply.status, len(json.loads(server.request("GET", "/v1/runs").body)["runs"])), (200, 1))
                self.assertEqual(server.leaks(), {})
        finally:
            harness.subprocess.run(["umount", "--lazy", folder], check=True)


class Idempotency(RunsTest):
    environment = {"API_KEYS": "alice-token:alice:1000:1000,bob-token:bob:1000:1000"}
    headers = {"Authorization": "Bearer alice-token"}

    def key(self, name):
        return {"X-Idempotency-Key": name}

    def test_a_repeat_returns_the_first_record(self):
        body = {"language": "python", "code": "import os; print(os.urandom(8).hex())"}
        first, second = self.post(body, self.key("one")), self.post(body, self.key("one"))
        self.assertEqual((second.status, second.body, second.headers.get("idempotent-replayed")), (200, first.body, "true"))
        self.assertNotIn("idempotent-replayed", first.headers)
        self.assertNotEqual(self.post(body, self.key("two")).body, first.body)
        self.assertNotEqual(self.post(body).body, first.body)

    def test_another_request_with_the_key_is_422(self):
        self.post({"language": "python", "code": "print(1)"}, self.key("reused"))
        self.assertEqual(self.refused({"language": "python", "code": "print(2)"}, self.key("reused")),
                         (422, "this X-Idempotency-Key was used for another request"))

    def test_a_key_is_its_owners(self):
        body = {"language": "python", "code": "import os; print(os.urandom(8).hex())"}
        mine = self.post(body, self.key("shared"))
        theirs = self.post(body, {**self.key("shared"), "Authorization": "Bearer bob-token"})
        self.assertEqual((mine.status, theirs.status), (200, 200))
        self.assertNotEqual(json.loads(mine.body)["id"], json.loads(theirs.body)["id"])

    def test_bad_keys(self):
        for key in ("", "x" * 256, "\u00e9"):
            with self.subTest(key=key[:5]):
                self.assertEqual(self.refused({"language": "python", "code": "pass"}, self.key(key.encode("latin-1").decode("latin-1")))[0], 400)

    def test_many_at_once_run_once(self):
        body = {"language": "python", "code": "import time, os; time.sleep(.5); print(os.urandom(8).hex())"}
        before = len(self.runs())
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda _: self.post(body, self.key("many")), range(8)))
        self.assertEqual({(reply.status, reply.body) for reply in replies}, {(200, replies[0].body)})
        self.assertEqual(sum("idempotent-replayed" in reply.headers for reply in replies), 7)
        self.assertEqual(len(self.runs()), before + 1)

    def test_one_that_was_refused_can_be_sent_again(self):
        self.assertEqual(self.refused({"language": "python", "code": ""}, self.key("refused"))[0], 400)
        self.assertEqual(self.post({"language": "python", "code": "print(1)"}, self.key("refused")).status, 200)

    def kill_all(self):
        for pid in self.server.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def stored(self, folder=""):
        """Names of what there is of alice's runs, or of her keys."""
        found = []
        for where, _, names in os.walk(os.path.join(self.server.storage, ".runs")):
            found += [name for name in names if os.path.basename(where) == ".keys"] if folder else \
                [name for name in names if os.path.basename(where) != ".keys"]
        return set(found)

    def test_killed_at_any_step_it_never_runs_twice(self):
        """What is on the disk decides: from the reserved record on the program may have run, so a repeat is told that the result is lost; before it, it had not."""
        steps = {
            "accepted": lambda seen: True,
            "key": lambda seen: self.stored("keys") - seen[1],
            "room": lambda seen: any(name.startswith(".new-") for name in self.stored() - seen[0]),
            "reserved": lambda seen: any(name.startswith("run_") for name in self.stored() - seen[0]),
        }
        for step in (*steps, "begun", "answered"):
            with self.subTest(step=step):
                body = {"language": "python", "code": "import time; print('begun', flush=True); time.sleep(1)"}
                seen = self.stored(), self.stored("keys")
                with socket.create_connection(("127.0.0.1", self.server.port), timeout=LONG) as client:
                    text = json.dumps(body).encode()
                    client.sendall(b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer alice-token\r\nX-Idempotency-Key: at-%s\r\n"
                                   b"Content-Type: application/json\r\nAccept: text/event-stream\r\nContent-Length: %d\r\n\r\n"
                                   % (step.encode(), len(text)) + text)
                    if step in steps:
                        while not steps[step](seen):
                            pass
                    else:
                        read_until(client, b"begun" if step == "begun" else b"event: result")
                    self.kill_all()
                harness.until(lambda: not self.server.processes(), "they are gone", 30)
                made = [name for name in self.stored() - seen[0] if name.startswith("run_")]
                if step == "begun":
                    self.assertEqual(len(made), 1, "reserved before it runs")
                    self.assertEqual(self.runs()[0]["status"], "killed")
                reply = self.post(body, self.key("at-" + step))
                record = json.loads(reply.body)
                self.assertEqual((reply.status, reply.headers.get("idempotent-replayed"), list(record)), (200, "true" if made else None, RECORD))
                if made:
                    self.assertEqual(record["id"], made[0])
                if step == "answered" or not made:
                    self.assertEqual((record["status"], record["stdout"]), ("succeeded", "begun\n"))
                elif step == "begun":
                    self.assertEqual((record["status"], record["exit_code"], record["stdout"]), ("killed", 137, ""))
                    self.assertIn("its result was lost", record["stderr"])
                self.assertEqual(self.post(body, self.key("at-" + step)).body, reply.body)
        incoming = os.path.join(self.server.storage, ".incoming")
        jobs = os.path.join(self.server.run, "jobs")
        harness.until(lambda: self.server.reap() and not self.server.podman.containers(self.server.instance) and not os.listdir(jobs),
                      "the reaper has cleaned up", 2 * harness.DEADLINE_S)
        self.assertEqual(os.listdir(incoming), [])

    def test_meanwhile_the_record_says_running(self):
        body = {"language": "python", "code": "print('begun', flush=True); import time; time.sleep(1)"}
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            seen = self.stored()
            future = pool.submit(self.post, body, self.key("meanwhile"))
            name = harness.until(lambda: [name for name in self.stored() - seen if name.startswith("run_")], "its place is reserved")[0]
            record = json.loads(self.get("/v1/runs/" + name).body)
            self.assertEqual((list(record), record["status"], record["exit_code"], record["stderr"]), (RECORD, "running", None, ""))
            self.assertEqual([(run["status"], run["exit_code"]) for run in self.runs() if run["id"] == name], [("running", None)])
            reply = future.result(LONG)
        self.assertEqual(self.get("/v1/runs/" + name).body, reply.body)
        self.assertNotIn(".new-" + name, self.stored())

    def test_a_client_that_hangs_up_finds_its_result(self):
        body = {"language": "python", "code": "import time; time.sleep(.5); print('done')"}
        seen = self.stored()
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=LONG) as client:
            text = json.dumps(body).encode()
            client.sendall(b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer alice-token\r\nX-Idempotency-Key: hangs-up\r\n"
                           b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
            harness.until(lambda: [name for name in self.stored() - seen if name.startswith("run_")], "its place is reserved")
        reply = self.post(body, self.key("hangs-up"))
        self.assertEqual((json.loads(reply.body)["stdout"], reply.headers.get("idempotent-replayed")), ("done\n", "true"))

    def test_what_did_not_begin_can_be_sent_again(self):
        body = {"language": "python", "code": "print(1)"}
        with harness.Server(DOCKER_SOCKET_PATH="/nonexistent/podman.sock") as server:
            for _ in range(2):
                reply = server.request("POST", "/v1/runs", body, self.key("engine"))
                self.assertEqual(reply.status // 100, 5, reply)
                self.assertNotIn("idempotent-replayed", reply.headers)
                self.assertEqual(json.loads(server.request("GET", "/v1/runs").body)["runs"], [])

    def test_a_stream_is_replayed_as_its_result(self):
        body = {"language": "python", "code": "print('x')"}
        first = self.post(body, self.key("stream"))
        reply = self.post(body, {**self.key("stream"), "Accept": "text/event-stream"})
        self.assertEqual((reply.status, events_of(reply.body)), (200, [("result", json.loads(first.body))]))


def read_until(client, needle):
    """Reads until needle has come; everything so far."""
    data = b""
    while needle not in data:
        piece = client.recv(65536)
        assert piece, data
        data += piece
    return data


def events_of(body):
    """(event, data) of a whole stream; comments are left out."""
    found = []
    for block in body.decode().split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        if lines:
            assert len(lines) == 2 and lines[0].startswith("event: ") and lines[1].startswith("data: "), lines
            found.append((lines[0][7:], json.loads(lines[1][6:])))
    return found


def joined(events, name):
    return "".join(data["text"] for event, data in events if event == name)


class Streams(RunsTest):
    accept = {"Accept": "text/event-stream"}

    def open(self, path, body, slow=False):
        """A client of its own, which has sent its request."""
        client = socket.socket()
        if slow:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(LONG)
        client.connect(("127.0.0.1", self.server.port))
        text = json.dumps(body).encode()
        client.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                       % (path.encode(), len(text)) + text)
        return client

    def test_events_then_the_record(self):
        reply = self.post({"language": "python", "code": "import sys\nprint('one')\nprint('two', file=sys.stderr)\nsys.exit(3)"}, self.accept)
        events = events_of(reply.body)
        self.assertEqual((reply.status, reply.headers["content-type"], reply.headers["cache-control"]), (200, "text/event-stream", "no-store"))
        record = events[-1][1]
        self.assertEqual((events[-1][0], list(record)), ("result", RECORD))
        self.assertEqual(events[0], ("status", {"id": record["id"], "status": "running"}))
        self.assertEqual(events[-2], ("status", {"id": record["id"], "status": "failed", "exit_code": 3}))
        self.assertEqual((joined(events, "stdout"), joined(events, "stderr")), ("one\n", "two\n"))
        self.assertEqual((record["stdout"], record["stderr"]), ("one\n", "two\n"))
        self.assertEqual(json.loads(self.get("/v1/runs/" + record["id"]).body), record)

    def test_as_they_happen(self):
        body = {"language": "python", "code": "print('first', flush=True)\nimport time; time.sleep(60)", "limits": {"timeout_ms": 2000}}
        with self.open("/v1/runs", body) as client:
            data = read_until(client, b"first")
            self.assertNotIn(b"event: result", data)
            events = events_of((data + harness.read_all(client)).split(b"\r\n\r\n", 1)[1])
        self.assertEqual((events[-1][1]["status"], events[-1][1]["stderr"], joined(events, "stderr")), ("timeout", "Execution timed out\n", "Execution timed out\n"))

    def test_texts_joined_are_the_records(self):
        code = ("import os, time\nwhole = 'a\u00e9\u4e2d\U0001f600'.encode() + b'\\xff\\xf0\\x9f' + bytes(3) + b'\\xe4\\xb8'\n"
                "for byte in whole:\n    os.write(1, bytes([byte])); time.sleep(.01)\n    os.write(2, bytes([byte]))")
        events = events_of(self.post({"language": "python", "code": code}, self.accept).body)
        expected = (b"a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80\xff\xf0\x9f\0\0\0\xe4\xb8").decode("utf-8", "replace")
        for name in ("stdout", "stderr"):
            self.assertEqual((joined(events, name), events[-1][1][name]), (expected, expected))
        self.assertGreater(len([event for event, _ in events if event == "stdout"]), 3)

    def test_a_cut_stream_has_no_half_character(self):
        events = events_of(self.post({"language": "python", "code": "print('\u4e2d' * 10)", "limits": {"max_output_bytes": 8}}, self.accept).body)
        self.assertEqual((joined(events, "stdout"), events[-1][1]["stdout"]), ("\u4e2d\u4e2d", "\u4e2d\u4e2d"))

    def test_refusals_are_ordinary(self):
        self.assertEqual(self.refused({"language": "python", "code": ""}, self.accept), (400, "code is required"))
        self.assertEqual(self.refused(b"{", self.accept)[0], 400)

    def test_who_does_not_ask_gets_none(self):
        for accept in ("application/json", "*/*", "text/event-stream;q=0"):
            reply = self.post({"language": "python", "code": "print(1)"}, {"Accept": accept})
            self.assertEqual((reply.headers["content-type"], json.loads(reply.body)["stdout"]), ("application/json; charset=utf-8", "1\n"))

    def test_a_client_that_hangs_up_cancels(self):
        before = {run["id"] for run in self.runs()}
        for how in ("close", "reset"):
            with self.subTest(how=how):
                client = self.open("/v1/runs", {"language": "python", "code": "print(1, flush=True)\nimport time; time.sleep(9)", "limits": {"timeout_ms": 10000}})
                read_until(client, b"event: stdout")
                if how == "reset":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                self.assertEqual(self.server.leaks(), {})
        self.assertEqual({run["id"] for run in self.runs()}, before)

    def test_one_that_only_half_closes_gets_everything(self):
        with self.open("/v1/runs", {"language": "python", "code": "import time\nfor n in range(5): print(n, flush=True); time.sleep(.2)"}) as client:
            client.shutdown(socket.SHUT_WR)
            events = events_of(harness.read_all(client).split(b"\r\n\r\n", 1)[1])
        self.assertEqual((joined(events, "stdout"), events[-1][0]), ("0\n1\n2\n3\n4\n", "result"))

    def test_a_client_that_does_not_read_holds_nobody_up(self):
        code = "import os\nfor _ in range(32): os.write(1, b'x' * 65536)"
        before = {run["id"] for run in self.runs()}
        with self.open("/v1/runs", {"language": "python", "code": code, "limits": {"max_output_bytes": 2097152}}, slow=True) as client:
            made = harness.until(lambda: {run["id"] for run in self.runs()} - before, "the run is recorded while nobody reads")
            self.assertEqual(len(made), 1)
            events = events_of(harness.read_all(client).split(b"\r\n\r\n", 1)[1])
        self.assertEqual((len(joined(events, "stdout")), events[-1][0], events[-1][1]["stdout"] == "x" * 2097152), (2097152, "result", True))

    def test_http_1_0(self):
        body = json.dumps({"language": "python", "code": "print(1)"}).encode()
        data = self.server.raw(b"POST /v1/runs HTTP/1.0\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(body) + body, timeout=LONG)
        self.assertEqual(events_of(data.split(b"\r\n\r\n", 1)[1])[-1][1]["stdout"], "1\n")

    def test_an_engine_that_fails_is_an_ordinary_refusal(self):
        with harness.Server(RUNNER_IMAGE_PYTHON="localhost/mayfly-no-such-image:none") as server:
            for headers in ({}, self.accept):
                reply = server.request("POST", "/v1/runs", {"language": "python", "code": "print(1)"}, headers)
                error = json.loads(reply.body)
                self.assertEqual((reply.status, error["data"]), (500, None))
                self.assertIn("mayfly-no-such-image", error["error"])
            self.assertEqual(json.loads(server.request("GET", "/v1/runs").body)["runs"], [])

    def test_tools_execute(self):
        body = {"tool": "code_execution", "sessionId": "s", "language": "python", "code": "import sys\nprint('\u4e2d' * 5000)\nprint('e', file=sys.stderr)\nopen('f', 'w').write('x')"}
        reply = self.server.request("POST", "/tools/execute", body, self.accept)
        events = events_of(reply.body)
        self.assertEqual((reply.status, events[0], events[-1][0]), (200, ("status", {"status": "running"}), "result"))
        result = events[-1][1]
        self.assertEqual((result["exitCode"], result["stdoutTrimmed"], self.server.fetch(result["artifacts"]["outputs"]["f"])), (0, True, b"x"))
        self.assertEqual((joined(events, "stdout"), joined(events, "stderr")), ("\u4e2d" * 5000 + "\n", "e\n"))
        refused = self.server.request("POST", "/tools/execute", {**body, "code": ""}, self.accept)
        self.assertEqual((refused.status, refused.headers["content-type"]), (400, "application/json; charset=utf-8"))

    def test_heartbeats(self):
        body = {"tool": "code_execution", "sessionId": "s", "language": "bash", "code": "sleep 40", "timeout": 45}
        with self.open("/tools/execute", body) as client:
            data = read_until(client, b"\n\n:\n\n")
        self.assertTrue(data.endswith(b"\n\n:\n\n"), data)
        self.assertEqual(self.server.leaks(), {})


class Languages(harness.ServerTest):
    """Images by variable, and a compile step, played by bash."""
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = os.path.join(cls.server.environment["MAYFLY_CONFIG_DIR"], "languages.d")
        os.makedirs(folder, exist_ok=True)
        for name, profile in [
                ("made", {
                    "template": "interpreter-python", "file": "main.made",
                    "compile": {"template": "interpreter-ruby", "argv": ["bash", "-c", "echo compiling; echo $FLAVOUR $HOME ${CALLER-none} >&2; grep -q bad main.made && exit 9; "
                                                                         "tr a-z A-Z < main.made > outputs/program; [ -s inputs/none ] || sleep 0.2"],
                                "env": ["FLAVOUR=sweet"], "output": "program"},
                    "argv": ["bash", "-c", "cat program; echo \" $@\"; ls", "program", "--"]}),
                ("broken", {"template": "interpreter-python", "file": "main", "argv": ["true"],
                            "compile": {"template": "interpreter-python", "argv": ["true"], "output": "../x"}})]:
            with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
                json.dump({"description": "A language whose compiler is tr", "runs": profile}, file)

    def run_code(self, language, code, headers=None, server=None, **more):
        return (server or self.server).request("POST", "/v1/runs", {"language": language, "code": code, **more}, headers, timeout=LONG)

    def test_a_compile_step(self):
        result = json.loads(self.run_code("made", "hello", args=["x"], env={"CALLER": "1"}).body)
        self.assertEqual((result["status"], result["stdout"], result["stderr"]), ("succeeded", "HELLO -- x\nmain.made\noutputs\nprogram\ntmp\n", ""))
        self.assertEqual((result["compile_output"], list(result["usage"])), ("compiling\nsweet /work none\n", ["wall_ms", "cpu_ms", "max_rss_mb", "compile_ms"]))
        self.assertGreaterEqual(result["usage"]["compile_ms"], 200)
        self.assertEqual(list(result), RECORD + ["compile_output"])
        self.assertEqual(json.loads(self.server.request("GET", "/v1/runs/" + result["id"]).body), result)

    def test_code_that_does_not_compile(self):
        result = json.loads(self.run_code("made", "bad").body)
        self.assertEqual((result["status"], result["exit_code"], result["stdout"], result["stderr"]), ("failed", 1, "", "compiling\nsweet /work none\n"))
        self.assertEqual((result["usage"]["wall_ms"], result["artifacts"]), (0, []))

    def test_a_compile_step_in_a_stream(self):
        events = events_of(self.run_code("made", "hello", {"Accept": "text/event-stream"}).body)
        self.assertEqual((joined(events, "stdout"), events[-1][1]["status"]), ("HELLO \nmain.made\noutputs\nprogram\ntmp\n", "succeeded"))
        events = events_of(self.run_code("made", "bad", {"Accept": "text/event-stream"}).body)
        self.assertEqual((events[-1][0], events[-1][1]["status"], joined(events, "stderr")), ("result", "failed", events[-1][1]["stderr"]))

    def test_a_broken_file_harms_no_other(self):
        reply = self.run_code("broken", "x")
        self.assertEqual(reply.status, 500)
        self.assertRegex(json.loads(reply.body)["error"], r'/languages\.d/broken\.json:1: "runs\.compile\.output" must be a file\'s name$')
        self.assertEqual(json.loads(self.run_code("python", "print(1)").body)["stdout"], "1\n")

    def test_the_operators_image(self):
        with harness.Server(RUNNER_IMAGE_RUBY="localhost/" + harness.IMAGE, RUNNER_IMAGE_PHP="localhost/mayfly-no-such-image:none",
                            RUNNER_IMAGE_GO="localhost/mayfly-no-such-image:none") as server:
            self.assertEqual(json.loads(self.run_code("ruby", "puts 1", server=server).body)["stdout"], "1\n")
            self.assertEqual(json.loads(self.run_code("python", "print(1)", server=server).body)["stdout"], "1\n")
            for language in ("php", "go"):
                reply = self.run_code(language, "x", server=server)
                self.assertEqual(reply.status, 500)
                self.assertIn("mayfly-no-such-image", json.loads(reply.body)["error"])
            self.assertEqual(server.leaks(), {})

    def test_nobody_names_an_image(self):
        reply = self.run_code("python", "import os; print(os.environ.get('RUNNER_IMAGE_PYTHON'))", image="evil", template="default", env={"RUNNER_IMAGE_PYTHON": "evil"})
        self.assertEqual((reply.status, json.loads(reply.body)["stdout"]), (200, "evil\n"))


class Pooled(RunsTest):
    environment = {"MAYFLY_POOL": "1"}

    @classmethod
    def tearDownClass(cls):
        """Pooled containers are meant to stay: Server.close() removes them."""

    def test_a_run_takes_the_pooled_container_of_one_before(self):
        def claims():
            return json.loads(self.server.request("GET", "/metrics").body)["metrics"]["pool"]["claims"]
        first = self.run_code("print(1)")
        harness.until(lambda: any(name.startswith("s-") for name in os.listdir(os.path.join(self.server.run, "jobs"))), "a pooled container waits")
        second = self.run_code("import sys, os; print(__name__, sys.argv, sorted(os.listdir('.')), sys.path[0]); open('outputs/x', 'w')")
        self.assertEqual((first["stdout"], second["stdout"]), ("1\n", "__main__ ['main.py'] ['main.py', 'outputs', 'tmp'] /work\n"))
        self.assertEqual([artifact["name"] for artifact in second["artifacts"]], ["x"])
        harness.until(claims, "the claim is counted")
        self.assertLess(second["usage"]["cpu_ms"], 5000)


if __name__ == "__main__":
    harness.main()
