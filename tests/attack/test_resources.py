"""Row A of tests/attack/README.md: resources. Each test is an attack of its own, beside a neighbour that must not notice."""
import http.client
import json
import os
import threading

import attack
import harness

STREAM_CAP = 10 * 1024 * 1024


class Output(attack.AttackTest):
    def flood(self, code, language="python", timeout=2, path="/tools/execute"):
        """Runs a flood; the reply and the most memory that any process of ours took meanwhile."""
        most, over = 0, threading.Event()

        def watch():
            nonlocal most
            while not over.is_set():
                for pid in self.server.processes():
                    try:
                        with open(f"/proc/{pid}/status", encoding="ascii") as status:
                            fields = dict(line.split(":", 1) for line in status)
                        if fields["Name"].strip() == "mayfly":
                            most = max(most, int(fields["VmHWM"].split()[0]))
                    except (OSError, KeyError):
                        continue
        watching = threading.Thread(target=watch)
        watching.start()
        try:
            result = self.attack(code, language, timeout)
        finally:
            over.set()
            watching.join()
        self.assertTrue(0 < most < 16 * 1024, f"{most} KiB")
        return result

    def assert_capped(self, result, *streams):
        for stream in streams:
            self.assertTrue(result[stream + "Trimmed"])
            size = len(self.server.output(result, stream))
            # beside the time-out's text, which comes after
            self.assertTrue(STREAM_CAP <= size <= STREAM_CAP + 256, size)
            own = result[stream].partition("\nExecution timed out after ")[0]  # the sentence comes on top
            self.assertLessEqual(len(own.encode()), 10 * 1024)

    def test_flood_on_stdout_is_capped_and_marked(self):
        result = self.flood("yes", "bash")
        self.assertEqual(result["exitCode"], -1)
        self.assert_capped(result, "stdout")

    def test_flood_on_stderr_is_capped_and_marked(self):
        result = self.flood("yes >&2", "bash")
        self.assertEqual(result["exitCode"], -1)
        self.assert_capped(result, "stderr")
        self.assertIn(b"Execution timed out", self.server.output(result, "stderr")[-100:])

    def test_flood_on_both_is_capped_and_marked(self):
        result = self.flood("yes >&2 & yes", "bash", timeout=3)
        self.assert_capped(result, "stdout", "stderr")

    def test_flood_byte_by_byte_arrives(self):
        result = self.flood("import os\nfor i in range(200000): os.write(1, b'x')\nos.write(2, b'done')", timeout=15)
        self.assertEqual((result["exitCode"], result["stderr"], result["stdoutTrimmed"]), (0, "done", True))
        self.assertEqual(len(self.server.output(result)), 200000)

    def test_a_program_that_passes_the_cap_is_not_killed_for_talking(self):
        result = self.flood("head -c 30000000 /dev/zero; echo finished >&2; exit 3", "bash", timeout=20)
        self.assertEqual((result["exitCode"], result["stderr"], result["stdoutTrimmed"]), (3, "finished\n", True))
        self.assert_capped(result, "stdout")

    def test_output_of_any_bytes_is_valid_json_and_whole_on_disk(self):
        rows = {
            "no newline": b"no newline", "nul": b"a\0b\0", "bom": b"\xef\xbb\xbfbom",
            "invalid": b"\xff\xfe\x80 \xc3( \xed\xa0\x80 \xf4\x90\x80\x80 \xc0\xaf",
            "escape": b"\x1b[31mred\x1b]0;title\x07\x1b[2J\r\n", "bidirectional": "\u202eevil\u2066".encode(),
            "controls": bytes(range(32)) + b"\x7f\x85\x9b",
            "html": b"</script><script>alert(1)</script><img src=x onerror=alert(1)>", "separators": "\u2028\u2029".encode(),
            "cut": "\u4e2d".encode()[:2]}
        code = "import os\n" + "".join(f"os.write({fd}, {bytes_!r})\n" for bytes_ in rows.values() for fd in (1, 2))
        whole = b"".join(rows.values())
        for path in ("/tools/execute", "/run"):
            with self.subTest(path=path):
                reply = self.server.request("POST", path, {"tool": "code_execution", "sessionId": "s", "language": "python", "code": code})
                result = json.loads(reply.body.decode("utf-8", errors="strict"))
                self.assertEqual((reply.status, result["exitCode"]), (200, 0))
                self.assertNotRegex(reply.body, rb"[\x00-\x1f]", "escaped (RFC 8259 section 7)")
                if path == "/tools/execute":
                    self.assertEqual(result["stdout"], whole.decode("utf-8", errors="replace"))
                    self.assertEqual(result["stderr"], result["stdout"])
                self.assertEqual((self.server.output(result), self.server.output(result, "stderr")), (whole, whole))
        self.assertNotRegex(self.server.logs(), "[\x00-\x09\x0b-\x1f\x7f\u202e\u2028]")
        self.assertNotIn("title", self.server.logs())
        self.check_recovered()

    def test_output_is_served_as_text_that_runs_nowhere(self):
        result = self.attack("echo '<script>alert(1)</script>'", "bash")
        url = result["artifacts"]["outputs"]["stdout"]
        reply = self.server.request("GET", url[len("http://" + self.server.host):])
        self.assertNotIn("html", reply.headers["content-type"])
        self.assertEqual(reply.headers["x-content-type-options"], "nosniff")

    def test_reader_that_is_slow_does_not_hold_memory(self):
        # a reply of 1 MiB that the client takes in crumbs
        body = json.dumps({"sessionId": "s", "code": "head -c 3000000 /dev/zero | tr '\\0' x"}).encode()
        with self.server.connect() as connection:
            connection.sendall(b"POST /run HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            reply = http.client.HTTPResponse(connection)
            reply.begin()
            self.assertEqual(len(json.loads(reply.read())["output"]), 1024 * 1024)
        self.check_recovered()


class Disk(attack.AttackTest):
    def test_a_full_workspace_is_collected_up_to_the_caps(self):
        result = self.attack("""
number = 0
try:
    while True:
        with open(f'{number:04}', 'wb', buffering=0) as file:
            file.write(b'x' * (1 << 20))
        number += 1
except OSError as error:
    print(number, error.errno)
""")
        self.assertEqual((result["exitCode"], result["stdout"].split()[1]), (0, "28"))
        folder = os.path.join(self.server.storage, "test", "job-" + result["id"])
        sizes = {name: os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)}
        self.assertEqual(set(sizes), set(result["artifacts"]["outputs"]) | {"script.js"})
        self.assertTrue(90 << 20 <= sum(size for name, size in sizes.items() if name.isdigit()) <= 100 << 20)

    def test_100_000_nested_folders_stop_at_the_depth(self):
        result = self.attack("""
import os
open('top', 'w').close()
for number in range(100000):
    os.mkdir('d')
    os.chdir('d')
    if number < 100: open('f', 'w').close()
print('made')
""", timeout=15)
        self.assertIn(result["exitCode"], (0, -1, 137))
        outputs = set(result["artifacts"]["outputs"])
        self.assertIn("top", outputs)
        self.assertIn("d/d/f", outputs)
        self.assertLessEqual(max(name.count("/") for name in outputs), 16)

class Exhaustion(attack.AttackTest):
    def test_pipes_and_sockets_of_many_processes_persist_nowhere(self):
        with open("/proc/sys/fs/file-nr", encoding="ascii") as file:
            before = int(file.read().split()[0])
        result = self.attack("""
import os, socket, time
for i in range(40):
    if os.fork() == 0:
        kept = []
        try:
            while True: kept.append(socket.socketpair()); kept.append(os.pipe())
        except OSError:
            time.sleep(60)
time.sleep(1)
print('full')
""")
        self.assertEqual((result["exitCode"], result["stdout"]), (0, "full\n"))

        def is_freed():
            with open("/proc/sys/fs/file-nr", encoding="ascii") as file:
                return int(file.read().split()[0]) < before + 10000
        harness.until(is_freed, "descriptors freed")

    def test_terminals_are_given_back(self):
        def terminals():
            with open("/proc/sys/kernel/pty/nr", encoding="ascii") as file:
                return int(file.read())
        before = terminals()
        reply = self.server.request("POST", "/execute", {"tenant_id": "t", "scope": "s", "template": "default", "code": """
import os
terminals = [os.open('/dev/ptmx', os.O_RDWR | os.O_NOCTTY) for _ in range(100)]
print(len(terminals))
"""})
        self.assertEqual((reply.status, json.loads(reply.body)["stdout"]), (200, "100\n"))
        harness.until(lambda: terminals() <= before + 50, "terminals given back")
        self.check_recovered()


if __name__ == "__main__":
    harness.main()
