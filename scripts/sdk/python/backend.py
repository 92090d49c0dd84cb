#!/usr/bin/env python3
"""Makes the wheel: pip's build backend for this folder, and a program. It needs nothing but Python, so pip asks no index for it.

    backend.py FOLDER     leaves mayfly_sandbox-VERSION-py3-none-any.whl there

Rules:
 1. The wheel holds every file of the packages, and no other (PEP 427).
 2. The same tree gives the same bytes: names in order, one date, one mode.
"""
import base64
import hashlib
import os
import re
import sys
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = ("executor", "mayfly_sandbox")
DATE = (1980, 1, 1, 0, 0, 0)


def read(*names):
    with open(os.path.join(HERE, *names), "rb") as file:
        return file.read()


def files():
    for package in PACKAGES:
        for folder, folders, names in os.walk(os.path.join(HERE, package)):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for name in sorted(names):
                path = os.path.relpath(os.path.join(folder, name), HERE)
                yield path.replace(os.sep, "/"), read(path)


def metadata(version):
    fields = {"Metadata-Version": "2.1", "Name": "mayfly-sandbox", "Version": version,
              "Summary": "Runs untrusted code in sandboxes of a mayfly server", "License": "MIT", "Requires-Python": ">=3.9",
              "Description-Content-Type": "text/markdown"}
    return "".join(f"{name}: {value}\n" for name, value in fields.items()).encode() + b"\n" + read("README.md")


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """PEP 517: the wheel's name."""
    version = re.search(r'__version__ = "(.*)"', read("mayfly_sandbox", "__init__.py").decode())[1]
    info = f"mayfly_sandbox-{version}.dist-info"
    wheel = f"mayfly_sandbox-{version}-py3-none-any.whl"
    content = [*files(), (f"{info}/METADATA", metadata(version)),
               (f"{info}/WHEEL", b"Wheel-Version: 1.0\nGenerator: mayfly\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
               (f"{info}/top_level.txt", "".join(f"{package}\n" for package in PACKAGES).encode())]
    record = "".join(f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
                     for name, data in content)
    content.append((f"{info}/RECORD", f"{record}{info}/RECORD,,\n".encode()))
    with zipfile.ZipFile(os.path.join(wheel_directory, wheel), "w") as archive:
        for name, data in content:
            entry = zipfile.ZipInfo(name, DATE)
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return wheel


if __name__ == "__main__":
    print(build_wheel(sys.argv[1]))
