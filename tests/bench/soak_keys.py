#!/usr/bin/env python3
"""Many clients of /v1/runs with few keys, for a while: is every accepted run recorded once, and every other one refused with a time to come again?

    soak_keys.py [--seconds S] [--clients N] [--keys N]

Rules:
 1. Each run prints a nonce of its own, and is known by it: lost, doubled or mixed up, it shows.
 2. What a key was let in for is held against its bucket: burst and rate times the time.
 3. No time makes it fail.
"""
import argparse
import collections
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import harness

RATE, BURST = 1, 4  # of each key: runs a second, and at once
PAGE = 100
SHOWN_FAILURES = 20


class Soak:
    def __init__(self, server, tokens):
        self.server = server
        self.tokens = tokens
        self.accepted = {token: {} for token in tokens}  # id of the run: its nonce
        self.counted = collections.Counter()
        self.failures = []
        self.lock = threading.Lock()

    def call(self, method, path, token, body=None):
        return self.server.request(method, path, body, {"Authorization": "Bearer " + token}, timeout=120)

    def one(self, token):
        nonce = os.urandom(8).hex()
        reply = self.call("POST", "/v1/runs", token, {"language": "python", "code": f"print('{nonce}')"})
        with self.lock:
            self.counted[reply.status] += 1
            if reply.status == 200:
                record = json.loads(reply.body)
                if (record["status"], record["stdout"]) != ("succeeded", nonce + "\n"):
                    self.failures.append(f"{nonce}: {reply.body[:300]!r}")
                if self.accepted[token].setdefault(record["id"], nonce) != nonce:
                    self.failures.append(f"{record['id']} was given twice")
            elif reply.status not in (429, 503) or int(reply.headers.get("retry-after", "0")) < 1:
                self.failures.append(f"refused with {reply.status}, {reply.headers}: {reply.body[:300]!r}")

    def client(self, token, ended):
        while time.monotonic() < ended:
            try:
                self.one(token)
            except (OSError, ValueError, KeyError, harness.http.client.HTTPException) as error:
                with self.lock:
                    self.failures.append(f"{type(error).__name__}: {error}")

    def run(self, clients, seconds):
        ended = time.monotonic() + seconds
        threads = [threading.Thread(target=self.client, args=(self.tokens[number % len(self.tokens)], ended)) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def recorded(self, token):
        """Every run of a key, {id: output}, as the service tells."""
        found, before = {}, ""
        while True:
            page = json.loads(self.call("GET", f"/v1/runs?limit={PAGE}" + (f"&before={before}" if before else ""), token).body)
            for summary in page["runs"]:
                record = json.loads(self.call("GET", "/v1/runs/" + summary["id"], token).body)
                if summary["id"] in found:
                    self.failures.append(f"{summary['id']} is listed twice")
                found[summary["id"]] = record["stdout"].strip()
            if not page["next"]:
                return found
            before = page["next"]

    def check(self, took_s):
        for token, accepted in self.accepted.items():
            recorded = self.recorded(token)
            if recorded != accepted:
                self.failures.append(f"{token}: {len(accepted)} accepted, {len(recorded)} recorded, {len(recorded.items() ^ accepted.items())} differ")
            if len(accepted) > BURST + RATE * took_s + 1:
                self.failures.append(f"{token}: {len(accepted)} runs in {took_s:.0f} s")


def main():
    parser = argparse.ArgumentParser(description="Many clients of /v1/runs, few keys.")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--keys", type=int, default=8)
    arguments = parser.parse_args()
    tokens = [f"soak-key-number-{number}" for number in range(arguments.keys)]
    keys = ",".join(f"{token}:key{number}:{RATE}:{BURST}" for number, token in enumerate(tokens))
    with harness.Server(API_KEYS=keys, MAYFLY_SLOT_WAIT_MS="2000") as server:
        soak = Soak(server, tokens)
        print(f"soak: {arguments.clients} clients, {arguments.keys} keys, {arguments.seconds} s", flush=True)
        began = time.monotonic()
        soak.run(arguments.clients, arguments.seconds)
        soak.check(time.monotonic() - began)
        left = server.leaks()
    for status, count in sorted(soak.counted.items()):
        print(f"  {status}: {count}")
    for failure in soak.failures[:SHOWN_FAILURES]:
        print("  " + failure)
    good = soak.counted[200] and not soak.failures and not left
    print(f"left: {left or 'nothing'}\nsoak: " + ("every accepted run is recorded once" if good else "FAILED"))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
