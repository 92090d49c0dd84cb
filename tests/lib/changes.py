"""Files that are sent and what a program does to them, the same for every API: what was changed comes back, and nothing else does."""
import io
import os
import sqlite3
import tempfile
import zipfile


def database():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "db")
        with sqlite3.connect(path) as connection:
            connection.execute("create table t (x)")
        connection.close()
        with open(path, "rb") as file:
            return file.read()


def rows(data):
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        connection = sqlite3.connect(file.name)
        found = connection.execute("select x from t").fetchall()
        connection.close()
        return found


def archive():
    with io.BytesIO() as out:
        with zipfile.ZipFile(out, "w") as file:
            file.writestr("a", "1")
        return out.getvalue()


def members(data):
    return zipfile.ZipFile(io.BytesIO(data)).namelist()


# name, bytes, what is done to the path p, what comes back: bytes, (a function, what it makes of them), or None for nothing
TABLE = (
    ("append.csv", b"a\n1\n", "open(p, 'a').write('2\\n')", b"a\n1\n2\n"),
    ("same size.txt", b"old", "open(p, 'r+').write('new')", b"new"),
    ("sub/renamed.txt", b"old", "open(p + '~', 'w').write('new'); os.rename(p + '~', p)", b"new"),
    ("sed.txt", b"one\n", "subprocess.run(['sed', '-i', 's/one/two/', p])", b"two\n"),
    ("book.zip", archive(), "zipfile.ZipFile(p, 'a').writestr('b', '2')", (members, ["a", "b"])),
    ("base.db", database(), "c = sqlite3.connect(p); c.execute('insert into t values (5)'); c.commit(); c.close()", (rows, [(5,)])),
    ("made anew.txt", b"old", "os.unlink(p); open(p, 'w').write('new')", b"new"),
    ("closed.txt", b"old", "open(p, 'w').write('new'); os.chmod(p, 0)", b"new"),
    ("emptied.txt", b"old", "open(p, 'w')", b""),
    ("later.txt", b"old", "time.sleep(0.05); open(p, 'w').write('new')", b"new"),
    ("touched.txt", b"old", "os.utime(p)", None),
    ("same bytes.txt", b"old", "open(p, 'w').write('old')", None),
    ("there and back.txt", b"old", "os.rename(p, p + '~'); os.rename(p + '~', p)", None),
    ("read.txt", b"old", "open(p).read()", None),
    ("deleted.txt", b"old", "os.unlink(p)", None),
    ("large.bin", bytes(range(256)) * 4096, "pass", None),
)


def files():
    return {name: data for name, data, _, _ in TABLE}


def code(folder=""):
    lines = ["import os, sqlite3, subprocess, time, zipfile"]
    for name, _, change, _ in TABLE:
        lines += [f"p = {folder + name!r}", change]
    return "\n".join(lines)


def check(test, found):
    """found: what came back, by name."""
    expected = {name: wanted for name, _, _, wanted in TABLE if wanted is not None}
    test.assertEqual(sorted(expected), sorted(found))
    for name, wanted in expected.items():
        with test.subTest(name=name):
            test.assertEqual(wanted[1] if isinstance(wanted, tuple) else wanted, wanted[0](found[name]) if isinstance(wanted, tuple) else found[name])
