"""What python3 is made to do, once as it is and once as a kernel. A script prints no time, no address and no random number.

A case is its source, or a dict: source, files (more inputs), argv (behind python3), env (more of it).
"""

SITE = ".local/lib/python3.11/site-packages/"

LISTING = """
import os, sys
def show(title, items):
    print(title)
    for item in items:
        print("   ", item)
"""

CASES = {
    # --- what a script is told about itself ---------------------------------------------------------------------------
    "names": "import sys\nprint(__name__, __file__, __doc__, __package__, __spec__, type(__loader__), __cached__ if '__cached__' in dir() else '')\n"
             "print(__annotations__, sys.argv, sys.orig_argv, sys.executable, sys.prefix, sys.platlibdir)\n",
    "argv": {"source": "import sys\nprint(sys.argv, sys.orig_argv)\n", "argv": ["script.py", "one", "two words", "é", "", "-x", "--"]},
    "globals": "print(list(globals()))\nprint(list(vars(__builtins__)))\nprint(type(__builtins__), dir())\n",
    "modules": "import sys\nprint(list(sys.modules))\nprint(len(sys.modules))\n",
    "module_files": "import sys\nfor name, module in list(sys.modules.items()):\n"
                    "    print(name, getattr(module, '__file__', None), getattr(module, '__cached__', None), type(module.__loader__).__name__,"
                    " module.__spec__ and (module.__spec__.origin, module.__spec__.cached, module.__spec__.has_location))\n",
    "sitecustomize": "import sys\nm = sys.modules['sitecustomize']\nprint(m, sorted(vars(m)), m.__doc__, m.__spec__.origin, m.__spec__.cached, m.__spec__.loader is m.__loader__)\n"
                     "import importlib\nprint(importlib.reload(m) is m)\n",
    "path": "import sys, site\nprint(sys.path)\nprint(list(sys.path_importer_cache))\nprint([type(x).__name__ for x in sys.path_importer_cache.values()])\n"
            "print(sys.meta_path, len(sys.path_hooks), site.USER_SITE, site.ENABLE_USER_SITE, site.PREFIXES)\n",
    "import_caches": "import sys\nfor place, finder in sys.path_importer_cache.items():\n"
                     "    print(place, finder and sorted(finder._path_cache)[:40], finder and finder._path_mtime >= 0)\n"
                     "import _frozen_importlib as f\nprint(list(f._module_locks), len(f._blocking_on))\n",
    "flags": "import sys\nprint(sys.flags, sys.warnoptions, sys._xoptions, sys.dont_write_bytecode, sys.getrecursionlimit(), sys.getswitchinterval())\n"
             "print(sys.gettrace(), sys.getprofile(), sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__,"
             " sys.unraisablehook is sys.__unraisablehook__, sys.breakpointhook is sys.__breakpointhook__)\nprint(sorted(vars(sys)))\n",
    "flags_given": {"source": "import sys, warnings\nprint(sys.flags, sys.warnoptions, sys._xoptions, warnings.filters)\n",
                    "argv": ["-B", "-W", "default", "-O", "-X", "dev", "script.py"]},
    "environment": "import os, posix\nprint(list(os.environ.items()))\nprint(posix.environ)\nprint(os.getenv('PYTHONPATH'), os.environb.get(b'MAYFLY_GO'))\n",
    "folder": "import os, sys\nprint(os.getcwd(), sorted(os.listdir()), os.path.abspath(__file__))\n",
    "process": "import os, resource, signal\nprint(os.getpid(), os.getppid(), os.getpgid(0), os.getsid(0), os.getuid(), os.getgid(), os.getgroups())\n"
               "print(os.umask(0o22), os.getpriority(os.PRIO_PROCESS, 0), os.sched_getaffinity(0) == os.sched_getaffinity(1))\n"
               "print([(name, resource.getrlimit(getattr(resource, name))) for name in dir(resource) if name.startswith('RLIMIT_')])\n"
               "print([(number, signal.getsignal(number)) for number in signal.valid_signals() if number not in (9, 19)], signal.pthread_sigmask(0, []))\n",
    "proc": "wanted = 'Name Umask State Tgid Ngid PPid TracerPid Uid Gid FDSize Groups NStgid Threads SigQ SigPnd ShdPnd SigBlk SigIgn SigCgt CapEff CapBnd NoNewPrivs"
            " Seccomp Cpus_allowed'.split()\n"
            "print([line for line in open('/proc/self/status') if line.split(':')[0] in wanted and not line.startswith('SigQ')])\n"
            "for name in 'cmdline', 'comm', 'oom_score_adj', 'limits', 'cgroup', 'wchan': print(name, open('/proc/self/' + name).read() if name != 'cgroup' else '')\n",
    "descriptors": "import os\nfor fd in sorted(os.listdir('/proc/self/fd'), key=int):\n"
                   "    try: print(fd, os.readlink('/proc/self/fd/' + fd).split(':')[0], [l for l in open('/proc/self/fdinfo/' + fd) if l.startswith(('pos', 'flags'))])\n"
                   "    except OSError: print(fd, 'is the listing')\n"
                   "print(os.open('.', os.O_RDONLY), os.open('.', os.O_RDONLY), os.pipe(), os.dup(1), os.isatty(0), os.isatty(1))\n",
    "collector": "import gc\nprint(gc.collect(), gc.collect(), gc.get_freeze_count(), gc.isenabled(), gc.get_threshold(), gc.garbage, gc.callbacks, gc.get_debug())\n"
                 "print([type(o).__name__ for o in gc.get_objects() if 'mayfly' in str(getattr(o, '__file__', '')) + str(getattr(o, '__module__', ''))])\n",
    "frames": "import inspect, sys, threading, traceback, atexit\nprint([(f.filename, f.function, f.lineno) for f in inspect.stack()])\ntraceback.print_stack()\n"
              "print(threading.enumerate()[0].name, len(threading.enumerate()), len(sys._current_frames()), atexit._ncallbacks(), sys.exc_info())\n",
    # --- ends ---------------------------------------------------------------------------------------------------------
    "exit_none": "import sys\nprint('x')\nsys.exit(None)\n",
    "exit_3": "import sys\nprint('x')\nsys.exit(3)\n",
    "exit_text": "import sys\nprint('x')\nsys.exit('a text with é and \\udcff')\n",
    "exit_object": "import sys\nclass Odd:\n    def __str__(self): return 'odd'\nsys.exit(Odd())\n",
    "exit_huge": "import sys\nsys.exit(1 << 70)\n",
    "exit_4294967297": "import sys\nsys.exit(4294967297 + 6)\n",
    "exit_negative": "import sys\nsys.exit(-1)\n",
    "exit_true": "import sys\nsys.exit(True)\n",
    "exit_float": "import sys\nsys.exit(2.5)\n",
    "exit_tuple": "import sys\nsys.exit((1, 2))\n",
    "exit_of_site": "quit(7)\n",
    "exit_in_thread": "import sys, threading\nt = threading.Thread(target=sys.exit, args=(9,))\nt.start(); t.join()\nprint('on')\n",
    "exit_in_finally": "import sys\ntry:\n    raise ValueError('lost')\nfinally:\n    sys.exit(4)\n",
    "os_exit": "import os\nprint('never written')\nos._exit(5)\n",
    "atexit": "import atexit, sys\natexit.register(print, 'last')\natexit.register(print, 'first')\nclass Bad:\n    def __call__(self): raise ValueError('in atexit')\n    def __repr__(self): return 'bad'\natexit.register(Bad())\nsys.exit(6)\n",
    "atexit_exit": "import atexit, os, sys\natexit.register(lambda: (print('end', flush=True), os._exit(11)))\nsys.exit(1)\n",
    "del_at_end": "class Loud:\n    def __init__(self, name): self.name = name\n    def __del__(self): print('del', self.name)\n"
                  "a = Loud('a')\nb = [Loud('in a cycle')]; b.append(b)\nimport sys; sys.loud = Loud('in sys')\nprint('end')\n",
    "unraisable": "class Del:\n    def __call__(self, *_): raise ValueError('in del')\n    def __repr__(self): return 'del'\nclass Bad: __del__ = Del()\nBad()\nprint('on')\nkept = Bad()\n",
    "abort": "import os, sys\nprint('kept', end=''); sys.stdout.flush(); print('lost', end='')\nos.abort()\n",
    "killed": "import os, signal\nprint('lost without a newline', end='')\nos.kill(os.getpid(), signal.SIGKILL)\n",
    "sigterm": "import os, signal, time\nprint('flushed', flush=True)\nos.kill(os.getpid(), signal.SIGTERM)\nsignal.pause()\n",
    "sigterm_caught": "import os, signal, sys\nsignal.signal(signal.SIGTERM, lambda n, f: (print('caught', n, f.f_lineno), sys.exit(12)))\nos.kill(os.getpid(), signal.SIGTERM)\n",
    "sigalrm": "import signal\nsignal.signal(signal.SIGALRM, lambda n, f: print('alarm', n))\nsignal.setitimer(signal.ITIMER_REAL, 0.02)\nsignal.pause()\nprint('on')\n"
               "signal.signal(signal.SIGALRM, signal.SIG_DFL)\nsignal.setitimer(signal.ITIMER_REAL, 0.02)\nsignal.pause()\n",
    "sigint": "import os, signal\nprint('x')\nos.kill(os.getpid(), signal.SIGINT)\nprint('not reached')\n",
    "keyboard_interrupt": "def f():\n    raise KeyboardInterrupt('typed')\nprint('x')\nf()\n",
    "sigpipe": "import os, signal\nr, w = os.pipe(); os.close(r)\ntry: os.write(w, b'x')\nexcept BrokenPipeError as e: print(e)\nprint(signal.getsignal(signal.SIGPIPE))\n",
    "segfault": "import ctypes\nprint('x', flush=True)\nctypes.string_at(0)\n",
    "faulthandler": {"source": "import ctypes, sys\nprint(sys.flags.dev_mode)\nimport faulthandler\nprint(faulthandler.is_enabled())\n",
                     "env": ["PYTHONFAULTHANDLER=1"]},
    # --- tracebacks ---------------------------------------------------------------------------------------------------
    "traceback": "def f(x):\n    return 1 / x\n\ndef g():\n    # a comment\n    return [f(x)\n            for x in (2, 1, 0)]\n\nprint('before')\ng()\n",
    "chained": "def f():\n    try:\n        {}['missing']\n    except KeyError as e:\n        raise ValueError('from') from e\ntry:\n    f()\nexcept ValueError:\n    raise TypeError('during')\n",
    "group": "raise ExceptionGroup('many', [ValueError(1), ExceptionGroup('inner', [TypeError('two')])])\n",
    "suggestion": "import collections\ncollections.ordereddict\n",
    "name_suggestion": "lenght = 1\nprint(lenhgt)\n",
    "note": "e = ValueError('x')\ne.add_note('a note\\nof two lines')\nraise e\n",
    "recursion": "def f(n):\n    return f(n + 1)\nf(0)\n",
    "recursion_depth": "import sys\ndef f(n):\n    try: return f(n + 1)\n    except RecursionError: return n\nprint(f(0), sys.getrecursionlimit())\n",
    "syntax_error": "print('never')\ndef f(:\n    pass\n",
    "indentation_error": "if True:\n    x = 1\n  y = 2\n",
    "syntax_error_sibling": {"source": "import sys; sys.dont_write_bytecode = True\nprint('before')\nimport sibling\n", "files": {"sibling.py": b"x = (\n"}},
    "error_sibling": {"source": "import sys; sys.dont_write_bytecode = True\nimport sibling\nsibling.f()\n", "files": {"sibling.py": b"def f():\n    raise OSError(2, 'gone', 'x')\n"}},
    "nul_in_source": b"print(1)\n\0print(2)\n",
    "latin1_source": b"# -*- coding: latin-1 -*-\nprint('\xe9')\n",
    "undeclared_source": b"print('\xe9')\n",
    "bom_source": b"\xef\xbb\xbfprint('bom')\n1/0\n",
    "crlf_source": b"print('crlf')\r\nx = '''a\r\nb'''\r\nprint(repr(x))\r\nraise ValueError\r\n",
    "empty_source": b"",
    "no_script": {"source": None},
    "unhandled_in_thread": "import threading\ndef f(): raise ValueError('in a thread')\nt = threading.Thread(target=f, name='T'); t.start(); t.join()\nprint('on')\n",
    "excepthook": "import sys\nsys.excepthook = lambda t, v, tb: print('hook', t, v, tb.tb_lineno, tb.tb_next)\n1/0\n",
    "broken_repr": "class E(Exception):\n    def __str__(self): raise ValueError\nraise E\n",
    # --- streams ------------------------------------------------------------------------------------------------------
    "stdin": "import sys\nprint(repr(sys.stdin.read()), sys.stdin.isatty(), sys.stdin.encoding, sys.stdin.fileno(), sys.stdin.buffer.raw.mode)\ninput('prompt ')\n",
    "encodings": "import sys, locale\nfor s in sys.stdin, sys.stdout, sys.stderr: print(s.name, s.mode, s.encoding, s.errors, s.line_buffering, s.write_through, s.newlines)\n"
                 "print(sys.getfilesystemencoding(), sys.getfilesystemencodeerrors(), sys.getdefaultencoding(), locale.getlocale(), locale.getpreferredencoding(), sys.flags.utf8_mode)\nprint('ä €')\n",
    "encodings_c": {"source": "import sys, locale\nprint(sys.stdout.encoding, sys.stdout.errors, sys.stderr.errors, locale.setlocale(locale.LC_CTYPE), sys.flags.utf8_mode)\nprint('\\udcff €')\n",
                    "env": ["LC_ALL=C"]},
    "encodings_latin1": {"source": "import sys\nprint(sys.stdout.encoding, sys.argv)\nprint('é')\nprint('€')\n", "env": ["PYTHONIOENCODING=latin-1:strict", "PYTHONUTF8=0"]},
    "not_utf8": "import sys\nsys.stdout.buffer.write(b'\\xff\\xfe\\0\\x80')\nsys.stderr.buffer.write(b'\\xc3')\nprint('\\ud800')\n",
    "order": "import sys\nprint('out 1')\nprint('err 1', file=sys.stderr)\nsys.stdout.flush()\nprint('out 2', end='')\n1/0\n",
    "unbuffered": "import os, sys\nprint('seen')\nprint('seen, too', end='')\nprint(sys.stdout, sys.stdout.buffer, sys.stdout.write_through, sys.stderr.buffer, sys.stdin.buffer, sys.flags.unbuffered)\nos._exit(0)\n",
    "buffered": {"source": "import os, sys\nprint(sys.stdout.buffer, sys.stdout.write_through, sys.flags.unbuffered, flush=True)\nprint('lost')\nos._exit(0)\n", "env": ["PYTHONUNBUFFERED="]},
    "much": "import sys\nfor i in range(20000): sys.stdout.write(f'{i}\\n')\nsys.stdout.buffer.write(b'x' * 300000)\n",
    "closed_stdout": "import sys\nprint('lost?')\nsys.stdout.close()\n",
    "closed_fd": "import os\nprint('lost')\nos.close(1)\n",
    # --- modules ------------------------------------------------------------------------------------------------------
    "siblings": {"source": "import sys; sys.dont_write_bytecode = True\nimport a, p.b\nfrom p import *\nprint(a.__file__, p.b.__file__, p.__path__, c, a.__spec__.origin)\nprint(sys.path_importer_cache.keys())\n",
                 "files": {"a.py": b"print('a', __name__)\n", "p/__init__.py": b"c = 1\n", "p/b.py": b"from . import c\nimport a\n"}},
    "bytecode": {"source": "import os\nos.utime('a.py', (0, 0))\nimport a\nprint(os.listdir('__pycache__'))\n", "files": {"a.py": b"x = 1\n"}},
    "shadowing": {"source": "import sys; sys.dont_write_bytecode = True\nimport random, site, sitecustomize\nprint(random, site, sitecustomize)\n",
                  "files": {"random.py": b"", "site.py": b"", "sitecustomize.py": b"print('not at start')\n", "usercustomize.py": b"print('neither')\n"}},
    "user_site": {"source": "import sys, user_module\nprint(user_module.x, sys.path, list(sys.modules))\nimport os; print(list(os.environ.items()), os.listdir('/proc/self/fd'))\n",
                  "env": ["HOME=/workspace", "PYTHONDONTWRITEBYTECODE=1"],
                  "files": {SITE + "user_module.py": b"x = 'user'\n", SITE + "a.pth": b"/usr/share\nimport sys; sys.pth = 1\n", SITE + "usercustomize.py": b"print('custom')\n"}},
    "run_module": {"source": "raise SystemExit('wrong one')\n", "argv": ["-m", "pkg", "x"],
                   "files": {"pkg/__init__.py": b"import sys; sys.dont_write_bytecode = True\n", "pkg/__main__.py": b"import sys\nprint(__name__, __package__, __file__, sys.argv, sys.path[:2])\n1/0\n"},
                   "env": ["PYTHONDONTWRITEBYTECODE=1"]},
    "run_folder": {"source": "raise SystemExit('wrong one')\n", "argv": ["app"], "env": ["PYTHONDONTWRITEBYTECODE=1"], "files": {"app/__main__.py": b"import sys\nprint(__name__, repr(__package__), __file__, sys.path[:2])\n1/0\n"}},
    "run_text": {"source": "raise SystemExit('wrong one')\n", "argv": ["-c", "import sys\nprint(sys.argv, sys.path, __name__)\n1/0", "x"]},
    "run_nothing": {"source": "raise SystemExit('wrong one')\n", "argv": ["-"]},
    "run_nested": {"source": "raise SystemExit('wrong one')\n", "argv": ["sub/deep.py"], "files": {"sub/deep.py": b"import sys\nprint(__file__, sys.path[0])\n1/0\n"}},
    "runpy": {"source": "import runpy\nprint(sorted(runpy.run_path('other.py', run_name='other')))\n", "files": {"other.py": b"print(__name__, __file__)\n"}},
    "reload_site": "import site, sys\nbefore = list(sys.path)\nsite.main()\nprint(sys.path == before, sys.path)\n",
    "warnings": "import warnings, sys\nprint(warnings.filters)\nwarnings.warn('once')\nwarnings.warn('old', DeprecationWarning)\ndef f(): warnings.warn('deep', stacklevel=2)\nf()\nimport imp\nprint(f'{1}' if True is True else '', 1 is 1)\n",
    "warnings_error": {"source": "import warnings\nwarnings.warn('now an error')\n", "env": ["PYTHONWARNINGS=error"]},
    "hash_seed": {"source": "print(hash('a'), {'b', 'a', 'c'})\n", "env": ["PYTHONHASHSEED=0"]},
    # --- processes and threads ----------------------------------------------------------------------------------------
    "threads_left": "import threading, time\ndone = threading.Event()\ndef work():\n    done.wait()\n    print('thread after main')\nthreading.Thread(target=work).start()\nprint('main ends')\ndone.set()\n",
    "threads_daemon": "import threading, time\ngoing = threading.Event()\ndef work():\n    print('daemon')\n    going.set()\n    time.sleep(1000)\nthreading.Thread(target=work, daemon=True).start()\ngoing.wait()\nprint('main ends')\n",
    "fork": "import os\nprint('buffered twice')\npid = os.fork()\nif pid == 0:\n    print('child')\n    raise SystemExit(3)\nprint('parent', os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n",
    "fork_error": "import os\nif os.fork() == 0:\n    1/0\nprint(os.wait()[1])\n",
    "fork_left": "import os, time\nif os.fork() == 0:\n    time.sleep(1000)\nprint('parent does not wait')\n",
    "subprocess": "import subprocess, sys\ncode = 'import os, sys; print(sys.path, list(os.environ.items()), sys.modules[\"sitecustomize\"], os.listdir(\"/proc/self/fd\")); sys.exit(3)'\n"
                  "print(subprocess.run([sys.executable, '-c', code], capture_output=True))\nprint(subprocess.run('env; echo $$; exit 4', shell=True, capture_output=True))\n"
                  "import os; print(os.system('exit 5'), os.popen('env').read())\n",
    "exec": "import os, sys\nprint('before', flush=True)\nos.execv(sys.executable, ['python3', '-c', 'import os, sys; print(sys.argv, sys.path, os.environ)', 'x'])\n",
    "multiprocessing": "import multiprocessing as m, sys\nsys.dont_write_bytecode = True\ndef f(x): return x * x, m.current_process().name, __name__\n"
                       "if __name__ == '__main__':\n    for how in 'fork', 'spawn', 'forkserver':\n        with m.get_context(how).Pool(1) as pool:\n            print(how, pool.map(f, range(3)))\n",
    "executor": "from concurrent.futures import *\nwith ThreadPoolExecutor(2) as e: print(list(e.map(str.upper, 'abc')))\nwith ProcessPoolExecutor(1) as e: print(list(e.map(abs, (-1, 2))))\n",
    "asyncio": "import asyncio\nasync def f(n):\n    await asyncio.sleep(0)\n    return n\nasync def main():\n    print(await asyncio.gather(*map(f, range(3))))\n    p = await asyncio.create_subprocess_exec('echo', 'hi', stdout=-1)\n    print(await p.communicate())\n    asyncio.create_task(f(1)).cancel()\n    raise LookupError('in a task')\nasyncio.run(main())\n",
    "socket": "import socket\na, b = socket.socketpair()\nprint(a.fileno(), b.fileno())\na.send(b'x'); print(b.recv(1))\ns = socket.create_server(('127.0.0.1', 0)); print(s.fileno())\n",
    "ctypes": "import ctypes\nlibc = ctypes.CDLL(None)\nprint(libc.getenv(b'MAYFLY_GO'), libc.getenv(b'PYTHONPATH'))\nctypes.c_char_p.in_dll\nlibc.getenv.restype = ctypes.c_char_p\nprint(libc.getenv(b'HOME'))\n"
              "environ = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, 'environ')\ni = 0\nwhile environ[i]: print(environ[i]); i += 1\n",
    # --- files --------------------------------------------------------------------------------------------------------
    "files_left": "import os\nopen('a.txt', 'w').write('a')\nos.makedirs('d/e'); open('d/e/b', 'wb').write(bytes(range(256)))\nos.symlink('/etc/passwd', 'link')\nos.mkfifo('fifo')\nopen('unflushed', 'w').write('flushed at exit')\n",
    "input_changed": {"source": "import sys\nprint(open('in.txt').read())\nopen('in.txt', 'a').write('more')\nopen(__file__, 'w').write('gone')\n1/0\n", "files": {"in.txt": b"data"}},
    "tempfile": "import tempfile, os\nprint(tempfile.gettempdir())\nwith tempfile.NamedTemporaryFile(dir='.') as f: print(os.path.exists(f.name))\nprint(os.listdir(), sorted(os.listdir('/tmp')))\n",
}
