"""What get_ipython() gives in a kernel (loaded by python.py when a program comes to it): what the lines of IPython's dialect call
(dialect.py), and as much of IPython's own shell as programs commonly use.

kernel is set by who loads this. A line magic is a method line_NAME(arguments), a cell magic cell_NAME(arguments, body). What cannot be
here says why in a sentence, and harms nothing else.
"""
import os
import shlex
import sys

kernel = None

NOTHING_TO_DO = ("matplotlib", "autoreload", "aimport", "pylab", "colors", "xmode", "gui", "precision", "automagic", "autocall", "pprint")
COMMANDS = ("cat", "cp", "ls", "mkdir", "mv", "rm", "rmdir", "head", "tail", "less", "more", "wc", "grep", "find", "sx", "system")
INTERPRETERS = {"bash": ["bash"], "sh": ["sh"], "script": [], "python": [sys.executable], "python3": [sys.executable], "perl": ["perl"], "ruby": ["ruby"],
                "node": ["node"]}
SHOWN = {"html": "text/html", "svg": "image/svg+xml", "markdown": "text/markdown", "latex": "text/latex",
         "javascript": "application/javascript", "js": "application/javascript"}


class UsageError(Exception):
    """Of a magic that is not there, or is not used so."""
    __module__ = "builtins"  # as a traceback names it


class Lines(list):
    """What a command printed, as IPython's SList."""
    l = list = property(lambda self: self)
    n = nlstr = property("\n".join)
    s = spstr = property(" ".join)

    def grep(self, pattern):
        import re
        return Lines(line for line in self if re.search(pattern, line))

    def fields(self, *numbers):
        rows = [line.split() for line in self]
        if not numbers:
            return rows
        return Lines(" ".join(row[number] for number in numbers if number < len(row)) for row in rows)


class Captured:
    """What %%capture kept."""

    def __init__(self, stdout, stderr, outputs):
        self.stdout, self.stderr, self.outputs = stdout, stderr, outputs

    def __str__(self):
        return self.stdout

    def __call__(self):
        sys.stdout.write(self.stdout)
        sys.stderr.write(self.stderr)
        for output in self.outputs:
            kernel.display(*output)

    show = __call__


class Events:
    """Of IPython's own events none comes."""

    def register(self, event, function):
        pass

    def unregister(self, event, function):
        pass


class Config(dict):
    def __getattr__(self, name):
        return self.setdefault(name, Config())


class Shell:
    def __init__(self):
        self.events = Events()
        self.config = Config()
        self.user_ns = self.user_global_ns = self.scope()
        self.own = {"line": {}, "cell": {}}
        self.began = None

    @property
    def execution_count(self):
        return kernel.index + 1

    def scope(self):
        return sys.modules["__main__"].__dict__

    # --- commands ---------------------------------------------------------------------------------------------------

    def expand(self, command, depth):
        """{expression}, and $name where the program has such a variable; a text that this does not fit is the shell's alone."""
        import re
        import string
        frame = sys._getframe(depth + 1)
        names = {**frame.f_globals, **frame.f_locals}
        pieces = []
        try:
            for text, field, form, conversion in string.Formatter().parse(command):
                pieces.append(re.sub(r"\$(\$|[A-Za-z_]\w*)", lambda found: "$" if found[1] == "$" else str(names.get(found[1], found[0])), text))
                if field is None:
                    continue
                try:
                    value = {"r": repr, "a": ascii, "s": str}.get(conversion, lambda given: given)(eval(field, names))
                    pieces.append(format(value, form))
                except Exception:
                    pieces.append("{" + field + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "") + "}")
        except ValueError:
            return command
        return "".join(pieces)

    def system(self, command, depth=1):
        """!command: prints what it prints; its exit code is _exit_code."""
        command = self.expand(command, depth)
        words = self.pip_of(command)
        self.scope()["_exit_code"] = self.pip(words) if words is not None else self.run(["sh", "-c", command])

    def getoutput(self, command, depth=1):
        """x = !command: its lines."""
        import subprocess
        done = subprocess.run(["sh", "-c", self.expand(command, depth)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.scope()["_exit_code"] = done.returncode
        return Lines(done.stdout.decode("utf-8", "replace").splitlines())

    def run(self, argv, text=None):
        """Runs a command as the program's own, whose streams it has; where the program has put others in their place, they get it."""
        import subprocess
        streams = [(sys.stdout, sys.__stdout__), (sys.stderr, sys.__stderr__)]
        for stream, _ in streams:
            stream.flush()
        pipes = [None if stream is own else subprocess.PIPE for stream, own in streams]
        try:
            done = subprocess.run(argv, input=text, stdout=pipes[0], stderr=pipes[1])
        except FileNotFoundError:
            raise UsageError(f"{argv[0]} is not in this sandbox") from None
        for (stream, _), said in zip(streams, (done.stdout, done.stderr)):
            if said:
                stream.write(said.decode("utf-8", "replace"))
        return done.returncode

    # --- magics -----------------------------------------------------------------------------------------------------

    def names(self, kind):
        mine = [name[len(kind) + 1:] for name in dir(self) if name.startswith(kind + "_")]
        more = (*NOTHING_TO_DO, *COMMANDS, "time") if kind == "line" else ("time", "capture", *INTERPRETERS, *SHOWN)
        return sorted({*mine, *more, *self.own[kind]})

    def run_line_magic(self, name, line="", _stack_depth=1):
        if name in self.own["line"]:
            return self.own["line"][name](line)
        method = getattr(self, "line_" + name, None)
        if method:
            return method(line)
        if name in COMMANDS:
            return (self.getoutput if name == "sx" else self.system)(line if name in ("sx", "system") else f"{name} {line}", 2)
        if name in NOTHING_TO_DO:
            return None
        known = " It begins a cell: %%" + name + "." if name in self.names("cell") else ""
        raise UsageError(f"Line magic function `%{name}` not found.{known}")

    def run_cell_magic(self, name, line, cell):
        if name in self.own["cell"]:
            return self.own["cell"][name](line, cell)
        method = getattr(self, "cell_" + name, None)
        if method:
            return method(line, cell)
        if name in INTERPRETERS:
            return self.run_script(INTERPRETERS[name], line, cell)
        if name in SHOWN:
            kernel.display(SHOWN[name], "display", "repr", cell.encode())
            return None
        raise UsageError(f"Cell magic `%%{name}` not found.")

    magic = run_line_magic

    def register_magic_function(self, function, magic_kind="line", magic_name=None):
        self.own[magic_kind][magic_name or function.__name__] = function

    def run_script(self, argv, line, cell):
        """%%bash and its like: a program that is given the cell."""
        import subprocess
        words, names = shlex.split(line), {}
        raises = "--no-raise-error" not in words
        for option in ("--out", "--err"):
            if option in words[:-1]:
                at = words.index(option)
                names[option] = words[at + 1]
                del words[at:at + 2]
        argv = [*argv, *(word for word in words if word not in ("--no-raise-error", "--bg"))]
        if not argv:
            raise UsageError("%%script needs a program")
        if names:
            done = subprocess.run(argv, input=cell.encode(), stdout=subprocess.PIPE if "--out" in names else None,
                                  stderr=subprocess.PIPE if "--err" in names else None)
            for option, text in (("--out", done.stdout), ("--err", done.stderr)):
                if option in names:
                    self.scope()[names[option]] = text.decode("utf-8", "replace")
            code = done.returncode
        else:
            code = self.run(argv, cell.encode())
        if code and raises:
            raise subprocess.CalledProcessError(code, argv)

    def cell_writefile(self, line, cell):
        words = shlex.split(line)
        if not [word for word in words if word != "-a"]:
            raise UsageError("%%writefile needs a file's name")
        with open(words[-1], "a" if "-a" in words else "w", encoding="utf-8") as file:
            file.write(cell)
        print(("Appending to " if "-a" in words else "Writing ") + words[-1])

    cell_file = cell_writefile

    def cell_timeit(self, line, cell):
        return self.timeit(line, cell)

    def line_timeit(self, line):
        return self.timeit(line, None)

    def timeit(self, line, cell):
        """-n loops, -r repeats, -q; in a cell the rest of the line is what goes before."""
        import getopt
        import timeit
        options, words = getopt.getopt(line.split(), "n:r:oqp:tc")
        options = dict(options)
        rest = line.split(None, len(line.split()) - len(words))[-1] if words else ""
        timer = timeit.Timer(cell if cell is not None else rest or "pass", rest if cell is not None and rest else "pass", globals=self.scope())
        repeats = int(options.get("-r", 7))
        loops = int(options.get("-n", 0)) or timer.autorange()[0]
        times = [seconds / loops for seconds in timer.repeat(repeats, loops)]
        mean = sum(times) / len(times)
        deviation = (sum((seconds - mean) ** 2 for seconds in times) / len(times)) ** 0.5
        if "-q" not in options:
            print(f"{duration(mean)} ± {duration(deviation)} per loop (mean ± std. dev. of {repeats} run{'s' * (repeats != 1)}, "
                  f"{loops:,} loop{'s' * (loops != 1)} each)")

    def capture_begins(self, line):
        """%%capture [--no-stdout] [--no-stderr] [name]: what the cell prints and shows goes into that variable."""
        import io
        words = line.split()
        self.capture = next((word for word in words if not word.startswith("-")), None), sys.stdout, sys.stderr
        kernel.captured = []
        if "--no-stdout" not in words:
            sys.stdout = io.StringIO()
        if "--no-stderr" not in words:
            sys.stderr = io.StringIO()

    def capture_ends(self, line=""):
        kernel.show_figures()
        name, *streams = self.capture
        texts = [stream.getvalue() if stream is not own else "" for stream, own in zip((sys.stdout, sys.stderr), streams)]
        sys.stdout, sys.stderr = streams
        outputs, kernel.captured = kernel.captured, None
        if name:
            self.scope()[name] = Captured(*texts, outputs)

    def time_begins(self, line=""):
        import time
        self.began = time.perf_counter(), time.process_time()

    def time_ends(self, line=""):
        import time
        wall, cpu = time.perf_counter() - self.began[0], time.process_time() - self.began[1]
        print(f"CPU times: total: {duration(cpu)}\nWall time: {duration(wall)}")

    def line_cd(self, line):
        os.chdir(os.path.expanduser(self.expand(line.strip(), 2).strip("'\"") or "~"))
        print(os.getcwd())

    def line_pwd(self, line):
        return os.getcwd()

    def line_env(self, line):
        name, is_set, value = line.partition("=") if "=" in line else line.partition(" ")
        if not name:
            return dict(os.environ)
        if not is_set:
            return os.environ.get(name.strip())
        os.environ[name.strip()] = self.expand(value.strip(), 2)
        print(f"env: {name.strip()}={os.environ[name.strip()]}")

    line_set_env = line_env

    def line_run(self, line):
        """%run [-i] file arguments: as a program of its own, whose names stay."""
        words = shlex.split(line)
        shares = "-i" in words
        words = [word for word in words if word not in ("-i", "-n", "-t")]
        if not words:
            raise UsageError("%run needs a file's name")
        name = words[0] if os.path.exists(words[0]) or words[0].endswith(".py") else words[0] + ".py"
        with open(name, "rb") as file:
            code = compile(file.read(), os.path.abspath(name), "exec")
        names = {**(self.scope() if shares else {}), "__name__": "__main__", "__file__": name, "__builtins__": __builtins__}
        before, sys.argv = sys.argv, [name, *words[1:]]
        try:
            exec(code, names)
        except SystemExit as end:
            if end.code not in (None, 0):
                raise
        finally:
            sys.argv = before
            self.scope().update({name: value for name, value in names.items() if not name.startswith("__")})

    def line_who(self, line):
        names = self.users_names()
        print("   ".join(names) if names else "Interactive namespace is empty.")

    def line_who_ls(self, line):
        return self.users_names()

    def line_whos(self, line):
        rows = [("Variable", "Type", "Data/Info")]
        rows += [(name, type(value).__name__, repr(value)[:60]) for name in self.users_names() for value in [self.scope()[name]]]
        for name, kind, text in rows:
            print(f"{name:<15} {kind:<15} {text}")

    def users_names(self):
        return sorted(name for name, value in self.scope().items() if not name.startswith("_") and not isinstance(value, type(sys)))

    def line_reset(self, line):
        for name in [name for name in self.scope() if not name.startswith("__")]:
            del self.scope()[name]

    line_reset_selective = line_reset

    def line_config(self, line):
        """Of all of IPython's settings the format of figures is one here, too."""
        name, _, value = line.partition("=")
        if name.strip() in ("InlineBackend.figure_format", "InlineBackend.figure_formats"):
            wanted = [form for form in ("svg", "pdf", "png") if form in value]
            os.environ["MAYFLY_FIGURE_FORMAT"] = wanted[0] if wanted else "png"

    def line_lsmagic(self, line):
        print("Line magics: " + " ".join("%" + name for name in self.names("line")))
        print("Cell magics: " + " ".join("%%" + name for name in self.names("cell")))

    line_magic = line_quickref = line_lsmagic

    def line_load_ext(self, line):
        if line.strip() != "autoreload":
            print(f"{line.strip()}: IPython's extensions are not in this sandbox; nothing is loaded.", file=sys.stderr)

    line_reload_ext = line_load_ext

    def line_debug(self, line):
        print("There is no debugger in a sandbox: no one could answer it. Nothing is done.", file=sys.stderr)

    line_pdb = line_debug

    # --- packages ---------------------------------------------------------------------------------------------------

    def line_pip(self, line):
        self.pip(shlex.split(line, comments=True))

    line_pip3 = line_pip

    def line_conda(self, line):
        self.pip([word for word in shlex.split(line, comments=True) if word not in ("-y", "--yes")])

    line_mamba = line_conda

    def pip_of(self, command):
        """The words for pip of a command that is `pip …`, where the shell has no pip."""
        import shutil
        try:
            words = shlex.split(command, comments=True)
        except ValueError:
            return None
        if words[:1] in (["python"], ["python3"]) and words[1:3] == ["-m", "pip"]:
            words = words[2:]
        if words[:1] not in (["pip"], ["pip3"]) or shutil.which(words[0]) or set("|&;<>") & set(command):
            return None
        return words[1:]

    def pip(self, words):
        """What is there, and how more comes: a sandbox has no index of packages. The exit code."""
        from importlib import metadata
        import re
        if words[:1] in (["list"], ["freeze"]):
            for found in sorted({(found.metadata["Name"] or "", found.version) for found in metadata.distributions()}, key=lambda row: row[0].lower()):
                print("==".join(found) if words[0] == "freeze" else f"{found[0]:<30} {found[1]}")
            return 0
        if words[:1] not in (["install"], ["show"]):
            print(f"pip {' '.join(words[:1])}: packages of this sandbox do not change; %pip list shows them.")
            return 0
        missing = []
        for word in words[1:]:
            found = re.match(r"[A-Za-z0-9][\w.-]*", word)
            if word.startswith("-") or not found:
                continue
            version = installed_version(found[0].rstrip("."))
            wanted = word[found.end():].partition("]")[2] if word[found.end():].startswith("[") else word[found.end():]
            if version is None:
                missing.append(found[0])
            else:
                print(f"{found[0]} {version} is installed" + (f"; {wanted.strip()} was asked for, and this one is used." if wanted.startswith("==")
                                                              and wanted[2:] != version else "."))
        if missing:
            print(f"Not installed: {', '.join(missing)}. This sandbox cannot fetch packages. Take a template that has them (GET /templates lists "
                  "what there is), ask the operator to add them to one, or send a pure Python package's files along.", file=sys.stderr)
        return 1 if missing else 0

    # --- help -------------------------------------------------------------------------------------------------------

    def help(self, name, detail):
        """name? and name??"""
        import inspect
        if not name or name.startswith("%"):
            self.line_lsmagic("")
            return
        frame = sys._getframe(1)
        try:
            value = eval(name, frame.f_globals, frame.f_locals)
        except Exception:
            print(f"Object `{name}` not found.")
            return
        rows = []
        if callable(value):
            try:
                rows.append(("Signature", name + str(inspect.signature(value))))
            except (ValueError, TypeError):
                pass
        else:
            rows.append(("String form", str(value)[:500]))
        rows.append(("Type", type(value).__name__))
        try:
            rows.append(("Length", str(len(value))))
        except Exception:
            pass
        source = None
        if detail:
            try:
                source = inspect.getsource(value)
            except (OSError, TypeError):
                pass
        rows.append(("Source", "\n" + source.rstrip()) if source else ("Docstring", inspect.getdoc(value) or "<no docstring>"))
        for title, text in rows:
            print(f"{title + ':':<12} {text}" if not text.startswith("\n") else f"{title}:{text}")

    # --- what programs ask IPython's shell for ----------------------------------------------------------------------

    def run_cell(self, raw_cell, **options):
        exec(compile(raw_cell, "<cell>", "exec"), self.scope())

    def ev(self, expression):
        return eval(expression, self.scope())

    def push(self, names, **options):
        self.scope().update(names)

    def set_next_input(self, text, replace=False):
        pass

    def showtraceback(self, *args, **options):
        import traceback
        traceback.print_exc()

    def enable_gui(self, gui=None):
        pass


def installed_version(name):
    from importlib import metadata, util
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
    try:
        found = util.find_spec(name.replace("-", "_").partition(".")[0])
    except (ImportError, ValueError):
        found = None
    return None if found is None else getattr(sys.modules.get(name), "__version__", "(of Python itself)" if name in sys.stdlib_module_names else "")


def duration(seconds):
    """As IPython says it: three digits and a unit."""
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


shell = None


def get_shell():
    global shell
    if shell is None:
        shell = Shell()
    return shell
