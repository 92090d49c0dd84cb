"""How many pooled containers there may be, and the end of those that nobody wanted or whose makers were killed."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import harness
from pool import NO_ENGINE, Child, PoolTest, request


class Bounds(PoolTest):
    settings = {"MAYFLY_POOL": "2", "MAYFLY_POOL_TOTAL": "3"}

    def setUp(self):
        self.server.drop()

    def age(self, seconds=1):
        harness.until(lambda: all(pooled["age_s"] >= seconds for pooled in self.server.waiting()), "pooled containers of some age")

    def test_the_oldest_of_another_kind_gives_way(self):
        self.server.warm("--count", "1", "bash:first.sh")
        self.age(1)
        self.server.warm("--count", "2", "bash:second.sh")
        self.age(2)
        self.server.warm("--count", "2", "bash:third.sh")
        names = sorted(pooled["label"].split()[-1] for pooled in self.server.waiting())
        self.assertEqual(names, ["second.sh", "third.sh", "third.sh"])
        self.assertEqual(self.server.swept(), [], "what gave way is gone")

    def test_a_kind_earns_its_place_at_its_second_job(self):
        self.server.warm("--count", "2", "bash:mine.sh")
        for name in ("odd1.sh", "odd2.sh", "odd3.sh"):
            self.server.run_child(request("true", filename=name))
            self.assertEqual(["mine.sh", "mine.sh", "odd1.sh"], sorted(pooled["label"].split()[-1] for pooled in self.server.waiting()))
        self.age(1)
        self.server.run_child(request("true", filename="odd3.sh"))
        self.assertEqual(["mine.sh", "odd3.sh", "odd3.sh"], sorted(pooled["label"].split()[-1] for pooled in self.server.waiting()))

    def test_a_caller_of_many_kinds_takes_places_from_itself(self):
        """Two neighbours: one with one kind, one with ten, each of them used twice."""
        def run(tenant, filename):
            reply = self.server.request("POST", "/execute", {"tenant_id": tenant, "scope": "s", "language": "bash", "code": "true", "files": {filename: ""},
                                                             "env": {"KIND": filename}})
            self.assertEqual((200, 0), (reply.status, json.loads(reply.body)["exit_code"]), reply.body)
            harness.until(lambda: not self.server.processes(), "it has cleaned up")
        run("quiet", "a")
        quiet = {pooled["kind"] for pooled in self.server.waiting()}
        self.assertEqual(1, len(quiet))
        self.age(1)
        for i in range(5):
            for _ in range(2):
                run("odd", f"odd{i}")
                self.age(1)
            self.assertLessEqual(quiet, {pooled["kind"] for pooled in self.server.waiting()}, i)
        before = self.server.counters()
        run("quiet", "a")
        self.assertEqual(before["claims"] + 1, self.server.counters()["claims"])

    def test_none_of_its_own_kind_gives_way(self):
        said = self.server.warm("--count", "5", "bash:own.sh")
        self.assertIn("3 waiting", said)
        self.assertEqual(len(self.server.waiting()), 3)

    def test_kinds_that_fill_the_last_places_together_end(self):
        """8 kinds at once where there is room for 3: never more than that, and it comes to an end."""
        jobs = [Child(self.server, request("true", filename=f"fill{i}.sh")) for i in range(8)]
        while any(job.process.poll() is None for job in jobs):
            self.assertLessEqual(len(self.server.folders("s-")), 3)
        self.assertEqual([job.answer()[0] for job in jobs], [200] * 8)
        self.assertEqual([re.search("after=.*", job.finish()) for job in jobs], [None] * 8)
        self.assertEqual(len(self.server.folders("s-")), 3)
        self.assertEqual(self.server.swept(), [])

    def test_memory(self):
        environment = {"MAYFLY_POOL_TOTAL": "32", "MAYFLY_POOL_MEMORY_MB": "1"}
        self.server.warm("--count", "30", "bash:memory.sh", **environment)
        waiting = self.server.waiting()
        noted = [pooled["memory_bytes"] for pooled in json.loads(self.server.ctl("pool", "--json", **NO_ENGINE).stdout)["pool"]]
        self.assertTrue(1 <= len(waiting) < 30, waiting)
        self.assertGreater(sum(noted), 1 << 20, "there is no more room")
        self.age(1)
        self.server.warm("--count", "1", "bash:memory2.sh", **environment)
        self.assertEqual(len(self.server.waiting("memory2.sh")), 1)
        self.assertLess(len(self.server.waiting("memory.sh")), len(waiting))

    def test_none(self):
        for name in ("MAYFLY_POOL_TOTAL", "MAYFLY_POOL_MEMORY_MB"):
            with self.subTest(name=name):
                _, reply, log = self.server.run_child(request("echo none", filename="none.sh"), **{name: "0"})
                self.assertEqual(reply["stdout"], "none\n")
                self.assertNotIn("after=", log)
                self.assertEqual(self.server.waiting(), [])


class End(PoolTest):
    """The end of pooled containers that nobody wanted, and of processes that were killed."""
    settings = {"MAYFLY_POOL": "2", "MAYFLY_POOL_TTL_S": "60"}

    def setUp(self):
        self.server.drop()

    def short(self):
        """Containers of a template that lives no longer than a test."""
        folder = os.path.join(self.server.folder, "config/templates.d")
        os.makedirs(folder, exist_ok=True)
        self.addCleanup(shutil.rmtree, folder)
        with open(os.path.join(folder, "tool.json"), "w", encoding="utf-8") as file:
            json.dump({"name": "tool", "image": harness.IMAGE, "timeout_s": 1, "timeout_max_s": 1}, file)
        return {"MAYFLY_POOL_TTL_S": "1"}

    def test_time_to_live(self):
        self.server.warm("bash:ttl.sh", MAYFLY_POOL_TTL_S="2")
        self.assertEqual(len(self.server.folders("s-")), 2)
        harness.until(lambda: {c["State"] for c in self.server.podman.containers(self.server.instance)} == {"exited"}, "pooled containers ended")
        self.assertEqual(json.loads(self.server.ctl("pool", "--json", MAYFLY_POOL_TTL_S="2").stdout)["pool"], [])
        self.assertEqual(self.server.reap().returncode, 0)
        self.assertEqual((self.server.folders(), self.server.podman.containers(self.server.instance)), ([], []))

    def test_one_that_has_ended_is_skipped(self):
        self.server.warm("--count", "1", "bash:dead.sh")
        before = self.server.counters()
        pooled = self.server.waiting("dead.sh")[0]
        pid = self.server.container(pooled)["State"]["Pid"]
        os.kill(pid, signal.SIGKILL)
        harness.until(lambda: self.server.container(pooled)["State"]["Status"] == "exited", "init ended")
        _, reply, log = self.server.run_child(request("echo cold", filename="dead.sh"), MAYFLY_POOL="1")
        self.assertEqual(reply["stdout"], "cold\n")
        self.assertIn("asked_us=", log)
        self.assertCounted(before, misses=1, refills=1)
        self.assertEqual(self.server.swept(), [])

    def test_one_that_ends_between_claim_and_job_costs_only_time(self):
        self.server.warm("--count", "1", "bash:gone.sh")
        kind = self.server.waiting("gone.sh")[0]["kind"]
        self.server.drop()
        for code in ("echo cold", "echo cold #" + "x" * 800000):  # shorter and longer than what a socket takes unread
            with self.subTest(length=len(code)), socket.socket(socket.AF_UNIX) as listener:
                folder = os.path.join(self.server.run, "jobs", f"s-{kind}-{os.urandom(12).hex()}")
                os.mkdir(folder)
                os.chmod(folder, 0o755)
                listener.bind(os.path.join(folder, "control"))
                listener.listen(1)
                listener.settimeout(harness.DEADLINE_S)
                child = Child(self.server, request(code, filename="gone.sh"), MAYFLY_POOL="1")
                listener.accept()[0].close()
                status, reply = child.answer()
                self.assertEqual((status, reply.get("stdout")), (200, "cold\n"), reply)
                self.assertIn("asked_us=", child.finish())
                self.server.drop()
                shutil.rmtree(folder.replace(f"s-{kind}-", "c-"))

    def test_mayfly_killed_right_after_its_answer(self):
        self.server.warm("bash:killed.sh")
        for expected in (1, 0):
            child = Child(self.server, request("echo ok", filename="killed.sh"))
            self.assertEqual(child.answer()[1]["stdout"], "ok\n")
            child.kill()
            harness.until(lambda: not self.server.processes(), "its engine ended")
            self.assertEqual(self.server.swept(), [])
            self.assertEqual(len(self.server.waiting("killed.sh")), expected, "pooled containers survive")

    def kill_during_refill(self, find_victim, filename):
        """Kills what find_victim finds as soon as a container is being made for a pooled container; then nothing stays."""
        environment = self.short()
        child = Child(self.server, request("echo ok", filename=filename), **environment)
        self.assertEqual(child.answer()[1]["stdout"], "ok\n")
        making = os.path.join(self.server.run, "making")
        harness.until(lambda: os.listdir(making), "a pooled container being made")
        os.kill(find_victim(child), signal.SIGKILL)
        child.process.wait(harness.DEADLINE_S)
        child.connection.close()
        harness.until(lambda: not self.server.processes(), "all processes ended")
        self.assertEqual(self.server.swept(), [])
        self.server.drop()
        return child.log()

    def test_mayfly_killed_during_refill(self):
        self.kill_during_refill(lambda child: child.process.pid, "refill1.sh")

    def test_engine_killed_during_refill(self):
        self.assertIn('after="engine_failed"', self.kill_during_refill(lambda _: self.server.engines()[0], "refill2.sh"))

    def test_mayfly_killed_while_a_pooled_container_is_prepared(self):
        environment = self.short()
        child = Child(self.server, request("grep -om1 'c-[0-9a-f]\\{24\\}' /proc/self/mountinfo", filename="refill3.sh"), **environment)
        used = child.answer()[1]["stdout"].strip()
        self.assertRegex(used, "^c-")
        harness.until(lambda: set(self.server.folders()) - {used}, "a pooled container's container listening")
        child.kill()
        harness.until(lambda: not self.server.processes(), "its engine ended")
        self.assertEqual(self.server.swept(), [])

    def test_a_refill_that_fails_is_not_the_clients_business(self):
        self.server.warm("--count", "1", "bash:fail.sh")
        before = self.server.counters()
        os.chmod(os.path.join(self.server.run, "pool"), 0o500)
        shutil.move(os.path.join(self.server.run, "pool"), os.path.join(self.server.run, "pool.away"))
        with open(os.path.join(self.server.run, "pool"), "w", encoding="utf-8"):
            pass  # no folder: nothing can be noted
        status, reply, log = self.server.run_child(request("echo ok", filename="fail.sh"))
        os.unlink(os.path.join(self.server.run, "pool"))
        shutil.move(os.path.join(self.server.run, "pool.away"), os.path.join(self.server.run, "pool"))
        os.chmod(os.path.join(self.server.run, "pool"), 0o700)
        self.assertEqual((status, reply["stdout"]), (200, "ok\n"))
        self.assertIn('after="run_folder"', log)
        self.assertCounted(before, claims=1)
        self.assertEqual(self.server.swept(), [])

    def test_notes_of_pooled_containers_that_are_gone_are_swept(self):
        self.server.warm("--count", "1", "bash:notes.sh")
        records = os.path.join(self.server.run, "pool")
        kept = self.server.waiting("notes.sh")[0]["folder"][-24:]
        gone = [os.urandom(12).hex() for _ in range(2)]
        for digits in gone:
            with open(os.path.join(records, digits), "w", encoding="utf-8") as file:
                file.write("1 2 0 tool: bash gone.sh")
        os.utime(os.path.join(records, gone[0]), (time.time() - 3600,) * 2)
        os.utime(os.path.join(records, kept), (time.time() - 3600,) * 2)
        self.server.warm("--count", "1", "bash:notes.sh")
        left = os.listdir(records)
        self.assertEqual([name in left for name in (kept, gone[0], gone[1])], [True, False, True], "but not of one that may still be coming")
        os.unlink(os.path.join(records, gone[1]))


class Silence(PoolTest):
    """mayfly-engine hangs up behind its socket while a job from the pool runs: the container is removed and replaced all the same."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.listen_as_engine()

    def begin(self, code, filename, timeout):
        """The job, its claim seen; with the engine that it is connected to."""
        self.server.warm("bash:" + filename)
        child = Child(self.server, request(code, filename=filename, timeout=timeout))
        self.addCleanup(child.connection.close)
        child.connection.settimeout(timeout + harness.DEADLINE_S)
        harness.until(lambda: not self.server.folders("s-"), "the claim")
        engine, = self.server.engines()
        return child, engine

    def check_replaced(self, child, engine, filename):
        status, reply = child.answer()
        self.assertEqual((status, reply["stdout"]), (200, "end\n"))
        self.assertFalse(os.path.exists(f"/proc/{engine}"), "it had hung up")
        self.assertNotIn("after=", child.finish())
        self.assertEqual(len(self.server.waiting(filename)), 1, "a successor waits")
        self.assertEqual(self.server.swept(), [])
        self.server.drop()

    def test_an_engine_that_is_told_to_end(self):
        child, engine = self.begin("sleep 2; echo end", "ended.sh", 30)
        os.kill(engine, signal.SIGTERM)
        self.check_replaced(child, engine, "ended.sh")

    def test_more_than_a_minute(self):
        """ENGINE_IDLE_DEADLINE_MS; the process that started an engine itself is not hung up."""
        own = subprocess.Popen([os.path.join(harness.BUILD, "mayfly-engine")], stdin=(pair := socket.socketpair())[1],
                               env={**self.server.environment, "MAYFLY_INSTANCE": "another"})
        self.addCleanup(own.wait)
        self.addCleanup(pair[0].close)
        pair[1].close()
        pair[0].sendall(b"p" + bytes(4))
        self.assertEqual(pair[0].recv(1), b"k")
        child, engine = self.begin("sleep 62; echo end", "long.sh", 90)
        self.check_replaced(child, engine, "long.sh")
        self.assertIsNone(own.poll())


if __name__ == "__main__":
    harness.main()
