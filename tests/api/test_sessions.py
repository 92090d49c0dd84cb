"""Sessions of the sandbox API: made, used, listed, destroyed; their files; expiry, dead containers, restarts, tenants, one cell at a time; each rule and message of src/api/sandbox/README.md."""
import base64
import concurrent.futures
import contextlib
import json
import os
import shutil
import subprocess
import time
import urllib.parse

import harness

COUNTERS = ("sessions_created", "sessions_reused", "sessions_destroyed", "sessions_expired")


class SessionTest(harness.ServerTest):
    def setUp(self):
        self.addCleanup(self.destroy_all)

    def destroy_all(self):
        for row in self.sessions():
            self.post("/session/destroy", {"session_id": row["id"]})
        self.server.reap()  # what has expired

    def post(self, path, body, headers=None):
        reply = self.server.request("POST", path, body, headers)
        return reply.status, json.loads(reply.body)

    def get(self, path):
        reply = self.server.request("GET", path)
        return reply.status, json.loads(reply.body)

    def create(self, **more):
        status, body = self.post("/session/create", {"tenant_id": "acme", "scope": "flow", **more})
        self.assertEqual((200, "success"), (status, body["status"]), (body, self.server.logs()[-2000:]))
        return body["session_id"]

    def run_cell(self, session, code, **more):
        status, body = self.post("/session/execute", {"session_id": session, "code": code, **more})
        self.assertEqual(200, status, body)
        return body

    def output(self, session, code, **more):
        body = self.run_cell(session, code, **more)
        self.assertEqual(0, body["exit_code"], body)
        return body["stdout"]

    def used_for_longer_than_its_ttl(self, use, ttl_s=2):
        """A session that is used again and again, and so lives. Where the machine stood still for as long as its TTL, it had to end: another is tried."""
        while True:
            session = self.create(ttl=ttl_s)
            created = used = time.monotonic()
            while used - created < 1.5 * ttl_s:
                lives, before, used = use(session), used, time.monotonic()
                if not lives:
                    self.assertGreater(used - before, ttl_s, "it ended while it was used")
                    break
            else:
                return session

    def sessions(self, query=""):
        status, body = self.get("/sessions" + query)
        self.assertEqual((200, "success"), (status, body["status"]))
        return body["sessions"]

    def gone(self, session, body):
        self.assertEqual(("error", f"Session {session} not found or expired", -1), (body["status"], body["error"], body["exit_code"]))

    def containers(self):
        return self.server.podman.containers(self.server.instance)

    def container_of(self, session):
        with open(os.path.join(self.server.run, "sessions", session), encoding="utf-8") as record:
            digits = json.load(record)["folder"][-24:]
        (found,) = [c for c in self.containers() if c["Labels"]["mayfly.folder"].endswith(digits)]
        return found

    def counters(self):
        """Each thing is counted once its client has the answer."""
        harness.until(lambda: not self.server.processes(), "all processes ended")
        found = json.loads(self.server.request("GET", "/metrics").body)["metrics"]
        return {name: found[name] for name in COUNTERS}

    def assertCounted(self, before, **expected):
        after = self.counters()
        self.assertEqual({**dict.fromkeys(COUNTERS, 0), **expected}, {name: after[name] - before[name] for name in COUNTERS})


class Life(SessionTest):
    def test_create(self):
        status, body = self.post("/session/create", {"tenant_id": "acme", "scope": "flow", "template": "no such", "ttl": 77})
        self.assertEqual((200, "success", "default", 77), (status, body["status"], body["template"], body["ttl"]))
        self.assertRegex(body["session_id"], r"^[0-9a-f]{12}$")
        for left_out in ({}, {"ttl": None}, {"ttl": 0}, {"ttl": ""}):
            self.assertEqual(300, self.post("/session/create", {"tenant_id": "acme", "scope": "flow", **left_out})[1]["ttl"])

    def test_create_refuses(self):
        for body, message in (({}, "Missing required fields: tenant_id, scope"), ({"tenant_id": "t"}, "Missing required fields: tenant_id, scope"),
                              *[({"tenant_id": "t", "scope": "s", "ttl": ttl}, "ttl must be a number of seconds from 1 to 86400")
                                for ttl in (-1, "60", 86401, 1e300, True, [1])]):
            with self.subTest(body=body):
                self.assertEqual((400, {"status": "error", "error": message}), self.post("/session/create", body))
        self.assertEqual([], self.sessions())

    def test_python_keeps_its_state(self):
        session = self.create()
        self.assertEqual("", self.output(session, "import math\nx = 20\ndef f(n): return n * x\nfile = open('log', 'w')"))
        self.assertEqual("44\n", self.output(session, "x += 2; print(x + 22)"))
        self.assertEqual("22.0\n", self.output(session, "f(math.sqrt(1))"))
        self.assertEqual("5\n", self.output(session, "file.write('hello')"))
        self.assertEqual("hello", self.output(session, "file.flush(); print(open('log').read(), end='')"))

    def test_bash_and_node_keep_theirs(self):
        session = self.create()
        self.output(session, "cd /tmp; x=5; f() { echo \"f $1\"; }", language="bash")
        self.assertEqual("/tmp 5\nf y\n", self.output(session, "echo $PWD $x; f y", language="sh"))
        self.output(session, "let x = 20; const add = n => n + x; function g() { return 1 }", language="js")
        self.assertEqual("22\n", self.output(session, "add(2)", language="node"))
        self.assertEqual("1\n", self.output(session, "g()", language="javascript"))
        self.assertEqual("still\n", self.output(session, "print('still')"))

    def test_reply(self):
        session = self.create()
        body = self.run_cell(session, "1/0")
        self.assertEqual(("error", 1, "", session, "acme", "flow", "python", "kept"),
                         tuple(body[key] for key in ("status", "exit_code", "stdout", "session_id", "tenant_id", "scope", "language", "kernel")))
        self.assertNotIn("result", body)
        self.assertRegex(body["request_id"], r"^[0-9a-f-]{36}$")
        (entry,) = body["artifacts"]
        self.assertEqual(("error", "ZeroDivisionError: division by zero"), (entry["type"], entry["metadata"]["message"]))

    def test_a_program_that_exits(self):
        session = self.create()
        self.output(session, "x = 1")
        self.assertEqual(7, self.run_cell(session, "import sys; sys.exit(7)")["exit_code"])
        self.assertEqual("1\n", self.output(session, "x"))

    def test_unsupported_language(self):
        session = self.create()
        body = self.run_cell(session, "1", language="ruby")
        self.assertEqual(("error", "Unsupported language: ruby", -1), (body["status"], body["error"], body["exit_code"]))
        self.assertEqual("1\n", self.output(session, "1"))

    def test_files_of_a_cell(self):
        session = self.create()
        self.assertEqual("one", self.output(session, "print(open('d/a').read(), end='')", files={"d/a": "one"}))
        self.assertEqual("two", self.output(session, "print(open('d/a').read(), end='')", files={"d/a": "two"}))
        self.assertEqual("two", self.output(session, "print(open('d/a').read(), end='')"))
        self.assertEqual((400, {"status": "error", "error": "Path traversal detected: ../a"}),
                         self.post("/session/execute", {"session_id": session, "code": "1", "files": {"../a": ""}}))

    def test_only_new_images_come_with_a_cell(self):
        session = self.create()
        make = "import os; os.makedirs('/tmp/output', exist_ok=True); open('/tmp/output/%s.png', 'wb').write(b'x')"
        self.assertEqual(["a.png"], [entry["name"] for entry in self.run_cell(session, make % "a")["artifacts"]])
        self.assertEqual(["b.png"], [entry["name"] for entry in self.run_cell(session, make % "b")["artifacts"]])
        self.assertEqual([], self.run_cell(session, "1")["artifacts"])

    def test_time_out_interrupts_and_keeps_everything(self):
        session = self.create()
        self.output(session, "x = 5; open('f', 'w').write('kept')")
        body = self.run_cell(session, "while True: pass", timeout=1)
        self.assertEqual((-1, "Execution exceeded timeout (1s)", "kept"), (body["exit_code"], body["error"], body["kernel"]))
        self.assertIn("KeyboardInterrupt", body["stderr"])
        self.assertEqual("5 kept\n", self.output(session, "print(x, open('f').read())"))

    def test_time_out_of_one_that_does_not_listen(self):
        session = self.create()
        self.output(session, "open('f', 'w').write('kept')")
        body = self.run_cell(session, "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(60)", timeout=1)
        self.assertEqual((-1, "lost"), (body["exit_code"], body["kernel"]))
        self.assertEqual("kept", self.output(session, "print(open('f').read(), end='')"))

    def test_streaming(self):
        session = self.create()
        reply = self.server.request("POST", "/session/execute", {"session_id": session, "code": "print('x'); 6*7"}, {"Accept": "text/event-stream"})
        events = [dict(line.split(": ", 1) for line in block.splitlines()) for block in reply.body.decode().strip().split("\n\n")]
        self.assertEqual("status", events[0]["event"])
        self.assertEqual("x\n42\n", "".join(json.loads(event["data"])["text"] for event in events if event["event"] == "stdout"))
        self.assertEqual(("result", "x\n42\n"), (events[-1]["event"], json.loads(events[-1]["data"])["stdout"]))

    def test_destroy(self):
        before, session = self.counters(), self.create()
        self.assertEqual((200, {"status": "success", "message": f"Session {session} destroyed"}), self.post("/session/destroy", {"session_id": session}))
        self.assertEqual((404, {"status": "error", "error": f"Session {session} not found"}), self.post("/session/destroy", {"session_id": session}))
        self.gone(session, self.run_cell(session, "1"))
        self.assertEqual([], self.containers())
        self.assertCounted(before, sessions_created=1, sessions_destroyed=1)

    def test_destroy_refuses(self):
        for body in ({}, {"session_id": ""}, {"session_id": None}):
            self.assertEqual((400, {"status": "error", "error": "Missing required fields: session_id"}), self.post("/session/destroy", body))

    def test_hostile_ids(self):
        for session in ("0123456789ab", "../../etc", "lock", "0123456789aB", "x" * 200, "\u202e", "0123456789ab\0"):
            with self.subTest(session=session):
                if "\0" not in session:
                    self.gone(session, self.run_cell(session, "1"))
                    self.assertEqual((404, f"Session {session} not found"), (lambda found: (found[0], found[1]["error"]))(self.post("/session/destroy", {"session_id": session})))
                else:
                    self.assertEqual(400, self.post("/session/execute", {"session_id": session, "code": "1"})[0])

    def test_execute_refuses(self):
        for body, message in (({}, "Missing required fields: session_id, code"), ({"session_id": "x"}, "Missing required fields: session_id, code"),
                              ({"session_id": [7], "code": "1"}, "session_id must be a string")):
            self.assertEqual((400, {"status": "error", "error": message}), self.post("/session/execute", body))

    def test_list(self):
        before = self.counters()
        session = self.create(ttl=120)
        self.output(session, "1")
        self.output(session, "2")
        (row,) = self.sessions()
        self.assertEqual((session, "default", 120, False, 2, {"tenant_id": "acme", "scope": "flow"}),
                         tuple(row[key] for key in ("id", "template", "ttl", "is_expired", "use_count", "metadata")))
        self.assertGreaterEqual(row["age"], row["idle_time"])
        self.assertCounted(before, sessions_created=1, sessions_reused=2)

    def test_nothing_of_ours_stays_beside_the_container(self):
        session = self.create()
        self.output(session, "x = 1")
        harness.until(lambda: not self.server.processes(), "no process of ours")
        self.assertEqual("session", self.container_of(session)["Labels"]["mayfly.kind"])
        inspected = self.server.podman.inspect(self.container_of(session)["Id"])
        self.assertEqual(("none", True), (inspected["HostConfig"]["NetworkMode"], inspected["HostConfig"]["ReadonlyRootfs"]))


class Maximum(SessionTest):
    environment = {"MAYFLY_SESSIONS": "3", "MAYFLY_TENANT_SESSIONS": "2"}

    def create_any(self, **more):
        return self.post("/session/create", {"tenant_id": "a", "scope": "s", **more})

    def test_limits(self):
        self.assertEqual([200, 200], [self.create_any()[0] for _ in range(2)])
        self.assertEqual((400, "Maximum session limit of the tenant reached (2). Destroy existing sessions or increase limit."),
                         (lambda found: (found[0], found[1]["error"]))(self.create_any()))
        self.assertEqual(200, self.create_any(tenant_id="b")[0])
        self.assertEqual((400, {"status": "error", "error": "Maximum session limit reached (3). Destroy existing sessions or increase limit."}),
                         self.create_any(tenant_id="c"))
        self.post("/session/destroy", {"session_id": self.sessions()[0]["id"]})
        self.assertEqual(200, self.create_any(tenant_id="c")[0])

    def test_exact_under_concurrency(self):
        with concurrent.futures.ThreadPoolExecutor(9) as pool:
            statuses = list(pool.map(lambda i: self.create_any(tenant_id=f"t{i}")[0], range(9)))
        self.assertEqual({200: 3, 400: 6}, {status: statuses.count(status) for status in set(statuses)})
        self.assertEqual((3, 3), (len(self.sessions()), len(self.containers())))

    def test_expired_ones_give_way(self):
        before = self.counters()
        old = [self.create_any(tenant_id=f"t{i}", ttl=1)[1]["session_id"] for i in range(3)]
        harness.until(lambda: all(row["is_expired"] for row in self.sessions()), "all expired")
        status, body = self.create_any()
        self.assertEqual(200, status, body)
        self.assertEqual([body["session_id"]], [row["id"] for row in self.sessions()])
        self.assertEqual(1, len(self.containers()))
        self.gone(old[0], self.run_cell(old[0], "1"))
        self.assertCounted(before, sessions_created=4, sessions_expired=3)


class Rest(SessionTest):
    """What runs in a session between requests: a smaller share of a busy CPU, and so much of it for an owner's sessions together."""
    environment = {"MAYFLY_SESSIONS": "256"}  # 600 s by that is 2.3 s for each

    @staticmethod
    def runs(mark):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as line:
                    if mark.encode() in line.read():
                        return True
            except OSError:
                continue
        return False

    def test_it_is_ended_with_a_sentence(self):
        sentence = "What ran in the session between requests used up its CPU time: the session has ended"
        for kind in ("cell", "files"):
            session, mark = self.create(), "rest" + os.urandom(8).hex()
            folder, = os.listdir(os.path.join(self.server.run, "jobs"))
            container, = [c["Id"] for c in self.server.podman.containers(self.server.instance) if c["Labels"]["mayfly.folder"] == folder]
            self.assertEqual(512, self.server.podman.inspect(container)["HostConfig"]["CpuShares"])
            self.assertEqual("yes\n", self.output(session, f"import subprocess; p = subprocess.Popen(['sh', '-c', 'while :; do : {mark}; done']); print('yes')"))
            self.assertEqual("None\n", self.output(session, "print(p.poll())"), "it runs on from one cell to the next")
            harness.until(lambda: not self.runs(mark), "its time is used up")
            if kind == "cell":
                body = self.run_cell(session, "print(1)")
                self.assertEqual(("error", sentence + "\n"), (body["status"], body["stderr"]), body)
            else:
                status, body = self.get(f"/sessions/{session}/files")
                self.assertEqual((404, sentence), (status, body["error"]))
            self.assertIn("not found or expired", self.run_cell(session, "print(1)")["error"])
            harness.until(lambda: not os.listdir(os.path.join(self.server.run, "jobs")), "its container is gone")


class Ends(SessionTest):
    def test_ttl_is_idle_time(self):
        session = self.used_for_longer_than_its_ttl(lambda session: self.run_cell(session, "1")["status"] == "success")
        harness.until(lambda: [row for row in self.sessions() if row["is_expired"]], "expiry")
        self.gone(session, self.run_cell(session, "1"))

    def test_init_ends_itself(self):
        session = self.create(ttl=1)
        container = self.container_of(session)["Id"]
        harness.until(lambda: not self.server.podman.inspect(container)["State"]["Running"], "the container's end")
        self.gone(session, self.run_cell(session, "1"))

    def test_the_reaper_sweeps(self):
        before, session = self.counters(), self.create(ttl=1)
        harness.until(lambda: [row for row in self.sessions() if row["is_expired"]], "expiry")
        self.assertEqual(0, self.server.reap().returncode)
        self.assertEqual(([], []), (self.sessions(), self.containers()))
        self.server.reap()
        self.assertCounted(before, sessions_created=1, sessions_expired=1)
        self.gone(session, self.run_cell(session, "1"))

    def test_a_long_cell_does_not_expire(self):
        session = self.create(ttl=1)
        self.assertEqual("done\n", self.output(session, "import time; time.sleep(3); print('done')", timeout=30))
        self.assertEqual("1\n", self.output(session, "1"))

    def test_a_dead_container(self):
        before, session = self.counters(), self.create()
        self.server.podman.remove(self.container_of(session)["Id"])
        self.gone(session, self.run_cell(session, "1"))
        self.assertEqual([], self.sessions())
        self.assertCounted(before, sessions_created=1, sessions_expired=1)

    def test_a_dead_container_is_reaped(self):
        session = self.create()
        container = self.container_of(session)["Id"]
        self.server.podman.call("POST", f"/v1.41/containers/{container}/kill")
        harness.until(lambda: not self.server.podman.inspect(container)["State"]["Running"], "the container's end")
        self.server.reap()
        self.server.reap()  # container and folder went with the first, the record goes with the second
        self.assertEqual([], self.sessions())

    def test_a_container_that_dies_under_its_cell(self):
        session = self.create()
        container = self.container_of(session)["Id"]
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            running = pool.submit(self.run_cell, session, "import time; open('began', 'w'); time.sleep(60)", timeout=60)
            harness.until(lambda: self.sessions()[0]["use_count"] == 1, "the cell")
            self.server.podman.remove(container)
            self.assertEqual("error", running.result()["status"])
        self.gone(session, self.run_cell(session, "1"))

    def test_destroyed_under_its_cell(self):
        before, session = self.counters(), self.create()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            running = pool.submit(self.run_cell, session, "import time; time.sleep(60)", timeout=60)
            harness.until(lambda: self.sessions()[0]["use_count"] == 1, "the cell")
            self.assertEqual(200, self.post("/session/destroy", {"session_id": session})[0])
            self.assertEqual("error", running.result()["status"])
        self.assertEqual([], self.sessions())
        self.assertEqual((1, 0), (lambda after: (after["sessions_destroyed"] - before["sessions_destroyed"],
                                                 after["sessions_expired"] - before["sessions_expired"]))(self.counters()))

    def test_memory(self):
        session = self.create()
        body = self.run_cell(session, "x = bytearray(2 * 1024**3)\nfor i in range(0, len(x), 4096): x[i] = 1", timeout=60)
        self.assertNotEqual(0, body["exit_code"])
        self.assertIn(self.run_cell(session, "print('on')")["stdout"], ("on\n",) if body.get("kernel") else ("", "on\n"))

    def test_a_restart_of_everything_but_its_container(self):
        session = self.create()
        self.output(session, "x = 41")
        again = harness.Server(**{**self.server.environment, "MAYFLY_INSTANCE": self.server.instance})
        try:
            reply = again.request("POST", "/session/execute", {"session_id": session, "code": "x + 1"})
            self.assertEqual("42\n", json.loads(reply.body)["stdout"])
        finally:
            again.podman = None  # its containers are the first one's
            again.process.terminate()
            again.process.wait(harness.DEADLINE_S)
            again.log.close()
        self.assertEqual("41\n", self.output(session, "x"))

    def test_a_killed_mayfly_gives_its_session_back(self):
        session = self.create()
        body = json.dumps({"session_id": session, "code": "import time; time.sleep(60)", "timeout": 60}).encode()
        with self.server.connect() as connection:
            connection.sendall(b"POST /session/execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            harness.until(lambda: self.sessions()[0]["use_count"] == 1, "the cell")
            for pid in self.server.processes():
                with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/comm", encoding="ascii") as comm:
                    if comm.read().strip() == "mayfly":
                        os.kill(pid, 9)
        incoming = os.path.join(self.server.storage, ".incoming")
        for name in os.listdir(incoming):  # what it would have collected; the reaper leaves it an hour
            shutil.rmtree(os.path.join(incoming, name))
        self.assertEqual("1\n", self.output(session, "1"))

    def test_a_client_that_goes(self):
        session = self.create()
        self.output(session, "x = 1")
        body = json.dumps({"session_id": session, "code": "import time; print('begun', flush=True); time.sleep(60)", "timeout": 60}).encode()
        with self.server.connect() as connection:
            connection.sendall(b"POST /session/execute HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            seen = b""
            while b"begun" not in seen:
                piece = connection.recv(65536)
                self.assertTrue(piece, seen)
                seen += piece
        self.assertEqual("1\n", self.output(session, "x"))


class OneAtATime(SessionTest):
    def test_others_wait(self):
        session = self.create()
        self.output(session, "x = 0")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            outputs = list(pool.map(lambda _: self.output(session, "y = x; import time; time.sleep(0.02); x = y + 1; x"), range(8)))
        self.assertEqual([f"{n}\n" for n in range(1, 9)], sorted(outputs))

    def test_sessions_do_not_wait_for_each_other(self):
        first, second = self.create(), self.create()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            code = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\nprint('went')"
            running = pool.submit(self.output, first, code, timeout=60)
            harness.until(lambda: [row for row in self.sessions() if row["use_count"]], "the cell")
            self.assertEqual("2\n", self.output(second, "1 + 1"))
            self.assertFalse(running.done())
            self.post("/session/destroy", {"session_id": first})
            with self.assertRaises(AssertionError):
                running.result()


class Tenants(SessionTest):
    environment = {"API_KEYS": "token-a:a:1000:1000,token-b:b:1000:1000"}

    def as_key(self, key, path, body):
        return self.post(path, body, {"Authorization": f"Bearer token-{key}"})

    def destroy_all(self):
        for key in ("a", "b"):
            rows = json.loads(self.server.request("GET", "/sessions", headers={"Authorization": f"Bearer token-{key}"}).body)["sessions"]
            for row in rows:
                self.as_key(key, "/session/destroy", {"session_id": row["id"]})
        super().destroy_all()

    def test_a_named_tenant_must_match(self):
        session = self.create()
        for path in ("/session/execute", "/session/destroy"):
            status, body = self.post(path, {"session_id": session, "code": "1", "tenant_id": "other"})
            self.assertEqual("error", body["status"])
            self.assertEqual(200 if path == "/session/execute" else 404, status)
        self.assertEqual(404, self.get(f"/sessions/{session}/files?tenant_id=other")[0])
        self.assertEqual("1\n", self.output(session, "1", tenant_id="acme"))
        self.assertEqual(200, self.get(f"/sessions/{session}/files?tenant_id=acme")[0])

    def test_the_list_by_tenant(self):
        session = self.create()
        self.create(tenant_id="other one")
        self.assertEqual([session], [row["id"] for row in self.sessions("?tenant_id=acme")])
        self.assertEqual(["other one"], [row["metadata"]["tenant_id"] for row in self.sessions("?tenant_id=other%20one")])
        self.assertEqual([], self.sessions("?tenant_id=acm"))
        self.assertEqual(2, len(self.sessions()))

    def test_another_key_s_session_is_not_there(self):
        session = self.as_key("a", "/session/create", {"tenant_id": "acme", "scope": "s"})[1]["session_id"]
        self.gone(session, self.as_key("b", "/session/execute", {"session_id": session, "code": "1"})[1])
        self.gone(session, self.run_cell(session, "1"))
        self.assertEqual(404, self.as_key("b", "/session/destroy", {"session_id": session, "tenant_id": "acme"})[0])
        self.assertEqual([], self.sessions())
        self.assertEqual("1\n", self.as_key("a", "/session/execute", {"session_id": session, "code": "1"})[1]["stdout"])

    def test_sessions_share_nothing(self):
        first, second = self.create(tenant_id="a"), self.create(tenant_id="b")
        self.output(first, "x = 1; open('/workspace/secret', 'w').write('s'); open('/tmp/secret', 'w').write('s')")
        self.assertEqual("False [] False\n", self.output(second, "import os; print('x' in globals(), os.listdir('/workspace'), os.path.exists('/tmp/secret'))"))


class Keys(SessionTest):
    def test_a_key_has_no_more_by_naming_tenants(self):
        done = subprocess.run([os.path.join(harness.BUILD, "mayflyctl"), "keys", "add", "few", "--sessions", "1"], env=self.server.environment,
                              stdout=subprocess.PIPE, check=True, text=True)
        key = {"Authorization": "Bearer " + done.stdout.strip()}
        status, body = self.post("/session/create", {"tenant_id": "one", "scope": "s"}, key)
        self.assertEqual(200, status, body)
        for tenant in ("one", "two"):
            status, more = self.post("/session/create", {"tenant_id": tenant, "scope": "s"}, key)
            self.assertEqual((400, "Maximum session limit of the key reached (1). Destroy existing sessions or increase limit."), (status, more["error"]))
        self.assertEqual(200, self.post("/session/destroy", {"session_id": body["session_id"]}, key)[0])
        self.assertEqual(200, self.post("/session/create", {"tenant_id": "two", "scope": "s"}, key)[0])
        for row in json.loads(self.server.request("GET", "/sessions", headers=key).body)["sessions"]:
            self.post("/session/destroy", {"session_id": row["id"]}, key)


class SessionFiles(SessionTest):
    def path(self, session, name=""):
        return f"/sessions/{session}/files" + (f"/{name}" if name else "")

    def test_up_and_down(self):
        session, data = self.create(), bytes(range(256)) * 4096
        reply = self.server.request("PUT", self.path(session, "d/e/x.bin"), data, {"Content-Type": "application/octet-stream"})
        self.assertEqual({"status": "success", "files": [{"path": "d/e/x.bin", "size": len(data)}]}, json.loads(reply.body))
        self.assertEqual(f"{len(data)}\n", self.output(session, "len(open('d/e/x.bin','rb').read())"))
        reply = self.server.request("GET", self.path(session, "d/e/x.bin"))
        self.assertEqual((200, data, "application/octet-stream", "nosniff"),
                         (reply.status, reply.body, reply.headers["content-type"], reply.headers["x-content-type-options"]))

    def test_several_at_once(self):
        session = self.create()
        status, body = self.post(self.path(session), {"files": {"a": "x", "b/c": {"content": base64.b64encode(b"\0\xff").decode(), "encoding": "base64"}}})
        self.assertEqual((200, {"a": 1, "b/c": 2}), (status, {row["path"]: row["size"] for row in body["files"]}))
        self.assertEqual("b'x' b'\\x00\\xff'\n", self.output(session, "print(open('a','rb').read(), open('b/c','rb').read())"))

    def test_replaced(self):
        session = self.create()
        for data in (b"longer than the other", b"short"):
            self.server.request("PUT", self.path(session, "f"), data)
        self.assertEqual(b"short", self.server.request("GET", self.path(session, "f")).body)

    def test_list(self):
        session = self.create()
        self.output(session, "import os; os.makedirs('d'); open('d/x', 'w').write('12'); os.symlink('/etc/passwd', 'link'); os.mkfifo('fifo'); open('made.sh', 'w')")
        status, body = self.get(self.path(session))
        self.assertEqual((200, {"d/x": 2, "made.sh": 0}), (status, {row["path"]: row["size"] for row in body["files"]}))
        self.assertLess(abs(body["files"][0]["modified"] - time.time()), 600)
        self.assertEqual(200, self.server.request("GET", self.path(session, "made.sh")).status)

    def test_names_as_people_write_them(self):
        session = self.create()
        for name in ("résumé 1.pdf", "re\u0301sume\u0301.pdf", "sales 2024.csv", "数.csv", "report (1).pdf", ".env", "run.sh", "100%.txt", "a+b&c=d?#.txt", "it's \"quoted\".txt", "back\\slash", "d e/ü.txt", "😀.txt"):
            with self.subTest(name=name):
                path = self.path(session, urllib.parse.quote(name))
                self.assertEqual(200, self.server.request("PUT", path, b"mine").status)
                self.assertEqual("True\n", self.output(session, f"__import__('os').path.isfile({name!r})"))
                listed = self.get(self.path(session))[1]["files"]
                self.assertEqual([name], [row["path"] for row in listed])
                reply = self.server.request("GET", path)
                self.assertEqual((200, b"mine"), (reply.status, reply.body))
                last = name.rsplit("/", 1)[-1]
                if last.isascii() and not set(last) & set('"\\%'):
                    self.assertEqual(f'attachment; filename="{last}"', reply.headers["content-disposition"])
                else:
                    self.assertEqual(last, urllib.parse.unquote(reply.headers["content-disposition"].split("filename*=UTF-8''")[1]))
                self.assertEqual({"status": "success", "message": f"File {name} removed"}, json.loads(self.server.request("DELETE", path).body))
                self.assertEqual([], self.get(self.path(session))[1]["files"])
        self.assertEqual(200, self.post(self.path(session), {"files": {"sales 2024.csv": "1", "x.sh": "2"}})[0])

    def test_sizes(self):
        session = self.create()
        reply = self.server.request("PUT", self.path(session, "big"), bytes(40 << 20))
        self.assertEqual((200, 40 << 20), (reply.status, json.loads(reply.body)["files"][0]["size"]))
        self.assertEqual(40 << 20, len(self.server.request("GET", self.path(session, "big")).body))
        reply = self.server.request("PUT", self.path(session, "more"), bytes(40 << 20))
        self.assertEqual(400, reply.status)
        self.assertIn("No space left", json.loads(reply.body)["error"])
        head = f"PUT {self.path(session, 'large')} HTTP/1.1\r\nHost: {self.server.host}\r\nContent-Length: {(100 << 20) + 1}\r\n\r\n"
        self.assertIn(b" 413 ", self.server.raw(head.encode(), half_close=True).split(b"\r\n")[0])

    def test_a_cell_tells_what_it_changed(self):
        session = self.create()
        self.post(self.path(session), {"files": {"a b.csv": "1\n", "other": "2"}})
        body = self.run_cell(session, "open('a b.csv', 'a').write('2\\n'); open('/tmp/output/x', 'w').write('y')")
        self.assertEqual([("a b.csv", "1\n2\n"), ("x", "eQ==")], [(entry["name"], entry["content"]) for entry in body["artifacts"]])
        self.assertEqual([], self.run_cell(session, "1", files={"c.csv": "3"})["artifacts"])

    def test_refusals(self):
        session = self.create()
        self.output(session, "import os; os.symlink('/etc/passwd', 'link'); os.mkfifo('fifo'); os.mkdir('d')")
        for name, status, message in (("nothing", 404, "File not found: nothing"), ("link", 404, "File not found: link"), ("fifo", 404, "File not found: fifo"),
                                      ("d", 404, "File not found: d"), ("..%2f..%2fetc%2fpasswd", 400, "Path traversal detected: ../../etc/passwd"),
                                      ("a%00b", 400, "Path contains null bytes"), ("%2fetc%2fpasswd", 400, "Absolute paths not allowed: /etc/passwd"),
                                      ("a%20b", 404, "File not found: a b"), ("a%0ab", 400, "Invalid characters in path component: a\nb")):
            with self.subTest(name=name):
                self.assertEqual((status, {"status": "error", "error": message}), self.get(self.path(session, name)))
        for method in ("PUT", "DELETE"):
            for name, status, message in (("..%2fx", 400, "Path traversal detected: ../x"), ("%2fx", 400, "Absolute paths not allowed: /x"), ("a%07b", 400, "Invalid characters in path component: a\7b")):
                with self.subTest(method=method, name=name):
                    reply = self.server.request(method, self.path(session, name), b"x" if method == "PUT" else None)
                    self.assertEqual((status, {"status": "error", "error": message}), (reply.status, json.loads(reply.body)))
        for name in ("nothing", "d", "link/x"):
            reply = self.server.request("DELETE", self.path(session, name))
            self.assertEqual((404, {"status": "error", "error": f"File not found: {name}"}), (reply.status, json.loads(reply.body)))
        self.assertEqual(405, self.server.request("DELETE", self.path(session)).status)
        self.assertEqual((400, {"status": "error", "error": "Missing required fields: files"}), self.post(self.path(session), {}))
        self.assertEqual(405, self.server.request("PUT", self.path(session), b"x").status)

    def test_a_link_is_not_followed_to_write(self):
        session = self.create()
        self.output(session, "import os; os.symlink('/tmp', 'out'); os.symlink('/tmp/target', 'link')")
        for name in ("out/x", "link"):
            self.server.request("PUT", self.path(session, name), b"x")
        self.assertEqual("[]\n", self.output(session, "[n for n in os.listdir('/tmp') if n in ('x', 'target')]"))

    def test_of_no_session(self):
        for session in ("0123456789ab", "zz", ".."):
            self.assertEqual((404, {"status": "error", "error": f"Session {session} not found or expired"}), self.get(self.path(session)))
        self.assertEqual(404, self.get("/sessions/0123456789ab")[0])
        self.assertEqual(404, self.get("/sessions/0123456789ab/other")[0])

    def test_of_a_dead_one(self):
        session = self.create()
        self.server.podman.remove(self.container_of(session)["Id"])
        self.assertEqual((404, {"status": "error", "error": f"Session {session} not found or expired"}), self.get(self.path(session)))
        self.assertEqual([], self.sessions())

    def test_use_keeps_it_alive(self):
        session = self.used_for_longer_than_its_ttl(lambda session: self.get(self.path(session))[0] == 200)
        self.assertEqual("1\n", self.output(session, "1"))


if __name__ == "__main__":
    harness.main()
