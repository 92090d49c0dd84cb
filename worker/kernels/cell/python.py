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
        self.hooks = {"linecache": self.fill_linecache}
        self.handler = _signal.default_int_handler
        self.is_session = False

    # --- displays ---------------------------------------------------------------------------------------------------

    def display(self, kind, name, source, content, message=None):
        """Sends one; a name is numbered when it comes again. rich.py calls this."""
        count = self.counts[name] = self.counts.get(name, -1) + 1
        if name != "chart" and name != "error":
            name = f"{name}_{count}"
        elif count:
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

    def rich(self):
        """rich.py, loaded when it is wanted."""
        module = sys.modules.get("mayfly_rich")
        if module is None:
            module = type(sys)("mayfly_rich")
            run_file("rich.py", module.__dict__)
            module.kernel = self
            sys.modules["mayfly_rich"] = module
        return module

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
        """(code of the statements or None, code of the last expression or None)."""
        flags = TOP_LEVEL_AWAIT | self.futures
        if not echo:
            return compile(source, name, "exec", flags, True), None
        tree = compile(source, name, "exec", flags | ONLY_AST, True)
        last = tree.body[-1] if tree.body else None
        if type(last).__name__ != "Expr" or is_silenced(source, last):
            return compile(tree, name, "exec", flags, True), None
        del tree.body[-1]
        import _ast
        body = compile(tree, name, "exec", flags, True)
        return body, compile(_ast.Expression(last.value), name, "eval", flags | body.co_flags & FUTURES, True)

    def evaluate(self, code):
        """Runs code in __main__; what an expression gives."""
        self.futures |= code.co_flags & FUTURES
        if not code.co_flags & IS_COROUTINE:
            return eval(code, self.main.__dict__)
        import asyncio
        if self.loop is None or self.loop.is_closed():
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
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
                body, expression = self.compile(source, name, echo)
                self.evaluate(body)
                if expression:
                    self.show(self.evaluate(expression))
                self.show_figures()
                return 0
            except SystemExit as end:
                code = self.exit_code(end)
                self.show_figures()
                return code
            except BaseException:
                kind, value, trace = sys.exc_info()
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
        _signal.signal(INTERRUPT, self.channel.note_interrupt)
        sys.stdout.reconfigure(line_buffering=True)
        for name in ("site", "sitecustomize"):  # they are not being imported any more, whoever asks
            spec = getattr(sys.modules.get(name), "__spec__", None)
            if spec:
                spec._initializing = False

    def show_value(self, *values, **options):
        """display(value, …): like a last expression, each of them. A mere text is printed."""
        for value in values:
            if isinstance(value, PLAIN) or not self.rich().show(value):
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
            request = self.channel.receive()
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
    """What is below our own frames, and those of the event loop between them and the program."""
    while trace and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
        while trace and "/asyncio/" in trace.tb_frame.f_code.co_filename:
            trace = trace.tb_next
    return trace


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
    for name in ("matplotlib._pylab_helpers", "plotly.io._renderers", "PIL.ImageShow"):
        kernel.hooks[name] = kernel.after(name.replace(".", "_"))
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
