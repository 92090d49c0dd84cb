"""The container engine as the bench sees it: a tap on its socket, and its command line with what mayfly-engine asks for.

Rules:
 1. The flags of `podman run` are made from a request that mayfly-engine sent, never kept as a second list: what has no flag here ends the
    bench.
 2. The command line runs where the service runs: the same mount namespace, the same settings. But its containers are where a user's are, in
    the host's own store: a store in memory is one of mayfly's levers.
"""
import json
import os
import select
import shutil
import socket
import struct
import sys
import threading

import measure

OUR_NAMESPACE = "/proc/self/ns/mnt"


def service_pid(path):
    """The process that listens on an engine's socket, as the kernel knows it: PID 1 where systemd does."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        return struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


def enter_namespace(path):
    """Starts this program anew in the mount namespace of the service, when that is another. Without root, podman itself sees to it."""
    pid = service_pid(path)
    if os.geteuid() == 0 and os.stat(f"/proc/{pid}/ns/mnt").st_ino != os.stat(OUR_NAMESPACE).st_ino:
        os.execvp("nsenter", ["nsenter", f"--target={pid}", "--mount", f"--wd={os.getcwd()}", sys.executable, *sys.argv])


def environment(path):
    """Our own, with the settings of the service in it that scripts/podman-service started there; another's are the host's."""
    found = {name: value for name, value in os.environ.items() if name not in ("CONTAINER_HOST", "DOCKER_HOST")}
    settings = os.path.join(os.path.dirname(path), "podman-containers.conf")
    if os.path.exists(settings):
        found["CONTAINERS_CONF"] = settings
    return found


class Tap:
    """A socket that passes everything on to the engine's, and notes the calls."""

    def __init__(self, path, engine_path):
        self.path = path
        self.engine_path = engine_path
        self.calls = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(connection,), daemon=True).start()

    def _pass_on(self, client):
        call = None
        with client, socket.socket(socket.AF_UNIX) as engine:
            engine.connect(self.engine_path)
            while True:
                for source in select.select([client, engine], [], [])[0]:
                    try:
                        data = source.recv(1 << 20)
                    except ConnectionResetError:
                        data = b""
                    if not data:
                        return
                    if source is client:
                        engine.sendall(data)
                        if not call or call["ended"]:
                            call = {"request": b"", "began": measure.now_ms(), "ended": None}
                            self.calls.append(call)
                        call["request"] += data
                    else:
                        client.sendall(data)
                        call["ended"] = measure.now_ms()

    def take(self):
        """The calls so far, each {"request": bytes, "began": ms, "ended": ms}, in order; forgets them."""
        calls, self.calls = self.calls, []
        return sorted(calls, key=lambda call: call["began"])

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def find_call(calls, start, end=b""):
    """The first call whose method and path begin and end so."""
    for call in calls:
        line = call["request"].split(b" HTTP/1.1\r\n", 1)[0]
        if line.startswith(start) and line.endswith(end):
            return call
    raise AssertionError(f"mayfly-engine made no call {start!r} … {end!r}: {[call['request'][:80] for call in calls]}")


def options(name, value):
    return [f"--{name}={item}" for item in (value if isinstance(value, list) else [value])]


# What the engine is asked for, by name, and the flags that ask for it. None: what a run has for itself, or sets by --rm and its arguments.
FLAGS = {
    "Image": None, "Entrypoint": None, "Cmd": None, "Labels": None,
    "Hostname": lambda value: options("hostname", value),
    "User": lambda value: options("user", value),
    "WorkingDir": lambda value: options("workdir", "/workspace"),
    "Env": lambda value: options("env", value),
    "Healthcheck": lambda value: ["--no-healthcheck"],
}
HOST_FLAGS = {
    "AutoRemove": None, "Binds": None,
    "MaskedPaths": None,  # Docker's word; Podman takes it as a SecurityOpt
    "NetworkMode": lambda value: options("network", value),
    "Memory": lambda value: options("memory", f"{value}b"),
    "MemorySwap": lambda value: options("memory-swap", f"{value}b"),
    "NanoCpus": lambda value: options("cpus", value / 1e9),
    "PidsLimit": lambda value: options("pids-limit", value),
    "ReadonlyRootfs": lambda value: ["--read-only"],
    "CapDrop": lambda value: options("cap-drop", value),
    "IpcMode": lambda value: options("ipc", value),
    "PidMode": lambda value: options("pid", value),
    "UTSMode": lambda value: options("uts", value),
    "CgroupnsMode": lambda value: options("cgroupns", value),
    "LogConfig": lambda value: options("log-driver", value["Type"]),
    "RestartPolicy": lambda value: options("restart", value["Name"]),
    "Tmpfs": lambda value: options("tmpfs", [f"{place}:{how}" for place, how in value.items()]),
    "ShmSize": lambda value: options("shm-size", f"{value}b"),
    "Ulimits": lambda value: options("ulimit", [f"{limit['Name']}={limit['Soft']}:{limit['Hard']}" for limit in value]),
    "SecurityOpt": lambda value: options("security-opt", value),
}


def run_command(create, argv):
    """`podman run --rm` of argv with what a create request asks for, less the control socket and init."""
    flags = []
    for table, asked in ((FLAGS, create), (HOST_FLAGS, create["HostConfig"])):
        for name, value in asked.items():
            if name == "HostConfig":
                continue
            if name not in table:
                raise AssertionError(f"mayfly-engine asks for {name}, and the bench knows no flag for it: add it to tests/bench/engine.py")
            if table[name]:
                flags += table[name](value)
    return [shutil.which("podman"), "run", "--rm", "--pull=never", *flags, "--entrypoint=" + argv[0], create["Image"], *argv[1:]]


def create_request(calls):
    """The body of the request for a container among a tap's calls."""
    return json.loads(find_call(calls, b"POST", b"")["request"].split(b"\r\n\r\n", 1)[1])
