"""hostile.md, A: what a job may take of the processors, and what is left to others meanwhile. Times are looked at, so tests/run gives it the machine alone."""
import json
import threading
import time

import attack
import harness


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


if __name__ == "__main__":
    harness.main()
