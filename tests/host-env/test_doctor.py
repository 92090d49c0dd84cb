"""mayflyctl doctor: a sound installation, and every way in which one is not; the hostile suite against a sound server and against weakened ones."""
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

import attack
import harness

CTL = os.path.join(harness.BUILD, "mayflyctl")
NOBODY = 65534
TIMEOUT_S = 300  # a hang is what this finds; all that a doctor waits for is shorter
LINE = re.compile(r"(ok  |warn|fail)  ([a-z_.]+) +\S.*")


def run(environment, *arguments, ctl=CTL, **more):
    """Exit status, standard output, standard error."""
    done = subprocess.run([ctl, "doctor", *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=TIMEOUT_S, check=False, **more)
    return done.returncode, done.stdout, done.stderr


class DoctorTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mayfly-doctor-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        os.chmod(self.folder, 0o755)
        self.environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": self.folder,
            "AA_STORAGE_PATH": self.path("storage"), "MAYFLY_RUN_DIR": self.path("run"), "MAYFLY_CONFIG_DIR": self.path("config"),
            "MAYFLY_DATA_DIR": os.path.join(harness.ROOT, "worker"), "MAYFLY_POOL": "0", "PORT": str(harness.free_port()),
            "MAYFLY_INSTANCE": "t-" + os.urandom(6).hex(), "DOCKER_SOCKET_PATH": self.path("nobody.sock"),
            **{name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}}

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, path, text, mode=0o644):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)

    def examine(self, environment=None, **more):
        """The exit status and the checks by name; the report keeps its promises."""
        status, output, errors = run({**self.environment, **(environment or {})}, "--json", **more)
        report = json.loads(output)
        self.assertEqual(set(report), {"mayfly", "ok", "failed", "warned", "checks"}, errors)
        for check in report["checks"]:
            self.assertEqual(set(check), {"check", "status", "message", "advice"})
            self.assertIn(check["status"], ("ok", "warn", "fail"))
            self.assertTrue(check["status"] == "ok" or check["advice"] or check["check"] == "engine", check)
        statuses = [check["status"] for check in report["checks"]]
        self.assertEqual((report["failed"], report["warned"]), (statuses.count("fail"), statuses.count("warn")))
        self.assertEqual((status, report["ok"]), (1, False) if report["failed"] else (0, True), output)
        return status, {check["check"]: check for check in report["checks"]}

    def assert_check(self, checks, name, status, words=""):
        self.assertIn(name, checks)
        self.assertEqual(checks[name]["status"], status, checks[name])
        self.assertIn(words, checks[name]["message"] + " " + (checks[name]["advice"] or ""))


class Sound(DoctorTest):
    def test_a_running_service_is_well(self):
        with harness.Server(MAYFLY_UIDS="95000-95999") as server:  # other tests run beside this one, each an installation of its own
            status, checks = self.examine({**server.environment, "PORT": str(server.port)})
            self.assertEqual(server.leaks(), {})
        self.assertEqual((status, [check for check in checks.values() if check["status"] == "fail"]), (0, []))
        for name in ("engine", "image", "engine.limits", "cgroup.controllers", "space.results", "rights.run", "port", "health", "keys", "probe.memory",
                     "probe.pids", "probe.cpu", "probe.user", "probe.capabilities", "probe.no_new_privs", "probe.seccomp", "probe.root", "probe.masks",
                     "probe.devices", "probe.environment", "probe.network", "probe.ulimits"):
            self.assert_check(checks, name, "ok")
        self.assertIn("clock", checks)
        self.assertRegex(checks["image"]["message"], "aa-worker:latest is there: (sha256:)?[0-9a-f]{12}")

    def test_one_line_for_each_check(self):
        status, output, _ = run(self.environment)
        self.assertEqual(status, 1)
        *lines, last = output.splitlines()
        self.assertEqual([line for line in lines if not LINE.fullmatch(line)], [])
        self.assertRegex(last, r"^\d+ failed, \d+ warnings$")

    def test_usage(self):
        for arguments in (["--bogus"], ["more"], ["--only"], ["--only", "http"]):
            status, output, errors = run(self.environment, *arguments)
            self.assertEqual((status, output), (2, ""))
            self.assertIn("usage: mayflyctl doctor", errors)


class Engine(DoctorTest):
    def test_no_engine_at_all(self):
        status, checks = self.examine()
        self.assertEqual(status, 1)
        self.assert_check(checks, "engine", "fail", "nobody.sock: No such file")
        self.assert_check(checks, "probe", "warn", "no engine")

    def test_a_dead_socket(self):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(self.path("dead.sock"))
        self.assert_check(self.examine({"DOCKER_SOCKET_PATH": self.path("dead.sock")})[1], "engine", "fail", "refused")

    def test_an_engine_that_never_answers(self):
        with socket.socket(socket.AF_UNIX) as mute:
            mute.bind(self.path("mute.sock"))
            mute.listen()
            self.assert_check(self.examine({"DOCKER_SOCKET_PATH": self.path("mute.sock")})[1], "engine", "fail")

    def test_mayfly_engine_is_missing(self):
        self.assert_check(self.examine({"MAYFLY_LIBEXEC_DIR": self.folder})[1], "engine", "fail", "installed beside")

    def test_the_image_is_missing(self):
        self.write(self.path("config/templates.d/tool.json"), '{"image": "mayfly-is-not-there:latest"}')
        _, checks = self.examine({"DOCKER_SOCKET_PATH": harness.podman_socket()})
        self.assert_check(checks, "engine", "ok")
        self.assert_check(checks, "image", "fail", "build-worker")
        self.assert_check(checks, "probe", "warn", "no image")

    def test_an_ordinary_user_without_podman(self):
        home = self.path("home")
        os.mkdir(home)
        os.chown(home, NOBODY, NOBODY)
        programs, data = harness.copy_for_others(self.folder, "mayflyctl", "mayfly-engine")
        environment = {**self.environment, "MAYFLY_DATA_DIR": data, "HOME": home, "XDG_RUNTIME_DIR": home, "MAYFLY_RUN_DIR": home + "/run",
                       "AA_STORAGE_PATH": home + "/storage"}
        _, checks = self.examine(environment, ctl=os.path.join(programs, "mayflyctl"), user=NOBODY, group=NOBODY, extra_groups=[])
        self.assert_check(checks, "engine", "fail")
        self.assert_check(checks, "settings", "ok", f"uid {NOBODY}")


class Limits(DoctorTest):
    """An engine with other limits than the doctor knows of: what a limit that does not hold looks like."""

    def engine(self, **environment):
        """mayfly-engine behind its socket, as the system units have it, with an environment of its own."""
        os.makedirs(self.path("run"), mode=0o700, exist_ok=True)
        settings = {**self.environment, "DOCKER_SOCKET_PATH": harness.podman_socket(), **environment}
        process = subprocess.Popen(
            ["systemd-socket-activate", "--accept", "--inetd", "--listen=" + self.path("run/engine.sock"),
             *[f"--setenv={name}={value}" for name, value in settings.items()], os.path.join(harness.BUILD, "mayfly-engine")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=settings)
        self.addCleanup(self.end, process)
        harness.until(lambda: os.path.exists(self.path("run/engine.sock")), "systemd-socket-activate listening")

    def end(self, process):
        process.terminate()
        process.wait(harness.DEADLINE_S)
        podman = harness.Podman()
        for container in podman.containers(self.environment["MAYFLY_INSTANCE"]):
            podman.remove(container["Id"])

    def test_limits_that_hold(self):
        self.engine()
        _, checks = self.examine()
        self.assert_check(checks, "engine", "ok", "mayfly-engine behind its socket")
        self.assertEqual([check for name, check in checks.items() if name.startswith("probe") and check["status"] != "ok"], [])

    def test_limits_that_do_not(self):
        self.engine(MAYFLY_PIDS="1000", MAYFLY_MEMORY_MB="2048", MAYFLY_CPU_PERCENT="200", MAYFLY_NOFILE="4096", MAYFLY_FSIZE_MB="256")
        _, checks = self.examine()
        self.assert_check(checks, "probe.memory", "fail", "536870912")
        self.assert_check(checks, "probe.pids", "fail", "not refused")
        self.assert_check(checks, "probe.cpu", "fail", '"200" %')
        self.assert_check(checks, "probe.ulimits", "fail", "nofile 4096 (at most 1024)")
        self.assert_check(checks, "probe.seccomp", "ok")

    def test_another_user(self):
        self.engine(MAYFLY_UIDS="80000-80063")
        self.assert_check(self.examine()[1], "probe.user", "fail", "not one id of MAYFLY_UIDS")

    def test_a_range_of_user_ids_that_is_taken(self):
        taken = subprocess.Popen(["/usr/bin/setpriv", "--reuid=80007", "--clear-groups", "sleep", "600"])
        self.addCleanup(taken.wait)
        self.addCleanup(taken.kill)
        harness.until(lambda: os.stat(f"/proc/{taken.pid}").st_uid == 80007, "another user's process")
        for uids, status, words in (("80000-80063", "fail", "80007"), ("60000-66000", "fail", "65534"), ("90000-90100", "ok", "90000-90100")):
            with self.subTest(uids):
                self.assert_check(self.examine({"MAYFLY_UIDS": uids})[1], "users", status, words)


class Files(DoctorTest):
    def test_a_full_disk(self):
        disk = attack.Folder(self.path("disk"), "size=1m,nr_inodes=2000")
        self.addCleanup(disk.close)
        _, checks = self.examine({"AA_STORAGE_PATH": self.path("disk/storage")})
        self.assert_check(checks, "space.results", "fail", "make room")

    def test_no_inodes(self):
        disk = attack.Folder(self.path("disk"), "size=4g,nr_inodes=100")
        self.addCleanup(disk.close)
        self.assert_check(self.examine({"AA_STORAGE_PATH": self.path("disk")})[1], "space.results", "fail", "inodes free")

    def test_rights(self):
        self.write(self.path("config/keys"), "", 0o666)
        self.write(self.path("config/mayfly.conf"), "", 0o646)
        os.mkdir(self.path("run"))
        os.mkdir(self.path("storage"))
        os.chmod(self.path("run"), 0o755)
        os.chmod(self.path("storage"), 0o777)
        self.write(self.path("storage/.signing-key"), "x", 0o644)
        _, checks = self.examine({"MAYFLY_KEYS_FILE": self.path("config/keys")})
        for name, path, mode in (("keys", "config/keys", "0640"), ("run", "run", "0750"), ("results", "storage", "0750"),
                                 ("signing_key", "storage/.signing-key", "0600")):
            self.assert_check(checks, "rights." + name, "fail", f"chmod {mode} {self.path(path)}")
            subprocess.run(["chmod", mode, self.path(path)], check=True)
        _, checks = self.examine({"MAYFLY_KEYS_FILE": self.path("config/keys")})
        for name in ("keys", "run", "results", "signing_key"):
            self.assert_check(checks, "rights." + name, "ok")

    def test_bad_settings(self):
        status, checks = self.examine({"PORT": "eighty"})
        self.assertEqual((status, list(checks)), (1, ["settings"]))
        self.assert_check(checks, "settings", "fail", "PORT")


class Access(DoctorTest):
    def key_check(self, **environment):
        return self.examine(environment)[1]["keys"]

    def test_loopback_needs_no_key(self):
        self.assertEqual(self.key_check()["status"], "ok")
        self.assertEqual(self.key_check(BIND="::1")["status"], "ok")

    def test_another_address_does(self):
        for address in ("0.0.0.0", "::", "192.0.2.7"):
            check = self.key_check(BIND=address)
            self.assertEqual(check["status"], "fail", check)
            self.assertIn("mayflyctl keys add", check["advice"])
        self.assertEqual(self.key_check(BIND="0.0.0.0", EXECUTOR_API_KEY="x" * 32)["status"], "ok")
        self.assertEqual(self.key_check(BIND="0.0.0.0", API_KEYS="token-of-a-caller:me:1:1")["status"], "ok")

    def test_a_name_for_others_means_a_proxy(self):
        for setting in ({"ALLOWED_HOSTS": "localhost, code.example.org"}, {"PUBLIC_BASE_URL": "https://code.example.org/x"}):
            check = self.key_check(**setting)
            self.assertEqual(check["status"], "fail", check)
            self.assertIn(list(setting)[0], check["message"])
            self.assertEqual(self.key_check(**setting, EXECUTOR_API_KEY="x" * 32)["status"], "warn")
        self.assertEqual(self.key_check(ALLOWED_HOSTS="localhost,127.0.0.1", PUBLIC_BASE_URL="http://localhost:8080")["status"], "ok")

    def test_a_keys_file_with_mistakes(self):
        self.write(self.path("keys"), "this is no key\n", 0o600)
        self.assert_check(self.examine({"MAYFLY_KEYS_FILE": self.path("keys")})[1], "keys.file", "warn", "1 lines")

    def test_who_listens(self):
        self.assert_check(self.examine()[1], "port", "fail", "nothing listens")
        with Fake(b"", "0.0.0.0") as public:
            _, checks = self.examine({"PORT": str(public.port)})
        self.assert_check(checks, "port", "warn", "0.0.0.0 (uid")
        self.assert_check(checks, "keys", "fail")

    def test_another_program_on_the_port(self):
        for answer in (b"SSH-2.0-other\r\n", b"", b"HTTP/1.1 500 No\r\n\r\nbroken", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz"):
            with Fake(answer) as fake:
                self.assert_check(self.examine({"PORT": str(fake.port)})[1], "health", "fail")


class Fake:
    """Something on a port of its own that answers everything with the same bytes, and hangs up."""

    def __init__(self, answer, address="127.0.0.1"):
        self.answer = answer
        self.socket = socket.create_server((address, 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(harness.DEADLINE_S)
                try:
                    connection.recv(1 << 20)
                    connection.sendall(self.answer)
                except OSError:
                    continue

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(harness.DEADLINE_S)


class Attack(DoctorTest):
    def attack(self, server, *arguments, **environment):
        """Exit status and the report, whose counts are right."""
        status, output, errors = run({**server.environment, "PORT": str(server.port), **environment}, "--attack", "--json", *arguments)
        report = json.loads(output)
        self.assertEqual(set(report), {"mayfly", "started", "target", "host", "kernel", "ok", "held", "broken", "attacks"}, errors)
        for one in report["attacks"]:
            self.assertEqual(set(one), {"name", "class", "title", "verdict", "took_ms", "acts"})
            self.assertEqual(one["verdict"], "broken" if "broken" in [act["verdict"] for act in one["acts"]] else "held")
            self.assertTrue(one["acts"])
        verdicts = [one["verdict"] for one in report["attacks"]]
        self.assertEqual((report["held"], report["broken"]), (verdicts.count("held"), verdicts.count("broken")))
        self.assertEqual((status, report["ok"]), (0, True) if not report["broken"] else (1, False))
        return status, {one["name"]: one for one in report["attacks"]}

    @staticmethod
    def broken(one):
        return {act["what"]: act["happened"] for act in one["acts"] if act["verdict"] == "broken"}

    def test_a_sound_server_with_a_pool_holds(self):
        """Programs, jobs and requests; tests/attack/test_programs.py runs them all."""
        only = ["http", "objects", "persist-leave", "persist-look"]
        with harness.Server(MAYFLY_POOL="1") as server:
            status, attacks = self.attack(server, *[word for name in only for word in ("--only", name)])
        self.assertEqual((status, {name: self.broken(one) for name, one in attacks.items() if one["verdict"] == "broken"}), (0, {}))
        self.assertEqual(set(attacks), {*only, "nothing-left"})
        self.assertIn("none", [act["happened"] for act in attacks["nothing-left"]["acts"]])

    def test_without_our_seccomp_profile_it_does_not(self):
        self.write(self.path("open.json"), '{"defaultAction": "SCMP_ACT_ALLOW"}')
        with harness.Server(SECCOMP_PROFILE=self.path("open.json")) as server:
            status, attacks = self.attack(server, "--only", "kernel", "--only", "identity")
        self.assertEqual((status, set(attacks)), (1, {"kernel", "identity", "nothing-left"}))
        self.assertLessEqual({"userfaultfd, user mode only", "ptrace me", "sockets of all families"}, set(self.broken(attacks["kernel"])))
        self.assertEqual(attacks["identity"]["verdict"], "held")

    def test_with_more_processes_and_cpu_than_said_it_does_not(self):
        with harness.Server(MAYFLY_PIDS="2000", MAYFLY_CPU_PERCENT="400") as server:
            _, attacks = self.attack(server, "--only", "processes", MAYFLY_PIDS="64", MAYFLY_CPU_PERCENT="10")
        self.assertLessEqual({"processes"}, set(self.broken(attacks["processes"])))

    def test_with_more_memory_than_said_it_does_not(self):
        with harness.Server(MAYFLY_MEMORY_MB="600") as server:
            _, attacks = self.attack(server, "--only", "memory", MAYFLY_MEMORY_MB="64")
        self.assertIn("exit code 0", self.broken(attacks["memory"])["mapped, four times what it may have: how it ended"])

    def test_a_server_that_answers_everything_with_200_is_broken_into(self):
        with Fake(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as fake:
            fake.environment = {**self.environment, "MAYFLY_RUN_DIR": self.path("run")}
            status, attacks = self.attack(fake, "--only", "http", "--only", "persist-look")
        self.assertEqual((status, attacks["persist-look"]["verdict"]), (1, "broken"))
        requests = [act for act in attacks["http"]["acts"] if act["happened"].startswith("answered with 200")]
        self.assertGreater(len(requests), 30)
        self.assertEqual({act["verdict"] for act in requests}, {"broken"})

    def test_nobody_to_attack(self):
        status, output, errors = run(self.environment, "--attack")
        self.assertEqual((status, output), (1, ""))
        self.assertIn("start the service", errors)

    def test_an_attack_that_is_none(self):
        status, output, errors = run(self.environment, "--attack", "--only", "teatime")
        self.assertEqual((status, output), (2, ""))
        self.assertIn('no attack "teatime"', errors)

    def test_an_operators_own_attacks_and_their_mistakes(self):
        with harness.Server() as server:
            folder = os.path.join(server.folder, "config/attack.d")
            good = {"title": "Mine", "class": "mine", "language": "bash", "program": "mine.sh", "report": True}
            self.write(os.path.join(folder, "mine.json"), json.dumps(good))
            self.write(os.path.join(folder, "mine.sh"), 'echo "held: a | b: as <it> should: $pids"; echo "broken: c: not"; echo rubbish; echo end\n')
            self.write(os.path.join(folder, "endless.json"), json.dumps({**good, "program": "endless.sh"}))
            self.write(os.path.join(folder, "endless.sh"), 'echo "held: a: b"\n')
            self.write(os.path.join(folder, "typo.json"), '{\n"title": "x",\n"clas": "x"\n}\n')
            self.write(os.path.join(folder, "cut.json"), '{"title": "x"')
            self.write(os.path.join(folder, "lost.json"), json.dumps({**good, "program": "lost.sh"}))
            names = ["mine", "endless", "typo", "cut", "lost"]
            only = [word for name in names for word in ("--only", name)]
            _, attacks = self.attack(server, *only)
            self.assertEqual(self.broken(attacks["mine"]), {"c": "not"})
            self.assertEqual([act["happened"] for act in attacks["mine"]["acts"] if act["what"] == "a | b"], ["as <it> should: 128"])
            self.assertIn("did not get to its end", self.broken(attacks["endless"])["the program itself"])
            self.assertIn("typo.json:3", self.broken(attacks["typo"])["the attack's file"])
            self.assertIn("cut.json", self.broken(attacks["cut"])["the attack's file"])
            self.assertIn("attack.d/lost.sh", self.broken(attacks["lost"]))
            status, report, _ = run({**server.environment, "PORT": str(server.port)}, "--attack", "--only", "mine")
        self.assertEqual(status, 1)
        self.assertIn("| c | not | broken |\n| a \\| b | as \\<it> should: 128 | held |", report)
        self.assertTrue(report.startswith("# mayfly under attack\n"))
        self.assertIn("1 of 4 acts broke through, in 1 of 2 attacks", report)


if __name__ == "__main__":
    harness.main()
