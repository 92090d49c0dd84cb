"""The test host: a Debian 12 machine under qemu, without KVM and without rights on this one but to run Podman and mmdebstrap.

What is made is kept in ${XDG_CACHE_HOME:-~/.cache}/mayfly-host, a folder for each state of what it is made from:

    <hash>/root.raw vmlinux mini.img       Debian, by tests/host/image
    <hash>/<hash>/images.qcow2             with the worker image loaded, for root and for the user, by `podman load`
    <hash>/<hash>/base.qcow2 ram state     after its boot: what every Machine() starts from, in seconds
    running/                               the disks of the machines that run

Rules:
 1. A machine works on a layer of its own over those files: what is cached never changes.
 2. Nothing waits by sleeping where something tells: READY comes over a serial port, an ended boot by qemu's end.
 3. qemu's own network: nothing gets out, and only the agent's port gets in, from loopback.
 4. Everything that is started ends with the process that started it.
"""
import atexit
import concurrent.futures
import contextlib
import fcntl
import hashlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "mayfly-host")
IMAGE = "localhost/aa-worker:latest"
AGENT_PORT = 7000
BOOT_S = 1800  # what takes 10 s on an idle machine
COMMAND_S = 600
# A snapshot belongs to one set of these.
HARDWARE = ["-M", "q35,memory-backend=memory", "-accel", "tcg,thread=multi", "-cpu", "Nehalem", "-smp", "2", "-m", "2048"]
MEMORY = "memory-backend-file,id=memory,size=2048M"
KERNEL = "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off systemd.show_status=0 tsc=reliable nokaslr audit=0 net.ifnames=0"


def say(text):
    print(f"# {text}", file=sys.stderr, flush=True)


def digest(*parts):
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def run(*command, **more):
    return subprocess.run(command, check=True, **more)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Monitor:
    """qemu's monitor."""

    def __init__(self, connection):
        self.connection = connection
        self.stream = connection.makefile("rw", encoding="utf-8")
        self.stream.readline()
        self.events = []
        self.command("qmp_capabilities")

    def command(self, name, **arguments):
        self.stream.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.stream.flush()
        while True:
            answer = json.loads(self.stream.readline())
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise RuntimeError(f"{name}: {answer['error']['desc']}")
            else:
                return answer["return"]

    def close(self):
        self.stream.close()
        self.connection.close()

    def wait_migration(self):
        """Waits for the event that a migration has come to its end; MIGRATION events are on."""
        while True:
            for event in self.events:
                status = event.get("data", {}).get("status")
                if event["event"] == "MIGRATION" and status in ("completed", "failed"):
                    self.events.clear()
                    if status == "failed":
                        raise RuntimeError("migration failed")
                    return
            self.events.append(json.loads(self.stream.readline()))


class Qemu:
    """One run of qemu, from start or restore to its end."""

    def __init__(self, disk, boot_files, extra=(), ram=None, share=True):
        self.folder = tempfile.mkdtemp(prefix="mayfly-host-")
        self.port = free_port()
        self.ready = self.monitor = None
        listeners = {name: self._listen(name) for name in ("monitor", "ready")}
        memory = f"{MEMORY},mem-path={ram},share={'on' if share else 'off'}" if ram else MEMORY.replace("-file", "-ram")
        self.process = subprocess.Popen([
            "setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", *HARDWARE, "-object", memory,
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", f"file:{self.folder}/console",
            "-chardev", f"socket,id=ready,path={self.folder}/ready", "-serial", "chardev:ready",
            "-chardev", f"socket,id=monitor,path={self.folder}/monitor", "-mon", "chardev=monitor,mode=control",
            "-kernel", f"{boot_files}/vmlinux", "-initrd", f"{boot_files}/mini.img", "-append", KERNEL,
            "-drive", f"id=root,if=none,format=qcow2,file={disk},cache=unsafe", "-device", "virtio-blk-pci,drive=root",
            "-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:{AGENT_PORT}",
            "-device", "virtio-net-pci,netdev=net,mac=52:54:00:12:34:56",
            "-object", "rng-random,id=random,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=random", *extra],
            stdin=subprocess.DEVNULL)
        atexit.register(self.kill)
        self.ready = self._accept(listeners["ready"])
        self.monitor = Monitor(self._accept(listeners["monitor"]))

    def _listen(self, name):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{self.folder}/{name}")
        listener.listen(1)
        return listener

    def _accept(self, listener):
        listener.settimeout(60)
        connection = listener.accept()[0]
        listener.close()
        return connection

    def console(self):
        with open(f"{self.folder}/console", encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_ready(self):
        self.ready.settimeout(BOOT_S)
        seen = b""
        try:
            while b"READY" not in seen:
                piece = self.ready.recv(4096)
                if not piece:
                    break
                seen += piece
        except TimeoutError:
            pass
        if b"READY" not in seen:
            raise RuntimeError("the guest does not come up; its console:\n" + self.console())

    def wait(self, timeout_s=BOOT_S):
        """Waits for the guest to switch itself off."""
        self.process.wait(timeout_s)
        self.kill()

    def kill(self):
        atexit.unregister(self.kill)
        for connection in filter(None, (self.ready, self.monitor)):
            connection.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Result:
    def __init__(self, answer):
        self.status, self.stdout, self.stderr = answer["status"], answer["stdout"], answer["stderr"]


class Agent:
    """Commands in a guest."""

    def __init__(self, port):
        self.port = port

    def _call(self, order, body, timeout_s):
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s + 60) as connection:
            connection.sendall(json.dumps({**order, "timeout_s": timeout_s}).encode() + b"\n")
            if isinstance(body, bytes):
                connection.sendall(body)
            elif body is not None:
                while piece := body.read(1 << 20):
                    connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(1 << 20), b""))
        if not answer:
            raise ConnectionResetError("the agent hung up")
        answer = json.loads(answer)
        if "failed" in answer:
            raise ConnectionError(answer["failed"])
        return answer

    def try_run(self, *argv, user="root", stdin=None, timeout_s=COMMAND_S, **env):
        """Runs a command, or as one string a bash script; gives its Result whatever its status."""
        if len(argv) == 1:
            argv = ("bash", "-euo", "pipefail", "-c", argv[0])
        return Result(self._call({"argv": argv, "user": user, "env": env}, stdin, timeout_s))

    def run(self, *argv, **more):
        """The same, for what must succeed: gives its standard output."""
        result = self.try_run(*argv, **more)
        if result.status != 0:
            raise AssertionError(f"{shlex.join(argv)}: status {result.status}\n{result.stdout}{result.stderr}")
        return result.stdout

    def http(self, method, path, body="", headers=None, port=8080, timeout_s=COMMAND_S):
        """A request from inside: (status, headers, body as latin-1)."""
        answer = self._call({"method": method, "path": path, "port": port, "headers": headers or {}, "body": body}, None, timeout_s)
        return answer["status"], answer["headers"], answer["body"]


# --- what is cached ------------------------------------------------------------------------------


@contextlib.contextmanager
def making(folder):
    """The one that makes what a folder holds; others wait for it."""
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with open(os.path.join(CACHE, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.makedirs(folder, exist_ok=True)
        yield


def drop_others(parent, keep):
    """Takes away what was made from inputs that are no more."""
    for name in os.listdir(parent):
        if os.path.isdir(os.path.join(parent, name)) and name not in (os.path.basename(keep), "running"):
            shutil.rmtree(os.path.join(parent, name))


def layer(over, path):
    kind = "raw" if over.endswith(".raw") else "qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", os.path.abspath(over), "-F", kind, path)


def debian():
    """The folder of the disk with Debian, its kernel and initrd."""
    inputs = [read(os.path.join(HERE, name)) for name in ("image", "customize", "agent.py")]
    folder = os.path.join(CACHE, digest(*inputs))
    with making(folder):
        if not os.path.exists(f"{folder}/root.raw"):
            started = time.monotonic()
            say("the test host's disk: installing Debian, a minute or two")
            drop_others(CACHE, folder)
            run(os.path.join(HERE, "image"), folder, stdin=subprocess.DEVNULL, stdout=sys.stderr)
            say(f"made in {time.monotonic() - started:.0f} s")
    return folder


def load_images(boot_files, folder):
    """Boots the disk once and loads the worker image, saved here, into root's store and into the user's."""
    archive, disk = f"{folder}/worker.tar", f"{folder}/images.new"
    started = time.monotonic()
    say("loading the worker image into the test host, a few minutes")
    if os.path.exists(archive):
        os.unlink(archive)
    run("podman", "save", "--quiet", "--format", "docker-archive", "--output", archive, IMAGE, stdout=subprocess.DEVNULL)
    layer(f"{boot_files}/root.raw", disk)
    # the archive as a disk: a tar may end in any number of zeros
    os.truncate(archive, -(-os.path.getsize(archive) // 4096) * 4096)
    qemu = Qemu(disk, boot_files, ["-drive", f"id=archive,if=none,format=raw,readonly=on,file={archive}",
                                   "-device", "virtio-blk-pci,drive=archive"])
    qemu.wait_ready()
    agent = Agent(qemu.port)
    agent.run("chmod a+r /dev/vdb")
    with concurrent.futures.ThreadPoolExecutor() as both:
        for loaded in [both.submit(agent.run, "podman", "load", "--input", "/dev/vdb", user=user, timeout_s=3600)
                       for user in ("root", "alice")]:
            loaded.result()
    with contextlib.suppress(OSError):
        agent.run("systemctl", "--no-block", "poweroff")
    qemu.wait()
    os.unlink(archive)
    os.rename(disk, f"{folder}/images.qcow2")
    say(f"loaded in {time.monotonic() - started:.0f} s")


def take_snapshot(boot_files, folder):
    """Boots once more and keeps memory, devices and disk as they are then."""
    started = time.monotonic()
    for name in ("base.qcow2", "ram", "state", "state.new"):
        if os.path.exists(f"{folder}/{name}"):
            os.unlink(f"{folder}/{name}")
    layer(f"{folder}/images.qcow2", f"{folder}/base.qcow2")
    qemu = Qemu(f"{folder}/base.qcow2", boot_files, ram=f"{folder}/ram")
    qemu.wait_ready()
    Agent(qemu.port).run("sync")
    qemu.monitor.command("stop")
    set_capabilities(qemu.monitor)
    qemu.monitor.command("migrate", uri=f"exec:cat >{shlex.quote(folder)}/state.new")
    qemu.monitor.wait_migration()
    qemu.monitor.command("quit")
    qemu.wait()
    os.rename(f"{folder}/state.new", f"{folder}/state")
    say(f"snapshot of its memory taken in {time.monotonic() - started:.0f} s")


def set_capabilities(monitor):
    monitor.command("migrate-set-capabilities", capabilities=[
        {"capability": "x-ignore-shared", "state": True}, {"capability": "events", "state": True}])


def prepared():
    """Makes what is missing in the cache; returns the folders of Debian and of the snapshot."""
    boot_files = debian()
    image = run("podman", "image", "inspect", "--format", "{{.Id}}", IMAGE, stdout=subprocess.PIPE, text=True).stdout.strip()
    version = run("qemu-system-x86_64", "--version", stdout=subprocess.PIPE, text=True).stdout
    folder = os.path.join(boot_files, digest(image, version, *HARDWARE, MEMORY, KERNEL))
    with making(folder):
        if not os.path.exists(f"{folder}/images.qcow2"):
            drop_others(boot_files, folder)
            load_images(boot_files, folder)
        if not os.path.exists(f"{folder}/state"):
            take_snapshot(boot_files, folder)
    return boot_files, folder


# --- a machine -----------------------------------------------------------------------------------


def own_folder():
    """A folder for a machine's disk, (path, descriptor): locked as long as this process lives, and swept by the next when it was killed."""
    running = os.path.join(CACHE, "running")
    os.makedirs(running, exist_ok=True)
    for name in os.listdir(running):
        folder = os.open(os.path.join(running, name), os.O_RDONLY)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(os.path.join(running, name), ignore_errors=True)
        os.close(folder)
    path = tempfile.mkdtemp(dir=running)
    lock = os.open(path, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return path, lock


class Machine(Agent):
    """A test host of its own, as it is after its boot."""

    def __init__(self):
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is registered to be tidied is, then too
        self.boot_files, snapshot = prepared()
        with making(snapshot):
            self.folder, self.lock = own_folder()
        atexit.register(shutil.rmtree, self.folder, True)
        self.disk = f"{self.folder}/disk.qcow2"
        layer(f"{snapshot}/base.qcow2", self.disk)
        self.qemu = Qemu(self.disk, self.boot_files, ["-incoming", "defer"], ram=f"{snapshot}/ram", share=False)
        super().__init__(self.qemu.port)
        set_capabilities(self.qemu.monitor)
        self.qemu.monitor.command("migrate-incoming", uri=f"exec:cat {shlex.quote(snapshot)}/state")
        self.qemu.monitor.wait_migration()
        self.qemu.monitor.command("cont")
        self.run("date", "--set", f"@{time.time():.3f}")

    def reboot(self):
        """As `systemctl reboot` does it: everything is stopped, and the disk boots again, cold."""
        with contextlib.suppress(OSError):  # the answer may not get out any more
            self.run("systemctl", "--no-block", "reboot")
        self.qemu.wait()
        self.qemu = Qemu(self.disk, self.boot_files)
        self.port = self.qemu.port
        self.qemu.wait_ready()

    def put_tree(self, target):
        """Copies the source tree with what is built in it, times included, as `make install` needs it."""
        names = ["Makefile", "src", "worker", "systemd", "scripts", os.path.basename(os.environ.get("MAYFLY_BUILD", "build"))]
        command = ["tar", "--create", "--format=posix", "--exclude=*/tests", "--exclude=*/fuzz", "--owner=0", "--group=0", "-C", ROOT]
        self.run("mkdir", "-p", target)
        with subprocess.Popen(command + names, stdout=subprocess.PIPE) as tar:
            self.run("tar", "--extract", "--directory", target, stdin=tar.stdout)
        if tar.returncode != 0:
            raise RuntimeError("tar failed")

    def close(self):
        self.qemu.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self.lock)


def main():
    """By hand: prepares the cache; with an argument runs that script in a new machine, as root."""
    if len(sys.argv) == 1:
        prepared()
        return
    machine = Machine()
    machine.put_tree("/root/mayfly")
    result = machine.try_run(sys.argv[1], timeout_s=3600)
    sys.stdout.write(result.stdout)
    sys.stderr.write(result.stderr)
    machine.close()
    sys.exit(result.status)


if __name__ == "__main__":
    main()
