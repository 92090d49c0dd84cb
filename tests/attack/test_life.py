"""Row J of tests/attack/README.md: bursts, kills at any moment, an engine that fails in every way, missing images and full disks."""
import concurrent.futures
import http.client
import json
import os
import shutil
import signal
import time

import attack
import faults
import harness

HELLO = {"sessionId": "s", "language": "python", "code": "print('hello')"}


def failed(test, reply, tool="Code"):
    """Asserts the error for a broken engine or disk (src/api/tools/README.md); returns its details."""
    test.assertEqual(reply.status, 500, reply)
    answer = json.loads(reply.body)
    test.assertEqual((set(answer), answer["error"]), ({"error", "details"}, tool + " execution failed"))
    test.assertGreater(len(answer["details"]), 10)
    test.assertNotRegex(answer["details"], "[\x00-\x1f]")
    return answer["details"]


class Later:
    """What takes as long as a deadline, and so runs beside everything else on engines and servers of its own; class Waiting looks at it."""
    HUNG = [("hang", "ping"), ("hang", "create"), ("hang", "inspect"), ("hang", "start"), ("hang", "remove"), ("drip", "create")]

    def __init__(self):
        self.pool = concurrent.futures.ThreadPoolExecutor(len(self.HUNG))
        self.replies = {(fault, step): self.pool.submit(self.hang, fault, step) for fault, step in self.HUNG}
        self.orphaning = harness.Server()  # here an engine is killed while it makes a container

    @staticmethod
    def hang(fault, step):
        """The reply, how long it took, and what is left after the engine has come back and the reaper has run."""
        engine = faults.FaultyEngine()
        engine.step, engine.fault = step, fault
        try:
            with harness.Server(DOCKER_SOCKET_PATH=engine.path) as server:
                started = time.monotonic()
                reply = server.request("POST", "/run", HELLO, timeout=100)
                took_s = time.monotonic() - started
                harness.until(lambda: not server.processes(), "our processes end", 60)
                engine.released.set()
                engine.heal()
                done = server.reap()
                assert done.returncode == 0, done.stdout
                return reply, took_s, server.leaks()
        finally:
            engine.close()

    def close(self):
        self.pool.shutdown()
        self.orphaning.close()


def setUpModule():
    global later
    later = Later()


def tearDownModule():
    later.close()


class Burst(attack.AttackTest):
    has_neighbour = False

    def burst(self, server, count):
        def one(number):
            code = f"echo {number} > own; sleep 0.05; cat own; ls | wc -l; echo {number} >&2"
            reply = server.request("POST", "/tools/execute", {"tool": "code_execution", "sessionId": f"s{number}", "code": code})
            if reply.status == 503:
                return "busy" if json.loads(reply.body)["code"] == "busy" and int(reply.headers["retry-after"]) > 0 else reply
            result = json.loads(reply.body)
            good = (reply.status, result.get("stdout"), result.get("stderr"), result.get("exitCode")) == (200, f"{number}\n2\n", f"{number}\n", 0)
            return "good" if good and server.fetch(result["artifacts"]["outputs"]["own"]) == b"%d\n" % number else reply
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            results = list(pool.map(one, range(count)))
        self.assertEqual([result for result in results if result not in ("good", "busy")], [])
        return results.count("good"), results.count("busy")

    def test_burst_of_16_is_answered_without_mixing(self):
        good, _ = self.burst(self.server, 16)
        self.assertGreater(good, 0)
        self.check_recovered()

    def test_burst_of_64_is_answered_without_mixing(self):
        good, _ = self.burst(self.server, 64)
        self.assertGreater(good, 3)
        self.check_recovered()

    def test_burst_beyond_the_slots_is_503_with_retry_after(self):
        with harness.Server(MAX_CONCURRENT_RUNS="1", MAYFLY_SLOT_WAIT_MS="50") as server:
            good, busy = self.burst(server, 16)
            self.assertEqual((good + busy, good > 0, busy > 0), (16, True, True))
            self.assertEqual(server.leaks(), {})
            self.assertEqual(self.burst(server, 1), (1, 0))

    def test_burst_of_clients_that_hang_up_leaves_nothing(self):
        body = json.dumps({"sessionId": "s", "code": "sleep 30"}).encode()
        connections = [self.server.connect() for _ in range(24)]
        for connection in connections:
            connection.sendall(b"POST /run HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        harness.until(lambda: self.server.podman.containers(self.server.instance), "some run")
        for connection in connections:
            connection.close()
        self.check_recovered()


class Kill(attack.AttackTest):
    """kill -9 of each process, at several moments."""

    def named(self, name, server=None):
        found = []
        for pid in (server or self.server).processes():
            try:
                with open(f"/proc/{pid}/exe", "rb"), open(f"/proc/{pid}/comm", encoding="ascii") as comm:
                    if comm.read().strip() == name[:15] and os.readlink(f"/proc/{pid}/exe").endswith("/" + name):
                        found.append(pid)
            except OSError:
                continue
        return found

    def job(self, code="echo out; touch left; sleep 60; echo end", timeout=90, server=None):
        """A job under way in a thread; its future's result is the reply, or the exception of a connection that broke."""
        def ask():
            try:
                return (server or self.server).request("POST", "/run", {"sessionId": "killed", "code": code, "timeout": timeout})
            except (OSError, http.client.HTTPException) as error:
                return error
        self.pool = concurrent.futures.ThreadPoolExecutor(1)
        self.addCleanup(self.pool.shutdown)
        return self.pool.submit(ask)

    def running(self):
        """The id of the container whose program has begun: its output has come to the storage."""
        incoming = os.path.join(self.server.storage, ".incoming")

        def has_output():
            try:
                return any(os.path.getsize(os.path.join(incoming, name, "stdout")) for name in os.listdir(incoming))
            except OSError:
                return False
        harness.until(has_output, "the program runs")
        return self.server.podman.containers(self.server.instance)[0]["Id"]

    def kill(self, pids):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def check_reaped(self):
        """Nothing is left after the reaper."""
        harness.until(lambda: not self.server.processes(), "our processes end", 30)

        def reaped():  # Docker takes a moment to see that a container has ended
            done = self.server.reap()
            self.assertEqual(done.returncode, 0, done.stdout)
            return not self.server.podman.containers(self.server.instance)
        harness.until(reaped, "the reaper finds the container ended", 10)
        self.assertFalse(os.path.exists(os.path.join(self.server.storage, "killed")) and
                         any(not os.path.exists(os.path.join(self.server.storage, "killed", job, "stderr"))
                             for job in os.listdir(os.path.join(self.server.storage, "killed"))), "no half result is visible")
        self.check_recovered()

    def test_mayfly_killed_as_soon_as_it_is_there(self):
        future = self.job("echo out")
        self.kill(harness.until(lambda: self.named("mayfly"), "mayfly is seen"))
        self.assertIsInstance(future.result(60), Exception)
        self.check_reaped()

    def test_mayfly_killed_while_the_container_is_made(self):
        future = self.job()
        harness.until(lambda: self.server.podman.containers(self.server.instance), "a container")
        self.kill(self.named("mayfly"))
        self.assertIsInstance(future.result(60), Exception)
        self.check_reaped()

    def test_mayfly_killed_while_the_program_runs(self):
        future = self.job()
        self.running()
        self.kill(self.named("mayfly"))
        self.assertIsInstance(future.result(60), Exception)
        harness.until(lambda: not self.server.podman.containers(self.server.instance), "the engine takes the container down without the reaper", 40)
        self.check_reaped()

    def test_mayfly_killed_while_results_come_in(self):
        future = self.job("echo out; for i in {1..90}; do head -c 1000000 /dev/zero > f$i; done")
        self.running()
        incoming = os.path.join(self.server.storage, ".incoming")
        harness.until(lambda: any("f1" in files for _, _, files in os.walk(incoming)), "files come in")
        self.kill(self.named("mayfly"))
        self.assertIsInstance(future.result(60), Exception)
        self.check_reaped()

    def test_engine_killed_as_soon_as_it_is_there(self):
        future = self.job("echo out", 1, later.orphaning)
        self.kill(harness.until(lambda: self.named("mayfly-engine", later.orphaning), "mayfly-engine is seen"))
        failed(self, future.result(60))

    def test_engine_killed_while_the_container_is_made(self):
        others = {container["Id"] for container in later.orphaning.podman.containers(later.orphaning.instance)}
        future = self.job("echo out", 1, later.orphaning)
        harness.until(lambda: {container["Id"] for container in later.orphaning.podman.containers(later.orphaning.instance)} - others, "a container")
        self.kill(self.named("mayfly-engine", later.orphaning))
        self.assertIn(future.result(60).status, (200, 500))

    def test_engine_killed_while_the_program_runs(self):
        future = self.job("echo out; sleep 1; echo end")
        self.running()
        self.kill(self.named("mayfly-engine"))
        reply = future.result(60)
        self.assertEqual((reply.status, json.loads(reply.body)["output"]), (200, "out\nend\n"))
        self.check_reaped()

    def test_mayfly_and_engine_killed_together(self):
        future = self.job("echo out; sleep 600", timeout=900)
        container = self.running()
        # in this order: an engine that lives would take the container down
        self.kill(self.named("mayfly-engine") + self.named("mayfly"))
        self.assertIsInstance(future.result(60), Exception)
        # init ends when its connection does
        harness.until(lambda: self.server.podman.inspect(container)["State"]["Status"] == "exited", "init ends")
        self.check_reaped()

    def test_init_killed_while_the_program_runs(self):
        future = self.job()
        container = self.running()
        self.kill([self.server.podman.inspect(container)["State"]["Pid"]])
        reply = future.result(60)
        self.assertEqual((reply.status, json.loads(reply.body)["exitCode"]), (200, 137))
        self.assertEqual(json.loads(reply.body)["output"], "out\n\nExecution ran out of memory (limit 512 MB), or its container was removed\n")
        self.check_recovered()

    def test_init_stopped_while_the_program_runs_is_a_timeout(self):
        future = self.job("echo out; sleep 20", timeout=1)
        container = self.running()
        started = time.monotonic()
        init = self.server.podman.inspect(container)["State"]["Pid"]
        os.kill(init, signal.SIGSTOP)
        reply = future.result(60)
        self.assertFalse(os.path.exists(f"/proc/{init}"), "dead when the reply says so")
        self.assertLess(time.monotonic() - started, 1 + attack.GRACE_S + attack.START_S)
        result = json.loads(reply.body)
        self.assertEqual((reply.status, result["exitCode"], result["output"].split("\n")[0]), (200, -1, "out"))
        self.assertIn("Execution timed out after ", result["output"])
        self.check_recovered()

    def test_monitor_killed_while_the_program_runs(self):
        future = self.job("echo out; sleep 1; echo end")
        container = self.running()
        with open(f"/proc/{self.server.podman.inspect(container)['State']['Pid']}/status", encoding="ascii") as status:
            parent = int(next(line for line in status if line.startswith("PPid:")).split()[1])
        with open(f"/proc/{parent}/comm", encoding="ascii") as comm:
            self.assertIn(comm.read().strip(), ("conmon", "containerd-shim"))  # Podman's, Docker's
        self.kill([parent])
        reply = future.result(60)
        self.assertEqual(reply.status, 200)
        self.assertIn(json.loads(reply.body)["output"], ("out\nend\n", "out\n"))
        self.check_reaped()

    def test_the_container_removed_by_somebody_else(self):
        future = self.job()
        self.server.podman.remove(self.running())
        reply = future.result(60)
        self.assertEqual((reply.status, json.loads(reply.body)["exitCode"]), (200, 137))
        self.check_recovered()

    def test_static_killed_while_it_sends(self):
        result = self.server.execute("head -c 30000000 /dev/zero > large")
        with self.server.connect() as connection:
            path = result["artifacts"]["outputs"]["large"].split(self.server.host)[1]
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            connection.recv(100)
            self.kill(harness.until(lambda: self.named("mayfly-static"), "it sends"))
            self.assertLess(len(harness.read_all(connection)), 30000000)
        self.check_recovered()


class Engine(attack.AttackTest):
    has_neighbour = False

    @classmethod
    def setUpClass(cls):
        cls.engine = faults.FaultyEngine()
        cls.addClassCleanup(cls.engine.close)
        cls.environment = {"DOCKER_SOCKET_PATH": cls.engine.path}
        super().setUpClass()

    def fails_and_heals(self, step, fault):
        self.engine.step, self.engine.fault = step, fault
        started = time.monotonic()
        details = failed(self, self.server.request("POST", "/run", HELLO))
        self.assertLess(time.monotonic() - started, attack.PROMPT_S)
        self.engine.heal()
        harness.until(lambda: not self.server.processes(), "our processes end", 30)
        self.assertEqual(self.server.reap().returncode, 0)
        self.assertEqual(self.server.leaks(), {})
        return details

    def each_fault(self, step, names=None):
        for fault in names or faults.FAULTS:
            with self.subTest(fault=fault):
                self.fails_and_heals(step, fault)
        self.check_recovered()

    def tearDown(self):
        self.engine.heal()

    def test_the_proxy_itself_works(self):
        self.check_recovered()
        self.assertGreaterEqual(min(self.engine.calls[step] for step in ("ping", "create", "inspect", "start", "remove")), 1)

    def test_engine_that_fails_at_ping(self):
        self.each_fault("ping")

    def test_engine_that_fails_at_create(self):
        self.each_fault("create")

    def test_engine_that_fails_at_inspect(self):
        self.each_fault("inspect")

    def test_engine_that_fails_at_start(self):
        self.each_fault("start", [name for name in faults.FAULTS if not name.startswith(("409", "200", "201"))])

    def test_engine_that_fails_at_removal_is_no_error_and_the_reaper_helps(self):
        for fault in ("500", "closed", "rubbish"):
            with self.subTest(fault=fault):
                self.engine.step, self.engine.fault = "remove", fault
                reply = self.server.request("POST", "/run", HELLO)
                self.assertEqual((reply.status, json.loads(reply.body)["output"]), (200, "hello\n"))
                self.engine.heal()
                harness.until(lambda: not self.server.processes(), "our processes end", 30)
                self.assertEqual(self.server.reap().returncode, 0)
                self.assertEqual(self.server.leaks(), {})

    def test_uncertain_answers_are_asked_again_and_never_shown(self):
        def asked_again():
            return json.loads(self.server.request("GET", "/metrics").body)["metrics"]["engine_asked_again"]
        for step in ("ping", "create", "inspect", "start", "remove"):
            for fault in ("500", "500 without a body", "truncated"):
                with self.subTest(step=step, fault=fault):
                    before = asked_again()
                    self.engine.step, self.engine.fault, self.engine.times = step, fault, 1
                    reply = self.server.request("POST", "/run", HELLO)
                    self.assertEqual((reply.status, json.loads(reply.body)["output"]), (200, "hello\n"))
                    harness.until(lambda: not self.server.processes(), "our processes end", 30)
                    self.assertEqual(self.engine.times, 0)
                    self.assertGreaterEqual(asked_again(), before + 1)
                    self.engine.heal()
        self.assertIn("asked_again=1", self.server.logs())
        self.assertEqual(self.server.leaks(), {})

    def test_what_the_engine_says_is_passed_on_cleanly(self):
        self.assertIn("the engine is unwell", self.fails_and_heals("create", "500"))
        self.fails_and_heals("create", "control bytes")
        self.assertNotRegex(self.server.logs(), "(?m)^<3>mayfly injected|\x1b")

    def test_slow_engine_is_waited_for(self):
        self.engine.slow_s = 0.3
        reply = self.server.request("POST", "/run", HELLO)
        self.assertEqual((reply.status, json.loads(reply.body)["output"]), (200, "hello\n"))
        self.engine.heal()
        self.check_recovered()


class Missing(attack.AttackTest):
    """What should be there and is not. Each on a server of its own."""
    has_neighbour = False

    def refusal(self, **environment):
        with harness.Server(**environment) as server:
            self.prepare(server)
            started = time.monotonic()
            reply = server.request("POST", "/run", HELLO)
            self.took_s = time.monotonic() - started
            details = failed(self, reply)
            self.assertEqual(json.loads(server.request("POST", "/tools/execute", {**HELLO, "tool": "code_execution"}).body)["error"],
                "Tool execution failed")
            self.assertEqual(server.request("GET", "/v1/health").status, 200)
            self.assertEqual(server.leaks(), {})
            return details

    def prepare(self, server):
        pass

    def test_engine_absent_says_what_to_do(self):
        details = self.refusal(DOCKER_SOCKET_PATH="/nonexistent/podman.sock")
        self.assertIn("/nonexistent/podman.sock", details)
        self.assertLess(self.took_s, attack.PROMPT_S)

    def test_engine_socket_that_is_a_file(self):
        self.assertIn("/etc/passwd", self.refusal(DOCKER_SOCKET_PATH="/etc/passwd"))

    def test_engine_address_that_is_none(self):
        for address in ("tcp://127.0.0.1:2375", "relative.sock", "http://localhost", "/" + "x" * 200):
            with self.subTest(address=address):
                self.refusal(DOCKER_SOCKET_PATH=address)

    def test_image_missing_names_the_command_that_builds_it(self):
        def prepare(server):
            folder = os.path.join(server.folder, "config/templates.d")
            os.makedirs(folder)
            with open(os.path.join(folder, "tool.json"), "w", encoding="ascii") as file:
                json.dump({"image": "localhost/nobody-built-this:latest"}, file)
        self.prepare = prepare
        details = self.refusal()
        self.assertIn("localhost/nobody-built-this:latest", details)
        self.assertIn("scripts/build-worker", details)
        self.assertLess(self.took_s, attack.PROMPT_S, "no pull")

    def with_init(self, write):
        """A server whose mayfly-init is another file."""
        folder = attack.copy_programs(os.path.join(self.server.folder, "broken-" + os.urandom(4).hex()))
        path = os.path.join(folder, "mayfly-init")
        os.unlink(path)
        write(path)
        return self.refusal(MAYFLY_LIBEXEC_DIR=folder)

    def script(self, text, mode=0o755):
        def write(path):
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
            os.chmod(path, mode)
        return write

    def test_container_that_dies_before_init_listens(self):
        for code in (0, 3):
            with self.subTest(code=code):
                self.assertIn(f"exit code {code}", self.with_init(self.script(f"#!/bin/sh\nexit {code}\n")))
                self.assertLess(self.took_s, attack.PROMPT_S)

    def test_init_that_is_no_program_or_may_not_run(self):
        for write in (self.script("rubbish"), self.script("#!/nonexistent\n"), self.script("#!/bin/sh\n", 0o644), self.script("")):
            self.with_init(write)
            self.assertLess(self.took_s, attack.PROMPT_S)

    def test_init_missing_or_a_folder(self):
        self.assertIn("mayfly-init", self.with_init(lambda path: None))
        self.assertIn("mayfly-init", self.with_init(os.mkdir))

    def test_init_that_puts_something_else_in_its_sockets_place(self):
        # what the host finds is a file, a link, a folder, and nothing that it follows or waits for
        for make in ("echo x > /run/mayfly/control", "ln -s /run/podman/podman.sock /run/mayfly/control", "mkdir /run/mayfly/control",
            "mkfifo /run/mayfly/control"):
            with self.subTest(make=make):
                self.with_init(self.script(f"#!/bin/sh\n{make}\nexit 1\n"))

    def test_engine_program_missing(self):
        folder = attack.copy_programs(os.path.join(self.server.folder, "without-engine"))
        os.unlink(os.path.join(folder, "mayfly-engine"))
        self.assertIn("mayfly-engine", self.refusal(MAYFLY_LIBEXEC_DIR=folder))

    def test_seccomp_profile_missing_or_broken_runs_nothing(self):
        self.refusal(SECCOMP_PROFILE="/nonexistent.json")
        broken = os.path.join(self.server.folder, "seccomp.json")
        with open(broken, "w", encoding="ascii") as file:
            file.write("{")
        self.refusal(SECCOMP_PROFILE=broken)


class Storage(attack.AttackTest):
    has_neighbour = False

    def with_folder(self, options, work):
        """A server whose storage is a file system of its own."""
        with harness.Server() as server:
            folder = attack.Folder(server.storage, options)
            try:
                work(server)
                self.assertEqual(server.leaks(), {})
            finally:
                folder.close()

    def visible(self, server):
        return sorted(name for name in os.listdir(server.storage) if not name.startswith("."))

    def test_disk_full_while_artifacts_are_stored(self):
        def work(server):
            details = failed(self, server.request("POST", "/run", {"sessionId": "s", "code": "head -c 8000000 /dev/zero > large; echo done"}))
            self.assertRegex(details, "(?i)space")
            self.assertIn(server.storage, details)
            self.assertEqual([os.listdir(os.path.join(server.storage, name)) for name in self.visible(server)], [[]] * len(self.visible(server)),
                "no half artifact")
            reply = server.request("POST", "/run", HELLO)
            self.assertEqual((reply.status, json.loads(reply.body)["output"]), (200, "hello\n"), "what it took is given back")
        self.with_folder("size=4m", work)

    def test_disk_full_while_output_is_stored(self):
        def work(server):
            started = time.monotonic()
            failed(self, server.request("POST", "/tools/execute", {"tool": "code_execution", "sessionId": "s", "code": "yes", "timeout": 60}), "Tool")
            self.assertLess(time.monotonic() - started, attack.PROMPT_S, "the job does not go on for nothing")
            self.assertEqual(json.loads(server.request("POST", "/run", HELLO).body)["output"], "hello\n")
        self.with_folder("size=4m", work)

    def test_disk_full_before_anything_is_stored(self):
        def work(server):
            with open(os.path.join(server.storage, "fill"), "wb") as file:
                try:
                    while True:
                        file.write(b"x" * 65536)
                        file.flush()
                except OSError:
                    pass
            failed(self, server.request("POST", "/run", {"sessionId": "s", "code": "echo " + "x" * 10000}))
            os.unlink(os.path.join(server.storage, "fill"))
            self.assertEqual(json.loads(server.request("POST", "/run", HELLO).body)["output"], "hello\n")
        self.with_folder("size=1m", work)

    def test_disk_without_inodes(self):
        def work(server):
            failed(self, server.request("POST", "/run", {"sessionId": "s", "code": "touch {1..200}"}))
            self.assertEqual(json.loads(server.request("POST", "/run", HELLO).body)["output"], "hello\n")
        self.with_folder("size=4m,nr_inodes=50", work)

    def test_storage_that_is_read_only(self):
        def work(server):
            reply = server.request("POST", "/run", HELLO)
            self.assertEqual(reply.status, 500)
            self.assertIn(server.storage, reply.body.decode())
        self.with_folder("size=1m,ro", work)

    def test_storage_that_is_a_file_or_beneath_one(self):
        path = os.path.join(self.server.folder, "file")
        with open(path, "wb"):
            pass
        for storage in (path, path + "/beneath", "/proc/nothing", "/sys/nothing"):
            with self.subTest(storage=storage):
                with harness.Server(AA_STORAGE_PATH=storage) as server:
                    reply = server.request("POST", "/run", HELLO)
                    self.assertEqual(reply.status, 500)
                    self.assertIn(storage, reply.body.decode())
                    self.assertEqual(server.leaks(), {})

    def test_no_run_folder(self):
        path = os.path.join(self.server.folder, "another-file")
        with open(path, "wb"):
            pass
        for run in (path, path + "/beneath", "/proc/nothing"):
            with self.subTest(run=run):
                with harness.Server(MAYFLY_RUN_DIR=run) as server:
                    reply = server.request("POST", "/run", HELLO)
                    self.assertEqual(reply.status, 500)
                    self.assertIn(run, reply.body.decode())
                    self.assertEqual(server.leaks(), {})

    def test_a_run_folder_open_to_others_is_refused(self):
        with harness.Server() as server:
            os.makedirs(os.path.join(server.run, "jobs"))
            os.chmod(os.path.join(server.run, "jobs"), 0o777)
            failed(self, server.request("POST", "/run", HELLO))

    def test_storage_removed_while_the_service_stands(self):
        reply = self.server.request("POST", "/run", HELLO)
        self.assertEqual(reply.status, 200)
        shutil.rmtree(self.server.storage)
        self.assertEqual(self.server.request("POST", "/run", HELLO).status, 200)
        self.check_recovered()

    def test_configuration_that_is_wrong_is_named(self):
        for name, value in (("MAX_CONCURRENT_RUNS", "0"), ("MAYFLY_STREAM_MB", "x"), ("PORT", "99999"), ("DEBUG_UI", "maybe"),
            ("AA_STORAGE_PATH", "relative"),
                            ("ARTIFACT_RETENTION_DAYS", "-1"), ("MAYFLY_MEMORY_MB", "0"), ("MAYFLY_PIDS", "-5")):
            with self.subTest(name=name):
                with harness.Server(**{name: value}) as server:
                    reply = server.request("POST", "/run", HELLO)
                    self.assertEqual(reply.status, 500)
                    self.assertIn(name, reply.body.decode())
                    self.assertEqual(server.leaks(), {})


class Waiting(attack.AttackTest):
    has_neighbour = False

    def assert_hung(self, fault, step):
        reply, took_s, left = later.replies[fault, step].result()
        self.assertIn("in time", failed(self, reply))
        self.assertTrue(15 < took_s < 90, took_s)
        self.assertEqual(left, {})

    def test_hung_engine_ends_in_bounded_time(self):
        for step in ("ping", "create", "inspect", "start"):
            with self.subTest(step=step):
                self.assert_hung("hang", step)

    def test_engine_that_answers_a_byte_at_a_time_ends_in_bounded_time(self):
        self.assert_hung("drip", "create")

    def test_engine_that_hangs_at_removal_is_no_error(self):
        reply, took_s, left = later.replies["hang", "remove"].result()
        self.assertEqual((reply.status, json.loads(reply.body)["output"], left), (200, "hello\n", {}))
        self.assertLess(took_s, attack.PROMPT_S)

    def test_what_runs_without_an_owner_ends_at_its_deadline_and_is_reaped(self):
        def is_over():
            return not [one for one in later.orphaning.podman.containers(later.orphaning.instance) if one["State"] not in ("exited", "created")]
        harness.until(lambda: not later.orphaning.processes(), "our processes end", 30)
        harness.until(is_over, "init ends at its deadline", 45)
        done = later.orphaning.reap()
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(later.orphaning.leaks(), {})
        self.assertEqual(os.listdir(os.path.join(later.orphaning.run, "making")), [])


if __name__ == "__main__":
    harness.main()
