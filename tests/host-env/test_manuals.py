"""The manual pages say what the programs do, and the completion of mayflyctl offers it.

Rules:
 1. What is compared is read from the programs, the configuration and the drop-in files: who adds an option, a variable or a field and does not say so fails here.
 2. Both ways: a page describes nothing that is not there.
"""
import glob
import json
import os
import re
import subprocess
import tempfile
import unittest

import harness

MAN = os.path.join(harness.ROOT, "scripts/man")
WORKER = os.path.join(harness.ROOT, "worker")
PAGES = sorted(glob.glob(os.path.join(MAN, "*.[1-8]")))
PROGRAMS = {"mayfly": 8, "mayfly-engine": 8, "mayfly-init": 8, "mayfly-reap": 8, "mayfly-static": 8, "mayflyctl": 1}


def read(*path):
    with open(os.path.join(harness.ROOT, *path), encoding="utf-8") as file:
        return file.read()


def page(name):
    """The source of a page, its continued lines joined."""
    return read(MAN, name).replace("\\\n", "")


def ctl(*arguments):
    return subprocess.run([os.path.join(harness.BUILD, "mayflyctl"), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True).stdout


def options(text):
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text))


def macro_options(line):
    """The options of a line of mdoc: Fl Fl name, Fl x."""
    return {"--" + name for name in re.findall(r"Fl Fl ([a-z-]+)", line)} | {"-" + name for name in re.findall(r"Fl ([a-z])(?![a-z])", line)}


def help_rows():
    """{command and verb: its options} of mayflyctl help; a command without a verb stands by itself."""
    rows = {}
    for row in re.findall(r"(?m)^  mayflyctl (.*)$", ctl("help")):
        name = re.match(r"[a-z]+(?: [a-z]+(?![^ ]))?", row)[0]
        rows.setdefault(name, set()).update(options(row[len(name):]))
    return rows


class ManualTest(unittest.TestCase):
    def test_mandoc_finds_nothing(self):
        for path in PAGES:
            with self.subTest(page=os.path.basename(path)):
                said = subprocess.run(["mandoc", "-T", "lint", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
                # what manual pages this host has says nothing about ours
                self.assertEqual([line for line in said.stdout.splitlines() if "referenced manual not found" not in line], [])

    def test_what_is_referred_to_is_there(self):
        names = {os.path.basename(path) for path in PAGES}
        for path in PAGES:
            for name, section in re.findall(r"(?m)^\.Xr (mayfly[a-z.-]*) (\d)", read(path)):
                self.assertIn(f"{name}.{section}", names, path)

    def test_every_program_has_one_and_is_named_in_it(self):
        built = {os.path.splitext(os.path.basename(path))[0] for path in glob.glob(os.path.join(harness.ROOT, "src/prog/*.c"))} | {"mayfly-init"}
        self.assertEqual(set(PROGRAMS), built)
        for name, section in PROGRAMS.items():
            self.assertIn(f".Nm {name}\n", page(f"{name}.{section}"))

    def test_programs_take_what_their_pages_say(self):
        for name, section in PROGRAMS.items():
            if name == "mayflyctl":
                continue
            said = subprocess.run([os.path.join(harness.BUILD, name), "--no-such-option", "and more"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, check=False)
            self.assertNotEqual(said.returncode, 0, name)
            synopsis = re.search(r"\.Sh SYNOPSIS\n(.*?)\n\.Sh", page(f"{name}.{section}"), re.S)[1]
            self.assertEqual(options(said.stdout), macro_options(synopsis), said.stdout)

    def test_mayflyctl_does_what_its_page_says(self):
        described = {}
        for line in re.findall(r"(?m)^\.It Ic (.*)$", page("mayflyctl.1")):
            name = re.match(r"[a-z]+(?: [a-z]+(?= |$))?", line)[0]
            self.assertNotIn(name, described)
            described[name] = macro_options(line)
        self.assertEqual(described, help_rows())

    def test_every_variable_is_described(self):
        configured = set(re.findall(r"(?m)^#([A-Z_]+)=", read("systemd/mayfly.conf")))
        configured.add("EXECUTOR_PORT")  # another name of PORT
        described = {name for line in re.findall(r"(?m)^\.It Ev (.*)$", page("mayfly.conf.5")) for name in re.findall(r"[A-Z_]{3,}", line)}
        self.assertEqual(described, configured)

    def test_every_field_of_a_drop_in_file_is_described(self):
        pages = {"tools.d": "mayfly-tool.5", "templates.d": "mayfly-template.5", "languages.d": "mayfly-language.5",
                 "patterns.d": "mayfly-patterns.5"}
        for registry, name in pages.items():
            described = set(re.findall(r"[a-zA-Z_]+", " ".join(re.findall(r"(?m)^\.It Cm (.*)$", page(name)))))
            for path in glob.glob(os.path.join(WORKER, registry, "*.json")):
                with open(path, encoding="utf-8") as file:
                    fields = json.load(file)
                inner = [name for field in ("build", "tools", "runs", "sandbox") for name in fields.get(field, {})]
                self.assertLessEqual({*fields, *inner}, described, path)

    def test_the_example_of_a_tool_is_good(self):
        example = re.search(r"\.Bd -literal\n(.*?)\n\.Ed", page("mayfly-tool.5"), re.S)[1]
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            file.write(example)
            file.flush()
            done = subprocess.run([os.path.join(harness.BUILD, "mayflyctl"), "tool", "check", file.name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, check=False, env={**os.environ, "MAYFLY_DATA_DIR": WORKER})
        self.assertEqual(done.returncode, 0, done.stdout)


class CompletionTest(unittest.TestCase):
    """What is offered behind some words; the last one is what has been typed of the next."""

    def complete(self, *words, folder=harness.ROOT):
        script = (f". {harness.ROOT}/scripts/mayflyctl-completion; complete -p mayflyctl >/dev/null; COMP_WORDS=(mayflyctl \"$@\"); COMP_CWORD=$#;"
                  " _mayflyctl; printf '%s\\n' \"${COMPREPLY[@]}\"")
        environment = {"PATH": f"{harness.BUILD}:{os.environ['PATH']}", "HOME": "/nonexistent", "MAYFLY_DATA_DIR": WORKER, "MAYFLY_RUN_DIR": "/nonexistent"}
        done = subprocess.run(["bash", "-c", script, "bash", *words], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=True)
        self.assertEqual(done.stderr, "")
        return set(done.stdout.split("\n")) - {""}

    def test_commands_and_verbs(self):
        commands = {name.split()[0] for name in help_rows()}
        self.assertEqual(self.complete(""), commands)
        self.assertEqual(self.complete("temp"), {"template"})
        for command in commands:
            verbs = {name.split()[1] for name in help_rows() if name.startswith(command + " ")}
            self.assertLessEqual(verbs, self.complete(command, ""))

    def test_every_option(self):
        for row, wanted in help_rows().items():
            self.assertLessEqual(wanted, self.complete(*row.split(), "-"), row)
        self.assertEqual(self.complete("template", "build", "--f"), {"--force"})

    def test_names(self):
        self.assertEqual(self.complete("tool", "code"), {"code_execution"})
        self.assertEqual(self.complete("template", "build", "python-d"), {"python-data"})
        self.assertEqual(self.complete("template", "show", "min"), {"minimal"})
        self.assertEqual(self.complete("run", "--language", "p"), {"python", "php"})
        self.assertEqual(self.complete("warm", "--count", "2", "no"), {"node"})
        self.assertEqual(self.complete("keys", "add", "x", "--scopes", ""), {"run", "read", "admin"})
        self.assertIn("all", self.complete("pool", "drop", ""))

    def test_files_and_folders(self):
        self.assertEqual(self.complete("run", "READ"), {"README.md"})
        self.assertEqual(self.complete("tool", "code_execution", "-o", "sc"), {"scripts"})

    def test_the_name_of_a_file_is_never_run(self):
        name = "$(touch made) `touch made` a b"
        with tempfile.TemporaryDirectory(prefix="mayfly-completion-") as folder:
            with open(os.path.join(folder, name), "w", encoding="ascii"):
                pass
            self.assertEqual(self.complete("run", "", folder=folder) - help_rows()["run"], {name})
            self.assertEqual(os.listdir(folder), [name])


if __name__ == "__main__":
    harness.main()
