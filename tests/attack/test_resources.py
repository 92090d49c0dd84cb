"""Row A of tests/attack/README.md: resources. Each test is an attack of its own, beside a neighbour that must not notice."""
import http.client
import json
import os
import threading

import attack
import harness

MEMORY = 512 * 1024 * 1024
STREAM_CAP = 10 * 1024 * 1024


class Processes(attack.AttackTest):
    def test_fork_bomb_is_stopped_at_the_pids_limit(self):
        found = self.probe("""
import errno, json, os, signal, time
children = []
try:
    while True:
        pid = os.fork()
        if pid == 0:
            signal.pause()
        children.append(pid)
except OSError as error:
    print(json.dumps([len(children), errno.errorcode[error.errno]]))
""")
        self.assertEqual(found[1], "EAGAIN")
        self.assertTrue(100 < found[0] < 128, found)

    def test_thread_bomb_is_stopped_at_the_pids_limit(self):
        found = self.probe("""
import json, os, threading
count, stop = 0, threading.Event()
try:
    while True:
        threading.Thread(target=stop.wait, daemon=True).start()
        count += 1
except RuntimeError:
    print(json.dumps(count), flush=True)
    os._exit(0)
""")
        self.assertTrue(100 < found < 128, found)

    def test_classic_fork_bomb_ends_by_exit(self):
        result = self.attack("b() { b | b & }; b", "bash", timeout=3)
        self.assertIn(result["exitCode"], (0, -1, 1, 254))

    def test_fork_bomb_that_never_gives_up_ends_by_time_out(self):
        result = self.attack("""
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
""", timeout=2)
        self.assertEqual(result["exitCode"], -1)
        self.assertRegex(result["stderr"], r"Execution timed out after [2-6]\.\d\ds \(timeout was set to 2s\)\n$")

    def test_zombies_do_not_delay_the_reply(self):
        result = self.attack("""
import os
for i in range(100):
    if os.fork() == 0:
        os._exit(0)
print("made")
""", timeout=60)
        self.assertEqual((result["exitCode"], result["stdout"]), (0, "made\n"))
        self.assertLess(result["took_s"], attack.PROMPT_S)

    def test_double_fork_does_not_delay_the_reply(self):
        result = self.attack("( ( sleep 1000 & ) & ) ; echo now", "bash", timeout=60)
        self.assertEqual((result["exitCode"], result["stdout"]), (0, "now\n"))
        self.assertLess(result["took_s"], attack.PROMPT_S)

    def test_setsid_daemon_that_ignores_signals_does_not_delay_the_reply(self):
        result = self.attack("setsid bash -c 'trap \"\" TERM HUP INT; exec > /dev/null 2>&1; sleep 1000; sleep 1000' & echo now", "bash", timeout=60)
        self.assertEqual((result["exitCode"], result["stdout"]), (0, "now\n"))
        self.assertLess(result["took_s"], attack.PROMPT_S)

    def test_child_that_keeps_stdout_open_does_not_delay_the_reply(self):
        result = self.attack("(trap '' TERM; while :; do echo child; sleep 0.2; done) & sleep 0.5; echo main", "bash", timeout=60)
        self.assertEqual((result["exitCode"], result["stdout"].splitlines()[-1]), (0, "main"))
        self.assertLess(result["took_s"], attack.PROMPT_S)

    def test_child_that_floods_after_the_main_program_ended_is_dead(self):
        result = self.attack("(while :; do echo flood; done) & echo main", "bash", timeout=60)
        self.assertEqual(result["exitCode"], 0)
        self.assertLess(result["took_s"], attack.PROMPT_S)

    def test_kill_9_of_init_does_nothing(self):
        result = self.attack("kill -9 1; kill -STOP 1; kill -TERM 1; sleep 0.2; echo still here", "bash")
        self.assertEqual((result["exitCode"], result["stdout"]), (0, "still here\n"))

    def test_kill_9_of_everything_ends_with_a_status(self):
        result = self.attack("sleep 1000 & kill -9 -1; echo alone; wait", "bash")
        self.assertEqual((result["exitCode"], result["stdout"]), (0, "alone\n"))

    def test_a_child_that_kills_everything_ends_the_job_with_a_status(self):
        result = self.attack("echo before; bash -c 'kill -9 -1'; sleep 1000", "bash")
        self.assertEqual((result["exitCode"], result["stdout"]), (137, "before\n"))

    def test_kill_of_itself_by_each_way_has_the_shells_code(self):
        for number in (6, 9, 11, 15):
            with self.subTest(signal=number):
                self.assertEqual(self.server.execute(f"kill -{number} $$", "bash")["exitCode"], 128 + number)
        self.check_recovered()

    def test_core_dump_is_not_written(self):
        result = self.attack("ulimit -c unlimited 2> /dev/null; ulimit -c; kill -ABRT $$", "bash")
        self.assertEqual((result["exitCode"], result["stdout"]), (134, "0\n"))
        self.assertEqual(set(result["artifacts"]["outputs"]), {"stdout", "stderr"})


class Memory(attack.AttackTest):
    def assert_oom(self, code, timeout=30):
        result = self.attack(code, timeout=timeout)
        self.assertEqual(result["exitCode"], 137, result)
        return result

    def test_memory_bomb_fast_is_oom(self):
        self.assertEqual(self.assert_oom("print('start', flush=True)\nx = b'x' * (2 << 30)")["stdout"], "start\n")

    def test_memory_bomb_slow_is_oom(self):
        result = self.assert_oom("""
x = []
while True:
    x.append(bytearray(b'x' * (4 << 20)))
    print(len(x) * 4, flush=True)
""")
        last = int(result["stdout"].split()[-1])
        self.assertTrue(400 < last <= 512, f"{last} MiB")

    def test_memory_bomb_in_children_is_oom(self):
        self.assert_oom("""
import os, signal, sys
for i in range(8):
    if os.fork() == 0:
        x = b'x' * (200 << 20)
        signal.pause()
failed = sum(os.wait()[1] != 0 for i in range(4))
sys.exit(failed != 0)
""")

    def test_memory_files_are_charged(self):
        self.assert_oom("""
import os
fd = os.memfd_create("x")
block = b'x' * (1 << 20)
for i in range(1024):
    if i % 100 == 0: fd = os.memfd_create("x")
    os.write(fd, block)
""")

    def test_shared_mappings_are_charged(self):
        self.assert_oom("""
import mmap
shared = mmap.mmap(-1, 1 << 30)
for at in range(0, 1 << 30, 4096):
    shared[at] = 1
""")

    def test_system_v_memory_is_charged(self):
        self.assert_oom("""
import ctypes
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
libc.shmat.argtypes = ctypes.c_int, ctypes.c_void_p, ctypes.c_int
segment = libc.shmget(0, ctypes.c_size_t(1 << 30), 0o1600)
assert segment >= 0
ctypes.memset(libc.shmat(segment, None, 0), 1, 1 << 30)
""")

    def test_dev_shm_and_tmpfs_are_charged_to_the_job(self):
        self.assert_oom("""
total = 0
for folder in ('/dev/shm', '/tmp', '/workspace'):
    number = 0
    try:
        while True:
            with open(f'{folder}/{number}', 'wb', buffering=0) as file:
                total += file.write(b'x' * (1 << 20))
            number += 1
    except OSError:
        pass
print(total >> 20, flush=True)
x = b'x' * (300 << 20)
print('not charged')
""")

    def test_there_is_no_swap(self):
        found = self.probe("""
import glob, json
limits = {}
for path in glob.glob('/sys/fs/cgroup/memory*/**/memory.memsw.limit_in_bytes', recursive=True) + glob.glob('/sys/fs/cgroup/memory.swap.max'):
    limits[path.split('/')[-1]] = open(path).read().strip()
print(json.dumps(limits))
""")
        self.assertTrue(found, "neither cgroup v1 nor v2 tells")
        self.assertIn(found, ({"memory.memsw.limit_in_bytes": str(MEMORY)}, {"memory.swap.max": "0"}))

    def test_oom_of_the_largest_leaves_init_to_tell(self):
        result = self.assert_oom("""
import os, time
print('partial output', flush=True)
open('left', 'w').write('kept')
x = bytearray()
while True:
    x += b'x' * (8 << 20)
""")
        self.assertEqual(result["stdout"], "partial output\n")
        self.assertIn("left", result["artifacts"]["outputs"])


class Time(attack.AttackTest):
    def assert_timeout(self, code, language="python", stdout="before\n"):
        result = self.attack(code, language, timeout=1)
        self.assertEqual((result["exitCode"], result.get("stdout")), (-1, stdout))
        self.assertRegex(result["stderr"], r"Execution timed out after [1-5]\.\d\ds \(timeout was set to 1s\)\n$")

    def test_busy_loop_times_out_with_partial_output(self):
        self.assert_timeout("print('before', flush=True)\nwhile True: pass")

    def test_sleep_forever_times_out_with_partial_output(self):
        self.assert_timeout("echo before; sleep infinity", "bash")

    def test_ignored_sigterm_times_out_with_partial_output(self):
        self.assert_timeout("""
import signal, time
for number in range(1, 32):
    if number not in (9, 19):
        signal.signal(number, signal.SIG_IGN)
print('before', flush=True)
while True: time.sleep(1)
""")

    def test_stopped_program_times_out_with_partial_output(self):
        self.assert_timeout("echo before; kill -STOP $$", "bash")

    def test_busy_node_times_out_with_partial_output(self):
        self.assert_timeout("require('fs').writeSync(1, 'before\\n'); for (;;);", "node")


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
            self.assertLessEqual(len(result[stream].encode()), 10 * 1024)

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

    def test_invalid_utf8_becomes_one_mark_each(self):
        result = self.attack("printf '\\xff\\xfea\\xc3('", "bash")
        self.assertEqual(result["stdout"], "\ufffd\ufffda\ufffd(")

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
    def test_every_writable_place_ends_in_enospc_within_the_jobs_memory(self):
        found = self.probe("""
import errno, json, os
found = {}
for folder in sorted({folder for folder, _, _ in os.walk('/') if os.access(folder, os.W_OK) and not folder.startswith('/proc')}):
    size, number, paths = 0, 0, []
    while True:
        path = os.path.join(folder, f'fill{number}')
        number += 1
        try:
            fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
        except OSError as error:
            end = errno.errorcode[error.errno]
            break
        paths.append(path)
        try:
            while True:
                size += os.write(fd, b'x' * (1 << 20))
                if os.fstat(fd).st_size >= 30 << 20: break
            continue
        except OSError as error:
            end = errno.errorcode[error.errno]
            break
        finally:
            os.close(fd)
    for path in paths:
        os.unlink(path)
    found[folder] = [size, end]
print(json.dumps(found))
""", timeout=20)
        limits = {"/workspace": 128 << 20, "/tmp": 100 << 20, "/dev/shm": 64 << 20, "/sys/fs/cgroup": 1 << 20, "/dev/mqueue": 0}
        self.assertEqual({"/workspace", "/tmp", "/dev/shm"} - set(found), set())
        for folder, (size, end) in found.items():
            self.assertIn(folder, limits)
            self.assertLessEqual(size, limits[folder], folder)
            self.assertIn(end, ("ENOSPC", "EMFILE", "EINVAL", "EACCES", "EPERM"), folder)
            if folder != "/dev/mqueue":
                self.assertEqual(end, "ENOSPC", folder)

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

    def test_a_million_empty_files_stop_at_the_caps(self):
        result = self.attack("""
import os
for number in range(1000000):
    os.close(os.open(f'{number}', os.O_CREAT | os.O_WRONLY))
""", timeout=6)
        self.assertIn(result["exitCode"], (-1, 137, 0))
        self.assertEqual(len(result["artifacts"]["outputs"]), 256 + 2)

    def test_a_sparse_terabyte_is_refused_and_big_sparse_files_are_skipped(self):
        result = self.attack("""
import errno
def sparse(name, size):
    with open(name, 'wb') as file:
        try:
            file.truncate(size)
        except OSError as error:
            return errno.errorcode[error.errno]
    return 'done'
print(sparse('huge', 1 << 40), sparse('large', 127 << 20), [sparse(f'many{i}', 31 << 20) for i in range(50)].count('done'))
""")
        self.assertEqual((result["exitCode"], result["stdout"]), (0, "EFBIG done 50\n"))
        outputs = set(result["artifacts"]["outputs"]) - {"stdout", "stderr", "huge"}
        self.assertNotIn("large", outputs)
        self.assertTrue(1 <= len(outputs) <= 3, "100 MiB together")

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

    def test_100_000_folders_beside_each_other_stop_at_the_scan_cap(self):
        result = self.attack("""
import os
for number in range(100000):
    os.mkdir(str(number))
""", timeout=10)
        self.assertIn(result["exitCode"], (0, -1, 137))
        self.assertEqual(set(result["artifacts"]["outputs"]), {"stdout", "stderr"})


class Exhaustion(attack.AttackTest):
    def test_descriptors_are_limited_and_freed(self):
        found = self.probe("""
import errno, json, os
fds = []
try:
    while True: fds.append(os.open('/dev/null', os.O_RDONLY))
except OSError as error:
    end = errno.errorcode[error.errno]
for fd in fds: os.close(fd)
print(json.dumps([len(fds), end]))
""")
        self.assertEqual(found[1], "EMFILE")
        self.assertLess(found[0], 1024)

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

    def test_mappings_are_limited(self):
        found = self.probe("""
import ctypes, json, os
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long
count = 0
while libc.mmap(None, 4096, count % 2, 0x22, -1, 0) != ctypes.c_void_p(-1).value and count < 1000000: count += 1
os.write(1, json.dumps([count, ctypes.get_errno()]).encode())
os._exit(0)
""")
        self.assertTrue(found[0] < 1000000 and found[1] == 12, found)

    def test_locked_memory_is_limited(self):
        found = self.probe("""
import ctypes, json, mmap
libc = ctypes.CDLL(None, use_errno=True)
memory = mmap.mmap(-1, 256 << 20)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
locked = libc.mlock(ctypes.c_void_p(address), ctypes.c_size_t(256 << 20))
print(json.dumps([locked, ctypes.get_errno(), libc.mlockall(7)]))
""")
        self.assertEqual(found[0], -1)
        self.assertIn(found[1], (1, 11, 12))

    def test_ipc_objects_are_the_jobs_own_and_persist_nowhere(self):
        found = self.probe("""
import ctypes, json, os
libc = ctypes.CDLL(None, use_errno=True)
counts = []
for make in (lambda: libc.shmget(0, 4096, 0o1666), lambda: libc.semget(0, 100, 0o1666), lambda: libc.msgget(0, 0o1666)):
    count = 0
    while make() >= 0 and count < 100000: count += 1
    counts.append(count)
ctypes.set_errno(0)
queue = libc.mq_open(b'/attack', 0o102, 0o600, None)
print(json.dumps([counts, queue, ctypes.get_errno()]))
""", timeout=20)
        self.assertGreater(sum(found[0]), 100, "it could make some")
        self.assertEqual(found[1], -1, "message queues have no room")
        after = self.probe("""
import json, os
print(json.dumps([len(open('/proc/sysvipc/' + kind).read().splitlines()) for kind in ('shm', 'sem', 'msg')] + [os.listdir('/dev/mqueue')]))
""")
        self.assertEqual(after, [1, 1, 1, []])

    def test_timers_signals_and_locks_persist_nowhere(self):
        result = self.attack("""
import fcntl, os, signal, ctypes
libc = ctypes.CDLL(None)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGRTMIN})
sent = 0
try:
    while sent < 200000:
        value = ctypes.c_void_p(1)
        if libc.sigqueue(os.getpid(), int(signal.SIGRTMIN), value) != 0: break
        sent += 1
except OSError:
    pass
with open('locked', 'w') as file:
    for at in range(0, 20000, 2): fcntl.lockf(file, fcntl.LOCK_EX, 1, at)
print('done')
""", timeout=15)
        self.assertEqual((result["exitCode"], result["stdout"]), (0, "done\n"))

    def test_terminals_are_given_back(self):
        def terminals():
            with open("/proc/sys/kernel/pty/nr", encoding="ascii") as file:
                return int(file.read())
        before = terminals()
        result = self.attack("""
import os, time
for i in range(30):
    if os.fork() == 0:
        try:
            while True: os.open('/dev/ptmx', os.O_RDWR | os.O_NOCTTY)
        except OSError:
            time.sleep(60)
time.sleep(1)
print('full')
""")
        self.assertEqual(result["exitCode"], 0)
        harness.until(lambda: terminals() <= before + 50, "terminals given back")

    def test_deep_recursion_and_regular_expressions_are_only_the_jobs(self):
        result = self.attack("import re\nprint('before', flush=True)\nre.match('(a+)+$', 'a' * 40 + 'b')", timeout=1)
        self.assertEqual((result["exitCode"], result["stdout"]), (-1, "before\n"))
        result = self.attack("import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()", timeout=5)
        self.assertIn(result["exitCode"], (139, 137, 1, 134))


if __name__ == "__main__":
    harness.main()
