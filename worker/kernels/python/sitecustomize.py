"""Holds a python3 that was started ahead until its script is there (worker/init_spare.c).

PYTHONPATH makes the site module find this file instead of the distribution's own, before sys.path[0] is set and before the
script is opened.

Rules
1. What the script can see is what it would see without us: sys.modules, sys.path, the caches of imports, the environment, what
   the garbage collector finds. So nothing of this module may outlive it.
2. Only modules that every python3 has loaded by now are used: os, posix, site, sys.
3. Without MAYFLY_GO nothing waits, and nothing is different.
"""
import os
import posix
import site
import sys


def leave_no_trace():
    folder = __spec__.origin.rpartition("/")[0]
    os.environ.pop("PYTHONPATH", None)
    sys.path.remove(folder)
    sys.path_importer_cache.pop(folder, None)
    del sys.modules[__name__]


def preload(names):
    """A template's modules, imported while nobody waits. One that fails will fail again where it is wanted."""
    for name in filter(None, names.split(",")):
        try:
            __import__(name)
        except BaseException:
            pass


def wait(descriptor):
    """True after the byte that says go; ends the process when there will be none."""
    try:
        posix.write(descriptor, b"w")
        if not posix.read(descriptor, 1):
            posix._exit(0)
        posix.close(descriptor)
    except OSError:
        return False
    return True


def is_outdated():
    """The job's files have come meanwhile, and the user's site-packages with them: too late for the site module."""
    if not site.ENABLE_USER_SITE or site.USER_SITE in sys.path:
        return False
    try:
        posix.stat(site.USER_SITE)
    except OSError:
        return False
    return True


go, modules = os.environ.pop("MAYFLY_GO", None), os.environ.pop("MAYFLY_PRELOAD", None)
leave_no_trace()
try:
    import sitecustomize  # the distribution's own, if any: importlib goes by what is in sys.modules when we have ended
finally:
    if modules:
        preload(modules)
    if go and wait(int(go)) and is_outdated():
        posix.execve(sys.executable, sys.orig_argv, posix.environ)
    del leave_no_trace, preload, wait, is_outdated  # they and their globals hold each other
