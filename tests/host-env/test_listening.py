"""Both addresses of the loopback are served, and one alone where the host has no IPv6: by the socket units, under a systemd of the test's own, and
by scripts/run. The host with or without IPv6 is a network namespace."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import harness

ADDRESSES = {True: ("127.0.0.1", "::1"), False: ("127.0.0.1",)}
SOCKETS = [(manager, name, port) for manager in ("system", "user") for name, port in (("mayfly.socket", 8080), ("mayfly-static.socket", 8081))]
SERVICE = "[Service]\nExecStart=/bin/cat\nStandardInput=socket\nStandardOutput=socket\n"
# a service manager wants to be in a host that systemd booted, and of it no other mark than this folder
MANAGER = ("mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && "
           "/lib/systemd/systemd --user --log-target=console --unit=basic.target >{folder}/log 2>&1; true")
ASK = ("import socket, sys\nwith socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20) as c:\n"
       "    c.sendall(b'GET /health HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n')\n    c.shutdown(socket.SHUT_WR)\n"
       "    print(c.makefile('rb').read().decode())\n")


@unittest.skipUnless(os.geteuid() == 0, "a network namespace needs root")
class Listening(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mayfly-listen-")
        self.addCleanup(shutil.rmtree, self.folder)

    def start(self, has_ipv6, command, unshare=(), **environment):
        """A program in a host of its own, which ends with it."""
        script = f"ip link set lo up && sysctl -qw net.ipv6.conf.all.disable_ipv6={int(not has_ipv6)} && {command}"
        process = subprocess.Popen(["unshare", "--net", *unshare, "sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=harness.ROOT,
                                   stderr=subprocess.STDOUT, text=True, env={"PATH": os.environ["PATH"], "HOME": self.folder, **environment})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def asked(self, process, address, port):
        done = subprocess.run(["nsenter", f"--net=/proc/{process.pid}/ns/net", sys.executable, "-c", ASK, address, str(port)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
        return done.stdout, done.stderr

    def assert_served(self, process, has_ipv6, port, needle):
        for address in ADDRESSES[True]:
            answer, errors = self.asked(process, address, port)
            if address in ADDRESSES[has_ipv6]:
                self.assertIn(needle, answer, (address, errors))
            else:
                self.assertIn("Cannot assign requested address", errors, "the namespace has no IPv6")

    def test_socket_units(self):
        for has_ipv6 in (True, False):
            for manager, name, port in SOCKETS:
                with self.subTest(manager=manager, name=name, has_ipv6=has_ipv6):
                    self.serve_unit(manager, name, port, has_ipv6)

    def serve_unit(self, manager, name, port, has_ipv6):
        home = tempfile.mkdtemp(dir=self.folder)
        units, runtime = os.path.join(home, ".config/systemd/user"), os.path.join(home, "run")
        os.makedirs(os.path.join(units, "basic.target.wants"))
        os.mkdir(runtime)
        shutil.copy(os.path.join(harness.ROOT, "systemd", manager, name), units)
        os.symlink(f"../{name}", os.path.join(units, "basic.target.wants", name))
        with open(os.path.join(units, name.replace(".socket", "@.service")), "w", encoding="ascii") as file:
            file.write(SERVICE)
        process = self.start(has_ipv6, MANAGER.format(folder=home), ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
                             HOME=home, XDG_RUNTIME_DIR=runtime)

        def state():
            self.assertIsNone(process.poll())
            shown = subprocess.run(["systemctl", "--user", "show", "--property=SubState", "--value", name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   text=True, check=False, env={"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": runtime})
            return shown.stdout.strip() if shown.stdout.strip() in ("listening", "failed") else None
        if harness.until(state, "the socket's end") == "failed":
            with open(os.path.join(home, "log"), encoding="utf-8") as log:
                self.fail(log.read())
        try:
            self.assert_served(process, has_ipv6, port, "GET /health")
        finally:
            process.kill()
            process.wait()

    def test_run(self):
        for has_ipv6 in (True, False):
            with self.subTest(has_ipv6=has_ipv6):
                port = harness.free_port()
                process = self.start(has_ipv6, "exec scripts/run", PORT=str(port), DOCKER_SOCKET_PATH=harness.podman_socket(),
                                     MAYFLY_RUN_DIR=os.path.join(self.folder, "run"), MAYFLY_INSTANCE="t-" + os.urandom(6).hex(), MAYFLY_POOL="0",
                                     AA_STORAGE_PATH=os.path.join(self.folder, "storage"))
                said = []
                for line in process.stdout:
                    said.append(line)
                    if "mayfly serves" in line:
                        break
                self.assertIn(f"mayfly serves http://127.0.0.1:{port}/", "".join(said))
                self.assert_served(process, has_ipv6, port, '"status":"healthy"')
                process.send_signal(signal.SIGINT)
                process.stdout.read()
                self.assertEqual(process.wait(), 130)


if __name__ == "__main__":
    harness.main()
