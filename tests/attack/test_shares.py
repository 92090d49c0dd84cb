"""Rows A and L of README.md: what a job may take of the processors and of what the kernel counts, and what is left to others meanwhile. Times are
looked at, so tests/run gives it the machine alone."""
import http.client
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time

import attack
import harness

CONTROL = "print(chr(1) * 1000000)"  # six bytes each in a reply, and twice

# Takes MOST of each, or as many as there are, and says how many it had. MOST and WAIT are set before it.
TAKE = """
import ctypes, fcntl, json, os, signal, socket, time
libc = ctypes.CDLL(None, use_errno=True)
def positive(function, *arguments):
    if function(*arguments) < 0: raise OSError(ctypes.get_errno(), 'refused')
def pipe():
    ends = os.pipe()
    if fcntl.fcntl(ends[1], 1031, 1 << 20) != 1 << 20: raise OSError('smaller')  # F_SETPIPE_SZ
    return ends
def flight():
    pair = socket.socketpair()
    pair[0].setblocking(False)
    socket.send_fds(pair[0], [b'x'], [1])
    return pair
def child():
    pid = os.fork()
    if pid == 0:
        time.sleep(WAIT)
        os._exit(0)
    children.append(pid)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
kept, said, children = [], {}, []
for name, most, take in (('inotify', 100, lambda: positive(libc.inotify_init1, 0)), ('signals', 200, lambda: positive(libc.sigqueue, os.getpid(), signal.SIGRTMIN, None)),
                         ('timers', 200, lambda: positive(libc.timer_create, 1, None, ctypes.byref(ctypes.c_void_p()))), ('pipes', 20, pipe), ('flight', 100, flight),
                         ('processes', 20, child)):
    count = 0
    try:
        while count < (most if MOST else 5000):
            kept.append(take())
            count += 1
    except OSError:
        pass
    said[name] = count
os.write(1, json.dumps(said).encode())
time.sleep(WAIT)
for pid in children: os.waitpid(pid, 0)
"""
# the interpreter and its modules may be root's alone
AS_NOBODY = "import ctypes, fcntl, json, os, signal, socket, time\nos.setgroups([])\nos.setgid(65534)\nos.setuid(65534)\n"
OOM_LOOP = """
import os, signal
if os.fork() == 0:
    while True:
        if os.fork() == 0:
            taken = bytearray(4 << 30)
            for at in range(0, len(taken), 4096): taken[at] = 1
        os.wait()
        with open('kills', 'a') as file: file.write('x')
"""
ENOUGH = {"inotify": 100, "signals": 200, "timers": 200, "pipes": 20, "flight": 100, "processes": 20}


def taking(most, wait):
    return f"MOST, WAIT = {most}, {wait}\n{TAKE}"


def processes_of(user):
    count = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            count += os.stat("/proc/" + pid).st_uid == user
        except OSError:
            continue
    return count


class Shares(attack.AttackTest):
    def hog(self, replies):
        replies.append(self.server.execute("import os\nos.write(2, str(os.getuid()).encode())\n" + taking(False, 60), "python", timeout=12))

    def test_a_container_that_takes_all_takes_it_from_no_other_and_not_from_the_host(self):
        before = set(self.users())
        replies = []
        hog = threading.Thread(target=self.hog, args=(replies,))
        hog.start()
        try:
            user = harness.until(lambda: next((user for user in self.users() if user not in before and processes_of(user) > 100), None), "all is taken")
            other = self.server.execute("import os\nos.write(2, str(os.getuid()).encode())\n" + taking(True, 0), "python", timeout=10)
            host = subprocess.run([sys.executable, "-c", AS_NOBODY + taking(True, 0)], stdout=subprocess.PIPE, check=True)
            self.assertGreater(processes_of(user), 100, "it holds all meanwhile")
        finally:
            hog.join()
        self.assertEqual((other["exitCode"], json.loads(other["stdout"])), (0, ENOUGH))
        self.assertNotEqual(other["stderr"], str(user))
        self.assertEqual(json.loads(host.stdout), ENOUGH)
        taken = json.loads(replies[0]["stdout"])
        for name, most in (("inotify", 1024), ("signals", 1024), ("timers", 1024), ("pipes", 512), ("flight", 1024), ("processes", 128)):
            self.assertLessEqual(taken[name], most, (name, taken))  # signals and timers are counted together
        self.check_recovered()

    def test_what_a_session_leaves_running_is_killed_no_oftener_than_a_job_for_want_of_memory(self):
        def post(path, body):
            return json.loads(self.server.request("POST", "/session/" + path, {**body, "tenant_id": "t", "scope": "s"}, timeout=60).body)
        before = self.users()
        session = {"session_id": post("create", {"template": "minimal"})["session_id"]}
        user = (self.users() - before).pop()
        try:
            post("execute", {**session, "code": OOM_LOOP})
            harness.until(lambda: processes_of(user) == 1, "init alone is left")
            kills = len(post("execute", {**session, "code": "print(open('kills').read())"})["stdout"].strip())
        finally:
            post("destroy", session)
        self.assertTrue(2 <= kills <= 30, kills)
        self.check_recovered()

    def users(self):
        """The ids of this server's containers that run."""
        with_user = (self.server.podman.inspect(container["Id"]) for container in self.server.podman.containers(self.server.instance))
        return {int(found["Config"]["User"].split(":")[0]) for found in with_user if found["State"]["Running"]}

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
