#!/usr/bin/python3
"""Runs in a unit's place, in the guest: tries what that unit must not be able to do, and tells as JSON what could be done.

It answers on the connection that the unit was started for, or to the journal where there is none. Arguments: an artifact, its folder.
"""
import json
import os
import socket
import stat
import sys


def connect(family, address):
    with socket.socket(family) as connection:
        connection.settimeout(5)  # what is filtered is not refused but dropped
        connection.connect(address)


def write(path):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    os.unlink(path)


artifact, folder = sys.argv[1:]
acts = {
    "podman": lambda: connect(socket.AF_UNIX, "/run/mayfly/podman.sock"),
    "engine": lambda: connect(socket.AF_UNIX, "/run/mayfly/engine.sock"),
    "port": lambda: connect(socket.AF_INET, ("127.0.0.1", 8080)),
    "making": lambda: os.listdir("/run/mayfly/making"),
    "jobs": lambda: os.listdir("/run/mayfly/jobs"),
    "configuration": lambda: os.close(os.open("/etc/mayfly/mayfly.conf", os.O_RDONLY)),
    "read": lambda: os.close(os.open(artifact, os.O_RDONLY)),
    "write": lambda: write(folder + "/probe"),
    "etc": lambda: write("/etc/probe"),
    "root": lambda: os.setuid(0),
}
could = []
for name, act in acts.items():
    try:
        act()
        could.append(name)
    except OSError:
        pass
answer = json.dumps(could).encode() + b"\n"
os.write(0 if stat.S_ISSOCK(os.fstat(0).st_mode) else 1, answer)
