"""The keys file as a system unit gives it to mayfly: opened by somebody else, as standard input (MAYFLY_KEYS_STDIN)."""
import json
import os
import shutil
import socket
import subprocess
import tempfile
import unittest

import harness

NOBODY = 65534
FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello\r\n--b--\r\n'
HEAD = (f"POST /v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        f"Content-Length: {len(FORM)}\r\n")


class StdinTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mayfly-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o755)
        self.is_root = os.geteuid() == 0
        programs, data = harness.copy_for_others(self.folder, "mayfly")
        self.program = os.path.join(programs, "mayfly")
        for name in ("storage", "run", "config"):
            os.mkdir(os.path.join(self.folder, name))
            if self.is_root and name != "config":
                os.chown(os.path.join(self.folder, name), NOBODY, NOBODY)
        self.environment = {"AA_STORAGE_PATH": os.path.join(self.folder, "storage"), "MAYFLY_RUN_DIR": os.path.join(self.folder, "run"),
                            "MAYFLY_CONFIG_DIR": os.path.join(self.folder, "config"), "MAYFLY_DATA_DIR": data,
                            "MAYFLY_INSTANCE": "t-" + os.urandom(6).hex()}
        self.environment.update({name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")})
        self.keys = os.path.join(self.folder, "config", "keys")
        self.token = self.ctl("add", "alice").strip()

    def ctl(self, *arguments):
        return subprocess.run([os.path.join(harness.BUILD, "mayflyctl"), "keys", *arguments], env=self.environment, check=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout

    def upload(self, stdin, token=None, **variables):
        """An upload to a mayfly that has a connection as descriptor 3, as sd_listen_fds(3) has it: status and body of its answer."""
        with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
            served = listener.accept()[0]
            with served, open(stdin, "rb") as file:
                user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if self.is_root else {}
                mayfly = subprocess.Popen(["sh", "-c", f'LISTEN_PID=$$ exec "{self.program}" 3<&{served.fileno()}'], stdin=file,
                                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=[served.fileno()],
                                          env={**self.environment, "LISTEN_FDS": "1", **variables}, **user)
            client.settimeout(harness.DEADLINE_S)
            authorization = f"Authorization: Bearer {token}\r\n" if token else ""
            client.sendall(f"{HEAD}{authorization}\r\n".encode() + FORM)
            head, _, body = harness.read_all(client).partition(b"\r\n\r\n")
            client.close()  # which is what mayfly waits for
            log = mayfly.communicate(timeout=harness.DEADLINE_S)[1].decode()
        self.assertNotIn(self.token, log)
        return int(head.split()[1]), json.loads(body)

    def test_who_cannot_open_it_reads_it(self):
        self.assertEqual(os.stat(self.keys).st_mode & 0o777, 0o600)
        self.assertEqual(self.upload(self.keys, self.token, MAYFLY_KEYS_STDIN="true")[0], 200)
        for token in (None, "mf_wrong"):
            self.assertEqual(self.upload(self.keys, token, MAYFLY_KEYS_STDIN="true")[0], 401)
        if self.is_root:
            status, body = self.upload("/dev/null", self.token)
            self.assertEqual((status, "cannot be read" in body["error"]), (500, True), body)

    def test_a_change_counts_from_the_next_connection_on(self):
        self.ctl("revoke", "alice")
        self.assertEqual(os.stat(self.keys).st_mode & 0o777, 0o600)
        self.assertEqual(self.upload(self.keys, self.token, MAYFLY_KEYS_STDIN="true")[0], 401, "a file that had a key stays closed")
        token = self.ctl("add", "bob").strip()
        self.assertEqual(self.upload(self.keys, token, MAYFLY_KEYS_STDIN="true")[0], 200)
        self.assertEqual(self.upload(self.keys, self.token, MAYFLY_KEYS_STDIN="true")[0], 401)

    def test_what_is_no_file_lets_nobody_in(self):
        status, body = self.upload("/dev/null", self.token, MAYFLY_KEYS_STDIN="true")
        self.assertEqual((status, "StandardInput=file:" in body["error"]), (500, True), body)

    def test_a_file_that_is_named_goes_before(self):
        """Else keys in that file would let nobody in, and its absence everybody."""
        empty = os.path.join(self.folder, "empty")
        open(empty, "wb").close()
        if self.is_root:
            os.chown(self.keys, NOBODY, NOBODY)
        self.assertEqual(self.upload(empty, MAYFLY_KEYS_STDIN="true", MAYFLY_KEYS_FILE=self.keys)[0], 401)
        self.assertEqual(self.upload(empty, self.token, MAYFLY_KEYS_STDIN="true", MAYFLY_KEYS_FILE=self.keys)[0], 200)


if __name__ == "__main__":
    harness.main()
