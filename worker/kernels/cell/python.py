"""The kernel of python cells: an interpreter that stays (protocol/control.h, src/init/kernel_cell.c).

Loaded by worker/kernels/python/sitecustomize.py before python opens its script, so that a kernel that waits can still become
either: a session, which never leaves serve(), or, for a last job with a script and no echo, `python3 main.py` itself,
which begins when serve() returns and finds nothing of ours on the stack.

Rules
1. State lives in the one __main__ that python made; the user's frames, and no others, are in tracebacks.
2. What is needed for pictures and the like is loaded when a program comes to it (rich.py): plain code pays nothing.
3. A frame goes up whole: an interrupt waits until it has.
4. Whatever a cell does, EXIT follows: only the end of the process keeps it back.
5. Only modules that every python3 has loaded, or has built in, are used before the first cell.
"""
import _signal
import _thread
import builtins
import posix
import sys

INTERRUPT = 2
MAX_BYTES = 4 << 20
TOP_LEVEL_AWAIT, ONLY_AST, IS_COROUTINE, FUTURES = 0x2000, 0x400, 0x80, 0x1FE0000
PLAIN = (int, str, float, bool, bytes, list, tuple, dict, set, complex, type(None), type, type(len), type(lambda: 0))


class Channel:
    """Frames up, lines down."""

    def __init__(self, descriptor, code):
        self.descriptor, self.code = descriptor, code
        self.lock = _thread.RLock()
        self.data = b""
        self.is_interrupted = False
        for number in (descriptor, code):
            posix.set_inheritable(number, False)

    def send(self, kind, payload=b""):
        with self.lock:
            before = self.defer_interrupt()
            try:
                rest = memoryview(kind + len(payload).to_bytes(4, "big") + payload)
                while rest:
                    rest = rest[posix.write(self.descriptor, rest):]
            except OSError:
                pass  # the program has closed it: nobody will hear of this
            finally:
                if before:
                    _signal.signal(INTERRUPT, before)
        if self.is_interrupted and before:
            self.is_interrupted = False
            raise KeyboardInterrupt

    def defer_interrupt(self):
        """An interrupt comes after the frame. The handler it replaces, or None where there is nothing to defer: interrupts come to the
        main thread only."""
        before = _signal.getsignal(INTERRUPT)
        if not callable(before):
            return None
        try:
            return _signal.signal(INTERRUPT, self.note_interrupt)
        except ValueError:
            return None

    def note_interrupt(self, number, frame):
        self.is_interrupted = True

    def receive(self):
        """The next line's fields, or None at the end."""
        while b"\n" not in self.data:
            try:
                piece = posix.read(self.descriptor, 4096)
            except OSError:
                return None
            if not piece:
                return None
            self.data += piece
        line, _, self.data = self.data.partition(b"\n")
        return dict(field.split("=", 1) for field in line.decode("utf-8", "surrogateescape").split(" ", 3))

    def read_code(self):
        pieces = []
        while not pieces or pieces[-1]:
            pieces.append(posix.read(self.code, 1 << 20))
        return b"".join(pieces)


class Kernel:
    def __init__(self, channel):
        self.channel = channel
        self.pid = posix.getpid()
        self.main = None  # a session's: a script's goes when python lets it go
        self.sources = {}
        self.futures = 0
        self.index = 0
        self.counts = {}
        self.loop = None
        self.thread = _thread.get_ident()
        self.captured = None  # displays, where %%capture keeps them
        self.hooks = {"linecache": self.fill_linecache}
        self.handler = _signal.default_int_handler
        self.is_session = False

    # --- displays ---------------------------------------------------------------------------------------------------

    def display(self, kind, name, source, content, message=None):
        """Sends one; a name is numbered when it comes again. rich.py calls this."""
        if self.captured is not None and name != "error":
            self.captured.append((kind, name, source, content))
            return
        count = self.counts[name] = self.counts.get(name, -1) + 1
        if name != "error" or count:
            name = f"{name}_{count}"
        fields = [("type", kind), ("name", name), ("source", source), ("index", self.index)]
        if message is not None:
            line = "".join(c if c.isprintable() else " " for c in message).encode("utf-8", "replace")[:900]
            fields.append(("message", line.decode("utf-8", "ignore")))
        payload = "".join(f"{key}={value}\0" for key, value in fields).encode() + b"\0" + content
        if len(payload) > MAX_BYTES:
            sys.stderr.write(f"mayfly: {name} ({kind}) has more than 4 MiB and is left out\n")
            return
        for stream in (sys.stdout, sys.stderr):
            flush(stream)
        self.channel.send(b"P", payload)

    def load(self, name):
        """Another file of this folder as the module mayfly_NAME, loaded when it is wanted."""
        module = sys.modules.get("mayfly_" + name)
        if module is None:
            module = type(sys)("mayfly_" + name)
            run_file(name + ".py", module.__dict__)
            module.kernel = self
            sys.modules["mayfly_" + name] = module
        return module

    def rich(self):
        return self.load("rich")

    def shell(self):
        """What get_ipython() gives."""
        return self.load("shell").get_shell()

    def after_ipython(self, package):
        """An IPython of the image's own knows nothing of this kernel."""
        package.kernel = self
        if package.__file__.startswith(__file__.rpartition("/")[0]):
            package.make_modules(package)
            return
        package.get_ipython = sys.modules["IPython.core.getipython"].get_ipython = self.shell
        for name in ("IPython.display", "IPython.core.display_functions"):
            if name in sys.modules:
                sys.modules[name].display = self.show_value
                sys.modules[name].clear_output = lambda wait=False: None

    def after(self, name):
        return lambda module: getattr(self.rich(), "after_" + name)(module)

    # --- sources ----------------------------------------------------------------------------------------------------

    def fill_linecache(self, module):
        for name, text in self.sources.items():
            module.cache[name] = (len(text), None, text.splitlines(True), name)

    def keep_source(self, name, source):
        text = source.decode("utf-8", "replace")
        if text and not text.endswith("\n"):
            text += "\n"
        self.sources[name] = text
        if "linecache" in sys.modules:
            sys.modules["linecache"].cache[name] = (len(text), None, text.splitlines(True), name)

    # --- one cell ---------------------------------------------------------------------------------------------------

    def compile(self, source, name, echo):
        """The cell's code as (code, is it an expression to be shown?) in the order in which they run."""
        flags = TOP_LEVEL_AWAIT | self.futures
        try:
            if not echo:
                return [(compile(source, name, "exec", flags, True), False)]
            return self.compile_tree(compile(source, name, "exec", flags | ONLY_AST, True), source, name, flags)
        except SyntaxError as error:
            mistake = error
        mistake.__traceback__ = None
        return self.compile_dialect(source, name, flags, echo, mistake)

    def compile_tree(self, tree, source, name, flags):
        shell = sys.modules.get("IPython.core.interactiveshell")
        shows = shell.InteractiveShell.ast_node_interactivity if shell else "last_expr"
        steps, body = [], []
        for node in tree.body:
            is_shown = type(node).__name__ == "Expr" and (shows == "all" or node is tree.body[-1]) and not is_silenced(source, node)
            if not is_shown or shows == "none":
                body.append(node)
                continue
            flags = self.add_step(steps, tree, body, name, flags)
            import _ast
            steps.append((compile(_ast.Expression(node.value), name, "eval", flags, True), True))
            body = []
        if body or not steps:
            self.add_step(steps, tree, body, name, flags)
        return steps

    @staticmethod
    def add_step(steps, tree, body, name, flags):
        """Adds statements; flags with the futures that they import."""
        tree.body = body
        code = compile(tree, name, "exec", flags, True)
        steps.append((code, False))
        return flags | code.co_flags & FUTURES

    def compile_dialect(self, source, name, flags, echo, mistake):
        """A cell of IPython's dialect; for another one its own mistake."""
        dialect = self.load("dialect")
        try:
            text = source.decode()
        except UnicodeDecodeError:
            raise mistake
        found = dialect.cell_magic(text)
        if found:
            return self.compile_cell_magic(name, echo, *found)
        found = dialect.translate(text)
        if found is None:
            raise mistake
        python, changed = found
        lines = dialect.lines_of(text)
        try:
            tree = compile(python, name, "exec", flags | ONLY_AST, True)
        except SyntaxError as error:
            if error.lineno in changed:
                error.text, error.offset, error.end_offset = lines[error.lineno - 1], 1, None
            error.__traceback__ = error.__context__ = None
            mistake = error
        else:
            dialect.restore_places(tree, changed, lines)
            if not echo:
                return [(compile(tree, name, "exec", flags, True), False)]
            return self.compile_tree(tree, text.encode(), name, flags)
        raise mistake

    def compile_cell_magic(self, name, echo, number, magic, arguments, body):
        """%%time and %%capture are about the cell below them; what is given to others is its text."""
        if magic in ("time", "capture"):
            begin, end = (compile(f"get_ipython().{magic}_{what}({arguments!r})", name, "eval") for what in ("begins", "ends"))
            return [(begin, False), *self.compile(("\n" * (number + 1) + body).encode(), name, echo), (end, False)]
        call = f"get_ipython().run_cell_magic({magic!r}, {arguments!r}, {body!r})"
        tree = compile("\n" * number + call, name, "eval", ONLY_AST, True)
        self.load("dialect").restore_places(tree, {number + 1: 1}, [""] * number + [f"%%{magic} {arguments}".rstrip()])
        return [(compile(tree, name, "eval"), echo)]

    def evaluate(self, code):
        """Runs code in __main__; what an expression gives."""
        self.futures |= code.co_flags & FUTURES
        if not code.co_flags & IS_COROUTINE:
            return eval(code, self.main.__dict__)
        self.open_loop()
        task = self.loop.create_task(eval(code, self.main.__dict__))
        try:
            return self.loop.run_until_complete(task)
        except KeyboardInterrupt:
            task.cancel()
            try:
                self.loop.run_until_complete(task)
            except BaseException:
                pass
            raise

    def open_loop(self):
        """The loop of all cells: the one that the program has made, if any."""
        import asyncio
        import warnings
        if self.loop is None or self.loop.is_closed():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    self.loop = asyncio.get_event_loop()
                except RuntimeError:
                    self.loop = None
            if self.loop is None or self.loop.is_closed():
                self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)  # asyncio.run() leaves none

    def after_asyncio_tasks(self, module):
        """In a cell create_task() works without await, too: its task begins behind the cell."""
        create = module.create_task

        def create_task(coro, **options):
            if self.is_session and module.events._get_running_loop() is None and _thread.get_ident() == self.thread:
                self.open_loop()
                return self.loop.create_task(coro, **options)
            return create(coro, **options)

        create_task.__doc__, create_task.__module__ = create.__doc__, create.__module__
        module.create_task = create_task

    def wait(self):
        """The next cell's request. Meanwhile the tasks of the cells before run on."""
        if self.loop is None and "asyncio" in sys.modules:
            self.open_loop()
        while self.loop is not None and not self.loop.is_closed() and b"\n" not in self.channel.data:
            try:
                self.loop.add_reader(self.channel.descriptor, self.loop.stop)
                self.loop.run_forever()
                break
            except BaseException as problem:  # a task's SystemExit
                sys.stderr.write(f"{type(problem).__name__}: {problem}\n")
            finally:
                if not self.loop.is_closed():
                    self.loop.remove_reader(self.channel.descriptor)
        return self.channel.receive()

    def show(self, value):
        """As sys.displayhook does, and more for what can show itself."""
        if value is None:
            return
        if sys.displayhook is not sys.__displayhook__:
            sys.displayhook(value)
            return
        builtins._ = None
        sys.stdout.write(repr(value) + "\n")
        builtins._ = value
        if not isinstance(value, PLAIN):
            self.rich().show(value)

    def run(self, source, name, echo):
        """The exit code."""
        try:
            _signal.signal(INTERRUPT, self.handler)
            try:
                for code, is_shown in self.compile(source, name, echo):
                    value = self.evaluate(code)
                    if is_shown:
                        self.show(value)
                self.show_figures()
                return 0
            except SystemExit as end:
                self.end_capture()
                code = self.exit_code(end)
                self.show_figures()
                return code
            except BaseException:
                kind, value, trace = sys.exc_info()
                self.end_capture()
                self.report(kind, value, users_part(trace))
                self.show_figures()
                return 130 if kind is KeyboardInterrupt else 1
        except KeyboardInterrupt:  # while the end was reported
            sys.stderr.write("KeyboardInterrupt\n")
            return 130
        except BaseException as problem:  # of a program's own hooks
            sys.stderr.write(f"{type(problem).__name__}: {problem}\n")
            return 1
        finally:
            before = _signal.signal(INTERRUPT, self.channel.note_interrupt)
            if before is not None and before != self.channel.note_interrupt:
                self.handler = before

    def end_capture(self):
        """Of %%capture, whose cell has failed."""
        if self.captured is not None:
            self.shell().capture_ends()

    def show_figures(self):
        if "matplotlib._pylab_helpers" in sys.modules:
            self.rich().show_figures()

    def exit_code(self, end):
        code = end.code
        if isinstance(code, int):
            code = int(code) & 255 if -1 << 63 <= code < 1 << 63 else 255
        elif code is None:
            code = 0
        else:
            print(code, file=sys.stderr)
            code = 1
        if code:
            self.display("application/vnd.mayfly.error", "error", "python", b"", f"SystemExit: {end.code}")
        return code

    def report(self, kind, value, trace):
        sys.last_type, sys.last_value, sys.last_traceback = kind, value, trace
        sys.last_exc = value
        import traceback
        value.__traceback__ = trace
        text = "".join(traceback.format_exception(kind, value, trace))
        flush(sys.stdout)
        if sys.excepthook is sys.__excepthook__:
            sys.stderr.write(text)
        else:
            sys.excepthook(kind, value, trace)
        last = traceback.format_exception_only(kind, value)[-1].strip()
        self.display("application/vnd.mayfly.error", "error", "python", text.encode("utf-8", "backslashreplace"), last)

    # --- cells ------------------------------------------------------------------------------------------------------

    def begin_session(self):
        self.is_session = True
        self.main = sys.modules["__main__"]
        sys.path.insert(0, "")
        sys.argv = [""]
        self.main.__dict__.pop("__file__", None)
        builtins.display = self.show_value
        builtins.get_ipython = self.shell
        _signal.signal(INTERRUPT, self.channel.note_interrupt)
        sys.stdout.reconfigure(line_buffering=True)
        for name in ("site", "sitecustomize"):  # they are not being imported any more, whoever asks
            spec = getattr(sys.modules.get(name), "__spec__", None)
            if spec:
                spec._initializing = False

    def show_value(self, *values, **options):
        """display(value, …): like a last expression, each of them. A mere text is printed."""
        for value in values:
            if options.get("raw") and isinstance(value, dict):
                self.rich().send_bundle(value)
            elif isinstance(value, PLAIN) or not self.rich().show(value):
                sys.stdout.write((value if isinstance(value, str) else repr(value)) + "\n")

    def serve(self, request):
        self.begin_session()
        while request is not None:
            self.index = int(request["index"])
            self.counts = {}
            if request["script"]:
                name = posix.getcwd() + "/" + request["script"]
                with open(name, "rb") as file:
                    source = file.read()
            else:
                name, source = f"<cell {self.index}>", self.channel.read_code()
                self.keep_source(name, source)
            code = self.run(source, name, request["echo"] == "1")
            if posix.getpid() != self.pid or request["last"] == "1":
                end(code)
            flush(sys.stdout)
            flush(sys.stderr)
            self.channel.is_interrupted = False
            try:
                self.channel.send(b"X", b"code=%d\0" % code)
            except KeyboardInterrupt:
                pass  # too late for this cell, too early for the next
            import traceback  # nobody waits now, and the first error will
            request = self.wait()
        posix._exit(0)


def run_file(name, namespace):
    """Another file of this folder."""
    path = __file__.rpartition("/")[0] + "/" + name
    namespace["__file__"] = path
    with open(path, "rb") as file:
        exec(compile(file.read(), path, "exec"), namespace)
    return namespace


def is_silenced(source, last):
    """A semicolon behind the last expression."""
    line = source.splitlines()[last.end_lineno - 1]
    return line[last.end_col_offset:].lstrip().startswith(b";")


def users_part(trace):
    """What is not of our own frames, nor of the event loop between them and the program."""
    folder, kept, before, is_ours = __file__.rpartition("/")[0] + "/", [], None, False
    while trace:
        name = trace.tb_frame.f_code.co_filename
        is_ours = name.startswith(folder) or is_ours and "/asyncio/" in name
        if not is_ours:
            kept.append(trace)
        trace = trace.tb_next
    for entry in reversed(kept):
        entry.tb_next, before = before, entry
    return before


def flush(stream):
    try:
        stream.flush()
    except Exception:
        pass


def end(code):
    """As the interpreter ends a program."""
    try:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        if "atexit" in sys.modules:
            sys.modules["atexit"]._run_exitfuncs()
    except BaseException as problem:
        sys.excepthook(type(problem), problem, problem.__traceback__)
    flush(sys.stdout)
    flush(sys.stderr)
    posix._exit(code)


def serve(descriptor, code, preload, modules):
    """Waits for the first cell. Returns True when it is a script for python itself; else never."""
    kernel = Kernel(Channel(descriptor, code))
    for name in ("matplotlib._pylab_helpers", "matplotlib.font_manager", "plotly.io._renderers", "PIL.ImageShow"):
        kernel.hooks[name] = kernel.after(name.replace(".", "_"))
    kernel.hooks["asyncio.tasks"] = kernel.after_asyncio_tasks
    kernel.hooks["IPython"] = kernel.after_ipython
    run_file("imports.py", {})["watch"](kernel.hooks, kernel.rich)
    if preload:
        preload(modules)
        import gc

        # what was imported stays: no collection looks at it again, the one at the interpreter's end least of all
        gc.collect()
        gc.freeze()
    kernel.channel.send(b"Y")
    request = kernel.channel.receive()
    if request is None:
        posix._exit(0)
    if request["last"] == "1" and request["echo"] == "0" and request["index"] == "0" and request["script"] == sys.argv[0]:
        posix.close(code)
        return True
    kernel.serve(request)
