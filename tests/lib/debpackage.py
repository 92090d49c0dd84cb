"""The Debian package, built for a test, and a next version of it."""
import os
import re
import subprocess

import harness

BUILD_DEB = os.path.join(harness.ROOT, "scripts/build-deb")
CONFFILE = "/etc/mayfly/mayfly.conf"
TIMEOUT_S = 1800


def run(*command, **more):
    """Runs a command that must succeed; returns what it said."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_S,
                          check=False, **more)
    assert done.returncode == 0, f"{' '.join(command)}: status {done.returncode}\n{done.stdout}"
    return done.stdout


def build(folder, **more):
    """Builds into a folder; returns the path of the package."""
    with open(os.path.join(harness.ROOT, "Makefile"), encoding="utf-8") as makefile:
        version = re.search(r"(?m)^VERSION := (.*)$", makefile.read())[1]
    made = run(BUILD_DEB, version, folder, **more).split("\n")
    return next(path for path in made if os.path.basename(path).startswith("mayfly_"))


def next_version(package, folder):
    """Makes a package of a higher version, with another mayfly.conf, in a folder; returns its path."""
    tree, made = os.path.join(folder, "tree"), os.path.join(folder, "mayfly_next.deb")
    run("dpkg-deb", "--raw-extract", package, tree)
    run("sed", "-i", r"s/^Version: .*/&+next/", os.path.join(tree, "DEBIAN/control"))
    with open(tree + CONFFILE, "a", encoding="utf-8") as file:
        file.write("# of the next version\n")
    run("dpkg-deb", "--root-owner-group", "--build", tree, made)
    return made
