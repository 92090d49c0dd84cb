"""Says what would bring a module or a model that the image of this template was built without: in the error of the import, of
spacy.load and of what looks for a corpus of nltk's. Installed where something is lacking, with LACKING, names, and TEMPLATE set
before it; a .pth file imports it.

To look for a module (importlib.util.find_spec) is no error, and no frame of ours shows in a traceback.
"""
import sys

MODULES = {name.removeprefix("python-").replace("-", "_").lower() for name in LACKING if ":" not in name}
PACKAGE = (f" (the image of template {TEMPLATE} was built without it: its operator gets it with mayflyctl template build {TEMPLATE},"
           " where a Python index answers)")
MODEL = (f"\n\nTemplate {TEMPLATE} has no network, and what its image lacks cannot be downloaded here. Its operator adds it from a file:"
         f" mayflyctl template build --model FILE {TEMPLATE}, FILE being NAME.zip of nltk's data or the wheel of spacy's model.\n")


def extend_spacy(module):
    module.Errors.E050 = vars(module.Errors)["E050"] + MODEL


def extend_nltk(module):
    def find(*arguments, **options):
        try:
            return original(*arguments, **options)
        except LookupError as error:
            error.args = (str(error) + MODEL,)
            raise

    original, module.find = module.find, hidden(find, "<nltk.data>")


HOOKS = {"spacy.errors": extend_spacy, "nltk.data": extend_nltk}


def hidden(function, file="<frozen importlib._bootstrap>"):
    function.__code__ = function.__code__.replace(co_filename=file)
    return function


def find_spec(fullname, path=None, target=None):
    if fullname in MODULES and sys._getframe(2).f_code.co_name == "_find_and_load_unlocked":
        if not any(finder.find_spec(fullname, path, target) for finder in sys.meta_path if finder is not Finder and hasattr(finder, "find_spec")):
            raise ModuleNotFoundError(f"No module named {fullname!r}" + PACKAGE, name=fullname)
    if fullname not in HOOKS:
        return None
    spec = sys.modules["_frozen_importlib_external"].PathFinder.find_spec(fullname, path, target)
    if spec and spec.loader:
        def exec_module(module, run=spec.loader.exec_module):
            del spec.loader.exec_module
            run(module)
            HOOKS[fullname](module)

        spec.loader.exec_module = exec_module
    return spec


class Finder:
    find_spec = staticmethod(hidden(find_spec))


sys.meta_path.insert(0, Finder)
