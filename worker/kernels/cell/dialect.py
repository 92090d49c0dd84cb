"""IPython's dialect as Python (loaded by python.py when a cell is not Python alone).

A line of the dialect becomes a call of get_ipython() (shell.py) in the same line, so that lines keep their numbers. What stands in a
string, in brackets, behind a backslash or in a comment is not of the dialect: the cell is read character by character.
"""
import re

QUOTES = ('"""', "'''", '"', "'")
BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
BARE = re.compile(r"(pip3?|conda|mamba)\s+[\w-]")  # magics that people write without %
HELP = re.compile(r"(\?{1,2})\s*(%{0,2}[\w.*]+)\s*$|(%{0,2}[\w.*\[\]'\"]+)\s*(\?{1,2})\s*$")
CELL_MAGIC = re.compile(r"\s*%%(\w+)[ \t]*(.*)")


def lines_of(text):
    """As Python counts them, each with its end."""
    return re.findall(r"[^\n]*\n|[^\n]+", text.replace("\r\n", "\n").replace("\r", "\n"))


def cell_magic(text):
    """(number of the line, name, arguments, body behind that line) of a cell that begins with %%, or None."""
    lines = lines_of(text)
    for number, line in enumerate(lines):
        found = CELL_MAGIC.match(line)
        if found:
            return number, found[1], found[2].strip(), "".join(lines[number + 1:])
        if line.strip():
            return None
    return None


class Reader:
    """Where the cell's text is between two characters."""

    def __init__(self):
        self.depth, self.quote, self.is_joined = 0, None, False

    def is_at_statement(self):
        return self.depth == 0 and self.quote is None and not self.is_joined

    def read(self, line):
        """Reads one line; where in it, outside of strings and brackets, `=` stands before `!` or `%`, or -1."""
        assigned, at = -1, 0
        self.is_joined = False
        while at < len(line):
            if self.quote:
                at = self.skip_string(line, at)
                continue
            character = line[at]
            if character == "#":
                break
            if character == "\\" and line[at + 1:] == "\n":
                self.is_joined = True
                break
            if character in "\"'":
                self.quote = next(quote for quote in QUOTES if line.startswith(quote, at))
                at += len(self.quote)
                continue
            self.depth = max(0, self.depth + BRACKETS.get(character, 0))
            if character == "=" and self.depth == 0 and line[at + 1:].lstrip()[:1] in ("!", "%") and line[at - 1:at] not in ("=", "!", "<", ">") \
                    and line[at + 1:at + 2] != "=" and not line[at + 1:].lstrip().startswith("!="):
                return at
            at += 1
        if self.quote and len(self.quote) == 1 and not line.endswith("\\\n"):
            self.quote = None  # a mistake of the program's
        return assigned

    def skip_string(self, line, at):
        while at < len(line):
            if line[at] == "\\":
                at += 2
            elif line.startswith(self.quote, at):
                at += len(self.quote)
                self.quote = None
                return at
            else:
                at += 1
        return at


def is_expression(text):
    try:
        compile(text, "", "eval", 0x2000)
    except (SyntaxError, ValueError):
        return False
    return True


def timed(text, indent, target):
    """%time in place, so that what it runs is the program's own line."""
    start, stop = "get_ipython().time_begins()", "get_ipython().time_ends()"
    if not text:
        return f"{indent}{target}None"
    if text.endswith(";"):
        text = text.rstrip(";") or "pass"
    elif is_expression(text):
        return f"{indent}{target}({start}, ({text}), {stop})[1]"
    return f"{indent}{start}; {text}; {stop}"


def magic(text, indent, target):
    name, rest = [*text.split(None, 1), ""][:2]
    if name == "time":
        return timed(rest, indent, target)
    return f"{indent}{target}get_ipython().run_line_magic({name!r}, {rest!r})"


def translate_line(line, indent, target):
    """A statement of the dialect as Python, or None. With a target it is what is assigned."""
    if line.startswith("!!") and not target:
        return f"{indent}get_ipython().getoutput({line[2:].strip()!r})"
    if line.startswith("!"):
        return f"{indent}{target}get_ipython().{'getoutput' if target else 'system'}({line[1:].strip()!r})"
    if line.startswith("%"):
        if re.match(r"%{1,2}\w", line) and not (line.endswith("?") and HELP.fullmatch(line)):
            return magic(line.lstrip("%"), indent, target)
    elif not target and BARE.match(line):
        return magic(line, indent, "")
    found = None if target else HELP.fullmatch(line)
    if found:
        name, marks = (found[2], found[1]) if found[1] else (found[3], found[4])
        return f"{indent}get_ipython().help({name!r}, {len(marks) - 1})"
    if line == "?" and not target:
        return f"{indent}get_ipython().help('', 0)"
    return None


def translate(text):
    """(text as Python, {number of a line, from 1: number of the lines that it stands for}), or None where there is nothing of the dialect."""
    lines = lines_of(text)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    reader, out, changed, number = Reader(), [], {}, 0
    while number < len(lines):
        line, count = lines[number], 1
        python = None
        if reader.is_at_statement() and line.strip():
            whole = line.rstrip("\n")
            while whole.endswith("\\") and number + count < len(lines):  # a shell's line goes on as Python's does
                whole = whole[:-1] + lines[number + count].strip("\n")
                count += 1
            begun = whole.lstrip()
            indent = whole[:len(whole) - len(begun)]
            python = translate_line(begun.rstrip(), indent, "")
            if python is None:
                before = Reader()
                at = before.read(whole + "\n")
                if at >= 0:
                    python = translate_line(whole[at + 1:].strip(), "", whole[:at + 1] + " ")
        if python is None:
            reader.read(line)
            out.append(line)
            number += 1
        else:
            changed[number + 1] = count
            out.append(python + "\n" * count)
            number += count
    return ("".join(out), changed) if changed else None


def restore_places(tree, changed, lines):
    """Gives what stands for lines of the dialect these lines' extent: a traceback marks none of them in part."""
    import _ast
    todo = [tree]
    while todo:
        node = todo.pop()
        todo += [child for field in node._fields for value in [getattr(node, field, None)]
                 for child in (value if isinstance(value, list) else [value]) if isinstance(child, _ast.AST)]
        if getattr(node, "lineno", None) in changed:
            line = lines[node.lineno - 1]
            node.col_offset = len(line[:len(line) - len(line.lstrip())].encode())
            node.end_lineno, node.end_col_offset = node.lineno, len(line.rstrip().encode())
