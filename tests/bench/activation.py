#!/usr/bin/env python3
"""What an activation costs under systemd: each request in a unit of its own, mayfly's beside a bare one; and a warm job over HTTP.

    activation.py [--rounds N] [--jobs N]      as root; prints two tables

Rules:
 1. systemd boots in systemd-nspawn, in a Debian tree that is made for it and goes with it: never in this machine's own. The network is this
    machine's, on free ports of loopback; no capability over it is given.
 2. The units are those that are installed. What differs: the folder that the engine's containers and mayfly share is one that has the same path
    in here and out there, and the engine is this machine's, behind a tap.
 3. What is compared is measured in turns, and every answer is checked. No time makes it fail.
"""
import argparse
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import engine
import harness
import measure

PACKAGES = "systemd-sysv,dbus,libnss-systemd,libcurl4,libjansson4"
NEEDLESS = ("getty@.service", "console-getty.service", "systemd-logind.service", "systemd-networkd.service", "systemd-resolved.service",
            "systemd-timesyncd.service", "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer")
GAP_S = 0.05  # between two requests: systemd clears up after the last
BLOCK = 6     # requests in a row, whose processor time is taken together
BARE, OURS = "bare unit: ExecStart=, StandardInput=socket", "mayfly@.service"
SOCKET = """[Socket]
ListenStream=127.0.0.1:{port}
Accept=yes
TriggerLimitIntervalSec=0
NoDelay=yes
"""
# Lines that are added to mayfly@.service: other ways to the same end, and what it does without.
ADDED = {
    "– keys file opened by mayfly": ["StandardInput=socket", "Environment=MAYFLY_KEYS_STDIN=false"],
    "– keys file by a group, CAP_SETGID to drop it": ["StandardInput=socket", "Environment=MAYFLY_KEYS_STDIN=false", "SupplementaryGroups=adm",
                                                      "AmbientCapabilities=CAP_SETGID", "CapabilityBoundingSet=CAP_SETGID"],
    "+ LoadCredential=": ["LoadCredential=SIGNING_KEY:/etc/hostname"],
    "+ what needs no mount namespace": ["RestrictAddressFamilies=AF_UNIX", "RestrictNamespaces=yes", "RestrictRealtime=yes", "RestrictSUIDSGID=yes",
                                        "LockPersonality=yes", "ProtectClock=yes", "ProtectHostname=yes", "SystemCallArchitectures=native",
                                        "SystemCallFilter=~@clock @cpu-emulation @debug @module @mount @obsolete @raw-io @reboot @swap"],
    "+ ProtectSystem=strict ProtectHome= PrivateTmp=": ["ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes"],
}
ALL = "+ all that mayfly-reap.service has"


class Host:
    """A booted Debian with mayfly installed."""

    def __init__(self, stack):
        self.tree = stack.enter_context(tempfile.TemporaryDirectory(prefix="mayfly-bench-", dir="/var/tmp"))
        self.shared = stack.enter_context(tempfile.TemporaryDirectory(prefix="mayfly-bench-", dir="/run"))
        os.chmod(self.shared, 0o755)
        self.run = os.path.join(self.shared, "run")
        self.instance = "bench-" + os.urandom(6).hex()
        self.ports = {}
        self.tap = engine.Tap(os.path.join(self.shared, "podman.sock"), harness.podman_socket())
        stack.callback(self.tap.close)
        os.chmod(self.tap.path, 0o666)
        self.make_tree()
        self.install()
        self.add_variants()
        self.boot(stack)

    def path(self, name):
        return os.path.join(self.tree, name.lstrip("/"))

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def make_tree(self):
        """As tests/host/image has it: this machine's own sources of packages, and its proxy."""
        with tempfile.TemporaryDirectory() as folder:
            sources = subprocess.run("apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian'"
                                     " | grep -E ' bookworm(-updates|-security)? main$'", shell=True, check=False, stdout=subprocess.PIPE, text=True)
            command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "--aptopt=APT::Install-Recommends \"false\"",
                       "--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/doc/*", "bookworm", f"{folder}/root.tar"]
            if sources.stdout:
                with open(f"{folder}/sources", "w", encoding="utf-8") as file:
                    file.write(sources.stdout)
                command.append(file.name)
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
            subprocess.run(["tar", "-xf", f"{folder}/root.tar", "-C", self.tree], check=True)
        for unit in NEEDLESS:
            os.symlink("/dev/null", self.path(f"etc/systemd/system/{unit}"))

    def install(self):
        """With PREFIX in the shared folder: what containers are given from there has the path that Podman sees."""
        prefix = os.path.join(self.shared, "usr")
        subprocess.run([os.path.join(harness.ROOT, "scripts/install"), "install"], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "DESTDIR": self.tree, "PREFIX": prefix, "BUILD": harness.BUILD})
        shutil.move(self.path(prefix), prefix)
        for kind, target in (("systemd/system", "etc/systemd/system"), ("sysusers.d", "usr/lib/sysusers.d"), ("tmpfiles.d", "usr/lib/tmpfiles.d")):
            for name in os.listdir(f"{prefix}/lib/{kind}"):
                with open(f"{prefix}/lib/{kind}/{name}", encoding="utf-8") as file:
                    self.write(f"{target}/{name}", self.adapted(name, file.read()))
        self.write("etc/mayfly/mayfly.conf", f"DOCKER_SOCKET_PATH={self.tap.path}\nMAYFLY_INSTANCE={self.instance}\n")
        self.listen("mayfly", OURS)
        with open(self.path("etc/systemd/system/mayfly@.service"), encoding="utf-8") as file:
            self.unit = file.read()

    def adapted(self, name, text):
        """A file of ours with the shared folder in place of /run/mayfly, and without a Podman of its own."""
        text = re.sub(r"/run/mayfly(?![-\w])", self.run, text)
        if name == "mayfly-engine.socket":
            text = re.sub(r"^(Requires|After)=mayfly-podman.socket\n", "", text, flags=re.M)
        if name == "mayfly.socket":
            self.ports[OURS] = harness.free_port()
            text = re.sub("127.0.0.1:8080", f"127.0.0.1:{self.ports[OURS]}", text)
        return text

    def listen(self, name, label):
        self.ports.setdefault(label, harness.free_port())
        wants = self.path("etc/systemd/system/sockets.target.wants")
        os.makedirs(wants, exist_ok=True)
        os.symlink(f"../{name}.socket", f"{wants}/{name}.socket")

    def add_variants(self):
        with open(self.path("etc/systemd/system/mayfly-reap.service"), encoding="utf-8") as file:
            sandbox = re.search(r"^ProtectSystem=.*^SystemCallErrorNumber=EPERM$", file.read(), re.M | re.S).group(0)
        units = {BARE: f"[Service]\nExecStart={self.shared}/usr/libexec/mayfly/mayfly\nStandardInput=socket\n"}
        units.update({label: self.unit + "\n".join(lines) + "\n" for label, lines in ADDED.items()})
        units[ALL] = self.unit + f"ReadWritePaths={self.run} /var/lib/mayfly\n{sandbox}\n"
        for number, (label, text) in enumerate(units.items()):
            self.listen(f"variant-{number}", label)
            self.write(f"etc/systemd/system/variant-{number}.socket", SOCKET.format(port=self.ports[label]))
            self.write(f"etc/systemd/system/variant-{number}@.service", text)

    def boot(self, stack):
        notify = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        notify.bind(os.path.join(self.shared, "notify"))
        notify.settimeout(harness.DEADLINE_S)
        groups = stack.enter_context(own_cgroups())
        self.usage = next((f"{group}/cpuacct.usage" for group in groups if os.path.exists(f"{group}/cpuacct.usage")), None)
        self.console = stack.enter_context(open(self.path("console"), "w+", encoding="utf-8", errors="replace"))
        self.process = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--notify-ready=yes", "--kill-signal=SIGRTMIN+4", "--link-journal=no",
             f"--directory={self.tree}", f"--bind={self.shared}", "--boot"], stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console,
            env={**os.environ, "NOTIFY_SOCKET": notify.getsockname()}, preexec_fn=lambda: enter(groups), start_new_session=True)
        stack.callback(self.end)
        while b"READY=1" not in notify.recv(4096).split(b"\n"):
            pass

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(harness.DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        podman = harness.Podman()  # pooled containers, and those that were being made
        for container in podman.containers(self.instance):
            podman.remove(container["Id"])

    def logs(self):
        """What the console and the journal say, for a failure."""
        journal = subprocess.run(["journalctl", f"--root={self.tree}", "--no-pager", "--lines=40", "--output=cat"], check=False,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        with open(self.console.name, encoding="utf-8", errors="replace") as file:
            return file.read()[-2000:] + journal.stdout

    def cpu_ms(self):
        """What all of the host's processes have used; 0 where that is not counted for it alone."""
        if not self.usage:
            return 0
        with open(self.usage, encoding="ascii") as file:
            return int(file.read()) / 1e6

    def ctl(self, *arguments):
        return subprocess.run([os.path.join(harness.BUILD, "mayflyctl"), *arguments], check=True, stdout=subprocess.PIPE, text=True, env={
            "MAYFLY_RUN_DIR": self.run, "MAYFLY_DATA_DIR": f"{self.shared}/usr/share/mayfly", "AA_STORAGE_PATH": self.path("var/lib/mayfly/artifacts"),
            "DOCKER_SOCKET_PATH": self.tap.path}).stdout

    def has_kernel(self):
        return any(pooled["prebooted"] and pooled["label"].endswith("script.js") for pooled in json.loads(self.ctl("pool", "--json"))["pool"])


class Place:
    """One of the host's ports, as measure.Post wants its server."""

    def __init__(self, host, label):
        self.port = host.ports[label]
        self.host = f"127.0.0.1:{self.port}"
        self.logs = host.logs

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=harness.DEADLINE_S)


def health(place):
    """One request that needs neither engine nor body; ms from connect to the last byte."""
    started = measure.now_ms()
    with place.connect() as connection:
        connection.sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        reply = harness.read_all(connection)
    took_ms = measure.now_ms() - started
    assert reply.startswith(b"HTTP/1.1 200 "), f"{reply!r}\n{place.logs()}"
    return took_ms


@contextlib.contextmanager
def own_cgroups():
    """Where PID 1 is no systemd, nspawn makes its cgroups beside whatever it was started in: that is a group of its own then, of the same name in
    each hierarchy."""
    name = "mayfly-bench-" + os.urandom(6).hex()
    parents = [] if os.path.isdir("/run/systemd/system") else ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/cpuacct"]
    groups = [f"{parent}/{name}" for parent in parents if os.path.exists(f"{parent}/cgroup.procs")]
    for group in groups:
        os.mkdir(group)
    try:
        yield groups
    finally:
        for group in groups:
            for folder, _, _ in os.walk(group, topdown=False):
                harness.until(lambda path=folder: remove_cgroup(path), f"the end of {folder}")


def remove_cgroup(path):
    try:
        os.rmdir(path)
    except OSError:
        return False
    return True


def enter(groups):
    for group in groups:
        with open(f"{group}/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(os.getpid()))


def measure_activation(host, rounds):
    places = {label: Place(host, label) for label in (BARE, OURS, *ADDED, ALL)}
    times, cpu_ms = {label: [] for label in places}, {label: [] for label in places}
    for turn in range(-1, rounds // BLOCK):
        for label, place in places.items():
            time.sleep(BLOCK * GAP_S)
            before = host.cpu_ms()
            for _ in range(BLOCK):
                took_ms = health(place)
                time.sleep(GAP_S)
                if turn >= 0:
                    times[label].append(took_ms)
            if turn >= 0:
                cpu_ms[label].append((host.cpu_ms() - before) / BLOCK)
    return times, cpu_ms


def measure_jobs(host, jobs):
    interpreter = measure.Command(["/usr/bin/python3", "-c", measure.CODE["python"]], {"PATH": "/usr/bin:/bin"})
    job = measure.Job(Place(host, OURS))
    times = {"/usr/bin/python3 -c 'print(1)' on the host": [], "mayfly under systemd, a pooled container with the runtime waiting": []}
    for turn in range(-2, jobs):
        for taken, run in zip(times.values(), (interpreter.run, job.run)):
            if run == job.run and turn > -2:
                harness.until(host.has_kernel, "a pooled container with its kernel")
            time.sleep(GAP_S)
            took_ms = run()
            if turn >= 0:
                taken.append(took_ms)
    return times


def show(title, times, baseline, cpu_ms=None):
    print(f"\n| {title} | p10 ms | p50 ms | p95 ms | p50, more than the first |" + (" CPU ms |" if cpu_ms else "") + "\n|---|---|---|---|---|" + ("---|" if cpu_ms else ""))
    base = measure.percentile(times[baseline], 50)
    for label, taken in times.items():
        p10, p50, p95 = (measure.percentile(taken, percent) for percent in (10, 50, 95))
        print(f"| {label} | {p10:.1f} | {p50:.1f} | {p95:.1f} | {'' if label == baseline else f'{p50 - base:+.1f} ms, {p50 / base:.2f} ×'} |"
              + (f" {measure.percentile(cpu_ms[label], 50):.1f} |" if cpu_ms else ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=240)
    parser.add_argument("--jobs", type=int, default=60)
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        host = Host(stack)
        before = os.getloadavg()[0]
        activation, cpu_ms = measure_activation(host, arguments.rounds)
        jobs = measure_jobs(host, arguments.jobs)
        print(f"{os.cpu_count()} CPUs, load {before:.1f} before, {os.getloadavg()[0]:.1f} after; medians of {arguments.rounds} and {arguments.jobs}")
        show("GET /v1/health", activation, BARE, cpu_ms)
        show("a python job", jobs, next(iter(jobs)))


if __name__ == "__main__":
    main()
