#!/usr/bin/env python3
"""Many requests of every kind at once, and then: what is left? Exit status 0 when nothing is and every answer was as it should be, else 1.

    soak.py [N] [--concurrency N] [--seed N]        N requests, 10 000 unless given

Rules:
 1. The mix is drawn from a seed, which is printed: the same seed makes the same requests.
 2. An answer is checked by the row of its kind; one that is wrong is counted and shown, and the soak goes on.
 3. What is counted afterwards is counted on the host: containers, processes, folders, half-written results, descriptors of the listener.
"""
import argparse
import collections
import json
import os
import random
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import harness

SHOWN_FAILURES = 20
PROGRAMS = {
    "python": "import sys\nprint('{nonce}')\nopen('left.txt', 'w').write('{nonce}')",
    "node": "console.log('{nonce}'); require('fs').writeFileSync('left.txt', '{nonce}')",
    "bun": "console.log('{nonce}'); require('fs').writeFileSync('left.txt', '{nonce}')",
    "bash": "echo {nonce}; printf %s {nonce} >left.txt",
    "ruby": "puts '{nonce}'; File.write('left.txt', '{nonce}')",
    "php": "<?php echo '{nonce}', \"\\n\"; file_put_contents('left.txt', '{nonce}');",
}
BAD_FRAMING = (
    b"GET / HTTP/1.1\r\nHost: {host}\r\n folded: x\r\n\r\n",
    b"GET /tools HTTP/1.1\nHost: {host}\n\n",
    b"POST /run HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /run HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /run HTTP/1.1\r\nHost: {host}\r\nContent-Length: -1\r\n\r\n",
    b"GET /\0 HTTP/1.1\r\nHost: {host}\r\n\r\n",
)
BAD_BODIES = ({}, {"sessionId": "", "code": ""}, {"sessionId": "soak", "code": "x", "language": "cobol"}, [], 7,
              {"sessionId": "soak", "code": "x", "timeout": 901}, {"sessionId": "a/b", "code": "x"})


class Wrong(Exception):
    """An answer that is not what it should be."""


def expect(reply, *statuses):
    if reply.status not in statuses:
        raise Wrong(f"status {reply.status}, not {statuses}: {reply.body[:200]!r}")
    return reply


class Soak:
    def __init__(self, server):
        self.server = server
        self.artifacts = []  # (path, bytes) of results so far
        self.lock = threading.Lock()

    def prepare(self):
        """One job of each language, so that there are results to fetch from the start."""
        for language in PROGRAMS:
            self.job(random.Random(0), language)

    # --- kinds: each makes one request and checks its answer -----------------------------------------------------

    def job(self, dice, language=None):
        language = language or dice.choice(list(PROGRAMS))
        nonce = f"{dice.getrandbits(64):016x}"
        code = PROGRAMS[language].replace("{nonce}", nonce)
        body = {"sessionId": f"soak-{dice.randrange(20)}", "language": language, "code": code}
        reply = self.server.request("POST", "/run", body)
        if reply.status == 503 and "retry-after" in reply.headers:
            return "busy"
        result = json.loads(expect(reply, 200).body)
        if (result["exitCode"], result["output"]) != (0, nonce + "\n"):
            raise Wrong(f"{language}: {reply.body[:300]!r}")
        path = result["artifacts"]["outputs"]["left.txt"].split(self.server.host, 1)[1]
        with self.lock:
            self.artifacts.append((path, nonce.encode()))
        return None

    def job_abandoned(self, dice):
        """A client that hangs up while its job runs."""
        body = json.dumps({"sessionId": "soak", "code": "sleep 60"}).encode()
        with self.server.connect() as connection:
            connection.sendall(self.post("/run", body))
            connection.settimeout(dice.uniform(0.01, 0.5))
            try:
                reply = connection.recv(100)
            except TimeoutError:
                return
        if b" 503 " not in reply:
            raise Wrong(f"a job that sleeps is answered: {reply!r}")

    def bad_request(self, dice):
        body = dice.choice(BAD_BODIES)
        expect(self.server.request("POST", dice.choice(["/run", "/tools/execute"]), json.dumps(body).encode(),
                                   {"Content-Type": "application/json"}), 400)

    def bad_json(self, dice):
        expect(self.server.request("POST", "/run", dice.choice([b"{", b'{"a":1,"a":2}', b"\xff", b"[" * 1000, b"{}x"])), 400)

    def bad_framing(self, dice):
        request = dice.choice(BAD_FRAMING).replace(b"{host}", self.server.host.encode())
        reply = self.server.raw(request)
        if not reply.startswith(b"HTTP/1.1 400 "):
            raise Wrong(f"{request!r}: {reply[:200]!r}")

    def oversize(self, dice):
        """Announced too large, or chunks that get too large."""
        size = dice.randrange(1 << 20, 3 << 20) + 1
        expect(self.server.request("POST", "/run", b" " * size), 413)

    def long_line(self, dice):
        reply = self.server.raw(b"GET /" + b"x" * dice.randrange(9000, 20000) + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        if not reply.startswith((b"HTTP/1.1 414 ", b"HTTP/1.1 431 ")):
            raise Wrong(f"a long line: {reply[:200]!r}")

    def get_artifact(self, dice):
        path, data = self.pick(dice)
        if expect(self.server.request("GET", path), 200).body != data:
            raise Wrong(f"{path} is not what the job wrote")

    def head_artifact(self, dice):
        path, data = self.pick(dice)
        reply = expect(self.server.request("HEAD", path), 200)
        if reply.headers["content-length"] != str(len(data)) or reply.body:
            raise Wrong(f"HEAD {path}: {reply}")

    def range_of_artifact(self, dice):
        path, data = self.pick(dice)
        first = dice.randrange(len(data) + 4)
        last = first + dice.randrange(8)
        reply = self.server.request("GET", path, headers={"Range": f"bytes={first}-{last}"})
        if first >= len(data):
            expect(reply, 416)
        elif expect(reply, 206).body != data[first:last + 1]:
            raise Wrong(f"{path} {first}-{last}: {reply.body!r}")

    def missing_artifact(self, dice):
        path, _ = self.pick(dice)
        expect(self.server.request("GET", dice.choice([path + "x", path.rsplit("/", 1)[0], "/artifacts/../../etc/passwd",
                                                       "/artifacts/%2e%2e/%2e%2e/etc/passwd"])), 400, 404)

    def page(self, dice):
        expect(self.server.request("GET", dice.choice(["/debug", "/debug/code-execution", "/tools", "/health", "/v1/health"])), 200)

    def unknown_route(self, dice):
        expect(self.server.request(dice.choice(["GET", "POST", "DELETE"]), f"/nothing/{dice.randrange(1000)}"), 404)

    def wrong_method(self, dice):
        expect(self.server.request(dice.choice(["PUT", "DELETE", "GET"]), "/run"), 405)

    def foreign(self, dice):
        fields, status = dice.choice([({"Host": "example.org"}, 421), ({"Origin": "http://example.org"}, 403)])
        expect(self.server.request("GET", "/tools", headers=fields), status)

    def hang_up(self, dice):
        """A client that goes away anywhere in its request, politely or with a reset."""
        request = self.post("/run", b'{"sessionId":"soak","code":"true"}')
        with self.server.connect() as connection:
            connection.sendall(request[:dice.randrange(len(request))])
            if dice.random() < 0.5:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    # --------------------------------------------------------------------------------------------------------------

    def pick(self, dice):
        with self.lock:
            return dice.choice(self.artifacts)

    def post(self, path, body):
        return (f"POST {path} HTTP/1.1\r\nHost: {self.server.host}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n").encode() + body

    def kinds(self):
        """Every kind with its share of a hundred."""
        return [(self.job, 5), (self.job_abandoned, 1), (self.bad_request, 14), (self.bad_json, 7), (self.bad_framing, 7), (self.oversize, 4),
                (self.long_line, 3), (self.get_artifact, 14), (self.head_artifact, 7), (self.range_of_artifact, 7),
                (self.missing_artifact, 6), (self.page, 10), (self.unknown_route, 5), (self.wrong_method, 2), (self.foreign, 2),
                (self.hang_up, 6)]

    def run(self, count, concurrency, seed):
        """Makes the requests. Counter of what was answered by kind, and the list of failures."""
        kinds, shares = zip(*self.kinds())
        drawn = random.Random(seed).choices(kinds, shares, k=count)
        numbers = iter(range(count))
        answered, failures = collections.Counter(), []

        def work():
            while True:
                with self.lock:
                    number = next(numbers, None)
                if number is None:
                    return
                kind = drawn[number]
                name = kind.__name__
                try:
                    name += f" ({said})" if (said := kind(random.Random(f"{seed}/{number}"))) else ""
                except (Wrong, OSError, ValueError, KeyError, harness.http.client.HTTPException) as error:
                    with self.lock:
                        failures.append(f"request {number}, {name}: {type(error).__name__}: {error}")
                with self.lock:
                    answered[name] += 1

        threads = [threading.Thread(target=work) for _ in range(concurrency)]
        for thread in threads:
            thread.start()
        progress(threads, answered, count)
        return answered, failures


def progress(threads, answered, count):
    """Tells how far it is, every ten seconds, until all threads have ended."""
    shown = time.monotonic()
    for thread in threads:
        while thread.is_alive():
            thread.join(1)
            if time.monotonic() - shown >= 10:
                shown = time.monotonic()
                print(f"  {sum(answered.values())} of {count}", flush=True)


def descriptors(server):
    """What the listener has open."""
    folder = f"/proc/{server.process.pid}/fd"
    return sorted(os.readlink(os.path.join(folder, number)).split(":")[0] for number in os.listdir(folder))


def stored_results(server):
    return sum(len(os.listdir(os.path.join(server.storage, session))) for session in os.listdir(server.storage) if session != ".incoming")


def state(server):
    """Every name in the run folder."""
    return [os.path.join(folder, name) for folder, folders, files in os.walk(server.run) for name in folders + files]


def main():
    parser = argparse.ArgumentParser(description="Many requests of every kind; then nothing may be left.")
    parser.add_argument("count", type=int, nargs="?", default=10000)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with harness.Server(MAYFLY_SLOT_WAIT_MS="60000") as server:
        soak = Soak(server)
        soak.prepare()
        assert not server.leaks(), server.leaks()
        before = {"descriptors": descriptors(server), "names in the run folder": state(server)}
        print(f"soak: {arguments.count} requests, {arguments.concurrency} at a time, seed {arguments.seed}", flush=True)
        started = time.monotonic()
        answered, failures = soak.run(arguments.count, arguments.concurrency, arguments.seed)
        took_s = time.monotonic() - started
        left = {"containers": [], "folders": [], "incoming": [], "processes": [], **server.leaks()}
        for kind, now in (("descriptors", descriptors(server)), ("names in the run folder", state(server))):
            left[kind] = list((collections.Counter(now) - collections.Counter(before[kind])).elements())
        results = stored_results(server)
    if results != len(soak.artifacts):
        failures.append(f"{len(soak.artifacts)} jobs were answered with a result, and {results} results are stored")
    for kind, count in sorted(answered.items()):
        print(f"  {kind:<24}{count:>7}")
    for failure in failures[:SHOWN_FAILURES]:
        print("  " + failure)
    print(f"{sum(answered.values())} requests in {took_s:.0f} s, {len(failures)} answered wrongly")
    for kind, names in left.items():
        print(f"left: {len(names)} {kind}" + (f" {names[:5]}" if names else ""))
    good = not failures and not any(left.values())
    print("soak: nothing is left" if good else "soak: FAILED")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
