"""A rootless Podman with a store of its own, and mayfly as its user.

Rules:
 1. The user and what belongs to it (passwd, subuid) are there in one mount namespace only: the machine's files stay as they are.
 2. Everything runs in one PID namespace whose first process ends with its standard input, and so with this process, however that ends.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile

import harness

UID = 61001
NAME = "mayfly-rootless"
SUBORDINATE = "2000000:65536"
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
PROGRAMS = ("mayfly", "mayfly-engine", "mayfly-init", "mayflyctl")
IN_IMAGE = ("bash", "cat")
FOLDERS = ("dev", "etc", "proc", "run", "sys", "tmp", "usr/bin", "usr/lib/mayfly", "var/tmp", "work", "workspace")
# crun refuses a host of both kinds of cgroups; see scripts/podman-service. Debian's /dev/fuse is everybody's, some hosts' root's alone.
HOLD = """
for name in passwd group subuid subgid; do mount --bind "$0/etc/$name" "/etc/$name"; done
if [ -c /dev/fuse ]; then
    mknod --mode=666 "$0/fuse" c 10 229
    mount --bind "$0/fuse" /dev/fuse
fi
umount --no-mtab /sys/fs/cgroup/unified 2>/dev/null
echo ready
exec cat
"""


def image(path):
    """An image's files: bash, cat, what they are linked with, and the folders that mayfly mounts upon."""
    programs = {shutil.which(name, path=PATH): "usr/bin/" + name for name in IN_IMAGE}
    linked = subprocess.run(["ldd", *programs], check=True, stdout=subprocess.PIPE, text=True).stdout
    files = {**{library: library.lstrip("/") for library in re.findall(r"(/\S+) \(0x", linked)}, **programs}
    with tarfile.open(path, "w", dereference=True) as archive:
        for name in FOLDERS:
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        link = tarfile.TarInfo("bin")
        link.type, link.linkname = tarfile.SYMTYPE, "usr/bin"
        archive.addfile(link)
        for source, name in files.items():
            archive.add(os.path.realpath(source), name)


class Rootless:
    def __init__(self, storage, containers=""):
        """storage, containers: lines for storage.conf and for [containers] of containers.conf."""
        # a memory file system cannot hold an overlay of a user's on every kernel, and this one's path is short
        self.folder = tempfile.mkdtemp(prefix="mfr-", dir="/var/tmp")
        self.holder = self.service = None
        self.home, self.runtime, self.bin = self.path("home"), self.path("run"), self.path("bin")
        self.graph, self.socket = self.path("home/graph"), self.path("run/podman.sock")
        self.environment = {
            "PATH": PATH, "HOME": self.home, "XDG_RUNTIME_DIR": self.runtime, "CONTAINERS_CONF": self.path("containers.conf"),
            "CONTAINERS_STORAGE_CONF": self.path("storage.conf"), "DOCKER_SOCKET_PATH": self.socket, "MAYFLY_POOL": "0",
            "MAYFLY_DATA_DIR": self.path("data"), "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")}
        try:
            self._files(storage, containers)
            self._hold()
            self._serve()
        except BaseException:
            self.close()
            raise

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def _write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def _files(self, storage, containers):
        os.chmod(self.folder, 0o755)
        os.mkdir(self.path("etc"))
        for name in ("home", "run"):
            os.mkdir(self.path(name), 0o700)
            os.chown(self.path(name), UID, UID)
        lines = {"passwd": f"{NAME}:x:{UID}:{UID}::{self.home}:/bin/sh", "group": f"{NAME}:x:{UID}:",
                 "subuid": f"{NAME}:{SUBORDINATE}", "subgid": f"{NAME}:{SUBORDINATE}"}
        for name, line in lines.items():
            with open("/etc/" + name, encoding="utf-8") as file:
                self._write("etc/" + name, file.read() + line + "\n")
        harness.copy_for_others(self.folder, *PROGRAMS)
        subprocess.run(["chmod", "-R", "a+rX", self.path("etc")], check=True)
        self._write("storage.conf", f'[storage]\nrootless_storage_path = "{self.graph}"\n{storage}\n')
        self._write("containers.conf", f'[containers]\nlog_driver = "none"\ndefault_ulimits = []\n{containers}\n'
                    '[engine]\nevents_logger = "none"\ncgroup_manager = "cgroupfs"\n')
        image(self.path("image.tar"))

    def _hold(self):
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", HOLD, self.folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "ready\n"
        with open(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children", encoding="ascii") as children:
            self.first = children.read().split()[0]

    def command(self, *argv, **environment):
        """The command that runs argv there as the user, with nothing else in its environment."""
        settings = [f"{name}={value}" for name, value in {**self.environment, **environment}.items()]
        return ["nsenter", f"--target={self.first}", "--mount", "--pid", "--wd=/", "setpriv", f"--reuid={UID}", f"--regid={UID}",
                "--clear-groups", "env", "-i", *settings, *argv]

    def podman(self, *arguments):
        return self.command("podman", "--log-level=error", *arguments)

    def _serve(self):
        with open(self.path("image.tar"), "rb") as archive:
            subprocess.run(self.podman("import", "--quiet", "-", "localhost/" + harness.IMAGE), stdin=archive, check=True,
                           stdout=subprocess.DEVNULL)
        with open(self.path("log"), "wb") as log:
            self.service = subprocess.Popen(self.podman("system", "service", "--time=0", "unix://" + self.socket),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        harness.until(self._answers, "an answer of the service")

    def _answers(self):
        assert self.service.poll() is None, self.logs()
        try:
            return self.call("GET", "/_ping", raw=True)[0] == 200
        except OSError:
            return False

    def logs(self):
        with open(self.path("log"), encoding="utf-8", errors="replace") as log:
            return log.read()

    def call(self, method, path, body=None, raw=False):
        connection = harness.UnixHTTPConnection(self.socket)
        connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"} if body else {})
        reply = connection.getresponse()
        text = reply.read()
        connection.close()
        return reply.status, text if raw or not text else json.loads(text)

    def containers(self):
        status, found = self.call("GET", "/v1.41/containers/json?all=true")
        assert status == 200, found
        return found

    def layers(self):
        """The names of what the store has on the disk."""
        for name in ("overlay", "vfs"):
            folder = os.path.join(self.graph, name)
            if os.path.isdir(folder):
                return sorted(os.listdir(folder if name == "overlay" else folder + "/dir"))
        raise AssertionError(os.listdir(self.graph))

    def ctl(self, *arguments, **environment):
        """mayflyctl's exit status, standard output and standard error."""
        done = subprocess.run(self.command(os.path.join(self.bin, "mayflyctl"), *arguments, **environment), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.DEADLINE_S, check=False)
        return done.returncode, done.stdout, done.stderr

    def post(self, path, body, **environment):
        """One request to a mayfly of its own: status, the reply's JSON, and what was logged."""
        text = json.dumps(body).encode()
        with socket.create_server(("127.0.0.1", 0)) as listener, tempfile.TemporaryFile() as log:
            port = listener.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port), timeout=harness.DEADLINE_S) as client:
                accepted = listener.accept()[0]
                with subprocess.Popen(self.command(os.path.join(self.bin, "mayfly"), PORT=port, **environment), stdin=accepted,
                                      stdout=subprocess.DEVNULL, stderr=log):
                    accepted.close()
                    client.sendall(f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
                                   f"Content-Length: {len(text)}\r\n\r\n".encode() + text)
                    head, _, answer = harness.read_all(client).partition(b"\r\n\r\n")
            log.seek(0)
            return int(head.split()[1]), json.loads(answer), log.read().decode()

    def close(self):
        if self.holder:
            self.holder.stdin.close()
            try:
                self.holder.wait(harness.DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.holder.send_signal(signal.SIGKILL)
                self.holder.wait()
            self.holder.stdout.close()
        if self.service:
            self.service.wait(harness.DEADLINE_S)
        shutil.rmtree(self.folder, ignore_errors=True)
