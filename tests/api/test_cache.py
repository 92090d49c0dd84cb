"""The cache of results: who gets one, when, and what it holds (the tools and runs APIs)."""
import concurrent.futures
import json
import os
import tempfile
import time

import harness

# Images change while others build some; here only when a test says so.
STAMP = tempfile.NamedTemporaryFile(prefix="mayfly-stamp-")
PRINT_TIME = "import time; print(time.time_ns()); open('made', 'w').write(str(time.time_ns()))"


class Tools(harness.ServerTest):
    environment = {"MAYFLY_IMAGE_STAMP": STAMP.name, "API_KEYS": "alice-token:alice:1000:1000,bob-token:bob:1000:1000"}

    def ask(self, code=PRINT_TIME, key=None, path="/tools/execute", **more):
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        body = {"sessionId": "s", "language": "python", "code": code, "cache": True, **more}
        if path == "/tools/execute":
            body["tool"] = "code_execution"
        reply = self.server.request("POST", path, body, headers)
        self.assertEqual(reply.status, 200, reply.body)
        return json.loads(reply.body)

    def test_the_same_again(self):
        first = self.ask()
        again = self.ask(session="other")
        self.assertEqual((first.get("cached"), again["cached"]), (None, True))
        for name in ("stdout", "exitCode", "usage", "tool"):
            self.assertEqual(first[name], again[name], name)
        self.assertNotEqual(first["id"], again["id"])
        for name in ("stdout", "made"):
            self.assertEqual(self.server.output(first, name), self.server.output(again, name))
        self.assertEqual(self.server.fetch(again["artifacts"]["inputs"]["script.js"]), PRINT_TIME.encode())
        folder = os.path.join(self.server.storage, "s", "job-" + again["id"])
        self.assertEqual(set(os.listdir(folder)), {"stdout", "stderr", "script.js", "made"})

    def test_another_session_gets_a_result_of_its_own(self):
        first = self.ask("print('x')#own")
        again = self.ask("print('x')#own", sessionId="t")
        self.assertEqual((again["sessionId"], again["cached"]), ("t", True))
        self.assertIn(f"/artifacts/t/{again['id']}/stdout", again["artifacts"]["outputs"]["stdout"])
        self.assertEqual(self.server.output(again), self.server.output(first))

    def test_only_who_asks(self):
        self.ask("print(1)#asks")
        self.assertNotIn("cached", self.ask("print(1)#asks", cache=False))
        self.assertNotIn("cached", self.server.execute("print(2)#asks", "python", session="s"))
        self.assertNotIn("cached", self.ask("print(2)#asks"), "what ran without the wish was not kept")
        reply = self.server.request("POST", "/run", {"sessionId": "s", "code": "true", "cache": "yes"})
        self.assertEqual((reply.status, json.loads(reply.body)["details"][0]["path"]), (400, ["cache"]))

    def test_whatever_decides_what_a_job_does_makes_another(self):
        self.ask("print(3)")
        for change in ({"code": "print(4)"}, {"language": "bash"}, {"filename": "other.py"}, {"timeout": 29}):
            self.assertNotIn("cached", self.ask(**{"code": "print(3)", **change}), change)
        self.assertTrue(self.ask("print(3)")["cached"])

    def test_another_image_makes_another_job(self):
        self.ask("print(8)#image")
        self.assertTrue(self.ask("print(8)#image")["cached"])
        os.utime(STAMP.name)
        self.assertNotIn("cached", self.ask("print(8)#image"))

    def test_a_run_and_a_tool_have_replies_of_their_own(self):
        self.assertNotIn("cached", self.ask("print(5)", path="/run"))
        self.assertNotIn("cached", self.ask("print(5)"))
        again = self.ask("print(5)", path="/run")
        self.assertEqual((again["output"], again["cached"], list(again)[-1]), ("5\n", True, "cached"))

    def test_callers_are_apart(self):
        code = "print('secret')#apart"
        self.assertNotIn("cached", self.ask(code, "alice-token"))
        self.assertNotIn("cached", self.ask(code, "bob-token"))
        self.assertNotIn("cached", self.ask(code))
        self.assertTrue(self.ask(code, "alice-token")["cached"])
        self.assertNotIn("cached", self.ask(code + "#2", "wrong-token"))
        self.assertTrue(self.ask(code + "#2")["cached"], "a wrong key on loopback is nobody's: the loopback caller's")

    def test_never_a_time_out_nor_what_was_killed(self):
        for code, more in (("import time; time.sleep(60)", {"timeout": 1}), ("x = []\nwhile True: x.append(bytearray(10**7))", {}),
                           ("import os; os.kill(os.getpid(), 9)", {})):
            self.assertNotEqual(self.ask(code, **more)["exitCode"], 0)
            self.assertNotIn("cached", self.ask(code, **more), code)

    def test_a_failure_is_a_result(self):
        self.ask("import sys; print('a\\0\\udcff'.encode('utf-8', 'surrogateescape')); sys.exit(3)")
        code = "import os, sys; os.write(1, b'a\\0b\\xff'); sys.exit(4)"
        first, again = self.ask(code), self.ask(code)
        self.assertEqual((again["exitCode"], again["stdout"], again["cached"]), (4, first["stdout"], True))
        self.assertEqual(self.server.output(again), b"a\0b\xff")

    def test_a_result_that_is_gone_is_a_miss(self):
        code = "print(6)#gone"
        first = self.ask(code)
        os.rename(os.path.join(self.server.storage, "s", "job-" + first["id"]), os.path.join(self.server.storage, "s", "away"))
        self.assertNotIn("cached", self.ask(code))
        self.assertTrue(self.ask(code)["cached"])

    def test_many_at_once(self):
        code = "import time; print(7); open('f', 'w').write('x' * 100000)"
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda _: self.ask(code), range(24)))
        self.assertTrue(any(result.get("cached") for result in results))
        for result in results:
            self.assertEqual((result["stdout"], self.server.output(result, "f")), ("7\n", b"x" * 100000))


class Bounds(harness.ServerTest):
    environment = {"MAYFLY_IMAGE_STAMP": STAMP.name, "MAYFLY_CACHE_MB": "1"}

    def ask(self, code):
        reply = self.server.request("POST", "/run", {"sessionId": "s", "code": code, "cache": True})
        self.assertEqual(reply.status, 200, reply.body)
        return json.loads(reply.body)

    def test_the_least_recently_used_goes_first(self):
        folder = os.path.join(self.server.storage, ".cache")
        self.ask("echo first")
        self.ask("echo second")
        by_age = sorted(os.listdir(folder), key=lambda name: os.stat(os.path.join(folder, name)).st_mtime_ns)
        self.assertEqual(len(by_age), 2)
        self.assertTrue(self.ask("echo first")["cached"])
        now = time.time()
        for number in range(255):  # 4 KiB each on the disk: the rest of a MiB
            path = os.path.join(folder, f"{number:064x}")
            with open(path, "w", encoding="ascii") as file:
                file.write("nobody/AAAAAA")
            os.utime(path, (now + 5, now + 5))
        before = len(os.listdir(folder))
        self.ask("echo third")
        left = os.listdir(folder)
        self.assertNotIn(by_age[1], left, "the second was used longest ago")
        self.assertEqual((before, len(left)), (257, 256))


class Off(harness.ServerTest):
    environment = {"MAYFLY_CACHE_MB": "0"}

    def test_nothing_is_cached(self):
        for _ in range(2):
            reply = json.loads(self.server.request("POST", "/run", {"sessionId": "s", "code": "true", "cache": True}).body)
            self.assertNotIn("cached", reply)
        self.assertFalse(os.path.exists(os.path.join(self.server.storage, ".cache")))


class Runs(harness.ServerTest):
    environment = {"MAYFLY_IMAGE_STAMP": STAMP.name, "API_KEYS": "alice-token:alice:1000:1000,bob-token:bob:1000:1000"}

    def ask(self, key="alice-token", **more):
        body = {"language": "python", "code": "import os, sys, time; print(sys.argv, os.environ.get('A'), time.time_ns())", "cache": True, **more}
        return self.server.request("POST", "/v1/runs", body, {"Authorization": f"Bearer {key}"})

    def run_cached(self, **more):
        reply = self.ask(**more)
        self.assertEqual(reply.status, 200, reply.body)
        return json.loads(reply.body)

    def test_the_same_again(self):
        first, again = self.run_cached(), self.run_cached()
        self.assertEqual({**first, "cached": True}, again)
        record = self.server.request("GET", f"/v1/runs/{first['id']}", headers={"Authorization": "Bearer alice-token"})
        self.assertEqual(json.loads(record.body), first)

    def test_whatever_decides_what_a_run_does_makes_another(self):
        self.run_cached(args=["x"])
        for change in ({"args": ["y"]}, {"args": ["x"], "env": {"A": "1"}}, {"args": ["x"], "limits": {"timeout_ms": 4999}}, {"args": ["x"], "stdin": "s"},
                       {"args": ["x"], "key": "bob-token"}, {"args": ["x"], "cache": False}):
            self.assertNotIn("cached", self.run_cached(**change), change)
        self.assertTrue(self.run_cached(args=["x"])["cached"])

    def test_a_wish_is_true_or_false(self):
        self.assertEqual(self.ask(cache="yes").status, 400)

    def test_never_a_time_out(self):
        for _ in range(2):
            result = self.run_cached(code="import time; time.sleep(9)", limits={"timeout_ms": 300})
            self.assertEqual((result["status"], result.get("cached")), ("timeout", None))


if __name__ == "__main__":
    harness.main()
