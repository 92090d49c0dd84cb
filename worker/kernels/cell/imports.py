"""Lets a kernel see some modules right after a program has loaded them (python.py). Nothing of it shows in sys.meta_path.

matplotlib is told of our backend (figures.py) while it is loaded, by the environment that it reads then and no program sees; one
that has chosen a backend keeps it.
"""
import sys


def watch(hooks, load_rich):
    """hooks: {name of a module: function of the module}. load_rich is called before the backend is loaded, which uses it."""
    finder = next((found for found in sys.meta_path if getattr(found, "__name__", "") == "PathFinder"), None)
    if finder is None:
        return
    original, folder = finder.find_spec, __file__.rpartition("/")[0]
    from_file = sys.modules["_frozen_importlib_external"].spec_from_file_location

    def find_spec(cls, fullname, path=None, target=None):
        if fullname == "mayfly_figures":
            load_rich()
            return from_file(fullname, folder + "/figures.py")
        spec = original(fullname, path, target)
        if fullname == "IPython" and spec is None:
            spec = from_file(fullname, folder + "/ipython.py", submodule_search_locations=[])
        if (fullname in hooks or fullname == "matplotlib") and spec and spec.loader:
            hold(spec.loader, hooks.get(fullname))
        return spec

    finder.find_spec = classmethod(find_spec)


def hold(loader, hook):
    """Makes a module's loader call hook when it has run the module, once; without a hook it is matplotlib's."""
    def exec_module(module):
        del loader.exec_module
        if hook is None:
            with_backend(loader, module)
            return
        loader.exec_module(module)
        hook(module)

    loader.exec_module = exec_module


def with_backend(loader, module):
    environ = sys.modules["os"].environ
    added = [name for name in ("MPLBACKEND", "MPLCONFIGDIR") if not environ.get(name)]
    values = {"MPLBACKEND": "module://mayfly_figures", "MPLCONFIGDIR": "/tmp/.matplotlib"}
    for name in added:
        environ[name] = values[name]
    try:
        loader.exec_module(module)
        module.get_cachedir()  # remembered
    finally:
        for name in added:
            environ.pop(name, None)
