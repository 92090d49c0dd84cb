"""Row F of tests/attack/README.md: collecting what a program leaves in its working directory."""
import json
import os
import re
import stat
import urllib.parse

import attack
import harness


class Collecting(attack.AttackTest):
    def outputs(self, result):
        return set(result["artifacts"]["outputs"]) - {"stdout", "stderr"}

    def on_disk(self, result):
        top = os.path.join(self.server.storage, "test", "job-" + result["id"])
        found = {}
        for folder, folders, files in os.walk(os.fsencode(top)):
            for name in folders + files:
                path = os.path.join(folder, name)
                found[os.path.relpath(path, os.fsencode(top))] = os.lstat(path).st_mode
        return found

    def assert_disk_is_safe(self, result):
        """Whatever was stored is a plain file or folder, of our user, that others cannot change and that runs nowhere."""
        for path, mode in self.on_disk(result).items():
            self.assertTrue(stat.S_ISREG(mode) or stat.S_ISDIR(mode), path)
            self.assertFalse(mode & 0o7002, path)
            if stat.S_ISREG(mode):
                self.assertFalse(mode & 0o111, path)

    def test_symlinks_to_secrets_are_skipped(self):
        secret = os.path.join(self.server.folder, "secret")
        with open(secret, "w", encoding="ascii") as file:
            file.write("the host's secret")
        result = self.attack(f"ln -s /etc/shadow shadow; ln -s /etc/passwd passwd; ln -s {secret} secret; ln -s /proc/1/environ environ; "
                             "ln -s /proc/self/mem mem; ln -s ../../../../etc/hostname up; ln -s script.js script; echo x > real; ln real hard; "
                             "ln -s real soft", "bash")
        self.assertEqual(self.outputs(result), {"real", "hard"})
        self.assert_disk_is_safe(result)

    def test_captured_streams_replaced_by_links_are_the_captured_streams(self):
        result = self.attack("ln -s /etc/passwd stdout; mkdir stderr; echo inner > stderr/x; echo said; echo complained >&2", "bash")
        self.assertEqual((self.server.output(result), self.server.output(result, "stderr")), (b"said\n", b"complained\n"))
        self.assertEqual(self.outputs(result), set())

    def test_the_input_replaced_by_a_link_is_the_input(self):
        code = "rm script.js; ln -s /etc/passwd script.js; echo done"
        result = self.attack(code, "bash")
        self.assertEqual(self.server.fetch(result["artifacts"]["inputs"]["script.js"]).decode(), code)
        self.assertEqual(self.outputs(result), set())

    def test_files_and_links_swapped_meanwhile_find_the_program_dead(self):
        # 20 processes which outlive the main program and swap for as long as they live
        result = self.attack("""
import os, time
for number in range(20):
    name = f'f{number}'
    open(name, 'w').write('mine')
    if os.fork() == 0:
        os.setsid()
        while True:
            os.symlink('/etc/passwd', name + '.new')
            os.rename(name + '.new', name)
            with open(name + '.new', 'w') as file: file.write('mine')
            os.rename(name + '.new', name)
time.sleep(0.3)
""", timeout=20)
        for name in self.outputs(result):
            self.assertIn(self.server.fetch(result["artifacts"]["outputs"][name]), (b"mine", b""), name)
        self.assert_disk_is_safe(result)

    def test_a_file_that_grows_meanwhile_is_what_it_was_when_the_program_ended(self):
        result = self.attack("(while :; do echo grow >> file; done) & sleep 0.3; exit 0", "bash", timeout=20)
        data = self.server.fetch(result["artifacts"]["outputs"]["file"])
        self.assertEqual(data.replace(b"grow\n", b""), b"")
        self.assertGreater(len(data), 0)

    def test_odd_names_are_encoded_or_refused(self):
        result = self.attack(r"""
import os
names = [b'-rf', b'--help', b'.hidden', b'...', b'a b', b'a%2fb', b'a?b#c', b'a&b;c', b'"quote"', b"'", b'back\\slash', b'$(id)', b'`id`', b'*',
         b'a' * 255, '\u202egpj.exe'.encode(), '\u2066rtl'.encode(), '\u4e2d\u6587'.encode(), b'~', b'CON', b'a:b', b'<b>x', b'C:\\x',
         b'line\nbreak', b'carriage\rreturn', b'escape\x1b[31m', b'tab\t', b'del\x7f', b'bell\x07', b'\xff\xfe', b'cut\xe4\xb8', b'\xc0\xaf', b' ', b'trailing ']
for name in names:
    with open(name, 'wb') as file: file.write(b'content')
    os.makedirs(b'd/' + name, exist_ok=True)
    with open(b'd/' + name + b'/f', 'wb') as file: file.write(b'content')
print(len(names))
""")
        self.assertEqual(result["exitCode"], 0, result)
        outputs = result["artifacts"]["outputs"]
        plain = {"-rf", "--help", ".hidden", "...", "a b", "a%2fb", "a?b#c", "a&b;c", '"quote"', "'", "back\\slash", "$(id)", "`id`", "*", "a" * 255,
                 "\u202egpj.exe", "\u2066rtl", "\u4e2d\u6587", "~", "CON", "a:b", "<b>x", "C:\\x", " ", "trailing "}
        self.assertEqual(plain - self.outputs(result), set())
        for name, url in outputs.items():
            self.assertRegex(url, r"^http://[0-9.:]+/artifacts/test/[A-Za-z0-9_-]{6}/[A-Za-z0-9_.~%/-]+$")
            self.assertNotRegex(name, "[\x00-\x1f\x7f]")
            reply = self.server.request("GET", url[len("http://" + self.server.host):])
            if name not in ("stdout", "stderr"):
                self.assertEqual((reply.status, reply.body), (200, b"content"), name)
            raw = self.server.raw(f"HEAD {url[len('http://' + self.server.host):]} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            self.assertNotRegex(raw, rb"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\xff]", "nothing raw in a header")
            self.assertEqual(raw.count(b"\n"), raw.count(b"\r\n"))
        for path in self.on_disk(result):
            self.assertNotRegex(path, rb"[\x00-\x1f\x7f]")
        self.assert_disk_is_safe(result)

    def test_the_longest_paths_are_stored_or_skipped(self):
        result = self.attack("""
import os
os.chdir('/workspace')
for depth in range(20):
    os.mkdir('n' * 200)
    os.chdir('n' * 200)
    open('f', 'w').close()
open('/workspace/near', 'w').close()
""")
        outputs = self.outputs(result)
        self.assertIn("near", outputs)
        self.assertIn("n" * 200 + "/f", outputs)
        self.assertLessEqual(max(len(name) for name in outputs), 1024)

    def test_mode_0000_is_read_or_skipped_and_always_deletable(self):
        result = self.attack("mkdir -p locked/inner; echo x > locked/inner/f; echo y > file; echo z > locked/g; chmod 0 file locked/inner/f locked/g "
                             "locked/inner locked; echo x > suid; chmod 7777 suid; mkdir sticky; chmod 7777 sticky; echo x > sticky/f", "bash")
        self.assertEqual(self.outputs(result) - {"file", "locked/g", "locked/inner/f", "suid", "sticky/f"}, set())
        self.assertIn("suid", self.outputs(result))
        self.assert_disk_is_safe(result)
        for name in self.outputs(result):
            self.assertEqual(len(self.server.fetch(result["artifacts"]["outputs"][name])), 2)

    def test_immutable_attributes_and_xattrs_change_nothing(self):
        result = self.attack("""
import os
open('f', 'w').write('x')
for name in ('user.x', 'security.x', 'trusted.x', 'system.posix_acl_access'):
    try: os.setxattr('f', name, b'x' * 100)
    except OSError: pass
os.system('chattr +i f 2> /dev/null')
""")
        self.assertEqual(self.outputs(result), {"f"})
        path = os.path.join(self.server.storage, "test", "job-" + result["id"], "f")
        self.assertEqual(os.listxattr(path), [])

    def test_nothing_skipped_is_not_mentioned(self):
        self.assertNotIn("skipped", self.attack("echo x > real", "bash"))

    def test_counts_beyond_the_cap_are_not_stored(self):
        result = self.attack("for i in {1..400}; do echo x > f$i; done", "bash")
        self.assertEqual(len(self.outputs(result)), 256)
        self.assertEqual(len(self.on_disk(result)), 256 + 3)

    def test_urls_of_a_hostile_host_header_stay_urls(self):
        body = json.dumps({"tool": "code_execution", "sessionId": "test", "code": "echo x > '\"><script>'"}).encode()
        answer = self.server.raw(b"POST /tools/execute HTTP/1.1\r\nHost: localhost:1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        result = json.loads(answer.split(b"\r\n\r\n", 1)[1])
        url = result["artifacts"]["outputs"]['"><script>']
        self.assertTrue(url.startswith("http://localhost:1/artifacts/test/"), url)
        self.assertIsNone(re.search(r"[\"<> ]", url))
        self.assertEqual(urllib.parse.unquote(url.rsplit("/", 1)[1]), '"><script>')
        self.check_recovered()


if __name__ == "__main__":
    harness.main()
