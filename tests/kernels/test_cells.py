"""Sessions in real containers, over the control socket: cells of each language, what stays between them and what does not, and how they end.

Rules:
 1. A container serves several tests where they cannot meet; one that is broken on purpose is the test's own.
 2. Nothing waits for a time to pass: a cell says when it has begun.
"""
import time
import unittest

import control
import harness

ERROR = "application/vnd.mayfly.error"


class CellsTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.place = control.Place()
        cls.addClassCleanup(cls.place.close)

    def make(self):
        container = self.place.make()
        self.addCleanup(container.remove)
        return container

    def check(self, result, out="", err="", code="0", reason="exited", kernel="kept"):
        self.assertEqual((result.out.decode(), result.err.decode()), (out, err))
        self.assertEqual((result.exit.get("reason"), result.exit.get("code"), result.exit.get("kernel")), (reason, code, kernel), result.exit)
        self.assertTrue(result.has_ended)


class PythonTest(CellsTest):
    def setUp(self):
        self.container = self.make()

    def run_cell(self, code, echo=1, **more):
        return self.container.cell("python", code, echo=echo, **more)

    def test_state_and_values(self):
        self.check(self.run_cell("x = 1\nimport json\ndef f():\n    return x + 1\nprint(x)"), "1\n")
        self.check(self.run_cell("x += 1; f()"), "3\n")
        self.check(self.run_cell("json.dumps([_, __name__])"), "'[3, \"__main__\"]'\n")
        self.check(self.run_cell("x;"))
        self.check(self.run_cell("x # it; was"), "2\n")
        self.check(self.run_cell("None"))
        self.check(self.run_cell("x", echo=0))
        self.check(self.run_cell("import asyncio\nasync def g():\n    await asyncio.sleep(0)\n    return 'é'\nawait g()"), "'é'\n")
        self.check(self.run_cell("import pickle\nclass A:\n    pass\ntype(pickle.loads(pickle.dumps(A()))) is A"), "True\n")
        self.check(self.run_cell(""))
        self.check(self.run_cell("import sys\n[sys.argv, '__file__' in globals(), sys.path[0]]"), "[[''], False, '']\n")

    def test_errors_look_as_ever(self):
        result = self.run_cell("def f():\n    1/0\ntry:\n    f()\nexcept Exception as e:\n    raise ValueError('x') from e")
        text = ('Traceback (most recent call last):\n  File "<cell 0>", line 4, in <module>\n    f()\n  File "<cell 0>", line 2, in f\n    1/0\n    ~^~\n'
                'ZeroDivisionError: division by zero\n\nThe above exception was the direct cause of the following exception:\n\n'
                'Traceback (most recent call last):\n  File "<cell 0>", line 6, in <module>\n    raise ValueError(\'x\') from e\nValueError: x\n')
        self.check(result, "", text, "1")
        self.assertEqual([(d.type, d.name, d.message, d.content.decode()) for d in result.displays], [(ERROR, "error", "ValueError: x", text)])
        self.check(self.run_cell("f()"), "", 'Traceback (most recent call last):\n  File "<cell 1>", line 1, in <module>\n    f()\n'
                   '  File "<cell 0>", line 2, in f\n    1/0\n    ~^~\nZeroDivisionError: division by zero\n', "1")
        self.check(self.run_cell("x = = 1"), "", '  File "<cell 2>", line 1\n    x = = 1\n        ^\nSyntaxError: invalid syntax\n', "1")
        self.assertIn(b"'utf-8' codec can't decode", self.run_cell(b"'\xff'").err)
        self.assertIn(b"EOFError", self.run_cell("input()").err)
        self.check(self.run_cell("await nothing", echo=0), "", 'Traceback (most recent call last):\n  File "<cell 5>", line 1, in <module>\n'
                   "    await nothing\n          ^^^^^^^\nNameError: name 'nothing' is not defined\n", "1")

    def test_exits(self):
        for code, status, err in (("3", "3", ""), ("", "0", ""), ("None", "0", ""), ("'text'", "1", "text\n"), ("-1", "255", ""), ("True", "1", ""),
                                  ("256", "0", ""), ("1 << 70", "255", ""), ("(1, 2)", "1", "(1, 2)\n")):
            with self.subTest(code=code):
                self.check(self.run_cell(f"import sys\nkept = 1\nsys.exit({code})"), "", err, status)
        self.check(self.run_cell("kept"), "1\n")
        self.check(self.run_cell("import os\nos._exit(7)"), code="7", kernel="lost")
        self.check(self.run_cell("'kept' in globals()"), "False\n")

    def test_a_child_that_goes_on_is_no_kernel(self):
        self.check(self.run_cell("import os\npid = os.fork()\nif pid:\n    os.waitpid(pid, 0)\nprint('p' if pid else 'c')"), "c\np\n")
        self.check(self.run_cell("1"), "1\n")

    def test_timeout_interrupts_and_keeps(self):
        self.check(self.run_cell("kept = 5"))
        result = self.run_cell("import time\nprint('begun')\ntime.sleep(1000)", wall_ms=1000)
        self.check(result, "begun\n", 'Traceback (most recent call last):\n  File "<cell 1>", line 3, in <module>\n    time.sleep(1000)\nKeyboardInterrupt\n',
                   "130", "timeout")
        self.check(self.run_cell("kept"), "5\n")
        result = self.run_cell("try:\n    while True:\n        pass\nexcept KeyboardInterrupt:\n    print('caught')", wall_ms=1000)
        self.check(result, "caught\n", reason="timeout")
        result = self.run_cell("import subprocess\nsubprocess.run(['sleep', '1000'])", wall_ms=1000)
        self.assertEqual((result.exit["reason"], result.exit["kernel"]), ("timeout", "kept"))
        result = self.run_cell("while True:\n    pass", cpu_ms=30)
        self.assertEqual((result.exit["reason"], result.exit["kernel"]), ("cpu", "kept"))
        self.check(self.run_cell("kept"), "5\n")

    def test_timeout_kills_what_will_not_stop(self):
        self.container.cell("bash", "stays=1")
        self.run_cell("import subprocess\np = subprocess.Popen(['setsid', 'sleep', '1000'])")
        result = self.run_cell("import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('begun')\nwhile True:\n    time.sleep(1)", wall_ms=1000)
        self.assertEqual((result.out, result.exit["reason"], result.exit["kernel"], result.exit["signal"]), (b"begun\n", "timeout", "lost", "9"))
        self.check(self.container.cell("bash", "echo $stays; pgrep -c sleep"), "1\n0\n", code="1")
        self.check(self.run_cell("'p' in globals()"), "False\n")

    def test_memory(self):
        result = self.run_cell("kept = 1\nx = bytearray(2 << 30)\nfor i in range(0, len(x), 4096):\n    x[i] = 1")
        self.assertEqual((result.exit["reason"], result.exit["kernel"]), ("oom", "lost"))
        self.check(self.run_cell("'kept' in globals()"), "False\n")

    def test_output_caps_are_each_cells(self):
        result = self.run_cell("import sys\nprint('x' * 1000)\nprint('e' * 5, file=sys.stderr)", stream_bytes=10)
        self.assertEqual((result.out, result.err, result.exit["stdout_truncated"], result.exit["stderr_truncated"]), (b"x" * 10, b"eeeee\n", "1", "0"))
        self.check(self.run_cell("print('abc')", stream_bytes=10), "abc\n")

    def test_what_comes_between_cells_comes_with_the_next(self):
        self.check(self.run_cell("import threading\ngo = threading.Event()\ndef late():\n    go.wait()\n    print('late')\n    done.set()\n"
                                 "done = threading.Event()\nt = threading.Thread(target=late)\nt.start()"))
        self.check(self.run_cell("threading.Timer(0.05, go.set).start()"))
        self.check(self.run_cell("t.join()"), "late\n")

    def test_displays(self):
        code = ("class H:\n    def _repr_html_(self):\n        return '<b>é</b>'\n    def _repr_json_(self):\n        return {'a': 1}\n    def __repr__(self):\n        return 'H'\n"
                "class P:\n    def _repr_mimebundle_(self, include=None, exclude=None):\n        return {'text/plain': 'P', 'image/png': 'AAEC'}\n    def __repr__(self):\n        return 'P'\n"
                "print('first')\ndisplay(P(), 'text')\nH()")
        result = self.run_cell(code)
        self.check(result, "first\ntext\nH\n")
        self.assertEqual([(d.type, d.name, d.source, d.index, d.content) for d in result.displays],
                         [("image/png", "display_0", "repr", "0", b"\0\1\2"), ("text/html", "display_1", "repr", "0", "<b>é</b>".encode()),
                          ("application/json", "display_2", "repr", "0", b'{"a": 1}')])
        self.assertRegex(result.order, "^[OP]+XZ$", "a stream and a display are two ways: which comes first is not said")
        self.assertEqual(result.order.count("P"), 3)
        result = self.run_cell("for _ in range(100): display(H())")
        self.assertEqual(len(result.displays), 64)
        result = self.run_cell("class B:\n    def _repr_png_(self):\n        return bytes(5 << 20)\ndisplay(B())\nclass B:\n    def _repr_png_(self):\n        return bytes(4000000)\ndisplay(B())")
        self.assertIn(b"more than 4 MiB", result.err)
        self.assertEqual([len(d.content) for d in result.displays], [4000000])

    def test_a_hostile_kernel(self):
        for name, bytes_ in (("no frame", b"hello"), ("too long", b"P\xff\xff\xff\xff"), ("no fields", b"P\0\0\0\5hello"), ("a bad type", b"P\0\0\0\x1dtype=TEXT\0name=a\0source=b\0\0abc"),
                             ("of the host", b"G\0\0\0\0"), ("a bad code", b"X\0\0\0\x09code=300\0"), ("no code", b"X\0\0\0\0")):
            with self.subTest(name=name):
                result = self.run_cell(f"import os, time\nos.write(63, {bytes_!r})\ntime.sleep(1000)", wall_ms=20000)
                self.assertEqual((result.exit["reason"], result.exit["kernel"], result.displays), ("signaled", "lost", []))
        result = self.run_cell("import os\nos.write(63, b'P\\0\\0\\0\\xff')\nos._exit(0)")
        self.assertEqual((result.exit["kernel"], result.displays), ("lost", []))
        result = self.run_cell("import os\nos.closerange(3, 100)\nprint('deaf')", wall_ms=20000)
        self.assertEqual((result.out, result.exit["kernel"]), (b"deaf\n", "lost"))
        self.check(self.run_cell("1"), "1\n")

    def test_a_host_that_hangs_up_stops_the_cell(self):
        self.check(self.run_cell("import threading, time\nkept = 1\nstopped = False"))
        channel = self.container.start_cell("python", "try:\n    print('begun', end='')\n    time.sleep(1000)\nexcept KeyboardInterrupt:\n    stopped = True\n    print('y' * 1000000)")
        self.assertEqual(channel.receive(), (b"O", b"begun"))
        channel.close()
        self.check(self.run_cell("kept, stopped"), "(1, True)\n")
        channel = self.container.connect()
        channel.send(b"J\0\0")  # not even a request
        channel.close()
        self.check(self.run_cell("kept"), "1\n")

    def test_cancel(self):
        channel = self.container.start_cell("python", "print('begun', end='')\nimport time\ntime.sleep(1000)")
        self.assertEqual(channel.receive(), (b"O", b"begun"))
        channel.send(control.frame(b"C"))
        result = control.finish(channel)
        self.assertEqual((result.exit["reason"], result.exit["kernel"]), ("cancelled", "kept"))

    def test_a_program_can_be_run_in_a_session(self):
        self.check(self.run_cell("kept = 1"))
        fields = control.command(["bash", "-c", "echo $$; sleep 1000 & echo done > file"], None, "/workspace") + [("idle_s", 60), *control.LIMITS]
        result = control.finish(self.container.send_job(fields))
        self.assertEqual((result.exit["code"], result.exit.get("kernel"), result.files), ("0", None, {b"file": b"done\n"}))
        self.check(self.run_cell("import subprocess\nkept, subprocess.run(['pgrep', 'sleep']).returncode"), "(1, 1)\n")


# cells of one kernel, in order: (name, cell, output, what errors hold, exit code)
DIALECT = (
    ("a command, with the program's values", "x = 5\n!echo hi {x} $x $HOME it\\'s '{print $1}' $((x + 1))", "hi 5 5 /tmp it's {print $1} 1\n", "", "0"),
    ("an expression that the shell keeps", "!echo '{nothing}' $nothing-", "{nothing} -\n", "", "0"),
    ("its exit code", "!exit 3\n_exit_code", "3\n", "", "0"),
    ("its lines", "y = !printf 'a\\nb\\n'\nprint(y, y.s, y.n == 'a\\nb')", "['a', 'b'] a b True\n", "", "0"),
    ("in a block, over two lines", "for i in range(2):\n    !echo \\\n      {i}\nz = 7", "0\n1\n", "", "0"),
    ("strings, brackets and joined lines are Python's", "s = \"\"\"\n!a\n%b\n\"\"\"\nt = (7\n%4)\nu = 'it' \\\n  ' # !'\n!echo {t}\ns, t, u",
     "3\n('\\n!a\\n%b\\n', 3, 'it # !')\n", "", "0"),
    ("a comparison is none", "a = 5 != 3\n!true\na", "True\n", "", "0"),
    ("nothing to do", "%matplotlib inline\n%load_ext autoreload\n%autoreload 2\n%config InlineBackend.figure_format = 'retina'\n1", "1\n", "", "0"),
    ("a package that is there", "%pip install -q requests\n%pip install requests==1", "requests 2.", "", "0"),
    ("one that is not", "%pip install nosuch[extra]>=2", "", "Not installed: nosuch. This sandbox cannot fetch packages.", "0"),
    ("pip as a command, and bare", "!pip install nosuch\npip install nosuch2", "", "Not installed: nosuch2.", "0"),
    ("pip of the future", "%pip install 'unclosed", "", "ValueError: No closing quotation", "1"),
    ("timed, and its value", "%time 6 * 7", r"CPU times: total: .*\nWall time: .*\n42\n$", "", "0"),
    ("timed, and its names", "%time w = 8;\nw", r"Wall time: .*\n8\n$", "", "0"),
    ("timed, as a value", "v = %time 9\nv", r"Wall time: .*\n9\n$", "", "0"),
    ("many times", "%timeit -n 3 -r 2 sum(range(9))", r"per loop \(mean ± std. dev. of 2 runs, 3 loops each\)", "", "0"),
    ("a cell, timed", "%%time\nimport asyncio\nq = await asyncio.sleep(0, 4)\nq", r"^4\nCPU times: total: .*\nWall time: .*\n$", "", "0"),
    ("a cell of bash", "\n%%bash\nfor i in 1 2; do echo $i; done", "1\n2\n", "", "0"),
    ("one that fails", "%%bash\nexit 3", "", 'File "<cell N>", line 1, in <module>\n    %%bash\nsubprocess.CalledProcessError: ', "1"),
    ("a cell to a file", "%%writefile a.py\nran = __name__", "Writing a.py\n", "", "0"),
    ("a file", "%run a.py\nran", "'__main__'\n", "", "0"),
    ("captured", "%%capture c\nprint('kept')\ndisplay(1)", "", "", "0"),
    ("what was captured", "str(c)", "'kept\\n1\\n'\n", "", "0"),
    ("captured, with a mistake", "%%capture\nprint('gone')\n1/0", "", 'line 3, in <module>\n    1/0\n    ~^~\n', "1"),
    ("help", "def f(a, b=1):\n    'Does it.'\nf?", r"Signature: +f\(a, b=1\)\nType: +function\nDocstring: +Does it\.\n", "", "0"),
    ("its source", "?? f", r"Source:\ndef f\(a, b=1\):\n", "", "0"),
    ("an unknown one", "1\n%nosuch", "", 'Traceback (most recent call last):\n  File "<cell N>", line 2, in <module>\n    %nosuch\nUsageError: Line magic function `%nosuch` not found.\n', "1"),
    ("a mistake below one", "!true\ng = 1\n1/0", "", 'Traceback (most recent call last):\n  File "<cell N>", line 3, in <module>\n    1/0\n    ~^~\nZeroDivisionError', "1"),
    ("a mistake in one", "def h():\n    1/0\n%time h()", "", '  File "<cell N>", line 3, in <module>\n    %time h()\n  File "<cell N>", line 2, in h\n    1/0\n', "1"),
    ("a mistake of Python's", "!true\nx = = 1", "", '  File "<cell N>", line 2\n    x = = 1\n        ^\nSyntaxError: invalid syntax\n', "1"),
    ("a mistake in the text of one", "%time x = = 1", "", '  File "<cell N>", line 1\n    %time x = = 1\n    ^\nSyntaxError: invalid syntax\n', "1"),
    ("nothing of the dialect", "x = 1 +", "", '  File "<cell N>", line 1\n    x = 1 +\n           ^\nSyntaxError: invalid syntax\n', "1"),
    ("each expression", "from IPython.core.interactiveshell import InteractiveShell\nInteractiveShell.ast_node_interactivity = 'all'", "", "", "0"),
    ("all of them", "1\n2;\nk = 3\n4", "1\n4\n", "", "0"),
    ("the shell", "from IPython import get_ipython as g\ng() is get_ipython(), g().user_ns['k'], 'IPKernelApp' in g().config, g().events.register('a', 1)",
     "(True, 3, False, None)\n", "", "0"),
    ("a magic of one's own", "from IPython.core.magic import register_line_magic\n@register_line_magic\ndef twice(line):\n    return line * 2\n", "", "", "0"),
    ("it", "%twice ab", "'abab'\n", "", "0"),
)


class DialectTest(CellsTest):
    """IPython's dialect in python cells."""

    def test_table(self):
        container = self.make()
        for number, (name, cell, out, err, code) in enumerate(DIALECT):
            with self.subTest(name=name):
                result = container.cell("python", cell, echo=1)
                self.assertEqual(result.exit.get("code"), code, result.err.decode())
                said = result.out.decode()
                if out and ("%time" in cell or "?" in cell or "pip" in cell):
                    self.assertRegex(said, out)
                else:
                    self.assertEqual(said, out)
                (self.assertIn if err else self.assertEqual)(err.replace("<cell N>", f"<cell {number}>"), result.err.decode())
                self.assertNotIn("/usr/lib/mayfly", result.err.decode())

    def test_shown(self):
        cell = ("from IPython.display import *\nimport pathlib\npathlib.Path('p.png').write_bytes(b'\\x89PNG-')\n"
                "display(HTML('<b>'), Markdown('# m'), Image('p.png'), Latex('$x$'), JSON({'a': 1}), display_id=True)\nclear_output()\n"
                "display({'text/html': 'raw', 'text/plain': 'no'}, raw=True)\nAudio([0, 1, 0], rate=8000)")
        result = self.make().cell("python", cell, echo=1)
        self.assertEqual((result.exit["code"], result.err), ("0", b""))
        self.assertEqual([(d.type, d.content[:5]) for d in result.displays],
                         [("text/html", b"<b>"), ("text/markdown", b"# m"), ("image/png", b"\x89PNG-"), ("text/latex", b"$x$"), ("application/json", b'{"a":'),
                          ("text/html", b"raw"), ("text/html", b"<audi")])

    def test_tasks_run_on(self):
        container = self.make()

        def run(code, out=""):
            self.check(container.cell("python", code, echo=1), out)
        run("import asyncio\nseen = []\nasync def count():\n    while True:\n        seen.append(1)\n        await asyncio.sleep(0)\nt = asyncio.create_task(count())")
        run("a = len(seen)\na > 0", "True\n")  # between the cells
        run("await asyncio.sleep(0.01)\nlen(seen) > a", "True\n")
        run("asyncio.run(asyncio.sleep(0, 'run'))", "'run'\n")  # a loop of its own
        run("t.cancel()\nawait asyncio.wait([t])\nt.cancelled()", "True\n")
        run("t = asyncio.get_event_loop().create_task(asyncio.sleep(0, 'old way'))")
        run("await t", "'old way'\n")
        run("async def end():\n    raise SystemExit(3)\nt = asyncio.create_task(end())")
        result = container.cell("python", "'here'", echo=1)
        self.assertEqual((result.out, result.err), (b"'here'\n", b"SystemExit: 3\n"))


# cells of one node kernel, in order: (name, cell, output, what errors hold, exit code)
MODERN = (
    ("static imports", "import fs, { readFileSync as rf } from 'fs';\nimport * as os from 'node:os'\nimport 'path'\nconst x = 1, y = 2\nlet z\n[typeof fs.existsSync, typeof rf, typeof os.cpus, z]",
     "[ 'function', 'function', 'function', undefined ]\n", "", "0"),
    ("again", "import { join as rf } from 'path'; rf('a', 'b')", "'a/b'\n", "", "0"),
    ("an import comes first", "const j = join2('a', 'b')\nimport { join as join2 } from 'path'\nj", "'a/b'\n", "", "0"),
    ("a name that is not exported", "import { nope } from 'fs'", "", "SyntaxError: The requested module 'fs' does not provide an export named 'nope'", "1"),
    ("a module that is not there", "import './none.mjs'", "", "Cannot find module '/workspace/none.mjs'", "1"),
    ("declared again, exported", "const x = 5; let { a, b: [c] } = { a: 1, b: [2] }\nclass K { m() { return x } }\nexport const q = 9\nexport default function foo() { return 7 }\n"
     "export { x }\nnew K().m() + c + q + foo()", "23\n", "", "0"),
    ("with await", "const x = await Promise.resolve(8)\nclass K { m() { return -x } }\nvar z = 3\nfor await (const e of [1]) console.log(e, z)\nnew K().m()", "1 3\n-8\n", "", "0"),
    ("an initializer that fails", "const n = 1, w = (() => { throw new Error('boom') })()", "", "<cell N>:1\nconst n = 1, w = (() => { throw new Error('boom') })()\n"
     "                                ^\n\nError: boom\n    at <cell N>:1:33\n", "1"),
    ("does not lose the name", "const w = 11\nw", "11\n", "", "0"),
    ("a declaration has no value", "const v = 5", "", "", "0"),
    ("var, function and let of one name", "let i = 0\nfor (var i = 0; i < 2; i++) console.log(i)\nvar i = 7\nfunction i2() {}\nlet i2 = i\ni2", "", "already been declared", "1"),
    ("in two cells", "let k = 0, g = 1", "", "", "0"),
    ("they meet", "for (var k = 0; k < 2; k++) console.log(k)\nvar k = 7\nfunction g() { return 6 }\nk + g()", "0\n1\n13\n", "", "0"),
    ("and back", "let g = 4\ng", "4\n", "", "0"),
    ("a name of node's", "const fetch = () => 1, process2 = process\nfetch()", "1\n", "", "0"),
    ("texts are no code", "const s = 'import x from \"y\"'; let t = `const x = ${s}\nconst x = 3`; t", "'const x = import x from \"y\"\\nconst x = 3'\n", "", "0"),
    ("no semicolons", "console.log(1)\nlet [m] = [2]\n;[3].forEach((e) => console.log(e + m))\nimport.meta.url", "1\n5\n'file:///workspace/cell.mjs'\n", "", "0"),
    ("sloppy code", "var o = { p: 010 }; with (o) { p }", "8\n", "", "0"),
    ("a text that ends too early", "let e = ", "", "SyntaxError: Unexpected end of input", "1"),
    ("a mistake", "let e = = 1", "", "<cell N>:1\nlet e = = 1\n        ^\n", "1"),
)


class ModernTest(CellsTest):
    def test_table(self):
        container = self.make()
        for number, (name, cell, out, err, code) in enumerate(MODERN):
            with self.subTest(name=name):
                result = container.cell("node", cell, echo=1)
                self.assertEqual((result.exit.get("code"), result.out.decode()), (code, out), result.err.decode())
                (self.assertIn if err else self.assertEqual)(err.replace("<cell N>", f"<cell {number}>"), result.err.decode())
                self.assertNotIn("/usr/lib/mayfly", result.err.decode())


class OneShotTest(CellsTest):
    def last(self, language, code, **more):
        return self.make().cell(language, code, last=1, **more)

    def test_python_ends_as_ever(self):
        code = ("import atexit, threading, time\natexit.register(print, 'bye')\nthreading.Timer(0.05, print, ['thread']).start()\nprint('main')\n")
        self.check(self.last("python", code), "main\nthread\nbye\n", kernel="ended")
        self.check(self.last("python", None, files={"main.py": code.encode()}, script="main.py"), "main\nthread\nbye\n", kernel="ended")
        self.check(self.last("python", "raise SystemExit(4)"), code="4", kernel="ended")

    def test_python_script(self):
        look = b"import sys, os\nprint(__name__, __file__, sys.argv, sys.path[0], sorted(os.listdir()), 'display' in dir(__builtins__))\ndef f():\n    1/0\nf()\n"
        result = self.last("python", None, files={"main.py": look}, script="main.py")
        self.assertEqual(result.out.decode(), "__main__ /workspace/main.py ['main.py'] /workspace ['main.py'] False\n")
        self.assertEqual(result.err.decode(), 'Traceback (most recent call last):\n  File "/workspace/main.py", line 5, in <module>\n    f()\n'
                         '  File "/workspace/main.py", line 4, in f\n    1/0\n    ~^~\nZeroDivisionError: division by zero\n')
        self.assertEqual((result.exit["code"], result.exit["kernel"], result.files), ("1", "ended", {}))

    def test_node(self):
        self.check(self.last("node", "setTimeout(() => console.log('late'), 20); console.log('now')"), "now\nlate\n", kernel="ended")
        self.check(self.last("node", "process.exit(4)"), code="4", kernel="ended")
        result = self.last("node", None, files={"main.js": b"console.log(process.argv.slice(1), require.main === module, __filename); process.exitCode = 5"}, script="main.js")
        self.check(result, "[ '/workspace/main.js' ] true /workspace/main.js\n", code="5", kernel="ended")

    def test_bash(self):
        self.check(self.last("bash", "trap 'echo bye' EXIT; echo a; exit 3"), "a\nbye\n", code="3", kernel="ended")
        self.check(self.last("bash", None, files={"main.sh": b"echo $0; nosuch"}, script="main.sh"), "main.sh\n", "main.sh: line 1: nosuch: command not found\n",
                   "127", kernel="ended")

    def test_several_cells_and_then_the_end(self):
        container = self.make()
        self.check(container.cell("python", "x = 1"))
        self.check(container.cell("python", "x", echo=1, last=1), "1\n", kernel="ended")
        with self.assertRaises(OSError):
            container.connect()

    def test_everything_is_collected_and_killed(self):
        result = self.last("python", "open('/tmp/output/a', 'w').write('1')\nopen('b', 'w')", collect="/tmp/output")
        self.assertEqual(result.files, {b"b": b"", b"/tmp/output/a": b"1"})


class PooledTest(CellsTest):
    def test_each_kernel_waits_and_takes_what_comes(self):
        for language, code, wanted in (("python", "import sys\nprint('json' in sys.modules)", "True\n"), ("node", "console.log(1)", "1\n"), ("bash", "echo 1", "1\n")):
            with self.subTest(language=language):
                container = self.make()
                ready = container.prepare_cell(language, preload="json,no_such_module")
                self.assertEqual(ready["prebooted"], "1")
                self.check(container.cell(language, code), wanted)
                self.check(container.cell(language, code, last=1), wanted, kernel="ended")

    def test_another_command_starts_another_kernel(self):
        container = self.make()
        container.prepare_cell("python")
        self.check(container.cell("python", "import os\nprint(os.environ.get('A'))", env=control.ENVIRONMENT + ["A=1"]), "1\n")
        self.check(container.cell("python", "print(os.environ.get('A'))"), "1\n")  # it has a state now

    def test_a_script(self):
        container = self.make()
        self.assertEqual(container.prepare_cell("python", preload="json")["prebooted"], "1")
        self.check(container.cell("python", files={"main.py": b"import sys\nprint(__name__, 'json' in sys.modules)"}, script="main.py", last=1), "__main__ True\n", kernel="ended")

    def test_what_is_no_kernel_does_not_wait(self):
        self.assertEqual(self.make().prepare_cell("python", argv=["true"])["prebooted"], "0")
        result = self.make().cell("python", "1", argv=["nosuchprogram"])
        self.assertEqual((result.exit["reason"], result.exit["message"]), ("not_started", "nosuchprogram: not found in the image"))

    def test_a_session_of_a_pooled_container(self):
        container = self.make()
        container.prepare_cell("python")
        self.assertEqual(container.operate().exit["reason"], "exited")
        self.check(container.cell("python", "print(1)"), "1\n")


class FilesTest(CellsTest):
    def test_files(self):
        container = self.make()
        self.assertEqual(container.operate({"a.txt": b"1", "d/e/b.bin": bytes(range(256)) * 1000}).exit["code"], "0")
        listed = container.operate(list=1).listed
        self.assertEqual({path: entry["size"] for path, entry in listed.items()}, {"a.txt": "1", "d/e/b.bin": "256000"})
        self.assertLess(abs(int(listed["a.txt"]["mtime_ms"]) / 1000 - time.time()), 600)
        self.assertEqual(container.operate(fetch="d/e/b.bin").files, {b"d/e/b.bin": bytes(range(256)) * 1000})
        self.assertEqual(container.operate({"a.txt": b"2"}, fetch="d/none").skipped, [])
        result = container.cell("bash", "cat a.txt; echo new > c.txt; ln -s /etc/passwd link; mkfifo fifo")
        self.check(result, "2")
        result.files.pop(b"a.txt", None)  # perhaps of the same tick of the kernel's clock
        self.assertEqual((result.files, sorted(result.skipped)), ({b"c.txt": b"new\n"}, [b"fifo", b"link"]))
        self.assertEqual(container.operate(fetch="link").skipped, [])
        self.assertEqual([container.operate(remove=path).exit["code"] for path in ("d/e/b.bin", "d/e/b.bin", "d", "nothing", "link/x")], ["0", "1", "1", "1", "1"])
        self.assertNotIn("d/e/b.bin", container.operate(list=1).listed)
        result = container.cell("bash", "true", files={"given": b"x", "link": b"mine"})
        self.assertFalse({b"given", b"link"} & set(result.files), result.files)
        self.assertEqual(container.operate(fetch="link").files, {b"link": b"mine"})

    def test_refusals(self):
        container = self.make()
        self.assertEqual(container.operate({"../x": b""}).exit["reason"], "not_started")
        for what in ("fetch", "remove"):
            self.assertEqual(container.operate(**{what: "/etc/passwd"}).exit["reason"], "not_started")
        container.operate({"d/x": b""})
        self.assertEqual(container.operate({"d": b""}).exit["reason"], "not_started")
        self.assertEqual(container.operate({"d/x/y": b""}).exit["reason"], "not_started")
        self.assertEqual(set(container.operate(list=1).listed), {"d/x"})

    def test_idle(self):
        container = self.make()
        container.operate(idle_s=1)
        identity = next(found["Id"] for found in self.place.podman.containers(self.place.instance)
                        if any(container.folder.partition("-")[2] in name for name in found["Names"]))
        status, ended = self.place.podman.call("POST", f"/v1.41/containers/{identity}/wait")
        self.assertEqual((status, ended["StatusCode"]), (200, 0))


class OtherLanguagesTest(CellsTest):
    def test_node(self):
        container = self.make()

        def run(code, **more):
            return container.cell("node", code, echo=1, **more)
        self.check(run("let x = 1; const f = () => x + 1; class A {}"))
        self.check(run("x += 1; f()"), "3\n")
        self.check(run("new A()"), "A {}\n")
        self.check(run("const y = await Promise.resolve({ a: 1 }); y"), "{ a: 1 }\n")
        self.check(run("(await import('os')).EOL"), "'\\n'\n")
        self.check(run("require('path').basename('/a/b')"), "'b'\n")
        result = run("throw new TypeError('no')")
        self.assertEqual((result.err.decode().split("\n\nNode")[0], result.exit["code"]),
                         ("<cell 6>:1\nthrow new TypeError('no')\n      ^\n\nTypeError: no\n    at <cell 6>:1:7", "1"))
        self.assertEqual([(d.type, d.message) for d in result.displays], [(ERROR, "TypeError: no")])
        self.check(run("process.exit(4)"), code="4")
        result = run("Promise.reject(new Error('x')); 1")
        self.assertEqual((result.out, result.exit["code"], result.displays[0].message), (b"1\n", "1", "Error: x"))
        result = run("console.log('begun'); while (true) {}", wall_ms=10000)
        self.assertEqual((result.out, result.exit["reason"], result.exit["kernel"]), (b"begun\n", "timeout", "kept"))
        result = run("await new Promise(() => {})", wall_ms=1000)
        self.assertEqual((result.exit["reason"], result.exit["kernel"]), ("timeout", "kept"))
        result = run("display('<svg/>', 'image/svg+xml'); x")
        self.check(result, "2\n")
        self.assertEqual([(d.type, d.name, d.source, d.content) for d in result.displays], [("image/svg+xml", "display_0", "node", b"<svg/>")])
        self.check(run("process.reallyExit(3)"), code="3", kernel="lost")

    def test_bash(self):
        container = self.make()

        def run(code, **more):
            return container.cell("bash", code, **more)
        self.check(run("x='a b'; f() { echo \"f$x\"; }; declare -a list=(1 '2 3'); cd /tmp; nosuch"), "", "bash: line 1: nosuch: command not found\n", "127")
        self.check(run("f; pwd; echo \"${list[1]}\"\n(exit 9)"), "fa b\n/tmp\n2 3\n", code="9")
        for end in ("exit 3", "set -e; (exit 3); echo no", "g() { exit 3; }; g"):
            self.check(run(end), code="3")
            self.check(run("set +e; f; pwd; echo \"${list[1]}\""), "fa b\n/tmp\n2 3\n")
        self.check(run("set -e"))
        self.check(run("false\necho no"), code="1")
        self.check(run("set +e -u; exit"))
        self.check(run("echo ${none-no} $-; $none"), "no huBc\n", "bash: line 1: none: unbound variable\n", "127")
        self.check(run("set +u; read line; echo $?"), "1\n")
        self.assertEqual(run("while").exit["code"], "2")
        result = run("echo begun; sleep 1000; echo no", wall_ms=1000)
        self.check(result, "begun\n", code="130", reason="timeout")
        result = run("while :; do :; done", wall_ms=1000)
        self.check(result, code="130", reason="timeout")
        self.check(run("echo \"$x\""), "a b\n")
        self.check(run("kill -9 $$"), code=None, reason="signaled", kernel="lost")
        self.check(run("echo \"[$x]\""), "[]\n")

    def test_kernels_of_several_languages(self):
        container = self.make()
        for language, code in (("python", "x = 1"), ("node", "var x = 2"), ("bash", "x=3")):
            self.check(container.cell(language, code))
        for language, code, wanted in (("python", "print(x)", "1\n"), ("node", "console.log(x)", "2\n"), ("bash", "echo $x", "3\n")):
            self.check(container.cell(language, code), wanted)
        self.check(container.cell("node", "process.kill(process.pid, 'SIGKILL')"), code=None, reason="signaled", kernel="lost")
        self.check(container.cell("python", "print(x)"), "1\n")


if __name__ == "__main__":
    harness.main()
