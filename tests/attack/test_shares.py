"""hostile.md, A: what a job may take of the processors, and what is left to others meanwhile. Times are looked at, so tests/run gives it the machine alone."""
import http.client
import json
import os
import select
import socket
import threading
import time

import attack
import harness

CONTROL = "print(chr(1) * 1000000)"  # six bytes each in a reply, and twice


class Shares(attack.AttackTest):
    def test_many_busy_threads_keep_to_the_cpu_quota_and_health_answers(self):
        slowest = 0

        def ask_health():
            nonlocal slowest
            while not over.is_set():
                started = time.monotonic()
                reply = self.server.request("GET", "/health")
                slowest = max(slowest, time.monotonic() - started if reply.status == 200 else 99)
        over = threading.Event()
        asking = threading.Thread(target=ask_health)
        asking.start()
        try:
            result = self.server.execute("""
import json, os, time
started, end = time.monotonic(), time.monotonic() + 3
children = []
for i in range(16):
    pid = os.fork()
    if pid == 0:
        while time.monotonic() < end: pass
        os._exit(0)
    children.append(pid)
for pid in children: os.waitpid(pid, 0)
spent = os.times()
print(json.dumps([spent.children_user + spent.children_system, time.monotonic() - started]))
""", "python", timeout=10)
        finally:
            over.set()
            asking.join()
        cpu_s, wall_s = json.loads(result["stdout"])
        self.assertLess(cpu_s, 0.5 * wall_s * 1.2 + 0.2)
        self.assertGreater(cpu_s, 0.1, "the probe was busy at all")
        self.assertLess(slowest, 1)
        self.check_recovered()


class Slots(harness.ServerTest):
    """Who has slots, and until when."""
    SLOTS = 2
    environment = {"MAX_CONCURRENT_RUNS": str(SLOTS), "MAYFLY_SLOT_WAIT_MS": "15000", "API_KEYS": "S3cret-A:a:100:1000,S3cret-B:b:100:1000"}

    def queue_depth(self):
        return json.loads(self.server.request("GET", "/health").body)["queue_depth"]

    def serving(self):
        """Of the processes that have a request each, what they have open."""
        found = []
        for pid in self.server.processes():
            try:
                with open(f"/proc/{pid}/comm", encoding="ascii") as name:
                    if name.read() == "mayfly\n":
                        found.append([os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")])
            except OSError:  # it has ended
                continue
        return found

    def post(self, path, body, headers=None, source="127.0.0.1", buffer_bytes=None):
        """A request that was sent, its reply not read."""
        connection = socket.socket()
        self.addCleanup(connection.close)
        if buffer_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        connection.bind((source, 0))
        connection.connect(("127.0.0.1", self.server.port))
        data = json.dumps(body).encode()
        fields = {"Host": self.server.host, "Content-Type": "application/json", "Content-Length": len(data), **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        connection.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + data)
        return connection

    def test_clients_that_do_not_read_hold_none(self):
        body = {"tenant_id": "slow", "scope": "s", "code": CONTROL, "language": "python"}
        for events in ({}, {"Accept": "text/event-stream"}):
            slow = [self.post("/execute", body, events, buffer_bytes=4096) for _ in range(2 * self.SLOTS)]
            for connection in slow:
                self.assertTrue(select.select([connection], [], [], harness.DEADLINE_S)[0])
            harness.until(lambda: json.loads(self.server.request("GET", "/metrics").body)["metrics"]["slots"]["running"] == 0, "no slot taken")
            self.assertGreaterEqual(len(self.serving()), len(slow), "they all are still there")
            started = time.monotonic()
            self.assertEqual(self.server.execute("echo yes")["stdout"], "yes\n")
            self.assertLess(time.monotonic() - started, 10)
            for connection in slow:
                connection.close()

    def test_who_fills_the_queue_leaves_others_their_share(self):
        run = {"sessionId": "s", "language": "bash"}
        tenant = {"scope": "s", "language": "bash"}
        callers = {  # two of each kind: path, body, headers, source address
            "keys": ("/run", [run] * 2, [{"Authorization": "Bearer S3cret-" + name} for name in "AB"], ["127.0.0.1"] * 2),
            "tenants": ("/execute", [{**tenant, "tenant_id": name} for name in "AB"], [{}] * 2, ["127.0.0.1"] * 2),
            "addresses": ("/run", [run] * 2, [{}] * 2, ["127.0.0.2", "127.0.0.3"]),
        }
        for kind, (path, bodies, headers, sources) in callers.items():
            with self.subTest(kind):
                many = [self.post(path, {**bodies[0], "code": "sleep 1.5"}, headers[0], sources[0]) for _ in range(4 * self.SLOTS)]
                harness.until(lambda waiting=len(many) - self.SLOTS: self.queue_depth() == waiting, "the others wait")
                for opened in self.serving():
                    self.assertNotIn("anon_inode:inotify", opened)
                one = self.post(path, {**bodies[1], "code": "true"}, headers[1], sources[1])
                answered = http.client.HTTPResponse(one)
                answered.begin()
                before = len(select.select(many, [], [], 0)[0])
                self.assertEqual(answered.status, 200, answered.read())
                self.assertLess(before, 2 * self.SLOTS, "it had its turn with the next slot or the one after it")
                for connection in many:
                    answered = http.client.HTTPResponse(connection)
                    answered.begin()
                    self.assertEqual(answered.status, 200, "and all have theirs in the end")


if __name__ == "__main__":
    harness.main()
