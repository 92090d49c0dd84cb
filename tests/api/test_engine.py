"""mayfly-engine by its verbs: against real Podman, and against engines that misbehave.

Rules:
 1. What a container may do is asked of the container itself, through mayfly-init, not of the engine's description.
 2. A fake engine speaks HTTP over a Unix socket like a real one but for the one thing that a test changes.
"""
import concurrent.futures
import contextlib
import fcntl
import http.server
import json
import os
import re
import shutil
import signal
import socket
import socketserver
import struct
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

import harness

ENGINE = os.path.join(harness.BUILD, "mayfly-engine")
INIT = os.path.join(harness.BUILD, "mayfly-init")
WORKER = os.path.join(harness.ROOT, "worker")
MAKE = [("template", "tool"), ("lifetime_s", 60)]
# with cgroup v1 the runtime puts a tmpfs of its own there: crun of 1 MiB and mode 1777, runc of mode 755, which only root may write to
NOT_OURS = set() if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else {"/sys/fs/cgroup"}


def send(connection, kind, fields=(), payload=None):
    if payload is None:
        payload = b"".join(f"{key}={value}".encode() + b"\0" for key, value in fields)
    connection.sendall(kind + struct.pack(">I", len(payload)) + payload)


def receive(connection):
    """(type, payload) of the next frame; (None, b"") at the end."""
    def exactly(count):
        data = b""
        while len(data) < count:
            piece = connection.recv(count - len(data))
            if not piece:
                return None
            data += piece
        return data

    head = exactly(5)
    if head is None:
        return None, b""
    return head[:1], exactly(struct.unpack(">I", head[1:])[0])


def fields_of(payload):
    return dict(field.split("=", 1) for field in payload.decode().split("\0") if field)


class Place:
    """An installation of its own: run folder, registry, programs; and the environment that says so."""

    def __init__(self, **environment):
        self.folder = tempfile.mkdtemp(prefix="mfe-")
        self.instance = "t-" + os.urandom(6).hex()
        self.run = os.path.join(self.folder, "run")
        self.jobs = os.path.join(self.run, "jobs")
        self.data = os.path.join(self.folder, "data")
        os.makedirs(os.path.join(self.data, "templates.d"))
        for name in ("seccomp.json", "hosts", "resolv.conf"):
            shutil.copy(os.path.join(WORKER, name), self.data)
        shutil.copy(os.path.join(WORKER, "templates.d/tool.json"), os.path.join(self.data, "templates.d"))
        self.environment = {
            "PATH": "/usr/bin:/bin", "HOME": self.folder, "MAYFLY_RUN_DIR": self.run, "MAYFLY_DATA_DIR": self.data,
            "MAYFLY_CONFIG_DIR": os.path.join(self.folder, "config"), "MAYFLY_INSTANCE": self.instance,
            "MAYFLY_LIBEXEC_DIR": harness.BUILD, **environment}
        for name in os.environ:  # sanitizers are steered by these
            if name.endswith("SAN_OPTIONS"):
                self.environment[name] = os.environ[name]

    def template(self, name, **fields):
        with open(os.path.join(self.data, "templates.d", name + ".json"), "w") as file:
            json.dump({"image": harness.IMAGE, **fields}, file, indent=1)

    def folders(self):
        return os.listdir(self.jobs) if os.path.isdir(self.jobs) else []

    def users(self):
        folder = os.path.join(self.run, "users")
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def close(self):
        shutil.rmtree(self.folder)


class Engine:
    """One mayfly-engine with one connection."""

    def __init__(self, place, **environment):
        self.connection, end = socket.socketpair()
        self.connection.settimeout(harness.DEADLINE_S)
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen([ENGINE], stdin=end, stdout=subprocess.DEVNULL, stderr=self.log,
                                        env={**place.environment, **environment})
        end.close()

    def call(self, kind, fields=()):
        """The answers' fields by type: OK and ERROR as they are, rows as a list."""
        send(self.connection, kind, fields)
        rows = []
        while True:
            kind, payload = receive(self.connection)
            assert kind in (b"w", b"k", b"e"), (kind, payload, self.logs())
            if kind == b"w":
                rows.append(fields_of(payload))
                continue
            return {"k": "ok", "e": "error"}[kind.decode()], fields_of(payload), rows

    def make(self, fields=MAKE):
        outcome, answer, _ = self.call(b"m", fields)
        assert outcome == "ok", (answer, self.logs())
        return answer

    def refusal(self, kind=b"m", fields=MAKE):
        outcome, answer, _ = self.call(kind, fields)
        assert outcome == "error", answer
        return int(answer["status"]), answer["code"], answer["message"]

    def logs(self):
        self.log.seek(0)
        return self.log.read().decode()

    def hang_up(self):
        """Waits until the engine has cleaned up; its exit status."""
        self.connection.shutdown(socket.SHUT_WR)
        while self.connection.recv(4096):
            pass
        self.connection.close()
        return self.process.wait(harness.DEADLINE_S)

    def close(self):
        self.connection.close()
        if self.process.poll() is None:
            self.process.wait(harness.DEADLINE_S)
        self.log.close()


class EngineTest(unittest.TestCase):
    def place(self, **environment):
        place = Place(**environment)
        self.addCleanup(place.close)
        return place

    def engine(self, place, **environment):
        engine = Engine(place, **environment)
        self.addCleanup(engine.close)
        return engine


class RealTest(EngineTest):
    """Against Podman. Each test has an installation of its own, and leaves no container and no folder."""

    def setUp(self):
        self.podman = harness.Podman()
        self.here = self.place(DOCKER_SOCKET_PATH=self.podman.socket)
        self.addCleanup(self.check_nothing_left)

    def check_nothing_left(self):
        left = self.podman.containers(self.here.instance)
        for container in left:
            self.podman.remove(container["Id"])
        self.assertEqual([c["Names"] for c in left], [])
        self.assertEqual(self.here.folders(), [])

    def run_inside(self, answer, script):
        """Has mayfly-init run a script; its standard output."""
        job = [("argv", "/bin/bash"), ("argv", "-c"), ("argv", script), ("env", "PATH=/usr/bin:/bin"), ("cwd", "/workspace"),
               ("wall_ms", 20000), ("cpu_ms", 0), ("stream_bytes", 1 << 20), ("artifact_count", 0), ("artifact_bytes", 0),
               ("artifacts_bytes", 0)]
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(harness.DEADLINE_S)
            control.connect(os.path.join(self.here.jobs, answer["folder"], "control"))
            send(control, b"J", job)
            send(control, b"G")
            output = b""
            while True:
                kind, payload = receive(control)
                self.assertIsNotNone(kind, output)
                if kind == b"O":
                    output += payload
                if kind == b"Z":
                    return output.decode()

    def inspect(self, answer):
        status, container = self.podman.call("GET", f"/v1.41/containers/{answer['id']}/json")
        self.assertEqual(status, 200)
        return container


class Verbs(RealTest):
    def test_ping_tells_engine_and_version(self):
        outcome, answer, _ = self.engine(self.here).call(b"p")
        self.assertEqual((outcome, answer["engine"]), ("ok", harness.ENGINE))
        self.assertRegex(answer["version"], r"^\d+\.\d+")

    def test_describe_tells_what_a_doctor_asks(self):
        engine = self.engine(self.here)
        outcome, answer, _ = engine.call(b"d", [("template", "tool")])
        self.assertEqual((outcome, answer["engine"], answer["socket"]), ("ok", "podman", self.podman.socket))
        self.assertEqual([answer[limit] for limit in ("memory", "pids", "cpu")], ["1", "1", "1"])
        self.assertIn(answer["cgroup"], ("1", "2"))
        self.assertEqual(answer["image"], harness.IMAGE)
        self.assertRegex(answer["image_id"], "^(sha256:)?[0-9a-f]{64}$")
        self.here.template("gone", image="mayfly-is-not-there:latest")
        self.assertEqual(engine.call(b"d", [("template", "gone")])[1]["image_id"], "")
        self.assertEqual(engine.refusal(b"d", [("template", "nobody")])[1], "not_found")
        self.assertEqual(engine.refusal(b"d", [("template", "tool"), ("more", "1")])[1], "bad_request")
        self.assertEqual(engine.hang_up(), 0)

    def test_make_answers_when_init_listens_and_the_folder_is_sealed(self):
        engine = self.engine(self.here)
        answer = engine.make()
        folder = os.path.join(self.here.jobs, answer["folder"])
        self.assertRegex(answer["folder"], r"^c-[0-9a-f]{24}$")
        self.assertEqual(os.listdir(folder), ["control"])
        self.assertEqual(os.stat(folder).st_mode & 0o7777, 0o555)
        self.assertEqual(os.stat(self.here.jobs).st_mode & 0o7777, 0o700)
        self.assertEqual(self.run_inside(answer, "echo here"), "here\n")
        self.assertEqual(engine.hang_up(), 0)

    def test_an_existing_jobs_folder_keeps_its_mode(self):
        os.makedirs(self.here.jobs)
        os.chmod(self.here.jobs, 0o770)
        engine = self.engine(self.here)
        engine.make()
        self.assertEqual(engine.hang_up(), 0)
        self.assertEqual(os.stat(self.here.jobs).st_mode & 0o7777, 0o770)

    def test_a_jobs_folder_open_to_others_is_refused(self):
        os.makedirs(self.here.jobs)
        os.chmod(self.here.jobs, 0o755)
        self.assertEqual(self.engine(self.here).refusal()[:2], (500, "bad_configuration"))

    def test_hang_up_removes_a_container_in_use(self):
        engine = self.engine(self.here)
        answer = engine.make()
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(os.path.join(self.here.jobs, answer["folder"], "control"))
            self.assertEqual(engine.hang_up(), 0)
        self.check_nothing_left()

    def test_remove_of_the_own_container_then_another(self):
        engine = self.engine(self.here)
        first = engine.make()
        self.assertEqual(engine.call(b"r", [("folder", first["folder"])])[0], "ok")
        self.check_nothing_left()
        second = engine.make()
        self.assertNotEqual(first["folder"], second["folder"])
        self.assertEqual(engine.hang_up(), 0)

    def test_sigterm_takes_the_container_back(self):
        engine = self.engine(self.here)
        engine.make()
        engine.process.send_signal(signal.SIGTERM)
        self.assertEqual(engine.process.wait(harness.DEADLINE_S), 0)
        self.check_nothing_left()

    def test_kill_9_leaves_what_list_and_remove_then_find(self):
        engine, reaper = self.engine(self.here), self.engine(self.here)
        answer = engine.make(MAKE + [("job", "run_1-a")])
        row = {"folder": answer["folder"], "id": answer["id"], "template": "tool", "job": "run_1-a", "expired": "0"}
        self.assertEqual(reaper.call(b"l")[2], [row])
        engine.process.kill()
        engine.process.wait()
        self.assertEqual(reaper.call(b"l")[2], [row], "it runs, and its deadline has not passed")
        with socket.socket(socket.AF_UNIX) as control:  # init ends when who came to it goes
            control.connect(os.path.join(self.here.jobs, answer["folder"], "control"))
        harness.until(lambda: reaper.call(b"l")[2] == [{**row, "expired": "1"}], "the row expired")
        self.assertEqual(reaper.call(b"r", [("folder", answer["folder"])])[0], "ok")
        self.assertEqual(reaper.call(b"l")[2], [])

    def test_kill_9_at_any_moment_leaves_nothing_that_is_not_found(self):
        killed = []
        for delay_ms in range(0, 100, 7):
            engine = self.engine(self.here)
            send(engine.connection, b"m", [("template", "tool"), ("lifetime_s", 2)])
            time.sleep(delay_ms / 1000)  # the moment is what is tried
            engine.process.kill()
            killed.append(engine.process.wait())
        self.assertEqual(set(killed), {-signal.SIGKILL})
        reaper = self.engine(self.here)

        def reaped():
            rows = reaper.call(b"l")[2]
            for row in rows:
                if row["expired"] == "1":
                    self.assertEqual(reaper.call(b"r", [("folder", row["folder"])])[0], "ok")
            return not rows and not self.here.folders() and not os.listdir(os.path.join(self.here.run, "making")) and not self.here.users()

        harness.until(reaped, "everything reaped")

    def test_remove_of_a_running_container_of_another_connection(self):
        engine, other = self.engine(self.here), self.engine(self.here)
        answer = engine.make()
        self.assertEqual(other.call(b"r", [("folder", answer["folder"])])[0], "ok")
        self.check_nothing_left()
        self.assertEqual(engine.hang_up(), 0)

    def test_an_abandoned_folder_is_a_row_at_once_and_one_with_an_owner_never(self):
        engine = self.engine(self.here)
        self.assertEqual(engine.call(b"l")[2], [])
        for place in ("making", "jobs"):
            with self.subTest(place=place):
                name = "c-" + os.urandom(12).hex()
                folder = os.path.join(self.here.run, place, name)
                os.mkdir(folder)
                owner = os.open(folder, os.O_RDONLY)
                fcntl.flock(owner, fcntl.LOCK_EX)
                os.utime(folder, (1, 1))
                self.assertEqual(engine.call(b"l")[2], [], "whatever the clock says")
                os.close(owner)
                os.utime(folder)
                self.assertEqual(engine.call(b"l")[2], [{"folder": name, "id": "", "template": "", "job": "", "expired": "1"}])
                self.assertEqual(engine.call(b"r", [("folder", name)])[0], "ok")
                self.assertEqual(os.listdir(os.path.join(self.here.run, place)), [])

    def test_each_container_has_a_user_of_its_own(self):
        engines = [self.engine(self.here) for _ in range(3)]
        answers = [engine.make() for engine in engines]
        ids = [self.run_inside(answer, "id -u").strip() for answer in answers]
        self.assertEqual(len(set(ids)), 3, ids)
        self.assertEqual(self.here.users(), sorted(name for uid in ids for name in (uid, uid + ".group")))
        for place in ("users", "making"):
            self.assertEqual(os.stat(os.path.join(self.here.run, place)).st_mode & 0o777, 0o700)
        self.assertEqual([engine.hang_up() for engine in engines], [0] * 3)
        self.assertEqual(self.here.users(), [])

    def test_a_user_id_has_a_name_and_a_home(self):
        self.here.template("named", user="user", workdir="/work")
        engine = self.engine(self.here)
        answer = engine.make([("template", "named"), ("lifetime_s", 60)])
        uid = self.here.users()[0]
        cases = {
            "whoami; id -un; id -gn; groups": "user\nuser\nuser\nuser\n",
            "id": f"uid={uid}(user) gid={uid}(user) groups={uid}(user)\n",
            "unset HOME; echo ~user; getent passwd $(id -u) | cut -d: -f1,3,4,6,7": f"/work\nuser:{uid}:{uid}:/work:/bin/bash\n",
            "python3 -c 'import os, pwd, grp; print(pwd.getpwuid(os.getuid()).pw_dir, grp.getgrgid(os.getgid()).gr_name)'": "/work user\n",
            "stat -c %U:%G /work; stat -c %U /usr /etc/passwd": "user:user\nroot\nroot\n",
            "(echo x >> /etc/passwd) 2>&1 | grep -o denied": "denied\n",
            "cut -d: -f1 /etc/passwd | sort; cut -d: -f1 /etc/group | sort": "nobody\nroot\nuser\nnogroup\nroot\ntty\nuser\n",
        }
        printed = self.run_inside(answer, "echo ----\n".join(f"( {script}; )\n" for script in cases)).split("----\n")
        self.assertEqual(dict(zip(cases, printed)), cases)
        self.assertEqual(engine.hang_up(), 0)

    def test_a_claim_alone_is_a_row(self):
        engine = self.engine(self.here)
        self.assertEqual(engine.call(b"l")[2], [])
        name, claim = "c-" + "1" * 24, os.path.join(self.here.run, "users/70001")
        for path in (claim, claim + ".group", os.path.join(self.here.run, "users", name)):
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"runner:x:70001:70001:runner,mayfly {name}:/workspace:/bin/bash\n")
        self.assertEqual(engine.call(b"l")[2], [{"folder": name, "id": "", "template": "", "job": "", "expired": "1"}])
        self.assertEqual(engine.call(b"r", [("folder", name)])[0], "ok")
        self.assertEqual(self.here.users(), [])

    def test_a_range_that_is_used_up_is_said(self):
        os.makedirs(os.path.join(self.here.run, "users"), mode=0o700)
        for uid in range(80000, 80064):
            with open(os.path.join(self.here.run, "users", str(uid)), "w", encoding="utf-8"):
                pass
        engine = self.engine(self.here, MAYFLY_UIDS="80000-80063")
        self.assertEqual(engine.refusal(), (500, "bad_configuration",
                                            "Each user id from 80000 to 80063 belongs to a container: give a wider range, MAYFLY_UIDS"))
        os.unlink(os.path.join(self.here.run, "users/80031"))
        self.assertEqual(self.run_inside(engine.make(), "id -u"), "80031\n")
        self.assertEqual(engine.hang_up(), 0)

    def test_another_installation_is_not_touched(self):
        engine = self.engine(self.here)
        answer = engine.make()
        for change in ({"MAYFLY_INSTANCE": self.here.instance + "-x"}, {"MAYFLY_RUN_DIR": self.here.folder + "/other"}):
            with self.subTest(change):
                stranger = self.engine(self.here, **change)
                self.assertEqual(stranger.call(b"l")[2], [])
        stranger = self.engine(self.here, MAYFLY_RUN_DIR=self.here.folder + "/other")
        self.assertEqual(stranger.call(b"r", [("folder", answer["folder"])])[0], "ok")
        self.assertEqual(self.run_inside(answer, "echo alive"), "alive\n")
        self.assertEqual(engine.hang_up(), 0)

    def test_containers_at_the_same_time(self):
        engines = [self.engine(self.here) for _ in range(4)]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(Engine.make, engines))
        self.assertEqual(len({answer["folder"] for answer in answers}), 4)
        self.assertEqual(len(engines[0].call(b"l")[2]), 4)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            self.assertEqual(list(pool.map(Engine.hang_up, engines)), [0] * 4)

    def test_bad_requests(self):
        for kind, fields in [
                (b"m", []), (b"m", [("template", "tool")]), (b"m", [("lifetime_s", 1)]), (b"m", MAKE + [("privileged", 1)]),
                (b"m", MAKE + [("memory_mb", -1)]), (b"m", MAKE + [("pids", 0)]), (b"m", MAKE + [("cpu_percent", "1e3")]),
                (b"m", MAKE + [("job", "a b")]), (b"m", MAKE + [("job", "a\nb")]), (b"m", MAKE + [("job", "x" * 64)]),
                (b"r", []), (b"r", [("folder", "..")]), (b"r", [("folder", "c-0/../../..")]), (b"r", [("id", "x")])]:
            with self.subTest(kind=kind, fields=fields):
                self.assertEqual(self.engine(self.here).refusal(kind, fields)[:2], (400, "bad_request"))

    def test_a_second_make_is_refused_and_the_first_stays(self):
        engine = self.engine(self.here)
        answer = engine.make()
        self.assertEqual(engine.refusal()[:2], (400, "bad_request"))
        self.assertEqual(self.run_inside(answer, "echo alive"), "alive\n")
        self.assertEqual(engine.hang_up(), 0)

    def test_a_frame_that_is_no_verb_ends_the_connection(self):
        for frame in (b"G\0\0\0\0", b"?\0\0\0\0", b"m\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n"):
            with self.subTest(frame):
                engine = self.engine(self.here)
                engine.connection.sendall(frame)
                kind, _ = receive(engine.connection)
                self.assertIn(kind, (b"e", None))
                self.assertEqual(engine.connection.recv(1), b"")
                self.assertEqual(engine.process.wait(harness.DEADLINE_S), 0)

    def test_arguments_and_what_is_no_socket_are_refused(self):
        for arguments, stdin in ((["--privileged"], socket.socket(socket.AF_UNIX)), ([], open("/dev/null"))):
            with stdin:
                done = subprocess.run([ENGINE, *arguments], stdin=stdin, stderr=subprocess.PIPE, check=False)
                self.assertEqual(done.returncode, 2)
                self.assertIn(b"takes no arguments", done.stderr)

    def test_a_connection_passed_by_systemd(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            code = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = str(os.getpid()); os.execv(sys.argv[2], sys.argv[2:])"
            process = subprocess.Popen(["/usr/bin/python3", "-c", code, str(theirs.fileno()), ENGINE], stdin=subprocess.DEVNULL,
                                       pass_fds=[theirs.fileno()], env={**self.here.environment, "LISTEN_FDS": "1"})
            theirs.close()
            send(ours, b"p")
            self.assertEqual(receive(ours)[0], b"k")
            ours.shutdown(socket.SHUT_WR)
            self.assertEqual(process.wait(harness.DEADLINE_S), 0)


class Isolation(RealTest):
    def setUp(self):
        super().setUp()
        self.one = self.engine(self.here)
        self.answer = self.one.make()
        self.addCleanup(lambda: self.assertEqual(self.one.hang_up(), 0))

    def test_identity_and_privileges(self):
        status = dict(re.findall(r"^(\w+):\s*(.*)$", self.run_inside(self.answer, "cat /proc/self/status"), re.M))
        uid = status["Uid"].split()[0]
        self.assertIn(int(uid), harness.USER_IDS)
        self.assertEqual(status["Uid"].split(), [uid] * 4)
        self.assertEqual(status["Gid"].split(), [uid] * 4)
        self.assertEqual(status["Groups"].split(), [uid] if status["Groups"] else [])
        for capability_set in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[capability_set], 16), 0, capability_set)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))

    def test_namespaces_hostname_and_network(self):
        script = "hostname; for n in cgroup ipc mnt net pid uts; do readlink /proc/self/ns/$n; done; cat /proc/net/dev"
        lines = self.run_inside(self.answer, script).splitlines()
        self.assertEqual(lines[0], "sandbox")
        for line in lines[1:7]:
            name = line.split(":")[0]
            if name != "cgroup" or harness.ENGINE == "docker":  # cgroup v1 has no private one in Podman
                self.assertNotEqual(line, os.readlink(f"/proc/self/ns/{name}"))
        self.assertEqual([line.split(":")[0].strip() for line in lines[7:] if ":" in line], ["lo"])

    def test_nothing_writable_but_tmpfs_of_a_size(self):
        writable = {}
        for line in self.run_inside(self.answer, "cat /proc/self/mountinfo").splitlines():
            left, right = line.split(" - ")
            place, options = left.split()[4], left.split()[5].split(",")
            kind, _, super_options = right.split()[:3]
            if "rw" in options and "rw" in super_options.split(","):
                writable[place] = (kind, set(options), super_options)
        pseudo = {"/proc": "proc", "/dev/pts": "devpts", "/dev/mqueue": "mqueue"}
        for place, (kind, _, super_options) in writable.items():
            if place == "/run/mayfly":
                continue  # the control folder, sealed: the only one of the host's
            self.assertEqual(kind, pseudo.get(place, "tmpfs"), place)
            if kind == "tmpfs" and place not in NOT_OURS:
                self.assertIn("size=", super_options, place)
        self.assertLessEqual({"/workspace", "/tmp", "/dev/shm"}, set(writable))
        self.assertNotIn("noexec", writable["/workspace"][1])
        binds = ["/run/mayfly"] if harness.ENGINE == "podman" else []  # Docker takes no options with one
        for place in ("/workspace", "/tmp", "/dev/shm", *binds):
            self.assertLessEqual({"nosuid", "nodev"}, writable[place][1], place)
        for place in ("/tmp", "/dev/shm", *binds):
            self.assertIn("noexec", writable[place][1], place)

    def test_only_three_places_take_a_file(self):
        script = """
            find / -xdev -type d -writable 2>/dev/null
            for d in /workspace /tmp /dev/shm / /run /var/tmp /run/mayfly /dev /etc /usr /home /root /proc /sys /dev/mqueue; do
                if ( : > $d/probe ) 2>/dev/null; then echo "takes $d"; fi
            done
            for m in $(cut -d' ' -f5 /proc/self/mountinfo); do
                if [ -d $m ] && ( : > $m/probe2 ) 2>/dev/null; then echo "mount $m"; fi
            done"""
        took = {line.split(" ", 1)[-1] for line in self.run_inside(self.answer, script).splitlines() if line[0] != "/"}
        self.assertEqual(took - NOT_OURS, {"/workspace", "/tmp", "/dev/shm"})

    def test_workspace_belongs_to_the_program_and_is_empty(self):
        script = "ls -A; test -O . && stat -c %a .; cp /bin/true t && ./t && echo runs; chmod 755 . && echo ours"
        mode = "700" if harness.ENGINE == "podman" else "755"  # Docker's runc keeps the mode that the folder has in the image
        self.assertEqual(self.run_inside(self.answer, script), f"{mode}\nruns\nours\n")

    def test_sizes_and_ulimits(self):
        script = "for d in /workspace /tmp /dev/shm; do df -k --output=size $d | tail -1; done; ulimit -Hn; ulimit -Hc; ulimit -Hf; ulimit -Hq; " \
                 "sed -n 's/^Max \\(pending signals\\|locked memory\\) *[0-9]* *\\([0-9]*\\) .*/\\2/p' /proc/self/limits"
        self.assertEqual(self.run_inside(self.answer, script).split(),
                         [str(128 * 1024), str(100 * 1024), str(64 * 1024), "1024", "0", str(128 * 1024), "0", str(64 * 1024), "1024"])

    def test_cgroup_limits(self):
        host = self.inspect(self.answer)["HostConfig"]
        self.assertEqual((host["Memory"], host["MemorySwap"]), (512 << 20, 512 << 20))
        self.assertEqual((host["PidsLimit"], host["NanoCpus"]), (128, 500000000))
        script = """if [ -e /sys/fs/cgroup/memory.max ]; then cd /sys/fs/cgroup; cat memory.max pids.max; tr ' ' '\\n' < cpu.max
            else cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes pids/pids.max cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us; fi"""
        memory, pids, quota, period = map(int, self.run_inside(self.answer, script).split())
        self.assertEqual((memory, pids, quota * 2), (512 << 20, 128, period))

    def test_masks(self):
        script = """for f in /proc/kcore /proc/keys /proc/key-users /proc/kallsyms /proc/modules /proc/interrupts /proc/timer_list; do
            if [ -e $f ]; then head -c1 $f 2>/dev/null | wc -c; fi; done; ls /sys/firmware 2>/dev/null | wc -l"""
        self.assertEqual(set(self.run_inside(self.answer, script).split()), {"0"})

    def test_labels(self):
        labels = self.inspect(self.answer)["Config"]["Labels"]
        ours = {key.removeprefix("mayfly."): value for key, value in labels.items() if key.startswith("mayfly.")}
        with open("/proc/sys/kernel/random/boot_id") as file:
            self.assertEqual(ours.pop("boot"), file.read().strip())
        self.assertAlmostEqual(int(ours.pop("deadline")), time.clock_gettime(time.CLOCK_BOOTTIME) + 60, delta=30)
        self.assertEqual(ours, {"instance": self.here.instance, "run": self.here.run, "template": "tool", "kind": "job", "job": "",
                                "folder": self.answer["folder"]})

    def test_no_log_no_restart_no_healthcheck(self):
        container = self.inspect(self.answer)
        self.assertEqual(container["HostConfig"]["LogConfig"]["Type"], "none")
        self.assertIn(container["HostConfig"]["RestartPolicy"]["Name"], ("", "no"))
        self.assertFalse(container["HostConfig"]["Privileged"])


class Limits(RealTest):
    def limits(self, fields, **template):
        self.here.template("limited", **template)
        engine = self.engine(self.here)
        host = self.inspect(engine.make([("template", "limited"), ("lifetime_s", 60), *fields]))["HostConfig"]
        self.assertEqual(engine.hang_up(), 0)
        return host["Memory"] >> 20, host["PidsLimit"], host["NanoCpus"] // 10000000

    def test_terminals_are_there_where_the_template_says_so(self):
        for has_terminals in (False, True):
            with self.subTest(has_terminals):
                self.here.template("limited", pty=has_terminals)
                engine = self.engine(self.here)
                answer = engine.make([("template", "limited"), ("lifetime_s", 60)])
                script = "ls /dev/pts | wc -l; ( : <> /dev/ptmx ) 2>/dev/null && echo opened; true"
                self.assertEqual(self.run_inside(answer, script).split(), ["1", "opened"] if has_terminals else ["0"])
                self.assertEqual(engine.hang_up(), 0)

    def test_less_is_given_more_is_clamped(self):
        template = {"memory_mb": 256, "pids": 64, "cpu_percent": 100}
        self.assertEqual(self.limits([("memory_mb", 64), ("pids", 32), ("cpu_percent", 25)], **template), (64, 32, 25))
        self.assertEqual(self.limits([("memory_mb", 4096), ("pids", 4096), ("cpu_percent", 800)], **template), (256, 64, 100))
        self.assertEqual(self.limits([("memory_mb", 1), ("pids", 1)], **template), (16, 4, 100))

    def test_the_operators_defaults(self):
        self.here.environment.update(MAYFLY_MEMORY_MB="300", MAYFLY_PIDS="50", MAYFLY_CPU_PERCENT="75")
        self.assertEqual(self.limits([]), (300, 50, 75))

    def test_lifetime_is_clamped(self):
        self.here.template("short", timeout_s=1, timeout_max_s=1)
        engine = self.engine(self.here)
        container = self.inspect(engine.make([("template", "short"), ("lifetime_s", 1000000)]))
        self.assertEqual(container["Args"], ["36"], "1 + 30 to start + 5 to collect")
        self.assertEqual(engine.hang_up(), 0)


class Failures(RealTest):
    def refusal(self, template="tool", **environment):
        engine = self.engine(self.here, **environment)
        refusal = engine.refusal(b"m", [("template", template), ("lifetime_s", 60)])
        self.assertEqual(engine.hang_up(), 0)
        self.check_nothing_left()
        self.assertIn(refusal[1], engine.logs())
        return refusal

    def test_unknown_template(self):
        for name in ("none", "../default", "a" * 65, "Default"):
            self.assertEqual(self.refusal(name)[:2], (404, "not_found"))

    def test_broken_template_names_file_line_and_field(self):
        self.here.template("broken", memory_mb="much")
        status, word, message = self.refusal("broken")
        self.assertEqual((status, word), (500, "bad_template"))
        self.assertIn('/templates.d/broken.json:3: "memory_mb"', message)

    def test_a_template_cannot_be_root_or_ourselves(self):
        self.here.template("root", uid=0)
        self.assertEqual(self.refusal("root")[:2], (500, "bad_template"))

    def test_image_missing_says_what_to_do(self):
        self.here.template("gone", image="mayfly-no-such-image:latest")
        self.assertEqual(self.refusal("gone"), (
            500, "image_missing",
            "The worker image mayfly-no-such-image:latest is missing; build it with: mayflyctl setup (in a source tree: "
            "scripts/build-worker)"))

    def test_no_socket_says_what_to_do(self):
        path = self.here.folder + "/none.sock"
        status, word, message = self.refusal(DOCKER_SOCKET_PATH=path)
        self.assertEqual((status, word), (503, "engine_unreachable"))
        self.assertIn(f"No Podman socket answers (looked at {path}: No such file or directory). Start one: systemctl", message)

    def test_a_socket_that_nobody_holds(self):
        path = self.here.folder + "/dead.sock"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        self.assertEqual(self.refusal(DOCKER_SOCKET_PATH="unix://" + path)[:2], (503, "engine_unreachable"))

    def test_addresses_that_are_no_unix_socket(self):
        for name in ("DOCKER_HOST", "CONTAINER_HOST", "DOCKER_SOCKET_PATH"):
            for address in ("tcp://user:secret@127.0.0.1:2375", "ssh://host", "podman.sock"):
                with self.subTest(name=name, address=address):
                    status, word, message = self.refusal(**{"DOCKER_SOCKET_PATH": "", name: address})
                    self.assertEqual((status, word), (500, "bad_configuration"))
                    self.assertIn(name, message)
                    self.assertNotIn("secret", message)

    def test_missing_init_and_profile(self):
        for environment in ({"MAYFLY_LIBEXEC_DIR": self.here.folder}, {"MAYFLY_DATA_DIR": self.here.folder},
                            {"SECCOMP_PROFILE": "unconfined"}, {"SECCOMP_PROFILE": self.here.folder},
                            {"APPARMOR_PROFILE": "unconfined"}):
            with self.subTest(environment):
                os.makedirs(self.here.folder + "/config/templates.d", exist_ok=True)
                self.here.template("tool")
                shutil.copy(self.here.data + "/templates.d/tool.json", self.here.folder + "/config/templates.d")
                self.assertEqual(self.refusal(**environment)[:2], (500, "bad_configuration"))

    def test_bad_seccomp_profile(self):
        with open(self.here.data + "/seccomp.json", "w") as file:
            file.write("{}x")
        self.assertEqual(self.refusal()[:2], (502, "engine_bad_reply"))

    def libexec(self, script, mode):
        folder = os.path.join(self.here.folder, "libexec")
        os.makedirs(folder, exist_ok=True)
        with open(folder + "/mayfly-init", "w") as file:
            file.write(script)
        os.chmod(folder + "/mayfly-init", mode)
        return folder

    def test_container_dies_before_init_listens(self):
        folder = self.libexec("#!/bin/sh\nexit 3\n", 0o755)
        status, word, message = self.refusal(MAYFLY_LIBEXEC_DIR=folder)
        self.assertEqual((status, word), (502, "container_died"))
        self.assertIn("exit code 3", message)

    def test_init_that_may_not_be_executed(self):
        status, word, message = self.refusal(MAYFLY_LIBEXEC_DIR=self.libexec("#!/bin/sh\n", 0o644))
        self.assertEqual((status, word), (502, "engine_bad_reply"))
        self.assertIn("ermission denied", message)

    def test_an_image_with_a_volume_never_starts(self):
        tag = "mayfly-test-" + os.urandom(6).hex()  # to be found by, if we are killed
        status, made = self.podman.call("POST", "/v1.41/containers/create", json.dumps({"Image": harness.IMAGE, "Cmd": ["true"]}))
        self.assertEqual(status, 201)
        try:
            query = urllib.parse.urlencode({"container": made["Id"], "repo": tag, "tag": "latest", "changes": "VOLUME /data"})
            status, image = self.podman.call("POST", "/v1.41/commit?" + query, "{}")
            self.assertEqual(status, 201)
        finally:
            self.podman.remove(made["Id"])
        image = image["Id"].removeprefix("sha256:")
        self.addCleanup(self.podman.call, "DELETE", f"/v1.41/images/{image}?force=true")
        self.here.template("volume", image=image)
        status, word, message = self.refusal("volume")
        self.assertEqual((status, word), (500, "limit_ignored"))
        self.assertIn("/data", message)

    def test_proxies_in_the_environment_do_not_count(self):
        engine = self.engine(self.here, http_proxy="http://127.0.0.1:9", ALL_PROXY="http://127.0.0.1:9")
        self.assertEqual(engine.call(b"p")[0], "ok")
        self.assertEqual(engine.hang_up(), 0)


PODMAN_FIELDS = {"Api-Version": "1.41", "Libpod-Api-Version": "4.3.1", "Server": "Libpod/4.3.1 (linux)"}
DOCKER_FIELDS = {"Api-Version": "1.43", "Server": "Docker/24.0.7 (linux)"}
# one answer for both kinds
ENFORCES = {"host": {"cgroupVersion": "v2", "cgroupManager": "systemd", "cgroupControllers": ["cpu", "memory", "pids"]},
            "MemoryLimit": True, "PidsLimit": True, "CpuCfsQuota": True}
REST = object()  # what the well-behaved engine would do


class FakeEngine:
    """An engine without containers: its init is a socket that it puts where init would. steps maps a step's name to what to do
    instead: (status, object), bytes to send as they are before closing, or a function of the request handler."""

    def __init__(self, path, fields=None, **steps):
        self.fields = PODMAN_FIELDS if fields is None else fields
        self.steps = steps
        self.calls = []  # (step, path), in order
        self.bodies = {}
        self.sockets = []
        self.released = threading.Event()  # ends handlers that hang
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                fake.serve(self)

            do_POST = do_DELETE = do_GET

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # the engine hangs up whenever it likes

        self.server = Server(path, Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        for one in self.sockets:
            one.close()

    def step_of(self, method, path):
        path = re.sub(r"^/v[0-9.]+", "", path)
        if path == "/_ping":
            return "ping"
        if path.endswith("/info"):
            return "info"
        if method == "DELETE":
            return "delete"
        if path.startswith("/containers/create"):
            return "create"
        if path.startswith("/containers/json"):
            return "list"
        if path in ("/version", "/info") or path.startswith("/images/"):
            return path.split("/")[1]
        return "start" if path.endswith("/start") else "inspect"

    def serve(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        step = self.step_of(handler.command, handler.path)
        self.calls.append((step, handler.path))
        if body:
            self.bodies[step] = json.loads(body)
        instead = self.steps.get(step, REST)
        if callable(instead) and instead is not REST:
            instead = instead(handler)
        if isinstance(instead, bytes):
            handler.wfile.write(instead)
            handler.close_connection = True
        elif instead is not None:
            self.answer(handler, *(self.usual(step) if instead is REST else instead))

    def answer(self, handler, status, content):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        handler.send_response_only(status)
        for name, value in self.fields.items():
            handler.send_header(name, value)
        if status != 204:
            handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        if status != 204:
            handler.wfile.write(data)

    def usual(self, step):
        if step == "ping":
            return 200, b"OK"
        if step == "create":
            return 201, {"Id": "a" * 64, "Warnings": []}
        if step == "inspect":
            asked = self.bodies["create"]
            return 200, {"HostConfig": asked["HostConfig"], "Config": {"User": asked["User"]}, "Mounts": [],
                         "State": {"Running": True, "Pid": 0, "ExitCode": 0}}
        if step == "start":
            self.listen()
        return {"list": (200, []), "info": (200, ENFORCES)}.get(step, (204, b""))

    def listen(self):
        folder = self.bodies["create"]["HostConfig"]["Binds"][0].split(":")[0]
        one = socket.socket(socket.AF_UNIX)
        one.bind(folder + "/control.new")
        one.listen()
        self.sockets.append(one)
        os.rename(folder + "/control.new", folder + "/control")

    def steps_seen(self):
        return [step for step, _ in self.calls if step != "info"]  # where it is not root's, that is asked


class FakeTest(EngineTest):
    def fake(self, fields=None, **steps):
        place = self.place()
        path = os.path.join(place.folder, "engine.sock")
        place.environment["DOCKER_HOST"] = "unix://" + path
        fake = FakeEngine(path, fields, **steps)
        self.addCleanup(fake.close)
        return place, fake

    def refused(self, word, status, exit_status=0, **steps):
        """MAKE is refused with word and status; nothing stays. The fake engine, for more questions, and the message."""
        place, fake = self.fake(**steps)
        engine = self.engine(place)
        refusal = engine.refusal()
        self.assertEqual(refusal[:2], (status, word), refusal)
        self.assertEqual(engine.hang_up(), exit_status, engine.logs())
        if exit_status == 0:
            self.assertEqual(place.folders(), [])
        return fake, refusal[2]


class Misbehaving(FakeTest):
    def test_the_fake_engine_itself(self):
        place, fake = self.fake()
        engine = self.engine(place)
        engine.make()
        self.assertEqual(engine.hang_up(), 0)
        # whether the answer to start is still taken depends on who is quicker
        self.assertIn(fake.steps_seen()[4:], (["delete"], ["inspect", "delete"]))
        self.assertEqual(fake.steps_seen()[:4], ["ping", "create", "inspect", "start"])
        self.assertEqual(place.folders(), [])

    def test_500_at_every_step(self):
        for step in ("ping", "create", "inspect", "start"):
            with self.subTest(step):
                fake, message = self.refused("engine_bad_reply", 502, **{step: (500, {"message": "it\nbroke\x1b[1m"})})
                self.assertIn("answered 500: it broke", message)
                self.assertNotIn("\x1b", message)
                self.assertEqual("delete" in fake.steps_seen(), step != "ping")

    def test_rubbish_truncation_and_silence_at_every_step(self):
        replies = {
            "rubbish": b"\0\1\2 what?\r\n\r\n", "nothing": b"", "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
            "half a body": b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 100\r\n\r\n{\"Id\":",
            "bad length": b"HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n{}",
            "bad chunk": b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
            "not JSON": b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nnope",
            "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
        }
        for step in ("ping", "create", "inspect", "start"):
            for name, reply in replies.items():
                with self.subTest(step=step, reply=name):
                    self.refused("engine_bad_reply", 502, **{step: lambda _, reply=reply: reply})

    def test_a_reply_without_an_end(self):
        def endless(handler):
            with contextlib.suppress(OSError):
                handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                while True:
                    handler.wfile.write(b"x" * 65536)
        for step in ("ping", "create"):
            with self.subTest(step):
                self.refused("engine_bad_reply", 502, **{step: endless})

    def test_headers_without_an_end(self):
        def endless(handler):
            with contextlib.suppress(OSError):
                handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while True:
                    handler.wfile.write(b"X-More: " + b"x" * 65536 + b"\r\n")
        self.refused("engine_bad_reply", 502, ping=endless)

    def test_ids_that_are_none(self):
        for made in ({}, {"Id": None}, {"Id": ""}, {"Id": "../../x" + "a" * 57}, {"Id": "A" * 64}, {"Id": "a" * 4096}, [], "id"):
            with self.subTest(made):
                fake, _ = self.refused("engine_bad_reply", 502, create=(201, made))
                self.assertIn("delete", fake.steps_seen(), "by its name")

    def test_what_answers_is_no_engine(self):
        self.refused("engine_bad_reply", 502, ping=(404, {}))
        self.refused("engine_bad_reply", 502, ping=(200, b"Hello"))

    def test_name_conflict_is_tried_once_more(self):
        place, fake = self.fake()
        seen = []
        fake.steps["create"] = lambda handler: (seen.append(handler.path), REST if len(seen) > 1 else (409, {"message": "taken"}))[1]
        engine = self.engine(place)
        answer = engine.make()
        self.assertEqual(len(set(seen)), 2)
        self.assertTrue(seen[1].endswith(answer["folder"]))
        self.assertEqual(place.folders(), [answer["folder"]])
        self.assertEqual(engine.hang_up(), 0)

    def test_name_conflict_for_ever(self):
        fake, _ = self.refused("engine_bad_reply", 502, create=(409, {"message": "taken"}))
        self.assertEqual(fake.steps_seen(), ["ping", "create", "create"], "what has that name is not ours to delete")

    def test_refusals_of_the_request(self):
        _, message = self.refused("engine_refused", 500, create=(400, {"message": "apparmor is not enabled"}))
        self.assertIn("apparmor is not enabled", message)
        _, message = self.refused("image_missing", 500, create=(404, {"message": "no such image"}))
        self.assertIn("scripts/build-worker", message)

    def test_limits_that_the_engine_drops(self):
        for field, value in (("Memory", 0), ("MemorySwap", -1), ("PidsLimit", 0), ("NanoCpus", 0), ("ReadonlyRootfs", False),
                             ("NetworkMode", "bridge"), ("Privileged", True), ("User", "0:0")):
            with self.subTest(field):
                place, fake = self.fake()

                def change(_, fake=fake, field=field, value=value):
                    status, created = fake.usual("inspect")
                    created["Config" if field == "User" else "HostConfig"][field] = value
                    return status, created

                fake.steps["inspect"] = change
                engine = self.engine(place)
                self.assertEqual(engine.refusal()[:2], (500, "limit_ignored"))
                self.assertEqual(engine.hang_up(), 0)
                self.assertEqual(fake.steps_seen(), ["ping", "create", "inspect", "delete"], "it never started")

    def test_warnings(self):
        made = {"Id": "a" * 64, "Warnings": ["Your kernel does not support pids limit. PIDs limit discarded."]}
        self.refused("limit_ignored", 500, create=(201, made))
        place, _ = self.fake(create=(201, {"Id": "a" * 64, "Warnings": ["a platform\nmismatch"]}))
        engine = self.engine(place)
        engine.make()
        self.assertEqual(engine.hang_up(), 0)
        self.assertIn("platform", engine.logs())

    def test_make_does_not_wait_for_the_answer_to_start(self):
        place, fake = self.fake()
        go_on = threading.Event()
        fake.steps["start"] = lambda _: (fake.listen(), go_on.wait(harness.DEADLINE_S), (204, b""))[2]
        engine = self.engine(place)
        engine.make()
        self.assertEqual(fake.steps_seen()[-1], "start")
        go_on.set()
        self.assertEqual(engine.hang_up(), 0)
        self.assertEqual(fake.steps_seen()[-1], "delete")

    def test_hang_up_while_start_is_under_way(self):
        place, fake = self.fake()
        fake.steps["start"] = lambda _: (fake.listen(), fake.released.wait(harness.DEADLINE_S), None)[2]
        engine = self.engine(place)
        engine.make()
        self.assertEqual(engine.hang_up(), 0)
        self.assertEqual(fake.steps_seen()[-1], "delete")
        self.assertEqual(place.folders(), [])

    def test_an_engine_that_goes_away_while_the_job_runs(self):
        place, fake = self.fake(delete=lambda _: b"")
        engine = self.engine(place)
        answer = engine.make()
        self.assertEqual(engine.hang_up(), 1)
        self.assertEqual(place.folders(), [answer["folder"]], "the reaper's now")

    def test_list_in_no_good_json(self):
        for reply in ((200, b"nope"), (200, {}), (500, {"message": "x"})):
            place, _ = self.fake(list=reply)
            self.assertEqual(self.engine(place).refusal(b"l", [])[:2], (502, "engine_bad_reply"))

    def test_labels_decide_what_is_expired(self):
        with open("/proc/sys/kernel/random/boot_id") as file:
            boot = file.read().strip()
        now = int(time.clock_gettime(time.CLOCK_BOOTTIME))
        good = {"mayfly.folder": "c-" + "1" * 24, "mayfly.template": "tool", "mayfly.boot": boot, "mayfly.deadline": str(now + 100)}
        rows = [
            ("running", {}, "0"), ("paused", {}, "0"), ("exited", {}, "1"), ("created", {}, "1"), ("dead", {}, "1"), ("", {}, "1"),
            ("running", {"mayfly.deadline": str(now - 1)}, "1"), ("running", {"mayfly.boot": "another"}, "1"),
            ("running", {"mayfly.deadline": "soon"}, "1"), ("exited", {"mayfly.folder": "../x"}, None)]
        listed = [{"Id": "%064x" % i, "State": state, "Labels": {**good, **labels}} for i, (state, labels, _) in enumerate(rows)]
        place, _ = self.fake(list=(200, listed))
        got = self.engine(place).call(b"l")[2]
        self.assertEqual([row["expired"] for row in got], [expired for _, _, expired in rows if expired])

    def test_list_asks_for_our_labels_only(self):
        place, fake = self.fake()
        self.assertEqual(self.engine(place).call(b"l")[0], "ok")
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(fake.calls[-1][1]).query)
        self.assertEqual(json.loads(query["filters"][0]),
                         {"label": ["mayfly.instance=" + place.instance, "mayfly.run=" + place.run], "name": ["^/?" + place.instance + "-c-"]})
        self.assertEqual(query["all"], ["true"])


class Uncertain(FakeTest):
    """Answers that leave open what the engine has done, where asking again is safe: asked again, told as a number, logged, and nothing else of
    them is seen."""
    UNWELL = (500, {"message": "layers.json was modified"})
    IMPROPER = (500, {"message": "container state improper"})
    BROKEN, BUSY = b"", (409, {"message": "removal is under way"})
    HALF = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 100\r\n\r\n{\"Id\":"
    MAKE, LIST, INFO = (b"m", MAKE), (b"l", ()), (b"d", (("template", "tool"),))
    # verb, step, what is answered first, how often the verb asks again: not where libcurl does it, because nothing came on a connection that it had
    # used before
    TABLE = (
        (MAKE, "ping", (UNWELL,), 1), (MAKE, "ping", (BROKEN,), 1),
        (MAKE, "create", (UNWELL,), 1), (MAKE, "create", (BROKEN,), 0), (MAKE, "create", (HALF,), 1),
        (MAKE, "inspect", (UNWELL, UNWELL), 2), (MAKE, "inspect", (BROKEN,), 0), (MAKE, "inspect", (HALF,), 1),
        (MAKE, "start", (UNWELL,), 1), (MAKE, "start", (BROKEN,), 0),
        (LIST, "list", (BROKEN,), 0),
        (INFO, "version", (UNWELL,), 1), (INFO, "images", (BROKEN,), 0),
        (MAKE, "delete", (IMPROPER,), 1), (MAKE, "delete", (IMPROPER, BUSY, IMPROPER), 3), (MAKE, "delete", (BROKEN,), 0))

    def test_table(self):
        for (kind, fields), step, first, count in self.TABLE:
            with self.subTest(verb=kind, step=step, first=first):
                place, fake = self.fake(version=(200, {}), images=(200, {}))
                rest, replies = fake.steps.get(step, REST), list(first)
                fake.steps[step] = lambda _, rest=rest, replies=replies: replies.pop(0) if replies else rest
                engine = self.engine(place)
                outcome, answer, _ = engine.call(kind, fields)
                self.assertEqual(outcome, "ok", (answer, engine.logs()))
                self.assertEqual(engine.hang_up(), 0, engine.logs())
                self.assertEqual((replies, place.folders()), ([], []))
                self.assertEqual(answer.pop("asked_again", None), str(count) if count and step != "delete" else None)
                said = "|".join("malformed answer" if isinstance(reply, bytes) else reply[1]["message"] for reply in first)
                self.assertNotRegex(json.dumps(answer), said)
                self.assertRegex(engine.logs(), f"asked_again={count} engine_says=\"[^\"]*({said})" if count and step == "delete" else "^$")

    def test_a_container_that_was_made_all_the_same_is_removed(self):
        for reply in (self.UNWELL, self.HALF):
            with self.subTest(reply=reply):
                place, fake = self.fake()
                made = []
                fake.steps["create"] = lambda handler: (made.append(handler.path.split("name=")[1]), reply if len(made) == 1 else REST)[1]
                engine = self.engine(place)
                answer = engine.make()
                self.assertEqual(engine.hang_up(), 0)
                self.assertEqual((len(set(made)), made[1].endswith(answer["folder"])), (2, True))
                self.assertEqual([path.split("?")[0].rsplit("/", 1)[1] for step, path in fake.calls if step == "delete"], [made[0], "a" * 64])

    def test_what_has_started_is_not_started_again(self):
        place, fake = self.fake()
        fake.steps["start"] = lambda _: (fake.listen(), self.UNWELL)[1]
        engine = self.engine(place)
        self.assertNotIn("asked_again", engine.make())
        self.assertEqual(engine.hang_up(), 0)
        self.assertEqual(fake.steps_seen().count("start"), 1)

    def test_what_stays_uncertain_is_an_error(self):
        for step, reply in (("inspect", self.UNWELL), ("start", self.UNWELL), ("create", self.UNWELL), ("inspect", self.BROKEN)):
            with self.subTest(step=step, reply=reply):
                place, _ = self.fake(**{step: (lambda _: reply) if reply == b"" else reply})
                engine = self.engine(place)
                outcome, answer, _ = engine.call(b"m", MAKE)
                self.assertEqual((outcome, answer["status"], answer["code"]), ("error", "502", "engine_bad_reply"))
                self.assertGreaterEqual(int(answer["asked_again"]), 1)
                self.assertEqual((engine.hang_up(), place.folders()), (0, []))

    def test_what_is_certain_is_asked_once(self):
        for step, reply in (("inspect", (404, {})), ("inspect", (503, {})), ("inspect", b"rubbish\r\n\r\n"), ("start", (404, {})), ("create", (400, {})),
                            ("create", (201, b"nope"))):
            with self.subTest(step=step, reply=reply):
                place, fake = self.fake(**{step: (lambda _: reply) if isinstance(reply, bytes) else reply})
                engine = self.engine(place)
                self.assertEqual(engine.refusal()[0] // 100, 5)
                self.assertEqual((engine.hang_up(), fake.steps_seen().count(step)), (0, 1))
                self.assertNotIn("asked_again", engine.logs())


class Crowd:
    """What a fake engine has of containers, without anything running: broken ones make every list fail that they belong to, as Podman's whose
    storage is gone do."""

    def __init__(self, place, fake, count, note=0):
        self.place = place
        self.names = {f"{place.instance}-c-{os.urandom(12).hex()}": "good" for _ in range(count)}
        self.note = "x" * note
        fake.steps.update({"list": self.list, "inspect": self.inspect, "delete": self.delete})

    def labels(self, name):
        return {"mayfly.instance": self.place.instance, "mayfly.run": self.place.run, "mayfly.folder": name.removeprefix(self.place.instance + "-"),
                "mayfly.template": "tool", "mayfly.boot": "an earlier one", "mayfly.deadline": "1", "note": self.note}

    def list(self, handler):
        pattern = json.loads(urllib.parse.parse_qs(urllib.parse.urlsplit(handler.path).query)["filters"][0]).get("name", [""])[0]
        found = [name for name in self.names if re.search(pattern, name)]
        if any(self.names[name] == "broken" for name in found):
            return 500, {"message": "container not known"}
        return 200, [{"Id": "%064x" % (hash(name) & (1 << 64) - 1), "State": "exited", "Labels": self.labels(name)} for name in found]

    def inspect(self, handler):
        name = handler.path.split("/containers/")[1].removesuffix("/json")
        if self.names.get(name, "") == "broken":
            return 500, {"message": "container not known"}
        if name not in self.names:
            return 404, {"message": "no such container"}
        return 200, {"Id": "a" * 64, "Config": {"User": "70000:70000", "Labels": self.labels(name)}}

    def delete(self, handler):
        name = handler.path.split("/containers/")[1].split("?")[0]
        if self.names.get(name) == "stays":
            return 403, {"message": "its image is gone"}
        self.names.pop(name, None)
        return 204, b""


class Reaper(FakeTest):
    """mayfly-reap with mayfly-engine against engines whose containers are broken, or many."""

    def crowd(self, count, **more):
        place, fake = self.fake()
        return place, fake, Crowd(place, fake, count, **more)

    def reap(self, place, status=0):
        done = subprocess.run([os.path.join(harness.BUILD, "mayfly-reap")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**place.environment, "AA_STORAGE_PATH": place.folder + "/storage"}, text=True, timeout=200, check=False)
        self.assertEqual(done.returncode, status, done.stdout[-2000:])
        return done.stdout

    def test_broken_ones_are_found_by_their_names(self):
        for broken in (1, 3):
            with self.subTest(broken=broken):
                place, fake, crowd = self.crowd(20)
                for name in list(crowd.names)[:broken]:
                    crowd.names[name] = "broken"
                rows = self.engine(place).call(b"l")[2]
                self.assertEqual(sorted(row["folder"] for row in rows), sorted(name.removeprefix(place.instance + "-") for name in crowd.names))
                self.assertEqual({row["expired"] for row in rows}, {"1"})
                self.assertIn("containers=20", self.reap(place))
                self.assertEqual(crowd.names, {})
                self.assertTrue(all("force=true" in path for step, path in fake.calls if step == "delete"))

    def test_a_broken_one_whose_owner_lives_stays(self):
        place, _, crowd = self.crowd(2)
        broken, good = crowd.names
        crowd.names[broken] = "broken"
        folder = os.path.join(place.jobs, broken.removeprefix(place.instance + "-"))
        os.makedirs(folder)
        os.chmod(place.jobs, 0o700)
        owner = os.open(folder, os.O_RDONLY)
        self.addCleanup(os.close, owner)
        fcntl.flock(owner, fcntl.LOCK_EX)
        self.assertIn("containers=1", self.reap(place))
        self.assertEqual((list(crowd.names), good in crowd.names), ([broken], False))

    def test_one_that_cannot_be_removed_keeps_no_other(self):
        place, _, crowd = self.crowd(5)
        stays = list(crowd.names)[1]
        crowd.names[stays] = "stays"
        said = self.reap(place, 1)
        self.assertEqual(list(crowd.names), [stays])
        self.assertIn("containers=4", said)
        self.assertRegex(said, f'left="container" container="{stays.removeprefix(place.instance + "-")}" error=".*its image is gone')

    def test_an_engine_that_lists_nothing_is_asked_little(self):
        place, fake, crowd = self.crowd(5)
        fake.steps["list"] = (500, {"message": "unwell"})
        self.assertIn("unwell", self.reap(place, 1))
        self.assertLessEqual(fake.steps_seen().count("list"), 3)
        self.assertEqual(len(crowd.names), 5)

    def test_thousands(self):
        place, _, crowd = self.crowd(5000, note=1000)
        self.assertIn("containers=5000", self.reap(place))
        self.assertEqual(crowd.names, {})

    def test_only_what_is_ours(self):
        """A container of the same name and another run folder is no matter of ours."""
        place, _, crowd = self.crowd(1)
        crowd.labels = lambda _: {"mayfly.instance": place.instance, "mayfly.run": "/another"}
        name, = crowd.names
        self.assertEqual(self.engine(place).call(b"r", [("folder", name.removeprefix(place.instance + "-"))])[0], "ok")
        self.assertEqual(list(crowd.names), [name])

    def test_a_claim_and_a_folder_without_a_container_go(self):
        place, _, _ = self.crowd(0)
        names = ["c-" + os.urandom(12).hex() for _ in range(3)]
        for path in ("users", "making", "jobs"):
            os.makedirs(os.path.join(place.run, path), 0o700)
        os.mkdir(os.path.join(place.run, "making", names[0]))
        os.mkdir(os.path.join(place.run, "jobs", names[1]))
        for number, name in enumerate(names):
            for end in ("", ".group"):
                with open(os.path.join(place.run, "users", str(70000 + number) + end), "w", encoding="utf-8") as file:
                    file.write(f"runner:x:70000:70000:runner,mayfly {name}:/workspace:/bin/bash\n")
        self.assertIn("containers=3", self.reap(place))
        self.assertEqual((place.users(), place.folders(), os.listdir(place.run + "/making")), ([], [], []))


class Describe(FakeTest):
    """What Docker's API document shows, and what no engine should say."""
    version = (200, {"Components": [{"Name": "Engine", "Version": "24.0.7"}, {"Name": "runc", "Version": "1.1.9", "Details": {"GitCommit": "x"}},
                                    {"Name": "crun", "Version": "crun version 1.8\ncommit: x", "Details": {"Package": "unknown"}}, {"Name": "odd"}, 7]})
    info = (200, {"CgroupVersion": "2", "MemoryLimit": True, "PidsLimit": False, "CpuCfsQuota": 1, "Driver": "overlay2",
                  "DefaultRuntime": "runc", "SecurityOptions": ["name=seccomp", "name=rootless"]})

    def describe(self, fields=None, **steps):
        place, _ = self.fake(fields, **{"version": self.version, "info": self.info, "images": (404, {}), **steps})
        engine = self.engine(place)
        send(engine.connection, b"d", [("template", "tool")])
        kind, payload = receive(engine.connection)
        return kind, [field.partition("=")[::2] for field in payload.decode().split("\0") if field]

    def test_what_is_not_told_is_left_out(self):
        kind, fields = self.describe()
        self.assertEqual(kind, b"k", fields)
        self.assertEqual([value for key, value in fields if key == "component"], ["Engine 24.0.7", "runc 1.1.9", "crun crun version 1.8"])
        told = dict(fields)
        self.assertEqual((told["cgroup"], told["memory"], told["pids"], told["rootless"], told["image_id"], told["storage"], told["runtime"]),
                         ("2", "1", "0", "1", "", "overlay2", "runc"))
        self.assertNotIn("cpu", told)
        self.assertNotIn("swap", told)

    def test_rubbish_is_refused(self):
        for steps in ({"version": (200, b"{")}, {"info": (500, {"message": "no"})}, {"images": (200, b"")}, {"version": (200, b"[" * 99999)}):
            with self.subTest(steps=str(steps)[:40]):
                kind, fields = self.describe(**steps)
                self.assertEqual((kind, dict(fields)["code"]), (b"e", "engine_bad_reply"))
        for steps in ({"version": (200, [])}, {"info": (200, 7)}, {"images": (200, {"Id": 5})}, {"version": (200, {"Components": {"a": 1}})}):
            with self.subTest(steps=str(steps)[:40]):
                self.assertEqual(self.describe(**steps)[0], b"k")


class Docker(FakeTest):
    def test_its_dialect(self):
        place, fake = self.fake(DOCKER_FIELDS)
        engine = self.engine(place)
        self.assertEqual(engine.call(b"p")[1], {"engine": "docker", "version": "24.0.7"})
        engine.make()
        self.assertEqual(engine.hang_up(), 0)
        self.assertTrue(all(path.startswith("/v1.43/") for step, path in fake.calls if step != "ping"), fake.calls)
        host = fake.bodies["create"]["HostConfig"]
        self.assertEqual((host["PidMode"], host["UTSMode"]), ("", ""))
        self.assertEqual([bind.split(":")[2] for bind in host["Binds"]], ["rw,rprivate"] + ["ro,rprivate"] * (len(host["Binds"]) - 1))
        self.assertIn(f"{place.data}/resolv.conf:/etc/resolv.conf:ro,rprivate", host["Binds"])
        self.assertNotIn("notmpcopyup", json.dumps(host["Tmpfs"]))
        uid = fake.bodies["create"]["User"].split(":")[0]
        self.assertEqual(fake.bodies["create"]["User"], f"{uid}:{uid}")
        self.assertIn(f"uid={uid},gid={uid}", host["Tmpfs"]["/workspace"])
        seccomp = [option for option in host["SecurityOpt"] if option.startswith("seccomp=")]
        with open(place.data + "/seccomp.json") as file:
            self.assertEqual(seccomp, ["seccomp=" + file.read()])
        self.assertLessEqual({"/proc/kcore", "/proc/keys", "/sys/firmware", "/proc/kallsyms", "/dev/pts"}, set(host["MaskedPaths"]))


class Slow(FakeTest):
    """Engines that hang: bounded by the deadlines, and therefore all at once."""

    def test_hanging_at_each_step(self):
        def hang(handler):
            fakes[handler.server].released.wait(3 * harness.DEADLINE_S)

        def trickle(handler):
            with contextlib.suppress(OSError):
                handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while not fakes[handler.server].released.wait(0.5):
                    handler.wfile.write(b"X: y\r\n")

        cases = [(word, step, what) for word, step, what in [
            ("engine_timeout", "ping", hang), ("engine_timeout", "create", hang), ("engine_timeout", "inspect", hang),
            ("engine_timeout", "start", hang), ("engine_timeout", "create", trickle), ("engine_timeout", "start", (204, b"")),
            ("engine_bad_reply", "delete", (500, {"message": "never"}))]]
        fakes, engines = {}, []
        for _, step, what in cases:
            place, fake = self.fake(**{step: what})
            fakes[fake.server] = fake
            engines.append((place, fake, self.engine(place)))

        def run(case, engine):
            began = time.monotonic()
            if case[1] == "delete":
                engine.make()
                return engine.hang_up(), time.monotonic() - began
            refusal = engine.refusal()
            self.assertEqual(engine.hang_up(), 0, (case, engine.logs()))
            return refusal[:2], time.monotonic() - began

        with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
            results = list(pool.map(lambda pair: run(pair[0], pair[1][2]), zip(cases, engines)))
        for (word, step, what), (place, fake, engine), (result, seconds) in zip(cases, engines, results):
            with self.subTest(step=step, what=what):
                self.assertLess(seconds, 40)
                if step == "delete":
                    self.assertEqual(result, 1, "left to the reaper")
                    self.assertIn(word, engine.logs())
                    continue
                self.assertEqual(result, (504, word))
                self.assertEqual(place.folders(), [])
                if step != "ping":
                    self.assertEqual(fake.steps_seen()[-1], "delete")


if __name__ == "__main__":
    harness.main()
