"""mayflyctl run and mayflyctl tool: the service's jobs from the shell."""
import json
import os
import pty
import signal
import subprocess

import harness
from pool import MAYFLYCTL
from tooltest import ToolTest


class ShellTest(ToolTest):
    def setUp(self):
        self.work = os.path.join(self.server.folder, self._testMethodName)
        os.mkdir(self.work)
        self.temporary = os.path.join(self.work, "tmp")
        os.mkdir(self.temporary)

    def file(self, name, text):
        path = os.path.join(self.work, name)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def start(self, *arguments, **more):
        environment = {**self.server.environment, "TMPDIR": self.temporary, **more.pop("env", {})}
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        return subprocess.Popen([MAYFLYCTL, *arguments], env=environment, cwd=self.work, **streams)

    def ctl(self, *arguments, given=None, **more):
        """(exit status, stdout, stderr)"""
        process = self.start(*arguments, **({"stdin": subprocess.PIPE} if given is not None else {}), **more)
        out, err = process.communicate(given, timeout=harness.DEADLINE_S)
        self.assertEqual(os.listdir(self.temporary), [], "nothing of the result's is left")
        return process.returncode, out, err


class Run(ShellTest):
    def test_streams_exit_code_arguments_and_artifacts(self):
        self.file("main.py", "import os, sys\nprint(sys.argv); sys.stderr.write('err'); os.makedirs('sub')\n"
                             "open('sub/a b', 'wb').write(bytes(range(256))); open('empty', 'w'); os.symlink('/etc/passwd', 'link'); sys.exit(7)")
        done = self.ctl("run", "--language", "python", "-o", "made/here", "main.py", "--", "-x", "a b", "")
        self.assertEqual(done, (7, b"['main.py', '-x', 'a b', '']\n", b"err"))
        found = sorted(os.path.relpath(os.path.join(folder, name), self.work) for folder, _, names in os.walk(os.path.join(self.work, "made")) for name in names)
        self.assertEqual(found, ["made/here/empty", "made/here/sub/a b"])
        with open(os.path.join(self.work, "made/here/sub/a b"), "rb") as file:
            self.assertEqual(file.read(), bytes(range(256)))

    def test_languages_and_code_from_stdin(self):
        self.assertEqual(self.ctl("run", "-", given=b"echo $0 $BASH_VERSION | cut -c1-11"), (0, b"script.js 5\n", b""))
        self.assertEqual(self.ctl("run", "--language", "node", "-", given=b"console.log(6 * 7)")[:2], (0, b"42\n"))

    def test_the_language_by_the_files_name(self):
        bash = 'echo "bash ${BASH_VERSION%%.*}"'
        for name, code, said in (("t.py", "print('python')", "python"), ("t.js", "console.log('node', typeof Bun)", "node undefined"),
                                 ("t.mjs", "import os from 'os'; console.log('node', typeof os)", "node object"), ("t.cjs", "console.log(typeof require)", "function"),
                                 ("t.rb", "puts 'ruby'", "ruby"), ("t.php", "<?php echo 'php';", "php"), ("t.sh", bash, "bash 5"),
                                 ("a.b.py", "print('python')", "python"), ("t.txt", bash, "bash 5"), ("t", bash, "bash 5"), ("py", bash, "bash 5"), ("t.", bash, "bash 5")):
            with self.subTest(name):
                self.file(name, code)
                self.assertEqual(self.ctl("run", name), (0, said.encode() + (b"" if "php" in name else b"\n"), b""))
        self.file("other.py", bash)
        self.assertEqual(self.ctl("run", "--language", "bash", "other.py")[1], b"bash 5\n")

    def test_stdin_is_the_programs(self):
        self.file("count.sh", "wc -c")
        self.assertEqual(self.ctl("run", "count.sh", given=b"x" * 300000)[1].strip(), b"300000")
        with open(self.file("input", "12345"), "rb") as given:
            self.assertEqual(self.ctl("run", "count.sh", stdin=given)[1].strip(), b"5")
        self.assertEqual(self.ctl("run", "count.sh")[1].strip(), b"0")

    def test_bytes_pass_through(self):
        self.file("bytes.sh", r"printf 'a\0\xff\r\n'; printf '\x1b[31m' >&2")
        self.assertEqual(self.ctl("run", "bytes.sh"), (0, b"a\0\xff\r\n", b"\x1b[31m"))

    def test_output_comes_while_it_runs(self):
        self.file("slow.sh", "echo first; sleep 600")
        process = self.start("run", "slow.sh")
        self.assertEqual(process.stdout.readline(), b"first\n")
        self.assertIsNone(process.poll())
        process.terminate()
        process.communicate(timeout=harness.DEADLINE_S)
        self.assertEqual((process.returncode, os.listdir(self.temporary)), (143, []))
        self.assertEqual(self.server.leaks(), {}, "the job went with its command")

    def test_killed(self):
        self.file("slow.sh", "echo first; sleep 600")
        process = self.start("run", "slow.sh")
        self.assertEqual(process.stdout.readline(), b"first\n")
        process.kill()
        process.communicate(timeout=harness.DEADLINE_S)
        self.assertEqual(self.server.leaks(), {})

    def test_interrupt(self):
        self.file("slow.sh", "echo first; sleep 600")
        process = self.start("run", "slow.sh", start_new_session=True)
        self.assertEqual(process.stdout.readline(), b"first\n")
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=harness.DEADLINE_S)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(os.listdir(self.temporary), [])
        self.assertEqual(self.server.leaks(), {})

    def test_a_reader_that_goes(self):
        self.file("flood.sh", "yes")
        process = self.start("run", "flood.sh")
        process.stdout.read(10)
        process.stdout.close()
        process.wait(harness.DEADLINE_S)
        process.stderr.close()
        self.assertEqual(self.server.leaks(), {})

    def test_time_out(self):
        self.file("slow.sh", "echo before; sleep 600")
        status, out, err = self.ctl("run", "--timeout", "1", "slow.sh")
        self.assertEqual((status, out), (124, b"before\n"))
        self.assertRegex(err.decode(), r"^\nExecution timed out after 1\.\d\ds \(timeout was set to 1s\)\n$")
        self.file("flood.sh", "yes >&2 & sleep 600")
        status, out, err = self.ctl("run", "--timeout", "1", "flood.sh")
        self.assertEqual((status, out), (124, b""))
        self.assertRegex(err[-300:].decode(), r"Execution timed out after 1\.\d\ds \(timeout was set to 1s\)\n")

    def test_signals(self):
        self.file("killed.sh", "kill -TERM $$")
        self.assertEqual(self.ctl("run", "killed.sh")[0], 143)

    def test_progress_on_a_terminal_only(self):
        self.file("slow.sh", "sleep .6; echo said; sleep .3")
        main, terminal = pty.openpty()
        process = self.start("run", "slow.sh", stderr=terminal)
        os.close(terminal)
        shown = b""
        while True:
            try:
                piece = os.read(main, 4096)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        out, _ = process.communicate(timeout=harness.DEADLINE_S)
        os.close(main)
        self.assertEqual(out, b"said\n")
        self.assertRegex(shown.decode(), r"\r\x1b\[Kcode_execution: 0\.\d s")
        self.assertRegex(shown.decode(), r"mayflyctl: \d\.\d\d s, CPU \d\.\d\d s, \d+ MiB at most")
        self.assertEqual(self.ctl("run", "slow.sh")[2], b"")

    def test_refusals(self):
        self.file("a.sh", "true")
        self.file("latin.sh", b"echo \xff")
        for arguments, status, said in ((("run",), 64, "usage"), (("run", "a.sh", "b.sh"), 64, "usage"), (("run", "--timeout", "0", "a.sh"), 64, "usage"),
                                        (("run", "--timeout", "901", "a.sh"), 64, "usage"), (("run", "-o"), 64, "usage"), (("run", "--fast", "a.sh"), 64, "usage"),
                                        (("run", "none.sh"), 66, "none.sh: No such file"), (("run", "latin.sh"), 65, "not UTF-8"),
                                        (("run", "--language", "cobol", "a.sh"), 65, "language: Invalid option")):
            done = self.ctl(*arguments)
            self.assertEqual((done[0], done[1]), (status, b""), arguments)
            self.assertIn(said, done[2].decode())
        done = self.ctl("run", "a.sh", env={"DOCKER_SOCKET_PATH": "/run/mayfly-test/no-such.sock"})
        self.assertEqual(done[0], 69)
        self.assertIn(b"mayflyctl run: ", done[2])

    def test_the_services_storage_is_left_alone(self):
        self.file("a.sh", "echo x > f")
        self.ctl("run", "-o", "out", "a.sh")
        self.assertEqual([name for name in os.listdir(self.server.storage) if name not in (".incoming",)] if os.path.isdir(self.server.storage) else [], [])

    def test_artifacts_that_cannot_be_written(self):
        self.file("a.sh", "echo x > f")
        self.file("taken", "")
        status, _, err = self.ctl("run", "-o", "taken", "a.sh")
        self.assertEqual(status, 73)
        self.assertIn(b"an artifact cannot be written to taken", err)

    def test_links_that_wait_in_the_folder_are_not_followed(self):
        os.mkdir(os.path.join(self.work, "out"))
        self.file("precious", "precious")
        os.symlink("../precious", os.path.join(self.work, "out/f"))
        os.symlink("..", os.path.join(self.work, "out/sub"))
        self.file("a.sh", "echo x > f; mkdir sub; echo y > sub/precious")
        self.assertEqual(self.ctl("run", "-o", "out", "a.sh")[0], 73)
        with open(os.path.join(self.work, "precious"), encoding="ascii") as file:
            self.assertEqual(file.read(), "precious")


class Tool(ShellTest):
    def test_values_by_their_types(self):
        self.put("typed", {"description": "d", "parameters": {"s": {"type": "string"}, "n": {"type": "integer", "default": 1}, "b": {"type": "boolean", "default": False}},
                           "stdin": "{s}", "argv": ["cat"]})
        self.assertEqual(self.ctl("tool", "typed", "s=a=b")[:2], (0, b"a=b"))
        self.assertEqual(self.ctl("tool", "typed", "s=7", "n=2", "b=true")[:2], (0, b"7"))
        self.assertEqual(self.ctl("tool", "typed", "s=@@home")[1], b"@home")
        self.file("text", "of a file\n")
        self.assertEqual(self.ctl("tool", "typed", "s=@text")[1], b"of a file\n")
        self.assertEqual(self.ctl("tool", "typed", "s=@-", given=b"of stdin")[1], b"of stdin")
        for arguments, status, said in ((("typed",), 65, "s: Invalid input: expected string, received undefined"), (("typed", "s=x", "n=one"), 65, "n: Invalid input: expected int"),
                                        (("typed", "s=x", "z=1"), 65, "typed has no parameter z"), (("typed", "s"), 64, "usage"), (("typed", "s=@none"), 65, "none: No such file"),
                                        (("nothing", "s=x"), 65, "Unknown tool type: nothing"), ((), 64, "usage")):
            done = self.ctl("tool", *arguments)
            self.assertEqual(done[0], status, (arguments, done))
            self.assertIn(said, done[2].decode())

    def test_document_converter(self):
        self.file("in.md", "# Title\n")
        done = self.ctl("tool", "document_converter", "fileContent=@in.md", "filename=in.md", "conversionScript=pandoc in.md -o out.docx; pandoc out.docx -t plain", "-o", "out")
        self.assertEqual((done[0], done[1].strip()), (0, b"Title"))
        self.assertEqual(os.listdir(os.path.join(self.work, "out")), ["out.docx"])

    def test_a_tool_takes_no_stdin_that_it_does_not_name(self):
        self.put("reads", {"description": "d", "parameters": {}, "argv": ["wc", "-c"]})
        self.assertEqual(self.ctl("tool", "reads", given=b"12345")[1].strip(), b"0")

    def test_the_tools_time_out(self):
        self.put("slow", {"description": "d", "parameters": {}, "argv": ["sleep", "60"], "timeoutText": "Too slow:", "limits": {"timeout_s": 1, "timeout_max_s": 2}})
        status, _, err = self.ctl("tool", "slow")
        self.assertEqual(status, 124)
        self.assertIn(b"Too slow: 1.", err)
        self.assertEqual(self.ctl("tool", "slow", "--timeout", "3")[0], 65)

    def test_it_is_the_services_own_job(self):
        self.put("shows", {"description": "d", "parameters": {}, "argv": ["bash", "-c", "id -un; pwd; env | sort | grep -v ^_; cat /proc/self/status | grep -E '^(CapEff|Seccomp|NoNew)'"]})
        self.assertEqual(self.ctl("tool", "shows")[1].decode(), json.loads(self.post("shows").body)["stdout"])


if __name__ == "__main__":
    harness.main()
