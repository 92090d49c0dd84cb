"""Holds a python3 that was started ahead until its script is there (src/init/prepared.c).

PYTHONPATH makes the site module find this file instead of the distribution's own, before sys.path[0] is set and before the
script is opened.

Rules
1. What the script can see is what it would see without us: sys.modules, sys.path, the caches of imports, the environment, what
   the garbage collector finds. So nothing of this module may outlive it.
2. Only modules that every python3 has loaded by now are used: os, posix, site, sys.
3. Without MAYFLY_GO and MAYFLY_CELL nothing waits, and nothing is different.
4. MAYFLY_CELL makes a kernel of it (worker/kernels/cell/python.py), which may still become a script: then this file ends as ever.
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


def load_kernel():
    path = __spec__.origin.rpartition("/python/")[0] + "/cell/python.py"
    with open(path, "rb") as file:
        kernel = {"__name__": "mayfly_kernel", "__file__": path, "__builtins__": __builtins__}
        exec(compile(file.read(), path, "exec"), kernel)
    return kernel["serve"]


def is_outdated():
    """The job's files have come meanwhile, and the user's site-packages with them: too late for the site module."""
    if not site.ENABLE_USER_SITE or site.USER_SITE in sys.path:
        return False
    try:
        posix.stat(site.USER_SITE)
    except OSError:
        return False
    return True


go, cell, modules = (os.environ.pop("MAYFLY_" + name, None) for name in ("GO", "CELL", "PRELOAD"))
serve = load_kernel() if cell else None
leave_no_trace()
try:
    import sitecustomize  # the distribution's own, if any: importlib goes by what is in sys.modules when we have ended
finally:
    held = None
    if serve:
        held = serve(*map(int, cell.split(",")), preload if modules else None, modules)
    else:
        if modules:
            preload(modules)
        held = go and wait(int(go))
    if held and is_outdated():
        posix.execve(sys.executable, sys.orig_argv, posix.environ)
    del leave_no_trace, preload, load_kernel, serve, wait, is_outdated  # they and their globals hold each other
