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


def open_and_close(path):
    os.close(os.open(path, os.O_RDONLY))


def read_given():
    """The keys file, as descriptor 0; only who was given it can read it."""
    if os.readlink("/proc/self/fd/0") != "/etc/mayfly/keys":
        raise PermissionError
    os.read(0, 4096)


def find_secret():
    if "JWT_SECRET" not in os.environ:
        raise PermissionError


def list_interfaces():
    """Any network but a loopback of one's own."""
    with open("/proc/self/net/dev", encoding="ascii") as table:
        if len(table.readlines()) <= 3:
            raise PermissionError


artifact, folder = sys.argv[1:]
acts = {
    "keys": lambda: open_and_close("/etc/mayfly/keys"),
    "keys, reopened": lambda: open_and_close("/proc/self/fd/0" if stat.S_ISREG(os.fstat(0).st_mode) else "/etc/mayfly/keys"),
    "keys, as given": read_given,
    "secret": find_secret,
    "signing key": lambda: open_and_close(folder + "/.signing-key"),
    "interfaces": list_interfaces,
    "podman": lambda: connect(socket.AF_UNIX, "/run/mayfly/podman.sock"),
    "engine": lambda: connect(socket.AF_UNIX, "/run/mayfly/engine.sock"),
    "port": lambda: connect(socket.AF_INET, ("127.0.0.1", 8080)),
    "making": lambda: os.listdir("/run/mayfly/making"),
    "jobs": lambda: os.listdir("/run/mayfly/jobs"),
    "run folder": lambda: os.listdir("/run/mayfly"),
    "templates": lambda: write("/var/lib/mayfly/templates/probe"),
    "configuration": lambda: open_and_close("/etc/mayfly/mayfly.conf"),
    "read": lambda: open_and_close(artifact),
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
connection = 3 if "LISTEN_FDS" in os.environ else 0 if stat.S_ISSOCK(os.fstat(0).st_mode) else 1
os.write(connection, json.dumps(could).encode() + b"\n")
