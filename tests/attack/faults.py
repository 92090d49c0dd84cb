"""An engine that goes wrong on purpose: a proxy before the real Podman's socket, which answers some calls by itself."""
import os
import re
import shutil
import socket
import socketserver
import tempfile
import threading

import harness

STEPS = {"ping": r"GET .*/_ping", "create": r"POST .*/containers/create", "inspect": r"GET .*/containers/[0-9a-f]+/json", "start": r"POST .*/start",
         "remove": r"DELETE .*/containers/", "list": r"GET .*/containers/json"}


def answer(status, body, more=b""):
    return b"HTTP/1.1 %d x\r\nContent-Type: application/json\r\nLibpod-Api-Version: 4.3.1\r\nApi-Version: 1.41\r\n%sContent-Length: %d\r\n\r\n%s" % (
        status, more, len(body), body)


# what is sent instead of an answer; then the connection is closed
FAULTS = {
    "500": answer(500, b'{"cause":"x","message":"the engine is unwell","response":500}'),
    "500 without a body": answer(500, b""),
    "409": answer(409, b'{"message":"conflict"}'),
    "rubbish": b"\x00\xff\xfe\x16\x03\x01" * 100,
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "200 and no JSON": answer(200, b"<html>not an engine</html>"),
    "201 and no JSON": answer(201, b"{"),
    "201 and a strange id": answer(201, b'{"Id":"../../../etc","Warnings":[]}'),
    "truncated": b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{\"Id\":",
    "truncated head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "closed": b"",
    "endless head": b"HTTP/1.1 200 OK\r\n" + b"X-Endless: yes\r\n" * 100000,
    "huge": b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + b"x" * 20000000,
    "control bytes": answer(500, b'{"message":"\\u001b[31m\\n<3>mayfly injected=1\\u0000"}'),
}


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            try:
                line = self.rfile.readline(65536)
                if not line:
                    return
                length = 0
                while (field := self.rfile.readline(65536).strip()):
                    if field.lower().startswith(b"content-length:"):
                        length = int(field.split(b":")[1])
                body = self.rfile.read(length)
                method, path = line.decode().split()[:2]
                if not self.server.faulty.serve(self.connection, method, path, body):
                    return
            except (OSError, ValueError):
                return


class FaultyEngine:
    """fault is what happens at the step named, so many times (None: always); slow_s is how long every answer waits. calls counts by step."""

    def __init__(self):
        self.real = harness.podman_socket()
        self.folder = tempfile.mkdtemp(prefix="mayfly-faults-")
        self.path = os.path.join(self.folder, "podman.sock")
        self.step, self.fault, self.times, self.slow_s = None, None, None, 0
        self.released = threading.Event()
        self.calls = {}
        self.server = type("Server", (socketserver.ThreadingMixIn, socketserver.UnixStreamServer), {"daemon_threads": True,
            "request_queue_size": 64})(self.path, Handler)
        self.server.faulty = self
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def serve(self, connection, method, path, body):
        """Answers one call. True when the connection goes on."""
        step = next((name for name, pattern in STEPS.items() if re.match(pattern, f"{method} {path}")), "other")
        self.calls[step] = self.calls.get(step, 0) + 1
        if self.slow_s:
            self.released.wait(self.slow_s)
        if step == self.step and self.times != 0 and not self.released.is_set():
            self.times = self.times and self.times - 1
            if self.fault == "hang":
                self.released.wait(120)
            elif self.fault == "drip":
                for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10000:
                    connection.sendall(bytes([byte]))
                    if self.released.wait(0.2):
                        break
            else:
                connection.sendall(FAULTS[self.fault])
            connection.shutdown(socket.SHUT_RDWR)
            return False
        onward = harness.UnixHTTPConnection(self.real)
        onward.request(method, path, body or None, {"Content-Type": "application/json"})
        reply = onward.getresponse()
        data = reply.read()
        head = b"HTTP/1.1 %d %s\r\n" % (reply.status, reply.reason.encode())
        for name, value in reply.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                head += f"{name}: {value}\r\n".encode()
        onward.close()
        if reply.status not in (204, 304):
            head += b"Content-Length: %d\r\n" % len(data)
        connection.sendall(head + b"\r\n" + data)
        return True

    def heal(self):
        self.step, self.fault, self.times, self.slow_s = None, None, None, 0

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        shutil.rmtree(self.folder, ignore_errors=True)
