"""The control protocol and the engine's verbs, spoken by a test: containers without HTTP.

Rules:
 1. Everything is real: mayfly-engine, Podman, mayfly-init.
 2. Place.close() removes every container and folder that is left, however the test ended.
"""
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile

import harness

ENVIRONMENT = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp", "TMPDIR=/tmp", "USER=runner",
               "LANG=C.UTF-8", "PYTHONUNBUFFERED=1", "RUBYOPT=-r/usr/lib/mayfly/ruby.rb"]
LIMITS = [("wall_ms", 60000), ("stream_bytes", 1 << 20), ("artifact_count", 100), ("artifact_bytes", 1 << 20),
          ("artifacts_bytes", 1 << 22)]


def frame(kind, payload=b""):
    return kind + struct.pack(">I", len(payload)) + payload


def encode(fields):
    return b"".join(key.encode() + b"=" + (value if isinstance(value, bytes) else str(value).encode()) + b"\0"
                    for key, value in fields)


def decode(payload):
    return dict(field.split("=", 1) for field in payload.decode().split("\0") if field)


class Channel:
    """One connection that speaks frames."""

    def __init__(self, connection):
        self.connection = connection
        self.connection.settimeout(harness.DEADLINE_S)
        self.data = b""

    def send(self, data):
        self.connection.sendall(data)

    def receive(self):
        """(type, payload) of the next frame; (None, b"") at the end."""
        while True:
            if len(self.data) >= 5:
                end = 5 + struct.unpack(">I", self.data[1:5])[0]
                if len(self.data) >= end:
                    kind, payload, self.data = self.data[:1], self.data[5:end], self.data[end:]
                    return kind, payload
            try:
                piece = self.connection.recv(65536)
            except ConnectionResetError:
                piece = b""
            if not piece:
                return None, b""
            self.data += piece

    def close(self):
        self.connection.close()


class Display:
    def __init__(self, payload):
        fields, _, self.content = payload.partition(b"\0\0")
        fields = decode(fields)
        self.type, self.name, self.source, self.index, self.message = (fields.get(key) for key in ("type", "name", "source", "index", "message"))


class Result:
    """What came up for one job."""

    def __init__(self, channel):
        self.out = self.err = b""
        self.exit, self.files, self.skipped, self.has_ended = {}, {}, [], False
        self.displays, self.listed, self.order = [], {}, ""
        name = None
        while not self.has_ended:
            kind, payload = channel.receive()
            if kind is None:
                return
            self.order += kind.decode()
            if kind == b"O":
                self.out += payload
            elif kind == b"P":
                self.displays.append(Display(payload))
            elif kind == b"N":
                entry = decode(payload)
                self.listed[entry["path"]] = entry
            elif kind == b"E":
                self.err += payload
            elif kind == b"X":
                self.exit = decode(payload)
            elif kind == b"F":
                name = payload
                self.files[name] = b""
            elif kind == b"D":
                self.files[name] += payload
            elif kind == b"S":
                self.skipped.append(payload)
            self.has_ended = kind == b"Z"


class Container:
    """A container that listens."""

    def __init__(self, place, folder):
        self.place, self.folder = place, folder

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(os.path.join(self.place.run, "jobs", self.folder, "control"))
        return Channel(connection)

    def prepare(self, argv, kernel, env=None, idle_s=60, cwd="/workspace"):
        """Makes it a pooled container; READY's fields, or {} when init gave up."""
        channel = self.connect()
        channel.send(frame(b"J", encode(command(argv, env, cwd))) +
                     frame(b"B", encode([("idle_s", idle_s), *(("env", text) for text in kernel)])))
        kind, payload = channel.receive()
        if kind is not None:
            assert kind == b"Y", (kind, payload)
            assert channel.receive()[0] is None
        channel.close()
        return decode(payload)

    def run(self, argv, files=None, env=None, stdin=None, cwd="/workspace", limits=()):
        channel = self.connect()
        text = frame(b"J", encode(command(argv, env, cwd) + list({**dict(LIMITS), **dict(limits)}.items())))
        for name, data in (files or {}).items():
            text += frame(b"F", name.encode() if isinstance(name, str) else name)
            for start in range(0, len(data), 65536):
                text += frame(b"D", data[start:start + 65536])
        if stdin is not None:
            text += frame(b"I", stdin)
        channel.send(text + frame(b"G"))
        return finish(channel)

    def send_job(self, fields, files=None, stdin=None):
        """A job of a session on its way; the channel it goes over."""
        channel = self.connect()
        text = frame(b"J", encode(fields))
        for name, data in (files or {}).items():
            text += frame(b"F", name.encode()) + b"".join(frame(b"D", data[i:i + 65536]) for i in range(0, len(data), 65536))
        for start in range(0, len(stdin or b""), 65536):
            text += frame(b"I", stdin[start:start + 65536])
        channel.send(text + frame(b"G"))
        return channel

    def start_cell(self, language, code=None, files=None, env=None, cwd="/workspace", argv=None, **more):
        """A cell on its way. more: fields of JOB; idle_s is 60 without last."""
        limits = {**dict(LIMITS), **({} if more.get("last") else {"idle_s": 60}), **more}
        fields = command(argv or cell_argv(language), env, cwd) + [("kernel", language), *limits.items()]
        return self.send_job(fields, files, None if code is None else code.encode() if isinstance(code, str) else code)

    def cell(self, language, code=None, **more):
        return finish(self.start_cell(language, code, **more))

    def operate(self, files=None, **more):
        """A file operation."""
        return finish(self.send_job([("cwd", "/workspace"), ("idle_s", 60), *{**dict(LIMITS), **more}.items()], files))

    def prepare_cell(self, language, env=None, argv=None, preload="", idle_s=60):
        """Boots a kernel in it; READY's fields."""
        channel = self.connect()
        more = [("env", "MAYFLY_PRELOAD=" + preload)] if preload else []
        channel.send(frame(b"J", encode(command(argv or cell_argv(language), env, "/workspace"))) +
                     frame(b"B", encode([("idle_s", idle_s), ("kernel", language), *more])))
        kind, payload = channel.receive()
        assert kind == b"Y", (kind, payload)
        channel.close()
        return decode(payload)

    def remove(self):
        self.place.call(b"r", [("folder", self.folder)])


def cell_argv(language):
    with open(os.path.join(harness.ROOT, f"worker/languages.d/{language}.json")) as file:
        return json.load(file)["kernel"]


def finish(channel):
    """The result of a job on its way."""
    result = Result(channel)
    channel.close()
    return result


def command(argv, env, cwd):
    return [*(("argv", text) for text in argv), *(("env", text) for text in (ENVIRONMENT if env is None else env)), ("cwd", cwd)]


class Place:
    """An installation of its own, with one mayfly-engine at a time."""

    def __init__(self, data=None):
        self.podman = harness.Podman()
        self.folder = tempfile.mkdtemp(prefix="mayfly-control-")
        self.instance = "t-" + os.urandom(6).hex()
        self.run = os.path.join(self.folder, "run")
        self.environment = {
            "PATH": "/usr/bin:/bin", "HOME": self.folder, "MAYFLY_RUN_DIR": self.run, "MAYFLY_INSTANCE": self.instance,
            "MAYFLY_DATA_DIR": data or os.path.join(harness.ROOT, "worker"), "MAYFLY_CONFIG_DIR": os.path.join(self.folder, "config"),
            "MAYFLY_LIBEXEC_DIR": harness.BUILD, "DOCKER_SOCKET_PATH": self.podman.socket}
        for name in os.environ:  # sanitizers are steered by these
            if name.endswith("SAN_OPTIONS"):
                self.environment[name] = os.environ[name]

    def call(self, kind, fields):
        """One verb to an engine of its own; the fields of its OK."""
        ours, theirs = socket.socketpair()
        with subprocess.Popen([os.path.join(harness.BUILD, "mayfly-engine")], stdin=theirs, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, env=self.environment) as process:
            theirs.close()
            channel = Channel(ours)
            channel.send(frame(kind, encode(fields)))
            answer, payload = channel.receive()
            channel.close()
            log = process.stderr.read()
        assert answer == b"k", (answer, payload, log)
        return decode(payload)

    def make(self, template="tool", lifetime_s=300):
        """A container that belongs to nobody."""
        return Container(self, self.call(b"m", [("template", template), ("lifetime_s", lifetime_s), ("pool", 1)])["folder"])

    def close(self):
        for container in self.podman.containers(self.instance):
            self.podman.remove(container["Id"])
        shutil.rmtree(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
